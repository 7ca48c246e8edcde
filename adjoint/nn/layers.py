"""Layers on feature vectors: dense, embedding, normalization, dropout."""

from __future__ import annotations

import math

import numpy as np

from ..errors import DTypeError, IndexingError, TraceError, describe, refusal
from ..ops.abstract import Abstract
from ..ops.broadcast import reshape_to
from ..ops.device import on_device
from ..ops.elementwise import where
from ..ops.index import ARRAY, getitem
from ..ops.primitive import beside, dtype_of, innermost, shape_of
from ..ops.products import matmul
from ..ops.sides import same_side
from .base import Array, Params, as_array, misfit


@same_side
def dense(params: Params, x: Array) -> Array:
    """x W + b.

    Args:
        params: "W" (inputs, outputs); "b" (outputs,), which may be missing.
        x: (…, inputs).

    Returns:
        (…, outputs).

    Raises:
        ShapeError: the last axis of x is not `inputs`, or b does not fit W.

    >>> dense({"W": np.array([[1.0, 2.0]]), "b": np.array([0.0, 1.0])}, np.array([[3.0]]))
    array([[3., 7.]])
    """
    W, b = params["W"], params.get("b")
    shape, (inputs, outputs) = shape_of(x), _matrix("dense", W)
    if shape[-1:] != (inputs,):
        remedy = f"The last axis of x holds the features; W is (inputs, outputs) = {shape_of(W)}."
        raise misfit(f"dense needs {inputs} features: x {shape}, W {shape_of(W)}", remedy, x=x, W=W)
    if b is not None and shape_of(b) != (outputs,):
        remedy = f"b holds one number per output: ({outputs},)."
        raise misfit(f"dense needs a bias that fits W: b {shape_of(b)}, W {shape_of(W)}", remedy, W=W, b=b)
    # one product of matrices, not a stack of them: the λ of W is then one product too
    rows = reshape_to(x, (math.prod(shape[:-1]), inputs))
    z = matmul(rows, W)
    return reshape_to(z if b is None else z + b, (*shape[:-1], outputs))


def _matrix(layer: str, W: Array) -> tuple[int, int]:
    shape = shape_of(W)
    if len(shape) != 2:
        raise misfit(f"{layer} needs a matrix as W, not {shape}", "W is (inputs, outputs).", W=W)
    return shape[0], shape[1]


@same_side
def embedding(params: Params, tokens: Array) -> Array:
    """Row W[t] for every token t.

    Args:
        params: "W" (vocabulary, features).
        tokens: (…) int, 0 ≤ t < vocabulary.

    Returns:
        (…, features).

    Raises:
        DTypeError: tokens are not integers.
        IndexError: a token is outside the vocabulary.

    >>> embedding({"W": np.array([[0.0, 1.0], [2.0, 3.0]])}, np.array([1, 0, 1]))
    array([[2., 3.],
           [0., 1.],
           [2., 3.]])
    """
    tokens = as_array(tokens)
    vocabulary, _ = _matrix("embedding", params["W"])
    if dtype_of(tokens).kind not in "iu":
        what = f"embedding needs integer tokens, not {dtype_of(tokens)}"
        raise refusal(
            DTypeError, what, "Convert with .astype(int); W comes first.", [describe(tokens, "tokens")]
        )
    if on_device(tokens) and np.any(abs(tokens) >= vocabulary):  # cupy would wrap around
        what = f"embedding needs tokens below {vocabulary}, got {np.max(abs(tokens))}"
        raise refusal(IndexingError, what, "W has a row for each token.", [describe(tokens, "tokens")])
    return getitem(params["W"], tokens, template=(ARRAY,))


