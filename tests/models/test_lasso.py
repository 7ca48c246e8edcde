"""Lasso and elastic net by penalty and budget: closed forms, scikit-learn, cvxpy, the path's breakpoints."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from adjoint.errors import ShapeError
from adjoint.models import DataError, ElasticNet, Lasso, enet_path, lasso_path
from adjoint.models.lasso_solver import Gram, feature_sign

from .harness import refused

linear_model = pytest.importorskip("sklearn.linear_model")
datasets = pytest.importorskip("sklearn.datasets")

DIABETES = datasets.load_diabetes(return_X_y=True)
CANCER = datasets.load_breast_cancer(return_X_y=True)
X_CANCER = (CANCER[0] - CANCER[0].mean(axis=0)) / CANCER[0].std(axis=0)
rng = np.random.default_rng(0)
WIDE = rng.normal(size=(30, 100)), rng.normal(size=30)
DATA = {"diabetes": DIABETES, "cancer": (X_CANCER, CANCER[1]), "wide": WIDE}


def theirs(alpha, ratio, X, y, weight=None, fit_intercept=True):
    model = linear_model.ElasticNet(
        alpha=alpha, l1_ratio=ratio, tol=1e-14, max_iter=200_000, fit_intercept=fit_intercept
    )
    return model.fit(X, y, weight)


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("ratio", [1.0, 0.5, 0.05])
@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
def test_penalty_agrees_with_scikit_learn(name, ratio, share):
    X, y = DATA[name]
    alpha = share * float(np.max(np.abs((X - X.mean(axis=0)).T @ (y - y.mean())))) / len(y) / ratio
    ours, peer = ElasticNet(alpha, l1_ratio=ratio).fit(X, y), theirs(alpha, ratio, X, y)
    size = np.max(np.abs(peer.coef_))
    assert_allclose(ours.coef_, peer.coef_, atol=1e-8 * size)
    assert np.array_equal(ours.coef_ == 0, np.abs(peer.coef_) < 1e-11 * size)
    assert_allclose(ours.intercept_, peer.intercept_, rtol=1e-9)
    assert ours.residuals_.hold(1e-10), ours.residuals_
    assert abs(ours.duality_gap_) < 1e-12 * y @ y


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_weights_as_in_scikit_learn(fit_intercept):
    X, y = DIABETES
    weight = rng.integers(0, 4, len(X)).astype(float)
    ours = Lasso(0.1, fit_intercept=fit_intercept).fit(X, y, weight)
    peer = theirs(0.1, 1.0, X, y, weight, fit_intercept)
    assert_allclose(ours.coef_, peer.coef_, rtol=1e-8)
    assert_allclose(ours.intercept_, peer.intercept_, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("ratio", [1.0, 0.5, 0.0])
def test_budget_and_penalty_are_one_problem(name, ratio):
    X, y = DATA[name]
    penalized = ElasticNet(0.05, l1_ratio=ratio).fit(X, y)
    budgeted = ElasticNet(l1_ratio=ratio, budget=penalized.budget_).fit(X, y)
    assert_allclose(budgeted.multipliers_["norm"], 0.05, rtol=1e-9)
    assert_allclose(budgeted.coef_, penalized.coef_, atol=1e-9 * np.max(np.abs(penalized.coef_)))
    assert budgeted.residuals_.hold(1e-8), budgeted.residuals_


@pytest.mark.peers
@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_budget_and_multipliers_agree_with_cvxpy(ratio):
    cp = pytest.importorskip("cvxpy")
    X, y = X_CANCER[:, :10], CANCER[1].astype(float)
    plus, minus, b = cp.Variable(10), cp.Variable(10), cp.Variable()
    w = plus - minus
    spent = ratio * cp.sum(plus + minus) + 0.5 * (1 - ratio) * cp.sum_squares(w)
    bounds = [spent <= 0.2, plus >= 0, minus >= 0]
    cp.Problem(cp.Minimize(cp.sum_squares(y - X @ w - b) / (2 * len(y))), bounds).solve(solver="CLARABEL")
    model = ElasticNet(l1_ratio=ratio, budget=0.2).fit(X, y)
    # an interior point method for cones, good to five digits; scikit-learn above is sharper
    assert_allclose(model.coef_, w.value, atol=1e-4)
    assert_allclose(model.multipliers_["norm"], bounds[0].dual_value, rtol=1e-3)
    assert_allclose(model.multipliers_["positive"], bounds[1].dual_value, atol=1e-4)
    assert_allclose(model.multipliers_["negative"], bounds[2].dual_value, atol=1e-4)


@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_multiplier_is_what_a_larger_budget_buys(ratio):
    X, y = DIABETES
    c = 800.0 if ratio == 1.0 else 9e4
    h = 1e-4 * c
    less, model, more = (ElasticNet(l1_ratio=ratio, budget=b).fit(X, y) for b in (c - h, c, c + h))
    assert_allclose(model.sensitivity("norm"), (more.objective_ - less.objective_) / (2 * h), rtol=1e-5)
    assert_allclose(model.objective_, np.mean((y - model.predict(X)) ** 2) / 2, rtol=1e-12)


def test_textbook_scaling_has_multiplier_2_n_alpha():
    """min Σ (y − Xw)² s.t. ‖w‖₁ ≤ c: |x_jᵀr| ≤ μ/2, with equality where w_j ≠ 0."""
    X, y = DIABETES
    model = Lasso(budget=1000.0).fit(X, y)
    mu = 2 * len(y) * model.multipliers_["norm"]
    correlation = X.T @ (y - model.predict(X))
    assert np.all(np.abs(correlation) <= mu / 2 * (1 + 1e-10))
    active = model.coef_ != 0
    assert_allclose(correlation[active], mu / 2 * np.sign(model.coef_[active]), rtol=1e-10)


@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_slack_budget_has_multiplier_zero(ratio):
    X, y = DIABETES
    free = ElasticNet(0.0, l1_ratio=ratio).fit(X, y)
    model = ElasticNet(l1_ratio=ratio, budget=1.01 * free.budget_).fit(X, y)
    assert model.multipliers_["norm"] == 0.0
    assert model.residuals_.hold() and free.residuals_.hold()
    least = np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), y, rcond=None)[0]
    assert_allclose(model.coef_, least[:-1], rtol=1e-9)


def test_orthonormal_columns_have_soft_thresholds():
    X = np.linalg.qr(rng.normal(size=(50, 8)))[0] * np.sqrt(50)
    y = X @ rng.normal(size=8) + rng.normal(size=50)
    least = X.T @ y / 50
    for alpha, ratio in [(0.3, 1.0), (0.3, 0.4)]:
        model = ElasticNet(alpha, l1_ratio=ratio, fit_intercept=False).fit(X, y)
        soft = np.sign(least) * np.maximum(np.abs(least) - alpha * ratio, 0) / (1 + alpha * (1 - ratio))
        assert_allclose(model.coef_, soft, atol=1e-13)


def test_dual_bound_is_below_the_optimum_from_anywhere():
    """The certificate can fail: away from the solution the gap is positive and bounds what is left."""
    from adjoint.models.lasso import at_penalty, duality_gap

    X, y = X_CANCER / np.sqrt(len(X_CANCER)), CANCER[1] / np.sqrt(len(X_CANCER))
    gram = Gram(X, y - y.mean())

    def objective(w, alpha, ratio):
        left = gram.y - gram.X @ w
        return 0.5 * left @ left + alpha * (ratio * np.sum(np.abs(w)) + 0.5 * (1 - ratio) * w @ w)

    for ratio in (1.0, 0.5):
        best, _ = at_penalty(gram, 0.01, ratio)
        for size in (1e-3, 1e-1):
            w = best + size * rng.normal(size=best.shape)
            excess = objective(w, 0.01, ratio) - objective(best, 0.01, ratio)
            assert duality_gap(gram, w, 0.01, ratio) >= excess > 0


# ------------------------------------------------------------------------------------------ the path
@pytest.mark.parametrize("name", DATA)
def test_breakpoints_are_those_of_lars(name):
    X, y = DATA[name]
    path = lasso_path(X, y)
    centered = X - X.mean(axis=0)
    alphas, _, coefs = linear_model.lars_path(centered, y - y.mean(), method="lasso")
    keep = alphas > 1e-6 * alphas[0]
    ours = path.alphas > 1e-6 * alphas[0]
    assert_allclose(path.alphas[ours], alphas[keep], rtol=1e-8)
    assert_allclose(path.coefs[ours], coefs.T[keep], atol=1e-7 * np.max(np.abs(coefs)))


@pytest.mark.parametrize("name", DATA)
def test_path_is_exact_between_breakpoints(name):
    X, y = DATA[name]
    path = lasso_path(X, y)
    assert np.all(np.diff(path.alphas) < 0) and path.alphas[-1] == 0
    assert np.all(np.diff(path.budgets) > -1e-9 * path.budgets[-1])
    alphas = path.alphas[0] * np.array([1.5, 0.7, 0.2, 0.03, 0.004])
    for w, alpha in zip(path.at(alphas), alphas, strict=True):
        assert_allclose(w, theirs(alpha, 1.0, X, y).coef_, atol=1e-7 * (np.max(np.abs(w)) + 1e-6))
    for budget in path.budgets[-1] * np.array([0.1, 0.5, 0.9]):
        model = Lasso(budget=budget).fit(X, y)
        assert_allclose(path.at_budget(budget), model.coef_, atol=1e-8 * np.max(np.abs(model.coef_)))
        assert_allclose(path.multiplier(budget), model.alpha_, rtol=1e-7)
    assert path.multiplier(2 * path.budgets[-1]) == 0.0


def test_path_stops_where_asked_and_takes_a_ridge_part():
    X, y = DIABETES
    whole, part = lasso_path(X, y), lasso_path(X, y, stop=0.1)
    assert part.alphas[-1] == 0.1
    assert_allclose(part.coefs[-1], whole.at(0.1), rtol=1e-9)
    augmented = np.vstack([X - X.mean(axis=0), np.sqrt(len(X) * 0.02) * np.eye(10)])
    targets = np.append(y - y.mean(), np.zeros(10))
    scale = len(augmented) / len(X)  # (1/2n) against (1/2(n + p))
    by_rows = lasso_path(augmented, targets, fit_intercept=False)
    ridged = lasso_path(X, y, ridge=0.02)
    assert_allclose(ridged.alphas, by_rows.alphas * scale, rtol=1e-9, atol=1e-12)
    assert_allclose(ridged.coefs, by_rows.coefs, rtol=1e-8, atol=1e-9)


def test_elastic_net_path_agrees_with_scikit_learn():
    X, y = X_CANCER, CANCER[1].astype(float)
    alphas = np.logspace(-0.5, -3, 30)
    ours = enet_path(X, y, alphas, l1_ratio=0.5)
    _, coefs, _ = linear_model.enet_path(
        X, y - y.mean(), l1_ratio=0.5, alphas=alphas, tol=1e-14, max_iter=100_000
    )
    assert_allclose(ours.coefs, coefs.T, atol=1e-9)


def test_feature_sign_ends_at_the_same_point_from_anywhere():
    X, y = X_CANCER / np.sqrt(len(X_CANCER)), (CANCER[1] - CANCER[1].mean()) / np.sqrt(len(X_CANCER))
    gram = Gram(X, y)
    from_zero, _ = feature_sign(gram, 0.01, 0.0, np.zeros(30))
    for _ in range(5):
        start = rng.normal(size=30) * (rng.random(30) < 0.5)
        assert_allclose(feature_sign(gram, 0.01, 0.0, start)[0], from_zero, atol=1e-12)


# ------------------------------------------------------------------------------------------ hard data
def kkt(X, y, w, alpha):
    """How far w is from the lasso's conditions, from the data alone."""
    centered = X - X.mean(axis=0)
    c = centered.T @ (y - y.mean() - centered @ w) / len(y)
    return max(np.max(np.abs(c)) - alpha, np.max(np.abs(c - alpha * np.sign(w))[w != 0], initial=0.0))


