"""Sums, means, extrema, norms, scans and order, with NumPy's signatures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import MissingRuleError, ShapeError, refusal
from ..ops import reduce as rd
from ..ops.abstract import Abstract
from ..ops.broadcast import astype, reshape, sum_
from ..ops.elementwise import absolute, indicator, square
from ..ops.factorize import svd
from ..ops.index import argmax as argmax_op
from ..ops.index import argmin as argmin_op
from ..ops.index import argsort as argsort_op
from ..ops.index import take_along_axis
from ..ops.primitive import dtype_of, innermost, normalize_axis, shape_of
from .complexes import reduce_parts
from .dispatch import METHODS, implements


def _cast(x: Any, dtype: Any) -> Any:
    return x if dtype is None else astype(x, dtype=np.dtype(dtype))


def _floating(x: Any) -> Any:
    """Booleans and integers as float64, as NumPy's means do."""
    return x if dtype_of(x).kind in "fc" else astype(x, dtype=np.dtype(np.float64))


@implements(np.sum)
def sum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    """As np.sum."""
    return sum_(_cast(a, dtype), axis=normalize_axis(axis, len(shape_of(a))), keepdims=bool(keepdims))


@implements(np.mean)
def mean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    """As np.mean."""
    return rd.mean(
        _floating(_cast(a, dtype)), axis=normalize_axis(axis, len(shape_of(a))), keepdims=bool(keepdims)
    )


def _centred(a: Any, axis: Any, dtype: Any, ddof: float) -> tuple[Any, tuple[int, ...], float]:
    """a less its mean, the axes, and the divisor n − ddof."""
    a = _floating(_cast(a, dtype))
    axes = normalize_axis(axis, len(shape_of(a)))
    count = math.prod(shape_of(a)[k] for k in axes)
    return a - rd.mean(a, axis=axes, keepdims=True), axes, max(count - ddof, 0)


