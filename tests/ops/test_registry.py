"""Every primitive of the registry passes its rule check; each kind of faulty rule is caught."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad
from adjoint import check
from adjoint.errors import MissingRuleError, RuleError
from adjoint.ops import PRIMITIVES, Linear, Primitive, elementwise
from adjoint.ops.elementwise import Elementwise
from adjoint.ops.primitive import register

NAMES = [name for name, op in PRIMITIVES.items() if not op.foreign and name != "item"]


@pytest.mark.parametrize("name", NAMES)
def test_rule(name: str) -> None:
    check.rule(name).raise_on_failure()


def test_all_rules_covers_the_registry() -> None:
    assert len(NAMES) > 100
    for name in ("tanh", "matmul", "svd", "segment_logsumexp", "scatter_set", "where", "digamma"):
        assert name in NAMES


@pytest.mark.parametrize("seed", [1, 2])
def test_rules_hold_on_other_samples(seed: int) -> None:
    rows = ("divide", "power", "hypot", "arctan2")
    classes = ("max", "norm", "matmul", "solve", "cholesky", "qr", "svd")
    for name in (*rows, *classes):
        check.rule(name, rng=np.random.default_rng(seed)).raise_on_failure()


FAULTS = {
    "factor": (lambda m, x: m.tanh(x), lambda m, x, z: 1 - z),
    "sign": (lambda m, x: m.cos(x), lambda m, x, z: m.sin(x)),
    "constant": (lambda m, x: 2 * x, 1),
    "zero": (lambda m, x: m.sin(x), None),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_in_a_row_is_caught_and_named(fault: str) -> None:
    value, partial = FAULTS[fault]
    op = Elementwise(f"faulty_{fault}", value, (partial,), ((-1.0, 1.0),))
    report = check.rule(op)
    assert not report
    text = repr(report)
    assert f"faulty_{fault}" in text and "argument 0, index [" in text
    assert "received" in text and "expected" in text


class FaultyTwin(Primitive):
    """The tangent is right, the adjoint is not: only their comparison can tell."""

    name = "faulty_twin"

    def samples(self, rng):
        return [((rng.standard_normal(3),), {})]

    def value(self, x):
        return x * x

    def tangent(self, args, z, dots):
        return 2 * args[0] * dots[0]

    def adjoint(self, args, z, lam, wanted):
        return (3 * args[0] * lam,)


def test_planted_fault_in_one_mode_is_caught_by_the_dot_product() -> None:
    report = check.rule(FaultyTwin())
    assert any("dot product" in f.what for f in report.failures)


class SecondOrderFault(FaultyTwin):
    """Right to first order; the adjoint hides x from the level above."""

    def adjoint(self, args, z, lam, wanted):
        x = args[0]
        return (2 * getattr(x, "value", x) * lam,)


def test_planted_fault_in_second_order_only_is_caught() -> None:
    report = check.rule(SecondOrderFault())
    assert not report
    assert all("second order" in f.what or "Taylor rate, order 2" in f.what for f in report.failures)


class Float64Only(FaultyTwin):
    """Right, but float32 does not stay float32."""

    def value(self, x):
        return np.asarray(x, np.float64) ** 2

    def adjoint(self, args, z, lam, wanted):
        return (ad.numpy.asarray(2 * args[0] * lam),)


def test_planted_loss_of_float32_is_caught() -> None:
    assert any("float32" in f.what for f in check.rule(Float64Only()).failures)


def test_a_rule_without_its_twin_cannot_be_registered() -> None:
    class Half(Primitive):
        name = "half_a_rule"

        def value(self, x):
            return x

        def tangent(self, args, z, dots):
            return dots[0]

    with pytest.raises(RuleError, match="'half_a_rule' has no adjoint rule; a rule without its twin"):
        register(Half())

    class Untransposed(Linear):
        name = "untransposed"

        def value(self, x):
            return x

    with pytest.raises(RuleError, match="has no transpose rule"):
        register(Untransposed())
    assert "half_a_rule" not in PRIMITIVES and "untransposed" not in PRIMITIVES


def test_a_taken_name_is_refused() -> None:
    with pytest.raises(RuleError, match="'tanh' is registered already; choose another name"):
        ad.elementwise("tanh", lambda m, x: x, 1)


def test_without_samples_the_check_says_what_it_needs() -> None:
    op = Primitive()
    op.name = "nothing"
    with pytest.raises(MissingRuleError, match="nothing has no samples; give operands"):
        check.rule(op)


def test_every_kink_is_stated_and_every_domain_set() -> None:
    rows = [op for op in PRIMITIVES.values() if isinstance(op, Elementwise) and not op.foreign]
    assert all(len(op.domain) >= len(op.partials) for op in rows)
    for name in ("absolute", "maximum", "minimum", "max", "norm", "hypot", "sign", "floor"):
        assert PRIMITIVES[name].kink


KINKS = [
    (np.abs, 0.0, 0.0),
    (lambda x: np.maximum(x, 0.0), 0.0, 0.5),
    (lambda x: np.minimum(x, 0.0), 0.0, 0.5),
    (lambda x: np.clip(x, -1.0, 1.0), 1.0, 0.5),
    (lambda x: np.linalg.norm(x * np.ones(3)), 0.0, 0.0),
    (lambda x: np.hypot(x, 0.0), 0.0, 0.0),
    (lambda x: np.sum(np.max(x * np.ones(4))), 2.0, 1.0),
    (np.sign, 0.0, 0.0),
    (np.floor, 1.0, 0.0),
    (lambda x: x**0, 0.0, 0.0),
    (lambda x: x**2.0, 0.0, 0.0),
    (lambda x: np.std(x * np.ones(3)), 1.0, 0.0),
    (lambda x: np.remainder(x, 1.0), 2.0, 1.0),
]


@pytest.mark.parametrize(("f", "at", "expected"), KINKS)
def test_stated_convention(f, at: float, expected: float) -> None:
    assert ad.grad(f)(at) == expected
    assert ad.jvp(f, (at,), (1.0,))[1] == expected


def test_root_of_zero_has_an_infinite_derivative() -> None:
    with np.errstate(divide="ignore"):
        assert ad.grad(np.sqrt)(0.0) == np.inf
        assert ad.grad(lambda x: x**0.5)(0.0) == np.inf


def test_tails_keep_their_digits() -> None:
    assert ad.grad(ad.grad(np.tanh))(800.0) == 0.0
    from scipy.special import expit

    assert ad.grad(expit)(-700.0) == pytest.approx(np.exp(-700.0), rel=1e-13)
    assert ad.grad(lambda x: np.logaddexp(x, 0.0))(1000.0) == 1.0
    assert ad.grad(lambda x: np.logaddexp(x, 0.0))(-1000.0) == 0.0
    assert elementwise.log1p(0.5) == np.log1p(0.5)


def test_reading_rows_in_a_loop_adds_in_place_and_never_into_what_others_hold() -> None:
    def f(u):
        z = np.zeros(3)
        for k in range(len(u)):
            z = np.tanh(0.9 * z + u[k])
        return np.sum(z**2) + np.sum(u[::2]) + np.sum(u[[0, 0, 1]]) + np.sum(u * u)

    u = np.random.default_rng(0).normal(size=(5, 3))
    check.gradients(f, [u]).raise_on_failure()
    check.multipliers(f, [u]).raise_on_failure()
    seed = np.ones((4, 2))  # the identity hands the caller's own array to the table first
    pullback, _ = ad.make_vjp(lambda x: (x, x[1], x[[0, 0]]))(np.zeros((4, 2)))
    result = pullback((seed, np.ones(2), np.ones((2, 2))))
    assert (seed == 1).all()
    np.testing.assert_array_equal(result, [[3, 3], [2, 2], [1, 1], [1, 1]])
    both = ad.grad(lambda x, y: np.sum(x + y) + np.sum(x[0]), (0, 1))(np.zeros((2, 2)), np.zeros((2, 2)))
    np.testing.assert_array_equal(both[0], [[2, 2], [1, 1]])
    np.testing.assert_array_equal(both[1], np.ones((2, 2)))
