"""Primitives of the user's own: derived twins, checks of what rules return, and the texts of the errors."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import check
from adjoint.errors import RuleError
from adjoint.ops.primitive import PRIMITIVES

from ..helpers import close, fresh, message, normal

X = normal(3)


def pair(**rules: Any) -> Any:
    """z = x² y, by name of the rules given."""
    known = {
        "tangent": lambda args, z, dots: sum(
            (
                0.0 if d is None else p * d
                for p, d in zip((2 * args[0] * args[1], args[0] ** 2), dots, strict=True)
            ),
            0.0,
        ),
        "adjoint": lambda args, z, lam: (2 * args[0] * args[1] * lam, args[0] ** 2 * lam),
    }
    chosen = {kind: rules.get(kind, known[kind]) for kind in rules.pop("only", known)}
    return ad.primitive(next(fresh), lambda x, y: x**2 * y, **chosen)


@pytest.mark.parametrize("only", [("tangent",), ("adjoint",), ("tangent", "adjoint")], ids="+".join)
def test_one_rule_is_enough(only: tuple[str, ...]) -> None:
    op = pair(only=only)
    y = normal(3, seed=1)
    check.rule(op, X, y).raise_on_failure()
    close(ad.grad(lambda x, y: np.sum(op(x, y)), (0, 1))(X, y), (2 * X * y, X**2))
    close(ad.jvp(op, (X, y), (np.ones(3), np.zeros(3)))[1], 2 * X * y)
    close(ad.grad(lambda x: np.sum(op(x, y)))(X), 2 * X * y)
    close(ad.hessian(lambda x: np.sum(op(x, y)))(X), np.diag(2 * y))
    close(ad.grad(lambda x: ad.grad(lambda x: ad.grad(lambda x: op(x, 1.0 * x))(x))(x))(2.0), np.float64(6.0))


def test_computes_on_plain_arrays_and_takes_parameters() -> None:
    op = ad.primitive(
        next(fresh),
        lambda x, *, k: np.asarray(x) ** k,
        adjoint=lambda a, z, lam, *, k: (k * a[0] ** (k - 1) * lam,),
    )
    assert op(X, k=2).tolist() == (X**2).tolist()
    close(ad.grad(lambda x: np.sum(op(x, k=3)))(X), 3 * X**2)
    close(ad.jvp(lambda x: op(x, k=3), (X,), (np.ones(3),))[1], 3 * X**2)
    assert pickle.loads(pickle.dumps(op)) is op


def test_value_may_use_what_has_no_rule_and_return_anything_like_an_array() -> None:
    op = ad.primitive(
        next(fresh), lambda x: [float(v) ** 2 for v in x], tangent=lambda a, z, d: 2 * a[0] * d[0]
    )
    close(ad.grad(lambda x: np.sum(op(x)))(X), 2 * X)


def test_value_cannot_write_to_what_is_recorded() -> None:
    def careless(x: Any) -> Any:
        x *= 2
        return x

    op = ad.primitive(next(fresh), careless, adjoint=lambda a, z, lam: (2 * lam,))
    with pytest.raises(ValueError, match="read-only"):
        ad.grad(lambda x: np.sum(op(x)))(X)


def test_rules_see_none_for_constants() -> None:
    seen: list[Any] = []
    op = pair(
        tangent=lambda args, z, dots: (
            seen.append([d is None for d in dots]) or 2 * args[0] * args[1] * dots[0]
        )
    )
    ad.jvp(lambda x: op(x, 2.0), (X,), (X,))
    assert seen == [[False, True]]


def test_dtype_of_rules_is_fitted() -> None:
    op = ad.primitive(
        next(fresh), lambda x: x * 2, adjoint=lambda a, z, lam: (np.float64(2.0) * lam.astype(np.float64),)
    )
    assert ad.grad(lambda x: np.sum(op(x)))(X.astype(np.float32)).dtype == np.float32


# ------------------------------------------------------------------------------------- faulty rules
def test_registration_needs_a_rule_and_a_free_name() -> None:
    name = next(fresh)
    assert f"primitive '{name}' needs a tangent or an adjoint rule" in message(
        RuleError, ad.primitive, name, np.sin
    )
    assert name not in PRIMITIVES
    assert "a primitive named 'tanh' is registered already; choose another name" in message(
        RuleError, ad.elementwise, "tanh", lambda m, x: x, 1
    )
    assert PRIMITIVES["tanh"](0.5) == np.tanh(0.5)


RETURNS: dict[str, tuple[Any, str]] = {
    "wrong shape": (lambda a, z, lam: (np.zeros((3, 1)), None), "returned (3, 1), input 0 is (3,)"),
    "wrong shape of the second": (lambda a, z, lam: (lam, np.sum(lam)), "returned (), input 1 is (3,)"),
    "one result for two": (lambda a, z, lam: (lam,), "returned 1 results for 2 inputs; return a tuple"),
    "three results for two": (lambda a, z, lam: (lam, lam, lam), "returned 3 results for 2 inputs"),
    "no tuple": (lambda a, z, lam: lam, "returned one result for 2 inputs; return a tuple"),
    "none": (lambda a, z, lam: None, "returned one result for 2 inputs; return a tuple"),
}


@pytest.mark.parametrize("what", RETURNS)
def test_adjoint_that_returns_the_wrong_thing(what: str) -> None:
    rule, words = RETURNS[what]
    op = pair(adjoint=rule)
    text = message(RuleError, ad.grad(lambda x, y: np.sum(op(x, y)), (0, 1)), X, X)
    assert text == f"adjoint of {op.name}: {words}" or (
        words in text and text.startswith(f"adjoint of {op.name}: ")
    )


def test_tangent_that_returns_the_wrong_shape() -> None:
    op = pair(tangent=lambda args, z, dots: np.zeros((3, 1)))
    assert (
        message(RuleError, ad.jvp, op, (X, X), (X, X))
        == f"tangent of {op.name}: returned (3, 1), output is (3,)"
    )


def test_rule_that_cannot_be_transposed() -> None:
    op = pair(
        only=("adjoint",), adjoint=lambda args, z, lam: (np.array([float(v) for v in lam]), np.zeros(3))
    )
    text = message(RuleError, ad.jvp, op, (X, X), (X, X))
    assert text.startswith(
        f"tangent of {op.name}: cannot be derived from the adjoint rule, which is not written with"
    )
    assert "Give both rules to ad.primitive." in text
    op = pair(only=("tangent",), tangent=lambda args, z, dots: np.array([float(v) for v in dots[0]]))
    text = message(RuleError, ad.grad(lambda x: np.sum(op(x, X))), X)
    assert text.startswith(f"adjoint of {op.name}: cannot be derived from the tangent rule")


def test_exceptions_of_the_users_own_pass_through() -> None:
    class Surprise(ValueError):
        pass

    def fail(*args: Any) -> Any:
        raise Surprise

    value_fails = ad.primitive(next(fresh), fail, adjoint=lambda a, z, lam: (lam,))
    rule_fails = ad.primitive(next(fresh), lambda x: x, adjoint=fail)
    message(Surprise, ad.grad(lambda x: np.sum(value_fails(x))), X)
    message(Surprise, ad.grad(lambda x: np.sum(rule_fails(x))), X)


# --------------------------------------------------------------------------------------------- rows
def test_elementwise_row_gives_both_modes_and_broadcasts() -> None:
    op = ad.elementwise(
        next(fresh),
        lambda m, x, y: x * m.exp(y),
        lambda m, x, y, z: m.exp(y),
        lambda m, x, y, z: z,
        domain=((-2, 2), (-1, 1)),
    )
    check.rule(op).raise_on_failure()
    x, y = normal(3, 1), normal(4, seed=1)
    close(
        ad.grad(lambda x, y: np.sum(op(x, y)), (0, 1))(x, y),
        (np.full((3, 1), np.sum(np.exp(y))), np.sum(x) * np.exp(y)),
    )
    assert op(np.float32(1.0), np.float32(0.0)).dtype == np.float32
    with ad.Tape() as tape:
        loss = np.sum(op(tape.input(x, "x"), tape.input(y, "y")))
    assert r"\exp" in ad.Lagrangian(tape, loss).latex() or "e^{" in ad.Lagrangian(tape, loss).latex()


def test_elementwise_row_with_numbers_and_none_for_partials() -> None:
    op = ad.elementwise(next(fresh), lambda m, x, k: 3 * x + m.floor(k), 3, None)
    close(ad.grad(lambda x, k: np.sum(op(x, k)), (0, 1))(X, X), (np.full(3, 3.0), np.zeros(3)))


def test_wrong_row_is_found_by_its_check() -> None:
    op = ad.elementwise(
        next(fresh), lambda m, x: m.sin(x), lambda m, x, z: m.cos(x) * 1.01, domain=((-1, 1),)
    )
    report = check.rule(op)
    assert not report
    assert "received" in repr(report) and "expected" in repr(report)


def test_registering_again_needs_replace_and_counts_arguments() -> None:
    from scipy.special import ber, berp

    op = ad.elementwise("ber", lambda m, x: ber(x), lambda m, x, z: m.berp(x))
    assert ad.grad(ber)(1.5) == berp(1.5)  # the ufunc finds its row
    with pytest.raises(ad.RuleError, match="registered already; pass replace=True"):
        ad.elementwise("ber", lambda m, x: ber(x), 1)
    ad.elementwise("ber", lambda m, x: ber(x), lambda m, x, z: 2 * m.berp(x), replace=True)
    assert ad.grad(ber)(1.5) == 2 * berp(1.5) and ad.grad(op)(1.5) == berp(1.5)
    with pytest.raises(ad.RuleError, match="'tanh' is registered already; choose another name"):
        ad.elementwise("tanh", lambda m, x: x, 1, replace=True)
    with pytest.raises(ad.RuleError, match="value of 'k0' must take 2 arguments: m, the operands"):
        ad.elementwise("k0", lambda x: x, lambda m, x, z: x)
    with pytest.raises(ad.RuleError, match="partial derivative of 'k0' must take 3 arguments"):
        ad.elementwise("k0", lambda m, x: x, lambda x: x)
