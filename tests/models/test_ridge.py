"""Ridge by penalty and by budget: closed forms, scikit-learn, cvxpy, the multiplier as a sensitivity."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import adjoint as ad
from adjoint.errors import ShapeError, UnknownNameError
from adjoint.models import DataError, NotFittedError, Ridge, ridge_path

from .harness import refused

linear_model = pytest.importorskip("sklearn.linear_model")
datasets = pytest.importorskip("sklearn.datasets")

DIABETES = datasets.load_diabetes(return_X_y=True)
CANCER = datasets.load_breast_cancer(return_X_y=True)
LINNERUD = datasets.load_linnerud(return_X_y=True)
rng = np.random.default_rng(0)


def residual_sum(model, X, y):
    return float(np.sum((y - model.predict(X)) ** 2))


@pytest.mark.parametrize("alpha", [0.0, 1e-3, 1.0, 1e4])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("data", [DIABETES, CANCER, LINNERUD], ids=["diabetes", "cancer", "linnerud"])
def test_penalty_agrees_with_scikit_learn(data, fit_intercept, alpha):
    X, y = data
    weight = rng.uniform(0.5, 2, len(X))
    ours = Ridge(alpha=alpha, fit_intercept=fit_intercept).fit(X, y, weight)
    theirs = linear_model.Ridge(alpha=alpha, fit_intercept=fit_intercept, solver="svd").fit(X, y, weight)
    assert_allclose(ours.coef_, theirs.coef_, rtol=1e-8, atol=1e-8 * np.max(np.abs(theirs.coef_)))
    assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-8)
    assert_allclose(ours.score(X, y, weight), theirs.score(X, y, weight), rtol=1e-10)
    assert ours.residuals_.hold(1e-8), ours.residuals_


@pytest.mark.parametrize("alpha", [1e-6, 0.1, 10.0, 1e5])
def test_budget_and_penalty_are_one_problem(alpha):
    X, y = DIABETES
    penalised = Ridge(alpha=alpha).fit(X, y)
    budgeted = Ridge(budget=penalised.budget_).fit(X, y)
    assert_allclose(budgeted.multipliers_["norm"], alpha, rtol=1e-8)
    assert_allclose(budgeted.coef_, penalised.coef_, rtol=1e-9)
    assert_allclose(np.sum(budgeted.coef_**2), budgeted.budget_, rtol=1e-14)
    assert budgeted.residuals_.hold(1e-8)


def test_secular_root_is_good_to_the_last_digits():
    """Data with equal singular values have α = σ (‖z‖/(σ√c)) − σ² in closed form."""
    X = np.linalg.qr(rng.normal(size=(20, 4)))[0] * 3.0
    y = rng.normal(size=20)
    least = X.T @ y / 9.0
    for share in (0.999999, 0.5, 1e-3, 1e-12):
        model = Ridge(budget=share * float(least @ least), fit_intercept=False).fit(X, y)
        assert_allclose(model.alpha_, 9.0 / np.sqrt(share) - 9.0, rtol=1e-13, atol=1e-13)


def test_slack_budget_has_multiplier_zero():
    X, y = DIABETES
    free = Ridge(alpha=0.0).fit(X, y)
    model = Ridge(budget=1.01 * free.budget_).fit(X, y)
    assert model.multipliers_["norm"] == 0.0 == model.sensitivity("norm")
    assert_allclose(model.coef_, free.coef_, rtol=1e-10)
    assert model.residuals_.hold()


@pytest.mark.parametrize("budget", [10.0, 1e4, 2e5])
def test_multiplier_is_what_a_larger_budget_buys(budget):
    X, y = DIABETES
    h = 1e-4 * budget
    model, more, less = (Ridge(budget=c).fit(X, y) for c in (budget, budget + h, budget - h))
    measured = (residual_sum(more, X, y) - residual_sum(less, X, y)) / (2 * h)
    assert_allclose(model.sensitivity("norm"), measured, rtol=1e-6)
    assert model.sensitivity("norm") < 0
    assert_allclose(model.objective_, residual_sum(model, X, y), rtol=1e-12)


def test_gradient_by_the_library_vanishes():
    """An independent route: the Lagrangian as plain NumPy, differentiated by the library."""
    X, y = LINNERUD
    model = Ridge(budget=0.2).fit(X, y)

    def lagrangian(w, b):
        return np.sum((y - X @ w.T - b) ** 2) + model.alpha_ * (np.sum(w**2) - 0.2)

    scale = np.max(np.abs(X.T @ y))
    for gradient in ad.grad(lagrangian, (0, 1))(model.coef_, model.intercept_):
        assert np.max(np.abs(gradient)) <= 1e-10 * scale


@pytest.mark.peers
def test_budget_and_multiplier_agree_with_cvxpy():
    cp = pytest.importorskip("cvxpy")
    X, y = DIABETES
    X, y = X / np.std(X, axis=0), y / np.std(y)
    w, b = cp.Variable(X.shape[1]), cp.Variable()
    bound = cp.sum_squares(w) <= 0.1
    cp.Problem(cp.Minimize(cp.sum_squares(y - X @ w - b)), [bound]).solve(solver="CLARABEL")
    model = Ridge(budget=0.1).fit(X, y)
    # what an interior point method for cones can do here; the next test is sharper
    assert_allclose(model.coef_, w.value, atol=1e-4)
    assert_allclose(model.multipliers_["norm"], bound.dual_value, rtol=1e-3)


def test_budget_agrees_with_scikit_learn_and_scipy():
    optimize = pytest.importorskip("scipy.optimize")
    X, y = CANCER

    def excess(log_alpha):
        theirs = linear_model.Ridge(alpha=np.exp(log_alpha), solver="svd").fit(X, y)
        return float(np.sum(theirs.coef_**2)) - 0.05

    alpha = np.exp(optimize.brentq(excess, -10, 10, xtol=1e-15, rtol=1e-15))
    model = Ridge(budget=0.05).fit(X, y)
    assert_allclose(model.multipliers_["norm"], alpha, rtol=1e-9)
    assert_allclose(model.coef_, linear_model.Ridge(alpha=alpha, solver="svd").fit(X, y).coef_, rtol=1e-8)


def test_one_budget_for_all_outputs_or_one_each():
    X, Y = LINNERUD
    together = Ridge(budget=0.2).fit(X, Y)
    assert isinstance(together.alpha_, float)
    assert_allclose(np.sum(together.coef_**2), 0.2, rtol=1e-13)
    each = Ridge(budget=[0.1, 0.02, 0.3]).fit(X, Y)
    assert each.multipliers_["norm"].shape == (3,)
    assert each.residuals_.hold()
    for k, c in enumerate([0.1, 0.02, 0.3]):
        alone = Ridge(budget=c).fit(X, Y[:, k])
        assert_allclose(each.coef_[k], alone.coef_, rtol=1e-10)
        assert_allclose(each.alpha_[k], alone.alpha_, rtol=1e-10)
    penalties = Ridge(alpha=[1.0, 2.0, 3.0]).fit(X, Y)
    theirs = linear_model.Ridge(alpha=[1.0, 2.0, 3.0]).fit(X, Y)
    assert_allclose(penalties.coef_, theirs.coef_, rtol=1e-9)


def test_weights_repeat_rows():
    X, y = DIABETES
    count = rng.integers(0, 4, len(X))
    a = Ridge(budget=1e4).fit(X, y, count)
    b = Ridge(budget=1e4).fit(np.repeat(X, count, axis=0), np.repeat(y, count))
    assert_allclose(a.coef_, b.coef_, rtol=1e-9)
    assert_allclose(a.alpha_, b.alpha_, rtol=1e-9)


# ------------------------------------------------------------------------------------------ the path
@pytest.mark.parametrize("shape", [(200, 5), (8, 20)])
def test_path_is_what_single_fits_give(shape):
    X, Y = rng.normal(size=shape) + 3.0, rng.normal(size=(shape[0], 2))
    alphas = np.logspace(-6, 4, 11)
    path = ridge_path(X, Y, alphas)
    assert path.coefs.shape == (11, 2, shape[1]) and path.intercepts.shape == (11, 2)
    for k, alpha in enumerate(alphas):
        alone = Ridge(alpha=alpha).fit(X, Y)
        assert_allclose(path.coefs[k], alone.coef_, rtol=1e-7, atol=1e-10)
        assert_allclose(path.intercepts[k], alone.intercept_, rtol=1e-7, atol=1e-9)
    assert_allclose(ridge_path(X, Y[:, 0], alphas).coefs, path.coefs[:, 0], rtol=1e-12)
    assert np.all(np.diff(path.budgets, axis=0) < 0)


# ------------------------------------------------------------------------------------------ hard data
def test_collinear_features_share_and_least_squares_has_least_norm():
    X, y = DIABETES
    doubled = np.hstack([X, X])
    half = Ridge(alpha=2.0).fit(doubled, y)
    assert_allclose(2 * half.coef_[:10], Ridge(alpha=1.0).fit(X, y).coef_, rtol=1e-9)
    free = Ridge(alpha=0.0).fit(doubled, y)
    centered = doubled - doubled.mean(axis=0)
    assert_allclose(free.coef_, np.linalg.pinv(centered) @ (y - y.mean()), rtol=1e-8)
    assert free.residuals_.hold()


def test_column_without_variance_has_coefficient_zero():
    X, y = DIABETES
    for constant in (0.0, 0.1, 1e9):
        wide = np.hstack([X, np.full((len(X), 1), constant)])
        for model in (Ridge(alpha=0.0), Ridge(alpha=1.0), Ridge(budget=100.0)):
            model.fit(wide, y)
            assert model.coef_[-1] == 0.0
            assert_allclose(model.coef_[:-1], type(model)(**model.get_params()).fit(X, y).coef_, rtol=1e-9)


def test_fewer_rows_than_columns_and_a_single_row():
    X, y = rng.normal(size=(5, 30)), rng.normal(size=5)
    model = Ridge(budget=0.01).fit(X, y)
    assert_allclose(np.sum(model.coef_**2), 0.01, rtol=1e-13)
    assert model.residuals_.hold()
    one = Ridge().fit(X[:1], y[:1])
    assert not one.coef_.any() and one.intercept_ == y[0]


def test_constant_target():
    X, _ = DIABETES
    model = Ridge(budget=1.0).fit(X, np.full(len(X), 3.5))
    assert model.multipliers_["norm"] == 0.0 and model.objective_ < 1e-20
    assert_allclose(model.coef_, 0.0, atol=1e-12)
    assert model.score(X, np.full(len(X), 3.5)) in (0.0, 1.0)
    assert model.score(X, np.full(len(X), 4.0)) == 0.0


# ------------------------------------------------------------------------------------------ errors
X, y = DIABETES
MISUSE = [
    (DataError, "alpha should be a number ≥ 0, got -1.0", lambda: Ridge(alpha=-1.0).fit(X, y)),
    (DataError, "alpha should be a number ≥ 0, got nan", lambda: Ridge(alpha=np.nan).fit(X, y)),
    (DataError, "the feasible set is empty", lambda: Ridge(budget=-1.0).fit(X, y)),
    (DataError, "no finite multiplier (Slater's", lambda: Ridge(budget=0).fit(X, y)),
    (ShapeError, "budget should be a number or (1,), got (2,)", lambda: Ridge(budget=[1, 2]).fit(X, y)),
    (DataError, "X contains NaN: X[1, 0]; 1 entries", lambda: Ridge().fit([[1.0], [np.nan]], y[:2])),
    (DataError, "y contains infinity (inf): y[0]", lambda: Ridge().fit(X[:2], [np.inf, 1.0])),
    (ShapeError, "Expected 2D array, got 1D array instead: X is (3,)", lambda: Ridge().fit([1, 2, 3], y)),
    (ShapeError, "differ in their numbers of samples: 442 and 3", lambda: Ridge().fit(X, y[:3])),
    (ShapeError, "y should be a 1d array or a matrix", lambda: Ridge().fit(X, y[:, None, None])),
    (ShapeError, "X has 2 features, but Ridge is", lambda: Ridge().fit(X, y).predict(X[:, :2])),
    (ShapeError, "sample_weight should be (442,)", lambda: Ridge().fit(X, y, [1.0])),
    (DataError, "a negative sample_weight: -1", lambda: Ridge().fit(X, y, -np.ones(len(X)))),
    (DataError, "sample_weight must contain at least one non-zero", lambda: Ridge().fit(X, y, 0.0)),
    (DataError, "the target y is None", lambda: Ridge().fit(X, None)),
    (NotFittedError, "this Ridge is not fitted yet\n", lambda: Ridge().predict(X)),
    (UnknownNameError, "no constraint 'b'; there are norm", lambda: Ridge().fit(X, y).sensitivity("b")),
    (DataError, "every penalty in alphas should be a number ≥ 0", lambda: ridge_path(X, y, [1, -1])),
    (ShapeError, "alphas should be (m,) with m ≥ 1, got ()", lambda: ridge_path(X, y, 1.0)),
    (DataError, "invalid parameter 'beta' for Ridge", lambda: Ridge().set_params(beta=1)),
]


@pytest.mark.parametrize(("kind", "text", "call"), MISUSE, ids=[text for _, text, _ in MISUSE])
def test_misuse_is_named(kind, text, call):
    refused(kind, text, call)


def test_text_shows_what_differs_from_the_defaults():
    assert repr(Ridge()) == "Ridge()"
    assert repr(Ridge(budget=2.0, fit_intercept=False)) == "Ridge(budget=2.0, fit_intercept=False)"
