"""Derivatives as people write them: WRONG ones with the place of the fault, right ones of HARD functions."""

from importlib import import_module

from .pairs import HARD, WRONG, Case, Pair

__all__ = ["HARD", "WRONG", "Case", "Pair"]

THEMES = {
    "wrong": ("formulas", "shapes", "layers", "matrices", "states", "second_order", "subtle"),
    "hard": ("kinks", "scales", "noise", "programs", "arguments", "manners"),
}
for kind, themes in THEMES.items():  # each enters its cases in the tables
    for theme in themes:
        import_module(f".{kind}_{theme}", __name__)
