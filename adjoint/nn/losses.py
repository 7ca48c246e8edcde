"""Losses: means over all examples, 0-d; and what they are made of, log-probabilities of sequences."""

from __future__ import annotations

import math

import numpy as np

from ..errors import DTypeError, IndexingError, describe, refusal
from ..ops.broadcast import astype, reshape_to, sum_
from ..ops.elementwise import absolute, exp, log, maximum, minimum, square, where
from ..ops.index import ARRAY, getitem
from ..ops.primitive import Recorded, dtype_of, shape_of
from ..ops.reduce import centred
from ..ops.sides import same_side
from .activations import softplus
from .base import Array, as_array, misfit


@same_side
def cross_entropy(
    logits: Array, labels: Array, *, mask: Array | None = None, smoothing: float = 0.0
) -> Array:
    """Mean of −log softmax(logits)[label], in nats.

    Args:
        logits: (…, classes).
        labels: (…) int, 0 ≤ label < classes.
        mask: (…) bool: True where an example counts; what the labels of the others are does not matter. The
            mean is over those that count, and 0 when none does.
        smoothing: share ε of the target that is spread evenly over all classes, in [0, 1].

    Returns:
        0-d, in the dtype of the logits.

    Raises:
        ShapeError: labels or mask have not the shape of the logits without its last axis.
        DTypeError: labels are not integers.
        IndexError: a label is outside the classes.

    >>> cross_entropy(np.array([[0.0, 0.0], [1000.0, 0.0]]), np.array([1, 0]))
    np.float64(0.34657359027997264)
    """
    labels, mask = _checked_labels("cross_entropy", logits, labels, mask)
    rows, chosen, loss = _nats(logits, labels)
    if smoothing:
        loss = loss + smoothing * (chosen - np.mean(rows, axis=1))
    if mask is None:
        return np.mean(loss)
    mask = reshape_to(mask, shape_of(loss))
    count = np.sum(astype(mask, dtype=dtype_of(loss)))
    return np.sum(where(mask, loss, 0.0)) / maximum(count, 1.0)


@same_side
def sequence_log_prob(logits: Array, tokens: Array, *, mask: Array | None = None) -> Array:
    """log p of whole sequences: Σ_t log softmax(logits_t)[token_t], in nats.

    Args:
        logits: (…, T, classes), what the model says of every position before it sees the token there.
        tokens: (…, T) int, 0 ≤ token < classes.
        mask: (…, T) bool: True where a token counts; what the others are does not matter.

    Returns:
        (…), in the dtype of the logits.

    Raises:
        ShapeError: tokens or mask have not the shape of the logits without its last axis.
        DTypeError: tokens are not integers.
        IndexError: a token is outside the classes.

    >>> logits, tokens = np.log([[[0.5, 0.5], [0.25, 0.75]]]), np.array([[0, 1]])
    >>> np.exp(sequence_log_prob(logits, tokens))
    array([0.375])
    >>> np.exp(sequence_log_prob(logits, tokens, mask=np.array([[True, False]])))
    array([0.5])
    """
    if len(shape_of(logits)) < 2:
        what = f"sequence_log_prob needs logits (…, T, classes), not {shape_of(logits)}"
        raise misfit(what, "logits[None] adds an axis for one position.", logits=logits, tokens=tokens)
    tokens, mask = _checked_labels("sequence_log_prob", logits, tokens, mask)
    each = -reshape_to(_nats(logits, tokens)[2], shape_of(tokens))
    return np.sum(each if mask is None else where(mask, each, 0.0), axis=-1)


def _nats(logits: Array, labels: Array) -> tuple[Array, Array, Array]:
    """Logits less the largest of each row, their elements at the labels, and −log softmax there: n rows."""
    *batch, classes = shape_of(logits)
    n = math.prod(batch)
    rows = centred(reshape_to(logits, (n, classes)), (1,))
    chosen = getitem(rows, np.arange(n), reshape_to(labels, (n,)), template=(ARRAY, ARRAY))
    return rows, chosen, log(sum_(exp(rows), axis=(1,))) - chosen


