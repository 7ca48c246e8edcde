"""What the table cannot say of statistics: all quantiles, ties, NaN, weights, errors, complex numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import adjoint as ad
from adjoint import check
from adjoint.errors import ShapeError
from adjoint.numpy.statistics import METHODS
from adjoint.tape import Tape

NAN = np.nan
X = np.array([[0.3, -1.0, 2.0, 0.3], [1.5, 0.0, -0.7, 2.5]])


def recorded(f, *args):
    """f of recorded arguments, as plain values."""
    with Tape() as tape:
        z = f(*map(tape.input, args))
    return z.value if isinstance(z, ad.Variable) else z


def same(found, expected, rtol):
    assert np.shape(found) == np.shape(expected)
    assert np.asarray(found).dtype == np.asarray(expected).dtype
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_every_quantile_is_numpys(method, kind):
    rng, rtol = np.random.default_rng(0), 100 * np.finfo(kind).eps
    places = (0.0, 0.25, 0.4, 0.5, 1.0, np.array([[0.1, 0.2, 1.0], [0.5, 0.75, 0.0]]), [1 / 3, 0.3])
    for n, q in itertools.product((1, 2, 3, 4, 5, 8), places):
        x = rng.standard_normal((n, 2)).astype(kind)
        for axis, keepdims in ((0, False), (None, False), ((0, 1), True), (-1, True)):
            options = {"axis": axis, "method": method, "keepdims": keepdims}
            same(recorded(lambda v: np.quantile(v, q, **options), x), np.quantile(x, q, **options), rtol)  # noqa: B023


def test_weighted_quantiles_are_numpys():
    rng = np.random.default_rng(1)
    for n in range(1, 9):
        x, w = rng.standard_normal((n, 2)), rng.integers(0, 4, n).astype(float)
        w[-1] = 1.0
        for q in (0.0, 0.25, 0.5, 1.0, np.array([[0.1, 0.9], [0.75, 0.0]])):
            options = {"axis": 0, "method": "inverted_cdf", "weights": w}
            same(recorded(lambda v: np.quantile(v, q, **options), x), np.quantile(x, q, **options), 0)  # noqa: B023


def test_quantile_of_recorded_places():
    """Between two values the derivative in q is n − 1 times their difference."""
    x = np.array([3.0, 1.0, 7.0])
    slope = ad.elementwise_grad(lambda q: np.quantile(x, q))(np.array([0.2, 0.9]))
    np.testing.assert_allclose(slope, [4.0, 8.0], rtol=1e-12)
    assert ad.grad(lambda q: np.percentile(x, q))(20.0) == pytest.approx(0.04)


def test_quantiles_beside_infinity():
    """What has no part in a quantile does not spoil it."""
    x = np.array([-np.inf, 1.0, 2.0, np.inf])
    for f in (np.median, lambda x: np.quantile(x, 1 / 3), lambda x: np.quantile(x, 0.6, method="higher")):
        assert np.isfinite(recorded(f, x)) and np.all(np.isfinite(ad.grad(f)(x)))


def test_nan_makes_medians_and_quantiles_nan():
    x = np.array([[1.0, NAN, 2.0], [3.0, 0.0, 1.0]])
    for f in (np.median, lambda x, axis: np.quantile(x, [0.1, 0.5], axis=axis)):
        same(recorded(lambda x: f(x, axis=1), x), f(x, axis=1), 1e-15)  # noqa: B023


def test_ties_of_the_median_keep_their_order():
    assert ad.grad(np.median)(np.array([1.0, 5.0, 1.0])).sum() == 1.0
    assert ad.grad(np.median)(np.array([2.0, 2.0])).tolist() == [0.5, 0.5]


def test_nothing_has_numpys_median():
    with pytest.warns(RuntimeWarning):
        assert np.isnan(recorded(np.median, np.zeros((0, 2))))


# ------------------------------------------------------------------------------------------------ without NaN
ALL_NAN = np.array([[1.0, NAN, 3.0], [NAN, NAN, NAN]])
GONE = (np.nanmax, np.nanmin, np.nanmean, np.nanvar, np.nanstd, np.nansum, np.nanprod)


@pytest.mark.parametrize("f", GONE, ids=lambda f: f.__name__)
def test_rows_of_nothing_but_nan(f):
    """Their result is NumPy's, and the other rows' gradient is what it is without them."""
    with np.errstate(invalid="ignore"), pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *args, **options: None)
        same(recorded(lambda x: f(x, axis=1), ALL_NAN), f(ALL_NAN, axis=1), 1e-15)
        found = ad.grad(lambda x: f(x, axis=1)[0])(ALL_NAN)
        expected = ad.grad(lambda x: f(x))(np.array([1.0, 3.0]))
    np.testing.assert_allclose(found[0], [expected[0], 0, expected[1]], rtol=1e-13, atol=1e-15)


def test_nan_has_no_part_of_the_gradient():
    x = np.array([1.0, NAN, 3.0])
    assert ad.grad(np.nansum)(x).tolist() == [1, 0, 1]
    assert ad.grad(np.nanmean)(x).tolist() == [0.5, 0, 0.5]
    assert ad.grad(np.nanmax)(np.array([3.0, NAN, 3.0])).tolist() == [0.5, 0, 0.5]
    assert ad.grad(np.nanstd)(np.array([2.0, NAN, 2.0])).tolist() == [0, 0, 0]
    np.testing.assert_allclose(ad.hessian(np.nanvar)(x), [[0.5, 0, -0.5], [0, 0, 0], [-0.5, 0, 0.5]])


# ------------------------------------------------------------------------------------------------ covariances
COVARIANCES = [{}, {"bias": True}, {"ddof": 0}, {"rowvar": False}, {"fweights": [1, 2, 1, 3]}]


@pytest.mark.parametrize("options", COVARIANCES, ids=str)
def test_covariances_are_numpys(options):
    z = X + 1j * X[::-1]
    for x in (X, z, X[0], X.astype(np.float32)):
        if "fweights" in options or x.ndim > 1:
            same(recorded(lambda x: np.cov(x, **options), x), np.cov(x, **options), 1e-14)


def test_complex_covariance():
    z = X + 1j * X[::-1]
    same(recorded(np.corrcoef, z), np.corrcoef(z), 1e-14)
    assert check.gradients(lambda z: np.sum(np.abs(np.cov(z)) ** 2), (z,))
    assert check.gradients(lambda z: np.sum(np.abs(np.corrcoef(z)) ** 2), (z,))


OF_COMPLEX = {
    "median": lambda z: np.median(z, axis=0),
    "nanmean": lambda z: np.nanmean(z, axis=1),
    "nanvar": lambda z: np.nanvar(z, ddof=1),
    "nanstd": lambda z: np.nanstd(z, axis=0),
    "nanprod": lambda z: np.nanprod(z, axis=0),
}


@pytest.mark.parametrize("name", OF_COMPLEX)
def test_complex_numbers(name):
    f, z = OF_COMPLEX[name], X + 1j * X[::-1] ** 2
    z = z if name == "median" else np.where(np.eye(2, 4) > 0, NAN, z)
    same(recorded(f, z), f(z), 1e-14)
    z = X + 1j * X[::-1] ** 2
    assert check.gradients(lambda z: np.sum(np.abs(f(z)) ** 2), (z,))


REFUSED = {
    "quantile": (lambda x: np.quantile(x, 1.5), ValueError, r"range \[0, 1\]"),
    "percentile": (lambda x: np.percentile(x, [50, -1]), ValueError, r"range \[0, 100\]"),
    "method": (lambda x: np.quantile(x, 0.5, method="best"), ValueError, "'best' is not a valid method"),
    "weights": (lambda x: np.quantile(x, 0.5, weights=np.ones(3)), ValueError, "inverted_cdf"),
    "axis": (lambda x: np.median(x, axis=2), ShapeError, "axis 2"),
    "complex": (lambda x: np.quantile(x + 1j, 0.5), TypeError, "real numbers"),
    "cov": (lambda x: np.cov(x[None, None]), ShapeError, "two dimensions"),
    "cov weights": (lambda x: np.cov(x, aweights=np.ones(2)), ShapeError, r"3 observations .* not \(2,\)"),
    "cov ddof": (lambda x: np.cov(x, ddof=0.5), ValueError, "integer"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name):
    f, kind, text = REFUSED[name]
    with Tape() as tape, pytest.raises(kind, match=text):
        f(tape.input(np.array([1.0, 2.0, 4.0])))
    with pytest.raises((ValueError, IndexError, RuntimeError, TypeError)):
        f(np.array([1.0, 2.0, 4.0]))
