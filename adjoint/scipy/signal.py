"""`scipy.signal`: convolution over some axes, contracted over others; every other name is SciPy's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError, refusal
from ..numpy.convolution import part_of
from ..numpy.creation import asarray
from ..numpy.shaping import single_axis
from ..ops.broadcast import reshape_to
from ..ops.convolution import convolve as convolve_op
from ..ops.primitive import shape_of
from ..ops.shape import transpose
from .theirs import theirs

__all__ = ["convolve"]

Axes = Sequence[Sequence[int]]
REMEDY = "axes = (of A, of B) are convolved in pairs, dot_axes = (of A, of B) multiplied and summed in pairs."


def convolve(
    A: Any,
    B: Any,
    axes: Axes | str | None = None,
    dot_axes: Axes | str = ((), ()),
    mode: str = "full",
    method: str = "auto",
) -> Any:
    """Convolution of A with B over pairs of axes, contracted over other pairs, for all that the rest index.

    This is HIPS/autograd's signature. SciPy's call `convolve(in1, in2, mode, method)` means what it means in
    SciPy.

    Args:
        A: an array of any number of axes.
        B: likewise.
        axes: the convolved axes of A, and those of B that belong to them; all of both by default.
        dot_axes: axes of A and B of equal lengths, in pairs, over which products are summed.
        mode: "full"; "same", as long as A and centered; or "valid", where all of the one meets the other.
        method: "direct"; "fft", which is exact to rounding of the largest entries; or "auto", the faster.

    Returns:
        (*axes of A left over, *axes of B left over, *convolved axes).

    Raises:
        ShapeError: the axes do not pair up, or in mode "valid" neither array is the longer one on all axes.
        ValueError: another mode or method.

    >>> convolve([1.0, 2.0, 3.0], [0.0, 1.0, 0.5])
    array([0. , 1. , 2.5, 4. , 1.5])
    >>> images, filters = np.ones((5, 8, 8, 3)), np.ones((4, 2, 2, 3))
    >>> convolve(images, filters, axes=([1, 2], [1, 2]), dot_axes=([3], [3]), mode="valid").shape
    (5, 4, 7, 7)
    """
    mode = axes if isinstance(axes, str) else mode
    method = dot_axes if isinstance(dot_axes, str) else method
    if method not in ("auto", "direct", "fft"):
        raise ValueError(f"method is 'auto', 'direct' or 'fft', not {method!r}")
    A, B = asarray(A), asarray(B)
    along = [range(len(shape_of(x))) for x in (A, B)] if axes is None or isinstance(axes, str) else axes
    over = ((), ()) if isinstance(dot_axes, str) else dot_axes
    (lead_a, inner_a, sizes_a, a), (lead_b, inner_b, sizes_b, b) = (
        _arranged(*each) for each in zip((A, B), along, over, strict=True)
    )
    if len(sizes_a) != len(sizes_b) or inner_a != inner_b:
        what = f"convolve of {shape_of(A)} and {shape_of(B)}: the axes {along} or {over} do not pair up"
        raise refusal(ShapeError, what, REMEDY)
    if not (all(sizes_a) and all(sizes_b)):
        return np.zeros(0, np.result_type(A, B))  # as SciPy says it
    pairs = list(zip(sizes_a, sizes_b, strict=True))
    if mode == "valid" and any(n < m for n, m in pairs) and any(n > m for n, m in pairs):
        what = f"convolve in mode 'valid' needs one array to be the longer on all axes: {sizes_a}, {sizes_b}"
        raise refusal(ShapeError, what, "mode='full' or 'same' takes any lengths.")
    z = convolve_op(a, b, [part_of(mode, n, m) for n, m in pairs], method)
    return reshape_to(z, (*lead_a, *lead_b, *shape_of(z)[2:]))


def _arranged(x: Any, along: Sequence[int], over: Sequence[int]) -> tuple[Any, ...]:
    """Lengths of the axes left over, contracted and convolved; x as (left over, contracted, *convolved)."""
    shape = shape_of(x)
    last, middle = ([single_axis(k, x) for k in ks] for ks in (along, over))
    if len({*last, *middle}) < len(last) + len(middle):
        raise refusal(ShapeError, f"convolve: the axes {along} and {over} name one axis twice", REMEDY)
    first = [k for k in range(len(shape)) if k not in last and k not in middle]
    order = (*first, *middle, *last)
    moved = x if order == tuple(range(len(shape))) else transpose(x, axes=order)
    lead, inner, sizes = ([shape[k] for k in ks] for ks in (first, middle, last))
    return lead, inner, sizes, reshape_to(moved, (math.prod(lead), math.prod(inner), *sizes))


__getattr__, __dir__ = theirs("signal", __all__)
