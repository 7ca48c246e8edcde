"""Properties that every differentiable function must have, as plain functions over a `Case`."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import adjoint as ad
from adjoint import tree as trees
from adjoint.tape import Tape


class Case(NamedTuple):
    """A NumPy function and its operands: a shape (normal samples), an array, or a function of an rng."""

    name: str
    function: Callable[..., Any]
    operands: tuple[Any, ...]

    def arguments(self, kind: type = np.float64) -> list[Any]:
        rng = self.rng()
        return [np.asarray(draw(rng, x), kind)[()] for x in self.operands]

    def rng(self) -> np.random.Generator:
        return np.random.default_rng(zlib.crc32(self.name.encode()))


def case(name: str, function: Callable[..., Any], *operands: Any) -> Case:
    return Case(name, function, operands)


def draw(rng: np.random.Generator, operand: Any) -> Any:
    if callable(operand):
        return operand(rng)
    return rng.standard_normal(operand) if isinstance(operand, tuple) else operand


def positive(*shape: int) -> Callable[[np.random.Generator], Any]:
    return lambda rng: rng.uniform(0.3, 2.0, shape)


def invertible(*shape: int) -> Callable[[np.random.Generator], Any]:
    return lambda rng: rng.standard_normal(shape) + 3 * np.eye(shape[-1])


def definite(*shape: int) -> Callable[[np.random.Generator], Any]:
    """Symmetric and positive definite."""

    def make(rng: np.random.Generator) -> Any:
        x = rng.standard_normal(shape)
        return x @ np.swapaxes(x, -1, -2) + np.eye(shape[-1])

    return make


# ------------------------------------------------------------------------------------------- containers
def leaves(x: Any) -> list[Any]:
    return trees.flatten(x)[0]


def dot(x: Any, y: Any) -> float:
    return float(sum(np.sum(np.float64(a) * b) for a, b in zip(leaves(x), leaves(y), strict=True)))


def size(x: Any) -> float:
    return float(sum(np.sum(np.abs(a)) for a in leaves(x)))


def like(rng: np.random.Generator, x: Any) -> Any:
    return trees.tree_map(lambda a: np.asarray(rng.standard_normal(np.shape(a)), np.asarray(a).dtype)[()], x)


def shifted(x: list[Any], v: list[Any], h: float) -> list[Any]:
    return [a + h * b for a, b in zip(x, v, strict=True)]


def assert_close(actual: Any, expected: Any, rtol: float) -> None:
    """Relative to the largest entry: a derivative's zeros are as exact as its other entries."""
    for a, b in zip(leaves(actual), leaves(expected), strict=True):
        assert np.shape(a) == np.shape(b)
        scale = max(1.0, np.max(np.abs(b), initial=0.0, where=np.isfinite(b)))
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * scale)


# ------------------------------------------------------------------------------------------- properties
def check_value(case: Case, kind: type) -> None:
    """Recorded or not, the function returns the same numbers in the same shapes and dtypes."""
    args = case.arguments(kind)
    with Tape() as tape:
        recorded = leaves(case.function(*(tape.input(x) for x in args)))
    expected = leaves(case.function(*args))
    assert len(recorded) == len(expected)
    for z, reference in zip(recorded, expected, strict=True):
        value = z.value if isinstance(z, ad.Variable) else z
        assert np.shape(value) == np.shape(reference)
        assert np.asarray(value).dtype == np.asarray(reference).dtype
        if isinstance(z, ad.Variable):
            assert z.shape == np.shape(reference) and z.dtype == np.asarray(reference).dtype
        np.testing.assert_allclose(
            value, reference, rtol=200 * np.finfo(kind).eps, atol=200 * np.finfo(kind).eps
        )


def everything(args: list[Any]) -> tuple[int, ...]:
    return tuple(range(len(args)))


