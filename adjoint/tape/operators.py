"""Python's operators on recorded values, and the two functions that record most nodes of most programs."""

from __future__ import annotations

import operator
import sys
from _thread import get_ident
from collections.abc import Callable
from types import CodeType
from typing import Any

import numpy as np

from ..errors import is_internal, user_instruction
from ..ops import elementwise as ew
from ..ops.abstract import Abstract
from ..ops.primitive import NO_PARAMS, PRIMITIVES, Primitive, Recorded
from ..ops.products import matmul

Attribution = tuple[CodeType | None, int]  # the user's instruction
PLAIN = frozenset({float, int, complex, np.float64, np.float32, np.complex128, np.complex64, np.ndarray})


class Operators(Recorded):
    """A handle with Python's operators. `Variable` adds what an array has; nothing else derives from it."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __init__(self, tape: Any, index: int) -> None:
        self.tape = tape
        self.index = index


# The two functions below repeat `Tape.apply` for the common cases, at a third of its time: plain values,
# values recorded on an older tape (what a transform inside another, or inside `compile`, meets), and values
# of which a trace knows the kind. They record what `compute` returns; every other case, and every error, goes
# to `op` itself.
def record_unary(
    op: Primitive, compute: Callable[[Any], Any], x: Operators, origin: Attribution | None = None
) -> Any:
    """`op(x)`, where `compute(x)` is its value; `origin` is the user's instruction if it is known."""
    tape, i = x.tape, x.index
    values = tape.values
    plain = values[i]
    if tape.owner != get_ident():
        return op(x)
    origin = tape.attribution or origin
    if origin is None:
        frame = sys._getframe(2)
        origin = frame.f_code, frame.f_lasti
        if is_internal(origin[0].co_filename):
            origin = user_instruction()
    if type(plain) is Abstract:
        z = op.kinds.get((plain.number,))
        if z is None:
            return op(x)
    elif type(plain) is type(x):
        z = record_unary(op, compute, plain, origin)
    else:
        try:
            z = compute(plain)
        except (ValueError, TypeError):
            return op(x)
    k = len(values)
    tape.operations.append(op)
    tape.parents.append((i,))
    tape.constants.append(None)
    tape.params.append(NO_PARAMS)
    values.append(z)
    tape.codes.append(origin[0])
    tape.offsets.append(origin[1])
    return type(x)(tape, k)


def record_binary(
    op: Primitive, compute: Callable[[Any, Any], Any], a: Any, b: Any, origin: Attribution | None = None
) -> Any:
    """`op(a, b)`, one of them recorded, where `compute(a, b)` is its value; `origin` as in `record_unary`."""
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
            if type(y) not in PLAIN:
                return op(a, b)
            j, constants = -1, (None, y)
    else:
        tape, j = b.tape, b.index
        values = tape.values
        y = values[j]
        x = tape.snapshot(a) if type(a) is np.ndarray else a
        if type(x) not in PLAIN:
            return op(a, b)
        i, constants = -1, (x, None)
    if tape.owner != get_ident():
        return op(a, b)
    origin = tape.attribution or origin
    if origin is None:
        frame = sys._getframe(2)
        origin = frame.f_code, frame.f_lasti
        if is_internal(origin[0].co_filename):
            origin = user_instruction()
    if type(x) is Abstract or type(y) is Abstract:
        z = op.kinds.get((
            x.number if type(x) is Abstract else type(x), y.number if type(y) is Abstract else type(y)
        ))  # fmt: skip
        if z is None:
            return op(a, b)
    elif type(x) is kind or type(y) is kind:
        z = record_binary(op, compute, x, y, origin)
    else:
        try:
            z = compute(x, y)
        except (ValueError, TypeError):
            return op(a, b)
    k = len(values)
    tape.operations.append(op)
    tape.parents.append((i, j))
    tape.constants.append(constants)
    tape.params.append(NO_PARAMS)
    values.append(z)
    tape.codes.append(origin[0])
    tape.offsets.append(origin[1])
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
