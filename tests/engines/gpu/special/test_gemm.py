"""Products of matrices by tiles, on the emulator; which of them go to cuBLAS."""

from __future__ import annotations

import numpy as np

from adjoint.engines.gpu.kernel import Place
from adjoint.engines.gpu.special.gemm import gemm_launches
from adjoint.engines.views import view_of
from adjoint.ops import shape as sh
from adjoint.ops.products import matmul

from ..launching import Device, Step, inputs, needs_emulator, node_of
from .steps import FLOATS, agree, close, numbers


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
        for dtype in FLOATS for turned in ("", "x", "xy") for x, y in PRODUCTS
    ]  # fmt: skip


@needs_emulator
def test_products() -> None:
    agree(products(), compare=close({"f4": 1e-5, "f8": 1e-13}))


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
