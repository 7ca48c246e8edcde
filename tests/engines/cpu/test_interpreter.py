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
from adjoint.engines.cpu.machine import POWERS, operations
from adjoint.engines.text import NoText
from adjoint.ops import PRIMITIVES, gamma, special
from adjoint.ops import broadcast as bc
from adjoint.ops import elementwise as ew
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


def compiled(tape: ad.Tape, stored: Sequence[int]) -> Any:
    """A tape of scalars as a step that stores some of its nodes."""
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
    stores = [(number[i], np.dtype(kinds[i])) for i in stored]
    return assemble(instructions, [kinds[i] for i in inputs], stores)


def replay(tape: ad.Tape) -> list[Any]:
    """Every node of a tape of scalars, computed by the machine."""
    inputs = [x for x, op in zip(tape.values, tape.operations, strict=True) if op is None]
    dtypes = [np.dtype(kind_of(x)) for x in tape.values]
    return run(compiled(tape, range(len(tape))), inputs, dtypes)


def agree(found: Any, expected: Any, ulps: float = 4) -> bool:
    """Equal, or close to a few ulp of the dtype; signs of zeros count, NaN is NaN."""
    expected = np.asarray(expected)[()]
    if expected.dtype.kind != "f":
        return bool(found == expected)
    if np.isnan(expected) or np.isinf(expected) or expected == 0:
        same = np.isnan(found) if np.isnan(expected) else found == expected
        return bool(same and (np.isnan(expected) or np.signbit(found) == np.signbit(expected)))
    # the absolute part is for the roots of log Γ and digamma
    return bool(abs(found - expected) <= ulps * np.spacing(abs(expected)) + 1e-15)


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


NATIVE = {"expit", "log_expit", "erf", "erfc", "gammaln", "digamma"}  # of the special functions
OTHERS = (*vars(special).values(), *vars(gamma).values())
SPECIAL = {op.name for op in OTHERS if isinstance(op, Elementwise)} - NATIVE


def test_most_rows_have_an_operation() -> None:
    without = {op.name for op in ROWS if not any(name == op.name for name, _ in operations())}
    assert without <= {"positive", "barrier", "indicator", "real", "imag", "angle"} | SPECIAL


ON_EDGES = [
    "add",
    "subtract",
    "multiply",
    "divide",
    "negative",
    "reciprocal",
    "square",
    "sqrt",
    "exp",
    "log",
    "tanh",
    "expit",
    "sin",
    "absolute",
    "sign",
    "copysign",
    "maximum",
    "minimum",
    "fmax",
    "fmin",
    "where",
    "floor",
    "greater",
    "less_equal",
    "equal",
    "not_equal",
    "isnan",
    "isfinite",
    "signbit",
    "logical_and",
]


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


# ---------------------------------------------------------------------------------------- dtypes
def test_integers_are_exact() -> None:
    """Beyond 2⁵³, and wrapping, as NumPy."""
    a, b = np.int64(2**62 + 1), np.int64(-(2**53) - 1)
    for name in (
        "add",
        "subtract",
        "multiply",
        "maximum",
        "minimum",
        "bitwise_and",
        "bitwise_or",
        "bitwise_xor",
    ):
        op: Any = PRIMITIVES[name]
        with np.errstate(over="ignore"):
            assert apply(op, (a, b), I64, (True, True)) == op.value(a, b), name
            assert apply(op, (a, 3), I64, (True, False)) == op.value(a, 3), name
    for name in ("negative", "absolute", "square", "invert"):
        op = PRIMITIVES[name]
        with np.errstate(over="ignore"):
            assert apply(op, (b,), I64, (True,)) == op.value(b), name
    for name in ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal"):
        op = PRIMITIVES[name]
        for x, y in ((a, a - 1), (b, b), (b, a), (b, b - 1), (np.int32(3), np.int64(2**40)), (True, False)):
            assert apply(op, (x, y), BOOL, (True, True)) == op.value(x, y), (name, x, y)
            assert apply(op, (x, y), BOOL, (False, True)) == op.value(x, y), (name, x, y)


def test_integers_meet_floats() -> None:
    n, x = np.int64(7), np.float64(0.5)
    assert apply(ew.divide, (x, n), F64, (True, True)) == 0.5 / 7
    assert apply(ew.divide, (n, np.int64(2)), F64, (True, False)) == 3.5
    assert apply(ew.add, (np.int32(-3), x), F64, (True, True)) == -2.5
    program = [(ew.where, F64, (0, 0, 1)), (ew.multiply, F64, (1, 1)), (ew.add, F64, (3, 0))]
    assert run(assemble(program, [I64, F64], [(2, F64), (4, F64)]), [n, x], [F64, F64]) == [7, 7.25]
    n = np.int64(2**53 + 1)
    assert apply(ew.greater, (n, 2.0**53), BOOL, (True, True)) == (n > 2.0**53)


