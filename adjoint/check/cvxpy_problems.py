"""A solved cvxpy problem: the four residuals from its own expressions and dual values.

cvxpy's duals fit L = f + νᵀ(lhs − rhs) + μᵀ(lhs − rhs) of the minimisation (a maximisation is that of −f); of
cones L has −⟨λ, K(x)⟩ with λ in the dual cone. Where L has a kink, x minimises it when no one-sided slope is
negative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ..errors import DTypeError, ShapeError, refusal
from ..problems.solution import Residuals
from .kkt import KKTReport, findings_of, no_solution, rows_of

KINK = "L has a kink at x: stationarity is that of one-sided slopes, good to some 1e-6"


class Term(NamedTuple):
    """One constraint: its values, multipliers, what it violates, and its share in L."""

    name: str
    relation: str
    expressions: list[Any]
    duals: list[np.ndarray]
    sign: float  # of ⟨λ, expression⟩ in L
    primal: float
    dual: float


def of_cvxpy(problem: Any, tolerance: float) -> KKTReport:
    """The certificate of a solved problem; it is left as it was."""
    source = "a cvxpy Problem" + (f" ({problem.solver_stats.solver_name})" if problem.solver_stats else "")
    if problem.is_mixed_integer():
        raise refusal(DTypeError, "a problem with integers has no multipliers", "Fix or relax the integers.")
    if problem.status is None:
        raise refusal(ShapeError, "the problem is not solved", "Call problem.solve() first.")
    variables = problem.variables()
    if any(v.value is None for v in variables):
        return no_solution(source, _reason(problem))
    for v in variables:
        _refuse_undescribed(v)
    sense = -1.0 if type(problem.objective).__name__ == "Maximize" else 1.0
    objective = problem.objective.args[0]
    terms = [_term(c, label) for c, label in zip(problem.constraints, _labels(problem), strict=True)]
    parts = [(objective, np.array(sense))]
    parts += [(e, t.sign * d) for t in terms for e, d in zip(t.expressions, t.duals, strict=True)]
    notes: list[str] = []
    left, scale = _stationarity(parts, variables, notes)
    products = [
        sum(float(np.sum(d * e.value)) for e, d in zip(t.expressions, t.duals, strict=True))
        for t in terms
        if t.relation != "="
    ]
    slackness = max((abs(product) for product in products), default=0.0)
    slackness = max([slackness, *(_elementwise(t) for t in terms)])
    residuals = Residuals(
        left / scale, max((t.primal for t in terms), default=0.0), max((t.dual for t in terms), default=0.0),
        slackness / scale,
    )  # fmt: skip
    return _report(source, problem, terms, residuals, tolerance, notes, parts, variables)


def _report(
    source: str, problem: Any, terms: list[Term], residuals: Residuals, tolerance: float, notes: list[str],
    parts: list[tuple[Any, np.ndarray]], variables: Sequence[Any],
) -> KKTReport:  # fmt: skip
    details = {}
    if terms:
        worst = max(terms, key=lambda t: t.primal)
        details["primal"] = f"at {worst.name}: violated by {worst.primal:.6g}"
        worst = max(terms, key=lambda t: t.dual)
        details["dual"] = f"at {worst.name}: outside of the dual cone by {worst.dual:.6g}"
        worst = max(terms, key=_elementwise)
        details["slackness"] = f"at {worst.name}: |μ g| = {_elementwise(worst):.6g}"
    findings = findings_of(residuals, tolerance, details)
    if all(f.passed for f in findings):
        verdict = f"the KKT conditions hold to {tolerance:.0e}"
        if problem.is_dcp():
            verdict += ", which for a convex problem proves the optimum"
    else:
        verdict = f"FAILED: {_signs(terms, parts, variables, residuals) or problem.status}"
    rows = []
    for t in terms:
        if len(t.duals) == 1:
            rows += rows_of(t.name, t.relation, np.ravel(t.expressions[0].value), np.ravel(t.duals[0]))
    multipliers = {t.name: t.duals[0] if len(t.duals) == 1 else tuple(t.duals) for t in terms}
    return KKTReport(
        source, findings, tuple(notes), residuals=residuals, multipliers=multipliers, verdict=verdict,
        rows=tuple(rows),
    )  # fmt: skip


def _labels(problem: Any) -> list[str]:
    """The constraints as cvxpy writes them, where that is short, the user's own words, and no other's."""
    texts = [str(c) for c in problem.constraints]
    return [
        text if len(text) <= 30 and "Promote" not in text and texts.count(text) == 1 else f"constraints[{k}]"
        for k, text in enumerate(texts)
    ]


def _refuse_undescribed(v: Any) -> None:
    """What is declared of a variable may bind, and cvxpy shows no dual of it."""
    given = v.attributes
    for name, remedy in (
        ("PSD", "X >> 0"), ("NSD", "X << 0"), ("bounds", "x >= lower, x <= upper"),
        ("diag", "cp.diag(x) of a vector x"), ("sparsity", "a vector of the entries"),
        ("complex", "its real and imaginary part"), ("hermitian", "its real and imaginary part"),
        ("imag", "a real variable times 1j"),
    ):  # fmt: skip
        if given.get(name) is not None and given[name] is not False:
            what = f"certificate takes no variable declared {name}, as {v.name()} is: it has no dual"
            raise refusal(DTypeError, what, f"State it in the problem: {remedy}.")


def _term(c: Any, label: str) -> Term:
    kind = type(c).__name__
    duals = c.dual_value if isinstance(c.dual_value, list) else [c.dual_value]
    if any(d is None for d in duals):
        raise refusal(ShapeError, f"constraint {label} has no dual value; the solver returned none")
    duals = [np.asarray(d, np.float64) for d in duals]
    primal = float(np.max(c.violation(), initial=0.0))
    if kind in ("Equality", "Zero"):
        return Term(label, "=", [c.expr], duals, 1.0, primal, 0.0)
    if kind in ("Inequality", "NonPos"):
        return Term(label, "≤", [c.expr], duals, 1.0, primal, float(np.max(-duals[0], initial=0.0) + 0.0))
    if kind == "NonNeg":
        return Term(label, "≥", [c.args[0]], duals, -1.0, primal, float(np.max(-duals[0], initial=0.0) + 0.0))
    if kind == "PSD":
        low = float(np.min(np.linalg.eigvalsh((duals[0] + duals[0].T) / 2)))
        return Term(label, "⪰", [c.args[0]], duals, -1.0, primal, max(-low, 0.0))
    if kind == "SOC":
        top, rest = np.atleast_1d(duals[0]), np.reshape(duals[1], np.shape(c.args[1].value) or (1,))
        axis = 0 if c.axis == 0 or rest.ndim == 1 else 1
        outside = np.linalg.norm(rest, axis=axis) - top
        duals = [np.reshape(top, np.shape(c.args[0].value)), np.reshape(rest, np.shape(c.args[1].value))]
        return Term(label, "∈ SOC", list(c.args), duals, -1.0, primal, float(np.max(outside, initial=0.0)))
    raise refusal(DTypeError, f"certificate does not know cvxpy's {kind} constraints ({label})")


def _elementwise(t: Term) -> float:
    """max |μ g| of an inequality, element by element."""
    if t.relation not in ("≤", "≥"):
        return 0.0
    return float(np.max(np.abs(t.duals[0] * t.expressions[0].value), initial=0.0))


# ---------------------------------------------------------------------------------------- stationarity
def _stationarity(
    parts: list[tuple[Any, np.ndarray]], variables: Sequence[Any], notes: list[str]
) -> tuple[float, float]:
    """‖∂L/∂x‖∞ and the scale max(1, ‖∇f‖∞); with what signs of variables allow taken off."""

    def largest(gradient: list[np.ndarray]) -> float:
        pairs = zip(gradient, variables, strict=True)
        return max((float(np.max(_allowed(g, v, notes), initial=0.0)) for g, v in pairs), default=0.0)

    gradient = _gradient(parts, variables)
    of_f = None
    if gradient is None:
        notes.append(KINK)
        left = largest(_slopes(parts, variables))
    else:
        of_f = _gradient(parts[:1], variables)
        left = largest(gradient)
        if left > 1e-4:  # a kink of the L that cvxpy differentiates by any one of its subgradients?
            better = largest(_slopes(parts, variables))
            if better < 0.1 * left:
                notes.append(KINK)
                left = better
    size = max((float(np.max(np.abs(g), initial=0.0)) for g in of_f or ()), default=0.0)
    return left, max(1.0, size)


def _gradient(parts: list[tuple[Any, np.ndarray]], variables: Sequence[Any]) -> list[np.ndarray] | None:
    """∂L/∂x by cvxpy's own derivatives; None where one of its atoms has none."""
    total = [np.zeros(v.size) for v in variables]
    for expression, weight in parts:
        if not np.any(weight):
            continue
        found = expression.grad
        flat = np.ravel(np.asarray(weight, np.float64), order="F")
        for k, v in enumerate(variables):
            if v in found:
                if found[v] is None:
                    return None
                matrix = found[v]
                dense = np.asarray(matrix.todense() if hasattr(matrix, "todense") else matrix, np.float64)
                total[k] += np.reshape(dense, (v.size, -1)) @ flat
    return [_symmetric(g, v) for g, v in zip(total, variables, strict=True)]


