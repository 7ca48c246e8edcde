"""The register machine that runs scalars: its operations, and its kernel as text.

An instruction is four int32: the code of an operation and three registers. The result goes to the next free
register: destinations and liveness would cost more than they save, and registers are written in order, and
read in reverse order by an adjoint sweep, so that the processor fetches ahead. Registers are float64 and hold

    float64   itself                                    bool      0.0 or 1.0
    float32   itself, rounded after every operation     integer   the bits of an int64

The switch over the operations is generated from the rows of the table, read as text. Operations of which
scalar programs are full stand in the loop itself, the others behind one call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ...ops import elementwise as ew
from ...ops.elementwise import Elementwise
from ...ops.primitive import PRIMITIVES
from ..text import BOOL, F32, F64, NoText
from .text import NumbaReading, Term, term

I32, I64 = np.dtype(np.int32), np.dtype(np.int64)

COMPARISONS = (ew.greater, ew.greater_equal, ew.less, ew.less_equal, ew.equal, ew.not_equal)
LOGIC = (ew.logical_and, ew.logical_or, ew.logical_xor, ew.logical_not)
BITS = (ew.bitwise_and, ew.bitwise_or, ew.bitwise_xor, ew.invert)
COPIES = (ew.positive, ew.barrier)
# On integers these wrap as NumPy's do. Divisions are left out: INT_MIN // −1 would stop the process.
WHOLE = (ew.add, ew.subtract, ew.multiply, ew.negative, ew.square, ew.absolute, ew.maximum, ew.minimum)
POWERS = (-3.0, -2.0, -1.0, 0.5, 2.0, 3.0, 4.0)  # exponents whose power is written as a product or a root
INLINE = frozenset({
    "add", "subtract", "multiply", "divide", "negative", "reciprocal", "square", "sqrt", "exp", "log", "sin",
    "cos", "tanh", "maximum", "greater", "where", "multiply_add", "sin and cos",
})  # fmt: skip
# For one number at a time libm, with its tables and branches, takes half the time of a polynomial made to
# fill vectors (ns on a Zen 4: exp 8 against 18, log 12 : 25, arctan 14 : 23, erf 10 : 38, power 24 : 53);
# tanh, sinh, expm1 and hypot are the exceptions.
LIBM = {
    "sin": "math.sin", "cos": "math.cos", "tan": "math.tan", "arcsin": "math.asin", "arccos": "math.acos",
    "arctan": "math.atan", "arctan2": "math.atan2", "cosh": "math.cosh", "arcsinh": "math.asinh",
    "arccosh": "math.acosh", "arctanh": "math.atanh", "exp": "math.exp", "exp2": "np.exp2", "log": "math.log",
    "log2": "np.log2", "log10": "math.log10", "log1p": "math.log1p", "erf": "math.erf", "erfc": "math.erfc",
}  # fmt: skip
PAIR = "sin and cos"  # of one number: two results


class _Reading(NumbaReading):
    """Rows read as text for one number at a time."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in LIBM:
            return super().__getattr__(name)
        return lambda *args: Term(f"{LIBM[name]}({', '.join(term(a).text for a in args)})", F64)


READING: Any = _Reading()
OPERANDS = {
    F64: [Term(v, F64) for v in "xyz"],
    BOOL: [Term(f"({v} != 0.0)", BOOL) for v in "xyz"],
    I64: [Term(f"bits_f64({v})", I64) for v in "xyz"],
}
Key = tuple[str, Any]  # an operation's name and its operands' dtype; of a power, its exponent


@cache
def operations() -> dict[Key, str]:
    """The machine's operations as text, those of the loop first; r[d] becomes a text's first line."""
    found: dict[Key, str] = {
        (PAIR, F64): "math.sin(x)\nr[d + 1] = cos_f64(x)\nd += 1",
        ("multiply_add", F64): "x * y + z",  # rounded twice: numba contracts nothing unless it is told to
        ("where", F64): "y if x != 0.0 else z",
        ("round", F64): "np.float64(np.float32(x))",
        ("nonzero", F64): "1.0 if x != 0.0 else 0.0",
        ("truncate", F64): "real_f64(np.int64(x))",
        ("nonzero", I64): "1.0 if bits_f64(x) != 0 else 0.0",
        ("float", I64): "np.float64(bits_f64(x))",
        ("float32", I64): "np.float64(np.float32(bits_f64(x)))",
    }
    for op in PRIMITIVES.values():
        if isinstance(op, Elementwise) and not op.foreign and op not in (*COPIES, ew.where, ew.indicator):
            for dtype in _dtypes(op):
                _enter(found, (op.name, dtype), op, OPERANDS[dtype][: len(op.partials)])
    for exponent in POWERS:
        _enter(found, ("power", exponent), ew.power, [OPERANDS[F64][0], term(exponent)])
    found["power", F64] = "math.pow(x, y)"
    # each keeps a register for the other, so that an adjoint's cos(x) can join the sin(x) of long before
    found["sin", F64] += "\nd += 1"
    found["cos", F64] += "\nr[d + 1] = r[d]\nd += 1"
    return dict(sorted(found.items(), key=lambda entry: entry[0][1] != F64 or entry[0][0] not in INLINE))


