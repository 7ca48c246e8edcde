"""Lasso and elastic net, one problem with two views: a penalty, and a budget whose multiplier it is.

With P(w) = r‖w‖₁ + ½(1 − r)‖w‖² (r = `l1_ratio`; the lasso has r = 1) and f as scikit-learn scales it,

    f(w, b) = Σ s (y − Xw − b)² / (2 Σ s)
    min f + αP                     the penalty view (scikit-learn's `Lasso`, `ElasticNet`)
    min f   s.t. P ≤ c             the budget view;  L = f + μ (P − c), and μ = α

Who minimizes Σ (y − Xw)² subject to ‖w‖₁ ≤ c has the multiplier μ = 2nα, and our condition
|x_jᵀ(y − Xw)| ≤ nα reads |x_jᵀ(y − Xw)| ≤ μ/2 there. With c_j = −∂f/∂w_j − α(1 − r) w_j the KKT conditions
are |c_j| ≤ αr everywhere and c_j = αr sign(w_j) where w_j ≠ 0. In w = w⁺ − w⁻ they are those of the smooth
constraints w⁺, w⁻ ≥ 0, whose multipliers are αr ∓ c_j. Sign convention: see `adjoint.problems`; df*/dc = −μ.

Source: R. Tibshirani, "Regression shrinkage and selection via the lasso", J. R. Statist. Soc. B 58, 1996;
H. Zou and T. Hastie, "Regularization and variable selection via the elastic net", ibid. 67, 2005.
"""

from __future__ import annotations

from itertools import takewhile

import numpy as np
from numpy.typing import ArrayLike

from ..errors import refusal
from ..ops.sides import host_only
from ..problems import Residuals
from .base import DataError, Floats, check_number
from .lasso_solver import Gram, feature_sign, path, solve
from .linear import Centered, LinearRegressor, Path, check_budget, check_penalties

STOPPED = "Compute it with a smaller stop."


