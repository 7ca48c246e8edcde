"""What the table cannot say of sampled functions: every order at 0, kinks, roots, errors, complex numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

import adjoint as ad
from adjoint import check
from adjoint.errors import ShapeError
from adjoint.tape import Tape


def derivative(f, order):
    """The nth derivative of f, from one number to one."""
    for k in range(order):
        f = ad.grad(f) if k % 2 else (lambda x, f=f: ad.jvp(f, (x,), (1.0,))[1])
    return f


@pytest.mark.parametrize("order", range(7))
def test_sinc_at_zero_to_every_order(order):
    """sin(πx)/(πx) = Σ (−1)ᵏ (πx)²ᵏ / (2k + 1)!, and near 0 nothing cancels."""
    f = derivative(np.sinc, order)
    expected = 0.0 if order % 2 else (-1) ** (order // 2) * math.pi**order / (order + 1)
    np.testing.assert_allclose(f(0.0), expected, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(f(1e-9), expected, rtol=1e-12, atol=1e-5)


def test_sinc_away_from_zero_and_complex():
    x = np.array([0.4, -1.3, 7.5])
    z = math.pi * x
    expected = math.pi * (np.cos(z) / z - np.sin(z) / z**2)
    np.testing.assert_allclose(ad.grad(lambda x: np.sum(np.sinc(x)))(x), expected, rtol=1e-13)
    assert check.gradients(lambda x: np.sum(np.abs(np.sinc(x)) ** 2), (x + 0.3j,))


def test_sinc_keeps_single_precision():
    x = np.array([0.0, 0.5], np.float32)
    assert ad.grad(lambda x: np.sum(np.sinc(x)))(x).dtype == np.float32


def test_interp_at_a_knot_has_the_slope_to_its_right():
    slopes = ad.elementwise_grad(lambda x: np.interp(x, [0.0, 1.0, 3.0], [0.0, 2.0, 3.0]))
    assert slopes(np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 3.5])).tolist() == [0, 2, 2, 0.5, 0.5, 0.5, 0]


def test_interp_of_knots_that_coincide_at_the_end():
    f, places = np.array([3.0, 1.0, 2.0]), np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    for knots in ([0.0, 1.0, 1.0], [0.0, 0.0, 1.0]):
        with Tape() as tape:
            z = np.interp(places, knots, tape.input(f))
        np.testing.assert_array_equal(z.value, np.interp(places, knots, f))


def test_interp_beyond_and_nowhere():
    """Infinite places have the ends' values, NaN stays NaN, and neither spoils another gradient."""
    f = np.array([1.0, 2.0, 4.0])

    def total(f):
        return np.sum(np.interp([-np.inf, 0.5, np.inf], [0.0, 1.0, 2.0], f))

    assert total(f) == 1 + 1.5 + 4
    assert ad.grad(total)(f).tolist() == [1.5, 0.5, 1.0]
    with Tape() as tape:
        assert np.isnan(np.interp(tape.input(np.nan), [0.0, 1.0], [1.0, 2.0]).value)


def test_interp_of_complex_values():
    z, x = np.array([1.0 + 2j, -0.5j, 3.0]), np.array([0.3, 1.7])
    assert check.gradients(lambda x, z: np.sum(np.abs(np.interp(x, [0.0, 1.0, 2.0], z)) ** 2), (x, z))


def test_roots_with_zeros_among_the_coefficients():
    """Leading zeros cost a root, and a root at 0 moves as every other: ṙ = −ṗ(r)/p′(r)."""
    p = np.array([0.0, 1.0, -3.0, 2.0, 0.0])  # 0 x⁴ + x (x − 1) (x − 2)
    r = np.roots(p)
    rows = ad.jacobian(np.roots)(p)
    slopes = 3 * r**2 - 6 * r + 2
    np.testing.assert_allclose(rows, -np.vander(r, 5) / slopes[:, None], rtol=1e-12, atol=1e-12)
    assert ad.grad(lambda p: np.sum(np.roots(p)) + np.sum(p))(np.array([2.0])).tolist() == [1.0]


def test_roots_of_complex_polynomials():
    p = np.poly([1.0 + 1j, -0.4j, 2.0])
    assert check.gradients(lambda p: np.sum(np.abs(np.roots(p) - 3.0) ** 2), (p,))


def test_roots_compiled_are_complex():
    def f(p):
        return np.sum(np.abs(np.roots(p) - 3.0) ** 2)

    p = np.array([1.0, -3.5, 2.0])
    np.testing.assert_allclose(ad.compile(f)(p), f(p), rtol=1e-13)
    np.testing.assert_allclose(ad.compile(ad.grad(f))(p), ad.grad(f)(p), rtol=1e-12)


OF_COMPLEX = {
    "convolve": lambda x, y: np.convolve(x, y[:2], "same"),
    "polyval": lambda x, y: np.polyval(x, y),
    "trapezoid": lambda x, y: np.trapezoid(x * x, y),
    "gradient": lambda x, y: np.gradient(x * y, 0.5, edge_order=2),
    "vander": lambda x, y: np.vander(x, 3) @ y[:3],
}


@pytest.mark.parametrize("name", OF_COMPLEX)
def test_complex_numbers(name):
    f = OF_COMPLEX[name]
    x, y = np.random.default_rng(0).standard_normal((2, 4, 2)) @ [1, 1j]
    with Tape() as tape:
        np.testing.assert_allclose(f(tape.input(x), tape.input(y)).value, f(x, y), rtol=1e-13)
    assert check.gradients(lambda x, y: np.sum(np.abs(f(x, y)) ** 2), (x, y))


REFUSED = {
    "convolve": (lambda x: np.convolve(x[None], x), ShapeError, r"needs vectors, not \(1, 3\) and \(3,\)"),
    "convolve nothing": (lambda x: np.convolve(x, x[:0]), ValueError, "cannot be empty"),
    "convolve mode": (lambda x: np.convolve(x, x, "some"), ValueError, "'some'"),
    "interp": (lambda x: np.interp(1.0, x, x[:2]), ShapeError, r"\(3,\) and \(2,\)"),
    "interp complex": (lambda x: np.interp(x * 1j, x, x), TypeError, "x and knots xp"),
    "interp period": (lambda x: np.interp(x, x, x, period=0), ValueError, "non-zero"),
    "gradient short": (lambda x: np.gradient(x[:1]), ShapeError, "at least 2 values"),
    "gradient edge": (lambda x: np.gradient(x, edge_order=3), ValueError, "edge_order"),
    "gradient spacings": (lambda x: np.gradient(x, 1.0, 2.0), TypeError, "as many spacings, not 2"),
    "gradient coordinates": (lambda x: np.gradient(x, [1.0, 2.0]), ShapeError, "one coordinate per value"),
    "vander": (lambda x: np.vander(x[None]), ShapeError, "needs a vector"),
    "roots": (lambda x: np.roots(x[None]), ValueError, "rank-1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name):
    f, kind, text = REFUSED[name]
    with Tape() as tape, pytest.raises(kind, match=text):
        f(tape.input(np.array([1.0, 2.0, 4.0])))
    with pytest.raises((ValueError, TypeError, IndexError)):
        f(np.array([1.0, 2.0, 4.0]))
