"""numpy.linalg's norms and what they say of a matrix: condition number, rank."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError, refusal
from ..ops import reduce as rd
from ..ops.broadcast import reduced_shape, reshape, sum_
from ..ops.elementwise import absolute, indicator
from ..ops.primitive import dtype_of, normalize_axis, shape_of
from ..ops.spectral import svd
from .complexes import reduce_parts
from .dispatch import FUNCTIONS, implements, plain
from .matrices import as_matrix, inv


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """As np.linalg.norm. Where the norm has a kink its derivative is the least subgradient: 0 at x = 0."""
    ndim = len(shape_of(x))
    if ord is None and axis is None:
        z = reduce_parts(rd.norm, x, tuple(range(ndim)), False)
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
        return reduce_parts(rd.norm, x, axes, keepdims)
    size = absolute(x)
    if ord == np.inf:
        return rd.max_(size, axis=axes, keepdims=keepdims)
    if ord == -np.inf:
        return rd.min_(size, axis=axes, keepdims=keepdims)
    if ord == 0:
        return sum_(indicator(x != 0, size), axis=axes, keepdims=keepdims)
    if ord == 1:
        return sum_(size, axis=axes, keepdims=keepdims)
    if isinstance(ord, str):
        raise ValueError(f"Invalid norm order {ord!r} for vectors")
    # scaled by the maximum, so that powers neither overflow nor divide 0 by 0 at x = 0
    top = rd.max_(size, axis=axes, keepdims=True)
    top = np.where(top == 0, 1, top)
    total = sum_(_power(size / top, ord), axis=axes, keepdims=True)
    safe = np.where(total == 0, 1, total)
    z = np.where(total == 0, 0, top * safe ** (1 / ord))
    return z if keepdims else rd.squeeze(z, axes)


def _power(x: Any, p: float) -> Any:
    """xᵖ of x ≥ 0; at x = 0 without derivative where one is infinite, for 0 · ∞ would spoil other entries."""
    if not 0 < p < 2:
        return x**p
    return np.where(x == 0, 0, np.where(x == 0, 1, x) ** p)


def _matrix_norm(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    rows, columns = axes
    if ord in (None, "fro", "f"):
        return reduce_parts(rd.norm, x, tuple(sorted(axes)), keepdims)
    if ord in (1, -1, np.inf, -np.inf):
        first, last = (rows, columns) if abs(ord) == 1 else (columns, rows)
        sums = sum_(absolute(x), axis=(first,), keepdims=True)
        z = (rd.max_ if ord > 0 else rd.min_)(sums, axis=(last,), keepdims=True)
    elif ord in (2, -2, "nuc"):
        s = absolute(svd(np.moveaxis(x, axes, (-2, -1)))[1])  # |s|: derivative 0 where s = 0
        z = {"nuc": sum_, 2: rd.max_, -2: rd.min_}[ord](s, axis=(len(shape_of(s)) - 1,))
    else:
        raise ValueError(f"Invalid norm order {ord!r} for matrices")
    return reshape(z, shape=reduced_shape(shape_of(x), axes, keepdims))


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """As np.linalg.cond."""
    if p in (None, 2, -2):
        s = svd(as_matrix("cond", x, square=False))[1]
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return norm(x, p, (-2, -1)) * norm(inv(x), p, (-2, -1))


def _rank_by_values(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """np.linalg.matrix_rank as a count of recorded singular values, where those are not known yet."""
    if len(shape_of(A)) < 2:
        return np.any(A != 0)
    s = svd(A)[1]
    if tol is None:
        eps = np.finfo(dtype_of(s)).eps
        tol = (max(shape_of(A)[-2:]) * eps if rtol is None else rtol) * s[..., :1]
    return np.sum(s > tol, axis=-1)


FUNCTIONS[np.linalg.matrix_rank] = plain(np.linalg.matrix_rank, _rank_by_values)
