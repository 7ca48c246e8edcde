"""Maximum likelihood: logistic regression, counts, a mixture, a hidden Markov chain, a Gaussian process."""

from __future__ import annotations

from typing import Any

import numpy as onp
import pytest
import scipy.optimize
import scipy.stats

import adjoint.numpy as np
from adjoint import elementwise_grad, grad, hessian_vector_product, value_and_grad
from adjoint.misc import flatten
from adjoint.scipy.special import gammaln, logsumexp

from .harness import follows, same_compiled

RNG = onp.random.default_rng(0)


# ------------------------------------------------------------------------------- logistic regression
FEATURES = RNG.normal(size=(40, 3))
LABELS = FEATURES @ onp.array([1.0, -2.0, 0.5]) + RNG.normal(size=40) > 0


def sigmoid(x: Any) -> Any:
    return 0.5 * (np.tanh(x / 2.0) + 1)


def misfit(weights: Any) -> Any:
    p = sigmoid(np.dot(FEATURES, weights))
    right = p * LABELS + (1 - p) * (1 - LABELS)
    return -np.sum(np.log(right)) + 0.5 * np.sum(weights**2)


def test_logistic_regression_ends_where_its_equations_hold() -> None:
    slope = grad(misfit)
    w = np.zeros(3)
    for _ in range(150):
        w = w - 0.05 * slope(w)
    p = 1 / (1 + onp.exp(-FEATURES @ w))
    closed = FEATURES.T @ (p - LABELS) + w  # the gradient by hand
    onp.testing.assert_allclose(slope(w), closed, rtol=0, atol=1e-12)
    best = scipy.optimize.minimize(misfit, onp.zeros(3), jac=slope, tol=1e-10).x
    onp.testing.assert_allclose(w, best, atol=1e-4)
    same_compiled(misfit, onp.array([0.3, -0.2, 0.1]))


# ---------------------------------------------------------------------------------- negative binomial
COUNTS = RNG.negative_binomial(3.0, 0.4, size=200)


def improbability(parameters: Any) -> Any:
    """−log-likelihood of counts; log r and logit p."""
    r, p = np.exp(parameters[0]), sigmoid(parameters[1])
    terms = gammaln(COUNTS + r) - gammaln(r) - gammaln(COUNTS + 1) + r * np.log(p) + COUNTS * np.log1p(-p)
    return -np.sum(terms)


def test_negative_binomial_fit() -> None:
    found = scipy.optimize.minimize(value_and_grad(improbability), onp.zeros(2), jac=True, tol=1e-10)
    r, p = onp.exp(found.x[0]), 1 / (1 + onp.exp(-found.x[1]))
    assert found.fun == pytest.approx(-scipy.stats.nbinom.logpmf(COUNTS, r, p).sum(), rel=1e-12)
    assert r * (1 - p) / p == pytest.approx(COUNTS.mean(), rel=1e-6)  # the best mean is the sample's
    follows(improbability, onp.array([0.4, -0.3]), grad(improbability)(onp.array([0.4, -0.3])))
    same_compiled(improbability, onp.array([0.4, -0.3]))


# ----------------------------------------------------------------------------------- Gaussian mixture
CLUSTERS = onp.concatenate([RNG.normal(size=(30, 2)) * 0.3 + m for m in ([0, 0], [2, 1], [-1, 2])])


def mixture(p: dict[str, Any]) -> Any:
    """−log-likelihood of a mixture of Gaussians with triangular precision factors."""
    logits = p["weights"] - logsumexp(p["weights"])
    rows = []
    for k in range(3):
        factor = np.tril(p["factors"][k], -1) + np.diag(np.exp(np.diag(p["factors"][k])))
        whitened = np.dot(CLUSTERS - p["means"][k], factor)
        rows.append(
            logits[k] + np.sum(np.diag(p["factors"][k])) - np.log(2 * np.pi) - 0.5 * np.sum(whitened**2, 1)
        )
    return -np.sum(logsumexp(np.array(rows), axis=0))


