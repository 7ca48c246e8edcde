"""Parts taken out and put in: what a compiled program cannot know, what is refused, agreement with NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad
import adjoint.numpy as anp


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.extract(x > 0, x),
        lambda x: np.compress(x > 0, x),
        lambda x: np.trim_zeros(x),
        lambda x: np.delete(x, np.argmax(x)[None]),
        lambda x: np.insert(x, np.argmax(x), 0.0),
    ],
)
def test_sizes_that_depend_on_values_do_not_compile(f):
    x = np.array([0.5, -1.0, 2.0])
    assert ad.grad(lambda x: np.sum(f(x) ** 2))(x).shape == (3,)
    with pytest.raises(ad.TraceError, match="a size that depends on values"):
        ad.compile(lambda x: np.sum(f(x) ** 2))(x)


def test_compiled_programs_of_choices_positions_and_polynomials():
    def f(x, y):
        z = np.choose(np.argmax(x), [x, 2 * x, 3 * x]) + np.insert(np.delete(y, 1), 1, x[0])
        k = np.unravel_index(np.argmax(z), (3, 1))
        return np.sum(np.polymul(z, y)) * z[k[0]] + np.nanmedian(x / y) + np.unwrap(3 * y)[-1]

    x, y = np.array([0.4, -1.0, 2.0]), np.array([-0.5, 1.5, 3.0])
    derivative = ad.value_and_grad(f, (0, 1))
    (value, gradient), (expected, reference) = ad.compile(derivative)(x, y), derivative(x, y)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(gradient, reference, rtol=1e-12)


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_place_of_a_maximum(order):
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    place = np.unravel_index(np.argmax(x), (4, 3, 2), order)

    def f(x):
        i, j, k = np.unravel_index(np.argmax(x), (4, 3, 2), order)
        return np.sum(x) * (100.0 * i + 10.0 * j + k + 1)

    expected = 100 * place[0] + 10 * place[1] + place[2] + 1
    np.testing.assert_allclose(ad.grad(f)(x), expected)
    np.testing.assert_allclose(ad.compile(ad.grad(f))(x), expected)


def test_a_recorded_leading_zero_keeps_its_derivative():
    p = np.array([0.0, 1.0, 2.0])
    assert np.polymul(p, [1.0, 1.0]).shape == (3,)  # NumPy drops the zero
    product = ad.jacobian(lambda p: np.polymul(p, [1.0, 1.0]))(p)
    np.testing.assert_array_equal(product, [[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]])


def test_polyfit_finds_the_polynomial_it_was_given():
    places = np.linspace(-1.0, 2.0, 9)
    coefficients = np.array([0.5, -1.0, 2.0])
    inverse = ad.jacobian(lambda p: np.polyfit(places, np.polyval(p, places), 2))(coefficients)
    np.testing.assert_allclose(inverse, np.eye(3), atol=1e-12)


def test_infinities_do_not_disturb_a_median_without_nan():
    x = np.array([np.inf, np.inf, np.nan, 1.0, np.inf])
    with ad.Tape() as tape:
        assert np.nanmedian(tape.input(x)).value == np.inf


def test_integers_become_floats_where_numpy_has_them_so():
    with ad.Tape() as tape:
        x = tape.input(np.array([4.0, 1.0, 7.0])).astype(int)
        for f in (np.poly, lambda x: np.ldexp(x, 2), np.unwrap, np.polyint, np.nanmedian):
            z, expected = f(x), f(x.value)
            assert z.dtype == expected.dtype
            np.testing.assert_allclose(z.value, expected, rtol=1e-14)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_the_quantile_of_nothing_is_nan(shape):
    with ad.Tape() as tape, pytest.warns(RuntimeWarning, match="empty slice|All-NaN"):
        z = np.nanpercentile(tape.input(np.zeros(shape)), [30, 50], axis=shape.index(0), keepdims=True)
        expected = np.nanpercentile(np.zeros(shape), [30, 50], axis=shape.index(0), keepdims=True)
    np.testing.assert_array_equal(z, expected)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x: np.polyfit(x, x, 1, cov=True), ad.MissingRuleError, "full= or cov="),
        (lambda x: np.polyfit(x, x[:2], 1), ad.ShapeError, r"\(3,\) and \(2,\)"),
        (lambda x: np.polyint(x, -1), ValueError, "must be positive"),
        (lambda x: anp.polyint(x, 3, k=x[:2]), ValueError, "k must be"),
        (lambda x: np.polyder(x, -1), ValueError, "must be positive"),
        (lambda x: np.poly(np.ones((1, 1, 1)) * x), ValueError, "1d or non-empty square 2d"),
        (lambda x: np.choose([0, 2, 0], [x, x]), ValueError, "invalid entry"),
        (lambda x: np.compress(np.ones((1, 3)), x), ValueError, "1-d"),
        (lambda x: np.trim_zeros(x, "x"), ValueError, "unexpected character"),
        (lambda x: np.cumulative_sum(x[None]), ValueError, "axis"),
        (lambda x: anp.block([[x], x]), ValueError, "depths are mismatched"),
        (lambda x: np.nanquantile(x, 1.5), ValueError, r"range \[0, 1\]"),
        (lambda x: np.nanquantile(x, 0.5, weights=x), ad.MissingRuleError, "weights="),
        (lambda x: np.cumulative_sum(x, out=np.zeros(3)), ad.MutationError, "out="),
        (lambda x: np.apply_over_axes(lambda a, k: a[0, 0], x[None], 0), ValueError, "correct shape"),
    ],
)
def test_what_is_refused(call, error, text):
    with ad.Tape() as tape, pytest.raises(error, match=text):
        call(tape.input(np.array([0.5, 1.5, 3.0])))
