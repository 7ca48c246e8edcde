"""Long tapes without recursion; what is dropped is freed, without the garbage collector's help."""

from __future__ import annotations

import contextlib
import gc
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.sweeps import tangent_sweep

from ..helpers import close, nothing_is_open


def peak(f: Callable[[], Any]) -> int:
    """Peak of traced memory while f runs, above what was there before."""
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    kept = f()
    top = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    del kept
    return top - before


# -------------------------------------------------------------------------------------- long chains
def chain(x: Any, n: int) -> Any:
    """About n scalar nodes."""
    for _ in range(n // 2):
        x = x * 0.999 + 0.001
    return x


@pytest.mark.parametrize("n", [10**5, pytest.param(10**6, marks=pytest.mark.slow)])
def test_long_scalar_chain_records_and_sweeps(n: int) -> None:
    expected = 0.999 ** (n // 2)
    np.testing.assert_allclose(ad.grad(chain)(0.5, n), expected, rtol=1e-9)
    with ad.Tape() as tape:
        x = tape.parameter(0.5, "x")
        z = chain(x, n)
    assert len(tape) == n + 1
    np.testing.assert_allclose(tangent_sweep(tape, {x.index: 1.0})[z.index], expected, rtol=1e-9)
    np.testing.assert_allclose(ad.Lagrangian(tape, z).lam[0], expected, rtol=1e-9)
    assert tape.replay({}).values[-1] == tape.values[-1]
    assert len(ad.Lagrangian(tape, z).latex(limit=3)) < 1000


def test_chain_on_two_levels_and_a_wide_fan() -> None:
    n = 20_000
    np.testing.assert_allclose(ad.grad(ad.grad(lambda x: chain(x, n) ** 2))(0.5), 2 * 0.999**n, rtol=1e-8)

    def fan(x: Any) -> Any:
        total = x * 0.0
        for _ in range(n):
            total = total + x
        return total

    close(ad.grad(fan)(1.0), np.float64(n))


def test_memory_per_scalar_node() -> None:
    n = 20_000

    def run() -> Any:
        with ad.Tape() as tape:
            chain(tape.parameter(np.float64(0.5)), n)
        return tape

    assert peak(run) / n < 500


# ------------------------------------------------------------------------------ nothing stays alive
def watched(watch: list[Any], x: Any) -> Any:
    """x * 2, its array and every tape below it watched."""
    value = h = x * 2.0
    while isinstance(value, ad.Variable):
        watch.append(weakref.ref(value.tape))
        value = value.tape.values[value.index]
    watch.append(weakref.ref(value))
    return h


RUNS: dict[str, Callable[[Callable[[Any], Any], Any], Any]] = {
    "grad": lambda f, x: ad.grad(f)(x),
    "value_and_grad": lambda f, x: ad.value_and_grad(f)(x),
    "with_multipliers": lambda f, x: ad.with_multipliers(f)(x),
    "jvp": lambda f, x: ad.jvp(f, (x,), (x,)),
    "vjp": lambda f, x: ad.vjp(f, x)[1](1.0),
    "hvp": lambda f, x: ad.hvp(f, x, x),
    "grad of grad": lambda f, x: ad.grad(lambda y: np.sum(ad.grad(f)(y) ** 2))(x),
    "checkpoint": lambda f, x: ad.grad(ad.checkpoint(f))(x),
    "scan": lambda f, x: ad.grad(lambda y: ad.scan(lambda c, _: (c + f(y), None), 0.0, length=2)[0])(x),
    "root": lambda f, x: ad.grad(lambda y: ad.root(lambda z, y: z * 2 - f(y), 0.0, y))(x),
    "fixed point": lambda f, x: ad.grad(lambda y: ad.fixed_point(lambda z, y: z * 0.5 + 0.01 * f(y), 0.0, y))(
        x
    ),
    "nan_origin": lambda f, x: ad.nan_origin(f, x),
    "grad_and_aux": lambda f, x: ad.grad_and_aux(lambda y: (f(y), None))(x),
}


@pytest.mark.parametrize("how", RUNS)
def test_nothing_is_left_when_a_transform_returns(how: str, no_gc: None) -> None:
    watch: list[Any] = []
    result = RUNS[how](lambda x: np.sum(np.sin(watched(watch, x)) ** 2), np.ones(1000))
    assert watch
    assert not [w() for w in watch if w() is not None]
    assert nothing_is_open()
    del result


def test_nothing_is_left_after_an_exception(no_gc: None) -> None:
    watch: list[Any] = []

    def f(x: Any) -> Any:
        watched(watch, x)
        raise KeyError("user")

    with contextlib.suppress(KeyError):
        ad.grad(f)(np.ones(1000))
    assert not [w() for w in watch if w() is not None]


def test_a_dropped_tape_frees_its_arrays(no_gc: None) -> None:
    watch: list[Any] = []
    with ad.Tape() as tape:
        x = tape.parameter(np.ones(1000))
        h = watched(watch, x)
        loss = np.sum(np.concatenate([h, h]) * np.linalg.norm(h))
    lagrangian = ad.Lagrangian(tape, loss)
    multipliers, certificate = lagrangian.multipliers, lagrangian.residuals()
    assert all(w() is not None for w in watch)
    del tape, x, h, loss, lagrangian
    assert not [w() for w in watch if w() is not None]
    assert len(multipliers) > 3 and certificate.holds


def test_pullback_keeps_the_tape_only_as_long_as_it_lives(no_gc: None) -> None:
    watch: list[Any] = []
    pullback, _ = ad.make_vjp(lambda x: watched(watch, x) ** 2)(np.ones(1000))
    assert all(w() is not None for w in watch)
    pullback(np.ones(1000))
    del pullback, _
    assert not [w() for w in watch if w() is not None]


def test_grad_frees_multipliers_as_it_goes_and_a_tape_keeps_them() -> None:
    n, size = 60, 100_000

    def f(x: Any) -> Any:
        for _ in range(n):
            x = x + 1.0  # its pullback needs no value, and makes no array: λ is passed on
        for _ in range(n):
            x = np.sin(x)
        return np.sum(x)

    def kept() -> Any:
        with ad.Tape() as tape:
            x = tape.parameter(np.ones(size))
            loss = f(x)
        return ad.Lagrangian(tape, loss).lam

    array = 8 * size
    assert peak(lambda: ad.grad(f)(np.ones(size))) < (2 * n + 12) * array
    assert peak(kept) > (3 * n - 5) * array
