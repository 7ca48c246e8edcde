"""The rules of `numpy.fft`, with NumPy's signatures.

Lengths are cropping and padding, several axes are one axis after the other, the last one first, as in NumPy:
an axis that is named twice is transformed twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import DTypeError, IndexingError, ShapeError, refusal
from ..ops import fourier as fo
from ..ops import shape as sh
from ..ops.elementwise import conjugate
from ..ops.index import getitem
from ..ops.primitive import dtype_of, shape_of
from .dispatch import implements
from .shaping import single_axis

LAST_TWO = (-2, -1)
Axes = Sequence[int] | None


# ------------------------------------------------------------------------------------------------- one axis
def _axis(a: Any, axis: int) -> int:
    if not shape_of(a):
        raise refusal(IndexingError, "a Fourier transform needs an axis; this is a scalar", "Pass x[None].")
    return single_axis(axis, a)


def _norm(norm: str | None) -> str:
    if norm is None:
        return "backward"
    if norm not in fo.OTHER:
        raise ValueError(f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".')
    return norm


def _resized(a: Any, n: int, axis: int) -> Any:
    """a cropped, or padded with zeros, to length n along one axis."""
    known, ndim = shape_of(a)[axis], len(shape_of(a))
    if n < 1:
        raise refusal(ShapeError, f"a Fourier transform of {n} points does not exist", "Pass n ≥ 1.")
    if n < known:
        return getitem(a, template=(*(slice(None),) * axis, slice(0, n)))
    widths = tuple((0, n - known if k == axis else 0) for k in range(ndim))
    return sh.pad(a, widths=widths) if n > known else a


def _whole(op: Any, a: Any, n: int | None, axis: int, norm: str | None) -> Any:
    k = _axis(a, axis)
    return op(_resized(a, shape_of(a)[k] if n is None else int(n), k), axis=k, norm=_norm(norm))


@implements(np.fft.fft)
def fft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """As np.fft.fft."""
    return _whole(fo.fft, a, n, axis, norm)


@implements(np.fft.ifft)
def ifft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """As np.fft.ifft."""
    return _whole(fo.ifft, a, n, axis, norm)


@implements(np.fft.rfft)
def rfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """As np.fft.rfft."""
    if dtype_of(a).kind == "c":
        raise refusal(DTypeError, "rfft takes real numbers; these are complex", "np.fft.fft takes them.")
    return _whole(fo.rfft, a, n, axis, norm)


@implements(np.fft.irfft)
def irfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """As np.fft.irfft."""
    k = _axis(a, axis)
    length = 2 * (shape_of(a)[k] - 1) if n is None else int(n)
    half = _resized(a, length // 2 + 1 if length > 0 else length, k)
    return fo.irfft(half, n=length, axis=k, norm=_norm(norm))


@implements(np.fft.hfft)
def hfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """As np.fft.hfft."""
    return irfft(np.conjugate(a), n, axis, fo.OTHER[_norm(norm)])


@implements(np.fft.ihfft)
def ihfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """As np.fft.ihfft."""
    return conjugate(rfft(a, n, axis, fo.OTHER[_norm(norm)]))


# --------------------------------------------------------------------------------------------- several axes
def _lengths(a: Any, s: Any, axes: Axes, half: bool = False) -> tuple[list[int], list[int]]:
    """Length and place of every axis to be transformed; `half`: the last one of a is half a spectrum."""
    shape = shape_of(a)
    if axes is None:
        axes = range(-len(shape if s is None else s), 0)
    places = [single_axis(k, a) for k in axes]
    if s is None:
        lengths = [shape[k] for k in places]
        if half and places:
            lengths[-1] = 2 * (lengths[-1] - 1)
        return lengths, places
    if len(s) != len(places):
        what = f"a Fourier transform needs a length for every axis: s has {len(s)}, axes {len(places)}"
        raise refusal(ShapeError, what, "In s, −1 keeps the length of its axis.")
    return [shape[k] if n is None or n == -1 else int(n) for n, k in zip(s, places, strict=True)], places


def _each(rule: Callable[..., Any], a: Any, lengths: list[int], places: list[int], norm: str | None) -> Any:
    for n, k in zip(lengths, places, strict=True):
        a = rule(a, n, k, norm)
    return a


def _last(lengths: list[int], places: list[int]) -> tuple[int, int]:
    if not places:
        what = "a transform from or to real numbers needs at least one axis"
        raise refusal(IndexingError, what, "Pass axes, or np.fft.fftn.")
    return lengths.pop(), places.pop()


@implements(np.fft.fftn)
def fftn(a: Any, s: Any = None, axes: Axes = None, norm: str | None = None, out: Any = None) -> Any:
    """As np.fft.fftn."""
    lengths, places = _lengths(a, s, axes)
    return _each(fft, a, lengths[::-1], places[::-1], norm)


@implements(np.fft.ifftn)
def ifftn(a: Any, s: Any = None, axes: Axes = None, norm: str | None = None, out: Any = None) -> Any:
    """As np.fft.ifftn."""
    lengths, places = _lengths(a, s, axes)
    return _each(ifft, a, lengths[::-1], places[::-1], norm)


@implements(np.fft.rfftn)
def rfftn(a: Any, s: Any = None, axes: Axes = None, norm: str | None = None, out: Any = None) -> Any:
    """As np.fft.rfftn."""
    lengths, places = _lengths(a, s, axes)
    a = rfft(a, *_last(lengths, places), norm)
    return _each(fft, a, lengths[::-1], places[::-1], norm)


@implements(np.fft.irfftn)
def irfftn(a: Any, s: Any = None, axes: Axes = None, norm: str | None = None, out: Any = None) -> Any:
    """As np.fft.irfftn."""
    lengths, places = _lengths(a, s, axes, half=True)
    last = _last(lengths, places)
    return irfft(_each(ifft, a, lengths, places, norm), *last, norm)


def _flat(rule: Callable[..., Any]) -> Callable[..., Any]:
    """The rule over the last two axes unless told otherwise."""

    def flat(a: Any, s: Any = None, axes: Axes = LAST_TWO, norm: str | None = None, out: Any = None) -> Any:
        return rule(a, s, axes, norm)

    flat.__name__ = rule.__name__.replace("n", "2")
    return flat


for _two, _many in (
    (np.fft.fft2, fftn), (np.fft.ifft2, ifftn), (np.fft.rfft2, rfftn), (np.fft.irfft2, irfftn),
):  # fmt: skip
    implements(_two)(_flat(_many))


# ------------------------------------------------------------------------------------------------- the order
def _shifted(x: Any, axes: Any, sign: int) -> Any:
    """Every axis rolled by half its length; an axis that is named twice, twice."""
    shape = shape_of(x)
    named = range(len(shape)) if axes is None else axes if isinstance(axes, (tuple, list)) else (axes,)
    places = tuple(single_axis(k, x) for k in named)
    return sh.roll(x, shift=tuple(sign * (shape[k] // 2) for k in places), axis=places)


@implements(np.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Any:
    """As np.fft.fftshift."""
    return _shifted(x, axes, 1)


@implements(np.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Any:
    """As np.fft.ifftshift."""
    return _shifted(x, axes, -1)
