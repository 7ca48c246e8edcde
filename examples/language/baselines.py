"""What a model without memory reaches: counts of words, and of pairs of words.

The bigram model is interpolated Kneser–Ney, the best smoothing of counts there is: a discount D is taken off
every count and handed to words in proportion to how many different words they follow.

    p(w | v) = max(c(v w) − D, 0) / c(v) + D n(v) / c(v) · p₁(w),    p₁(w) ∝ |{v : c(v w) > 0}|

n(v) is how many different words follow v; p₁ is itself smoothed so that no word has probability 0. D is the
usual n₁ / (n₁ + 2 n₂), of how many pairs occur once and twice.

Source: Kneser & Ney 1995, ICASSP; in this form Chen & Goodman 1999, Computer Speech & Language 13.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from .text import END, PAD


class Counts:
    """Unigram and bigram probabilities of blocks of sentences.

    Args:
        parts: the training text, (T, N) int32 blocks as `training.blocks` makes them.
        vocabulary: how many words there are.
    """

    def __init__(self, parts: Sequence[np.ndarray], vocabulary: int) -> None:
        before, word = _pairs(parts)
        self.unigram = (np.bincount(word, minlength=vocabulary) + 1.0) / (len(word) + vocabulary)
        # equal pairs are added up
        self._pairs = sparse.csr_array((np.ones(len(word)), (before, word)), 2 * (vocabulary,))
        once, twice = (np.sum(self._pairs.data == n) for n in (1, 2))
        self._discount = once / max(once + 2 * twice, 1)
        followers = np.bincount(self._pairs.indices, minlength=vocabulary)  # words before each
        self._base = (followers + 1.0) / (np.sum(followers) + vocabulary)
        self._count = np.maximum(self._pairs.sum(axis=1), 1.0)
        kinds = np.diff(self._pairs.indptr)
        self._rest = np.where(kinds > 0, self._discount * kinds / self._count, 1.0)

    def bigram(self, before: np.ndarray, word: np.ndarray) -> np.ndarray:
        """p(word | before), element by element."""
        seen = np.asarray(self._pairs[before, word]).ravel()
        kept = np.maximum(seen - self._discount, 0) / self._count[before]
        return kept + self._rest[before] * self._base[word]

    def perplexities(self, parts: Sequence[np.ndarray]) -> tuple[float, float]:
        """Of the unigram and of the bigram model on other sentences."""
        before, word = _pairs(parts)
        nats = -np.mean(np.log(self.unigram[word])), -np.mean(np.log(self.bigram(before, word)))
        return float(np.exp(nats[0])), float(np.exp(nats[1]))


def _pairs(parts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Every word or end, and what stands before it (END at the start of a sentence)."""
    before, word = [], []
    for tokens in parts:
        shifted = np.concatenate([np.full((1, tokens.shape[1]), END, tokens.dtype), tokens[:-1]])
        before.append(shifted[tokens != PAD])
        word.append(tokens[tokens != PAD])
    return np.concatenate(before), np.concatenate(word)
