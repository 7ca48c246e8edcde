"""Numbers of kernels: their types after numba's rules, arithmetic and conversions as LLVM instructions.

An integer literal is an int64, narrower integers compute in 64 bits, a float32 with an integer is a float64.
"""
# mypy: ignore-errors

from __future__ import annotations

import ast
import math
import operator

import numpy as np
from llvmlite import ir

from .dialect import Type, Unsupported, cgutils, types

__all__ = ["BOOL", "DTYPES", "INT", "Arithmetic", "Value", "common", "constant", "holds"]

INT, BOOL, F32, F64 = types.int64, types.boolean, types.float32, types.float64


class Value:
    """An LLVM value with its type; `known` is the Python number of a constant."""

    __slots__ = ("ir", "known", "type")

    def __init__(self, kind, native, known=None):
        self.type, self.ir, self.known = kind, native, known


def constant(x):
    """A Python or NumPy number of the surroundings as a value."""
    if isinstance(x, (bool, np.bool_)):
        return Value(BOOL, ir.Constant(BOOL.ir, bool(x)), bool(x))
    if isinstance(x, int) and -(1 << 63) <= x < 1 << 64:
        return Value(INT, ir.Constant(INT.ir, x), x)
    if isinstance(x, np.float32):
        return Value(F32, ir.Constant(F32.ir, float(x)))
    if isinstance(x, float):
        return Value(F64, ir.Constant(F64.ir, x), float(x))
    raise Unsupported(f"a constant {x!r}")


def common(a, b):
    """The type in which two numbers are computed."""
    if a.kind == "b" and b.kind == "b":
        return BOOL
    if "p" in (a.kind, b.kind) or "v" in (a.kind, b.kind):
        raise Unsupported(f"{a} with {b}")
    if a.kind == "f" or b.kind == "f":
        small = {a.kind, b.kind} == {"f"} and a.bitwidth == b.bitwidth == 32
        return F32 if small else F64
    if a.kind == "u" and b.kind == "u":
        return types.uint64
    if (a.kind, a.bitwidth) == ("u", 64) or (b.kind, b.bitwidth) == ("u", 64):
        raise Unsupported("a sign with all 64 bits")  # numba makes a float of them
    return INT


_OPERATORS = {
    ast.Add: ("add", operator.add), ast.Sub: ("sub", operator.sub), ast.Mult: ("mul", operator.mul),
    ast.BitAnd: ("and_", operator.and_), ast.BitOr: ("or_", operator.or_), ast.BitXor: ("xor", operator.xor),
    ast.LShift: ("shl", operator.lshift), ast.RShift: ("ashr", operator.rshift),
}  # fmt: skip
COMPARISONS = {
    ast.Lt: ("<", operator.lt), ast.LtE: ("<=", operator.le), ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge), ast.Eq: ("==", operator.eq), ast.NotEq: ("!=", operator.ne),
}  # fmt: skip
# of one or two reals: LLVM's own names, then the C library's
_INTRINSICS = {
    np.sqrt: "sqrt", np.floor: "floor", np.ceil: "ceil", np.trunc: "trunc", np.rint: "rint", np.exp2: "exp2",
    np.log2: "log2", np.copysign: "copysign", math.sin: "sin", math.cos: "cos", math.exp: "exp",
    math.log: "log", math.log10: "log10", math.pow: "pow", math.sqrt: "sqrt",
}  # fmt: skip
_LIBRARY = {
    getattr(math, name): name
    for name in ("tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
                 "log1p", "expm1", "erf", "erfc")
}  # fmt: skip
DTYPES = {
    getattr(np, kind.name): kind
    for kind in vars(types).values()
    if isinstance(kind, Type) and kind.kind in "iuf"
}


def holds(kind, other):
    """Whether a variable of one type takes every value of another."""
    if kind is other or (kind is INT and other.literal_value is not None):
        return True
    if kind is F64:
        return other.kind in "iubf"
    if kind is INT:
        return other.kind in "ib" or (other.kind == "u" and other.bitwidth < 64)
    return False