@pytest.mark.parametrize("seed", range(12))
def test_ties_and_dependent_columns(seed):
    """Small whole numbers: many corners coincide, columns repeat, and some are sums of others."""
    local = np.random.default_rng(seed)
    X = local.integers(-1, 2, size=(12, 6)).astype(float)
    X = np.hstack([X, X[:, :2], -X[:, 2:3], X[:, 3:4] + X[:, 4:5], np.full((12, 1), 2.0)])
    y = local.integers(-3, 4, size=12).astype(float)
    path = lasso_path(X, y)
    assert np.isfinite(path.coefs).all()
    top = path.alphas[0]
    for alpha in top * np.array([0.9, 0.5, 0.11, 0.01, 1e-4]):
        assert kkt(X, y, path.at(alpha), alpha) < 1e-7 * top
        model = Lasso(alpha).fit(X, y)
        assert kkt(X, y, model.coef_, alpha) < 1e-12
        assert model.residuals_.hold(1e-10)
    least = np.linalg.lstsq(X - X.mean(axis=0), y - y.mean(), rcond=None)[0]
    assert_allclose((X - X.mean(axis=0)) @ (path.coefs[-1] - least), 0.0, atol=1e-8)


@pytest.mark.parametrize("seed", [16, 40, 202])
def test_nearly_equal_columns_end_quickly(seed):
    """Copies that differ by 1e-7: their correlations are those of one column to as much."""
    local = np.random.default_rng(seed)
    X = local.normal(size=(25, 12))[:, local.integers(0, 12, size=30)] + 1e-7 * local.normal(size=(25, 30))
    y = local.normal(size=25)
    top = lasso_path(X, y).alphas[0]
    for alpha in top * np.array([0.5, 0.05, 1e-4]):
        for ratio in (1.0, 0.01):
            model = ElasticNet(alpha / ratio, l1_ratio=ratio).fit(X, y)
            assert model.n_iter_ < 300
            assert model.residuals_.hold(2e-7), model.residuals_
            assert ElasticNet(budget=0.9 * model.budget_, l1_ratio=ratio).fit(X, y).residuals_.hold(2e-7)


