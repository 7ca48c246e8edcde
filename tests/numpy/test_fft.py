"""numpy.fft: what it shares with NumPy besides values, complex operands, what it refuses, compiled."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad
import adjoint.numpy.fft as fft
from adjoint import check
from adjoint.ops.primitive import PRIMITIVES

from ..helpers import close, message, normal

X = normal(4, 5)
Z = X + 1j * normal(4, 5, seed=1)
NAMES = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fftn", "ifftn", "rfftn", "irfftn", "fftshift")
OF_REAL = ("rfft", "ihfft", "rfftn")


def operand(name, kind=np.complex128):
    return (X if name in OF_REAL else Z).astype(np.dtype(kind).char.lower() if name in OF_REAL else kind)


@pytest.mark.parametrize("name", NAMES)
def test_complex_operands(name) -> None:
    report = check.gradients(lambda z: np.tanh(getattr(np.fft, name)(z)), (operand(name),))
    assert report, report


@pytest.mark.parametrize("name", NAMES)
def test_single_precision_is_kept(name) -> None:
    z = operand(name, np.complex64)
    pulled, value = ad.make_vjp(getattr(np.fft, name))(z)
    assert value.dtype == getattr(np.fft, name)(z).dtype and value.dtype.itemsize <= 8
    assert pulled(value).dtype == z.dtype


def everything_else():
    for n in (None, 0, 1, 3, 8):
        for axis in (-1, 0, 2):
            for norm in (None, "forward", "loud"):
                for name in NAMES[:6]:
                    yield name, {"n": n, "axis": axis, "norm": norm}
    for s, axes in (((3, 7), (0, 0)), (None, ()), ((3,), (0, 1)), ((-1, 4), (-1, 0)), (None, None)):
        for name in NAMES[6:10]:
            yield name, {"s": s, "axes": axes}


@pytest.mark.parametrize("x", [X, Z, np.ones((3, 0)), np.ones((0, 3)), np.ones(())], ids=str)
def test_answers_and_refuses_what_numpy_does(x) -> None:
    for name, options in everything_else():
        f = getattr(np.fft, name)
        try:
            expected = f(x, **options)
        except (ValueError, IndexError, TypeError):  # (n < 1, no such axis, rfft of complex numbers)
            with pytest.raises((ValueError, IndexError, TypeError)):
                ad.make_vjp(lambda v, f=f, o=options: f(v, **o))(x)
        else:
            found = ad.make_vjp(lambda v, f=f, o=options: f(v, **o))(x)[1]
            assert found.shape == expected.shape and found.dtype == expected.dtype
            close(found, expected)


def test_half_a_spectrum_counts_its_inner_frequencies_twice() -> None:
    """Parseval: Σ x² is the mean of |F x|², in which all but the first and the middle one come twice."""
    for n in (5, 6):
        x = normal(n)
        weights = np.array([1.0, 2.0, 2.0, 1.0 if n == 6 else 2.0][: n // 2 + 1])
        energy = ad.grad(lambda x, w=weights: np.sum(w * np.abs(np.fft.rfft(x, norm="ortho")) ** 2))
        close(energy(x), 2 * x)


def test_gradient_with_respect_to_half_a_spectrum() -> None:
    """Its imaginary parts at 0 and n/2 are not read: their derivative is 0, to every order."""
    y = Z[0, :4]
    for n in (6, 7):
        gradient = ad.grad(lambda y, n=n: np.sum(np.fft.irfft(y, n) ** 3))(y)
        assert gradient[0].imag == 0 and (gradient[3].imag == 0) == (n == 6)


def test_names_and_lists() -> None:
    assert set(np.fft.__all__) <= set(dir(fft)) and fft.fftfreq is np.fft.fftfreq
    assert fft.fft is ad.numpy.fft.fft and fft.fft.__name__ == "fft"
    close(fft.fft(X), np.fft.fft(X))
    energy = ad.grad(lambda x: np.sum(np.abs(fft.fft([x, 2 * x, 1.0])) ** 2))  # 3 (5x² + 1)
    close(energy(0.5), 15.0)


def test_refusals_name_the_remedy() -> None:
    assert "np.fft.fft takes them" in message(ad.DTypeError, ad.make_vjp(np.fft.rfft), Z)
    assert "axis" in message(ad.IndexingError, ad.make_vjp(np.fft.fft), 1.0)
    assert "leave out= away" in message(
        ad.MutationError, ad.make_vjp(lambda x: np.fft.fft(x, None, -1, None, Z)), Z
    )


def test_compiled() -> None:
    """Transforms are NumPy steps of a compiled program, and explain() says so."""

    def f(x):
        spectrum = np.fft.rfft(x * x, 8)
        back = np.fft.irfft(spectrum / (1 + np.abs(spectrum)), 6)
        return np.sum(np.real(np.fft.fftn(back)) ** 2) + np.sum(np.imag(np.fft.ifft(x)) ** 2)

    compiled = ad.compile(ad.value_and_grad(f))
    close(compiled(X), ad.value_and_grad(f)(X))
    for name in ("fft", "ifft", "rfft", "irfft"):
        assert f"by NumPy: {name} at " in repr(compiled.explain())


def test_a_fault_is_caught(monkeypatch) -> None:
    """Without the multiplicities the transpose of rfft is another matrix: the dot product sees it."""
    from adjoint.ops import fourier

    monkeypatch.setattr(fourier, "multiplicity", lambda n, axis, like: np.float64(2.0))
    assert not check.rule(PRIMITIVES["rfft"]) and not check.rule(PRIMITIVES["irfft"])
