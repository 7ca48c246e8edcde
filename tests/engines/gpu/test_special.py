"""Kernels of structured primitives on the emulator, against NumPy; what NVRTC makes of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from adjoint.engines.gpu.kernel import Call, Launch, Place
from adjoint.engines.gpu.special import special_steps
from adjoint.engines.gpu.special.copying import copy_launch
from adjoint.engines.gpu.special.gemm import gemm_launches
from adjoint.engines.graph import Node
from adjoint.engines.ragged import shares, spread
from adjoint.engines.views import view_of
from adjoint.errors import IndexingError, ShapeError
from adjoint.ops import index as ix
from adjoint.ops import reduce as rd
from adjoint.ops import segment as sg
from adjoint.ops import shape as sh
from adjoint.ops.abstract import Abstract
from adjoint.ops.products import matmul

from ...helpers import rng
from .launching import Device, Step, inputs, needs_emulator, node_of, prepare, result_of

A = ix.ARRAY
FLOATS, INTEGERS = ("f4", "f8"), ("i4", "i2", "i8", "u1")


def numbers(shape: Any, dtype: str, seed: int = 0) -> np.ndarray:
    """Of either sign, where the dtype has one."""
    if np.dtype(dtype).kind == "c":
        return (numbers(shape, "f8", seed) + 1j * numbers(shape, "f8", seed + 100)).astype(dtype)
    return (rng(seed).standard_normal(shape) * 50).astype(dtype)


def launches_of(node: Node, deterministic: bool = True) -> list[Launch]:
    steps = special_steps(node, deterministic)
    assert steps is not None, node
    found = [s for s in steps if isinstance(s, Launch)]
    assert len(found) == len(steps)
    return found


def agree(
    steps: Sequence[Step],
    *,
    deterministic: bool = True,
    compare: Callable[[np.ndarray, np.ndarray], None] = np.testing.assert_array_equal,
) -> None:
    """Every step's result, in three orders of threads."""
    plans = [launches_of(step.node, deterministic) for step in steps]
    prepare(plans)
    for step, plan in zip(steps, plans, strict=True):
        for order in (0, 1, 2):
            z, failed = result_of(step.node, step.inputs, plan, order)
            assert not failed
            compare(z, step.want)


# -------------------------------------------------------------------------------- index arrays
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

    def compare(z: np.ndarray, want: np.ndarray) -> None:
        scale = float(np.max(np.abs(want.astype(float))))
        limit = {"float32": 1e-4, "float64": 1e-12}.get(want.dtype.name, 0.0) * scale
        np.testing.assert_allclose(z.astype(float), want.astype(float), rtol=0, atol=limit)

    agree(steps, deterministic=False, compare=compare)
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


# -------------------------------------------------------------------------------- products
def product_of(x: np.ndarray, y: np.ndarray, turned: str = "") -> Step:
    """x y, with operands that lie transposed where `turned` says so."""
    graph, held = inputs(*[swapped(a) if name in turned else a for name, a in zip("xy", (x, y), strict=True)])
    operands = []
    for name, a in zip("xy", graph.inputs, strict=True):
        axes = (*range(len(a.shape) - 2), len(a.shape) - 1, len(a.shape) - 2)
        operands.append(node_of(graph, sh.transpose, a, axes=axes) if name in turned else a)
    return Step(node_of(graph, matmul, *operands), held, x @ y)


def swapped(x: np.ndarray) -> np.ndarray:
    return np.swapaxes(x, -1, -2)


PRODUCTS = [
    ((1, 1), (1, 1)), ((3, 4), (4, 5)), ((70, 33), (33, 90)), ((33, 17), (17, 20)), ((5, 40), (40, 65)),
    ((2, 3, 18, 9), (9, 20)), ((4, 10, 6), (4, 6, 3)), ((1, 2, 5, 40), (3, 1, 40, 5)), ((5, 0), (0, 3)),
    ((3, 1500), (1500, 4)), ((2, 20, 1300), (2, 1300, 3)), ((0, 3), (3, 2)),
]  # fmt: skip


@needs_emulator
def test_products() -> None:
    def close(z: np.ndarray, want: np.ndarray) -> None:
        scale = max(1.0, float(np.max(np.abs(want), initial=0.0)))
        np.testing.assert_allclose(z, want, rtol=0, atol=scale * (1e-5 if want.dtype == "f4" else 1e-13))

    agree(
        [
            product_of(numbers(x, dtype) / 50, numbers(y, dtype, 1) / 50, turned)
            for dtype in FLOATS for turned in ("", "x", "xy") for x, y in PRODUCTS
        ],
        compare=close,
    )  # fmt: skip


