"""Arguments and results of every kind and layout; precisions; complex numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .pairs import Pair, hard, normal, softmax

X = normal(4)


@hard("an empty array beside a full one")
def empty_array() -> Pair:
    return Pair(
        lambda x, y: np.sum(np.sin(x)) + np.sum(y),
        (X, np.zeros((0, 3))),
        lambda x, y: (np.cos(x), np.ones_like(y)),
    )


@hard("a 0-d array")
def zero_dimensional() -> Pair:
    return Pair(lambda x: np.sin(x) ** 2, (np.array(0.7),), lambda x: np.asarray(np.sin(2 * x)))


@hard("plain Python numbers in and out")
def python_numbers() -> Pair:
    return Pair(lambda x, y: x * y + x**3, (0.7, -1.2), lambda x, y: (y + 3 * x**2, x))


@hard("axes of length 1")
def unit_axes() -> Pair:
    return Pair(
        lambda x: np.sum(np.sin(x) * np.arange(3.0)),
        (normal(1, 1, 1),),
        lambda x: 3 * np.cos(x),
    )


class Affine(NamedTuple):
    w: Any
    b: Any


@hard("a dictionary of a tuple of a list")
def containers() -> Pair:
    def f(p: Any) -> Any:
        (x, (y, z)) = p["a"]
        return np.sum(x * y) + np.sum(np.sin(z)) * p["s"]

    def gradient(p: Any) -> Any:
        (x, (y, z)) = p["a"]
        return {"a": (y, [x, p["s"] * np.cos(z)]), "s": np.sum(np.sin(z))}

    return Pair(f, ({"a": (X, [X + 1, normal(2, 2)]), "s": 1.5},), gradient)


@hard("a named tuple")
def named_tuple() -> Pair:
    return Pair(
        lambda p: np.sum(np.sin(X @ p.w + p.b)),
        (Affine(normal(4, 3), normal(3, seed=1)),),
        lambda p: Affine(np.outer(X, np.cos(X @ p.w + p.b)), np.cos(X @ p.w + p.b)),
    )


@hard("an integer, a boolean and a word beside the argument")
def other_arguments() -> Pair:
    def f(x: Any, n: int, square: bool, how: str) -> Any:
        y = np.sum(x**n) if how == "sum" else np.mean(x**n)
        return y**2 if square else y

    def gradient(x: Any, n: int, square: bool, how: str) -> Any:
        return n * x ** (n - 1) * (2 * np.sum(x**n) if square else 1)

    return Pair(f, (X, 3, True, "sum"), gradient, argnum=(0,))


@hard("indices beside the argument")
def integer_array() -> Pair:
    index = np.array([0, 2, 0])

    def gradient(x: Any, i: Any) -> Any:
        out = np.zeros_like(x)
        np.add.at(out, i, 2 * x[i])
        return out

    return Pair(lambda x, i: np.sum(x[i] ** 2), (X, index), gradient, argnum=(0,))


@hard("every second column, backwards")
def strided() -> Pair:
    return Pair(lambda x: np.sum(np.sin(x)), (normal(4, 6)[::-1, ::2],), np.cos)


@hard("an array by columns")
def by_columns() -> Pair:
    return Pair(
        lambda x: np.sum(np.sin(x) * np.arange(3.0)),
        (np.asfortranarray(normal(4, 3)),),
        lambda x: np.cos(x) * np.arange(3.0),
    )


@hard("an argument that nobody may write to")
def read_only() -> Pair:
    x = X.copy()
    x.flags.writeable = False
    return Pair(lambda x: np.sum(np.sin(x)), (x,), np.cos)


@hard("one array as two arguments")
def same_array_twice() -> Pair:
    return Pair(lambda x, y: np.sum(x * np.exp(y)), (X, X), lambda x, y: (np.exp(y), x * np.exp(y)))


@hard("negative zero")
def negative_zero() -> Pair:
    return Pair(lambda x: np.sum(np.sin(x)), (np.array([-0.0, 0.0, 1.0]),), np.cos)


@hard("several results in a dictionary")
def dictionary_of_results() -> Pair:
    return Pair(
        lambda x: {"s": np.sin(x), "n": np.sum(x**2)},
        (X,),
        vjp=lambda lam, x: lam["s"] * np.cos(x) + lam["n"] * 2 * x,
    )


@hard("a matrix in, a matrix out")
def matrix_result() -> Pair:
    return Pair(lambda a: a @ a, (normal(3, 3),), vjp=lambda lam, a: lam @ a.T + a.T @ lam)


# ------------------------------------------------------------------------------------------ precisions
F = X.astype(np.float32)


@hard("float32")
def single_precision() -> Pair:
    return Pair(lambda x: np.sum(np.sin(x)), (F,), np.cos)


@hard("float32, 10⁴ added to the value")
def single_precision_offset() -> Pair:
    return Pair(lambda x: np.float32(1e4) + np.sum(np.sin(x)), (F,), np.cos)


@hard("float32, a sum of 10⁵ terms")
def single_precision_sum() -> Pair:
    return Pair(lambda x: np.sum(np.exp(x)), (normal(10**5).astype(np.float32),), np.exp)


@hard("float32, a network")
def single_precision_network() -> Pair:
    x = normal(20, 8, seed=1).astype(np.float32)

    def gradient(w: Any, u: Any) -> Any:
        h = np.tanh(x @ w)
        lam = 2 * (h @ u) / np.float32(60)
        return x.T @ (lam @ u.T * (1 - h**2)), h.T @ lam

    w, u = normal(8, 16).astype(np.float32), normal(16, 3, seed=2).astype(np.float32)
    return Pair(lambda w, u: np.mean((np.tanh(x @ w) @ u) ** 2), (w, u), gradient)


@hard("float32, logsumexp of hundreds")
def single_precision_logsumexp() -> Pair:
    x = 100 * normal(50).astype(np.float32)
    return Pair(lambda x: np.max(x) + np.log(np.sum(np.exp(x - np.max(x)))), (x,), softmax)


@hard("float32, derivatives of 10⁻⁶ … 10⁶")
def single_precision_scales() -> Pair:
    s = np.array([1e-6, 1e-3, 1, 1e3, 1e6], np.float32)
    return Pair(lambda x: np.sum(s * np.sin(x)), (normal(5).astype(np.float32),), lambda x: s * np.cos(x))


@hard("float32 beside float64")
def mixed_precision() -> Pair:
    y = normal(4, seed=1)
    return Pair(
        lambda x, y: np.sum(x * np.sin(y)), (F, y), lambda x, y: (np.sin(y).astype(np.float32), x * np.cos(y))
    )


@hard("float16")
def half_precision() -> Pair:
    return Pair(lambda x: np.sum(np.sin(x)), (X.astype(np.float16),), np.cos)


@hard("extended precision", smooth=False)
def extended_precision() -> Pair:
    return Pair(lambda x: np.sum(np.sin(x)), (X.astype(np.longdouble),), np.cos)


# ------------------------------------------------------------------------------------- complex numbers
Z = normal(3) + 1j * normal(3, seed=1)


@hard("a holomorphic function")
def holomorphic() -> Pair:
    return Pair(np.exp, (Z,), vjp=lambda lam, z: lam * np.exp(z))


@hard("|z|², which is not holomorphic")
def modulus() -> Pair:
    return Pair(lambda z: np.sum(np.abs(z) ** 2), (Z,), lambda z: 2 * np.conj(z))


@hard("real and complex arguments mixed")
def mixed_kinds() -> Pair:
    return Pair(
        lambda x, z: np.sum(np.real(x * z**2)),
        (normal(3, seed=2), Z),
        lambda x, z: (np.real(z**2), 2 * x * z),
    )


@hard("a spectrum")
def spectrum() -> Pair:
    w = np.arange(8.0)
    return Pair(
        lambda x: np.sum(w * np.abs(np.fft.fft(x)) ** 2),
        (normal(8),),
        lambda x: 16 * np.real(np.fft.ifft(w * np.fft.fft(x))),
    )


@hard("complex numbers in single precision")
def single_precision_complex() -> Pair:
    return Pair(lambda z: np.sum(np.abs(z) ** 2), (Z.astype(np.complex64),), lambda z: 2 * np.conj(z))
