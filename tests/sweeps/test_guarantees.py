"""Guarantees that single rules and sweeps owe the user: places, look-ups, precision, order of growth."""

from __future__ import annotations

import gc
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import check
from adjoint.tape import tape as tape_module

from ..helpers import close, points_at


def record(f: Any, x: Any) -> ad.Lagrangian:
    with ad.Tape() as tape:
        v = tape.parameter(x, name="x")
        loss = f(v)
    return ad.Lagrangian(tape, loss)


# ---------------------------------------------------------------------------- errors in sweeps name the line
@pytest.mark.parametrize(
    "derive", [ad.grad, lambda f: lambda x: ad.jvp(f, (x,), (x,))], ids=["adjoint", "tangent"]
)
def test_an_error_inside_a_sweep_names_the_users_line(derive) -> None:
    def f(x):
        return np.linalg.slogdet(x)[1]  # has a value, −∞, and no derivative

    with np.errstate(all="ignore"), pytest.raises(ad.DomainError, match="derivative of slogdet") as caught:
        derive(f)(np.ones((2, 2)))
    assert points_at(
        str(caught.value), "return np.linalg.slogdet(x)[1]  # has a value, −∞, and no derivative"
    )
    assert "x0: (2, 2) float64" in str(caught.value)


def test_refusals_name_the_users_line() -> None:
    cases = [
        (ad.DTypeError, lambda: ad.grad(np.sum)(3)),
        (ad.DTypeError, lambda: ad.grad(np.sum)(np.ma.masked_array([1.0], [True]))),
        (ad.ShapeError, lambda: ad.grad(lambda x: np.sum(x, axis=3))(np.ones(2))),
        (ad.TreeError, lambda: ad.make_vjp(lambda x: x)(3.0)[0]([1.0, 2.0])),
        (ad.DTypeError, lambda: ad.grad(lambda x: None)(1.0)),
        (ad.ShapeError, lambda: ad.scan(lambda c, x: (c, x), 0.0, None)),
    ]
    for kind, act in cases:
        with pytest.raises(kind) as caught:
            act()
        assert "test_guarantees.py:" in str(caught.value), str(caught.value)


def test_structures_read_as_containers() -> None:
    with pytest.raises(ad.TreeError, match=r"must have the structure of the output: \*, got \[\*, \*\]"):
        ad.make_vjp(lambda x: x)(3.0)[0]([1.0, 2.0])


def test_scipy_functions_without_a_rule_go_by_their_name() -> None:
    import scipy.special

    with pytest.raises(ad.MissingRuleError, match=r"scipy\.special\.ellipk has no rule"):
        ad.grad(scipy.special.ellipk)(0.5)
    with pytest.raises(ad.ConversionError, match=r"other functions are in adjoint\.scipy") as caught:
        ad.grad(lambda x: scipy.special.logsumexp(x))(np.ones(2))
    assert "test_guarantees.py:" in str(caught.value)


# ---------------------------------------------------------------------------- look-ups
def test_repeated_names_are_addressed_one_by_one() -> None:
    def f(x):
        for _ in range(3):
            x = ad.name(np.tanh(x), "h")
        return np.sum(x)

    lagrangian = record(f, np.array([0.4, -0.3]))
    m = lagrangian.multipliers
    assert m.entries("h#1") == [m.entries("h")[0]] and m.entries("h#3") == [m.entries("h")[2]]
    r = np.array([1e-4, 0.0])
    report = lagrangian.perturb({"h#1": r})
    assert report.relative_error < 1e-6
    assert ad.with_multipliers(f, "h#1")(np.array([0.4, -0.3]))[2].names == ["h"]


def test_multipliers_refuse_a_variable_of_another_tape() -> None:
    first, second = record(lambda x: np.sum(x * x), np.ones(2)), record(np.sum, np.ones(2))
    with pytest.raises(ad.TreeError, match="recorded on another tape"):
        first.multipliers[second.loss]


def test_an_open_tape_may_grow_after_its_lagrangian_was_asked() -> None:
    with ad.Tape() as tape:
        x = tape.parameter(2.0, "x")
        lagrangian = ad.Lagrangian(tape, x * x)
        close(lagrangian.gradient("x"), np.float64(4.0))
        late = ad.name(x * 3.0, "late")
        assert lagrangian.multiplier(late) == 0.0 == lagrangian.multiplier("late")


def test_certificate_and_perturbation_inside_another_transform_are_refused() -> None:
    for method in (lambda z: z.residuals(), lambda z: z.perturb({"x": np.zeros(2)})):
        with pytest.raises(
            ad.LeakError, match="needs plain values, but this tape is recorded inside another"
        ):
            ad.grad(lambda x, method=method: method(record(lambda v: np.sum(v * v), x)))(np.ones(2))


def test_an_integer_constraint_cannot_be_relaxed() -> None:
    lagrangian = record(lambda x: x[ad.name(np.argmax(x), "top")], np.array([1.0, 3.0]))
    with pytest.raises(ad.DTypeError, match="top is no float"):
        lagrangian.perturb({"top": 1})