class Arithmetic:
    """Emits instructions on `Value`s into the builder's block."""

    builder = None

    def unary(self, op, x):
        """−x, +x, ~x, not x."""
        if isinstance(op, ast.Not):
            truth = self.truth(x)
            return Value(BOOL, self.builder.not_(truth.ir), None if truth.known is None else not truth.known)
        if x.type.kind not in "iuf":
            raise Unsupported(f"a sign of {x.type}")
        if x.known is not None and isinstance(op, ast.USub):
            return constant(-x.known)
        kind = x.type if x.type.kind == "f" else common(x.type, x.type)
        x = self.cast(x, kind)
        if isinstance(op, ast.UAdd):
            return x
        if isinstance(op, ast.Invert):
            if kind.kind == "f":
                raise Unsupported("~ of a real")
            return Value(kind, self.builder.not_(x.ir))
        return Value(kind, self.builder.fneg(x.ir) if kind.kind == "f" else self.builder.neg(x.ir))

    def binary(self, op, a, b):
        """Arithmetic in the common type; `/` of integers in float64."""
        kind, op = common(a.type, b.type), type(op)
        if a.type is b.type is INT and None not in (a.known, b.known) and op in _OPERATORS:
            return constant(_OPERATORS[op][1](a.known, b.known))
        if op is ast.Div and kind.kind != "f":
            kind = F64
        a, b = self.cast(a, kind).ir, self.cast(b, kind).ir
        if kind.kind == "f":
            if op is ast.FloorDiv or op is ast.Mod:
                return Value(kind, self.floats_divided(a, b)[op is ast.Mod])
            name = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}.get(op)
            if name is None:
                raise Unsupported(op.__name__)
            return Value(kind, getattr(self.builder, name)(a, b))
        if op in (ast.FloorDiv, ast.Mod) and kind is not BOOL:
            return Value(kind, self.integers_divided(kind, a, b)[op is ast.Mod])
        if op not in _OPERATORS or (kind is BOOL and op not in (ast.BitAnd, ast.BitOr, ast.BitXor)):
            raise Unsupported(op.__name__)
        name = "lshr" if op is ast.RShift and kind.kind == "u" else _OPERATORS[op][0]
        return Value(kind, getattr(self.builder, name)(a, b))

    def integers_divided(self, kind, a, b):
        """Quotient, rounded down, and remainder; zeros by 0, and of −2⁶³ by −1, as numba has it."""
        builder, zero = self.builder, ir.Constant(kind.ir, 0)
        known = isinstance(b, ir.Constant) and b.constant not in (0, -1)
        undefined = builder.icmp_unsigned("==", b, zero)
        if kind.kind == "i":
            least = builder.icmp_signed("==", a, ir.Constant(kind.ir, -1 << 63))
            minus = builder.icmp_signed("==", b, ir.Constant(kind.ir, -1))
            undefined = builder.or_(undefined, builder.and_(least, minus))
        divisor = b if known else builder.select(undefined, ir.Constant(kind.ir, 1), b)
        dividend = a if known else builder.select(undefined, zero, a)
        if kind.kind == "u":
            return builder.udiv(dividend, divisor), builder.urem(dividend, divisor)
        quotient, rest = builder.sdiv(dividend, divisor), builder.srem(dividend, divisor)
        apart = builder.icmp_signed("<", builder.xor(rest, divisor), zero)
        apart = builder.and_(apart, builder.icmp_signed("!=", rest, zero))
        one = ir.Constant(kind.ir, 1)
        return (
            builder.select(apart, builder.sub(quotient, one), quotient),
            builder.select(apart, builder.add(rest, divisor), rest),
        )

    def floats_divided(self, a, b):
        """Quotient, rounded down, and remainder with the divisor's sign, as NumPy has them."""
        builder, kind = self.builder, a.type
        zero, one, half = (ir.Constant(kind, x) for x in (0.0, 1.0, 0.5))
        rest = builder.frem(a, b)
        quotient = builder.fdiv(builder.fsub(a, rest), b)
        some = builder.fcmp_unordered("!=", rest, zero)
        below = builder.fcmp_ordered("<", b, zero)
        apart = builder.and_(some, builder.xor(below, builder.fcmp_ordered("<", rest, zero)))
        rest_there = builder.select(apart, builder.fadd(rest, b), rest)
        quotient = builder.select(apart, builder.fsub(quotient, one), quotient)
        signed = self.intrinsic("copysign", [zero, b])
        whole = self.intrinsic("floor", [quotient])
        more = builder.fcmp_ordered(">", builder.fsub(quotient, whole), half)
        whole = builder.select(more, builder.fadd(whole, one), whole)
        ratio = builder.fdiv(a, b)
        any_left = builder.fcmp_unordered("!=", quotient, zero)
        whole = builder.select(any_left, whole, self.intrinsic("copysign", [zero, ratio]))
        whole = builder.select(builder.fcmp_ordered("==", b, zero), ratio, whole)
        return whole, builder.select(some, rest_there, signed)

    def compare(self, op, a, b):
        """A truth value; of NaN only `!=` is true."""
        sign, compute = COMPARISONS[type(op)]
        if a.type is b.type is INT and None not in (a.known, b.known):
            return constant(compute(a.known, b.known))
        kind = common(a.type, b.type)
        a, b = self.cast(a, kind).ir, self.cast(b, kind).ir
        if kind.kind == "f":
            method = self.builder.fcmp_unordered if sign == "!=" else self.builder.fcmp_ordered
        else:
            method = self.builder.icmp_signed if kind.kind == "i" else self.builder.icmp_unsigned
        return Value(BOOL, method(sign, a, b))

    def choose(self, condition, x, y):
        """x where the condition holds, else y."""
        kind = x.type if x.type is y.type else common(x.type, y.type)
        return Value(kind, self.builder.select(condition.ir, self.cast(x, kind).ir, self.cast(y, kind).ir))

    def extremum(self, least, a, b):
        kind = common(a.type, b.type)
        if kind.kind not in "iu":
            raise Unsupported("min, max of reals")
        a, b = self.cast(a, kind).ir, self.cast(b, kind).ir
        compare = self.builder.icmp_signed if kind.kind == "i" else self.builder.icmp_unsigned
        return Value(kind, self.builder.select(compare("<" if least else ">", a, b), a, b))

    def absolute(self, x):
        if x.type.kind == "f":
            return Value(x.type, self.intrinsic("fabs", [x.ir]))
        x = self.cast(x, common(x.type, x.type))
        if x.type.kind == "u":
            return x
        negative = self.builder.icmp_signed("<", x.ir, ir.Constant(x.type.ir, 0))
        return Value(x.type, self.builder.select(negative, self.builder.neg(x.ir), x.ir))

    def mathematics(self, callee, args):
        """NumPy's functions in the type of their operands, those of `math` in float64."""
        kind = args[0].type
        for a in args[1:]:
            kind = common(kind, a.type)
        if kind.kind != "f" or getattr(callee, "__module__", "") == "math":
            kind = F64
        values = [self.cast(a, kind).ir for a in args]
        if callee is np.fmod:
            return Value(kind, self.builder.frem(*values))
        if callee in _INTRINSICS:
            return Value(kind, self.intrinsic(_INTRINSICS[callee], values))
        if callee in _LIBRARY and kind is F64:
            native = ir.FunctionType(kind.ir, [kind.ir] * len(values))
            function = cgutils.get_or_insert_function(self.builder.module, native, _LIBRARY[callee])
            return Value(kind, self.builder.call(function, values))
        raise Unsupported(f"a call of {callee!r}")

    def intrinsic(self, name, values):
        kind = values[0].type
        suffix = "f32" if isinstance(kind, ir.FloatType) else "f64"
        native = ir.FunctionType(kind, [kind] * len(values))
        function = cgutils.get_or_insert_function(self.builder.module, native, f"llvm.{name}.{suffix}")
        return self.builder.call(function, values)

    def truth(self, x):
        return self.cast(x, BOOL)

    def cast(self, x, kind):
        """A value in another type, as C converts it."""
        have, builder = x.type, self.builder
        if have is kind or (have.literal_value is not None and kind is INT):
            return x
        if "p" in (have.kind, kind.kind) or "v" in (have.kind, kind.kind):
            raise Unsupported(f"{have} as {kind}")
        if x.known is not None and kind.kind == "f":
            number = float(np.float32(x.known)) if kind is F32 else float(x.known)
            return Value(kind, ir.Constant(kind.ir, number), number if kind is F64 else None)
        if kind.kind == "b":
            zero = ir.Constant(have.ir, 0.0 if have.kind == "f" else 0)
            compare = builder.fcmp_unordered if have.kind == "f" else builder.icmp_unsigned
            known = None if x.known is None else bool(x.known)
            return Value(kind, compare("!=", x.ir, zero), known)
        if have.kind == "f" and kind.kind == "f":
            convert = builder.fpext if kind.bitwidth > have.bitwidth else builder.fptrunc
        elif have.kind == "f":
            convert = builder.fptosi if kind.kind == "i" else builder.fptoui
        elif kind.kind == "f":
            convert = builder.sitofp if have.kind == "i" else builder.uitofp
        elif kind.bitwidth == have.bitwidth:
            return Value(kind, x.ir)
        elif kind.bitwidth < have.bitwidth:
            convert = builder.trunc
        else:
            convert = builder.sext if have.kind == "i" else builder.zext
        return Value(kind, convert(x.ir, kind.ir))
