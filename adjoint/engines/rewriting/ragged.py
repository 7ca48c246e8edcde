"""Rewrites of what is repeated over segments, so that nobody needs the number of each row's segment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ops import elementwise as ew
from ...ops import index as ix
from ...ops import segment as sg
from ...ops.abstract import Abstract
from ...ops.primitive import Primitive
from ..graph import Graph, Node
from . import algebra, indexing


class Spread(Primitive):
    """z = x[k] for every row of segment k: what `x[segment_of_row(offsets)]` is."""

    name = "segment_spread"

    def value(self, x: Any, offsets: Any, rows: int) -> Any:
        return np.repeat(x, np.diff(offsets), axis=0)


class Shares(Primitive):
    """z = exp(x − z_k) λ_k for every row of segment k: the pullback of segment_logsumexp, in one pass."""

    name = "segment_shares"

    def value(self, x: Any, z: Any, lam: Any, offsets: Any) -> Any:
        counts = np.diff(offsets)
        return np.exp(x - np.repeat(z, counts)) * np.repeat(lam, counts)


spread, shares = Spread(), Shares()


def _offsets(arrays: Sequence[Any], params: dict[str, Any]) -> Node | None:
    """The offsets behind an index that gives each row its segment."""
    index = arrays[0] if len(arrays) == 1 and params["template"] == (ix.ARRAY,) else None
    if isinstance(index, Node) and index.op is sg.segment_of_row and isinstance(index.args[0], Node):
        return index.args[0]
    return None


def getitem(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """x[segment_of_row] needs the offsets alone."""
    offsets = _offsets(args[1:], params)
    if offsets is None or not isinstance(args[0], Node) or args[0].shape[:1] != (offsets.size - 1,):
        return indexing.getitem(g, args, params, kind)
    return g.node(spread, (args[0], offsets), {"rows": kind.shape[0]}, kind)


def scatter_add(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """z[segment_of_row] += x is a sum over segments."""
    x, offsets = args[0], _offsets(args[1:], params)
    rows = args[1].shape[:1] if offsets is not None else ()
    if (
        offsets is None
        or kind.shape[:1] != (offsets.size - 1,)
        or not isinstance(x, Node)
        or x.shape != (*rows, *kind.shape[1:])
    ):
        return indexing.scatter_add(g, args, params, kind)
    return g.node(sg.segment_sum, (x, offsets), {}, kind)


def product(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """exp(x − z) λ with z and λ repeated over segments is one pass over the rows."""
    for a, b in (args, args[::-1]):
        if type(a) is Node and type(b) is Node and a.op is ew.exp and b.op is spread:
            found = _shares(g, a.args[0], b, kind)
            if found is not None:
                return found
    return algebra.product(g, args, params, kind)


def _shares(g: Graph, exponent: Any, lam: Node, kind: Abstract) -> Any:
    if not (isinstance(exponent, Node) and exponent.op is ew.subtract and len(kind.shape) == 1):
        return None
    x, z = exponent.args
    fits = isinstance(x, Node) and isinstance(z, Node) and z.op is spread and z.args[1] is lam.args[1]
    if not fits or {x.dtype, z.dtype, lam.dtype} != {kind.dtype} or not x.shape == lam.shape == kind.shape:
        return None
    return g.node(shares, (x, z.args[0], lam.args[0], lam.args[1]), {}, kind)
