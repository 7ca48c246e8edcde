"""Whole programs, compiled: transforms inside and outside, training and Newton steps, multipliers by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import tree as trees

from ..helpers import FUNCTIONS, Program, message, normal, points_at
from .harness import agree, compare, fallbacks

TRACEABLE = [p for p in FUNCTIONS if p.name != "branches"]
NAMED = {p.name: p for p in FUNCTIONS}


def _directions(args: Any) -> Any:
    """A container like the arguments, of other numbers."""
    leaves, structure = trees.flatten(args)
    rng = np.random.default_rng(5)
    drawn = [rng.standard_normal(np.shape(x)) for x in leaves]
    kept = [
        float(d) if type(x) is float else d.astype(x.dtype)[()] for d, x in zip(drawn, leaves, strict=True)
    ]
    return trees.unflatten(structure, kept)


@pytest.mark.parametrize("p", TRACEABLE, ids=[p.name for p in TRACEABLE])
def test_value_gradient_and_curvature(p: Program) -> None:
    wanted, v = tuple(range(len(p.args))), _directions(p.args)
    product = ad.hessian_vector_product(lambda *x: p.function(*x), wanted)

    def program(*args: Any) -> Any:
        return ad.value_and_grad(p.function, wanted)(*args), product(*args, v)

    agree(program, *p.args, factor=100)


def test_a_branch_on_a_value_names_the_line() -> None:
    p = NAMED["branches"]
    for f in (p.function, ad.grad(p.function)):
        text = message(ad.TraceError, ad.compile(f), *p.args)
        assert points_at(text, "return total * 2 if total > 0 else -total")
        assert "np.where" in text


# -------------------------------------------------------------------------------- steps of algorithms
def test_training_with_an_optimizer_follows_the_eager_path() -> None:
    p = NAMED["mlp"]
    optimizer = ad.optim.adam(1e-2)

    def step(params: Any, state: Any, x: Any) -> Any:
        loss, gradient = ad.value_and_grad(p.function)(params, x)
        return loss, *optimizer.update(gradient, state, params)

    params, x = p.args
    eager = native = (None, params, optimizer.init(params))
    compiled = ad.compile(step)
    for _ in range(5):
        eager, native = step(*eager[1:], x), compiled(*native[1:], x)
    compare(native, eager, 100)
    assert eager[0] < p.function(params, x)
    assert compiled.explain().recompilations == 0


def test_newton_step() -> None:
    def f(x: Any) -> Any:
        return np.sum(np.exp(x) - x) + 0.5 * np.sum(x) ** 2

    def step(x: Any) -> Any:
        return x - np.linalg.solve(ad.hessian(f)(x), ad.grad(f)(x))

    compiled = agree(step, normal(4), factor=10)
    x = normal(4)
    for _ in range(6):
        x = compiled(x)
    assert np.max(np.abs(ad.grad(f)(x))) < 1e-12
    assert fallbacks(compiled) == []


def test_jacobian_hessian_jvp_and_vjp() -> None:
    def f(x: Any) -> Any:
        return np.tanh(np.outer(x, x) @ x) * np.max(x)

    def program(x: Any, v: Any) -> Any:
        return (
            ad.jacobian(f)(x),
            ad.hessian(lambda y: np.sum(f(y) ** 2))(x),
            ad.jvp(f, (x,), (v,)),
            ad.vjp(f, x)[1](v),
            ad.elementwise_grad(ad.elementwise_grad(ad.elementwise_grad(lambda y: np.sin(y) * y)))(x),
        )

    agree(program, normal(4), normal(4, seed=1), factor=10)


def test_derivatives_of_a_scan_of_many_steps_share_kernels() -> None:
    def f(h: Any, xs: Any) -> Any:
        h, ys = ad.scan(lambda h, x: (np.tanh(h + 0.5 * x), h * x), h, xs)
        return np.sum(ys) + np.sum(h)

    compiled = agree(ad.value_and_grad(f, (0, 1)), normal(3), normal(40, 3, seed=1), factor=10)
    kernels = {step.kernel for step in compiled.explain().programs[0].steps}
    assert len(kernels) <= 12


# ---------------------------------------------------------------------------------- nested compilation
def test_compiled_inside_compiled_and_inside_transforms() -> None:
    def f(x: Any) -> Any:
        return np.sum(np.tanh(x) ** 2)

    x, g = normal(3), ad.compile(f)
    compare(ad.grad(g)(x), ad.grad(f)(x))
    compare(ad.hessian(g)(x), ad.hessian(f)(x))
    compare(ad.compile(ad.grad(g))(x), ad.grad(f)(x))
    compare(ad.compile(lambda x: g(x) * ad.grad(g)(x))(x), f(x) * ad.grad(f)(x))
    compare(ad.compile(g)(x), f(x))
    assert g.explain().programs == []  # where it is differentiated, f itself is recorded


# ---------------------------------------------------------------------------------------- multipliers
def test_multipliers_asked_for_by_name() -> None:
    p = NAMED["mlp"]

    def program(layers: Any, x: Any) -> Any:
        value, gradient, multipliers = ad.with_multipliers(p.function, "h")(layers, x)
        return value, gradient, multipliers["h"], multipliers["layer0/h"]

    agree(program, *p.args)


def test_multipliers_come_out_whole() -> None:
    p = NAMED["mlp"]
    wanted = ad.with_multipliers(p.function, "h")
    compiled = ad.compile(wanted)
    for _ in range(2):
        value, gradient, multipliers = compiled(*p.args)
        want = wanted(*p.args)
        compare((value, gradient), want[:2])
        assert multipliers.names == want[2].names
        compare([multipliers[name] for name in multipliers.names], [want[2][name] for name in want[2].names])
        assert multipliers.entries("layer0/h")[0].place == want[2].entries("layer0/h")[0].place
        assert "layer1/h" in repr(multipliers)


def test_multipliers_of_an_explicit_tape() -> None:
    def program(w: Any) -> Any:
        with ad.Tape() as tape:
            x = tape.parameter(w)
            h = ad.name(np.tanh(x), "h")
            loss = np.sum(h * h)
        lagrangian = ad.Lagrangian(tape, loss)
        return lagrangian.multipliers["h"], lagrangian.gradient([x])

    agree(program, normal(3))
