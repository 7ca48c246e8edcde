"""The sums over responses that a constrained alignment needs: plain NumPy, compiled for any engine.

With t = (r − r₀)/β + Σ θ_j (g_j − b_j), θ = λ/β, a prompt's policy is π(y) ∝ w(y) eᵗ, w the reference's
weights. Every program goes over one block of rows, see `blocks`; segments of weight 0 do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ...engines import compile
from ...ops.segment import segment_logsumexp, segment_max, segment_of_row, segment_sum

Columns = Sequence[Any]


def tilt(inverse: Any, theta: Any, center: Any, levels: Any, reward: Any, utilities: Columns) -> Any:
    """t (n,): how far each response is lifted above its weight under the reference."""
    t = inverse * (reward - center)
    for j, g in enumerate(utilities):
        t = t + theta[j] * (g - levels[j])
    return t


def policy(t: Any, base: Any, offsets: Any, segment: Any) -> tuple[Any, Any]:
    """log Σ w eᵗ per segment, and π per row."""
    exponent = t if base is None else t + base
    log_sum = segment_logsumexp(exponent, offsets)
    return log_sum, np.exp(exponent - log_sum[segment])


def _dual(
    inverse: Any, theta: Any, center: Any, levels: Any, reward: Any, utilities: Columns,
    base: Any, offsets: Any, weight: Any, shift: Any,
) -> Any:  # fmt: skip
    """Σ over prompts of weight × (log E_ref eᵗ; E c; Cov c) for the columns c = g − b, and t.

    The covariances are those of the lower triangle, row by row, from centered columns: differences of
    second moments would lose the digits that a large mean takes.
    """
    segment = segment_of_row(offsets, rows=reward.shape[0])
    t = tilt(inverse, theta, center, levels, reward, utilities)
    log_sum, pi = policy(t, base, offsets, segment)
    columns = [g - levels[j] for j, g in enumerate(utilities)] + [t]
    means = [segment_sum(pi * c, offsets) for c in columns]
    centered = [c - mean[segment] for c, mean in zip(columns, means, strict=True)]
    share = pi * weight[segment]
    second = []
    for i, c in enumerate(centered):
        weighted = share * c
        second += [np.sum(weighted * other) for other in centered[: i + 1]]
    value = np.sum(np.where(weight > 0, weight * (log_sum - shift), 0.0))
    return value, [np.sum(weight * mean) for mean in means], second


def _prompts(
    inverse: Any, theta: Any, center: Any, levels: Any, reward: Any, utilities: Columns,
    base: Any, offsets: Any, shift: Any, others: Columns,
) -> Any:  # fmt: skip
    """Per prompt: log E_ref eᵗ, E (g − b), E r, E of other columns, E t, and 1 / Σ π²."""
    segment = segment_of_row(offsets, rows=reward.shape[0])
    t = tilt(inverse, theta, center, levels, reward, utilities)
    log_sum, pi = policy(t, base, offsets, segment)
    means = [segment_sum(pi * (g - levels[j]), offsets) for j, g in enumerate(utilities)]
    rest = [segment_sum(pi * c, offsets) for c in (t, reward, *others)]
    return log_sum - shift, means, rest, segment_sum(pi * pi, offsets)


def _weights(
    inverse: Any, theta: Any, center: Any, levels: Any, reward: Any, utilities: Columns,
    base: Any, offsets: Any,
) -> Any:  # fmt: skip
    """π, one number per response."""
    segment = segment_of_row(offsets, rows=reward.shape[0])
    t = tilt(inverse, theta, center, levels, reward, utilities)
    return policy(t, base, offsets, segment)[1]


def _support(u: Any, levels: Any, utilities: Columns, offsets: Any, weight: Any) -> Any:
    """Σ weight × max uᵀ(g − b), and Σ weight × E (g − b) over where it is attained: value and subgradient."""
    segment = segment_of_row(offsets, rows=utilities[0].shape[0])
    along = u[0] * (utilities[0] - levels[0])
    for j, g in list(enumerate(utilities))[1:]:
        along = along + u[j] * (g - levels[j])
    top = segment_max(along, offsets)
    attained = np.where(along == top[segment], 1.0, 0.0)
    ties = segment_sum(attained, offsets)
    share = attained * np.where(ties > 0, weight / np.maximum(ties, 1.0), 0.0)[segment]
    value = np.sum(np.where(weight > 0, weight * top, 0.0))
    return value, [np.sum(share * (g - levels[j])) for j, g in enumerate(utilities)]


def _extremes(columns: Columns, offsets: Any, weight: Any) -> Any:
    """Per column: Σ weight × max, and Σ weight × min."""
    tops = [(segment_max(c, offsets), -segment_max(-c, offsets)) for c in columns]
    return [[np.sum(np.where(weight > 0, weight * top, 0.0)) for top in pair] for pair in tops]


@cache
def compiled(name: str) -> Callable[..., Any]:
    """One of the programs, compiled; one `Compiled` serves all sizes."""
    return compile(_PROGRAMS[name])


_PROGRAMS: dict[str, Callable[..., Any]] = {
    "dual": _dual, "prompts": _prompts, "weights": _weights, "support": _support, "extremes": _extremes,
}  # fmt: skip
