"""From a trace to the graph of what its outputs need: dead nodes dropped, everything in its simplest form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..ops import broadcast as bc
from ..ops import elementwise as ew
from ..ops import index as ix
from ..ops import shape as sh
from ..ops.abstract import Abstract
from ..ops.elementwise import Elementwise
from ..ops.primitive import NO_PARAMS, Recorded
from ..tape.trace import Trace
from .graph import Graph, Node, restrided
from .rewriting import RULES

VIEWS = (bc.broadcast_to, bc.reshape, sh.transpose, sh.flip, ix.getitem, restrided)


def build(trace: Trace, inputs: Sequence[int], outputs: Sequence[Any]) -> Graph:
    """The graph of what a trace needs for its outputs.

    Args:
        trace: the recorded program.
        inputs: its placeholders.
        outputs: Variables of the trace, plain arrays or scalars.
    """
    g = Graph([trace.values[i] for i in inputs], RULES)
    table: list[Any] = [None] * len(trace)
    for i, node in zip(inputs, g.inputs, strict=True):
        table[i] = node
    needed = trace.needed(x.index for x in outputs if isinstance(x, Recorded))
    operations, parents, constants = trace.operations, trace.parents, trace.constants
    for i in range(len(trace)):
        op = operations[i]
        if op is None or not needed[i]:
            continue
        g.source = i
        fixed = constants[i]
        if fixed is None:
            args = [table[p] for p in parents[i]]
        else:
            args = [table[p] if p >= 0 else g.constant(c) for p, c in zip(parents[i], fixed, strict=True)]
        kind = trace.values[i]
        if type(op) is Elementwise:  # as `make` does, without the call
            z = g.simplified(op, args, kind)
            table[i] = g.node(op, args, NO_PARAMS, kind) if z is None else z
        else:
            table[i] = g.make(op, args, trace.params[i], kind)
    for x in outputs:
        if isinstance(x, Recorded):
            kind = trace.values[x.index]
            g.outputs.append(_owned(g, table[x.index], kind))
        else:
            array = np.asarray(x)
            g.outputs.append(_owned(g, g.constant(array), Abstract(array.shape, array.dtype)))
    return g


def _owned(g: Graph, x: Any, kind: Abstract) -> Node:
    """A node whose buffer can be handed to the caller: no input, no constant, no view, no other output."""
    if not isinstance(x, Node):
        x = g.node(bc.broadcast_to, (np.asarray(x).astype(kind.dtype)[()],), {"shape": kind.shape}, kind)
    if x.op is None or x.op in VIEWS or x in g.outputs or x.weak:
        return g.enter(Node(ew.positive, (x,), NO_PARAMS, Abstract(kind.shape, kind.dtype)))
    return x
