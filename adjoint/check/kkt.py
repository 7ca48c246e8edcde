"""The KKT conditions of a constrained problem at a point, whoever found it: four residuals and a verdict.

Everything is brought to the one sign convention, that of `adjoint.problems`: h = 0, g ≤ 0,
L = f + νᵀh + μᵀg, μ ≥ 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from ..problems.active import Candidate, least_multipliers
from ..problems.point import Block, Point
from ..problems.solution import Residuals
from ..text import number, table
from .report import Finding, Report

CONVENTION = "L = f + νᵀh + μᵀg with h = 0, g ≤ 0, μ ≥ 0"
RESIDUALS = {
    "stationarity": "stationarity ‖∂L/∂x‖ / max(1, ‖∇f‖)",
    "primal": "primal max(|h|, g, 0)",
    "dual": "dual max(−μ, 0)",
    "slackness": "slackness |μ g| / max(1, ‖∇f‖)",
}
UNKNOWN = Residuals(np.nan, np.nan, np.nan, np.nan)
ROWS = 12  # of constraints that a report shows


@dataclass(frozen=True)
class Row:
    """One element of a constraint: its label, relation, value h or g, and multiplier ν or μ."""

    label: str
    relation: str
    value: float
    multiplier: float


def rows_of(name: str, relation: str, value: np.ndarray, multiplier: np.ndarray) -> list[Row]:
    """A row for every element of one constraint, from vectors."""
    labels = [name if value.size == 1 else f"{name}[{k}]" for k in range(value.size)]
    return [
        Row(label, relation, float(v), float(m))
        for label, v, m in zip(labels, value, multiplier, strict=True)
    ]


@dataclass(frozen=True, repr=False)
class KKTReport(Report):
    """Whether the KKT conditions hold: true when all four residuals are within the tolerance.

    Attributes:
        residuals: stationarity, primal, dual, slackness.
        multipliers: ν and μ by the constraint's name, in its shape.
        verdict: the conclusion in words; `notes` say how multipliers and derivatives were obtained.
        rows: the constraints, element by element.
        estimated: whether the multipliers are ours, because the solver returned none.
    """

    residuals: Residuals = UNKNOWN
    multipliers: dict[str, Any] = field(default_factory=dict)
    verdict: str = ""
    rows: tuple[Row, ...] = ()
    estimated: bool = False

    def __repr__(self) -> str:
        lines = [f"certificate of {self.subject}: {self.verdict}", f"  {CONVENTION}"]
        lines += [f"  {f}" for f in self.findings]
        lines += [f"  note: {note}" for note in self.notes]
        shown = sorted(self.rows, key=lambda r: (r.relation != "=", -abs(r.multiplier)))[:ROWS]
        if shown:
            cells = [[r.label, r.relation, number(r.value), number(r.multiplier)] for r in shown]
            lines.append(table(["constraint", "", "h or g", "ν or μ"], cells, right=(2, 3)))
        if len(self.rows) > len(shown):
            lines.append(f"… and {len(self.rows) - len(shown)} more")
        return "\n".join(lines)


def no_solution(source: str, words: str) -> KKTReport:
    """The report on a solver that returned no x, with the reason."""
    return KKTReport(source, (Finding("solutions", 0.0, 1.0, False),), verdict=f"FAILED: {words}")


def findings_of(residuals: Residuals, tolerance: float, details: dict[str, str]) -> tuple[Finding, ...]:
    """One finding for each of the four numbers."""
    found = []
    for name, words in RESIDUALS.items():
        error = getattr(residuals, name)
        passed = bool(error <= tolerance)  # NaN is no success
        found.append(Finding(words, error, tolerance, passed, "" if passed else details.get(name, "")))
    return tuple(found)


@dataclass
class Stated:
    """A problem at a point, in the one convention.

    Attributes:
        source: whose answer it is.
        point: values and first derivatives.
        blocks: the constraints, those of h and those of g.
        nu, mu: the multipliers; None where they are to be estimated.
        tolerance: what residuals are held against.
        notes: for the report.
        remark: what the solver itself says when it did not succeed.
        positions: of a block that states only some of the elements, as bounds do: which.
        evaluate: f and the largest violation at another x, to see whether f falls forever.
    """

    source: str
    point: Point
    blocks: Sequence[Block]
    nu: np.ndarray | None
    mu: np.ndarray | None
    tolerance: float
    notes: list[str] = field(default_factory=list)
    remark: str = ""
    positions: dict[str, np.ndarray] = field(default_factory=dict)
    evaluate: Callable[[np.ndarray], tuple[float, float]] | None = None

    def names(self, b: Block) -> list[str]:
        """A name for every row of a block."""
        if b.shape == ():
            return [b.name]
        return [f"{b.name}[{k}]" for k in self.positions.get(b.name, np.arange(np.prod(b.shape, dtype=int)))]

    def labels(self, equalities: bool) -> list[str]:
        """A name for every row of h, or of g."""
        return [name for b in self.blocks if (b.relation == "=") == equalities for name in self.names(b)]


def judge(stated: Stated) -> KKTReport:
    """Residuals, multipliers, and what is wrong if something is."""
    p = stated.point
    broken = _not_finite(stated)
    if broken:  # residuals of NaN can look small: comparisons with it are all false
        finding = Finding("values that are not finite", len(broken), 0.0, False, ", ".join(broken[:ROWS]))
        words = f"FAILED: not finite at x: {', '.join(broken[:ROWS])}"
        return KKTReport(stated.source, (finding,), tuple(stated.notes), verdict=words)
    estimated = stated.nu is None or stated.mu is None
    candidate = _estimate(stated) if estimated else Candidate(p, stated.nu, stated.mu, stated.mu > 0)  # type: ignore[arg-type, operator]
    residuals = candidate.residuals
    if estimated:
        stated.notes.append(
            "the answer holds no multipliers: these are estimated, by least squares with μ ≥ 0"
        )
    details = _details(stated, candidate)
    findings = findings_of(residuals, stated.tolerance, details)
    verdict = _verdict(stated, candidate, all(f.passed for f in findings))
    rows = [
        Row(label, relation, float(v), float(lam)) for label, relation, v, lam in _all_rows(stated, candidate)
    ]
    multipliers = {}
    for b in stated.blocks:
        lam = (candidate.nu if b.relation == "=" else candidate.mu)[b.rows]
        if b.name in stated.positions:  # a bound: as many as x has elements
            whole = np.zeros(p.x.size)
            whole[stated.positions[b.name]] = lam
            multipliers[b.name] = whole
        else:
            multipliers[b.name] = np.reshape(lam, b.shape)[()]
    return KKTReport(
        stated.source, findings, tuple(stated.notes), residuals=residuals, multipliers=multipliers,
        verdict=verdict, rows=tuple(rows), estimated=estimated,
    )  # fmt: skip


def _not_finite(stated: Stated) -> list[str]:
    """What is NaN or infinite of x, f, constraints and derivatives; a g of −∞ holds."""
    p = stated.point
    named: list[tuple[str, Any]] = [("x", p.x), ("f", p.f), ("∇f", p.gradient)]
    for labels, values, rows in ((stated.labels(True), p.h, p.A), (stated.labels(False), p.g, p.G)):
        named += [(label, v) for label, v in zip(labels, values, strict=True)]
        named += [(f"the derivative of {label}", r) for label, r in zip(labels, rows, strict=True)]
    holding = {label for label, g in zip(stated.labels(False), p.g, strict=True) if g == -np.inf}
    holding |= {f"the derivative of {label}" for label in holding}
    return [name for name, value in named if name not in holding and not np.all(np.isfinite(value))]


def _all_rows(stated: Stated, c: Candidate) -> Iterator[tuple[str, str, float, float]]:
    for b in stated.blocks:
        value, lam = (c.point.h, c.nu) if b.relation == "=" else (c.point.g, c.mu)
        for k, label in enumerate(stated.names(b), start=b.start):
            yield label, b.relation, value[k], lam[k]


def _estimate(stated: Stated) -> Candidate:
    """The multipliers that balance ∇f best, on what binds."""
    p = stated.point
    scale = 1 + float(np.max(np.abs(p.x), initial=0.0))
    active = p.g >= -max(stated.tolerance, 1e-6) * scale
    nothing = Candidate(p, np.zeros(len(p.h)), np.zeros(len(p.g)), active)
    if not np.all(np.isfinite(p.gradient)):
        return nothing
    return least_multipliers(nothing)


# ---------------------------------------------------------------------------------------- what is wrong
def _details(stated: Stated, c: Candidate) -> dict[str, str]:
    """Where each residual is largest."""
    p = c.point
    of_h, of_g = stated.labels(True), stated.labels(False)
    total = p.lagrangian_gradient(c.nu, c.mu)
    found = {}
    if total.size:
        k = int(np.argmax(np.abs(total)))
        found["stationarity"] = f"at x[{k}]: ∂L/∂x = {total[k]:.6g}, ∂f/∂x = {p.gradient[k]:.6g}"
    violation = [*zip(np.abs(p.h), of_h, p.h, strict=True), *zip(p.g, of_g, p.g, strict=True)]
    if violation:
        _, label, value = max(violation, key=lambda row: row[0])
        wanted = "should be 0" if label in of_h else "should be at most 0"
        found["primal"] = f"at {label}: {value:.6g}, {wanted}"
    if len(c.mu):
        k = int(np.argmin(c.mu))
        found["dual"] = f"at {of_g[k]}: μ = {c.mu[k]:.6g}, should be at least 0"
        k = int(np.argmax(np.abs(c.mu * np.where(np.isfinite(p.g), p.g, 0.0))))
        state = "is violated" if p.g[k] > 0 else "does not bind"
        found["slackness"] = f"at {of_g[k]}: μ = {c.mu[k]:.6g} on a constraint that {state}, g = {p.g[k]:.6g}"
    return found


def _verdict(stated: Stated, c: Candidate, holds: bool) -> str:
    remark = f"; the solver says: {stated.remark}" if stated.remark else ""
    if holds:
        return f"the KKT conditions hold to {stated.tolerance:.0e}{remark}"
    r, tol = c.residuals, stated.tolerance
    ray = _ray(stated)
    if ray:
        return f"FAILED: {ray}{remark}"
    if not r.primal <= tol:
        return f"FAILED: {_infeasible(stated, c)}{remark}"
    flipped = _flipped(stated, c)
    if flipped:
        return f"FAILED: {flipped}{remark}"
    best = _estimate(stated)
    if best.residuals.worst <= max(tol, 1e-6) and not np.array_equal(best.mu, c.mu):
        return (
            f"FAILED: x satisfies the KKT conditions to {best.residuals.worst:.0e} with other multipliers "
            f"than these: {_named(stated, best)}{remark}"
        )
    if c.worst < best.worst and c.worst < 0.1:
        return (
            f"FAILED: near a KKT point, not at one: the worst residual is {c.worst:.1e}. Let the solver run "
            f"on, or pass tolerance={10 ** np.ceil(np.log10(c.worst)):.0e} if that will do{remark}"
        )
    if not r.stationarity <= tol:
        left = best.point.lagrangian_gradient(best.nu, best.mu)
        k = int(np.argmax(np.abs(left))) if left.size else 0
        return (
            f"FAILED: x is feasible and no multipliers balance ∇f: the best leave ‖∂L/∂x‖ = "
            f"{best.residuals.stationarity:.3g}, most at x[{k}]; f decreases along −∂L/∂x, or a constraint "
            f"was not handed along{remark}"
        )
    return f"FAILED: see the residuals{remark}"


def _named(stated: Stated, c: Candidate) -> str:
    rows = [(label, lam) for label, _, _, lam in _all_rows(stated, c) if lam]
    rows.sort(key=lambda row: -abs(row[1]))
    return ", ".join(f"{label} {number(lam)}" for label, lam in rows[:6]) or "all zero"


def _flipped(stated: Stated, c: Candidate) -> str:
    """Whether the residuals hold once some multipliers have the other sign."""
    if stated.nu is None:
        return ""
    blocks = [b for b in stated.blocks if np.any((c.nu if b.relation == "=" else c.mu)[b.rows])]
    few = len(blocks) if len(blocks) <= 6 else 1  # all subsets of six are 63
    for group in (g for k in range(1, few + 1) for g in combinations(blocks, k)):
        nu, mu = c.nu.copy(), c.mu.copy()
        for b in group:
            (nu if b.relation == "=" else mu)[b.rows] *= -1
        other = Candidate(c.point, nu, mu, mu > 0).residuals
        if group and other.worst <= max(stated.tolerance, 1e-3 * c.residuals.worst):
            names = ", ".join(b.name for b in group)
            what = f"multiplier of {names} changes" if len(group) == 1 else f"multipliers of {names} change"
            return (
                f"wrong sign: the conditions hold once the {what} sign. "
                "A convention with L = f − λᵀg, or g ≥ 0?"
            )
    return ""


def _infeasible(stated: Stated, c: Candidate) -> str:
    """The violation, and whether the constraints' gradients balance, so that no small step reduces it."""
    from scipy.optimize import nnls

    p, tol = c.point, stated.tolerance
    rows, labels = [], []
    for label, value, row in zip(stated.labels(True), p.h, p.A, strict=True):
        rows.append(np.sign(value) * row if abs(value) > tol else row)
        labels.append(label)
        if abs(value) <= tol:
            rows.append(-row)
            labels.append(label)
    violated = [*(abs(p.h) > tol), *(p.g > tol)]
    for label, value, row in zip(stated.labels(False), p.g, p.G, strict=True):
        if value > -tol:
            rows.append(row)
            labels.append(label)
    where = _details(stated, c)["primal"]
    text = f"not feasible, {where}"
    lengths = np.linalg.norm(rows, axis=1)
    kept = [k for k in range(len(rows)) if lengths[k] > 0]
    if not kept or not np.any(violated):
        return text
    unit = np.array([rows[k] / lengths[k] for k in kept]).T
    weights, left = nnls(np.vstack([unit, np.ones(len(kept))]), np.r_[np.zeros(len(unit)), 1.0])
    if left < 1e-4:  # gradients in balance
        given: dict[str, float] = {}
        for k, w in zip(kept, weights, strict=True):
            if w > 1e-6:
                given[labels[k]] = given.get(labels[k], 0.0) + float(w / lengths[k])
        total = sum(given.values())
        named = ", ".join(f"{label} {number(w / total)}" for label, w in given.items())
        return f"{text}. These constraints contradict each other here, by their gradients, weighed: {named}"
    return f"{text}. The violation can be reduced: the solver stopped early"


def _ray(stated: Stated) -> str:
    """Whether f falls on and on beyond a far point, without a constraint in the way."""
    p = stated.point
    size = float(np.linalg.norm(p.x))
    if stated.evaluate is None or not size > 1e2 or not p.violation <= stated.tolerance * size:
        return ""
    last, reached = p.f, 1.0
    with np.errstate(all="ignore"):
        for t in (10.0, 100.0, 1000.0):
            f, violation = stated.evaluate(t * p.x)
            if not (f < 2 * last < 0 and violation <= stated.tolerance * t * size):
                return ""
            last, reached = f, t
    return (
        f"unbounded: f = {p.f:.3g} at ‖x‖ = {size:.3g} and {last:.3g} at {reached:.0f} times this x; a bound "
        "or a constraint is missing, or f has the wrong sign"
    )
