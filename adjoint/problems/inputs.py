"""What the user gives, checked: functions and bounds; errors say what is wrong and where it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import DomainError, LeakError, Origin, ShapeError, UnknownNameError, describe, refusal
from ..ops.primitive import Recorded, shape_of

Function = Callable[..., Any]
Named = Mapping[str, Function] | Function | None


def defined_at(function: Function) -> str:
    """Where the user's function is written: `disk is defined at train.py:7:  return x @ x - 1`."""
    code = getattr(function, "__code__", None)
    if code is None:
        return f"given by {function!r}"
    origin = Origin(code, -1)
    return f"{function.__name__} is defined at {origin.place}:  {origin.source}"


def functions(given: Named, which: str) -> dict[str, Function]:
    """Named constraint functions.

    Raises:
        TypeError: one is not a function.
    """
    if given is None:
        return {}
    named = {which: given} if callable(given) else given
    if not isinstance(named, Mapping):
        raise TypeError(
            f"{which} must be a dict of named functions, {{'name': function}}, got {describe(given)}"
        )
    for name, function in named.items():
        if not callable(function):
            raise TypeError(f"{which}[{name!r}] must be a function of x, got {describe(function)}")
        if not isinstance(name, str) or not name:
            raise UnknownNameError(f"{which} needs names that are texts, got {name!r}")
    return dict(named)


def limits(
    bounds: Any, structure: trees.Structure, shapes: list[tuple[int, ...]]
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds (n,) with ±∞ where there are none.

    Raises:
        ShapeError: a bound does not fit x.
        DomainError: a bound is NaN.
    """
    if bounds is None:
        bounds = (None, None)
    if not (isinstance(bounds, tuple) and len(bounds) == 2):
        what = "bounds must be a tuple (lower, upper), each None, a number, or shaped like x"
        raise refusal(ShapeError, what, "SciPy's list of pairs is its transpose: lower, upper = zip(*pairs).")
    lower, upper = (
        _limit(b, w, structure, shapes, s)
        for b, w, s in zip(bounds, ("lower", "upper"), (-np.inf, np.inf), strict=True)
    )
    return lower, upper


def _limit(
    bound: Any, which: str, structure: trees.Structure, shapes: list[tuple[int, ...]], none: float
) -> np.ndarray:
    leaves, found = trees.flatten(bound)
    if bound is None or (found == trees.LEAF and shape_of(bound) == ()):
        leaves = [none if bound is None else bound] * len(shapes)
    elif structure == trees.LEAF and isinstance(bound, (list, np.ndarray)):
        leaves = [
            np.array([none if b is None else b for b in bound], float) if isinstance(bound, list) else bound
        ]
    elif found != structure:
        what = f"the {which} bounds must have the containers of x: {structure}, got {found}"
        raise refusal(ShapeError, what, "bounds is (lower, upper).")
    parts = []
    for leaf, shape in zip(leaves, shapes, strict=True):
        if isinstance(leaf, Recorded):
            what = f"the {which} bounds are recorded values: their derivative would be lost"
            raise refusal(LeakError, what, "State them with ineq= and pass them in args=.")
        try:
            full = np.broadcast_to(np.asarray(leaf, np.float64), shape)
        except ValueError:
            what = f"the {which} bounds {np.shape(leaf)} do not fit x {shape}"
            raise refusal(ShapeError, what, "bounds is (lower, upper).") from None
        if np.any(full == -none):
            what = f"the {which} bounds contain {-none}: no number satisfies them"
            raise refusal(DomainError, what, "None, or the infinity of the other sign, is no bound.")
        if np.any(np.isnan(full)):
            raise refusal(DomainError, f"the {which} bounds contain NaN; None or ±np.inf is no bound")
        parts.append(np.ravel(full))
    return np.concatenate(parts)
