"""Arrays made of pieces: joined, padded, written slice by slice.

Every piece is written into its place by whoever computes it, so that a join costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ops import broadcast as bc
from ...ops import elementwise as ew
from ...ops.abstract import Abstract
from ...ops.primitive import Primitive
from ..graph import Graph, Node, Shape, same_kind
from ..views import every_axis


class Assemble(Primitive):
    """z = zeros; z[template] = piece for every piece, none overlapping: joined, padded, scattered."""

    name = "assemble"

    def value(self, *pieces: Any, templates: tuple[Any, ...], shape: Shape, dtype: np.dtype[Any]) -> Any:
        z = np.zeros(shape, dtype)
        for piece, template in zip(pieces, templates, strict=True):
            z[template] = piece
        return z


assemble = Assemble()


def assembled(g: Graph, pieces: Sequence[Any], templates: Sequence[Any], kind: Abstract) -> Node:
    """The array of these pieces, each in its place; a piece that is all of it is the array."""
    if len(pieces) == 1 and pieces[0].size == math.prod(kind.shape) and _ascending(templates[0]):
        return g.call(bc.reshape, pieces[0], shape=kind.shape)
    params = {"templates": tuple(templates), "shape": kind.shape, "dtype": kind.dtype}
    return g.node(assemble, [g.array(x, kind.dtype) for x in pieces], params, kind)


def _ascending(template: tuple[Any, ...]) -> bool:
    return not any(isinstance(part, slice) and part.step != 1 for part in template)


def concatenated(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """One piece after the other."""
    axis, start, pieces, templates = params["axis"], 0, [], []
    for x in args:
        stop = start + x.shape[axis]
        if stop > start:
            pieces.append(g.call(bc.astype, x, dtype=kind.dtype))
            sizes = [slice(0, n, 1) for n in kind.shape]
            templates.append((*sizes[:axis], slice(start, stop, 1), *sizes[axis + 1 :]))
        start = stop
    return assembled(g, pieces, templates, kind) if len(pieces) > 1 else pieces[0] if pieces else None


def padded(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """One piece in the middle of zeros."""
    inside = [slice(w[0], w[0] + n, 1) for w, n in zip(params["widths"], args[0].shape, strict=True)]
    return assembled(g, [args[0]], [tuple(inside)], kind)


def united(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """The sum of two arrays that are zero but for some slices is one array: equal slices add up, others join.

    So the gradients of an element that every step of a loop reads are added as numbers, not as arrays.
    """
    a, b = args
    joined = type(a) is type(b) is Node and a.op is b.op is assemble
    if not joined or not (same_kind(a, kind) and same_kind(b, kind)):
        return None
    templates, pieces = list(a.params["templates"]), list(a.args)
    for piece, template in zip(b.args, b.params["templates"], strict=True):
        if template in templates:
            k = templates.index(template)
            pieces[k] = g.call(ew.add, pieces[k], piece)
        elif all(disjoint(template, t) for t in templates):
            templates.append(template)
            pieces.append(piece)
        else:
            return None
    return g.node(assemble, tuple(pieces), {**a.params, "templates": tuple(templates)}, kind)


def disjoint(s: tuple[Any, ...], t: tuple[Any, ...]) -> bool:
    """Whether two templates of integers and slices cannot name the same element."""
    for i, j in zip(s, t, strict=False):
        if isinstance(i, slice) or isinstance(j, slice):
            a, b = (k if isinstance(k, slice) else slice(k, k + 1) for k in (i, j))
            if a.step in (None, 1) and b.step in (None, 1) and (a.stop <= b.start or b.stop <= a.start):
                return True
        elif i != j:
            return True
    return False


def plain_template(template: tuple[Any, ...], shape: Shape) -> tuple[Any, ...]:
    """An index of integers and slices, one entry per axis, counted from 0; None stays."""
    feed = iter(shape)
    result: list[Any] = []
    for part in every_axis(template, len(shape)):
        if part is None:
            result.append(None)
        elif isinstance(part, slice):
            n = next(feed)
            start, stop, step = part.indices(n)
            result.append(slice(start, stop if stop >= 0 else None, step))
        else:
            result.append(int(part) % next(feed))
    return tuple(result)
