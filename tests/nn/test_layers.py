"""Layers against loops in plain NumPy, and their derivatives by check.gradients."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad
from adjoint import check, nn
from adjoint.errors import DTypeError, ShapeError, TraceError
from adjoint.ops.abstract import Abstract
from adjoint.tape import Tape

from ..helpers import close, message, normal, points_at, rng

DOUBLE = {"dtype": np.float64}


def agrees(f, *args, expected, tolerance=1e-12) -> None:
    """Values as expected, derivatives (first and second order) as finite differences have them."""
    close(f(*args), expected, tolerance)
    check.gradients(f, args).raise_on_failure()


def test_dense() -> None:
    params = nn.init_dense(rng(), 3, 4, **DOUBLE)
    for shape in ((3,), (5, 3), (2, 5, 3), (0, 3)):
        x = normal(*shape)
        agrees(nn.dense, params, x, expected=np.einsum("...i,io->...o", x, params["W"]) + params["b"])
    del params["b"]
    assert "b" not in nn.init_dense(rng(), 3, 4, bias=False)
    close(nn.dense(params, x), np.zeros((0, 4)))


def test_embedding() -> None:
    params, tokens = nn.init_embedding(rng(), 6, 3, **DOUBLE), np.array([[1, 5, 1], [0, 1, 2]])
    agrees(lambda p: nn.embedding(p, tokens), params, expected=params["W"][tokens])
    gradient = ad.grad(lambda p: np.sum(nn.embedding(p, tokens)))(params)
    close(gradient["W"][:, 0], np.array([1.0, 3.0, 1.0, 0.0, 0.0, 1.0]))


def test_layer_norm() -> None:
    x = normal(4, 5)
    params = {"scale": normal(5, seed=1), "shift": normal(5, seed=2)}
    rows = [(row - row.mean()) / np.sqrt(row.var() + 1e-5) for row in x]
    agrees(nn.layer_norm, params, x, expected=np.stack(rows) * params["scale"] + params["shift"])
    # a row far from zero: the variance is that of what is left, not a difference of large squares
    far = np.float32(1e4) + normal(5).astype(np.float32)
    z = nn.layer_norm(nn.init_layer_norm(5), far)
    assert z.dtype == np.float32
    close(z, nn.layer_norm(nn.init_layer_norm(5, **DOUBLE), far.astype(float)), 2e-3)


def test_rms_norm() -> None:
    x, params = normal(4, 5), {"scale": normal(5, seed=1)}
    expected = np.stack([row / np.sqrt((row**2).mean() + 1e-6) for row in x]) * params["scale"]
    agrees(nn.rms_norm, params, x, expected=expected)
    assert nn.rms_norm(nn.init_rms_norm(5), x.astype(np.float32)).dtype == np.float32


def test_dropout() -> None:
    x = normal(200, 50).astype(np.float32)
    assert nn.dropout(x, 0.3) is x and nn.dropout(x, 0.0, rng()) is x
    z = nn.dropout(x, 0.3, rng(4))
    assert z.dtype == np.float32
    assert np.mean(z == 0) == pytest.approx(0.3, abs=0.02)
    kept = nn.dropout_mask(rng(4), x.shape, 0.3)
    close(z[kept], x[kept] / 0.7, 1e-6)
    np.testing.assert_array_equal(z, nn.dropout(x, 0.3, mask=kept))
    close(ad.grad(lambda x: np.sum(nn.dropout(x, 0.3, rng(4))))(x), kept / np.float32(0.7), 1e-6)
    for rate in (1.0, -0.1):
        with pytest.raises(ValueError, match=r"rate in \[0, 1\)"):
            nn.dropout(x, rate)


def test_dropout_refuses_to_freeze_its_random_numbers() -> None:
    """While a program is traced only shapes are known; one draw would serve all later calls."""
    with Tape() as tape:
        x = tape.parameter(np.ones(3))
        tape.values[x.index] = Abstract((3,), np.dtype(np.float64))
        text = message(TraceError, nn.dropout, x, 0.5, rng())
    assert "same elements in every call" in text and "nn.dropout_mask" in text


# ------------------------------------------------------------------------------------------------- images
def loop_over_windows(x, window, stride, padding, around, reduce):
    """Every window cut out by hand; `reduce` makes a vector of it."""
    (height, width), (down, right) = window, stride
    _, rows, columns, _ = x.shape
    if padding == "same":
        counts = [-(-rows // down), -(-columns // right)]
        totals = [
            max((c - 1) * s + k - n, 0)
            for c, s, k, n in zip(counts, stride, window, (rows, columns), strict=True)
        ]
        widths = [(t // 2, t - t // 2) for t in totals]
    else:
        widths = [(0, 0) if padding == "valid" else (padding, padding)] * 2
    x = np.pad(x, ((0, 0), *widths, (0, 0)), constant_values=around)
    starts = [range(0, n - k + 1, s) for n, k, s in zip(x.shape[1:3], window, stride, strict=True)]
    return np.stack(
        [np.stack([reduce(x[:, i : i + height, j : j + width]) for j in starts[1]], 1) for i in starts[0]], 1
    )


WINDOWS = [
    ((3, 3), 1, "same"),
    ((3, 3), 1, "valid"),
    ((2, 3), (2, 1), "same"),
    ((4, 2), 1, "same"),
    ((4, 2), (3, 2), 1),
    ((1, 1), 1, "valid"),
    ((1, 1), 2, "same"),
    ((6, 5), 1, "valid"),
]


@pytest.mark.parametrize(("window", "stride", "padding"), WINDOWS)
def test_conv2d(window, stride, padding) -> None:
    x, W, b = normal(2, 6, 5, 2), normal(*window, 2, 3, seed=1), normal(3, seed=2)
    strides = stride if isinstance(stride, tuple) else (stride, stride)
    expected = loop_over_windows(
        x, window, strides, padding, 0.0, lambda w: np.einsum("nhwc,hwcf->nf", w, W) + b
    )

    def f(params, x):
        return nn.conv2d(params, x, stride=stride, padding=padding)

    agrees(f, {"W": W, "b": b}, x, expected=expected)
    close(nn.conv2d({"W": W}, x, stride=stride, padding=padding), expected - b)


@pytest.mark.parametrize(("window", "stride", "padding"), WINDOWS)
def test_pooling(window, stride, padding) -> None:
    x = normal(2, 6, 5, 2)
    strides = stride if isinstance(stride, tuple) else (stride, stride)
    largest = loop_over_windows(x, window, strides, padding, -np.inf, lambda w: w.max((1, 2)))
    mean = loop_over_windows(x, window, strides, padding, 0.0, lambda w: w.mean((1, 2)))
    agrees(lambda x: nn.max_pool2d(x, window, stride=stride, padding=padding), x, expected=largest)
    agrees(lambda x: nn.avg_pool2d(x, window, stride=stride, padding=padding), x, expected=mean)


def test_pooling_side_by_side_by_default() -> None:
    x = normal(1, 5, 4, 1)
    close(nn.max_pool2d(x), nn.max_pool2d(x, (2, 2), stride=2))
    assert nn.max_pool2d(x).shape == (1, 2, 2, 1)
    ties = ad.grad(lambda x: np.sum(nn.max_pool2d(x)))(np.zeros((1, 2, 2, 1)))
    close(ties, np.full((1, 2, 2, 1), 0.25))


def test_images_in_float32() -> None:
    x, params = normal(2, 6, 6, 3).astype(np.float32), nn.init_conv2d(rng(), 3, 4)
    z = nn.max_pool2d(nn.avg_pool2d(nn.conv2d(params, x)), padding="same")
    assert z.dtype == np.float32 and z.shape == (2, 2, 2, 4)


# -------------------------------------------------------------------------------------- refused in words
W = np.ones((4, 8))
IMAGES = np.ones((2, 6, 6, 3))
REFUSED = {
    "dense": (lambda: nn.dense({"W": W}, np.ones((32, 10))), "4 features: x (32, 10), W (4, 8)"),
    "dense scalar": (lambda: nn.dense({"W": W}, 1.0), "4 features: x ()"),
    "dense bias": (lambda: nn.dense({"W": W, "b": np.ones(4)}, W.T), "b (4,), W (4, 8)", "(8,)"),
    "dense vector": (lambda: nn.dense({"W": np.ones(4)}, W.T), "matrix as W, not (4,)"),
    "embedding": (lambda: nn.embedding({"W": IMAGES}, [1]), "matrix as W, not (2, 6, 6, 3)"),
    "layer_norm": (
        lambda: nn.layer_norm(nn.init_layer_norm(3), W),
        "one scale per feature: x (4, 8), scale (3,)",
    ),
    "rms_norm": (lambda: nn.rms_norm(nn.init_rms_norm(3), W), "x (4, 8), scale (3,)"),
    "conv2d channels": (
        lambda: nn.conv2d({"W": np.ones((3, 3, 4, 2))}, IMAGES),
        "4 channels: x (2, 6, 6, 3), W (3, 3, 4, 2)",
        "moveaxis",
    ),
    "conv2d filters": (lambda: nn.conv2d({"W": W}, IMAGES), "four axes, not (4, 8)"),
    "conv2d images": (lambda: nn.conv2d({"W": np.ones((3, 3, 3, 2))}, W), "not (4, 8)", "x[..., None]"),
    "conv2d bias": (
        lambda: nn.conv2d({"W": np.ones((3, 3, 3, 2)), "b": np.ones(3)}, IMAGES),
        "b (3,), W (3, 3, 3, 2)",
    ),
    "conv2d window": (
        lambda: nn.conv2d({"W": np.ones((7, 7, 3, 2))}, IMAGES, padding="valid"),
        "x (2, 6, 6, 3), window (7, 7)",
        'padding="same"',
    ),
    "max_pool2d": (lambda: nn.max_pool2d(W), "max_pool2d needs images of four axes, not (4, 8)"),
    "avg_pool2d": (lambda: nn.avg_pool2d(IMAGES, 7), "avg_pool2d", "window (7, 7)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_shapes_are_refused_in_words(name: str) -> None:
    f, *patterns = REFUSED[name]
    text = message(ShapeError, f)
    for pattern in patterns:
        assert pattern in text, text
    assert points_at(text, "nn.")


def test_the_same_refusals_while_recording() -> None:
    def f(x):
        return np.sum(nn.dense({"W": W}, x))

    text = message(ShapeError, ad.grad(f), np.ones((32, 10)))
    assert points_at(text, "nn.dense(") and "x: (32, 10) float64" in text


def test_other_refusals() -> None:
    text = message(DTypeError, nn.embedding, {"W": W}, np.array([1.0]))
    assert "integer tokens, not float64" in text
    with pytest.raises(IndexError):
        nn.embedding({"W": W}, np.array([4]))
    with pytest.raises(ValueError, match='"same", "valid" or a number of pixels ≥ 0, not \'full\''):
        nn.max_pool2d(IMAGES, padding="full")
    with pytest.raises(ValueError, match="not -1"):
        nn.max_pool2d(IMAGES, padding=-1)
    with pytest.raises(ValueError, match="stride is a number of pixels ≥ 1"):
        nn.conv2d({"W": np.ones((3, 3, 3, 2))}, IMAGES, stride=0)
