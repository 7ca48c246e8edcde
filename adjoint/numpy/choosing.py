"""Choice by conditions, grids, and functions of slices, with NumPy's signatures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import TraceError, refusal
from ..ops.abstract import Abstract
from ..ops.broadcast import astype, broadcast_to
from ..ops.device import as_array
from ..ops.elementwise import isnan
from ..ops.elementwise import where as where_op
from ..ops.index import ARRAY, scatter_set
from ..ops.primitive import Recorded, beside, dtype_of, innermost, shape_of
from .complexes import is_complex
from .creation import asarray
from .dispatch import implements
from .selecting import take
from .shaping import ndim_of, ravel


# ------------------------------------------------------------------------------------------------- conditions
@implements(np.select)
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """As np.select: of several conditions that hold, the first decides."""
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    if not len(condlist):
        raise ValueError("select with an empty condition list is not possible")
    z = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        condition = asarray(condition)
        if dtype_of(condition).kind != "b":
            raise TypeError(f"select needs boolean conditions, not {dtype_of(condition)}")
        z = where_op(condition, choice if isinstance(choice, (int, float)) else asarray(choice), z)
    return z


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """As np.piecewise: of several conditions that hold, the last decides.

    Each function sees the elements where its condition holds. In a compiled program, where their number is
    not known, it sees an array of x's shape made of such elements.
    """
    x, conditions = asarray(x), _conditions(x, condlist)
    n = len(conditions)
    if len(funclist) == n + 1:
        covered = conditions[0] if n else beside(x).zeros(shape_of(x), bool)
        for condition in conditions[1:]:
            covered = np.logical_or(covered, condition)
        conditions.append(np.logical_not(covered))
    elif len(funclist) != n:
        raise ValueError(f"with {n} condition(s), either {n} or {n + 1} functions are expected")
    z = beside(x).zeros(shape_of(x), dtype_of(x))
    known = not any(type(innermost(c)) is Abstract for c in conditions)
    for condition, f in zip(conditions, funclist, strict=True):
        if known:
            mask = as_array(innermost(condition))
            piece = f if not callable(f) else f(x[mask], *args, **kw) if mask.any() else 0
            z = scatter_set(z, piece, mask, template=(ARRAY,))
        else:
            piece = f(_only(x, condition), *args, **kw) if callable(f) else f
            z = astype(where_op(condition, piece, z), dtype=dtype_of(x))
    return z if shape_of(x) or isinstance(z, Recorded) else as_array(z)


def _conditions(x: Any, condlist: Any) -> list[Any]:
    """The conditions as booleans of x's shape; a single one may come without its list."""
    first = condlist[0] if ndim_of(asarray(condlist)) else condlist
    if first is condlist or (ndim_of(x) and not ndim_of(asarray(first))):
        condlist = [condlist]
    return [c if dtype_of(c).kind == "b" else c != 0 for c in map(asarray, condlist)]


def _only(x: Any, condition: Any) -> Any:
    """x, with an element for which the condition holds in the place of those for which it does not.

    So a function meets no point outside its domain, where its derivative might be infinite: 0 · ∞ is NaN.
    """
    return where_op(condition, x, take(x, np.argmax(ravel(condition)))) if 0 not in shape_of(x) else x


@implements(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """As np.nan_to_num; what is replaced has no derivative."""
    x = asarray(x)
    if is_complex(x):
        return nan_to_num(np.real(x), copy, nan, posinf, neginf) + 1j * nan_to_num(
            np.imag(x), copy, nan, posinf, neginf
        )
    if dtype_of(x).kind != "f":
        return x
    limits = np.finfo(dtype_of(x))
    z = where_op(isnan(x), astype(nan, dtype=dtype_of(x)), x)
    for infinity, value, limit in ((np.inf, posinf, limits.max), (-np.inf, neginf, limits.min)):
        z = where_op(x == infinity, astype(limit if value is None else value, dtype=dtype_of(x)), z)
    return z


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """As np.real_if_close."""
    a = asarray(a)
    if not is_complex(a):
        return a
    plain_value = innermost(a)
    if type(plain_value) is Abstract:
        what = "np.real_if_close decides by values, which a compiled program has only when it runs"
        raise refusal(TraceError, what, "np.real and np.imag give the parts.")
    return a if np.iscomplexobj(np.real_if_close(plain_value, tol)) else np.real(a)


# ------------------------------------------------------------------------------------------ grids and slices
@implements(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Any, ...]:
    """As np.meshgrid."""
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    n = len(xi)
    places = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else list(range(n))
    vectors = [ravel(asarray(x)) for x in xi]
    grids = [
        x.reshape((1,) * place + (-1,) + (1,) * (n - place - 1))
        for x, place in zip(vectors, places, strict=True)
    ]
    if sparse:
        return tuple(grids)
    shape = np.broadcast_shapes(*map(shape_of, grids))
    return tuple(broadcast_to(x, shape=shape) for x in grids)


@implements(np.ix_)
def ix_(*args: Any) -> tuple[Any, ...]:
    """As np.ix_."""
    vectors = [asarray(x) for x in args]
    if any(ndim_of(x) != 1 for x in vectors):
        raise ValueError("Cross index must be 1 dimensional")
    vectors = [np.flatnonzero(x) if dtype_of(x).kind == "b" else x for x in vectors]
    return meshgrid(*vectors, sparse=True, indexing="ij")


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    """As np.resize: the elements over and over again."""
    shape = tuple(new_shape) if isinstance(new_shape, (tuple, list)) else (int(new_shape),)
    a = ravel(asarray(a))
    if any(n < 0 for n in shape):
        raise ValueError("all elements of `new_shape` must be non-negative")
    if not shape_of(a)[0]:
        return beside(a).zeros(shape, dtype_of(a))
    return take(a, np.arange(np.prod(shape, dtype=int)) % shape_of(a)[0]).reshape(shape)


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """As np.apply_along_axis; the function may return numbers or arrays, recorded or not."""
    rows = np.moveaxis(asarray(arr), axis, -1)
    *lead, n = shape_of(rows)
    if 0 in lead:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    rows = rows.reshape((math.prod(lead), n))
    results = [asarray(func1d(row, *args, **kwargs)) for row in rows]
    z = np.stack(results).reshape((*lead, *shape_of(results[0])))
    axis, extra = axis % (len(lead) + 1), ndim_of(results[0])
    return np.moveaxis(z, range(len(lead), len(lead) + extra), range(axis, axis + extra))


@implements(np.apply_over_axes)
def apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    """As np.apply_over_axes: a function of an array and an axis, over one axis after the other."""
    z = asarray(a)
    ndim = ndim_of(z)
    for axis in np.atleast_1d(axes):
        z = asarray(func(z, int(axis)))
        if ndim_of(z) == ndim - 1:
            z = np.expand_dims(z, int(axis))
        elif ndim_of(z) != ndim:
            raise ValueError("function is not returning an array of the correct shape")
    return z
