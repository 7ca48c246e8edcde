"""Stretches of scalars as programs of the register machine: a 0-d node is not worth a kernel of its own."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, final

import numpy as np

from ...ops import broadcast as bc
from ...ops import elementwise as ew
from ...ops.abstract import Abstract
from ...ops.primitive import Primitive
from ..text import BOOL, F32, F64, NoText
from .machine import COMPARISONS, COPIES, HALT, HEADER, I32, I64, LOADS, PAIR, POWERS, Key, codes, kernel_text

Kind = Any  # a dtype; or float, int, bool for a Python number, which promotes weakly
Dtype = np.dtype[Any]
TRANSFERS = {dtype: k for k, dtype in enumerate(LOADS)}  # dtypes that the machine knows
TESTS = (ew.isnan, ew.isinf, ew.isfinite, ew.signbit)
# what an operation is when its result is a boolean
AS_LOGIC: dict[Primitive, Primitive] = {
    ew.add: ew.logical_or, ew.maximum: ew.logical_or, ew.bitwise_or: ew.logical_or,
    ew.multiply: ew.logical_and, ew.minimum: ew.logical_and, ew.bitwise_and: ew.logical_and,
    ew.bitwise_xor: ew.logical_xor, ew.invert: ew.logical_not,
}  # fmt: skip


# ---------------------------------------------------------------------------------------- one node
class Plan(NamedTuple):
    """How one primitive is computed for operands of certain kinds.

    Attributes:
        code: of its operation; −1 if the first operand, converted, is the result.
        dtypes: to which the operands are converted.
        conversions: codes of these conversions; −1 where the register serves as it is.
        rounded: to float32 afterwards.
        straight: an operation on registers as they are, and nothing afterwards.
    """

    code: int
    dtypes: tuple[Dtype, ...]
    conversions: tuple[int, ...]
    rounded: bool = False
    straight: bool = False


def can_interpret(op: Primitive, kinds: Sequence[Kind], kind: Kind) -> bool:
    """Whether a 0-d node can run in the machine and give what NumPy gives.

    Args:
        op: the node's primitive.
        kinds: dtypes of its operands; `float`, `int`, `bool` for Python numbers.
        kind: its own dtype; `float` if its value is a Python number's.
    """
    try:
        plan_of(op, kind, tuple(kinds))
    except NoText:
        return False
    return True


@lru_cache(maxsize=4096)
def plan_of(op: Primitive, kind: Kind, kinds: tuple[Kind, ...]) -> Plan:
    """How `op` is computed.

    Args:
        op: the primitive.
        kind: dtype of its result, or `float`.
        kinds: dtypes of its operands, or Python types; in the place of an exponent, the number itself.

    Raises:
        NoText: the machine cannot compute what NumPy does.
    """
    dtype = np.dtype(kind)
    if dtype not in TRANSFERS:
        raise NoText
    key, dtypes = _signature(op, dtype, [type(k) if isinstance(k, float) else k for k in kinds])
    if op is ew.power and isinstance(kinds[1], float) and dtype.kind == "f":
        key = ("power", kinds[1])
    if key is not None and key not in codes():
        raise NoText
    conversions = tuple([_conversion(k, d) for k, d in zip(kinds, dtypes, strict=False)])
    rounded = key is not None and dtype == F32
    straight = key is not None and not rounded and max(conversions, default=-1) < 0
    return Plan(-1 if key is None else codes()[key], dtypes, conversions, rounded, straight)


def _signature(op: Primitive, dtype: Dtype, kinds: Sequence[Kind]) -> tuple[Key | None, tuple[Dtype, ...]]:
    """The operation, None for a copy; and the dtypes to which its operands are converted."""
    n = len(kinds)
    if op is bc.astype or op in COPIES:
        return None, (dtype,)
    if op is ew.indicator and dtype.kind == "f":
        return None, (BOOL,)
    if op is ew.where:
        return ("where", F64), (BOOL, dtype, dtype)
    if dtype.kind == "f":
        return (op.name, F64), (dtype,) * n
    if dtype != BOOL:
        return (op.name, dtype), (dtype,) * n
    if op in TESTS:
        return (op.name, F64), (F64,)
    if op in COMPARISONS:
        common = np.result_type(*[k(1) if isinstance(k, type) else k for k in kinds])
        return (op.name, I64 if common.kind == "i" else F64), (common,) * n
    return (AS_LOGIC.get(op, op).name, BOOL), (BOOL,) * n


def _conversion(kind: Kind, target: Dtype) -> int:
    """Code of the conversion of a value to a dtype, −1 if its register serves as it is."""
    source = np.dtype(type(kind) if isinstance(kind, float) else kind)
    if source not in TRANSFERS or target not in TRANSFERS:
        raise NoText
    if target == I32 and source not in (I32, BOOL):  # what does not fit would have to wrap
        raise NoText
    change = source.kind + target.kind
    step: Key | None = None
    if change == "ff" and target == F32 != source:
        step = "round", F64
    elif change in ("fi", "bi"):
        step = "truncate", F64
    elif change == "if":
        step = "float32" if target == F32 else "float", I64
    elif change in ("fb", "ib"):
        step = "nonzero", F64 if change == "fb" else I64
    return -1 if step is None else codes()[step]


# ---------------------------------------------------------------------------------------- many nodes
# Kinds by number, because NumPy takes 0.2 µs to hash a dtype: a plan is found by small integers.
_KINDS: list[Kind] = [*TRANSFERS, float, int, bool]
_NUMBERS = {kind: k for k, kind in enumerate(_KINDS)}
_plans: dict[tuple[Any, ...], Plan] = {}


def _number(kind: Kind) -> int:
    number = _NUMBERS.get(kind)
    if number is None:
        raise NoText
    return number


_abstract_numbers: dict[int, int] = {}


def kind_number(kind: Abstract) -> int:
    """The number by which `assemble` knows a kind of value.

    Raises:
        NoText: the machine has no registers for it.
    """
    number = _abstract_numbers.get(kind.number)
    if number is None:
        number = _abstract_numbers[kind.number] = _number(float if kind.weak else kind.dtype)
    return number


@final
class Constant:
    """An operand that is a Python or NumPy scalar (`kind`: the number of its dtype or type)."""

    __slots__ = ("kind", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.kind = _number(value.dtype if isinstance(value, np.generic) else type(value))


Operand = int | Constant


@dataclass(frozen=True)
class ScalarStep:
    """A stretch of scalars, ready to run.

    Attributes:
        text: of its kernel.
        block: (cells,) int64, the kernel's argument.
        load_cells: where in the block the addresses of the values read belong, in their order.
        store_cells: those of the values written.
        keep: arrays whose addresses the block holds.
        chunks: always 1.
    """

    text: str
    block: np.ndarray
    load_cells: Sequence[int]
    store_cells: Sequence[int]
    keep: tuple[np.ndarray, ...]
    chunks: int = 1


def assemble(
    instructions: Iterable[tuple[Primitive, Kind, Sequence[Operand]]],
    loads: Sequence[Kind],
    stores: Sequence[tuple[int, Dtype]],
) -> ScalarStep:
    """A program of the machine.

    Args:
        instructions: (primitive, dtype or `kind_number` of the result, operands). An operand is a Constant or
            the number of a value: those loaded come first, then the results in their order.
        loads: dtypes of the values read from memory; `float` for a Python number, a float64 there.
        stores: (number, dtype) of the values written to memory.

    Raises:
        NoText: `can_interpret` is false of an instruction, or a value read or written is of another dtype.
    """
    assembly = _Assembly(loads)
    for op, kind, operands in instructions:
        assembly.add(op, kind, operands)
    return assembly.finish(stores)


class _Assembly:
    """Registers by value, and the instructions so far.

    A product waits until it is wanted: a sum takes it in (rounded twice, as ever, but one instruction).
    """

    def __init__(self, loads: Sequence[Kind]) -> None:
        self.kinds = [_number(kind) for kind in loads]
        self.transfers = [TRANSFERS[np.dtype(kind)] for kind in loads]
        self.places: list[int | None] = list(range(len(loads)))  # registers; None: a product that waits
        self.products: dict[int, tuple[int, int]] = {}
        self.code: list[int] = []
        self.next = len(loads)  # the register of the next result
        self.constants: dict[bytes, int] = {}  # bits → register −1, −2, …
        self.converted: dict[tuple[int, int], int] = {}
        self.product, self.sum = codes()["multiply", F64], codes()["add", F64]
        self.sum_with_product, self.round = codes()["multiply_add", F64], codes()["round", F64]
        self.sin, self.cos, self.pair = (codes()[name, F64] for name in ("sin", "cos", PAIR))
        self.angles: dict[
            int, tuple[int, int]
        ] = {}  # an angle's register → its instruction, its sine's register

    def add(self, op: Primitive, kind: Kind, operands: Sequence[Operand]) -> None:
        """One node."""
        known, places = self.kinds, self.places
        own = kind if type(kind) is int else _number(kind)
        key = (op, own, *[v.kind if type(v) is Constant else known[v] for v in operands])
        plan = _plans.get(key)
        if plan is None or op is ew.power:
            plan = _plans[key] = self.plan(op, _KINDS[own], operands)
        known.append(own)
        if plan.straight:
            places.append(self.straight(plan, operands))
            return
        code = plan.code
        registers = self.sum_operands(operands, plan) if code == self.sum else self.operands(operands, plan)
        if code == self.product and not plan.rounded:
            self.products[len(places)] = registers[0], registers[1]
            places.append(None)
            return
        if code < 0:
            place = registers[0]
        elif code == self.sin or code == self.cos:
            place = self.angle(code, registers[0])
        elif len(registers) == 3 and code == self.sum:
            place = self.emit(self.sum_with_product, *registers)
        else:
            place = self.emit(code, *registers)
        places.append(self.emit(self.round, place) if plan.rounded else place)

    def straight(self, plan: Plan, operands: Sequence[Operand]) -> int | None:
        """The register of a node that converts nothing; None of a product that waits."""
        code, places = plan.code, self.places
        registers: list[int] = []
        waiting = -1
        for v in operands:
            if type(v) is Constant:
                registers.append(self.constant(v.value, plan.dtypes[len(registers) + (waiting >= 0)]))
                continue
            place = places[v]
            if place is None:
                if code == self.sum and waiting < 0:
                    waiting = v
                    continue
                place = places[v] = self.emit(self.product, *self.products[v])
            registers.append(place)
        if waiting >= 0:
            return self.emit(self.sum_with_product, *self.products[waiting], *registers)
        if code == self.product:
            self.products[len(places)] = registers[0], registers[1]
            return None
        if code == self.sin or code == self.cos:
            return self.angle(code, registers[0])
        return self.emit(code, *registers)

    def plan(self, op: Primitive, kind: Kind, operands: Sequence[Operand]) -> Plan:
        """How a node is computed, from the kinds of its operands."""
        kinds = [_KINDS[v.kind if type(v) is Constant else self.kinds[v]] for v in operands]
        if op is ew.power:
            kinds[1] = _exponent(operands[1], kinds[1])
        return plan_of(op, kind, tuple(kinds))

    def operands(self, operands: Sequence[Operand], plan: Plan) -> list[int]:
        """Registers of the operands, converted as the plan wants them."""
        found = []
        for v, dtype, conversion in zip(operands, plan.dtypes, plan.conversions, strict=False):
            if type(v) is Constant:
                found.append(self.constant(v.value, dtype))
                continue
            place = self.places[v]
            if place is None:
                place = self.places[v] = self.emit(self.product, *self.products[v])
            found.append(place if conversion < 0 else self.convert(place, conversion))
        return found

    def sum_operands(self, operands: Sequence[Operand], plan: Plan) -> list[int]:
        """The two operands of a sum; or three, where one is a product that waits."""
        for k, v in enumerate(operands):
            if type(v) is not Constant and self.places[v] is None and plan.conversions[k] < 0:
                other = Plan(self.sum, plan.dtypes[:1], (plan.conversions[1 - k],))
                return [*self.products[v], *self.operands([operands[1 - k]], other)]
        return self.operands(operands, plan)

    def emit(self, code: int, a: int, b: int = 0, c: int = 0) -> int:
        """One instruction; returns the register of its result."""
        self.code += (code, a, b, c)
        self.next += 1
        return self.next - 1

    def angle(self, code: int, x: int) -> int:
        """The register of sin(x) or cos(x). The second one asked for joins the first."""
        if x not in self.angles:
            self.angles[x] = len(self.code), self.emit(code, x)
            self.next += 1
        at, sine = self.angles[x]
        if self.code[at] != code:
            self.code[at] = self.pair
        return sine + (code == self.cos)

    def convert(self, register: int, code: int) -> int:
        """The register of a converted value."""
        found = self.converted.get((register, code))
        if found is None:
            found = self.converted[register, code] = self.emit(code, register)
        return found

    def constant(self, value: Any, dtype: Dtype) -> int:
        """The register of a constant."""
        bits = struct.pack("q", int(value)) if dtype.kind == "i" else struct.pack("d", dtype.type(value))
        return self.constants.setdefault(bits, -1 - len(self.constants))

    def finish(self, stores: Sequence[tuple[int, Dtype]]) -> ScalarStep:
        """The block, and what it points to."""
        loaded, stored = len(self.transfers), len(stores)
        for v, dtype in stores:
            copy = Plan(-1, (dtype,), (_conversion(_KINDS[self.kinds[v]], dtype),))
            self.transfers += (TRANSFERS[dtype], *self.operands((v,), copy))
        code = np.array([*self.code, HALT, 0, 0, 0], np.int32)
        numbers = np.array(self.transfers, np.int32)
        below = len(self.constants)
        registers = np.empty(below + max(self.next, 1))
        registers[:below] = np.frombuffer(b"".join(self.constants), np.float64)[::-1]
        block = np.zeros(HEADER + loaded + stored, np.int64)
        origin = registers.ctypes.data + 8 * below
        block[:HEADER] = code.ctypes.data, origin, numbers.ctypes.data, loaded, stored, loaded
        end = HEADER + loaded
        cells = range(HEADER, end), range(end, end + stored)
        return ScalarStep(kernel_text(), block, *cells, keep=(code, registers, numbers))


def _exponent(operand: Operand, kind: Kind) -> Kind:
    """The exponent itself, where it is known and its power is a product or a root."""
    if type(operand) is Constant and float(operand.value) in POWERS:
        return float(operand.value)
    return kind
