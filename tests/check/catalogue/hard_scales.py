"""Scales of 10^±12 and beyond in inputs, outputs and derivatives; flat places; cancellation."""

from __future__ import annotations

from typing import Any

import numpy as np

from .pairs import Pair, hard, normal, positive, sigmoid, softmax

X = normal(4)
SCALES = np.array([1e-12, 1e-6, 1.0, 1e6, 1e12])
U = normal(5, seed=4)


@hard("inputs of 10¹²")
def huge_inputs() -> Pair:
    return Pair(lambda x: np.sum(np.sin(x / 1e12)), (1e12 * X,), lambda x: np.cos(x / 1e12) / 1e12)


@hard("inputs of 10⁻¹²")
def tiny_inputs() -> Pair:
    return Pair(lambda x: np.sum(np.sin(x * 1e12)), (1e-12 * X,), lambda x: np.cos(x * 1e12) * 1e12)


@hard("inputs of 10⁻¹² … 10¹² in one array")
def mixed_inputs() -> Pair:
    return Pair(lambda x: np.sum(np.sin(x / SCALES)), (U * SCALES,), lambda x: np.cos(x / SCALES) / SCALES)


@hard("two arguments, one of 10⁹, one of 10⁻⁹")
def mixed_arguments() -> Pair:
    return Pair(
        lambda x, y: np.sum(np.exp(x / 1e9) * np.sin(y * 1e9)),
        (1e9 * X, 1e-9 * X[::-1].copy()),
        lambda x, y: (np.exp(x / 1e9) * np.sin(y * 1e9) / 1e9, np.exp(x / 1e9) * np.cos(y * 1e9) * 1e9),
    )


@hard("outputs of 10¹²")
def huge_outputs() -> Pair:
    return Pair(lambda x: 1e12 * np.sum(np.sin(x)), (X,), lambda x: 1e12 * np.cos(x))


@hard("outputs of 10⁻¹²")
def tiny_outputs() -> Pair:
    return Pair(lambda x: 1e-12 * np.sum(np.sin(x)), (X,), lambda x: 1e-12 * np.cos(x))


@hard("outputs of 10⁻¹² … 10¹² in one array")
def mixed_outputs() -> Pair:
    return Pair(lambda x: SCALES * np.sin(x), (U,), vjp=lambda lam, x: lam * SCALES * np.cos(x))


@hard("derivatives of 10⁻¹² … 10¹² in one array")
def mixed_derivatives() -> Pair:
    return Pair(lambda x: np.sum(SCALES * np.sin(x)), (U,), lambda x: SCALES * np.cos(x))


@hard("a constant 10¹² added: four digits are left to differences")
def large_offset() -> Pair:
    return Pair(lambda x: 1e12 + np.sum(x**2), (X,), lambda x: 2 * x)


@hard("values of 10⁻³⁰⁰")
def minute_values() -> Pair:
    return Pair(lambda x: 1e-300 * np.sum(np.sin(x)), (X,), lambda x: 1e-300 * np.cos(x))


@hard("denormal values: 10⁻³¹⁶, seven digits long")
def denormal_values() -> Pair:
    return Pair(lambda x: 1e-316 * np.sum(np.sin(x)), (X,), lambda x: 1e-316 * np.cos(x))


@hard("values of 10³⁰⁰: their squares overflow")
def immense_values() -> Pair:
    return Pair(lambda x: 1e300 * np.sum(np.sin(x)), (X,), lambda x: 1e300 * np.cos(x))


@hard("exp at 709: a step to the right overflows")
def exponential_near_overflow() -> Pair:
    return Pair(lambda x: np.sum(np.exp(x)), (np.array([709.7, 1.0]),), np.exp)


@hard("exp at −740: nothing but denormals")
def exponential_near_underflow() -> Pair:
    return Pair(lambda x: np.sum(np.exp(x)), (np.array([-740.0, -745.0]),), np.exp)


@hard("logsumexp of ±1000")
def extreme_logsumexp() -> Pair:
    def f(x: Any) -> Any:
        return np.max(x) + np.log(np.sum(np.exp(x - np.max(x))))

    return Pair(f, (np.array([1000.0, 999.0, -1000.0]),), softmax)


