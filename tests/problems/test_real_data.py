"""Constrained fits on the data sets that scikit-learn ships, against independent solvers."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import optimize

import adjoint as ad
from adjoint.problems import Status

datasets = pytest.importorskip("sklearn.datasets")


@cache  # f below asks for it at every evaluation
def diabetes() -> tuple[np.ndarray, np.ndarray]:
    X, y = datasets.load_diabetes(return_X_y=True)
    return (X - X.mean(0)) / X.std(0), (y - y.mean()) / y.std()


def squares(w: np.ndarray) -> np.ndarray:
    X, y = diabetes()
    return np.sum((X @ w - y) ** 2)


def test_least_squares_on_a_ball_is_ridge() -> None:
    """‖w‖² ≤ c: (XᵀX + μI) w = Xᵀy with the μ that solves ‖w(μ)‖² = c."""
    X, y = diabetes()
    found = ad.minimize(squares, np.zeros(10), ineq={"norm": lambda w: w @ w - 0.2})
    assert found.status is Status.SOLVED and found.residuals.hold(1e-8)

    def ridge(mu: float) -> np.ndarray:
        return np.linalg.solve(X.T @ X + mu * np.eye(10), X.T @ y)

    mu = optimize.brentq(lambda mu: ridge(mu) @ ridge(mu) - 0.2, 1e-3, 1e4, xtol=1e-12, rtol=1e-14)
    np.testing.assert_allclose(found.multipliers["norm"], mu, rtol=1e-9)
    np.testing.assert_allclose(found.x, ridge(mu), atol=1e-10)
    step = 1e-4
    up, down = (
        ad.minimize(squares, np.zeros(10), ineq={"norm": lambda w, s=s: w @ w - 0.2 - s})
        for s in (step, -step)
    )
    np.testing.assert_allclose(found.sensitivity("norm").fun, (up.fun - down.fun) / (2 * step), rtol=1e-6)
    np.testing.assert_allclose(found.sensitivity("norm").x, (up.x - down.x) / (2 * step), atol=1e-6)


def test_nonnegative_least_squares() -> None:
    X, y = diabetes()
    found = ad.minimize(squares, np.ones(10), bounds=(0.0, None))
    assert found.status is Status.SOLVED and found.residuals.hold(1e-8)
    exact, _ = optimize.nnls(X, y)
    np.testing.assert_allclose(found.x, exact, atol=1e-9)
    np.testing.assert_allclose(
        found.multipliers["lower"], 2 * X.T @ (X @ exact - y) * (exact == 0), atol=1e-7
    )
    large = ad.minimize(squares, np.ones(10), bounds=(0.0, None), method="augmented")
    np.testing.assert_allclose(large.x, exact, atol=1e-9)


def test_logistic_regression_on_a_simplex_agrees_with_cvxpy() -> None:
    cp = pytest.importorskip("cvxpy")
    X, t = datasets.load_breast_cancer(return_X_y=True)
    X, signs = ((X - X.mean(0)) / X.std(0))[:, :8], 2.0 * t - 1

    def loss(w: np.ndarray) -> np.ndarray:
        return np.mean(np.logaddexp(0, signs * (X @ w)))

    found = ad.minimize(loss, np.full(8, 1 / 8), eq={"sum": lambda w: np.sum(w) - 1}, bounds=(0.0, None))
    assert found.status is Status.SOLVED and found.residuals.hold(1e-8)
    w = cp.Variable(8)
    total, positive = cp.sum(w) == 1, -w <= 0
    problem = cp.Problem(
        cp.Minimize(cp.sum(cp.logistic(cp.multiply(signs, X @ w))) / len(X)), [total, positive]
    )
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    np.testing.assert_allclose(found.x, w.value, atol=1e-7)
    np.testing.assert_allclose(found.multipliers["sum"], total.dual_value, atol=1e-8)
    np.testing.assert_allclose(found.multipliers["lower"], positive.dual_value, atol=1e-8)


def test_a_network_whose_hidden_activations_are_limited() -> None:
    """Constraints on intermediate activations; their prices add up to that of loosening all limits."""
    X, y = diabetes()
    X, y = X[:40, :3], y[:40]

    def loss(p: dict, limit: float) -> np.ndarray:
        hidden = np.tanh(X @ p["W"])
        ad.constrain(hidden[:5], upper=limit, lower=-limit, name="hidden")
        return np.mean((hidden @ p["v"] - y) ** 2) + 0.05 * (np.sum(p["W"] ** 2) + np.sum(p["v"] ** 2))

    rng = np.random.default_rng(0)
    start = {"W": 0.3 * rng.normal(size=(3, 2)), "v": 0.3 * rng.normal(size=2)}
    found = ad.minimize(loss, start, args=(0.2,))
    assert found.status is Status.SOLVED and found.residuals.hold(1e-8)
    prices = np.sum(found.multipliers["hidden.upper"]) + np.sum(found.multipliers["hidden.lower"])
    assert prices > 1e-3
    up, down = (ad.minimize(loss, found.x, args=(0.2 + s,)) for s in (1e-5, -1e-5))
    np.testing.assert_allclose(prices, (down.fun - up.fun) / 2e-5, rtol=1e-5)
