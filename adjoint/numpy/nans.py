"""Reductions and scans that leave NaN out, with NumPy's signatures: its part of λ is 0."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ops import reduce as rd
from ..ops.elementwise import isnan
from ..ops.elementwise import where as where_op
from ..ops.primitive import dtype_of
from .complexes import reduce_parts
from .creation import asarray, together
from .dispatch import implements
from .reductions import NONE, cast, counted, max_, min_, prod, reduced_axes, sum_of_squares
from .reductions import sum as sum_of
from .scans import cumprod, cumsum


def _numbers(a: Any, filling: float, where: Any = True) -> tuple[Any, Any]:
    """The array with something else in the place of what is left out, and a mask of what is not."""
    a = asarray(a)
    numbers = np.logical_not(isnan(a))
    if where is not True:
        numbers = np.logical_and(numbers, together((a, where))[1])
    return where_op(numbers, a, filling), numbers


@implements(np.nansum)
def nansum(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
    initial: Any = NONE, where: Any = True,
) -> Any:  # fmt: skip
    """As np.nansum."""
    return sum_of(cast(_numbers(a, 0.0, where)[0], dtype), axis, None, None, keepdims, initial)


@implements(np.nanprod)
def nanprod(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
    initial: Any = NONE, where: Any = True,
) -> Any:  # fmt: skip
    """As np.nanprod."""
    return prod(cast(_numbers(a, 1.0, where)[0], dtype), axis, None, None, keepdims, initial)


@implements(np.nancumsum)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """As np.nancumsum."""
    return cumsum(cast(_numbers(a, 0.0)[0], dtype), axis)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """As np.nancumprod."""
    return cumprod(cast(_numbers(a, 1.0)[0], dtype), axis)


@implements(np.nanmax)
def nanmax(
    a: Any, axis: Any = None, out: Any = None, keepdims: bool = False, initial: Any = NONE, where: Any = True
) -> Any:
    """As np.nanmax; ties share the derivative."""
    return _extremum(max_, np.fmax, -math.inf, a, axis, keepdims, initial, where)


@implements(np.nanmin)
def nanmin(
    a: Any, axis: Any = None, out: Any = None, keepdims: bool = False, initial: Any = NONE, where: Any = True
) -> Any:
    """As np.nanmin; ties share the derivative."""
    return _extremum(min_, np.fmin, math.inf, a, axis, keepdims, initial, where)


def _extremum(
    extremum: Any, choose: Any, filling: float, a: Any, axis: Any, keepdims: bool, initial: Any, where: Any
) -> Any:
    if dtype_of(a).kind not in "fc":  # nothing to leave out; integers stay integers
        return extremum(a, axis, None, keepdims, initial, where)
    filled, numbers = _numbers(a, filling, where)
    z = extremum(filled, axis, keepdims=keepdims)
    z = where_op(sum_of(numbers, axis, keepdims=keepdims) == 0, math.nan, z)
    return z if initial is NONE else choose(z, initial)


@implements(np.nanmean)
def nanmean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False, *, where: Any = True
) -> Any:
    """As np.nanmean."""
    filled, numbers = _numbers(cast(a, dtype), 0.0, where)
    z = sum_of(filled, axis, keepdims=True)
    return _divided(z, counted(numbers, filled, axis), a, axis, keepdims)


def _divided(z: Any, count: Any, a: Any, axis: Any, keepdims: bool, root: bool = False) -> Any:
    """z / count (or its root), NaN where nothing is counted, whose reduced axes were kept, as asked for."""
    some = count > 0
    divisor = where_op(some, count, 1.0)  # no derivative of 0/0 in any branch
    z = where_op(some, z / (np.sqrt(divisor) if root else divisor), math.nan)
    return z if keepdims else rd.squeeze(z, reduced_axes(axis, a))


def _spread(
    reduction: Any, a: Any, axis: Any, dtype: Any, ddof: float, where: Any, mean: Any
) -> tuple[Any, Any]:
    """A reduction of the numbers less their mean, and how many there are beyond ddof."""
    filled, numbers = _numbers(cast(a, dtype), 0.0, where)
    count = counted(numbers, filled, axis)
    if mean is NONE:
        mean = sum_of(filled, axis, keepdims=True) / where_op(count == 0, 1.0, count)
    centred = where_op(numbers, filled - mean, 0.0)
    return reduce_parts(reduction, centred, reduced_axes(axis, a), True), count - ddof


@implements(np.nanvar)
def nanvar(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: bool = False,
    *, where: Any = True, mean: Any = NONE, correction: float | None = None,
) -> Any:  # fmt: skip
    """As np.nanvar."""
    ddof = ddof if correction is None else correction
    return _divided(*_spread(sum_of_squares, a, axis, dtype, ddof, where, mean), a, axis, keepdims)


@implements(np.nanstd)
def nanstd(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: bool = False,
    *, where: Any = True, mean: Any = NONE, correction: float | None = None,
) -> Any:  # fmt: skip
    """As np.nanstd; its derivative at zero spread is 0, as that of np.std."""
    ddof = ddof if correction is None else correction
    return _divided(*_spread(rd.norm, a, axis, dtype, ddof, where, mean), a, axis, keepdims, root=True)
