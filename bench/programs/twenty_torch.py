"""The twenty programs for torch, as its users write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from harness import Run, Skip

from . import Case, map_leaves
from .eight_torch import own

Function = Callable[..., Any]
LOOPS = {"kalman", "hidden_markov", "diffusion", "predators", "lstm"}  # of 20 to 200 steps


# ---------------------------------------------------------------------------------------- statistics
def mixture(weight: Any, mean: Any, log_scale: Any, x: Any) -> Any:
    z = (x[:, None, :] - mean) * torch.exp(-log_scale)
    each = -0.5 * (z * z).sum(2) - log_scale.sum(1) + F.log_softmax(weight, 0)
    return -torch.logsumexp(each, 1).mean()


def quantiles(w: Any, b: Any, x: Any, y: Any, q: Any) -> Any:
    r = y[:, None] - x @ w - b
    return torch.maximum(q * r, (q - 1) * r).mean()


def huber(w: Any, log_scale: Any, x: Any, y: Any) -> Any:
    r = (y - x @ w) * torch.exp(-log_scale)
    return F.huber_loss(r, torch.zeros_like(r), delta=1.345) + log_scale


def poisson(w: Any, b: Any, x: Any, y: Any) -> Any:
    return F.poisson_nll_loss(x @ w + b, y) + 1e-2 * (w * w).sum()


def experts(gate: Any, w: Any, x: Any, y: Any) -> Any:
    p = (torch.softmax(x @ gate, 1) * torch.sigmoid(x @ w)).sum(1)
    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()


def spline(knots: Any, c: Any, x: Any, y: Any) -> Any:
    basis = torch.relu(x[:, None] - knots) ** 3
    trend = c[0] + c[1] * x + c[2] * x**2 + c[3] * x**3
    return ((trend + basis @ c[4:] - y) ** 2).mean() + 1e-3 * (c[4:] ** 2).sum()


def gaussian_process(log_length: Any, log_size: Any, log_noise: Any, x: Any, y: Any) -> Any:
    z = x / torch.exp(log_length)
    square = (z * z).sum(1)
    distance = square[:, None] + square - 2 * (z @ z.T)
    noise = torch.exp(2 * log_noise) * torch.eye(len(x), dtype=x.dtype)
    low = torch.linalg.cholesky(torch.exp(2 * log_size - 0.5 * distance) + noise)
    half = torch.linalg.solve_triangular(low, y[:, None], upper=False)
    return 0.5 * (half * half).sum() + torch.log(torch.diagonal(low)).sum()


def kalman(a: Any, log_q: Any, log_r: Any, c: Any, y: Any) -> Any:
    state, p = torch.zeros(len(a), dtype=a.dtype), torch.eye(len(a), dtype=a.dtype)
    q, r, total = torch.diag(torch.exp(log_q)), torch.diag(torch.exp(log_r)), 0.0
    for seen in y:
        state, p = a @ state, a @ p @ a.T + q
        s, miss = c @ p @ c.T + r, seen - c @ state
        gain = torch.linalg.solve(s, c @ p).T
        total = total + 0.5 * (miss @ torch.linalg.solve(s, miss) + torch.linalg.slogdet(s)[1])
        state, p = state + gain @ miss, p - gain @ c @ p
    return total / len(y)


def hidden_markov(trans: Any, mean: Any, log_scale: Any, y: Any) -> Any:
    log_t = F.log_softmax(trans, 1)
    emit = -0.5 * ((y[:, :, None] - mean) * torch.exp(-log_scale)) ** 2 - log_scale
    alpha = emit[0]
    for now in emit[1:]:
        alpha = torch.logsumexp(alpha[:, :, None] + log_t, 1) + now
    return -torch.logsumexp(alpha, 1).mean() / len(y)


# ------------------------------------------------------------------------------------------- physics
def diffusion(u: Any, rate: Any, growth: Any, wish: Any, steps: int) -> Any:
    for _ in range(steps):
        around = torch.roll(u, 1, 0) + torch.roll(u, -1, 0) + torch.roll(u, 1, 1) + torch.roll(u, -1, 1)
        u = u + rate * (around - 4 * u) + growth * u * (1 - u)
    return ((u - wish) ** 2).mean()


def predators(rates: Any, z: Any, wish: Any, steps: int) -> Any:
    h = 0.02

    def flow(z: Any) -> Any:
        return torch.stack([z[0] * (rates[0] - rates[1] * z[1]), z[1] * (rates[2] * z[0] - rates[3])])

    for _ in range(steps):
        a = flow(z)
        b = flow(z + h / 2 * a)
        c = flow(z + h / 2 * b)
        z = z + h / 6 * (a + 2 * b + 2 * c + flow(z + h * c))
    return ((z - wish) ** 2).sum(0).mean()


def bodies(x: Any, mass: Any) -> Any:
    d = x[:, None, :] - x[None, :, :]
    r = torch.sqrt((d * d).sum(2) + 1e-2)
    return -0.5 * (mass[:, None] * mass / r).sum()


# ------------------------------------------------------------------------------------------ learning
def lstm(w: Any, b: Any, out: Any, x: Any, y: Any) -> Any:
    h = c = torch.zeros((x.shape[1], len(out)), dtype=x.dtype)
    for now in x:
        i, f, o, g = torch.addmm(b, torch.cat([now, h], 1), w).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
    return ((h @ out - y) ** 2).mean()


def attention(wq: Any, wk: Any, wv: Any, wo: Any, x: Any, y: Any, heads: int) -> Any:
    batch, tokens, width = x.shape
    q, k, v = ((x @ w).view(batch, tokens, heads, -1).transpose(1, 2) for w in (wq, wk, wv))
    z = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return ((x + z.transpose(1, 2).reshape(batch, tokens, width) @ wo - y) ** 2).mean()


def convolution(kernel: Any, w: Any, b: Any, x: Any, y: Any) -> Any:
    h = F.conv2d(x[:, None], kernel.T.reshape(-1, 1, 3, 3))
    h = F.max_pool2d(torch.relu(h), 2).permute(0, 2, 3, 1)
    return F.cross_entropy(torch.addmm(b, h.reshape(len(x), -1), w), y)


def ratings(u: Any, v: Any, bu: Any, bv: Any, i: Any, j: Any, r: Any) -> Any:
    miss = (F.embedding(i, u) * F.embedding(j, v)).sum(1) + bu[i] + bv[j] - r
    return (miss * miss).mean() + 1e-3 * ((u * u).mean() + (v * v).mean())


def words(embedding: Any, w: Any, context: Any, y: Any) -> Any:
    return F.cross_entropy(F.embedding_bag(context, embedding, mode="mean") @ w, y)


def normalized(params: Any, x: Any, y: Any) -> Any:
    h = x
    for gain, bias, w, v in params:
        z = F.layer_norm(h, h.shape[1:], gain, bias, 1e-5)
        h = h + F.gelu(z @ w, approximate="tanh") @ v
    return ((h - y) ** 2).mean()


def variational(encoder: Any, decoder: Any, x: Any, noise: Any) -> Any:
    (w1, b1, w2, b2), (w3, b3, w4, b4) = encoder, decoder
    code = torch.addmm(b2, torch.tanh(torch.addmm(b1, x, w1)), w2)
    mean, log_scale = code.chunk(2, 1)
    z = mean + torch.exp(log_scale) * noise
    logit = torch.addmm(b4, torch.tanh(torch.addmm(b3, z, w3)), w4)
    likelihood = F.binary_cross_entropy_with_logits(logit, x, reduction="sum") / len(x)
    return (0.5 * (torch.exp(2 * log_scale) + mean**2 - 1) - log_scale).sum(1).mean() + likelihood


def low_rank(u: Any, v: Any, x: Any) -> Any:
    miss, gram = x - u @ v.T, u.T @ u - torch.eye(u.shape[1], dtype=u.dtype)
    return (miss * miss).mean() + (gram * gram).sum()


def derivative(case: Case, transform: Function) -> Run:
    """Value by the (compiled) program, gradients by `torch.autograd.grad`."""
    f, parameters, data = transform(globals()[case.program]), own(case.parameters, True), own(case.data)
    variables: list[Any] = []
    map_leaves(variables.append, parameters)

    def run() -> Any:
        value = f(*parameters, *data)
        return value, torch.autograd.grad(value, variables)

    return run


def build(case: Case) -> Run:
    """Eager."""
    return derivative(case, lambda f: f)


def build_compiled(case: Case) -> Run:
    """Inductor."""
    if case.program in LOOPS:
        raise Skip("an unrolled loop compiles for minutes")
    return derivative(case, lambda f: torch.compile(f, dynamic=False))
