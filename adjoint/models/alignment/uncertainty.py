"""How far λ̂ may be off, were other prompts drawn: the sandwich H⁻¹SH⁻¹/N, and a bootstrap over prompts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..base import Floats
from .evaluate import Moments
from .newton import Value, minimize
from .result import Bootstrap
from .solve import Setting


def active(setting: Setting, at: Value) -> np.ndarray:
    """Which entries of x = (λ, β) are free to move (q,)."""
    m = len(setting.problem.levels)
    free = at.x[:m] > 0
    return free if setting.problem.budget is None else np.append(free, at.x[m] > setting.problem.least)


def inverse(setting: Setting, at: Value) -> Floats:
    """∇²D⁻¹ on the active set (q, q), zero elsewhere: d(λ, β)/d(b, −κ); a pseudoinverse if singular."""
    free = active(setting, at)
    out = np.zeros((len(free), len(free)))
    if free.any():
        block = at.hessian[np.ix_(free, free)]
        scale = 1 / np.sqrt(np.maximum(np.diagonal(block), np.finfo(float).tiny))
        scaled = np.linalg.pinv(scale[:, None] * block * scale, rcond=1e-12, hermitian=True)
        out[np.ix_(free, free)] = scale[:, None] * scaled * scale
    return out


def influence(setting: Setting, moments: Moments) -> Floats:
    """Each prompt's part in ∇D (N, q), whose mean is ∇D: E[g | x] − b, and κ − KL(x) under a budget."""
    reference = setting.reference.gaps
    parts = moments.gaps - setting.relative * (reference - np.mean(reference, axis=0))
    if setting.problem.budget is None:
        return parts
    return np.column_stack([parts, setting.problem.budget - (moments.tilt - moments.log)])


def _long(_: Value, step: int) -> bool:
    return step > 50  # from λ̂ a few are enough, unless the resample is infeasible


def sandwich(setting: Setting, at: Value, moments: Moments) -> Floats:
    """Covariance of (λ̂, β̂) over draws of prompts (q, q)."""
    parts = influence(setting, moments)
    N = len(parts)
    if N < 2:  # one prompt says nothing of others
        free = active(setting, at)
        return np.where(np.outer(free, free), np.inf, 0.0)
    centered = parts - np.mean(parts, axis=0)
    S = centered.T @ centered / (N - 1)
    H = inverse(setting, at)
    return H @ S @ H / N


def bootstrap(
    setting: Setting, at: Value, names: list[str], count: int, rng: np.random.Generator,
    tolerance: float, progress: Callable[[int], None] | None = None,
) -> Bootstrap:  # fmt: skip
    """Multipliers of `count` resamples of the prompts, each by Newton steps from λ̂."""
    problem, reference = setting.problem, setting.reference.gaps
    N = problem.source.prompts
    samples, failed = [], 0
    mean = np.mean(reference, axis=0)
    for k in range(count):
        weight = rng.multinomial(N, np.full(N, 1 / N)).astype(float)
        levels = problem.levels + setting.relative * (weight @ reference / N - mean)
        found = minimize(problem._replace(weight=weight, levels=levels), at.x, max(tolerance, 1e-8), _long)
        if found.converged:
            samples.append(found.at.x)
        else:
            failed += 1
        if progress is not None:
            progress(k + 1)
    drawn = np.array(samples).reshape(len(samples), len(at.x))
    covariance = (
        np.atleast_2d(np.cov(drawn.T)) if len(drawn) > 1 and drawn.shape[1]
        else np.full((len(at.x),) * 2, np.nan)
    )  # fmt: skip
    errors = dict(zip(names, np.sqrt(np.diagonal(covariance)).tolist(), strict=True))
    return Bootstrap(drawn, errors, covariance, failed)
