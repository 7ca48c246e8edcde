"""Every layer and loss compiled: values and gradients as eagerly, by native steps; whole networks train."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import nn, optim
from adjoint import tree as trees
from adjoint.errors import TraceError

from ..helpers import message, normal, rng, same_kind
from .test_training import (
    convolutional,
    decaying_adam,
    directions,
    directions_loss,
    gru_loss,
    recurrent,
    strokes,
    train,
    transformer,
    transformer_loss,
    windows,
)

Case = tuple[Callable[..., Any], tuple[Any, ...]]

X, SEQUENCE, IMAGES = normal(6, 5), normal(3, 4, 6), normal(2, 6, 5, 3)
TOKENS, LABELS = rng().integers(0, 7, (3, 4)), rng(1).integers(0, 5, 6)
KEPT = rng(2).random((6, 5)) < 0.7
VALID = np.arange(4) < np.array([4, 2, 0])[:, None]


def activations(x: Any) -> Any:
    """All of them: one region."""
    slopes = [nn.relu(x), nn.leaky_relu(x, 0.2), nn.elu(x, 1.5), nn.softplus(x)]
    return [*slopes, nn.silu(x), nn.gelu(x), nn.gelu(x, approximate=True)]


def biased(params: Any) -> Any:
    """Biases and shifts too, which start as zeros."""
    return ad.tree_map(lambda p: p + np.linspace(-0.3, 0.3, p.size, dtype=p.dtype).reshape(p.shape), params)


def lstm(params: Any, h: Any, c: Any, x: Any) -> Any:
    return nn.lstm_cell(params, (h, c), x)


CASES: dict[str, Case] = {
    "activations": (activations, (2 * X,)),
    "softmax": (lambda x: (nn.softmax(x), nn.log_softmax(x, 0)), (X,)),
    "dense": (nn.dense, (nn.init_dense(rng(), 5, 4), X)),
    "dense of a sequence": (nn.dense, (nn.init_dense(rng(), 6, 4, bias=False), SEQUENCE)),
    "embedding": (nn.embedding, (nn.init_embedding(rng(), 7, 6), TOKENS)),
    "norms": (
        lambda a, b, x: nn.rms_norm(b, nn.layer_norm(a, x)),
        (nn.init_layer_norm(6), nn.init_rms_norm(6), SEQUENCE),
    ),
    "dropout": (lambda x, kept: nn.dropout(x, 0.3, mask=kept), (X, KEPT)),
    "conv2d": (nn.conv2d, (nn.init_conv2d(rng(), 3, 4), IMAGES)),
    "conv2d strided": (
        lambda p, x: nn.conv2d(p, x, stride=(2, 1), padding=1),
        (nn.init_conv2d(rng(), 3, 4, (2, 3)), IMAGES),
    ),
    "pooling": (
        lambda x: (nn.max_pool2d(x), nn.avg_pool2d(x, 3, stride=1, padding="same")),
        (np.round(IMAGES),),
    ),
    "attention": (
        lambda p, x: nn.attention(p, x, 3, causal=True),
        (nn.init_attention(rng(), 6), SEQUENCE),
    ),
    "attention masked": (
        lambda p, x, valid: nn.attention(p, x, 2, mask=valid[:, None, None, :], causal=True),
        (nn.init_attention(rng(), 6), SEQUENCE, VALID),
    ),
    "gru": (nn.gru_cell, (nn.init_gru(rng(), 5, 4), normal(6, 4, seed=1), X)),
    "lstm": (lstm, (nn.init_lstm(rng(), 5, 4), normal(6, 4, seed=1), normal(6, 4, seed=2), X)),
    "cross_entropy": (
        lambda z, y, mask: (nn.cross_entropy(z, y), nn.cross_entropy(z, y, mask=mask)),
        (X, LABELS, KEPT[:, 0]),
    ),
    "binary_cross_entropy": (nn.binary_cross_entropy_with_logits, (X, KEPT)),
    "squares": (lambda a, b: (nn.mse(a, b), nn.huber(a, b, delta=0.7)), (X, normal(6, 5, seed=1))),
}


def in_dtype(tree: Any, dtype: type) -> Any:
    return ad.tree_map(lambda x: x.astype(dtype) if x.dtype.kind == "f" else x, tree)


def with_gradients(f: Callable[..., Any], args: tuple[Any, ...]) -> Callable[..., Any]:
    """f's value, and the gradient of Σ sin f in every argument of floats."""
    floats = tuple(k for k, a in enumerate(args) if all(x.dtype.kind == "f" for x in trees.flatten(a)[0]))

    def total(*args: Any) -> Any:
        return sum(np.sum(np.sin(z)) for z in trees.flatten(f(*args))[0])

    return lambda *args: (f(*args), ad.grad(total, floats)(*args))


