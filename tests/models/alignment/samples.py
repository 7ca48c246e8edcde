"""Scores for tests, and sums over them by plain loops."""

from __future__ import annotations

import numpy as np

from adjoint.models.alignment import Scores


def random_scores(
    seed: int, prompts: int, names: str = "ab", most: int = 8, weighted: bool = False, least: int = 1
) -> Scores:
    """Independent normal scores, `least` to `most` responses per prompt; one utility per letter."""
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(least, most + 1, size=prompts))])
    n = offsets[-1]
    base = rng.normal(size=n) if weighted else None
    return Scores(offsets, rng.normal(size=n), {name: rng.normal(size=n) for name in names}, base)


def reference_weights(scores: Scores) -> list[np.ndarray]:
    """π_ref of each prompt."""
    base = np.zeros(scores.n_responses) if scores.log_base is None else scores.log_base
    parts = [np.exp(base[a:b]) for a, b in zip(scores.offsets[:-1], scores.offsets[1:], strict=True)]
    return [p / np.sum(p) for p in parts]


def policies(scores: Scores, lam: dict[str, float], beta: float) -> list[np.ndarray]:
    """π of each prompt: π_ref e^((r + λᵀg)/β), normalized."""
    found = []
    for w, a, b in zip(reference_weights(scores), scores.offsets[:-1], scores.offsets[1:], strict=True):
        s = (scores.reward[a:b] + sum(scores.utilities[k][a:b] * v for k, v in lam.items())) / beta
        z = w * np.exp(s - np.max(s))
        found.append(z / np.sum(z))
    return found


def average(scores: Scores, column: np.ndarray, shares: list[np.ndarray]) -> float:
    """E_x E_π of a column."""
    pieces = zip(shares, scores.offsets[:-1], scores.offsets[1:], strict=True)
    return float(np.mean([p @ column[a:b] for p, a, b in pieces]))


def divergence(scores: Scores, shares: list[np.ndarray]) -> float:
    """E_x KL(π ‖ π_ref)."""
    pairs = zip(shares, reference_weights(scores), strict=True)
    return float(np.mean([np.sum(p[p > 0] * np.log(p[p > 0] / w[p > 0])) for p, w in pairs]))
