"""adjoint.scipy against SciPy's values, and its derivatives by check.gradients."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import scipy.special

import adjoint as ad
from adjoint import check
from adjoint.scipy import linalg, special

RNG = np.random.default_rng(5)
X = RNG.normal(size=(3, 4))
WEIGHTS = RNG.uniform(0.1, 2.0, size=(3, 4))
SPD = X @ X.T + np.eye(3)
TRIANGLE = RNG.normal(size=(3, 3)) + 3 * np.eye(3)
RIGHT = RNG.normal(size=(3, 2))


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
@pytest.mark.parametrize("name", ["logsumexp", "softmax", "log_softmax"])
def test_exponential_families(name: str, axis) -> None:
    ours, theirs = getattr(special, name), getattr(scipy.special, name)
    np.testing.assert_allclose(ours(X, axis=axis), theirs(X, axis=axis), rtol=1e-14)
    check.gradients(lambda x: ours(x, axis=axis), [X]).raise_on_failure()


def test_logsumexp_with_weights_and_zero_weights() -> None:
    np.testing.assert_allclose(
        special.logsumexp(X, 1, WEIGHTS), scipy.special.logsumexp(X, 1, WEIGHTS), rtol=1e-14
    )
    check.gradients(lambda x, b: special.logsumexp(x, 1, b), [X, WEIGHTS]).raise_on_failure()
    masked = np.where(np.arange(4) == 2, 0.0, WEIGHTS)
    gradient = ad.grad(lambda x: np.sum(special.logsumexp(x, 1, masked)))(X)
    np.testing.assert_allclose(gradient.sum(1), 1, rtol=1e-14)
    assert (gradient[:, 2] == 0).all()


def test_logsumexp_does_not_overflow_and_knows_empty_rows() -> None:
    huge = np.array([[1e300, -1e300], [-np.inf, -np.inf]])
    np.testing.assert_array_equal(special.logsumexp(huge, axis=1), [1e300, -np.inf])
    np.testing.assert_array_equal(ad.grad(lambda x: special.logsumexp(x, axis=1)[0])(huge), [[1, 0], [0, 0]])


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("trans", [0, 1, "T"])
@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("right", [RIGHT, RIGHT[:, 0]], ids=["matrix", "vector"])
def test_solve_triangular(lower: bool, trans, unit: bool, right) -> None:
    how = {"trans": trans, "lower": lower, "unit_diagonal": unit}
    np.testing.assert_allclose(
        linalg.solve_triangular(TRIANGLE, right, **how), scipy.linalg.solve_triangular(TRIANGLE, right, **how)
    )
    check.gradients(lambda a, b: linalg.solve_triangular(a, b, **how), [TRIANGLE, right]).raise_on_failure()
    ignored = np.triu if lower else np.tril
    gradient = ad.grad(lambda a: np.sum(linalg.solve_triangular(a, right, **how)))(TRIANGLE)
    assert not ignored(gradient, 1 if lower else -1).any()


@pytest.mark.parametrize("lower", [False, True])
def test_cholesky_solve_is_solve(lower: bool) -> None:
    def f(a, b):
        return linalg.cho_solve(linalg.cho_factor(a, lower), b)

    np.testing.assert_allclose(f(SPD, RIGHT), np.linalg.solve(SPD, RIGHT), rtol=1e-11)
    check.gradients(f, [SPD, RIGHT]).raise_on_failure()


@pytest.mark.parametrize("name", ["erf", "erfc", "expit", "gammaln", "digamma", "psi", "log_expit"])
def test_scipy_ufuncs_work_on_variables_as_they_are(name: str) -> None:
    x = np.array([0.3, 1.2, 2.5])
    assert getattr(special, name) is getattr(scipy.special, name)
    check.gradients(getattr(scipy.special, name), [x]).raise_on_failure()


def test_closed_forms_of_special_functions() -> None:
    assert ad.grad(scipy.special.digamma)(1.0) == pytest.approx(np.pi**2 / 6, rel=1e-14)
    assert ad.grad(scipy.special.gammaln)(1.0) == pytest.approx(-np.euler_gamma, rel=1e-14)
    assert ad.grad(scipy.special.erf)(0.0) == pytest.approx(2 / np.sqrt(np.pi), rel=1e-15)
    # at 40, 1 − σ has no digits left
    assert ad.grad(scipy.special.expit)(40.0) == pytest.approx(np.exp(-40.0), rel=1e-12)
    with pytest.raises(ad.DTypeError, match="with respect to its order"):
        ad.grad(lambda n: special.polygamma(n, 1.5))(2.0)
