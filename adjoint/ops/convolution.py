"""Convolution over any number of axes, batched and contracted over others: one primitive, `correlate`.

Convolution is correlation with a kernel read in reverse; full, same or valid is how many zeros stand around
the data. Both partial transposes of a correlation are correlations again, so derivatives of every order are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .abstract import Abstract
from .broadcast import common_dtype, fit
from .device import module_of, on_device
from .formula import Formula
from .index import getitem
from .primitive import Args, Primitive, Samples, add_all, register, shape_of
from .shape import flip, pad, transpose

COPIED = 1 << 16  # numbers written out at once, as far as possible: they stay in cache
OVERHEAD = 8  # a transform costs n log n of these multiplications (two cores of an EPYC: 5 to 12)


class Correlate(Primitive):
    """z[p, q, u] = Σ_d Σ_t x[p, d, u + t] y[q, d, t] at every place u where all of y meets x.

    x is (P, D, *S), y (Q, D, *T) with 1 ≤ T ≤ S, z (P, Q, *S − T + 1). The method "fft" multiplies
    spectra, exact to rounding of the largest entries only; "direct" adds products; "auto" is the faster one.
    """

    name = "correlate"

    def samples(self, rng: np.random.Generator) -> Samples:
        normal = rng.standard_normal
        return [
            ((normal((2, 3, 5)), normal((4, 3, 2))), {"method": "direct"}),
            ((normal((1, 1, 5)), normal((1, 1, 3)) + 1j * normal((1, 1, 3))), {"method": "direct"}),
            ((normal((1, 2, 4, 3)), normal((3, 2, 2, 3))), {"method": "direct"}),
            ((normal((1, 2, 4, 3)), normal((3, 2, 3, 2))), {"method": "fft"}),
            ((normal((2, 1)), normal((3, 1))), {"method": "auto"}),
            ((normal((0, 2, 3)), normal((1, 2, 2))), {"method": "auto"}),
        ]

    def value(self, x: Any, y: Any, method: str) -> Any:
        spectra = x.ndim > 2 and x.size and y.size and common_dtype((x, y)).kind in "fc"
        if spectra and (method == "fft" or (method == "auto" and _spectra_pay(x.shape, y.shape))):
            return _by_spectra(x, y)
        if x.ndim == 3 and x.shape[:2] == y.shape[:2] == (1, 1):
            return np.convolve(x[0, 0], y[0, 0, ::-1], "valid")[None, None]
        if on_device(x) or on_device(y):
            return _by_places(x, y)
        return _by_windows(x, y)

    def abstract(self, x: Any, y: Any, method: str) -> Abstract:
        return Abstract(correlated_shape(shape_of(x), shape_of(y)), common_dtype((x, y)))

    def tangent(self, args: Args, z: Any, dots: Args, method: str) -> Any:
        (x, y), (x_dot, y_dot) = args, dots
        return add_all((
            None if x_dot is None else correlate(x_dot, y, method=method),
            None if y_dot is None else correlate(x, y_dot, method=method),
        ))  # fmt: skip

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool], method: str) -> Sequence[Any]:
        (x, y), lam_x, lam_y = args, None, None
        if wanted[0]:
            around = [(n - 1, n - 1) for n in shape_of(y)[2:]]
            lam_x = fit(correlate(_placed(lam, around), _exchanged(_turned(y)), method=method), x)
        if wanted[1]:
            lam_y = fit(_exchanged(correlate(_exchanged(x), _exchanged(lam), method=method)), y)
        return lam_x, lam_y

    def formula(self, operands: Sequence[Formula], params: dict[str, Any]) -> Formula:
        return operands[0].infix("correlate", operands[1])


correlate = register(Correlate())


def convolve(x: Any, y: Any, part: Sequence[tuple[int, int]], method: str = "direct") -> Any:
    """z[p, q, u] = Σ_d Σ_t x[p, d, u − t] y[q, d, t], x and y being zero outside.

    Args:
        x: (P, D, *S).
        y: (Q, D, *T), no length zero.
        part: for every convolved axis the range of u that is wanted, of all 0 ≤ u < S + T − 1.
        method: as for `correlate`.

    Returns:
        (P, Q, *lengths of the ranges).
    """
    if math.prod(shape_of(y)[2:]) > math.prod(shape_of(x)[2:]):  # the kernel is the smaller one
        return _exchanged(convolve(y, x, part, method))
    sizes = zip(shape_of(x)[2:], shape_of(y)[2:], part, strict=True)
    around = [(m - 1 - start, stop - n) for n, m, (start, stop) in sizes]
    return correlate(_placed(x, around), _turned(y), method=method)


def correlated_shape(x: tuple[int, ...], y: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a correlation.

    Raises:
        ValueError: the shapes do not fit, or the kernel is larger than the data, or empty.
    """
    lengths = [n - m + 1 for n, m in zip(x[2:], y[2:], strict=True)]
    if x[1] != y[1] or min(lengths, default=1) < 1 or 0 in y[2:]:
        raise ValueError(f"a kernel {y} does not fit into {x}: (P, D, lengths) and (Q, D, shorter lengths)")
    return (x[0], y[0], *lengths)


