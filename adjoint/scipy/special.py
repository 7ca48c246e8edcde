"""`scipy.special`: what is not a ufunc; every other name is SciPy's own.

The ufuncs answer NumPy's protocols and find their rows in `ops/special.py` and `ops/gamma.py` by name.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import DTypeError, refusal
from ..numpy.creation import asarray
from ..numpy.reductions import floating
from ..ops import gamma as gamma_rows
from ..ops import reduce
from ..ops.abstract import Abstract
from ..ops.broadcast import astype, sum_
from ..ops.elementwise import absolute, exp, isfinite, log, minimum, rint, sign, where
from ..ops.primitive import PRIMITIVES, Recorded, beside, dtype_of, innermost, normalize_axis, shape_of
from ..ops.special import InOwnDtype
from .theirs import theirs

__all__ = ["log_softmax", "logsumexp", "multigammaln", "softmax"]


def _float(a: Any) -> Any:
    return floating(asarray(a))


def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """log Σ b eᵃ over `axis`, without overflow; −∞ over nothing.

    Args:
        a: array.
        axis: one axis, a tuple, or None for all.
        b: weights that broadcast against a, 1 by default; one of 0 leaves its term out, whatever a is there.
        keepdims: keep reduced axes with length one.
        return_sign: return (log |Σ b eᵃ|, sign of the sum); otherwise a negative sum gives NaN.

    >>> logsumexp(np.array([1000.0, 1000.0]), b=np.array([3.0, -1.0])) - math.log(2.0)
    np.float64(1000.0)
    """
    a = _float(a)
    if b is None and not return_sign:
        return reduce.logsumexp(a, axis=normalize_axis(axis, len(shape_of(a))), keepdims=bool(keepdims))
    b = _float(1.0 if b is None else b)
    a = a + beside(a, b).zeros(shape_of(b), dtype_of(b))
    total, shift = _scaled_sum(a, b, normalize_axis(axis, len(shape_of(a))))
    with np.errstate(divide="ignore", invalid="ignore"):  # log 0 = −∞ is right here
        z = log(absolute(total) if return_sign else total) + shift
    axes = normalize_axis(axis, len(shape_of(a)))
    results = [r if keepdims else reduce.squeeze(r, axes) for r in (z, sign(total))]
    return tuple(results) if return_sign else results[0]


def _scaled_sum(a: Any, b: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
    """Σ b e^(a − s) and s, an integer near the largest a that counts; without derivative, as it cancels."""
    if 0 in shape_of(a):
        return sum_(a * b, axis=axes, keepdims=True), 0.0
    top = reduce.max_(where(b == 0, -math.inf, a), axis=axes, keepdims=True)
    bounded = isfinite(top)
    shift = rint(where(bounded, top, 0.0))
    # what is left out may be larger than all that counts: 0 · e⁸⁰ is 0, 0 · ∞ is not
    limit = astype(where(bounded, 80.0, math.inf), dtype=dtype_of(a))
    exponent = minimum(a - shift, limit)
    return sum_(b * exp(exponent), axis=axes, keepdims=True), shift


def softmax(x: Any, axis: Any = None) -> Any:
    """eˣ / Σ eˣ over `axis` (all axes by default, as in SciPy)."""
    return exp(log_softmax(x, axis))


def log_softmax(x: Any, axis: Any = None) -> Any:
    """x − log Σ eˣ over `axis` (all axes by default, as in SciPy), without cancellation."""
    x = _float(x)
    return reduce.log_softmax(x, normalize_axis(axis, len(shape_of(x))))


def multigammaln(a: Any, d: int) -> Any:
    """log Γ_d(a) = ¼ d (d − 1) log π + Σ_j log Γ(a − ½ j), j = 0 … d − 1.

    Args:
        a: array, > ½ (d − 1).
        d: dimension, a plain integer.

    Raises:
        DTypeError: d is recorded.
        ValueError: d is no positive integer, or an a lies outside (not looked at in a compiled program).
    """
    if isinstance(d, Recorded):
        what = "multigammaln cannot be differentiated with respect to its dimension d"
        raise refusal(DTypeError, f"{what}; pass d as a plain integer")
    if np.ndim(d) or d != math.floor(d) or d < 1:
        raise ValueError("d should be a positive integer (dimension)")
    a, plain = _float(a), innermost(a)
    if type(plain) is not Abstract and np.any(plain <= 0.5 * (d - 1)):
        raise ValueError(f"condition a ({plain}) > 0.5 * (d-1) ({0.5 * (d - 1)}) not met")
    halves = 0.5 * beside(a).arange(d, dtype=dtype_of(a))
    terms = gamma_rows.gammaln(np.expand_dims(a, -1) - halves)
    return np.sum(terms, axis=-1) + 0.25 * d * (d - 1) * math.log(math.pi)


_theirs, __dir__ = theirs("special", __all__)


def __getattr__(name: str) -> Any:
    function, row = _theirs(name), PRIMITIVES.get(name)
    # no ufunc (polygamma), or one that would not keep float32
    return row if type(row) is InOwnDtype else function
