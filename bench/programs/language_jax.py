"""The language model for jax: `lax.scan` after one product for all inputs; parameters and state donated."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from harness import Run

from .language_text import B1, B2, CLIP, DECAY, END, EPS, KEEP, LOUD, PAD, RATE, Data, turns


def loss(params: Any, tokens: Any, inner: Any, outer: Any) -> Any:
    E, gates, state = params["embedding"]["W"], params["gru"]["input"], params["gru"]["state"]
    n = E.shape[1]
    before = jnp.concatenate([jnp.full_like(tokens[:1], END), tokens[:-1]])
    xs = jnp.where(inner, E[before] * (LOUD * n**0.5 / KEEP), 0.0) @ gates["W"] + gates["b"]

    def step(h: Any, x: Any) -> Any:
        s = h @ state["W"] + state["b"]
        r, u = jax.nn.sigmoid(x[:, :n] + s[:, :n]), jax.nn.sigmoid(x[:, n : 2 * n] + s[:, n : 2 * n])
        h = (1 - u) * jnp.tanh(x[:, 2 * n :] + r * s[:, 2 * n :]) + u * h
        return h, h

    hs = jax.lax.scan(step, jnp.zeros((tokens.shape[1], n), E.dtype), xs)[1]
    z = jnp.where(outer, hs / KEEP, 0.0) @ E.T + params["bias"]
    nats = jax.nn.logsumexp(z, axis=-1) - jnp.take_along_axis(z, tokens[..., None], axis=-1)[..., 0]
    counts = tokens != PAD
    return jnp.sum(jnp.where(counts, nats, 0.0)) / jnp.sum(counts)


def update(params: Any, state: Any, batch: Any) -> Any:
    value, g = jax.value_and_grad(loss)(params, *batch)
    m, v, t = state
    norm = jnp.sqrt(sum(jnp.sum(x * x) for x in jax.tree.leaves(g)))
    g = jax.tree.map(lambda x: x * jnp.minimum(1.0, CLIP / (norm + 1e-6)), g)
    t = t + 1
    m = jax.tree.map(lambda m, g: B1 * m + (1 - B1) * g, m, g)
    v = jax.tree.map(lambda v, g: B2 * v + (1 - B2) * g * g, v, g)
    params = jax.tree.map(
        lambda p, m, v: p * (1 - RATE * DECAY) - RATE * (m / (1 - B1**t)) / (jnp.sqrt(v / (1 - B2**t)) + EPS),
        params,
        m,
        v,
    )
    return params, (m, v, t), value


def build(data: Data) -> Run:
    params = jax.tree.map(jnp.array, data.params)
    zeros = jax.tree.map(jnp.zeros_like, params)
    held = [params, (zeros, jax.tree.map(jnp.zeros_like, params), jnp.zeros((), jnp.float32))]
    compiled = jax.jit(update, donate_argnums=(0, 1))

    def step(batch: Any) -> Any:
        *held[:], value = compiled(*held, batch)
        return jax.block_until_ready(value)

    return turns(step, [tuple(jnp.asarray(x) for x in batch) for batch in data.batches])
