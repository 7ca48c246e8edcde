"""Logistic regression against scikit-learn and the library's gradients, and as a maximum-entropy dual."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import adjoint as ad
from adjoint.errors import ShapeError
from adjoint.models import DataError, LogisticRegression, NotFittedError
from adjoint.models.logistic_solver import Likelihood
from adjoint.problems import Status
from adjoint.scipy.special import logsumexp

from .harness import refused

linear_model = pytest.importorskip("sklearn.linear_model")
datasets = pytest.importorskip("sklearn.datasets")

IRIS, WINE, CANCER = (
    load(return_X_y=True) for load in (datasets.load_iris, datasets.load_wine, datasets.load_breast_cancer)
)
DATA = {"iris": IRIS, "wine": WINE, "cancer": CANCER}
X_IRIS = (IRIS[0] - IRIS[0].mean(axis=0)) / IRIS[0].std(axis=0)
rng = np.random.default_rng(0)


def theirs(C, X, y, weight=None, **options):
    model = linear_model.LogisticRegression(C=C, tol=1e-13, solver="newton-cholesky", max_iter=300, **options)
    return model.fit(X, y, weight)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("name", DATA)
def test_agrees_with_scikit_learn(name, C):
    X, y = DATA[name]
    ours, peer = LogisticRegression(C).fit(X, y), theirs(C, X, y)
    assert_allclose(ours.coef_, peer.coef_, atol=1e-8 * np.max(np.abs(peer.coef_)))
    assert_allclose(ours.intercept_, peer.intercept_, atol=1e-8 * np.max(np.abs(peer.intercept_)))
    assert_allclose(ours.predict_proba(X), peer.predict_proba(X), atol=1e-8)
    assert_allclose(ours.predict_log_proba(X), peer.predict_log_proba(X), rtol=1e-6, atol=1e-7)
    assert np.array_equal(ours.predict(X), peer.predict(X)) and ours.score(X, y) == peer.score(X, y)
    assert ours.residuals_.hold(1e-10) and ours.status_ is Status.SOLVED
    assert abs(ours.duality_gap_) < 1e-10 * max(1.0, ours.objective_)


@pytest.mark.parametrize("options", [{"fit_intercept": False}, {"class_weight": "balanced"}])
def test_options_as_in_scikit_learn(options):
    X, y = X_IRIS[10:], IRIS[1][10:]
    weight = rng.uniform(0.5, 2, len(y))
    ours, peer = LogisticRegression(**options).fit(X, y, weight), theirs(1.0, X, y, weight, **options)
    assert_allclose(ours.coef_, peer.coef_, atol=1e-9)
    given = {0: 2.0, 1: 0.5}
    ours, peer = LogisticRegression(class_weight=given).fit(X, y), theirs(1.0, X, y, class_weight=given)
    assert_allclose(ours.coef_, peer.coef_, atol=1e-9)


@pytest.mark.parametrize("classes", [2, 3])
def test_derivatives_are_those_of_the_library(classes):
    X, codes = X_IRIS[:: classes + 3], IRIS[1][:: classes + 3] % classes
    design = np.hstack([X, np.ones((len(X), 1))])
    loss = Likelihood(design, codes, rng.uniform(0.5, 2, len(X)), classes, 0.3, 4)
    theta = rng.normal(size=loss.shape)

    def plain(theta):
        z = design @ theta.T
        if classes == 2:
            z = np.concatenate([np.zeros_like(z), z], axis=1)
        fit = logsumexp(z, axis=1) - np.sum(z * loss.hot, axis=1)
        return np.sum(loss.weight * fit) + 0.15 * np.sum(theta[:, :4] ** 2)

    value, gradient = ad.value_and_grad(plain)(theta)
    found, p = loss.evaluate(theta)
    assert_allclose(found, value, rtol=1e-13)
    assert_allclose(loss.gradient(theta, p), gradient, atol=1e-12 * np.max(np.abs(gradient)))
    hessian = ad.hessian(plain)(theta).reshape(theta.size, theta.size)
    v = rng.normal(size=theta.shape)
    assert_allclose(loss.curvature(p, v).ravel(), hessian @ v.ravel(), atol=1e-11 * np.max(np.abs(hessian)))
    if classes > 2:
        v = v - v.mean(axis=0)  # the extra term acts on common moves alone
    assert_allclose(loss.hessian(p) @ v.ravel(), hessian @ v.ravel(), atol=1e-11 * np.max(np.abs(hessian)))


# ------------------------------------------------------------------------------------------ the dual
@pytest.mark.parametrize("name", ["cancer", "iris"])
def test_coefficients_are_multipliers_of_feature_expectations(name):
    """Solved by SciPy as a problem in ν with shifted moments: dP*/dc = −ν = W, by central differences."""
    minimize = pytest.importorskip("scipy.optimize").minimize
    X, y = DATA[name]
    X = ((X - X.mean(axis=0)) / X.std(axis=0))[:, :3]
    model = LogisticRegression(2.0).fit(X, y)
    hot = y[:, None] == np.arange(3)
    targets = hot[:, 1:2] if name == "cancer" else hot
    t = targets.shape[1]

    def value(shift):
        def F(theta):
            W, b = theta[: 3 * t].reshape(t, 3), theta[3 * t :]
            z = X @ W.T + b
            full = np.concatenate([np.zeros_like(z), z], axis=1) if t == 1 else z
            loss = np.sum(logsumexp(full, axis=1)) - np.sum(z * targets)
            return loss + np.sum(W**2) / 4 - np.sum(W * shift)

        return -minimize(F, np.zeros(4 * t), jac=ad.grad(F), method="BFGS", options={"gtol": 1e-9}).fun

    shift, h = rng.normal(size=(t, 3)), 1e-3
    measured = (value(h * shift) - value(-h * shift)) / (2 * h)
    assert_allclose(np.sum(model.sensitivity("features") * shift), measured, rtol=1e-6)
    assert_allclose(model.multipliers_["features"], -model.coef_)
    assert_allclose(-model.objective_, value(0 * shift), rtol=1e-10)


def test_moments_of_the_model_are_those_of_the_data():
    X, y = X_IRIS[50:], IRIS[1][50:]
    model = LogisticRegression(np.inf).fit(X, y)
    assert model.status_ is Status.SOLVED and model.certificate_ is None
    off = model.predict_proba(X)[:, 1] - (y == 2)
    assert_allclose(off @ X, 0.0, atol=1e-11)
    assert_allclose(np.sum(off), 0.0, atol=1e-11)
    penalized = LogisticRegression(0.5).fit(X, y)
    off = penalized.predict_proba(X)[:, 1] - (y == 2)
    assert_allclose(off @ X, -penalized.coef_[0] / 0.5, rtol=1e-11)


def test_normalization_multiplier_by_its_own_formula():
    """∂/∂p: s (log p + 1) + s νᵀx + η = 0 for every class of every sample."""
    X, y = X_IRIS, IRIS[1]
    weight = rng.uniform(0.5, 2, len(y))
    model = LogisticRegression().fit(X, y, weight)
    m = model.multipliers_
    along = X @ m["features"].T + m["intercept"]
    stationarity = weight[:, None] * (model.predict_log_proba(X) + 1 + along) + m["normalization"][:, None]
    assert_allclose(stationarity, 0.0, atol=1e-13)
    assert_allclose(np.sum(model.coef_, axis=0), 0.0, atol=1e-12)


def test_gap_of_an_unfinished_fit_is_positive():
    X, y = IRIS
    model = LogisticRegression(max_iter=2).fit(X, y)
    assert model.status_ is Status.STEPS and model.n_iter_ == 2
    assert model.residuals_.primal > 1e-6
    assert model.duality_gap_ > 1.0


@pytest.mark.peers
def test_agrees_with_cvxpy_in_the_primal():
    """The maximum-entropy problem itself, solved over p: values and multipliers."""
    cp = pytest.importorskip("cvxpy")
    X, y = X_IRIS[50::4], IRIS[1][50::4] == 2
    p, xi = cp.Variable(len(y)), cp.Variable(4)
    moments = [X.T @ (p - y) + xi == 0, cp.sum(p) == np.sum(y)]
    objective = -cp.sum(cp.entr(p) + cp.entr(1 - p)) + 0.5 * cp.sum_squares(xi)
    value = cp.Problem(cp.Minimize(objective), moments).solve(solver="CLARABEL")
    model = LogisticRegression(1.0).fit(X, y)
    assert_allclose(value, -model.objective_, rtol=1e-6)
    assert_allclose(p.value, model.predict_proba(X)[:, 1], atol=1e-4)
    assert_allclose(moments[0].dual_value, model.multipliers_["features"][0], atol=1e-3)
    assert_allclose(moments[1].dual_value, model.multipliers_["intercept"][0], atol=1e-3)


# ------------------------------------------------------------------------------------------ hard data
@pytest.mark.parametrize("data", [(X_IRIS, IRIS[1]), (X_IRIS[:100], IRIS[1][:100])], ids=["three", "two"])
def test_separable_classes_without_penalty_are_a_verdict(data):
    X, y = data
    model = LogisticRegression(np.inf).fit(X, y)
    assert model.status_ is Status.UNBOUNDED
    z = np.hstack([X, np.ones((len(X), 1))]) @ model.certificate_.T
    z = np.hstack([0 * z, z]) if z.shape[1] == 1 else z
    margins = z[np.arange(len(y)), y][:, None] - z
    assert np.min(margins) > -1e-9 and np.max(margins) > 1e-3  # F falls along it, for ever
    assert np.isfinite(model.coef_).all() and model.score(X, y) > 0.97
    far = LogisticRegression(1e4).fit(X, y)
    assert model.objective_ < far.objective_


def test_collinear_and_constant_columns():
    X, y = X_IRIS[50:], IRIS[1][50:]
    twice = np.hstack([X, X, np.full((len(X), 1), 3.0)])
    once, model = LogisticRegression(1.0).fit(X, y), LogisticRegression(0.5).fit(twice, y)
    assert_allclose(2 * model.coef_[:, :4], once.coef_, rtol=1e-9)
    assert_allclose(model.coef_[:, 8], 0.0, atol=1e-10)
    free = LogisticRegression(np.inf).fit(twice, y)  # likelihood alone does not choose, the least norm does
    assert_allclose(free.coef_[:, :4], free.coef_[:, 4:8], atol=1e-6)
    assert_allclose(
        free.predict_proba(twice), LogisticRegression(np.inf).fit(X, y).predict_proba(X), atol=1e-7
    )


def test_fewer_rows_than_columns_and_labels_of_any_kind():
    X, y = rng.normal(size=(8, 30)), np.array(["b", "a", "c", "a", "b", "c", "a", "b"])
    model = LogisticRegression().fit(X, y)
    assert model.classes_.tolist() == ["a", "b", "c"] and model.residuals_.hold()
    assert model.score(X, y) == 1.0
    assert LogisticRegression().fit(X, y == "a").classes_.dtype == bool


def test_conjugate_gradients_give_what_factoring_gives(monkeypatch):
    from adjoint.models import logistic_solver

    X, y = X_IRIS, IRIS[1]
    dense = LogisticRegression().fit(X, y)
    monkeypatch.setattr(logistic_solver, "DENSE", 0)
    assert_allclose(LogisticRegression().fit(X, y).coef_, dense.coef_, atol=1e-9)


def test_huge_scores_do_not_overflow():
    X, y = 1e6 * X_IRIS, IRIS[1]
    model = LogisticRegression(1e-12).fit(X, y)
    assert np.isfinite(model.predict_log_proba(1e6 * X)).all()
    assert_allclose(np.sum(model.predict_proba(X), axis=1), 1.0)


# ------------------------------------------------------------------------------------------ errors
X, y = IRIS
MISUSE = [
    (DataError, "C should be a number > 0, got 0", lambda: LogisticRegression(0).fit(X, y)),
    (DataError, "y has 1 class only: 1", lambda: LogisticRegression().fit(X, np.ones(150, int))),
    (DataError, "y has 1 class only", lambda: LogisticRegression().fit(X, y, y == 1)),
    (DataError, "Unknown label type: continuous", lambda: LogisticRegression().fit(X, X[:, 0])),
    (DataError, "class_weight should be a dict", lambda: LogisticRegression(class_weight=3).fit(X, y)),
    (DataError, "class_weight[0]", lambda: LogisticRegression(class_weight={0: -1}).fit(X, y)),
    (DataError, "class_weight has 7, which", lambda: LogisticRegression(class_weight={7: 2.0}).fit(X, y)),
    (DataError, "X contains NaN", lambda: LogisticRegression().fit(np.where(X > 7, np.nan, X), y)),
    (ShapeError, "X and y differ in their numbers of samples", lambda: LogisticRegression().fit(X, y[:-1])),
    (ShapeError, "y should be a 1d array", lambda: LogisticRegression().fit(X, np.c_[y, y])),
    (NotFittedError, "this LogisticRegression is not fitted", lambda: LogisticRegression().predict_proba(X)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "call"), MISUSE, ids=[text for _, text, _ in MISUSE])
def test_misuse_is_named(kind, text, call):
    refused(kind, text, call)
