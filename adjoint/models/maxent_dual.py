"""The dual of max-entropy, and how it is minimised, or shown to have no minimum.

    A(λ) = log ∫ q exp(λ·c) + ε·|λ|,   c = f − μ̂;   ∇A = E c + ε sign λ,   ∇²A = Cov(c)

Newton's steps solve with the square root of the covariance, √p (c − E c), whose condition number is the root
of the covariance's: that whitens the features anew at every density, raw powers of x included.

Where features grow without bound, A is finite on part of the λ only, and may be finite up to the rim. There λ
has one component less. Such faces are solved first: if what the density lacks there points out of the domain,
the minimum of A over the closed domain is on that face, and no density has the moments.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple, Protocol

import numpy as np

from .base import Floats
from .maxent_existence import Verdict

_BARELY = 1e-9  # of a feature's spread: what a face may lack and still count as solved


class State(NamedTuple):
    """The density at one λ.

    Attributes:
        value: log ∫ q exp(λ·c), ∞ outside the domain.
        p: (n,) masses of the nodes, Σp = 1.
        rows: (n, k) c there.
        mean: (k,) E c.
        lost: share of the mass beyond the support's reach.
    """

    value: float
    p: Floats
    rows: Floats
    mean: Floats
    lost: float = 0.0

    @property
    def spread(self) -> Floats:
        """Standard deviations of c, (k,)."""
        spread: Floats = np.sqrt(self.p @ (self.rows - self.mean) ** 2)
        return spread


class Tail(NamedTuple):
    """How c grows towards one end: λ·direction + offset ≤ 0 is necessary for a density.

    Attributes:
        direction: (r,) the limit of c/‖c‖ at the end, within a basis.
        offset: what the prior and the chart's slope add to λ·direction; 0 where c outgrows both.
    """

    direction: Floats
    offset: float


class Problem(Protocol):
    """What is integrated: a finite set or a continuum."""

    k: int

    def evaluate(self, lam: Floats) -> State:
        """The density at λ (k,)."""

    def tails(self, basis: Floats) -> list[Tail]:
        """Where c·basis grows without bound."""


@dataclass
class Outcome:
    """Where the minimisation ended.

    Attributes:
        verdict: SOLVED, UNATTAINED, UNBOUNDED, STEPS or STALLED.
        lam: (k,) λ; on a face the closest density's.
        state: the density there, None if there is none at all.
        steps: Newton's steps in all.
        certificate: (k,) what the closest density lacks.
    """

    verdict: Verdict
    lam: Floats
    state: State | None
    steps: int
    certificate: Floats | None = None


def log_sum(log: Floats) -> tuple[float, Floats]:
    """log Σ exp(log), and the shares exp(log) / Σ."""
    top = float(np.max(log, initial=-np.inf))
    if not np.isfinite(top):
        return top, np.zeros(log.shape)
    mass = np.exp(log - top)
    total = float(np.sum(mass))
    return top + float(np.log(total)), mass / total


def lack(lam: Floats, short: Floats, slack: Floats) -> Floats:
    """What the density lacks: minus the smallest subgradient of A, (k,); 0 exactly at the minimum.

    `short` is −E c, (k,).
    """
    at_zero = np.sign(short) * np.maximum(np.abs(short) - slack, 0.0)
    return np.where(lam == 0, at_zero, short - slack * np.sign(lam))


def minimise(problem: Problem, slack: Floats, max_iter: int, tolerance: float) -> Outcome:
    """Minimise A, or find that it has no minimum.

    Args:
        problem: what is integrated.
        slack: (k,) ε, in the units of c.
        max_iter: Newton's steps at most.
        tolerance: on the Newton decrement √(∇Aᵀ Cov⁻¹ ∇A), the misfit in standard deviations.
    """
    return _on(problem, np.eye(problem.k), slack, max_iter, tolerance)


def _on(problem: Problem, basis: Floats, slack: Floats, max_iter: int, tolerance: float) -> Outcome:
    """The same for λ in the span of the orthonormal columns of `basis` (k, r)."""
    tails = problem.tails(basis)
    whole = _is_selection(basis)
    pure = [tail.direction for tail in tails if abs(tail.offset) < 1e-6]
    if len(pure) == 2 and np.max(np.abs(pure[0] + pure[1])) < 1e-9:
        # c grows with opposite signs at the two ends: its λ must be 0
        return _judged(problem, basis, pure[:1], slack, max_iter, tolerance, line=True) or _nothing(basis)
    if whole or not np.any(slack):
        for count in range(1, len(pure) + 1):
            for face in combinations(pure, count):
                if count == 2 and np.max(np.abs(face[0] - face[1])) < 1e-9:
                    continue
                found = _judged(problem, basis, list(face), slack, max_iter, tolerance, line=False)
                if found is not None:
                    return found
    start = _start(problem, basis, tails)
    if start is None:
        return _nothing(basis)
    found = _newton(problem, basis, start, slack, max_iter, tolerance)
    if found.verdict is Verdict.SOLVED or not pure:
        return found
    walls = np.array([basis @ d for d in pure])
    again = _newton(problem, basis, start, slack, max_iter - found.steps, tolerance, walls)
    again.steps += found.steps
    return again


def _nothing(basis: Floats) -> Outcome:
    return Outcome(Verdict.UNBOUNDED, np.zeros(len(basis)), None, 0)


def _judged(
    problem: Problem,
    basis: Floats,
    face: list[Floats],
    slack: Floats,
    max_iter: int,
    tolerance: float,
    *,
    line: bool,
) -> Outcome | None:
    """Solve on a face of the domain; the outcome if that decides the whole problem.

    The face is given by directions (r,) within the basis that λ is orthogonal to there. `line` says that the
    domain has no other points, so that the face decides in any case.
    """
    smaller = basis @ _complement(np.stack(face, axis=1))
    inner = _on(problem, smaller, slack, max_iter, tolerance)
    if line and inner.verdict is not Verdict.SOLVED and inner.verdict is not Verdict.UNATTAINED:
        return inner
    if inner.state is None or (inner.verdict is not Verdict.SOLVED and not line):
        return None
    short = lack(inner.lam, -inner.state.mean, slack)
    u = basis.T @ short
    spread = np.sqrt(inner.state.p @ ((inner.state.rows - inner.state.mean) @ basis) ** 2)
    if np.all(np.abs(u) <= _BARELY * np.maximum(spread, 1e-300)):
        return Outcome(Verdict.SOLVED, inner.lam, inner.state, inner.steps)
    if not line:
        weights, left = _cone(np.stack(face, axis=1), u)
        if left > 1e-7 * np.linalg.norm(u) or np.min(weights) < 0:
            return None
    return Outcome(Verdict.UNATTAINED, inner.lam, inner.state, inner.steps, basis @ u)


def _cone(directions: Floats, u: Floats) -> tuple[Floats, float]:
    from scipy.optimize import nnls

    weights, left = nnls(directions, u)
    return weights, float(left)


def _is_selection(basis: Floats) -> bool:
    return bool(np.all(np.sum(basis != 0, axis=0) == 1))


def _complement(directions: Floats) -> Floats:
    """Orthonormal columns that span what is orthogonal to the directions (r, m).

    Coordinates stay what they are where a direction is one, so that x⁴ does not leak into what is left.
    """
    r = len(directions)
    touched = np.flatnonzero(np.any(np.abs(directions) > 1e-9, axis=1))
    rest = np.setdiff1d(np.arange(r), touched)
    u, s, _ = np.linalg.svd(directions[touched])
    rank = int(np.sum(s > 1e-9))
    inside = np.zeros((r, len(touched) - rank))
    inside[touched] = u[:, rank:]
    return np.concatenate([np.eye(r)[:, rest], inside], axis=1)


def _start(problem: Problem, basis: Floats, tails: list[Tail]) -> Floats | None:
    """A λ at which there is a density: 0, or a point inside the domain's cone, doubled until it serves."""
    lam = np.zeros(problem.k)
    if np.isfinite(problem.evaluate(lam).value):
        return lam
    if not tails:
        return None
    from scipy.optimize import linprog

    # the smallest θ = a − b, a, b ≥ 0, with direction·θ ≤ −1: what it does not need stays 0
    r = basis.shape[1]
    rows = np.stack([np.concatenate([tail.direction, -tail.direction]) for tail in tails])
    found = linprog(np.ones(2 * r), rows, -np.ones(len(rows)), method="highs")
    if found.x is None:
        return None
    theta = found.x[:r] - found.x[r:]
    for power in range(-4, 40):
        lam = basis @ (theta * 2.0**power)
        if np.isfinite(problem.evaluate(lam).value):
            return lam
    return None


