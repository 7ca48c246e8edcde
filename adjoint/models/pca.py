"""Principal components by stationarity: Σv = λv, and the eigenvalue is the multiplier of vᵀv = 1.

With Σ the covariance of the data, direction k solves

    min −vᵀΣv   s.t.   norm           vᵀv − 1 = 0               ν = λₖ
                       orthogonality  vⱼᵀv = 0 for j < k        ν = 2 vⱼᵀΣvₖ = 0

since ∇ₓL = −2Σv + 2νv + Σⱼ νⱼ vⱼ = 0. A unit of squared length more buys λₖ of variance; giving up
orthogonality to an earlier direction buys nothing at first order. Sign convention: see `adjoint.problems`.

Source: H. Hotelling, "Analysis of a complex of statistical variables into principal components", J. Educ.
Psychol. 24, 1933.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ShapeError, refusal
from ..problems import Residuals
from .base import DataError, Floats, Transformer, check_matrix

TIE = 1e-10  # eigenvalues this close, relative to the largest, have no directions of their own


class PCA(Transformer):
    """Orthogonal directions of largest variance, each with its multipliers.

    The sign of a direction is arbitrary. Here, as in scikit-learn, its entry of largest size is positive (the
    first of several).

    Args:
        n_components: how many directions; a share in (0, 1): as many as explain that share of the variance;
            None: min(n, p).
        whiten: divide the transformed columns by their standard deviations (columns without variance stay 0).

    Attributes:
        components_: v as rows (k, p).
        explained_variance_: λ (k,), in squared units of X; divisor n − 1.
        explained_variance_ratio_: shares of the total variance (k,); 0 where nothing varies.
        singular_values_: √((n − 1) λ) (k,).
        mean_: (p,).
        n_components_: k.
        noise_variance_: mean of the other eigenvalues, 0 if there are none.
        multipliers_: {"norm": λ (k,), "orthogonality": (k, k), row k's entries j < k}.
        residuals_: the worst of the k problems' residuals, relative to the largest λ.
        ties_: pairs (k, k + 1) of directions with equal eigenvalues: only their span is determined.
        n_features_in_: p.

    Raises:
        DataError: n_components is neither None, a whole number from 1 to min(n, p), nor a share; NaN in X.
        ShapeError: fewer than two rows.

    >>> from adjoint.models import PCA
    >>> X = np.array([[-2.0, 0.0], [2.0, 0.0], [0.0, -1.0], [0.0, 1.0]])
    >>> model = PCA().fit(X)
    >>> model.components_.tolist(), model.multipliers_["norm"].round(4)
    ([[1.0, 0.0], [0.0, 1.0]], array([2.6667, 0.6667]))
    """

    def __init__(self, n_components: int | float | None = None, *, whiten: bool = False) -> None:
        self.n_components = n_components
        self.whiten = whiten

    def fit(self, X: ArrayLike, y: None = None) -> PCA:
        """Find the directions.

        Args:
            X: (n, p), n ≥ 2.
            y: not used.
        """
        checked = self._check_first(X, at_least=2)
        n, p = checked.shape
        self.mean_ = np.mean(checked, axis=0)
        centered = checked - self.mean_
        # the triangle of X = QR has X's directions, and forming neither Q nor U halves the time
        small = np.linalg.qr(centered, mode="r") if n > p else centered
        _, sigma, directions = np.linalg.svd(small, full_matrices=False)
        # what rounding leaves of a variance that is not there
        noise = np.finfo(float).eps * max(n, p) * max(float(np.max(sigma)), float(np.max(np.abs(self.mean_))))
        sigma[sigma <= noise] = 0.0
        variance = sigma**2 / (n - 1)
        total = float(np.sum(variance))
        ratio = variance / total if total > 0 else np.zeros_like(variance)
        k = self._count(ratio, min(n, p))
        largest = np.argmax(np.abs(directions), axis=1)
        directions *= np.where(directions[np.arange(len(directions)), largest] < 0, -1.0, 1.0)[:, None]
        self.n_components_ = k
        self.components_, self.singular_values_ = directions[:k].copy(), sigma[:k].copy()
        self.explained_variance_, self.explained_variance_ratio_ = variance[:k].copy(), ratio[:k].copy()
        self.noise_variance_ = float(np.mean(variance[k:])) if k < len(variance) else 0.0
        close = np.diff(variance) >= -TIE * variance[0]
        self.ties_ = [(int(j), int(j) + 1) for j in np.flatnonzero(close)]
        self._certify(centered / np.sqrt(n - 1))
        return self

    def _count(self, ratio: Floats, most: int) -> int:
        asked = self.n_components
        if asked is None:
            return most
        if isinstance(asked, (float, np.floating)) and 0 < asked < 1:
            reached = np.cumsum(ratio) >= asked * (1 - 1e-15)
            return int(np.argmax(reached)) + 1 if reached.any() else most
        whole = isinstance(asked, (int, np.integer)) and not isinstance(asked, bool)
        if whole and 1 <= asked <= most:
            return int(asked)
        what = (
            f"n_components should be None, a whole number from 1 to min(n, p) = {most}, or a share in (0, 1)"
        )
        raise refusal(DataError, f"{what}; got {asked!r}")

    def _certify(self, centered: Floats) -> None:
        """Multipliers of all k problems, and residuals that use the data alone (Σ = XᵀX of what is given)."""
        V, value = self.components_, self.explained_variance_
        along = (centered @ V.T).T @ centered  # Σv as rows (k, p)
        between = np.tril(2 * along @ V.T, -1)
        self.multipliers_ = {"norm": value, "orthogonality": between}
        lagrangian = -2 * along + 2 * value[:, None] * V + between @ V
        scale = float(value[0]) if value[0] > 0 else 1.0
        h = V @ V.T - np.eye(len(V))
        self.residuals_ = Residuals.of(-2 * along / scale, lagrangian / scale, h, [], [])

    def transform(self, X: ArrayLike) -> Floats:
        """Coordinates (n, k) along the directions."""
        z: Floats = (self._check_again(X) - self.mean_) @ self.components_.T
        return z / self._scale() if self.whiten else z

    def inverse_transform(self, Z: ArrayLike) -> Floats:
        """The points (n, p) that have coordinates Z (n, k); X projected, after `transform`.

        Raises:
            ShapeError: Z is not (n, k).
        """
        self._check_fitted()
        z = check_matrix(Z, type(self).__name__)
        if z.shape[1] != self.n_components_:
            raise refusal(ShapeError, f"Z should be (n, {self.n_components_}), got {z.shape}")
        z = z * self._scale() if self.whiten else z
        points: Floats = z @ self.components_ + self.mean_
        return points

    def _scale(self) -> Floats:
        deviation = np.sqrt(self.explained_variance_)
        return np.where(deviation > 0, deviation, 1.0)

    def get_covariance(self) -> Floats:
        """The covariance (p, p) with the other eigenvalues replaced by their mean (probabilistic PCA)."""
        self._check_fitted()
        extra = np.maximum(self.explained_variance_ - self.noise_variance_, 0.0)
        covariance: Floats = (self.components_.T * extra) @ self.components_
        return covariance + self.noise_variance_ * np.eye(len(self.mean_))

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Names of the transformed columns (k,): pca0, pca1 and so on."""
        self._check_fitted()
        return np.array([f"pca{k}" for k in range(self.n_components_)], dtype=object)