def _placed(x: Any, around: Sequence[tuple[int, int]]) -> Any:
    """Zeros added before and after along the convolved axes; negative numbers of them cut off."""
    if any(n > 0 for pair in around for n in pair):
        widths = ((0, 0), (0, 0), *((max(before, 0), max(after, 0)) for before, after in around))
        x = pad(x, widths=widths)
    if any(n < 0 for pair in around for n in pair):
        whole = slice(None)
        kept = (slice(max(-before, 0), min(after, 0) or None) for before, after in around)
        x = getitem(x, template=(whole, whole, *kept))
    return x


def _turned(y: Any) -> Any:
    """Reversed along the convolved axes."""
    axes = tuple(range(2, len(shape_of(y))))
    return flip(y, axis=axes) if axes else y


def _exchanged(x: Any) -> Any:
    """The first two axes exchanged."""
    return transpose(x, axes=(1, 0, *range(2, len(shape_of(x)))))


# --------------------------------------------------------------------------------------- how it is computed
def _by_windows(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Products of matrices: all that meets one number of y is a row, `COPIED` numbers at a time."""
    lengths = y.shape[2:]
    z = np.zeros(correlated_shape(x.shape, y.shape), common_dtype((x, y)))
    if not lengths:
        return np.matmul(x, y.T, out=z)
    if not z.size or not y.size:
        return z
    k = len(lengths)
    windows = np.lib.stride_tricks.sliding_window_view(x, lengths, tuple(range(2, 2 + k)))
    rows = np.moveaxis(windows, range(2, 2 + k), range(-k, 0))  # (P, D, *T, *U)
    kernel = y.reshape(len(y), -1)
    first, each = z.shape[2], math.prod(rows.shape[1 : 2 + k]) * math.prod(z.shape[3:])
    step = max(COPIED // each, 1)
    for p in range(len(x)):
        for start in range(0, first, step):
            block = z[p, :, start : start + step]
            here: Any = (p, *(slice(None),) * (1 + k), slice(start, start + step))
            met = rows[here]
            block[...] = (kernel @ met.reshape(kernel.shape[1], -1)).reshape(block.shape)
    return z


def _by_spectra(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """By Fourier transforms of x's lengths, or a little longer: what wraps around is cut off."""
    from scipy.fft import next_fast_len

    axes = tuple(range(2, x.ndim))
    real = common_dtype((x, y)).kind == "f"
    lengths = [next_fast_len(n, real) for n in x.shape[2:]]
    fft: Any = _spectra_of(x)
    there, back = (fft.rfftn, fft.irfftn) if real else (fft.fftn, fft.ifftn)
    x_hat, y_hat = there(x, lengths, axes), there(_turned(y), lengths, axes)
    z = back(np.einsum("pd...,qd...->pq...", x_hat, y_hat), lengths, axes)
    inside = (slice(m - 1, n) for n, m in zip(x.shape[2:], y.shape[2:], strict=True))
    return module_of(x).ascontiguousarray(z[(slice(None), slice(None), *inside)], common_dtype((x, y)))


def _spectra_of(x: Any) -> Any:
    """SciPy's transforms, or cupy's for an array of a device."""
    if on_device(x):
        return np.fft
    from scipy import fft

    return fft


def _by_places(x: Any, y: Any) -> Any:
    """One product of matrices for every place in the kernel: on a device, where windows would be copied."""
    m, lengths = module_of(x, y), y.shape[2:]
    shape = correlated_shape(x.shape, y.shape)
    z = m.zeros(shape, common_dtype((x, y)))
    for place in np.ndindex(*lengths):
        here = (slice(None), slice(None), *(slice(t, t + n) for t, n in zip(place, shape[2:], strict=True)))
        met = np.moveaxis(x[here], 1, -1)  # (P, *U, D)
        z += np.moveaxis(met @ y[(slice(None), slice(None), *place)].T, -1, 1)
    return z


def _spectra_pay(x: tuple[int, ...], y: tuple[int, ...]) -> bool:
    """Whether Fourier transforms take fewer operations."""
    (p, d, *lengths), (q, _, *kernel) = x, y
    points, places = math.prod(lengths), math.prod(correlated_shape(x, y)[2:])
    if points < 64:
        return False
    transforms = (p * d + q * d + p * q) * points * math.log2(points) + p * q * d * points
    return p * q * d * places * math.prod(kernel) > OVERHEAD * transforms
