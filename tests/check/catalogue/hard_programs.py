"""Long, chaotic and large programs."""

from __future__ import annotations

from typing import Any

import numpy as np

from .pairs import Pair, definite, hard, normal, one_hot, positive, softmax

X = normal(4)
MILLION = 10**6


# ----------------------------------------------------------------------------------------------- depth
@hard("a thousand sines of each other")
def deep_composition() -> Pair:
    def f(x: Any) -> Any:
        for _ in range(1000):
            x = 1.2 * np.sin(x)
        return np.sum(x)

    def gradient(x: Any) -> Any:
        lam = np.ones_like(x)
        for _ in range(1000):
            lam = lam * 1.2 * np.cos(x)
            x = 1.2 * np.sin(x)
        return lam

    return Pair(f, (X,), gradient)


def logistic_map(x: Any, steps: int) -> Any:
    for _ in range(steps):
        x = 3.9 * x * (1 - x)
    return x


def logistic_map_slope(x: Any, steps: int) -> Any:
    lam = 1.0
    for _ in range(steps):
        lam = lam * 3.9 * (1 - 2 * x)
        x = 3.9 * x * (1 - x)
    return lam


@hard("a chaotic map, thirty steps: derivative near 10⁷")
def chaos() -> Pair:
    return Pair(
        lambda x: np.sum(logistic_map(x, 30)), (np.array([0.3, 0.61]),), lambda x: logistic_map_slope(x, 30)
    )


@hard("a chaotic map, fifty steps: linear over 10⁻¹⁰ only")
def long_chaos() -> Pair:
    return Pair(
        lambda x: np.sum(logistic_map(x, 50)), (np.array([0.3, 0.61]),), lambda x: logistic_map_slope(x, 50)
    )


@hard("an exploding recurrence: derivative 10³⁰")
def exploding_recurrence() -> Pair:
    a = 4 * normal(3, 3) / np.sqrt(3)

    def f(x: Any) -> Any:
        for _ in range(50):
            x = a @ x
        return np.sum(x)

    return Pair(f, (X[:3],), lambda x: np.linalg.matrix_power(a.T, 50) @ np.ones(3))


@hard("a vanishing recurrence: derivative 10⁻³⁰")
def vanishing_recurrence() -> Pair:
    def gradient(x: Any) -> Any:
        lam = np.ones_like(x)
        for _ in range(100):
            x = np.tanh(0.5 * x)
            lam = lam * 0.5 * (1 - x**2)
        return lam

    def f(x: Any) -> Any:
        for _ in range(100):
            x = np.tanh(0.5 * x)
        return np.sum(x)

    return Pair(f, (X,), gradient)


# -------------------------------------------------------------------------------------------- programs
@hard("a network of tanh with nested parameters")
def nested_network() -> Pair:
    data, labels = normal(6, 3, seed=4), np.array([0, 1, 1, 0, 2, 2])
    params = {"layers": [{"w": normal(3, 5), "b": normal(5)}, {"w": normal(5, 3), "b": normal(3)}]}

    def forward(p: Any) -> Any:
        (a, b) = p["layers"]
        h = np.tanh(data @ a["w"] + a["b"])
        return h, h @ b["w"] + b["b"]

    def f(p: Any) -> Any:
        s = forward(p)[1]
        return np.mean(np.log(np.sum(np.exp(s), axis=1)) - np.sum(s * one_hot(labels, 3), axis=1))

    def gradient(p: Any) -> Any:
        h, s = forward(p)
        lam = (softmax(s) - one_hot(labels, 3)) / 6
        back = lam @ p["layers"][1]["w"].T * (1 - h**2)
        return {
            "layers": [
                {"w": data.T @ back, "b": np.sum(back, axis=0)},
                {"w": h.T @ lam, "b": np.sum(lam, axis=0)},
            ]
        }

    return Pair(f, (params,), gradient)


