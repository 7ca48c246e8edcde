"""Flat vectors, optimization loops, fixed points and replayed programs, against plain ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import misc
from adjoint.errors import ConvergenceError, DTypeError, ShapeError, TreeError
from adjoint.misc import fixed_points
from adjoint.misc.fixed_points import fixed_point
from adjoint.misc.flatten import flatten_func
from adjoint.misc.optimizers import adam, rmsprop, sgd
from adjoint.test_util import check_grads

from ..helpers import close, message, normal, same_kind

TREES: dict[str, Any] = {
    "scalar": np.float64(2.0),
    "array": normal(2, 3),
    "nested": {
        "b": (np.float64(1.0), [normal(2, 3)]),
        "a": [normal(1, 4), {"x": np.float64(2.0)}],
        "c": None,
    },
    "empty containers": ([], (), {}, normal(2)),
    "size 0": [normal(0, 3), normal(2)],
    "nothing": (),
    "float32 and float64": {"a": normal(2).astype(np.float32), "b": normal(3)},
    "complex": [np.complex128(1 + 2j), normal(2) + 1j * normal(2)],
    "complex and real": [1j * normal(2), normal(3)],
    "integers": [np.array([1, 2]), np.int64(3)],
}


# ------------------------------------------------------------------------------------------- flatten
@pytest.mark.parametrize("kind", TREES)
def test_flatten_and_back(kind: str) -> None:
    vector, unflatten = misc.flatten(TREES[kind])
    assert vector.ndim == 1
    close(unflatten(vector), TREES[kind])
    same_kind(unflatten(vector), TREES[kind])


def test_flatten_is_differentiable_both_ways() -> None:
    p = {"w": normal(2, 3), "b": 0.5}

    def there_and_back(p: Any) -> Any:
        vector, unflatten = misc.flatten(p)
        q = unflatten(np.sin(vector))
        return np.sum(q["w"] ** 2) * q["b"]

    def directly(p: Any) -> Any:
        return np.sum(np.sin(p["w"]) ** 2) * np.sin(p["b"])

    close(ad.grad(there_and_back)(p), ad.grad(directly)(p))
    close(ad.compile(ad.grad(there_and_back))(p), ad.grad(directly)(p))
    check_grads(there_and_back)(p)
    check_grads(lambda p: misc.flatten(p)[1](np.sin(misc.flatten(p)[0])))(TREES["complex and real"])
    close(ad.grad(lambda x, y: np.sum(misc.flatten([x, y])[0] ** 2), (0, 1))(1.0, 2.0), (2.0, 4.0))


def test_flatten_refuses_and_unflatten_checks() -> None:
    assert "flatten needs numbers, got () <U1 at k/0" in message(
        DTypeError, misc.flatten, {"k": [np.str_("s")]}
    )
    unflatten = misc.flatten([1.0, np.ones(2)])[1]
    assert "needs a vector of 3 numbers, got shape (4,)" in message(ShapeError, unflatten, np.ones(4))
    close(misc.flatten([1, 2])[1](np.array([0.5, 1.5])), [0.5, 1.5])  # no fraction is cut off
    assert misc.flatten(np.ones(2, np.float32))[1](np.ones(2)).dtype == np.float32


def test_functions_of_vectors() -> None:
    example = {"a": normal(2), "b": 1.0}
    flat, unflatten, vector = flatten_func(lambda p, k: {"y": k * p["a"] * p["b"]}, example)
    close(
        ad.jacobian(flat)(vector, 2.0), np.array([[2, 0, 2 * example["a"][0]], [0, 2, 2 * example["a"][1]]])
    )
    close(unflatten(vector), example)


# --------------------------------------------------------------------------------------- optimizers
def by_hand(name: str, g: Any, x: Any, steps: int) -> Any:
    """The textbook's updates of one array, with the defaults of autograd's signatures."""
    v, s, m = np.zeros_like(x), np.ones_like(x), np.zeros_like(x)
    for i in range(steps):
        d = g(x, i)
        if name == "sgd":
            v = 0.9 * v - 0.1 * d
            x = x + 0.1 * v
        elif name == "rmsprop":
            s = 0.9 * s + 0.1 * d**2
            x = x - 0.1 * d / (np.sqrt(s) + 1e-8)
        else:
            m, v = 0.9 * m + 0.1 * d, 0.999 * v + 0.001 * d**2
            x = x - 0.001 * (m / (1 - 0.9 ** (i + 1))) / (np.sqrt(v / (1 - 0.999 ** (i + 1))) + 1e-8)
    return x


@pytest.mark.parametrize("optimizer", [sgd, rmsprop, adam], ids=lambda f: f.__name__)
def test_optimizers_step_as_the_textbook_says(optimizer: Any) -> None:
    def g(x: Any, i: int) -> Any:
        return 2 * (x - 1.0) + 0.1 * i

    x0, seen = normal(3), []
    found = optimizer(g, x0, lambda x, i, d: seen.append((x, i, d)), num_iters=7)
    close(found, by_hand(optimizer.__name__, g, x0, 7), 1e-12)
    assert [i for _, i, _ in seen] == list(range(7))
    close(seen[3][2], g(seen[3][0], 3))
    tree = {"a": [x0[:1], x0[1:2]], "b": (x0[2],)}
    close(
        optimizer(lambda p, i: ad.tree_map(lambda x: g(x, i), p), tree, num_iters=7),
        {"a": [found[:1], found[1:2]], "b": (found[2],)},
    )
    check_grads(lambda x0: optimizer(g, x0, num_iters=3), order=1)(x0)  # differentiable through
    close(optimizer(g, 3, num_iters=2), by_hand(optimizer.__name__, g, np.float64(3.0), 2))


# -------------------------------------------------------------------------------------- fixed points
def test_fixed_points_and_their_derivatives(monkeypatch: pytest.MonkeyPatch) -> None:
    def heron(a: Any) -> Any:
        return lambda x: 0.5 * (x + a / x)

    def distance(x: Any, y: Any) -> Any:
        return np.max(np.abs(x - y))

    a = np.array([2.0, 3.0])

    def root(a: Any) -> Any:
        return fixed_point(heron, a, np.ones(2), distance, 1e-13)

    close(root(a), np.sqrt(a))
    close(ad.jacobian(root)(a), np.diag(0.5 / np.sqrt(a)))
    check_grads(root)(a)
    close(ad.compile(ad.jacobian(root))(a), np.diag(0.5 / np.sqrt(a)))

    def pair(a: Any) -> Any:  # containers on both sides, and a distance of them
        return lambda x: {"u": np.cos(a[0] * x["v"]), "v": 0.5 * np.sin(a[1]["k"] * x["u"])}

    def gap(x: Any, y: Any) -> Any:
        return abs(x["u"] - y["u"]) + abs(x["v"] - y["v"])

    check_grads(lambda a: fixed_point(pair, a, {"u": 0.0, "v": 0.0}, gap, 1e-14))((0.5, {"k": 1.5}))

    def turning(a: Any) -> Any:  # complex, and not holomorphic in z
        return lambda z: 0.5 * np.exp(1j * a) * np.conj(z) + a

    check_grads(lambda a: fixed_point(turning, a, 0j, lambda x, y: abs(x - y), 1e-14))(0.7)
    check_grads(lambda a: fixed_point(turning, a, 0j, lambda x, y: abs(x - y), 1e-14))(0.7 + 0.2j)

    text = message(ConvergenceError, fixed_point, lambda a: lambda x: a * x, np.nan, 1.0, distance, 1e-9)
    assert "diverged" in text
    monkeypatch.setattr(fixed_points, "MAX_STEPS", 100)
    text = message(ConvergenceError, fixed_point, lambda a: lambda x: a - x, 1.0, 2.0, distance, 1e-9)
    assert "did not settle in 100 steps" in text and "raise tol" in text


# ------------------------------------------------------------------------------------ replayed programs
def test_recorded_once_and_run_again() -> None:
    calls: list[str] = []

    def f(a: Any, p: Any, x: Any, *, k: float = 1.0) -> Any:
        calls.append("f")
        u = np.linalg.slogdet(p["w"] + np.eye(2))[1] if k else 0.0  # a primitive of several results
        return {"g": ad.grad(lambda x: a * k * np.sum(np.sin(x) * x))(x), "u": u, "c": 3.0, "x": x}

    g = misc.const_graph(f, 2.0, k=3.0)
    for seed in range(3):
        p, x = {"w": normal(2, 2, seed=seed)}, normal(3, seed=seed)
        close(g(p, x), {"g": 6 * (np.sin(x) + x * np.cos(x)), "u": f(2.0, p, x)["u"], "c": 3.0, "x": x})
    assert len(calls) == 4
    p, x = {"w": normal(2, 2)}, normal(3)
    close(ad.grad(lambda x: np.sum(g(p, x)["g"]))(x), 6 * (2 * np.cos(x) - x * np.sin(x)))
    check_grads(lambda p: g(p, x)["u"])(p)
    assert g.__name__ == "f"


def test_recorded_while_differentiated_or_traced() -> None:
    first = misc.const_graph(lambda x: np.sin(x) * x)
    close(ad.grad(first)(0.3), np.cos(0.3) * 0.3 + np.sin(0.3))
    close(first(0.5), np.sin(0.5) * 0.5)
    second = misc.const_graph(lambda x: np.sum(np.sin(x) * x))
    close(ad.compile(ad.grad(second))(np.ones(2)), ad.grad(second)(np.ones(2)))


def test_what_a_recording_refuses() -> None:
    g = misc.const_graph(lambda x: np.sum(x["a"] * 2.0))
    g({"a": np.ones(2)})
    assert "was recorded for an argument (2,) float64, got (3,) float64" in message(
        ShapeError, g, {"a": np.ones(3)}
    )
    assert "was recorded for ({'a': *},), got ([*],)" in message(TreeError, g, [np.ones(2)])
    message(DTypeError, misc.const_graph(lambda n: n), 3)
