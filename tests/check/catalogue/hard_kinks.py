"""Kinks, jumps, ties and edges of the domain: at the point, or nearer than any sensible step."""

from __future__ import annotations

from typing import Any

import numpy as np

from .pairs import Pair, hard, normal

W1, W2 = normal(6, 20) / 3, normal(20, 3, seed=1) / 3
relu = lambda x: np.maximum(x, 0.0)  # noqa: E731
KINK = "kink|one-sided|not differentiable|non-differentiable"
JUMP = "jump|discontinu|kink|one-sided"


@hard("relu, 10⁻⁹ to either side of its kink")
def kink_nearby() -> Pair:
    return Pair(lambda x: np.sum(relu(x)), (np.array([1e-9, -1e-9, 1.0]),), lambda x: (x > 0) * 1.0)


@hard("|x| at 10⁻¹²")
def kink_very_near() -> Pair:
    return Pair(lambda x: np.sum(np.abs(x)), (np.array([1e-12, -1e-12, -2.0]),), np.sign)


@hard("relu at 0, with derivative 0", says=KINK, smooth=False)
def at_a_kink() -> Pair:
    return Pair(lambda x: np.sum(relu(x)), (np.array([0.0, 1.0, -1.0]),), lambda x: (x > 0) * 1.0)


@hard("relu at 0, with derivative 1", says=KINK, smooth=False)
def at_a_kink_from_the_right() -> Pair:
    return Pair(lambda x: np.sum(relu(x)), (np.array([0.0, 1.0, -1.0]),), lambda x: (x >= 0) * 1.0)


@hard("|x| at 0, with derivative 0", says=KINK, smooth=False)
def absolute_at_zero() -> Pair:
    return Pair(lambda x: np.sum(np.abs(x)), (np.array([0.0, 1.0]),), np.sign)


@hard("|x| at 0 among twenty: half of the entries lie on a kink", says=KINK, smooth=False)
def sparse_lasso() -> Pair:
    x = normal(20) * (np.arange(20) % 2)
    return Pair(lambda x: np.sum(np.abs(x)) + x @ x, (x,), lambda x: np.sign(x) + 2 * x)


@hard("‖x‖ at 0: a kink in every direction", says=KINK, smooth=False)
def norm_at_zero() -> Pair:
    return Pair(lambda x: np.sqrt(np.sum(x**2)), (np.zeros(3),), lambda x: np.zeros(3))


@hard("a maximum of ties, shared equally", says=KINK, smooth=False)
def tied_maximum() -> Pair:
    def gradient(x: Any) -> Any:
        top = x == np.max(x)
        return top / np.sum(top)

    return Pair(lambda x: np.max(x), (np.array([1.0, 2.0, 2.0, 2.0]),), gradient)


@hard("a maximum of ties, the first one takes all", says=KINK, smooth=False)
def first_of_ties() -> Pair:
    return Pair(
        lambda x: np.max(x), (np.array([1.0, 2.0, 2.0]),), lambda x: 1.0 * (np.arange(3) == np.argmax(x))
    )


@hard("sorting with ties", says=KINK, smooth=False)
def tied_sort() -> Pair:
    w = np.array([1.0, 5.0, 2.0, 3.0])
    x = np.array([0.5, -1.0, 0.5, 2.0])
    return Pair(lambda x: w @ np.sort(x), (x,), lambda x: w[np.argsort(np.argsort(x, kind="stable"))])


@hard("a median between near ties")
def median_of_near_ties() -> Pair:
    x = np.array([0.1, 0.1 + 1e-9, 0.1 - 1e-9, 3.0, -2.0])
    return Pair(lambda x: np.median(x), (x,), lambda x: 1.0 * (x == np.median(x)))


@hard("clip exactly at its bounds", says=KINK, smooth=False)
def clip_at_bounds() -> Pair:
    x = np.array([-1.0, 1.0, 0.3, 2.0])
    return Pair(lambda x: np.sum(np.clip(x, -1, 1) ** 3), (x,), lambda x: 3 * x**2 * (np.abs(x) <= 1))


@hard("a network of relus at a random point")
def relu_network() -> Pair:
    x = normal(8, 6, seed=2)

    def gradient(w1: Any, w2: Any) -> Any:
        z = x @ w1
        lam = np.cos(relu(z) @ w2)
        return x.T @ (lam @ w2.T * (z > 0)), relu(z).T @ lam

    return Pair(lambda w1, w2: np.sum(np.sin(relu(x @ w1) @ w2)), (W1, W2), gradient)


