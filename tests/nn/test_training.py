"""Small networks train: a transformer and a GRU on characters, a convolutional one on strokes.

Sizes keep every matrix product below 2¹⁸ multiplications, where OpenBLAS starts threads: on a busy machine
those cost ten times what they save.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import adjoint as ad
from adjoint import nn, optim

from ..helpers import rng, same_kind

TEXT = (
    "the tape is a list of constraints and one sweep leaves a multiplier on each of them; "
    "the multipliers of the parameters are the gradient of the loss. "
)
LETTERS = sorted(set(TEXT))
CODES = np.array([LETTERS.index(c) for c in TEXT])
UNIFORM = float(np.log(len(LETTERS)))  # the loss, in nats, of who knows the letters and nothing else


def windows(generator: np.random.Generator, count: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Random stretches of the text, and the same one letter on."""
    starts = generator.integers(0, len(CODES) - length - 1, count)
    rows = CODES[starts[:, None] + np.arange(length + 1)]
    return rows[:, :-1], rows[:, 1:]


def train(loss: Any, params: Any, opt: optim.Optimizer, batches: Any) -> tuple[list[float], Any]:
    """The loss of every batch before its update, and the last parameters."""
    state, losses = opt.init(params), []
    clip = optim.clip_by_global_norm(1.0)
    for batch in batches:
        value, gradient = ad.value_and_grad(loss)(params, *batch)
        params, state = opt.update(clip(gradient), state, params)
        losses.append(float(value))
    return losses, params


def transformer(generator: np.random.Generator, length: int, features: int) -> dict:
    def block() -> dict:
        return {
            "norm_1": nn.init_layer_norm(features),
            "attention": nn.init_attention(generator, features),
            "norm_2": nn.init_layer_norm(features),
            "up": nn.init_dense(generator, features, 4 * features),
            "down": nn.init_dense(generator, 4 * features, features),
        }

    return {
        "letters": nn.init_embedding(generator, len(LETTERS), features),
        "places": nn.init_embedding(generator, length, features),
        "blocks": [block(), block()],
        "norm": nn.init_layer_norm(features),
        "output": nn.init_dense(generator, features, len(LETTERS)),
    }


def transformer_loss(params: dict, tokens: np.ndarray, following: np.ndarray) -> Any:
    x = nn.embedding(params["letters"], tokens) + params["places"]["W"]
    for block in params["blocks"]:
        x = x + nn.attention(block["attention"], nn.layer_norm(block["norm_1"], x), 4, causal=True)
        hidden = nn.gelu(nn.dense(block["up"], nn.layer_norm(block["norm_2"], x)))
        x = x + nn.dense(block["down"], hidden)
    return nn.cross_entropy(nn.dense(params["output"], nn.layer_norm(params["norm"], x)), following)


def decaying_adam(params: dict) -> optim.Optimizer:
    """For 150 steps; biases and scales do not decay."""
    decays = ad.tree_map(lambda p: p.ndim > 1, params)
    return optim.adamw(optim.warmup_cosine(1e-2, 150, warmup=10), weight_decay=0.01, mask=decays)


def test_a_transformer_learns_a_text() -> None:
    generator, length = rng(), 12
    params = transformer(generator, length, 24)
    batches = (windows(generator, 8, length) for _ in range(150))
    losses, trained = train(transformer_loss, params, decaying_adam(params), batches)
    assert abs(losses[0] - UNIFORM) < 1.0
    assert np.mean(losses[-10:]) < 0.9  # without attention: 1.48
    same_kind(trained, params)


def gru_loss(params: dict, tokens: np.ndarray, following: np.ndarray) -> Any:
    def step(h, x):
        h = nn.gru_cell(params["gru"], h, x)
        return h, h

    start = np.zeros((len(tokens), 48), np.float32)
    _, hs = ad.scan(step, start, nn.embedding(params["letters"], tokens.T))
    return nn.cross_entropy(nn.dense(params["output"], hs), following.T)


def recurrent(generator: np.random.Generator) -> dict:
    return {
        "letters": nn.init_embedding(generator, len(LETTERS), 16),
        "gru": nn.init_gru(generator, 16, 48),
        "output": nn.init_dense(generator, 48, len(LETTERS)),
    }


def test_a_gru_learns_a_text() -> None:
    generator = rng(1)
    params = recurrent(generator)
    losses, trained = train(
        gru_loss, params, optim.adam(2e-2), (windows(generator, 12, 16) for _ in range(100))
    )
    assert abs(losses[0] - UNIFORM) < 0.5
    assert np.mean(losses[-10:]) < 0.5
    same_kind(trained, params)


def strokes(generator: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Horizontal, vertical and diagonal strokes in noise, (count, 8, 8, 1), and which they are."""
    labels, at = generator.integers(0, 3, count), generator.integers(1, 7, count)
    x = generator.normal(0, 0.3, (count, 8, 8, 1)).astype(np.float32)
    for n, (label, k) in enumerate(zip(labels, at, strict=True)):
        stroke = [(k, slice(None)), (slice(None), k), (np.arange(8), np.arange(8))][label]
        x[n][stroke] += 1
    return x, labels


def convolutional(generator: np.random.Generator) -> dict:
    return {"conv": nn.init_conv2d(generator, 1, 8), "output": nn.init_dense(generator, 8, 3)}


def directions(params: dict, x: np.ndarray) -> Any:
    h = nn.max_pool2d(nn.relu(nn.conv2d(params["conv"], x)))
    return nn.dense(params["output"], np.mean(h, axis=(1, 2)))


def directions_loss(params: dict, x: np.ndarray, labels: np.ndarray) -> Any:
    return nn.cross_entropy(directions(params, x), labels)


def test_a_convolutional_network_learns_directions() -> None:
    """Told apart on images it has not seen."""
    generator = rng(2)
    params = convolutional(generator)
    batches = (strokes(generator, 32) for _ in range(80))
    losses, trained = train(directions_loss, params, optim.momentum(0.3), batches)
    assert losses[0] > 0.9 > 0.3 > np.mean(losses[-10:])
    x, labels = strokes(generator, 200)
    assert np.mean(np.argmax(directions(trained, x), -1) == labels) > 0.9
