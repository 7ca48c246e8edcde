"""Approximate inference: variational fits by sampled bounds, natural gradients, Laplace's method."""

from __future__ import annotations

from typing import Any

import numpy as onp
import pytest

import adjoint.numpy as np
import adjoint.numpy.random as npr
import adjoint.scipy.stats.multivariate_normal as mvn
import adjoint.scipy.stats.norm as norm
from adjoint import elementwise_grad, grad, hessian, jacobian, value_and_grad
from adjoint.misc import flatten
from adjoint.misc.optimizers import adam, sgd

from .harness import follows, same_compiled

D = 2
TARGET_MEAN = onp.array([0.7, -1.2])
TARGET_COVARIANCE = onp.array([[0.5, 0.2], [0.2, 0.3]])
# antithetic and rescaled, so that sample mean and variance are exact and the optimum has a closed form
HALF = npr.RandomState(0).randn(10, D)
HALF = HALF - HALF.mean(0)
WHITE = onp.linalg.cholesky(onp.linalg.inv(HALF.T @ HALF / len(HALF)))
NOISE = onp.concatenate([HALF @ WHITE, -HALF @ WHITE])


def log_target(x: Any) -> Any:
    return mvn.logpdf(x, TARGET_MEAN, TARGET_COVARIANCE)


def bound(params: Any) -> Any:
    """−ELBO of a diagonal Gaussian, sampled by reparameterization."""
    mean, log_std = params[:D], params[D:]
    samples = NOISE * np.exp(log_std) + mean
    entropy = 0.5 * D * (1.0 + np.log(2 * np.pi)) + np.sum(log_std)
    return -(entropy + np.mean(log_target(samples)))


def exact_optimum() -> Any:
    """Mean field: the mean is the target's, the variances are the inverse diagonal of its precision."""
    return onp.concatenate([TARGET_MEAN, -0.5 * onp.log(onp.diag(onp.linalg.inv(TARGET_COVARIANCE)))])


# ------------------------------------------------------------------------------- black-box variational
def test_black_box_variational_inference_finds_the_mean_field() -> None:
    start = onp.array([0.0, 0.0, -1.0, -1.0])
    follows(bound, start, grad(bound)(start))
    onp.testing.assert_allclose(grad(bound)(exact_optimum()), 0, atol=1e-10)
    seen: list[int] = []
    found = adam(
        lambda x, i: grad(bound)(x), start, num_iters=150, step_size=0.1,
        callback=lambda x, i, g: seen.append(i),
    )  # fmt: skip
    onp.testing.assert_allclose(found, exact_optimum(), atol=2e-2)
    assert seen == list(range(150))
    same_compiled(bound, start)


def test_natural_gradient_reaches_it_in_fewer_steps() -> None:
    """Fisher's matrix of a diagonal Gaussian in (μ, log σ) is diag(σ⁻², 2)."""

    def fisher(params: Any) -> Any:
        return np.concatenate([np.exp(-2 * params[D:]), 2.0 * np.ones(D)])

    # it is the expected outer product of the score, which is the Hessian of the divergence
    def divergence(params: Any, others: Any) -> Any:
        m, s, n, r = params[:D], params[D:], others[:D], others[D:]
        return np.sum(r - s + 0.5 * (np.exp(2 * s) + (m - n) ** 2) / np.exp(2 * r) - 0.5)

    start = onp.array([0.0, 0.0, -1.0, -1.0])
    onp.testing.assert_allclose(hessian(divergence, 1)(start, start), onp.diag(fisher(start)), atol=1e-10)

    def distance(x: Any) -> Any:
        return onp.abs(x - exact_optimum()).max()

    natural = sgd(lambda x, i: grad(bound)(x) / fisher(x), start, num_iters=30, step_size=0.8, mass=0.001)
    plain = sgd(lambda x, i: grad(bound)(x), start, num_iters=30, step_size=0.05, mass=0.001)
    assert distance(natural) < 1e-3
    assert distance(natural) < 0.1 * distance(plain)


# --------------------------------------------------------------------------------- a network's posterior
INPUTS = onp.linspace(-1, 1, 15)[:, None]
TARGETS = onp.sin(2 * INPUTS[:, 0])
SHAPES = [((1, 4), (4,)), ((4, 1), (1,))]


