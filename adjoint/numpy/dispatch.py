"""Which rule answers which NumPy function: two tables that `Variable`'s protocols read."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from .. import tree
from ..errors import MutationError, refusal
from ..ops.abstract import Abstract
from ..ops.elementwise import ALIASES
from ..ops.primitive import PRIMITIVES, innermost

FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {}  # NumPy function → the rule that replaces it
UFUNCS: dict[Any, Callable[..., Any] | None] = {}  # ufunc → primitive or function
METHODS: dict[tuple[Any, str], Callable[..., Any]] = {}  # (ufunc, "reduce" …) → function

F = TypeVar("F", bound=Callable[..., Any])


def implements(*functions: Callable[..., Any]) -> Callable[[F], F]:
    """Enter a rule for NumPy functions; the rule takes NumPy's arguments."""

    def enter(rule: F) -> F:
        names = list(inspect.signature(rule).parameters)
        place = names.index("out") if "out" in names else None
        for function in functions:
            FUNCTIONS[function] = rule if place is None else _without_out(rule, place, function.__name__)
        return rule

    return enter


def _without_out(rule: Callable[..., Any], place: int, name: str) -> Callable[..., Any]:
    """The rule, refusing an `out` given by position (`Variable` refuses the keyword)."""

    @functools.wraps(rule)
    def checked(*args: Any, **options: Any) -> Any:
        if len(args) > place and args[place] is not None:
            what = f"np.{name} with out= would write a recorded value into an array and lose its derivative"
            raise refusal(MutationError, what, "Use the result instead, and leave out= away.")
        return rule(*args, **options)

    return checked


def ufunc_rule(ufunc: Any) -> Callable[..., Any] | None:
    """The rule for a ufunc: an entry of UFUNCS, or its row, found by name; None if there is none."""
    try:
        return UFUNCS[ufunc]
    except KeyError:
        rule = PRIMITIVES.get(ALIASES.get(ufunc.__name__, ufunc.__name__))
        if rule is not None and not rule.foreign:  # what the user registers may come later, or be replaced
            UFUNCS[ufunc] = rule
        return rule


def unknown_options(rule: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> str:
    """The arguments that `rule` does not take, in words; empty when they fit."""
    signature = inspect.signature(rule)
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        unknown = [f"{name}=" for name in kwargs if name not in signature.parameters]
        return ", ".join(unknown) or f"{len(args)} positional arguments"
    return ""


def plain(function: Callable[..., Any], traced: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """A function without derivative: it sees the plain values and returns plain results.

    Args:
        function: NumPy's.
        traced: what to record instead where a value is abstract; by default it is refused there, unless
            shapes alone decide the result.
    """

    def evaluate(*args: Any, **options: Any) -> Any:
        inner = tree.tree_map(innermost, (args, options))
        if traced is not None and any(type(leaf) is Abstract for leaf in tree.flatten(inner)[0]):
            return traced(*args, **options)
        return function(*inner[0], **inner[1])

    evaluate.__name__ = function.__name__
    return evaluate


def enter_plain(*names: str) -> None:
    """Let NumPy functions that have no derivative see plain values."""
    for name in names:
        function = getattr(np, name)
        FUNCTIONS[function] = plain(function)
