"""Functions with noise on their values: rounding, solvers that stop early, quadrature, chance."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .pairs import Pair, hard, normal, positive

X = normal(4)
NOISE = "nois"
CHANCE = "stochast|random|determin|nois"


def smooth(x: Any) -> Any:
    return np.sum(np.sin(x)) + np.sum(x**2)


def slope(x: Any) -> Any:
    return np.cos(x) + 2 * x


@hard("values rounded to eight decimals", says=NOISE)
def eight_decimals() -> Pair:
    return Pair(lambda x: np.round(smooth(x), 8), (X,), slope, exact=smooth)


@hard("values rounded to four decimals", says=NOISE)
def four_decimals() -> Pair:
    return Pair(lambda x: np.round(smooth(x), 4), (X,), slope, exact=smooth)


@hard("values printed with six digits and read again", says=NOISE)
def six_digits() -> Pair:
    return Pair(lambda x: float(f"{smooth(x):.6g}"), (X,), slope, exact=smooth)


@hard("f computes in float32 inside and returns float64", says=NOISE)
def single_precision_inside() -> Pair:
    return Pair(lambda x: np.float64(smooth(x.astype(np.float32))), (X,), slope, exact=smooth)


@hard("f computes in float16 inside and returns float64", says=NOISE)
def half_precision_inside() -> Pair:
    return Pair(lambda x: np.float64(smooth(x.astype(np.float16))), (X,), slope, exact=smooth)


@hard("a deterministic ripple of 10⁻⁹ that looks like chance")
def pseudo_random_ripple() -> Pair:
    f = lambda x: smooth(x) + 1e-9 * np.sin(1e13 * np.sum(x))  # noqa: E731
    return Pair(f, (X,), slope, exact=smooth)


def root(c: Any, tolerance: float) -> Any:
    """z³ + z = c by steps that stop when they are small: how many there are depends on c."""
    z = 0.0 * c
    while np.max(np.abs(z**3 + z - c)) > tolerance:
        z = z - 0.6 * (z**3 + z - c) / (3 * z**2 + 1)
    return z


def converged(c: Any) -> Any:
    return np.sum(np.sin(root(c, 1e-14)))


def root_slope(c: Any) -> Any:
    return np.cos(root(c, 1e-14)) / (3 * root(c, 1e-14) ** 2 + 1)


@hard("a solver that stops at 10⁻⁶", says=f"{NOISE}|approximate")
def loose_solver() -> Pair:
    c = np.array([0.5, 1.0, 3.0])
    return Pair(lambda c: np.sum(np.sin(root(c, 1e-6))), (c,), root_slope, exact=converged)


@hard("a solver that stops at 10⁻¹⁰")
def tight_solver() -> Pair:
    c = np.array([0.5, 1.0, 3.0])
    return Pair(lambda c: np.sum(np.sin(root(c, 1e-10))), (c,), root_slope, exact=converged)


@hard("bisection: thirty halvings, a staircase of 10⁻⁹", says=NOISE)
def bisection() -> Pair:
    def f(c: Any) -> Any:
        low, high = np.zeros_like(c), np.full_like(c, 2.0)
        for _ in range(30):
            middle = 0.5 * (low + high)
            left = middle**3 + middle > c
            low, high = np.where(left, low, middle), np.where(left, middle, high)
        return np.sum(np.sin(low))

    return Pair(f, (np.array([0.5, 1.0, 3.0]),), root_slope, exact=converged)


@hard("adaptive quadrature: the number of panels depends on x")
def adaptive_quadrature() -> Pair:
    def f(x: Any) -> Any:  # ∫₀¹ exp(x t) dt, by trapezia until two agree to 10⁻⁷
        n, last, value = 2, np.inf, 0.0
        while abs(value - last) > 1e-7:
            n, last = 2 * n, value
            t = np.linspace(0, 1, n + 1)
            y = np.exp(x * t)
            value = (np.sum(y) - 0.5 * (y[0] + y[-1])) / n
        return value

    return Pair(f, (1.3,), lambda x: (np.exp(x) * (x - 1) + 1) / x**2, exact=lambda x: np.expm1(x) / x)


@hard("an integrator of adaptive steps, relative tolerance 10⁻⁶", says="")
def adaptive_integrator() -> Pair:
    from scipy.integrate import solve_ivp

    def f(k: Any) -> Any:
        return (
            solve_ivp(lambda t, y: -k * y, (0, 1), np.array([1.0, 2.0]), rtol=1e-6, atol=1e-9).y[:, -1].sum()
        )

    def gradient(k: Any) -> Any:
        return -np.exp(-k) * np.array([1.0, 2.0])

    return Pair(
        f, (np.array([0.5, 1.7]),), gradient, exact=lambda k: np.sum(np.exp(-k) * np.array([1.0, 2.0]))
    )


@hard("a truncated series that stops when terms are small")
def truncated_series() -> Pair:
    def f(x: Any) -> Any:
        term = total = np.ones_like(x)
        k = 1
        while np.max(np.abs(term)) > 1e-8:
            term = term * x / k
            total = total + term
            k += 1
        return np.sum(total)

    return Pair(f, (positive(3),), np.exp, exact=lambda x: np.sum(np.exp(x)))


@hard("a table of values, interpolated linearly", says="")
def lookup_table() -> Pair:
    grid = np.linspace(-4, 4, 4001)
    table = np.sin(grid)

    def gradient(x: Any) -> Any:
        return np.diff(table)[np.floor((x + 4) * 500).astype(int)] * 500

    f = lambda x: np.sum(np.interp(x, grid, table))  # noqa: E731
    return Pair(f, (np.array([0.3711, -1.2023, 2.9187]),), gradient)


# ---------------------------------------------------------------------------------------------- chance
@hard("chance of 10⁻⁶ in every value", says=CHANCE)
def stochastic_values() -> Pair:
    rng = np.random.default_rng(5)
    return Pair(lambda x: smooth(x) + 1e-6 * rng.standard_normal(), (X,), slope, exact=smooth)


@hard("chance of 10⁻² in every value", says=CHANCE)
def very_stochastic_values() -> Pair:
    rng = np.random.default_rng(5)
    return Pair(lambda x: smooth(x) + 1e-2 * rng.standard_normal(), (X,), slope, exact=smooth)


@hard("the order of a sum changes from call to call: the last bits differ, in the derivative too")
def unordered_sum() -> Pair:
    rng = np.random.default_rng(6)
    a = normal(200, 4)

    def f(x: Any) -> Any:
        return np.sum(np.sin(a @ x)[rng.permutation(200)])

    def gradient(x: Any) -> Any:
        order = rng.permutation(200)
        return np.cos(a @ x)[order] @ a[order]

    return Pair(f, (X,), gradient, exact=lambda x: np.sum(np.sin(a @ x)))


@hard("dropout with the seed fixed inside")
def fixed_seed() -> Pair:
    def mask() -> Any:
        return np.random.default_rng(11).random(4) > 0.5

    return Pair(lambda x: np.sum(np.sin(x) * mask()), (X,), lambda x: np.cos(x) * mask())


@hard("an expectation over 1,000 fixed draws")
def common_random_numbers() -> Pair:
    z = normal(1000, seed=7)

    def gradient(m: Any, s: Any) -> Any:
        d = np.sinh(m + s * z) / len(z)
        return np.sum(d), np.sum(d * z)

    return Pair(lambda m, s: np.mean(np.cosh(m + s * z)), (0.3, 0.5), gradient)


@hard("a counter inside f that changes nothing")
def harmless_state() -> Pair:
    calls = itertools.count()

    def f(x: Any) -> Any:
        next(calls)
        return np.sum(np.sin(x))

    return Pair(f, (X,), np.cos)


@hard("a cache of forward values, rightly keyed by the argument's bytes")
def honest_cache() -> Pair:
    memory: dict[bytes, Any] = {}

    def f(x: Any) -> Any:
        memory[x.tobytes()] = np.sin(x)
        return np.sum(memory[x.tobytes()])

    def gradient(x: Any) -> Any:
        s = memory[x.tobytes()] if x.tobytes() in memory else np.sin(x)
        return np.sqrt(1 - s**2)  # cos x, since |x| < π/2

    return Pair(f, (X,), gradient, exact=lambda x: np.sum(np.sin(x)))
