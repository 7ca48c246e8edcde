"""check.pair: plain functions in, a report out."""

from __future__ import annotations

import numpy as np
import pytest

from adjoint import check
from adjoint.errors import ShapeError, TreeError

W = np.array([0.5, -2.0, 1e-3])


def test_right_and_wrong_gradients() -> None:
    assert check.pair(lambda w: np.sum(w**3), lambda w: 3 * w**2, (W,))
    report = check.pair(lambda w: np.sum(w**3), lambda w: 3 * w, (W,))
    assert not report
    assert "argument w, index [1]: received -6, expected 12" in repr(report)


def cubes(w: np.ndarray, b: float = 1.0) -> np.ndarray:
    return np.sum(w**3)


def slope(w: np.ndarray, b: float = 1.0) -> np.ndarray:
    return 3 * w**2


def test_the_value_beside_a_gradient_is_held_against_the_function() -> None:
    assert check.pair(cubes, lambda w: (cubes(w), slope(w)), (W,), has_value=True)
    assert check.pair(cubes, lambda w: (np.float32(cubes(w)), slope(w)), (W,), has_value=True)
    report = check.pair(cubes, lambda w: (2 * cubes(w), slope(w)), (W,), has_value=True)
    assert [f.what for f in report.failures] == ["value beside the gradient"]
    assert "received -15.75, f returns -7.87" in repr(report)
    report = check.pair(cubes, lambda w: (w, slope(w)), (W,), has_value=True)
    assert "beside the gradient stands (3,) float64, f returns" in repr(report)
    with pytest.raises(TreeError, match=r"must return \(value, gradient\), not \(3,\) float64"):
        check.pair(cubes, slope, (W,), has_value=True)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_claim_that_is_not_finite_is_wrong_where_the_slope_is(value: float) -> None:
    x = np.array([1.0, 2.0])
    report = check.pair(lambda x: np.sum(x**3), lambda x: np.array([3 * x[0] ** 2, value]), (x,))
    assert not report and report.places[0].index == (1,)
    assert "expected 12;" in repr(report)
    infinite = check.pair(np.sqrt, lambda x: np.inf, (0.0,))  # where it is infinite, infinity is right
    assert infinite or infinite.inconclusive, infinite


def test_none_stands_for_zero_wherever_a_derivative_is_given() -> None:
    def jvp(args: tuple, v: tuple) -> np.ndarray:
        return slope(args[0]) @ v[0]

    def hvp(args: tuple, v: tuple) -> tuple:
        return 6 * args[0] * v[0], None

    args = W, 2.0
    assert check.pair(cubes, lambda w, b: (slope(w), None), args, jvp=jvp)
    assert check.pair(cubes, lambda w, b: (slope(w), None), args, hvp=hvp)
    assert check.pair(cubes, lambda w, b: (slope(w), 0.0), args, hvp=hvp)
    assert not check.pair(cubes, lambda w, b: (slope(w), 0.0), args, hvp=lambda args, v: (None, None))


def test_a_forgotten_return_is_asked_about() -> None:
    cube = lambda w: np.sum(w**3)  # noqa: E731
    said = "returned None, which counts as 0: is a return missing?"
    assert f"note  gradient {said}" in repr(check.pair(cube, lambda w: None, (W,)))
    assert f"note  vjp {said}" in repr(check.pair(cube, None, (W,), vjp=lambda args, lam: None))
    assert "None" not in repr(check.pair(cube, lambda w: w, (W,)))
    assert check.pair(lambda w: 2.0, lambda w: None, (W,))  # it is right where nothing depends


def test_products_of_another_shape_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"jvp returned \(3, 1\), the result is \(3,\)"):
        check.pair(np.sin, None, (W,), jvp=lambda args, v: (np.cos(args[0]) * v[0])[:, None])
    with pytest.raises(TreeError, match="jvp returned 1 float results, f returns 2"):
        check.pair(lambda w: (w, w), None, (W,), jvp=lambda args, v: v[0])
    with pytest.raises(ShapeError, match=r"hvp returned \(\), the argument is \(3,\)"):
        check.pair(cubes, slope, (W,), hvp=lambda args, v: np.sum(v[0]))
    with pytest.raises(ShapeError, match=r"hessian returned \(3,\), should be \(3, 3\)"):
        check.pair(cubes, slope, (W,), hessian=lambda w: 6 * w)


def test_an_argument_that_is_reshaped_is_said_to_be() -> None:
    def reshaping(w: np.ndarray) -> np.ndarray:
        gradient = slope(w)
        w.shape = 3, 1
        return gradient

    report = check.pair(cubes, reshaping, (W.copy(),))
    assert not report and "gradient reshapes its argument w: (3,) became (3, 1)" in repr(report)


def test_a_kink_is_named() -> None:
    report = check.pair(lambda w: np.sum(np.abs(w)), np.sign, (np.array([1.0, 0.0, -2.0]),))
    assert report
    assert "kink at argument w[1]: slopes -1 and 1, received 0 between" in repr(report)


@pytest.mark.slow
def test_one_wrong_entry_in_a_million_within_twenty_evaluations() -> None:
    x = np.random.default_rng(0).normal(size=10**6)

    def wrong(w: np.ndarray) -> np.ndarray:
        g = np.cos(w)
        g[123456] += 0.1
        return g

    report = check.pair(lambda w: np.sum(np.sin(w)), np.cos, (x,))
    assert report and report.evaluations["f"] <= 20
    report = check.pair(lambda w: np.sum(np.sin(w)), wrong, (x,))
    assert report.evaluations["f"] <= 400, report.evaluations  # to find it, too
    assert report.places[0].index == (123456,)
