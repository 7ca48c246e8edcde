"""Results of scipy.optimize.linprog in the one sign convention.

min cᵀx: marginals are df*/db, so μ = −marginal of A_ub x ≤ b_ub, ν = −marginal of A_eq x = b_eq. Without a
solution the rows themselves say why: Farkas' weights, or a direction along which f falls forever.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import DTypeError, describe, refusal
from .kkt import KKTReport, no_solution
from .scipy_results import Part, dense, judged, limits

ARGUMENTS = (
    "c", "A_ub", "b_ub", "A_eq", "b_eq", "bounds", "method", "callback", "options", "x0", "integrality",
)  # fmt: skip


def of_linprog(result: Any, problem: Any, tolerance: float) -> KKTReport:
    """The certificate of an OptimizeResult of linprog; the problem is a dict of its arguments."""
    if not isinstance(problem, Mapping) or "c" not in problem:
        raise TypeError(
            "a result of linprog holds no problem: certificate(result, {'c': c, 'A_ub': …, 'b_ub': …, "
            f"'A_eq': …, 'b_eq': …, 'bounds': …}}), got {describe(problem)}"
        )
    c = np.asarray(problem["c"], np.float64)
    unknown = [key for key in problem if key not in ARGUMENTS]
    if unknown:
        raise TypeError(f"linprog has no argument {', '.join(map(repr, unknown))}; {', '.join(ARGUMENTS)}")
    if np.any(problem.get("integrality")):
        raise refusal(DTypeError, "a problem with integers has no multipliers", "Fix or relax the integers.")
    bounds = problem.get("bounds")
    lower, upper = _lp_bounds((0, None) if bounds is None else bounds, len(c))  # None is x ≥ 0 in SciPy too
    if result.x is None:
        return no_solution("scipy.optimize.linprog", _reason(result, problem, c, lower, upper))
    x = np.asarray(result.x, np.float64)
    parts = []
    for name, relation, matrix, right, marginals in (
        ("A_eq", "=", "A_eq", "b_eq", result.eqlin.marginals),
        ("A_ub", "≤", "A_ub", "b_ub", result.ineqlin.marginals),
    ):
        if problem.get(matrix) is not None:
            rows = dense(problem[matrix])
            value = rows @ x - np.asarray(problem[right], np.float64)
            lam = -np.asarray(marginals)
            parts.append(Part(name, relation, value, rows, lam, (len(value),), np.arange(len(value))))
    for part in limits(x, lower, upper):
        below, above = (np.asarray(side.marginals)[part.which] for side in (result.lower, result.upper))
        lam = {"≥": below, "≤": -above, "=": -(below + above)}[part.relation]
        parts.append(part._replace(lam=lam))
    notes = ["linprog's marginals are df*/db: μ = −marginal, of lower bounds μ = marginal"]
    return judged("scipy.optimize.linprog", x, float(c @ x), c, parts, tolerance, notes, "")


def _lp_bounds(bounds: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    pairs = np.array(
        [[np.nan if b is None else b for b in row] for row in np.atleast_2d(np.asarray(bounds, object))],
        float,
    )
    pairs = np.broadcast_to(pairs, (n, 2))
    return np.where(np.isnan(pairs[:, 0]), -np.inf, pairs[:, 0]), np.where(
        np.isnan(pairs[:, 1]), np.inf, pairs[:, 1]
    )


def _reason(
    result: Any, problem: Mapping[str, Any], c: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> str:
    """Why there is none: Farkas weights on the rows, or a direction along which f falls forever."""
    n = len(c)
    rows, right, labels = [np.zeros((0, n))], [np.zeros(0)], []
    for matrix, vector, signs in (("A_ub", "b_ub", (1.0,)), ("A_eq", "b_eq", (1.0, -1.0))):
        if problem.get(matrix) is not None:
            a = dense(problem[matrix])
            b = np.atleast_1d(np.asarray(problem[vector], np.float64))
            for sign in signs:
                rows.append(sign * a)
                right.append(sign * b)
                labels += [f"{matrix}[{k}]" for k in range(len(b))]
    for part in limits(np.zeros(n), lower, upper):
        for sign in (1.0, -1.0) if part.relation == "=" else (1.0,):
            rows.append(sign * part.rows)
            right.append(-sign * part.value)
            labels += [f"{part.name}[{k}]" for k in part.which]
    A, b = np.concatenate(rows), np.concatenate(right)
    return _farkas(A, b, labels) or _recession(A, c) or f"no solution: {result.message}"


def _farkas(A: np.ndarray, b: np.ndarray, labels: list[str]) -> str:
    """y ≥ 0 with Aᵀy = 0 and bᵀy < 0 proves that A x ≤ b has no solution."""
    from scipy.optimize import linprog

    n = A.shape[1]
    found = linprog(b, A_eq=np.vstack([A.T, np.ones(len(b))]), b_eq=np.r_[np.zeros(n), 1.0])
    if found.x is None or not found.fun < -1e-9 * (1 + np.max(np.abs(b), initial=0.0)):
        return ""
    weights: dict[str, float] = {}
    for label, y in zip(labels, found.x, strict=True):
        if y > 1e-9:
            weights[label] = weights.get(label, 0.0) + float(y)
    named = ", ".join(f"{label} × {y:.3g}" for label, y in weights.items())
    return f"infeasible: added up with these weights the constraints say 0 ≤ {found.fun:.3g}: {named}"


def _recession(A: np.ndarray, c: np.ndarray) -> str:
    """d with A d ≤ 0 and cᵀd < 0: f falls forever along it, from any feasible point."""
    from scipy.optimize import linprog

    found = linprog(c, A_ub=A if len(A) else None, b_ub=np.zeros(len(A)) if len(A) else None, bounds=(-1, 1))
    if found.x is None or not found.fun < -1e-9:
        return ""
    named = ", ".join(f"{d:.3g}" for d in found.x[:8])
    return (
        f"unbounded: cᵀx falls by {-found.fun:.3g} with every step along ({named}), which no constraint stops"
    )
