"""Gradients through `minimize`: against closed forms, differences, and solving again."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad
from adjoint import check

RNG = np.random.default_rng(3)
X, y = RNG.normal(size=(20, 4)), RNG.normal(size=20)
X_new, y_new = RNG.normal(size=(15, 4)), RNG.normal(size=15)


def ridge(w: np.ndarray, penalty: float) -> np.ndarray:
    return np.sum((X @ w - y) ** 2) + penalty * np.sum(w**2)


def validation(penalty: float) -> np.ndarray:
    return np.mean((X_new @ ad.minimize(ridge, np.zeros(4), args=(penalty,)).x - y_new) ** 2)


def test_bilevel_gradient_and_curvature_of_a_penalty() -> None:
    def closed(penalty: float) -> np.ndarray:
        w = np.linalg.solve(X.T @ X + penalty * np.eye(4), X.T @ y)
        return np.mean((X_new @ w - y_new) ** 2)

    np.testing.assert_allclose(ad.grad(validation)(1.5), ad.grad(closed)(1.5), rtol=1e-10)
    np.testing.assert_allclose(ad.grad(ad.grad(validation))(1.5), ad.grad(ad.grad(closed))(1.5), rtol=1e-9)
    np.testing.assert_allclose(ad.deriv(validation)(1.5), ad.grad(closed)(1.5), rtol=1e-10)


def test_the_best_penalty_is_a_problem_over_a_problem() -> None:
    """Bilevel: Newton steps in log λ need second derivatives of the inner solution."""
    w = np.array([0.3, 0.1, -0.2, 0.1])
    t, t_new = X @ w + 0.5 * y, X_new @ w + 0.5 * y_new

    def inner(w: np.ndarray, penalty: float) -> np.ndarray:
        return np.sum((X @ w - t) ** 2) + penalty * w @ w

    def outer(log_penalty: float) -> np.ndarray:
        return np.mean((X_new @ ad.minimize(inner, np.zeros(4), args=(np.exp(log_penalty),)).x - t_new) ** 2)

    def closed(log_penalty: float) -> np.ndarray:
        w = np.linalg.solve(X.T @ X + np.exp(log_penalty) * np.eye(4), X.T @ t)
        return np.mean((X_new @ w - t_new) ** 2)

    found = ad.minimize(outer, 0.0, bounds=(-5.0, 8.0))
    assert found.success and -4 < found.x < 7
    np.testing.assert_allclose(ad.grad(closed)(float(found.x)), 0, atol=1e-10)


def quadratic(x: np.ndarray, p: dict) -> np.ndarray:
    return 0.5 * np.sum((x - p["target"]) ** 2) + 0.1 * np.sum(x**4)


def everything(p: dict) -> np.ndarray:
    found = ad.minimize(
        quadratic,
        np.zeros(5),
        args=(p,),
        eq={"plane": lambda x, p: np.sum(x) - p["total"]},
        ineq={"ball": lambda x, p: np.sum(x**2) - p["radius"] ** 2},
        bounds=([-0.1, None, 0.25, None, None], [None, 3.0, 0.25, None, None]),
    )
    assert found.active["ball"] and found.active["lower"][0]
    mu = found.multipliers
    return np.sum(np.arange(5) * found.x) + mu["plane"] * mu["ball"] + np.sum(mu["lower"]) + found.fun


def test_x_fun_and_all_multipliers_have_gradients() -> None:
    p = {"target": np.array([-1.0, 2.0, 0.5, 0.4, -0.2]), "total": 1.0, "radius": 0.9}
    value, gradient = ad.value_and_grad(everything)(p)
    for key in p:
        for step in np.eye(np.size(p[key])):
            h = 1e-5 * np.reshape(step, np.shape(p[key]))
            difference = (everything({**p, key: p[key] + h}) - everything({**p, key: p[key] - h})) / 2e-5
            np.testing.assert_allclose(np.sum(gradient[key] * h) / 1e-5, difference, rtol=1e-6, atol=1e-8)
    assert np.isfinite(value)


def test_the_library_checks_it_twice() -> None:
    def projected(a: np.ndarray) -> np.ndarray:
        found = ad.minimize(
            lambda x, a: 0.5 * np.sum((x - a) ** 2), np.zeros(5), args=(a,), bounds=(0.0, None),
            eq={"sum": lambda x, a: np.sum(x) - 1.0},
        )  # fmt: skip
        return found.x

    a = np.array([0.9, 0.3, -1.0, 0.2, 0.5])
    assert check.gradients(lambda a: np.sum(projected(a) ** 3), (a,))
    support = (projected(a) > 0).astype(float)  # the projection onto a face: I − 11ᵀ/k
    exact = np.diag(support) - np.outer(support, support) / np.sum(support)
    np.testing.assert_allclose(ad.jacobian(projected)(a), exact, atol=1e-12)


def test_the_gradient_of_the_optimum_is_the_multiplier() -> None:
    def optimum(b: float) -> np.ndarray:
        return ad.minimize(
            lambda x, b: np.sum(x**4), np.ones(3), args=(b,), ineq={"g": lambda x, b: 3 - np.sum(x) - b}
        ).fun

    found = ad.minimize(lambda x: np.sum(x**4), np.ones(3), ineq={"g": lambda x: 3 - np.sum(x)})
    np.testing.assert_allclose(ad.grad(optimum)(0.0), -found.multipliers["g"], rtol=1e-10)
    np.testing.assert_allclose(ad.grad(optimum)(0.0), found.sensitivity("g").fun, rtol=1e-10)


def test_dependent_constraints_do_not_hinder() -> None:
    def at(b: float) -> np.ndarray:
        found = ad.minimize(
            lambda x, b: np.sum((x - 1) ** 2), np.zeros(2), args=(b,),
            eq={"once": lambda x, b: x[0] - b, "twice": lambda x, b: 2 * x[0] - 2 * b},
        )  # fmt: skip
        return found.x[0] + found.x[1]

    np.testing.assert_allclose(ad.grad(at)(0.3), 1.0)


def test_a_value_from_the_surroundings_is_refused() -> None:
    def lost(p: float) -> np.ndarray:
        return ad.minimize(lambda x: np.sum((x - p) ** 2), np.zeros(2)).x[0]

    def lost_in_constraint(p: float) -> np.ndarray:
        return ad.minimize(lambda x: np.sum(x**2), np.zeros(2), eq={"sum": lambda x: np.sum(x) - p}).x[0]

    def lost_in_bounds(p: float) -> np.ndarray:
        return ad.minimize(lambda x: np.sum(x**2), np.zeros(2), bounds=(p, None)).x[0]

    with pytest.raises(ad.LeakError, match=r"f uses a recorded value .* not among its"):
        ad.grad(lost)(1.0)
    with pytest.raises(ad.LeakError, match="constraint 'sum' uses a recorded value"):
        ad.grad(lost_in_constraint)(1.0)
    with pytest.raises(ad.LeakError, match="the lower bounds are recorded values"):
        ad.grad(lost_in_bounds)(1.0)
    with pytest.raises(ad.LeakError, match="x0 is a recorded value"):
        ad.grad(lambda p: ad.minimize(lambda x: x**2, p).fun)(1.0)


def test_a_value_from_the_surroundings_is_refused_wherever_it_is_met() -> None:
    def lost_later(p: float) -> np.ndarray:
        def f(x: np.ndarray) -> np.ndarray:
            return (x[0] - 1) ** 2 + (p * x[0] if x[0] > 0.5 else 0.0)

        return ad.minimize(f, np.zeros(1)).fun

    with pytest.raises(ad.LeakError, match="f uses a recorded value"):
        ad.grad(lost_later)(0.1)


@pytest.mark.parametrize(("target", "side"), [(0.0, "lower"), (3.0, "upper")])
def test_the_multiplier_of_a_fixed_unknown_belongs_to_the_side_that_pushes(target: float, side: str) -> None:
    def price(a: float, name: str) -> np.ndarray:
        bounds = (np.array([1.0, 0.0]), np.array([1.0, 5.0]))
        found = ad.minimize(
            lambda x, a: (x[0] - a) ** 2 + (x[1] - 2) ** 2, np.zeros(2), args=(a,), bounds=bounds
        )
        return found.multipliers[name][0]

    other = "upper" if side == "lower" else "lower"
    np.testing.assert_allclose(price(target, side), abs(2 * (1 - target)), atol=1e-10)
    value, slope = ad.value_and_grad(price)(target, side)
    np.testing.assert_allclose(
        [value, slope], [price(target, side), -2 if side == "lower" else 2], atol=1e-10
    )
    assert price(target, other) == 0 == ad.grad(price)(target, other)


def test_no_derivative_without_a_solution() -> None:
    def infeasible(p: float) -> np.ndarray:
        return ad.minimize(lambda x, p: x**2, 0.0, args=(p,), ineq={"a": lambda x, p: x**2 + p}).fun

    with pytest.raises(
        ad.ConvergenceError, match="where it has no solution: infeasible: the smallest violation"
    ):
        ad.grad(infeasible)(1.0)
    with pytest.raises(ad.DomainError, match="second-order sufficient condition fails"):
        ad.grad(lambda p: ad.minimize(lambda x, p: (x[0] - p) ** 2, np.zeros(2), args=(p,)).x[0])(1.0)
    with pytest.raises(ad.TraceError, match="minimize needs values"):
        ad.compile(lambda p: ad.minimize(lambda x, p: (x - p) ** 2, 0.0, args=(p,)).x)(1.0)
