"""Layers, losses and updates run without values, as compilation runs them, and agree in shape and dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import nn, optim
from adjoint import tree as trees
from adjoint.errors import TraceError
from adjoint.ops.abstract import abstract_of
from adjoint.ops.primitive import dtype_of, shape_of
from adjoint.tape.trace import Trace

from ..helpers import message, normal, rng

SINGLE = {"dtype": np.float32}


def single(*shape: int) -> np.ndarray:
    return normal(*shape).astype(np.float32)


X, IMAGES, SEQUENCE = single(4, 7), single(2, 7, 6, 3), single(2, 5, 8)
LABELS, KEPT = np.array([0, 6, 2, 2]), rng().random((4, 7)) < 0.5
VALID = np.arange(5) < np.array([[5], [3]])

# name → function of arrays, of which the first is differentiated
CASES: dict[str, tuple[Any, ...]] = {
    **{
        name: (getattr(nn, name), X)
        for name in (
            "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "softmax", "log_softmax",
        )
    },
    "gelu tanh": (lambda x: nn.gelu(x, approximate=True), X),
    "dense": (nn.dense, nn.init_dense(rng(), 8, 3), SEQUENCE),
    "embedding": (nn.embedding, nn.init_embedding(rng(), 7, 3), LABELS),
    "layer_norm": (nn.layer_norm, nn.init_layer_norm(7), X),
    "rms_norm": (nn.rms_norm, nn.init_rms_norm(7), X),
    "dropout": (lambda x, mask: nn.dropout(x, 0.5, mask=mask), X, KEPT),
    "conv2d": (lambda p, x: nn.conv2d(p, x, stride=2), nn.init_conv2d(rng(), 3, 4), IMAGES),
    "max_pool2d": (nn.max_pool2d, IMAGES),
    "max_pool2d padded": (lambda x: nn.max_pool2d(x, 3, stride=2, padding="same"), IMAGES),
    "avg_pool2d": (nn.avg_pool2d, IMAGES),
    "attention": (lambda p, x: nn.attention(p, x, 2, causal=True), nn.init_attention(rng(), 8), SEQUENCE),
    "attention masked": (
        lambda p, x, valid: nn.attention(p, x, 2, causal=True, mask=valid[:, None, None, :]),
        nn.init_attention(rng(), 8),
        SEQUENCE,
        VALID,
    ),
    "gru_cell": (nn.gru_cell, nn.init_gru(rng(), 7, 5), single(4, 5), X),
    "lstm_cell": (nn.lstm_cell, nn.init_lstm(rng(), 7, 5), (single(4, 5), single(4, 5)), X),
    "cross_entropy": (nn.cross_entropy, X, LABELS),
    "cross_entropy masked": (
        lambda z, labels, mask: nn.cross_entropy(z, labels, mask=mask, smoothing=0.1),
        X,
        LABELS,
        LABELS != 2,
    ),
    "sequence_log_prob": (nn.sequence_log_prob, X, LABELS),
    "mse": (nn.mse, X, X),
    "huber": (nn.huber, X, X),
    "binary_cross_entropy_with_logits": (nn.binary_cross_entropy_with_logits, X, KEPT),
}  # fmt: skip

RATE = optim.warmup_cosine(0.1, 10, warmup=2)
OPTIMIZERS = {
    "sgd": optim.sgd(RATE),
    "nesterov": optim.momentum(RATE, nesterov=True),
    "adam": optim.adam(RATE),
    "adamw": optim.adamw(optim.exponential(0.1, 0.9), mask={"W": True, "b": False}),
    "rmsprop": optim.rmsprop(optim.cosine(0.1, 10)),
    "adagrad": optim.adagrad(optim.constant(0.1)),
}


def kinds(tree: Any) -> list[tuple[tuple[int, ...], np.dtype[Any]]]:
    return [(shape_of(x), dtype_of(x)) for x in trees.flatten(tree)[0]]


def traced(f: Any, *args: Any) -> Any:
    """f on placeholders of the arguments' shapes and dtypes."""
    with Trace() as tape:
        return f(*trees.tree_map(lambda x: tape.placeholder(abstract_of(x)), args))


def with_gradient(f: Any) -> Any:
    def both(*args: Any) -> Any:
        def loss(*inner: Any) -> Any:
            return sum(np.sum(z) for z in trees.flatten(f(*inner))[0])

        return f(*args), ad.grad(loss)(*args)

    return both


@pytest.mark.parametrize("name", CASES)
def test_layers_run_without_values(name: str) -> None:
    f, *args = CASES[name]
    both = with_gradient(f)
    assert kinds(traced(both, *args)) == kinds(both(*args))
    assert {kind for _, kind in kinds(both(*args))} == {np.dtype(np.float32)}


def test_nothing_is_left_out() -> None:
    tried = {name.split()[0] for name in CASES}
    assert {name for name in nn.__all__ if not name.startswith("init_")} - tried == {"dropout_mask"}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_whole_training_steps_run_without_values(name: str) -> None:
    opt, clip = OPTIMIZERS[name], optim.clip_by_global_norm(1.0)

    def step(params: Any, state: Any, x: Any, labels: Any) -> Any:
        def loss(params: Any) -> Any:
            return nn.cross_entropy(nn.dense(params, x), labels)

        return opt.update(clip(ad.grad(loss)(params)), state, params)

    params = nn.init_dense(rng(), 7, 7)
    args = (params, opt.init(params), X, LABELS)
    assert kinds(traced(step, *args)) == kinds(step(*args)) == kinds(args[:2])


def test_random_numbers_are_refused() -> None:
    text = message(TraceError, traced, with_gradient(lambda x: nn.dropout(x, 0.5, rng())), X)
    assert "nn.dropout_mask" in text
