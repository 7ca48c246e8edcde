"""ad.with_multipliers and ad.nan_origin on plain functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import ShapeError, UnknownNameError

from ..helpers import close, message, normal

W = normal(3)


def loop(w: Any) -> Any:
    h = np.ones(3)
    for _ in range(3):
        with ad.scope("step"):
            h = ad.name(np.tanh(w * h), "h")
    return ad.name(h @ h, "loss")


def test_value_gradient_and_named_multipliers() -> None:
    value, gradient, m = ad.with_multipliers(loop)(W)
    close([value, gradient], list(ad.value_and_grad(loop)(W)))
    assert m.names == ["step/h", "step/h#2", "step/h#3", "loss"]
    assert m["loss"] == 1.0
    hs, h = [], np.ones(3)
    for _ in range(3):
        hs.append(h := np.tanh(W * h))
    third = 2 * hs[2]
    second = third * (1 - hs[2] ** 2) * W
    first = second * (1 - hs[1] ** 2) * W
    close(m["step/h#3"], third)
    close(m["step/h#2"], second)
    close(m["step/h"], [first, second, third])


def test_choosing_names_keeps_only_those_and_the_arguments() -> None:
    m = ad.with_multipliers(loop, "step/h#2", "loss")(W)[2]
    assert m.names == ["step/h#2", "loss"]
    assert [e.operation for e in m] == ["parameter", "tanh", m.entries("loss")[0].operation]
    assert ad.with_multipliers(loop, "step/h")(W)[2].names == ["step/h", "step/h#2", "step/h#3"]
    close(m[0], ad.grad(loop)(W))


def test_unknown_name_lists_the_names() -> None:
    text = message(UnknownNameError, ad.with_multipliers(loop, "g"), W)
    assert text.startswith("no multiplier 'g'; names: step/h, step/h#2, step/h#3, loss")
    text = message(UnknownNameError, ad.with_multipliers(np.sum, "h"), W)
    assert "h = ad.name(h, 'h') names a value" in text and "does not depend on what is differentiated" in text
    m = ad.with_multipliers(loop)(W)[2]
    for key in ("step/h#4", "step", 99, -1):
        assert "no multiplier" in message(UnknownNameError, lambda key=key: m[key])
        assert key not in m
    assert "loss" in m and 0 in m


def test_names_that_share_a_beginning() -> None:
    def f(w: Any) -> Any:
        return ad.name(w * 2, "h") @ ad.name(w * 3, "h2")

    m = ad.with_multipliers(f)(W)[2]
    close(m["h"], 3 * W)
    close(m["h2"], 2 * W)


def test_multipliers_of_scopes_tables_and_norms() -> None:
    _, g, m = ad.with_multipliers(loop)(W)
    assert {e.scope for e in m.scope("step")} == {"step"}
    assert len(m.scope("step")) == 6 and len(m.scope("ste")) == 0 and len(m.named()) == 4
    np.testing.assert_allclose(m.norms()["step/h#3"], np.linalg.norm(m["step/h#3"]))
    np.testing.assert_allclose(m.stationarity(), np.linalg.norm(g))
    table = repr(m)
    assert table.splitlines()[0].split() == [
        "constraint",
        "operation",
        "shape",
        "‖λ‖",
        "rms",
        "λ",
        "recorded",
        "at",
    ]
    assert "step/h#2" in table and "tanh" in table and "test_with_multipliers.py:" in table
    assert "… and 3 more" in m.table(limit=1)
    assert "test_with_multipliers.py" in m.entries("step/h")[0].place


def test_unnamed_inner_values_have_multipliers_by_number() -> None:
    m = ad.with_multipliers(lambda x: np.sin(x) * x)(0.5)[2]
    assert [e.label for e in m] == ["parameter#0", "sin#1", "multiply#2"]
    close([m[1], m[2]], [0.5, 1.0])


def test_several_arguments_and_containers() -> None:
    params = {"a": W, "b": 2.0}
    value, (dp, dx), m = ad.with_multipliers(lambda p, x, k: np.sum(p["a"] * x) * p["b"] * k, argnum=(0, 1))(
        params, W + 1, 3
    )
    close(value, np.sum(W * (W + 1)) * 6)
    close([dp["a"], dx], [6 * (W + 1), 6 * W])
    assert m.names == ["0/a", "0/b", "1"]
    close(m["0/a"], dp["a"])


def test_vector_output_is_refused() -> None:
    assert "needs a scalar output" in message(ShapeError, ad.with_multipliers(np.sin), W)


# --------------------------------------------------------------------------------------- nan_origin
def test_nan_in_the_values_names_the_first_line() -> None:
    def f(x: Any) -> Any:
        a = x - 2.0
        with ad.scope("head"):
            b = np.log(a)
            c = np.sqrt(b)
        return np.sum(c * a)

    with np.errstate(all="ignore"):
        found = ad.nan_origin(f, np.array([1.0, 2.0, 5.0]))
    assert found is not None
    assert (found.what, found.label, found.count, found.scope) == ("value", "log#2", 2, "head")
    text = repr(found)
    assert "first non-finite value: log#2, 2 elements" in text
    assert 'in scope "head":  b = np.log(a)' in text and "test_with_multipliers.py:" in text
    assert "x0: (3,) float64, from -1 to 3" in text
    assert found.index == (0,) and text.endswith("the first at index [0], where x0 = -1")


def test_nan_in_an_input_names_the_input() -> None:
    with np.errstate(all="ignore"):
        found = ad.nan_origin(lambda x: np.sum(x["w"] * 2), {"w": np.array([1.0, np.nan])})
    assert found is not None and found.label == "w" and found.operands == ()


def test_nan_only_in_a_multiplier() -> None:
    def f(x: Any) -> Any:
        a = x * 0.0
        b = np.sqrt(a)
        return np.sum(b * 1.0)

    with np.errstate(all="ignore"):
        found = ad.nan_origin(f, np.array([1.0, 4.0]))
        assert np.isnan(ad.grad(f)(np.ones(2))).all()
    assert found is not None
    assert (found.what, found.source) == ("multiplier", "b = np.sqrt(a)")
    assert "from 0 to 0" in repr(found)
    assert "λ of sqrt#2: (2,), from 1 to 1" in repr(found)  # arrived finite: the rule made the rest


def test_nan_in_one_element_of_a_multiplier() -> None:
    with np.errstate(all="ignore"):
        found = ad.nan_origin(lambda x: 3.0 * np.sum(np.sqrt(x)), np.array([[1.0, 4.0], [0.0, 9.0]]))
    assert found is not None and found.index == (1, 0) and found.count == 1
    assert repr(found).endswith("λ of sqrt#1: (2, 2), from 3 to 3\n  the first at index [1, 0], where x0 = 0")


@pytest.mark.parametrize("what", ["nan", "inf"])
def test_nan_in_a_constant_counts_where_it_is_used(what: str) -> None:
    constant = np.array([1.0, float(what)])
    with np.errstate(all="ignore"):
        found = ad.nan_origin(lambda x: np.sum((x + 1) * constant), np.ones(2))
    assert found is not None and found.label == "multiply#2"
    assert "1 not finite" in found.operands[1]


def test_nan_origin_itself_never_warns() -> None:
    """Nor do the functions that it runs: tests make warnings errors, and users do, too."""
    found = ad.nan_origin(lambda x: np.exp(x), np.array([1000.0]))  # infinite, not multiplied by zero
    assert found is not None and found.label == "exp#1"
    found = ad.nan_origin(lambda x: np.sum(np.sqrt(x)), np.array([0.0]))  # in the adjoint sweep
    assert found is not None and found.what == "multiplier"


def test_everything_finite() -> None:
    assert ad.nan_origin(loop, W) is None
    assert ad.nan_origin(lambda x: 1.0, W) is None
    assert ad.nan_origin(lambda x: (np.argmax(x), x, None), W) is None


def test_naming_what_has_a_name_already() -> None:
    def f(p):
        w = ad.name(p["w"], "w")  # its key is its name: nothing happens
        v = ad.name(w, "v")
        return np.sum(np.tanh(v) * v)

    x = np.array([0.5, -1.0])
    _, gradient, m = ad.with_multipliers(f)({"w": x})
    assert m.names == ["w", "v"]
    np.testing.assert_array_equal(m["v"], gradient["w"])
    np.testing.assert_array_equal(m["w"], gradient["w"])


def test_a_bare_name_finds_those_of_all_scopes() -> None:
    m = ad.with_multipliers(loop)(W)[2]
    close(m["h"], m["step/h"])
    assert ad.with_multipliers(loop, "h")(W)[2].names == ["step/h", "step/h#2", "step/h#3"]
    assert "‖λ‖ = " in repr(m.entries("loss")[0])
