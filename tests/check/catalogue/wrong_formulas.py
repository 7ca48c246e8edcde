"""Formulas of one entry: signs, factors, terms, branches, and what goes wrong at special values."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import erf

from .pairs import Pair, normal, positive, sigmoid, wrong

X = np.array([0.3, -0.7, 1.1, -1.9])
Y = np.array([1.2, 0.4, -0.8, 0.9])
P = np.array([0.7, 1.3, 1.9, 0.4])


@wrong("d cos x = + sin x", says="sign")
def sign() -> Pair:
    return Pair(lambda x: np.sum(np.cos(x)), (X,), lambda x: np.sin(x))


@wrong("d x² = x", says="factor|half|twice|0\\.5")
def factor_two_missing() -> Pair:
    return Pair(lambda x: np.sum(x**2), (X,), lambda x: x)


@wrong("d ½x² = 2x", says="factor|half|twice|2")
def factor_two_too_much() -> Pair:
    return Pair(lambda x: 0.5 * np.sum(x**2), (X,), lambda x: 2 * x)


@wrong("product rule without its second term")
def dropped_term() -> Pair:
    return Pair(lambda x: np.sum(x * np.exp(x)), (X,), lambda x: np.exp(x))


@wrong("chain rule without the inner derivative", says="factor|3")
def inner_derivative_forgotten() -> Pair:
    return Pair(lambda x: np.sum(np.sin(3 * x)), (X,), lambda x: np.cos(3 * x))


@wrong("quotient rule: sign of the denominator", "1", says="sign")
def quotient() -> Pair:
    return Pair(lambda x, y: np.sum(x / y), (X, P), lambda x, y: (1 / y, x / y**2))


@wrong("p xᵖ / x is 0/0 at 0", index=(1,), says="nan")
def power_at_zero() -> Pair:
    def gradient(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return 3 * x**3 / x

    return Pair(lambda x: np.sum(x**3), (np.array([0.5, 0.0, 2.0]),), gradient)


@wrong("xʸ log x is 0·(−∞) at x = 0", "1", (1,), says="nan")
def exponent_at_zero() -> Pair:
    def gradient(x: Any, y: Any) -> Any:
        with np.errstate(all="ignore"):
            return x**y * np.log(x)

    args = np.array([0.5, 0.0, 2.0]), np.array([1.5, 2.0, 0.7])
    return Pair(lambda x, y: np.sum(x**y), args, gradient, argnum=(1,))


@wrong("power rule with exponent p instead of p − 1")
def exponent_off_by_one() -> Pair:
    return Pair(lambda x: np.sum(x**4), (P,), lambda x: 4 * x**4)


@wrong("d tanh = 1 − tanh, the square forgotten")
def tanh_without_square() -> Pair:
    return Pair(lambda x: np.sum(np.tanh(x)), (X,), lambda x: 1 - np.tanh(x))


@wrong("d σ = σ, without 1 − σ")
def half_a_sigmoid() -> Pair:
    return Pair(lambda x: np.sum(sigmoid(x)), (X,), lambda x: sigmoid(x))


@wrong("d log1p = 1/x")
def log1p_as_log() -> Pair:
    return Pair(lambda x: np.sum(np.log1p(x)), (P,), lambda x: 1 / x)


@wrong("d log10 = 1/x", says="factor|2\\.3")
def base_of_the_logarithm() -> Pair:
    return Pair(lambda x: np.sum(np.log10(x)), (P,), lambda x: 1 / x)


@wrong("degrees taken for radians", says="factor|57")
def degrees() -> Pair:
    angle = np.array([10.0, 50.0, 130.0])
    return Pair(lambda x: np.sum(np.sin(np.radians(x))), (angle,), lambda x: np.cos(np.radians(x)))


@wrong("the arguments of atan2 exchanged", "0")
def exchanged_arguments() -> Pair:
    def gradient(y: Any, x: Any) -> Any:
        r = x**2 + y**2
        return -y / r, -y / r

    return Pair(lambda y, x: np.sum(np.arctan2(y, x)), (X, Y), gradient)


@wrong("the shares of logaddexp exchanged", "1")
def exchanged_shares() -> Pair:
    def gradient(x: Any, y: Any) -> Any:
        return sigmoid(x - y), sigmoid(x - y)

    return Pair(lambda x, y: np.sum(np.logaddexp(x, y)), (X, Y), gradient)


# -------------------------------------------------------------------------------------------- branches
@wrong("d |x| = 1 on both sides", index=[(1,), (3,)], says="sign")
def absolute_value() -> Pair:
    return Pair(lambda x: np.sum(np.abs(x)), (X,), lambda x: np.ones(4))


@wrong("leaky relu: slope 0 on the left", index=[(1,), (3,)])
def leak_forgotten() -> Pair:
    f = lambda x: np.sum(np.where(x > 0, x, 0.1 * x))  # noqa: E731
    return Pair(f, (X,), lambda x: np.where(x > 0, 1.0, 0.0))


@wrong("where: the derivative of the branch not taken")
def other_branch() -> Pair:
    f = lambda x: np.sum(np.where(x > 0, np.sin(x), x**2))  # noqa: E731
    return Pair(f, (X,), lambda x: np.where(x > 0, 2 * x, np.cos(x)))


@wrong("a mask by > −1 in place of > 0", index=(1,))
def threshold() -> Pair:
    return Pair(lambda x: np.sum(np.maximum(x, 0) ** 2 + x), (X,), lambda x: 2 * x * (x > -1) + 1)


@wrong("clip lets the derivative of saturated entries through", index=[(2,), (3,)])
def saturated() -> Pair:
    return Pair(lambda x: np.sum(3 * np.clip(x, -1, 1)), (X,), lambda x: np.full(4, 3.0))


@wrong("the derivative itself is clipped to [−1, 1]", index=[(2,), (3,)])
def clipped_derivative() -> Pair:
    return Pair(lambda x: 0.5 * np.sum(x**2), (X,), lambda x: np.clip(x, -1, 1))


@wrong("straight-through: rounding with derivative 1")
def straight_through_rounding() -> Pair:
    return Pair(lambda x: np.sum(np.round(4 * x) ** 2), (X,), lambda x: 8 * np.round(4 * x))


@wrong("straight-through: sign with derivative 1 inside [−1, 1]", index=[(0,), (1,)])
def straight_through_sign() -> Pair:
    f = lambda x: np.sum(np.sign(x) * Y) + np.sum(x**2)  # noqa: E731
    return Pair(f, (X,), lambda x: Y * (np.abs(x) <= 1) + 2 * x)


@wrong("Huber: x where it should be ±δ", index=[(2,), (3,)])
def huber_tail() -> Pair:
    f = lambda x: np.sum(np.where(np.abs(x) < 1, 0.5 * x**2, np.abs(x) - 0.5))  # noqa: E731
    return Pair(f, (X,), lambda x: x)


@wrong("a piecewise line with the slope of the next piece")
def spline_piece() -> Pair:
    knots, values = np.arange(5.0), np.array([0.0, 1.0, -1.0, 2.0, 1.5])
    slopes = np.append(np.diff(values), 0.0)

    def gradient(x: Any) -> Any:
        return slopes[np.searchsorted(knots, x)]  # should be searchsorted − 1

    return Pair(lambda x: np.sum(np.interp(x, knots, values)), (np.array([0.3, 1.6, 3.4]),), gradient)


# -------------------------------------------------------------------------- nearly right, or somewhere
@wrong("ε = 10⁻⁴ against division by zero, in the derivative alone")
def epsilon_in_the_derivative() -> Pair:
    return Pair(lambda x: np.sum(np.log(x)), (P,), lambda x: 1 / (x + 1e-4))


@wrong("value of the exact GELU, derivative of its tanh approximation")
def two_gelus() -> Pair:
    def gradient(x: Any) -> Any:
        u = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
        t = np.tanh(u)
        return 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * x**2)

    return Pair(lambda x: np.sum(0.5 * x * (1 + erf(x / np.sqrt(2)))), (X,), gradient)


@wrong("exponents clipped at 20, in the derivative alone", index=(2,))
def large_inputs() -> Pair:
    def gradient(x: Any) -> Any:
        e = np.exp(np.minimum(x, 20.0))
        return 2 * np.log1p(e) * e / (1 + e)

    return Pair(lambda x: np.sum(np.logaddexp(0, x) ** 2), (np.array([0.5, -1.0, 25.0, 3.0]),), gradient)


@wrong("(1 − cos x)/x: 0 for small x, where ½ is right", index=[(0,), (2,)])
def small_inputs() -> Pair:
    x = np.array([1e-6, 0.8, -3e-5])

    def gradient(x: Any) -> Any:
        return np.where(np.abs(x) < 1e-4, 0.0, np.sin(x) / x - (1 - np.cos(x)) / x**2)

    return Pair(lambda x: np.sum(2 * np.sin(x / 2) ** 2 / x), (x,), gradient)


@wrong("the derivative is computed in float32", says="float32|single")
def cast_to_float32_inside() -> Pair:
    def gradient(x: Any) -> Any:
        return np.cos(x.astype(np.float32)).astype(np.float64)

    return Pair(lambda x: np.sum(np.sin(x)), (X,), gradient)


@wrong("the derivative comes back as float32", says="float32|single")
def returned_as_float32() -> Pair:
    return Pair(lambda x: np.sum(np.exp(x)), (X,), lambda x: np.exp(x).astype(np.float32))


@wrong("the derivative is computed in float16")
def cast_to_float16_inside() -> Pair:
    def gradient(x: Any) -> Any:
        return np.exp(x.astype(np.float16)).astype(np.float64)

    return Pair(lambda x: np.sum(np.exp(x)), (X,), gradient)


@wrong("float16 inside the derivative of a float32 function")
def half_in_single_precision() -> Pair:
    x = X.astype(np.float32)
    return Pair(lambda x: np.sum(np.sin(x)), (x,), lambda x: np.cos(x.astype(np.float16)).astype(np.float32))


@wrong("the derivative is written into an array of integers")
def integer_buffer() -> Pair:
    def gradient(x: Any) -> Any:
        out = np.zeros(len(x), int)
        for i in range(len(x)):
            out[i] = 3 * x[i] ** 2
        return out.astype(float)

    return Pair(lambda x: np.sum(x**3), (P,), gradient)


@wrong("1 // n is 0", says="zero|0")
def integer_division() -> Pair:
    return Pair(lambda x: np.mean(x**2), (X,), lambda x: 1 // len(x) * 2 * x)


@wrong("an error of 10⁻⁵ in one entry", index=(2,))
def five_digits() -> Pair:
    right = np.array([1.0, 1.0, 1.0 + 1e-5, 1.0])
    return Pair(lambda x: np.sum(np.sin(x)), (X,), lambda x: np.cos(x) * right)


@wrong("right on the diagonal of an interaction only", "1", says="")
def interaction() -> Pair:
    a = normal(3, 3)
    return Pair(lambda x, y: x @ a @ y, (P[:3], Y[:3]), lambda x, y: (a @ y, np.diag(a) * x))


@wrong("one argument of ten", "7")
def one_argument_of_ten() -> Pair:
    args = tuple(positive(2, seed=k) for k in range(10))

    def gradient(*x: Any) -> Any:
        out = [(k + 1) * np.cos(v) for k, v in enumerate(x)]
        out[7] = 7 * np.cos(x[7])
        return tuple(out)

    return Pair(lambda *x: sum((k + 1) * np.sum(np.sin(v)) for k, v in enumerate(x)), args, gradient)


@wrong("the results in the wrong order", "0 1")
def order_of_results() -> Pair:
    return Pair(lambda x, y: np.sum(np.sin(x) * y), (X, Y), lambda x, y: (np.sin(x), y * np.cos(x)))


@wrong("an argument left out: None", "1", says="None|missing|no derivative|zero")
def forgotten_argument() -> Pair:
    return Pair(lambda x, y: np.sum(x * y), (X, Y), lambda x, y: (y, None))


@wrong("a derivative that is infinite where the function is smooth", index=(0,), says="inf|finite")
def infinite() -> Pair:
    return Pair(
        lambda x: np.sum(np.abs(x) ** 2.5), (np.array([0.0, 1.0]),), lambda x: np.array([np.inf, 2.5])
    )
