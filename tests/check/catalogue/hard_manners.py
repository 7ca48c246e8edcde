"""Functions and derivatives with manners of their own: what they refuse, return, and leave to others."""

from __future__ import annotations

from typing import Any

import numpy as np

from .pairs import Pair, hard, normal, positive

X = normal(4)


@hard("f raises an error at negative numbers, and x is 10⁻⁹")
def refuses_negative_numbers() -> Pair:
    def f(x: Any) -> Any:
        if np.any(np.real(x) < 0):
            raise ValueError("negative")
        return np.sum(x**1.5)

    return Pair(f, (np.array([1e-9, 1.0]),), lambda x: 1.5 * np.sqrt(x))


@hard("f is infinite at 10⁻⁶ to the left")
def infinite_beside() -> Pair:
    f = lambda x: -np.sum(np.log(x)) if np.all(np.real(x) > 0) else np.inf  # noqa: E731
    return Pair(f, (np.array([1e-6, 0.5]),), lambda x: -1 / x)


@hard("f insists on float64 and refuses complex numbers")
def insists_on_its_dtype() -> Pair:
    def f(x: Any) -> Any:
        assert x.dtype == np.float64 and x.flags.c_contiguous
        return np.sum(np.sin(x))

    return Pair(f, (X,), np.cos, exact=lambda x: np.sum(np.sin(x)))


@hard("f discards the imaginary part: the complex step sees nothing")
def casts_to_real() -> Pair:
    return Pair(lambda x: np.sum(np.sin(np.real(x))), (X,), np.cos)


@hard("f conjugates: defined for complex numbers, not analytic")
def not_analytic() -> Pair:
    return Pair(lambda x: np.sum(np.real(x * np.conj(x))), (X,), lambda x: 2 * x)


@hard("analytic in one entry, not in another")
def half_analytic() -> Pair:
    f = lambda x: np.sin(x[0]) + np.abs(x[1]) ** 3  # noqa: E731
    return Pair(f, (np.array([0.5, -0.7]),), lambda x: np.array([np.cos(x[0]), 3 * x[1] * np.abs(x[1])]))


@hard("None for an argument without influence")
def none_for_zero() -> Pair:
    return Pair(lambda x, y: np.sum(np.sin(x)) + 0 * np.sum(y), (X, X), lambda x, y: (np.cos(x), None))


@hard("the derivative comes as a list of numbers")
def list_of_numbers() -> Pair:
    return Pair(lambda x: np.sum(np.sin(x)), (X,), lambda x: np.array([float(np.cos(v)) for v in x]))


@hard("an argument of one entry, a derivative that is a plain number")
def number_for_one_entry() -> Pair:
    return Pair(lambda x: np.sum(np.sin(x)), (np.array([0.4]),), lambda x: np.cos(x))


@hard("the value is an array of one entry")
def value_of_shape_one() -> Pair:
    return Pair(lambda x: np.sum(np.sin(x), keepdims=True), (X,), vjp=lambda lam, x: lam * np.cos(x))


@hard("float64 derivatives of a float32 argument", smooth=False)
def wider_derivative() -> Pair:
    return Pair(lambda x: np.sum(np.sin(x)), (X.astype(np.float32),), lambda x: np.cos(x.astype(np.float64)))


@hard("a not-a-number that is masked away", smooth=False)
def masked_nan() -> Pair:
    x = np.array([0.3, np.nan, -1.0])
    mask = np.array([True, False, True])
    return Pair(
        lambda x: np.sum(np.where(mask, np.sin(x), 0.0)), (x,), lambda x: np.where(mask, np.cos(x), 0.0)
    )


@hard("an infinite bound in the argument, which nothing depends on")
def infinite_entry() -> Pair:
    x = np.array([0.3, np.inf, -1.0])
    return Pair(lambda x: np.sum(np.minimum(x, 5.0) ** 2), (x,), lambda x: np.where(x < 5, 2 * x, 0.0))


@hard("options and names in a dictionary of parameters", smooth=False)
def options_in_a_dictionary() -> Pair:
    params = {"w": X, "n": 3, "kind": "sum", "mask": np.array([True, False, True, True])}

    def gradient(p: Any) -> Any:
        g = p["n"] * p["w"] ** (p["n"] - 1) * p["mask"]
        return {"w": g, "n": None, "kind": None, "mask": None}

    return Pair(lambda p: np.sum(p["w"] ** p["n"] * p["mask"]), (params,), gradient)


@hard("eighty arrays in a list")
def eighty_arrays() -> Pair:
    xs = [positive(2, seed=k) for k in range(80)]
    return Pair(lambda xs: sum(np.sum(np.log(x)) for x in xs), (xs,), lambda xs: [1 / x for x in xs])


@hard("f warns of its own accord")
def warns() -> Pair:
    return Pair(
        lambda x: np.sum(np.where(x > 0, np.log(np.abs(x)), 0.0 * x)),
        (np.array([0.5, -1.0, 2.0]),),
        lambda x: np.where(x > 0, 1 / np.abs(x), 0.0),
    )


@hard("f returns a plain integer where it is constant")
def integer_where_constant() -> Pair:
    return Pair(
        lambda x: np.sum(x**2) if np.all(np.real(x) > 0) else 0.0, (np.array([0.5, 2.0]),), lambda x: 2 * x
    )


@hard("a derivative of 10³⁰⁷")
def derivative_near_overflow() -> Pair:
    return Pair(lambda x: np.sum(np.sinh(x)), (np.array([707.0, -707.0]),), np.cosh)
