"""Differences of neighbours, and evenly spaced numbers, with NumPy's signatures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ops.broadcast import astype, broadcast_to
from ..ops.elementwise import floor
from ..ops.elementwise import where as where_op
from ..ops.primitive import FLOAT64, beside, dtype_of, real_dtype, shape_of
from .creation import asarray, together
from .dispatch import implements
from .joining import concatenate
from .scans import cumsum
from .shaping import expand_dims, moveaxis, ndim_of, ravel, single_axis


# ------------------------------------------------------------------------------------------------ differences
@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """As np.diff."""
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}")
    axis = single_axis(axis, a)
    edge = tuple(1 if k == axis else m for k, m in enumerate(shape_of(a)))
    parts = [
        broadcast_to(p, shape=edge) if not ndim_of(p) else p
        for p in together([p for p in (prepend, a, append) if p is not None])
    ]
    if n and len(parts) > 1:
        a = concatenate(parts, axis)
    before = (slice(None),) * axis
    change = np.not_equal if dtype_of(a).kind == "b" else np.subtract
    for _ in range(n):
        a = change(a[(*before, slice(1, None))], a[(*before, slice(None, -1))])
    return a


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """As np.ediff1d."""
    ends = [None if end is None else ravel(asarray(end)) for end in (to_begin, to_end)]
    parts = [ends[0], diff(ravel(asarray(ary))), ends[1]]
    return concatenate([p for p in parts if p is not None])


@implements(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * math.pi) -> Any:
    """As np.unwrap: whole periods are added, whose number has no derivative."""
    p = asarray(p)
    p = p if dtype_of(p).kind == "f" else astype(p, dtype=FLOAT64)
    axis = single_axis(axis, p)
    jump = diff(p, axis=axis)
    periods = np.ceil(jump / period - 0.5)  # to [−1/2, 1/2) of a period
    periods = where_op((jump / period - periods == -0.5) & (jump > 0), periods - 1, periods)
    if discont is not None:
        periods = where_op(np.abs(jump) < discont, 0.0, periods)
    periods = astype(periods, dtype=dtype_of(p))
    before = (slice(None),) * axis
    first, rest = p[(*before, slice(1))], p[(*before, slice(1, None))]
    return concatenate([first, rest - astype(period * cumsum(periods, axis), dtype=dtype_of(p))], axis)


# ------------------------------------------------------------------------------------- evenly spaced numbers
@implements(np.linspace)
def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None,
    axis: int = 0, *, device: Any = None,
) -> Any:  # fmt: skip
    """As np.linspace."""
    difference = stop - start
    steps = beside(difference).linspace(
        0.0, 1.0, num, endpoint=endpoint, dtype=np.result_type(dtype_of(difference), 0.0)
    )
    z = moveaxis(start + difference * steps.reshape((num,) + (1,) * ndim_of(difference)), 0, axis)
    if dtype is not None:
        z = astype(z if np.dtype(dtype).kind in "fc" else floor(z), dtype=np.dtype(dtype))
    return (z, difference / ((num - 1 if endpoint else num) or np.nan)) if retstep else z


@implements(np.logspace)
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None,
    axis: int = 0,
) -> Any:  # fmt: skip
    """As np.logspace."""
    base = asarray(base)
    if ndim_of(base):
        shape = np.broadcast_shapes(*map(shape_of, map(asarray, (start, stop, base))))
        start, stop, base = (broadcast_to(asarray(x), shape=shape) for x in (start, stop, base))
        base = expand_dims(base, axis)
    exponents = linspace(start, stop, num, endpoint, axis=axis)
    z = astype(base, dtype=dtype_of(exponents)) ** exponents
    return z if dtype is None else astype(z, dtype=np.dtype(dtype))


@implements(np.geomspace)
def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    """As np.geomspace: start · (stop / start)ᵗ, so that both may be negative, or complex."""
    start, stop = (astype(x, dtype=np.result_type(dtype_of(x), FLOAT64)) for x in (start, stop))  # as NumPy
    ratio = asarray(stop / start)
    kind = real_dtype(dtype_of(ratio))
    parts = beside(ratio).linspace(0.0, 1.0, num, endpoint=endpoint, dtype=kind)
    z = moveaxis(start * ratio ** parts.reshape((num,) + (1,) * ndim_of(ratio)), 0, axis)
    return z if dtype is None else astype(z, dtype=np.dtype(dtype))
