"""Which rule answers which NumPy function: two tables that `Variable`'s protocols read."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ..ops.elementwise import ALIASES
from ..ops.primitive import PRIMITIVES, innermost
from .. import tree

FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {}  # NumPy function → the rule that replaces it
UFUNCS: dict[Any, Callable[..., Any] | None] = {}  # ufunc → primitive or function
METHODS: dict[tuple[Any, str], Callable[..., Any]] = {}  # (ufunc, "reduce" …) → function

F = TypeVar("F", bound=Callable[..., Any])


def implements(*functions: Callable[..., Any]) -> Callable[[F], F]:
    """Enter a rule for NumPy functions; the rule takes NumPy's arguments."""

    def enter(rule: F) -> F:
        for function in functions:
            FUNCTIONS[function] = rule
        return rule

    return enter


def ufunc_rule(ufunc: Any) -> Callable[..., Any] | None:
    """The rule for a ufunc: an entry of UFUNCS, or its row, found by name; None if there is none."""
    try:
        return UFUNCS[ufunc]
    except KeyError:
        rule = UFUNCS[ufunc] = PRIMITIVES.get(ALIASES.get(ufunc.__name__, ufunc.__name__))
        return rule


def unknown_options(rule: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> str:
    """The arguments that `rule` does not take, in words; empty when they fit."""
    parameters = inspect.signature(rule).parameters
    unknown = [f"{name}=" for name in kwargs if name not in parameters]
    if len(args) > len(parameters):
        unknown.append(f"{len(args)} positional arguments")
    return ", ".join(unknown)


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function without derivative: it sees the plain values and returns plain results."""

    def evaluate(*args: Any, **options: Any) -> Any:
        args, options = tree.tree_map(innermost, (args, options))
        return function(*args, **options)

    evaluate.__name__ = function.__name__
    return evaluate


def enter_plain(*names: str) -> None:
    """Let NumPy functions that have no derivative see plain values."""
    for name in names:
        function = getattr(np, name)
        FUNCTIONS[function] = plain(function)
