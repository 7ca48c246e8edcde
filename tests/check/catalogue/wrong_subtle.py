"""Faults that something else hides: a larger term, noise, a kink, low precision, size."""

from __future__ import annotations

from typing import Any

import numpy as np

from .pairs import Pair, normal, wrong

X = normal(4)
SCALES = np.array([1e-6, 1e-3, 1.0, 1e3, 1e6])
U = normal(5, seed=4)


@wrong("one percent, in an argument whose terms are 10⁻⁹ of the other's", "1")
def hidden_behind_a_larger_argument() -> Pair:
    return Pair(
        lambda x, y: 1e3 * np.sum(np.exp(x)) + 1e-6 * np.sum(np.sin(y)),
        (X, X + 1),
        lambda x, y: (1e3 * np.exp(x), 1.01e-6 * np.cos(y)),
    )


@wrong("sign, in an entry whose derivative is 10⁻¹² of the largest", index=(0,))
def hidden_behind_larger_entries() -> Pair:
    flip = np.array([-1.0, 1, 1, 1, 1])
    return Pair(lambda x: np.sum(SCALES * np.sin(x)), (U,), lambda x: SCALES * np.cos(x) * flip)


@wrong("factor 2 in an entry of 10⁻⁹ beside others of 1", index=(0,))
def tiny_entry() -> Pair:
    x = np.array([1e-9, 0.5, 2.0])
    return Pair(lambda x: np.sum(np.sqrt(x)), (x,), lambda x: 0.5 / np.sqrt(x) * np.array([2.0, 1, 1]))


@wrong("ten percent, where values are rounded to four decimals")
def hidden_in_rounded_values() -> Pair:
    f = lambda x: np.round(np.sum(np.sin(x)) + x @ x, 4)  # noqa: E731
    return Pair(f, (X,), lambda x: 1.1 * (np.cos(x) + 2 * x), exact=lambda x: np.sum(np.sin(x)) + x @ x)


@wrong("five percent, of a function that computes in float32 inside")
def hidden_in_single_precision_inside() -> Pair:
    def f(x: Any) -> Any:
        return np.sum(np.exp(x.astype(np.float32))).astype(np.float64)

    return Pair(f, (X,), lambda x: 1.05 * np.exp(x), exact=lambda x: np.sum(np.exp(x)))


@wrong("half of it, with 10¹² added to the value")
def hidden_behind_a_constant() -> Pair:
    return Pair(lambda x: 1e12 + np.sum(x**2), (X,), lambda x: 3 * x)


@wrong("one percent in float32", index=(2,))
def one_percent_in_single_precision() -> Pair:
    right = np.array([1, 1, 1.01, 1], np.float32)
    return Pair(lambda x: np.sum(np.sin(x)), (X.astype(np.float32),), lambda x: np.cos(x) * right)


@wrong("a quarter in float16")
def a_quarter_in_half_precision() -> Pair:
    return Pair(lambda x: np.sum(np.sin(x)), (X.astype(np.float16),), lambda x: np.cos(x) * np.float16(1.25))


@wrong("|x| at 0 with derivative 3, beyond both slopes", index=(0,))
def beyond_the_slopes_of_a_kink() -> Pair:
    x = np.array([0.0, 1.0])
    return Pair(lambda x: np.sum(np.abs(x)), (x,), lambda x: np.where(x == 0, 3.0, np.sign(x)))


@wrong("a kink at 0, and another entry wrong", index=(1,))
def beside_a_kink() -> Pair:
    x = np.array([0.0, 1.0, -0.5])
    right = np.array([1.0, 1.2, 1.0])
    return Pair(lambda x: np.sum(np.abs(x)) + x @ x, (x,), lambda x: (np.sign(x) + 2 * x) * right)


@wrong("a network of relus with its mask taken after the next layer", "0")
def mask_of_another_layer() -> Pair:
    x, w2 = normal(8, 6, seed=2), normal(5, 5, seed=1) / 2

    def gradient(w: Any) -> Any:
        h = np.maximum(x @ w, 0)
        lam = np.cos(np.maximum(h @ w2, 0)) * (h @ w2 > 0)
        return x.T @ (lam @ w2.T * (h @ w2 > 0))

    f = lambda w: np.sum(np.sin(np.maximum(np.maximum(x @ w, 0) @ w2, 0)))  # noqa: E731
    return Pair(f, (normal(6, 5),), gradient)


@wrong("one of a hundred results sends nothing back")
def one_result_of_a_hundred() -> Pair:
    a = normal(100, 6)

    def vjp(lam: Any, x: Any) -> Any:
        lam = lam * np.cos(a @ x)
        lam[77] = 0
        return a.T @ lam

    return Pair(lambda x: np.sin(a @ x), (normal(6),), vjp=vjp)


@wrong("one percent after a thousand compositions")
def after_a_thousand_compositions() -> Pair:
    def f(x: Any) -> Any:
        for _ in range(1000):
            x = x + 1e-3 * np.sin(x)
        return np.sum(x)

    def gradient(x: Any) -> Any:
        lam = np.full_like(x, 1.01)
        for _ in range(1000):
            lam, x = lam * (1 + 1e-3 * np.cos(x)), x + 1e-3 * np.sin(x)
        return lam

    return Pair(f, (X,), gradient)


@wrong("sign, at 10⁶ along a period", says="sign")
def far_along() -> Pair:
    return Pair(lambda x: np.sum(np.cos(x)), (1e6 + X,), np.sin)


@wrong("one complex entry of three is conjugated", index=(1,))
def one_conjugate() -> Pair:
    z = normal(3) + 1j * normal(3, seed=1)

    def gradient(z: Any) -> Any:
        out = 2 * np.conj(z)
        out[1] = np.conj(out[1])
        return out

    return Pair(lambda z: np.sum(np.abs(z) ** 2), (z,), gradient)


@wrong("the real argument beside a complex one keeps its imaginary part's share", "0")
def real_beside_complex() -> Pair:
    z = normal(3) + 1j * normal(3, seed=1)
    return Pair(
        lambda x, z: np.sum(np.real(x * z**2)),
        (normal(3, seed=2), z),
        lambda x, z: (np.real(z**2) + np.imag(z**2), 2 * x * z),
    )


@wrong("a thousandth too much, everywhere, of 20,000 inputs")
def a_thousandth_everywhere() -> Pair:
    return Pair(lambda x: np.sum(np.sin(x)), (normal(20_000),), lambda x: 1.001 * np.cos(x))


@wrong("two percent too much of 20,000 inputs in float32")
def two_percent_of_many_singles() -> Pair:
    x = normal(20_000).astype(np.float32)
    return Pair(lambda x: np.sum(x**2), (x,), lambda x: np.float32(2.04) * x)


@wrong("a derivative where all but 20 of 20,000 inputs have none")
def idle_inputs() -> Pair:
    return Pair(lambda x: np.sum(np.sin(x[::1000])), (normal(20_000),), np.cos)