def _newton(
    problem: Problem,
    basis: Floats,
    lam: Floats,
    slack: Floats,
    max_iter: int,
    tolerance: float,
    walls: Floats | None = None,
) -> Outcome:
    """Damped Newton; components with ε > 0 rest at 0 until their gradient exceeds ε.

    Next to a wall of the domain, steps that ignore it end at it. Given walls (m, k), wall·λ < 0 inside, a
    barrier keeps λ off them, and vanishes step by step; without, the search gives up early.
    """
    fence = Barrier(walls, 1.0) if walls is not None else Barrier(np.zeros((0, problem.k)), 0.0)
    state = problem.evaluate(lam)
    best, since, blocked = np.inf, 0, 0
    for step in range(max_iter + 1):
        direction, gradient = _direction(lam, state, basis, slack, fence)
        decrement = float(np.sqrt(max(-float(gradient @ direction), 0.0)))
        if fence.weight:
            if decrement**2 < fence.weight:  # near enough to the center to move on
                fence = fence._replace(weight=fence.weight / 10 if fence.weight > 1e-9 else 0.0)
                continue
        # below 1e-9 rounding and quadrature decide; when they stop the descent, it is as good as it gets
        elif decrement <= tolerance or (decrement < 1e-9 and decrement > 0.5 * best):
            return Outcome(Verdict.SOLVED, lam, state, step)
        else:
            since = 0 if decrement < 0.5 * best else since + 1
            best = min(best, decrement)
            if since > 12 and best < 1e-6:  # the features' rounding; the residuals say if it is good enough
                return Outcome(Verdict.SOLVED, lam, state, step)
        if step == max_iter:
            break
        taken = _search(problem, lam, state, direction, slack, decrement, fence)
        if taken is None:
            verdict = Verdict.SOLVED if decrement < 1e-8 and not fence.weight else Verdict.STALLED
            return Outcome(verdict, lam, state, step)
        lam, state, outside = taken
        blocked += outside
        if walls is None and blocked >= 4:
            return Outcome(Verdict.STALLED, lam, state, step + 1)
    return Outcome(Verdict.STEPS, lam, state, max_iter)