class ElasticNet(LinearRegressor):
    """Least squares with a penalty on P(w) = r‖w‖₁ + ½(1 − r)‖w‖², or with a budget for it.

    Minimizes f(w, b) = Σ s (y − Xw − b)² / (2 Σ s) subject to P(w) ≤ budget, or f + alpha P.

    Args:
        alpha: the penalty α ≥ 0; 0 is least squares (of least ‖w‖₁ where there are many).
        l1_ratio: r between 0 (ridge) and 1 (lasso).
        budget: c > 0, and then alpha counts for nothing. None: by penalty.
        fit_intercept: whether there is a b, which is neither penalized nor in the budget.

    Attributes:
        coef_, intercept_: w (p,) and b.
        alpha_: the multiplier μ = α.
        budget_: the budget given, or the P(w) spent where a penalty was.
        objective_: f(w, b), without the penalty.
        duality_gap_: f minus a lower bound of f* from a feasible point of the dual (by penalty: of f + αP),
            up to rounding; it certifies w.
        multipliers_: {"norm": μ, "positive": αr − c_j, "negative": αr + c_j}, the last two (p,), of w⁺ ≥ 0
            and w⁻ ≥ 0; `sensitivity("norm")` = df*/dc = −μ.
        residuals_: the four KKT residuals, relative to max(1, |∇f| at w = 0).
        n_iter_: systems of equations solved.
        n_features_in_: p.

    Raises:
        DataError: a negative penalty, a budget that is not positive, NaN in the data.

    >>> from adjoint.models import ElasticNet
    >>> X, y = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]]), np.array([-4.0, 4.0, -1.0, 1.0])
    >>> ElasticNet(alpha=1.0, l1_ratio=0.5).fit(X, y).coef_
    array([1.5, 0. ])
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        budget: float | None = None,
        fit_intercept: bool = True,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.budget = budget
        self.fit_intercept = fit_intercept

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> ElasticNet:
        """Solve the problem.

        Args:
            X: (n, p).
            y: (n,).
            sample_weight: s (n,), ≥ 0; ones if omitted.
        """
        data = self._data(X, y, sample_weight)
        ratio = check_number(self._ratio(), "l1_ratio", high=1.0)
        gram = _scaled(data)
        if self.budget is None:
            alpha = check_number(self.alpha, "alpha")
            w, self.n_iter_ = at_penalty(gram, alpha, ratio)
        else:
            alpha, w, self.n_iter_ = at_budget(gram, check_budget(self.budget, "a norm", "unique"), ratio)
        w = polish(gram, alpha, ratio, w)
        self._set(data, w)
        self._certify(gram, w, alpha, ratio)
        return self

    def _ratio(self) -> float:
        return self.l1_ratio

    def _certify(self, gram: Gram, w: Floats, alpha: float, ratio: float) -> None:
        """Budget, multipliers, residuals of the smooth form in w⁺ and w⁻, and the duality gap."""
        left = gram.y - gram.X @ w
        self.alpha_, self.objective_ = alpha, 0.5 * float(left @ left)
        spent = norm(w, ratio)
        self.budget_ = spent if self.budget is None else float(self.budget)
        correlation = gram.X.T @ left - alpha * (1 - ratio) * w
        positive, negative = alpha * ratio - correlation, alpha * ratio + correlation
        self.multipliers_ = {"norm": alpha, "positive": positive, "negative": negative}
        self.residuals_ = Residuals.of(
            gram.b,
            np.where(w > 0, positive, np.where(w < 0, negative, 0.0)),
            [],
            np.concatenate([[spent - self.budget_], -np.maximum(w, 0.0), -np.maximum(-w, 0.0)]),
            np.concatenate([[alpha], positive, negative]),
        )
        self.duality_gap_ = duality_gap(gram, w, alpha, ratio) + alpha * (self.budget_ - spent)


class Lasso(ElasticNet):
    """Least squares with a penalty on ‖w‖₁, or with a budget for it.

    Minimizes f(w, b) = Σ s (y − Xw − b)² / (2 Σ s) subject to ‖w‖₁ ≤ budget, or f + alpha ‖w‖₁. Parameters
    and attributes are those of `ElasticNet` with r = 1; `lasso_path` gives all solutions at once.

    Args:
        alpha: the penalty α ≥ 0; 0 is least squares (of least ‖w‖₁ where there are many).
        budget: c > 0, and then alpha counts for nothing. None: by penalty.
        fit_intercept: whether there is a b, which is neither penalized nor in the budget.

    >>> from adjoint.models import Lasso
    >>> X, y = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]]), np.array([-4.0, 4.0, -1.0, 1.0])
    >>> model = Lasso(budget=3.5).fit(X, y)
    >>> model.coef_.round(12), round(model.multipliers_["norm"], 12)
    (array([3.25, 0.25]), 0.375)
    """

    def __init__(
        self, alpha: float = 1.0, *, budget: float | None = None, fit_intercept: bool = True
    ) -> None:
        self.alpha = alpha
        self.budget = budget
        self.fit_intercept = fit_intercept

    def _ratio(self) -> float:
        return 1.0


# ------------------------------------------------------------------------------------------ the solutions
def norm(w: Floats, ratio: float) -> float:
    """P(w) = r‖w‖₁ + ½(1 − r)‖w‖²."""
    return float(ratio * np.sum(np.abs(w)) + 0.5 * (1 - ratio) * np.sum(w**2))


def at_penalty(gram: Gram, alpha: float, ratio: float) -> tuple[Floats, int]:
    """w (p,) at one penalty, and how many systems were solved: along the path, then verified."""
    lam, ridge, p = alpha * ratio, alpha * (1 - ratio), len(gram.b)
    w, corners = np.zeros(p), 0
    if lam == 0 and ridge > 0:
        every = np.arange(p)
        found = solve(gram.columns(every) + ridge * np.eye(p), gram.b)
        if found is not None:
            return found[0], 1
    for segment in takewhile(lambda s: s.high > lam, path(gram, ridge)):
        w = segment.coefficients(max(lam, segment.low), p)
        corners += 1
    w, steps = feature_sign(gram, lam, ridge, w) if lam > 0 else (w, 0)
    return w, corners + steps


def at_budget(gram: Gram, budget: float, ratio: float) -> tuple[float, Floats, int]:
    """α, w (p,) where P(w) = c, and how many systems were solved; α = 0 where the budget is slack."""
    p, corners = len(gram.b), 0
    w = np.zeros(p)
    for segment in path(gram):
        corners += 1
        w = segment.coefficients(segment.low, p)
        if ratio == 1.0 and segment.norm(segment.low) >= budget:
            # ‖w‖₁ = s·u − λ s·d is linear along the segment
            slope = float(segment.signs @ segment.d)
            alpha = (float(segment.signs @ segment.u) - budget) / slope
            alpha = min(max(alpha, segment.low), segment.high)
            return alpha, segment.coefficients(alpha, p), corners
    if norm(w, ratio) <= budget:
        return 0.0, w, corners
    return _budget_root(gram, budget, ratio, corners)


def _budget_root(gram: Gram, budget: float, ratio: float, solved: int) -> tuple[float, Floats, int]:
    """The root of P(w(α)) = c by Newton's method inside a bracket; w(α) is smooth between corners."""
    low, high = 0.0, float(np.max(np.abs(gram.b))) / max(ratio, 1e-3)
    while norm(at_penalty(gram, high, ratio)[0], ratio) > budget:
        high *= 4.0
    alpha, w = high, np.zeros(len(gram.b))
    for _ in range(200):
        if ratio > 0:
            w, steps = feature_sign(gram, alpha * ratio, alpha * (1 - ratio), w)
        else:
            w, steps = at_penalty(gram, alpha, ratio)
        solved += steps
        excess = norm(w, ratio) - budget
        low, high = (alpha, high) if excess > 0 else (low, alpha)
        active = np.flatnonzero(w)
        v = ratio * np.sign(w[active]) + (1 - ratio) * w[active]
        M = gram.columns(active)[active] + alpha * (1 - ratio) * np.eye(len(active)) if len(active) else None
        found = solve(M, v) if M is not None else None
        slope = -float(v @ found[0]) if found is not None else 0.0
        proposed = alpha - excess / slope if slope < 0 else -1.0
        if abs(proposed - alpha) <= 4e-16 * alpha or excess == 0.0:
            break
        if not low < proposed < high:
            proposed = 0.5 * (low + high)
            if proposed in (low, high):
                break
        alpha = proposed
    return alpha, w, solved


