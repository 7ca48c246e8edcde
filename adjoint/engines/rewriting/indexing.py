"""Rewrites of indexing by arrays that are known: diagonals are slices, one element per row is a choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ops import broadcast as bc
from ...ops import elementwise as ew
from ...ops import index as ix
from ...ops.abstract import Abstract
from ..graph import Graph, Node, Shape
from .joining import assembled, plain_template


def _one_per_row(template: tuple[Any, ...], arrays: Sequence[Any], shape: Shape) -> Node | None:
    """The column index of each row in x[arange(rows), y], None for any other indexing."""
    if template != (ix.ARRAY, ix.ARRAY) or len(shape) != 2:
        return None
    rows, columns = arrays
    if not (isinstance(rows, Node) and rows.constant is not None and isinstance(columns, Node)):
        return None
    fits = (
        rows.size == shape[0] == columns.size and rows.shape == columns.shape and columns.dtype.kind in "iu"
    )
    return columns if fits and np.array_equal(rows.constant.ravel(), np.arange(shape[0])) else None


def _is_diagonal(template: tuple[Any, ...], arrays: Sequence[Any], shape: Shape) -> bool:
    """Whether an index is [..., k, k] with k = 0, 1, … n − 1 for matrices n × n."""
    if template not in ((ix.ARRAY, ix.ARRAY), (Ellipsis, ix.ARRAY, ix.ARRAY)) or shape[-2:-1] != shape[-1:]:
        return False
    if len(template) == 2 != len(shape):
        return False
    k = [a.constant if isinstance(a, Node) else None for a in arrays]
    return all(x is not None and np.array_equal(x, np.arange(shape[-1])) for x in k)


def _flat_diagonal(shape: Shape) -> tuple[Shape, tuple[Any, ...]]:
    """The shape with each matrix as one row, and the index of its diagonal there."""
    n = shape[-1]
    return (*shape[:-2], n * n), (Ellipsis, slice(0, n * n, n + 1))


def _selection(g: Graph, columns: Node, shape: Shape) -> Any:
    """(rows, columns) booleans: the one element that each row picks."""
    n = shape[1]
    y = g.call(bc.reshape, columns, shape=(shape[0], 1))
    if columns.constant is not None:
        c = columns.constant
        if ((c < -n) | (c >= n)).any():
            return None
        if (c < 0).any():
            y = g.call(bc.reshape, g.constant(np.where(c < 0, c + n, c)), shape=(shape[0], 1))
    else:
        outside = g.call(ew.logical_or, g.call(ew.less, y, -n), g.call(ew.greater_equal, y, n))
        g.check(outside, f"an index is out of bounds for an axis of size {n}")
        y = g.call(ew.where, g.call(ew.less, y, 0), g.call(ew.add, y, n), y)
    return g.call(ew.equal, g.constant(np.arange(n)), y)


def getitem(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """x[..., k, k] is a slice of the rows, x[arange, y] a choice in each row, summed."""
    x, *arrays = args
    if _is_diagonal(params["template"], arrays, x.shape):
        flat, template = _flat_diagonal(x.shape)
        return g.call(ix.getitem, g.call(bc.reshape, x, shape=flat), template=template)
    columns = _one_per_row(params["template"], arrays, x.shape)
    selected = _selection(g, columns, x.shape) if columns is not None else None
    if selected is not None:
        picked = g.call(ew.where, selected, x, kind.dtype.type(0))
        return g.call(bc.reshape, g.call(bc.sum_, picked, axis=(1,), keepdims=False), shape=kind.shape)
    return None


def scatter_add(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """z[index] += x likewise; at integers and slices it is a piece of zeros."""
    x, *arrays = args
    if not arrays and 0 not in kind.shape:
        template = plain_template(params["template"], kind.shape)
        shape = np.broadcast_to(np.zeros(()), kind.shape)[template].shape
        if not isinstance(x, Node) or x.shape != shape:
            x = g.call(bc.broadcast_to, x, shape=shape)
        return assembled(g, [x], [template], kind) if x.size else None
    if _is_diagonal(params["template"], arrays, kind.shape):
        flat, template = _flat_diagonal(kind.shape)
        placed = g.call(ix.scatter_add, x, **{**params, "template": template, "shape": flat})
        return g.call(bc.reshape, placed, shape=kind.shape)
    columns = _one_per_row(params["template"], arrays, kind.shape)
    selected = _selection(g, columns, kind.shape) if columns is not None else None
    if selected is not None and columns is not None:
        if getattr(x, "shape", ()) != ():
            x = g.call(bc.reshape, g.call(bc.broadcast_to, x, shape=columns.shape), shape=(kind.shape[0], 1))
        return g.call(ew.where, selected, x, kind.dtype.type(0))
    return None
