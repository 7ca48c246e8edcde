"""The sums over responses that a constrained alignment needs: plain NumPy, compiled for any engine.

With t = (r − r₀)/β + Σ θ_j (g_j − b_j), θ = λ/β, a prompt's policy is π(y) ∝ w(y) eᵗ, w the reference's
weights. Every program goes over one block of rows, see `blocks`; prompts of weight 0 do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ...engines import compile
from ...ops.segment import segment_logsumexp, segment_max, segment_of_row, segment_sum

Columns = Sequence[Any]


class Ragged:
    """Columns (R,) whose prompts are the segments between offsets."""

    def __init__(self, offsets: Any, column: Any) -> None:
        self.offsets, self.segment = offsets, segment_of_row(offsets, rows=column.shape[0])

    def sum(self, x: Any) -> Any:
        return segment_sum(x, self.offsets)

    def max(self, x: Any) -> Any:
        return segment_max(x, self.offsets)

    def logsumexp(self, x: Any) -> Any:
        return segment_logsumexp(x, self.offsets)

    def spread(self, z: Any) -> Any:
        return z[self.segment]


class Dense:
    """Columns (P, K): every prompt has K responses. Twice as fast, and compiled for each K."""

    def sum(self, x: Any) -> Any:
        return np.sum(x, axis=1)

    def max(self, x: Any) -> Any:
        return np.max(x, axis=1)

    def logsumexp(self, x: Any) -> Any:
        top = np.max(x, axis=1)
        return top + np.log(np.sum(np.exp(x - top[:, None]), axis=1))

    def spread(self, z: Any) -> Any:
        return z[:, None]


def _layout(offsets: Any, column: Any) -> Ragged | Dense:
    return Dense() if offsets is None else Ragged(offsets, column)


def _tilt(inverse: Any, theta: Any, center: Any, levels: Any, reward: Any, utilities: Columns) -> Any:
    t = inverse * (reward - center)
    for j, g in enumerate(utilities):
        t = t + theta[j] * (g - levels[j])
    return t


def _policy(prompts: Ragged | Dense, t: Any, base: Any) -> tuple[Any, Any]:
    """log Σ w eᵗ per prompt, and π per response."""
    exponent = t if base is None else t + base
    log_sum = prompts.logsumexp(exponent)
    return log_sum, np.exp(exponent - prompts.spread(log_sum))


def _total(weight: Any, z: Any) -> Any:
    """Σ weight z; where the weight is 0, z may be −∞ (no responses)."""
    return np.sum(np.where(weight > 0, weight * z, 0.0))


def _dual(
    inverse: Any, theta: Any, center: Any, levels: Any, reward: Any, utilities: Columns,
    base: Any, offsets: Any, weight: Any, shift: Any,
) -> Any:  # fmt: skip
    """Σ over prompts of weight × (log E_ref eᵗ; E c; Cov c) for the columns c = g − b, and t.

    The covariances are those of the lower triangle, row by row, from centered columns: differences of
    second moments would lose the digits that a large mean takes.
    """
    prompts = _layout(offsets, reward)
    t = _tilt(inverse, theta, center, levels, reward, utilities)
    log_sum, pi = _policy(prompts, t, base)
    columns = [g - levels[j] for j, g in enumerate(utilities)] + [t]
    means = [prompts.sum(pi * c) for c in columns]
    centered = [c - prompts.spread(mean) for c, mean in zip(columns, means, strict=True)]
    share = pi * prompts.spread(weight)
    second = []
    for i, c in enumerate(centered):
        weighted = share * c
        second += [np.sum(weighted * other) for other in centered[: i + 1]]
    return _total(weight, log_sum - shift), [np.sum(weight * mean) for mean in means], second


def _prompts(
    inverse: Any, theta: Any, center: Any, levels: Any, reward: Any, utilities: Columns,
    base: Any, offsets: Any, shift: Any, others: Columns,
) -> Any:  # fmt: skip
    """Per prompt: log E_ref eᵗ, Σ π², E t, E r, E of other columns, E (g − b)."""
    prompts = _layout(offsets, reward)
    t = _tilt(inverse, theta, center, levels, reward, utilities)
    log_sum, pi = _policy(prompts, t, base)
    gaps = [g - levels[j] for j, g in enumerate(utilities)]
    return [log_sum - shift, *[prompts.sum(pi * c) for c in (pi, t, reward, *others, *gaps)]]


def _weights(
    inverse: Any, theta: Any, center: Any, levels: Any, reward: Any, utilities: Columns,
    base: Any, offsets: Any,
) -> Any:  # fmt: skip
    """π, one number per response."""
    t = _tilt(inverse, theta, center, levels, reward, utilities)
    return _policy(_layout(offsets, reward), t, base)[1]


def _log_sums(base: Any, offsets: Any) -> Any:
    """log Σ w per prompt."""
    return _layout(offsets, base).logsumexp(base)


def _support(u: Any, levels: Any, utilities: Columns, offsets: Any, weight: Any) -> Any:
    """Σ weight × max uᵀ(g − b), and Σ weight × E (g − b) over where it is attained: value and subgradient."""
    prompts = _layout(offsets, utilities[0])
    gaps = [g - levels[j] for j, g in enumerate(utilities)]
    along = u[0] * gaps[0]
    for j, gap in enumerate(gaps[1:], 1):
        along = along + u[j] * gap
    top = prompts.max(along)
    attained = np.where(along == prompts.spread(top), 1.0, 0.0)
    share = attained * prompts.spread(weight / np.maximum(prompts.sum(attained), 1.0))
    return _total(weight, top), [np.sum(share * gap) for gap in gaps]


def _extremes(columns: Columns, offsets: Any, weight: Any) -> Any:
    """Per column: Σ weight × max, Σ weight × min, and the weight of the prompts where they are equal."""
    prompts, found = _layout(offsets, columns[0]), []
    for c in columns:
        top, least = prompts.max(c), -prompts.max(-c)
        found.append([_total(weight, z) for z in (top, least, np.where(top == least, 1.0, 0.0))])
    return found


_PROGRAMS: dict[str, Callable[..., Any]] = {
    "dual": _dual, "prompts": _prompts, "weights": _weights, "log_sums": _log_sums, "support": _support,
    "extremes": _extremes,
}  # fmt: skip


@lru_cache(maxsize=32)  # a program keeps its memory; of data sets that come and go, the last few stay
def program(name: str, rows: int, segments: int) -> Callable[..., Any]:
    """One of the programs for blocks of one size, compiled."""
    return compile(_PROGRAMS[name])