def _checked_labels(
    caller: str, logits: Array, labels: Array, mask: Array | None
) -> tuple[Array, Array | None]:
    """Labels that fit, 0 where they do not count, and the mask."""
    labels = as_array(labels)
    batch, classes = shape_of(logits)[:-1], shape_of(logits)[-1:]
    if shape_of(labels) != batch or not classes:
        what = f"{caller} needs a label per row of logits: {shape_of(logits)}, labels {shape_of(labels)}"
        remedy = "labels are integers, (…) for logits (…, classes); one-hot rows become labels by np.argmax."
        raise misfit(what, remedy, logits=logits, labels=labels)
    if dtype_of(labels).kind not in "iu":
        what = f"{caller} needs integer labels, not {dtype_of(labels)}"
        remedy = "Convert with .astype(int); for probabilities p: -np.mean(np.sum(p * log_softmax(z), -1))."
        raise refusal(DTypeError, what, remedy, [describe(labels, "labels")])
    if mask is not None:
        mask = as_array(mask)
        if shape_of(mask) != batch:
            what = f"{caller} needs a mask of the labels' shape {batch}: {shape_of(mask)}"
            raise misfit(what, "True where an example counts.", logits=logits, mask=mask)
        labels = where(mask, labels, 0)
    if not isinstance(labels, Recorded):
        beyond = (labels < 0) | (labels >= classes[0])  # NumPy would count from the end, cupy wrap around
        if np.any(beyond):
            what = f"{caller} needs labels from 0 to {classes[0] - 1}, got {labels[beyond][0]}"
            raise refusal(IndexingError, what, "Examples to be left out are named by mask=.")
    return labels, mask


@same_side
def mse(predictions: Array, targets: Array) -> Array:
    """Mean of (prediction − target)².

    Args:
        predictions: any shape.
        targets: the same shape.

    Raises:
        ShapeError: the shapes differ: (N,) against (N, 1) would broadcast to (N, N).

    >>> mse(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(2.0)
    """
    _check_pair("mse", predictions, targets)
    return np.mean(square(predictions - targets))


@same_side
def huber(predictions: Array, targets: Array, *, delta: float = 1.0) -> Array:
    """Mean of ½ r² where |r| ≤ delta, else delta (|r| − ½ delta), with r = prediction − target.

    Args:
        predictions: any shape.
        targets: the same shape.
        delta: where the parabola becomes a line, > 0, in units of r.

    Raises:
        ShapeError: the shapes differ.

    Source: Huber 1964, Annals of Mathematical Statistics 35.

    >>> huber(np.array([0.5, 3.0]), np.zeros(2))
    np.float64(1.3125)
    """
    _check_pair("huber", predictions, targets)
    size = absolute(predictions - targets)
    inner = minimum(size, delta)
    return np.mean(0.5 * square(inner) + delta * (size - inner))


@same_side
def binary_cross_entropy_with_logits(logits: Array, targets: Array) -> Array:
    """Mean of −y log σ(z) − (1 − y) log σ(−z), in nats, exact in both tails.

    Args:
        logits: z, any shape.
        targets: y in [0, 1], the same shape; booleans and integers are taken as 0 and 1.

    Raises:
        ShapeError: the shapes differ.

    >>> binary_cross_entropy_with_logits(np.array([0.0, 1000.0]), np.array([1, 1]))
    np.float64(0.34657359027997264)
    """
    _check_pair("binary_cross_entropy_with_logits", logits, targets)
    targets = as_array(targets)
    y = targets if dtype_of(targets).kind == "f" else astype(targets, dtype=dtype_of(logits))
    return np.mean(y * softplus(-logits) + (1.0 - y) * softplus(logits))


def _check_pair(loss: str, predictions: Array, targets: Array) -> None:
    if shape_of(predictions) != shape_of(targets):
        what = f"{loss} needs equal shapes: {shape_of(predictions)} and {shape_of(targets)}"
        remedy = "Reshape one of them; broadcasting would compare every prediction with every target."
        raise misfit(what, remedy, predictions=predictions, targets=targets)
