"""PCA: scikit-learn's numbers and signs, stationarity with eigenvalue multipliers, ties, whitening."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import adjoint as ad
from adjoint.errors import ShapeError
from adjoint.models import PCA, DataError, NotFittedError

from .harness import refused

decomposition = pytest.importorskip("sklearn.decomposition")
datasets = pytest.importorskip("sklearn.datasets")

DATA = {
    name: getattr(datasets, f"load_{name}")(return_X_y=True)[0]
    for name in ("iris", "wine", "diabetes", "breast_cancer", "digits")
}
rng = np.random.default_rng(0)


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("name", DATA)
def test_agrees_with_scikit_learn(name, whiten):
    X = DATA[name]
    ours = PCA(4, whiten=whiten).fit(X)
    peer = decomposition.PCA(4, whiten=whiten, svd_solver="full").fit(X)
    for attribute in (
        "components_", "explained_variance_", "explained_variance_ratio_", "singular_values_", "mean_",
        "noise_variance_",
    ):  # fmt: skip
        assert_allclose(getattr(ours, attribute), getattr(peer, attribute), rtol=1e-8, atol=1e-10)
    z = ours.transform(X)
    assert_allclose(z, peer.transform(X), atol=1e-8 * np.max(np.abs(z)))
    assert_allclose(ours.inverse_transform(z), peer.inverse_transform(z), atol=1e-8 * np.max(np.abs(X)))
    plain = decomposition.PCA(4, svd_solver="full").fit(X)  # theirs multiplies twice by λ when it whitens
    assert_allclose(ours.get_covariance(), plain.get_covariance(), rtol=1e-8, atol=1e-8)
    assert ours.residuals_.hold(1e-12), ours.residuals_


def test_multipliers_are_eigenvalues_of_the_covariance():
    X = DATA["wine"]
    model = PCA().fit(X)
    values = np.linalg.eigvalsh(np.cov(X.T))[::-1]
    assert_allclose(model.multipliers_["norm"], values, rtol=1e-9)
    assert_allclose(model.multipliers_["orthogonality"], 0.0, atol=1e-10 * values[0])
    assert_allclose(np.sum(model.explained_variance_ratio_), 1.0)


def test_lagrangian_is_stationary_by_the_library():
    covariance = np.cov(DATA["iris"].T)
    model = PCA().fit(DATA["iris"])
    V, nu = model.components_, model.multipliers_
    for k in range(4):

        def lagrangian(v, k=k):
            norm = nu["norm"][k] * (v @ v - 1)
            return -v @ covariance @ v + norm + nu["orthogonality"][k, :k] @ (V[:k] @ v)

        assert_allclose(ad.grad(lagrangian)(V[k]), 0.0, atol=1e-13)


def test_multipliers_are_sensitivities():
    """SciPy solves again with ‖v‖² = 1 + b, and with v₁ᵀv = b: f* = −vᵀΣv falls by νb."""
    minimize = pytest.importorskip("scipy.optimize").minimize
    covariance = np.cov(DATA["iris"].T)
    model = PCA(2).fit(DATA["iris"])
    first, second = model.components_

    def solve(norm, orthogonality):
        constraints = [
            {"type": "eq", "fun": lambda v: v @ v - 1 - norm},
            {"type": "eq", "fun": lambda v: first @ v - orthogonality},
        ]
        start = second + 0.05 * rng.normal(size=4)
        return minimize(
            lambda v: -v @ covariance @ v, start, constraints=constraints, options={"ftol": 1e-15}
        ).fun

    h = 1e-3
    by_norm = (solve(h, 0.0) - solve(-h, 0.0)) / (2 * h)
    assert_allclose(model.sensitivity("norm")[1], by_norm, rtol=1e-6)
    by_angle = (solve(0.0, h) - solve(0.0, -h)) / (2 * h)
    assert_allclose(model.sensitivity("orthogonality")[1, 0], by_angle, atol=1e-6)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99, 0.9999])
def test_share_of_variance(share):
    X = DATA["digits"]
    ours, peer = PCA(share).fit(X), decomposition.PCA(share, svd_solver="full").fit(X)
    assert ours.n_components_ == peer.n_components_
    assert np.sum(ours.explained_variance_ratio_) >= share


def test_whitened_coordinates_have_unit_covariance():
    X = DATA["diabetes"]
    assert_allclose(np.cov(PCA(whiten=True).fit_transform(X).T), np.eye(10), atol=1e-10)
    model = PCA().fit(X)
    assert_allclose(model.inverse_transform(model.transform(X)), X, atol=1e-14)
    assert model.get_feature_names_out().tolist() == [f"pca{k}" for k in range(10)]


# ------------------------------------------------------------------------------------------ hard data
def test_collinear_and_constant_columns_have_eigenvalue_zero():
    X = DATA["iris"]
    wide = np.hstack([X, X[:, :1] + X[:, 1:2], np.full((150, 1), 1e3)])
    model = PCA(whiten=True).fit(wide)
    assert np.all(model.explained_variance_[4:] == 0) and np.all(model.explained_variance_[:4] > 1e-3)
    assert np.max(np.abs(model.transform(wide)[:, 4:])) < 1e-10
    assert model.residuals_.hold(1e-12)


def test_no_variance_at_all_is_no_nan():
    model = PCA(0.9).fit(np.full((5, 3), 2.0))
    assert not model.explained_variance_.any() and not model.explained_variance_ratio_.any()
    assert np.isfinite(model.components_).all() and model.residuals_.hold()
    assert_allclose(model.inverse_transform(model.transform([[2.0, 2.0, 2.0]])), 2.0)


def test_fewer_rows_than_columns():
    X = rng.normal(size=(5, 30))
    ours, peer = PCA(4).fit(X), decomposition.PCA(4, svd_solver="full").fit(X)
    assert_allclose(ours.components_, peer.components_, atol=1e-12)
    assert PCA().fit(X).components_.shape == (5, 30) and ours.residuals_.hold(1e-12)


def test_equal_eigenvalues_are_named():
    corners = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    assert PCA().fit(corners).ties_ == [(0, 1)]
    assert PCA().fit(DATA["iris"]).ties_ == []


# ------------------------------------------------------------------------------------------ errors
X = DATA["iris"]
MISUSE = [
    (DataError, "n_components should be None, a whole number from 1 to min(n, p) = 4", lambda: PCA(5).fit(X)),
    (DataError, "a share in (0, 1); got 1.5", lambda: PCA(1.5).fit(X)),
    (DataError, "a share in (0, 1); got 'mle'", lambda: PCA("mle").fit(X)),
    (ShapeError, "found 1 sample (shape=(1, 4)) while a minimum of 2", lambda: PCA().fit(X[:1])),
    (DataError, "X contains NaN: X[0, 0]", lambda: PCA().fit(X * np.nan)),
    (ShapeError, "Z should be (n, 2), got (1, 3)", lambda: PCA(2).fit(X).inverse_transform(np.ones((1, 3)))),
    (NotFittedError, "this PCA is not fitted yet", lambda: PCA().transform(X)),
]


@pytest.mark.parametrize(("kind", "text", "call"), MISUSE, ids=[text for _, text, _ in MISUSE])
def test_misuse_is_named(kind, text, call):
    refused(kind, text, call)
