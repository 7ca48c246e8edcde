"""Checks that raise: right derivatives pass, wrong ones are named, in every mode and order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import test_util as tu
from adjoint.extend import defjvp, defvjp, primitive

from .helpers import message, normal

X = normal(3)


def wrong(rule: str, factor: float, order: int = 1) -> Any:
    """x ↦ x² whose derivative of that order is off by a factor in one mode."""

    @primitive
    def double(x: Any) -> Any:
        return 2 * np.asarray(x)

    @primitive
    def parabola(x: Any) -> Any:
        return np.asarray(x) ** 2

    first, second = (factor, 1.0) if order == 1 else (1.0, factor)
    defvjp(double, lambda ans, x: lambda g: (second if rule == "rev" else 1.0) * 2 * g)
    defjvp(double, lambda g, ans, x: (second if rule == "fwd" else 1.0) * 2 * g)
    defvjp(parabola, lambda ans, x: lambda g: (first if rule == "rev" else 1.0) * double(x) * g)
    defjvp(parabola, lambda g, ans, x: (first if rule == "fwd" else 1.0) * double(x) * g)
    return parabola


@pytest.mark.parametrize(
    "x", [X, 2.0, np.float64(0.3), normal(2, 0)], ids=["array", "float", "scalar", "empty"]
)
def test_what_is_right_passes(x: Any) -> None:
    tu.check_grads(wrong("rev", 1.0), order=3)(x)
    tu.check_grads(np.tanh)(x)


@pytest.mark.parametrize("off", [1.0005, 0.9995, np.nan, 0.0])
def test_what_is_wrong_is_named(off: float) -> None:
    text = message(AssertionError, tu.check_grads(wrong("rev", off)), X)
    assert text.startswith("derivative (VJP) check of parabola failed at [") and "by differences" in text
    assert "(JVP) check of parabola failed" in message(AssertionError, tu.check_grads(wrong("fwd", off)), 1.0)
    second = wrong("rev", off, order=2)
    tu.check_grads(second, modes=["fwd"])(X)
    tu.check_grads(second, order=1)(X)
    assert "(VJP) check of vjp_parabola failed" in message(
        AssertionError, tu.check_grads(second, modes=["rev"]), X
    )
    assert "(VJP) check of jvp_parabola failed" in message(AssertionError, tu.check_grads(second), X)


def test_arguments_containers_and_options() -> None:
    def f(p: Any, x: Any, *, scale: float = 1.0) -> Any:
        return {"y": scale * p["w"] * np.sin(x), "n": 3, "s": [np.sum(x) * p["b"]]}

    p = {"w": X, "b": 0.5}
    tu.check_grads(f, (0, 1))(p, X, scale=2.0)
    tu.check_grads(f, argnum=1, modes=["rev"], order=1)(p, X)
    tu.check_grads(lambda x: np.sum(x**2))(X.astype(np.float32))
    assert tu.check_grads(f, 1).__name__ == "check_grads_of_f_wrt_argnum_1"
    assert "modes are 'fwd' and 'rev', not ['reverse']" in message(
        ValueError, tu.check_grads, f, 0, ["reverse"]
    )


def test_every_combination_is_checked() -> None:
    seen = []

    def f(x: Any, y: Any, axis: Any = None, keepdims: bool = False) -> Any:
        seen.append((np.shape(x), np.shape(y), axis, keepdims))
        return np.sum(x * y, axis=axis, keepdims=keepdims)

    tu.combo_check(f, (0, 1), order=1)([X, normal(2, 3)], [2.0, X], axis=[None, 0], keepdims=[True, False])
    assert len(set(seen)) == 16
    message(AssertionError, tu.combo_check(wrong("rev", 1.1), 0), [1.0])


def test_closeness() -> None:
    assert (
        tu.scalar_close(1.0, 1.0 + 1e-7) and tu.scalar_close(1e9, 1e9 + 1) and not tu.scalar_close(1.0, 1.001)
    )
    assert not tu.scalar_close(np.nan, np.nan)
    tu.check_equivalent({"a": [X, 1.0]}, {"a": [X + 1e-9, np.float64(1.0)]})
    different = (
        ([X], (X,), "structures differ: [*] and (*,)"),
        ({"a": X}, {"a": X[:2]}, "shapes or dtypes differ at a: (3,) float64, (2,) float64"),
        (X, X.astype(np.float32), "shapes or dtypes differ: (3,) float64, (3,) float32"),
        (X, X + 1e-3, "values differ:"),
        (X, X * np.nan, "values differ:"),
    )
    for a, b, words in different:
        assert message(AssertionError, tu.check_equivalent, a, b).startswith(words)


def test_numerical_jvp_and_single_checks() -> None:
    np.testing.assert_allclose(tu.make_numerical_jvp(np.sin, X)(X), np.cos(X) * X, rtol=1e-8)
    tu.check_vjp(np.sin, X)
    tu.check_jvp(lambda p: [p["a"] ** 2], {"a": X})
    message(AssertionError, tu.check_jvp, wrong("fwd", 2.0), X)
    message(AssertionError, tu.check_vjp, wrong("rev", 2.0), X)
    assert ad.test_util is tu


def test_complex_numbers() -> None:
    z = normal(3) + 1j * normal(3, seed=1)
    tu.check_grads(lambda z: {"a": np.exp(z), "b": np.abs(z)})(z)
    tu.check_grads(lambda x: np.exp(1j * x))(X)
    tu.check_equivalent(z, z + 1e-9j)
    message(AssertionError, tu.check_equivalent, z, z + 1e-3j)

    @primitive
    def mirrored(z: Any) -> Any:
        return np.conj(z) * 1j

    defvjp(mirrored, lambda ans, z: lambda g: np.conj(1j * g))
    tu.check_grads(mirrored)(z)
    defvjp(mirrored, lambda ans, z: lambda g: np.conj(g) * 1j)  # the sign of the imaginary part
    assert "(VJP) check of mirrored failed" in message(
        AssertionError, tu.check_grads(mirrored, modes=["rev"]), z
    )
