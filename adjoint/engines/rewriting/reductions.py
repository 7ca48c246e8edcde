"""Rewrites of reductions: one form of each sum; what a broadcast repeated is multiplied, not added up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ops import broadcast as bc
from ...ops import elementwise as ew
from ...ops.abstract import Abstract
from ..graph import Graph, Node


def total(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """Axes of length one vanish; what a broadcast repeated is multiplied."""
    x, axis, keepdims = args[0], params["axis"], params.get("keepdims", False)
    if not isinstance(x, Node):
        return x if x.dtype == kind.dtype else np.asarray(x).astype(kind.dtype)[()]
    if x.op is bc.broadcast_to:
        return _sum_of_broadcast(g, x, axis, kind)
    long = tuple([k for k in axis if x.shape[k] != 1])
    if not long:
        x = x if x.dtype == kind.dtype else g.call(bc.astype, x, dtype=kind.dtype)
        return g.call(bc.reshape, x, shape=kind.shape)
    if long != axis or keepdims:  # one form: no axis of length one, none kept
        total = g.call(bc.sum_, x, axis=long, keepdims=False)
        return g.call(bc.reshape, total, shape=kind.shape)
    if x.op is bc.sum_ and x.dtype == kind.dtype:  # a sum of a sum is one sum
        kept = [k for k in range(len(x.args[0].shape)) if k not in x.params["axis"]]
        both = tuple(sorted((*x.params["axis"], *(kept[k] for k in axis))))
        return g.call(bc.sum_, x.args[0], axis=both, keepdims=False)
    return None


def _sum_of_broadcast(g: Graph, x: Node, axis: Sequence[int], kind: Abstract) -> Any:
    source = x.args[0]
    shape = getattr(source, "shape", ())
    padded = (1,) * (len(x.shape) - len(shape)) + shape
    repeated = [k for k in axis if padded[k] == 1]
    count = math.prod(x.shape[k] for k in repeated)
    if isinstance(source, Node):
        source = g.call(bc.reshape, source, shape=padded)
        source = g.call(bc.sum_, source, axis=tuple([k for k in axis if padded[k] != 1]), keepdims=True)
        kept = tuple([n for k, n in enumerate(x.shape) if k not in axis])
        source = g.call(
            bc.reshape, source, shape=tuple([padded[k] for k in range(len(padded)) if k not in axis])
        )
        source = g.call(bc.astype, source, dtype=kind.dtype)
        total = g.call(ew.multiply, source, kind.dtype.type(count))
        return g.call(bc.reshape, g.call(bc.broadcast_to, total, shape=kept), shape=kind.shape)
    total = g.call(ew.multiply, np.asarray(source).astype(kind.dtype)[()], kind.dtype.type(count))
    return g.call(bc.broadcast_to, total, shape=kind.shape)


def mean(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """A sum, divided."""
    x = args[0]
    count = math.prod([x.shape[k] for k in params["axis"]]) if isinstance(x, Node) else 1
    if not count:
        return None
    total = g.call(bc.sum_, x, axis=params["axis"], keepdims=params.get("keepdims", False))
    return g.call(bc.astype, g.call(ew.divide, total, kind.dtype.type(count)), dtype=kind.dtype)


def extremum(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """An extremum of one element is that element."""
    x = args[0]
    if not isinstance(x, Node):
        return x
    return g.call(bc.reshape, x, shape=kind.shape) if x.size == math.prod(kind.shape) else None
