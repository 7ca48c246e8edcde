"""Shapes, moving and repeating, with NumPy's signatures."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..errors import MissingRuleError, ShapeError, refusal
from ..ops import shape as sh
from ..ops.broadcast import astype, broadcast_to, reshape
from ..ops.elementwise import where as where_op
from ..ops.primitive import Recorded, beside, dtype_of, normalize_axis, plain_on_host, shape_of
from .dispatch import implements


def ndim_of(x: Any) -> int:
    """Number of axes of an array, a Variable or a scalar."""
    return len(shape_of(x))


def single_axis(axis: Any, x: Any) -> int:
    """One axis of x, counted from the front."""
    return normalize_axis(operator.index(axis), ndim_of(x))[0]


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
    order = tuple(reversed(range(ndim_of(a)))) if axes is None else tuple(single_axis(k, a) for k in axes)
    return sh.transpose(a, axes=order)


@implements(np.matrix_transpose, np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """As np.matrix_transpose."""
    return sh.swap_last(x)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """As np.swapaxes."""
    order, axis1, axis2 = list(range(ndim_of(a))), single_axis(axis1, a), single_axis(axis2, a)
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return sh.transpose(a, axes=tuple(order))


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """As np.moveaxis."""
    sources, targets = (tuple(s) if np.iterable(s) else (s,) for s in (source, destination))
    moves = {single_axis(to, a): single_axis(k, a) for k, to in zip(sources, targets, strict=False)}
    if not len(sources) == len(targets) == len(moves) == len(set(moves.values())):
        what = (
            f"moveaxis needs as many destinations as sources, none of them twice: {source} to {destination}"
        )
        raise refusal(ShapeError, what)
    others = iter(k for k in range(ndim_of(a)) if k not in moves.values())
    return sh.transpose(a, axes=tuple(moves[k] if k in moves else next(others) for k in range(ndim_of(a))))


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """As np.rollaxis."""
    axis, start = single_axis(axis, a), start if start >= 0 else start + ndim_of(a)
    if not 0 <= start <= ndim_of(a):
        raise refusal(
            ShapeError, f"rollaxis: start={start} is out of range for an array of {ndim_of(a)} dimensions"
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
    placed = normalize_axis(tuple(axes), ndim_of(a) + len(axes))
    sizes = iter(shape_of(a))
    return reshape(a, shape=tuple(1 if k in placed else next(sizes) for k in range(ndim_of(a) + len(placed))))


def at_least(a: Any, ndim: int) -> Any:
    """At least that many axes, where NumPy puts the new ones."""
    shape = shape_of(a)
    if len(shape) >= ndim:
        return a
    if ndim == 3:  # NumPy puts a vector in the middle, a matrix in front
        return reshape(a, shape={0: (1, 1, 1), 1: (1, *shape, 1), 2: (*shape, 1)}[len(shape)])
    return reshape(a, shape=(1,) * (ndim - len(shape)) + shape)


@implements(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    """As np.atleast_1d."""
    return at_least(arys[0], 1) if len(arys) == 1 else tuple(at_least(a, 1) for a in arys)


@implements(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    """As np.atleast_2d."""
    return at_least(arys[0], 2) if len(arys) == 1 else tuple(at_least(a, 2) for a in arys)


@implements(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    """As np.atleast_3d."""
    return at_least(arys[0], 3) if len(arys) == 1 else tuple(at_least(a, 3) for a in arys)


# --------------------------------------------------------------------------------------- moving and repeating
@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    """As np.flip."""
    return sh.flip(m, axis=normalize_axis(axis, ndim_of(m)))


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
    if len(axes) != 2 or single_axis(axes[0], m) == single_axis(axes[1], m):
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
    return sh.roll(a, shift=tuple(int(s) for s in shifts), axis=tuple(single_axis(k, a) for k in axes))


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:
    """As np.tile."""
    reps = tuple(reps) if isinstance(reps, (tuple, list, np.ndarray)) else (reps,)
    ndim = max(ndim_of(A), len(reps))
    shape = (1,) * (ndim - ndim_of(A)) + shape_of(A)
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
    axis = single_axis(axis, a)
    return np.take(a, np.repeat(np.arange(shape_of(a)[axis]), plain_on_host(repeats)), axis)


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", *, constant_values: Any = 0) -> Any:
    """As np.pad, modes constant, edge, reflect, symmetric and wrap."""
    ndim = ndim_of(array)
    if isinstance(pad_width, dict):
        pad_width = [pad_width.get(k, pad_width.get(k - ndim, 0)) for k in range(ndim)]
        pad_width = [(w, w) if np.ndim(w) == 0 else w for w in pad_width]
    widths = tuple((int(b), int(e)) for b, e in np.broadcast_to(pad_width, (ndim, 2)))
    if mode == "constant":
        z = sh.pad(array, widths=widths)
        if not isinstance(constant_values, Recorded) and not np.any(constant_values):
            return z
        inside = np.pad(beside(array).ones(shape_of(array), bool), widths)
        if ndim_of(constant_values):
            around = np.pad(
                beside(array).zeros(shape_of(array), dtype_of(array)), widths, constant_values=constant_values
            )
        else:
            around = astype(constant_values, dtype=dtype_of(array))
        return where_op(inside, z, around)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        remedy = "constant, edge, reflect, symmetric and wrap have one."
        raise refusal(MissingRuleError, f"np.pad with mode={mode!r} has no rule", remedy)
    for k, width in enumerate(widths):
        array = np.take(array, np.pad(np.arange(shape_of(array)[k]), width, mode=mode), k)
    return array
