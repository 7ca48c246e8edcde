"""All special kernels: with 64-bit indices, in one block, without one of their barriers, under NVRTC."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from adjoint.engines.gpu.kernel import Launch, Place
from adjoint.engines.gpu.special import INDEXED, extrema, scans, sorting
from adjoint.engines.gpu.special import kernel as module
from adjoint.engines.gpu.special.copying import copy_launch
from adjoint.engines.gpu.special.kernel import THREADS
from adjoint.engines.views import view_of
from adjoint.ops import index as ix
from adjoint.ops import reduce as rd
from adjoint.ops import shape as sh

from ....cuda_emulator import harness, nvrtc
from ....helpers import rng
from ..launching import (
    Step,
    inputs,
    needs_emulator,
    needs_nvrtc,
    node_of,
    prepare,
    result_by_cupy,
    result_of,
    source_of,
)
from .steps import close, launches_of, numbers
from .test_gemm import product_of
from .test_indexing import gathers, scatters
from .test_scans import cumsums, positions
from .test_segments import reductions, values

COMPARE = close({"f4": 2e-5, "f8": 1e-12})
Planned = tuple[Step, list[Launch]]


def far_cumsum() -> Step:
    """More tiles than the threads of a block."""
    x = numbers(THREADS * scans.TILE + 5, "f4") / 50
    graph, held = inputs(x)
    want = np.cumsum(x.astype(float)).astype("f4")
    return Step(node_of(graph, rd.cumsum, graph.inputs[0], axis=0), held, want)


def many_points() -> Step:
    """More tiles than are added up at once, and keys of two digits."""
    v, i = numbers(9 * sorting.TILE, "f4"), rng(0).integers(0, 300, 9 * sorting.TILE)
    graph, held = inputs(v, i)
    node = node_of(graph, ix.scatter_add, *graph.inputs, template=(ix.ARRAY,), shape=(300,))
    return Step(node, held, ix.scatter_add.value(v, i, template=(ix.ARRAY,), shape=(300,)))


def copies() -> Iterator[Planned]:
    for shape, axes in (((40, 70), (1, 0)), ((5, 6, 7), (1, 0, 2))):
        x = numbers(shape, "f4")
        graph, held = inputs(x)
        node = node_of(graph, sh.transpose, graph.inputs[0], axes=axes)
        yield (
            Step(node, held, x.transpose(axes)),
            [copy_launch(view_of(node), Place(node), node.dtype)],
        )


def everything() -> list[Planned]:
    """One of each kernel at least."""
    steps = [
        far_cumsum(), many_points(), *gathers("f4"), *scatters("f4", 40), *scatters("f8", 2500), *cumsums(),
        *positions(ix.argmax)[::3],
        *values("warps"), *reductions("blocks"), *reductions("few rows"), *reductions("warps")[:9],
        *(product_of(numbers(x, "f4") / 50, numbers(y, "f4") / 50)
          for x, y in (((70, 33), (33, 90)), ((2, 20, 1300), (2, 1300, 3)), ((33, 17), (17, 20)))),
    ]  # fmt: skip
    return [*((step, launches_of(step.node)) for step in steps), *copies()]


def longest() -> list[Planned]:
    """Of each kernel the longest text, and the steps that these belong to."""
    best: dict[str, tuple[int, int]] = {}
    planned = everything()
    for k, (_, plan) in enumerate(planned):
        for launch in plan:
            best[launch.name] = max(best.get(launch.name, (0, 0)), (len(launch.source), -k))
    return [planned[k] for k in sorted({-k for _, k in best.values()})]


def check(planned: list[Planned], change: Callable[[Launch], Launch] = lambda launch: launch) -> None:
    plans = [(step, [change(launch) for launch in plan]) for step, plan in planned]
    prepare(plan for _, plan in plans)
    for step, plan in plans:
        z, failed = result_of(step.node, step.inputs, plan)
        assert not failed
        COMPARE(z, step.want)


def test_every_kernel_by_cupy(cupy: Any, request: pytest.FixtureRequest) -> None:
    """Launched as programs launch them, sums by atomics too; on a card all texts."""
    planned = everything() if request.node.callspec.params["cupy"] == "card" else longest()[2:]
    for step, plan in planned:
        plans = [plan, launches_of(step.node, deterministic=False)] if step.node.op in INDEXED else [plan]
        for one in plans:
            z, failed = result_by_cupy(cupy, step, one)
            assert not failed
            COMPARE(z, step.want)


@needs_emulator
def test_one_block_does_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the grid is, its threads go round until everything is done."""
    monkeypatch.setattr(extrema, "PART", 500)
    check(longest(), alone)