@hard("σ at ±40: value 1, derivative 4·10⁻¹⁸")
def saturated_sigmoid() -> Pair:
    x = np.array([40.0, -40.0, 0.5])
    return Pair(
        lambda x: np.sum(sigmoid(x)), (x,), lambda x: np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))) ** 2
    )


@hard("tanh at 1000: derivative exactly 0")
def plateau() -> Pair:
    return Pair(lambda x: np.sum(np.tanh(x)), (np.array([1000.0, -1000.0]),), lambda x: 1 - np.tanh(x) ** 2)


@hard("a softmax of one certain class")
def saturated_softmax() -> Pair:
    def vjp(lam: Any, x: Any) -> Any:
        s = softmax(x)
        return s * (lam - np.sum(s * lam))

    return Pair(softmax, (np.array([50.0, 0.0, -50.0]),), vjp=vjp)


@hard("e^(−1/x²) at 0.05: flatter than any power")
def flat() -> Pair:
    return Pair(
        lambda x: np.sum(np.exp(-1 / x**2)), (np.array([0.05, 1.0]),), lambda x: 2 / x**3 * np.exp(-1 / x**2)
    )


@hard("a function that does not depend on its argument")
def constant() -> Pair:
    return Pair(lambda x: 3.0, (X,), lambda x: np.zeros_like(x))


@hard("a large function that hardly depends on one of two arguments")
def weak_argument() -> Pair:
    return Pair(
        lambda x, y: 1e6 * np.sum(np.exp(x)) + 1e-6 * np.sum(np.sin(y)),
        (X, X),
        lambda x, y: (1e6 * np.exp(x), 1e-6 * np.cos(y)),
    )


@hard("one of two arguments has derivative 0")
def idle_argument() -> Pair:
    return Pair(lambda x, y: np.sum(np.sin(x)), (X, X), lambda x, y: (np.cos(x), np.zeros_like(y)))


@hard("‖x‖² at its minimum")
def at_a_minimum() -> Pair:
    return Pair(lambda x: np.sum(x**2), (np.zeros(4),), lambda x: 2 * x)


@hard("Σx⁴ at 10⁻⁵: derivative 4·10⁻¹⁵")
def near_a_flat_minimum() -> Pair:
    return Pair(lambda x: np.sum(x**4), (1e-5 * X,), lambda x: 4 * x**3)


@hard("1 + Σx⁴ at 10⁻⁵: the derivative is lost in the rounding of 1")
def flat_minimum_lost_in_rounding() -> Pair:
    return Pair(lambda x: 1 + np.sum(x**4), (1e-5 * X,), lambda x: 4 * x**3)


@hard("a least-squares loss at its solution")
def at_a_solution() -> Pair:
    a, b = normal(8, 3, seed=1), normal(8, seed=2)
    x = np.linalg.lstsq(a, b, rcond=None)[0]
    return Pair(lambda x: 0.5 * np.sum((a @ x - b) ** 2), (x,), lambda x: a.T @ (a @ x - b))


# --------------------------------------------------------------------------- cancellation, oscillation
@hard("(eˣ − 1)/x written so that it loses eight digits at 10⁻⁸")
def cancellation() -> Pair:
    def exact(x: Any) -> Any:
        return np.sum(np.expm1(x) / x)

    x = np.array([1e-8, -2e-8])
    return Pair(lambda x: np.sum((np.exp(x) - 1) / x), (x,), lambda x: 0.5 + x / 3, exact=exact)


@hard("(x − 1)⁷ multiplied out, near its root")
def expanded_polynomial() -> Pair:
    c = np.poly(np.ones(7))
    return Pair(
        lambda x: np.sum(np.polyval(c, x)),
        (np.array([1.01, 0.98]),),
        lambda x: 7 * (x - 1) ** 6,
        exact=lambda x: np.sum((x - 1) ** 7),
    )


@hard("Wilkinson's polynomial of degree 15")
def wilkinson() -> Pair:
    c = np.poly(np.arange(1, 16))
    return Pair(
        lambda x: np.sum(np.polyval(c, x)), (np.array([7.3, 1.5]),), lambda x: np.polyval(np.polyder(c), x)
    )


