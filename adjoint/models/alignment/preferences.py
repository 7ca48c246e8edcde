"""Comparisons of two responses to one prompt: which of them was preferred, and how such are drawn.

    P(a ≻ b | x) = σ(s(x, a) − s(x, b))

Source: R. A. Bradley and M. E. Terry, Biometrika 39, 1952.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ShapeError, refusal
from ...ops.sides import host_only
from ..base import DataError, check_finite


@host_only
@dataclass(frozen=True, eq=False)
class Preferences:
    """Comparisons of two responses to the same prompt.

    Attributes:
        prompts: (n,) which prompt.
        chosen: (n,) the response that was preferred.
        rejected: (n,) the other one.

    Raises:
        ShapeError: columns that are not integers (n,) of one length n ≥ 1.
        DataError: a response compared with itself.
    """

    prompts: NDArray[np.intp]
    chosen: NDArray[np.intp]
    rejected: NDArray[np.intp]

    def __post_init__(self) -> None:
        lengths = set()
        for name in ("prompts", "chosen", "rejected"):
            array = np.asarray(getattr(self, name))
            if array.ndim != 1 or array.dtype.kind not in "iu":
                what = f"{name} must be (n,) integers; got {array.dtype} of shape {array.shape}"
                raise refusal(ShapeError, what)
            lengths.add(len(array))
            object.__setattr__(self, name, array.astype(np.intp))
        if lengths == {0}:
            raise refusal(ShapeError, "there are no comparisons")
        if len(lengths) != 1:
            raise refusal(
                ShapeError, f"a comparison has a prompt and two responses; got lengths {sorted(lengths)}"
            )
        same = np.flatnonzero(self.chosen == self.rejected)
        if same.size:
            raise refusal(
                DataError, f"comparison {same[0]} is of response {self.chosen[same[0]]} with itself"
            )

    def __len__(self) -> int:
        return len(self.prompts)


@host_only
def sample_preferences(scores: ArrayLike, n: int, *, rng: np.random.Generator) -> Preferences:
    """Draw n comparisons: a prompt, two different responses to it, and who wins, P(a ≻ b) = σ(s_a − s_b).

    Args:
        scores: (N, K) s, K ≥ 2.
        n: how many.
        rng: source of randomness.

    Raises:
        ShapeError: scores are not (N, K), or n is 0.
        DataError: a score that is not finite.

    >>> len(sample_preferences([[0.0, 1.0]], 5, rng=np.random.default_rng(0)))
    5
    """
    s = np.asarray(scores, float)
    if s.ndim != 2 or s.shape[1] < 2:
        raise refusal(ShapeError, f"scores must be (N, K) with K ≥ 2 responses to compare; got {s.shape}")
    check_finite(s, "scores")
    prompts = rng.integers(len(s), size=n)
    first = rng.integers(s.shape[1], size=n)
    second = (first + rng.integers(1, s.shape[1], size=n)) % s.shape[1]
    # σ through its logarithm, which overflows nowhere
    wins = rng.random(n) < np.exp(-np.logaddexp(0.0, s[prompts, second] - s[prompts, first]))
    return Preferences(prompts, np.where(wins, first, second), np.where(wins, second, first))
