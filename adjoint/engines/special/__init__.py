"""Native steps of structured primitives that are neither elementwise nor products: one kernel per node.

Indexing by arrays, scans, positions of extrema, ragged rows, dense linear algebra. What has no kernel here
runs by NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...ops import index as ix
from ...ops import reduce as rd
from ..graph import Node, foreign_kinds
from . import dense, indexing, scans, segments
from .dense import Dense
from .kernel import Kernel

_PLANNERS: dict[Any, Callable[[Node], Kernel | Dense | None]] = {
    ix.getitem: indexing.gather, ix.scatter_add: indexing.scatter, ix.scatter_set: indexing.scatter,
    rd.cumsum: scans.cumsum, ix.argmax: scans.position, ix.argmin: scans.position, **segments.PLANNERS,
    **dense.PLANNERS,
}  # fmt: skip


def special_kernel(node: Node) -> Kernel | Dense | None:
    """The kernel of a node, None when it has to run by its NumPy reading."""
    planner = _PLANNERS.get(node.op)
    return planner(node) if planner is not None and not foreign_kinds(node) else None
