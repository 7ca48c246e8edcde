"""First parameters of the layers: dicts of arrays, drawn as PyTorch draws them.

Every function takes a NumPy Generator first and the sizes after it; `dtype` is float32 unless told otherwise.
What cupy's Generator draws stays on its device; what NumPy has made goes there by
`ad.tree_map(cupy.asarray, params)`.
For a ReLU network after He et al. 2015, multiply W of `init_dense` and `init_conv2d` by √6: a bound of
√(6 / inputs) in place of 1/√inputs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..ops.primitive import beside

Parameters = dict[str, Any]  # arrays by name; dicts of them for layers made of layers


def _uniform(rng: np.random.Generator, bound: float, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    return rng.uniform(-bound, bound, shape).astype(dtype)


def init_dense(
    rng: np.random.Generator, inputs: int, outputs: int, *, bias: bool = True, dtype: DTypeLike = np.float32
) -> Parameters:
    """W (inputs, outputs) and b (outputs,), both uniform in ±1/√inputs: for `dense`.

    >>> {k: v.shape for k, v in init_dense(np.random.default_rng(0), 3, 4).items()}
    {'W': (3, 4), 'b': (4,)}
    """
    bound = 1 / math.sqrt(inputs)
    params = {"W": _uniform(rng, bound, (inputs, outputs), dtype)}
    return params | {"b": _uniform(rng, bound, (outputs,), dtype)} if bias else params


def init_conv2d(
    rng: np.random.Generator, channels: int, filters: int, size: int | tuple[int, int] = 3,
    *, bias: bool = True, dtype: DTypeLike = np.float32,
) -> Parameters:  # fmt: skip
    """W (height, width, channels, filters) and b (filters,) for `conv2d`.

    Both are uniform in ±1/√inputs, inputs = height · width · channels.

    >>> init_conv2d(np.random.default_rng(0), 3, 8, 5)["W"].shape
    (5, 5, 3, 8)
    """
    height, width = size if isinstance(size, tuple) else (size, size)
    params = init_dense(rng, height * width * channels, filters, bias=bias, dtype=dtype)
    return params | {"W": params["W"].reshape(height, width, channels, filters)}


def init_embedding(
    rng: np.random.Generator, vocabulary: int, features: int, *, dtype: DTypeLike = np.float32
) -> Parameters:
    """W (vocabulary, features), standard normal: for `embedding`.

    >>> init_embedding(np.random.default_rng(0), 100, 8)["W"].shape
    (100, 8)
    """
    return {"W": rng.standard_normal((vocabulary, features)).astype(dtype)}


def init_layer_norm(features: int, *, dtype: DTypeLike = np.float32) -> Parameters:
    """Scale of ones and shift of zeros, (features,): for `layer_norm`.

    >>> init_layer_norm(2)
    {'scale': array([1., 1.], dtype=float32), 'shift': array([0., 0.], dtype=float32)}
    """
    return {"scale": np.ones(features, dtype), "shift": np.zeros(features, dtype)}


def init_rms_norm(features: int, *, dtype: DTypeLike = np.float32) -> Parameters:
    """Scale of ones, (features,): for `rms_norm`.

    >>> init_rms_norm(2)
    {'scale': array([1., 1.], dtype=float32)}
    """
    return {"scale": np.ones(features, dtype)}


def init_attention(rng: np.random.Generator, features: int, *, dtype: DTypeLike = np.float32) -> Parameters:
    """Parameters of `attention`, biases zero.

    W of "qkv" (features, 3 · features) is uniform in ±√(6 / (4 · features)) (Glorot & Bengio 2010), W of
    "output" (features, features) in ±1/√features.

    >>> params = init_attention(np.random.default_rng(0), 8)
    >>> params["qkv"]["W"].shape, params["output"]["W"].shape
    ((8, 24), (8, 8))
    """
    qkv = _uniform(rng, math.sqrt(6 / (4 * features)), (features, 3 * features), dtype)
    output = _uniform(rng, 1 / math.sqrt(features), (features, features), dtype)
    return {
        name: {"W": W, "b": beside(W).zeros(W.shape[1], dtype)}
        for name, W in (("qkv", qkv), ("output", output))
    }


def init_gru(
    rng: np.random.Generator, inputs: int, units: int, *, dtype: DTypeLike = np.float32
) -> Parameters:
    """Parameters of `gru_cell`, all uniform in ±1/√units.

    >>> init_gru(np.random.default_rng(0), 3, 4)["input"]["W"].shape
    (3, 12)
    """
    return _recurrent(rng, inputs, units, 3, dtype)


def init_lstm(
    rng: np.random.Generator, inputs: int, units: int, *, dtype: DTypeLike = np.float32
) -> Parameters:
    """Parameters of `lstm_cell`, all uniform in ±1/√units.

    >>> init_lstm(np.random.default_rng(0), 3, 4)["state"]["W"].shape
    (4, 16)
    """
    return _recurrent(rng, inputs, units, 4, dtype)


def _recurrent(rng: np.random.Generator, inputs: int, units: int, gates: int, dtype: DTypeLike) -> Parameters:
    bound = 1 / math.sqrt(units)
    return {
        name: {
            "W": _uniform(rng, bound, (rows, gates * units), dtype),
            "b": _uniform(rng, bound, (gates * units,), dtype),
        }
        for name, rows in (("input", inputs), ("state", units))
    }
