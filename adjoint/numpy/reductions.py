"""Sums, means and extrema, with NumPy's signatures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import MissingRuleError, ShapeError, refusal
from ..ops import reduce as rd
from ..ops.abstract import Abstract
from ..ops.broadcast import astype, reduced_shape, reshape, sum_
from ..ops.elementwise import square
from ..ops.elementwise import where as where_op
from ..ops.primitive import beside, dtype_of, innermost, normalize_axis, real_dtype, shape_of
from .complexes import reduce_parts
from .creation import together
from .dispatch import METHODS, implements

NONE: Any = object()  # no `initial` was given: None would be one


def cast(x: Any, dtype: Any) -> Any:
    """x in another dtype, unless none is named."""
    return x if dtype is None else astype(x, dtype=np.dtype(dtype))


def floating(x: Any) -> Any:
    """Booleans and integers as float64, as NumPy's means do."""
    return x if dtype_of(x).kind in "fc" else astype(x, dtype=np.dtype(np.float64))


def reduced_axes(axis: Any, a: Any) -> tuple[int, ...]:
    """As `normalize_axis`; to reductions a scalar has an axis, as in NumPy."""
    if type(axis) is int and not shape_of(a) and axis in (0, -1):
        return ()
    return normalize_axis(axis, len(shape_of(a)))


def selected(a: Any, where: Any, filling: Any) -> Any:
    """What a reduction has to take: a, with the filling wherever the mask is False."""
    return a if where is True else where_op(together((a, where))[1], a, filling)


def counted(where: Any, a: Any, axis: Any) -> Any:
    """How many elements are reduced: a number, or with a mask an array that keeps the axes reduced."""
    if where is True:
        return math.prod(shape_of(a)[k] for k in reduced_axes(axis, a))
    count = sum(np.broadcast_to(together((a, where))[1], shape_of(a)), axis, keepdims=True)
    return astype(count, dtype=real_dtype(dtype_of(a)))


@implements(np.sum)
def sum(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
    initial: Any = NONE, where: Any = True,
) -> Any:  # fmt: skip
    """As np.sum."""
    a = selected(cast(a, dtype), where, 0)
    z = sum_(a, axis=reduced_axes(axis, a), keepdims=bool(keepdims))
    return z if initial is NONE else z + initial


@implements(np.mean)
def mean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False, *, where: Any = True
) -> Any:
    """As np.mean."""
    a = floating(cast(a, dtype))
    axes = normalize_axis(axis, len(shape_of(a)))
    if where is True:
        return rd.mean(a, axis=axes, keepdims=bool(keepdims))
    z = sum(a, axis, keepdims=True, where=where) / counted(where, a, axis)
    return z if keepdims else rd.squeeze(z, axes)


def _spread(
    reduction: Any, a: Any, axis: Any, dtype: Any, ddof: float, keepdims: bool, where: Any, mean_: Any
) -> tuple[Any, Any]:
    """A reduction of a less its mean, and the divisor n − ddof."""
    a = floating(cast(a, dtype))
    axes = normalize_axis(axis, len(shape_of(a)))
    centre = mean(a, axis, keepdims=True, where=where) if mean_ is NONE else mean_
    count = counted(where, a, axis)
    if where is not True and not keepdims:
        count = rd.squeeze(count, axes)
    divisor = max(count - ddof, 0) if where is True else np.maximum(count - ddof, 0)
    return reduce_parts(reduction, selected(a - centre, where, 0), axes, bool(keepdims)), divisor


