"""The likelihood of counts under Σp = 1, the smallest problem with a multiplier worth knowing.

Sign convention: see `adjoint.problems`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ShapeError, refusal
from ..problems import Residuals
from .base import DataError, Estimator, Floats, check_number, check_weights


class Categorical(Estimator):
    """The likelihood of counts under Σp = 1: p_k = n_k / Σn, and the multiplier is Σn.

    Minimizes −Σ n_k log p_k subject to Σp − 1 = 0 and −p ≤ 0. Stationarity −n_k/p_k + ν − μ_k = 0 gives
    ν = Σn, and μ_k = Σn for a category that was never seen: what a forced share of it would cost.

    Args:
        pseudo_count: added to every n_k, ≥ 0 (1 is Laplace's rule).
        categories: labels that may occur, (K,); None: those that do.

    Attributes:
        classes_: the categories (K,), sorted.
        counts_: n (K,), weighted, pseudo-counts included.
        probabilities_: p (K,).
        multipliers_: {"sum": ν = Σn, "nonnegative": μ (K,)}.
        residuals_: the four KKT residuals, relative to max(1, Σn).
        objective_: −Σ n_k log p_k.

    Raises:
        DataError: no labels, unknown labels, weights all zero.

    >>> from adjoint.models import Categorical
    >>> model = Categorical().fit(["a", "b", "a", "a"])
    >>> model.probabilities_.tolist(), model.multipliers_["sum"]
    ([0.75, 0.25], 4.0)
    """

    _kind: ClassVar[str | None] = "density_estimator"
    probabilities_: Floats

    def __init__(self, pseudo_count: float = 0.0, *, categories: ArrayLike | None = None) -> None:
        self.pseudo_count = pseudo_count
        self.categories = categories

    def fit(self, labels: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> Categorical:
        """Count.

        Args:
            labels: (n,), n ≥ 1 unless pseudo-counts are positive.
            y: not used.
            sample_weight: (n,), ≥ 0; ones if omitted.
        """
        array = np.asarray(labels)
        if array.ndim != 1:
            raise refusal(ShapeError, f"labels should be (n,), got shape {array.shape}")
        extra = check_number(self.pseudo_count, "pseudo_count")
        known = array if self.categories is None else np.asarray(self.categories)
        self.classes_ = np.unique(known)
        if not len(self.classes_):
            raise refusal(DataError, "no labels and no categories: there is nothing to count")
        position = self._positions(array)
        weight = check_weights(sample_weight, len(array)) if len(array) else np.empty(0)
        counts: Floats = np.bincount(position, weight, len(self.classes_)).astype(np.float64) + extra
        total = float(np.sum(counts))
        if total == 0:
            what = "no labels were seen: every p is as likely"
            raise refusal(DataError, what, "Give labels, or a positive pseudo_count.")
        p: Floats = counts / total
        self.counts_, self.probabilities_ = counts, p
        seen = counts > 0
        mu = np.where(seen, 0.0, total)
        self.multipliers_ = {"sum": total, "nonnegative": mu}
        self.objective_ = -float(np.sum(counts[seen] * np.log(p[seen])))
        slope = -np.divide(counts, p, out=np.zeros_like(p), where=seen)
        self.residuals_ = Residuals.of(slope, slope + total - mu, np.sum(p) - 1, -p, mu)
        self.n_features_in_ = 1
        return self

    def predict_proba(self, labels: ArrayLike) -> Floats:
        """p of each label (n,).

        Raises:
            DataError: a label that is no category.
        """
        self._check_fitted()
        share: Floats = self.probabilities_[self._positions(np.asarray(labels))]
        return share

    def score(self, labels: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> float:
        """Mean log-likelihood of the labels (n,); −∞ if one of them has probability 0."""
        p = self.predict_proba(labels)
        weight = check_weights(sample_weight, len(p))
        with np.errstate(divide="ignore"):
            return float(np.sum(weight * np.log(p)) / np.sum(weight))

    def _positions(self, labels: NDArray[Any]) -> NDArray[np.intp]:
        position = np.minimum(np.searchsorted(self.classes_, labels), len(self.classes_) - 1)
        strange = self.classes_[position] != labels
        if np.any(strange):
            first = labels[np.argmax(strange)]
            raise refusal(DataError, f"{first!r} is none of the categories {self.classes_.tolist()}")
        return position
