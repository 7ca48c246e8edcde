"""The twenty programs for jax: NumPy's text read as jax's, and the author's choice where jax has its own way.

Own ways: loops as `lax.scan`, convolutions and factorizations by the library's functions. Where there is one,
both are timed and the faster counts; loops only as scans (the Kalman filter's 100 steps unrolled: 136 s of
compiling, and 5 times slower then).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from harness import Run, Skip

from . import Case, Function, map_leaves, read_as

jax.config.update("jax_enable_x64", True)
text = read_as("twenty", jnp)


def mixture(weight: Any, mean: Any, log_scale: Any, x: Any) -> Any:
    z = (x[:, None, :] - mean) * jnp.exp(-log_scale)
    each = -0.5 * jnp.sum(z * z, axis=2) - jnp.sum(log_scale, axis=1) + jax.nn.log_softmax(weight)
    return -jnp.mean(jax.nn.logsumexp(each, axis=1))


def gaussian_process(log_length: Any, log_size: Any, log_noise: Any, x: Any, y: Any) -> Any:
    z = x / jnp.exp(log_length)
    square = jnp.sum(z * z, axis=1)
    distance = square[:, None] + square - 2 * (z @ z.T)
    k = jnp.exp(2 * log_size - 0.5 * distance) + jnp.exp(2 * log_noise) * jnp.eye(len(x))
    low = jnp.linalg.cholesky(k)
    half = jax.scipy.linalg.solve_triangular(low, y, lower=True)
    return 0.5 * jnp.sum(half * half) + jnp.sum(jnp.log(jnp.diag(low)))


def kalman(a: Any, log_q: Any, log_r: Any, c: Any, y: Any) -> Any:
    q, r = jnp.diag(jnp.exp(log_q)), jnp.diag(jnp.exp(log_r))

    def step(belief: Any, seen: Any) -> Any:
        state, p = a @ belief[0], a @ belief[1] @ a.T + q
        s, miss = c @ p @ c.T + r, seen - c @ state
        gain = jnp.linalg.solve(s, c @ p).T
        cost = 0.5 * (miss @ jnp.linalg.solve(s, miss) + jnp.linalg.slogdet(s)[1])
        return (state + gain @ miss, p - gain @ c @ p), cost

    start = jnp.zeros(a.shape[0]), jnp.eye(a.shape[0])
    return jnp.mean(jax.lax.scan(step, start, y)[1])


def hidden_markov(trans: Any, mean: Any, log_scale: Any, y: Any) -> Any:
    log_t = jax.nn.log_softmax(trans, axis=1)
    emit = -0.5 * ((y[:, :, None] - mean) * jnp.exp(-log_scale)) ** 2 - log_scale

    def step(alpha: Any, now: Any) -> Any:
        return jax.nn.logsumexp(alpha[:, :, None] + log_t, axis=1) + now, None

    return -jnp.mean(jax.nn.logsumexp(jax.lax.scan(step, emit[0], emit[1:])[0], axis=1)) / len(y)


def diffusion(u: Any, rate: Any, growth: Any, wish: Any, steps: int) -> Any:
    def step(u: Any, _: Any) -> Any:
        around = jnp.roll(u, 1, 0) + jnp.roll(u, -1, 0) + jnp.roll(u, 1, 1) + jnp.roll(u, -1, 1)
        return u + rate * (around - 4 * u) + growth * u * (1 - u), None

    return jnp.mean((jax.lax.scan(step, u, length=steps)[0] - wish) ** 2)


def predators(rates: Any, z: Any, wish: Any, steps: int) -> Any:
    h = 0.02

    def flow(z: Any) -> Any:
        return jnp.stack([z[0] * (rates[0] - rates[1] * z[1]), z[1] * (rates[2] * z[0] - rates[3])])

    def step(z: Any, _: Any) -> Any:
        a = flow(z)
        b = flow(z + h / 2 * a)
        c = flow(z + h / 2 * b)
        return z + h / 6 * (a + 2 * b + 2 * c + flow(z + h * c)), None

    miss = jax.lax.scan(step, z, length=steps)[0] - wish
    return jnp.mean(jnp.sum(miss * miss, axis=0))


def lstm(w: Any, b: Any, out: Any, x: Any, y: Any) -> Any:
    def step(state: Any, now: Any) -> Any:
        h, c = state
        i, f, o, g = jnp.split(jnp.concatenate([now, h], axis=1) @ w + b, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    zero = jnp.zeros((x.shape[1], out.shape[0]), x.dtype)
    return jnp.mean((jax.lax.scan(step, (zero, zero), x)[0][0] @ out - y) ** 2)


def convolution(kernel: Any, w: Any, b: Any, x: Any, y: Any) -> Any:
    filters = jnp.reshape(kernel, (3, 3, 1, -1))
    axes = ("NHWC", "HWIO", "NHWC")
    h = jax.lax.conv_general_dilated(x[..., None], filters, (1, 1), "VALID", dimension_numbers=axes)
    h = jnp.max(jnp.reshape(jax.nn.relu(h), (len(x), 13, 2, 13, 2, -1)), axis=(2, 4))
    return text.cross_entropy(jnp.reshape(h, (len(x), -1)) @ w + b, y)


LOOPS = {"kalman", "hidden_markov", "diffusion", "predators", "lstm"}
OWN = {
    f.__name__: f
    for f in (
        mixture, gaussian_process, kalman, hidden_markov, diffusion, predators, lstm, convolution,
    )
}  # fmt: skip


def derivative(f: Function, case: Case) -> Run:
    """Value and gradients compiled, on the device's own arrays; whole numbers are constants."""
    count = len(case.parameters)
    whole = [k for k, x in enumerate(case.data, count) if type(x) is int]
    args = [
        x if k in whole else map_leaves(jnp.asarray, x) for k, x in enumerate((*case.parameters, *case.data))
    ]
    compiled = jax.jit(jax.value_and_grad(f, argnums=tuple(range(count))), static_argnums=whole)
    return lambda: jax.block_until_ready(compiled(*args))


def build(case: Case) -> Run:
    """NumPy's text."""
    if case.program in LOOPS:
        raise Skip  # unrolled, the text is slower than the scan, and compiles for minutes
    return derivative(getattr(text, case.program), case)


def build_own(case: Case) -> Run:
    """jax's own way."""
    if case.program not in OWN:
        raise Skip
    return derivative(OWN[case.program], case)
