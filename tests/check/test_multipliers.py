"""check.multipliers in programs of many operations: the wrong rule is named with its line, at little cost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import check
from adjoint.ops.primitive import PRIMITIVES

from ..helpers import Program, each_program, fresh, normal

X = normal(3, 4)


@pytest.fixture
def square() -> Iterator[Callable[[float], Any]]:
    """Makes a squaring whose adjoint is off by a factor."""
    made = []

    def make(factor: float) -> Any:
        made.append(
            ad.primitive(
                next(fresh), lambda x: x**2,
                adjoint=lambda a, z, lam: (factor * 2 * a[0] * lam,),
                tangent=lambda a, z, d: 2 * a[0] * d[0],
            )
        )  # fmt: skip
        return made[-1]

    yield make
    for op in made:
        PRIMITIVES.pop(op.name)


def chain(op: Any, at: int, length: int = 60) -> Callable[..., Any]:
    """sin and scaling, again and again, with the operation once in between."""

    def program(x: Any) -> Any:
        for k in range(length):
            x = np.sin(x) * 1.1
            if k == at:
                x = op(x) + 0.3  # here
        return np.sum(x**2)

    return program


@each_program
def test_sets_and_single_nodes_agree(p: Program) -> None:
    together, alone = (check.multipliers(p.function, p.args, groups=g) for g in (4, None))
    assert together and alone, repr(together)
    assert together.findings[0].what == alone.findings[0].what
    assert together.evaluations["program"] <= min(1 + 4 * 6, alone.evaluations["program"])


@pytest.mark.parametrize("at", [0, 7, 31, 59])
@pytest.mark.parametrize("factor", [-1.0, 0.0, 1.01])
def test_the_wrong_rule_is_named_wherever_it_stands(at: int, factor: float, square: Any) -> None:
    op = square(factor)
    report = check.multipliers(chain(op, at), [X])
    assert not report
    text = repr(report)
    assert f"the adjoint rule of {op.name} at fault, {op.name}#{2 * at + 3} at " in text
    assert "x = op(x) + 0.3  # here" in text
    assert text.count("at fault") == 1
    found = re.search(r"operand 0: received ⟨∂fᵀλ, r⟩ = (\S+), expected (\S+)", text)
    assert found
    np.testing.assert_allclose(float(found[1]), factor * float(found[2]), rtol=1e-5, atol=1e-9)


def test_cost_does_not_grow_with_the_square_of_the_program(square: Any) -> None:
    right = check.multipliers(chain(np.square, 380, 400), [X])
    assert right and right.evaluations["program"] <= 1 + 6 * 32
    wrong = check.multipliers(chain(square(0.9), 380, 400), [X])
    assert not wrong and wrong.evaluations["program"] <= 1 + 6 * (32 + 2 * 6)
    every = check.multipliers(chain(square(0.9), 3, 30), [X], groups=None)
    assert not every and every.evaluations["program"] > 120


def test_the_later_of_two_wrong_rules_is_the_one_named(square: Any) -> None:
    first, second = square(0.5), square(0.5)

    def program(x: Any) -> Any:
        x = np.tanh(first(x))
        x = np.tanh(second(x) + x)
        return np.mean(np.exp(x))

    text = repr(check.multipliers(program, [X]))
    assert f"rule of {second.name} at fault" in text and first.name not in text.split("at fault")[1]


def test_inside_of_a_scan_and_of_a_network(square: Any) -> None:
    op = square(0.95)

    def scanned(h: Any, xs: Any) -> Any:
        h, _ = ad.scan(lambda h, x: (np.tanh(op(h) + x), None), h, xs)  # the loop
        return np.sum(h)

    text = repr(check.multipliers(scanned, [X[0], X]))
    assert f"rule of {op.name} at fault" in text and "# the loop" in text

    def network(p: Any, x: Any) -> Any:
        for name in p:
            with ad.scope(name):
                x = ad.name(op(x @ p[name]) if name == "layer2" else np.tanh(x @ p[name]), "h")
        return np.mean(x**2)

    weights = {f"layer{k}": normal(4, 4, seed=k) / 2 for k in (1, 2, 3)}
    text = repr(check.multipliers(network, [weights, X]))
    assert f"rule of {op.name} at fault" in text and 'op(x @ p[name]) if name == "layer2"' in text
    assert "λ of matmul#" in text


def test_a_forgotten_operand_is_named() -> None:
    op = ad.primitive(
        next(fresh), lambda x, y: x * y, adjoint=lambda a, z, lam: (a[1] * lam, None),
        tangent=lambda a, z, d: a[1] * d[0],
    )  # fmt: skip
    try:
        text = repr(check.multipliers(lambda x, y: np.sum(op(np.sin(x), np.cos(y))), [X, X]))
    finally:
        PRIMITIVES.pop(op.name)
    assert "λ of cos#" in text and "operand 1: received ⟨∂fᵀλ, r⟩ = 0, expected " in text


def test_single_precision_is_held_to_its_own_limit(square: Any) -> None:
    single = X.astype(np.float32)
    assert check.multipliers(chain(np.square, 5, 20), [single])
    assert not check.multipliers(chain(square(0.9), 5, 20), [single])


def test_what_is_not_finite_does_not_pass() -> None:
    with np.errstate(invalid="ignore"):
        report = check.multipliers(lambda x: np.sum(np.log(x)), (np.array([-1.0, 2.0]),))
    assert not report and "the loss is nan here: nan_origin(f, *args) names the line" in repr(report)
    nan = ad.primitive(
        next(fresh), lambda x: x**2, adjoint=lambda a, z, lam: (np.nan * a[0],), tangent=lambda a, z, d: d[0]
    )
    try:
        assert not check.multipliers(lambda x: np.sum(nan(x)), (X,))
    finally:
        PRIMITIVES.pop(nan.name)
    with pytest.raises(ValueError, match="groups must be at least 1"):
        check.multipliers(np.sum, (X,), groups=0)
