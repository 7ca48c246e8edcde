"""What the tests of special kernels share: steps from operands, and all of a step on the emulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.engines.gpu.kernel import Launch
from adjoint.engines.gpu.special import special_steps
from adjoint.engines.graph import Node
from adjoint.ops import shape as sh

from ....helpers import rng
from ..launching import Step, node_of, prepare, result_of

FLOATS, INTEGERS = ("f4", "f8"), ("i4", "i2", "i8", "u1")


def numbers(shape: Any, dtype: str, seed: int = 0) -> np.ndarray:
    """Of either sign, where the dtype has one."""
    if np.dtype(dtype).kind == "c":
        return (numbers(shape, "f8", seed) + 1j * numbers(shape, "f8", seed + 100)).astype(dtype)
    return (rng(seed).standard_normal(shape) * 50).astype(dtype)


def transposed(graph: Any, x: Node) -> Node:
    return node_of(graph, sh.transpose, x, axes=tuple(reversed(range(len(x.shape)))))


def launches_of(node: Node, deterministic: bool = True) -> list[Launch]:
    steps = special_steps(node, deterministic)
    assert steps is not None, node
    found = [s for s in steps if isinstance(s, Launch)]
    assert len(found) == len(steps)
    return found


def close(limits: dict[str, float]) -> Callable[[np.ndarray, np.ndarray], None]:
    """A comparison to so much of the largest number, by dtype; what has no limit is compared exactly."""

    def compare(z: np.ndarray, want: np.ndarray) -> None:
        wide = want.astype(complex if want.dtype.kind == "c" else float)
        scale = float(np.max(np.abs(wide), initial=1.0, where=np.isfinite(wide)))
        limit = limits.get(want.dtype.str[1:], 0.0) * scale
        np.testing.assert_allclose(z, want, rtol=0.0, atol=limit)

    return compare


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
