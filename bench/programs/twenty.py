"""Twenty programs of different kinds as a user of NumPy would write them: parameters first, then data.

Losses of statistics, physics and learning; containers where a user would have containers, loops where a user
would have loops. Sizes and data are in `twenty_cases.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def logsumexp(x: Any, axis: int) -> Any:
    """log Σ exp along an axis."""
    m = np.max(x, axis=axis, keepdims=True)
    return np.squeeze(m, axis) + np.log(np.sum(np.exp(x - m), axis=axis))


def cross_entropy(z: Any, y: Any) -> Any:
    """Mean −log softmax(z)[y]; z (n, classes), y (n,)."""
    return np.mean(logsumexp(z, 1) - z[np.arange(len(y)), y])


def sigmoid(x: Any) -> Any:
    """1 / (1 + e⁻ˣ)."""
    return 1 / (1 + np.exp(-x))


# ---------------------------------------------------------------------------------------- statistics
def mixture(weight: Any, mean: Any, log_scale: Any, x: Any) -> Any:
    """−mean log-likelihood of Gaussians with diagonal covariance; weight (k,), mean (k, d), x (n, d)."""
    z = (x[:, None, :] - mean) * np.exp(-log_scale)
    each = -0.5 * np.sum(z * z, axis=2) - np.sum(log_scale, axis=1) + weight - logsumexp(weight, 0)
    return -np.mean(logsumexp(each, 1))


def quantiles(w: Any, b: Any, x: Any, y: Any, q: Any) -> Any:
    """Pinball loss of linear quantile regressions; w (d, m), q (m,)."""
    r = y[:, None] - x @ w - b
    return np.mean(np.maximum(q * r, (q - 1) * r))


def huber(w: Any, log_scale: Any, x: Any, y: Any) -> Any:
    """Huber regression with its scale."""
    r = (y - x @ w) * np.exp(-log_scale)
    size = np.abs(r)
    return np.mean(np.where(size < 1.345, 0.5 * r * r, 1.345 * (size - 0.5 * 1.345))) + log_scale


def poisson(w: Any, b: Any, x: Any, y: Any) -> Any:
    """−mean log-likelihood of Poisson regression with a ridge."""
    eta = x @ w + b
    return np.mean(np.exp(eta) - y * eta) + 1e-2 * np.sum(w * w)


def experts(gate: Any, w: Any, x: Any, y: Any) -> Any:
    """Mixture of logistic regressions; gate and w (d, k), y (n,) of 0 and 1."""
    g = x @ gate
    p = np.sum(np.exp(g - logsumexp(g, 1)[:, None]) * sigmoid(x @ w), axis=1)
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def spline(knots: Any, c: Any, x: Any, y: Any) -> Any:
    """Cubic regression spline with free knots: truncated powers; x (n,)."""
    basis = np.maximum(x[:, None] - knots, 0) ** 3
    trend = c[0] + c[1] * x + c[2] * x**2 + c[3] * x**3
    return np.mean((trend + basis @ c[4:] - y) ** 2) + 1e-3 * np.sum(c[4:] ** 2)


def gaussian_process(log_length: Any, log_size: Any, log_noise: Any, x: Any, y: Any) -> Any:
    """−log marginal likelihood, squared-exponential kernel with a length per input; x (n, d)."""
    z = x / np.exp(log_length)
    square = np.sum(z * z, axis=1)
    distance = square[:, None] + square - 2 * (z @ z.T)
    k = np.exp(2 * log_size - 0.5 * distance) + np.exp(2 * log_noise) * np.eye(len(x))
    low = np.linalg.cholesky(k)
    half = np.linalg.solve(low, y)
    return 0.5 * np.sum(half * half) + np.sum(np.log(np.diag(low)))


def kalman(a: Any, log_q: Any, log_r: Any, c: Any, y: Any) -> Any:
    """−log-likelihood of a state space model by the Kalman filter; a (s, s), c (o, s), y (steps, o)."""
    state, p, total = np.zeros(a.shape[0]), np.eye(a.shape[0]), 0.0
    q, r = np.diag(np.exp(log_q)), np.diag(np.exp(log_r))
    for t in range(len(y)):
        state, p = a @ state, a @ p @ a.T + q
        s, miss = c @ p @ c.T + r, y[t] - c @ state
        gain = np.linalg.solve(s, c @ p).T
        total = total + 0.5 * (miss @ np.linalg.solve(s, miss) + np.linalg.slogdet(s)[1])
        state, p = state + gain @ miss, p - gain @ c @ p
    return total / len(y)


def hidden_markov(trans: Any, mean: Any, log_scale: Any, y: Any) -> Any:
    """−log-likelihood by the forward algorithm in logarithms; trans (k, k), mean (k,), y (steps, batch)."""
    log_t = trans - logsumexp(trans, 1)[:, None]
    emit = -0.5 * ((y[:, :, None] - mean) * np.exp(-log_scale)) ** 2 - log_scale
    alpha = emit[0]
    for t in range(1, len(y)):
        alpha = logsumexp(alpha[:, :, None] + log_t, 1) + emit[t]
    return -np.mean(logsumexp(alpha, 1)) / len(y)


# ------------------------------------------------------------------------------------------- physics
def diffusion(u: Any, rate: Any, growth: Any, wish: Any, steps: int) -> Any:
    """Reaction and diffusion on a torus, explicit steps; start u and rate (n, n), distance from a wish."""
    for _ in range(steps):
        around = np.roll(u, 1, 0) + np.roll(u, -1, 0) + np.roll(u, 1, 1) + np.roll(u, -1, 1)
        u = u + rate * (around - 4 * u) + growth * u * (1 - u)
    return np.mean((u - wish) ** 2)


def predators(rates: Any, z: Any, wish: Any, steps: int) -> Any:
    """Lotka–Volterra by Runge–Kutta of order 4 for many starts at once; rates (4,), z (2, batch)."""
    h = 0.02

    def flow(prey: Any, hunter: Any) -> Any:
        return prey * (rates[0] - rates[1] * hunter), hunter * (rates[2] * prey - rates[3])

    x, y = z[0], z[1]
    for _ in range(steps):
        ax, ay = flow(x, y)
        bx, by = flow(x + h / 2 * ax, y + h / 2 * ay)
        cx, cy = flow(x + h / 2 * bx, y + h / 2 * by)
        dx, dy = flow(x + h * cx, y + h * cy)
        x, y = x + h / 6 * (ax + 2 * bx + 2 * cx + dx), y + h / 6 * (ay + 2 * by + 2 * cy + dy)
    return np.mean((x - wish[0]) ** 2 + (y - wish[1]) ** 2)


def bodies(x: Any, mass: Any) -> Any:
    """Gravitational energy, softened; x (n, 3), mass (n,)."""
    d = x[:, None, :] - x[None, :, :]
    r = np.sqrt(np.sum(d * d, axis=2) + 1e-2)
    return -0.5 * np.sum(mass[:, None] * mass / r)


# ------------------------------------------------------------------------------------------ learning
def lstm(w: Any, b: Any, out: Any, x: Any, y: Any) -> Any:
    """Long short-term memory over a sequence; w (inputs + hidden, 4 hidden), x (steps, batch, inputs)."""
    size = out.shape[0]
    h = c = np.zeros((x.shape[1], size), x.dtype)
    for t in range(len(x)):
        z = np.concatenate([x[t], h], axis=1) @ w + b
        i, f, o = sigmoid(z[:, :size]), sigmoid(z[:, size : 2 * size]), sigmoid(z[:, 2 * size : 3 * size])
        c = f * c + i * np.tanh(z[:, 3 * size :])
        h = o * np.tanh(c)
    return np.mean((h @ out - y) ** 2)


def attention(wq: Any, wk: Any, wv: Any, wo: Any, x: Any, y: Any, heads: int) -> Any:
    """One block of causal attention with a residual; x (batch, tokens, width), w (width, width)."""
    batch, tokens, width = x.shape

    def split(z: Any) -> Any:
        return np.transpose(np.reshape(z, (batch, tokens, heads, width // heads)), (0, 2, 1, 3))

    q, k, v = split(x @ wq), split(x @ wk), split(x @ wv)
    s = q @ np.swapaxes(k, 2, 3) / np.sqrt(width // heads).astype(x.dtype)
    s = np.where(np.tri(tokens, dtype=bool), s, -1e9)
    e = np.exp(s - np.max(s, axis=3, keepdims=True))
    p = e / np.sum(e, axis=3, keepdims=True)
    z = np.reshape(np.transpose(p @ v, (0, 2, 1, 3)), (batch, tokens, width))
    return np.mean((x + z @ wo - y) ** 2)


def convolution(kernel: Any, w: Any, b: Any, x: Any, y: Any) -> Any:
    """3×3 convolution, ReLU, 2×2 maximum, softmax; kernel (9, filters), x (batch, 28, 28)."""
    patches = np.stack([x[:, i : i + 26, j : j + 26] for i in range(3) for j in range(3)], axis=3)
    h = np.maximum(patches @ kernel, 0)
    h = np.max(np.reshape(h, (len(x), 13, 2, 13, 2, kernel.shape[1])), axis=(2, 4))
    return cross_entropy(np.reshape(h, (len(x), -1)) @ w + b, y)


def ratings(u: Any, v: Any, bu: Any, bv: Any, i: Any, j: Any, r: Any) -> Any:
    """Matrix factorization of observed entries; u (users, k), v (items, k), pairs i, j and ratings r."""
    miss = np.sum(u[i] * v[j], axis=1) + bu[i] + bv[j] - r
    return np.mean(miss * miss) + 1e-3 * (np.mean(u * u) + np.mean(v * v))


def words(embedding: Any, w: Any, context: Any, y: Any) -> Any:
    """Bag of words: mean embedding of a context, softmax over the vocabulary; context (n, width)."""
    return cross_entropy(np.mean(embedding[context], axis=1) @ w, y)


def normalized(params: Any, x: Any, y: Any) -> Any:
    """A residual network with layer norm and GELU; params [(gain, bias, W, V), …], x (n, width)."""
    h = x
    for gain, bias, w, v in params:
        z = h - np.mean(h, axis=1, keepdims=True)
        z = z / np.sqrt(np.mean(z * z, axis=1, keepdims=True) + 1e-5) * gain + bias
        z = z @ w
        z = 0.5 * z * (1 + np.tanh(0.7978845608 * (z + 0.044715 * z * z * z)))
        h = h + z @ v
    return np.mean((h - y) ** 2)


def variational(encoder: Any, decoder: Any, x: Any, noise: Any) -> Any:
    """−ELBO of an autoencoder with fixed noise; x (n, pixels) in [0, 1], noise (n, latent)."""
    (w1, b1, w2, b2), (w3, b3, w4, b4) = encoder, decoder
    code = np.tanh(x @ w1 + b1) @ w2 + b2
    mean, log_scale = code[:, : noise.shape[1]], code[:, noise.shape[1] :]
    z = mean + np.exp(log_scale) * noise
    logit = np.tanh(z @ w3 + b3) @ w4 + b4
    likelihood = np.sum(x * logit - np.logaddexp(0, logit), axis=1)
    divergence = np.sum(0.5 * (np.exp(2 * log_scale) + mean**2 - 1) - log_scale, axis=1)
    return np.mean(divergence - likelihood)


def low_rank(u: Any, v: Any, x: Any) -> Any:
    """|X − UVᵀ|² with a penalty that keeps U's columns orthonormal; u (n, k), v (d, k)."""
    miss, gram = x - u @ v.T, u.T @ u - np.eye(u.shape[1], dtype=u.dtype)
    return np.mean(miss * miss) + np.sum(gram * gram)
