"""Iterative dualization: align, look at the constraints, change λ, align again.

    π_t = argmax_θ L(π_θ, λ_t),   u_t = E g(π_t) − b ∈ ∂D_p(λ_t),   λ_{t+1} = [λ_t − η_t u_t]₊

D_p(λ) = max_θ L(π_θ, λ) is convex, with kinks where two policies are equally good. With R = |λ_0 − λ_p*| and
|u| ≤ G, both the best λ_t and the average of the λ_t, weighted by η_t, satisfy

    D_p(λ) − D_p* ≤ (R² + G² Σ η_t²) / (2 Σ η_t)

and playing the policies π_t in turn, by the same weights, violates no constraint by more than λ_T / Σ η_t.

Source: N. Z. Shor, "Minimization methods for non-differentiable functions", 1985; the average of policies
as in A. Nedić and A. Ozdaglar, "Approximate primal solutions and rate analysis for dual subgradient
methods", SIAM J. Optim. 19, 2009.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...errors import DomainError, ShapeError, refusal
from ...ops.sides import host_only
from ...text import number, table
from ..base import Floats
from .certificates import GapCertificate, certify
from .families import Family
from .finite import FiniteProblem


class Point(NamedTuple):
    """The family's best policy at one λ.

    Attributes:
        lam: (m,).
        policy: (N, K).
        slack: (m,) u = E g − b, a subgradient of D_p.
        objective: r_KL = E r − β KL.
    """

    lam: Floats
    policy: Floats
    slack: Floats
    objective: float

    @property
    def value(self) -> float:
        """D_p(λ) = r_KL + λᵀu."""
        return self.objective + float(self.lam @ self.slack)


class Oracle:
    """Answers λ with the best policy of a family, and never with one worse than it has given before.

    A family whose maximiser is found by descent may stop at a local one. What was seen before bounds D_p from
    below, so that with this memory the answers are exact for the family of all policies seen.
    """

    def __init__(self, problem: FiniteProblem, family: Family) -> None:
        self.problem, self.family = problem, family
        self.seen: list[Point] = []
        self.alignments = 0

    def __call__(self, lam: ArrayLike) -> Point:
        """Align at λ (m,)."""
        at = np.array(lam, float)
        policy = self.family.best(self.problem, at)
        self.alignments += 1
        point = Point(at, policy, self.problem.slack(policy), self.problem.objective(policy))
        for old in self.seen:
            if old.objective + float(at @ old.slack) > point.value + 1e-14 * max(1.0, abs(point.value)):
                point = old._replace(lam=at)
        self.seen.append(point)
        return point


Rule = Callable[[int, Point], float]  # (t, what was found at λ_t) → η_t


@host_only
def constant_rate(rate: float) -> Rule:
    """η_t = rate: the bound falls to G² rate / 2.

    >>> constant_rate(0.1)(7, None)
    0.1
    """
    _check_rate(rate)
    return lambda t, point: rate


@host_only
def decreasing_rate(rate: float) -> Rule:
    """η_t = rate / √(t + 1): the bound falls as log T / √T.

    >>> decreasing_rate(0.1)(3, None)
    0.05
    """
    _check_rate(rate)
    return lambda t, point: rate / float(np.sqrt(t + 1))


@host_only
def polyak_rate(target: float) -> Rule:
    """η_t = (D_p(λ_t) − target) / |u_t|², for a known target D_p*; 0 once it is reached.

    λ then comes nearer to λ_p* with every step.

    >>> polyak_rate(1.0)(0, Point(np.zeros(1), np.ones((1, 1)), np.array([-2.0]), 3.0))
    0.5
    """

    def rule(t: int, point: Point) -> float:
        square = float(point.slack @ point.slack)
        return max(0.0, point.value - target) / square if square else 0.0

    return rule


def _check_rate(rate: float) -> None:
    if not (np.isfinite(rate) and rate > 0):
        raise refusal(DomainError, f"a step's rate must be a number > 0, got {rate}")


@host_only
@dataclass(frozen=True, eq=False)
class Dualization:
    """A run of iterative dualization.

    Attributes:
        problem: what was solved.
        points: T points (λ_t, π_t, u_t).
        rates: (T,) η_t.
        last: (m,) λ_T, to which the last step led.
        alignments: how often a policy was trained, λ* for the certificates not counted.
        reference: (N, K) the family's best policy at λ*.
    """

    problem: FiniteProblem = field(repr=False)
    points: tuple[Point, ...]
    rates: Floats
    last: Floats
    alignments: int
    reference: Floats = field(repr=False)

    @property
    def values(self) -> Floats:
        """D_p(λ_t) (T,)."""
        return np.array([p.value for p in self.points])

    @property
    def path(self) -> Floats:
        """λ_t (T, m)."""
        return np.array([p.lam for p in self.points])

    @property
    def slacks(self) -> Floats:
        """E g − b of π_t, (T, m)."""
        return np.array([p.slack for p in self.points])

    @property
    def best(self) -> Point:
        """Where D_p was lowest."""
        return self.points[int(np.argmin(self.values))]

    @property
    def weights(self) -> Floats:
        """η_t / Σ η, (T,): how often each policy is played in the mixture."""
        total = float(np.sum(self.rates))
        return self.rates / total if total else np.full(len(self.rates), 1 / len(self.rates))

    @property
    def average(self) -> Floats:
        """The average of λ_t by those weights, (m,)."""
        return np.asarray(self.weights @ self.path)

    @property
    def mixture_slack(self) -> Floats:
        """E g − b when the policies are played in turn, (m,)."""
        return np.asarray(self.weights @ self.slacks)

    @property
    def mixture_bound(self) -> Floats:
        """What the mixture cannot violate the constraints by more than: (λ_T − λ_0)₊ / Σ η, (m,)."""
        total = float(np.sum(self.rates))
        return (
            np.maximum(self.last - self.points[0].lam, 0.0) / total
            if total
            else np.full(len(self.last), np.inf)
        )

    def bound(self, lam: ArrayLike, largest: float | None = None) -> Floats:
        """What D_p(best of λ_0 … λ_t) − D_p* cannot exceed, (T,): (R² + G² Σ η²) / (2 Σ η).

        Args:
            lam: (m,) λ_p*.
            largest: G ≥ |u|; None: the largest |u_t| met, which is enough for this run.
        """
        radius = float(np.linalg.norm(self.points[0].lam - np.asarray(lam, float)))
        G = float(np.max(np.linalg.norm(self.slacks, axis=1))) if largest is None else largest
        with np.errstate(divide="ignore", invalid="ignore"):
            found = (radius**2 + G**2 * np.cumsum(self.rates**2)) / (2 * np.cumsum(self.rates))
        return np.where(np.isnan(found), np.inf, found)

    @cached_property
    def certificate(self) -> GapCertificate:
        """How far the best point is from the exact optimum."""
        return certify(self.problem, self.best.lam, self.best.policy, self.reference)

    def __repr__(self) -> str:
        names = [c.name for c in self.problem.constraints]
        found = self.best
        columns = zip(names, found.lam, self.average, found.slack, self.mixture_slack, strict=True)
        sizes = (0.0, 0.0, self.problem.reach, self.problem.reach)
        rows = [
            [name, *(number(float(x), size) for x, size in zip(numbers, sizes, strict=True))]
            for name, *numbers in columns
        ]
        head = ["constraint", "λ best", "λ average", "slack of the best", "slack of the mixture"]
        text = f"Dualization: {self.alignments} alignments, D_p = {found.value:.10g}"
        return "\n".join([text, *([table(head, rows, right=(1, 2, 3, 4))] if rows else [])])


@host_only
def dualize(
    problem: FiniteProblem,
    family: Family,
    *,
    steps: int = 100,
    rule: Rule | None = None,
    start: ArrayLike | None = None,
    callback: Callable[[int, Point], None] | None = None,
) -> Dualization:
    """Minimise D_p by projected subgradient steps, each of which aligns once.

    Args:
        problem: with at least one constraint.
        family: the policies that can be expressed.
        steps: T ≥ 1.
        rule: sizes of the steps; None: `decreasing_rate(1/h)`, h the largest curvature of D at λ*.
        start: (m,) λ_0 ≥ 0; zeros if omitted.
        callback: called with (t, point) after every alignment.

    Returns:
        The whole run, with its certificates.

    Raises:
        DomainError: no steps, or λ_0 < 0.
        ShapeError: λ_0 is not (m,).

    >>> base, r, g = np.full((1, 2), 0.5), [[1.0, 0.0]], [[0.0, 1.0]]
    >>> game = FiniteProblem(base, r, {"safe": g}, "safe>=0.5", beta=1.0)
    >>> from adjoint.models.alignment import Everything
    >>> run = dualize(game, Everything(), steps=60, rule=constant_rate(4.0))
    >>> run.best.lam.round(8).tolist(), run.certificate.hold
    ([1.0], True)
    """
    if steps < 1:
        raise refusal(DomainError, f"dualize needs at least one step, got {steps}")
    lam = _start(problem, start)
    if rule is None:
        rule = decreasing_rate(1 / _steepest(problem))
    oracle = Oracle(problem, family)
    points, rates = [], []
    for t in range(steps):
        point = oracle(lam)
        points.append(point)
        rates.append(rule(t, point))
        if callback is not None:
            callback(t, point)
        lam = np.maximum(lam - rates[-1] * point.slack, 0.0)
    count = oracle.alignments
    reference = oracle(problem.optimum).policy
    return Dualization(problem, tuple(points), np.array(rates), lam, count, reference)


def _start(problem: FiniteProblem, start: ArrayLike | None) -> Floats:
    m = len(problem.constraints)
    lam = np.zeros(m) if start is None else np.array(start, float)
    if lam.shape != (m,):
        raise refusal(ShapeError, f"start must be ({m},), one λ per constraint; got shape {lam.shape}")
    if not np.all((lam >= 0) & np.isfinite(lam)):
        raise refusal(DomainError, f"multipliers of constraints E g ≥ b are finite and ≥ 0, got start {lam}")
    return lam


def _steepest(problem: FiniteProblem) -> float:
    values = np.linalg.eigvalsh(problem.dual_hessian(problem.optimum))
    return max(float(np.max(values, initial=0.0)), 1e-12 * problem.smoothness) or 1.0


@host_only
def projected_gradient(problem: FiniteProblem, *, steps: int = 100, start: ArrayLike | None = None) -> Floats:
    """Minimise the exact dual by λ ← [λ − ∇D/L]₊, for comparison with Newton's method.

    D(λ_t) − D* ≤ L R² / 2t, R = |λ_0 − λ*|, since D is smooth with L; and where D is strongly convex the
    distance to λ* shrinks by a factor each step.

    Args:
        problem: any.
        steps: T.
        start: (m,) λ_0; zeros if omitted.

    Returns:
        λ_0 … λ_T, (T + 1, m).

    Raises:
        DomainError: λ_0 < 0.
        ShapeError: λ_0 is not (m,).

    >>> base, r, g = np.full((1, 2), 0.5), [[1.0, 0.0]], [[0.0, 1.0]]
    >>> game = FiniteProblem(base, r, {"safe": g}, "safe>=0.5", beta=1.0)
    >>> projected_gradient(game, steps=60)[-1].round(6).tolist()
    [1.0]
    """
    lam = _start(problem, start)
    path = [lam]
    for _ in range(steps):
        step = problem.dual_gradient(lam) / problem.smoothness if problem.smoothness else 0.0
        lam = np.maximum(lam - step, 0.0)
        path.append(lam)
    return np.array(path)
