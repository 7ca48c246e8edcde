"""An array seen through an index with arrays in it: what gathering and scattering kernels have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import IndexingError
from ..ops import index as ix
from ..ops.abstract import broadcast_shape
from .graph import Node, Shape
from .views import View, spread_over, stepped, view_of, whole


class Indexed(NamedTuple):
    """An array seen through an index: what each part of the result's axes does to an address in it."""

    offset: int
    lead: list[tuple[int, int]]  # (size, stride) of the axes before the grid of indices
    tail: list[tuple[int, int]]
    arrays: list[tuple[Node, int, int]]  # index array, size and stride of its axis
    grid: Shape


def indexed(v: View, template: tuple[Any, ...], arrays: Sequence[Any]) -> Indexed | None:
    """NumPy's rule: the grid stands where the index arrays stand, or first if they are apart."""
    if any(isinstance(a, Node) and a.dtype.kind not in "iu" for a in arrays):
        return None
    named = sum(part is not None and part is not Ellipsis for part in template)
    feed = iter(arrays)
    kept: list[tuple[int, int]] = []
    found: list[tuple[Node, int, int]] = []
    places: list[tuple[int, int]] = []  # of each index: among the parts, among the axes kept
    offset, axis = v.offset, 0
    for at, part in enumerate((*template, Ellipsis) if Ellipsis not in template else template):
        if part is None:
            continue
        if part is Ellipsis:
            stop = len(v.shape) - named + axis
            kept += zip(v.shape[axis:stop], v.strides[axis:stop], strict=True)
            axis = stop
            continue
        n, step = v.shape[axis], v.strides[axis]
        axis += 1
        if isinstance(part, slice):
            skip, count, stride = stepped(part, n, step)
            offset += skip
            kept.append((count, stride))
            continue
        places.append((at, len(kept)))
        value = next(feed) if isinstance(part, str) else part
        if isinstance(value, Node):
            if not n:
                return None
            found.append((value, n, step))
        elif isinstance(value, (bool, np.bool_)):
            return None
        else:
            offset += int(value) % n * step
    if not places:  # slices alone are views, but for nothing at all
        return None
    apart = places[-1][0] - places[0][0] >= len(places)
    place = 0 if apart else places[0][1]
    grid = broadcast_shape([(), *[a.shape for a, _, _ in found]])
    return Indexed(offset, kept[:place], kept[place:], found, grid)


COMPLAINT = "an index is out of bounds for an axis of size {sizes}"


def complaint_of(seen: Indexed) -> tuple[type[IndexingError], str]:
    """What to raise for an index that is out of bounds."""
    sizes = " or ".join(dict.fromkeys(str(n) for _, n, _ in seen.arrays))
    return IndexingError, COMPLAINT.format(sizes=sizes)


def gathered(node: Node) -> tuple[View, Indexed] | None:
    """What z = x[index] reads, through index arrays; None when there are none, or NumPy has to look."""
    x, *arrays = node.args
    if not isinstance(x, Node) or not arrays:
        return None
    v = view_of(x)
    seen = indexed(v, node.params["template"], arrays)
    return (v, seen) if seen is not None and seen.arrays else None


def along(shape: Shape, strides: Sequence[int], seen: Indexed) -> tuple[int, ...]:
    """Strides over (lead, grid, tail): axes that the index inserts have length one and do not count."""
    long = iter([s for n, s in zip(shape, strides, strict=True) if n != 1])
    wanted = [*[n for n, _ in seen.lead], *seen.grid, *[n for n, _ in seen.tail]]
    return tuple([0 if n == 1 else next(long) for n in wanted])


def scattered(node: Node) -> tuple[View, Indexed, tuple[int, ...]] | None:
    """What z[index] += v, or = v, writes through index arrays; None when NumPy has to look.

    Returns:
        v, z as the index sees it, and the strides of v over (lead, grid, tail).
    """
    adds = node.op is ix.scatter_add
    x, *arrays = node.args if adds else node.args[1:]
    operands = [x] if adds else [x, node.args[0]]
    if not arrays or not all(isinstance(a, Node) for a in operands):
        return None
    if x.dtype != node.dtype or (adds and x.dtype.kind == "b"):
        return None
    seen = indexed(whole(node), node.params["template"], arrays)
    if seen is None or not seen.arrays:
        return None
    kinds = [a.kind if isinstance(a, Node) else a for a in arrays]
    target = ix.getitem.abstract(node.kind, *kinds, template=node.params["template"]).shape
    v = view_of(x)
    return v, seen, along(target, spread_over(v.shape, v.strides, target), seen)
