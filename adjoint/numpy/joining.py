"""Joining and splitting, with NumPy's signatures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError, refusal
from ..ops import shape as sh
from ..ops.broadcast import astype
from ..ops.index import getitem
from ..ops.primitive import innermost, shape_of
from .creation import asarray, together
from .dispatch import implements
from .shaping import at_least, expand_dims, ndim_of, ravel, reshape_, single_axis


@implements(np.concatenate)
def concatenate(arrays: Sequence[Any], /, axis: int | None = 0, out: Any = None, *, dtype: Any = None) -> Any:
    """As np.concatenate."""
    arrays = together(arrays)
    if axis is None:
        arrays, axis = [ravel(a) for a in arrays], 0
    if not shape_of(arrays[0]):
        raise refusal(
            ShapeError, "concatenate needs arrays of at least one dimension", "np.stack joins scalars."
        )
    z = sh.concatenate(*arrays, axis=single_axis(axis, arrays[0]))
    return z if dtype is None else astype(z, dtype=np.dtype(dtype))


@implements(np.stack)
def stack(arrays: Sequence[Any], axis: int = 0, out: Any = None, *, dtype: Any = None) -> Any:
    """As np.stack."""
    arrays = together(arrays)
    shapes = [shape_of(a) for a in arrays]
    if len(set(shapes)) > 1:
        what = f"stack needs equal shapes: {', '.join(map(str, shapes))}"
        raise refusal(ShapeError, what, "np.concatenate joins along an axis that exists.")
    return concatenate([expand_dims(a, axis) for a in arrays], axis, dtype=dtype)


@implements(np.vstack)
def vstack(tup: Sequence[Any], *, dtype: Any = None) -> Any:
    """As np.vstack."""
    return concatenate([at_least(a, 2) for a in together(tup)], 0, dtype=dtype)


@implements(np.hstack)
def hstack(tup: Sequence[Any], *, dtype: Any = None) -> Any:
    """As np.hstack."""
    arrays = [at_least(a, 1) for a in together(tup)]
    return concatenate(arrays, 0 if ndim_of(arrays[0]) == 1 else 1, dtype=dtype)


@implements(np.dstack)
def dstack(tup: Sequence[Any]) -> Any:
    """As np.dstack."""
    return concatenate([at_least(a, 3) for a in together(tup)], 2)


@implements(np.column_stack)
def column_stack(tup: Sequence[Any]) -> Any:
    """As np.column_stack."""
    arrays = [asarray(a) for a in tup]
    return concatenate([a if ndim_of(a) >= 2 else reshape_(a, (-1, 1)) for a in arrays], 1)


@implements(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """As np.append."""
    arr, values = asarray(arr), asarray(values)
    return concatenate([arr, values], axis) if axis is not None else concatenate([ravel(arr), ravel(values)])


@implements(np.block)
def block(arrays: Any) -> Any:
    """As np.block: nested lists of blocks, the innermost ones joined along the last axis."""
    depth, blocks = 0, [arrays]
    while isinstance(blocks[0], list):
        depth += 1
        if not all(isinstance(b, list) and b for b in blocks):
            raise ValueError("List depths are mismatched, or a list is empty, in the lists of blocks.")
        blocks = [b for part in blocks for b in part]
    ndim = max(depth, *(ndim_of(asarray(b)) for b in blocks), 0)
    return _joined_blocks(arrays, depth, ndim)


def _joined_blocks(arrays: Any, depth: int, ndim: int) -> Any:
    if not depth:
        a = asarray(arrays)
        return reshape_(a, (1,) * (ndim - ndim_of(a)) + shape_of(a))
    return concatenate([_joined_blocks(a, depth - 1, ndim) for a in arrays], ndim - depth)


@implements(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """As np.unstack."""
    axis = single_axis(axis, x)
    return tuple(getitem(x, template=(*(slice(None),) * axis, k)) for k in range(shape_of(x)[axis]))


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """As np.array_split."""
    axis = single_axis(axis, ary)
    # explicit cuts may overlap or exceed the array: NumPy places them
    pieces = np.array_split(np.arange(shape_of(ary)[axis]), innermost(indices_or_sections))
    return [getitem(ary, template=(*(slice(None),) * axis, _as_slice(p))) for p in pieces]


def _as_slice(positions: np.ndarray) -> slice:
    return slice(int(positions[0]), int(positions[-1]) + 1) if positions.size else slice(0, 0)


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """As np.split."""
    n = shape_of(ary)[single_axis(axis, ary)]
    if not np.ndim(indices_or_sections) and n % indices_or_sections:
        what = f"split: axis {axis} of {shape_of(ary)} does not divide into {indices_or_sections} equal parts"
        raise refusal(ShapeError, what, "np.array_split allows unequal ones.")
    return array_split(ary, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """As np.hsplit."""
    return split(ary, indices_or_sections, 1 if ndim_of(ary) > 1 else 0)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """As np.vsplit."""
    return split(ary, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """As np.dsplit."""
    return split(ary, indices_or_sections, 2)
