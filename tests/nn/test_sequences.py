"""Attention and recurrent cells against loops in plain NumPy, and their derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

import adjoint as ad
from adjoint import check, nn
from adjoint.errors import ShapeError

from ..helpers import close, message, normal, points_at, rng, same_kind

DOUBLE = {"dtype": np.float64}


def attention_by_hand(params, x, heads, seen):
    """One sequence (T, features): position by position, head by head."""
    T, features = x.shape
    d, projected = features // heads, x @ params["qkv"]["W"] + params["qkv"]["b"]
    q, k, v = np.split(projected, 3, axis=1)
    mixed = np.zeros((T, features))
    for h in range(heads):
        block = slice(h * d, (h + 1) * d)
        for t in range(T):
            keys = [s for s in range(T) if seen[t, s]]
            if keys:
                scores = np.array([q[t, block] @ k[s, block] / np.sqrt(d) for s in keys])
                weights = np.exp(scores - scores.max())
                mixed[t, block] = weights / weights.sum() @ v[keys, block]
    return mixed @ params["output"]["W"] + params["output"]["b"]


def parameters(features: int) -> dict:
    """Biases too, which start as zeros."""
    params = nn.init_attention(rng(), features, **DOUBLE)
    return {k: p | {"b": normal(*p["b"].shape, seed=3)} for k, p in params.items()}


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("heads", [1, 2, 6])
def test_attention(heads: int, causal: bool) -> None:
    params, x = parameters(6), normal(2, 4, 6)
    seen = np.tri(4, dtype=bool) if causal else np.ones((4, 4), bool)
    expected = np.stack([attention_by_hand(params, row, heads, seen) for row in x])

    def f(params, x):
        return nn.attention(params, x, heads, causal=causal)

    close(f(params, x), expected, 1e-13)
    close(f(params, x[0]), expected[0], 1e-13)
    close(f(params, x.reshape(2, 1, 4, 6)), expected.reshape(2, 1, 4, 6), 1e-13)
    check.gradients(f, (params, x)).raise_on_failure()


@pytest.mark.parametrize("causal", [False, True])
def test_masked_attention(causal: bool) -> None:
    """Rows that may look at nothing give zeros (before the output's bias) and finite derivatives."""
    params, x = parameters(4), normal(3, 5, 4)
    valid = np.arange(5) < np.array([5, 3, 0])[:, None]
    order = np.tri(5, dtype=bool) if causal else np.ones((5, 5), bool)
    expected = np.stack([attention_by_hand(params, x[n], 2, order & valid[n]) for n in range(3)])

    def f(params, x):
        return nn.attention(params, x, 2, mask=valid[:, None, None, :], causal=causal)

    close(f(params, x), expected, 1e-13)
    check.gradients(f, (params, x)).raise_on_failure()


def test_causal_attention_does_not_look_ahead() -> None:
    params, x = parameters(4), normal(6, 4)
    jacobian = ad.jacobian(lambda x: nn.attention(params, x, 2, causal=True))(x)
    reached = np.abs(jacobian).max((1, 3)) > 0
    np.testing.assert_array_equal(reached, np.tri(6, dtype=bool))


def test_attention_with_large_scores() -> None:
    params, x = nn.init_attention(rng(), 8), 1e4 * normal(2, 5, 8).astype(np.float32)
    z, gradient = ad.value_and_grad(lambda p: np.sum(nn.attention(p, x, 2, causal=True)))(params)
    assert z.dtype == np.float32 and np.isfinite(z)
    same_kind(gradient, params)
    assert all(np.isfinite(g).all() for g in ad.tree.flatten(gradient)[0])


def test_gru_cell() -> None:
    params, h, x = nn.init_gru(rng(), 3, 4, **DOUBLE), normal(2, 4), normal(2, 3, seed=1)
    of_x = np.split(x @ params["input"]["W"] + params["input"]["b"], 3, axis=-1)
    of_h = np.split(h @ params["state"]["W"] + params["state"]["b"], 3, axis=-1)
    r, u = expit(of_x[0] + of_h[0]), expit(of_x[1] + of_h[1])
    expected = (1 - u) * np.tanh(of_x[2] + r * of_h[2]) + u * h
    close(nn.gru_cell(params, h, x), expected, 1e-14)
    close(nn.gru_cell(params, h[0], x[0]), expected[0], 1e-14)
    check.gradients(nn.gru_cell, (params, h, x)).raise_on_failure()


def test_lstm_cell() -> None:
    params, h, c = nn.init_lstm(rng(), 3, 4, **DOUBLE), normal(2, 4), normal(2, 4, seed=2)
    x = normal(2, 3, seed=1)
    total = x @ params["input"]["W"] + params["input"]["b"] + h @ params["state"]["W"] + params["state"]["b"]
    i, f, g, o = np.split(total, 4, axis=-1)
    c_new = expit(f) * c + expit(i) * np.tanh(g)
    close(nn.lstm_cell(params, (h, c), x), (expit(o) * np.tanh(c_new), c_new), 1e-14)
    check.gradients(nn.lstm_cell, (params, (h, c), x)).raise_on_failure()


def test_recurrent_cells_in_float32_under_scan() -> None:
    xs, h = normal(7, 2, 3).astype(np.float32), np.zeros((2, 4), np.float32)
    gru, lstm = nn.init_gru(rng(), 3, 4), nn.init_lstm(rng(), 3, 4)

    def loss(gru, lstm):
        last, _ = ad.scan(lambda h, x: (nn.gru_cell(gru, h, x), None), h, xs)
        (_, c), _ = ad.scan(lambda state, x: (nn.lstm_cell(lstm, state, x), None), (h, h), xs)
        return np.sum(last) + np.sum(c)

    value, gradient = ad.value_and_grad(loss, (0, 1))(gru, lstm)
    assert value.dtype == np.float32
    same_kind(gradient, (gru, lstm))


X = np.ones((2, 5, 8))
REFUSED = {
    "heads": (lambda: nn.attention(nn.init_attention(rng(), 8), X, 3), "multiple of 3 heads, not (2, 5, 8)"),
    "vector": (lambda: nn.attention(nn.init_attention(rng(), 8), np.ones(8), 2), "not (8,)", "x[None]"),
    "qkv": (lambda: nn.attention(nn.init_attention(rng(), 4), X, 2), "(4, 12) for x (2, 5, 8)"),
    "mask": (
        lambda: nn.attention(nn.init_attention(rng(), 8), X, 2, mask=np.ones((2, 5), bool)),
        "broadcasts to (…, heads, T, T) = (2, 2, 5, 5): (2, 5)",
        "mask[:, None, None, :]",
    ),
    "gru units": (
        lambda: nn.gru_cell(nn.init_gru(rng(), 3, 4), np.ones((2, 5)), np.ones((2, 3))),
        "gru_cell needs a W of 3 · 5 columns for h (2, 5), not (3, 12)",
        "nn.init_gru",
    ),
    "gru inputs": (
        lambda: nn.gru_cell(nn.init_gru(rng(), 3, 4), np.ones((2, 4)), np.ones((2, 2))),
        "3 features: x (2, 2)",
    ),
    "lstm units": (
        lambda: nn.lstm_cell(nn.init_lstm(rng(), 3, 4), (np.ones(5), np.ones(5)), np.ones(3)),
        "4 · 5 columns for h (5,), not (3, 16)",
        "nn.init_lstm",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_shapes_are_refused_in_words(name: str) -> None:
    f, *patterns = REFUSED[name]
    text = message(ShapeError, f)
    for pattern in patterns:
        assert pattern in text, text
    assert points_at(text, "nn.")