@same_side
def layer_norm(params: Params, x: Array, *, eps: float = 1e-5) -> Array:
    """Every feature vector with mean 0 and variance 1, then scaled and shifted feature by feature.

    z = scale · (x − mean) / √(var + eps) + shift, mean and variance over the last axis.

    Args:
        params: "scale" (features,), "shift" (features,).
        x: (…, features).
        eps: in units of x².

    Raises:
        ShapeError: scale or shift is not (features,).

    Source: Ba et al. 2016, arXiv:1607.06450.

    >>> layer_norm({"scale": np.ones(2), "shift": np.zeros(2)}, np.array([1.0, 3.0]), eps=0.0)
    array([-1.,  1.])
    """
    for name in ("scale", "shift"):
        _per_feature("layer_norm", name, params[name], x)
    centred = x - np.mean(x, axis=-1, keepdims=True)
    variance = np.mean(centred * centred, axis=-1, keepdims=True)
    return centred / np.sqrt(variance + eps) * params["scale"] + params["shift"]


@same_side
def rms_norm(params: Params, x: Array, *, eps: float = 1e-6) -> Array:
    """Every feature vector with mean square 1, scaled feature by feature: scale · x / √(mean x² + eps).

    Args:
        params: "scale" (features,).
        x: (…, features).
        eps: in units of x².

    Raises:
        ShapeError: scale is not (features,).

    Source: Zhang & Sennrich 2019, arXiv:1910.07467.

    >>> rms_norm({"scale": np.ones(2)}, np.array([1.0, 7.0]), eps=0.0)
    array([0.2, 1.4])
    """
    _per_feature("rms_norm", "scale", params["scale"], x)
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * params["scale"]


def _per_feature(layer: str, name: str, parameter: Array, x: Array) -> None:
    if shape_of(parameter) != shape_of(x)[-1:]:
        what = f"{layer} needs one {name} per feature: x {shape_of(x)}, {name} {shape_of(parameter)}"
        raise misfit(what, "The last axis of x holds the features.", x=x, **{name: parameter})


@same_side
def dropout(
    x: Array, rate: float, rng: np.random.Generator | None = None, *, mask: Array | None = None
) -> Array:
    """Set elements to zero with probability `rate`, and divide the others by 1 − rate.

    Without rng and mask (evaluation), and at rate 0, x comes back as it is.

    Args:
        x: array.
        rate: share of zeros, in [0, 1).
        rng: draws which elements stay. For x on a device, one of cupy draws there, and what one of NumPy
            draws is sent there.
        mask: which elements stay, bool, broadcasting against x, instead of rng: for compiled programs, whose
            random numbers are arguments. See `dropout_mask`.

    Raises:
        ValueError: rate is outside [0, 1).
        TraceError: rng in a program that is being compiled: it would drop the same elements in every call.

    >>> dropout(np.ones(4), 0.5, mask=np.array([True, False, True, True]))
    array([2., 0., 2., 2.])
    """
    _check_rate(rate)
    if rate == 0 or (rng is None and mask is None):
        return x
    if mask is None and rng is not None:
        if type(innermost(x)) is Abstract:
            what = "dropout with rng would drop the same elements in every call of the compiled program"
            raise refusal(TraceError, what, "Pass mask=nn.dropout_mask(rng, shape, rate) as an argument.")
        mask = dropout_mask(rng, shape_of(x), rate)
        if beside(x) is not np:
            mask = beside(x).asarray(mask)
    return where(mask, x * (1 / (1 - rate)), 0.0)


def dropout_mask(rng: np.random.Generator, shape: tuple[int, ...], rate: float) -> np.ndarray:
    """True with probability 1 − rate: which elements `dropout` keeps.

    Raises:
        ValueError: rate is outside [0, 1).

    >>> bool(dropout_mask(np.random.default_rng(0), (3, 4), 0.0).all())
    True
    """
    _check_rate(rate)
    return rng.random(shape) >= rate


def _check_rate(rate: float) -> None:
    if not 0 <= rate < 1:
        raise ValueError(f"dropout needs a rate in [0, 1), got {rate!r}")
