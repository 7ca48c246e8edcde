"""Every primitive, compiled: value, pullback and pushforward equal the eager sweep's on every sample.

Kernels take a third of a second each, so many primitives share one program: each program returns all results
of a group of primitives on all their samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.ops import PRIMITIVES
from adjoint.ops.elementwise import Elementwise
from adjoint.ops.primitive import Primitive, Samples, dtype_of, parts
from adjoint.sweeps.pairing import direction_like

from .harness import agree

NAMES = [name for name, op in PRIMITIVES.items() if not op.foreign and name != "item"]
ROWS = [name for name in NAMES if isinstance(PRIMITIVES[name], Elementwise)]
CLASSES = [name for name in NAMES if name not in ROWS]


def groups(names: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(names[k : k + size]) for k in range(0, len(names), size)]


def _as(dtype: str, x: Any) -> Any:
    """An operand as it is, but floats of this dtype."""
    return np.asarray(x, dtype)[()] if dtype_of(x).kind == "f" else x


def derivatives(op: Primitive, operands: Sequence[Any], params: dict[str, Any], seed: int) -> Any:
    """Value, pullback of fixed λ and pushforward of fixed ẋ."""
    positions = tuple(k for k, a in enumerate(operands) if dtype_of(a).kind in "fc")

    def f(*x: Any) -> Any:
        inner = list(operands)
        for k, value in zip(positions, x, strict=True):
            inner[k] = value
        return op(*inner, **params)

    x = tuple(operands[k] for k in positions)
    z = f(*x)
    if not positions or any(dtype_of(p).kind not in "fc" for p in parts(z)):
        return (z,)
    rng = np.random.default_rng(seed)
    everything = tuple(range(len(x)))
    lam = tuple(direction_like(p, rng) for p in parts(z))
    pullback, value = ad.make_vjp(f, everything)(*x)
    pushed = ad.make_jvp(f, everything)(*x)(tuple(direction_like(a, rng) for a in x))
    return value, pullback(lam if isinstance(value, tuple) else lam[0]), pushed


def _enough(op: Primitive) -> int | None:
    """How many of its samples differ in kind: shapes come again with numbers from elsewhere in the domain."""
    if isinstance(op, Elementwise):
        return 3 if len(op.partials) == 1 else 4
    return 1 if op.name in ("svd", "qr", "solve_triangular") else None


def check(names: Sequence[str], dtype: str, brief: bool = False, seed: int = 0) -> None:
    """Compare all results of these primitives on their samples, or on enough of them."""
    cases = [
        (PRIMITIVES[name], [_as(dtype, a) for a in operands], params)
        for name in names
        for operands, params in _samples(PRIMITIVES[name], brief, seed)
    ]

    def program(changing: list[list[Any]]) -> dict[str, Any]:
        results = {}
        for k, (inner, (op, operands, params)) in enumerate(zip(changing, cases, strict=True)):
            x = [a if known is None else known for a, known in zip(operands, inner, strict=True)]
            results[f"{k} {op.name}"] = derivatives(op, x, params, seed + k)
        return results

    agree(program, [[None if _is_mask(op, a) else a for a in operands] for op, operands, _ in cases])


def _samples(op: Primitive, brief: bool, seed: int) -> Samples:
    found = op.samples(np.random.default_rng(seed))
    return found[: _enough(op)] if brief else found


def _is_mask(op: Primitive, x: Any) -> bool:
    """A mask that indexes decides about shapes: it cannot be an argument of a compiled program."""
    return not isinstance(op, Elementwise) and dtype_of(x).kind == "b"


@pytest.mark.parametrize("names", groups(ROWS, 6), ids=lambda names: names[0])
def test_rows(names: tuple[str, ...]) -> None:
    check(names, "float64", brief=True)


@pytest.mark.parametrize("names", groups(CLASSES, 4), ids=lambda names: names[0])
def test_classes(names: tuple[str, ...]) -> None:
    check(names, "float64", brief=True)


@pytest.mark.slow
@pytest.mark.parametrize("names", groups(NAMES, 5), ids=lambda names: names[0])
def test_all_samples(names: tuple[str, ...]) -> None:
    check(names, "float64")


@pytest.mark.slow
@pytest.mark.parametrize("names", groups(ROWS, 6), ids=lambda names: names[0])
def test_rows_in_single_precision(names: tuple[str, ...]) -> None:
    check(names, "float32")


@pytest.mark.slow
@pytest.mark.parametrize("names", groups(CLASSES, 4), ids=lambda names: names[0])
def test_classes_in_single_precision(names: tuple[str, ...]) -> None:
    check(names, "float32")
