"""Shapes, pieces, copies, indices and choice, with NumPy's signatures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DTypeError, MissingRuleError, MutationError, ShapeError, refusal
from ..ops import shape as sh
from ..ops.broadcast import astype, broadcast_to, reshape
from ..ops.elementwise import floor, floor_divide, maximum, minimum, remainder, rint, trunc
from ..ops.elementwise import power as power_op
from ..ops.elementwise import where as where_op
from ..ops.index import ARRAY, getitem, scatter_add, take_along_axis
from ..ops.primitive import PRIMITIVES, Recorded, dtype_of, innermost, normalize_axis, shape_of
from .dispatch import FUNCTIONS, METHODS, UFUNCS, enter_plain, implements, ufunc_rule

enter_plain(
    "shape", "ndim", "size", "zeros_like", "ones_like", "empty_like", "allclose", "isclose",
    "array_equal", "array_equiv", "count_nonzero", "nonzero", "flatnonzero", "argwhere", "searchsorted",
    "digitize", "all", "any", "iscomplexobj", "isrealobj", "iscomplex", "isreal", "result_type",
    "can_cast", "min_scalar_type", "array_repr", "array_str", "array2string", "nanargmax", "nanargmin",
    "lexsort", "isin", "shares_memory", "may_share_memory",
)  # fmt: skip


def _ndim(x: Any) -> int:
    return len(shape_of(x))


def _axis(axis: Any, x: Any) -> int:
    """One axis of x, counted from the front."""
    return normalize_axis(axis, _ndim(x))[0]


# ------------------------------------------------------------------------------------------------------ shape
@implements(np.reshape)
def reshape_(a: Any, /, shape: Any = None, order: str = "C", *, copy: Any = None) -> Any:
    """As np.reshape."""
    if order == "F":
        target = tuple(reversed(shape)) if isinstance(shape, (tuple, list)) else shape
        return np.transpose(reshape_(np.transpose(a), target))
    if order != "C":
        raise refusal(
            MissingRuleError, f"np.reshape with order={order!r} has no rule", "Pass order='C' or 'F'."
        )
    sizes = tuple(int(n) for n in shape) if isinstance(shape, (tuple, list)) else (int(shape),)
    if -1 in sizes:
        size, known = math.prod(shape_of(a)), -math.prod(sizes)
        if known > 0 and size % known == 0:  # if not, the primitive says so
            sizes = tuple(size // known if n == -1 else n for n in sizes)
    return reshape(a, shape=sizes)


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    """As np.ravel."""
    return reshape_(a, -1, order)


@implements(np.transpose)
def transpose(a: Any, axes: Any = None) -> Any:
    """As np.transpose."""
    order = tuple(reversed(range(_ndim(a)))) if axes is None else tuple(_axis(k, a) for k in axes)
    return sh.transpose(a, axes=order)


@implements(np.matrix_transpose, np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """As np.matrix_transpose."""
    return sh.swap_last(x)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """As np.swapaxes."""
    order, axis1, axis2 = list(range(_ndim(a))), _axis(axis1, a), _axis(axis2, a)
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return sh.transpose(a, axes=tuple(order))


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """As np.moveaxis."""
    sources, targets = (s if isinstance(s, (tuple, list)) else (s,) for s in (source, destination))
    moves = {_axis(to, a): _axis(k, a) for k, to in zip(sources, targets, strict=False)}
    if not len(sources) == len(targets) == len(moves) == len(set(moves.values())):
        what = (
            f"moveaxis needs as many destinations as sources, none of them twice: {source} to {destination}"
        )
        raise refusal(ShapeError, what)
    others = iter(k for k in range(_ndim(a)) if k not in moves.values())
    return sh.transpose(a, axes=tuple(moves[k] if k in moves else next(others) for k in range(_ndim(a))))


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """As np.rollaxis."""
    axis, start = _axis(axis, a), start if start >= 0 else start + _ndim(a)
    if not 0 <= start <= _ndim(a):
        raise refusal(
            ShapeError, f"rollaxis: start={start} is out of range for an array of {_ndim(a)} dimensions"
        )
    return moveaxis(a, axis, start - 1 if axis < start else start)


@implements(np.broadcast_to)
def broadcast_to_(array: Any, shape: Any, subok: bool = False) -> Any:
    """As np.broadcast_to."""
    return broadcast_to(array, shape=tuple(shape) if isinstance(shape, (tuple, list)) else (int(shape),))


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    """As np.broadcast_arrays."""
    shape = np.broadcast_shapes(*(shape_of(a) for a in args))
    return tuple(broadcast_to(a, shape=shape) for a in args)


@implements(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Any:
    """As np.squeeze."""
    shape = shape_of(a)
    axes = (
        tuple(k for k, n in enumerate(shape) if n == 1) if axis is None else normalize_axis(axis, len(shape))
    )
    for k in axes:
        if shape[k] != 1:
            raise refusal(ShapeError, f"squeeze: axis {k} of {shape} has {shape[k]} elements, not one")
    return reshape(a, shape=tuple(n for k, n in enumerate(shape) if k not in axes))


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    """As np.expand_dims."""
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    placed = normalize_axis(tuple(axes), _ndim(a) + len(axes))
    sizes = iter(shape_of(a))
    return reshape(a, shape=tuple(1 if k in placed else next(sizes) for k in range(_ndim(a) + len(placed))))


def _at_least(a: Any, ndim: int) -> Any:
    shape = shape_of(a)
    if len(shape) >= ndim:
        return a
    if ndim == 3:  # NumPy puts a vector in the middle, a matrix in front
        return reshape(a, shape={0: (1, 1, 1), 1: (1, *shape, 1), 2: (*shape, 1)}[len(shape)])
    return reshape(a, shape=(1,) * (ndim - len(shape)) + shape)


@implements(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    """As np.atleast_1d."""
    return _at_least(arys[0], 1) if len(arys) == 1 else tuple(_at_least(a, 1) for a in arys)


@implements(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    """As np.atleast_2d."""
    return _at_least(arys[0], 2) if len(arys) == 1 else tuple(_at_least(a, 2) for a in arys)


@implements(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    """As np.atleast_3d."""
    return _at_least(arys[0], 3) if len(arys) == 1 else tuple(_at_least(a, 3) for a in arys)


# -------------------------------------------------------------------------------------- joining and splitting
@implements(np.concatenate)
def concatenate(arrays: Sequence[Any], /, axis: int | None = 0, out: Any = None, *, dtype: Any = None) -> Any:
    """As np.concatenate."""
    arrays = [a if isinstance(a, Recorded) else np.asarray(a) for a in arrays]
    if axis is None:
        arrays, axis = [ravel(a) for a in arrays], 0
    if not shape_of(arrays[0]):
        raise refusal(
            ShapeError, "concatenate needs arrays of at least one dimension", "np.stack joins scalars."
        )
    z = sh.concatenate(*arrays, axis=_axis(axis, arrays[0]))
    return z if dtype is None else astype(z, dtype=np.dtype(dtype))


@implements(np.stack)
def stack(arrays: Sequence[Any], axis: int = 0, out: Any = None, *, dtype: Any = None) -> Any:
    """As np.stack."""
    shapes = [shape_of(a) for a in arrays]
    if len(set(shapes)) > 1:
        what = f"stack needs equal shapes: {', '.join(map(str, shapes))}"
        raise refusal(ShapeError, what, "np.concatenate joins along an axis that exists.")
    return concatenate([expand_dims(a, axis) for a in arrays], axis, dtype=dtype)


@implements(np.vstack)
def vstack(tup: Sequence[Any], *, dtype: Any = None) -> Any:
    """As np.vstack."""
    return concatenate([_at_least(a, 2) for a in tup], 0, dtype=dtype)


@implements(np.hstack)
def hstack(tup: Sequence[Any], *, dtype: Any = None) -> Any:
    """As np.hstack."""
    arrays = [_at_least(a, 1) for a in tup]
    return concatenate(arrays, 0 if _ndim(arrays[0]) == 1 else 1, dtype=dtype)


@implements(np.dstack)
def dstack(tup: Sequence[Any]) -> Any:
    """As np.dstack."""
    return concatenate([_at_least(a, 3) for a in tup], 2)


@implements(np.column_stack)
def column_stack(tup: Sequence[Any]) -> Any:
    """As np.column_stack."""
    return concatenate([a if _ndim(a) >= 2 else reshape_(a, (-1, 1)) for a in tup], 1)


@implements(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """As np.append."""
    return concatenate([arr, values], axis) if axis is not None else concatenate([ravel(arr), ravel(values)])


@implements(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """As np.unstack."""
    axis = _axis(axis, x)
    return tuple(getitem(x, template=(*(slice(None),) * axis, k)) for k in range(shape_of(x)[axis]))


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """As np.array_split."""
    axis = _axis(axis, ary)
    # explicit cuts may overlap or exceed the array: NumPy places them
    pieces = np.array_split(np.arange(shape_of(ary)[axis]), indices_or_sections)
    return [getitem(ary, template=(*(slice(None),) * axis, _as_slice(p))) for p in pieces]


def _as_slice(positions: np.ndarray) -> slice:
    return slice(int(positions[0]), int(positions[-1]) + 1) if positions.size else slice(0, 0)


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """As np.split."""
    n = shape_of(ary)[_axis(axis, ary)]
    if not np.ndim(indices_or_sections) and n % indices_or_sections:
        what = f"split: axis {axis} of {shape_of(ary)} does not divide into {indices_or_sections} equal parts"
        raise refusal(ShapeError, what, "np.array_split allows unequal ones.")
    return array_split(ary, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """As np.hsplit."""
    return split(ary, indices_or_sections, 1 if _ndim(ary) > 1 else 0)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """As np.vsplit."""
    return split(ary, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """As np.dsplit."""
    return split(ary, indices_or_sections, 2)


# --------------------------------------------------------------------------------------- moving and repeating
@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    """As np.flip."""
    return sh.flip(m, axis=normalize_axis(axis, _ndim(m)))


@implements(np.flipud)
def flipud(m: Any) -> Any:
    """As np.flipud."""
    return flip(m, 0)


@implements(np.fliplr)
def fliplr(m: Any) -> Any:
    """As np.fliplr."""
    return flip(m, 1)


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """As np.rot90."""
    if len(axes) != 2 or _axis(axes[0], m) == _axis(axes[1], m):
        raise refusal(ShapeError, f"rot90 needs two different axes, not {axes}, of an array {shape_of(m)}")
    for _ in range(k % 4):
        m = swapaxes(flip(m, axes[1]), *axes)
    return m


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """As np.roll."""
    if axis is None:
        return reshape(roll(ravel(a), shift, 0), shape=shape_of(a))
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    shifts = tuple(shift) if isinstance(shift, (tuple, list, np.ndarray)) else (shift,) * len(axes)
    axes = tuple(axes) * (len(shifts) if len(axes) == 1 else 1)
    return sh.roll(a, shift=tuple(int(s) for s in shifts), axis=tuple(_axis(k, a) for k in axes))


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:
    """As np.tile."""
    reps = tuple(reps) if isinstance(reps, (tuple, list, np.ndarray)) else (reps,)
    ndim = max(_ndim(A), len(reps))
    shape = (1,) * (ndim - _ndim(A)) + shape_of(A)
    reps = (1,) * (ndim - len(reps)) + tuple(int(r) for r in reps)
    spread = broadcast_to(
        reshape(A, shape=tuple(m for n in shape for m in (1, n))),
        shape=tuple(m for r, n in zip(reps, shape, strict=True) for m in (r, n)),
    )
    return reshape(spread, shape=tuple(r * n for r, n in zip(reps, shape, strict=True)))


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """As np.repeat."""
    if axis is None:
        a, axis = ravel(a), 0
    axis = _axis(axis, a)
    return take(a, np.repeat(np.arange(shape_of(a)[axis]), repeats), axis)


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", *, constant_values: Any = 0) -> Any:
    """As np.pad, modes constant, edge, reflect, symmetric and wrap."""
    ndim = _ndim(array)
    if isinstance(pad_width, dict):
        pad_width = [pad_width.get(k, pad_width.get(k - ndim, 0)) for k in range(ndim)]
        pad_width = [(w, w) if np.ndim(w) == 0 else w for w in pad_width]
    widths = tuple((int(b), int(e)) for b, e in np.broadcast_to(pad_width, (ndim, 2)))
    if mode == "constant":
        z = sh.pad(array, widths=widths)
        if not isinstance(constant_values, Recorded) and not np.any(constant_values):
            return z
        inside = np.pad(np.ones(shape_of(array), bool), widths)
        if _ndim(constant_values):
            around = np.pad(
                np.zeros(shape_of(array), dtype_of(array)), widths, constant_values=constant_values
            )
        else:
            around = astype(constant_values, dtype=dtype_of(array))
        return where_op(inside, z, around)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        remedy = "constant, edge, reflect, symmetric and wrap have one."
        raise refusal(MissingRuleError, f"np.pad with mode={mode!r} has no rule", remedy)
    for k, width in enumerate(widths):
        array = take(array, np.pad(np.arange(shape_of(array)[k]), width, mode=mode), k)
    return array


# --------------------------------------------------------------------------------------------------- indexing
@implements(np.take)
def take(a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise") -> Any:
    """As np.take."""
    if axis is None:
        a, axis = ravel(a), 0
    axis = _axis(axis, a)
    if mode == "wrap":
        indices = np.mod(indices, shape_of(a)[axis])
    elif mode == "clip":
        indices = np.clip(indices, 0, shape_of(a)[axis] - 1)
    array = indices if isinstance(indices, Recorded) else np.asarray(indices, dtype=np.intp)
    return getitem(a, array, template=(*(slice(None),) * axis, ARRAY))


@implements(np.take_along_axis)
def take_along_axis_(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """As np.take_along_axis."""
    if axis is None:
        arr, axis = ravel(arr), 0
    if _ndim(arr) != _ndim(indices):
        shapes = f"{shape_of(arr)} and {shape_of(indices)}"
        what = f"take_along_axis needs indices with as many dimensions as the array: {shapes}"
        raise refusal(
            ShapeError,
            what,
            "np.expand_dims gives them the missing axis; np.take takes one index list for all.",
        )
    return take_along_axis(arr, indices, _axis(axis, arr))


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
    if _ndim(v) == 2:
        return diagonal(v, k)
    if _ndim(v) != 1:
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
    rows, columns = (shape_of(m) * 2)[-2:] if _ndim(m) == 1 else shape_of(m)[-2:]
    return np.tri(rows, columns, k, dtype=bool)


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    """As np.tril."""
    return where_op(_triangle(m, k), m, 0.0)


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    """As np.triu."""
    return where_op(_triangle(m, k - 1), 0.0, m)


# ---------------------------------------------------------------------------------------- choice and rounding
@implements(np.where)
def where(condition: Any, /, *branches: Any) -> Any:
    """As np.where with both branches."""
    if not branches:
        return np.nonzero(condition)
    if len(branches) == 1:
        raise ValueError("either both or neither of x and y should be given")
    condition, x, y = (np.asarray(b) if isinstance(b, (list, tuple)) else b for b in (condition, *branches))
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
    if decimals < 0:  # NumPy divides first: 0.1 is not a tenth
        return rint(a / 10.0**-decimals) * 10.0**-decimals
    return rint(a * 10.0**decimals) / 10.0**decimals if decimals else rint(a)


@implements(np.fix)
def fix(x: Any, out: Any = None) -> Any:
    """As np.fix."""
    return trunc(x)


@implements(np.real)
def real(val: Any) -> Any:
    """The value itself: Variables are real."""
    if dtype_of(val).kind == "c":
        raise refusal(
            DTypeError, "complex values have no rules yet", "Compute real and imaginary parts as real arrays."
        )
    return val


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    """The value itself: a recorded value never changes."""
    return a


@implements(np.full_like)
def full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None
) -> Any:
    """As np.full_like; the value may be recorded."""
    shape = shape_of(a) if shape is None else shape
    return broadcast_to_(astype(fill_value, dtype=np.dtype(dtype or dtype_of(a))), shape)


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """As np.bincount; linear in the weights."""
    x = np.asarray(innermost(x))
    counts = np.bincount(x, minlength=minlength)
    if weights is None:
        return counts
    if shape_of(weights) != x.shape:
        raise refusal(ShapeError, f"bincount needs one weight per element: {x.shape} and {shape_of(weights)}")
    return scatter_add(astype(weights, dtype=np.dtype(np.float64)), x, template=(ARRAY,), shape=counts.shape)


@implements(np.unique)
def unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
    axis: int | None = None,
) -> Any:  # fmt: skip
    """As np.unique; each value belongs to its first occurrence."""
    _, index, inverse, counts = np.unique(innermost(ar), True, True, True, axis)
    values = take(ar, index, axis)
    extras = [
        x for x, asked in ((index, return_index), (inverse, return_inverse), (counts, return_counts)) if asked
    ]
    return (values, *extras) if extras else values


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """As np.diff."""
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}")
    axis = _axis(axis, a)
    edge = tuple(1 if k == axis else m for k, m in enumerate(shape_of(a)))
    parts = [
        broadcast_to(p, shape=edge) if p is not None and not _ndim(p) else p for p in (prepend, a, append)
    ]
    if n and len(parts := [p for p in parts if p is not None]) > 1:
        a = concatenate(parts, axis)
    before = (slice(None),) * axis
    for _ in range(n):
        a = a[(*before, slice(1, None))] - a[(*before, slice(None, -1))]
    return a


@implements(np.linspace)
def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None,
    axis: int = 0,
) -> Any:  # fmt: skip
    """As np.linspace."""
    difference = stop - start
    steps = np.linspace(0.0, 1.0, num, endpoint=endpoint, dtype=np.result_type(dtype_of(difference), 0.0))
    z = moveaxis(start + difference * steps.reshape((num,) + (1,) * _ndim(difference)), 0, axis)
    if dtype is not None:
        z = astype(z if np.dtype(dtype).kind in "fc" else floor(z), dtype=np.dtype(dtype))
    return (z, difference / ((num - 1 if endpoint else num) or np.nan)) if retstep else z


UFUNCS[np.divmod] = lambda x, y: (floor_divide(x, y), remainder(x, y))
UFUNCS[np.modf] = lambda x: (x - trunc(x), trunc(x))
UFUNCS[np.conjugate] = real
UFUNCS[np.float_power] = lambda x, y: astype(power_op(x, y), dtype=np.dtype(np.float64))


def _outer(rule: Any) -> Any:
    """`np.subtract.outer` and its like: the axes of x, then those of y."""

    def outer(x: Any, y: Any) -> Any:
        y = y if isinstance(y, Recorded) else np.asarray(y)
        return rule(np.reshape(x, shape_of(x) + (1,) * _ndim(y)), y)

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
