"""`scipy.special`: what is not a ufunc; every other name is SciPy's own."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops import reduce
from ..ops.elementwise import exp, log
from ..ops.primitive import Recorded, normalize_axis, shape_of

__all__ = ["log_softmax", "logsumexp", "softmax"]


def _float(a: Any) -> Any:
    if isinstance(a, Recorded):
        return a
    a = np.asarray(a)
    return a if a.dtype.kind == "f" else a.astype(np.float64)


def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False) -> Any:
    """log Σ b eᵃ over `axis`, without overflow; −∞ over nothing.

    Args:
        a: array.
        axis: one axis, a tuple, or None for all.
        b: weights ≥ 0 that broadcast against a; 1 by default.
        keepdims: keep reduced axes with length one.
    """
    a = _float(a)
    if b is not None:
        b = _float(b)
        # log 0 = −∞ is right here: a weight of zero leaves its term out
        with np.errstate(divide="ignore"):
            a = a + log(b)
    axes = normalize_axis(axis, len(shape_of(a)))
    return reduce.logsumexp(a, axis=axes, keepdims=bool(keepdims))


def softmax(x: Any, axis: Any = None) -> Any:
    """eˣ / Σ eˣ over `axis` (all axes by default, as in SciPy)."""
    return exp(log_softmax(x, axis))


def log_softmax(x: Any, axis: Any = None) -> Any:
    """x − log Σ eˣ over `axis` (all axes by default, as in SciPy)."""
    x = _float(x)
    return x - logsumexp(x, axis, keepdims=True)


def __getattr__(name: str) -> Any:
    from scipy import special

    if name == "polygamma":  # a Python function in SciPy, a row of the table here
        from ..ops.elementwise import polygamma

        return polygamma
    return getattr(special, name)


def __dir__() -> list[str]:
    from scipy import special

    return sorted({*__all__, *dir(special)})
