"""Dual-weighted residuals: predicted against measured change, with the orders the theory says."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

import adjoint as ad
from adjoint.errors import ShapeError, TreeError, UnknownNameError
from adjoint.sweeps import tangent_sweep

from ..helpers import Program, each_program, message, normal, record

W, X = normal(4, 3), normal(5, 4, seed=1)


def model() -> ad.Lagrangian:
    with ad.Tape() as tape:
        w = tape.parameter(W, "W")
        h = ad.name(np.tanh(X @ w), "h")
        h = ad.name(h * h + h, "h")
        loss = np.mean(np.exp(h))
    return ad.Lagrangian(tape, loss)


def test_orders_of_the_two_predictions() -> None:
    """Halving r divides the first-order error by 4 and the trapezoidal one by 8."""
    lagrangian = model()
    rw, rh = normal(4, 3, seed=2), normal(5, 3, seed=3)
    first, middle = [], []
    for k in range(4, 8):
        found = lagrangian.perturb({"W": 2.0**-k * rw, "h#2": 2.0**-k * rh})
        first.append(abs(found.first_order - found.measured))
        middle.append(abs(found.trapezoidal - found.measured))
    np.testing.assert_allclose(np.log2(np.divide(first[:-1], first[1:])), 2, atol=0.15)
    np.testing.assert_allclose(np.log2(np.divide(middle[:-1], middle[1:])), 3, atol=0.25)


@each_program
def test_prediction_of_a_small_change_of_every_input(p: Program) -> None:
    tape, loss, inputs = record(p.function, *p.args)
    lagrangian = ad.Lagrangian(tape, loss)
    single = any(x.dtype == np.float32 for x in inputs)
    size = 1e-2 if single else 1e-4
    residuals = {x: size * normal(*x.shape, seed=x.index) for x in inputs}
    found = lagrangian.perturb(residuals)
    scale = sum(abs(s.first_order) for s in found.shares) + abs(found.measured)
    assert abs(found.trapezoidal - found.measured) <= (1e-3 if single else 1e-5) * scale
    assert abs(found.first_order - found.measured) <= (0.2 if single else 1e-2) * scale
    assert len(found.shares) == len(inputs)


def test_attribution_adds_up_and_measures_what_a_rerun_measures() -> None:
    lagrangian = model()
    rounded = np.round(W * 4) / 4
    found = lagrangian.perturb({"W": rounded - W, 1: np.zeros((5, 3)), "h#2": np.full((5, 3), 0.01)})
    np.testing.assert_allclose(sum(s.first_order for s in found.shares), found.first_order)
    np.testing.assert_allclose(sum(s.trapezoidal for s in found.shares), found.trapezoidal)
    assert [s.label for s in found.shares][::2] == ["W", "h#2"]
    assert found.shares[1].first_order == 0.0
    h = np.tanh(X @ rounded)
    after = np.mean(np.exp(h * h + h + 0.01))
    np.testing.assert_allclose(found.loss + found.measured, after, rtol=1e-12)
    np.testing.assert_allclose(found.shares[0].residual_norm, np.linalg.norm(rounded - W))


def test_zero_residual_predicts_nothing() -> None:
    found = model().perturb({"W": np.zeros((4, 3))})
    assert (found.first_order, found.trapezoidal, found.measured, found.relative_error) == (0, 0, 0, 0)
    assert "measured Δℓ 0" in repr(found)
    assert model().perturb({}).measured == 0.0


def test_residuals_by_variable_number_and_name_agree() -> None:
    r = 0.1 * normal(4, 3, seed=4)
    with ad.Tape() as tape:
        w = tape.parameter(W, "W")
        loss = np.sum(np.sin(w))
    lagrangian = ad.Lagrangian(tape, loss)
    found = [lagrangian.perturb({key: r}) for key in (w, "W", 0)]
    assert found[0] == found[1] == found[2]
    assert found[0].relative_error < 0.02


def test_report() -> None:
    text = repr(model().perturb({"W": 0.1 * np.ones((4, 3))}))
    assert text.startswith("loss ")
    for word in ("constraints relaxed to z = f + r", "λᵀr", "½(λ⁰+λ¹)ᵀr", "predicted Δℓ", "measured Δℓ", "%"):
        assert word in text


def test_tangent_sweep_takes_residuals_of_inner_constraints() -> None:
    """ż of the loss is Σ λᵀr over everything that is relaxed, inputs and inner nodes together."""
    lagrangian = model()
    residuals = {0: normal(4, 3, seed=2), 2: normal(5, 3, seed=3), 4: normal(5, 3, seed=4)}
    pushed = tangent_sweep(lagrangian.tape, residuals)[lagrangian.loss.index]
    np.testing.assert_allclose(pushed, lagrangian.perturb(residuals).first_order, rtol=1e-12)


def test_reports_pickle_without_the_tape() -> None:
    lagrangian = model()
    for report in (lagrangian.perturb({"W": W}), lagrangian.residuals()):
        assert repr(pickle.loads(pickle.dumps(report))) == repr(report)


def test_misuse() -> None:
    lagrangian = model()
    twice = {"W": np.ones((4, 3)), 0: np.ones((4, 3))}
    assert "W is given two residuals" in message(TreeError, lagrangian.perturb, twice)
    assert "must have shape (4, 3), got (3,)" in message(ShapeError, lagrangian.perturb, {"W": np.ones(3)})
    assert "'h' names 2 constraints" in message(TreeError, lagrangian.perturb, {"h": np.ones((5, 3))})
    assert "no multiplier 'V'" in message(UnknownNameError, lagrangian.perturb, {"V": 1.0})


def test_perturbing_does_not_change_the_tape() -> None:
    lagrangian = model()
    before = [np.copy(z) for z in lagrangian.tape.values]
    lagrangian.perturb({"W": np.ones((4, 3)), 2: np.ones((5, 3))})
    for a, b in zip(before, lagrangian.tape.values, strict=True):
        assert np.array_equal(a, b)
    assert lagrangian.residuals().holds


def test_residuals_keep_float32() -> None:
    with ad.Tape() as tape:
        w = tape.parameter(W.astype(np.float32), "W")
        loss = np.sum(np.sin(w))
    found: Any = ad.Lagrangian(tape, loss).perturb({"W": 1e-2 * np.ones((4, 3))})
    assert found.relative_error < 1e-3
    assert all(np.asarray(z).dtype == np.float32 for z in tape.replay({0: np.ones((4, 3))}).values)
