"""The eight workloads as a user of NumPy would write them: parameters first, then data."""

from __future__ import annotations

from typing import Any

import numpy as np

BETA = 0.5  # temperature of the dual function


def scalar(x: Any, a: Any, b: Any, steps: int) -> Any:
    """W1: a recurrence of 5 scalar operations per step."""
    total = 0.0
    for _ in range(steps):
        x = np.sin(x) * a + b * x
        total = total + x
    return total


def chain(x: Any) -> Any:
    """W2: Σ tanh(x) exp(−x²) + log1p(eˣ) σ(x), x (n,)."""
    return np.sum(np.tanh(x) * np.exp(-x * x) + np.log1p(np.exp(x)) / (1 + np.exp(-x)))


def mlp(params: Any, x: Any, y: Any) -> Any:
    """W3: cross-entropy of a ReLU network; params [(W, b), …], x (batch, inputs), y (batch,) of classes."""
    h = x
    for w, b in params[:-1]:
        h = np.maximum(h @ w + b, 0)
    z = h @ params[-1][0] + params[-1][1]
    z = z - np.max(z, axis=1, keepdims=True)
    return np.mean(np.log(np.sum(np.exp(z), axis=1)) - z[np.arange(len(y)), y])


def adam(parameters: Any, gradients: Any, m: Any, v: Any, t: Any, rate: Any) -> tuple[Any, Any, Any]:
    """One update of Adam (Kingma and Ba 2015) of a list of pairs; returns new parameters, m and v."""
    new_p, new_m, new_v = [], [], []
    for ps, gs, ms, vs in zip(parameters, gradients, m, v, strict=True):
        m_pair = tuple(0.9 * a + 0.1 * g for a, g in zip(ms, gs, strict=True))
        v_pair = tuple(0.999 * a + 0.001 * g * g for a, g in zip(vs, gs, strict=True))
        scaled = [
            (a / (1 - 0.9**t)) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8)
            for a, s in zip(m_pair, v_pair, strict=True)
        ]
        new_p.append(tuple(p - rate * q for p, q in zip(ps, scaled, strict=True)))
        new_m.append(m_pair)
        new_v.append(v_pair)
    return new_p, new_m, new_v


def dual(lam: Any, log_ref: Any, r: Any, g: Any) -> Any:
    """W4: β mean log Σ π_ref exp((r + λᵀg)/β); lam (2,), log_ref and r (prompts, responses), g (2, …)."""
    s = log_ref + (r + lam[0] * g[0] + lam[1] * g[1]) / BETA
    m = np.max(s, axis=1, keepdims=True)
    return BETA * np.mean(m[:, 0] + np.log(np.sum(np.exp(s - m), axis=1)))


def dual_by_moments(lam: Any, log_ref: Any, r: Any, g: Any) -> tuple[Any, Any, Any]:
    """Value, gradient and Hessian of `dual` in closed form: mean and covariance of g under the policy."""
    s = log_ref + (r + lam[0] * g[0] + lam[1] * g[1]) / BETA
    m = np.max(s, axis=1, keepdims=True)
    e = np.exp(s - m)
    total = np.sum(e, axis=1, keepdims=True)
    p = e / total
    first = [np.sum(p * g[i], axis=1) for i in (0, 1)]
    hessian = [
        [(np.mean(np.sum(p * g[i] * g[j], axis=1)) - np.mean(first[i] * first[j])) / BETA for j in (0, 1)]
        for i in (0, 1)
    ]
    value = BETA * np.mean(m + np.log(total))
    return value, np.stack([np.mean(f) for f in first]), np.stack([np.stack(row) for row in hessian])


def log_policy(params: Any, x: Any) -> Any:
    """W5: log π(a | x), (n, actions), of a tanh network."""
    h = x
    for w, b in params[:-1]:
        h = np.tanh(h @ w + b)
    z = h @ params[-1][0] + params[-1][1]
    z = z - np.max(z, axis=1, keepdims=True)
    return z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))


def policy_loss(params: Any, x: Any, act: Any, adv: Any) -> Any:
    """W5: −mean log π(a_t | x_t) A_t."""
    return -np.mean(log_policy(params, x)[np.arange(len(act)), act] * adv)


def policy_metric(log_p: Any, u: Any) -> Any:
    """W5: the Hessian of mean KL(π_now ‖ ·) in log π, applied to u; both (n, actions)."""
    return np.exp(log_p) * u / len(log_p)


def recurrence(w: Any, v: Any, b: Any, u: Any, y: Any) -> Any:
    """W6: z ← tanh(zW + u_t V + b), Σ |z − y_t|²; u (steps, batch, inputs), y (steps, batch, dim)."""
    z, total = np.zeros_like(y[0]), 0.0
    for t in range(len(u)):
        z = np.tanh(z @ w + u[t] @ v + b)
        total = total + np.sum((z - y[t]) ** 2)
    return total / len(u)


def ridge(w: Any, x: Any, y: Any) -> Any:
    """W7: ½ mean (Xw − y)² + ½ 10⁻³ |w|²."""
    return 0.5 * np.mean((x @ w - y) ** 2) + 0.5e-3 * np.dot(w, w)


def logistic(w: Any, x: Any, y: Any) -> Any:
    """W7: mean log(1 + exp(−y Xw)) + ½ 10⁻³ |w|², y = ±1."""
    return np.mean(np.logaddexp(0, -y * (x @ w))) + 0.5e-3 * np.dot(w, w)


def call(w: Any, x: Any) -> Any:
    """W8: a small function, for what a call costs; w (8, 8), x (8,)."""
    return np.sum(np.tanh(w @ x))