def _symmetric(g: np.ndarray, v: Any) -> np.ndarray:
    """Of a symmetric matrix only the symmetric part can move."""
    if v.is_symmetric() and v.ndim == 2 and v.size > 1:
        square = np.reshape(g, v.shape, order="F")
        return np.ravel((square + square.T) / 2, order="F")
    return g


def _allowed(g: np.ndarray, v: Any, notes: list[str]) -> np.ndarray:
    """|∂L/∂x|, but for what a variable's declared sign holds back where it is zero."""
    low = v.attributes.get("nonneg") or v.attributes.get("pos")
    high = v.attributes.get("nonpos") or v.attributes.get("neg")
    if not (low or high):
        return np.abs(g)
    at_zero = np.abs(np.ravel(v.value, order="F")) <= 1e-6
    note = f"{v.name()} is declared {'nonneg' if low else 'nonpos'}: its multiplier is ∂L/∂x where it is zero"
    if note not in notes:
        notes.append(note)
    return np.where(at_zero, np.maximum(-g if low else g, 0.0), np.abs(g))


@contextmanager
def _kept(variables: Sequence[Any]) -> Iterator[None]:
    """Variables may be moved inside; afterwards they are as they were."""
    before = [v.value for v in variables]
    try:
        yield
    finally:
        for v, value in zip(variables, before, strict=True):
            v.save_value(value)


