"""Which rows kernels and the interpreter of scalars can run; each kind of node is asked once."""

from __future__ import annotations

from typing import Any

from ..ops import broadcast as bc
from .cpu.interpreter import can_interpret
from .cpu.text import TEXT, Term
from .graph import Node, is_native, scalar_key
from .text import NoText

_TEXTS: dict[Any, bool] = {}


def has_text(node: Node) -> bool:
    """Whether a row has a native form for these operands."""
    op = node.op
    if op is bc.astype:
        return is_native(node)
    key = (op, node.dtype, tuple([a.dtype if isinstance(a, Node) else scalar_key(a) for a in node.args]))
    known = _TEXTS.get(key)
    if known is None:
        known = is_native(node)
        if known:
            try:
                terms = [Term("x", a.dtype) if isinstance(a, Node) else a for a in node.args]
                op.function(TEXT, *terms)  # type: ignore[union-attr]
            except (NoText, TypeError, AttributeError):
                known = False
        _TEXTS[key] = known
    return known


def is_interpreted(node: Node) -> bool:
    """Whether a 0-d node can run in the interpreter."""
    kinds = [
        (float if a.weak else a.dtype) if isinstance(a, Node) else getattr(a, "dtype", type(a))
        for a in node.args
    ]
    return can_interpret(node.op, kinds, float if node.weak else node.dtype)  # type: ignore[arg-type]


_SCALARS: dict[Any, bool] = {}


def is_scalar(node: Node) -> bool:
    """Whether a 0-d node has a native form and can run in the interpreter; found once for every kind."""
    key = (node.op, node.kind.number,
           *[a.kind.number if type(a) is Node else scalar_key(a) for a in node.args])  # fmt: skip
    known = _SCALARS.get(key)
    if known is None:
        known = _SCALARS[key] = has_text(node) and is_interpreted(node)
    return known
