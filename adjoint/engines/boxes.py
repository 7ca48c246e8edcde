"""Boxes of an array: what slices with step one leave over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Box = tuple[slice, ...]  # one slice per axis, counted from 0, step 1
MOST = 64  # boxes: beyond this many pieces, writing everything is cheaper than planning


def box_of(template: tuple[Any, ...]) -> Box | None:
    """A template of integers and slices (starts and stops counted from 0) as a box; None if it has gaps."""
    box = []
    for part in template:
        if isinstance(part, slice):
            if part.step not in (None, 1):
                return None
            box.append(slice(part.start, part.stop, 1))
        elif part is not None:
            box.append(slice(part, part + 1, 1))
    return tuple(box)


def remainder(shape: Sequence[int], templates: Sequence[tuple[Any, ...]]) -> list[Box] | None:
    """Disjoint boxes that cover what no template covers; None when that is not a few boxes.

    >>> remainder((4, 4), [(slice(1, 3, 1), slice(0, 4, 1))])
    [(slice(0, 1, 1), slice(0, 4, 1)), (slice(3, 4, 1), slice(0, 4, 1))]
    """
    left: list[Box] = [tuple([slice(0, n, 1) for n in shape])]
    for template in templates:
        hole = box_of(template)
        if hole is None or len(left) > MOST:
            return None
        left = [part for box in left for part in _without(box, hole)]
    return left


def _without(box: Box, hole: Box) -> list[Box]:
    """The parts of a box outside a hole: before and behind it along each axis in turn."""
    inside = [slice(max(a.start, b.start), min(a.stop, b.stop), 1) for a, b in zip(box, hole, strict=True)]
    if any(s.start >= s.stop for s in inside):
        return [box]
    parts = []
    for k, s in enumerate(inside):
        for start, stop in ((box[k].start, s.start), (s.stop, box[k].stop)):
            if start < stop:
                parts.append((*inside[:k], slice(start, stop, 1), *box[k + 1 :]))
    return parts