def _dtypes(op: Elementwise) -> Sequence[np.dtype[Any]]:
    """Of operands for which a row has an operation."""
    if op in LOGIC:
        return (BOOL,)
    if op in BITS:
        return (I64,)
    return (F64, I64) if op in WHOLE or op in COMPARISONS else (F64,)


def _enter(found: dict[Key, str], key: Key, op: Elementwise, operands: Sequence[Term]) -> None:
    try:
        z = op.function(READING, *operands)
    except NoText:
        return
    if z.dtype == BOOL:
        found[key] = f"1.0 if {z.text} else 0.0"
    else:
        found[key] = f"real_f64({z.text})" if z.dtype == I64 else z.text


# ---------------------------------------------------------------------------------------- the kernel
# what is read from memory at address `a`, and what is written there
LOADS = {
    F64: "f64_at(a)[0]",
    F32: "np.float64(f32_at(a)[0])",
    BOOL: "np.float64(u8_at(a)[0])",
    I64: "f64_at(a)[0]",
    I32: "real_f64(np.int64(i32_at(a)[0]))",
}
STORES = {
    F64: "f64_at(a)[0] = x",
    F32: "f32_at(a)[0] = np.float32(x)",
    BOOL: "u8_at(a)[0] = np.uint8(x)",
    I64: "f64_at(a)[0] = x",
    I32: "i32_at(a)[0] = np.int32(bits_f64(x))",
}
CODE_BITS = 5  # a switch of exactly 2⁵ cases needs no check of its range
HALT = (1 << CODE_BITS) - 1
RARE = HALT - 1
# The block: addresses of instructions, of register 0 and of the numbers below; how many values are loaded
# (to registers 0, 1, …) and stored; the first result's register. Then the addresses of what is loaded, and
# of what is stored. Numbers: the kind of every load; kind and register of every store.
HEADER = 6

_KERNEL = """\
import math

@njit(error_model="numpy")
def rare(code, x, y, z):
    tune()
{rare}
    return z

@njit(error_model="numpy")
def fetch(kind, a):
{loads}
    return 0.0

@njit(error_model="numpy")
def put(kind, a, x):
{stores}

@cfunc("void(CPointer(int64), int64)", cache=True, error_model="numpy")
def entry(block, chunk):
    code, r, numbers = i32_at(block[0]), f64_at(block[1]), i32_at(block[2])
    loads, stores, d, p = block[3], block[4], block[5], 0
    for k in range(loads):
        r[k] = fetch(numbers[k], block[{header} + k])
    while True:
        op, x = code[p] & {halt}, r[code[p + 1]]
{inline}
        elif op == {rare_code}:
            r[d] = rare(code[p] >> {bits}, x, r[code[p + 2]], r[code[p + 3]])
        else:
            break
        d += 1
        p += 4
    for k in range(stores):
        put(numbers[loads + 2 * k], block[{header} + loads + k], r[numbers[loads + 2 * k + 1]])
"""


@cache
def kernel_text() -> str:
    """The machine as a kernel, `void(int64* block, int64 chunk)`; the same for every program."""
    texts = list(operations().values())
    return _KERNEL.format(
        rare=_chain("code", [f"return {text}" for text in texts[RARE:]]),
        loads=_chain("kind", [f"return {text}" for text in LOADS.values()]),
        stores=_chain("kind", list(STORES.values())),
        inline="\n".join(_case(k, text) for k, text in enumerate(texts[:RARE])),
        header=HEADER,
        halt=HALT,
        rare_code=RARE,
        bits=CODE_BITS,
    )


def _chain(name: str, statements: Sequence[str]) -> str:
    """One statement per number; LLVM makes it a jump table."""
    return "\n".join(f"    if {name} == {k}:\n        {text}" for k, text in enumerate(statements))


def _case(k: int, text: str) -> str:
    """One operation of the loop; it loads the operands it has."""
    lines = [f"        {'elif' if k else 'if'} op == {k}:"]
    for j, v in enumerate("yz"):
        if re.search(rf"\b{v}\b", text):
            lines.append(f"            {v} = r[code[p + {2 + j}]]")
    lines += [f"            {line}" for line in f"r[d] = {text}".split("\n")]
    return "\n".join(lines)


@cache
def codes() -> dict[Key, int]:
    """The operations' codes."""
    return {key: k if k < RARE else RARE | (k - RARE) << CODE_BITS for k, key in enumerate(operations())}
