"""Programs that step through time: a stirred fluid, an equation with a network in it, fixed points, walks."""

from __future__ import annotations

from typing import Any

import numpy as onp
import pytest
import scipy.optimize
from scipy.linalg import expm

import adjoint.numpy as np
from adjoint import (
    TraceError,
    compile,
    grad,
    hessian,
    hessian_vector_product,
    make_jvp,
    value_and_grad,
)
from adjoint.misc.fixed_points import fixed_point
from adjoint.scipy.integrate import odeint

from .harness import follows, same_compiled

# ------------------------------------------------------------------------------------------- a fluid
SIZE = 10
ROWS, COLUMNS = onp.meshgrid(onp.arange(SIZE), onp.arange(SIZE), indexing="ij")


def laplacian_of(p: Any) -> Any:
    return np.roll(p, 1, axis=0) + np.roll(p, -1, axis=0) + np.roll(p, 1, axis=1) + np.roll(p, -1, axis=1)


def project(vx: Any, vy: Any) -> Any:
    """The field without its divergence, nearly: some sweeps of Jacobi's method for the pressure."""
    div = -0.5 * (
        np.roll(vx, -1, axis=1) - np.roll(vx, 1, axis=1) + np.roll(vy, -1, axis=0) - np.roll(vy, 1, axis=0)
    )
    p = np.zeros(vx.shape)
    for _ in range(8):
        p = (div + laplacian_of(p)) / 4.0
    vx = vx - 0.5 * (np.roll(p, -1, axis=1) - np.roll(p, 1, axis=1))
    vy = vy - 0.5 * (np.roll(p, -1, axis=0) - np.roll(p, 1, axis=0))
    return vx, vy


def advect(f: Any, vx: Any, vy: Any) -> Any:
    """f carried along: read, between four cells, where each cell's content came from."""
    x, y = COLUMNS - vx, ROWS - vy
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    rw, bw = x - left, y - top
    left, right = np.mod(left, SIZE), np.mod(left + 1, SIZE)
    top, bottom = np.mod(top, SIZE), np.mod(top + 1, SIZE)
    upper = (1 - rw) * f[top, left] + rw * f[top, right]
    lower = (1 - rw) * f[bottom, left] + rw * f[bottom, right]
    return (1 - bw) * upper + bw * lower


def simulate(vx: Any, vy: Any, smoke: Any, steps: int) -> Any:
    for _ in range(steps):
        vx, vy = advect(vx, vx, vy), advect(vy, vx, vy)
        vx, vy = project(vx, vy)
        smoke = advect(smoke, vx, vy)
    return smoke


def fluid() -> tuple[Any, Any, Any]:
    rng = onp.random.default_rng(1)
    wave = onp.sin(2 * onp.pi * ROWS / SIZE)
    return 0.3 * wave + 0.1 * rng.normal(size=(2, SIZE, SIZE)), onp.where(COLUMNS < 5, 1.0, 0.0) + wave, wave


def test_fluid_whose_start_is_found_by_its_end() -> None:
    velocity, smoke, target = fluid()

    def distance(v: Any) -> Any:
        return np.mean((simulate(v[0], v[1], smoke, 3) - target) ** 2)

    value, g = value_and_grad(distance)(velocity)
    follows(distance, velocity, g, h=1e-4)  # small, not to pass from cell to cell, where the slope jumps
    assert value == distance(velocity)
    found = scipy.optimize.minimize(
        value_and_grad(lambda v: distance(np.reshape(v, (2, SIZE, SIZE)))),
        velocity.ravel(), jac=True, method="CG", options={"maxiter": 10},
    )  # fmt: skip
    assert found.fun < 0.3 * value
    still = simulate(onp.zeros((SIZE, SIZE)), onp.zeros((SIZE, SIZE)), smoke, 3)
    onp.testing.assert_array_equal(still, smoke)  # nothing moves by itself
    # compiled, what is read at computed places must be an argument: a plain array asks for plain indices
    same_compiled(lambda v, f: np.mean((simulate(v[0], v[1], f, 1) - target) ** 2), velocity, smoke)
    with pytest.raises(TraceError, match="Pass that array to the function"):
        compile(distance)(velocity)


