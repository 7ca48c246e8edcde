"""Copies of views, on the emulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.engines.gpu.kernel import Place
from adjoint.engines.gpu.special.copying import copy_launch
from adjoint.engines.views import view_of
from adjoint.ops import shape as sh

from ..launching import inputs, needs_emulator, node_of, prepare, result_of
from ..machine import compiler
from .steps import numbers


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


def test_programs_that_turn_an_array_use_tiles(cupy: Any) -> None:
    x = numbers((40, 70), "f4")
    programs: list[tuple[Callable[[Any], Any], bool]] = [
        (lambda x: x.T, True),
        (lambda x: np.reshape(np.transpose(np.reshape(x, (40, 7, 10)), (1, 0, 2)), (7, 400)), False),
        (lambda x: np.reshape(x.T, (-1,)), True),
        (lambda x: x.T + 1, False),
    ]
    for f, through in programs:
        compiled = compiler(cupy)(f)
        np.testing.assert_array_equal(compiled(x), f(x))
        names = [step.kernel for step in compiled.explain().programs[0].steps]
        assert any(name.startswith("transpose") for name in names) == through, names
