"""Activations: functions of one array, element by element; softmax and log_softmax along an axis.

They keep the dtype, pass NaN on, and neither overflow nor lose their digits in the tails.
"""

from __future__ import annotations

import math

from ..ops import reduce
from ..ops.elementwise import exp, expm1, less_equal, logaddexp, where
from ..ops.primitive import normalize_axis, shape_of
from ..ops.special import erfc, expit
from .base import Array


def relu(x: Array) -> Array:
    """max(x, 0); its derivative at 0 is 0, as in PyTorch (np.maximum has 1/2 there).

    >>> relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    return where(less_equal(x, 0.0), 0.0, x)  # in this order a NaN stays a NaN


def leaky_relu(x: Array, slope: float = 0.01) -> Array:
    """x where x > 0, else slope · x; its derivative at 0 is the slope.

    >>> leaky_relu(np.array([-1.0, 2.0]))
    array([-0.01,  2.  ])
    """
    return where(less_equal(x, 0.0), slope * x, x)


def elu(x: Array, alpha: float = 1.0) -> Array:
    """x where x > 0, else alpha · (eˣ − 1); its derivative at 0 is alpha.

    Source: Clevert et al. 2016, arXiv:1511.07289.

    >>> elu(np.array([-50.0, 2.0]))
    array([-1.,  2.])
    """
    below = less_equal(x, 0.0)
    return where(below, alpha * expm1(where(below, x, 0.0)), x)


def softplus(x: Array) -> Array:
    """log(1 + eˣ), without overflow.

    >>> softplus(np.array([-1000.0, 0.0, 1000.0]))
    array([0.00000000e+00, 6.93147181e-01, 1.00000000e+03])
    """
    return logaddexp(x, 0.0)


def silu(x: Array) -> Array:
    """x · σ(x), also called swish.

    >>> silu(np.array([-1000.0, 0.0, 1000.0]))
    array([  -0.,    0., 1000.])
    """
    return x * expit(x)


def gelu(x: Array, *, approximate: bool = False) -> Array:
    """x · Φ(x), Φ the distribution function of the normal distribution.

    Args:
        x: array.
        approximate: Φ(x) ≈ σ(2u), u = √(2/π) (x + 0.044715 x³): the form with tanh u, off by at most 5e-4.

    Source: Hendrycks & Gimpel 2016, arXiv:1606.08415.

    >>> gelu(np.array([-1.0, 1.0]))
    array([-0.15865525,  0.84134475])
    >>> gelu(np.array([-1.0, 1.0]), approximate=True)
    array([-0.15880801,  0.84119199])
    """
    if approximate:  # ½(1 + tanh u) would be 0 from x = −6 on in float32
        return x * expit(2 * math.sqrt(2 / math.pi) * x * (1 + 0.044715 * x * x))
    return 0.5 * x * erfc(-math.sqrt(0.5) * x)  # ½(1 + erf) likewise


def softmax(x: Array, axis: int = -1) -> Array:
    """eˣ / Σ eˣ along one axis (the last by default), without overflow.

    >>> softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    return exp(log_softmax(x, axis))


def log_softmax(x: Array, axis: int = -1) -> Array:
    """x − log Σ eˣ along one axis (the last by default), without overflow.

    >>> log_softmax(np.array([0.0, 1000.0]))
    array([-1000.,     0.])
    """
    return reduce.log_softmax(x, normalize_axis(axis, len(shape_of(x))))
