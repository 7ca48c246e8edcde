"""Complex numbers: λ of a real loss is ∂ℓ/∂x − i ∂ℓ/∂y, everywhere and to every order."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad
from adjoint import check
from adjoint.ops.elementwise import Elementwise
from adjoint.ops.primitive import PRIMITIVES

from ..helpers import close, message

Z = np.array([1.0 + 2.0j, 0.3 - 1.0j, -0.7 + 0.1j])
X = np.array([0.4, -1.1, 2.0])

# ℓ(z) and what calculus says of ∂ℓ/∂x − i ∂ℓ/∂y
LOSSES = {
    "|z|²": (lambda z: np.sum(np.abs(z) ** 2), lambda z: 2 * z.conj()),
    "|z|": (lambda z: np.sum(np.abs(z)), lambda z: z.conj() / abs(z)),
    "Re z": (lambda z: np.sum(np.real(z)), lambda z: np.ones(3) + 0j),
    "Im z": (lambda z: np.sum(z.imag), lambda z: -1j * np.ones(3)),
    "arg z": (lambda z: np.sum(np.angle(z)), lambda z: -1j / z),
    "Re eᶻ": (lambda z: np.sum(np.exp(z)).real, np.exp),
    "Re z̄³": (lambda z: np.sum(z.conj() ** 3).real, lambda z: 3 * z**2),
    "z̄ᵀz": (lambda z: np.real(np.vdot(z, z)), lambda z: 2 * z.conj()),
    "var": (lambda z: np.var(z), lambda z: 2 * (z - z.mean()).conj() / 3),
    "sign": (
        lambda z: np.sum(np.real(np.sign(z))),
        lambda z: (1 - z.conj() ** 2 / abs(z) ** 2) / (2 * abs(z)),
    ),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_are_those_of_calculus(loss) -> None:
    f, expected = LOSSES[loss]
    close(ad.grad(f)(Z), expected(Z))
    single = ad.grad(f)(Z.astype(np.complex64))
    assert single.dtype == np.complex64
    close(single.astype(complex), expected(Z), 1e-5)
    assert check.gradients(f, (Z,)), check.gradients(f, (Z,))


def test_every_holomorphic_row_brings_complex_samples() -> None:
    """A row that NumPy computes for complex numbers is checked for them: `check.rule` runs its samples."""
    rng = np.random.default_rng(0)
    complex_ = {
        name
        for name, op in PRIMITIVES.items()
        if isinstance(op, Elementwise) and not op.foreign and len(op._complex_samples(rng))
    }
    assert complex_ >= {
        "add", "subtract", "multiply", "divide", "power", "reciprocal", "square", "sqrt", "exp", "exp2",
        "expm1",
        "log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh",
        "cosh", "tanh",
        "arcsinh", "arccosh", "arctanh", "absolute", "real", "imag", "angle", "where", "maximum",
    }  # fmt: skip
    assert not complex_ & {"sign", "floor", "hypot", "arctan2"}


def test_a_real_input_of_a_complex_program_has_a_real_multiplier() -> None:
    def f(x):
        return np.sum(np.abs(np.exp(1j * x) * x + 2) ** 2)

    gradient = ad.grad(f)(X)
    assert gradient.dtype == np.float64
    close(gradient, 2 * X + 4 * np.cos(X) - 4 * X * np.sin(X))  # |xeⁱˣ + 2|² = x² + 4x cos x + 4
    close(ad.hessian(f)(X), np.diag(2 - 8 * np.sin(X) - 4 * X * np.cos(X)))


def test_jacobians() -> None:
    close(ad.jacobian(lambda z: z**2)(Z), np.diag(2 * Z))
    close(ad.jacobian(lambda x: np.exp(1j * x))(X), np.diag(1j * np.exp(1j * X)))
    close(ad.jacobian(lambda z: np.abs(z))(Z), np.diag(Z.conj() / abs(Z)))
    close(ad.jacobian(lambda x: np.stack([np.exp(1j * x), x + 0j])[:, :2])(X).shape, (2, 2, 3))
    mixed = message(ad.DTypeError, ad.jacobian(lambda z: (z, np.abs(z))), Z)
    assert "real and complex" in mixed
    both = ad.jacobian(lambda t: [np.real(t[1] * t[0]), t[1] * t[0]])  # no sweep gives all four blocks
    assert "real and complex" in message(ad.DTypeError, both, (2.0, 1 + 3j))


def test_scalars_and_python_numbers() -> None:
    assert ad.grad(lambda z: np.abs(z * 1j))(3.0 + 4.0j) == pytest.approx(0.6 - 0.8j)
    assert ad.grad(lambda x: np.imag(x * (2 + 3j)))(1.5) == 3.0
    assert ad.grad(lambda x: abs(1j**x - 2))(0.7) == pytest.approx(
        np.pi * np.sin(0.35 * np.pi) / abs(1j**0.7 - 2)
    )
    assert ad.grad(lambda x: np.real(x ** (1 + 2j)))(2.0) == pytest.approx(((1 + 2j) * 2.0 ** (2j)).real)


def test_powers_of_negative_bases_by_complex_exponents() -> None:
    x, y = np.array([-2.0, -0.5]), np.array([0.3 + 1j, 1 - 0.2j])
    assert check.gradients(lambda y: np.power(x + 0j, y), (y,))
    report = check.gradients(lambda y: np.abs((x**y).sum()), (y,))
    assert report, report


def test_multipliers_and_certificate_hold() -> None:
    def f(z, w):
        h = ad.name(np.tanh(z @ w), "h")
        return np.sum(np.abs(h) ** 2) + np.sum(np.log(h)).real

    w = np.array([[0.3 + 0.1j, 0.2], [0.5j, -0.4 + 0.2j], [0.1, 0.3j]])
    assert check.multipliers(f, (Z, w))
    with ad.Tape() as tape:
        lagrangian = ad.Lagrangian(tape, f(tape.parameter(Z, name="z"), tape.parameter(w, name="w")))
    certificate = lagrangian.residuals()
    assert certificate.primal == 0
    assert certificate.stationarity < 1e-12
    shift = 1e-4j * np.ones((3, 2))
    perturbation = lagrangian.perturb({"w": shift})
    assert perturbation.relative_error < 1e-6


def test_refusals_name_the_remedy() -> None:
    assert "holomorphic_grad" in message(ad.DTypeError, ad.grad(lambda z: np.sum(z**2)), Z)
    assert "must be real" in message(ad.DTypeError, ad.make_vjp(lambda x: x**2)(X)[0], Z)
