"""ad.cond: the branch chosen when it runs eagerly, both and a selection when it is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import DTypeError, ShapeError, TreeError

from ..helpers import close, message, normal, points_at, same_kind

X, V = normal(4), normal(4, seed=1)


class State(NamedTuple):
    h: Any
    count: Any


def smooth(x: Any) -> Any:
    """Both branches are finite wherever they are evaluated."""
    return ad.cond(np.sum(x) > 0, lambda x: np.sum(np.sin(x) * x), lambda x: np.sum(x**3), x)


def guarded(x: Any) -> Any:
    """Either branch is not finite, or its derivatives are not, where the other one is taken."""
    return ad.cond(
        x[0] > 0,
        lambda x: np.sum(np.log(x[0]) * x) + np.sqrt(x[0]) ** 3,
        lambda x: np.sum(x) / (x[0] - 1.0) + np.log1p(-x[0]) * np.sqrt(-x[0]),
        x,
    )


def contained(x: Any) -> Any:
    """Containers in and out, a Python number, an integer, a branch within a branch, a factor outside."""

    def up(state: State) -> Any:
        return {"h": np.tanh(state.h), "s": 0.0, "n": state.count + 1}

    def down(state: State) -> Any:
        norm = ad.cond(np.max(state.h) > 0.5, lambda h: h @ h, lambda h: np.sum(np.abs(h)), state.h)
        return {"h": state.h * norm, "s": np.sum(state.h), "n": state.count}

    result = ad.cond(x[1], up, down, State(x, np.argmax(x)))
    return np.sum(result["h"] ** 2) * 2 + result["s"] ** 2 + result["n"]


FUNCTIONS = [smooth, guarded, contained]
BRANCHES = [
    np.abs(X) + 0.1,
    -np.abs(X) - 0.1,
    np.array([1.0, 0.0, -0.1, 0.2]),
    np.array([0.0, 0.0, 2.0, 1.0]),
]


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_compiled_as_eager(f: Callable[..., Any]) -> None:
    """Values and derivatives in every branch, by one program.

    guarded: NaN in the branch not taken would show at once, in either mode and order.
    """

    def everything(x: Any) -> Any:
        found = [ad.value_and_grad(f)(x)]
        if f is guarded:
            found += [ad.jvp(f, (x,), (V,)), ad.grad(lambda x: ad.grad(f)(x) @ V)(x)]
        return found

    compiled = ad.compile(everything)
    for x in BRANCHES:
        if f is guarded and x[0] in (0.0, 1.0):
            continue  # the eager derivatives are infinite there themselves
        assert all(np.isfinite(v).all() for v in ad.tree.flatten(everything(x))[0])
        close(compiled(x), everything(x), 1e-12)
        same_kind(compiled(x), everything(x))
    assert compiled.explain().recompilations == 0


def test_only_the_chosen_branch_runs_eagerly() -> None:
    ran = []

    def branch(name: str) -> Callable[..., Any]:
        return lambda x: ran.append(name) or x * 2

    for predicate in (True, 1, 0.5, np.float32(2), np.array(True), np.array(3)):
        assert ad.cond(predicate, branch("yes"), branch("no"), 1.0) == 2.0
    for predicate in (False, 0, 0.0, np.bool_(False), np.array(0.0)):
        ad.cond(predicate, branch("no"), branch("yes"), 1.0)
    ad.grad(lambda x: ad.cond(x > 0, branch("yes"), branch("no"), x))(1.0)
    assert ran == ["yes"] * 12


def test_a_predicate_that_does_not_vary_is_decided_once() -> None:
    """An int is part of the program: the other branch need not agree, nor run."""
    f = ad.compile(lambda x, deep: ad.cond(deep, np.tanh, lambda x: x / 0 if deep else x[:2], x))
    close(f(X, 1), np.tanh(X))
    close(f(X, 0), X[:2])


def test_any_number_is_a_predicate_under_compile() -> None:
    f = ad.compile(lambda p, x: ad.cond(p, lambda x: x + 1, lambda x: x - 1, x))
    for p in (0.0, -0.0, 2.5, np.nan, np.float32(0), np.float32(1e-30), np.array(7), np.array(0), np.False_):
        close(f(p, X), X + 1 if p else X - 1)


def test_float32_stays_float32() -> None:
    x = X.astype(np.float32)
    f = ad.value_and_grad(lambda x: ad.cond(np.sum(x) > 0, lambda x: np.sum(x * x), lambda x: 0.0, x))
    for v in (x, -x):
        value, gradient = ad.compile(f)(v)
        assert value.dtype == gradient.dtype == np.float32
        close([value, gradient], list(f(v)), 1e-6)


def test_a_state_carried_by_scan() -> None:
    """Newton's iteration that stops: further steps leave the state as it is."""

    def root(a: Any) -> Any:
        def step(x: Any, _: Any) -> Any:
            return ad.cond(np.abs(x * x - a) > 1e-12, lambda x: 0.5 * (x + a / x), lambda x: x, x), None

        return ad.scan(step, a, length=8)[0]

    f = ad.compile(ad.value_and_grad(root))
    for a in (2.0, 9.0, 0.3):
        close(f(a), (np.sqrt(a), 0.5 / np.sqrt(a)), 1e-9)
        close(f(a), ad.value_and_grad(root)(a), 1e-12)