@needs_emulator
def test_a_product_is_added_to_what_is_there() -> None:
    for inner in (7, 1500):
        x, y, z = (numbers(shape, "f4") for shape in ((6, inner), (inner, 5), (6, 5)))
        graph, held = inputs(x, y, z)
        left, right, target = graph.inputs
        plan = gemm_launches(
            view_of(left), view_of(right), Place(target), target.shape, target.dtype, accumulate=True
        )
        want = z.astype(float) + x.astype(float) @ y
        device = Device(plan, held)
        device.run(0)
        np.testing.assert_allclose(held[target], want, rtol=1e-5, atol=0.02)


# -------------------------------------------------------------------------------- scans
ROWS = [((5,), 0), ((1,), 0), ((3, 4), 1), ((3, 4), 0), ((2, 3, 1000), 2), ((2, 1500, 3), 1), ((3000,), 0),
        ((0, 3), 0), ((3, 0), 0), ((600, 2), 0)]  # fmt: skip


def transposed(graph: Any, x: Node) -> Node:
    return node_of(graph, sh.transpose, x, axes=tuple(reversed(range(len(x.shape)))))


@needs_emulator
def test_cumsum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rows side by side, of tiles, and of operands that lie transposed; added in float64."""

    def close(z: np.ndarray, want: np.ndarray) -> None:
        scale = float(np.max(np.abs(want.astype(float)), initial=1.0))
        eps = {"float32": 2e-7, "float64": 1e-14}.get(want.dtype.name, 0.0)
        np.testing.assert_allclose(z, want, rtol=0, atol=eps * scale)

    steps = []
    for dtype in ("f4", "f8", "i8", "b1", "u1"):
        for shape, axis in ROWS:
            x = numbers(shape, dtype)
            graph, held = inputs(x, x.T)
            wide = x.astype(float if dtype in FLOATS else dtype)
            for a in (graph.inputs[0], transposed(graph, graph.inputs[1])):
                node = node_of(graph, rd.cumsum, a, axis=axis)
                steps.append(Step(node, held, np.cumsum(wide, axis=axis).astype(node.dtype)))
    agree(steps, compare=close)
    monkeypatch.setattr("adjoint.engines.gpu.special.scans.MANY", 2)
    agree(steps[:20], compare=close)


@needs_emulator
@pytest.mark.parametrize("op", [ix.argmax, ix.argmin], ids=["argmax", "argmin"])
def test_positions(op: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of equal ones, NaN before all; rows side by side, and parts of rows."""
    monkeypatch.setattr("adjoint.engines.gpu.special.scans.PART", 700)
    steps = []
    for dtype in ("f4", "f8", "i8", "u1", "b1"):
        for shape, axis in (*ROWS[:7], ((4, 5, 6), None), ((), None), ((70, 80), None)):
            for k, x in enumerate([numbers(shape, dtype), numbers(shape, dtype) // 64]):
                if dtype in FLOATS and x.size > 4 and k:
                    x.flat[[-2, x.size // 2]] = np.nan
                graph, held = inputs(x, x.T)
                for a in (graph.inputs[0], transposed(graph, graph.inputs[1])):
                    node = node_of(graph, op, a, axis=axis)
                    steps.append(Step(node, held, np.asarray(op.function(x, axis=axis))))
    agree(steps)
    monkeypatch.setattr("adjoint.engines.gpu.special.scans.MANY", 2)
    agree(steps[:28])


# -------------------------------------------------------------------------------- ragged rows
def ragged(counts: Sequence[int], kind: str = "i8") -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(kind)


SEGMENTS = {
    "few rows": [3, 0, 1, 5, 0],
    "one row": [1],
    "empty ones": [0, 0],
    "warps": [40, 0, 33, 500],
    "blocks": [20_000, 17_000],
    "none": [],
}


@needs_emulator
@pytest.mark.parametrize("name", list(SEGMENTS))
def test_reductions_of_segments(name: str) -> None:
    offsets = ragged(SEGMENTS[name])
    rows = int(offsets[-1])

    def close(z: np.ndarray, want: np.ndarray) -> None:
        scale = float(np.max(np.abs(want), initial=1.0, where=np.isfinite(want)))
        limit = {"float32": 1e-5, "float64": 1e-13}.get(want.dtype.name, 0.0)
        np.testing.assert_allclose(z, want, rtol=0, atol=limit * scale)

    steps = []
    for dtype in ("f4", "f8", "i8"):
        for shape in ((rows,), (rows, 3), (rows, 2, 2)):
            if rows > 1000 and shape[1:] == (2, 2):
                continue
            x = numbers(shape, dtype) if dtype == "i8" else (numbers(shape, dtype) / 16).astype(dtype)
            if rows > 30 and dtype != "i8":
                x[7], x[-1] = np.inf, np.nan
            graph, held = inputs(x, x.T, offsets, offsets.astype("u4"))
            a, b, *of_segments = graph.inputs
            for op in (sg.segment_sum, sg.segment_max, sg.segment_logsumexp):
                if dtype == "i8" and op is not sg.segment_sum:
                    continue
                with np.errstate(invalid="ignore"):
                    want = op.value(x.astype(float) if dtype == "f4" else x, offsets).astype(dtype)
                for k, operand in enumerate((a, transposed(graph, b))):
                    steps.append(Step(node_of(graph, op, operand, of_segments[k]), held, want))
    agree(steps, compare=close)


@needs_emulator
@pytest.mark.parametrize("name", list(SEGMENTS))
def test_values_over_segments(name: str) -> None:
    offsets = ragged(SEGMENTS[name], "i4")
    count, rows = len(offsets) - 1, int(offsets[-1])
    steps = []
    for dtype in ("f4", "f8"):
        x, z, lam = numbers(rows, dtype) / 50, numbers(count, dtype) / 50, numbers(count, dtype)
        table, tall = numbers((count, 3), dtype), numbers((2, count, 3), dtype)
        graph, held = inputs(x, z, lam, table, tall.T, offsets)
        x_, z_, lam_, table_, tall_, offsets_ = graph.inputs
        last = node_of(graph, sh.transpose, tall_, axes=(1, 0, 2))
        of_row = sg.segment_of_row.value(offsets, rows)
        if dtype == "f4":
            steps.append(Step(node_of(graph, sg.segment_of_row, offsets_, rows=rows), held, of_row))
        if not count:
            continue
        for a, plain in ((z_, z), (table_, table), (last, tall.T.transpose(1, 0, 2))):
            kind = Abstract((rows, *plain.shape[1:]), plain.dtype)
            steps.append(Step(graph.node(spread, (a, offsets_), {"rows": rows}, kind), held, plain[of_row]))
        kind = Abstract((rows,), x.dtype)
        node = graph.node(shares, (x_, z_, lam_, offsets_), {}, kind)
        steps.append(Step(node, held, (np.exp(x - z[of_row]) * lam[of_row]).astype(dtype)))
    agree(steps, compare=lambda z, want: np.testing.assert_allclose(z, want, rtol=1e-5, atol=1e-6))


@needs_emulator
def test_wrong_offsets_are_reported_and_nothing_is_read_beyond_the_arrays() -> None:
    x = numbers((6, 2), "f4")
    middle = [(0, 2, 6), (1, 4, 6), (0, 4, 5), (0, 4, 9), (-2, 4, 6), (0, 99, 6), (0, -9, 6)]
    wrong = [(a, 3, b, c) for a, b, c in middle]
    graph, held = inputs(x, x[:3], np.array([0, 3, 4, 6]))
    x_, z_, offsets = graph.inputs
    nodes = [node_of(graph, op, x_, offsets) for op in (sg.segment_sum, sg.segment_max, sg.segment_logsumexp)]
    nodes.append(node_of(graph, sg.segment_of_row, offsets, rows=6))
    nodes.append(graph.node(spread, (z_, offsets), {"rows": 6}, Abstract((6, 2), x.dtype)))
    for node in nodes:
        plan = launches_of(node)
        assert not result_of(node, held, plan)[1]
        for numbers_ in wrong:
            assert result_of(node, {**held, offsets: np.array(numbers_)}, plan)[1], (node, numbers_)
        what = "offsets must be integers that rise from 0 to len(x) = 6"
        assert [launch.complaint for launch in plan] == [(ShapeError, what)]


# -------------------------------------------------------------------------------- copies
@needs_emulator
def test_copies_of_views() -> None:
    """Transposed ones through tiles, whatever lies around them; others element by element."""
    cases = [
        ((40, 70), (1, 0), True), ((8, 8), (1, 0), True), ((3, 40, 33), (0, 2, 1), True),
        ((20, 3, 50), (2, 1, 0), True), ((2, 9, 2, 10), (0, 3, 2, 1), True), ((33, 4), (1, 0), False),
        ((5, 6, 7), (1, 0, 2), False), ((9,), (0,), False), ((1, 1), (1, 0), False),
    ]  # fmt: skip
    plans, wants = [], []
    for dtype in ("f4", "f8", "b1"):
        for shape, axes, tiles in cases:
            x = numbers(shape, dtype)
            graph, held = inputs(x)
            node = node_of(graph, sh.transpose, graph.inputs[0], axes=axes)
            launch = copy_launch(view_of(node), Place(node), node.dtype)
            assert (launch.name == "transpose") == tiles, (shape, axes)
            plans.append((node, held, launch))
            wants.append(x.transpose(axes))
    prepare([launch] for _, _, launch in plans)
    for (node, held, launch), want in zip(plans, wants, strict=True):
        for order in (0, 1, 2):
            z, _ = result_of(node, held, [launch], order)
            np.testing.assert_array_equal(z, want)


@needs_emulator
def test_what_cupy_indexes_is_checked() -> None:
    """Half precision has no kernel, and cupy would wrap an index that is out of bounds."""
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
