"""The rules of what a graph computes, typeset: z = f(x, y), and what each operand's multiplier gains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..ops.formula import Formula, letter, subscript
from ..ops.primitive import Primitive
from ..sweeps.typeset import scalar
from .graph import Node

MOST = 200  # formulas that a graph has rules of; constants make them as many as nodes
LETTERS = ("x", "y")


class Use(NamedTuple):
    """One use of a primitive; of its operands the constants, None where one is recorded."""

    op: Primitive
    constants: Sequence[Any]
    params: dict[str, Any]


class Uses:
    """How the nodes of a graph came about, one for each formula that the graph says.

    A formula leaves out parameters that are too long to be read in a box: a node whose parameters differ from
    those of the first with its formula is known by its number, `#12`.
    """

    def __init__(self) -> None:
        self._first: dict[str, Use] = {}
        self._others: dict[str, Use] = {}
        self._params: dict[str, str] = {}

    def add(self, node: Node, op: Primitive, constants: Callable[[], Sequence[Any]], params: Any) -> None:
        """Note one node; its constants are asked for where they are wanted."""
        if node.formula in self._first:
            if len(self._others) < MOST and str(params) != self._params[node.formula]:
                self._others[f"#{node.number}"] = Use(op, constants(), params)
        elif len(self._first) < MOST:
            self._first[node.formula] = Use(op, constants(), params)
            self._params[node.formula] = str(params)

    def rules(self) -> dict[str, tuple[str, ...]]:
        """The rules as MathML: `z = f(x, y)`, then `λ_x += …` for each operand that has a multiplier."""
        return {
            key: tuple(f"<math>{line.mathml()}</math>" for line in rule(*use))
            for key, use in (self._first | self._others).items()
        }


def rule(op: Primitive, constants: Sequence[Any], params: dict[str, Any]) -> list[Formula]:
    r"""The rule of one use of a primitive as formulas.

    Args:
        op: the primitive.
        constants: one entry for each operand, None where it is recorded.
        params: of the node.

    >>> from adjoint.ops import PRIMITIVES
    >>> for line in rule(PRIMITIVES["sin"], [None], {}):
    ...     print(line.latex())
    z = \sin\left(x\right)
    \lambda_{x} \mathrel{+}= \cos\left(x\right) \, \lambda
    """
    few = len(constants) <= len(LETTERS)
    operands = []
    for k, c in enumerate(constants):
        symbol = letter(LETTERS[k]) if few else subscript("x", k + 1)
        operands.append(symbol if c is None else _constant(c))
    z, lam = letter("z"), letter("λ")
    lines = [Formula("=", z, op.formula(operands, params))]
    for x, c, share in zip(operands, constants, op.adjoint_formulas(operands, z, lam, params), strict=False):
        if c is None and share is not None:
            lines.append(Formula("gains", Formula("subscript", lam, x), share))
    return lines


def _constant(c: Any) -> Formula:
    return letter("c") if np.shape(c) else scalar(c)
