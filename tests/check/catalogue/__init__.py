"""Derivatives as people write them: WRONG ones with the place of the fault, right ones of HARD functions."""

from importlib import import_module

from .pairs import HARD, WRONG, Case, Pair

__all__ = ["HARD", "WRONG", "Case", "Pair"]

THEMES = [
    *("formulas", "shapes", "layers", "matrices", "states", "second_order", "subtle"),
    *("kinks", "scales", "noise", "programs", "arguments", "manners"),
]
for k, theme in enumerate(THEMES):  # each enters its cases in the tables
    import_module(f".{'wrong' if k < 7 else 'hard'}_{theme}", __name__)
