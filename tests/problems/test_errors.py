"""What is refused, by its text: the constraint's name, where it is written, and what to do."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad

X0 = np.array([0.5, 0.5])


def f(x: np.ndarray) -> np.ndarray:
    return np.sum(x**2)


def root(x: np.ndarray) -> np.ndarray:
    return np.sqrt(x[0] - 1) - 2


def test_nan_names_the_constraint_and_the_line() -> None:
    with pytest.raises(ad.DomainError) as caught:
        ad.minimize(f, X0, ineq={"root": root})
    text = str(caught.value)
    assert "constraint 'root' is nan at x0" in text
    assert "root is defined at" in text and "test_errors.py" in text
    assert "return np.sqrt(x[0] - 1) - 2" in text  # nan_origin's line
    with pytest.raises(ad.DomainError, match="f is inf at x0"):
        ad.minimize(lambda x: np.sum(1 / (x - 0.5) ** 2), X0)
    with pytest.raises(ad.DomainError, match="constraint 'inner' is nan at x0"):
        ad.minimize(lambda x: np.sum(x) + 0 * ad.constrain(np.log(x[0] - 2), upper=0.0, name="inner"), X0)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"f": lambda x: x**2}, ad.ShapeError, r"f must return one real number, got \(2,\) float64"),
        ({"f": lambda x: None}, ad.DTypeError, "f must return one real number, got NoneType"),
        ({"ineq": {"g": lambda x: x <= 1}}, ad.DTypeError, "'g' must return real numbers, got .*bool"),
        ({"ineq": {"g": lambda x: "no"}}, ad.DTypeError, "'g' must return real numbers, got str"),
        ({"ineq": {"g": 3.0}}, TypeError, r"ineq\['g'\] must be a function of x, got float 3.0"),
        ({"ineq": [f]}, TypeError, "ineq must be a dict of named functions"),
        ({"eq": {"g": f}, "ineq": {"g": f}}, ad.TreeError, "the name 'g' is in eq and in ineq"),
        ({"ineq": {"upper": f}, "bounds": (0.0, 1.0)}, ad.TreeError, "two constraints are called 'upper'"),
        ({"bounds": [(0, 1), (0, 1)]}, ad.ShapeError, r"bounds must be a tuple \(lower, upper\)"),
        ({"bounds": (np.zeros(3), None)}, ad.ShapeError, r"the lower bounds \(3,\) do not fit x \(2,\)"),
        ({"bounds": (None, [1.0, np.nan])}, ad.DomainError, "the upper bounds contain NaN"),
        (
            {"bounds": (np.inf, None)},
            ad.DomainError,
            "the lower bounds contain inf: no number satisfies them",
        ),
        ({"bounds": ({"a": 1.0}, None)}, ad.ShapeError, "the lower bounds must have the containers of x"),
        ({"x0": np.array([1.0, np.nan])}, ad.DomainError, "x0 is not finite"),
        ({"x0": {"a": np.array(["text"])}}, ad.DTypeError, "x0/a must be real numbers"),
        ({"x0": np.zeros(0)}, ad.ShapeError, "x0 has no elements"),
        ({"args": 3.0}, TypeError, r"args must be a tuple of arguments, got float: write args=\(p,\)"),
    ],
)
def test_misuse(options, error, text) -> None:  # type: ignore[no-untyped-def]
    given = {"f": f, "x0": X0, **options}
    with pytest.raises(error, match=text):
        ad.minimize(given.pop("f"), given.pop("x0"), **given)


def test_constraints_that_change_from_call_to_call() -> None:
    calls: list[int] = []

    def growing(x: np.ndarray) -> np.ndarray:
        calls.append(1)
        return np.concatenate([x, x])[: 1 + len(calls)]

    with pytest.raises(
        ad.ShapeError, match=r"the constraints must be the same in every call: first \[\('g', "
    ):
        ad.minimize(f, X0, ineq={"g": growing})

    def sometimes(x: np.ndarray) -> np.ndarray:
        if x[0] < 0.4:
            ad.constrain(x[1], lower=0.0, name="late")
        return np.sum((x + 1) ** 2)

    with pytest.raises(ad.ShapeError, match="must not depend on a branch over values"):
        ad.minimize(sometimes, X0)


def test_a_users_exception_passes() -> None:
    def broken(x: np.ndarray) -> np.ndarray:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        ad.minimize(broken, X0)


def test_a_domain_left_on_the_way_is_no_error() -> None:
    found = ad.minimize(lambda x: x[0] - np.log(x[0]), np.array([1e-3]))
    assert found.success
    np.testing.assert_allclose(found.x, 1, atol=1e-10)


def test_integers_are_a_start_like_any_other() -> None:
    assert ad.minimize(lambda x: (x - 2.5) ** 2, 1).x == 2.5