def log_joint(weights: Any) -> Any:
    """(S,) log p(weights, data) of S samples of all the weights in a row."""
    at, x = 0, np.tile(INPUTS[None], (weights.shape[0], 1, 1))
    for k, ((m, n), _) in enumerate(SHAPES):
        w = np.reshape(weights[:, at : at + m * n], (-1, m, n))
        b = np.reshape(weights[:, at + m * n : at + (m + 1) * n], (-1, 1, n))
        at += (m + 1) * n
        x = np.einsum("sni,sio->sno", x, w) + b
        x = np.tanh(x) if k == 0 else x
    prior = np.sum(norm.logpdf(weights, 0.0, 1.0), axis=1)
    return prior + np.sum(norm.logpdf(TARGETS, x[:, :, 0], 0.1), axis=1)


def test_network_with_uncertain_weights() -> None:
    draws = npr.RandomState(1).randn(6, 13)

    def elbo(params: tuple[Any, Any]) -> Any:
        mean, log_std = params
        samples = mean + np.exp(log_std) * draws
        return -np.mean(log_joint(samples)) - np.sum(log_std)

    start = (0.3 * npr.RandomState(2).randn(13), -3.0 * onp.ones(13))
    follows(elbo, start, grad(elbo)(start))
    # a sample weighs as the same network and densities written out one by one
    w = draws[0]
    x = onp.tanh(INPUTS @ w[None, :4] + w[4:8]) @ w[8:12] + w[12]
    by_hand = -0.5 * onp.sum(w**2) - 0.5 * onp.sum((TARGETS - x) ** 2) / 0.01
    by_hand -= 14 * onp.log(2 * onp.pi) + 15 * onp.log(0.1)
    assert log_joint(draws)[0] == pytest.approx(by_hand, rel=1e-12)
    found = adam(lambda p, i: grad(elbo)(p), start, num_iters=60, step_size=0.05)
    assert elbo(found) < 0.5 * elbo(start)
    same_compiled(elbo, start)


# ------------------------------------------------------------------------------------- Laplace's method
def test_laplace_approximation_of_a_logistic_posterior() -> None:
    rng = onp.random.default_rng(4)
    x, y = rng.normal(size=(30, 2)), rng.integers(0, 2, 30)

    def energy(w: Any) -> Any:
        z = np.dot(x, w)
        return np.sum(np.logaddexp(0.0, z) - y * z) + 0.5 * np.dot(w, w)

    w = onp.zeros(2)
    for _ in range(8):
        w = w - onp.linalg.solve(hessian(energy)(w), grad(energy)(w))
    p = 1 / (1 + onp.exp(-x @ w))
    onp.testing.assert_allclose(w, x.T @ (y - p), atol=1e-12)
    onp.testing.assert_allclose(
        hessian(energy)(w), x.T @ (x * (p * (1 - p))[:, None]) + onp.eye(2), rtol=1e-12
    )
    onp.testing.assert_allclose(jacobian(grad(energy))(w), hessian(energy)(w), rtol=1e-14)


# ---------------------------------------------------------------------- densities, score and flat vectors
def test_scores_of_densities() -> None:
    x = onp.linspace(-1, 1, 5)
    onp.testing.assert_allclose(elementwise_grad(norm.logpdf)(x, 0.3, 2.0), -(x - 0.3) / 4, rtol=1e-14)
    point = onp.array([0.1, 0.2])
    precision = onp.linalg.inv(TARGET_COVARIANCE)
    score = grad(log_target)(point)
    onp.testing.assert_allclose(score, -precision @ (point - TARGET_MEAN), rtol=1e-12)
    _, to_covariance = value_and_grad(mvn.logpdf, 2)(point, TARGET_MEAN, TARGET_COVARIANCE)
    offset = precision @ (point - TARGET_MEAN)
    closed = 0.5 * (onp.outer(offset, offset) - precision)
    onp.testing.assert_allclose(to_covariance + to_covariance.T, 2 * closed, rtol=1e-10)


def test_parameters_as_one_vector() -> None:
    params = {"means": onp.ones((2, 2)), "scales": [onp.array([2.0]), 3.0]}
    vector, unflatten = flatten(params)
    assert vector.shape == (6,)

    def loss(x: Any) -> Any:
        p = unflatten(x)
        return np.sum(p["means"] ** 2) * p["scales"][1] + p["scales"][0][0]

    g = unflatten(grad(loss)(vector))
    onp.testing.assert_array_equal(g["means"], 6 * onp.ones((2, 2)))
    assert (g["scales"][0][0], g["scales"][1]) == (1.0, 4.0)
