"""Damped projected Newton steps for the dual: minimize D(λ) over λ ≥ 0, or D(λ, β) + βκ over λ ≥ 0 and β > 0.

    D(λ, β) = β E_x log E_ref e^((r + λᵀ(g − b))/β)        ∇_λ D = E g − b,  ∂D/∂β = −KL
    ∇²D = Cov(c)/β for c = (g, −t), t = (r + λᵀ(g − b))/β

D is convex in both together (it is the perspective of a log-sum-exp), so one method serves both forms. A step
minimizes the quadratic model over the bounds and a trust region: far from the optimum every policy is best of
K, ∇²D vanishes, and a plain Newton step has no length.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..base import Floats
from .evaluate import Point, Source

STEPS = 200


class Problem(NamedTuple):
    """What is minimized.

    Attributes:
        source: what to sum over.
        levels: b (m,), absolute.
        beta: β, or None under a budget.
        budget: κ in nats, or None for a given β.
        center: r₀, near the mean of r.
        scale: the spread of r and of each g within prompts (m + 1,), for tolerances and first steps.
        weight: how often each prompt counts, or None.
    """

    source: Source
    levels: Floats
    beta: float | None
    budget: float | None
    center: float
    scale: Floats
    weight: Floats | None = None

    @property
    def least(self) -> float:
        """The least β a budget may end at: below it the policy is best of K."""
        return 1e-6 * float(self.scale[0])


class Value(NamedTuple):
    """The dual at one point.

    Attributes:
        x: λ (m,), and β last under a budget.
        value: D, with βκ under a budget.
        gradient: E g − b, and κ − KL under a budget.
        hessian: ∇²D.
        cross: ∂∇D/∂β: what the gradient's part in λ does when β grows (m,).
        tilt: E t.
        log: E log E_ref eᵗ.
        beta: β.
    """

    x: Floats
    value: float
    gradient: Floats
    hessian: Floats
    cross: Floats
    tilt: float
    log: float
    beta: float

    @property
    def divergence(self) -> float:
        """E KL(π ‖ π_ref), in nats."""
        return max(self.tilt - self.log, 0.0)


class Found(NamedTuple):
    """Where the steps ended.

    Attributes:
        at: the last point.
        steps: how many were taken.
        converged: whether the projected gradient met the tolerance.
    """

    at: Value
    steps: int
    converged: bool


def evaluate(problem: Problem, x: Floats) -> Value:
    """D and its derivatives at x = λ, or (λ, β) under a budget."""
    m = len(problem.levels)
    lam, beta = x[:m], problem.beta if problem.beta is not None else float(x[m])
    at = Point(1 / beta, lam / beta, problem.center, problem.levels)
    sums = problem.source.dual(at, problem.weight)
    log, means, second = sums.log / sums.total, sums.means / sums.total, sums.second / sums.total
    tilt = float(means[m])
    gradient, hessian = means[:m], second[:m, :m] / beta
    cross = -second[:m, m] / beta
    value = beta * log + problem.center
    if problem.budget is not None:
        value += beta * problem.budget
        gradient = np.append(gradient, problem.budget - (tilt - log))
        hessian = np.block([[hessian, cross[:, None]], [cross[None], second[m:, m:] / beta]])
    return Value(x, value, gradient, hessian, cross, tilt, log, beta)


def bounds(problem: Problem) -> Floats:
    """The least x."""
    low = np.zeros(len(problem.levels))
    return low if problem.budget is None else np.append(low, problem.least)


def projected(problem: Problem, at: Value) -> Floats:
    """The gradient, without what points out of the bounds."""
    held = (at.x <= bounds(problem)) & (at.gradient > 0)
    return np.where(held, 0.0, at.gradient)


def units(problem: Problem) -> Floats:
    """In which each entry of the gradient is measured: the utilities' spread, one nat."""
    spread = problem.scale[1:]
    return spread if problem.budget is None else np.append(spread, 1.0)


