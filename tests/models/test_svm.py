"""Support vector machines: scikit-learn, cvxpy, SciPy, closed forms; weights, kernels, hard data, errors."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from adjoint.errors import ShapeError, UnknownNameError
from adjoint.models import SVC, DataError, FitStatus, FitWarning, NotFittedError, OneClassSVM

from .harness import refused

svm = pytest.importorskip("sklearn.svm")
datasets = pytest.importorskip("sklearn.datasets")


def scaled(load):
    X, y = load(return_X_y=True)
    X = X[:, X.std(axis=0) > 0]
    return (X - X.mean(axis=0)) / X.std(axis=0), y


IRIS, WINE, CANCER = (
    scaled(d) for d in (datasets.load_iris, datasets.load_wine, datasets.load_breast_cancer)
)
DIGITS = tuple(part[:400] for part in datasets.load_digits(return_X_y=True))
DATA = {"iris": IRIS, "wine": WINE, "cancer": CANCER, "digits": DIGITS}
KERNELS = [
    {"kernel": "linear"},
    {"kernel": "rbf"},
    {"kernel": "rbf", "gamma": "auto", "C": 30.0},
    {"kernel": "poly", "coef0": 1.0},
    {"kernel": "rbf", "gamma": 0.05, "class_weight": "balanced"},
]


def dual_objective(K, beta, sign):
    return float(np.sum(sign * beta) - 0.5 * beta @ K @ beta)


def kernel_matrix(model, X):
    """The matrix by scikit-learn, from the parameters of a fitted model of ours."""
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    given = {} if model.kernel == "linear" else {"gamma": model._kernel.gamma}
    if model.kernel == "poly":
        given |= {"degree": model.degree, "coef0": model.coef0}
    return pairwise.pairwise_kernels(X, metric=model.kernel, **given)


# ------------------------------------------------------------------------------------------ agreement
@pytest.mark.parametrize("parameters", KERNELS, ids=str)
@pytest.mark.parametrize("name", DATA)
def test_agrees_with_scikit_learn(name, parameters):
    """To 1e-5 of its decision values and 1e-6 of its objective: it keeps kernels in single precision."""
    X, y = DATA[name]
    ours = SVC(**parameters).fit(X, y)
    theirs = svm.SVC(tol=1e-9, **parameters).fit(X, y)
    assert ours.status_ is FitStatus.SOLVED and ours.residuals_.worst <= 1e-10, ours.message_
    assert np.all(ours.duality_gap_ <= 1e-9 * ours.objective_)
    assert ours.dual_coef_.shape[0] == theirs.dual_coef_.shape[0] == len(ours.classes_) - 1
    assert_array_equal(ours.predict(X), theirs.predict(X))
    assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-5, atol=1e-5)
    scale = np.max(np.abs(theirs.decision_function(X)))
    assert_allclose(ours.decision_function(X), theirs.decision_function(X), rtol=0, atol=3e-5 * scale)
    if ours.kernel == "linear":
        assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4, atol=3e-5)
    if len(ours.classes_) == 2:
        K, sign = kernel_matrix(ours, X), np.where(y == 1, 1.0, -1.0)
        beta = np.zeros(len(X))
        beta[theirs.support_] = theirs.dual_coef_[0]
        best = dual_objective(K, sign * ours.multipliers_["margin"], sign)
        assert_allclose(best, ours.objective_, rtol=1e-9)
        assert best >= dual_objective(K, beta, sign) - 1e-9 * best
        assert_allclose(best, dual_objective(K, beta, sign), rtol=1e-6)


@pytest.mark.parametrize("name", ["iris", "digits"])
def test_pairs_have_the_layout_of_scikit_learn(name):
    X, y = DATA[name]
    ours, theirs = SVC(gamma=0.3 if name == "iris" else "scale"), svm.SVC(tol=1e-9)
    theirs.set_params(gamma=ours.gamma)
    ours.fit(X, y), theirs.fit(X, y)
    assert_array_equal(ours.support_, theirs.support_)
    assert_array_equal(ours.n_support_, theirs.n_support_)
    assert_array_equal(ours.support_vectors_, theirs.support_vectors_)
    assert_allclose(ours.dual_coef_, theirs.dual_coef_, atol=1e-5)
    pairs = len(ours.classes_) * (len(ours.classes_) - 1) // 2
    assert ours.multipliers_["margin"].shape == (pairs, len(X))
    for shape in ("ovo", "ovr"):
        ours.decision_function_shape = theirs.decision_function_shape = shape
        assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-5)
    ours.break_ties = theirs.break_ties = True
    assert_array_equal(ours.predict(X), theirs.predict(X))
    assert_array_equal(ours.predict(X), ours.classes_[np.argmax(ours.decision_function(X), axis=1)])


@pytest.mark.peers
@pytest.mark.parametrize("C", [0.5, 20.0])
@pytest.mark.parametrize("name", ["iris", "wine", "cancer"])
def test_multipliers_agree_with_cvxpy(name, C):
    cp = pytest.importorskip("cvxpy")
    X, y = DATA[name]
    X, y = X[::3], y[::3] > 0
    ours = SVC(C=C, gamma=0.2).fit(X, y)
    K, sign = kernel_matrix(ours, X), np.where(y, 1.0, -1.0)
    mu = cp.Variable(len(X))
    root = np.linalg.cholesky(K + 1e-13 * np.eye(len(X))).T
    balance = sign @ mu == 0
    # minimised, so that its dual value is ν of L = f + ν (yᵀμ)
    problem = cp.Problem(
        cp.Minimize(0.5 * cp.sum_squares(root @ cp.multiply(sign, mu)) - cp.sum(mu)),
        [mu >= 0, mu <= C, balance],
    )
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    assert_allclose(ours.multipliers_["margin"], mu.value, atol=1e-6 * C)
    assert_allclose(ours.multipliers_["balance"], balance.dual_value, atol=1e-6)
    assert_allclose(ours.objective_, -problem.value, rtol=1e-8)


def test_primal_problem_agrees_with_scipy():
    """The primal problem over (w, b, ξ), by a solver that knows nothing of duals."""
    optimize = pytest.importorskip("scipy.optimize")
    X, y = CANCER[0][::20, :2], np.where(CANCER[1][::20] == 1, -1.0, 1.0)
    n, C = len(X), 0.7
    rows = np.hstack([y[:, None] * X, y[:, None], np.eye(n)])
    found = optimize.minimize(
        lambda v: 0.5 * v[:2] @ v[:2] + C * np.sum(v[3:]), np.zeros(3 + n), method="SLSQP",
        jac=lambda v: np.concatenate([v[:2], [0.0], np.full(n, C)]), options={"maxiter": 500, "ftol": 1e-15},
        constraints={"type": "ineq", "fun": lambda v: rows @ v - 1, "jac": lambda v: rows},
        bounds=[(None, None)] * 3 + [(0, None)] * n,
    )  # fmt: skip
    ours = SVC(C=C, kernel="linear").fit(X, y)
    assert_allclose(ours.coef_[0], found.x[:2], atol=1e-6)
    assert_allclose(ours.intercept_[0], found.x[2], atol=1e-6)
    assert_allclose(ours.objective_, found.fun, rtol=1e-9)


@pytest.mark.parametrize("parameters", KERNELS[:4], ids=str)
def test_kkt_conditions_by_hand(parameters):
    """Nothing of ours but the multipliers: y f ≥ 1 where μ = 0, = 1 between, ≤ 1 where μ = C."""
    X, y = CANCER
    model = SVC(**parameters).fit(X, y)
    sign, mu, C = np.where(y == 1, 1.0, -1.0), model.multipliers_["margin"], model.C
    seen = sign * (kernel_matrix(model, X) @ (sign * mu) + model.multipliers_["balance"])
    assert_allclose(seen, sign * model.decision_function(X), atol=1e-9)
    assert np.all(seen[mu == 0] >= 1 - 1e-9) and np.all(seen[mu == C] <= 1 + 1e-9)
    between = (mu > 0) & (mu < C)
    assert between.any() and np.max(np.abs(seen[between] - 1)) < 1e-9
    assert abs(sign @ mu) < 1e-9 and np.min(mu) >= 0 and np.max(mu) <= C
    assert_array_equal(np.flatnonzero(mu), np.sort(model.support_))
    assert_allclose(mu + model.multipliers_["slack"], C)


def test_two_points_have_a_closed_form():
    """Margin 2/‖w‖ = distance d, so μ = 2/d² each; for C below that, μ = C."""
    X = np.array([[0.0, 0.0], [3.0, 4.0]])
    model = SVC(kernel="linear", C=1.0).fit(X, ["no", "yes"])
    assert_allclose(model.multipliers_["margin"], 2 / 25, rtol=1e-14)
    assert_allclose(model.coef_[0], 2 * X[1] / 25, rtol=1e-14)
    assert_allclose(model.intercept_, -1.0)
    assert_allclose(SVC(kernel="linear", C=0.03).fit(X, [0, 1]).multipliers_["margin"], 0.03)
    assert model.predict([[3.0, 3.0]])[0] == "yes"


# ------------------------------------------------------------------------------------------ one class
@pytest.mark.parametrize("nu", [0.02, 0.1, 0.5, 0.77])
@pytest.mark.parametrize("name", ["iris", "wine", "cancer"])
def test_one_class_agrees_with_scikit_learn(name, nu):
    X, _ = DATA[name]
    ours, theirs = OneClassSVM(nu=nu, gamma=0.1).fit(X), svm.OneClassSVM(nu=nu, gamma=0.1, tol=1e-9).fit(X)
    scale = np.max(theirs.score_samples(X))
    assert_allclose(ours.score_samples(X), theirs.score_samples(X), atol=1e-6 * scale)
    assert_allclose(ours.offset_, theirs.offset_[0], rtol=1e-6)
    assert ours.residuals_.worst <= 1e-10 and ours.duality_gap_ <= 1e-9 * abs(ours.objective_) + 1e-12
    mu = ours.multipliers_["margin"]
    assert_allclose(np.sum(mu), nu * len(X), rtol=1e-12)
    outside = ours.predict(X) < 0
    assert np.mean(outside) <= nu <= np.mean(mu > 0) + 1e-12
    assert_allclose(mu[outside], 1.0)
    assert ours.multipliers_["balance"] == ours.intercept_[0] == -ours.offset_


@pytest.mark.peers
def test_one_class_multipliers_agree_with_cvxpy():
    cp = pytest.importorskip("cvxpy")
    X = WINE[0][::2]
    ours = OneClassSVM(nu=0.2, gamma=0.1).fit(X)
    root = np.linalg.cholesky(kernel_matrix(ours, X) + 1e-13 * np.eye(len(X))).T
    mu = cp.Variable(len(X))
    total = cp.sum(mu) == 0.2 * len(X)
    problem = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(root @ mu)), [mu >= 0, mu <= 1, total])
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    assert_allclose(ours.multipliers_["margin"], mu.value, atol=1e-6)
    assert_allclose(ours.multipliers_["balance"], total.dual_value, atol=1e-6)


def test_one_class_without_a_free_point_has_the_nearest_boundary():
    """ν = 1: all μ = 1, and ρ is only bounded from below, by the largest value."""
    X, _ = IRIS
    model = OneClassSVM(nu=1.0).fit(X)
    assert_allclose(model.multipliers_["margin"], 1.0)
    assert_allclose(model.offset_, np.max(kernel_matrix(model, X).sum(axis=1)))
    assert np.isfinite(model.objective_)


# ------------------------------------------------------------------------------------------ weights
def test_weights_repeat_rows():
    X, y = WINE
    count = np.random.default_rng(1).integers(0, 3, len(X))
    for model in (SVC(C=0.3), SVC(kernel="linear", class_weight="balanced"), OneClassSVM(nu=0.3)):
        weighted = pickle.loads(pickle.dumps(model)).fit(X, y, count)
        repeated = model.fit(np.repeat(X, count, axis=0), np.repeat(y, count))
        assert_allclose(weighted.decision_function(X), repeated.decision_function(X), atol=1e-8)
        assert not np.any(np.atleast_2d(weighted.multipliers_["margin"])[:, count == 0])


def test_weights_agree_with_scikit_learn():
    X, y = CANCER
    weight = np.random.default_rng(2).uniform(0.2, 3.0, len(X))
    for parameters in ({"class_weight": {0: 5.0}}, {"class_weight": None}):
        ours = SVC(gamma=0.02, **parameters).fit(X, y, weight)
        theirs = svm.SVC(gamma=0.02, tol=1e-9, **parameters).fit(X, y, weight)
        assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-5)
        assert_array_equal(ours.support_, theirs.support_)
    ours, theirs = OneClassSVM(nu=0.2, gamma=0.02), svm.OneClassSVM(nu=0.2, gamma=0.02, tol=1e-9)
    ours.fit(X, sample_weight=weight), theirs.fit(X, sample_weight=weight)
    assert_allclose(ours.score_samples(X), theirs.score_samples(X), rtol=1e-6)
    assert_allclose(ours.offset_, theirs.offset_[0], rtol=1e-6)


# ------------------------------------------------------------------------------------------ kernels
def test_a_function_may_be_the_kernel():
    X, y = IRIS
    for own, named in (
        (lambda A, B: A @ B.T, {"kernel": "linear"}),
        (
            lambda A, B: (0.5 * A @ B.T + 2.0) ** 2,
            {"kernel": "poly", "degree": 2, "gamma": 0.5, "coef0": 2.0},
        ),
        (lambda A, B: np.exp(-np.sum((A[:, None] - B) ** 2, axis=2)), {"kernel": "rbf", "gamma": 1.0}),
    ):
        a, b = SVC(kernel=own).fit(X, y), SVC(**named).fit(X, y)
        assert_allclose(a.decision_function(X), b.decision_function(X), atol=1e-9)
        assert a.status_ is FitStatus.SOLVED


def test_a_kernel_that_is_none_is_told_in_words():
    X, y = CANCER
    sigmoid = SVC(kernel=lambda A, B: np.tanh(0.01 * A @ B.T - 1))
    with pytest.warns(
        FitWarning, match=r"SVC: the kernel matrix is not positive semidefinite \(eigenvalues from -"
    ):
        sigmoid.fit(X, y)
    assert sigmoid.status_ is FitStatus.INDEFINITE and "certifies nothing" in sigmoid.message_
    assert sigmoid.residuals_.worst < 1e-8  # a stationary point all the same
    with pytest.warns(FitWarning, match="not positive semidefinite") as caught:
        OneClassSVM(kernel="poly", coef0=-2.0).fit(X)
        sigmoid.fit(X, y)
    assert [w.filename for w in caught] == [__file__] * 2  # the user's lines, each once


def test_far_from_the_origin_rbf_keeps_its_digits():
    X, y = WINE
    near, far = SVC(gamma=0.1).fit(X, y), SVC(gamma=0.1).fit(X + 1e6, y)
    assert_allclose(far.decision_function(X + 1e6), near.decision_function(X), atol=1e-7)


# ------------------------------------------------------------------------------------------ hard data
def solved(model, X, y):
    model.fit(X, y)
    assert model.status_ is FitStatus.SOLVED and model.residuals_.hold(1e-8), model.message_
    return model


def test_points_with_both_labels():
    X = np.vstack([np.eye(2), np.eye(2)])
    for C in (1.0, 1e6):
        for kernel in ("linear", "rbf", "poly"):
            model = solved(SVC(C=C, kernel=kernel), X, [0, 0, 1, 1])
            assert_allclose(model.multipliers_["margin"], C)
            assert_allclose(model.decision_function(X), 0.0, atol=1e-9)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_separable_data_with_huge_cost_give_the_hard_margin(kernel):
    X, y = IRIS[0], IRIS[1] == 0
    hard, harder = (solved(SVC(C=C, kernel=kernel, gamma=0.2), X, y) for C in (1e4, 1e10))
    assert_allclose(hard.decision_function(X), harder.decision_function(X), rtol=1e-9)
    assert np.min(np.where(y, 1, -1) * hard.decision_function(X)) >= 1 - 1e-9
    assert np.max(hard.multipliers_["margin"]) < 1e4


def test_features_without_variance_change_nothing():
    X, y = WINE
    wide = np.hstack([X, np.full((len(X), 2), 3.0)])
    for kernel in ("linear", "rbf"):
        a, b = SVC(kernel=kernel, gamma=0.1).fit(X, y), solved(SVC(kernel=kernel, gamma=0.1), wide, y)
        assert_allclose(a.decision_function(X), b.decision_function(wide), atol=1e-8)


def test_data_without_any_variance():
    for kernel in ("linear", "rbf", "poly"):
        model = solved(SVC(kernel=kernel), np.ones((5, 3)), [0, 0, 1, 1, 1])
        assert_array_equal(model.predict(np.ones((1, 3))), [1])  # the larger class
    zero = solved(SVC(kernel="linear"), np.zeros((4, 1)), [0, 0, 1, 1])
    assert_allclose(zero.objective_, 4.0)
    assert solved(OneClassSVM(), np.zeros((3, 2)), None).predict(np.zeros((1, 2)))[0] == 1


@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3])
def test_fewer_features_than_free_points(C):
    """Linear kernels of few features: the minimiser is one of many, w and the objective are not."""
    rng = np.random.default_rng(3)
    X = np.round(rng.normal(size=(300, 3)), 1)
    y = X[:, 0] + 0.5 * rng.normal(size=300) > 0
    model = solved(SVC(kernel="linear", C=C), X, y)
    theirs = svm.SVC(kernel="linear", C=C).fit(X, y)
    missed = np.maximum(0, 1 - np.where(y, 1, -1) * theirs.decision_function(X))
    assert model.objective_ <= 0.5 * np.sum(theirs.coef_**2) + C * np.sum(missed)
    assert_allclose(model.coef_, theirs.coef_, atol=0.01)
    between = (model.multipliers_["margin"] > 0) & (model.multipliers_["slack"] > 0)
    assert np.sum(between) <= 4 or np.linalg.matrix_rank(X[between]) <= 3


def test_scales_beyond_floating_point_are_admitted():
    X, y = datasets.load_breast_cancer(return_X_y=True)
    with pytest.warns(
        FitWarning, match=r"SVC: no further progress at a worst KKT residual of .*; scale the feat"
    ):
        model = SVC(kernel="poly", gamma=1.0).fit(X, y)
    assert model.status_ is FitStatus.STALLED and np.all(np.isfinite(model.decision_function(X)))


def test_two_points_and_one_point():
    assert_array_equal(SVC().fit([[0.0], [1.0]], [1, 2]).predict([[0.1], [0.8]]), [1, 2])
    alone = OneClassSVM().fit([[1.0, 2.0]])
    assert_allclose([alone.offset_, alone.multipliers_["margin"][0]], [0.5, 0.5])


# ------------------------------------------------------------------------------------------ errors
X, y = IRIS
NAN = np.where(np.arange(150)[:, None] == 7, np.nan, X)
MISUSE = [
    (DataError, "SVC needs at least two classes; y has 1 class only: 0", lambda: SVC().fit(X, 0 * y)),
    (DataError, "X contains NaN: X[7, 0]; 4 entries", lambda: SVC().fit(NAN, y)),
    (DataError, "X contains NaN: X[7, 0]; 4 entries", lambda: OneClassSVM().fit(NAN)),
    (DataError, "C should be a number > 0, got 0", lambda: SVC(C=0).fit(X, y)),
    (DataError, "C should be finite\n", lambda: SVC(C=np.inf).fit(X, y)),
    (DataError, "gamma should be a number > 0, got -1", lambda: SVC(gamma=-1).fit(X, y)),
    (DataError, "gamma should be 'scale', 'auto' or a number > 0", lambda: SVC(gamma="wide").fit(X, y)),
    (DataError, "kernel should be one of 'linear', 'rbf', 'poly' or", lambda: SVC(kernel="tanh").fit(X, y)),
    (DataError, "nu should be a number > 0 and ≤ 1, got 0", lambda: OneClassSVM(nu=0.0).fit(X)),
    (DataError, "nu should be a number > 0 and ≤ 1, got 1.5", lambda: OneClassSVM(nu=1.5).fit(X)),
    (DataError, "tol should be a number > 0, got 0", lambda: SVC(tol=0).fit(X, y)),
    (DataError, "class_weight has 3, which is none of", lambda: SVC(class_weight={3: 1.0}).fit(X, y)),
    (DataError, "class_weight[0] should be a number > 0", lambda: SVC(class_weight={0: -1.0}).fit(X, y)),
    (DataError, "class_weight should be a dict", lambda: SVC(class_weight="equal").fit(X, y)),
    (DataError, "class 0 has no sample of positive weight", lambda: SVC().fit(X, y, (y > 0) * 1.0)),
    (DataError, "decision_function_shape should be", lambda: SVC(decision_function_shape="one").fit(X, y)),
    (ShapeError, "the kernel returned (150,) for", lambda: SVC(kernel=lambda A, B: A[:, 0]).fit(X, y)),
    (DataError, "kernel is not symmetric", lambda: SVC(kernel=lambda A, B: A[:, :1] - B[:, 0]).fit(X, y)),
    (DataError, "kernel matrix contains NaN", lambda: SVC(kernel=lambda A, B: A @ B.T * np.nan).fit(X, y)),
    (DataError, "kernel matrix contains inf", lambda: SVC(kernel="poly", degree=999, gamma=1.0).fit(X, y)),
    (ShapeError, "X has 2 features, but SVC is expecting 4", lambda: SVC().fit(X, y).predict(X[:, :2])),
    (ShapeError, "differ in their numbers of samples: 150 and 3", lambda: SVC().fit(X, y[:3])),
    (NotFittedError, "this SVC is not fitted yet\n", lambda: SVC().predict(X)),
    (NotFittedError, "this OneClassSVM is not fitted yet\n", lambda: OneClassSVM().decision_function(X)),
    (UnknownNameError, "no constraint 'C'; there are margin", lambda: SVC().fit(X, y).sensitivity("C")),
    (AttributeError, "coef_", lambda: SVC().fit(X, y).coef_),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "call"), MISUSE, ids=[text for _, text, _ in MISUSE])
def test_misuse_is_named(kind, text, call):
    refused(kind, text, call)


def test_a_part_of_the_data_may_lack_a_class():
    weights = {0: 1.0, 1: 2.0, 2: 1.0}
    assert_array_equal(SVC(class_weight=weights).fit(X[:100], y[:100]).classes_, [0, 1])


def test_fitting_again_forgets():
    model = SVC(kernel="linear").fit(X, y)
    assert model.coef_.shape == (3, 4)
    model.set_params(kernel="rbf").fit(X, y)
    assert not hasattr(model, "coef_")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.predict(X))
    assert repr(SVC(C=2.0, kernel="linear")) == "SVC(C=2.0, kernel='linear')"