def alone(launch: Launch) -> Launch:
    return dataclasses.replace(launch, grid=(1, 1, 1))


@needs_emulator
def test_indices_of_64_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REACH", 0)
    planned = longest()
    assert all("int p " not in launch.source for _, plan in planned for launch in plan)
    check(planned)


BARRIER = re.compile(r"__sync(?:threads|warp)\(\);")


@pytest.mark.usefixtures("forgotten")
@needs_emulator
def test_every_barrier_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any one of them some order of threads is caught."""
    monkeypatch.setattr(extrema, "PART", 500)
    first: dict[str, tuple[Step, list[Launch], int]] = {}
    for step, plan in everything():
        for k, launch in enumerate(plan):
            count = len(BARRIER.findall(launch.source))
            known = first.get(launch.name)
            if count and (known is None or count > len(BARRIER.findall(known[1][known[2]].source))):
                first[launch.name] = step, [alone(x) for x in plan], k
    assert len(first) >= 9
    broken = []
    for name, (step, plan, k) in first.items():
        for place in BARRIER.finditer(plan[k].source):
            text = plan[k].source[: place.start()] + plan[k].source[place.end() :]
            changed = [*plan[:k], dataclasses.replace(plan[k], source=text), *plan[k + 1 :]]
            broken.append((f"{name}: {context(plan[k].source, place.start())}", step, changed))
    prepare(plan for _, _, plan in broken)
    missed = [name for name, step, plan in broken if not caught(step, plan)]
    assert not missed


def context(text: str, at: int) -> str:
    return " / ".join(line.strip() for line in text[:at].splitlines()[-3:])


def caught(step: Step, plan: list[Launch]) -> bool:
    for order in (0, 1, 2):
        try:
            z, _ = result_of(step.node, step.inputs, plan, order)
            COMPARE(z, step.want)
        except (harness.LaunchError, AssertionError):
            return True
    return False


FAULTS = {
    "one element too many": ("p < points", "p <= points"),
    "no remainder of a tile": ("i0 + x < m && j0 + k < n", "j0 + k < n"),
    "an index taken as it is": ("k0 += n0;", ";"),
    "a stride forgotten": ("* t0", ""),
    "no atomic": ("atomicMax(&board[keys[p]], p + 1)", "board[keys[p]] = p + 1"),
    "an order that is not kept": (
        "counts[warp][digit] + __popc(before)",
        "counts[warp][digit]",
    ),
    "the last of equal ones": ("i < j", "i > j"),
    "a total that is not carried": ("carry += total;", ""),
}


@pytest.mark.usefixtures("forgotten")
@needs_emulator
@pytest.mark.parametrize("name", list(FAULTS))
def test_planted_faults_are_caught(name: str) -> None:
    old, new = FAULTS[name]
    for step, plan in everything():
        changed = [dataclasses.replace(launch, source=launch.source.replace(old, new)) for launch in plan]
        if all(a.source == b.source for a, b in zip(plan, changed, strict=True)):
            continue
        if caught(step, changed):
            return
    raise AssertionError(f"{name}: not caught")


@needs_nvrtc
def test_nvrtc_compiles_every_kernel_without_spills() -> None:
    """For one architecture; `test_sources` has all texts for all of them."""
    sources = {source_of(launch) for _, plan in longest() for launch in plan}
    for report in nvrtc.compiled(sources, ["sm_80"]):
        assert not report.spilled, report
        assert report.shared <= 48 << 10