CASTS = [
    (np.float64(2.7), I64), (np.float64(-2.7), I64), (np.float64(0.1), F32), (np.float64(NAN), BOOL),
    (np.float32(0.1), F64), (np.float32(-0.0), BOOL), (np.bool_(True), F32), (np.bool_(True), I64),
    (np.bool_(True), I32), (np.int64(2**60 + 1), F64), (np.int64(2**60 + 2**36 + 1), F32),
    (np.int64(2**33), BOOL), (np.int32(-5), I64), (np.int32(-5), F64), (0.1, F32), (0.1, F64),
    (np.float32(1e30), F64), (np.float64(1e300), F32),
]  # fmt: skip


@pytest.mark.parametrize(("x", "dtype"), CASTS, ids=lambda v: str(v))
@np.errstate(all="ignore")
def test_cast(x: Any, dtype: Any) -> None:
    found = apply(bc.astype, (x,), dtype, (True,))
    assert found == bc.astype.value(x, dtype) and found.dtype == dtype


def test_python_numbers_promote_weakly() -> None:
    """A float32 meets 0.1 as float32(0.1), whether 0.1 is a constant, an input, or computed."""
    x = np.float32(0.1)
    for loaded in (True, False):
        assert apply(ew.equal, (x, 0.1), BOOL, (True, loaded))
        assert apply(ew.subtract, (x, 0.1), F32, (True, loaded)) == 0
        assert not apply(ew.equal, (x, np.float64(0.1)), BOOL, (True, loaded))
        assert apply(ew.where, (np.bool_(False), x, 0.1), F32, (True, True, loaded)) == x
    program = [(ew.multiply, float, (0, Constant(0.25))), (ew.equal, BOOL, (1, 2))]
    step = assemble(program, [float, F32], [(3, BOOL)])
    assert run(step, [0.4, x], [BOOL]) == [True]


def test_results_that_are_booleans() -> None:
    for name in (
        "add",
        "multiply",
        "maximum",
        "minimum",
        "bitwise_and",
        "bitwise_or",
        "bitwise_xor",
        "logical_xor",
    ):
        op: Any = PRIMITIVES[name]
        for x in (np.bool_(False), np.bool_(True)):
            for y in (np.bool_(False), np.bool_(True)):
                assert apply(op, (x, y), BOOL, (True, True)) == op.value(x, y), (name, x, y)
    assert apply(ew.logical_and, (np.float64(-0.0), np.int64(4)), BOOL, (True, True)) == np.False_
    assert apply(ew.indicator, (np.bool_(True), np.float32(5)), F32, (True, True)) == 1


REFUSED = [
    (ew.floor_divide, (I64, I64), I64), (ew.remainder, (I64, int), I64), (ew.power, (I64, int), I64),
    (ew.add, (I32, I32), I32), (ew.add, (np.dtype(np.uint64),) * 2, np.dtype(np.uint64)),
    (ew.add, (np.dtype(complex),) * 2, np.dtype(complex)), (bc.astype, (F64,), I32), (bc.astype, (I64,), I32),
    (PRIMITIVES["polygamma"], (int, F64), F64), (PRIMITIVES["matmul"], (F64, F64), F64),
    (PRIMITIVES["reshape"], (F64,), F64),
]  # fmt: skip


@pytest.mark.parametrize(("op", "kinds", "kind"), REFUSED, ids=lambda v: getattr(v, "name", str(v)))
def test_refused(op: Any, kinds: Any, kind: Any) -> None:
    assert not can_interpret(op, kinds, kind)
    with pytest.raises(NoText):
        assemble([(op, kind, [0, Constant(2) if kinds[1:] == (int,) else len(kinds) - 1])], kinds, [])


def test_exponents() -> None:
    for y in (*POWERS, 2, 3, -1, 1.5, 0.0, np.float64(2), 7):
        for x in (np.float64(1.3), np.float32(0.7), np.float64(-2.0)):
            with np.errstate(all="ignore"):
                expected = x**y
            for loaded in (False, type(y) is not int):
                found = apply(ew.power, (x, y), expected.dtype, (True, loaded))
                assert agree(found, expected, 4 if expected.dtype == F64 else 1), (x, y)


