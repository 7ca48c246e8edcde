"""What an index does to shapes, when the index arrays may be known by shape and dtype alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .abstract import Abstract, broadcast_shape
from .broadcast import Shape, blank
from .primitive import dtype_of, shape_of

Index = tuple[Any, ...]


def indexed_shape(shape: Shape, index: Index, arrays: Sequence[Any]) -> Shape:
    """The shape of x[index].

    Args:
        shape: x's.
        index: integers, slices, None, Ellipsis and index arrays, which may be abstract.
        arrays: the index arrays alone.

    Raises:
        IndexError: the index does not fit.
        TraceError: a mask is abstract, so that the shape depends on its values.
    """
    if not arrays:
        result: Shape = blank(shape)[index].shape
        return result
    for mask in _unknown_masks(arrays):
        raise mask.refuse("indexing by a mask")
    return _advanced_shape(shape, index)


def _unknown_masks(arrays: Sequence[Any]) -> list[Abstract]:
    return [a for a in arrays if type(a) is Abstract and a.dtype.kind == "b"]


def _advanced_shape(shape: Shape, index: Index) -> Shape:
    """NumPy's rule: index arrays broadcast to a grid, which stands where they stand, or first if apart."""
    taken = [0 if p is None or p is Ellipsis else p.ndim if _is_mask(p) else 1 for p in index]
    rest = len(shape) - sum(taken)  # the axes behind the Ellipsis
    if rest < 0:
        given = f"array is {len(shape)}-dimensional, but {sum(taken)} were indexed"
        raise IndexError(f"too many indices for array: {given}")
    kept: list[int] = []
    grids: list[Shape] = []
    places: list[tuple[int, int]] = []  # of each index array: among the parts, among the axes kept
    axis = 0
    for k, (part, count) in enumerate(zip(index, taken, strict=True)):
        stop = axis + (rest if part is Ellipsis else count)
        if part is None:
            kept.append(1)
        elif part is Ellipsis:
            kept += shape[axis:stop]
        elif isinstance(part, slice):
            kept.append(len(range(*part.indices(shape[axis]))))
        else:
            grids.append(_grid(part, shape[axis:stop], axis))
            places.append((k, len(kept)))
        axis = stop
    kept += shape[axis:]
    apart = places[-1][0] - places[0][0] >= len(places)
    place = 0 if apart else places[0][1]
    try:
        return (*kept[:place], *broadcast_shape(grids), *kept[place:])
    except ValueError:
        listed = " ".join(map(str, grids))
        what = f"shape mismatch: indexing arrays could not be broadcast together with shapes {listed}"
        raise IndexError(what) from None


def _is_mask(part: Any) -> bool:
    return getattr(part, "dtype", None) == np.bool_


def _grid(part: Any, sizes: Shape, axis: int) -> Shape:
    """The shape of the positions that one part of an index gives on axes of these sizes, from `axis` on."""
    if _is_mask(part):
        for k, (n, m) in enumerate(zip(part.shape, sizes, strict=True)):
            if n != m:
                sizes_differ = f"size of axis is {m} but size of corresponding boolean axis is {n}"
                what = f"boolean index did not match indexed array along axis {axis + k}; {sizes_differ}"
                raise IndexError(what)
        # what can be written for one element can be written for any number of them
        return (1,) if type(part) is Abstract else (int(np.count_nonzero(part)),)
    if dtype_of(part).kind not in "iu":
        raise IndexError("arrays used as indices must be of integer (or boolean) type")
    if type(part) is not Abstract and np.size(part):
        low, high, (size,) = int(np.min(part)), int(np.max(part)), sizes
        if low < -size or high >= size:
            wrong = low if low < -size else high
            raise IndexError(f"index {wrong} is out of bounds for axis {axis} with size {size}")
    return shape_of(part)


def check_written(v: Any, shape: Shape, index: Index, arrays: Sequence[Any]) -> None:
    """Whether x[index] = v is possible for x of this shape, when only shapes are known.

    Raises:
        IndexError: the index does not fit.
        ValueError: v does not broadcast to x[index].
        TraceError: whether it does depends on the values of a mask.
    """
    masks = _unknown_masks(arrays)
    target = _advanced_shape(shape, index) if masks else indexed_shape(shape, index, arrays)
    given = shape_of(v)
    while len(given) > len(target) and given[0] == 1:  # NumPy drops leading ones
        given = given[1:]
    aligned = target[len(target) - len(given) :]
    if len(given) > len(target) or any(n not in (1, m) for n, m in zip(given, aligned, strict=True)):
        if masks:
            raise masks[0].refuse("writing one number for every element of a mask")
        raise ValueError(f"shape mismatch: {shape_of(v)} does not broadcast to x[index] of shape {target}")