def start_of_mixture() -> dict[str, Any]:
    means = onp.array([[0.2, -0.1], [1.5, 0.9], [-0.7, 1.6]])
    return {"weights": onp.zeros(3), "means": means, "factors": onp.stack([onp.eye(2)] * 3)}


def responsibilities(p: dict[str, Any]) -> Any:
    densities = []
    for k in range(3):
        factor = onp.tril(p["factors"][k], -1) + onp.diag(onp.exp(onp.diag(p["factors"][k])))
        covariance = onp.linalg.inv(factor @ factor.T)
        densities.append(scipy.stats.multivariate_normal(p["means"][k], covariance).logpdf(CLUSTERS))
    logs = onp.stack(densities) + p["weights"][:, None]
    return onp.exp(logs - scipy.special.logsumexp(logs, axis=0)), scipy.special.logsumexp(logs, axis=0)


def test_gaussian_mixture_by_newton_with_hessian_vector_products() -> None:
    p = start_of_mixture()
    share, logs = responsibilities(p)
    assert mixture(p) == pytest.approx(-(logs - onp.log(3)).sum(), rel=1e-12)
    g = grad(mixture)(p)
    onp.testing.assert_allclose(g["weights"], 30 - share.sum(1), atol=1e-10)  # Fisher's identity, N/3 = 30
    start, unpack = flatten(p)
    found = scipy.optimize.minimize(
        lambda x: mixture(unpack(x)),
        start,
        jac=lambda x: flatten(grad(mixture)(unpack(x)))[0],
        hessp=lambda x, v: flatten(hessian_vector_product(mixture)(unpack(x), unpack(v)))[0],
        method="trust-ncg",
        options={"gtol": 1e-7},
    )
    best = unpack(found.x)
    share, _ = responsibilities(best)
    means = share @ CLUSTERS / share.sum(1)[:, None]  # at the optimum a step of EM changes nothing
    onp.testing.assert_allclose(best["means"], means, atol=1e-6)
    onp.testing.assert_allclose(best["means"], [[0, 0], [2, 1], [-1, 2]], atol=0.25)
    same_compiled(mixture, p)


# ------------------------------------------------------------------------------- hidden Markov chain
SYMBOLS = RNG.integers(0, 4, size=60)


def log_normalized(x: Any) -> Any:
    return x - logsumexp(x, axis=-1, keepdims=True)


def log_partition(natural: tuple[Any, Any, Any]) -> Any:
    """log Σ over paths of exp(start + transitions + emissions), by the forward recursion."""
    start, transition, emission = natural
    alpha = start + emission[:, SYMBOLS[0]]
    for symbol in SYMBOLS[1:]:
        alpha = logsumexp(alpha[:, None] + transition, axis=0) + emission[:, symbol]
    return logsumexp(alpha)


def test_hidden_markov_chain_by_em_whose_expectations_are_gradients() -> None:
    rng = onp.random.default_rng(3)
    natural = tuple(log_normalized(rng.normal(size=s)) for s in ((3,), (3, 3), (3, 4)))
    # forward and backward by hand: the expected counts
    b = onp.exp(natural[2][:, SYMBOLS]).T
    a, forward, backward = onp.exp(natural[1]), [onp.exp(natural[0]) * b[0]], [onp.ones(3)]
    for row in b[1:]:
        forward.append(forward[-1] @ a * row)
    for row in b[:0:-1]:
        backward.insert(0, a @ (row * backward[0]))
    total = forward[-1].sum()
    pairs = sum(
        onp.outer(f, r * w) * a / total for f, r, w in zip(forward[:-1], b[1:], backward[1:], strict=True)
    )
    value, counts = value_and_grad(log_partition)(natural)
    assert value == pytest.approx(onp.log(total), rel=1e-12)
    onp.testing.assert_allclose(counts[0], forward[0] * backward[0] / total, rtol=1e-10)
    onp.testing.assert_allclose(counts[1], pairs, rtol=1e-10)
    values = [value]
    for _ in range(12):
        natural = tuple(np.log(c) - np.log(np.sum(c, axis=-1, keepdims=True)) for c in counts)
        value, counts = value_and_grad(log_partition)(natural)
        values.append(value)
    assert (onp.diff(values) > -1e-9).all()  # EM never falls
    assert values[-1] > values[0] + 1.0
    same_compiled(log_partition, natural)


