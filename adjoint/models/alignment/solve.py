"""From a source of sums to a verdict: scales, feasibility, Newton steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..base import Floats
from .evaluate import Local, Moments, Point, Source
from .feasibility import Margin, largest_margin
from .newton import Found, Problem, Value, evaluate, minimize, projected
from .result import Status

CLOSE = 1e-9  # margins, in ranges of the utilities, that count as none
SAMPLE = 100_000  # responses for first guesses, and on which the drift is measured
FAR = 50.0  # λ × range of g, over β or the range of r, from which feasibility is in question


class Setting(NamedTuple):
    """A problem and what is known before it is solved.

    Attributes:
        problem: see `newton`.
        reference: moments per prompt under the reference.
        relative: which constraints count from the reference (m,).
        top: E max g − b (m,): what each constraint could reach alone.
        least: E min r, below which no dual value of a feasible problem lies.
        constant: prompts within which r and each constrained utility are constant (m + 1,).
    """

    problem: Problem
    reference: Moments
    relative: Floats
    top: Floats
    least: float
    constant: Floats

    def elsewhere(self, source: Source, levels: Sequence[float]) -> Setting:
        """The same problem on other scores; levels b (m,) as given."""
        return prepare(source, levels, self.relative, self.problem.beta, self.problem.budget)


class Verdict(NamedTuple):
    """How it ended; `margin` where feasibility was asked for."""

    status: Status
    found: Found
    margin: Margin | None


def prepare(
    source: Source, levels: Sequence[float], relative: Sequence[bool] | Floats,
    beta: float | None, budget: float | None,
) -> Setting:  # fmt: skip
    """Reference, absolute levels and scales.

    Args:
        source: the scores.
        levels: b (m,), as given.
        relative: whether each counts from the reference.
        beta: β, or None under a budget.
        budget: κ, or None.
    """
    m = len(levels)
    zero = np.zeros(m)
    reference = source.moments(Point(0.0, zero, 0.0, zero))
    shifted = np.array(relative, dtype=float)
    absolute = np.array(levels, dtype=float) + shifted * np.mean(reference.gaps, axis=0)
    sums = source.extremes()
    extremes = sums[:, :2] / source.prompts
    ranges = extremes[:, 0] - extremes[:, 1]
    size = np.abs(extremes).max(axis=1)
    size = np.where(size > 0, size, 1.0)
    # a column constant within prompts has no range: its own size, so that tolerances mean something
    scale = np.where(ranges > 1e-12 * size, ranges, size)
    problem = Problem(source, absolute, beta, budget, float(np.mean(reference.reward)), scale)
    return Setting(
        problem, reference, shifted, extremes[1:, 0] - absolute, float(extremes[0, 1]), sums[:, 2]
    )  # fmt: skip


def solve(
    setting: Setting, tolerance: float, start: Floats | None = None,
    progress: Callable[[Value, int], None] | None = None,
) -> Verdict:  # fmt: skip
    """λ*, β and the verdict.

    Args:
        setting: from `prepare`.
        tolerance: for the projected gradient, in ranges of the utilities.
        start: x (m,) or (m + 1,); by `first_guess` if omitted.
        progress: called before each step with the point and the steps taken so far.
    """
    problem = setting.problem
    m, scale = len(problem.levels), problem.scale
    if np.min(setting.top / scale[1:], initial=np.inf) < -CLOSE:
        at = evaluate(problem, np.append(np.zeros(m), scale[0])[: m + (problem.budget is not None)])
        return Verdict(Status.INFEASIBLE, Found(at, 0, False), _margin(problem))
    asked: list[Margin] = []

    def watch(at: Value, step: int) -> bool:
        if progress is not None:
            progress(at, step)
        if asked or not m:
            return False
        far = np.max(at.x[:m] * scale[1:]) > FAR * max(at.beta, float(scale[0]))
        if far or (problem.budget is not None and at.value < setting.least):
            asked.append(_margin(problem))
        return bool(asked) and asked[0].high < -CLOSE

    found = minimize(problem, first_guess(problem) if start is None else start, tolerance, watch)
    if not asked and m and _degenerate(problem, found.at):
        asked.append(_margin(problem))
    return Verdict(_status(problem, found, asked[0] if asked else None), found, asked[0] if asked else None)


def _status(problem: Problem, found: Found, margin: Margin | None) -> Status:
    if margin is not None and margin.high <= CLOSE:
        return Status.INFEASIBLE if margin.high < -CLOSE else Status.NO_SLATER
    if problem.budget is not None and found.at.beta <= 1.001 * problem.least:
        return Status.SLACK_BUDGET
    return Status.SOLVED if found.converged else Status.STOPPED


def first_guess(problem: Problem) -> Floats:
    """λ = 0, and under a budget a β of the size that it will have; for small β, λ* of larger ones.

    As β falls the dual approaches a piecewise linear function, whose kinks are β wide: Newton steps that are
    to find the right one start from the last.
    """
    size, x = float(problem.scale[0]), np.zeros(len(problem.levels))
    if problem.budget is not None:
        return np.append(x, size / (1 + 4 * np.sqrt(problem.budget)))
    beta = 0.02 * size
    while problem.beta is not None and problem.beta < beta and len(x):
        at = minimize(problem._replace(beta=beta), x, 1e-6, lambda _, step: step >= 20).at
        free = at.x > 0
        slope = np.zeros(len(x))
        slope[free] = -np.linalg.lstsq(at.hessian[np.ix_(free, free)], at.cross[free], rcond=1e-10)[0]
        after = max(beta / 8, problem.beta)
        x, beta = np.maximum(at.x + np.clip(slope * (after - beta), -beta, beta), 0.0), beta / 8
    return x


def from_sample(
    source: Source, setting: Setting, levels: Sequence[float], rng: np.random.Generator
) -> Floats | None:
    """x of a sample of the prompts, where there are many: Newton steps from there are two instead of five."""
    if float(np.sum(source.counts)) < 4 * SAMPLE:
        return None
    own = Local(source.sample(SAMPLE, rng), source.names)
    found = solve(setting.elsewhere(own, levels), 1e-6)
    return found.found.at.x if found.status is Status.SOLVED else None


def _degenerate(problem: Problem, at: Value) -> bool:
    """Whether ∇²D is singular on the constraints that bind, or the steps ended elsewhere."""
    m = len(problem.levels)
    active = (at.x[:m] > 0) | (at.gradient[:m] <= 1e-9 * problem.scale[1:])
    if not active.any():
        return False
    scale = problem.scale[1:][active]
    H = at.hessian[:m, :m][np.ix_(active, active)] * at.beta / np.outer(scale, scale)
    return bool(np.linalg.eigvalsh(H)[0] < 1e-10) or bool(
        np.max(np.abs(projected(problem, at)[:m]) / problem.scale[1:]) > 1e-6
    )


def _margin(problem: Problem) -> Margin:
    """h* over all constraints, in ranges of the utilities: in their own units a small one would be lost."""
    source, count, scale = problem.source, problem.source.prompts, problem.scale[1:]

    def h(u: Floats) -> tuple[float, Floats]:
        if problem.budget is not None:
            value, slope = _within_budget(problem, u / scale)
            return value, slope / scale
        value, slope = source.support(u / scale, problem.levels)
        return value / count, slope / (count * scale)

    return largest_margin(h, len(scale), 1e-10)


def largest_each(setting: Setting) -> Floats:
    """max E g − b of each constraint alone (m,), within the budget if there is one."""
    if setting.problem.budget is None:
        return setting.top
    return np.array([_within_budget(setting.problem, u)[0] for u in np.eye(len(setting.top))])


def _within_budget(problem: Problem, u: Floats) -> tuple[float, Floats]:
    """max uᵀ(E g − b) over policies with KL ≤ κ, and E g − b there: by its own multiplier of the budget."""
    source, scale, m = problem.source, float(u @ problem.scale[1:]), len(u)
    top, slope = source.support(u, problem.levels)
    # KL falls in β: bisect log β between best of K and the reference, which is all that a tiny budget allows
    low, high = np.log(1e-6 * scale), np.log(1e6 * scale)
    direction = source.dual(Point(0.0, np.zeros(m), 0.0, problem.levels)).means[:m] / source.prompts
    value = float(u @ direction)
    assert problem.budget is not None
    for _ in range(60):
        middle = 0.5 * (low + high)
        beta = float(np.exp(middle))
        sums = source.dual(Point(0.0, u / beta, 0.0, problem.levels))
        kl = (sums.means[m] - sums.log) / sums.total
        if kl > problem.budget:
            low = middle
        else:
            high = middle
            direction = sums.means[:m] / sums.total
            value = beta * (sums.log / sums.total + problem.budget)
    # nobody gets more than best of K, though β κ be large
    return min((value, direction), (top / source.prompts, slope / source.prompts), key=lambda pair: pair[0])