@hard("a network of relus with zero biases on zero inputs", says=KINK, smooth=False)
def dead_inputs() -> Pair:
    def gradient(b: Any) -> Any:
        return (b > 0) * (W2 @ np.cos(relu(b) @ W2))

    return Pair(lambda b: np.sum(np.sin(relu(b) @ W2)), (np.zeros(20),), gradient)


@hard("20,000 relus: some kink lies within every step")
def many_kinks() -> Pair:
    return Pair(lambda x: np.sum(relu(x)), (normal(20_000),), lambda x: (x > 0) * 1.0)


@hard("max pooling of rectified values: ties at 0", says=KINK, smooth=False)
def pooled_zeros() -> Pair:
    x = np.array([0.0, 0.0, 1.0, 0.5, 0.0, 2.0])

    def gradient(x: Any) -> Any:
        out = np.zeros((3, 2))
        out[np.arange(3), np.argmax(x.reshape(3, 2), axis=1)] = 1
        return out.reshape(6)

    return Pair(lambda x: np.sum(np.max(x.reshape(3, 2), axis=1)), (x,), gradient)


@hard("the hinge at margin 1", says=KINK, smooth=False)
def hinge_at_the_margin() -> Pair:
    x, y = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([1.0, -1.0])
    w = np.array([1.0, 0.5])
    f = lambda w: np.sum(relu(1 - y * (x @ w)))  # noqa: E731
    return Pair(f, (w,), lambda w: -((1 - y * (x @ w) > 0) * y) @ x)


@hard("soft thresholding 10⁻¹⁰ beyond its threshold")
def soft_threshold() -> Pair:
    x = np.array([0.5 + 1e-10, 0.5 - 1e-10, -2.0])
    return Pair(
        lambda x: np.sum(np.sign(x) * relu(np.abs(x) - 0.5) * np.array([1.0, 2, 3])),
        (x,),
        lambda x: (np.abs(x) > 0.5) * np.array([1.0, 2, 3]),
    )


@hard("the least of three functions that nearly meet")
def near_meeting() -> Pair:
    x = np.array([1 + 1e-7])  # x, x² and x³ meet at 1

    def gradient(x: Any) -> Any:
        return np.where((x < x**2) & (x < x**3), 1.0, np.where(x**2 < x**3, 2 * x, 3 * x**2))

    return Pair(lambda x: np.sum(np.minimum(x, np.minimum(x**2, x**3))), (x,), gradient)


@hard("interpolation 10⁻⁸ beside a knot")
def knot_nearby() -> Pair:
    knots, values = np.arange(4.0), np.array([0.0, 2.0, -1.0, 0.5])
    return Pair(
        lambda x: np.sum(np.interp(x, knots, values)),
        (np.array([1 + 1e-8, 2 - 1e-8, 0.5]),),
        lambda x: np.diff(values)[np.floor(x).astype(int)],
    )


@hard("interpolation on a knot, with the slope to the right", says=KINK, smooth=False)
def on_a_knot() -> Pair:
    knots, values = np.arange(4.0), np.array([0.0, 2.0, -1.0, 0.5])
    x = np.array([1.0, 0.4])
    return Pair(lambda x: np.sum(np.interp(x, knots, values)), (x,), lambda x: np.diff(values)[x.astype(int)])


# --------------------------------------------------------------------------------- one derivative only
@hard("Huber exactly at δ: one derivative, two second ones", smooth=True)
def second_derivative_jumps() -> Pair:
    x = np.array([1.0, -1.0, 0.5])
    f = lambda x: np.sum(np.where(np.abs(x) <= 1, 0.5 * x**2, np.abs(x) - 0.5))  # noqa: E731
    return Pair(f, (x,), lambda x: np.clip(x, -1, 1))


@hard("max(x, 0)² at 0")
def squared_relu() -> Pair:
    return Pair(lambda x: np.sum(relu(x) ** 2), (np.array([0.0, 0.7, -0.7]),), lambda x: 2 * relu(x))


@hard("|x|^1.5 at 0: Taylor's remainder falls like h^1.5 only")
def fractional_smoothness() -> Pair:
    x = np.array([0.0, 1.0])
    return Pair(lambda x: np.sum(np.abs(x) ** 1.5), (x,), lambda x: 1.5 * np.sign(x) * np.sqrt(np.abs(x)))


