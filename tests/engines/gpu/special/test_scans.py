"""Running sums and positions of extrema, on the emulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adjoint.engines.gpu.special import extrema, scans
from adjoint.ops import index as ix
from adjoint.ops import reduce as rd

from ..launching import Step, inputs, needs_emulator, node_of
from .steps import FLOATS, agree, close, numbers, transposed

ROWS = [((5,), 0), ((1,), 0), ((3, 4), 1), ((3, 4), 0), ((0, 3), 0), ((3, 0), 0), ((600, 2), 0)]
LONG = [((2, 1, 1100), 2), ((2, 1030, 2), 1), ((2500,), 0)]


def cumsums() -> list[Step]:
    steps = []
    for dtype in ("f4", "f8", "i8", "b1"):
        for shape, axis in (*ROWS, *(LONG if dtype in ("f4", "i8") else [])):
            x = numbers(shape, dtype)
            graph, held = inputs(x, x.T)
            wide = x.astype(float if dtype in FLOATS else dtype)
            for a in (graph.inputs[0], transposed(graph, graph.inputs[1])):
                node = node_of(graph, rd.cumsum, a, axis=axis)
                steps.append(Step(node, held, np.cumsum(wide, axis=axis).astype(node.dtype)))
    return steps


@needs_emulator
def test_cumsum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rows side by side, of tiles, and of operands that lie transposed; added in float64."""
    compare = close({"f4": 2e-7, "f8": 1e-14})
    agree(cumsums(), compare=compare)
    monkeypatch.setattr(scans, "MANY", 2)
    agree(cumsums()[:8], compare=compare)


def positions(op: Any) -> list[Step]:
    steps = []
    for dtype in ("f4", "i8", "b1"):
        for shape, axis in (*ROWS[:4], ((4, 5, 6), None), ((), None), ((30, 80), None), *LONG[:2]):
            for k, x in enumerate([numbers(shape, dtype), numbers(shape, dtype) // 64]):
                if dtype in FLOATS and x.size > 4 and k:
                    x.flat[[-2, x.size // 2]] = np.nan
                graph, held = inputs(x, x.T)
                for a in (graph.inputs[0], transposed(graph, graph.inputs[1])):
                    node = node_of(graph, op, a, axis=axis)
                    steps.append(Step(node, held, np.asarray(op.function(x, axis=axis))))
    return steps


@needs_emulator
@pytest.mark.parametrize("op", [ix.argmax, ix.argmin], ids=["argmax", "argmin"])
def test_positions(op: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of equal ones, NaN before all; rows side by side, and parts of rows."""
    monkeypatch.setattr(extrema, "PART", 700)
    agree(positions(op))
    monkeypatch.setattr(extrema, "MANY", 2)
    agree(positions(op)[:12])