# ------------------------------------------------------------------------------------ Gaussian process
INPUTS = onp.linspace(-2, 2, 12)[:, None]
TARGETS = onp.sin(2 * INPUTS[:, 0]) + 0.1 * RNG.normal(size=12)


def covariance(p: Any, a: Any, b: Any) -> Any:
    scaled = (np.expand_dims(a, 1) - np.expand_dims(b, 0)) / np.exp(p[1:2])
    return np.exp(p[0]) * np.exp(-0.5 * np.sum(scaled**2, axis=2))


def evidence(p: Any) -> Any:
    """log p(targets): log amplitude, log length, log noise."""
    matrix = covariance(p, INPUTS, INPUTS) + np.exp(p[2]) * np.eye(12)
    _, logdet = np.linalg.slogdet(matrix)
    half = np.dot(TARGETS, np.linalg.solve(matrix, TARGETS))
    return -0.5 * (half + logdet + 12 * np.log(2 * np.pi))


def test_gaussian_process_evidence() -> None:
    p = onp.array([0.1, -0.3, -2.0])
    matrix = onp.exp(0.1 - 0.5 * ((INPUTS - INPUTS.T) / onp.exp(-0.3)) ** 2)
    noisy = matrix + onp.exp(-2.0) * onp.eye(12)
    assert evidence(p) == pytest.approx(scipy.stats.multivariate_normal(cov=noisy).logpdf(TARGETS), rel=1e-10)
    weights = onp.linalg.solve(noisy, TARGETS)
    inner = onp.outer(weights, weights) - onp.linalg.inv(noisy)  # ∂ log p / ∂K = ½ (α αᵀ − K⁻¹)
    rates = (matrix, matrix * (INPUTS - INPUTS.T) ** 2 / onp.exp(-0.6), onp.exp(-2.0) * onp.eye(12))
    onp.testing.assert_allclose(grad(evidence)(p), [0.5 * onp.sum(inner * r) for r in rates], rtol=1e-9)
    found = scipy.optimize.minimize(
        value_and_grad(lambda p: -evidence(p)), p, jac=True, method="CG", options={"gtol": 1e-6}
    )
    assert onp.abs(grad(evidence)(found.x)).max() < 1e-5
    assert -found.fun > evidence(p)
    predicted = covariance(found.x, onp.array([[0.5]]), INPUTS) @ onp.linalg.solve(
        covariance(found.x, INPUTS, INPUTS) + onp.exp(found.x[2]) * onp.eye(12), TARGETS
    )
    assert predicted[0] == pytest.approx(onp.sin(1.0), abs=0.15)
    same_compiled(evidence, p)


# ------------------------------------------------------------------------------------- the first example
def test_tanh_and_its_derivatives_one_after_the_other() -> None:
    def tanh(x: Any) -> Any:
        y = np.exp(-2.0 * x)
        return (1.0 - y) / (1.0 + y)

    x = onp.linspace(-3, 3, 9)
    one, two = elementwise_grad(tanh), elementwise_grad(elementwise_grad(tanh))
    t = onp.tanh(x)
    onp.testing.assert_allclose(one(x), 1 - t**2, atol=1e-12)
    onp.testing.assert_allclose(two(x), -2 * t * (1 - t**2), atol=1e-12)
    six = elementwise_grad(elementwise_grad(elementwise_grad(elementwise_grad(two))))
    exact = onp.polynomial.Polynomial([1, 0, -1])
    p = onp.polynomial.Polynomial([0, 1])
    for _ in range(6):
        p = p.deriv() * exact  # d/dx p(t) = p'(t) (1 − t²)
    onp.testing.assert_allclose(six(x), p(t), atol=1e-8)
