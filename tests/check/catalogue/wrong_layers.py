"""Layers and losses of networks, as people write their backward passes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .pairs import Pair, normal, one_hot, positive, sigmoid, softmax, wrong

N, K = 5, 4
SCORES = normal(N, K)
LABELS = np.array([0, 3, 1, 1, 2])


@wrong("softmax: the diagonal of its Jacobian alone")
def softmax_diagonal() -> Pair:
    def vjp(lam: Any, x: Any) -> Any:
        s = softmax(x)
        return lam * s * (1 - s)

    return Pair(softmax, (SCORES,), vjp=vjp)


@wrong("softmax: λ's mean over rows of another axis")
def softmax_axis() -> Pair:
    def vjp(lam: Any, x: Any) -> Any:
        s = softmax(x)
        return s * (lam - np.sum(s * lam, axis=0, keepdims=True))

    return Pair(softmax, (SCORES,), vjp=vjp)


def cross_entropy(x: Any) -> Any:
    """Mean over the batch, by the labels above."""
    shifted = x - np.max(x, axis=1, keepdims=True)
    log_p = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return -np.sum(log_p[np.arange(N), LABELS]) / N


@wrong("cross entropy: not divided by the batch", says="factor|5")
def batch_size_forgotten() -> Pair:
    return Pair(cross_entropy, (SCORES,), lambda x: softmax(x) - one_hot(LABELS, K))


@wrong("cross entropy: labels shifted by one class")
def labels_from_one() -> Pair:
    return Pair(cross_entropy, (SCORES,), lambda x: (softmax(x) - one_hot((LABELS + 1) % K, K)) / N)


@wrong("cross entropy: the path through the normalizer is detached")
def detached_normalizer() -> Pair:
    return Pair(cross_entropy, (SCORES,), lambda x: -one_hot(LABELS, K) / N)


@wrong("the temperature is missing in the derivative", says="factor|0\\.7|1\\.4")
def temperature() -> Pair:
    tau = 0.7
    return Pair(
        lambda x: cross_entropy(x / tau), (SCORES,), lambda x: (softmax(x / tau) - one_hot(LABELS, K)) / N
    )


@wrong("weight decay is in the loss, not in the derivative")
def penalty_forgotten() -> Pair:
    def f(w: Any) -> Any:
        return cross_entropy(w) + 0.01 * np.sum(w**2)

    return Pair(f, (SCORES,), lambda x: (softmax(x) - one_hot(LABELS, K)) / N)


def layer_norm(x: Any) -> Any:
    centred = x - np.mean(x, axis=1, keepdims=True)
    return centred / np.sqrt(np.mean(centred**2, axis=1, keepdims=True) + 1e-5)


def layer_norm_vjp(lam: Any, x: Any, mean: bool = True, spread: bool = True) -> Any:
    scale = np.sqrt(np.var(x, axis=1, keepdims=True) + 1e-5)
    y = layer_norm(x)
    out = lam - (np.mean(lam, axis=1, keepdims=True) if mean else 0.0)
    return (out - (y * np.mean(lam * y, axis=1, keepdims=True) if spread else 0.0)) / scale


@wrong("layer norm: the path through the mean is missing")
def layer_norm_without_mean() -> Pair:
    return Pair(layer_norm, (SCORES,), vjp=lambda lam, x: layer_norm_vjp(lam, x, mean=False))


@wrong("layer norm: the path through the variance is detached")
def layer_norm_without_variance() -> Pair:
    return Pair(layer_norm, (SCORES,), vjp=lambda lam, x: layer_norm_vjp(lam, x, spread=False))


@wrong("batch norm: its gain's derivative lacks the normalized input", "1")
def batch_norm_gain() -> Pair:
    def f(x: Any, gain: Any) -> Any:
        return np.sum(np.sin(gain * layer_norm(x.T).T))

    def gradient(x: Any, gain: Any) -> Any:
        y = layer_norm(x.T).T
        lam = np.cos(gain * y)
        return layer_norm_vjp((lam * gain).T, x.T).T, np.sum(lam * x, axis=0)

    return Pair(f, (SCORES, positive(K)), gradient)


def attention(q: Any, k: Any, v: Any) -> Any:
    return np.sum(np.sin(softmax(q @ k.T / np.sqrt(q.shape[1])) @ v))


def attention_gradient(q: Any, k: Any, v: Any, scale: float = 1.0, keys: int = 1) -> Any:
    root = np.sqrt(q.shape[1])
    p = softmax(q @ k.T / root)
    lam = np.cos(p @ v)
    lam_p = lam @ v.T
    lam_s = p * (lam_p - np.sum(p * lam_p, axis=1, keepdims=True)) / root * scale
    return lam_s @ k, keys * lam_s.T @ q, p.T @ lam


QKV = (normal(3, 4), normal(5, 4, seed=1), normal(5, 2, seed=2))


@wrong("attention: 1/√d forgotten on the way back", "0 1", says="factor|2")
def attention_scale() -> Pair:
    return Pair(attention, QKV, lambda q, k, v: attention_gradient(q, k, v, scale=2.0))


@wrong("attention: the keys are detached", "1", says="zero|0")
def keys_detached() -> Pair:
    return Pair(attention, QKV, lambda q, k, v: attention_gradient(q, k, v, keys=0))


@wrong("causal mask: what is masked receives a derivative", index=[(0, 1), (0, 2), (1, 2)])
def causal_mask() -> Pair:
    w = normal(3, 3, seed=3)
    mask = np.tril(np.ones((3, 3)))
    return Pair(lambda s: np.sum(w * np.tanh(s) * mask), (normal(3, 3),), lambda s: w * (1 - np.tanh(s) ** 2))


@wrong("dropout: 1/(1 − p) missing on the way back", says="factor|2")
def dropout_scale() -> Pair:
    mask = np.array([1.0, 0, 1, 1, 0, 0])
    return Pair(lambda x: np.sum(np.sin(2 * x * mask)), (normal(6),), lambda x: np.cos(2 * x * mask) * mask)


W, U, XS = 0.5 * normal(3, 3), normal(2, 3, seed=1), normal(6, 2, seed=2)


def recurrence(w: Any, u: Any) -> Any:
    h = np.zeros(3)
    for x in XS:
        h = np.tanh(h @ w + x @ u)
    return np.sum(h**2)


def recurrence_gradient(w: Any, u: Any, steps: int = 6, tangent: bool = True) -> Any:
    hs = [np.zeros(3)]
    for x in XS:
        hs.append(np.tanh(hs[-1] @ w + x @ u))
    lam, lam_w, lam_u = 2 * hs[-1], np.zeros_like(w), np.zeros_like(u)
    for t in range(6, 6 - steps, -1):
        lam = lam * (1 - hs[t] ** 2 if tangent else 1.0)
        lam_w += np.outer(hs[t - 1], lam)
        lam_u += np.outer(XS[t - 1], lam)
        lam = w @ lam
    return lam_w, lam_u


@wrong("a recurrence truncated to its last three steps", "0 1")
def truncated_recurrence() -> Pair:
    return Pair(recurrence, (W, U), lambda w, u: recurrence_gradient(w, u, steps=3))


@wrong("a recurrence without the derivative of its tanh", "0 1")
def activation_forgotten() -> Pair:
    return Pair(recurrence, (W, U), lambda w, u: recurrence_gradient(w, u, tangent=False))


@wrong("the recurrence stops one step early", "1")
def one_step_early() -> Pair:
    return Pair(recurrence, (W, U), lambda w, u: recurrence_gradient(w, u, steps=5))


@wrong("LSTM: the forget gate's path is detached", "1")
def forget_gate() -> Pair:
    def f(c: Any, z: Any) -> Any:
        return np.sum(np.tanh(c * sigmoid(z) + np.tanh(z)))

    def gradient(c: Any, z: Any) -> Any:
        s, t = sigmoid(z), np.tanh(z)
        lam = 1 - np.tanh(c * s + t) ** 2
        return lam * s, lam * (1 - t**2)

    return Pair(f, (normal(4), normal(4, seed=1)), gradient)


@wrong("a residual connection: the path around is dropped")
def skip_connection() -> Pair:
    return Pair(
        lambda x: np.sum(np.sin(x + np.tanh(x))),
        (normal(4),),
        lambda x: np.cos(x + np.tanh(x)) * (1 - np.tanh(x) ** 2),
    )


@wrong("tied weights: one of two uses is counted")
def tied_weights() -> Pair:
    x = normal(3, seed=1)

    def gradient(w: Any) -> Any:
        h = np.tanh(x @ w)
        return np.outer(2 * (h @ w.T), h)

    return Pair(lambda w: np.sum((np.tanh(x @ w) @ w.T) ** 2), (normal(3, 3),), gradient)


@wrong("max pooling: the derivative goes to the whole window")
def pooling() -> Pair:
    def gradient(x: Any) -> Any:
        return np.repeat(2 * np.max(x.reshape(-1, 2), axis=1), 2)

    return Pair(lambda x: np.sum(np.max(x.reshape(-1, 2), axis=1) ** 2), (normal(8),), gradient)


@wrong("convolution with stride 2: placed one pixel off")
def stride() -> Pair:
    k = normal(3, seed=4)

    def f(x: Any) -> Any:
        return np.sum(np.sin(np.convolve(x, k[::-1], "valid")[::2]))

    def gradient(x: Any) -> Any:
        lam = np.cos(np.convolve(x, k[::-1], "valid")[::2])
        wide = np.zeros(len(x) - 2)
        wide[1::2] = lam  # should be wide[0::2]
        return np.convolve(wide, k, "full")

    return Pair(f, (normal(10),), gradient)


@wrong("two-dimensional convolution: kernel flipped along one axis only", "0")
def half_flipped() -> Pair:
    def correlate(x: Any, k: Any) -> Any:
        rows, columns = x.shape[0] - 1, x.shape[1] - 1
        return sum(k[i, j] * x[i : i + rows, j : j + columns] for i in range(2) for j in range(2))

    def gradient(x: Any, k: Any) -> Any:
        lam = np.cos(correlate(x, k))
        rows, columns = lam.shape
        lam_x = correlate(np.pad(lam, 1), k[::-1])
        lam_k = [[np.sum(lam * x[i : i + rows, j : j + columns]) for j in range(2)] for i in range(2)]
        return lam_x, np.array(lam_k)

    return Pair(lambda x, k: np.sum(np.sin(correlate(x, k))), (normal(4, 5), normal(2, 2, seed=1)), gradient)


@wrong("a target network is differentiated as if it were fixed", "0")
def detached_target() -> Pair:
    r = normal(4, seed=1)

    def f(w: Any) -> Any:
        return 0.5 * np.sum((w[:4] - r - 0.9 * w[1:]) ** 2)

    def gradient(w: Any) -> Any:
        return np.append(w[:4] - r - 0.9 * w[1:], 0.0)

    return Pair(f, (normal(5),), gradient)


@wrong("contrastive loss: the anchor's derivative lacks the negative pair", "0")
def negative_pair() -> Pair:
    def f(a: Any, p: Any, n: Any) -> Any:
        return np.logaddexp(0.0, a @ n - a @ p)

    def gradient(a: Any, p: Any, n: Any) -> Any:
        s = sigmoid(a @ n - a @ p)
        return -s * p, -s * a, s * a

    return Pair(f, (normal(3), normal(3, seed=1), normal(3, seed=2)), gradient)


@wrong("KL divergence: derivative of the other argument's formula", "0")
def divergence() -> Pair:
    return Pair(
        lambda p, q: np.sum(p * np.log(p / q)),
        (positive(4), positive(4, seed=1)),
        lambda p, q: (np.log(p / q), -p / q),
    )


@wrong("log-variance: the normalizing term is forgotten", "1")
def normalizing_term() -> Pair:
    def f(mean: Any, log_var: Any) -> Any:
        return np.sum(0.5 * (mean**2 * np.exp(-log_var) + log_var))

    def gradient(mean: Any, log_var: Any) -> Any:
        return mean * np.exp(-log_var), -0.5 * mean**2 * np.exp(-log_var)

    return Pair(f, (normal(4), normal(4, seed=1)), gradient)