def sum_of_squares(x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Σ x² over `axis`."""
    return sum_(square(x), axis=axis, keepdims=keepdims)


@implements(np.var)
def var(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: bool = False,
    *, where: Any = True, mean: Any = NONE, correction: float | None = None,
) -> Any:  # fmt: skip
    """As np.var."""
    ddof = ddof if correction is None else correction
    z, divisor = _spread(sum_of_squares, a, axis, dtype, ddof, keepdims, where, mean)
    return z / divisor


@implements(np.std)
def std(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: bool = False,
    *, where: Any = True, mean: Any = NONE, correction: float | None = None,
) -> Any:  # fmt: skip
    """As np.std: the norm of the centred values over √n; its derivative at zero spread is 0, not NaN."""
    ddof = ddof if correction is None else correction
    z, divisor = _spread(rd.norm, a, axis, dtype, ddof, keepdims, where, mean)
    return z / divisor**0.5


def _extremum(reduce: Any, choose: Any, a: Any, axis: Any, keepdims: bool, initial: Any, where: Any) -> Any:
    if where is not True and initial is NONE:
        raise ValueError("an extremum of the elements where= a mask holds needs initial= for none of them")
    if initial is NONE:
        return reduce(a, axis=reduced_axes(axis, a), keepdims=bool(keepdims))
    if math.prod(shape_of(a)) == 0:
        return sum(a, axis, keepdims=keepdims) + initial
    z = _extremum(reduce, choose, selected(a, where, initial), axis, keepdims, NONE, True)
    return choose(z, initial)


@implements(np.max, np.amax)
def max_(
    a: Any, axis: Any = None, out: Any = None, keepdims: bool = False, initial: Any = NONE, where: Any = True
) -> Any:
    """As np.max; ties share the derivative."""
    return _extremum(rd.max_, np.maximum, a, axis, keepdims, initial, where)


@implements(np.min, np.amin)
def min_(
    a: Any, axis: Any = None, out: Any = None, keepdims: bool = False, initial: Any = NONE, where: Any = True
) -> Any:
    """As np.min; ties share the derivative."""
    return _extremum(rd.min_, np.minimum, a, axis, keepdims, initial, where)


def factors(a: Any, dtype: Any) -> Any:
    """In the dtype of their product: NumPy multiplies booleans and short integers as long ones."""
    wide = dtype is None and dtype_of(a).kind not in "fc"
    return cast(a, np.prod(np.ones(1, dtype_of(a))).dtype if wide else dtype)


def reduced_first(a: Any, axes: tuple[int, ...]) -> Any:
    """The axes to be reduced flattened into one, which stands first; the others follow."""
    shape = shape_of(a)
    kept = tuple(k for k in range(len(shape)) if k not in axes)
    return reshape(
        np.transpose(a, (*axes, *kept)), shape=(math.prod(shape[k] for k in axes), *(shape[k] for k in kept))
    )


@implements(np.prod)
def prod(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
    initial: Any = NONE, where: Any = True,
) -> Any:  # fmt: skip
    """As np.prod, as a balanced tree of products: exact derivatives also where factors are zero."""
    if initial is not NONE:
        return prod(a, axis, dtype, None, keepdims, where=where) * initial
    a = selected(factors(a, dtype), where, 1)
    shape = shape_of(a)
    axes = reduced_axes(axis, a)
    a = reduced_first(a, axes)
    if shape_of(a)[0] == 0:
        return beside(a).asarray(np.prod(np.empty(shape, dtype_of(a)), axis=axes, keepdims=keepdims))[()]
    while (n := shape_of(a)[0]) > 1:
        product = a[: n // 2] * a[n // 2 : 2 * (n // 2)]
        a = np.concatenate([product, a[-1:]]) if n % 2 else product
    return reshape(a, shape=reduced_shape(shape, axes, keepdims))


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
        count = math.prod(shape_of(a)) / max(1, math.prod(shape_of(result)))
        total = beside(result).full(shape_of(result), count, dtype_of(result))[()]
    else:
        weights = spread_weights(together((a, weights))[1], shape_of(a), axis)
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
        weights = np.transpose(weights, tuple(np.argsort(axes).tolist()))
        weights = np.reshape(weights, tuple(n if k in axes else 1 for k, n in enumerate(shape)))
    return weights + beside(weights).zeros(shape, dtype_of(weights))


def logaddexp_reduce(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Log Σ eˣ over `axis`."""
    return rd.logsumexp(a, axis=reduced_axes(axis, a), keepdims=bool(keepdims))


def _reducer(ufunc: Any, rule: Any) -> Any:
    """`np.add.reduce(x)` and its like: NumPy reduces the first axis unless told otherwise."""

    def reduce(
        a: Any, axis: Any = 0, dtype: Any = None, out: None = None, keepdims: bool = False, **options: Any
    ) -> Any:
        if options:
            what = f"np.{ufunc.__name__}.reduce with {', '.join(f'{name}=' for name in options)} has no rule"
            raise refusal(MissingRuleError, what, "Select with np.where or by indexing before reducing.")
        return rule(cast(a, dtype), axis=axis, keepdims=keepdims)

    return reduce


REDUCERS = {
    np.add: sum,
    np.multiply: prod,
    np.maximum: max_,
    np.minimum: min_,
    np.logaddexp: logaddexp_reduce,
}
METHODS.update({(ufunc, "reduce"): _reducer(ufunc, rule) for ufunc, rule in REDUCERS.items()})