def test_sines_of_large_angles() -> None:
    for x in (1e5, -3e8, 1e22, 5e-324):
        angle = np.float64(x)
        step = assemble([(ew.cos, F64, (0,)), (ew.sin, F64, (0,))], [F64], [(1, F64), (2, F64)])
        assert len(step.keep[0]) == 8  # one instruction, and the end
        for found, expected in zip(
            run(step, [angle], [F64, F64]), (np.cos(angle), np.sin(angle)), strict=True
        ):
            assert agree(found, expected)
        assert agree(apply(ew.cos, (angle,), F64, (True,)), np.cos(angle))


# ---------------------------------------------------------------------------------------- instructions
def instructions_of(step: Any) -> int:
    return len(step.keep[0]) // 4 - 1


def test_products_join_sums_and_are_rounded_twice() -> None:
    rng = np.random.default_rng(0)
    for x, y, z, w in rng.normal(size=(200, 4)):
        program = [(ew.multiply, F64, (0, 1)), (ew.add, F64, (4, 2)), (ew.multiply, F64, (2, 3)),
                   (ew.add, F64, (4, 6)), (ew.add, F64, (6, 6))]  # fmt: skip
        step = assemble(program, [F64] * 4, [(k, F64) for k in range(4, 9)])
        expected = [x * y, x * y + z, z * w, x * y + z * w, z * w + z * w]
        assert run(step, [x, y, z, w], [F64] * 5) == expected
    assert instructions_of(assemble(program, [F64] * 4, [(7, F64)])) == 4  # of five
    assert instructions_of(assemble(program, [F64] * 4, [(4, F64), (6, F64)])) == 5


def test_no_product_joins_a_sum_of_another_dtype() -> None:
    x, y = np.float32(1.1), np.float32(1 / 1.1)
    program = [(ew.multiply, F32, (0, 1)), (ew.add, F32, (2, Constant(-1.0)))]
    assert run(assemble(program, [F32, F32], [(3, F32)]), [x, y], [F32]) == [x * y - np.float32(1)]
    program = [(ew.multiply, float, (0, 1)), (ew.add, F32, (3, 2))]
    step = assemble(program, [float, float, F32], [(4, F32)])
    for y in np.linspace(0.5, 0.7, 20):
        assert run(step, [0.1, y, -np.float32(0.1 * y)], [F32]) == [0]


def test_constants_are_told_apart() -> None:
    program = [(ew.copysign, F64, (0, Constant(c))) for c in (0.0, -0.0, NAN)]
    found = run(assemble(program, [F64], [(k, F64) for k in (1, 2, 3)]), [np.float64(3)], [F64] * 3)
    assert found[:2] == [3, -3]
    program = [(ew.add, I64, (0, Constant(1))), (ew.add, F64, (1, Constant(1)))]
    assert run(assemble(program, [I64, F64], [(2, I64), (3, F64)]), [np.int64(5), 0.5], [I64, F64]) == [
        6,
        1.5,
    ]


def test_nothing_to_compute() -> None:
    step = assemble([], [F32, BOOL], [(1, BOOL), (0, F32), (0, F64)])
    assert run(step, [np.float32(0.3), True], [BOOL, F32, F64]) == [
        True,
        np.float32(0.3),
        float(np.float32(0.3)),
    ]
    assert run(assemble([], [], []), [], []) == []


def test_machine_runs_again_with_other_values() -> None:
    step = assemble([(ew.multiply, F64, (0, Constant(2.0)))], [F64], [(1, F64)])
    assert [run(step, [np.float64(x)], [F64])[0] for x in (1.0, 2.0, 1.0)] == [2, 4, 2]


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
    found = replay(tape)
    scale = max(1.0, *(abs(float(z)) for z in tape.values if np.isfinite(z)))
    tolerance = scale * (2e-6 if kind is np.float32 else 1e-14)
    for i, (z, expected) in enumerate(zip(found, tape.values, strict=True)):
        assert abs(float(z) - float(expected)) <= tolerance, (i, tape.operations[i], z, expected)


def test_instructions_per_step() -> None:
    """Products join sums, and cos joins sin: 15 distinct nodes of value and gradient take 10 instructions."""
    tapes = [recorded(logistic_map(n), 0.7, 1.2, 0.5) for n in (10, 30)]
    short, long = (instructions_of(compiled(tape, [len(tape) - 1])) for tape in tapes)
    assert (long - short) / 20 <= 10


@pytest.mark.slow
def test_a_million_instructions() -> None:
    program: list[Any] = [(ew.sin, F64, (0,))]
    program += [(ew.multiply, F64, (k, 0)) if k % 3 else (ew.sin, F64, (k,)) for k in range(1, 1_000_000)]
    step = assemble(program, [F64], [(1_000_000, F64)])
    x = z = np.float64(0.9)
    for op, _, _ in program:
        z = z * x if op is ew.multiply else np.sin(z)
    assert agree(run(step, [x], [F64])[0], z, 1e6)
