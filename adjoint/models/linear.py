"""What the linear regressors share: weighted and centered data, and prediction."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ShapeError, refusal
from .base import DataError, Floats, Regressor, check_number, check_target, check_weights, is_number


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

    fit_intercept: bool
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

    def _data(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None) -> Centered:
        """The data to be fitted, checked and centered."""
        checked = self._check_first(X)
        target = check_target(y, len(checked), multi_output=self._multi_output)
        return center(checked, target, check_weights(sample_weight, len(checked)), self.fit_intercept)

    def _set(self, data: Centered, coef: Floats) -> None:
        self.coef_ = coef
        intercept = data.intercept(coef)
        self.intercept_ = float(intercept) if np.ndim(intercept) == 0 else intercept


class Path(NamedTuple):
    """Solutions at many penalties.

    Attributes:
        alphas: (m,); those of `ridge_path` as given, of the others falling.
        coefs: w (m, p), or (m, t, p) for t outputs.
        intercepts: b (m,), or (m, t).
        budgets: what is spent (m,), or (m, t): the budget whose multiplier is the penalty.
    """

    alphas: Floats
    coefs: Floats
    intercepts: Floats
    budgets: Floats


def check_penalties(alphas: ArrayLike, *, strict: bool = False) -> Floats:
    """Penalties of a path (m,), ≥ 0 or > 0.

    Raises:
        ShapeError: not (m,), or m = 0.
        DataError: one out of range, or NaN.
    """
    asked = np.asarray(alphas, dtype=float)
    if asked.ndim != 1 or not asked.size:
        raise refusal(ShapeError, f"alphas should be (m,) with m ≥ 1, got {asked.shape}")
    for alpha in asked:
        check_number(float(alpha), "every penalty in alphas", strict=strict)
    return asked


def check_budget(value: object, size: str, lacking: str) -> float:
    """A budget c > 0.

    Args:
        value: what was given.
        size: what the budget bounds, "‖w‖²".
        lacking: the property that multipliers lose at c = 0, "finite" or "unique".

    Raises:
        DataError: not a positive number.
    """
    if is_number(value) and value == 0:
        what = f"a budget of 0 leaves w = 0 alone, and no {lacking} multiplier (Slater's condition fails)"
        raise refusal(DataError, what, "Give a positive budget, however small.")
    if is_number(value) and value < 0:  # type: ignore[operator]
        raise refusal(DataError, f"no w has {size} ≤ {value}: the feasible set is empty")
    return check_number(value, "budget", strict=True)