@pytest.mark.parametrize("seed", range(4))
def test_coefficients_are_exactly_zero_between_their_corners(seed):
    """One that leaves is 0 at its corner, not what rounding makes of 0."""
    local = np.random.default_rng(seed)
    X, y = local.normal(size=(35, 37)), local.normal(size=35)
    path = lasso_path(X, y)
    assert any(np.any((a != 0) & (b == 0)) for a, b in zip(path.coefs, path.coefs[1:], strict=False))
    for high, low in zip(path.alphas, path.alphas[1:], strict=False):
        alpha = 0.5 * (high + low)
        assert kkt(X, y, path.at(alpha), alpha) < 1e-9 * path.alphas[0]


def test_least_squares_limit_has_least_l1_norm():
    linprog = pytest.importorskip("scipy.optimize").linprog
    X, y = WIDE
    model = Lasso(0.0).fit(X, y)
    centered = X - X.mean(axis=0)
    found = linprog(np.ones(200), A_eq=np.hstack([centered, -centered]), b_eq=y - y.mean())
    assert_allclose(model.budget_, found.fun, rtol=1e-9)
    assert model.objective_ < 1e-20


def test_column_without_variance_has_coefficient_zero():
    X, y = DIABETES
    for constant in (0.0, 0.1, 1e9):
        wide = np.hstack([X, np.full((len(X), 1), constant)])
        for model in (Lasso(0.0), Lasso(0.1), ElasticNet(budget=1e4)):
            model.fit(wide, y)
            assert model.coef_[-1] == 0.0
            assert_allclose(model.coef_[:-1], type(model)(**model.get_params()).fit(X, y).coef_, rtol=1e-7)