def _sum_of_squares(x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    return sum_(square(x), axis=axis, keepdims=keepdims)


@implements(np.var)
def var(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: bool = False,
    *, correction: float | None = None,
) -> Any:  # fmt: skip
    """As np.var."""
    centred, axes, divisor = _centred(a, axis, dtype, ddof if correction is None else correction)
    return reduce_parts(_sum_of_squares, centred, axes, bool(keepdims)) / divisor


@implements(np.std)
def std(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: bool = False,
    *, correction: float | None = None,
) -> Any:  # fmt: skip
    """As np.std: the norm of the centred values over √n; its derivative at zero spread is 0, not NaN."""
    centred, axes, divisor = _centred(a, axis, dtype, ddof if correction is None else correction)
    return reduce_parts(rd.norm, centred, axes, bool(keepdims)) / math.sqrt(divisor)


@implements(np.max, np.amax)
def max_(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    """As np.max; ties share the derivative."""
    return rd.max_(a, axis=normalize_axis(axis, len(shape_of(a))), keepdims=bool(keepdims))


@implements(np.min, np.amin)
def min_(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    """As np.min; ties share the derivative."""
    return rd.min_(a, axis=normalize_axis(axis, len(shape_of(a))), keepdims=bool(keepdims))


def _factors(a: Any, dtype: Any) -> Any:
    """In the dtype of their product: NumPy multiplies booleans and short integers as long ones."""
    wide = dtype is None and dtype_of(a).kind not in "fc"
    return _cast(a, np.prod(np.ones(1, dtype_of(a))).dtype if wide else dtype)


def reduced_first(a: Any, axes: tuple[int, ...]) -> Any:
    """The axes to be reduced flattened into one, which stands first; the others follow."""
    shape = shape_of(a)
    kept = tuple(k for k in range(len(shape)) if k not in axes)
    return reshape(
        np.transpose(a, (*axes, *kept)), shape=(math.prod(shape[k] for k in axes), *(shape[k] for k in kept))
    )


@implements(np.prod)
def prod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    """As np.prod, as a balanced tree of products: exact derivatives also where factors are zero."""
    a = _factors(a, dtype)
    shape = shape_of(a)
    axes = normalize_axis(axis, len(shape))
    a = reduced_first(a, axes)
    if shape_of(a)[0] == 0:
        return np.prod(np.empty(shape, dtype_of(a)), axis=axes, keepdims=keepdims)
    while (n := shape_of(a)[0]) > 1:
        product = a[: n // 2] * a[n // 2 : 2 * (n // 2)]
        a = np.concatenate([product, a[-1:]]) if n % 2 else product
    return reshape(
        a, shape=tuple(1 if k in axes else m for k, m in enumerate(shape) if keepdims or k not in axes)
    )


def scan_axis(a: Any, axis: int | None) -> tuple[Any, int]:
    """The array and the axis to go along: a flat array and its only axis when none is named."""
    return (
        (reshape(a, shape=(math.prod(shape_of(a)),)), 0)
        if axis is None
        else (a, normalize_axis(axis, len(shape_of(a)))[0])
    )


@implements(np.cumsum)
def cumsum(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    """As np.cumsum."""
    a, k = scan_axis(_cast(a, dtype), axis)
    return rd.cumsum(a, axis=k)


@implements(np.cumprod)
def cumprod(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    """As np.cumprod, by products over doubling distances: exact derivatives also where factors are zero."""
    a, k = scan_axis(_factors(a, dtype), axis)
    before, n, distance = (slice(None),) * k, shape_of(a)[k], 1
    while distance < n:
        head, tail = a[(*before, slice(distance))], a[(*before, slice(distance, None))]
        a = np.concatenate([head, tail * a[(*before, slice(n - distance))]], axis=k)
        distance *= 2
    return a


@implements(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    """As np.ptp."""
    return max_(a, axis, keepdims=keepdims) - min_(a, axis, keepdims=keepdims)


@implements(np.average)
def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False
) -> Any:
    """As np.average."""
    if weights is None:
        result = mean(a, axis, keepdims=keepdims)
        total = np.full(shape_of(result), math.prod(shape_of(a)) / max(1, math.prod(shape_of(result))))
    else:
        weights = spread_weights(weights, shape_of(a), axis)
        total = sum(weights, axis, keepdims=keepdims)
        plain = innermost(total)
        if type(plain) is not Abstract and np.any(plain == 0):
            raise ZeroDivisionError("Weights sum to zero, can't be normalized")
        result = sum(a * weights, axis, keepdims=keepdims) / total
    return (result, total) if returned else result


def spread_weights(weights: Any, shape: tuple[int, ...], axis: Any) -> Any:
    """Weights, given for the averaged axes in the order of `axis`, in the shape of the whole array."""
    given = shape_of(weights)
    if given != shape:
        axes = [
            normalize_axis(k, len(shape))[0]
            for k in (axis if isinstance(axis, tuple) else (axis,))
            if k is not None
        ]
        if given != tuple(shape[k] for k in axes):
            what = f"average over axis={axis} of {shape} cannot take weights {given}"
            raise refusal(
                ShapeError, what, "Weights have the shape of the array, or that of the axes named by axis=."
            )
        weights = np.transpose(weights, np.argsort(axes))
        weights = np.reshape(weights, tuple(n if k in axes else 1 for k, n in enumerate(shape)))
    return weights + np.zeros(shape, dtype_of(weights))


@implements(np.sort)
def sort(a: Any, axis: int | None = -1, kind: Any = None, *, stable: Any = None) -> Any:
    """As np.sort; each sorted element belongs to the element it came from (ties in the order of argsort)."""
    a, k = scan_axis(a, axis)
    return take_along_axis(a, argsort_op(a, axis=k, kind=kind, stable=stable), k)


@implements(np.argsort)
def argsort(a: Any, axis: int | None = -1, kind: Any = None, *, stable: Any = None) -> Any:
    """As np.argsort: integers, recorded so that a replay follows the values."""
    return argsort_op(a, axis=axis, kind=kind, stable=stable)


@implements(np.argmax)
def argmax(a: Any, axis: int | None = None, out: Any = None, *, keepdims: bool = False) -> Any:
    """As np.argmax."""
    return argmax_op(a, axis=axis, keepdims=keepdims)


@implements(np.argmin)
def argmin(a: Any, axis: int | None = None, out: Any = None, *, keepdims: bool = False) -> Any:
    """As np.argmin."""
    return argmin_op(a, axis=axis, keepdims=keepdims)


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """As np.linalg.norm. Where the norm has a kink its derivative is the least subgradient: 0 at x = 0."""
    ndim = len(shape_of(x))
    if ord is None and axis is None:
        z = rd.norm(x, axis=tuple(range(ndim)))
        return reshape(z, shape=(1,) * ndim) if keepdims else z
    axes = normalize_axis(axis, ndim)
    if len(axes) == 1:
        return _vector_norm(x, ord, axes, keepdims)
    if len(axes) == 2:  # rows and columns: their order counts
        return _matrix_norm(x, ord, axes if axis is None else tuple(int(k) % ndim for k in axis), keepdims)
    what = f"np.linalg.norm with ord={ord!r} needs one or two axes, not the {len(axes)} of {shape_of(x)}"
    raise refusal(ShapeError, what, "Name them with axis=, or flatten with np.ravel.")


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """As np.linalg.vector_norm: over any number of axes."""
    return _vector_norm(x, ord, normalize_axis(axis, len(shape_of(x))), keepdims)


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """As np.linalg.matrix_norm, of the last two axes."""
    return norm(x, ord, (-2, -1), keepdims)


def _vector_norm(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if ord is None or ord == 2:
        return rd.norm(x, axis=axes, keepdims=keepdims)
    size = absolute(x)
    if ord == np.inf:
        return rd.max_(size, axis=axes, keepdims=keepdims)
    if ord == -np.inf:
        return rd.min_(size, axis=axes, keepdims=keepdims)
    if ord == 0:
        return sum_(indicator(x != 0, x), axis=axes, keepdims=keepdims)
    if ord == 1:
        return sum_(size, axis=axes, keepdims=keepdims)
    if isinstance(ord, str):
        raise ValueError(f"Invalid norm order {ord!r} for vectors")
    # scaled by the maximum, so that powers neither overflow nor divide 0 by 0 at x = 0
    top = rd.max_(size, axis=axes, keepdims=True)
    top = np.where(top == 0, 1, top)
    total = sum_((size / top) ** ord, axis=axes, keepdims=True)
    safe = np.where(total == 0, 1, total)
    z = np.where(total == 0, 0, top * safe ** (1 / ord))
    return z if keepdims else reshape(z, shape=tuple(n for k, n in enumerate(shape_of(x)) if k not in axes))


def _matrix_norm(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    rows, columns = axes
    if ord in (None, "fro"):
        return rd.norm(x, axis=tuple(sorted(axes)), keepdims=keepdims)
    if ord in (1, -1, np.inf, -np.inf):
        first, last = (rows, columns) if abs(ord) == 1 else (columns, rows)
        sums = sum_(absolute(x), axis=(first,), keepdims=True)
        z = (rd.max_ if ord > 0 else rd.min_)(sums, axis=(last,), keepdims=True)
    elif ord in (2, -2, "nuc"):
        s = svd(np.moveaxis(x, axes, (-2, -1)))[1]
        z = sum_(s, axis=(len(shape_of(s)) - 1,)) if ord == "nuc" else s[..., 0 if ord == 2 else -1]
    else:
        raise ValueError(f"Invalid norm order {ord!r} for matrices")
    shape = tuple(1 if k in axes else n for k, n in enumerate(shape_of(x)) if keepdims or k not in axes)
    return reshape(z, shape=shape)


def logaddexp_reduce(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Log Σ eˣ over `axis`."""
    return rd.logsumexp(a, axis=normalize_axis(axis, len(shape_of(a))), keepdims=bool(keepdims))


def _reducer(ufunc: Any, rule: Any) -> Any:
    """`np.add.reduce(x)` and its like: NumPy reduces the first axis unless told otherwise."""

    def reduce(
        a: Any, axis: Any = 0, dtype: Any = None, out: None = None, keepdims: bool = False, **options: Any
    ) -> Any:
        if options:
            what = f"np.{ufunc.__name__}.reduce with {', '.join(f'{name}=' for name in options)} has no rule"
            raise refusal(MissingRuleError, what, "Select with np.where or by indexing before reducing.")
        return rule(_cast(a, dtype), axis=axis, keepdims=keepdims)

    return reduce


def _scanner(rule: Any) -> Any:
    return lambda a, axis=0, dtype=None, out=None: rule(a, axis, dtype)


REDUCERS = {
    np.add: sum,
    np.multiply: prod,
    np.maximum: max_,
    np.minimum: min_,
    np.logaddexp: logaddexp_reduce,
}
METHODS.update({(ufunc, "reduce"): _reducer(ufunc, rule) for ufunc, rule in REDUCERS.items()})
METHODS.update({(np.add, "accumulate"): _scanner(cumsum), (np.multiply, "accumulate"): _scanner(cumprod)})