# in the ordinary run: what the others are made of, in float32
ORDINARY = {"activations", "embedding", "conv2d strided", "attention masked", "cross_entropy", "squares"}


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        pytest.param(name, dtype, marks=[] if name in ORDINARY and dtype is np.float32 else pytest.mark.slow)
        for name in CASES
        for dtype in (np.float32, np.float64)
    ],
)
def test_layers_and_losses(name: str, dtype: type) -> None:
    f, args = CASES[name]
    args = in_dtype(biased(args[:1]) + args[1:], dtype)
    both = with_gradients(f, args)
    compiled = ad.compile(both)
    found, wanted = compiled(*args), both(*args)
    same_kind(found, wanted)
    tolerance = 1e-12 if dtype is np.float64 else 2e-5
    for a, b in zip(trees.flatten(found)[0], trees.flatten(wanted)[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    (program,) = compiled.explain().programs
    assert not program.fallbacks


# ------------------------------------------------------------------------------------------ training
def train_compiled(
    loss: Any, params: Any, opt: optim.Optimizer, batches: Sequence[Any], steps: int = 10
) -> tuple[list[float], Any]:
    """Train by one compiled step whose state is donated; the first losses are those of the eager steps."""
    eager, _ = train(loss, params, opt, batches[:steps])
    clip = optim.clip_by_global_norm(1.0)

    def update(params: Any, state: Any, *batch: Any) -> Any:
        value, gradient = ad.value_and_grad(loss)(params, *batch)
        return *opt.update(clip(gradient), state, params), value

    step = ad.compile(update, donate=(0, 1))
    params = ad.tree_map(np.copy, params)  # the caller keeps its own
    state, losses = opt.init(params), []
    for batch in batches:
        params, state, value = step(params, state, *batch)
        losses.append(float(value))
    np.testing.assert_allclose(losses[:steps], eager, rtol=1e-6)
    assert step.explain().recompilations == 0
    return losses, params


def test_a_gru_learns_a_text() -> None:
    generator = rng(1)
    params = recurrent(generator)
    batches = [windows(generator, 12, 16) for _ in range(100)]
    losses, trained = train_compiled(gru_loss, params, optim.adam(2e-2), batches)
    assert np.mean(losses[-10:]) < 0.5
    same_kind(trained, params)


@pytest.mark.slow
def test_a_transformer_learns_a_text() -> None:
    generator = rng()
    params = transformer(generator, 12, 24)
    batches = [windows(generator, 8, 12) for _ in range(150)]
    losses, trained = train_compiled(transformer_loss, params, decaying_adam(params), batches)
    assert np.mean(losses[-10:]) < 0.9
    same_kind(trained, params)


@pytest.mark.slow
def test_a_convolutional_network_learns_directions() -> None:
    generator = rng(2)
    params = convolutional(generator)
    batches = [strokes(generator, 32) for _ in range(80)]
    losses, trained = train_compiled(directions_loss, params, optim.momentum(0.3), batches)
    assert losses[0] > 0.9 > 0.3 > np.mean(losses[-10:])
    x, labels = strokes(generator, 200)
    assert np.mean(np.argmax(ad.compile(directions)(trained, x), -1) == labels) > 0.9


def dropped_loss(params: Any, x: Any, y: Any, kept: Any) -> Any:
    h = nn.dropout(nn.relu(nn.dense(params["hidden"], x)), 0.4, mask=kept)
    return nn.mse(nn.dense(params["output"], h), y)


def test_dropout_by_masks_drawn_outside() -> None:
    """Every step has its own mask: the compiled losses are the eager ones, which no frozen mask gives."""
    generator = rng(3)
    params = {"hidden": nn.init_dense(generator, 6, 16), "output": nn.init_dense(generator, 16, 2)}
    x = normal(20, 6).astype(np.float32)
    batches = [(x, x[:, :2] ** 2, nn.dropout_mask(generator, (20, 16), 0.4)) for _ in range(6)]
    train_compiled(dropped_loss, params, optim.sgd(0.1), batches, steps=6)
    frozen, _ = train(dropped_loss, params, optim.sgd(0.1), [batches[0]] * 6)
    masked, _ = train(dropped_loss, params, optim.sgd(0.1), batches)
    assert abs(frozen[1] / masked[1] - 1) > 1e-3


def test_dropout_that_draws_is_refused() -> None:
    f = ad.compile(lambda x: nn.dropout(x, 0.4, np.random.default_rng(0)))
    assert "nn.dropout_mask" in message(TraceError, f, X)
