"""Rewrites of what converts, repeats or renames elements: what changes nothing goes, a chain is one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...ops import broadcast as bc
from ...ops import shape as sh
from ...ops.abstract import Abstract
from ..graph import Graph, Node


def converted(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """A conversion to the same dtype is none; a broadcast is of what was converted."""
    x = args[0]
    if not isinstance(x, Node):
        return bc.astype.value(x, dtype=kind.dtype)
    if x.dtype == kind.dtype and not x.weak:
        return x
    if x.op is bc.broadcast_to:
        small = g.call(bc.astype, x.args[0], dtype=kind.dtype)
        return g.call(bc.broadcast_to, small, shape=kind.shape)
    return None


def reshaped(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """A reshape of a reshape is one, of a number a broadcast."""
    x = args[0]
    if not isinstance(x, Node):
        return g.make(bc.broadcast_to, args, {"shape": kind.shape}, kind)
    if x.shape == kind.shape:
        return x
    if x.op is bc.reshape:
        return g.make(bc.reshape, x.args, {"shape": kind.shape}, kind)
    if x.op is bc.broadcast_to and getattr(x.args[0], "shape", ()) == ():
        return g.make(bc.broadcast_to, x.args, {"shape": kind.shape}, kind)
    return g.node(bc.reshape, (x,), {"shape": kind.shape}, kind)


def broadcast(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """A broadcast of a broadcast is one."""
    x = args[0]
    if getattr(x, "shape", ()) == kind.shape:
        return x
    if isinstance(x, Node) and x.op is bc.broadcast_to:
        return g.make(bc.broadcast_to, x.args, params, kind)
    return g.node(bc.broadcast_to, (x,), {"shape": kind.shape}, kind)


def transposed(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """A transposition of one is one, and a reshape where no two long axes change places."""
    x, axes = args[0], params["axes"]
    if not isinstance(x, Node):
        return x
    if axes == tuple(range(len(axes))):
        return x
    if x.op is sh.transpose:
        inner = x.params["axes"]
        return g.make(sh.transpose, x.args, {"axes": tuple([inner[k] for k in axes])}, kind)
    if x.op is bc.broadcast_to and getattr(x.args[0], "shape", ()) == ():
        return g.make(bc.broadcast_to, x.args, {"shape": kind.shape}, kind)
    if math.prod([n for n in kind.shape if n != 1]) in kind.shape:  # one long axis at most: nothing moves
        return g.make(bc.reshape, (x,), {"shape": kind.shape}, kind)
    return None
