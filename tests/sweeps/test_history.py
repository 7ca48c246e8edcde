"""Norms of multipliers over training."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import adjoint as ad


def loss(p: dict[str, Any], x: Any) -> Any:
    with ad.scope("one"):
        h = ad.name(np.tanh(x @ p["one"]), "h")
    with ad.scope("two"):
        return np.mean(ad.name(h @ p["two"], "y") ** 2)


def parameters() -> dict[str, Any]:
    rng = np.random.default_rng(3)
    return {"one": rng.normal(size=(3, 4)), "two": rng.normal(size=(4, 2))}


def test_norms_by_name_are_those_of_the_multipliers() -> None:
    history, p = ad.MultiplierHistory(), parameters()
    found = []
    for x in np.random.default_rng(0).normal(size=(4, 5, 3)):
        _, g, multipliers = ad.with_multipliers(loss, "h")(p, x)
        history.record(multipliers)
        found.append([np.linalg.norm(a) for a in (g["one"], g["two"], multipliers["h"])])
        p = {k: p[k] - 0.1 * g[k] for k in p}
    assert history.names == ["one", "two", "one/h"] and len(history) == 4
    np.testing.assert_allclose(history.norms, found)
    np.testing.assert_allclose(history["one/h"], np.array(found)[:, 2])
    np.testing.assert_allclose(history.rms, found / np.sqrt([12, 8, 20]))
    assert history.steps.tolist() == [0, 1, 2, 3]
    assert "one/h" in history and "h" not in history
    again = pickle.loads(pickle.dumps(history))
    np.testing.assert_array_equal(again.norms, history.norms)


def test_norms_by_scope_are_those_of_all_in_it() -> None:
    x = np.random.default_rng(0).normal(size=(5, 3))
    _, _, m = ad.with_multipliers(loss)(parameters(), x)
    history = ad.MultiplierHistory(by="scope")
    history.record(m)
    assert history.names == ["one", "two"]
    squares = [sum(e.norm**2 for e in m if e.scope == s) for s in history.names]
    np.testing.assert_allclose(history.norms[0] ** 2, squares)
    by_kind = ad.MultiplierHistory(by=lambda e: e.operation if e.operation == "parameter" else None)
    by_kind.record(m)
    assert by_kind.names == ["parameter"]
    np.testing.assert_allclose(by_kind.norms, [[m.stationarity()]])


def test_parameters_outside_of_scopes_belong_to_their_container() -> None:
    p = {"enc": {"W": np.ones((3, 2)), "b": np.ones(2)}}
    _, g, m = ad.with_multipliers(lambda p: np.sum(p["enc"]["W"] ** 2) + np.sum(p["enc"]["b"] ** 2))(p)
    history = ad.MultiplierHistory(by="scope")
    history.record(m)
    both = np.hypot(np.linalg.norm(g["enc"]["W"]), np.linalg.norm(g["enc"]["b"]))
    assert history.names == ["enc"] and history["enc"] == pytest.approx([both])


def test_what_a_step_lacks_is_nan_and_what_comes_later_joins() -> None:
    history = ad.MultiplierHistory()
    history.record({"a": np.ones(4)}, step=10)
    history.record({"a": np.zeros(4), "b": (3.0, [4.0])}, step=20)
    history.record({"b": (1.0, [0.0])})
    assert history.names == ["a", "b/0", "b/1/0"] and history.steps.tolist() == [10, 20, 21]
    np.testing.assert_array_equal(history.norms[:, 0], [2, 0, np.nan])
    np.testing.assert_array_equal(history.norms[:, 1], [np.nan, 3, 1])
    np.testing.assert_array_equal(history.sizes, [[4, 0, 0], [4, 1, 1], [0, 1, 1]])
    assert "a              2     0         0        2" in history.table()
    assert history.table(1).endswith("… and 2 more") and repr(history).startswith("3 steps\n")


def test_compiled_steps_and_what_is_not_finite() -> None:
    history = ad.MultiplierHistory()
    step = ad.compile(ad.with_multipliers(loss, "h"))
    x = np.random.default_rng(0).normal(size=(5, 3))
    history.record(step(parameters(), x)[2])
    eager = ad.MultiplierHistory()
    eager.record(ad.with_multipliers(loss, "h")(parameters(), x)[2])
    np.testing.assert_allclose(history.norms, eager.norms)
    history.record({"one": np.array([1e300, 1e300]), "two": np.array([np.nan, 1.0])})
    assert history["one"][1] > 1e300 and np.isnan(history["two"][1])


def test_refusals() -> None:
    history = ad.MultiplierHistory()
    with pytest.raises(ValueError, match="by is 'name', 'scope' or a function"):
        ad.MultiplierHistory(by="layer")
    with pytest.raises(TypeError, match=r"cannot record .*\n.*returns \(value, gradient, multipliers\)"):
        history.record(ad.with_multipliers(loss)(parameters(), np.ones((5, 3))))  # type: ignore[arg-type]
    history.record({"a": 1.0}, step=3)
    with pytest.raises(ValueError, match="step 3 does not follow step 3"):
        history.record({"a": 1.0}, step=3)
    with pytest.raises(ad.UnknownNameError, match="no multipliers 'b' were recorded; there are a"):
        history["b"]
    assert len(history) == 1 and ad.MultiplierHistory().norms.shape == (0, 0)


def test_recording_while_a_program_is_traced_is_refused() -> None:
    history = ad.MultiplierHistory()

    def step(p: Any, x: Any) -> Any:
        value, _, m = ad.with_multipliers(loss, "h")(p, x)
        history.record(m)
        return value

    with pytest.raises(ad.LeakError, match="no values: a program is being traced"):
        ad.compile(step)(parameters(), np.ones((5, 3)))
    assert len(history) == 0