def test_constant_target_single_row_and_too_large_a_penalty():
    X, y = DIABETES
    for model in (Lasso(0.1), Lasso(budget=1.0), ElasticNet(budget=1.0), Lasso(0.0)):
        model.fit(X, np.full(len(X), 2.5))
        assert not np.any(np.abs(model.coef_) > 1e-12) and model.residuals_.hold()
        assert_allclose(model.predict(X), 2.5, rtol=1e-14)
        assert not model.fit(X[:1], y[:1]).coef_.any()
    model = Lasso(1e9).fit(X, y)
    assert not model.coef_.any() and model.budget_ == 0.0 and model.residuals_.hold()
    assert lasso_path(X, np.ones(len(X))).at(1.0).shape == (10,)


# ------------------------------------------------------------------------------------------ errors
X, y = DIABETES
MISUSE = [
    (DataError, "alpha should be a number ≥ 0, got -1.0", lambda: Lasso(-1.0).fit(X, y)),
    (DataError, "alpha should be a number ≥ 0, got 'a'", lambda: Lasso("a").fit(X, y)),
    (DataError, "l1_ratio should be a number ≥ 0 and ≤ 1, got 2", lambda: ElasticNet(l1_ratio=2).fit(X, y)),
    (DataError, "no w has a norm ≤ -1: the feasible set is empty", lambda: Lasso(budget=-1).fit(X, y)),
    (DataError, "a budget of 0 leaves w = 0 alone", lambda: Lasso(budget=0.0).fit(X, y)),
    (ShapeError, "y should be a 1d array, got shape (442, 2)", lambda: Lasso().fit(X, np.c_[y, y])),
    (DataError, "y contains NaN: y[3]", lambda: Lasso().fit(X, np.where(np.arange(442) == 3, np.nan, y))),
    (DataError, "no w has a norm ≤ -1", lambda: Lasso(budget=np.int64(-1)).fit(X, y)),
    (DataError, "penalties are ≥ 0, got -1.0", lambda: lasso_path(X, y).at(-1.0)),
    (DataError, "the feasible set is empty", lambda: lasso_path(X, y).at_budget(-1.0)),
    (DataError, "the feasible set is empty", lambda: lasso_path(X, y).multiplier(-1.0)),
    (DataError, "stops at α = 0.5, above 0.1", lambda: lasso_path(X, y, stop=0.5).at([1.0, 0.1])),
    (DataError, "below 1e+09", lambda: lasso_path(X, y, stop=0.5).at_budget(1e9)),
    (DataError, "stops at ‖w‖₁ = ", lambda: lasso_path(X, y, stop=0.5).multiplier([1.0, 1e9])),
    (DataError, "stop should be a number ≥ 0, got -1", lambda: lasso_path(X, y, stop=-1)),
    (DataError, "every penalty in alphas should be a number > 0", lambda: enet_path(X, y, [0.0])),
    (ShapeError, "alphas should be (m,) with m ≥ 1", lambda: enet_path(X, y, [])),
]


@pytest.mark.parametrize(("kind", "text", "call"), MISUSE, ids=[text for _, text, _ in MISUSE])
def test_misuse_is_named(kind, text, call):
    refused(kind, text, call)