@hard("sin 10⁴x")
def fast_oscillation() -> Pair:
    return Pair(lambda x: np.sum(np.sin(1e4 * x)), (X,), lambda x: 1e4 * np.cos(1e4 * x))


@hard("sin 10⁸x: a period of 6·10⁻⁸")
def very_fast_oscillation() -> Pair:
    return Pair(lambda x: np.sum(np.sin(1e8 * x)), (X,), lambda x: 1e8 * np.cos(1e8 * x))


@hard("a slow function with a fast ripple of 10⁻⁶ on it")
def ripple() -> Pair:
    return Pair(
        lambda x: np.sum(x**2 + 1e-6 * np.sin(1e5 * x)), (X,), lambda x: 2 * x + 0.1 * np.cos(1e5 * x)
    )


@hard("sin at 10⁶")
def far_along_a_period() -> Pair:
    return Pair(lambda x: np.sum(np.sin(x)), (1e6 + X,), np.cos)


@hard("sin 1/x at 10⁻³")
def oscillation_near_zero() -> Pair:
    return Pair(lambda x: np.sum(np.sin(1 / x)), (np.array([1e-3, 0.1]),), lambda x: -np.cos(1 / x) / x**2)


@hard("x^0.1 at 10⁻¹²")
def steep_root() -> Pair:
    return Pair(lambda x: np.sum(x**0.1), (np.array([1e-12, 3.0]),), lambda x: 0.1 * x**-0.9)


@hard("a product of 300 numbers")
def long_product() -> Pair:
    return Pair(lambda x: np.prod(x), (positive(300),), lambda x: np.prod(x) / x)


@hard("Rosenbrock's valley at (1000, −1000)")
def steep_valley() -> Pair:
    def gradient(x: Any) -> Any:
        gap = x[1] - x[0] ** 2
        return np.array([-400 * x[0] * gap - 2 * (1 - x[0]), 200 * gap])

    return Pair(lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2, (np.array([1e3, -1e3]),), gradient)


@hard("a barrier: −μ Σ log x with μ = 10⁻⁸ beside a quadratic of 10⁴")
def barrier() -> Pair:
    x = np.array([1e-7, 1.0, 3.0])
    return Pair(lambda x: 1e4 * x @ x - 1e-8 * np.sum(np.log(x)), (x,), lambda x: 2e4 * x - 1e-8 / x)


# ------------------------------------------------------------------------------------ matrix functions
@hard("a Hilbert matrix of condition 5·10⁵")
def hilbert() -> Pair:
    h = 1 / (np.arange(5)[:, None] + np.arange(5) + 1)
    b = np.ones(5)

    def gradient(a: Any) -> Any:
        return -np.outer(np.linalg.solve(a.T, U), np.linalg.solve(a, b))

    return Pair(lambda a: U @ np.linalg.solve(a, b), (h,), gradient)


@hard("a logarithm of a determinant, condition 10¹⁰")
def nearly_singular_determinant() -> Pair:
    a = np.diag([1.0, 1e-5, 1e-10]) + 1e-12 * normal(3, 3)
    return Pair(lambda a: np.linalg.slogdet(a)[1], (a,), lambda a: np.linalg.inv(a).T)


@hard("eigenvalues 10⁻⁶ apart")
def close_eigenvalues() -> Pair:
    q = np.linalg.qr(normal(3, 3))[0]
    s = q * np.array([1.0, 1 + 1e-6, 3.0]) @ q.T
    w = np.array([1.0, 2.0, 4.0])

    def gradient(s: Any) -> Any:
        v = np.linalg.eigh(0.5 * (s + s.T))[1]
        return v * w @ v.T

    return Pair(lambda s: w @ np.linalg.eigvalsh(0.5 * (s + s.T)), (s,), gradient)


@hard("a matrix's fifth power, norm 10³")
def matrix_power() -> Pair:
    power = np.linalg.matrix_power
    return Pair(lambda a: np.trace(power(a, 5)), (1e3 * normal(3, 3),), lambda a: 5 * power(a, 4).T)
