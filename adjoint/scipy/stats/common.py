"""What the distributions share: operands as floats of one kind, location and scale, the edge of a support."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...numpy.creation import joined
from ...ops.broadcast import astype
from ...ops.device import as_array
from ...ops.elementwise import floor, log, logical_and, logical_or, not_equal, where
from ...ops.primitive import FLOAT64, Recorded, dtype_of

INFINITY = math.inf


def floats(*operands: Any) -> list[Any]:
    """Operands as floats; Python numbers in the dtype of the others, so that float32 stays float32."""
    operands = tuple(map(joined, operands))
    kinds = [_floating(dtype_of(x)) for x in operands if not isinstance(x, (bool, int, float))]
    kind = np.result_type(*kinds) if kinds else FLOAT64
    return [_as_float(x, kind) for x in operands]


def _floating(kind: np.dtype[Any]) -> np.dtype[Any]:
    return kind if kind.kind == "f" else FLOAT64


def _as_float(x: Any, kind: np.dtype[Any]) -> Any:
    if isinstance(x, (bool, int, float)):
        return kind.type(x)
    x = x if isinstance(x, Recorded) else as_array(x)[()]
    own = dtype_of(x)
    return x if own.kind == "f" else astype(x, dtype=_floating(own))


def counted(k: Any) -> tuple[Any, Any]:
    """Integers, without derivative, and where the operand was none."""
    whole = floor(k)
    return whole, not_equal(whole, k)


def positive(p: Any) -> Any:
    """A parameter that must be > 0: NaN where it is not, and everything made of it."""
    return where(p > 0, p, np.nan)


def nonnegative(p: Any) -> Any:
    """A parameter that must be ≥ 0: NaN where it is not."""
    return where(p >= 0, p, np.nan)


def probability(p: Any) -> Any:
    """A parameter in [0, 1]: NaN where it lies outside."""
    return where(logical_and(p >= 0, p <= 1), p, np.nan)


def standard(x: Any, loc: Any, scale: Any) -> Any:
    """y = (x − loc)/scale; what is 0 or 1 from the start costs nothing."""
    y = x if _is(loc, 0) else x - loc
    return y if _is(scale, 1) else y / scale


def per_scale(log_density: Any, scale: Any) -> Any:
    """The logarithm of the density in x from that in y."""
    return log_density if _is(scale, 1) else log_density - log(scale)


def _is(x: Any, number: int) -> bool:
    return isinstance(x, np.generic) and bool(x == number)


def within(
    beyond: Any,
    y: Any,
    value: Callable[[Any], Any],
    *,
    inner: float,
    outer: Any,
    known: tuple[Any, ...] = (),
) -> Any:
    """value(y) on a support; `outer` beyond it, where nothing depends on anything.

    Args:
        beyond: where y lies outside. A NaN lies inside, so that it stays one.
        y: the standardised variable.
        value: function of a y that lies inside.
        inner: some number inside, for those that do not.
        outer: value beyond.
        known: parameters of which none may be NaN beyond.
    """
    z = value(where(beyond, inner, y))
    for p in known:
        beyond = logical_and(beyond, p == p)
    return where(beyond, outer, z)


def either(*conditions: Any) -> Any:
    """Where one of the conditions holds."""
    result = conditions[0]
    for condition in conditions[1:]:
        result = logical_or(result, condition)
    return result
