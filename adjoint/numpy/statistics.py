"""Medians and quantiles, variances and correlations of several variables, with NumPy's signatures."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import DTypeError, ShapeError, refusal
from ..ops.abstract import Abstract
from ..ops.broadcast import astype, reduced_shape, reshape
from ..ops.elementwise import isnan
from ..ops.elementwise import where as where_op
from ..ops.index import ARRAY, getitem
from ..ops.primitive import FLOAT64, Recorded, dtype_of, innermost, normalize_axis, shape_of
from .creation import asarray, together
from .dispatch import implements
from .order import argsort, sort
from .reductions import floating, reduced_first, spread_weights
from .reductions import sum as sum_of
from .scans import cumsum
from .selecting import take_along_axis_


# --------------------------------------------------------------------------------------- median and quantiles
@implements(np.median)
def median(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: bool = False
) -> Any:
    """As np.median: the middle value in the order of np.sort, or the mean of two."""
    rows, shape = _rows(a, axis, keepdims)
    n = shape_of(rows)[0]
    if n == 0:
        return np.median(np.empty(shape_of(a), dtype_of(rows)), axis=axis, keepdims=keepdims)
    rows = sort(rows, 0)
    middle = rows[n // 2] if n % 2 else (rows[n // 2 - 1] + rows[n // 2]) / 2
    return reshape(_nan_if_last(rows, middle), shape=shape)


def _rows(a: Any, axis: Any, keepdims: bool) -> tuple[Any, tuple[int, ...]]:
    """(n, …) with the reduced axes in the first one, as floats, and the shape of the result."""
    axes = normalize_axis(axis, len(shape_of(a)))
    kept = reduced_shape(shape_of(a), axes, keepdims)
    return reduced_first(floating(a), axes), kept


def _nan_if_last(rows: Any, z: Any) -> Any:
    """NaN sorts to the end, and makes the result NaN."""
    return where_op(isnan(rows[-1]), rows[-1], z)


# method → where q points among the sorted values (from 0), and what part the value above that place has,
# given the remainder g and whether the value below is an odd one. The first nine are those of Hyndman and
# Fan, The American Statistician 50 (1996), the last four NumPy's own.
Place = Callable[[int, Any], Any]
Part = Callable[[Any, Any], Any]


def _weibull_like(alpha: float, beta: float) -> Place:
    return lambda n, q: n * q + (alpha + q * (1 - alpha - beta)) - 1


METHODS: dict[str, tuple[Place, Part]] = {
    "inverted_cdf": (lambda n, q: n * q - 1, lambda g, odd: 1.0 * (g > 0)),
    "averaged_inverted_cdf": (lambda n, q: n * q - 1, lambda g, odd: np.where(g > 0, 1.0, 0.5)),
    "closest_observation": (lambda n, q: n * q - 1.5, lambda g, odd: np.where((g == 0) & odd, 0.0, 1.0)),
    "interpolated_inverted_cdf": (_weibull_like(0, 1), lambda g, odd: g),
    "hazen": (_weibull_like(0.5, 0.5), lambda g, odd: g),
    "weibull": (_weibull_like(0, 0), lambda g, odd: g),
    "linear": (lambda n, q: (n - 1) * q, lambda g, odd: g),
    "median_unbiased": (_weibull_like(1 / 3, 1 / 3), lambda g, odd: g),
    "normal_unbiased": (_weibull_like(3 / 8, 3 / 8), lambda g, odd: g),
    "lower": (lambda n, q: (n - 1) * q, lambda g, odd: 0.0 * g),
    "higher": (lambda n, q: (n - 1) * q, lambda g, odd: 1.0 * (g > 0)),
    "midpoint": (lambda n, q: (n - 1) * q, lambda g, odd: 0.5 * (g > 0)),
    "nearest": (lambda n, q: (n - 1) * q, lambda g, odd: 1.0 * ((g > 0.5) | ((g == 0.5) & odd))),
}
DISCRETE = [METHODS[name] for name in ("inverted_cdf", "closest_observation", "lower", "higher", "nearest")]


def _checked(a: Any, q: Any, method: str) -> Any:
    q = together((a, q))[1]
    plain = innermost(q)
    if type(plain) is not Abstract and not np.all((plain >= 0) & (plain <= 1)):
        raise ValueError("Quantiles must be in the range [0, 1]")
    if method not in METHODS:
        raise ValueError(f"{method!r} is not a valid method. Use one of: {', '.join(METHODS)}")
    if dtype_of(a).kind == "c":
        raise refusal(DTypeError, "quantiles need real numbers", "np.real and np.imag have quantiles each.")
    return q


def _promoting(q: Any, rows: Any) -> Any:
    """A number leaves float32 what it is; NumPy has arrays promote it."""
    return q if isinstance(q, Recorded) or q.ndim else q.astype(dtype_of(rows))


@implements(np.quantile)
def quantile(
    a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, method: str = "linear",
    keepdims: bool = False, *, weights: Any = None,
) -> Any:  # fmt: skip
    """As np.quantile, by all of its methods; differentiable in q as well where the method is continuous."""
    q = _checked(a, q, method)
    rows, kept = _rows(a, axis, keepdims)
    q = _promoting(q, rows)
    if shape_of(rows)[0] == 0:
        return np.quantile(np.empty(shape_of(a), dtype_of(rows)), innermost(q), axis, keepdims=keepdims)
    if weights is None:
        z = _between(sort(rows, 0), q, METHODS[method])
    elif method != "inverted_cdf":
        raise ValueError("Only method 'inverted_cdf' supports weights.")
    else:
        weights = spread_weights(together((a, weights))[1], shape_of(a), axis)
        z = _weighted(rows, q, reduced_first(weights, normalize_axis(axis, len(shape_of(a)))))
    return reshape(z, shape=shape_of(q) + kept)


@implements(np.percentile)
def percentile(
    a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, method: str = "linear",
    keepdims: bool = False, *, weights: Any = None,
) -> Any:  # fmt: skip
    """As np.percentile."""
    return quantile(
        a, _parts_of_hundred(a, q), axis, None, overwrite_input, method, keepdims, weights=weights
    )


def _parts_of_hundred(a: Any, q: Any) -> Any:
    q = together((a, q))[1]
    plain = innermost(q)
    if type(plain) is not Abstract and not np.all((plain >= 0) & (plain <= 100)):
        raise ValueError("Percentiles must be in the range [0, 100]")
    return q / (dtype_of(a).type(100) if dtype_of(a).kind == "f" else 100)


def _between(rows: Any, q: Any, method: tuple[Place, Part]) -> Any:
    """For sorted rows (n, …) and every q: the value below its place, the value above it, or some of both."""
    n, place = shape_of(rows)[0], method[0](shape_of(rows)[0], q)
    floor = np.floor(place)
    lower, upper = (getitem(rows, _position(floor + k, n), template=(ARRAY,)) for k in (0, 1))
    part = reshape(place - floor, shape=shape_of(place) + (1,) * (len(shape_of(rows)) - 1))
    return _nan_if_last(rows, _mixed(method, part, reshape(floor, shape=shape_of(part)), lower, upper, q))


def _mixed(method: tuple[Place, Part], part: Any, floor: Any, lower: Any, upper: Any, q: Any) -> Any:
    """The value below a place, the one above it, or some of both, by the part of the way between them."""
    kind = dtype_of(lower) if method in DISCRETE else np.result_type(dtype_of(lower), dtype_of(q))
    part = astype(method[1](part, floor % 2 == 1), dtype=kind)
    if not isinstance(part, Recorded) and np.all(part == 0):
        return astype(lower, dtype=kind)
    # apart where one of them counts for nothing: it may be infinite
    inside = lower + (upper - lower) * part
    return where_op(part == 0, lower, where_op(part == 1, upper, inside))


def _position(place: Any, n: int) -> Any:
    return astype(np.clip(place, 0, n - 1), dtype=np.dtype(np.intp))


def _weighted(rows: Any, q: Any, weights: Any) -> Any:
    """For rows (n, …) and every q: the first value whose cumulated weight reaches that part of all."""
    order = argsort(rows, 0)
    rows, weights = take_along_axis_(rows, order, 0), take_along_axis_(weights, order, 0)
    cumulated = cumsum(weights, 0)
    cumulated = cumulated / cumulated[-1]
    q = reshape(q, shape=(*shape_of(q), 1) + (1,) * (len(shape_of(rows)) - 1))
    reached = (cumulated >= q) & (cumulated > 0)  # values without weight are never taken
    count = sum_of(np.logical_not(reached), len(shape_of(q)) - len(shape_of(rows)))
    position = np.clip(count, 0, shape_of(rows)[0] - 1)
    lead = (math.prod(shape_of(q)), *shape_of(rows)[1:])
    z = take_along_axis_(rows, reshape(position, shape=lead), 0)
    return _nan_if_last(rows, z)


# ------------------------------------------------------------------------------------------- without NaN
def _sorted_numbers(a: Any, axis: Any, keepdims: bool) -> tuple[Any, Any, tuple[int, ...]]:
    """Sorted rows (n, …), in which NaN stand last, how many numbers precede them, and the result's shape."""
    rows, kept = _rows(a, axis, keepdims)
    count = sum_of(np.logical_not(isnan(rows)), 0)
    return sort(rows, 0), count, kept


