"""check.rule finds every kind of faulty primitive; check.multipliers names the node."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import check
from adjoint.errors import MissingRuleError, RuleError
from adjoint.ops.primitive import PRIMITIVES, Linear, Primitive, register

from ..helpers import fresh, message, normal, points_at  # noqa: F401

X = normal(2, 3)


def scaled(value: Any = None, tangent: Any = None, adjoint: Any = None) -> Primitive:
    """A structured primitive z = 3x written as a class, with a method replaced."""

    class Scaled(Primitive):
        name = next(fresh)

        def value(self, x: Any) -> Any:
            return value(x) if value else x * 3

        def tangent(self, args: Any, z: Any, dots: Any) -> Any:
            return tangent(dots[0]) if tangent else dots[0] * 3

        def adjoint(self, args: Any, z: Any, lam: Any, wanted: Any) -> Any:
            return (adjoint(lam) if adjoint else lam * 3,)

    return register(Scaled())


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "adjoint factor": ({"adjoint": lambda lam: 2.9 * lam}, "dot product"),
    "tangent factor": ({"tangent": lambda dot: 2.9 * dot}, "dot product"),
    "sign": ({"adjoint": lambda lam: -3 * lam}, "dot product"),
    "adjoint shape": (
        {"adjoint": lambda lam: 3 * np.sum(lam, axis=0)},
        "adjoint is (3,) float64, should be (2, 3) float64",
    ),
    "adjoint dtype": (
        {"adjoint": lambda lam: lam * np.full((2, 3), 3.0)},
        "adjoint is (2, 3) float64, should be (2, 3) float32",
    ),
    "tangent shape": (
        {"tangent": lambda dot: 3 * dot[:1]},
        "tangent is (1, 3) float64, should be (2, 3) float64",
    ),
    "value dtype": ({"value": lambda x: x * np.full((2, 3), 3.0)}, "value is float64"),
    "value": ({"value": lambda x: x * 3.001}, "tangent against differences"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_found(fault: str) -> None:
    rules, words = FAULTS[fault]
    op = scaled(**rules)
    with_words: list[str] = []
    try:
        report = check.rule(op, X)
        assert not report
        with_words.append(repr(report))
    except (ValueError, TypeError) as error:  # a wrong shape may stop the check itself
        with_words.append(str(error))
    finally:
        PRIMITIVES.pop(op.name)
    assert words in with_words[0], with_words[0]


def test_right_rule_passes_and_the_report_counts_everything() -> None:
    op = scaled()
    report = check.rule(op, X)
    assert report, repr(report)
    for what in (
        "shapes and dtypes",
        "float32 is kept",
        "float32 against float64",
        "dot product",
        "second order",
    ):
        assert any(what in f.what for f in report)
    assert all(f.what.startswith(f"{op.name}((2,3))") for f in report)
    PRIMITIVES.pop(op.name)


def test_rule_by_name_on_operands_and_without_samples() -> None:
    assert check.rule("tanh")
    assert check.rule("tanh", X)
    assert check.rule("multiply", X, normal(3, seed=1))
    assert check.rule("sum", X, axis=(0,), keepdims=True)
    op = ad.primitive(next(fresh), lambda x: x * 2, adjoint=lambda a, z, lam: (2 * lam,))
    assert f"{op.name} has no samples; give operands" in message(MissingRuleError, check.rule, op)
    with pytest.raises(KeyError, match="no primitive is called 'tanhh'; did you mean 'tanh'"):
        check.rule("tanhh")
    with pytest.raises(ValueError, match=r"check\.rule\(sum, axis=0\): parameters need operands"):
        check.rule("sum", axis=0)


def test_what_the_methods_say_of_an_operand_reaches_the_report() -> None:
    report = check.rule("absolute", np.array([0.0, 1.0]))
    assert report and report.notes[0].startswith("absolute((2,)) kink at argument 0[0]: slopes ")
    assert "received 0 between" in report.notes[0]
    op = scaled(value=lambda x: x * 3.001)
    report = check.rule(op, X)
    PRIMITIVES.pop(op.name)
    assert report.places[0].argument == "0" and report.kind == "a constant factor 0.999667"


def test_registry_refuses_a_rule_without_its_twin() -> None:
    class OnlyForward(Primitive):
        name = "test_only_forward"

        def value(self, x: Any) -> Any:
            return x

        def tangent(self, args: Any, z: Any, dots: Any) -> Any:
            return dots[0]

    class OnlyValue(Linear):
        name = "test_only_value"

        def value(self, x: Any) -> Any:
            return x

    text = message(RuleError, register, OnlyForward())
    assert (
        text
        == "primitive 'test_only_forward' has no adjoint rule; a rule without its twin cannot be registered"
    )
    assert "has no transpose rule" in message(RuleError, register, OnlyValue())
    assert not {"test_only_forward", "test_only_value"} & set(PRIMITIVES)


# -------------------------------------------------------------------------------- check.multipliers
def test_wrong_rule_in_the_middle_is_named() -> None:
    wrong = ad.primitive(
        next(fresh),
        lambda x: x**2,
        adjoint=lambda a, z, lam: (1.9 * a[0] * lam,),
        tangent=lambda a, z, d: 2 * a[0] * d[0],
    )

    def program(x: Any) -> Any:
        h = ad.name(np.sin(x), "h")
        w = ad.name(wrong(h), "w")
        return np.sum(w * x)

    report = check.multipliers(program, [X])
    assert not report
    text = repr(report)
    assert text.startswith("multipliers of program: FAILED")
    assert "injection at h" in text  # λ of w is right still; the rule of w makes λ of h wrong
    assert "λᵀr = " in text and "dℓ/dr = " in text
    assert "test_rules.py:" in text


def test_right_program_reports_the_number_of_nodes() -> None:
    report = check.multipliers(lambda x, n: np.sum(np.sin(x) * n), [X, 2], argnum=0)
    assert report
    assert "residual injection at 4 nodes" in repr(report)


def test_programs_without_inputs_or_with_constant_results() -> None:
    assert not check.multipliers(lambda x: 1.0, [X])  # nothing was checked
    assert "needs a scalar output" in message(ad.ShapeError, check.multipliers, np.sin, [X])


def test_injection_reaches_unused_and_saturated_nodes() -> None:
    def program(x: Any) -> Any:
        np.exp(x)  # dead
        return np.sum(np.maximum(x, -100.0)) + np.sum(np.floor(x)) * 0.5

    assert check.multipliers(program, [X])
