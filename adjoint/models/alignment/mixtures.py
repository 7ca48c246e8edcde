"""The minimum of a parametrized dual, and the mixture of policies that attains it.

D_p is the maximum of lines r_KL(π) + λᵀu(π), one per policy. The maximum of those seen so far lies below it;
its lowest point is where the next policy is asked for, until the two values agree (cutting planes). The
multipliers of that last linear program are weights w of policies with Σ w u ≥ 0 and Σ w r_KL = D_p*: at a
kink single policies violate the constraints or waste reward, their mixture does neither.

A mixture draws one policy and follows it. Following the averaged probabilities instead does at least as well,
since KL is convex, but need not lie in the family.

Source: J. E. Kelley, "The cutting-plane method for solving convex programs", J. SIAM 8, 1960.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ...errors import ConvergenceError, DomainError, refusal
from ...ops.sides import host_only
from ...text import number, table
from ..base import Floats
from .certificates import GapCertificate, certify
from .families import Family
from .finite import FiniteProblem
from .iterative import Oracle, Point

FAR = 1e6  # times the dual's own scale: λ beyond it, D_p still falling, are taken for unbounded


@dataclass(frozen=True, eq=False)
class ParametrizedDual:
    """λ_p*, D_p* and what is played there.

    Attributes:
        problem: what was solved.
        lam: (m,) λ_p*.
        value: D_p(λ_p*).
        lower: what D_p* cannot be below.
        best: the family's best policy at λ_p* itself.
        parts: policies of the mixture, as points.
        weights: how often each is played; they sum to 1.
        alignments: how often a policy was trained.
        reference: (N, K) the family's best policy at λ*.
    """

    problem: FiniteProblem = field(repr=False)
    lam: Floats
    value: float
    lower: float
    best: Point
    parts: tuple[Point, ...]
    weights: Floats
    alignments: int
    reference: Floats = field(repr=False)

    @property
    def mixture_slack(self) -> Floats:
        """E g − b of the mixture, (m,)."""
        return np.asarray(self.weights @ np.array([p.slack for p in self.parts]))

    @property
    def mixture_objective(self) -> float:
        """E r − β KL, averaged over the mixture: D_p* where the constraints that have λ > 0 hold exactly."""
        return float(self.weights @ np.array([p.objective for p in self.parts]))

    @cached_property
    def certificate(self) -> GapCertificate:
        """How far the best policy at λ_p* is from the exact optimum."""
        return certify(self.problem, self.lam, self.best.policy, self.reference)

    def __repr__(self) -> str:
        names, size = [c.name for c in self.problem.constraints], self.problem.reach
        played = [
            (f"policy {k + 1}", float(w), p.objective, p.slack)
            for k, (w, p) in enumerate(zip(self.weights, self.parts, strict=True))
        ]
        played.append(("mixture", 1.0, self.mixture_objective, self.mixture_slack))
        rows = [
            [name, number(w), number(height), *(number(float(u), size) for u in slack)]
            for name, w, height, slack in played
        ]
        head = ["", "weight", "r − β KL", *(f"slack {name}" for name in names)]
        lam = ", ".join(f"{n} {number(float(v))}" for n, v in zip(names, self.lam, strict=True)) or "none"
        return (
            f"ParametrizedDual: D_p* = {self.value:.10g} at λ_p* = {lam}; {self.alignments} alignments\n"
            + table(head, rows, right=range(1, len(head)))
        )


@host_only
def minimize_dual(
    problem: FiniteProblem, family: Family, *, tolerance: float = 1e-13, max_steps: int = 400
) -> ParametrizedDual:
    """λ_p* = argmin_{λ ≥ 0} D_p(λ), with the mixture of policies that satisfies the constraints there.

    Args:
        problem: any number of constraints.
        family: the policies that can be expressed.
        tolerance: how far D_p(λ_p*) may be above its lower bound, relative to max(1, |D_p|); or, of one
            constraint, how far it may be missed, relative to the radius of g. Of several, at least 1e-10,
            since linear programs give no more.
        max_steps: alignments at most.

    Raises:
        DomainError: no mixture of the family's policies satisfies the constraints, or no λ* exists.
        ConvergenceError: more than max_steps alignments.

    >>> from adjoint.models.alignment import SimplexGrid
    >>> base, r, g = np.full((1, 2), 0.5), [[1.0, 0.0]], [[0.0, 1.0]]
    >>> game = FiniteProblem(base, r, {"safe": g}, "safe>=0.7", beta=1.0)
    >>> found = minimize_dual(game, SimplexGrid(2))  # (½, ½) or (0, 1): neither alone
    >>> found.weights.round(9).tolist(), abs(float(found.mixture_slack[0])) < 1e-12
    ([0.6, 0.4], True)
    """
    star = problem.optimum
    oracle = Oracle(problem, family)
    first = oracle(np.zeros(len(star)))
    found: Found
    if np.all(first.slack >= 0):
        found = (first, (first,), np.ones(1), first.value)
    elif len(star) == 1:
        found = _between(oracle, float(star[0]), tolerance, max_steps)
    else:
        found = _cutting(oracle, star, tolerance, max_steps)
    best, parts, weights, lower = found
    count = oracle.alignments
    reference = oracle(star)
    return ParametrizedDual(
        problem, best.lam, best.value, lower, best, parts, weights, count, reference.policy
    )


Found = tuple[Point, tuple[Point, ...], Floats, float]


def _between(oracle: Oracle, star: float, tolerance: float, max_steps: int) -> Found:
    """One constraint: D_p falls at 0; a bracket of λ_p* is found, and shrunk to a kink or to a point."""
    right = _rising(oracle, star)
    left = max((p for p in oracle.seen if p.slack[0] < 0), key=lambda p: float(p.lam[0]))
    while True:
        crossing, lower = _crossing(left, right)
        at = _next(oracle.alignments, left, right, crossing)
        middle = oracle([at])
        width = float(right.lam[0] - left.lam[0])
        if abs(middle.slack[0]) <= tolerance * oracle.problem.reach:
            return middle, (middle,), np.ones(1), middle.value - abs(float(middle.slack[0])) * width
        allowed = tolerance * max(1.0, abs(middle.value))
        kink = at == crossing and middle.value - lower <= allowed and _same(middle, left, right)
        if kink or width <= 1e-13 * max(1.0, float(right.lam[0])):
            best = min(left, middle, right, key=lambda p: p.value)
            share = -left.slack[0] / (right.slack[0] - left.slack[0])
            return best, (left, right), np.array([1 - share, share]), lower
        if oracle.alignments >= max_steps:
            raise _unfinished(max_steps, middle.value - lower)
        left, right = (middle, right) if middle.slack[0] < 0 else (left, middle)


def _rising(oracle: Oracle, star: float) -> Point:
    """A λ at which D_p rises: λ*, doubled until it serves."""
    step = max(star, 1e-3 * oracle.problem.beta / max(oracle.problem.reach, 1e-300))
    limit = FAR * step
    right = oracle([step])
    while right.slack[0] < 0:
        step *= 2
        if step > limit:
            raise _unreachable(oracle, right)
        right = oracle([step])
    return right


def _next(count: int, left: Point, right: Point, crossing: float) -> float:
    """Where the lines cross, which ends at a kink; in turn the root of the secant, or the middle."""
    middle = 0.5 * float(left.lam[0] + right.lam[0])
    slope = float(right.slack[0] - left.slack[0])
    share = -float(left.slack[0]) / slope if slope > 0 else 0.5
    secant = float(left.lam[0]) + share * float(right.lam[0] - left.lam[0])
    at = (secant if count % 2 else middle) if count % 3 == 0 else crossing
    return at if left.lam[0] < at < right.lam[0] else middle


def _same(middle: Point, left: Point, right: Point) -> bool:
    """Whether the policy in the middle is one of those at the ends: the lines meet at a kink."""
    return any(abs(middle.slack[0] - p.slack[0]) <= 1e-13 * max(1.0, abs(p.slack[0])) for p in (left, right))


def _crossing(left: Point, right: Point) -> tuple[float, float]:
    """Where the two lines meet, and how high."""
    slope = float(right.slack[0] - left.slack[0])
    at = (left.objective - right.objective) / slope if slope > 0 else float(left.lam[0])
    at = float(np.clip(at, left.lam[0], right.lam[0]))
    return at, max(left.objective + at * float(left.slack[0]), right.objective + at * float(right.slack[0]))


def _cutting(oracle: Oracle, star: Floats, tolerance: float, max_steps: int) -> Found:
    """Several constraints: linear programs over the policies seen."""
    tolerance = max(tolerance, 1e-10)
    scale = max(float(np.max(star)), oracle.problem.beta / max(oracle.problem.reach, 1e-300))
    box, limit = 4 * scale, FAR * scale
    oracle(star)
    best = min(oracle.seen, key=lambda p: p.value)
    while True:
        lam, lower, weights = _master(oracle.seen, box)
        if best.value - lower <= tolerance * max(1.0, abs(best.value)):
            # a minimum inside the box is one everywhere, since D_p is convex
            if np.max(best.lam) < box * (1 - 1e-9):
                used = np.flatnonzero(weights > 1e-12)
                parts = tuple(oracle.seen[k] for k in used)
                return best, parts, weights[used] / np.sum(weights[used]), lower
            if box >= limit:
                raise _unreachable(oracle, best)
            box *= 4
            continue
        if oracle.alignments >= max_steps:
            raise _unfinished(max_steps, best.value - lower)
        # half way to the best point: the lowest point of the model alone jumps to and fro
        best = min((oracle(lam), best), key=lambda p: p.value)
        best = min((oracle(0.5 * (lam + best.lam)), best), key=lambda p: p.value)


def _master(seen: list[Point], box: float) -> tuple[Floats, float, Floats]:
    """min_λ max over the policies seen of r_KL + λᵀu, 0 ≤ λ ≤ box: λ, the value, the policies' weights."""
    from scipy.optimize import linprog

    slacks = np.array([p.slack for p in seen])
    heights = np.array([p.objective for p in seen])
    top, m = float(np.max(heights)), slacks.shape[1]
    found = linprog(
        np.append(np.zeros(m), 1.0),
        np.column_stack([slacks, -np.ones(len(seen))]),
        top - heights,
        bounds=[(0.0, box)] * m + [(None, None)],
        method="highs-ds",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if found.x is None:
        raise refusal(
            ConvergenceError, f"the linear program over {len(seen)} policies failed: {found.message}"
        )
    lam: Floats = np.asarray(found.x[:m])
    weights: Floats = np.maximum(-np.asarray(found.ineqlin.marginals), 0.0)
    # the program is exact to 1e-10 only: the equations of its vertex, solved once more
    used, free = weights > 1e-12, lam > 1e-12 * box
    rows = np.vstack([slacks[used][:, free].T, np.ones(int(np.sum(used)))])
    missing = np.append(np.zeros(int(np.sum(free))), 1.0) - rows @ weights[used]
    weights[used] = np.maximum(weights[used] + np.linalg.lstsq(rows, missing, rcond=None)[0], 0.0)
    weights /= np.sum(weights)
    # what weak duality gives for these weights: a lower bound, whatever the program's own tolerance
    lower = float(weights @ heights + box * np.sum(np.minimum(weights @ slacks, 0.0)))
    return lam, lower, weights


def _unreachable(oracle: Oracle, point: Point) -> DomainError:
    slack = ", ".join(
        f"{c.name} {float(u):.4g}" for c, u in zip(oracle.problem.constraints, point.slack, strict=True)
    )
    what = "no mixture of the family's policies satisfies the constraints"
    what += f": at λ = {point.lam} the slack is {slack}"
    return refusal(DomainError, what, "Lower the levels, or use a richer family.")


def _unfinished(steps: int, gap: float) -> ConvergenceError:
    what = f"minimize_dual stopped after {steps} alignments with D_p known to {gap:.2e}"
    return refusal(ConvergenceError, what, "Raise max_steps or tolerance.")