def minimize(
    problem: Problem, start: Floats, tolerance: float,
    watch: Callable[[Value, int], bool] | None = None,
) -> Found:  # fmt: skip
    """Newton steps until the projected gradient, in its units, is at most the tolerance.

    Past the tolerance it goes on while a step still halves the gradient: full accuracy costs one or two more.

    Args:
        problem: what to minimize.
        start: x (m,), or (m + 1,) under a budget.
        tolerance: for the projected gradient.
        watch: called before each step with the point and the steps taken so far; True stops.
    """
    low, unit = bounds(problem), units(problem)
    at = evaluate(problem, np.maximum(start, low))
    size = float(np.max(np.abs(projected(problem, at)) / unit, initial=0.0))
    radius = 10.0
    for step in range(STEPS):
        if size <= tolerance * 1e-6 or (watch is not None and watch(at, step)):
            return Found(at, step, size <= tolerance)
        reach = radius * at.beta / unit
        floor = low.copy()
        if problem.budget is not None:
            floor[-1] = max(floor[-1], 0.1 * at.beta)
        lower, upper = np.maximum(floor - at.x, -reach), reach
        move = model_step(at.hessian, at.gradient, lower, upper)
        length, after = _shorten(problem, at, move, floor)
        if after is None:
            return Found(at, step, size <= tolerance)
        ahead = float(np.max(np.abs(projected(problem, after)) / unit, initial=0.0))
        if size <= tolerance and ahead > 0.5 * size:
            return Found(after if ahead < size else at, step + 1, True)
        if length == 1.0 and np.any(np.abs(move) >= 0.99 * reach):
            radius *= 4
        elif length < 1.0:
            radius = max(radius * length, 1e-3)
        at, size = after, ahead
    return Found(at, STEPS, size <= tolerance)


def _shorten(
    problem: Problem, at: Value, move: Floats, floor: Floats
) -> tuple[float, Value | None]:  # fmt: skip
    """Halve the step until D falls as the model says, or the gradient does where D only shows rounding."""
    fall, length = float(at.gradient @ move), 1.0
    noise = 1e-13 * (abs(at.value) + abs(at.beta * at.log) + abs(float(at.x @ at.gradient)))
    while length > 1e-12:
        trial = np.maximum(at.x + length * move, floor)
        after = evaluate(problem, trial)
        if np.isfinite(after.value) and after.value <= at.value + 1e-4 * length * fall + noise:
            return length, after
        length *= 0.5
    return 0.0, None


def model_step(hessian: Floats, gradient: Floats, lower: Floats, upper: Floats) -> Floats:
    """d minimizing gᵀd + ½ dᵀHd over lower ≤ d ≤ upper: active sets, from the signs at the last guess."""
    size = len(gradient)
    if not size:
        return np.zeros(0)
    curved = np.diagonal(hessian) > 1e-200
    scale = 1 / np.sqrt(np.where(curved, np.diagonal(hessian), 1.0))
    H = scale[:, None] * hessian * scale
    g, lo, hi = gradient * scale, lower / scale, upper / scale
    at_lo = (lo >= 0) & (g > 0)
    at_hi = np.zeros(size, dtype=bool)
    for _ in range(50):
        d = np.where(at_lo, lo, np.where(at_hi, hi, 0.0))
        free = ~(at_lo | at_hi)
        if free.any():
            d[free] = _solution(H[np.ix_(free, free)], -(g + H @ d)[free])
        slope = g + H @ d
        next_lo = np.where(free, d < lo, at_lo & (slope > 0))
        next_hi = np.where(free, d > hi, at_hi & (slope < 0))
        if np.array_equal(next_lo, at_lo) and np.array_equal(next_hi, at_hi):
            return np.where(at_lo, lower, np.where(at_hi, upper, np.clip(d * scale, lower, upper)))
        at_lo, at_hi = next_lo, next_hi
    d = _by_coordinates(H, g, lo, hi)
    return np.where(d <= lo, lower, np.clip(d * scale, lower, upper))


def _solution(H: Floats, right: Floats) -> Floats:
    """H⁻¹ right; along directions without curvature far if the gradient has a part in them, else nowhere."""
    values, vectors = np.linalg.eigh(H)
    parts, least = vectors.T @ right, 1e-13 * max(float(values[-1]), 1e-3)
    flat = (values <= least) & (np.abs(parts) <= 1e-8 * np.linalg.norm(right))
    found: Floats = vectors @ np.where(flat, 0.0, parts / np.maximum(values, least))
    return found


def _by_coordinates(H: Floats, g: Floats, lo: Floats, hi: Floats) -> Floats:
    """The same by cyclic exact steps in one coordinate, for the rare sets that alternate."""
    d = np.clip(np.zeros_like(g), lo, hi)
    for _ in range(1000):
        before = d.copy()
        for k in range(len(g)):
            d[k] = np.clip(d[k] - (g[k] + H[k] @ d) / max(H[k, k], 1e-13), lo[k], hi[k])
        if np.max(np.abs(d - before)) <= 1e-15 * max(1.0, float(np.max(np.abs(d)))):
            break
    return d