# ---------------------------------------------------------------------------- precision
def test_derivatives_do_not_overflow_where_they_are_numbers() -> None:
    for scale in (np.float32(1e-25), np.float32(1e25), 1e-200, 1e200):
        expected = 1 / (2 * np.float64(scale))
        assert ad.grad(lambda y, s=scale: np.arctan2(y, s))(scale) == pytest.approx(expected, rel=1e-6)
        assert ad.grad(lambda x, s=scale: np.arctan2(s, x))(scale) == pytest.approx(-expected, rel=1e-6)
    assert ad.grad(np.arccosh)(np.float32(1e25)) == pytest.approx(1e-25, rel=1e-6)


def test_a_dtype_asked_for_is_the_dtype_computed_in() -> None:
    x = np.array([1.1, 2.3], np.float32)
    for f in (lambda v: np.multiply(v, v, dtype="f8"), lambda v: np.float_power(v, 2.5)):
        value = ad.make_vjp(f)(x)[1]
        assert value.dtype == np.float64
        np.testing.assert_array_equal(value, f(x))
        assert ad.grad(lambda v, f=f: np.sum(f(v)))(x).dtype == np.float32


def test_writes_keep_float32() -> None:
    x = np.ones(3, np.float32)
    for write in (
        lambda v: v.at[0].add(np.ones(())),
        lambda v: v.at[0].subtract(2.0),
        lambda v: v.at[0].set(np.float64(2)),
        lambda v: v.at[0].multiply(np.float64(2)),
    ):
        assert ad.make_vjp(write)(x)[1].dtype == np.float32
    assert ad.jacobian(lambda v: v * v)(x).dtype == np.float32


def test_fmax_and_fmin_give_all_of_lambda_to_the_number() -> None:
    nan = np.nan
    for f in (np.fmax, np.fmin):
        for mode in (
            ad.grad,
            lambda f, k: (
                lambda *x: ad.jvp(lambda v: f(v, x[1]) if k == 0 else f(x[0], v), (x[k],), (1.0,))[1]
            ),
        ):
            assert mode(f, 0)(2.0, nan) == 1.0
            assert mode(f, 1)(nan, 2.0) == 1.0


def test_tolerance_of_a_float32_certificate_is_float32s() -> None:
    certificate = record(lambda x: np.sum(np.tanh(x) ** 2), np.ones(3, np.float32)).residuals()
    assert certificate.holds and certificate.tolerance == 1e-4


def test_the_certificate_sees_no_partial_but_injection_does() -> None:
    from adjoint.ops.elementwise import Elementwise

    wrong = Elementwise("sine_with_a_wrong_partial", lambda m, x: m.sin(x), (lambda m, x, z: m.sin(x),))
    assert record(lambda x: np.sum(wrong(x)), np.ones(2)).residuals().holds  # as its docstring says
    assert not check.multipliers(lambda x: np.sum(wrong(x)), (np.ones(2),))


def test_newton_halves_steps_that_overshoot() -> None:
    # from 2 the full Newton step for arctan diverges
    assert ad.root(lambda z: np.arctan(z), 2.0) == pytest.approx(0.0, abs=1e-9)


# ---------------------------------------------------------------------------- memory, names, imports
@pytest.mark.parametrize("solve", [ad.fixed_point, ad.root], ids=["fixed_point", "root"])
def test_a_recorded_start_keeps_no_tape_alive(solve, monkeypatch, no_gc) -> None:
    import weakref

    alive: list[Any] = []
    enter = tape_module.Tape.__enter__
    monkeypatch.setattr(
        tape_module.Tape, "__enter__", lambda self: (alive.append(weakref.ref(self)), enter(self))[1]
    )
    scale = 1.0 if solve is ad.fixed_point else 0.0
    ad.grad(lambda x: np.sum(solve(lambda z, a: 0.5 * np.cos(z) * a - (1 - scale) * z, x * 0, x)))(np.ones(3))
    assert alive and not any(ref() is not None for ref in alive)
    assert not gc.isenabled()


def test_check_and_scipy_are_attributes_imported_late() -> None:
    code = "import sys, adjoint as ad; assert 'adjoint.check' not in sys.modules; ad.check.rule; ad.scipy"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        ad.nothing  # noqa: B018


def test_checks_want_a_tuple_of_arguments() -> None:
    for f in (check.gradients, check.multipliers):
        with pytest.raises(
            TypeError, match=r"args must be a tuple of the function's arguments, \(x,\) for one"
        ):
            f(np.sum, np.ones(2))


def test_misplaced_arguments_are_told_apart() -> None:
    with pytest.raises(TypeError, match=r"argnum must be a position or a tuple of positions, not 3\.0"):
        ad.grad(np.sum, 3.0)(np.ones(2))
    with pytest.raises(
        TypeError, match=r"a transform needs a function, got float 3\.0: write ad\.grad\(f\)\(x\)"
    ):
        ad.jacobian(3.0)(np.ones(2))
    with pytest.raises(TypeError, match=r"perturb takes \{name: residual\}, not \(2,\) float64"):
        record(np.sum, np.ones(2)).perturb(np.ones(2))
