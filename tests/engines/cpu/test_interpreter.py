"""The register machine of scalars computes what NumPy computes, node by node."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.engines.cpu import cache
from adjoint.engines.cpu.interpreter import Constant, assemble, can_interpret
from adjoint.engines.cpu.machine import operations
from adjoint.ops import PRIMITIVES
from adjoint.ops.elementwise import Elementwise

F32, F64, BOOL, I32, I64 = map(np.dtype, (np.float32, np.float64, np.bool_, np.int32, np.int64))
INF, NAN = np.inf, np.nan
EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e300, -1e-300, 5e-324, INF, -INF, NAN)
ROWS = [op for op in PRIMITIVES.values() if isinstance(op, Elementwise) and not op.foreign]


def run(step: Any, loads: Sequence[Any], dtypes: Sequence[np.dtype[Any]]) -> list[Any]:
    """Run an assembled step on scalars; the values it stores."""
    sources = [np.array([x]) for x in loads]
    results = [np.zeros(1, dtype) for dtype in dtypes]
    for cells, arrays in ((step.load_cells, sources), (step.store_cells, results)):
        for cell, array in zip(cells, arrays, strict=True):
            step.block[cell] = array.ctypes.data
    kernel = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(cache.load(step.text).address)
    kernel(step.block.ctypes.data, 0)
    return [r[0] for r in results]


def kind_of(x: Any) -> Any:
    return x.dtype if isinstance(x, np.generic) else type(x)


def apply(op: Any, args: Sequence[Any], dtype: Any, loaded: Sequence[bool]) -> Any:
    """One node; operands that are not loaded are constants."""
    loads = [x for x, load in zip(args, loaded, strict=True) if load]
    numbers = iter(range(len(args)))
    operands = [next(numbers) if load else Constant(x) for x, load in zip(args, loaded, strict=True)]
    step = assemble([(op, dtype, operands)], [kind_of(x) for x in loads], [(len(loads), np.dtype(dtype))])
    return run(step, loads, [np.dtype(dtype)])[0]


def replay(tape: ad.Tape) -> tuple[list[Any], Any]:
    """Every node of a tape of scalars, computed by the machine; and the step."""
    inputs = [i for i in range(len(tape)) if tape.operations[i] is None]
    nodes = [i for i in range(len(tape)) if tape.operations[i] is not None]
    number = {i: k for k, i in enumerate((*inputs, *nodes))}
    kinds = [kind_of(x) for x in tape.values]
    instructions = []
    for i in nodes:
        fixed = tape.constants[i] or (None,) * len(tape.parents[i])
        operands = [number[p] if p >= 0 else Constant(c) for p, c in zip(tape.parents[i], fixed, strict=True)]
        op = tape.operations[i]
        assert op is not None
        instructions.append((op, kinds[i], operands))
    stores = [(number[i], np.dtype(kinds[i])) for i in range(len(tape))]
    step = assemble(instructions, [kinds[i] for i in inputs], stores)
    return run(step, [tape.values[i] for i in inputs], [dtype for _, dtype in stores]), step


def agree(found: Any, expected: Any, ulps: float = 4) -> bool:
    """Equal, or close to a few ulp of the dtype; signs of zeros count, NaN is NaN."""
    expected = np.asarray(expected)[()]
    if expected.dtype.kind != "f":
        return bool(found == expected)
    if np.isnan(expected) or np.isinf(expected) or expected == 0:
        same = np.isnan(found) if np.isnan(expected) else found == expected
        return bool(same and (np.isnan(expected) or np.signbit(found) == np.signbit(expected)))
    return bool(abs(found - expected) <= ulps * np.spacing(abs(expected)))


# ---------------------------------------------------------------------------------------- single nodes
def samples(op: Elementwise, dtype: Any) -> list[list[Any]]:
    drawn = op.samples(np.random.default_rng(0))[1][0]
    cast = [np.asarray(x)[()] for x in drawn]
    return [[x.astype(dtype) if x.dtype.kind == "f" else x for x in cast]]


@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.name)
def test_row(op: Elementwise) -> None:
    """In float64 to 4 ulp of NumPy and in float32 to 1, every operand once as a constant."""
    for dtype, ulps in ((np.float64, 4), (np.float32, 1)):
        for args in samples(op, dtype):
            expected = np.asarray(op.value(*args))[()]
            kinds = [kind_of(x) for x in args]
            if not can_interpret(op, kinds, expected.dtype):
                pytest.skip(f"{op.name} has no text")
            for k in range(-1, len(args)):
                found = apply(op, args, expected.dtype, [j != k for j in range(len(args))])
                assert agree(found, expected, ulps), (op.name, args, found, expected)


def test_most_rows_have_an_operation() -> None:
    without = {op.name for op in ROWS if not any(name == op.name for name, _ in operations())}
    assert without <= {"positive", "barrier", "indicator", "gammaln", "digamma", "polygamma"}


ON_EDGES = ["add", "subtract", "multiply", "divide", "negative", "reciprocal", "square", "sqrt", "exp", "log", "tanh", "expit", "sin", "absolute", "sign", "copysign", "maximum", "minimum", "fmax", "fmin", "where", "floor", "greater", "less_equal", "equal", "not_equal", "isnan", "isfinite", "signbit", "logical_and"]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", ON_EDGES)
@np.errstate(all="ignore")
def test_edges(name: str, dtype: Any) -> None:
    """Zeros of both signs, infinities, NaN, denormals, overflow."""
    op: Any = PRIMITIVES[name]
    instructions, expected, loads = [], [], [dtype(e) for e in EDGES]
    for a in range(len(EDGES)):
        for b in range(len(EDGES)) if len(op.partials) > 1 else (0,):
            numbers = [a, b, 4][: len(op.partials)]
            values = [loads[j] for j in numbers]
            expected.append(np.asarray(op.value(*values))[()])
            instructions.append((op, expected[-1].dtype, numbers))
    n = len(loads)
    stores = [(n + k, e.dtype) for k, e in enumerate(expected)]
    found = run(assemble(instructions, [np.dtype(dtype)] * n, stores), loads, [d for _, d in stores])
    for instruction, z, e in zip(instructions, found, expected, strict=True):
        tie = name in ("maximum", "minimum", "fmax", "fmin") and z == e == 0
        assert tie or agree(z, e), (name, [loads[j] for j in instruction[2]], z, e)


# ---------------------------------------------------------------------------------------- programs
def recorded(f: Any, *args: Any) -> ad.Tape:
    """Value and gradient of f as one tape of scalars."""
    with ad.Tape() as tape:
        ad.value_and_grad(f, argnum=tuple(range(len(args))))(*tape.input(args))
    return tape


def logistic_map(steps: int) -> Any:
    """W1 of the benchmarks: five nodes per step."""

    def loss(x: Any, a: Any, b: Any) -> Any:
        total = 0.0
        for _ in range(steps):
            x = np.sin(x) * a + b * x
            total = total + x
        return total

    return loss


def mixture(x: Any, a: Any, b: Any) -> Any:
    z = np.where(x > 0.3, np.maximum(x, a) ** 3, np.exp(-x)) / (1 + a**2)
    return np.logaddexp(z, b) * np.tanh(x - b) + abs(x * b - a) ** 0.5 - x**-1 + np.minimum(2 * z, b) ** a


PROGRAMS = {
    "map": logistic_map(20),
    "mixture": mixture,
    "second": lambda x, a, b: ad.grad(mixture)(x, a, b) * b,
}


@pytest.mark.parametrize("kind", [float, np.float64, np.float32])
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_node_of_a_program(name: str, kind: Any) -> None:
    tape = recorded(PROGRAMS[name], kind(0.7), kind(1.2), kind(0.5))
    found, _ = replay(tape)
    scale = max(1.0, *(abs(float(z)) for z in tape.values if np.isfinite(z)))
    tolerance = scale * (2e-6 if kind is np.float32 else 1e-14)
    for i, (z, expected) in enumerate(zip(found, tape.values, strict=True)):
        assert abs(float(z) - float(expected)) <= tolerance, (i, tape.operations[i], z, expected)
