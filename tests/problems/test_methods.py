"""The other methods: they agree with the small one, with closed forms, and say what they are for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

import adjoint as ad
from adjoint.problems import Ascent, Doubt, Status

RNG = np.random.default_rng(11)


def hs071(method: str) -> ad.Solution:
    return ad.minimize(
        lambda x: x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2],
        np.array([1.0, 5, 5, 1]),
        eq={"ball": lambda x: np.sum(x**2) - 40},
        ineq={"product": lambda x: 25 - np.prod(x)},
        bounds=(1.0, 5.0),
        method=method,
    )


def test_augmented_lagrangian_agrees_with_newton() -> None:
    large, small = hs071("augmented"), hs071("newton")
    assert large.status is Status.SOLVED and large.residuals.hold(1e-10)
    np.testing.assert_allclose(large.x, small.x, atol=1e-9)
    for name, mu in small.multipliers.items():
        np.testing.assert_allclose(large.multipliers[name], mu, atol=1e-9, err_msg=name)
    assert large.method.startswith("augmented (as asked for; 4 unknowns")
    with pytest.raises(ad.DomainError, match=r"augmented .* does not form the KKT matrix"):
        large.sensitivity("ball")


def test_a_large_problem_is_solved_to_rounding() -> None:
    """Projection of 500 numbers onto the simplex; its multiplier is the threshold."""
    y = RNG.normal(size=500)
    found = ad.minimize(
        lambda x: 0.5 * np.sum((x - y) ** 2),
        np.zeros(500),
        eq={"sum": lambda x: np.sum(x) - 1},
        bounds=(0.0, None),
    )
    assert found.method.startswith("augmented (500 unknowns") and found.status is Status.SOLVED
    assert found.residuals.hold(1e-10)
    theta = found.multipliers["sum"]
    threshold = optimize.brentq(lambda t: np.sum(np.maximum(y - t, 0)) - 1, -1, 5, xtol=1e-14)
    np.testing.assert_allclose(theta, threshold, atol=1e-10)
    np.testing.assert_allclose(found.x, np.maximum(y - theta, 0), atol=1e-10)


def test_large_problems_without_a_solution() -> None:
    infeasible = ad.minimize(
        lambda x: np.sum(x**2),
        np.ones(2),
        ineq={"a": lambda x: x[0] - 1, "b": lambda x: 2 - x[0]},
        method="augmented",
    )
    assert infeasible.status is Status.INFEASIBLE
    np.testing.assert_allclose(infeasible.violation, 0.5, atol=1e-6)
    np.testing.assert_allclose(list(infeasible.certificate.values()), 0.5, atol=1e-6)
    unbounded = ad.minimize(lambda x: -x[0] - x[1], np.ones(2), bounds=(0.0, None), method="augmented")
    assert unbounded.status is Status.UNBOUNDED
    np.testing.assert_allclose(unbounded.certificate, np.sqrt([0.5, 0.5]))
    crossed = ad.minimize(lambda x: np.sum(x**2), np.ones(2), bounds=(2.0, 1.0), method="augmented")
    assert crossed.status is Status.INFEASIBLE and crossed.violation == 0.5


def test_water_filling_by_dual_ascent() -> None:
    a = RNG.uniform(0.1, 1.0, 10)

    def rate(x: np.ndarray) -> np.ndarray:
        return -np.sum(np.log(a + x))

    def filled(multipliers: dict) -> np.ndarray:
        return np.maximum(0, 1 / multipliers["power"] - a)

    power = {"power": lambda x: np.sum(x) - 1}
    found = ad.minimize(rate, np.full(10, 0.1), eq=power, bounds=(0.0, None), inner=filled)
    assert found.method.startswith("dual (10 unknowns") and "inner minimiser is given" in found.method
    assert found.status is Status.SOLVED and found.residuals.hold(1e-10)
    level = optimize.brentq(lambda level: np.sum(np.maximum(0, level - a)) - 1, 0, 3, xtol=1e-15)
    np.testing.assert_allclose(found.multipliers["power"], 1 / level, rtol=1e-10)
    np.testing.assert_allclose(found.sensitivity("power").fun, -1 / level, rtol=1e-10)
    unstated = ad.minimize(
        rate, np.full(10, 0.1), eq=power, inner=filled
    )  # inner's own x ≥ 0 is no constraint
    assert unstated.status is Status.RESTRICTED and "state it by bounds" in unstated.message


def test_entropic_transport_by_dual_ascent_takes_few_steps() -> None:
    cost, eps = RNG.uniform(size=(4, 5)), 0.2
    p, q = np.full(4, 0.25), np.array([0.1, 0.2, 0.3, 0.2, 0.2])
    found = ad.minimize(
        lambda P: np.sum(P * cost) + eps * np.sum(P * (np.log(P) - 1)),
        np.outer(p, q),
        eq={"rows": lambda P: np.sum(P, 1) - p, "columns": lambda P: np.sum(P, 0) - q},
        inner=lambda nu: np.exp(-(cost + nu["rows"][:, None] + nu["columns"]) / eps),
    )
    assert found.status is Status.SOLVED and found.residuals.hold(1e-10) and found.steps <= 10
    assert Doubt.LICQ in found.doubts


def test_dual_inequalities_and_infeasibility() -> None:
    Q, limit = np.array([1.0, 2, 3]), np.array([0.5, 0.9, 0.1])

    def f(x: np.ndarray) -> np.ndarray:
        return 0.5 * np.sum(Q * x**2) - np.sum(x)

    found = ad.minimize(
        f, np.zeros(3), ineq={"top": lambda x: x - limit}, inner=lambda mu: (1 - mu["top"]) / Q
    )
    assert found.status is Status.SOLVED
    np.testing.assert_allclose(found.x, np.minimum(1 / Q, limit), atol=1e-12)
    np.testing.assert_allclose(found.multipliers["top"], np.maximum(0, 1 - Q * limit), atol=1e-12)
    none = ad.minimize(
        f, np.zeros(3), ineq={"low": lambda x: x[0] + 1, "high": lambda x: 1 - x[0]},
        inner=lambda mu: (1 - np.array([1.0, 0, 0]) * (mu["low"] - mu["high"])) / Q,
    )  # fmt: skip
    assert none.status is Status.INFEASIBLE
    np.testing.assert_allclose([none.certificate["low"], none.certificate["high"]], 0.5, atol=1e-6)


def test_dual_inequalities_that_compete() -> None:
    """Multipliers that rise first and must fall to zero again: the projection onto μ ≥ 0 is at work."""
    rng = np.random.default_rng(8)
    for _ in range(5):
        M, G, c = rng.normal(size=(6, 6)), rng.normal(size=(8, 6)), 3 * rng.normal(size=6)
        Q = M @ M.T + 0.3 * np.eye(6)
        d = G @ rng.normal(size=6)
        given = {"ineq": {"g": lambda x, G=G, d=d: G @ x - d}}

        def f(x: np.ndarray, Q: np.ndarray = Q, c: np.ndarray = c) -> np.ndarray:
            return 0.5 * x @ Q @ x + c @ x

        def inner(mu: dict, Q: np.ndarray = Q, G: np.ndarray = G, c: np.ndarray = c) -> np.ndarray:
            return -np.linalg.solve(Q, c + G.T @ mu["g"])

        found, reference = (
            ad.minimize(f, np.zeros(6), **given, inner=inner),
            ad.minimize(f, np.zeros(6), **given),
        )
        assert found.status is Status.SOLVED and found.residuals.hold(1e-9), found
        np.testing.assert_allclose(found.multipliers["g"], reference.multipliers["g"], atol=1e-7)


def noisy() -> tuple[list, np.ndarray, np.ndarray]:
    """Costs (1, 2) and returns (1, 1) per unit, seen with noise; at least 1 in return."""
    C = np.array([1.0, 2.0]) + 0.3 * RNG.normal(size=(400, 2))
    A = np.array([1.0, 1.0]) + 0.1 * RNG.normal(size=(400, 2))
    C, A = C - C.mean(0) + [1, 2], A - A.mean(0) + 1
    return [(C[k : k + 20], A[k : k + 20]) for k in range(0, 400, 20)], C, A


def test_minibatches_and_multipliers_that_do_not_oscillate() -> None:
    batches, _, _ = noisy()

    def solve(ascent: Ascent) -> ad.Solution:
        return ad.minimize(
            lambda x, C, A: np.mean(C @ x) + 0.05 * x @ x, np.zeros(2), bounds=(0.0, None),
            ineq={"return": lambda x, C, A: 1 - np.mean(A @ x)}, batches=batches,
            rng=np.random.default_rng(2), optimizer=ad.optim.sgd(0.05), ascent=ascent, max_steps=1500,
        )  # fmt: skip

    exact = 1.1  # x = (1, 0): 1 + 0.1 x₀ − μ = 0
    spread, top = {}, {}
    for name, ascent in {"plain": Ascent(0.05, damping=0.0), "damped": Ascent(0.05, damping=0.5)}.items():
        found = solve(ascent)
        path = np.array([line.multipliers[0] for line in found.history])
        spread[name], top[name] = np.max(np.abs(path[200:300] - exact)), np.max(path)
        assert found.status is Status.SOLVED and found.method.startswith("primal-dual (")
        np.testing.assert_allclose(found.multipliers["return"], exact, atol=5e-3)
        np.testing.assert_allclose(found.x, [1, 0], atol=1e-2)
    assert spread["plain"] > 5 * spread["damped"], spread
    assert top["plain"] > top["damped"], top
    assert found.residuals.hold(1e-2) and found.tolerance == 1e-2


def test_batches_drawn_by_a_function_are_reproducible() -> None:
    def draw(rng: np.random.Generator) -> np.ndarray:
        return rng.normal(1.0, 0.1, 10)

    def solve() -> ad.Solution:
        return ad.minimize(
            lambda x, b: np.mean((x - b) ** 2), 0.0, batches=draw, rng=np.random.default_rng(4),
            max_steps=1500, ineq={"cap": lambda x, b: x - 0.5},
        )  # fmt: skip

    first, again = solve(), solve()
    assert first.x == again.x and abs(first.x - 0.5) < 0.02
    assert abs(first.multipliers["cap"] - 1.0) < 0.1


def test_methods_ask_for_what_they_need() -> None:
    def f(x: np.ndarray) -> np.ndarray:
        return np.sum(x**2)

    with pytest.raises(ValueError, match="unknown method 'simplex': there are 'newton', 'augmented', 'dual'"):
        ad.minimize(f, np.ones(2), method="simplex")
    with pytest.raises(ValueError, match="method 'dual' needs inner="):
        ad.minimize(f, np.ones(2), method="dual")
    with pytest.raises(ValueError, match="'newton' does not take batches="):
        ad.minimize(f, np.ones(2), method="newton", batches=[1.0])
    with pytest.raises(TypeError, match="minimize has no option 'tol'; there are tolerance, max_steps"):
        ad.minimize(f, np.ones(2), tol=1e-3)
    with pytest.raises(ValueError, match="tolerance must be positive, got -1"):
        ad.minimize(f, np.ones(2), tolerance=-1)
    with pytest.raises(ad.ShapeError, match="batches is empty"):
        ad.minimize(lambda x, b: np.sum(x), np.ones(2), batches=[])
    with pytest.raises(
        ad.ShapeError, match=r"inner must return x in the containers and shapes of x0, \[\(2,\)\]"
    ):
        ad.minimize(f, np.ones(2), eq={"s": lambda x: np.sum(x) - 1}, inner=lambda nu: np.ones(3))
    with pytest.raises(ad.DomainError, match="inner is not finite at any of the multipliers tried"):
        ad.minimize(
            f, np.ones(2), eq={"s": lambda x: np.sum(x) - 1}, inner=lambda nu: nu["s"] * np.nan * np.ones(2)
        )


def test_problem_is_minimize_as_an_object() -> None:
    problem = ad.Problem(
        lambda x, a: np.sum((x - a) ** 2),
        eq={"sum": lambda x, a: np.sum(x) - 1},
        bounds=(0.0, [1.0, 1.0, 0.0]),
    )
    a = np.array([2.0, -1.0, 3.0])
    found = problem.solve(np.zeros(3), args=(a,))
    assert found.status is Status.SOLVED
    again = problem.residuals(found.x, found.multipliers, a)
    np.testing.assert_allclose(again.worst, 0, atol=1e-12)
    np.testing.assert_allclose(problem.lagrangian(found.x, found.multipliers, a), found.fun, atol=1e-12)
    wrong = {**found.multipliers, "sum": found.multipliers["sum"] + 1}
    assert problem.residuals(found.x, wrong, a).stationarity > 0.05
    with pytest.raises(ad.UnknownNameError, match="no constraint 'total'; there are sum"):
        problem.residuals(found.x, {"total": 0.0}, a)


def test_compiled_derivatives_give_the_same_answer() -> None:
    def solve(compile: bool) -> ad.Solution:
        return ad.minimize(
            lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2, np.array([-1.2, 1.0]), compile=compile,
            ineq={"disk": lambda x: x @ x - 1},
        )  # fmt: skip

    np.testing.assert_allclose(solve(True).x, solve(False).x, atol=1e-12)