def polish(gram: Gram, alpha: float, ratio: float, w: Floats) -> Floats:
    """Refine w on its active set with residuals of the data: those of G = XᵀX square the condition."""
    active = np.flatnonzero(w)
    if not len(active):
        return w
    lam, ridge, X = alpha * ratio, alpha * (1 - ratio), gram.X[:, active]
    M = gram.columns(active)[active] + ridge * np.eye(len(active))
    signs = np.sign(w[active])
    best, found = np.inf, w
    for _ in range(4):
        gradient = X.T @ (gram.y - X @ w[active]) - ridge * w[active] - lam * signs
        size = float(np.max(np.abs(gradient)))
        if size >= best:
            break
        best, found = size, w
        change = solve(M, gradient)
        if change is None:
            break
        w = w.copy()
        w[active] += change[0]
        if np.any(w[active] * signs <= 0):
            break
    return found


def duality_gap(gram: Gram, w: Floats, alpha: float, ratio: float) -> float:
    """f + αP at w minus the dual at the residual, scaled until it is feasible; ≥ 0, and 0 at the minimum.

    The ridge part is √(α(1 − r)) times the identity, p rows more with targets 0.
    """
    ridge = alpha * (1 - ratio)
    left = gram.y - gram.X @ w
    square = float(left @ left) + ridge * float(w @ w)
    steepest = float(np.max(np.abs(gram.X.T @ left - ridge * w), initial=0.0))
    scale = min(1.0, alpha * ratio / steepest) if steepest > 0 else 1.0
    primal = 0.5 * square + alpha * ratio * float(np.sum(np.abs(w)))
    return primal - (scale * float(gram.y @ left) - 0.5 * scale**2 * square)


# ------------------------------------------------------------------------------------------ the whole path
@host_only
class LassoPath(Path):
    """The exact path: between neighboring breakpoints everything is linear in α.

    Attributes:
        alphas: breakpoints (m,), falling, from the α at which w leaves 0 to 0, or to `stop`.
        coefs: w there (m, p).
        intercepts: b there (m,).
        budgets: ‖w‖₁ there (m,), rising: the budget whose multiplier is α.
    """

    def at(self, alpha: ArrayLike) -> Floats:
        """w (…, p) at any penalties (…), from the two breakpoints around each.

        Raises:
            DataError: a penalty below 0, or below where the path was told to stop.
        """
        asked, last = np.asarray(alpha, dtype=float), float(self.alphas[-1])
        if not np.all(asked >= 0):
            raise refusal(DataError, f"penalties are ≥ 0, got {np.min(asked)}")
        if not np.all(asked >= last):
            raise refusal(DataError, f"this path stops at α = {last:g}, above {np.min(asked):g}", STOPPED)
        return self._between(-asked, -self.alphas)

    def at_budget(self, budget: ArrayLike) -> Floats:
        """w (…, p) at any budgets (…) for ‖w‖₁; raises as `at` does."""
        return self._between(self._budgets(budget), self.budgets)

    def multiplier(self, budget: ArrayLike) -> Floats:
        """μ (…) of any budgets (…): −df*/dc; 0 where the budget is slack; raises as `at` does."""
        at: Floats = np.interp(self._budgets(budget), self.budgets, self.alphas)
        return at

    def _budgets(self, budget: ArrayLike) -> Floats:
        asked, last = np.asarray(budget, dtype=float), float(self.budgets[-1])
        if not np.all(asked >= 0):
            raise refusal(DataError, f"no w has ‖w‖₁ ≤ {np.min(asked)}: the feasible set is empty")
        if self.alphas[-1] > 0 and not np.all(asked <= last):
            raise refusal(DataError, f"this path stops at ‖w‖₁ = {last:g}, below {np.max(asked):g}", STOPPED)
        return asked

    def _between(self, asked: Floats, rising: Floats) -> Floats:
        if len(rising) == 1:
            return np.broadcast_to(self.coefs[0], (*asked.shape, self.coefs.shape[1])).copy()
        right = np.clip(np.searchsorted(rising, asked), 1, len(rising) - 1)
        left = right - 1
        width = rising[right] - rising[left]
        share = np.divide(asked - rising[left], width, out=np.zeros_like(asked), where=width > 0)
        share = np.clip(share, 0.0, 1.0)[..., None]
        at: Floats = (1 - share) * self.coefs[left] + share * self.coefs[right]
        return at


