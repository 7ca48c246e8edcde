"""Python's operators on recorded values, and the two functions that record most nodes of most programs."""

from __future__ import annotations

import operator
import sys
from _thread import get_ident
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import INTERNAL, user_instruction
from ..ops import elementwise as ew
from ..ops.primitive import NO_PARAMS, PRIMITIVES, Primitive, Recorded
from ..ops.products import matmul

_PLAIN = frozenset({float, int, np.float64, np.float32, np.ndarray})


class Operators(Recorded):
    """A handle with Python's operators. `Variable` adds what an array has; nothing else derives from it."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __init__(self, tape: Any, index: int) -> None:
        self.tape = tape
        self.index = index


# The two functions below repeat `Tape.apply` for the common case, plain values on one open tape: a third of
# its time. They record what `compute` returns; every other case, and every error, goes to `op` itself.
def record_unary(op: Primitive, compute: Callable[[Any], Any], x: Operators) -> Any:
    """`op(x)`, where `compute(x)` is its value."""
    tape, i = x.tape, x.index
    values = tape.values
    plain = values[i]
    if type(plain) is type(x) or tape.attribution is not None or tape.owner != get_ident():
        return op(x)
    try:
        z = compute(plain)
    except (ValueError, TypeError):
        return op(x)
    frame = sys._getframe(2)
    code, offset = frame.f_code, frame.f_lasti
    if code.co_filename.startswith(INTERNAL):
        code, offset = user_instruction()
    k = len(values)
    tape.operations.append(op)
    tape.parents.append((i,))
    tape.constants.append(None)
    tape.params.append(NO_PARAMS)
    values.append(z)
    tape.codes.append(code)
    tape.offsets.append(offset)
    return type(x)(tape, k)


def record_binary(op: Primitive, compute: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    """`op(a, b)`, one of them recorded, where `compute(a, b)` is its value."""
    constants: tuple[Any, Any] | None = None
    kind: Any = type(a) if isinstance(a, Recorded) else type(b)
    if type(a) is kind:
        tape, i = a.tape, a.index
        values = tape.values
        x = values[i]
        if type(b) is kind:
            if b.tape is not tape:
                return op(a, b)
            j = b.index
            y = values[j]
        else:
            y = tape.snapshot(b) if type(b) is np.ndarray else b
            if type(y) not in _PLAIN:
                return op(a, b)
            j, constants = -1, (None, y)
    else:
        tape, j = b.tape, b.index
        values = tape.values
        y = values[j]
        x = tape.snapshot(a) if type(a) is np.ndarray else a
        if type(x) not in _PLAIN:
            return op(a, b)
        i, constants = -1, (x, None)
    if type(x) is kind or type(y) is kind or tape.attribution is not None or tape.owner != get_ident():
        return op(a, b)
    try:
        z = compute(x, y)
    except (ValueError, TypeError):
        return op(a, b)
    frame = sys._getframe(2)
    code, offset = frame.f_code, frame.f_lasti
    if code.co_filename.startswith(INTERNAL):
        code, offset = user_instruction()
    k = len(values)
    tape.operations.append(op)
    tape.parents.append((i, j))
    tape.constants.append(constants)
    tape.params.append(NO_PARAMS)
    values.append(z)
    tape.codes.append(code)
    tape.offsets.append(offset)
    return kind(tape, k)


def _binary(op: Primitive, compute: Callable[[Any, Any], Any]) -> Callable[[Operators, Any], Any]:
    def operate(self: Operators, other: Any) -> Any:
        return record_binary(op, compute, self, other)

    return operate


def _reflected(op: Primitive, compute: Callable[[Any, Any], Any]) -> Callable[[Operators, Any], Any]:
    def operate(self: Operators, other: Any) -> Any:
        return record_binary(op, compute, other, self)

    return operate


def _unary(op: Primitive, compute: Callable[[Any], Any]) -> Callable[[Operators], Any]:
    def operate(self: Operators) -> Any:
        return record_unary(op, compute, self)

    return operate


def _power(self: Operators, exponent: Any) -> Any:
    if type(exponent) is int and exponent == 2:  # the common power: one product, no logarithm, no branches
        return record_unary(ew.square, _square, self)
    return record_binary(ew.power, operator.pow, self, exponent)


def _square(x: Any) -> Any:
    return x * x


def _install_operators() -> None:
    binary: dict[str, tuple[Primitive, Callable[[Any, Any], Any]]] = {
        "add": (ew.add, operator.add),
        "sub": (ew.subtract, operator.sub),
        "mul": (ew.multiply, operator.mul),
        "truediv": (ew.divide, operator.truediv),
        "pow": (ew.power, operator.pow),
        "mod": (ew.remainder, operator.mod),
        "floordiv": (ew.floor_divide, operator.floordiv),
        "matmul": (matmul, operator.matmul),
        "and": (ew.bitwise_and, operator.and_),
        "or": (ew.bitwise_or, operator.or_),
        "xor": (ew.bitwise_xor, operator.xor),
    }
    for name, (op, compute) in binary.items():
        setattr(Operators, f"__{name}__", _binary(op, compute))
        setattr(Operators, f"__r{name}__", _reflected(op, compute))
    setattr(Operators, "__pow__", _power)  # noqa: B010  (mypy takes an assignment for a use of **)
    comparisons = {
        "gt": "greater", "ge": "greater_equal", "lt": "less", "le": "less_equal",
        "eq": "equal", "ne": "not_equal",
    }  # fmt: skip
    for name, row in comparisons.items():
        setattr(Operators, f"__{name}__", _binary(PRIMITIVES[row], getattr(operator, name)))
    for name, row in {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}.items():
        setattr(Operators, f"__{name}__", _unary(PRIMITIVES[row], getattr(operator, name)))


_install_operators()
