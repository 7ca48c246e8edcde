"""Gradients of one's own: rules by hand in one mode or the other, a stopped one, a missing one."""

from __future__ import annotations

from typing import Any

import numpy as onp
import pytest

import adjoint.numpy as np
from adjoint import MissingRuleError, checkpoint, grad, hessian, jacobian, make_jvp
from adjoint.extend import defjvp, defvjp, primitive
from adjoint.test_util import check_grads

from .harness import same_compiled

X = onp.array([1.5, -6.7, 1e-10, 600.0])


@primitive
def log_total(x: Any) -> Any:
    """log Σ eˣ; its rule does not overflow where its text is not differentiated."""
    largest = onp.max(x)
    return largest + onp.log(onp.sum(onp.exp(x - largest)))


defvjp(log_total, lambda ans, x: lambda g: np.full(x.shape, g) * np.exp(x - np.full(x.shape, ans)))


def test_a_function_with_a_rule_of_its_own() -> None:
    def f(y: Any) -> Any:
        z = y**2
        return np.sum(log_total(z / 10) ** 2)

    x = X[:3]
    weights = onp.exp(x**2 / 10) / onp.exp(x**2 / 10).sum()
    closed = 2 * onp.log(onp.exp(x**2 / 10).sum()) * weights * x / 5
    onp.testing.assert_allclose(grad(f)(x), closed, rtol=1e-12)
    onp.testing.assert_allclose(grad(log_total)(X), [0, 0, 0, 1], atol=1e-12)
    check_grads(f, modes=["rev", "fwd"])(x)  # the twin is derived
    p = onp.exp(x - x.max()) / onp.exp(x - x.max()).sum()
    onp.testing.assert_allclose(hessian(log_total)(x), onp.diag(p) - onp.outer(p, p), atol=1e-12)
    same_compiled(f, x, steps=("log_total",))


def test_a_rule_forward_gives_the_one_backward() -> None:
    @primitive
    def solve_kepler(mean: Any, e: Any) -> Any:
        """E with E − e sin E = mean, by bisection, which has no derivative."""
        low, high = mean - 1.0, mean + 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if middle - e * onp.sin(middle) < mean else (low, middle)
        return middle

    defjvp(
        solve_kepler,
        lambda g, ans, mean, e: g / (1 - e * np.cos(ans)),
        lambda g, ans, mean, e: g * np.sin(ans) / (1 - e * np.cos(ans)),
    )
    anomaly = solve_kepler(1.0, 0.3)
    slope = 1 / (1 - 0.3 * onp.cos(anomaly))
    assert grad(solve_kepler)(1.0, 0.3) == pytest.approx(slope, rel=1e-12)
    assert make_jvp(solve_kepler, 1)(1.0, 0.3)(1.0)[1] == pytest.approx(slope * onp.sin(anomaly), rel=1e-12)
    # (dE/dM)² stands in the second derivative: −e sin E (dE/dM)³
    second = grad(grad(solve_kepler))(1.0, 0.3)
    assert second == pytest.approx(-0.3 * onp.sin(anomaly) * slope**3, rel=1e-9)


def test_a_clipped_gradient_and_a_stopped_one() -> None:
    @primitive
    def passed(x: Any) -> Any:
        return x

    defvjp(passed, lambda ans, x: lambda g: np.clip(g, -1.0, 1.0))
    onp.testing.assert_array_equal(grad(lambda x: np.sum(passed(x) ** 2))(onp.array([0.2, 3.0])), [0.4, 1.0])

    @primitive
    def stopped(x: Any) -> Any:
        return x

    defvjp(stopped, None)
    assert grad(lambda x: stopped(x) * x)(3.0) == 3.0

    @primitive
    def without(x: Any) -> Any:
        return x

    with pytest.raises(MissingRuleError, match="without"):
        grad(without)(1.0)


def test_a_loop_that_remembers_little() -> None:
    def step(x: Any) -> Any:
        for _ in range(5):
            x = np.sin(x) * x
        return x

    def long(x: Any) -> Any:
        return np.sum(checkpoint(step)(checkpoint(step)(x)))

    x = onp.array([1.9, 2.0])
    onp.testing.assert_allclose(grad(long)(x), grad(lambda x: np.sum(step(step(x))))(x), rtol=1e-14)
    onp.testing.assert_allclose(jacobian(step)(x), onp.diag(grad(lambda x: np.sum(step(x)))(x)), rtol=1e-14)
