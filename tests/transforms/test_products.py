"""Products with Jacobians and Hessians, and the rest of the transforms, against explicit matrices."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import DTypeError, ShapeError, TreeError

from ..helpers import close, message, normal

A, X, V, LAM = normal(4, 3), normal(3, seed=1), normal(3, seed=2), normal(4, seed=3)


def model(x: Any) -> Any:
    return np.tanh(A @ x)


def loss(x: Any) -> Any:
    return np.sum(model(x) ** 3)


H, J = ad.hessian(loss)(X), ad.jacobian(model)(X)


def test_hessian_products() -> None:
    close(ad.hessian_vector_product(loss)(X, V), H @ V)
    close(ad.hessian_tensor_product(loss)(X, V), H @ V)
    close(ad.hvp(loss, X, V), H @ V)
    matrix = normal(2, 3, seed=4)
    close(
        ad.hessian_tensor_product(lambda m: np.sum(m**3) + m[0, 0] * m[1, 2])(matrix, np.ones((2, 3))),
        6 * matrix + [[1.0, 0, 0], [0, 0, 1.0]],
    )
    close(ad.hessian_tensor_product(lambda a, x: a * loss(x), 1)(2.0, X, V), 2 * H @ V)


def test_make_hvp_records_the_gradient_once() -> None:
    calls = []

    def counted(x: Any) -> Any:
        calls.append(1)
        return loss(x)

    product, gradient = ad.make_hvp(counted)(X)
    close(gradient, ad.grad(loss)(X))
    close(np.stack([product(e) for e in np.eye(3)]), H)
    assert len(calls) == 1


def test_tensor_jacobian_product_contracts_the_first_axes() -> None:
    close(ad.tensor_jacobian_product(model)(X, LAM), LAM @ J)
    close(ad.vector_jacobian_product(lambda s, x: s * model(x), 1)(2.0, X, LAM), 2 * LAM @ J)

    def outer(x: Any) -> Any:
        return np.outer(model(x), x)

    whole = ad.jacobian(outer)(X)
    close(ad.tensor_jacobian_product(outer)(X, LAM), np.tensordot(LAM, whole, 1))
    close(ad.tensor_jacobian_product(outer)(X, 2.0), 2.0 * whole)
    close(
        ad.tensor_jacobian_product(lambda x: {"y": model(x), "s": x[0]})(X, {"y": LAM, "s": 1.0}),
        LAM @ J + [1.0, 0, 0],
    )
    text = message(ShapeError, ad.tensor_jacobian_product(outer), X, np.ones(3))
    assert "cannot contract (3,) with a result (4, 3)" in text


def test_jacobian_vector_product_and_deriv() -> None:
    close(ad.jacobian_vector_product(model)(X, V), J @ V)
    close(ad.deriv(lambda t: model(t * X))(0.5), ad.jacobian(lambda t: model(t * X))(0.5))
    close(ad.deriv(model)(X), J @ np.ones(3))
    close(ad.deriv(ad.deriv(np.sin))(0.3), -np.sin(0.3))
    close(ad.deriv(lambda t: {"a": t * t, "b": 1.0})(3.0), {"a": 6.0, "b": 0.0})


def test_gauss_newton_products() -> None:
    close(ad.make_ggnvp(model)(X)(V), J.T @ (J @ V))

    def g(y: Any) -> Any:
        return np.sum(2 * y**2 + y**4)

    middle = ad.hessian(g)(model(X))
    close(ad.make_ggnvp(model, g)(X)(V), J.T @ (middle @ (J @ V)))
    close(ad.make_ggnvp(lambda s, x: s * model(x), f_argnum=1)(2.0, X)(V), 4 * J.T @ (J @ V))
    matrix = normal(2, 3, seed=5)
    close(ad.make_ggnvp(lambda m: m * m)(matrix)(matrix), 4 * matrix**3)  # more axes than autograd takes
    quadratic = ad.grad(lambda x: np.sum(ad.make_ggnvp(model)(x)(V) * V))(X)  # differentiable in turn
    close(
        quadratic,
        ad.grad(lambda x: np.sum((ad.jacobian_vector_product(model)(x, V)) ** 2))(X),
        tolerance=1e-9,
    )


def test_products_compile() -> None:
    def program(x: Any, v: Any, lam: Any) -> Any:
        product, gradient = ad.make_hvp(loss)(x)
        return (
            gradient,
            product(v),
            ad.tensor_jacobian_product(model)(x, lam),
            ad.make_ggnvp(model)(x)(v),
            ad.deriv(model)(x),
        )

    close(ad.compile(program)(X, V, LAM), program(X, V, LAM))


# ------------------------------------------------------------------------------------- arguments by name
def many(a: Any, b: Any = 2.0, *rest: Any, scale: Any = 1.0, **more: Any) -> Any:
    return a * b**2 * scale + sum(rest) + sum(k * v for k, v in zip((3.0, 5.0), more.values(), strict=False))


def test_gradients_by_name() -> None:
    close(ad.grad_named(many, "b")(3.0), np.float64(12.0))
    close(ad.grad_named(many, "b")(3.0, b=1.0), np.float64(6.0))
    close(ad.grad_named(many, "rest")(3.0, 1.0, 7.0, 8.0), (np.float64(1.0), np.float64(1.0)))
    assert "many has no argument 'c'; it has: a, b, rest, scale, more" in message(
        TreeError, ad.grad_named, many, "c"
    )
    found = ad.multigrad_dict(many)(3.0, 1.0, 7.0, scale=0.5, u=1.0)
    assert list(found) == ["a", "b", "rest", "scale", "more"]
    close(found, {"a": 0.5, "b": 3.0, "rest": (1.0,), "scale": 3.0, "more": {"u": 3.0}})


# --------------------------------------------------------------------------------------- what they are called
def test_names_signatures_and_docstrings() -> None:
    def energy(x: Any, y: float = 1.0) -> Any:
        """Energy of x."""
        return np.sum(x * y)

    for transform in (
        ad.grad, ad.value_and_grad, ad.grad_and_aux, ad.elementwise_grad, ad.deriv, ad.holomorphic_grad,
        ad.jacobian, ad.hessian, ad.make_vjp, ad.make_jvp, ad.make_hvp, ad.hessian_vector_product,
        ad.tensor_jacobian_product, ad.jacobian_vector_product,
    ):  # fmt: skip
        derivative = transform(energy, 1)
        assert derivative.__name__ == f"{transform.__name__}_of_energy_wrt_argnum_1"
        assert "energy with respect to argument 1" in derivative.__doc__
        assert "Energy of x." in derivative.__doc__
        assert str(inspect.signature(derivative)).startswith("(x:")
    assert ad.grad(partial(energy, y=1.0)).__name__ == "grad_of_function_wrt_argnum_0"
    assert ad.egrad is ad.elementwise_grad


@pytest.mark.parametrize("z", [2.0, np.ones(3)], ids=["float", "array"])
def test_holomorphic_grad_refuses_real_numbers(z: Any) -> None:
    text = message(DTypeError, ad.holomorphic_grad(lambda z: np.sum(z * z)), z)
    assert "holomorphic_grad needs a complex argument" in text and "x + 0j" in text


# ------------------------------------------------------------------------------------------- complex numbers
Z, W = normal(3) + 1j * normal(3, seed=6), normal(3, seed=7) + 1j * normal(3, seed=8)


def test_holomorphic_grad() -> None:
    def f(z: Any, k: Any = 1.0) -> Any:
        return np.sum(np.exp(k * z) * z) * (1 + 0.2j)

    close(ad.holomorphic_grad(f)(Z), (1 + 0.2j) * np.exp(Z) * (1 + Z))
    close(ad.holomorphic_grad(f, 1)(Z, 2 + 0j), (1 + 0.2j) * np.sum(np.exp(2 * Z) * Z**2))
    close(ad.holomorphic_grad(ad.holomorphic_grad(np.sin))(0.3 + 1j), -np.sin(0.3 + 1j))
    close(ad.compile(ad.holomorphic_grad(f))(Z), ad.holomorphic_grad(f)(Z))
    close(ad.deriv(lambda t: np.exp(1j * t))(0.5), 1j * np.exp(0.5j))
    text = message(DTypeError, ad.holomorphic_grad(lambda z: np.real(f(z))), Z)
    assert "needs a complex result, <lambda> has () float64" in text
    text = message(ShapeError, ad.holomorphic_grad(np.sin), Z)
    assert "holomorphic_grad needs a scalar output, got shape (3,)" in text
    text = message(DTypeError, ad.elementwise_grad(lambda x: x * 1j), X)
    assert "elementwise_grad needs a real output" in text and "np.real" in text


def stacked(f: Any) -> Any:
    """Real and imaginary parts of f(x + iy), one after the other."""

    def real(p: Any) -> Any:
        y = f(p[0] + 1j * p[1])
        return np.concatenate([y.real, y.imag])

    return real


def test_products_of_complex_arguments() -> None:
    """Against the same in real and imaginary parts: z = x + iy, λ = λx − iλy."""
    mixing = normal(4, 3, seed=9) + 1j * A

    def model_c(z: Any) -> Any:
        return np.tanh(mixing @ z) + np.conj(z[0])

    def loss_c(z: Any) -> Any:
        return np.sum(np.abs(model_c(z)) ** 2)

    def in_parts(f: Any) -> Any:
        return lambda p: f(p[0] + 1j * p[1])

    parts = np.stack([Z.real, Z.imag])
    h = np.tensordot(ad.hessian(in_parts(loss_c))(parts), np.stack([W.real, W.imag]), 2)
    close(ad.hessian_vector_product(loss_c)(Z, W), h[0] - 1j * h[1])
    close(ad.make_hvp(loss_c)(Z)[0](W), h[0] - 1j * h[1])
    j = np.reshape(ad.jacobian(stacked(model_c))(parts), (8, 6))
    close(
        ad.make_ggnvp(lambda p: model_c(p[0] + 1j * p[1]))(parts)(parts),
        np.reshape(j.T @ (j @ np.ravel(parts)), (2, 3)),
    )
    pulled = ad.tensor_jacobian_product(model_c)(Z, LAM * (1 + 2j))
    both = j.T @ np.concatenate([LAM, -2 * LAM])
    close(pulled, both[:3] - 1j * both[3:])


def test_edges_keep_shape_and_dtype() -> None:
    single = X.astype(np.float32)
    for derivative in (
        ad.hessian_vector_product(loss)(single, V),
        ad.make_hvp(loss)(single)[0](V),
        ad.deriv(np.sin)(single),
        ad.jacobian_vector_product(np.sin)(single, V),
        ad.tensor_jacobian_product(lambda x: np.outer(x, x))(single, V),
        ad.make_ggnvp(np.sin)(single)(V),
    ):
        assert derivative.dtype == np.float32
    empty = np.zeros((0, 2))
    assert ad.hessian_vector_product(lambda x: np.sum(x**3))(empty, empty).shape == (0, 2)
    assert ad.make_ggnvp(np.sin)(empty)(empty).shape == (0, 2)
    close(
        ad.hessian_vector_product(lambda x: np.sum(x**3))(np.ones(2), np.array([1, 0])), np.array([6.0, 0.0])
    )
    assert ad.deriv(lambda x: x > 0)(1.0) == 0.0 and ad.deriv(lambda x: 3)(1.0) == 0.0


def test_the_module_of_operators_has_them_all() -> None:
    from adjoint import differential_operators as operators

    for name in operators.__all__:
        assert name == "make_jvp_reversemode" or getattr(operators, name) is getattr(ad, name)
    close(operators.make_jvp_reversemode(model)(X)(V), J @ V)
