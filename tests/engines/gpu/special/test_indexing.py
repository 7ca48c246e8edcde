"""Reading and writing by index arrays, on the emulator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from adjoint.engines.gpu.kernel import Call, Launch
from adjoint.engines.gpu.special import special_steps
from adjoint.engines.graph import Node
from adjoint.errors import IndexingError
from adjoint.ops import index as ix
from adjoint.ops import shape as sh

from ....helpers import rng
from ..launching import Device, Step, inputs, needs_emulator, node_of, result_of
from .steps import FLOATS, INTEGERS, agree, close, launches_of, numbers, transposed

A = ix.ARRAY


def gathers(dtype: str) -> Iterator[Step]:
    x = numbers((5, 6, 7), dtype)
    i, k = rng(1).integers(-5, 5, (3, 4)), rng(2).integers(-7, 7, (3, 1)).astype(np.int8)
    j = rng(3).integers(0, 6, 4).astype(np.uint16)
    cases: list[tuple[tuple[Any, ...], list[np.ndarray]]] = [
        ((A,), [i]),
        ((slice(None), A), [j]),
        ((A, slice(1, 5, 2), A), [i, k]),
        ((A, A, A), [i, j, k]),
        ((Ellipsis, A), [k]),
        ((None, A, None, 2), [i]),
        ((slice(None, None, -2), A, A), [j, k]),
        ((A,), [np.array(-1)]),
        ((A,), [np.zeros((0, 2), int)]),
        ((A, slice(3, 3)), [i]),
    ]
    for template, arrays in cases:
        graph, held = inputs(x, *arrays)
        node = node_of(graph, ix.getitem, *graph.inputs, template=template)
        yield Step(node, held, x[ix.join_index(template, arrays)])
    # of a view, by a view
    graph, held = inputs(x.T, i)
    last = node_of(graph, sh.flip, graph.inputs[1], axis=(1,))
    node = node_of(graph, ix.getitem, transposed(graph, graph.inputs[0]), last, template=(A, slice(1, 4)))
    yield Step(node, held, x[i[:, ::-1], 1:4])


@needs_emulator
def test_gather() -> None:
    agree([step for dtype in ("f4", "c16", "b1") for step in gathers(dtype)])


def scatters(dtype: str, points: int, set_too: bool = True) -> Iterator[Step]:
    """Adding and setting, each with indices that occur often and from both ends."""
    cases: list[tuple[tuple[Any, ...], tuple[int, ...]]] = [
        ((A,), (50, 3)),
        ((A,), (700,)),
        ((slice(None), A), (3, 9)),
        ((A, slice(None), A), (6, 2, 70)),
    ]
    for template, shape in cases:
        sizes = [shape[k] for k, part in enumerate(template) if part == A]
        arrays = [rng(k).integers(-n, n, points) for k, n in enumerate(sizes)]
        v = numbers(np.zeros(shape)[ix.join_index(template, arrays)].shape, dtype)
        graph, held = inputs(v, *arrays)
        node = node_of(graph, ix.scatter_add, *graph.inputs, template=template, shape=shape)
        yield Step(node, held, ix.scatter_add.value(v, *arrays, template=template, shape=shape))
        if set_too:
            x = numbers(shape, dtype, 5)
            graph, held = inputs(x, v, *arrays)
            node = node_of(graph, ix.scatter_set, *graph.inputs, template=template)
            yield Step(node, held, ix.scatter_set.value(x, v, *arrays, template=template))
    # from a view, one row for all points, into a copy of a view
    i, row, x = rng(0).integers(-6, 6, points), numbers((7, 2), dtype), numbers((7, 6), dtype)
    graph, held = inputs(row, i, x)
    v = node_of(graph, ix.getitem, graph.inputs[0], template=(slice(None), 1))
    node = node_of(graph, ix.scatter_add, v, graph.inputs[1], template=(A,), shape=(6, 7))
    yield Step(node, held, ix.scatter_add.value(row[:, 1], i, template=(A,), shape=(6, 7)))
    if set_too:
        base = transposed(graph, graph.inputs[2])
        node = node_of(graph, ix.scatter_set, base, v, graph.inputs[1], template=(A,))
        yield Step(node, held, ix.scatter_set.value(x.T, row[:, 1], i, template=(A,)))


@needs_emulator
@pytest.mark.parametrize("points", [0, 1, 40, 2500], ids="{} points".format)
def test_scatter_is_in_numpys_order(points: int) -> None:
    """Bit by bit, few points and many: the sums are those of np.add.at, the last write stands."""
    agree([step for dtype in ("f4", "c16", "i2") for step in scatters(dtype, points)])


@needs_emulator
@pytest.mark.parametrize("points", [40, 2500], ids="{} points".format)
def test_scatter_by_atomics(points: int) -> None:
    """In any order if the user says so: floats to rounding, integers exactly."""
    steps = [step for dtype in (*FLOATS, *INTEGERS) for step in scatters(dtype, points, set_too=False)]
    agree(steps, deterministic=False, compare=close({"f4": 1e-4, "f8": 1e-12}))
    atomics = [any("atomicAdd(" in s and "sort" not in s for s in texts(step.node)) for step in steps]
    assert atomics == [step.node.dtype.itemsize >= 4 for step in steps]


def texts(node: Node) -> list[str]:
    return [launch.source for launch in launches_of(node, deterministic=False)]


@needs_emulator
def test_an_index_out_of_bounds_is_reported_and_reads_nothing() -> None:
    x = numbers((5, 3), "f4")
    for wrong in (5, -6, 2**40):
        i = np.array([0, wrong, 2])
        graph, held = inputs(x, i, numbers((3, 3), "f4"), np.tile(i, 300), numbers((900, 3), "f4"))
        x_, i_, v_, many, v_many = graph.inputs
        nodes = [
            node_of(graph, ix.getitem, x_, i_, template=(A,)),
            node_of(graph, ix.scatter_add, v_, i_, template=(A,), shape=(5, 3)),
            node_of(graph, ix.scatter_set, x_, v_, i_, template=(A,)),
            node_of(graph, ix.scatter_add, v_many, many, template=(A,), shape=(5, 3)),
            node_of(graph, ix.scatter_set, x_, v_many, many, template=(A,)),
        ]
        for node in nodes:
            for deterministic in (True, False):
                plan = launches_of(node, deterministic)
                assert result_of(node, held, plan)[1], (node, wrong)
                complaints = [launch.complaint for launch in plan if launch.complaint]
                assert complaints == [(IndexingError, "an index is out of bounds for an axis of size 5")]


@needs_emulator
def test_what_cupy_indexes_is_checked() -> None:
    """Half precision has no kernel; cupy would wrap an index that is out of bounds, and add in any order."""
    x, i = numbers((5, 3), "f2"), np.array([4, -5])
    graph, held = inputs(x, i)
    node = node_of(graph, ix.getitem, *graph.inputs, template=(A,))
    steps = special_steps(node)
    assert steps is not None
    check, call = steps
    assert isinstance(check, Launch)
    assert isinstance(call, Call)
    assert call.reason == "kernels hold no float16"
    for indices, wrong in ((i, False), (np.array([5, 0]), True), (np.array([0, -6]), True)):
        device = Device([check], {**held, graph.inputs[1]: indices})
        device.run(0)
        assert device.failed == wrong
    for deterministic in (True, False):
        rows = node_of(graph, ix.getitem, graph.inputs[0], template=(slice(2),))
        node = node_of(graph, ix.scatter_add, rows, graph.inputs[1], template=(A,), shape=(5, 3))
        _, call = special_steps(node, deterministic) or ()
        assert isinstance(call, Call)
        assert ("host" in call.reason) == deterministic


def random_case(k: int) -> Step:
    """An index of any parts into an array of up to four axes: read, added to, or set."""
    r = rng(1000 + k)
    shape = tuple(r.integers(1, 7, r.integers(1, 5)).tolist())
    grid = tuple(r.integers(1, 4, r.integers(0, 3)).tolist())
    template: list[Any] = []
    arrays: list[np.ndarray] = []
    axes = list(shape)
    if len(axes) > 1 and r.random() < 0.3:
        axes.pop(int(r.integers(len(axes))))  # left to the Ellipsis
    cut = next((i for i, (a, b) in enumerate(zip(shape, axes, strict=False)) if a != b), len(axes))
    for at, n in enumerate(axes):
        if at == cut and len(axes) < len(shape):
            template.append(Ellipsis)
        kind = r.random()
        if kind < 0.5 or (at == len(axes) - 1 and not arrays):
            template.append(A)
            own = tuple(m if r.random() < 0.7 else 1 for m in grid[int(r.integers(0, len(grid) + 1)) :])
            arrays.append(r.integers(-n, n, own))
        elif kind < 0.7:
            template.append(int(r.integers(-n, n)))
        else:
            step = int(r.choice([-2, -1, 1, 2]))
            template.append(
                slice(None, None, step) if r.random() < 0.5 else slice(int(r.integers(0, n)), None)
            )
        if r.random() < 0.15:
            template.append(None)
    dtype, parts = str(r.choice(["f4", "f8", "i4", "c8"])), tuple(template)
    x = numbers(shape, dtype, k)
    picked = x[ix.join_index(parts, arrays)]
    if (kind := r.random()) < 0.4:
        graph, held = inputs(x, *arrays)
        return Step(node_of(graph, ix.getitem, *graph.inputs, template=parts), held, picked)
    v = numbers(picked.shape, dtype, k + 1)
    if kind < 0.7:
        graph, held = inputs(v, *arrays)
        node = node_of(graph, ix.scatter_add, *graph.inputs, template=parts, shape=shape)
        return Step(node, held, ix.scatter_add.value(v, *arrays, template=parts, shape=shape))
    graph, held = inputs(x, v, *arrays)
    node = node_of(graph, ix.scatter_set, *graph.inputs, template=parts)
    return Step(node, held, ix.scatter_set.value(x, v, *arrays, template=parts))


@needs_emulator
@pytest.mark.parametrize(
    "cases",
    [range(40), pytest.param(range(40, 500), marks=pytest.mark.slow)],
    ids=lambda c: f"{len(c)} cases",
)
def test_random_indices(cases: range) -> None:
    agree([random_case(k) for k in cases])
