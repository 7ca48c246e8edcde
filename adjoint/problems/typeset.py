"""L = f + νᵀh + μᵀg as a formula: of a problem with its names, of a solution with its multipliers' values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import tree as trees
from ..ops.formula import NOTHING, TOP, Formula, aligned, letter, listed, name, number
from ..ops.primitive import innermost
from ..sweeps.typeset import Line, folded, more
from .inputs import Named, functions

BOUNDS = ("lower", "upper")


def of_problem(eq: Named, ineq: Named, bounds: Any, limit: int) -> Formula:
    """L(x, ν, μ) = f(x) + Σ νᵀh(x) + Σ μᵀg(x); constraints whose names are numbered are one sum.

    Args:
        eq: equalities by name.
        ineq: inequalities by name.
        bounds: (lower, upper), or None.
        limit: lines at most.
    """
    terms = [_term(c, "=", True) for c in functions(eq, "eq")]
    terms += [_term(c, "≤", True) for c in functions(ineq, "ineq")]
    given = zip(BOUNDS, bounds or (None, None), strict=True)
    terms += [_term(side, "≤", True) for side, bound in given if bound is not None]
    return _written([(line.term, NOTHING) for line in folded([Line.of(t) for t in terms], limit)], limit)


def of_solution(fun: Any, constraints: dict[str, Any], limit: int) -> Formula:
    """The same with f(x*), the value of every multiplier, and whether its constraint binds: these first.

    Args:
        fun: f(x*).
        constraints: `Solution.constraints`.
        limit: lines at most.
    """
    lines = []
    for key, c in constraints.items():
        value, multiplier, active = (flat(part) for part in (c.value, c.multiplier, c.active))
        there = np.isfinite(value)  # an absent bound is no constraint
        if there.any() or key not in BOUNDS:
            several = value.size > 1
            remark = _remark(key, c.relation, multiplier[there], active[there] != 0)
            lines.append((bool(active[there].any()), _term(key, c.relation, several), remark))
    lines.sort(key=lambda line: not line[0])
    objective = Formula("=", Formula("call", letter("f"), letter("x")), number(float(innermost(fun))))
    return _written([(term, remark) for _, term, remark in lines], limit, objective)


def _written(terms: Sequence[tuple[Formula, Formula]], limit: int, objective: Formula = NOTHING) -> Formula:
    arguments = listed([letter("x"), letter("ν"), letter("μ")])
    head = Formula("defined", Formula("call", letter("ℒ"), arguments))
    rows = [(head, Formula("call", letter("f"), letter("x")), objective)]
    rows += [(NOTHING, Formula("term", term), remark) for term, remark in terms[:limit]]
    if len(terms) > limit:
        rows.append((NOTHING, Formula("term", more(len(terms) - limit)), NOTHING))
    return aligned(rows)


def _term(key: str, relation: str, several: bool) -> Formula:
    """`μ_volume g_volume(x)`; of a bound `μ_lowerᵀ (lower − x)`."""
    if key == "lower":
        value = Formula("parentheses", name(key) - letter("x"))
    elif key == "upper":
        value = Formula("parentheses", letter("x") - name(key))
    else:
        function = Formula("subscript", letter("h" if relation == "=" else "g"), name(key))
        value = Formula("call", function, letter("x"))
    return Formula("times", _multiplier(key, relation, several), value)


def _multiplier(key: str, relation: str, transposed: bool) -> Formula:
    symbol = Formula("subscript", letter("ν" if relation == "=" else "μ"), name(key))
    return symbol.raised(TOP) if transposed else symbol


def _remark(key: str, relation: str, multiplier: np.ndarray, active: np.ndarray) -> Formula:
    """`μ_volume = 0.55, binds`; of several `‖μ_lower‖ = 1.09, binds in 1 of 4`."""
    symbol = _multiplier(key, relation, False)
    if multiplier.size == 1:
        value = Formula("=", symbol, number(float(multiplier[0]) + 0.0))
        state = "" if relation == "=" else "binds" if active[0] else "slack"
    else:
        value = Formula("=", Formula("norm", symbol), number(float(np.linalg.norm(multiplier))))
        state = f"binds in {int(active.sum())} of {active.size}" if active.any() else "slack"
        state = "" if relation == "=" else state
    return listed([value, Formula("said", Formula("text", state))]) if state else value


def flat(x: Any) -> np.ndarray:
    """The elements of a container, plain, in one row."""
    pieces = [np.ravel(np.asarray(innermost(leaf))) for leaf in trees.flatten(x)[0]]
    return np.concatenate(pieces) if pieces else np.zeros(0)
