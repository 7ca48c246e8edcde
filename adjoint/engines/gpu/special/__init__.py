"""Steps of structured primitives on the GPU: kernels written for one primitive, or calls of cupy.

Indexing by arrays, running sums, positions of extrema, ragged rows, matrix products. What has no entry runs
by its own value, which for dense linear algebra is cupy's (`fallback`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....ops import index as ix
from ....ops import reduce as rd
from ....ops.products import matmul
from ...graph import Node, foreign_kinds
from ..fallback import own_value
from ..kernel import Call, Launch
from . import extrema, gemm, indexing, scans, scattering, segments

_PLANNERS: dict[Any, Callable[[Node, bool], list[Launch] | None]] = {
    ix.getitem: indexing.gather, ix.scatter_add: scattering.scatter, ix.scatter_set: scattering.scatter,
    rd.cumsum: scans.cumsum, ix.argmax: extrema.position, ix.argmin: extrema.position,
    **segments.PLANNERS,
}  # fmt: skip
INDEXED = (ix.getitem, ix.scatter_add, ix.scatter_set)


def special_steps(
    node: Node, deterministic: bool = True, captured: bool = False
) -> list[Launch | Call] | None:
    """What computes a node, in order; None when it has to run by its own value.

    Args:
        node: of a structured primitive; its operands may be views.
        deterministic: whether the result must not depend on the order in which threads run.
        captured: whether streams are to record the steps in graphs.
    """
    if node.op is matmul:
        return gemm.matmul(node, captured)
    planner, foreign = _PLANNERS.get(node.op), foreign_kinds(node)
    if node.op in INDEXED and all(kind.kind == "c" for kind in foreign):
        foreign = []
    steps = planner(node, deterministic) if planner is not None and not foreign else None
    if steps is None and node.op in INDEXED:
        found = indexing.checks(node)
        # cupy adds by atomics
        return [*found, own_value(node, deterministic and node.op is ix.scatter_add)] if found else None
    return None if steps is None else [*steps]