# ------------------------------------------------------------------------- a network in an equation
TIMES = onp.linspace(0.0, 2.0, 5)
MATRIX = onp.array([[-0.1, 2.0], [-2.0, -0.1]])
SPIRAL = onp.stack([expm(MATRIX * s) @ [2.0, 0.0] for s in TIMES])


def field(y: Any, t: Any, p: list[tuple[Any, Any]]) -> Any:
    for w, b in p[:-1]:
        y = np.tanh(np.dot(y, w) + b)
    return np.dot(y, p[-1][0]) + p[-1][1]


def distance_from_spiral(p: Any, error: float = 1e-11) -> Any:
    # small, so that differences show the slope and not LSODA's steps
    path = odeint(field, np.array([2.0, 0.0]), TIMES, (p,), rtol=error, atol=error)
    return np.mean((path - SPIRAL) ** 2)


def test_network_in_an_equation_follows_a_spiral() -> None:
    rng = onp.random.default_rng(2)
    p = [(0.5 * rng.normal(size=s), 0.1 * rng.normal(size=s[1])) for s in ((2, 4), (4, 2))]
    follows(distance_from_spiral, p, grad(distance_from_spiral)(p), h=4e-3)
    exact = [(MATRIX.T.copy(), onp.zeros(2))]  # one layer can be the very equation
    assert distance_from_spiral(exact) == pytest.approx(0, abs=1e-17)
    same_compiled(
        distance_from_spiral, p, steps=("odeint(field)", "adjoint of odeint(field)"), factor=1e6
    )  # LSODA's steps answer rounding
    linear = [(MATRIX.T + 0.2 * rng.normal(size=(2, 2)), 0.1 * rng.normal(size=2))]

    def by_vector(x: Any) -> Any:
        return distance_from_spiral([(np.reshape(x[:4], (2, 2)), x[4:])], 1e-6)

    start = onp.concatenate([linear[0][0].ravel(), linear[0][1]])
    found = scipy.optimize.minimize(value_and_grad(by_vector), start, jac=True, method="BFGS", tol=1e-4)
    onp.testing.assert_allclose(found.x, onp.concatenate([MATRIX.T.ravel(), onp.zeros(2)]), atol=1e-3)


# ------------------------------------------------------------------------------------------ fixed points
def heron(a: Any) -> Any:
    return lambda x: 0.5 * (x + a / x)


def root_of(a: Any) -> Any:
    return fixed_point(heron, a, 1.0, lambda x, y: np.abs(x - y), 1e-12)


def test_fixed_point_by_its_equation() -> None:
    assert grad(root_of)(2.0) == pytest.approx(0.5 / onp.sqrt(2.0), rel=1e-9)
    assert grad(grad(root_of))(2.0) == pytest.approx(-0.25 * 2.0**-1.5, rel=1e-8)


# -------------------------------------------------------------------------------------------- Rosenbrock
def rosenbrock(x: Any) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2.0) ** 2.0 + (1 - x[:-1]) ** 2.0)


X0 = onp.array([1.3, 0.7, 0.8, 1.9, 1.2])


def test_rosenbrock_against_scipy_and_by_its_optimizers() -> None:
    onp.testing.assert_allclose(grad(rosenbrock)(X0), scipy.optimize.rosen_der(X0), rtol=1e-12)
    onp.testing.assert_allclose(hessian(rosenbrock)(X0), scipy.optimize.rosen_hess(X0), rtol=1e-12, atol=1e-9)
    v, product = onp.arange(5.0), hessian_vector_product(rosenbrock)
    onp.testing.assert_allclose(product(X0, v), scipy.optimize.rosen_hess_prod(X0, v), rtol=1e-12)
    assert make_jvp(rosenbrock)(X0)(v)[1] == pytest.approx(scipy.optimize.rosen_der(X0) @ v)
    ways: list[dict[str, Any]] = [
        {"method": "BFGS"},
        {"method": "Newton-CG", "hess": hessian(rosenbrock)},
        {"method": "trust-ncg", "hessp": product},
        {"method": "trust-exact", "hess": hessian(rosenbrock)},
    ]
    for way in ways:
        found = scipy.optimize.minimize(rosenbrock, X0, jac=grad(rosenbrock), tol=1e-9, **way)
        onp.testing.assert_allclose(found.x, onp.ones(5), atol=1e-5)
    same_compiled(rosenbrock, X0)
