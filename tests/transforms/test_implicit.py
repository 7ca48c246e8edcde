"""root and fixed_point: closed forms, every mode and order, and what is said when there is no solution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import check
from adjoint.errors import ConvergenceError, DTypeError, LeakError, ShapeError

from ..helpers import close, message, normal

B = np.array([2.0, 3.0, 5.0])
X = normal(3, seed=7)
M = normal(3, 3) + 4 * np.eye(3)


def square_root(b: Any) -> Any:
    return ad.root(lambda z, b: z * z - b, np.ones(3), b)


def square_root_by_iteration(b: Any) -> Any:
    return ad.fixed_point(lambda z, b: 0.5 * (z + b / z), np.ones(3), b)  # Heron: ∂f/∂z = 0 at the solution


def damped(b: Any) -> Any:
    return ad.fixed_point(lambda z, b: z - 0.1 * (z * z - b), np.ones(3), b, tolerance=1e-15)


SOLVERS = {"root": square_root, "fixed point": square_root_by_iteration, "slow fixed point": damped}
each = pytest.mark.parametrize("solve", SOLVERS.values(), ids=SOLVERS)


@each
def test_square_root_in_every_mode_and_order(solve: Any) -> None:
    close(solve(B), np.sqrt(B), 1e-9)
    close(ad.grad(lambda b: np.sum(solve(b)))(B), 0.5 / np.sqrt(B), 1e-8)
    close(ad.jvp(solve, (B,), (np.ones(3),))[1], 0.5 / np.sqrt(B), 1e-8)
    close(ad.jacobian(solve)(B), np.diag(0.5 / np.sqrt(B)), 1e-8)
    close(ad.hessian(lambda b: np.sum(solve(b)))(B), np.diag(-0.25 * B**-1.5), 1e-7)
    close(ad.hvp(lambda b: np.sum(solve(b)), B, B), -0.25 * B**-0.5, 1e-7)
    third = ad.grad(ad.grad(ad.grad(lambda b: np.sum(solve(b * np.ones(3))))))(2.0)
    close(third, np.float64(3 * 0.375 * 2.0**-2.5), 1e-6)


@each
def test_checks_pass(solve: Any) -> None:
    # a solver's tolerance is noise to differences: in some directions more than the check allows
    rng = np.random.default_rng(0)
    check.gradients(lambda b: np.sum(solve(b) ** 3), [B], rng=rng).raise_on_failure()
    check.multipliers(lambda b: np.sum(solve(b * b) ** 3), [B]).raise_on_failure()


def test_linear_system_and_containers() -> None:
    def solve(params: dict[str, Any], b: Any) -> Any:
        return ad.root(lambda z, p, b: p["M"] @ z * p["scale"] - b, np.zeros(3), params, b)

    params = {"M": M, "scale": 2.0}
    z = np.linalg.solve(2 * M, B)
    close(solve(params, B), z, 1e-9)
    w = np.linalg.solve(2 * M.T, np.ones(3))
    expected = ({"M": -2 * np.outer(w, z), "scale": np.float64(-w @ M @ z)}, w)
    close(ad.grad(lambda p, b: np.sum(solve(p, b)), (0, 1))(params, B), expected, 1e-8)
    close(ad.grad(lambda b: np.sum(solve(params, b)))(B), w, 1e-8)
    close(ad.jvp(lambda b: solve(params, b), (B,), (X,))[1], np.linalg.solve(2 * M, X), 1e-8)
    v = {"M": normal(3, 3, seed=5), "scale": 0.5}
    change = np.linalg.solve(2 * M, -(2 * v["M"] + 0.5 * M) @ z)
    close(ad.jvp(lambda p: solve(p, B), (params,), (v,))[1], change, 1e-8)


def test_matrix_unknown_scalar_unknown_and_float32() -> None:
    a = M @ M.T
    z = ad.root(lambda z, a: z @ z - a, np.eye(3) * 3, a)
    np.testing.assert_allclose(z @ z, a, atol=1e-9)
    assert ad.grad(lambda a: np.sum(ad.root(lambda z, a: z @ z - a, np.eye(3) * 3, a)))(a).shape == (3, 3)
    close(
        ad.grad(lambda c: ad.root(lambda z, c: np.cos(z) - c * z, 0.5, c))(1.0),
        np.float64(-0.739085133215 / (1 + 0.673612029183)),
        1e-9,
    )
    small = B.astype(np.float32)
    g = ad.grad(lambda b: np.sum(ad.root(lambda z, b: z * z - b, np.ones(3, np.float32), b, tolerance=1e-5)))(
        small
    )
    assert g.dtype == np.float32
    np.testing.assert_allclose(g, 0.5 / np.sqrt(B), rtol=1e-5)


def test_arguments_that_are_no_floats_pass_through_every_mode() -> None:
    def solve(b: Any) -> Any:
        return ad.root(lambda z, b, n, mode: (z**n if mode == "power" else z) - b, np.ones(3), b, 2, "power")

    close(ad.jvp(solve, (B,), (np.ones(3),))[1], 0.5 / np.sqrt(B), 1e-8)
    close(ad.hessian(lambda b: np.sum(solve(b)))(B), np.diag(-0.25 * B**-1.5), 1e-7)


def test_start_does_not_count() -> None:
    def f(b: Any) -> Any:
        return np.sum(ad.root(lambda z, b: z * z - b, b * 0.5, b))

    close(ad.grad(f)(B), 0.5 / np.sqrt(B), 1e-8)
    close(ad.grad(lambda z0: np.sum(ad.root(lambda z: z * z - B, z0)))(np.ones(3)), np.zeros(3))
    assert ad.root(lambda z, c: z - c, 3, 7.0) == 7.0  # an integer start is a number like any other


def test_solver_of_the_users_own() -> None:
    calls: list[Any] = []

    def bisect(residual: Any, z0: Any) -> Any:
        calls.append(z0)
        low, high = 0.0, 10.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if residual(np.float64(middle)) < 0 else (low, middle)
        return low

    g = ad.grad(lambda b: ad.root(lambda z, b: z**3 - b, 1.0, b, solver=bisect))(8.0)
    close(g, np.float64(1 / 12), 1e-8)
    assert calls == [1.0]


def test_memory_does_not_grow_with_iterations() -> None:
    with ad.Tape() as tape:
        damped(tape.input(B))
    assert len(tape) == 2
    assert tape.label(1) == "fixed_point(<lambda>)#1"


# ----------------------------------------------------------------------------------------- refusals
def test_no_convergence() -> None:
    text = message(ConvergenceError, ad.root, lambda z, b: z * z + b, np.ones(3), B)
    assert text.startswith("root: Newton's method stopped at ‖g‖ = ")
    assert "Start closer (z0), raise max_steps, or pass solver=." in text
    text = message(ConvergenceError, ad.fixed_point, lambda z: 2 * z + 1, 1.0, max_steps=30)
    assert "fixed_point(<lambda>) did not settle in 30 steps: the last changed z by" in text
    assert "Is f a contraction? Damp it (z ← ½ (z + f(z))), raise max_steps, or use ad.root." in text
    assert "stopped" in message(ConvergenceError, ad.root, lambda z: z**3 - 8, 100.0, max_steps=2)
    assert "stopped" in message(ConvergenceError, ad.root, lambda z: 0.0 * z + 1, 1.0)


def test_nan_does_not_pass_for_a_solution() -> None:
    with np.errstate(all="ignore"):
        message(ConvergenceError, ad.root, lambda z: np.log(z) * np.nan, 1.0)
        message(ConvergenceError, ad.fixed_point, lambda z: z * np.nan, 1.0, max_steps=50)


@pytest.mark.parametrize("solve", [ad.root, ad.fixed_point])
def test_value_taken_from_the_surroundings_is_refused(solve: Any) -> None:
    def f(b: Any) -> Any:
        return np.sum(solve(lambda z: 0.5 * z + b - (z if solve is ad.root else 0.0), np.zeros(3)))

    text = message(LeakError, ad.grad(f), B)
    assert (
        "(<lambda>) uses a recorded value (add#" in text
        or "(<lambda>) uses a recorded value (subtract#" in text
    )
    assert "Pass it after z0" in text
    assert "Pass it after z0" in message(
        LeakError, ad.grad(lambda b: np.sum(solve(lambda z, c: b * c, B, b))), B
    )


@pytest.mark.parametrize("solve", [ad.root, ad.fixed_point])
def test_shape_of_the_function_is_checked(solve: Any) -> None:
    text = message(ShapeError, solve, lambda z: np.sum(z), np.ones(3))
    assert "(<lambda>) must return the shape of z: (3,), got ()" in text


def test_divergence_is_said_at_once() -> None:
    for slope in (2.0, np.nan):
        with (
            np.errstate(all="ignore"),
            pytest.raises(ad.ConvergenceError, match="diverged: z is not finite after"),
        ):
            ad.fixed_point(lambda z, a: a * z + 1.0, np.ones(2), slope)


def test_complex_roots_and_fixed_points() -> None:
    def square_root(a: Any) -> Any:
        return ad.root(lambda z, a: z * z - a, 1.0 + 1.0j, a)

    close(square_root(2j), np.complex128(1 + 1j))
    close(ad.holomorphic_grad(square_root)(2j), np.complex128(0.5 / (1 + 1j)))
    check.gradients(square_root, (2j,)).raise_on_failure()
    check.gradients(
        lambda a: ad.fixed_point(lambda z, a: 0.5 * np.conj(z) * a + a, 0j, a), (0.3 + 0.2j,)
    ).raise_on_failure()
    solved = {"solver": lambda residual, z0: np.complex128(-2j)}
    text = message(DTypeError, ad.root, lambda z, a: np.conj(z) - a, 1j, 2j, **solved)
    assert "is not holomorphic in z" in text and "real and imaginary parts" in text