@hard("x² sin(1/x) at 10⁻³: differentiable at 0, wild beside it")
def wild_near_zero() -> Pair:
    def gradient(x: Any) -> Any:
        return 2 * x * np.sin(1 / x) - np.cos(1 / x)

    return Pair(lambda x: np.sum(x**2 * np.sin(1 / x)), (np.array([1e-3, 0.02]),), gradient)


# ----------------------------------------------------------------------------------------------- jumps
@hard("floor 10⁻⁷ below a jump")
def jump_nearby() -> Pair:
    x = np.array([1 - 1e-7, 0.5])
    return Pair(lambda x: np.sum(np.floor(x)) + np.sum(x**2), (x,), lambda x: 2 * x)


@hard("a step function at its step, with derivative 0", says=JUMP, smooth=False)
def at_a_jump() -> Pair:
    x = np.array([0.0, 1.0])
    return Pair(lambda x: np.sum(np.heaviside(x, 0.5)) + np.sum(x**2), (x,), lambda x: 2 * x)


@hard("the remainder after division by 1, 10⁻⁹ below a whole number")
def remainder_nearby() -> Pair:
    return Pair(lambda x: np.sum(x % 1.0), (np.array([2 - 1e-9, 0.3]),), lambda x: np.ones(2))


@hard("an angle 10⁻¹⁰ above the cut of arctan2")
def branch_cut() -> Pair:
    y, x = np.array([1e-10, 1.0]), np.array([-1.0, 0.5])
    return Pair(
        lambda y, x: np.sum(np.arctan2(y, x)), (y, x), lambda y, x: (x / (x**2 + y**2), -y / (x**2 + y**2))
    )


@hard("a staircase: constant between jumps, derivative 0")
def staircase() -> Pair:
    x = np.array([0.23, 0.61, 0.87])
    return Pair(lambda x: np.sum(np.round(x * 10)), (x,), lambda x: np.zeros(3))


# --------------------------------------------------------------------------------- edges of the domain
@hard("√x at 10⁻¹²: no step may be longer than x")
def square_root_near_zero() -> Pair:
    return Pair(lambda x: np.sum(np.sqrt(x)), (np.array([1e-12, 1.0]),), lambda x: 0.5 / np.sqrt(x))


@hard("log x at 10⁻¹⁰")
def logarithm_near_zero() -> Pair:
    return Pair(lambda x: np.sum(np.log(x)), (np.array([1e-10, 2.0]),), lambda x: 1 / x)


@hard("x log x at 10⁻¹³")
def entropy_near_zero() -> Pair:
    x = np.array([1e-13, 0.3, 0.7])
    return Pair(lambda x: -np.sum(x * np.log(x)), (x,), lambda x: -np.log(x) - 1)


@hard("arccos at 1 − 10⁻⁹")
def arccos_near_one() -> Pair:
    x = np.array([1 - 1e-9, 0.1])
    return Pair(lambda x: np.sum(np.arccos(x)), (x,), lambda x: -1 / np.sqrt((1 - x) * (1 + x)))


@hard("√x at 0: the derivative is infinite, as it should be", smooth=False)
def infinite_slope() -> Pair:
    def gradient(x: Any) -> Any:
        with np.errstate(divide="ignore"):
            return 0.5 / np.sqrt(x)

    return Pair(lambda x: np.sum(np.sqrt(x)), (np.array([0.0, 4.0]),), gradient)


@hard("x^1.5 at 0, where it has a derivative from the right only")
def edge_of_the_domain() -> Pair:
    return Pair(lambda x: np.sum(x**1.5), (np.array([0.0, 1.0]),), lambda x: 1.5 * np.sqrt(x))


@hard("1/x at 10⁻⁶")
def near_a_pole() -> Pair:
    return Pair(lambda x: np.sum(1 / x), (np.array([1e-6, -1.0]),), lambda x: -1 / x**2)


@hard("1/(x − 1) at 1 + 10⁻⁶")
def near_a_pole_elsewhere() -> Pair:
    return Pair(lambda x: np.sum(1 / (x - 1)), (np.array([1 + 1e-6, 3.0]),), lambda x: -1 / (x - 1) ** 2)


@hard("tan at π/2 − 10⁻⁵")
def tangent_near_its_pole() -> Pair:
    x = np.array([np.pi / 2 - 1e-5, 0.1])
    return Pair(lambda x: np.sum(np.tan(x)), (x,), lambda x: 1 + np.tan(x) ** 2)
