"""Results belong to the caller: writable, no memory shared with each other, arguments, constants, tapes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import tree as trees

from ..helpers import Program, close, each_program

X, Y = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
CONSTANT = np.array([7.0, 8.0, 9.0])
BOTH = (0, 1)
passing = ad.primitive(
    "test_passing_a_constant", lambda x: x @ CONSTANT, adjoint=lambda args, z, lam: (CONSTANT,)
)

RESULTS: dict[str, Callable[[], Any]] = {
    "x + y": lambda: ad.grad(lambda x, y: np.sum(x + y), BOTH)(X, Y),
    "square of x + y": lambda: ad.grad(lambda x, y: np.sum((x + y) ** 2), BOTH)(X, Y),
    "x - y": lambda: ad.grad(lambda x, y: np.sum(x - y), BOTH)(X, Y),
    "x x": lambda: ad.grad(lambda x, y: x @ x, BOTH)(X, Y),
    "x y": lambda: ad.grad(lambda x, y: x @ y, BOTH)(X, Y),
    "identity": lambda: ad.grad(lambda x: x)(np.array(2.0)),
    "sum": lambda: ad.value_and_grad(np.sum)(X),
    "broadcast": lambda: ad.grad(lambda x: np.sum(np.broadcast_to(x, (4, 3))))(X),
    "reshape": lambda: ad.grad(lambda x, y: np.sum(x.reshape(3, 1)) + np.sum(y.T), BOTH)(X, Y),
    "constant": lambda: ad.grad(lambda x: x @ CONSTANT)(X),
    "product with a constant": lambda: ad.grad(lambda x: np.sum(x * CONSTANT))(X),
    "disconnected": lambda: ad.grad(lambda x, y: 1.0, BOTH)(X, Y),
    "custom rule that returns a constant": lambda: ad.grad(passing)(X),
    "value is the argument": lambda: ad.make_vjp(lambda x: x)(X)[1],
    "value twice": lambda: ad.make_vjp(lambda x: (x * 1, x, x))(X)[1],
    "own seed": lambda: (SEED, ad.make_vjp(lambda x: x)(X)[0](SEED)),
    "own seed through views": lambda: (SEED, ad.make_vjp(lambda x: x.reshape(1, 3).T[:, 0])(X)[0](SEED)),
    "own seed twice": lambda: (SEED, ad.vjp(lambda x, y: x + y, X, Y)[1](SEED)),
    "own tangent": lambda: (SEED, ad.jvp(lambda x: x, (X,), (SEED,))),
    "tangent of two outputs": lambda: (SEED, ad.jvp(lambda x: (x, x + 1, x[:]), (X,), (SEED,))[1]),
    "pullback twice": lambda: [
        pull(SEED) for pull in [ad.make_vjp(lambda x: x + CONSTANT)(X)[0]] for _ in "ab"
    ],
    "jacobian": lambda: ad.jacobian(lambda x, y: x + y, BOTH)(X, Y),
    "hessian": lambda: ad.hessian(lambda x: x @ x)(X),
    "hvp": lambda: (SEED, ad.hvp(lambda x: 0.5 * x @ x, X, SEED)),
    "with_multipliers": lambda: ad.with_multipliers(lambda x, y: np.sum(x + y), argnum=BOTH)(X, Y)[1],
    "aux": lambda: ad.grad_and_aux(lambda x: (np.sum(x), (x, x, x.reshape(3, 1))))(X),
    "elementwise": lambda: ad.elementwise_grad(lambda x, y: x + y, BOTH)(X, Y),
    "checkpoint": lambda: ad.grad(ad.checkpoint(lambda x, y: np.sum(x + y)), BOTH)(X, Y),
    "scan": lambda: ad.grad(lambda x, y: np.sum(ad.scan(lambda c, z: (c + z, c), x, y[None])[0]), BOTH)(X, Y),
    "size-1": lambda: ad.value_and_grad(lambda x: x)(np.array([2.0])),
}
SEED = np.array([1.5, 2.5, 3.5])


@pytest.mark.parametrize("what", RESULTS)
def test_results_may_be_written_to(what: str) -> None:
    arrays = [leaf for leaf in trees.flatten(RESULTS[what]())[0] if isinstance(leaf, np.ndarray)]
    for a in arrays:
        assert a.flags.writeable
        for other in (X, Y, CONSTANT):
            assert not np.shares_memory(a, other)
    for a, b in itertools.combinations(arrays, 2):
        assert not np.shares_memory(a, b)


@each_program
def test_gradients_of_programs_may_be_written_to(p: Program) -> None:
    gradient = ad.grad(p.function, tuple(range(len(p.args))))(*p.args)
    arrays = [g for g in trees.flatten(gradient)[0] if isinstance(g, np.ndarray)]
    given = [a for a in trees.flatten(p.args)[0] if isinstance(a, np.ndarray)]
    assert all(a.flags.writeable for a in arrays)
    assert not any(np.shares_memory(a, b) for a, b in itertools.combinations(arrays + given, 2))


def test_writing_to_a_gradient_does_not_change_the_lagrangian() -> None:
    with ad.Tape() as tape:
        x, y = tape.parameter(X, "x"), tape.parameter(Y, "y")
        loss = np.sum(x + y) + np.sum(x)
    lagrangian = ad.Lagrangian(tape, loss)
    g = lagrangian.gradient([x, y])
    for a in g:
        a *= -0.1
    close(lagrangian.gradient("x"), np.full(3, 2.0))
    close(lagrangian.gradient("y"), np.ones(3))
    assert lagrangian.residuals().holds


def test_writing_to_a_gradient_does_not_change_the_multipliers() -> None:
    _, g, m = ad.with_multipliers(lambda x: np.sum(ad.name(x * 1.0, "h") ** 2) / 2)(X)
    g[...] = 100.0
    close(m["h"], X)
    close(m[0], X)
    # one sweep may leave the same array on several constraints
    assert not m["h"].flags.writeable and not m[0].flags.writeable


def test_pullbacks_can_be_called_again_and_in_any_order() -> None:
    pull, _ = ad.make_vjp(lambda x, y: (np.sin(x) * y, np.exp(y)), BOTH)(X, Y)
    first = pull((np.ones(3), np.zeros(3)))
    pull((np.zeros(3), np.ones(3)))[0][...] = 5.0
    close(pull((np.ones(3), np.zeros(3))), first)
    close(first, (np.cos(X) * Y, np.sin(X)))


def test_numbers_in_containers_have_numbers_as_gradients() -> None:
    for g in ad.grad(lambda x: np.sum(np.stack(x) ** 2))([1.0, np.float32(2.0)]):
        assert isinstance(g, np.floating)
