"""The discrete Fourier transform along one axis: of complex numbers either way, of real ones, and back.

Everything else in `numpy.fft` is made of these: lengths by cropping and padding, several axes one after the
other. The matrix of a complex transform is symmetric, F = Fᵀ: it is its own transpose. Half a spectrum stands
for the whole: its inner frequencies count twice, the first one once, and so does the last one of an even
length. Up to these numbers the transposes of `rfft` and `irfft` are each other, mirrored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .abstract import Abstract
from .broadcast import fit
from .elementwise import conjugate
from .primitive import Linear, Samples, beside, dtype_of, real_dtype, register, shape_of

OTHER = {"backward": "forward", "ortho": "ortho", "forward": "backward"}  # the norm of the transform back


class Fourier(Linear):
    """z_k = c Σ_j ω^(±jk) x_j along one axis, ω = e^(−2πi/n); the sign and, with `norm`, c are NumPy's."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name, self.function = name, function

    def samples(self, rng: np.random.Generator) -> Samples:
        x = rng.standard_normal((2, 4, 3))
        y = x + 1j * rng.standard_normal(x.shape)
        return [
            *(((y,), {"axis": k, "norm": norm}) for k, norm in ((1, "backward"), (2, "ortho"))),
            ((x,), {"axis": 1, "norm": "forward"}),
            ((y[:0],), {"axis": 2, "norm": "backward"}),
        ]

    def value(self, x: Any, axis: int, norm: str) -> Any:
        return self.function(x, axis=axis, norm=norm)

    def abstract(self, x: Any, axis: int, norm: str) -> Abstract:
        return Abstract(with_length(x, axis, shape_of(x)[axis]), spectrum_dtype(x))

    def transpose(self, lam: Any, x: Any, axis: int, norm: str) -> Any:
        return fit(self(lam, axis=axis, norm=norm), x)


class RealFourier(Linear):
    """The first half, n//2 + 1 frequencies, of the spectrum of real numbers."""

    name = "rfft"

    def samples(self, rng: np.random.Generator) -> Samples:
        x = rng.standard_normal((2, 4, 3))
        return [((x,), {"axis": k, "norm": norm}) for k, norm in enumerate(OTHER)]

    def value(self, x: Any, axis: int, norm: Any) -> Any:
        return np.fft.rfft(x, axis=axis, norm=norm)

    def abstract(self, x: Any, axis: int, norm: str) -> Abstract:
        return Abstract(with_length(x, axis, shape_of(x)[axis] // 2 + 1), spectrum_dtype(x))

    def transpose(self, lam: Any, x: Any, axis: int, norm: str) -> Any:
        n = shape_of(x)[axis]
        once = conjugate(lam) / multiplicity(n, axis, lam)
        return fit(irfft(once, n=n, axis=axis, norm=OTHER[norm]), x)


class RealInverse(Linear):
    """The n real numbers whose spectrum has this first half."""

    name = "irfft"

    def samples(self, rng: np.random.Generator) -> Samples:
        x = rng.standard_normal((2, 4, 3))
        y = x + 1j * rng.standard_normal(x.shape)
        return [
            ((y,), {"n": 2, "axis": 0, "norm": "backward"}),
            ((y,), {"n": 7, "axis": 1, "norm": "ortho"}),
            ((y,), {"n": 4, "axis": 2, "norm": "forward"}),
            ((x,), {"n": 6, "axis": 1, "norm": "backward"}),
        ]

    def value(self, y: Any, n: int, axis: int, norm: Any) -> Any:
        return np.fft.irfft(y, n, axis=axis, norm=norm)

    def abstract(self, y: Any, n: int, axis: int, norm: str) -> Abstract:
        # NumPy gives half precision back as such, though its spectrum is in single
        real = dtype_of(y) if dtype_of(y).kind == "f" else real_dtype(spectrum_dtype(y))
        return Abstract(with_length(y, axis, n), real)

    def transpose(self, lam: Any, y: Any, n: int, axis: int, norm: str) -> Any:
        half = rfft(lam, axis=axis, norm=OTHER[norm])
        return fit(multiplicity(n, axis, half) * conjugate(half), y)


def with_length(x: Any, axis: int, n: int) -> tuple[int, ...]:
    """The shape of x with another length along one axis.

    Raises:
        ValueError: nothing is there to be transformed.
    """
    shape = shape_of(x)
    if n < 1 or shape[axis] < 1:
        raise ValueError(f"Invalid number of FFT data points ({min(n, shape[axis])}) specified.")
    return (*shape[:axis], n, *shape[axis + 1 :])


def spectrum_dtype(x: Any) -> np.dtype[Any]:
    """What NumPy makes of x: single precision stays single, integers become double."""
    kind = dtype_of(x)
    return np.result_type(kind if kind.kind in "fc" else np.float64, np.complex64)


def multiplicity(n: int, axis: int, like: Any) -> np.ndarray:
    """How often each of the n//2 + 1 frequencies stands in the whole spectrum, to broadcast along `axis`."""
    counts = beside(like).full(n // 2 + 1, 2.0, real_dtype(dtype_of(like)))
    counts[0] = 1
    if n % 2 == 0:
        counts[-1] = 1
    return counts.reshape((-1, *(1,) * (len(shape_of(like)) - axis - 1)))


fft = register(Fourier("fft", np.fft.fft))
ifft = register(Fourier("ifft", np.fft.ifft))
rfft = register(RealFourier())
irfft = register(RealInverse())
