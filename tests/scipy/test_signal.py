"""Convolution over some axes, contracted over others: what it is, both signatures, every order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import signal

import adjoint as ad
import adjoint.scipy.signal
from adjoint import check
from adjoint.ops.convolution import correlate

from ..helpers import close, message, normal

convolve = adjoint.scipy.signal.convolve


def by_loops(a, b, axes, dot_axes, mode):
    """SciPy's convolution of every pair of slices, summed over the contracted axes."""
    left = [[k for k in range(x.ndim) if k not in (*axes[j], *dot_axes[j])] for j, x in enumerate((a, b))]
    a, b = (np.transpose(x, (*left[j], *dot_axes[j], *axes[j])) for j, x in enumerate((a, b)))
    n, m, d = len(left[0]), len(left[1]), len(dot_axes[0])
    outer = [np.ndindex(a.shape[:n]), np.ndindex(b.shape[:m])]
    parts = [
        sum(signal.convolve(a[i + k], b[j + k], mode, "direct") for k in np.ndindex(a.shape[n : n + d]))
        for i, j in itertools.product(*map(list, outer))
    ]
    return np.reshape(parts, (*a.shape[:n], *b.shape[:m], *np.shape(parts[0])))


ROWS = [
    ((5,), (3,), ([0], [0]), ((), ())),
    ((3,), (5,), ([0], [0]), ((), ())),
    ((4, 5), (3, 2), ([0, 1], [0, 1]), ((), ())),
    ((4, 5), (2, 3), ([1, 0], [1, 0]), ((), ())),
    ((3, 5), (4, 2), ([1], [1]), ((), ())),
    ((3, 2), (3, 4, 2), ([1], [2]), ([0], [0])),
    ((2, 5, 4, 3), (2, 4, 2, 3, 2), ([1, 2], [2, 4]), ([0, 3], [0, 3])),
    ((3, 4), (3, 2), ([], []), ([0], [0])),
    ((2, 3), (4,), ([], []), ((), ())),
]  # fmt: skip


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_values_and_derivatives(row, mode) -> None:
    shape_a, shape_b, axes, dot_axes = row
    a, b = normal(*shape_a), normal(*shape_b, seed=1)
    options = {"axes": axes, "dot_axes": dot_axes, "mode": mode}
    expected = by_loops(a, b, axes, dot_axes, mode)
    for method in ("direct", "fft", "auto"):
        close(convolve(a, b, **options, method=method), expected)
    report = check.gradients(lambda a, b: np.sin(convolve(a, b, **options)), (a, b))
    assert report, report


def test_scipys_call() -> None:
    a, b = normal(7), normal(4, seed=1)
    for mode, method in itertools.product(("full", "same", "valid"), ("auto", "direct", "fft")):
        close(convolve(a, b, mode, method), signal.convolve(a, b, mode, method))
        close(convolve(a, b, mode=mode, method=method), signal.convolve(a, b, mode, method))
    assert convolve([1, 2], [3, 4, 5]).tolist() == signal.convolve([1, 2], [3, 4, 5]).tolist()
    assert convolve(2.0, 3.0) == 6.0
    assert convolve([], [1.0]).shape == (0,)
    assert adjoint.scipy.signal.find_peaks is signal.find_peaks


def test_complex_and_single_precision() -> None:
    a, b = normal(6) + 1j * normal(6, seed=1), normal(3, seed=2)
    report = check.gradients(lambda a, b: np.exp(1j * convolve(a, b, "same")), (a, b))
    assert report, report
    a, b = a.astype(np.complex64), b.astype(np.float32)
    for method in ("direct", "fft"):
        pulled, z = ad.make_vjp(lambda a, b, m=method: convolve(a, b, "same", m), (0, 1))(a, b)
        assert z.dtype == np.complex64 and [x.dtype for x in pulled(z)] == [np.complex64, np.float32]


def test_large_ones_are_multiplied_as_spectra() -> None:
    a, b = normal(1, 1, 3000), normal(1, 1, 1000, seed=1)
    direct, fast = (correlate(a, b, method=m) for m in ("direct", "auto"))
    assert (direct != fast).any()
    close(fast, direct, 1e-11)
    images, filters = normal(2, 3, 60, 53), normal(2, 3, 20, 15, seed=1)
    direct, fast = (correlate(images, filters, method=m) for m in ("direct", "auto"))
    assert (direct != fast).any()
    close(fast, direct, 1e-10)
    small = normal(1, 1, 200), normal(1, 1, 5)
    assert (correlate(*small, method="auto") == correlate(*small, method="direct")).all()


def test_products_in_blocks() -> None:
    """More windows than are written out at once."""
    images, filters = normal(2, 2, 120, 90), normal(3, 2, 4, 5, seed=1)
    expected = by_loops(images, filters[:, :, ::-1, ::-1], ([2, 3], [2, 3]), ([1], [1]), "valid")
    close(correlate(images, filters, method="direct"), expected)


def test_refusals_name_the_remedy() -> None:
    x, y = np.ones((3, 4)), np.ones((4, 3))
    assert "longer on all axes" in message(ad.ShapeError, convolve, x, y, mode="valid")
    assert "do not pair up" in message(ad.ShapeError, convolve, x, np.ones(3))
    assert "do not pair up" in message(ad.ShapeError, convolve, x, y, ([0], [0]), ([1], [1]))
    assert "do not pair up" in message(ad.ShapeError, convolve, x, y, ([], []), ([0, 1], [0, 1]))
    assert "one axis twice" in message(ad.ShapeError, convolve, x, y, ([0], [0]), ([0], [1]))
    assert "mode is" in message(ValueError, convolve, x, y, mode="wrap")
    assert "method is" in message(ValueError, convolve, x, y, "full", "slow")


def test_compiled() -> None:
    def f(x, y):
        z = np.tanh(convolve(x, y, axes=([1], [1]), dot_axes=([0], [0])))
        return np.sum(z * np.convolve(x[0], y[0]))

    args = normal(2, 5), normal(2, 3, seed=1)
    f_and_gradient = ad.value_and_grad(f, (0, 1))
    compiled = ad.compile(f_and_gradient)
    close(compiled(*args), f_and_gradient(*args))
    assert "by NumPy: correlate at " in repr(compiled.explain())


def test_a_fault_is_caught(monkeypatch) -> None:
    """Without the reversal a convolution is a correlation."""
    from adjoint.ops import convolution

    monkeypatch.setattr(convolution, "_turned", lambda y: y)
    with pytest.raises(AssertionError):
        test_values_and_derivatives(ROWS[0], "full")
    assert not check.rule(correlate)
