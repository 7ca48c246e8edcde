"""Ragged rows, on the emulator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from adjoint.engines.rewriting.ragged import shares, spread
from adjoint.errors import ShapeError
from adjoint.ops import index as ix
from adjoint.ops import segment as sg
from adjoint.ops import shape as sh
from adjoint.ops.abstract import Abstract

from ..launching import Step, inputs, needs_emulator, node_of, result_of
from .steps import agree, close, launches_of, numbers, transposed


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


def reductions(name: str) -> list[Step]:
    offsets = ragged(SEGMENTS[name])
    rows = int(offsets[-1])
    steps = []
    for dtype in ("f4", "f8", "i8"):
        for shape in ((rows,), (rows, 3), (rows, 2, 2)):
            if shape[1:] == (2, 2) and (rows > 30 or dtype != "f4"):
                continue
            x = numbers(shape, dtype) if dtype == "i8" else (numbers(shape, dtype) / 16).astype(dtype)
            if rows > 30 and dtype != "i8":
                x[7], x[-1] = np.inf, np.nan
            graph, held = inputs(x, x.T, offsets, np.repeat(offsets, 2).astype("u4"))
            a, b, plain, doubled = graph.inputs
            of_segments = plain, node_of(graph, ix.getitem, doubled, template=(slice(None, None, 2),))
            for op in (sg.segment_sum, sg.segment_max, sg.segment_logsumexp):
                if dtype == "i8" and op is not sg.segment_sum:
                    continue
                with np.errstate(invalid="ignore"):
                    want = op.value(x.astype(float) if dtype == "f4" else x, offsets).astype(dtype)
                for k, operand in enumerate((a, transposed(graph, b))):
                    steps.append(Step(node_of(graph, op, operand, of_segments[k]), held, want))
    return steps


@needs_emulator
@pytest.mark.parametrize("name", list(SEGMENTS))
def test_reductions_of_segments(name: str) -> None:
    agree(reductions(name), compare=close({"f4": 1e-5, "f8": 1e-13}))


def values(name: str) -> list[Step]:
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
    return steps


@needs_emulator
@pytest.mark.parametrize("name", list(SEGMENTS))
def test_values_over_segments(name: str) -> None:
    agree(values(name), compare=close({"f4": 1e-6, "f8": 1e-14}))


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
