"""Networks written out in NumPy: regression, classification, convolution, recurrences, an autoencoder."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as onp
import pytest

import adjoint.numpy as np
import adjoint.numpy.random as npr
from adjoint import grad, value_and_grad
from adjoint.misc.optimizers import adam
from adjoint.scipy import signal
from adjoint.scipy.special import logsumexp

from .harness import follows, same_compiled

RNG = onp.random.default_rng(0)


def layers_of(*sizes: int, scale: float = 0.5) -> list[tuple[Any, Any]]:
    rng = onp.random.default_rng(5)
    return [(scale * rng.normal(size=(m, n)), scale * rng.normal(size=n)) for m, n in pairwise(sizes)]


def outputs(params: list[tuple[Any, Any]], x: Any) -> Any:
    for w, b in params:
        z = np.dot(x, w) + b
        x = np.tanh(z)
    return z


# --------------------------------------------------------------------------- regression, by hand too
INPUTS = onp.linspace(-2, 2, 30)[:, None]
TARGETS = onp.cos(2 * INPUTS)


def squares(params: Any) -> Any:
    return np.mean((outputs(params, INPUTS) - TARGETS) ** 2)


def by_hand(params: Any) -> Any:
    """The gradient of `squares` for two layers, from the textbook."""
    (w, b), (u, c) = params
    h = onp.tanh(INPUTS @ w + b)
    error = 2 * (h @ u + c - TARGETS) / TARGETS.size
    inner = (error @ u.T) * (1 - h**2)
    return [(INPUTS.T @ inner, inner.sum(0)), (h.T @ error, error.sum(0))]


def test_network_regression() -> None:
    params = layers_of(1, 8, 1)
    for got, want in zip(grad(squares)(params), by_hand(params), strict=True):
        onp.testing.assert_allclose(got[0], want[0], rtol=1e-10, atol=1e-13)
        onp.testing.assert_allclose(got[1], want[1], rtol=1e-10, atol=1e-13)
    fitted = adam(lambda p, i: grad(squares)(p), params, num_iters=300, step_size=0.05)
    assert squares(fitted) < 0.01 < squares(params)
    same_compiled(squares, params)


# ------------------------------------------------------------------------------------ classification
def rings() -> tuple[Any, Any]:
    angle, kind = RNG.uniform(0, 2 * onp.pi, 60), onp.arange(60) % 2
    radius = 1 + kind + 0.1 * RNG.normal(size=60)
    return onp.stack([radius * onp.cos(angle), radius * onp.sin(angle)], 1), onp.eye(2)[kind]


POINTS, KINDS = rings()


def log_loss(params: Any) -> Any:
    logits = outputs(params, POINTS)
    log_prior = -0.01 * sum(np.sum(w**2) + np.sum(b**2) for w, b in params)
    return -np.sum(KINDS * (logits - logsumexp(logits, axis=1, keepdims=True))) - log_prior


def test_network_classification_of_rings() -> None:
    params = layers_of(2, 8, 2)
    g = grad(log_loss)(params)
    follows(log_loss, params, g)
    # at the last bias, the gradient is the sum of (softmax − target), and the prior's
    z = outputs(params, POINTS)
    p = onp.exp(z) / onp.exp(z).sum(1, keepdims=True)
    onp.testing.assert_allclose(g[-1][1], (p - KINDS).sum(0) + 0.02 * params[-1][1], rtol=1e-10)
    fitted = adam(lambda p, i: grad(log_loss)(p), params, num_iters=150, step_size=0.05)
    right = onp.argmax(outputs(fitted, POINTS), 1) == onp.argmax(KINDS, 1)
    assert right.mean() > 0.95
    same_compiled(log_loss, params)


# --------------------------------------------------------------------------------------- convolution
def convolve(x: Any, filters: Any) -> Any:
    """(N, C, H, W) with (C, K, h, w), where they overlap in full."""
    h, w = filters.shape[2:]
    rows, columns = x.shape[2] - h + 1, x.shape[3] - w + 1
    z = 0.0
    for i in range(h):
        for j in range(w):
            z = z + np.einsum("ncij,ck->nkij", x[:, :, i : i + rows, j : j + columns], filters[:, :, i, j])
    return z


def pool(x: Any) -> Any:
    n, c, rows, columns = x.shape
    return np.max(np.max(np.reshape(x, (n, c, rows // 2, 2, columns // 2, 2)), axis=3), axis=4)


IMAGES = RNG.normal(size=(3, 1, 8, 8))
CLASSES = onp.eye(4)[[0, 3, 1]]


def convnet_loss(p: dict[str, Any]) -> Any:
    x = np.tanh(pool(convolve(IMAGES, p["filters"]) + np.reshape(p["bias"], (1, 2, 1, 1))))
    logits = np.dot(np.reshape(x, (3, -1)), p["dense"])
    return -np.mean(np.sum(CLASSES * (logits - logsumexp(logits, axis=1, keepdims=True)), axis=1))


def convnet() -> dict[str, Any]:
    return {
        "filters": RNG.normal(size=(1, 2, 3, 3)),
        "bias": RNG.normal(size=2),
        "dense": RNG.normal(size=(18, 4)),
    }


def test_convolutional_network() -> None:
    p = convnet()
    follows(convnet_loss, p, grad(convnet_loss)(p), h=1e-4)  # small: the largest of four must stay it
    one = onp.zeros((1, 1, 3, 3))
    one[0, 0, 1, 1] = 1
    onp.testing.assert_array_equal(convolve(IMAGES, one), IMAGES[:, :, 1:-1, 1:-1])
    # a convolution proper runs through its filters the other way
    how: dict[str, Any] = {"axes": ([2, 3], [2, 3]), "dot_axes": ([1], [0]), "mode": "valid"}
    onp.testing.assert_allclose(
        convolve(IMAGES, p["filters"]),
        signal.convolve(IMAGES, p["filters"][:, :, ::-1, ::-1], **how),
        atol=1e-12,
    )

    def by_signal(filters: Any) -> Any:
        return np.sum(np.tanh(signal.convolve(IMAGES, filters[:, :, ::-1, ::-1], **how)))

    onp.testing.assert_allclose(
        grad(by_signal)(p["filters"]),
        grad(lambda f: np.sum(np.tanh(convolve(IMAGES, f))))(p["filters"]),
        atol=1e-11,
    )
    same_compiled(convnet_loss, p)


# ------------------------------------------------------------------------------------ letters in a row
TEXT = "to be or not to be"
ALPHABET = sorted(set(TEXT))
CODES = onp.array([ALPHABET.index(c) for c in TEXT])
LETTERS = onp.eye(len(ALPHABET))[CODES]  # (T, K)
K, H = len(ALPHABET), 6


def next_letters(p: dict[str, Any], hidden: list[Any]) -> Any:
    """Mean cross entropy of every letter, given those before."""
    total = 0.0
    for h, letter in zip(hidden, LETTERS[1:], strict=True):
        logits = np.dot(h, p["out"])
        total = total - np.sum(letter * (logits - logsumexp(logits)))
    return total / len(hidden)


def rnn() -> dict[str, Any]:
    rng = onp.random.default_rng(8)
    shapes = {"start": (H,), "change": (K + H + 1, H), "out": (H, K)}
    return {k: 0.3 * rng.normal(size=s) for k, s in shapes.items()}


def rnn_loss(p: dict[str, Any]) -> Any:
    h, hidden = p["start"], []
    for letter in LETTERS[:-1]:
        h = np.tanh(np.dot(np.concatenate([letter, h, np.ones(1)]), p["change"]))
        hidden.append(h)
    return next_letters(p, hidden)


def lstm() -> dict[str, Any]:
    rng = onp.random.default_rng(9)
    gates = {k: (K + H + 1, H) for k in ("change", "forget", "ingate", "outgate")}
    shapes = {"start": (H,), "cells": (H,), "out": (H, K)} | gates
    return {k: 0.3 * rng.normal(size=s) for k, s in shapes.items()}


def lstm_loss(p: dict[str, Any]) -> Any:
    def gate(x: Any, weights: Any) -> Any:
        return 0.5 * (np.tanh(np.dot(x, weights)) + 1.0)

    h, c, hidden = p["start"], p["cells"], []
    for letter in LETTERS[:-1]:
        x = np.concatenate([letter, h, np.ones(1)])
        c = gate(x, p["forget"]) * c + gate(x, p["ingate"]) * np.tanh(np.dot(x, p["change"]))
        h = gate(x, p["outgate"]) * np.tanh(c)
        hidden.append(h)
    return next_letters(p, hidden)


@pytest.mark.parametrize(("make", "loss"), [(rnn, rnn_loss), (lstm, lstm_loss)], ids=["rnn", "lstm"])
def test_recurrences_learn_a_line_by_heart(make: Any, loss: Any) -> None:
    p = make()
    follows(loss, p, grad(loss)(p))
    assert loss({k: 0 * v for k, v in p.items()}) == pytest.approx(onp.log(K), rel=1e-12)  # it knows nothing
    learnt = adam(lambda p, i: grad(loss)(p), p, num_iters=60, step_size=0.1)
    assert loss(learnt) < 0.5
    same_compiled(loss, p)


# ------------------------------------------------------------------------------ variational autoencoder
BASIS = onp.array([[1.0, -0.5, 0.3]])
DATA = RNG.normal(size=(20, 1)) @ BASIS + 0.1 * RNG.normal(size=(20, 3))


def evidence_bound(params: tuple[Any, Any], noise: Any) -> Any:
    """Mean ELBO of a Gaussian autoencoder with one latent number, reparameterized; KL in closed form."""
    encoder, (loading, log_noise) = params
    code = outputs(encoder, DATA)
    mean, log_std = code[:, :1], code[:, 1:]
    z = mean + np.exp(log_std) * noise
    errors = (DATA - np.dot(z, loading)) / np.exp(log_noise)
    likelihood = -0.5 * np.sum(errors**2, axis=1) - 3 * log_noise - 1.5 * np.log(2 * np.pi)
    divergence = 0.5 * np.sum(np.exp(2 * log_std) + mean**2 - 1 - 2 * log_std, axis=1)
    return np.mean(likelihood - divergence)


def test_variational_autoencoder_against_the_exact_evidence() -> None:
    noise = npr.RandomState(0).randn(20, 1)
    params = (layers_of(3, 2), (BASIS.copy(), 0.3))
    follows(lambda p: evidence_bound(p, noise), params, grad(evidence_bound)(params, noise))
    # decoding linearly, the exact posterior is an encoder too: averaged over ± noise of mean square 1
    # the bound is the evidence, log N(x; 0, L Lᵀ + σ²)
    s2 = onp.exp(0.6)
    variance = 1 / (1 + BASIS @ BASIS.T / s2)
    w = onp.concatenate([BASIS.T / s2 * variance, onp.zeros((3, 1))], 1)
    exact = ([(w, onp.array([0.0, 0.5 * onp.log(variance[0, 0])]))], (BASIS.copy(), 0.3))
    both = [value_and_grad(evidence_bound)(exact, sign * onp.ones((20, 1))) for sign in (1, -1)]
    covariance = BASIS.T @ BASIS + s2 * onp.eye(3)
    inside = onp.einsum("ni,ij,nj->n", DATA, onp.linalg.inv(covariance), DATA)
    log_evidence = -0.5 * onp.mean(inside) - 0.5 * onp.linalg.slogdet(2 * onp.pi * covariance)[1]
    assert (both[0][0] + both[1][0]) / 2 == pytest.approx(log_evidence, rel=1e-10)
    for one, other in zip(both[0][1][0][0], both[1][1][0][0], strict=True):
        onp.testing.assert_allclose(one + other, 0, atol=1e-10)  # no encoder is better
    same_compiled(evidence_bound, params, noise)
