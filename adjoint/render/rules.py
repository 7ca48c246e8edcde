"""The rules of what a graph computes, typeset: z = f(x, y), and what each operand's multiplier gains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from ..ops.formula import Formula, letter, number, subscript, word
from ..ops.primitive import Primitive

MOST = 200  # rules of a graph; constants make them as many as nodes
LETTERS = ("x", "y")


class Use(NamedTuple):
    """One use of a primitive; of its operands the constants, None where one is recorded."""

    op: Primitive
    constants: Sequence[Any]
    params: dict[str, Any]


def rules_of(uses: Iterable[tuple[str, Use]]) -> dict[str, tuple[str, ...]]:
    """The rules of a graph as MathML, of the first `MOST`.

    Args:
        uses: the formula of a node, as the graph says it, and how the node came about.

    Returns:
        formula → `z = f(x, y)`, then `λ_x += …` for each operand that has a multiplier.
    """
    chosen = islice(uses, MOST)
    return {said: tuple(f"<math>{line.mathml()}</math>" for line in rule(*use)) for said, use in chosen}


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
    if np.shape(c):
        return letter("c")
    return number(float(c)) if np.asarray(c).dtype.kind in "fiu" else word(str(c))
