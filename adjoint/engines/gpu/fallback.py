"""Primitives without a kernel run by their own value, on arrays of the device."""

from __future__ import annotations

from typing import Any

from ...ops.primitive import NO_PARAMS
from ..graph import Node, foreign_kinds
from .kernel import Call


def own_value(node: Node) -> Call:
    """The primitive's value on cupy's arrays, copied to where the result belongs."""
    op, params = node.op, node.params or NO_PARAMS
    assert op is not None

    def run(cupy: Any, *operands: Any, out: Any) -> Any:
        z = op.value(*operands, **params)
        if out is not None:
            out[...] = z
        return z

    foreign = foreign_kinds(node)
    return Call(run, node, reason=f"kernels hold no {foreign[0]}" if foreign else "it has no kernel")
