"""Rows of the table for numpy.fft: spectra as two real parts, complex operands from two real ones."""

from __future__ import annotations

import numpy as np

from .harness import Case, case


def parts(z):
    return np.real(z), np.imag(z)


def label(name, shape, options):
    return " ".join([name, str(shape), *(f"{k}={v}" for k, v in options.items())])


def of_real(name, *shape, **options):
    """A row for a transform of real numbers."""
    return case(label(name, shape, options), lambda x: parts(getattr(np.fft, name)(x, **options)), shape)


def of_complex(name, *shape, **options):
    return case(
        label(f"{name} complex", shape, options),
        lambda x, y: parts(getattr(np.fft, name)(x + 1j * y, **options)),
        shape,
        shape,
    )


FOURIER: list[Case] = [
    of_real("fft", 2, 5),
    of_real("fft", 4, 3, axis=0, n=6, norm="forward"),
    of_complex("fft", 2, 4, n=3),
    of_complex("fft", 4, 2, axis=-2, norm="ortho"),
    of_real("ifft", 2, 5, n=7),
    of_complex("ifft", 3, 4, axis=0, norm="ortho"),
    of_real("rfft", 2, 4),
    of_real("rfft", 2, 5, norm="ortho"),
    of_real("rfft", 5, 2, axis=0, n=3),
    of_real("rfft", 3, n=6, norm="forward"),
    of_real("rfft", 1),
    of_real("irfft", 4),
    of_complex("irfft", 2, 4),
    of_complex("irfft", 2, 4, n=7, norm="ortho"),
    of_complex("irfft", 4, 2, axis=0, n=3, norm="forward"),
    of_complex("irfft", 3, n=1),
    of_complex("irfft", 3, n=10),
    of_complex("hfft", 2, 4),
    of_complex("hfft", 4, n=5, norm="ortho"),
    of_real("hfft", 4, n=5, norm="forward"),
    of_real("ihfft", 2, 4),
    of_real("ihfft", 5, n=6, norm="forward"),
    of_real("fft2", 2, 3, 4),
    of_complex("fft2", 3, 4, s=(4, 2), axes=(1, 0)),
    of_complex("ifft2", 3, 4, norm="ortho"),
    of_real("rfft2", 3, 5),
    of_complex("irfft2", 3, 4),
    of_complex("irfft2", 3, 4, s=(2, 5), norm="forward"),
    of_real("fftn", 2, 3, 2),
    of_complex("fftn", 2, 3, 2, axes=(0, -1)),
    of_complex("fftn", 2, 3, axes=(1, 1), s=(4, 2)),
    of_complex("ifftn", 2, 3, 2, s=(3, -1), axes=(0, 1)),
    of_real("rfftn", 2, 3, 4),
    of_real("rfftn", 2, 3, 5, axes=(0, 2), norm="ortho"),
    of_real("rfftn", 4, 3, axes=(0, 0), s=(3, 4)),
    of_complex("irfftn", 2, 3, 3),
    of_complex("irfftn", 4, 3, axes=(1, 0), s=(2, 5)),
    of_complex("irfftn", 4, 3, axes=(0, 0), s=(3, 4)),
    of_complex("fftn", 0, 3, axes=(1,)),
    case("fftshift", lambda x: np.fft.fftshift(x), (4, 5)),
    case("fftshift axis", lambda x: np.fft.fftshift(x, -1), (4, 5)),
    case("fftshift twice", lambda x: np.fft.fftshift(x, (0, 0)), (5, 2)),
    case("ifftshift", lambda x: np.fft.ifftshift(x), (4, 5)),
    case("ifftshift axes", lambda x: np.fft.ifftshift(x, axes=[0]), (5, 4)),
    case("fftfreq", lambda d: np.fft.fftfreq(5, d) * np.fft.rfftfreq(8, d), np.array(0.7)),
]