def _picked(rows: Any, place: Any) -> Any:
    """From rows (n, …) the elements at places (…), or at several of them (*lead, …)."""
    rest = shape_of(rows)[1:]
    lead = shape_of(place)[: len(shape_of(place)) - len(rest)]
    place = reshape(_position(place, shape_of(rows)[0]), shape=(math.prod(lead), *rest))
    return reshape(take_along_axis_(rows, place, 0), shape=lead + rest)


@implements(np.nanmedian)
def nanmedian(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: bool = False
) -> Any:
    """As np.nanmedian; NaN over nothing."""
    rows, count, kept = _sorted_numbers(a, axis, keepdims)
    if not shape_of(rows)[0]:
        return median(a, axis, keepdims=keepdims)
    lower, upper = _picked(rows, (count - 1) // 2), _picked(rows, count // 2)
    return reshape(where_op(count % 2 == 1, lower, (lower + upper) / 2), shape=kept)


@implements(np.nanquantile)
def nanquantile(
    a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, method: str = "linear",
    keepdims: bool = False,
) -> Any:  # fmt: skip
    """As np.nanquantile; NaN over nothing."""
    if not math.prod(shape_of(a)):
        return np.nanquantile(np.empty(shape_of(a), dtype_of(a)), innermost(q), axis, keepdims=keepdims)
    q = _checked(a, q, method)
    rows, count, kept = _sorted_numbers(a, axis, keepdims)
    q = _promoting(q, rows)
    count = astype(count, dtype=dtype_of(rows))
    along = reshape(q, shape=shape_of(q) + (1,) * len(shape_of(count)))
    place = METHODS[method][0](count, along)
    floor = np.floor(place)
    z = _mixed(
        METHODS[method],
        place - floor,
        floor,
        _picked(rows, np.minimum(floor, count - 1)),
        _picked(rows, np.minimum(floor + 1, count - 1)),
        q,
    )
    return reshape(z, shape=shape_of(q) + kept)


@implements(np.nanpercentile)
def nanpercentile(
    a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, method: str = "linear",
    keepdims: bool = False,
) -> Any:  # fmt: skip
    """As np.nanpercentile."""
    return nanquantile(a, _parts_of_hundred(a, q), axis, None, overwrite_input, method, keepdims)


# ------------------------------------------------------------------------------------------------ covariances
@implements(np.cov)
def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None,
    fweights: Any = None, aweights: Any = None, *, dtype: Any = None,
) -> Any:  # fmt: skip
    """As np.cov; the analytic weights may be recorded."""
    x = _observations(m, rowvar)
    if not shape_of(x)[0]:
        return np.zeros((0, 0))
    if y is not None:
        x = np.concatenate([x, _observations(y, rowvar)])
    x = astype(x, dtype=np.dtype(dtype or np.result_type(dtype_of(x), FLOAT64)))
    if ddof is None:
        ddof = 0 if bias else 1
    elif ddof != int(ddof):
        raise ValueError("ddof must be integer")
    n = shape_of(x)[1]
    weights, total, degrees = None, n, n - ddof
    for w in (fweights, aweights):
        if w is not None:
            w = together((x, w))[1]
            if shape_of(w) != (n,):
                what = f"cov of {n} observations needs as many weights in a vector, not {shape_of(w)}"
                raise refusal(ShapeError, what)
            weights = w if weights is None else weights * w
    if weights is not None:
        total = sum_of(weights)
        if aweights is not None:
            ddof = ddof * sum_of(weights * together((x, aweights))[1]) / total
        degrees = total - ddof
        centred = x - sum_of(x * weights, 1, keepdims=True) / total
        weighted = centred * weights
    else:
        weighted = centred = x - sum_of(x, 1, keepdims=True) / n
    z = np.dot(centred, np.conj(np.transpose(weighted))) / np.maximum(degrees, 0)
    z = astype(z, dtype=dtype_of(x))
    return reshape(z, shape=()) if shape_of(z) == (1, 1) else z


def _observations(m: Any, rowvar: bool) -> Any:
    """(variables, observations)."""
    m = asarray(m)
    if len(shape_of(m)) > 2:
        raise refusal(ShapeError, f"cov needs at most two dimensions, not {shape_of(m)}")
    x = np.atleast_2d(m)
    return np.transpose(x) if not rowvar and shape_of(x)[0] != 1 else x


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """As np.corrcoef."""
    c = cov(x, y, rowvar, dtype=dtype)
    if not shape_of(c):
        return c / c
    spread = np.sqrt(np.real(np.diagonal(c)))
    return c / spread[:, None] / spread[None, :]
