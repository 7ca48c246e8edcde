"""torch as an independent witness: values and gradients of every layer, activation and loss, in float64."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import nn
from adjoint import tree as trees

from ..helpers import close, normal, rng

torch = pytest.importorskip("torch", reason="torch, the independent witness, is not installed")
pytestmark = pytest.mark.peers
F: Any = torch.nn.functional
DOUBLE = {"dtype": np.float64}

X = 3 * normal(4, 7)
LABELS = np.array([0, 6, 2, 2])
TOKENS = np.array([[1, 5, 1], [0, 1, 2]])
IMAGES = normal(2, 7, 6, 3)
SEQUENCE = normal(2, 5, 8)
VALID = np.arange(5) < np.array([[5], [3]])
ONE_HOT = np.eye(7)[LABELS]


def biased(params: dict) -> dict:
    """Attention's biases start as zeros; here they are not."""
    return {k: p | {"b": normal(*p["b"].shape, seed=3)} for k, p in params.items()}


def channels_first(x: Any) -> Any:
    return x.permute(0, 3, 1, 2)


def channels_last(x: Any) -> Any:
    return x.permute(0, 2, 3, 1)


def conv(**options: Any) -> Any:
    def f(p, x):
        W = p["W"].permute(3, 2, 0, 1)
        with warnings.catch_warnings():  # "same" with an even window copies, says torch
            warnings.simplefilter("ignore")
            return channels_last(F.conv2d(channels_first(x), W, p["b"], **options))

    return f


def pool(f: Any, *args: Any, **options: Any) -> Any:
    return lambda x: channels_last(f(channels_first(x), *args, **options))


def attention(causal: bool, mask: Any = None) -> Any:
    """torch's own multi-head attention, which takes masks of what is *not* seen."""

    def f(p, x):
        seen = torch.ones(5, 5, dtype=bool)
        if causal:
            seen = torch.tril(seen)
        hidden = None if mask is None else ~torch.tensor(mask)
        out, _ = F.multi_head_attention_forward(
            *(x.transpose(0, 1),) * 3, 8, 2, p["qkv"]["W"].T, p["qkv"]["b"], None, None, False, 0.0,
            p["output"]["W"].T, p["output"]["b"], attn_mask=~seen, key_padding_mask=hidden,
            need_weights=False,
        )  # fmt: skip
        return out.transpose(0, 1)

    return f


def gru(p, h, x):
    return torch.gru_cell(x, h, p["input"]["W"].T, p["state"]["W"].T, p["input"]["b"], p["state"]["b"])


def lstm(p, state, x):
    return torch.lstm_cell(x, state, p["input"]["W"].T, p["state"]["W"].T, p["input"]["b"], p["state"]["b"])


def same(name: str, **options: Any) -> Any:
    return lambda *args: getattr(F, name)(*args, **options)