# ------------------------------------------------------------------------------------------ refusals
def refused(kind: type[Exception], yes: Any, no: Any) -> str:
    f = ad.compile(lambda x: ad.cond(x[0] > 0, yes, no, x))  # the line that errors name
    text = message(kind, f, X)
    assert points_at(text, "ad.cond(x[0] > 0, yes, no, x)")
    return text


def test_branches_that_disagree_are_refused() -> None:
    text = refused(TreeError, lambda x: (x, x), lambda x: [x, x])
    assert "the same containers: (*, *) and [*, *]" in text
    text = refused(ShapeError, lambda x: {"a": x, "b": x}, lambda x: {"a": x, "b": x[:2]})
    assert "cond needs results of equal shapes at b: (4,) and (2,)" in text
    assert "if_true: (4,) float64;  if_false: (2,) float64" in text and "np.broadcast_to" in text
    text = refused(DTypeError, lambda x: x, lambda x: x.astype(np.float32))
    assert "cond needs results of equal dtypes: float64 and float32" in text
    assert "equal dtypes: int64 and float64" in refused(DTypeError, lambda x: 1, lambda x: 2.0)
    assert "equal dtypes: int64 and float64" in refused(DTypeError, lambda x: np.argmax(x), lambda x: 0.5)
    assert "cannot choose between str and str" in refused(TreeError, lambda x: "up", lambda x: "down")
    assert "between str and (4,) float64" in refused(TreeError, lambda x: "up", lambda x: x)
    assert ad.compile(lambda x: ad.cond(x[0] > 0, lambda x: ("up", x), lambda x: ("up", -x), x))(X)[0] == "up"


def test_predicates_and_branches_are_checked() -> None:
    text = message(ShapeError, ad.cond, X > 0, np.sin, np.cos, X)
    assert "a scalar predicate, got shape (4,)" in text and "np.where chooses element by element" in text
    message(ShapeError, ad.compile(lambda x: ad.cond(x > 0, np.sin, np.cos, x)), X)
    for predicate in (None, "yes", 1j):
        assert "number or boolean as predicate" in message(DTypeError, ad.cond, predicate, np.sin, np.cos, X)
    assert "cond needs two functions, got float 1.0" in message(TypeError, ad.cond, True, np.sin, 1.0, X)


def test_the_remedy_of_a_traced_branch_is_this_function() -> None:
    """What `if` cannot do under compile, the error's own advice does."""

    def f(x: Any) -> Any:
        return np.sum(x) if x[0] > 0 else np.sum(x**2)

    assert "branch with ad.cond" in message(ad.TraceError, ad.compile(f), X)
    close(ad.compile(lambda x: ad.cond(x[0] > 0, np.sum, lambda x: np.sum(x**2), x))(X), f(X))


@pytest.mark.parametrize("z", [1.0 + 2.0j, 0j], ids=["away from zero", "at zero"])
def test_complex_operands(z: complex) -> None:
    """log z is infinite at 0, and so is its derivative, in the branch that is not taken."""

    def f(z: Any) -> Any:
        w = ad.cond(np.abs(z) > 0.5, np.log, lambda z: z * z + 1.0, z)
        return np.real(w * np.conj(w))

    compiled = ad.compile(ad.value_and_grad(f))
    with np.errstate(all="ignore"):  # complex steps are NumPy's, which warns
        value, gradient = compiled(z)
    close((value, gradient), ad.value_and_grad(f)(z))
    assert np.isfinite(gradient)
