"""Lagrangian: multipliers, gradients, the certificate, LaTeX."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import DTypeError, ShapeError, TreeError, UnknownNameError

from ..helpers import close, fresh, message, normal, record

X = normal(3)


@pytest.fixture
def lagrangian() -> ad.Lagrangian:
    with ad.Tape() as tape:
        params = tape.parameter({"w": X, "spare": np.ones(2)}, "net")
        x = tape.input(2.0, "x")
        h = ad.name(np.sin(params["w"]) * x, "h")
        h = ad.name(h * h, "h")
        loss = ad.name(np.sum(h), "loss")
    return ad.Lagrangian(tape, loss)


# --------------------------------------------------------------------------- multipliers, gradients
def test_multiplier_by_variable_name_and_number(lagrangian: ad.Lagrangian) -> None:
    first, second = 4 * np.sin(X), np.ones(3)
    close(lagrangian.multiplier("h"), [first, second])
    close(lagrangian.multiplier("h#2"), second)
    close(lagrangian.multiplier(lagrangian.loss), np.float64(1.0))
    close(lagrangian.multiplier(0), np.zeros(2))  # keys are visited in sorted order: "spare" is node 0
    assert lagrangian.multipliers.disconnected == ["net/spare"]
    assert "names: net/spare, net/w, x, h, h#2, loss" in message(
        UnknownNameError, lagrangian.multiplier, "hidden"
    )


def test_gradient_by_containers(lagrangian: ad.Lagrangian) -> None:
    dw, dx = 8 * np.sin(X) * np.cos(X), 4 * np.sum(np.sin(X) ** 2)
    close(lagrangian.gradient({"a": "net/w", "b": ["x", "net/spare"]}), {"a": dw, "b": [dx, np.zeros(2)]})
    assert "h is not an input; multiplier() gives λ of any constraint" in message(
        TreeError, lagrangian.gradient, "h"
    )


def test_loss_must_be_a_scalar_of_this_tape() -> None:
    with ad.Tape() as tape, ad.Tape() as other:
        x = tape.input(X)
        y = other.input(X)
        assert "the loss must be a scalar, got shape (3,)" in message(ShapeError, ad.Lagrangian, tape, x)
        for foreign in (np.sum(y), 1.0):
            assert "not recorded on this tape" in message(TreeError, ad.Lagrangian, tape, foreign)
        assert "float" in message(DTypeError, ad.Lagrangian, tape, np.argmax(x))


def test_variable_of_another_tape_is_refused(lagrangian: ad.Lagrangian) -> None:
    with ad.Tape() as other:
        z = other.parameter(1.0)
    for f in (lagrangian.multiplier, lagrangian.gradient, lambda z: lagrangian.perturb({z: 0.1})):
        assert "recorded on another tape" in message(TreeError, f, z)


def test_lagrangian_while_the_tape_is_open_and_of_two_losses() -> None:
    with ad.Tape() as tape:
        x = tape.parameter(X, "x")
        a = np.sum(x**2)
        first = ad.Lagrangian(tape, a).gradient("x")
        b = a * np.sum(x)
    close(first, 2 * X)
    close(ad.Lagrangian(tape, a).gradient("x"), 2 * X)
    close(ad.Lagrangian(tape, b).gradient("x"), 2 * X * np.sum(X) + np.sum(X**2))
    assert repr(ad.Lagrangian(tape, b)).startswith(f"<Lagrangian of {len(tape)} constraints, loss")


# -------------------------------------------------------------------------------------- certificate
def certificate_of(f: Any, *args: Any) -> ad.Certificate:
    tape, loss, _ = record(f, *args)
    return ad.Lagrangian(tape, loss).residuals()


def test_certificate_text(lagrangian: ad.Lagrangian) -> None:
    certificate = lagrangian.residuals()
    assert certificate.holds
    np.testing.assert_allclose(certificate.gradient_norm, np.linalg.norm(lagrangian.gradient("net/w")))
    text = repr(certificate)
    assert text.startswith("KKT certificate of 7 constraints (tolerance 1e-10)")
    assert "primal ‖f − z‖" in text and "stationarity ‖∂L/∂z‖" in text and text.count("holds") == 2
    assert "(zero only at an optimum)" in text
    assert "the loss does not depend on net/spare" in text


FAULTS: dict[str, Any] = {
    "factor": lambda args, z, lam: (2.02 * args[0] * lam,),
    "sign": lambda args, z, lam: (-2.0 * args[0] * lam,),
    "dropped": lambda args, z, lam: (None,),
    "one element": lambda args, z, lam: (2.0 * args[0] * lam * np.where(np.arange(3) == 1, 0.99, 1.0),),
    "not a number": lambda args, z, lam: (2.0 * args[0] * lam * np.array([1.0, np.nan, 1.0]),),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_wrong_adjoint_rule_violates_the_certificate_at_its_node(fault: str) -> None:
    wrong = ad.primitive(
        next(fresh),
        lambda x: x * x,
        adjoint=FAULTS[fault],
        tangent=lambda args, z, dots: 2.0 * args[0] * dots[0],
    )

    def f(x: Any) -> Any:
        h = ad.name(np.sin(x), "suspect")
        return np.sum(wrong(h) * x)

    certificate = certificate_of(f, X)
    assert not certificate.holds
    assert certificate.primal == 0
    assert "VIOLATED" in repr(certificate)
    assert certificate.worst_stationarity.startswith("suspect (")
    assert "test_lagrangian.py" in certificate.worst_stationarity


def test_function_that_does_not_repeat_violates_primal_feasibility() -> None:
    noise = iter(range(100))
    drifting = ad.primitive(next(fresh), lambda x: x + 0.1 * next(noise), adjoint=lambda args, z, lam: (lam,))
    certificate = certificate_of(lambda x: np.sum(ad.name(drifting(x), "drift")), X)
    assert not certificate.holds and certificate.primal > 1e-3
    assert certificate.worst_primal.startswith("drift (")
    assert "VIOLATED" in repr(certificate)


def test_tampered_value_violates_primal_feasibility() -> None:
    tape, loss, _ = record(lambda x: np.sum(np.sin(x) ** 2), X)
    tape.values[1] = tape.values[1] + 1e-6
    assert not ad.Lagrangian(tape, loss).residuals().holds


def test_certificate_of_nan_and_of_float32_and_float16() -> None:
    with np.errstate(all="ignore"):
        assert certificate_of(lambda x: np.sum(np.log(x)), np.array([1.0, 2.0])).holds
        assert not certificate_of(lambda x: np.sum(np.log(x) * x), np.array([-1.0, 2.0])).holds
    for kind in (np.float32, np.float16):
        certificate = certificate_of(lambda x: np.sum(np.sin(x) * x), X.astype(kind))
        assert certificate.holds, repr(certificate)
        assert certificate.tolerance > 1e-6


def test_certificate_uses_the_given_generator(lagrangian: ad.Lagrangian) -> None:
    assert lagrangian.residuals(np.random.default_rng(5)).holds
    assert lagrangian.residuals() == lagrangian.residuals()


# --------------------------------------------------------------------------------------- nan_origin
def test_nan_origin_of_values_and_multipliers(lagrangian: ad.Lagrangian) -> None:
    assert lagrangian.nan_origin() is None
    with np.errstate(all="ignore"):
        tape, loss, _ = record(lambda x: np.sum(np.sqrt(x * 0.0)), X)
        found = ad.Lagrangian(tape, loss).nan_origin()
        entry = ad.Lagrangian(tape, loss).multipliers.nan_origin()
    assert found is not None and found.what == "multiplier" and found.label == "sqrt#2"
    assert entry is not None and entry.node == 1
    assert lagrangian.multipliers.nan_origin() is None
