"""What is asked of arrays: plain answers without derivative, recorded where values are not known yet."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.primitive import beside, dtype_of, shape_of
from .complexes import is_complex
from .dispatch import FUNCTIONS, enter_plain, plain

enter_plain(
    "shape", "ndim", "size", "zeros_like", "ones_like", "empty_like", "array_equal", "array_equiv",
    "nonzero", "flatnonzero", "argwhere", "iscomplexobj", "isrealobj", "result_type", "can_cast",
    "min_scalar_type", "array_repr", "array_str", "array2string", "nanargmax", "nanargmin", "lexsort", "isin",
    "shares_memory", "may_share_memory",
)  # fmt: skip


def _count(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return np.sum(a if dtype_of(a).kind == "b" else a != 0, axis, keepdims=keepdims)


def _any(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    return _count(a, axis, keepdims=keepdims) > 0


def _all(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    return _count(a == 0, axis, keepdims=keepdims) == 0


def _iscomplex(x: Any) -> Any:
    return np.imag(x) != 0 if is_complex(x) else beside(x).zeros(shape_of(x), bool)


def _isreal(x: Any) -> Any:
    return np.imag(x) == 0 if is_complex(x) else beside(x).ones(shape_of(x), bool)


def _isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    # beside an infinity every number would be close, and a NaN is close to nothing
    near = np.logical_and(np.abs(a - b) <= atol + rtol * np.abs(b), np.isfinite(b))
    close = np.logical_or(near, a == b)
    return np.logical_or(close, np.logical_and(np.isnan(a), np.isnan(b))) if equal_nan else close


def _allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    return _all(_isclose(a, b, rtol, atol, equal_nan))


def _isposinf(x: Any, out: Any = None) -> Any:
    return x == np.inf


def _isneginf(x: Any, out: Any = None) -> Any:
    return x == -np.inf


def _unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Any, ...]:
    places = []
    for n in reversed(shape) if order == "C" else shape:
        places.append(indices % n)
        indices = indices // n
    return tuple(reversed(places) if order == "C" else places)


ANSWERS: tuple[Any, ...] = (
    (np.count_nonzero, _count), (np.any, _any), (np.all, _all), (np.iscomplex, _iscomplex),
    (np.isreal, _isreal), (np.isclose, _isclose), (np.allclose, _allclose),
    (np.isposinf, _isposinf), (np.isneginf, _isneginf), (np.unravel_index, _unravel_index),
)  # fmt: skip
for _function, _traced in ANSWERS:
    FUNCTIONS[_function] = plain(_function, _traced)
