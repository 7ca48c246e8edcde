"""Parts taken out of arrays and put into them, by condition or by position, with NumPy's signatures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..ops.abstract import Abstract
from ..ops.broadcast import astype, broadcast_to
from ..ops.device import on_host
from ..ops.index import take_along_axis
from ..ops.primitive import Recorded, dtype_of, innermost, shape_of
from .creation import asarray, together
from .dispatch import implements
from .joining import concatenate
from .scans import scan_axis
from .selecting import known, take
from .shaping import ndim_of, ravel


@implements(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None, out: Any = None) -> Any:
    """As np.compress."""
    chosen = known(condition, "compress", "np.where(condition, x, 0) keeps the shape.")
    if chosen.ndim != 1:
        raise ValueError("condition must be a 1-d array")
    return take(asarray(a), np.flatnonzero(chosen), axis)


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """As np.extract."""
    chosen = known(condition, "extract", "np.where(condition, x, 0) keeps the shape.")
    return take(ravel(asarray(arr)), np.flatnonzero(chosen))


@implements(np.choose)
def choose(a: Any, choices: Sequence[Any], out: Any = None, mode: str = "raise") -> Any:
    """As np.choose: of every element of `a`, that of the choice with this number."""
    kind = np.result_type(*(c if isinstance(c, (int, float, complex)) else dtype_of(c) for c in choices))
    choices = [astype(c, dtype=kind) for c in together(choices)]
    a, n = asarray(a), len(choices)
    shape = np.broadcast_shapes(shape_of(a), *map(shape_of, choices))
    if mode == "wrap":
        a = np.mod(a, n)
    elif mode == "clip":
        a = np.clip(a, 0, n - 1)
    elif type(innermost(a)) is not Abstract and not np.all((innermost(a) >= 0) & (innermost(a) < n)):
        raise ValueError("invalid entry in choice array")
    a = a if isinstance(a, Recorded) else a.astype(np.intp)
    spread = np.stack([broadcast_to(c, shape=shape) for c in choices])
    return take_along_axis(spread, broadcast_to(a, shape=shape)[None], 0)[0]


def _flat(a: Any, axis: int | None) -> tuple[Any, int]:
    return scan_axis(asarray(a), axis)


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """As np.delete."""
    arr, axis = _flat(arr, axis)
    if isinstance(obj, Recorded):
        obj = known(obj, "delete", "Index with what is to stay.")
    return take(arr, np.delete(np.arange(shape_of(arr)[axis]), on_host(obj)), axis)


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """As np.insert: at one position values of any length, at several one for each."""
    arr, axis = _flat(arr, axis)
    if isinstance(obj, Recorded):
        obj = known(obj, "insert", "np.concatenate joins parts of known sizes.")
    obj = on_host(obj)
    n, values = shape_of(arr)[axis], together((arr, values))[1]
    values = np.reshape(values, (1,) * (ndim_of(arr) - ndim_of(values)) + shape_of(values))
    positions = np.arange(n)[obj] if isinstance(obj, slice) else np.asarray(obj)
    if not positions.ndim:
        values = np.moveaxis(values, 0, axis)
    count = positions.size if positions.size != 1 else shape_of(values)[axis]
    if positions.dtype.kind == "b":
        count = int(positions.sum())
    shape = (*shape_of(arr)[:axis], count, *shape_of(arr)[axis + 1 :])
    values = astype(broadcast_to(values, shape=shape), dtype=dtype_of(arr))
    order = np.insert(np.arange(n), obj, np.arange(n, n + count))
    return take(concatenate([arr, values], axis), order, axis)


@implements(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """As np.trim_zeros."""
    filt = asarray(filt)
    plain = known(filt, "trim_zeros", "A slice of fixed bounds has a known size.")
    sides, axes = trim.lower(), range(plain.ndim) if axis is None else np.atleast_1d(axis) % plain.ndim
    if sides not in ("fb", "bf", "f", "b"):
        raise ValueError(f"unexpected character(s) in `trim`: {trim!r}")
    places = np.nonzero(plain)
    bounds = [slice(None)] * plain.ndim
    for k in axes:
        first, last = (
            (int(places[k].min()), int(places[k].max()) + 1) if places[k].size else (plain.shape[k], 0)
        )
        bounds[k] = slice(first if "f" in sides else None, last if "b" in sides else None)
    return filt[tuple(bounds)]
