"""Running sums and products, with NumPy's signatures."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops import reduce as rd
from ..ops.primitive import beside, dtype_of, shape_of
from .dispatch import METHODS, implements
from .joining import concatenate
from .reductions import cast, factors
from .shaping import ravel, single_axis


def scan_axis(a: Any, axis: int | None) -> tuple[Any, int]:
    """The array and the axis to go along: a flat array and its only axis when none is named."""
    return (ravel(a), 0) if axis is None else (a, single_axis(axis, a))


@implements(np.cumsum)
def cumsum(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    """As np.cumsum."""
    a, k = scan_axis(np.atleast_1d(cast(a, dtype)), axis)
    return rd.cumsum(a, axis=k)


@implements(np.cumprod)
def cumprod(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    """As np.cumprod, by products over doubling distances: exact derivatives also where factors are zero."""
    a, k = scan_axis(np.atleast_1d(factors(a, dtype)), axis)
    before, n, distance = (slice(None),) * k, shape_of(a)[k], 1
    while distance < n:
        head, tail = a[(*before, slice(distance))], a[(*before, slice(distance, None))]
        a = np.concatenate([head, tail * a[(*before, slice(n - distance))]], axis=k)
        distance *= 2
    return a


@implements(np.cumulative_sum)
def cumulative_sum(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, out: Any = None, include_initial: bool = False
) -> Any:
    """As np.cumulative_sum."""
    return _cumulative(cumsum, 0, x, axis, dtype, include_initial)


@implements(np.cumulative_prod)
def cumulative_prod(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, out: Any = None, include_initial: bool = False
) -> Any:
    """As np.cumulative_prod."""
    return _cumulative(cumprod, 1, x, axis, dtype, include_initial)


def _cumulative(scan: Any, first: int, x: Any, axis: int | None, dtype: Any, include_initial: bool) -> Any:
    x = np.atleast_1d(x)
    ndim = len(shape_of(x))
    if axis is None:
        if ndim > 1:
            raise ValueError("For arrays which have more than one dimension ``axis`` argument is required.")
        axis = 0
    z = scan(x, axis, dtype)
    if not include_initial:
        return z
    edge = tuple(1 if k == axis % ndim else n for k, n in enumerate(shape_of(z)))
    return concatenate([beside(z).full(edge, first, dtype_of(z)), z], axis)


def _scanner(rule: Any) -> Any:
    return lambda a, axis=0, dtype=None, out=None: rule(a, axis, dtype)


METHODS.update({(np.add, "accumulate"): _scanner(cumsum), (np.multiply, "accumulate"): _scanner(cumprod)})