# name → ours, theirs, arguments (all of them differentiated)
CASES = {
    "relu": (nn.relu, F.relu, (X,)),
    "leaky_relu": (nn.leaky_relu, F.leaky_relu, (X,)),
    "elu": (lambda x: nn.elu(x, 1.3), lambda x: F.elu(x, 1.3), (X,)),
    "gelu": (nn.gelu, F.gelu, (X,)),
    "gelu tanh": (lambda x: nn.gelu(x, approximate=True), same("gelu", approximate="tanh"), (X,)),
    "silu": (nn.silu, F.silu, (X,)),
    "softplus": (nn.softplus, F.softplus, (X,)),
    "softmax": (nn.softmax, same("softmax", dim=-1), (X,)),
    "log_softmax": (lambda x: nn.log_softmax(x, 0), same("log_softmax", dim=0), (X,)),
    "dense": (
        nn.dense,
        lambda p, x: F.linear(x, p["W"].T, p["b"]),
        (nn.init_dense(rng(), 7, 3, **DOUBLE), X),
    ),
    "embedding": (
        lambda p: nn.embedding(p, TOKENS),
        lambda p: F.embedding(torch.tensor(TOKENS), p["W"]),
        (nn.init_embedding(rng(), 6, 3, **DOUBLE),),
    ),
    "layer_norm": (
        nn.layer_norm,
        lambda p, x: F.layer_norm(x, (7,), p["scale"], p["shift"]),
        ({"scale": normal(7, seed=1), "shift": normal(7, seed=2)}, X),
    ),
    "rms_norm": (
        nn.rms_norm,
        lambda p, x: F.rms_norm(x, (7,), p["scale"], eps=1e-6),
        ({"scale": normal(7, seed=1)}, X),
    ),
    "conv2d same": (nn.conv2d, conv(padding="same"), (nn.init_conv2d(rng(), 3, 4, **DOUBLE), IMAGES)),
    "conv2d same even": (
        nn.conv2d,
        conv(padding="same"),
        (nn.init_conv2d(rng(), 3, 4, (4, 2), **DOUBLE), IMAGES),
    ),
    "conv2d stride": (
        lambda p, x: nn.conv2d(p, x, stride=(2, 3), padding=1),
        conv(stride=(2, 3), padding=1),
        (nn.init_conv2d(rng(), 3, 4, **DOUBLE), IMAGES),
    ),
    "conv2d valid": (
        lambda p, x: nn.conv2d(p, x, padding="valid"),
        conv(),
        (nn.init_conv2d(rng(), 3, 4, 5, **DOUBLE), IMAGES),
    ),
    "max_pool2d": (nn.max_pool2d, pool(F.max_pool2d, 2), (IMAGES,)),
    "max_pool2d overlapping": (
        lambda x: nn.max_pool2d(x, 3, stride=2, padding=1),
        pool(F.max_pool2d, 3, 2, 1),
        (IMAGES,),
    ),
    "avg_pool2d": (nn.avg_pool2d, pool(F.avg_pool2d, 2), (IMAGES,)),
    "avg_pool2d overlapping": (
        lambda x: nn.avg_pool2d(x, (3, 2), stride=1, padding=1),
        pool(F.avg_pool2d, (3, 2), 1, 1),
        (IMAGES,),
    ),
    "attention": (
        lambda p, x: nn.attention(p, x, 2),
        attention(False),
        (biased(nn.init_attention(rng(), 8, **DOUBLE)), SEQUENCE),
    ),
    "attention causal, masked": (
        lambda p, x: nn.attention(p, x, 2, causal=True, mask=VALID[:, None, None, :]),
        attention(True, VALID),
        (biased(nn.init_attention(rng(), 8, **DOUBLE)), SEQUENCE),
    ),
    "gru_cell": (nn.gru_cell, gru, (nn.init_gru(rng(), 7, 5, **DOUBLE), normal(4, 5), X)),
    "lstm_cell": (
        nn.lstm_cell,
        lstm,
        (nn.init_lstm(rng(), 7, 5, **DOUBLE), (normal(4, 5), normal(4, 5, seed=1)), X),
    ),
    "cross_entropy": (
        lambda z: nn.cross_entropy(z, LABELS),
        lambda z: F.cross_entropy(z, torch.tensor(LABELS)),
        (X,),
    ),
    "cross_entropy smoothing": (
        lambda z: nn.cross_entropy(z, LABELS, smoothing=0.1),
        lambda z: F.cross_entropy(z, torch.tensor(LABELS), label_smoothing=0.1),
        (X,),
    ),
    "cross_entropy mask": (
        lambda z: nn.cross_entropy(z, LABELS, mask=LABELS != 2),
        lambda z: F.cross_entropy(z, torch.tensor(LABELS), ignore_index=2),
        (X,),
    ),
    "mse": (nn.mse, F.mse_loss, (X, ONE_HOT)),
    "huber": (lambda a, b: nn.huber(a, b, delta=1.5), same("huber_loss", delta=1.5), (X, ONE_HOT)),
    "sequence_log_prob": (
        lambda z: nn.sequence_log_prob(z, LABELS, mask=LABELS != 2),
        lambda z: -F.cross_entropy(z, torch.tensor(LABELS), ignore_index=2, reduction="sum"),
        (X,),
    ),
    "binary_cross_entropy_with_logits": (
        nn.binary_cross_entropy_with_logits,
        F.binary_cross_entropy_with_logits,
        (X, ONE_HOT),
    ),
}


def to_torch(x: Any) -> Any:
    return torch.tensor(x, requires_grad=True)


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name: str) -> None:
    ours, theirs, args = CASES[name]
    their_args = trees.tree_map(to_torch, args)
    their_results = trees.flatten(theirs(*their_args))[0]
    results = trees.flatten(ours(*args))[0]
    close(results, [z.detach().numpy() for z in their_results], 1e-12)
    seeds = [normal(*z.shape, seed=9) for z in results]
    sum((z * torch.tensor(s)).sum() for z, s in zip(their_results, seeds, strict=True)).backward()
    pulled = ad.vjp(lambda *a: tuple(trees.flatten(ours(*a))[0]), *args)[1](tuple(seeds))
    expected = [x.grad.numpy() for x in trees.flatten(their_args)[0]]
    close(trees.flatten(pulled)[0], expected, 1e-11)


def test_nothing_is_left_out() -> None:
    compared = {name.split()[0] for name in CASES}
    public = {name for name in nn.__all__ if not name.startswith("init_")}
    assert public - compared == {"dropout", "dropout_mask"}
