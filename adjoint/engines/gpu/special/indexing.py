"""Reading by index arrays, one thread per element; whether indices are in bounds."""

from __future__ import annotations

import math

import numpy as np

from ....ops import index as ix
from ...graph import Node
from ...indexed import Indexed, along, complaint_of, gathered, indexed
from ...views import view_of, whole
from ..kernel import Launch, Place
from .axes import Axes
from .kernel import Kernel


def gather(node: Node, deterministic: bool = True) -> list[Launch] | None:
    """Launches of z = x[index]."""
    found = gathered(node)
    if found is None:
        return None
    if not node.size:
        return []
    v, seen = found
    axes = Axes(seen, along(node.shape, whole(node).strides, seen), node.dtype)
    kernel = Kernel("gather", far=axes.are_far(v.root, node), complaint=complaint_of(seen))
    kernel.writes("z", node, axes.dtype)
    kernel.reads("x", Place(v.root, seen.offset), axes.dtype)
    body = "        " + kernel.walk("p", *axes.sums("all", "at", "", *axes.names)) + "\n"
    body += axes.index(kernel, address="at")
    return [kernel.over(body + "        z[p] = x[at];", axes.elements)]


def checks(node: Node) -> list[Launch]:
    """Launches that only look whether indices are in bounds, for what cupy does, which would wrap them."""
    if node.op is ix.getitem:
        x, *arrays = node.args
    else:
        x, arrays = node, list(node.args[1 if node.op is ix.scatter_add else 2 :])
    if not isinstance(x, Node) or not arrays:  # slices alone are never out of bounds
        return []
    seen = indexed(view_of(x), node.params["template"], arrays)
    if seen is None or not seen.arrays or not math.prod(seen.grid):
        return []
    plain = Indexed(0, [], [], seen.arrays, seen.grid)
    axes = Axes(plain, (0,) * len(seen.grid), np.dtype(bool))
    kernel = Kernel("indices", far=axes.are_far(), complaint=complaint_of(seen))
    body = "        " + kernel.walk("p", *axes.sums("grid", "", *axes.names)) + "\n"
    return [kernel.over(body + axes.index(kernel).rstrip("\n"), axes.points)]