class Barrier(NamedTuple):
    """−weight Σ log(−wall·λ), which keeps λ inside the walls (m, k)."""

    walls: Floats
    weight: float

    def value(self, lam: Floats) -> float:
        """∞ outside."""
        gap = -self.walls @ lam
        if not self.weight:
            return 0.0
        return float(-self.weight * np.sum(np.log(gap))) if np.all(gap > 0) else np.inf

    def roots(self, lam: Floats) -> Floats:
        """(m, k) rows whose products are the second derivative; √weight times their sum is the first."""
        rows: Floats = np.sqrt(self.weight) * self.walls / (-self.walls @ lam)[:, None]
        return rows


def _direction(
    lam: Floats, state: State, basis: Floats, slack: Floats, fence: Barrier
) -> tuple[Floats, Floats]:
    """Newton's direction and the gradient it answers, (k,) each, on the components that may move."""
    rows = fence.roots(lam) if fence.weight else np.zeros((0, len(lam)))
    short = lack(lam, -state.mean - np.sqrt(fence.weight) * np.sum(rows, axis=0), slack)
    sign = np.where(lam != 0, np.sign(lam), np.sign(short))
    free = (slack == 0) | (lam != 0) | (np.abs(short) > 1e-13 * state.spread)
    root = np.concatenate([np.sqrt(state.p)[:, None] * (state.rows - state.mean), rows])
    while True:
        if np.all(free):
            span = basis
        elif _is_selection(basis):
            span = basis[:, free[np.argmax(basis != 0, axis=0)]]
        else:
            span = basis * free[:, None]
        direction = span @ _solve(root @ span, span.T @ short)
        wrong = free & (lam == 0) & (slack > 0) & (direction * sign < 0)
        if not np.any(wrong):
            return direction, -short * free
        free &= ~wrong  # it would leave 0 to the side where its gradient is no longer that


def _solve(root: Floats, right: Floats) -> Floats:
    """(rootᵀ root)⁻¹ right by the root's singular values; collinear features share their λ."""
    if not right.size:
        return right
    scale = np.sqrt(np.sum(root**2, axis=0))
    scale[scale == 0] = 1.0
    triangle = np.linalg.qr(root / scale, mode="r")
    _, s, vt = np.linalg.svd(triangle, full_matrices=False)
    kept = s > 1e-13 * max(float(np.max(s, initial=0.0)), 1e-300)
    inverse = np.divide(1.0, s, out=np.zeros_like(s), where=kept)
    solution: Floats = (vt.T @ (inverse**2 * (vt @ (right / scale)))) / scale
    return solution


def _search(
    problem: Problem,
    lam: Floats,
    state: State,
    direction: Floats,
    slack: Floats,
    decrement: float,
    fence: Barrier,
) -> tuple[Floats, State, bool] | None:
    """Halve the step until A falls as promised; a component with ε > 0 stops at 0.

    Returns:
        The new λ, its state, and whether longer steps left the domain; None if no step helps.
    """
    before = state.value + float(slack @ np.abs(lam)) + fence.value(lam)
    outside = False
    crossing = (slack > 0) & (lam * direction < 0)
    ratio = np.where(crossing, -lam / np.where(crossing, direction, 1.0), np.inf)
    longest = float(np.min(ratio, initial=np.inf))
    length = min(1.0, longest)
    for _ in range(60):
        trial = lam + length * direction
        if length == longest:
            trial[ratio == longest] = 0.0
        barrier = fence.value(trial)
        if np.isfinite(barrier):
            there = problem.evaluate(trial)
            after = there.value + float(slack @ np.abs(trial)) + barrier
        else:
            after = np.inf
        outside |= bool(np.isinf(after))
        # once the fall promised is lost in A's rounding, the gradient decides at the next step
        noise = 1e-14 * max(1.0, abs(before)) if decrement < 1e-5 else 0.0
        if after <= before - 1e-4 * length * decrement**2 + noise:
            return trial, there, outside
        length /= 2
    return None