@hard("a Gaussian likelihood, covariance by one triangle")
def one_triangle() -> Pair:
    x = normal(3, seed=1)

    def gradient(s: Any) -> Any:
        inverse = np.linalg.inv(s)
        full = 0.5 * (inverse - np.outer(inverse @ x, inverse @ x))
        return np.tril(full + full.T) - np.diag(np.diag(full))

    def f(s: Any) -> Any:
        factor = np.linalg.cholesky(s)  # reads the lower triangle
        return 0.5 * np.sum(np.linalg.solve(factor, x) ** 2) + np.sum(np.log(np.diagonal(factor)))

    return Pair(f, (definite(3),), gradient)


@hard("a linear map: nothing but its rounding")
def linear() -> Pair:
    a = normal(30, 40)
    return Pair(lambda x: a @ x, (normal(40),), vjp=lambda lam, x: a.T @ lam, jvp=lambda v, x: a @ v)


@hard("the identity, whose pullback returns λ itself")
def identity() -> Pair:
    return Pair(lambda x: x, (X,), vjp=lambda lam, x: lam)


@hard("½‖x‖², whose derivative is the argument itself")
def argument_returned() -> Pair:
    return Pair(lambda x: 0.5 * np.sum(x**2), (X,), lambda x: x)


@hard("a sum, whose derivative is one number seen many times and read-only")
def broadcast_derivative() -> Pair:
    return Pair(lambda x: np.sum(x), (normal(3, 4),), lambda x: np.broadcast_to(1.0, x.shape))


@hard("Rosenbrock with a right Hessian")
def right_hessian() -> Pair:
    from .wrong_second_order import rosenbrock, rosenbrock_gradient, rosenbrock_hvp

    return Pair(rosenbrock, (X,), rosenbrock_gradient, hvp=rosenbrock_hvp)


@hard("two arguments with mixed second derivatives")
def right_mixed_blocks() -> Pair:
    return Pair(
        lambda x, y: np.sum(np.sin(x) * y**2),
        (X, normal(4, seed=3)),
        lambda x, y: (np.cos(x) * y**2, 2 * np.sin(x) * y),
        hvp=lambda v, x, y: (
            -np.sin(x) * y**2 * v[0] + 2 * np.cos(x) * y * v[1],
            2 * np.cos(x) * y * v[0] + 2 * np.sin(x) * v[1],
        ),
    )


# ------------------------------------------------------------------------------------ a million inputs
@hard("10⁶ inputs")
def a_million() -> Pair:
    return Pair(lambda x: np.sum(np.sin(x)), (normal(MILLION),), np.cos)


@hard("10⁶ inputs in float32")
def a_million_in_single_precision() -> Pair:
    return Pair(lambda x: np.sum(x**2), (normal(MILLION).astype(np.float32),), lambda x: 2 * x)


@hard("10⁶ inputs of 10⁻⁶ … 10⁶")
def a_million_of_all_scales() -> Pair:
    s = 10.0 ** np.random.default_rng(1).uniform(-6, 6, MILLION)
    return Pair(lambda x: np.sum(np.sin(x / s)), (normal(MILLION) * s,), lambda x: np.cos(x / s) / s)


@hard("10⁶ inputs, a thousand of which matter")
def a_million_mostly_idle() -> Pair:
    def gradient(x: Any) -> Any:
        out = np.zeros_like(x)
        out[::1000] = np.cos(x[::1000])
        return out

    return Pair(lambda x: np.sum(np.sin(x[::1000])), (normal(MILLION),), gradient)


@hard("10⁶ relus")
def a_million_kinks() -> Pair:
    return Pair(lambda x: np.sum(np.maximum(x, 0)), (normal(MILLION),), lambda x: (x > 0) * 1.0)


@hard("10⁶ weights of one layer")
def a_million_weights() -> Pair:
    data = normal(10, 1000, seed=1)

    def gradient(w: Any) -> Any:
        return data.T @ (1 - np.tanh(data @ w / 30) ** 2) / 30

    return Pair(lambda w: np.sum(np.tanh(data @ w / 30)), (normal(1000, 1000),), gradient)


@hard("10⁶ inputs and results")
def a_million_results() -> Pair:
    return Pair(np.sin, (positive(MILLION),), vjp=lambda lam, x: lam * np.cos(x))