def check_first_order(case: Case, kind: type, differences: bool = True) -> None:
    """The tangent is the central difference, and the adjoint is the tangent's transpose."""
    args, rng = case.arguments(kind), case.rng()
    jvp = ad.make_jvp(case.function, everything(args))(*args)
    vjp, value = ad.make_vjp(case.function, everything(args))(*args)
    eps = np.finfo(kind).eps
    for _ in range(2):
        v, lam = like(rng, args), like(rng, value)
        z, z_dot = jvp(tuple(v))
        pulled = vjp(lam)
        for a, b in zip(leaves(z_dot), leaves(z), strict=True):
            assert np.shape(a) == np.shape(b) and np.asarray(a).dtype == np.asarray(b).dtype
        for a, b in zip(pulled, args, strict=True):
            assert np.shape(a) == np.shape(b) and np.asarray(a).dtype == kind
        left, right = dot(lam, z_dot), dot(pulled, v)
        scale = 1 + sum(size(a * b) for a, b in zip(leaves(lam), leaves(z_dot), strict=True))
        assert abs(left - right) <= 4e4 * eps * scale, f"⟨λ, Jv⟩ = {left!r}, ⟨Jᵀλ, v⟩ = {right!r}"
        if differences:
            h = 1e-5
            above, below = case.function(*shifted(args, v, h)), case.function(*shifted(args, v, -h))
            difference = [(a - b) / (2 * h) for a, b in zip(leaves(above), leaves(below), strict=True)]
            assert_close(leaves(z_dot), difference, 1e-6)


def check_one_at_a_time(case: Case) -> None:
    """With the other operands plain, an operand's λ is what it is with all of them recorded."""
    args = case.arguments()
    vjp, value = ad.make_vjp(case.function, everything(args))(*args)
    lam = like(case.rng(), value)
    for k, expected in enumerate(vjp(lam)):
        alone, _ = ad.make_vjp(case.function, k)(*args)
        assert_close(alone(lam), expected, 1e-11)


def check_layouts(case: Case) -> None:
    """Strides are nobody's business: Fortran order and negative strides give the same λ."""
    args = case.arguments()
    vjp, value = ad.make_vjp(case.function, everything(args))(*args)
    lam = like(case.rng(), value)
    expected = vjp(lam)
    for layout in (lambda x: np.asfortranarray(x) if np.ndim(x) else x, lambda x: np.flip(np.flip(x).copy())):
        strided = [layout(x) for x in args]
        other, _ = ad.make_vjp(case.function, everything(args))(*strided)
        assert_close(other(trees.tree_map(layout, lam)), expected, 1e-10)


def check_second_order(case: Case) -> None:
    """The Hessian of Σ c·f(x) by every pair of sweeps, against the central difference of its gradient."""
    args, rng = tuple(case.arguments()), case.rng()
    c = like(rng, leaves(case.function(*args)))
    v, w = tuple(like(rng, args)), tuple(like(rng, args))

    def scalar(x: Any) -> Any:
        return sum(np.sum(a * b) for a, b in zip(c, leaves(case.function(*x)), strict=True))

    gradient = ad.grad(scalar)
    product = ad.hvp(scalar, args, v)
    h = 1e-5
    above, below = gradient(tuple(shifted(args, v, h))), gradient(tuple(shifted(args, v, -h)))
    assert_close(product, [(a - b) / (2 * h) for a, b in zip(above, below, strict=True)], 2e-6)
    left, right = dot(w, product), dot(v, ad.hvp(scalar, args, w))
    assert abs(left - right) <= 1e-9 * (1 + size(product)), f"⟨w, Hv⟩ = {left!r}, ⟨v, Hw⟩ = {right!r}"
    over_adjoint = ad.grad(lambda x: sum(np.sum(a * b) for a, b in zip(gradient(x), v, strict=True)))
    over_tangent = ad.grad(lambda x: ad.make_jvp(scalar)(x)(v)[1])
    over = ad.make_jvp(lambda x: ad.make_jvp(scalar)(x)(v)[1])(args)(w)[1]
    assert_close(over_adjoint(args), product, 1e-9)
    assert_close(over_tangent(args), product, 1e-9)
    assert_close(over, np.float64(left), 1e-9)
