"""numpy.linalg's norms, with NumPy's signatures."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError, refusal
from ..ops import reduce as rd
from ..ops.broadcast import reshape, sum_
from ..ops.elementwise import absolute, indicator
from ..ops.factorize import svd
from ..ops.primitive import normalize_axis, shape_of
from .dispatch import implements


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
