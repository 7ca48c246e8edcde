"""Sampled functions: interpolation, slopes, quadrature."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DTypeError, ShapeError, refusal
from ..ops.broadcast import astype
from ..ops.elementwise import where as where_op
from ..ops.primitive import FLOAT64, Recorded, dtype_of, shape_of
from ..ops.search import searchsorted as searchsorted_op
from ..ops.special import sinc as sinc_op
from .creation import asarray, together
from .dispatch import implements
from .joining import concatenate
from .reductions import floating
from .selecting import take
from .sequences import diff
from .shaping import ndim_of, single_axis


@implements(np.sinc)
def sinc(x: Any) -> Any:
    """As np.sinc: sin(πx)/(πx), smooth at 0 to every order."""
    return sinc_op(x)


# ---------------------------------------------------------------------------------------------- interpolation
@implements(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """As np.interp; differentiable in x, xp and fp, at a knot with the slope to its right."""
    x, xp, fp = map(_double, together((x, xp, fp)))
    if ndim_of(xp) != 1 or shape_of(xp) != shape_of(fp) or not shape_of(xp)[0]:
        shapes = f"{shape_of(xp)} and {shape_of(fp)}"
        what = f"interp needs knots xp and values fp in two vectors of one length, not {shapes}"
        raise refusal(ShapeError, what)
    if "c" in dtype_of(x).kind + dtype_of(xp).kind:
        raise refusal(DTypeError, "interp needs places x and knots xp that are real")
    if period is not None:
        if not isinstance(period, Recorded) and period == 0:
            raise ValueError("period must be a non-zero value")
        period = np.abs(period)
        x, xp, left, right = x % period, xp % period, None, None
        order = np.argsort(xp)
        xp, fp = take(xp, order), take(fp, order)
        xp = concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = concatenate([fp[-1:], fp, fp[:1]])
    last = shape_of(xp)[0] - 1
    k = np.clip(searchsorted_op(xp, x, side="right") - 1, 0, max(last - 1, 0))
    above = np.minimum(k + 1, last)
    width = take(xp, above) - take(xp, k)
    # knots that coincide make a jump: no interval to divide by
    slope = (take(fp, above) - take(fp, k)) / where_op(width == 0, 1.0, width)
    below, beyond = x < xp[0], x > xp[-1]
    inside = where_op(below | beyond, take(xp, k), x)  # x may be infinite
    start = take(fp, where_op(width == 0, above, k))  # of knots that coincide at the end the last one counts
    z = start + (inside - take(xp, k)) * slope
    z = where_op(below, fp[0] if left is None else left, z)
    return where_op(beyond, fp[-1] if right is None else right, z)


def _double(x: Any) -> Any:
    return astype(x, dtype=FLOAT64) if dtype_of(x).kind != "c" and dtype_of(x) != FLOAT64 else x


# --------------------------------------------------------------------------------- differences and quadrature
@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """As np.gradient; differentiable in the values and in the spacings."""
    f, *spacings = together((f, *varargs))
    f = floating(f)
    given = range(ndim_of(f)) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = [single_axis(k, f) for k in given]
    spacings = spacings or [1.0]
    if len(spacings) == 1 and not ndim_of(spacings[0]):
        spacings *= len(axes)
    if len(spacings) != len(axes):
        raise TypeError(f"gradient along {len(axes)} axes takes as many spacings, not {len(spacings)}")
    if edge_order not in (1, 2):
        raise ValueError("'edge_order' greater than 2 not supported")
    slopes = tuple(_slope(f, h, k, edge_order) for h, k in zip(spacings, axes, strict=True))
    return slopes[0] if len(slopes) == 1 else slopes


def _slope(f: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    """The derivative along one axis: of parabolas through three points, of lines through two at the edges."""
    n, ndim = shape_of(f)[axis], ndim_of(f)
    if n < edge_order + 1:
        what = f"gradient along axis {axis} of {shape_of(f)} needs at least {edge_order + 1} values there"
        raise refusal(ShapeError, what)

    def part(*bounds: int | None) -> Any:
        return f[(slice(None),) * axis + (slice(*bounds),)]

    uniform = not ndim_of(spacing)
    if not uniform and shape_of(spacing) != (n,):
        what = (
            f"gradient needs one coordinate per value along axis {axis} of {shape_of(f)}: {shape_of(spacing)}"
        )
        raise refusal(ShapeError, what)
    steps = spacing if uniform else astype(diff(spacing), dtype=np.result_type(dtype_of(spacing), np.float16))

    def step(*bounds: int | None) -> Any:
        return steps if uniform else steps[slice(*bounds)].reshape((-1,) + (1,) * (ndim - axis - 1))

    if uniform:
        inner = (part(2, None) - part(None, -2)) / (2.0 * steps)
    else:
        h, k = step(None, -1), step(1, None)
        inner = (
            part(None, -2) * (-k / (h * (h + k))) + part(1, -1) * ((k - h) / (h * k))
            + part(2, None) * (h / (k * (h + k)))
        )  # fmt: skip
    if edge_order == 1:
        first = (part(1, 2) - part(0, 1)) / step(0, 1)
        last = (part(-1, None) - part(-2, -1)) / step(-1, None)
    else:
        first = _edge(part(0, 1), part(1, 2), part(2, 3), step(0, 1), step(1, 2))
        last = -_edge(part(-1, None), part(-2, -1), part(-3, -2), step(-1, None), step(-2, -1))
    z = concatenate([first, inner, last], axis)
    return z if dtype_of(z) == dtype_of(f) else astype(z, dtype=dtype_of(f))


def _edge(f: Any, following: Any, third: Any, h: Any, k: Any) -> Any:
    """The slope at the first of three points, h and k apart, of the parabola through them."""
    outer, middle = -(2.0 * h + k) / (h * (h + k)), (h + k) / (h * k)
    return f * outer + following * middle - third * (h / (k * (h + k)))


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """As np.trapezoid; differentiable in the values and in the places."""
    y, given = asarray(y), axis
    axis = single_axis(axis, y)
    if x is not None and ndim_of(x := asarray(x)) == 1:
        dx = diff(x).reshape((-1,) + (1,) * (ndim_of(y) - axis - 1))
    elif x is not None:
        dx = diff(x, axis=given)
    before = (slice(None),) * axis
    upper, lower = y[(*before, slice(1, None))], y[(*before, slice(None, -1))]
    return np.sum(dx * (upper + lower) / 2.0, axis=axis)
