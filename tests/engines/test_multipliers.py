"""Multipliers by name out of a compiled program."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import ShapeError, TreeError, UnknownNameError

from ..helpers import FUNCTIONS, Program, close, message, normal, same_kind

W, XS = normal(4, 4) / 2, normal(5, 4, seed=1)


def recurrence(w: Any, xs: Any) -> Any:
    """The same name in every step, a name in a scope, and one on which the loss does not depend."""
    h = np.zeros(4, xs.dtype)
    for k in range(len(xs)):
        with ad.scope("cell"):
            h = ad.name(np.tanh(w @ h + xs[k]), "h")
    ad.name(np.exp(w), "unused")
    return ad.name(np.mean(h**2), "loss")


def agree(f: Any, *args: Any, tolerance: float = 1e-12) -> ad.Multipliers:
    """Compiled, f gives the value, gradient and multipliers that it gives otherwise."""
    compiled = ad.compile(f)
    compiled(*args)  # the first call compiles; the second one is a replay
    found, wanted = compiled(*args), f(*args)
    assert isinstance(found[2], ad.Multipliers)
    close(found, wanted, tolerance)  # the containers agree in labels, places and scopes too
    same_kind(found, wanted)
    return found[2]


def test_names_asked_for_come_as_arrays() -> None:
    m = agree(ad.with_multipliers(recurrence, "cell/h#3", "loss"), W, XS)
    assert m.names == ["cell/h#3", "loss"]
    assert type(m["cell/h#3"]) is np.ndarray and m["cell/h#3"].shape == (4,)
    assert m["loss"] == 1.0
    assert [e.operation for e in m] == ["parameter", "tanh", "mean"]
    assert "test_multipliers.py" in m.entries("cell/h#3")[0].place


def test_a_repeated_name_gives_all() -> None:
    m = agree(ad.with_multipliers(recurrence, "h"), W, XS)
    assert m.names == ["cell/h", *(f"cell/h#{k}" for k in range(2, 6))]
    assert len(m["h"]) == 5 and len(m.scope("cell")) == 5
    close(m["cell/h#5"], ad.with_multipliers(recurrence)(W, XS)[2]["cell/h#5"])


def test_without_names_all_are_kept() -> None:
    m = agree(ad.with_multipliers(recurrence, argnum=(0, 1)), W, XS)
    assert len(m) > 20 and {"0", "1", "cell/h", "unused", "loss"} <= set(m.names)
    assert not m.entries("unused")[0].connected
    close(m["unused"], np.zeros((4, 4)))
    assert "cell/h#2" in repr(m) and m.nan_origin() is None
    assert m.stationarity() == pytest.approx(np.hypot(*(np.linalg.norm(m[k]) for k in ("0", "1"))))
    assert repr(pickle.loads(pickle.dumps(m))) == repr(m)
    with ad.Tape() as tape:  # they belong to no tape
        w = tape.parameter(W)
    assert "another tape" in message(TreeError, lambda: m[w])


@pytest.mark.parametrize(
    "p", [p for p in FUNCTIONS if p.name in ("partly_used", "spectrum")], ids=lambda p: p.name
)
def test_whole_programs(p: Program) -> None:
    """All nodes: among them λ of an input that is not used, and of a primitive with two results."""
    agree(ad.with_multipliers(p.function), *p.args, tolerance=1e-10)


def test_float32_and_other_shapes() -> None:
    f = ad.with_multipliers(recurrence, "h", "cell/h")
    compiled = ad.compile(f)
    for w, xs in ((W, XS), (W, XS[:3]), (W.astype(np.float32), XS.astype(np.float32)), (2 * W, XS)):
        found, wanted = compiled(w, xs), f(w, xs)
        close(found, wanted, 1e-5 if w.dtype == np.float32 else 1e-12)
        same_kind(found, wanted)
    assert compiled.explain().recompilations == 2


def test_results_are_the_callers_own() -> None:
    compiled = ad.compile(ad.with_multipliers(recurrence, "cell/h"))
    first = compiled(W, XS)
    kept = [np.copy(x) for x in ad.tree.flatten(first)[0]]
    compiled(2 * W, XS)
    close(ad.tree.flatten(first)[0], kept, 0.0)
    first[1][:] = 0.0  # the gradient: λ of the parameter is another array
    close([first[2][0], *first[2]["cell/h"]], kept[2:], 0.0)


def test_beside_other_results() -> None:
    """Inside a step that goes on with the gradient; and handed to another compiled function."""

    @ad.compile
    def step(w: Any, xs: Any) -> Any:
        value, gradient, m = ad.with_multipliers(recurrence, "cell/h#2")(w, xs)
        return {"w": w - 0.1 * gradient, "loss": value, "influence": m, "norm": np.sum(m["cell/h#2"] ** 2)}

    found = step(W, XS)
    value, gradient, m = ad.with_multipliers(recurrence, "cell/h#2")(W, XS)
    close(found, {"w": W - 0.1 * gradient, "loss": value, "influence": m, "norm": np.sum(m["cell/h#2"] ** 2)})
    total = ad.compile(lambda m: np.sum(np.abs(m["cell/h#2"])))
    for influence in (found["influence"], found["influence"], m):
        assert total(influence) == pytest.approx(np.sum(np.abs(m["cell/h#2"])))


def test_equal_shapes_under_other_names_are_another_program() -> None:
    def product(first: str, second: str) -> Any:
        return lambda w: np.sum(ad.name(3 * w, first) * ad.name(w + 1, second))

    total = ad.compile(lambda m: np.sum(m["x"]))
    for names in (("x", "y"), ("x", "y"), ("y", "x"), ("x", "y")):
        m = ad.with_multipliers(product(*names))(XS)[2]
        assert total(m) == pytest.approx(np.sum(m["x"]))


def test_they_are_what_a_residual_does() -> None:
    """λ = dℓ/dε, by injecting ε into the compiled program itself."""

    def relaxed(w: Any, xs: Any, eps: Any) -> Any:
        h = np.tanh(w @ np.zeros(4) + xs[0])
        h = ad.name(np.tanh(w @ h + xs[1]) + eps, "h")
        return np.mean(np.tanh(w @ h) ** 2)

    value = ad.compile(relaxed)
    lam = ad.compile(ad.with_multipliers(relaxed, "h"))(W, XS, np.zeros(4))[2]["h"]
    for k, e in enumerate(1e-6 * np.eye(4)):
        assert lam[k] == pytest.approx((value(W, XS, e) - value(W, XS, -e)) / 2e-6, rel=1e-6)


# ------------------------------------------------------------------------------------------ refusals
def test_unknown_names_are_refused_when_the_program_is_traced() -> None:
    text = message(UnknownNameError, ad.compile(ad.with_multipliers(recurrence, "g")), W, XS)
    assert text.startswith("no multiplier 'g'; names: cell/h, cell/h#2")


def test_vector_outputs_are_refused() -> None:
    message(ShapeError, ad.compile(ad.with_multipliers(np.sin)), W)
