"""Where HIPS/autograd 1.9 is wrong or refuses: one program each, against calculus."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad
import adjoint.numpy as anp
from adjoint import check

X = np.array([[0.5, -1.2, 2.0], [0.3, 0.7, -0.4]])
Z = np.array([0.5, 0.0, -2.0])
CUBE = X[:, :, None] * np.array([1.0, -0.5]) + 0.1
RAGGED = np.arange(12.0).reshape(3, 4)

# function, its operand, and the gradient of the sum of c · f(x), c = cos(1, 2, …), written out
PROGRAMS = {
    "where with broadcasting": (
        lambda x: np.where(X > 0, x, 2 * x[:1]),
        Z,
        lambda c: np.sum(np.where(X > 0, c, 0), 0) + np.eye(3)[0] * np.sum(np.where(X > 0, 0, 2 * c)),
    ),
    "transpose with negative axes": (
        lambda x: np.transpose(x, (-1, 0, -2)), CUBE, lambda c: np.transpose(c, (1, 2, 0)),
    ),
    "diag of a matrix that is not square": (
        lambda x: np.diag(x, -1), RAGGED, lambda c: np.eye(3, 4, -1) * np.append(0, c)[:, None],
    ),
    "dstack": (lambda x: np.dstack([x, x * x]), X, lambda c: c[..., 0] + 2 * X * c[..., 1]),
    "multi_dot": (
        lambda x: np.linalg.multi_dot([x.T, x, np.ones(3)]),
        X,
        lambda c: np.outer(X @ c, np.ones(3)) + np.outer(X @ np.ones(3), c),
    ),
    "prod with zeros": (lambda x: np.prod(x, keepdims=True), Z, lambda c: c * [0, -1, 0]),
    "prod with two zeros": (lambda x: np.prod(x * [0, 1, 1], keepdims=True), Z, lambda c: np.zeros(3)),
    "sinc at 0": (lambda x: np.sinc(x * 0), Z, lambda c: np.zeros(3)),
    "broadcast_to with new leading axes": (
        lambda x: np.broadcast_to(x, (2, 4, 3)), Z, lambda c: np.sum(c, (0, 1)),
    ),
    "einsum with repeated indices": (lambda x: np.einsum("ii,i->i", x[:, :2], x[0, :2]), X, lambda c: [
        [2 * c[0] * X[0, 0] + 0, c[1] * X[1, 1], 0], [0, c[1] * X[0, 1], 0],
    ]),
    "var with a tuple axis": (
        lambda x: np.var(x, axis=(0, -1), ddof=1), CUBE,
        lambda c: 2 * c[:, None] * (CUBE - np.mean(CUBE, (0, 2), keepdims=True)) / 3,
    ),
    "std with a tuple axis": (
        lambda x: np.std(x, axis=(0, -1)), CUBE,
        lambda c: c[:, None] * (CUBE - np.mean(CUBE, (0, 2), keepdims=True))
        / (4 * np.std(CUBE, (0, 2), keepdims=True)),
    ),
    "a list that is one array": (
        lambda x: anp.exp(anp.array([x[0], [1.0, 2.0, 3.0], x[1]])), X, lambda c: np.exp(X) * c[[0, 2]],
    ),
    "max of several axes": (lambda x: np.max(x, axis=(0, 2)), CUBE, lambda c: c[:, None] * (
        np.max(CUBE, (0, 2), keepdims=True) == CUBE
    )),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_gradient(name):
    f, x, expected = PROGRAMS[name]
    c = np.cos(1.0 + np.arange(f(x).size)).reshape(f(x).shape)
    found = ad.grad(lambda x: np.sum(c * f(x)))(x)
    assert found.shape == x.shape
    np.testing.assert_allclose(found, expected(c), rtol=1e-13, atol=1e-13)
    assert check.gradients(lambda x: np.sum(c * np.exp(f(x))), (x,))


def test_sinc_at_zero_has_its_curvature():
    """sinc″(0) = −π²/3, where a quotient rule has 0/0."""
    np.testing.assert_allclose(ad.hessian(np.sinc)(0.0), -(np.pi**2) / 3, rtol=1e-14)
    np.testing.assert_allclose(ad.grad(ad.grad(np.sinc))(0.0), -(np.pi**2) / 3, rtol=1e-14)


def test_tanh_far_out_to_second_order():
    """−2 tanh sech² is 0 there; by cosh² it would be ∞/∞."""
    x = np.array([-800.0, 0.3, 800.0])
    found = np.diag(ad.hessian(lambda x: np.sum(np.tanh(x)))(x))
    np.testing.assert_allclose(found, [0, -2 * np.tanh(0.3) / np.cosh(0.3) ** 2, 0], rtol=1e-13)


FORWARD = {
    "where": lambda x: np.where(x > 0, x * x, 2 * x),
    "prod": lambda x: np.prod(x, axis=1),
    "cumprod": lambda x: np.cumprod(x, axis=0),
    "sort": lambda x: np.sort(x, axis=0),
    "partition": lambda x: np.partition(x, 1),
    "pad": lambda x: np.pad(x, 1, mode="reflect"),
    "diag": lambda x: np.diag(x, 1),
    "gradient": lambda x: np.gradient(x, axis=1),
    "rot90": lambda x: np.rot90(x),
    "logaddexp": lambda x: np.logaddexp(x, 2 * x),
    "cross": lambda x: np.cross(x, x[::-1] ** 2),
}


@pytest.mark.parametrize("name", FORWARD)
def test_forward_mode_too(name):
    """The tangent is the Jacobian times the direction, for rules of which autograd lacks one mode."""
    f, v = FORWARD[name], np.cos(X)
    expected = np.tensordot(ad.jacobian(f)(X), v, 2)
    np.testing.assert_allclose(ad.jvp(f, (X,), (v,))[1], expected, rtol=1e-12, atol=1e-13)
