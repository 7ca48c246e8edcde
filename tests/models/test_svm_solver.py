"""The quadratic programs of support vector machines: random ones, their KKT conditions and sensitivities."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from adjoint.models import SVC, DataError, OneClassSVM
from adjoint.models.svm_solver import Program, interval, project, solve

rng = np.random.default_rng(0)


def random_program(case: int) -> Program:
    """Programs with low rank, ties, copies, rows of zeros, fixed entries, several scales."""
    n = int(rng.integers(2, 40))
    V = rng.normal(size=(n, int(rng.integers(1, n + 1)))) * 10.0 ** rng.integers(-2, 3)
    if case % 3 == 0:
        V = np.round(V)
    if case % 4 == 0:
        V[rng.integers(n)] = V[rng.integers(n)]
    if case % 7 == 0:
        V[0] = 0.0
    t = np.sign(rng.normal(size=n)) if case % 2 else rng.normal(size=n)
    cost = 10.0 ** rng.integers(-3, 5)
    lower, upper = np.where(t > 0, 0.0, -cost), np.where(t > 0, cost, 0.0)
    if case % 5 == 0:
        lower, upper = -cost * rng.uniform(size=n), cost * rng.uniform(size=n)
    if case % 11 == 0:
        lower[0] = upper[0] = 0.0
    share = rng.uniform() if case % 5 == 0 else 0.0
    total = np.sum(lower) + share * np.sum(upper - lower) if share else 0.0
    return Program(V @ V.T, t, lower, upper, float(total))


def objective(program: Program, beta: np.ndarray) -> float:
    return float(0.5 * beta @ program.K @ beta - program.t @ beta)


def assert_solved(program: Program) -> None:
    point, nu = solve(program)
    K, t, lower, upper, total = program
    rounding = 1e-14 * np.max(np.abs(K)) * np.sum(np.abs(point.beta))
    limit = 10 * max(1e-9, rounding)
    assert not point.stalled
    assert np.all(point.beta >= lower) and np.all(point.beta <= upper)
    assert abs(np.sum(point.beta) - total) <= 1e-9 * np.sum(np.abs(point.beta))
    residual = K @ point.beta - t + nu
    assert np.all(residual[point.beta < upper] >= -limit)
    assert np.all(residual[point.beta > lower] <= limit)
    low, high = interval(program, point)
    assert low - limit <= nu <= high + limit


@pytest.mark.parametrize("block", range(5))
def test_random_programs(block):
    for case in range(60 * block, 60 * block + 60):
        assert_solved(random_program(case))


@pytest.mark.slow
def test_many_random_programs():
    for case in range(6000):
        assert_solved(random_program(case))


def test_indefinite_programs_end_at_stationary_points():
    for case in range(60):
        n = int(rng.integers(2, 30))
        A = rng.normal(size=(n, n))
        t, cost = np.sign(rng.normal(size=n)), 10.0 ** rng.integers(-2, 3)
        box = np.where(t > 0, 0.0, -cost), np.where(t > 0, cost, 0.0)
        program = Program(-A @ A.T if case % 3 == 0 else A + A.T, t, *box, 0.0)
        point, _ = solve(program)
        low, high = interval(program, point)
        assert not point.stalled and low - high <= 1e-8 * max(1.0, cost)


def test_few_dimensions_and_many_points():
    """Free entries that depend on each other: as many as points, where the kernel has rank 5."""
    X = rng.normal(size=(400, 5))
    t = np.sign(X[:, 0] + rng.normal(size=400))
    for cost in (1e-2, 1.0, 1e3):
        assert_solved(Program(X @ X.T, t, np.where(t > 0, 0.0, -cost), np.where(t > 0, cost, 0.0), 0.0))


def test_labels_without_any_pattern():
    """Far from the minimum's face: Newton's steps are cut short, and pairs look around in between."""
    X, t = rng.normal(size=(300, 6)), np.sign(rng.normal(size=300))
    K = np.exp(-0.1 * np.sum((X[:, None] - X) ** 2, axis=2))
    program = Program(K, t, np.where(t > 0, 0.0, -1e3), np.where(t > 0, 1e3, 0.0), 0.0)
    assert_solved(program)
    point, _ = solve(program)
    assert point.faces < 150 and point.moves > 900


def test_empty_feasible_set():
    for total in (2.1, -0.1):
        with pytest.raises(DataError) as caught:
            solve(Program(np.eye(2), np.ones(2), np.zeros(2), np.ones(2), total))
        assert f"the feasible set is empty: no β in its bounds sums to {total:g}" in str(caught.value)
        assert "Sums from 0 to 2 can be had." in str(caught.value)
    for total in (0.0, 2.0):
        point, _ = solve(Program(np.eye(2), np.ones(2), np.zeros(2), np.ones(2), total))
        assert_allclose(point.beta, total / 2)


def test_projection():
    for _ in range(50):
        v, lower = 3 * rng.normal(size=8), -rng.uniform(size=8)
        upper = lower + rng.uniform(size=8)
        total = float(np.sum(lower) + rng.uniform() * np.sum(upper - lower))
        found = project(v, lower, upper, total)
        assert_allclose(np.sum(found), total, atol=1e-12)
        shift = (found - v)[(found > lower) & (found < upper)]
        assert_allclose(shift, shift[:1].repeat(len(shift)), atol=1e-12)


# ------------------------------------------------------------------------------------------ sensitivity
def classification(model: SVC, X: np.ndarray, sign: np.ndarray, demand: np.ndarray, total: float) -> float:
    """The least dual objective when margins demand 1 − b and yᵀμ = c."""
    K, C = model._kernel.gram(X), float(model.C)
    program = Program(K, sign * demand, np.where(sign > 0, 0.0, -C), np.where(sign > 0, C, 0.0), total)
    return objective(program, solve(program)[0].beta)


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_multipliers_are_what_a_relaxed_margin_saves(kernel):
    """df*/db = −μ for 1 − ξ − y f ≤ b, and df*/dc = −ν for yᵀμ = c: re-solved at b ± h."""
    X = rng.normal(size=(40, 2))
    sign = np.where(X[:, 0] + 0.6 * rng.normal(size=40) > 0, 1.0, -1.0)
    model = SVC(kernel=kernel, gamma=0.5).fit(X, sign)
    h, ones = 1e-6, np.ones(40)
    price = model.sensitivity("margin")
    for i in [*model.support_[:6], *np.flatnonzero(price == 0)[:3]]:
        e = h * (np.arange(40) == i)
        # strong duality: the primal objective is minus the dual one
        up, down = (-classification(model, X, sign, ones - b, 0.0) for b in (e, -e))
        assert_allclose(price[i], (up - down) / (2 * h), atol=1e-5)
    up, down = (classification(model, X, sign, ones, c) for c in (h, -h))
    assert_allclose(model.sensitivity("balance"), (up - down) / (2 * h), atol=1e-5)
    assert np.min(price) < 0


def test_rho_is_the_price_of_nu():
    """One class: the dual objective ½ μᵀKμ over Σμ = c rises by ρ per unit of c."""
    X = rng.normal(size=(50, 2))
    model = OneClassSVM(nu=0.3, gamma=0.5).fit(X)
    K, zero, one = model._kernel.gram(X), np.zeros(50), np.ones(50)

    def least(total: float) -> float:
        program = Program(K, zero, zero, one, total)
        return objective(program, solve(program)[0].beta)

    measured = (least(15 + 1e-5) - least(15 - 1e-5)) / 2e-5
    assert_allclose(model.sensitivity("balance"), measured, rtol=1e-6)
    assert_allclose(model.offset_, measured, rtol=1e-6)
