"""Losses against plain formulas, far out, with masks; first parameters; refusals."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad
from adjoint import check, nn
from adjoint.errors import DTypeError, IndexingError, ShapeError

from ..helpers import close, message, normal, points_at, rng

LOGITS, LABELS = 3 * normal(2, 4, 5), np.array([[0, 4, 2, 2], [1, 0, 3, 4]])
LOG_P = LOGITS - np.log(np.exp(LOGITS).sum(-1, keepdims=True))
OF_LABEL = np.take_along_axis(LOG_P, LABELS[..., None], -1)[..., 0]
MASK = np.array([[True, False, True, True], [False, False, True, False]])


def test_cross_entropy() -> None:
    close(nn.cross_entropy(LOGITS, LABELS), -OF_LABEL.mean(), 1e-14)
    smooth = -(0.8 * OF_LABEL + 0.2 * LOG_P.mean(-1))
    close(nn.cross_entropy(LOGITS, LABELS, smoothing=0.2), smooth.mean(), 1e-14)
    close(nn.cross_entropy(LOGITS, LABELS, mask=MASK), -OF_LABEL[MASK].mean(), 1e-14)
    ignored = np.where(MASK, LABELS, -100)
    close(nn.cross_entropy(LOGITS, ignored, mask=MASK, smoothing=0.2), smooth[MASK].mean(), 1e-14)
    for options in ({}, {"smoothing": 0.2}, {"mask": MASK}):
        check.gradients(lambda z, o=options: nn.cross_entropy(z, LABELS, **o), [LOGITS]).raise_on_failure()


def test_log_probabilities_of_sequences() -> None:
    close(nn.sequence_log_prob(LOGITS, LABELS), OF_LABEL.sum(-1), 1e-14)
    close(nn.sequence_log_prob(LOGITS[0], LABELS[0]), OF_LABEL[0].sum(), 1e-14)
    ignored = np.where(MASK, LABELS, -100)
    close(nn.sequence_log_prob(LOGITS, ignored, mask=MASK), np.where(MASK, OF_LABEL, 0).sum(-1), 1e-14)
    assert nn.sequence_log_prob(LOGITS, LABELS, mask=np.zeros_like(MASK)).tolist() == [0, 0]
    shifted = LOGITS.astype(np.float32) + np.float32(1e4)  # a softmax does not mind
    assert nn.sequence_log_prob(shifted, LABELS).dtype == np.float32
    np.testing.assert_allclose(nn.sequence_log_prob(shifted, LABELS), OF_LABEL.sum(-1), atol=1e-2)
    f = ad.compile(lambda z, t, m: nn.sequence_log_prob(z, t, mask=m))
    close(f(LOGITS, ignored, MASK), np.where(MASK, OF_LABEL, 0).sum(-1), 1e-14)
    for mask in (None, MASK):
        check.gradients(
            lambda z, m=mask: nn.sequence_log_prob(z, LABELS, mask=m), [LOGITS]
        ).raise_on_failure()


def test_cross_entropy_of_one_example_and_of_none() -> None:
    close(nn.cross_entropy(LOGITS[0, 0], 3), -LOG_P[0, 0, 3], 1e-14)
    value, gradient = ad.value_and_grad(lambda z: nn.cross_entropy(z, LABELS, mask=np.zeros_like(MASK)))(
        LOGITS
    )
    assert value == 0 and not gradient.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_far_out_keep_dtype_and_digits(dtype: type) -> None:
    z = np.array([[1e4, 0.0], [0.0, 1e4], [-40.0, 0.0]], dtype)
    loss, gradient = ad.value_and_grad(lambda z: nn.cross_entropy(z, np.array([0, 0, 1])))(z)
    assert loss.dtype == gradient.dtype == dtype
    assert loss == pytest.approx(1e4 / 3, rel=1e-6) and np.isfinite(gradient).all()
    small = nn.cross_entropy(np.array([[20.3, 6.3]], dtype), np.array([0]))
    assert small == pytest.approx(np.log1p(np.exp(-14.0)), abs=float(np.finfo(dtype).eps))
    z, y = np.array([-90.0, -20.0, 20.0, 1e4], dtype), np.array([0, 0, 1, 1])
    one_by_one = [nn.binary_cross_entropy_with_logits(z[k : k + 1], y[k : k + 1]) for k in range(4)]
    expected = [np.exp(-90.0), np.exp(-20.0), np.exp(-20.0), 0.0]
    np.testing.assert_allclose(one_by_one, expected, rtol=1e-5 if dtype is np.float32 else 1e-8)
    assert all(loss.dtype == dtype for loss in one_by_one)
    masked = nn.cross_entropy(z.reshape(2, 2), np.array([0, 1]), mask=np.array([True, False]))
    assert masked.dtype == dtype


def test_binary_cross_entropy() -> None:
    z, y = LOGITS[0], rng().random((4, 5))
    p = 1 / (1 + np.exp(-z))
    expected = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    close(nn.binary_cross_entropy_with_logits(z, y), expected, 1e-14)
    check.gradients(nn.binary_cross_entropy_with_logits, [z, y]).raise_on_failure()
    close(
        nn.binary_cross_entropy_with_logits(z, y > 0.5),
        nn.binary_cross_entropy_with_logits(z, 1.0 * (y > 0.5)),
    )


def test_squares_and_huber() -> None:
    a, b = normal(3, 4), 3 * normal(3, 4, seed=1)
    close(nn.mse(a, b), np.mean((a - b) ** 2), 1e-15)
    r = np.abs(a - b)
    close(nn.huber(a, b, delta=0.7), np.mean(np.where(r <= 0.7, r**2 / 2, 0.7 * (r - 0.35))), 1e-15)
    for loss in (nn.mse, nn.huber, lambda a, b: nn.huber(a, b, delta=0.7)):
        check.gradients(loss, [a, b]).raise_on_failure()
    assert ad.grad(nn.huber)(np.array([1.0, 0.0]), np.zeros(2)) == pytest.approx([0.5, 0.0])


REFUSED = {
    "labels": (
        lambda: nn.cross_entropy(LOGITS, LABELS[0]),
        "label per row of logits: (2, 4, 5), labels (4,)",
        "np.argmax",
    ),
    "mask": (lambda: nn.cross_entropy(LOGITS, LABELS, mask=MASK[0]), "labels' shape (2, 4): (4,)"),
    "tokens": (
        lambda: nn.sequence_log_prob(LOGITS, LABELS[0]),
        "sequence_log_prob needs a label per row of logits: (2, 4, 5), labels (4,)",
    ),
    "one row": (lambda: nn.sequence_log_prob(LOGITS[0, 0], 1), "logits (…, T, classes), not (5,)", "[None]"),
    "mse": (lambda: nn.mse(np.ones(3), np.ones((3, 1))), "mse needs equal shapes: (3,) and (3, 1)"),
    "huber": (lambda: nn.huber(np.ones(3), 0.0), "huber needs equal shapes: (3,) and ()"),
    "binary": (lambda: nn.binary_cross_entropy_with_logits(np.ones(3), [1.0]), "(3,) and (1,)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_shapes_are_refused_in_words(name: str) -> None:
    f, *patterns = REFUSED[name]
    text = message(ShapeError, f)
    for pattern in patterns:
        assert pattern in text, text
    assert points_at(text, "nn.")


def test_labels_are_checked() -> None:
    assert "integer labels, not float64" in message(DTypeError, nn.cross_entropy, LOGITS, 1.0 * LABELS)
    text = message(IndexingError, nn.cross_entropy, LOGITS, LABELS - 1)
    assert "labels from 0 to 4, got -1" in text and "mask=" in text
    assert "sequence_log_prob needs labels from" in message(
        IndexingError, nn.sequence_log_prob, LOGITS, LABELS - 1
    )
    assert "labels from 0 to 4, got 5" in message(IndexingError, nn.cross_entropy, LOGITS, LABELS + 1)


def test_first_parameters() -> None:
    """Ranges as documented, float32 unless told otherwise, the same for the same generator."""
    made = {
        "dense": (nn.init_dense(rng(), 16, 400), 0.25),
        "conv2d": (nn.init_conv2d(rng(), 4, 400, 2), 0.25),
        "gru": (nn.init_gru(rng(), 3, 400)["state"], 0.05),
        "lstm": (nn.init_lstm(rng(), 3, 400)["input"], 0.05),
    }
    for name, (params, bound) in made.items():
        for x in params.values():
            assert x.dtype == np.float32 and np.abs(x).max() <= bound, name
            assert np.abs(x).max() > 0.98 * bound and abs(x.mean()) < 0.05 * bound, name
    attention = nn.init_attention(rng(), 24)
    assert 0.24 < np.abs(attention["qkv"]["W"]).max() <= 0.25 and not attention["qkv"]["b"].any()
    assert 0.2 < np.abs(attention["output"]["W"]).max() <= 24**-0.5 and not attention["output"]["b"].any()
    assert nn.init_embedding(rng(), 100, 100)["W"].std() == pytest.approx(1, rel=0.02)
    close(nn.init_dense(rng(1), 3, 4), nn.init_dense(rng(1), 3, 4), 0)
    for params in (nn.init_conv2d(rng(), 1, 2, dtype=float), nn.init_attention(rng(), 4, dtype=float)):
        assert all(x.dtype == np.float64 for x in ad.tree.flatten(params)[0])
