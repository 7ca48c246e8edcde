"""Ridge regression as one problem with two views: a penalty, and a budget whose multiplier is the penalty.

    min Σ s (y − Xw − b)² + α‖w‖²            the penalty view (scikit-learn's `Ridge`)
    min Σ s (y − Xw − b)²   s.t. ‖w‖² ≤ c    the budget view;   L = f + μ (‖w‖² − c)

Both have the stationarity condition XᵀS(Xw − y) + αw = 0 with α = μ. On the singular values X̃ = U diag(σ) Vᵀ
of the centered data w(α) = V z / (σ² + α) with z = σ Uᵀỹ, so ‖w(α)‖² falls monotonically in α: budget ↔
penalty is one root of a function of one variable, the secular equation Σ z² / (σ² + α)² = c. A budget that
least squares meets already is slack, and its multiplier is 0. Sign convention: see `adjoint.problems`;
df*/dc = −μ.

Source: A. E. Hoerl and R. W. Kennard, "Ridge regression", Technometrics 12, 1970; the root-finding is that of
J. J. Moré and D. C. Sorensen, "Computing a trust region step", SIAM J. Sci. Stat. Comput. 4, 1983.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ShapeError, refusal
from ..ops.sides import host_only
from ..problems import Residuals
from .base import Floats, check_number
from .linear import Centered, LinearRegressor, Path, check_budget, check_penalties

EPS = float(np.finfo(float).eps)
# eigenvalues of X̃ᵀX̃ are good to 1e-16 of the largest: up to this condition coefficients keep eleven digits
GRAM_CONDITION = 1e5


class Spectrum(NamedTuple):
    """The problem on its principal axes: w(α) = vectors @ (moments / (squares + α)).

    Attributes:
        vectors: V (p, k).
        squares: σ² (k,), 0 for directions that the data do not have.
        moments: z = VᵀX̃ᵀỹ (k, t), 0 for those directions.
    """

    vectors: Floats
    squares: Floats
    moments: Floats

    def shrink(self, alpha: Floats) -> Floats:
        """z / (σ² + α) (k, t); 0 at α = 0 in directions without data (the least norm)."""
        below = self.squares[:, None] + alpha
        return np.divide(self.moments, below, out=np.zeros(below.shape), where=below > 0)

    def coefficients(self, alpha: Floats) -> Floats:
        """w (t, p) at one penalty per output (t,)."""
        return (self.vectors @ self.shrink(alpha)).T


def spectrum(data: Centered, smallest: float) -> Spectrum:
    """Principal axes of the data, good for penalties from `smallest` upward.

    Many rows and a penalty that keeps the problem well conditioned: from X̃ᵀX̃ (p, p), a few times faster.
    Otherwise from the singular values of X̃, which does not square the condition.
    """
    X, y = data.X, data.y.reshape(len(data.y), -1)
    n, p = X.shape
    if n >= 2 * p:
        squares, vectors = np.linalg.eigh(X.T @ X)
        least = max(squares[0], 0.0) + smallest
        if least > 0 and squares[-1] + smallest <= GRAM_CONDITION * least:
            return Spectrum(vectors, np.maximum(squares, 0.0), vectors.T @ (X.T @ y))
    if n >= p + y.shape[1]:
        # the triangle of (X, y) = QR has all there is to know, and Q need not be formed
        triangle = np.asarray(np.linalg.qr(np.hstack([X, y]), mode="r"))[:p]
        X, y = triangle[:, :p], triangle[:, p:]
    left, sigma, right = np.linalg.svd(X, full_matrices=False)
    sigma[sigma <= EPS * max(n, p) * np.max(sigma, initial=0.0)] = 0.0
    return Spectrum(right.T, sigma**2, sigma[:, None] * (left.T @ y))


def secular_root(squares: Floats, moments: Floats, budget: float) -> float:
    """α ≥ 0 at which Σ z² / (σ² + α)² = c, to machine precision; 0 if the sum is at most c at α = 0.

    Newton's method on 1/‖w(α)‖ − 1/√c, which is nearly linear in α, kept inside a bracket.

    Args:
        squares: σ² (k,).
        moments: z (k, t).
        budget: c > 0.
    """
    seen = (squares > 0) & np.any(moments != 0, axis=1)
    below, above = squares[seen], np.sum(moments[seen] ** 2, axis=1)
    radius = np.sqrt(budget)
    if np.sum(above / below**2) <= budget:
        return 0.0
    low, high = 0.0, float(np.sqrt(np.sum(above)) / radius)  # ‖w(α)‖ ≤ ‖z‖/α
    alpha = 0.0
    for _ in range(200):
        norm = np.sqrt(np.sum(above / (below + alpha) ** 2))
        if norm > radius:
            low = alpha
        else:
            high = alpha
        slope = np.sum(above / (below + alpha) ** 3) / norm**2
        step = (norm / radius - 1) / slope
        proposed = alpha + step
        if not low < proposed < high:
            proposed = 0.5 * (low + high)
        if abs(proposed - alpha) <= 2 * EPS * proposed or proposed in (low, high):
            return float(proposed)
        alpha = float(proposed)
    return alpha


class Ridge(LinearRegressor):
    """Least squares with a penalty on ‖w‖², or with a budget for it.

    Minimizes f(w, b) = Σ s (y − Xw − b)² subject to ‖w‖² ≤ budget, or f + alpha ‖w‖². Given a budget,
    `alpha_` is the multiplier found; given a penalty, `budget_` is the ‖w‖² spent: either fit reproduces the
    other.

    Args:
        alpha: the penalty α ≥ 0, in squared units of y over those of w; a number, or (t,), one per output.
        budget: c > 0, and then alpha counts for nothing; a number bounds the coefficients of all outputs
            together, (t,) those of each output. None: by penalty.
        fit_intercept: whether there is a b, which is neither penalized nor in the budget.

    Attributes:
        coef_, intercept_: w (p,) or (t, p); b, a number or (t,).
        alpha_: the multiplier μ = α, a number or (t,).
        budget_: the budget given, or ‖w‖² where a penalty was.
        objective_: f(w, b), without the penalty; a number or (t,), as `alpha_`.
        multipliers_: {"norm": μ}; `sensitivity("norm")` = df*/dc = −μ.
        residuals_: the four KKT residuals, relative to max(1, |∇f| at w = 0).
        n_features_in_: p.

    Raises:
        DataError: a negative penalty, a budget that is not positive, NaN in the data.

    >>> from adjoint.models import Ridge
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 1.0, 2.0])
    >>> penalized = Ridge(alpha=2.0).fit(X, y)
    >>> round(float(penalized.coef_[0]), 12), round(penalized.budget_, 12)
    (0.5, 0.25)
    >>> round(Ridge(budget=0.25).fit(X, y).multipliers_["norm"], 12)
    2.0
    """

    _multi_output = True

    def __init__(
        self,
        alpha: float | ArrayLike = 1.0,
        *,
        budget: float | ArrayLike | None = None,
        fit_intercept: bool = True,
    ) -> None:
        self.alpha = alpha
        self.budget = budget
        self.fit_intercept = fit_intercept

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Ridge:
        """Solve the problem.

        Args:
            X: (n, p).
            y: (n,) or (n, t).
            sample_weight: s (n,), ≥ 0; ones if omitted.
        """
        data = self._data(X, y, sample_weight)
        outputs = 1 if data.y.ndim == 1 else data.y.shape[1]
        if self.budget is None:
            given = _per_output(self.alpha, "alpha", outputs)
            axes = spectrum(data, float(np.min(given)))
            alpha = np.broadcast_to(given, (outputs,)).copy()
        else:
            given = _per_output(self.budget, "budget", outputs)
            axes = spectrum(data, 0.0)
            groups = [axes.moments] if given.ndim == 0 else np.split(axes.moments, outputs, axis=1)
            roots = [
                secular_root(axes.squares, z, float(c)) for z, c in zip(groups, given.ravel(), strict=True)
            ]
            alpha = np.broadcast_to(np.array(roots), (outputs,)).copy()
        coef = axes.coefficients(alpha)
        coef[:, data.dead] = 0.0
        self._set(data, coef[0] if data.y.ndim == 1 else coef)
        self._certify(data, coef, alpha, given)
        return self

    def _certify(self, data: Centered, coef: Floats, alpha: Floats, given: Floats) -> None:
        """Budget, multiplier, and the residuals of min f s.t. ‖w‖² ≤ c."""
        together = given.ndim == 0
        target = data.y.reshape(len(data.y), -1)
        left = target - data.X @ coef.T
        spent, missed = np.sum(coef**2, axis=1), np.sum(left**2, axis=0)
        if together:
            spent, missed = np.sum(spent), np.sum(missed)
        mu = alpha[0] if together else alpha
        budget = spent if self.budget is None else given
        self.alpha_, self.budget_, self.objective_ = (
            float(v) if np.ndim(v) == 0 else v for v in (mu, budget, missed)
        )
        self.multipliers_ = {"norm": self.alpha_}
        at_zero = -2 * data.X.T @ target
        lagrangian = -2 * data.X.T @ left + 2 * alpha * coef.T
        self.residuals_ = Residuals.of(at_zero, lagrangian, [], spent - budget, mu)


@host_only
def ridge_path(
    X: ArrayLike,
    y: ArrayLike,
    alphas: ArrayLike,
    *,
    fit_intercept: bool = True,
    sample_weight: ArrayLike | None = None,
) -> Path:
    """Ridge regression at many penalties, by one decomposition of the data.

    Args:
        X: (n, p).
        y: (n,) or (n, t).
        alphas: penalties (m,), ≥ 0, in any order.
        fit_intercept: whether there is an intercept.
        sample_weight: (n,), ≥ 0; ones if omitted.

    Returns:
        The penalties as given, w, b and ‖w‖².

    Raises:
        DataError: a negative penalty, NaN in the data.

    >>> from adjoint.models import ridge_path
    >>> ridge_path([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0], [0.0, 2.0, 6.0]).coefs.ravel()
    array([1.  , 0.5 , 0.25])
    """
    data = Ridge(fit_intercept=fit_intercept)._data(X, y, sample_weight)
    penalties = check_penalties(alphas)
    axes = spectrum(data, float(np.min(penalties)))
    below = axes.squares[:, None] + penalties  # (k, m)
    shrunk = np.divide(1.0, below, out=np.zeros(below.shape), where=below > 0)
    k, outputs = axes.moments.shape
    products = (shrunk[:, :, None] * axes.moments[:, None, :]).reshape(k, -1)  # (k, m·t)
    coefs = (axes.vectors @ products).T.reshape(len(penalties), outputs, -1)
    coefs[..., data.dead] = 0.0
    if data.y.ndim == 1:
        coefs = coefs[:, 0]
    return Path(penalties, coefs, data.intercept(coefs), np.sum(coefs**2, axis=-1))


def _per_output(value: object, name: str, outputs: int) -> Floats:
    """Penalties or budgets: a float, or one per output (t,)."""
    array = np.asarray(value)
    if array.ndim == 0:
        given = [value]
    elif array.shape == (outputs,):
        given = list(array)
    else:
        raise refusal(ShapeError, f"{name} should be a number or ({outputs},), got {array.shape}")
    checked = [
        check_budget(c, "‖w‖²", "finite") if name == "budget" else check_number(c, name) for c in given
    ]
    return np.array(checked).reshape(array.shape)
