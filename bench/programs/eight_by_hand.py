"""The eight workloads with derivatives by hand in NumPy: the reference in float64, and a contestant.

Each function takes a case's parameters, data and extra, and returns what the question asks for. That the
derivatives are right is checked in every run by central differences of the program (`compiled.reference`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import eight
from .eight import dual_by_moments


def scalar(x: Any, a: Any, b: Any, steps: int) -> Any:
    """W1: the recurrence with Python's floats, forwards and back."""
    x, a, b = float(x), float(a), float(b)
    states, total = [], 0.0
    for _ in range(steps):
        states.append(x)
        x = math.sin(x) * a + b * x
        total += x
    lam, a_bar, b_bar = 0.0, 0.0, 0.0
    for x in reversed(states):
        lam += 1.0
        a_bar += lam * math.sin(x)
        b_bar += lam * x
        lam *= a * math.cos(x) + b
    return total, (lam, a_bar, b_bar)


def chain(x: Any) -> Any:
    """W2."""
    t, e, up = np.tanh(x), np.exp(-x * x), np.exp(x)
    sigma, soft = 1 / (1 + np.exp(-x)), np.log1p(up)
    te = t * e
    gradient = (1 - t * t) * e - 2 * x * te + sigma * (sigma + soft * (1 - sigma))
    return np.sum(te + soft * sigma), (gradient,)


def mlp(params: Any, x: Any, y: Any) -> Any:
    """W3."""
    kept = [x]
    for w, b in params[:-1]:
        kept.append(np.maximum(kept[-1] @ w + b, 0))
    z = kept[-1] @ params[-1][0] + params[-1][1]
    z = z - np.max(z, axis=1, keepdims=True)
    e, rows = np.exp(z), np.arange(len(y))
    total = np.sum(e, axis=1)
    value = np.mean(np.log(total) - z[rows, y])
    lam = e / (total * len(y))[:, None]
    lam[rows, y] -= 1 / len(y)
    gradients: list[Any] = []
    for (w, _), h in zip(reversed(params), reversed(kept), strict=True):
        gradients.append((h.T @ lam, np.sum(lam, axis=0)))
        if h is not x:
            lam = (lam @ w.T) * (h > 0)
    return value, (gradients[::-1],)


def mlp_adam(params: Any, x: Any, y: Any, m: Any, v: Any, t: Any, rate: Any) -> Any:
    """W3 with one update of Adam."""
    value, (gradients,) = mlp(params, x, y)
    return value, *eight.adam(params, gradients, m, v, t, rate)


def policy_tangents(params: Any, direction: Any, x: Any) -> Any:
    """W5: layers' outputs with their tangents, π, and the tangent of log π."""
    kept, h, h_dot = [], x, None
    for k, ((w, b), (w_dot, b_dot)) in enumerate(zip(params, direction, strict=True)):
        kept.append((h, h_dot))
        s, s_dot = h @ w + b, h @ w_dot + b_dot
        if h_dot is not None:
            s_dot += h_dot @ w
        if k < len(params) - 1:
            h = np.tanh(s)
            h_dot = (1 - h * h) * s_dot
    s = s - np.max(s, axis=1, keepdims=True)
    p = np.exp(s)
    p /= np.sum(p, axis=1, keepdims=True)
    return kept, p, s_dot - np.sum(p * s_dot, axis=1, keepdims=True)


def policy_hvp(params: Any, x: Any, act: Any, adv: Any, v: Any) -> Any:
    """W5: the tangent of the adjoint sweep."""
    kept, p, log_dot = policy_tangents(params, v, x)
    weight = adv[:, None] / len(act)
    lam = p * weight
    lam[np.arange(len(act)), act] -= adv / len(act)
    lam_dot = p * log_dot * weight
    products: list[Any] = []
    for (w, _), (w_dot, _), (h, h_dot) in zip(reversed(params), reversed(v), reversed(kept), strict=True):
        product = h.T @ lam_dot
        if h_dot is not None:
            product += h_dot.T @ lam
        products.append((product, np.sum(lam_dot, axis=0)))
        if h_dot is not None:
            slope, above = 1 - h * h, lam @ w.T
            lam_dot = (lam_dot @ w.T + lam @ w_dot.T) * slope - 2 * above * h * h_dot
            lam = above * slope
    return products[::-1]


def policy_fisher(params: Any, x: Any, v: Any) -> Any:
    """W5: Jᵀ F J v."""
    kept, p, log_dot = policy_tangents(params, v, x)
    lam = p * log_dot / len(x)
    products: list[Any] = []
    for (w, _), (h, h_dot) in zip(reversed(params), reversed(kept), strict=True):
        products.append((h.T @ lam, np.sum(lam, axis=0)))
        if h_dot is not None:
            lam = (lam @ w.T) * (1 - h * h)
    return products[::-1]


def recurrence(w: Any, v: Any, b: Any, u: Any, y: Any) -> Any:
    """W6: the products for W, V and b once at the end, over all steps."""
    steps, batch, dim = y.shape
    z = np.zeros((steps + 1, batch, dim), y.dtype)
    drive = (u.reshape(-1, u.shape[2]) @ v + b).reshape(y.shape)
    for t in range(steps):
        np.tanh(z[t] @ w + drive[t], out=z[t + 1])
    miss = z[1:] - y
    lam, before = np.zeros_like(y), np.zeros_like(y[0])
    for t in reversed(range(steps)):
        np.multiply(before + (2 / steps) * miss[t], 1 - z[t + 1] ** 2, out=lam[t])
        before = lam[t] @ w.T
    flat = lam.reshape(-1, dim)
    gradients = z[:-1].reshape(-1, dim).T @ flat, u.reshape(-1, u.shape[2]).T @ flat, np.sum(flat, axis=0)
    return np.sum(miss * miss) / steps, gradients


def ridge(w: Any, x: Any, y: Any) -> Any:
    """W7."""
    residual = x @ w - y
    value = 0.5 * np.mean(residual * residual) + 0.5e-3 * (w @ w)
    return value, (residual @ x / len(y) + 1e-3 * w,)


def logistic(w: Any, x: Any, y: Any) -> Any:
    """W7."""
    margin = -y * (x @ w)
    e = np.exp(-np.abs(margin))
    value = np.mean(np.maximum(margin, 0) + np.log1p(e)) + 0.5e-3 * (w @ w)
    sigma = np.where(margin > 0, 1, e) / (1 + e)
    return value, ((-y * sigma / len(y)) @ x + 1e-3 * w,)


def call(w: Any, x: Any) -> Any:
    """W8."""
    t = np.tanh(w @ x)
    lam = 1 - t * t
    return np.sum(t), (lam[:, None] * x, lam @ w)


ASKED = {  # (program, question) → function; the rest is value and gradients
    ("mlp", "adam"): mlp_adam,
    ("dual", "hessian"): dual_by_moments,
    ("policy_loss", "hvp"): policy_hvp,
    ("log_policy", "fisher"): policy_fisher,
}
