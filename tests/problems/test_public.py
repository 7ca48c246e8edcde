"""Public test problems: x* and multipliers against closed forms, SciPy and cvxpy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

import adjoint as ad
from adjoint.problems import Doubt, Status

RNG = np.random.default_rng(5)


def certified(solution: ad.Solution, tolerance: float = 1e-8) -> ad.Solution:
    assert solution.status is Status.SOLVED, solution
    assert solution.residuals.hold(tolerance), solution
    return solution


def hs071(x: np.ndarray) -> np.ndarray:
    return x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]


HS071 = {
    "eq": {"ball": lambda x: np.sum(x**2) - 40},
    "ineq": {"product": lambda x: 25 - np.prod(x)},
    "bounds": (1.0, 5.0),
}


@pytest.mark.parametrize("start", [[1, 5, 5, 1], [100, -50, 500, 1], [3, 3, 3, 3]])
def test_hs071(start: list[float]) -> None:
    """Hock and Schittkowski's problem 71; its published solution, and the multipliers of Ipopt's manual."""
    found = certified(ad.minimize(hs071, np.array(start, float), **HS071))
    np.testing.assert_allclose(found.x, [1, 4.74299963, 3.82114998, 1.37940829], atol=1e-8)
    np.testing.assert_allclose(found.fun, 17.0140172891563, atol=1e-8)
    np.testing.assert_allclose(found.multipliers["product"], 0.55229366, atol=1e-8)
    np.testing.assert_allclose(found.multipliers["ball"], 0.16146857, atol=1e-8)
    np.testing.assert_allclose(found.multipliers["lower"], [1.08787121, 0, 0, 0], atol=1e-7)
    assert found.residuals.worst < 1e-10 and not found.doubts


def rosenbrock(x: np.ndarray) -> np.ndarray:
    return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


def test_rosenbrock_on_the_disk() -> None:
    found = certified(ad.minimize(rosenbrock, np.array([-1.2, 1.0]), ineq={"disk": lambda x: x @ x - 1}))

    def on_circle(angle: float) -> float:
        return rosenbrock(np.array([np.cos(angle), np.sin(angle)]))

    angle = optimize.minimize_scalar(on_circle, bounds=(0.5, 0.8), options={"xatol": 1e-12}).x
    np.testing.assert_allclose(found.x, [np.cos(angle), np.sin(angle)], atol=1e-8)
    x = found.x  # ∇f + 2μx = 0, in each coordinate
    slope = optimize.rosen_der(x)
    np.testing.assert_allclose(found.multipliers["disk"] * 2 * x, -slope, atol=1e-10)


@pytest.mark.parametrize("linear", [[0.3, 1.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.1, 0.0]])
def test_trust_region_subproblem(linear: list[float]) -> None:
    """min ½xᵀAx + bᵀx, ‖x‖² ≤ 4: (A + 2μI)x = −b, A + 2μI ⪰ 0; with b₀ = 0 it is the hard case, 2μ = −λ₁."""
    A, b = np.diag([-2.0, 1.0, 3.0]), np.array(linear)
    x0 = np.array([0.0, 0.1, 0.1])
    found = certified(ad.minimize(lambda x: 0.5 * x @ A @ x + b @ x, x0, ineq={"ball": lambda x: x @ x - 4}))
    mu = float(found.multipliers["ball"])
    np.testing.assert_allclose((A + 2 * mu * np.eye(3)) @ found.x, -b, atol=1e-10)
    assert np.min(np.linalg.eigvalsh(A + 2 * mu * np.eye(3))) >= -1e-10  # a global minimum
    np.testing.assert_allclose(found.x @ found.x, 4, atol=1e-10)
    if b[0] == 0:
        np.testing.assert_allclose(mu, 1, atol=1e-10)


def markowitz() -> tuple[np.ndarray, np.ndarray]:
    returns = RNG.normal(size=(60, 6)) * 0.05 + np.linspace(0.01, 0.04, 6)
    return np.cov(returns.T), returns.mean(0)


def test_markowitz_with_short_sales_is_a_linear_system() -> None:
    S, r = markowitz()
    target = 0.03
    found = certified(
        ad.minimize(
            lambda w: 0.5 * w @ S @ w,
            np.ones(6) / 6,
            eq={"budget": lambda w: np.sum(w) - 1, "return": lambda w: r @ w - target},
        )
    )
    rows = np.stack([np.ones(6), r])
    system = np.block([[S, rows.T], [rows, np.zeros((2, 2))]])
    exact = np.linalg.solve(system, [0] * 6 + [1, target])
    np.testing.assert_allclose(found.x, exact[:6], atol=1e-8)
    np.testing.assert_allclose(found.multipliers["budget"], exact[6], atol=1e-8)
    np.testing.assert_allclose(found.multipliers["return"], exact[7], atol=1e-8)


def test_markowitz_without_short_sales_agrees_with_cvxpy() -> None:
    cp = pytest.importorskip("cvxpy")
    S, r = markowitz()
    target = 0.035
    found = certified(
        ad.minimize(
            lambda w: 0.5 * w @ S @ w,
            np.ones(6) / 6,
            eq={"budget": lambda w: np.sum(w) - 1},
            ineq={"return": lambda w: target - r @ w},
            bounds=(0.0, None),
        )
    )
    w = cp.Variable(6)
    budget, wanted, long = cp.sum(w) == 1, target - r @ w <= 0, -w <= 0
    problem = cp.Problem(cp.Minimize(0.5 * cp.quad_form(w, cp.psd_wrap(S))), [budget, wanted, long])
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    np.testing.assert_allclose(found.x, w.value, atol=1e-8)
    np.testing.assert_allclose(found.multipliers["budget"], budget.dual_value, atol=1e-8)
    np.testing.assert_allclose(found.multipliers["return"], wanted.dual_value, atol=1e-8)
    np.testing.assert_allclose(found.multipliers["lower"], long.dual_value, atol=1e-8)
    assert np.any(found.active["lower"])


def test_water_filling() -> None:
    """Max Σ log(a + x), Σx = 1, x ≥ 0: x = max(0, 1/ν − a) at one water level 1/ν."""
    a = RNG.uniform(0.1, 1.0, 12)
    found = certified(
        ad.minimize(
            lambda x: -np.sum(np.log(a + x)),
            np.full(12, 1 / 12),
            eq={"power": lambda x: np.sum(x) - 1},
            bounds=(0.0, None),
        )
    )
    level = optimize.brentq(lambda level: np.sum(np.maximum(0, level - a)) - 1, 0, 3, xtol=1e-15)
    np.testing.assert_allclose(found.x, np.maximum(0, level - a), atol=1e-10)
    np.testing.assert_allclose(found.multipliers["power"], 1 / level, atol=1e-10)
    np.testing.assert_allclose(found.multipliers["lower"], np.maximum(0, 1 / level - 1 / a), atol=1e-9)


def test_simplex_projection() -> None:
    y = RNG.normal(size=40)
    found = certified(
        ad.minimize(
            lambda x: 0.5 * np.sum((x - y) ** 2),
            np.zeros(40),
            eq={"sum": lambda x: np.sum(x) - 1},
            bounds=(0.0, None),
        )
    )
    ordered = np.sort(y)[::-1]  # Held, Wolfe and Crowder 1974
    sums = (np.cumsum(ordered) - 1) / np.arange(1, 41)
    theta = sums[np.sum(ordered > sums) - 1]
    np.testing.assert_allclose(found.x, np.maximum(y - theta, 0), atol=1e-12)
    np.testing.assert_allclose(found.multipliers["sum"], theta, atol=1e-12)
    np.testing.assert_allclose(found.multipliers["lower"], np.maximum(theta - y, 0), atol=1e-12)


def test_entropic_transport() -> None:
    """Sinkhorn's scaling P = diag(u) K diag(v); its potentials are the multipliers of the marginals."""
    cost, eps = RNG.uniform(size=(4, 5)), 0.2
    p, q = np.full(4, 0.25), np.array([0.1, 0.2, 0.3, 0.2, 0.2])
    found = certified(
        ad.minimize(
            lambda P: np.sum(P * cost) + eps * np.sum(P * (np.log(P) - 1)),
            np.outer(p, q),
            eq={"rows": lambda P: np.sum(P, 1) - p, "columns": lambda P: np.sum(P, 0) - q},
        )
    )
    K, v = np.exp(-cost / eps), np.ones(5)
    for _ in range(3000):
        u = p / (K @ v)
        v = q / (K.T @ u)
    np.testing.assert_allclose(found.x, u[:, None] * K * v, atol=1e-10)
    potentials = -found.multipliers["rows"][:, None] - found.multipliers["columns"]
    np.testing.assert_allclose(potentials, eps * (np.log(u)[:, None] + np.log(v)), atol=1e-9)
    assert Doubt.LICQ in found.doubts  # rows and columns have the same total: potentials up to a shift


def test_linear_programs_agree_with_highs() -> None:
    A, x = RNG.normal(size=(8, 5)), RNG.normal(size=5)
    b, c = A @ x + RNG.uniform(0.1, 1, 8), -RNG.uniform(size=8) @ A
    found = certified(ad.minimize(lambda x: c @ x, np.zeros(5), ineq={"polytope": lambda x: A @ x - b}))
    exact = optimize.linprog(c, A, b, bounds=(None, None), method="highs")
    np.testing.assert_allclose(found.x, exact.x, atol=1e-9)
    np.testing.assert_allclose(found.multipliers["polytope"], -exact.ineqlin.marginals, atol=1e-9)
