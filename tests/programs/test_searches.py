"""Searches: where to look next, coordinates behind data, a saddle of two players, independent sources."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as onp
import pytest
import scipy.optimize
import scipy.stats

import adjoint.numpy as np
import adjoint.numpy.random as npr
from adjoint import elementwise_grad, grad, multigrad_dict, value_and_grad
from adjoint.scipy.stats import norm, t

from .harness import follows, same_compiled

RNG = onp.random.default_rng(0)


# ---------------------------------------------------------------------------------- where to look next
SEEN = onp.array([-1.0, 0.0, 1.5])
VALUES = onp.sin(3 * SEEN) + SEEN
KERNEL = onp.exp(-0.5 * (SEEN[:, None] - SEEN) ** 2) + 1e-3 * onp.eye(3)


def expected_improvement(x: Any) -> Any:
    """Of a Gaussian process over the best value seen, at points x (n,)."""
    cross = np.exp(-0.5 * (x[:, None] - SEEN) ** 2)
    mean = np.dot(cross, np.linalg.solve(KERNEL, VALUES))
    std = np.sqrt(1.001 - np.sum(cross * np.linalg.solve(KERNEL, cross.T).T, axis=1))
    gain = (mean - np.max(VALUES)) / std
    return std * (gain * norm.cdf(gain) + norm.pdf(gain))


def test_expected_improvement_is_climbed() -> None:
    x = onp.linspace(-2, 3, 7)
    h = 1e-5
    by_differences = (expected_improvement(x + h) - expected_improvement(x - h)) / (2 * h)
    onp.testing.assert_allclose(elementwise_grad(expected_improvement)(x), by_differences, atol=1e-9)
    # E max(0, f − best), by quadrature over f
    cross = onp.exp(-0.5 * (0.7 - SEEN) ** 2)
    mean = cross @ onp.linalg.solve(KERNEL, VALUES)
    std = onp.sqrt(1.001 - cross @ onp.linalg.solve(KERNEL, cross))
    gain = scipy.stats.norm(mean, std).expect(lambda f: f - VALUES.max(), lb=VALUES.max())
    assert expected_improvement(onp.array([0.7]))[0] == pytest.approx(gain, rel=1e-6)
    found = scipy.optimize.minimize(
        value_and_grad(lambda x: -np.sum(expected_improvement(x))),
        [1.7],
        jac=True,
        bounds=[(-2, 3)],
        tol=1e-12,
    )
    grid = onp.linspace(1.0, 3.0, 2001)
    assert found.x[0] == pytest.approx(grid[onp.argmax(expected_improvement(grid))], abs=2e-3)
    same_compiled(lambda x: np.sum(expected_improvement(x)), x)


# -------------------------------------------------------------------------- coordinates behind the data
def test_latent_coordinates_of_a_gaussian_process() -> None:
    curve = onp.linspace(-1.5, 1.5, 10)
    data = onp.stack([onp.sin(curve), curve, onp.cos(curve)], 1) + 0.01 * RNG.normal(size=(10, 3))

    def improbability(params: Any, rows: Any) -> Any:
        latent, (log_scale, log_noise) = params[:10], params[10:]
        gaps = np.exp(-0.5 * ((latent[:, None] - latent[None, :]) * np.exp(log_scale)) ** 2)
        factor = np.linalg.cholesky(gaps + np.exp(log_noise) * np.eye(10))
        half = np.linalg.solve(factor, rows)
        return (
            0.5 * np.sum(half**2) + rows.shape[1] * np.sum(np.log(np.diag(factor))) + 0.5 * np.sum(latent**2)
        )

    start = onp.concatenate([curve + 0.3 * RNG.normal(size=10), [0.0, -3.0]])
    g = grad(improbability)(start, data)
    follows(partial(improbability, rows=data), start, g)
    found = scipy.optimize.minimize(
        value_and_grad(improbability), start, args=(data,), jac=True, options={"maxiter": 30}
    )
    order = scipy.stats.spearmanr(found.x[:10], curve).statistic
    assert abs(order) > 0.99
    same_compiled(improbability, start, data)


# -------------------------------------------------------------------------- a saddle between two players
def test_two_players_meet_at_the_saddle() -> None:
    a, b, c = (
        onp.array([[2.0, 0.3], [0.3, 1.0]]),
        onp.array([[1.0, -0.5], [0.2, 0.8]]),
        onp.array([1.0, -1.0]),
    )

    def game(x: Any, y: Any) -> Any:
        return 0.5 * np.dot(x, np.dot(a, x)) + np.dot(x, np.dot(b, y)) - 0.5 * np.dot(y, y) + np.dot(c, x)

    both = multigrad_dict(game)
    x, y = onp.zeros(2), onp.zeros(2)
    for _ in range(200):
        g = both(x, y)
        x, y = x - 0.2 * g["x"], y + 0.2 * g["y"]
    exact = onp.linalg.solve(onp.block([[a, b], [b.T, -onp.eye(2)]]), onp.concatenate([-c, onp.zeros(2)]))
    onp.testing.assert_allclose(onp.concatenate([x, y]), exact, atol=1e-8)


# --------------------------------------------------------------------------------- independent sources
def test_sources_are_told_apart() -> None:
    sources = npr.RandomState(0).standard_t(2.5, size=(2, 400))
    mixing = onp.array([[1.0, 0.6], [-0.4, 1.0]])
    signals = mixing @ sources

    def improbability(unmixing: Any) -> Any:
        likelihood = np.mean(np.sum(t.logpdf(np.dot(unmixing, signals), 2.5), axis=0))
        return -likelihood - np.linalg.slogdet(unmixing)[1]

    w = onp.eye(2)
    z = w @ signals
    score = -3.5 * z / (2.5 + z**2)  # d log t / dz
    closed = -score @ signals.T / 400 - onp.linalg.inv(w).T
    onp.testing.assert_allclose(grad(improbability)(w), closed, rtol=1e-10)
    found = scipy.optimize.minimize(
        value_and_grad(lambda w: improbability(np.reshape(w, (2, 2)))), w.ravel(), jac=True
    )
    product = found.x.reshape(2, 2) @ mixing
    rest = product - onp.diag(onp.diag(product))
    assert onp.abs(rest).max() < 0.1 * onp.abs(onp.diag(product)).min()
    same_compiled(improbability, w)
