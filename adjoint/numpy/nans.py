"""Reductions and scans that leave NaN out, with NumPy's signatures: its part of λ is 0."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ops import reduce as rd
from ..ops.broadcast import astype, sum_
from ..ops.elementwise import isnan, square
from ..ops.elementwise import where as where_op
from ..ops.primitive import dtype_of, normalize_axis, shape_of
from .complexes import reduce_parts
from .creation import asarray
from .dispatch import implements
from .reductions import cumprod, cumsum, max_, min_, prod
from .reductions import sum as sum_of


def _numbers(a: Any, filling: float) -> tuple[Any, Any]:
    """The array with something else in the place of NaN, and where it has numbers."""
    a = asarray(a)
    numbers = np.logical_not(isnan(a))
    return where_op(numbers, a, filling), numbers


def _counted(numbers: Any, axis: Any, kind: np.dtype[Any]) -> Any:
    """How many there are, in the dtype of a result's size."""
    return astype(sum_of(numbers, axis, keepdims=True), dtype=np.empty(0, kind).real.dtype)


def _cast(a: Any, dtype: Any) -> Any:
    return a if dtype is None else astype(a, dtype=np.dtype(dtype))


@implements(np.nansum)
def nansum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    """As np.nansum."""
    return sum_of(_cast(_numbers(a, 0.0)[0], dtype), axis, keepdims=keepdims)


@implements(np.nanprod)
def nanprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    """As np.nanprod."""
    return prod(_cast(_numbers(a, 1.0)[0], dtype), axis, keepdims=keepdims)


@implements(np.nancumsum)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """As np.nancumsum."""
    return cumsum(_cast(_numbers(a, 0.0)[0], dtype), axis)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """As np.nancumprod."""
    return cumprod(_cast(_numbers(a, 1.0)[0], dtype), axis)


@implements(np.nanmax)
def nanmax(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    """As np.nanmax; ties share the derivative."""
    return _nan_extremum(max_, -math.inf, a, axis, keepdims)


@implements(np.nanmin)
def nanmin(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    """As np.nanmin; ties share the derivative."""
    return _nan_extremum(min_, math.inf, a, axis, keepdims)


def _nan_extremum(extremum: Any, filling: float, a: Any, axis: Any, keepdims: bool) -> Any:
    filled, numbers = _numbers(a, filling)
    z = extremum(filled, axis, keepdims=keepdims)
    return where_op(sum_of(numbers, axis, keepdims=keepdims) == 0, math.nan, z)


@implements(np.nanmean)
def nanmean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    """As np.nanmean."""
    filled, numbers = _numbers(_cast(a, dtype), 0.0)
    count = _counted(numbers, axis, dtype_of(filled))
    return _divided(sum_of(filled, axis, keepdims=True), count, a, axis, keepdims)


def _divided(z: Any, count: Any, a: Any, axis: Any, keepdims: bool, root: bool = False) -> Any:
    """z / count (or its root), NaN where nothing is counted, whose reduced axes were kept, as asked for."""
    some = count > 0
    divisor = where_op(some, count, 1.0)  # no derivative of 0/0 in any branch
    z = where_op(some, z / (np.sqrt(divisor) if root else divisor), math.nan)
    return z if keepdims else rd.squeeze(z, normalize_axis(axis, len(shape_of(a))))


def _nan_centred(a: Any, axis: Any, dtype: Any, ddof: float) -> tuple[Any, tuple[int, ...], Any]:
    """a less the mean of its numbers, 0 for NaN; the axes; and how many numbers there are beyond ddof."""
    filled, numbers = _numbers(_cast(a, dtype), 0.0)
    count = _counted(numbers, axis, dtype_of(filled))
    mean = sum_of(filled, axis, keepdims=True) / where_op(count == 0, 1.0, count)
    return where_op(numbers, filled - mean, 0.0), normalize_axis(axis, len(shape_of(a))), count - ddof


@implements(np.nanvar)
def nanvar(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: bool = False,
    *, correction: float | None = None,
) -> Any:  # fmt: skip
    """As np.nanvar."""
    centred, axes, degrees = _nan_centred(a, axis, dtype, ddof if correction is None else correction)
    return _divided(reduce_parts(_sum_of_squares, centred, axes, True), degrees, a, axis, keepdims)


def _sum_of_squares(x: Any, axis: Any, keepdims: bool) -> Any:
    return sum_(square(x), axis=axis, keepdims=keepdims)


@implements(np.nanstd)
def nanstd(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: bool = False,
    *, correction: float | None = None,
) -> Any:  # fmt: skip
    """As np.nanstd; its derivative at zero spread is 0, as that of np.std."""
    centred, axes, degrees = _nan_centred(a, axis, dtype, ddof if correction is None else correction)
    z = reduce_parts(rd.norm, centred, axes, True)
    return _divided(z, degrees, a, axis, keepdims, root=True)
