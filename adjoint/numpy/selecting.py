"""Indexing, choice and rounding, with NumPy's signatures."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import MutationError, ShapeError, TraceError, refusal
from ..ops.abstract import Abstract
from ..ops.broadcast import astype
from ..ops.device import as_array, is_array
from ..ops.elementwise import floor_divide, maximum, minimum, remainder, rint, trunc
from ..ops.elementwise import power as power_op
from ..ops.elementwise import where as where_op
from ..ops.index import ARRAY, getitem, scatter_add, take_along_axis
from ..ops.primitive import FLOAT64, PRIMITIVES, Recorded, beside, dtype_of, innermost, shape_of
from .creation import asarray, together
from .dispatch import FUNCTIONS, METHODS, UFUNCS, implements, ufunc_rule
from .shaping import broadcast_to_, moveaxis, ndim_of, ravel, single_axis


@implements(np.take)
def take(a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise") -> Any:
    """As np.take."""
    if axis is None:
        a, axis = ravel(a), 0
    axis = single_axis(axis, a)
    if mode == "wrap":
        indices = np.mod(indices, shape_of(a)[axis])
    elif mode == "clip":
        indices = np.clip(indices, 0, shape_of(a)[axis] - 1)
    if is_array(indices):
        indices = indices.astype(np.intp, casting="safe", copy=False)  # floats are refused, as NumPy does
    elif not isinstance(indices, Recorded):
        indices = np.asarray(indices, dtype=np.intp)
    return getitem(a, indices, template=(*(slice(None),) * axis, ARRAY))


@implements(np.take_along_axis)
def take_along_axis_(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """As np.take_along_axis."""
    if axis is None:
        arr, axis = ravel(arr), 0
    if ndim_of(arr) != ndim_of(indices):
        shapes = f"{shape_of(arr)} and {shape_of(indices)}"
        what = f"take_along_axis needs indices with as many dimensions as the array: {shapes}"
        raise refusal(
            ShapeError,
            what,
            "np.expand_dims gives them the missing axis; np.take takes one index list for all.",
        )
    return take_along_axis(arr, indices, single_axis(axis, arr))


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """As np.diagonal."""
    a = moveaxis(a, (axis1, axis2), (-2, -1))
    rows = np.arange(max(0, -offset), max(0, -offset) + _diagonal_length(shape_of(a)[-2:], offset))
    return getitem(a, rows, rows + offset, template=(Ellipsis, ARRAY, ARRAY))


def _diagonal_length(shape: tuple[int, ...], offset: int) -> int:
    rows, columns = shape
    return max(0, min(rows + min(offset, 0), columns - max(offset, 0)))


@implements(np.linalg.diagonal)
def last_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """As np.linalg.diagonal."""
    return diagonal(x, offset, -2, -1)


@implements(np.linalg.trace)
def last_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """As np.linalg.trace."""
    return trace(x, offset, -2, -1, dtype)


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    """As np.diag: a matrix from a vector, or the diagonal of a matrix."""
    if ndim_of(v) == 2:
        return diagonal(v, k)
    if ndim_of(v) != 1:
        raise refusal(
            ShapeError, f"diag needs a vector or a matrix, not {shape_of(v)}", "np.diagonal works on stacks."
        )
    n = shape_of(v)[0]
    rows = np.arange(n) + max(0, -k)
    return scatter_add(v, rows, rows + k, template=(ARRAY, ARRAY), shape=(n + abs(k), n + abs(k)))


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    """As np.diagflat."""
    return diag(ravel(v), k)


@implements(np.trace)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
    """As np.trace."""
    return np.sum(diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


def _triangle(m: Any, k: int) -> Any:
    """True on and below diagonal k; a vector stands for every row of a square matrix, as in NumPy."""
    rows, columns = (shape_of(m) * 2)[-2:] if ndim_of(m) == 1 else shape_of(m)[-2:]
    return beside(m).tri(rows, columns, k, dtype=bool)


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    """As np.tril."""
    return where_op(_triangle(m, k), m, dtype_of(m).type(0))


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    """As np.triu."""
    return where_op(_triangle(m, k - 1), dtype_of(m).type(0), m)


# ---------------------------------------------------------------------------------------- choice and rounding
@implements(np.where)
def where(condition: Any, /, *branches: Any) -> Any:
    """As np.where with both branches."""
    if not branches:
        return np.nonzero(condition)
    if len(branches) == 1:
        raise ValueError("either both or neither of x and y should be given")
    operands = (condition, *branches)  # numbers stay numbers, which take any precision
    condition, x, y = (together((b, *operands))[0] if isinstance(b, (list, tuple)) else b for b in operands)
    if dtype_of(condition).kind != "b":
        condition = condition != 0
    return where_op(condition, x, y)


@implements(np.clip)
def clip(
    a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, *, min: Any = None, max: Any = None
) -> Any:
    """As np.clip; at a bound that is reached, half the derivative (as maximum and minimum have it)."""
    lower, upper = a_min if a_min is not None else min, a_max if a_max is not None else max
    a = a if lower is None else maximum(a, lower)
    return a if upper is None else minimum(a, upper)


@implements(np.round, np.around)
def round_(a: Any, decimals: int = 0, out: Any = None) -> Any:
    """As np.round; its derivative is 0."""
    if dtype_of(a).kind in "iu" and decimals >= 0:
        return a
    if decimals < 0:  # NumPy divides first: 0.1 is not a tenth
        return rint(a / 10.0**-decimals) * 10.0**-decimals
    return rint(a * 10.0**decimals) / 10.0**decimals if decimals else rint(a)


@implements(np.fix)
def fix(x: Any, out: Any = None) -> Any:
    """As np.fix."""
    return trunc(x)


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    """The value itself: a recorded value never changes."""
    return a


@implements(np.full_like)
def full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None,
    *, device: Any = None,
) -> Any:  # fmt: skip
    """As np.full_like; the value may be recorded."""
    shape = shape_of(a) if shape is None else shape
    fill_value = together((a, fill_value))[1]
    return broadcast_to_(astype(fill_value, dtype=np.dtype(dtype or dtype_of(a))), shape)


def known(x: Any, name: str, remedy: str) -> Any:
    """The plain values of x, which decide the shape of the result."""
    plain = innermost(asarray(x))
    if type(plain) is Abstract:
        what = f"np.{name} has a size that depends on values, which a compiled program has only when it runs"
        raise refusal(TraceError, what, remedy)
    return as_array(plain)


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """As np.bincount; linear in the weights."""
    x = known(x, "bincount", "np.sum(x[:, None] == np.arange(n), axis=0) counts n values.")
    counts = np.bincount(x, minlength=minlength)
    if weights is None:
        return counts
    if shape_of(weights) != x.shape:
        raise refusal(ShapeError, f"bincount needs one weight per element: {x.shape} and {shape_of(weights)}")
    return scatter_add(astype(weights, dtype=np.dtype(np.float64)), x, template=(ARRAY,), shape=counts.shape)


@implements(np.unique)
def unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
    axis: int | None = None, *, equal_nan: bool = True,
) -> Any:  # fmt: skip
    """As np.unique; each value belongs to its first occurrence."""
    values = known(ar, "unique", "np.sort(x) has a known size; find the values before compiling.")
    _, index, inverse, counts = np.unique(values, True, True, True, axis, equal_nan=equal_nan)
    values = take(ar, index, axis)
    extras = [
        x for x, asked in ((index, return_index), (inverse, return_inverse), (counts, return_counts)) if asked
    ]
    return (values, *extras) if extras else values


@implements(np.i0)
def i0(x: Any) -> Any:
    """As np.i0: the modified Bessel function of order 0."""
    return PRIMITIVES["i0"](x)


@implements(np.astype)
def astype_(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """As np.astype."""
    return astype(x, dtype=np.dtype(dtype))


def ldexp(x: Any, n: Any) -> Any:
    """As np.ldexp: x · 2ⁿ, in the precision of x."""
    return x * astype(np.exp2(together((x, n))[1]), dtype=dtype_of(x) if dtype_of(x).kind == "f" else FLOAT64)


UFUNCS[np.ldexp] = ldexp
UFUNCS[np.divmod] = lambda x, y: (floor_divide(x, y), remainder(x, y))
UFUNCS[np.modf] = lambda x: (x - trunc(x), trunc(x))


def float_power(x: Any, y: Any) -> Any:
    """As np.float_power: in double precision, complex if an operand is."""
    kind = np.dtype(np.complex128) if "c" in dtype_of(x).kind + dtype_of(y).kind else FLOAT64
    return power_op(astype(x, dtype=kind), astype(y, dtype=kind))


UFUNCS[np.float_power] = float_power


def _outer(rule: Any) -> Any:
    """`np.subtract.outer` and its like: the axes of x, then those of y."""

    def outer(x: Any, y: Any) -> Any:
        y = y if isinstance(y, Recorded) else as_array(y)
        return rule(np.reshape(x, shape_of(x) + (1,) * ndim_of(y)), y)

    return outer


def _refuse_to_write(name: str) -> Any:
    """For what changes an array in place: its derivative would be lost silently."""

    def write(*args: Any, **options: Any) -> Any:
        what = f"np.{name} would change an array in place and lose a derivative"
        raise refusal(
            MutationError,
            what,
            "Write x = x.at[index].set(v), .add, .subtract, .multiply or .divide; or np.where.",
        )

    return write


FUNCTIONS.update(
    (f, _refuse_to_write(f.__name__))
    for f in (np.copyto, np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis)
)
for _name in PRIMITIVES:
    if isinstance(_ufunc := getattr(np, _name, None), np.ufunc):
        METHODS[_ufunc, "at"] = _refuse_to_write(f"{_name}.at")
        if _ufunc.nin == 2 and _ufunc.nout == 1 and _ufunc.signature is None:
            METHODS[_ufunc, "outer"] = _outer(ufunc_rule(_ufunc))
