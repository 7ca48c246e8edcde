"""Stretches of 0-d nodes: written out and interpreted, on the emulator, against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.engines.gpu import scalars
from adjoint.engines.gpu.kernel import Scratch
from adjoint.engines.gpu.scalars import scalar_launches
from adjoint.engines.regions import Scalars

from ...cuda_emulator import harness, nvrtc
from ..harness import compare
from .emulated import Machine, planned, prelude

pytestmark = pytest.mark.skipif(bool(harness.missing()), reason=str(harness.missing()))
f4 = np.float32


def everything(x: Any, y: Any, k: Any, c: Any) -> Any:
    """Every dtype of operands and kind of constant, float32 and float64, ints, truth values."""
    a = np.sin(x) * 0.37 + y**2 - y**-1 + x / 3
    b = np.where(c, a, 0.25) + np.where(x > 0.3, 1.0, k)
    return a, b, np.maximum(x, 0.1), k * 7 - 1, (k // 3, k % 5), c & (x < y), np.exp(-a * a), y**2.5, -k, ~c


def branch(x: Any, y: Any, k: Any, c: Any) -> Any:
    """The same in a container without nesting."""
    *head, pair, d, e, f, g, h = everything(x, y, k, c)
    return (*head, *pair, d, e, f, g, h)


def recurrence(steps: int) -> Callable[..., Any]:
    """x ← x + h sin(x − y), with the derivative of the end in the start: some 20 nodes for each step."""

    def end(x: Any, y: Any) -> Any:
        for k in range(steps):
            x = x + (0.01 + 0.001 * (k % 7)) * np.sin(x - y) * np.tanh(y)
        return x

    return lambda x, y: ad.value_and_grad(end)(x, y)


ARGS = {
    "float64": (np.array(0.7), np.array(-1.3), np.array(17), np.array(True)),
    "float32": (np.array(0.7, f4), np.array(-1.3, f4), np.array(-17, np.int32), np.array(False)),
}


def run(f: Callable[..., Any], args: Any, monkeypatch: pytest.MonkeyPatch, longest: int) -> Any:
    """Results by emulated kernels, with so many nodes at most written out; the number of launches."""
    monkeypatch.setattr(scalars, "WRITTEN_OUT", longest)
    plan = planned(f, args)
    launches = [x for g in plan.groups if isinstance(g, Scalars) for x in scalar_launches(g, plan.stored)]
    return Machine(plan, args, scalars=True).run(), launches


@pytest.mark.parametrize("longest", [128, 0], ids=["written_out", "interpreted"])
@pytest.mark.parametrize("dtype", ARGS)
def test_values(dtype: str, longest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with np.errstate(all="ignore"):
        want = [np.asarray(z) for z in branch(*ARGS[dtype])]
    got, launches = run(branch, ARGS[dtype], monkeypatch, longest)
    compare(got, want)
    assert len(launches) == 1
    assert ("switch" in launches[0].source) == (longest == 0)


@pytest.mark.parametrize("longest", [10_000, 0], ids=["written_out", "interpreted"])
def test_gradient_of_a_recurrence(longest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    f, args = recurrence(20), (np.array(0.4), np.array(1.9))
    got, _ = run(f, args, monkeypatch, longest)
    compare(got, [np.asarray(z) for z in f(*args)])


@pytest.mark.parametrize("longest", [128, 0], ids=["written_out", "interpreted"])
def test_python_numbers_take_part_as_floats(longest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python float is read as a double, and a float32 is computed with it in float32."""

    def f(x: Any, a: Any) -> Any:
        return x * (a + 1) + a, a * a

    got, (launch,) = run(f, (np.array(0.7, f4), 0.1), monkeypatch, longest)
    compare(got, [np.asarray(z) for z in f(np.array(0.7, f4), 0.1)])
    assert "(double)" not in launch.source


def test_long_stretches_share_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps, and numbers of steps, are data."""
    texts = set()
    for steps in (50, 400):
        args = (np.array(0.4), np.array(1.9))
        got, launches = run(recurrence(steps), args, monkeypatch, 128)
        compare(got, [np.asarray(z) for z in recurrence(steps)(*args)])
        texts |= {launch.source for launch in launches}
    assert len(texts) == 1
    assert texts.pop().count("case ") < 30


def test_more_pointers_than_a_launch_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values stay in their cells from one launch to the next."""
    monkeypatch.setattr(scalars, "POINTERS", 5)

    def f(*xs: Any) -> Any:
        total, sums = 0.0, []
        for x in xs:
            total = total + np.sin(x)
            sums.append(total * 1.0)
        return tuple(sums)

    args = tuple(np.array(0.1 * k) for k in range(9))
    got, launches = run(f, args, monkeypatch, 128)
    compare(got, [np.asarray(z) for z in f(*args)])
    assert len(launches) == 4  # for nine numbers read and as many written
    rooms = {id(a) for launch in launches for a in launch.arguments if isinstance(a, Scratch)}
    assert len(rooms) == 1


def test_elements_of_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read where they lie, from one pointer; results may be pieces of an array."""
    x = np.random.default_rng(0).normal(size=300)

    def f(x: Any) -> Any:
        steps = [x[0]]
        for k in range(1, 150):
            steps.append(0.9 * steps[-1] + x[2 * k])
        return np.stack(steps[::10]), steps[-1]

    got, launches = run(f, (x,), monkeypatch, 0)
    compare(got, [np.asarray(z) for z in f(x)])
    assert len(launches) == 1


@pytest.mark.skipif(bool(nvrtc.missing()), reason=str(nvrtc.missing()))
def test_nvrtc_compiles_them(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = []
    for longest in (128, 0):
        for args in ARGS.values():
            sources += [prelude() + x.source for x in run(branch, args, monkeypatch, longest)[1]]
    assert not [r for r in nvrtc.compiled(sources, ["sm_80"]) if r.spilled]


@pytest.mark.slow
def test_a_hundred_thousand_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    f, args = recurrence(10_100), (np.array(0.4), np.array(1.9))
    got, launches = run(f, args, monkeypatch, 128)
    compare(got, [np.asarray(z) for z in f(*args)], 10)
    assert sum(int(launch.arguments[1]) for launch in launches) > 100_000  # type: ignore[call-overload]
