"""What the linear regressors share: weighted and centered data, and prediction."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .base import Floats, Regressor

L = TypeVar("L", bound="LinearRegressor")


class Centered(NamedTuple):
    """Data from which weights and intercept are gone: min Σ s(y − Xw − b)² over b is min ‖ỹ − X̃w‖².

    Attributes:
        X: X̃ (n, p) = √s (X − x̄).
        y: ỹ (n,) or (n, t) = √s (y − ȳ).
        X_mean: x̄ (p,), weighted; zeros without an intercept.
        y_mean: ȳ, a number or (t,).
        total: Σ s.
        dead: which columns of X̃ are 0 (p,); they cannot matter, and get coefficients of exactly 0.
    """

    X: Floats
    y: Floats
    X_mean: Floats
    y_mean: Floats
    total: float
    dead: NDArray[np.bool_]

    def intercept(self, coef: Floats) -> Floats:
        """b for coefficients w (p,) or (t, p)."""
        return self.y_mean - coef @ self.X_mean


def center(X: Floats, y: Floats, weight: Floats, fit_intercept: bool) -> Centered:
    """Center by the weighted means if there is an intercept, and scale the rows by √s.

    Columns that do not vary become exactly 0: what rounding leaves of them is not data.
    """
    total = float(np.sum(weight))
    equal = bool(np.all(weight == 1.0))
    root = np.sqrt(weight)
    if fit_intercept:
        share = weight / total
        X_mean, y_mean = share @ X, share @ y
        X, y = X - X_mean, y - y_mean
    else:
        X_mean, y_mean = np.zeros(X.shape[1]), np.zeros(y.shape[1:])
    if not equal:
        X, y = X * root[:, None], y * root.reshape(-1, *[1] * (y.ndim - 1))
    size = np.sqrt(np.einsum("ij,ij->j", X, X))
    noise = np.finfo(float).eps * (10 + np.sqrt(len(X)))  # of a mean of n equal numbers
    dead = size <= noise * np.sqrt(total) * np.abs(X_mean)
    if dead.any() and fit_intercept:
        X[:, dead] = 0.0
    return Centered(X, y, X_mean, y_mean, total, dead)


class LinearRegressor(Regressor):
    """Predicts X w + b.

    Attributes:
        coef_: w (p,), or (t, p) for t outputs.
        intercept_: b, a number or (t,); 0 without an intercept.
    """

    coef_: Floats
    intercept_: float | Floats

    def predict(self, X: ArrayLike) -> Floats:
        """X w + b.

        Args:
            X: (n, p).

        Returns:
            (n,), or (n, t) for t outputs.
        """
        checked = self._check_again(X)
        predicted: Floats = checked @ self.coef_.T + self.intercept_
        return predicted

    def _set(self, data: Centered, coef: Floats) -> None:
        self.coef_ = coef
        intercept = data.intercept(coef)
        self.intercept_ = float(intercept) if np.ndim(intercept) == 0 else intercept
