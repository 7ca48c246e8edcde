"""Reductions over ragged rows: segment k is x[offsets[k] : offsets[k + 1]] along the first axis.

`offsets` are n + 1 non-decreasing integers from 0 to len(x), as in a CSR matrix; a segment may be empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import ShapeError, refusal
from .abstract import Abstract
from .device import add_at, as_array, module_of, on_device, on_host
from .elementwise import exp, indicator, where
from .index import ARRAY, Choice, getitem
from .primitive import Linear, Primitive, Samples, dtype_of, register, shape_of


def check_offsets(x: Any, offsets: Any) -> Any:
    """Offsets as an integer array; abstract ones as they are, once their shape and dtype are checked.

    Raises:
        ShapeError: they do not start at 0, end at len(x), or they decrease.
    """
    rows = shape_of(x)[0] if shape_of(x) else -1
    if type(offsets) is Abstract:
        if rows < 0 or len(offsets.shape) != 1 or not offsets.shape[0] or offsets.dtype.kind not in "iu":
            what = f"offsets must be integers that rise from 0 to len(x) = {rows}: got {offsets}"
            raise refusal(ShapeError, what, "Build them as np.concatenate([[0], np.cumsum(lengths)]).")
        return offsets
    offsets = np.asarray(on_host(offsets))
    if (
        offsets.ndim != 1 or offsets.size < 1 or offsets.dtype.kind not in "iu"
        or offsets[0] != 0 or offsets[-1] != rows or (np.diff(offsets) < 0).any()
    ):  # fmt: skip
        listed = np.array2string(offsets, threshold=8)
        what = f"offsets must be integers that rise from 0 to len(x) = {rows}: got {offsets.dtype} {listed}"
        raise refusal(ShapeError, what, "Build them as np.concatenate([[0], np.cumsum(lengths)]).")
    return offsets


def _reduce(ufunc: Any, x: np.ndarray, offsets: np.ndarray, empty: float) -> np.ndarray:
    """`ufunc.reduceat` that knows empty segments."""
    counts = np.diff(offsets)
    if on_device(x):
        m = module_of(x)
        z = m.full((len(counts), *x.shape[1:]), empty, x.dtype)
        if x.size:
            of_row = m.asarray(np.repeat(np.arange(len(counts)), counts))
            add_at(z, of_row, x) if ufunc is np.add else m.maximum.at(z, of_row, x)
        return z
    z = np.full((len(counts), *x.shape[1:]), empty, x.dtype)
    full = counts > 0
    if full.any():
        z[full] = ufunc.reduceat(x, offsets[:-1][full], axis=0)
    return z


class SegmentOfRow(Choice):
    """For each of `rows` rows the number of its segment."""

    name = "segment_of_row"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((np.array([0, 2, 2, 6]),), {"rows": 6})]

    def value(self, offsets: Any, rows: int) -> Any:
        host = on_host(offsets)
        return module_of(offsets).asarray(np.repeat(np.arange(len(host) - 1), np.diff(host)))

    def abstract(self, offsets: Any, rows: int) -> Abstract:
        return Abstract((rows,), np.dtype(np.intp))


segment_of_row = register(SegmentOfRow())


def _spread(z: Any, offsets: Any, x: Any) -> Any:
    """Every segment's value repeated over its rows in x."""
    return getitem(z, segment_of_row(offsets, rows=shape_of(x)[0]), template=(ARRAY,))


def _abstract_reduction(op: Primitive, x: Any, offsets: Any) -> Abstract:
    """One row per segment; the dtype, or the error, is that of a segment of one element."""
    segments = shape_of(check_offsets(x, offsets))[0] - 1
    return Abstract((segments, *shape_of(x)[1:]), _reduction_dtype(op, dtype_of(x)))


@lru_cache(maxsize=256)
def _reduction_dtype(op: Primitive, dtype: np.dtype[Any]) -> np.dtype[Any]:
    with np.errstate(all="ignore"):
        return dtype_of(op.value(np.ones(1, dtype), np.array([0, 1])))


class SegmentSum(Linear):
    """z_k = Σ of segment k; 0 when it is empty."""

    name = "segment_sum"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((rng.standard_normal((6, 2)), np.array([0, 2, 2, 6])), {})]

    def value(self, x: Any, offsets: Any) -> Any:
        return _reduce(np.add, as_array(x), check_offsets(x, offsets), 0)

    def abstract(self, x: Any, offsets: Any) -> Abstract:
        return _abstract_reduction(self, x, offsets)

    def transpose(self, lam: Any, x: Any, offsets: Any) -> Any:
        return _spread(lam, offsets, x)


segment_sum = register(SegmentSum())


class WeightedSegments(Primitive):
    """A reduction whose differential is a weighted sum per segment: it gives its value and its weights."""

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((rng.standard_normal((6, 2)), np.array([0, 2, 3, 6])), {})]

    def abstract(self, x: Any, offsets: Any) -> Abstract:
        """One row per segment."""
        return _abstract_reduction(self, x, offsets)

    def weights(self, x: Any, z: Any, offsets: Any) -> Any:
        """∂z/∂x, one number per element of x."""
        raise NotImplementedError

    def tangent(self, args: Sequence[Any], z: Any, dots: Sequence[Any]) -> Any:
        x, offsets = args
        return segment_sum(self.weights(x, z, offsets) * dots[0], offsets)

    def adjoint(self, args: Sequence[Any], z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        x, offsets = args
        return (self.weights(x, z, offsets) * _spread(lam, offsets, x), None)


class SegmentMax(WeightedSegments):
    """z_k = max of segment k; −inf when it is empty. Ties share λ in equal parts."""

    name = "segment_max"
    kink = "ties: equal parts to each"

    def value(self, x: Any, offsets: Any) -> Any:
        return _reduce(np.maximum, as_array(x), check_offsets(x, offsets), -np.inf)

    def weights(self, x: Any, z: Any, offsets: Any) -> Any:
        attained = indicator(x == _spread(z, offsets, x), x)
        return attained / _spread(segment_sum(attained, offsets), offsets, x)


segment_max = register(SegmentMax())


class SegmentLogSumExp(WeightedSegments):
    """z_k = log Σ eˣ over segment k; −inf when it is empty."""

    name = "segment_logsumexp"

    def value(self, x: Any, offsets: Any) -> Any:
        x, offsets = as_array(x), check_offsets(x, offsets)
        top = _reduce(np.maximum, x, offsets, -np.inf)
        shift = np.where(np.isfinite(top), top, 0).astype(x.dtype)
        with np.errstate(divide="ignore"):
            sums = _reduce(np.add, np.exp(x - _spread(shift, offsets, x)), offsets, 0)
            return np.log(sums) + shift

    def weights(self, x: Any, z: Any, offsets: Any) -> Any:
        return exp(x - _spread(where(z == -np.inf, 0, z), offsets, x))


segment_logsumexp = register(SegmentLogSumExp())
