"""Derivatives of derivatives: perturbation confusion, orders up to five, and modes in every order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad

from ..helpers import close, normal


def d(f: Any) -> Any:
    """Derivative by the tangent sweep."""
    return lambda x: ad.jvp(f, (x,), (np.ones_like(x)[()],))[1]


MODES = {"reverse": ad.grad, "forward": d}
pairs = pytest.mark.parametrize(
    ("outer", "inner"), [pytest.param(MODES[a], MODES[b], id=f"{a}-{b}") for a in MODES for b in MODES]
)


# --------------------------------------------------------------------------- perturbation confusion
@pairs
def test_siskind_pearlmutter(outer: Any, inner: Any) -> None:
    """d/dx [x · d/dy (x + y)] at 1 is 1; confusing the two perturbations gives 2."""
    close(outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0), np.float64(1.0))


@pairs
def test_derivative_of_an_inner_constant(outer: Any, inner: Any) -> None:
    """The inner function does not use its own argument: its derivative is zero, whatever x is."""
    close(outer(lambda x: x * inner(lambda y: x * x)(x))(3.0), np.float64(0.0))


@pairs
def test_closing_over_the_outer_variable(outer: Any, inner: Any) -> None:
    """d/dx d/dy (x y²)|y=x² = d/dx 2x³."""
    close(outer(lambda x: inner(lambda y: x * y * y)(x * x))(1.5), np.float64(6 * 1.5**2))


@pairs
def test_same_function_on_both_levels(outer: Any, inner: Any) -> None:
    def f(x: Any) -> Any:
        return x**3

    close(outer(lambda x: inner(f)(x) + f(x))(2.0), np.float64(6 * 2.0 + 3 * 4.0))


@pairs
def test_two_inner_derivatives_side_by_side(outer: Any, inner: Any) -> None:
    def f(x: Any) -> Any:
        a = inner(lambda y: y * x)(x)  # x
        b = inner(lambda y: np.sin(y * a))(x)  # x cos x²
        return a * b

    x = 0.8
    close(outer(f)(x), 2 * x * np.cos(x * x) - 2 * x**3 * np.sin(x * x))


@pairs
def test_function_returned_by_a_function(outer: Any, inner: Any) -> None:
    """Manzyuk et al. 2019: a curried function whose closure outlives the outer call must not be confused."""

    def shift(s: Any) -> Any:
        return lambda f: lambda x: f(x + s)

    def with_offset(s: Any) -> Any:
        return inner(shift(s)(lambda y: y * y * s))(0.5)

    s = 1.2  # d/ds [2 (0.5 + s) s]
    close(outer(with_offset)(s), np.float64(1.0 + 4 * s))


def test_mixed_partials_over_three_levels() -> None:
    def f(x: Any) -> Any:
        return ad.grad(lambda y: x * ad.grad(lambda z: x * y * y * z * z * z)(y))(x)

    # inner: 3 x y⁴; times x: 3 x² y⁴; d/dy: 12 x² y³ at y = x: 12 x⁵
    close(ad.grad(f)(0.9), np.float64(60 * 0.9**4))
    close(d(f)(0.9), np.float64(60 * 0.9**4))


def test_inner_tape_over_an_explicit_outer_tape() -> None:
    with ad.Tape() as outer:
        x = outer.parameter(2.0, "x")
        with ad.Tape() as inner:
            y = inner.parameter(x, "y")
            loss = y**3 * x
        g = ad.Lagrangian(inner, loss).gradient("y")  # 3 y² x = 3 x³
        assert isinstance(g, ad.Variable) and g.tape is outer
    close(ad.Lagrangian(outer, g).gradient("x"), np.float64(9 * 4.0))


# ------------------------------------------------------------------------------------ higher orders
@pytest.mark.parametrize("order", [3, 4, 5])
@pytest.mark.parametrize("pattern", ["reverse", "forward", "alternating"])
def test_high_orders(order: int, pattern: str) -> None:
    cases: list[tuple[Any, Any, float]] = [
        (np.sin, lambda x, n: np.sin(x + n * np.pi / 2), 0.7),
        (lambda x: np.exp(2 * x), lambda x, n: 2**n * np.exp(2 * x), 0.3),
        (lambda x: 1 / x, lambda x, n: (-1) ** n * float(np.prod(np.arange(1, n + 1))) / x ** (n + 1), 1.3),
        (lambda x: x**6, lambda x, n: float(np.prod(np.arange(6, 6 - n, -1))) * x ** (6 - n), 1.1),
        (lambda x: np.sum(x * np.log(x)), lambda x, n: {3: -1, 4: 2, 5: -6}[n] / x ** (n - 1), 1.7),
    ]
    for f, expected, x in cases:
        g = f
        for k in range(order):
            g = ad.grad(g) if pattern == "reverse" or (pattern == "alternating" and k % 2) else d(g)
        np.testing.assert_allclose(g(x), expected(x, order), rtol=1e-10)


def test_many_levels() -> None:
    g = np.exp
    for _ in range(8):
        g = d(g)
    close(g(0.1), np.exp(0.1))


# ----------------------------------------------------------------------------------------- Hessians
A, B = normal(4, 4), normal(4, 4, seed=1)


def f(x: Any) -> Any:
    return np.sum(np.tanh(A @ x) ** 2) + np.exp(0.3 * x @ B @ x) + np.linalg.norm(x) * np.max(x)


X = normal(4, seed=2) / 2


def test_hessian_is_symmetric_and_that_of_central_differences() -> None:
    found = ad.hessian(f)(X)
    h = 1e-5
    rough = np.array([(ad.grad(f)(X + h * e) - ad.grad(f)(X - h * e)) / (2 * h) for e in np.eye(4)])
    np.testing.assert_allclose(found, rough, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(found, found.T, rtol=1e-12, atol=1e-13)


def test_hessian_vector_product_in_every_order_of_modes() -> None:
    v = normal(4, seed=3)
    expected = ad.hessian(f)(X) @ v
    ways = [
        ad.hvp(f, X, v),
        ad.hessian_vector_product(f)(X, v),
        ad.jvp(ad.grad(f), (X,), (v,))[1],
        ad.grad(lambda x: ad.grad(f)(x) @ v)(X),
        ad.grad(lambda x: ad.jvp(f, (x,), (v,))[1])(X),
        ad.vjp(ad.grad(f), X)[1](v)[0],
        np.array([ad.jvp(lambda x: ad.jvp(f, (x,), (v,))[1], (X,), (e,))[1] for e in np.eye(4)]),
        ad.jacobian(ad.grad(f))(X) @ v,
    ]
    for way in ways:
        close(way, expected, 1e-11)


def test_jacobian_by_rows_and_by_columns() -> None:
    weights = normal(6, 3)

    def tall(x: Any) -> Any:
        return np.sin(weights @ x).reshape(2, 3)

    def wide(x: Any) -> Any:
        return np.sin(weights.T @ x)

    x, y = normal(3), normal(6)
    close(ad.jacobian(tall)(x), (np.cos(weights @ x)[:, None] * weights).reshape(2, 3, 3))
    close(ad.jacobian(wide)(y), np.cos(weights.T @ y)[:, None] * weights.T)
    close(ad.jacobian(lambda x: x * 2.0)(1.5), np.float64(2.0))
    assert ad.jacobian(lambda x: x[:0])(x).shape == (0, 3)
    assert ad.jacobian(lambda x: np.sum(x))(np.zeros((2, 0))).shape == (2, 0)
    close(ad.jacobian(lambda x: np.ones(2))(x), np.zeros((2, 3)))
    close(ad.hessian(lambda x: x**3)(x), _diagonal_hessian(x))


def _diagonal_hessian(x: Any) -> Any:
    found = np.zeros((3, 3, 3))
    found[np.arange(3), np.arange(3), np.arange(3)] = 6 * x
    return found


def test_jacobian_of_several_arguments_and_containers() -> None:
    args = ({"a": normal(2), "b": 3.0}, normal(2, 2))
    found = ad.jacobian(lambda p, m: m @ p["a"] * p["b"], (0, 1))(*args)
    a, b, m = args[0]["a"], args[0]["b"], args[1]
    close(found, ({"a": m * b, "b": m @ a}, np.einsum("ij,k->ijk", np.eye(2), a) * b))


def test_order_of_names_does_not_matter_to_nested_names() -> None:
    def inner(y: Any) -> Any:
        return ad.name(y * y, "square")

    def outer(x: Any) -> Any:
        return ad.name(ad.grad(inner)(x) * x, "product")

    _, g, m = ad.with_multipliers(outer)(3.0)
    close(g, np.float64(12.0))
    assert m.names == ["square", "product"]  # a name given inside a nested transform is known to every level
    assert m["square"] == 0.0  # what follows uses dz/dx, not z
    assert m["product"] == 1.0
    _, g2 = ad.value_and_grad(lambda x: ad.with_multipliers(outer, "product")(x)[1])(3.0)
    close(g2, np.float64(4.0))