def _slopes(parts: list[tuple[Any, np.ndarray]], variables: Sequence[Any]) -> list[np.ndarray]:
    """For each entry the slope of L that is nearest to zero among those between left and right."""

    def lagrangian() -> float:
        return sum(float(np.sum(w * e.value)) for e, w in parts if np.any(w))

    found = []
    with _kept(variables):
        for v in variables:
            at = np.array(v.value, np.float64)
            g = np.zeros(v.size)
            for k, index in enumerate(_columns_first(at.shape)):
                right, left = (_slope(lagrangian, v, at, index, s) for s in (1.0, -1.0))
                g[k] = 0.0 if left <= 0 <= right else min(left, right, key=abs)
            v.save_value(at)
            found.append(g)
    return found


def _columns_first(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return (index[::-1] for index in np.ndindex(shape[::-1]))


def _slope(f: Callable[[], float], v: Any, at: np.ndarray, index: tuple[int, ...], side: float) -> float:
    """One-sided slope by two steps, extrapolated; a symmetric matrix moves symmetrically."""

    def moved(h: float) -> float:
        x = at.copy()
        x[index] += h
        if v.is_symmetric() and x.ndim == 2 and index[0] != index[1]:
            x[index[::-1]] += h
        v.save_value(x)
        return f()

    h = side * 1e-5 * max(1.0, float(np.max(np.abs(at), initial=0.0)))
    v.save_value(at)
    base = f()
    return float((4 * moved(h / 2) - moved(h) - 3 * base) / h)


# ---------------------------------------------------------------------------------------- what is wrong
def _signs(
    terms: list[Term], parts: list[tuple[Any, np.ndarray]], variables: Sequence[Any], residuals: Residuals
) -> str:
    """Whether ∂L/∂x vanishes once the multipliers of one constraint, or of all, have the other sign."""
    if residuals.primal > 1e-3:
        return ""
    count = 1
    spans = []
    for t in terms:
        spans.append(range(count, count + len(t.duals)))
        count += len(t.duals)
    choices = [*[([t.name], set(span)) for t, span in zip(terms, spans, strict=True)],
               ([t.name for t in terms], set(range(1, count)))]  # fmt: skip
    for names, flipped in choices:
        other = [(e, -w if k in flipped else w) for k, (e, w) in enumerate(parts)]
        left, scale = _stationarity(other, variables, [])
        if left / scale < 1e-3 * max(residuals.stationarity, 1e-2):
            return f"wrong sign: ∂L/∂x vanishes once the multiplier of {', '.join(names)} changes sign"
    return ""


def _reason(problem: Any) -> str:
    """Why there is no solution: the constraints that must give way, or how far f falls."""
    import cvxpy as cp

    duals = [
        v for c in problem.constraints for v in c.dual_variables
    ]  # constraints are shared by what is solved
    with _kept([*problem.variables(), *duals]):
        if "infeasible" in problem.status and "unbounded" not in problem.status:
            return f"infeasible: {_conflict(cp, problem)}"
        if "unbounded" in problem.status:
            return _falling(cp, problem)
    return str(problem.status)


def _conflict(cp: Any, problem: Any) -> str:
    """The constraints relaxed at the least cost: those whose relaxation has a price contradict each other."""
    relaxed, cost, names = [], 0, []
    for c, label in zip(problem.constraints, _labels(problem), strict=True):
        kind = type(c).__name__
        if kind in ("Equality", "Zero", "Inequality", "NonPos"):
            slack = cp.Variable(c.expr.shape)
            relaxed.append(c.expr == slack if kind in ("Equality", "Zero") else c.expr <= slack)
            cost = cost + cp.sum(cp.abs(slack))
            names.append((label, relaxed[-1]))
        else:
            relaxed.append(c)
    try:
        least = cp.Problem(cp.Minimize(cost), relaxed).solve()
    except cp.error.SolverError as error:
        return f"and the relaxed problem was not solved either ({error})"
    if least is None or not np.isfinite(least):
        return "the cones alone contradict each other"
    weights = {label: float(np.sum(np.abs(c.dual_value))) for label, c in names}
    total = sum(weights.values()) or 1.0
    named = ", ".join(f"{label} {w / total:.3g}" for label, w in weights.items() if w > 1e-6 * total)
    return f"constraints must give way by {least:.3g} in all; these contradict each other, weighed: {named}"


def _falling(cp: Any, problem: Any) -> str:
    said = []
    for radius in (1e2, 1e4):
        inside = [cp.norm(cp.hstack([cp.vec(v, order="F") for v in problem.variables()])) <= radius]
        try:
            value = cp.Problem(problem.objective, [*problem.constraints, *inside]).solve()
        except cp.error.SolverError as error:
            return f"unbounded, and the problem within ‖x‖ ≤ {radius:.0e} was not solved either ({error})"
        if value is None or not np.isfinite(value):  # solvers that say "infeasible or unbounded"
            return f"infeasible: {_conflict(cp, problem)}"
        said.append(f"{value:.3g} within ‖x‖ ≤ {radius:.0e}")
    return f"unbounded: the objective reaches {', '.join(said)}; a bound or a constraint is missing"
