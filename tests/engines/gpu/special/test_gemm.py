"""Products of matrices by tiles, on the emulator; which of them go to cuBLAS."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adjoint.engines.gpu.kernel import Call, Launch, Place
from adjoint.engines.gpu.special import special_steps
from adjoint.engines.gpu.special.gemm import gemm_launches
from adjoint.engines.graph import Graph
from adjoint.engines.views import view_of
from adjoint.ops import broadcast as bc
from adjoint.ops import index as ix
from adjoint.ops import shape as sh
from adjoint.ops.abstract import Abstract
from adjoint.ops.products import matmul

from ..launching import Device, Step, inputs, needs_emulator, node_of
from ..machine import compiler, machine
from .steps import agree, close, numbers


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


def products() -> list[Step]:
    return [
        product_of(numbers(x, dtype) / 50, numbers(y, dtype, 1) / 50, turned)
        for dtype, turned in (("f4", ""), ("f4", "x"), ("f4", "xy"), ("f8", "")) for x, y in PRODUCTS
    ]  # fmt: skip


def product_of_slices() -> Step:
    """Rows backwards, every other column, one matrix for a stack."""
    x, y = numbers((9, 40), "f8") / 50, numbers((3, 30, 11), "f8") / 50
    graph, held = inputs(x, y)
    left = node_of(graph, ix.getitem, graph.inputs[0], template=(slice(None, None, -1), slice(1, 40, 2)))
    left = node_of(graph, bc.broadcast_to, left, shape=(3, 9, 20))
    right = node_of(graph, ix.getitem, graph.inputs[1], template=(slice(None), slice(5, 25)))
    return Step(node_of(graph, matmul, left, right), held, x[::-1, 1::2] @ y[:, 5:25])


@needs_emulator
def test_products() -> None:
    agree([*products(), product_of_slices()], compare=close({"f4": 1e-5, "f8": 1e-13}))


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


def test_long_sums_are_cut() -> None:
    """For more blocks where there are few, and for the digits of sums wherever they are."""
    for (m, n, k), parts in {
        (70, 90, 700): 1, (70, 90, 3000): 5, (6, 5, 100_000): 64, (640, 640, 3000): 1, (640, 640, 9000): 2,
    }.items():  # fmt: skip
        graph = Graph([Abstract((m, k), np.dtype("f4")), Abstract((k, n), np.dtype("f4"))])
        x, y = map(view_of, graph.inputs)
        first, *adding = gemm_launches(x, y, Place(graph.inputs[0]), (m, n), np.dtype("f4"))
        assert first.arguments[6] == parts, (m, n, k)
        assert len(adding) == (parts > 1)


# -------------------------------------------------------------------------------- cuBLAS
LARGE = [
    # operands, which of them lie transposed, whether cupy takes them as they are
    ((80, 70), (70, 90), "", True),
    ((80, 70), (70, 90), "xy", True),
    ((4, 80, 70), (70, 90), "", True),
    ((4, 80, 70), (70, 90), "y", True),
    ((4, 80, 70), (4, 70, 90), "", True),
    ((1, 80, 70), (1, 70, 90), "y", True),
    ((4, 80, 70), (4, 70, 90), "x", False),
    ((2, 3, 80, 70), (3, 70, 90), "", False),
    ((80, 70), (4, 70, 90), "", False),
]


@needs_emulator
def test_products_that_cublas_takes_as_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large ones that cupy neither copies nor allocates for; it is given contiguous operands and results."""
    with machine("emulator") as cupy:
        plain, seen = cupy.matmul, []

        def recorded(x: Any, y: Any, out: Any) -> None:
            lie_well = [a.flags.c_contiguous or (a.ndim == 2 and a.flags.f_contiguous) for a in (x, y)]
            seen.append((x.ndim == y.ndim == out.ndim, lie_well, out.flags.c_contiguous))
            plain(x, y, out=out)

        monkeypatch.setattr(cupy, "matmul", recorded)
        for x, y, turned, taken in LARGE:
            step = product_of(numbers(x, "f4") / 50, numbers(y, "f4") / 50, turned)
            steps = special_steps(step.node)
            assert steps is not None
            if not taken:
                assert all(isinstance(s, Launch) for s in steps)
                continue
            (call,) = steps
            assert isinstance(call, Call)
            assert not call.reason
            operands = []
            for a in step.node.args:
                v = view_of(a)
                held = cupy.asarray(step.inputs[v.root])
                operands.append(cupy.ndarray(v.shape, held.dtype, held.data, [4 * s for s in v.strides]))
            out = cupy.empty(step.want.shape, np.float32)
            call.function(cupy, *operands, out=out)
            assert seen.pop() == (True, [True, True], True)
            np.testing.assert_allclose(cupy.asnumpy(out), step.want, rtol=1e-4, atol=1e-4)


def test_operands_that_lie_otherwise_are_copied_if_that_pays(
    cupy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, seen = cupy.matmul, []

    def recorded(x: Any, y: Any, out: Any) -> None:
        seen.append(x.flags.c_contiguous and y.flags.c_contiguous and out.flags.c_contiguous)
        plain(x, y, out=out)

    monkeypatch.setattr(cupy, "matmul", recorded)
    x, y = numbers((4, 130, 70), "f4") / 50, numbers((4, 140, 70), "f4") / 50
    programs: list[tuple[Any, int]] = [
        (lambda x, y: x @ swapped(y), 1),
        (lambda x, y: swapped(y) @ y, 0),  # of 70 columns
        (lambda x, y: swapped(swapped(x)[:, 3:60]) @ swapped(y)[:, 3:60], 2),
        (lambda x, y: x[:, :, 1:] @ y[0, :, 1:].T, 1),
    ]
    for f, copies in programs:
        compiled = compiler(cupy)(f)
        np.testing.assert_allclose(compiled(x, y), f(x, y), rtol=1e-4, atol=1e-4)
        assert seen == [True] * (copies > 0), copies
        seen.clear()
    graph, _ = inputs(x, y)
    views = [node_of(graph, sh.transpose, a, axes=(0, 2, 1)) for a in graph.inputs]
    steps = special_steps(node_of(graph, matmul, graph.inputs[0], views[1])) or []
    assert [type(s) for s in steps] == [Launch, Call]


def test_small_products_and_those_of_graphs_are_ours() -> None:
    for (x, y), captured, ours in (
        (((30, 40), (40, 50)), False, True),
        (((80, 70), (70, 90)), False, False),
        (((80, 70), (70, 90)), True, True),
        (((300, 300), (300, 300)), True, False),
    ):
        (step,) = special_steps(product_of(numbers(x, "f4"), numbers(y, "f4")).node, captured=captured) or ()
        assert isinstance(step, Launch) == ours
    node = product_of(numbers((3, 0), "f4"), numbers((0, 0), "f4")).node
    assert special_steps(node) == []  # nothing to compute
