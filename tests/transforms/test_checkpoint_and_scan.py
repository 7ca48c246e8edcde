"""checkpoint computes inner values again instead of keeping them; scan is a loop with a carried state."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import adjoint as ad
from adjoint import check
from adjoint.errors import LeakError, ShapeError, TreeError

from ..helpers import close, message, normal

X, W = normal(3), normal(3, 3, seed=1)


class State(NamedTuple):
    h: Any
    count: Any


def layer(w: Any, x: Any) -> Any:
    h = np.tanh(w @ x)
    return np.sin(h) * np.exp(-(h**2))


# --------------------------------------------------------------------------------------- checkpoint
def test_checkpoint_changes_nothing_but_memory() -> None:
    def f(block: Callable[..., Any]) -> Callable[..., Any]:
        return lambda w, x: np.sum(block(w, block(w, x)) ** 2)

    plain, saved = f(layer), f(ad.checkpoint(layer))
    v = (normal(3, 3, seed=2), normal(3, seed=3))
    close(saved(W, X), plain(W, X))
    close(ad.grad(saved, (0, 1))(W, X), ad.grad(plain, (0, 1))(W, X))
    close(ad.grad(saved, 1)(W, X), ad.grad(plain, 1)(W, X))
    close(ad.jvp(saved, (W, X), v), ad.jvp(plain, (W, X), v))
    close(ad.hessian(saved, 1)(W, X), ad.hessian(plain, 1)(W, X))
    close(ad.hessian_vector_product(saved)(W, X, v[0]), ad.hessian_vector_product(plain)(W, X, v[0]))
    third = [ad.grad(lambda s, g=g: ad.hessian(g, 1)(W * s, X)[0, 0])(1.0) for g in (plain, saved)]
    close(third[1], third[0])
    check.gradients(saved, (W, X)).raise_on_failure()


def peak(f: Callable[[], Any]) -> int:
    tracemalloc.start()
    f()
    top = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return top


def test_memory_really_falls() -> None:
    size, steps = 50_000, 10

    def block(x: Any) -> Any:
        for _ in range(steps):
            x = np.sin(x)
        return x

    def f(block: Callable[..., Any]) -> Callable[[], Any]:
        return lambda: ad.grad(lambda x: np.sum(block(block(block(block(block(x)))))))(np.ones(size))

    plain, saved = peak(f(block)), peak(f(ad.checkpoint(block)))
    assert plain > 5 * steps * 8 * size
    assert saved < (5 + 2 * steps) * 8 * size < plain / 1.9


def test_checkpoint_is_one_node() -> None:
    with ad.Tape() as tape:
        x, w = tape.input(X), tape.input(W)
        ad.checkpoint(layer)(w, x)
    assert len(tape) == 3
    assert tape.label(2) == "checkpoint(layer)#2"
    assert ad.checkpoint(layer).__name__ == "layer"


def test_containers_keywords_and_arguments_that_are_no_floats() -> None:
    @ad.checkpoint
    def f(state: State, n: int, *, mode: str, options: dict[str, Any]) -> dict[str, Any]:
        h = state.h**n * options["scale"] if mode == "power" else state.h
        return {"state": State(h, state.count + 1), "total": [np.sum(h), None]}

    def loss(x: Any, scale: Any) -> Any:
        result = f(State(x, 3), 3, mode="power", options={"scale": scale, "unused": None})
        assert isinstance(result["state"], State) and result["total"][1] is None
        assert int(result["state"].count) == 4
        return result["total"][0] * np.sum(result["state"].h)

    def plain(x: Any, scale: Any) -> Any:
        return np.sum(x**3 * scale) ** 2

    for g in (lambda f: ad.grad(f, (0, 1)), lambda f: ad.hessian(f), lambda f: ad.jacobian(ad.grad(f), 1)):
        close(g(loss)(X, 2.0), g(plain)(X, 2.0))
    close(ad.jvp(loss, (X, 2.0), (X, 1.0)), ad.jvp(plain, (X, 2.0), (X, 1.0)))
    assert f(State(X, 1), 2, mode="x", options={})["state"].count == 2


def test_only_one_of_several_results_is_used() -> None:
    pair = ad.checkpoint(lambda x: (np.sin(x), np.cos(x), np.argmax(x)))
    close(ad.grad(lambda x: np.sum(pair(x)[1]))(X), -np.sin(X))
    close(ad.grad(lambda x: pair(x)[0][pair(x)[2]])(X), np.where(X.max() == X, np.cos(X), 0.0))
    close(ad.jvp(lambda x: pair(x)[0], (X,), (X,))[1], np.cos(X) * X)


def test_recorded_integers_are_allowed_as_arguments() -> None:
    pick = ad.checkpoint(lambda x, k: x[k] ** 2)
    expected = np.zeros(3)
    expected[np.argmax(X)] = 2 * X.max()
    close(ad.grad(lambda x: pick(x, np.argmax(x)))(X), expected)
    close(ad.jvp(lambda x: pick(x, np.argmax(x)), (X,), (np.ones(3),))[1], np.float64(2 * X.max()))


def test_values_from_the_surroundings_are_refused() -> None:
    text = message(LeakError, ad.grad(lambda x: np.sum(ad.checkpoint(lambda y: y * x)(x))), X)
    assert "checkpoint(<lambda>) uses a recorded value (multiply#" in text
    assert "Pass it as an argument" in text
    outer = message(
        LeakError, ad.grad(lambda a: ad.grad(lambda x: ad.checkpoint(lambda y: y * a)(x))(1.0)), 2.0
    )
    assert "Pass it as an argument" in outer


def test_exceptions_pass_and_errors_inside_name_the_inner_line() -> None:
    def bad(x: Any) -> Any:
        return x @ np.ones((2, 2))

    with pytest.raises(ValueError, match="matmul"):
        ad.grad(lambda x: np.sum(ad.checkpoint(bad)(x)))(X)


def test_nested_checkpoints() -> None:
    inner = ad.checkpoint(layer)
    outer = ad.checkpoint(lambda w, x: inner(w, inner(w, x)))
    close(ad.grad(lambda w: np.sum(outer(w, X)))(W), ad.grad(lambda w: np.sum(layer(w, layer(w, X))))(W))
    close(ad.hvp(lambda w: np.sum(outer(w, X)), W, W), ad.hvp(lambda w: np.sum(layer(w, layer(w, X))), W, W))


# --------------------------------------------------------------------------------------------- scan
XS = normal(5, 3, seed=4)


def step(h: Any, x: Any) -> tuple[Any, Any]:
    h = np.tanh(h * x + 0.1)
    return h, {"h": h, "sum": np.sum(h)}


def by_loop(h: Any, xs: Any) -> Any:
    rows = []
    for x in xs:
        h, y = step(h, x)
        rows.append(y)
    return h, {"h": np.stack([r["h"] for r in rows]), "sum": np.stack([r["sum"] for r in rows])}


@pytest.mark.parametrize("checkpoint", [False, True])
def test_scan_is_a_loop(checkpoint: bool) -> None:
    def total(run: Any) -> Any:
        def f(h: Any, xs: Any) -> Any:
            h, ys = run(h, xs)
            return np.sum(h) + np.sum(ys["h"] ** 2) * ys["sum"][2]

        return f

    def scanned(h: Any, xs: Any) -> Any:
        return ad.scan(step, h, xs, checkpoint=checkpoint)

    close(scanned(X, XS), by_loop(X, XS))
    for g in (lambda f: ad.grad(f, (0, 1)), lambda f: ad.hessian(f, 0)):
        close(g(total(scanned))(X, XS), g(total(by_loop))(X, XS))
    v = (np.ones(3), XS)
    close(ad.jvp(total(scanned), (X, XS), v), ad.jvp(total(by_loop), (X, XS), v))


def test_checkpointed_scan_keeps_one_node_per_step() -> None:
    with ad.Tape() as tape:
        x, xs = tape.input(X), tape.input(XS)
        ad.scan(lambda h, x: (np.tanh(h * x + 0.1), None), x, xs, checkpoint=True)
    assert len(tape) == 2 + 2 * len(XS)  # a row of xs, and the step
    assert sum(tape.label(i).startswith("checkpoint(") for i in range(len(tape))) == len(XS)


def test_scan_without_inputs_outputs_or_steps() -> None:
    assert ad.scan(lambda c, x: (c * 2, None), 1.0, length=10) == (1024.0, None)
    close(ad.grad(lambda c: ad.scan(lambda c, x: (c * c, None), c, length=3)[0])(1.1), np.float64(8 * 1.1**7))
    assert ad.scan(step, X, XS[:0]) == (X, None) or ad.scan(step, X, XS[:0])[1] is None
    close(ad.scan(lambda c, x: (c, x), 0.0, XS)[1], XS)
    carry, ys = ad.scan(
        lambda c, x: ((c[0] + x["a"], None), (x["b"][0], None)), (0.0, None), {"a": XS[:, 0], "b": [XS]}
    )
    close(carry, (np.sum(XS[:, 0]), None), 1e-12)
    close(ys, (XS, None))


def test_scan_refusals() -> None:
    assert "got lengths [3, 5]" in message(ShapeError, ad.scan, step, X, (XS, XS[:3]))
    assert "got lengths [4, 5]" in message(ShapeError, ad.scan, step, X, XS, 4)
    assert "got neither xs nor length" in message(ShapeError, ad.scan, step, X)
    assert "scan needs one common length along the first axis" in message(ShapeError, ad.scan, step, X, 3.0)
    assert "the step must return (carry, y), not ndarray" in message(
        TreeError, ad.scan, lambda c, x: c, X, XS
    )
    assert "changed the structure of the carry" in message(TreeError, ad.scan, lambda c, x: ([c], x), X, XS)
    changing = iter(range(5))
    assert "containers differ" in message(
        TreeError, ad.scan, lambda c, x: (c, [x] * (1 + next(changing))), X, XS
    )


def test_long_scan_does_not_recurse() -> None:
    np.testing.assert_allclose(
        ad.grad(lambda c: ad.scan(lambda c, _: (c * 0.999, None), c, length=5000)[0])(1.0), 0.999**5000
    )