@host_only
def lasso_path(
    X: ArrayLike,
    y: ArrayLike,
    *,
    fit_intercept: bool = True,
    sample_weight: ArrayLike | None = None,
    ridge: float = 0.0,
    stop: float = 0.0,
) -> LassoPath:
    """All solutions of min Σ s (y − Xw − b)² / (2 Σ s) + α‖w‖₁ + ½ ridge ‖w‖², by their breakpoints in α.

    Args:
        X: (n, p).
        y: (n,).
        fit_intercept: whether there is an intercept.
        sample_weight: (n,), ≥ 0; ones if omitted.
        ridge: a fixed ridge part ≥ 0: the lasso on p further rows √ridge I, the elastic net's own form.
        stop: the α at which to end.

    Raises:
        DataError: a negative `ridge` or `stop`, NaN in the data.

    >>> from adjoint.models import lasso_path
    >>> X, y = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]]), np.array([-4.0, 4.0, -1.0, 1.0])
    >>> path = lasso_path(X, y)
    >>> path.alphas.round(12), path.coefs.round(12).tolist()
    (array([2. , 0.5, 0. ]), [[0.0, 0.0], [3.0, 0.0], [4.0, 1.0]])
    """
    gram, data = _prepared(X, y, fit_intercept, sample_weight)
    check_number(ridge, "ridge")
    check_number(stop, "stop")
    p = len(gram.b)
    alphas, coefs = [max(float(np.max(np.abs(gram.b))), stop)], [np.zeros(p)]
    for segment in takewhile(lambda s: s.high > stop, path(gram, ridge)):
        alphas.append(max(segment.low, stop))
        coefs.append(segment.coefficients(alphas[-1], p))
    w = np.array(coefs)
    return LassoPath(np.array(alphas), w, data.intercept(w), np.sum(np.abs(w), axis=1))


@host_only
def enet_path(
    X: ArrayLike,
    y: ArrayLike,
    alphas: ArrayLike,
    *,
    l1_ratio: float = 0.5,
    fit_intercept: bool = True,
    sample_weight: ArrayLike | None = None,
) -> Path:
    """Elastic nets at given penalties, each started from its neighbor; between them nothing is linear.

    Args:
        X: (n, p).
        y: (n,).
        alphas: penalties (m,), > 0, in any order.
        l1_ratio: r between 0 and 1.
        fit_intercept: whether there is an intercept.
        sample_weight: (n,), ≥ 0; ones if omitted.

    Returns:
        The penalties in falling order, w, b and P(w).

    Raises:
        DataError: a penalty that is not positive, NaN in the data.
    """
    gram, data = _prepared(X, y, fit_intercept, sample_weight)
    ratio = check_number(l1_ratio, "l1_ratio", high=1.0)
    ordered = np.sort(check_penalties(alphas, strict=True))[::-1]
    w, coefs = np.zeros(len(gram.b)), []
    for alpha in ordered:
        w, _ = feature_sign(gram, alpha * ratio, alpha * (1 - ratio), w)
        coefs.append(w)
    found = np.array(coefs)
    spent = np.array([norm(w, ratio) for w in found])
    return Path(ordered, found, data.intercept(found), spent)


def _prepared(
    X: ArrayLike, y: ArrayLike, fit_intercept: bool, sample_weight: ArrayLike | None
) -> tuple[Gram, Centered]:
    data = ElasticNet(fit_intercept=fit_intercept)._data(X, y, sample_weight)
    return _scaled(data), data


def _scaled(data: Centered) -> Gram:
    root = np.sqrt(data.total)
    return Gram(data.X / root, data.y / root)
