"""Vector mathematics for numba kernels: elementary functions that LLVM vectorises, to a few ulp.

numba from PyPI has no SVML, so `math.exp` in a loop is one libm call per element (3–15 ns). The functions
here are branch-free polynomials in arithmetic, selects and bit casts, which the loop vectoriser turns into
full-width instructions (0.3–3 ns per element). A kernel calls them per scalar:

    @njit(error_model="numpy")            # the default error model branches at every division
    def kernel(x, out):
        tune()                            # full-width vectors, no overlap checks
        for i in range(x.size):
            out[i] = exp_f32(x[i])

`FUNCTIONS` lists what exists: name → arity; each name has a `_f32` and a `_f64` version. They take exactly
their own dtype: another one is a typing error of numba, so that no float64 slips into a float32 kernel.

Each function is written ONCE, as plain arithmetic on `Number`s, and read for both formats: the reading `m`
emits LLVM instructions into the kernel, so that numba has no callee to type or to cache. No fast-math flag
is set anywhere: where a product and a sum are to be fused the text says `m.fma`, so results are the same in
every kernel, and −0.0, NaN and infinities keep their meaning. Polynomials are minimax fits in relative error
(Remez), rounded to the format.

This file is copied into the kernel cache: it imports the standard library, numba and llvmlite, nothing else.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

Pair = tuple[float, float]  # a constant for float32, and for float64
Tables = tuple[tuple[float, ...], tuple[float, ...]]  # coefficients likewise, lowest power first

FUNCTIONS: dict[str, int] = {}  # name → arity of everything that has versions `name_f32` and `name_f64`


# ------------------------------------------------------------------------------------------ the reading
@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    Attributes:
        suffix: of the functions' names.
        index: of its constants in `Pair` and `Tables`.
        digits: bits stored of the significand.
        bias: the exponent field of 1.0.
        number, integer: numba's types of the values and of their bits.
        real, bits: LLVM's.
    """

    suffix: str
    index: int
    digits: int
    bias: int
    number: Any
    integer: Any
    real: Any
    bits: Any

    @property
    def one(self) -> int:
        """The bits of 1.0."""
        return self.bias << self.digits

    @property
    def magic(self) -> float:
        """1.5 · 2^digits: adding it rounds to an integer, which then stands in the lowest bits."""
        return 1.5 * 2.0**self.digits

    @property
    def magic_bits(self) -> int:
        """The bits of `magic`; the lowest bits − log₂ of them, as many as an exponent has − are zero."""
        return ((self.bias + self.digits) << self.digits) + (1 << (self.digits - 1))

    @property
    def tiny(self) -> float:
        """The smallest normal number."""
        return 2.0 ** (1 - self.bias)


FORMATS = (
    Format("f32", 0, 23, 127, types.float32, types.int32, ir.FloatType(), ir.IntType(32)),
    Format("f64", 1, 52, 1023, types.float64, types.int64, ir.DoubleType(), ir.IntType(64)),
)


class Number:
    """An LLVM value with Python's operators: a real, its bits as an integer, or a truth value."""

    __slots__ = ("ir", "m")
    __hash__ = None  # type: ignore[assignment]  # == builds a comparison

    def __init__(self, m: Reading, value: Any) -> None:
        self.m, self.ir = m, value

    def _emit(self, operation: str, other: Any, swap: bool = False) -> Number:
        a, b = self.ir, self.m.lift(other, self.ir.type)
        if isinstance(self.ir.type, ir.IntType):
            kind = {"shr": "lshr"}.get(operation, operation)
        else:
            kind = "f" + operation
        return Number(self.m, getattr(self.m.builder, kind)(*((b, a) if swap else (a, b))))

    def _compare(self, operation: str, other: Any) -> Number:
        # "!=" is true of NaN, all others are false
        kind = "fcmp_unordered" if operation == "!=" else "fcmp_ordered"
        return Number(
            self.m, getattr(self.m.builder, kind)(operation, self.ir, self.m.lift(other, self.ir.type))
        )

    def __add__(self, other: Any) -> Number:
        return self._emit("add", other)

    def __radd__(self, other: Any) -> Number:
        return self._emit("add", other, swap=True)

    def __sub__(self, other: Any) -> Number:
        return self._emit("sub", other)

    def __rsub__(self, other: Any) -> Number:
        return self._emit("sub", other, swap=True)

    def __mul__(self, other: Any) -> Number:
        return self._emit("mul", other)

    def __rmul__(self, other: Any) -> Number:
        return self._emit("mul", other, swap=True)

    def __truediv__(self, other: Any) -> Number:
        return self._emit("div", other)

    def __rtruediv__(self, other: Any) -> Number:
        return self._emit("div", other, swap=True)

    def __neg__(self) -> Number:
        return Number(self.m, self.m.builder.fneg(self.ir))

    def __and__(self, other: Any) -> Number:
        return self._emit("and_", other)

    def __or__(self, other: Any) -> Number:
        return self._emit("or_", other)

    def __xor__(self, other: Any) -> Number:
        return self._emit("xor", other)

    def __lshift__(self, other: int) -> Number:
        return self._emit("shl", other)

    def __rshift__(self, other: int) -> Number:
        return self._emit("shr", other)

    def __lt__(self, other: Any) -> Number:
        return self._compare("<", other)

    def __le__(self, other: Any) -> Number:
        return self._compare("<=", other)

    def __gt__(self, other: Any) -> Number:
        return self._compare(">", other)

    def __ge__(self, other: Any) -> Number:
        return self._compare(">=", other)

    def __eq__(self, other: Any) -> Number:  # type: ignore[override]
        return self._compare("==", other)

    def __ne__(self, other: Any) -> Number:  # type: ignore[override]
        return self._compare("!=", other)


class Reading:
    """Reads a function's text as LLVM instructions of one format."""

    def __init__(self, builder: Any, fmt: Format) -> None:
        self.builder, self.fmt = builder, fmt

    def pick(self, pair: Pair) -> float:
        """The constant of this format."""
        return pair[self.fmt.index]

    def lift(self, x: Any, kind: Any = None) -> Any:
        """A Number's LLVM value; a Python number becomes a constant of the given LLVM type."""
        return x.ir if isinstance(x, Number) else ir.Constant(kind or self.fmt.real, x)

    def call(self, name: str, *args: Any) -> Number:
        """The LLVM intrinsic `llvm.<name>` on reals, for example fma, sqrt, maximum."""
        real = self.fmt.real
        signature = ir.FunctionType(real, [real] * len(args))
        callee = self.builder.module.declare_intrinsic(f"llvm.{name}", [real], signature)
        return Number(self, self.builder.call(callee, [self.lift(a) for a in args]))

    def fma(self, x: Any, y: Any, z: Any) -> Number:
        """x·y + z, rounded once."""
        return self.call("fma", x, y, z)

    def abs(self, x: Number) -> Number:
        """|x|."""
        return self.call("fabs", x)

    def copysign(self, x: Any, sign: Number) -> Number:
        """|x| with the sign of `sign`."""
        return self.call("copysign", x, sign)

    def where(self, condition: Number, x: Any, y: Any) -> Number:
        """A select: both sides are computed."""
        kind = next((a.ir.type for a in (x, y) if isinstance(a, Number)), self.fmt.real)
        return Number(self, self.builder.select(condition.ir, self.lift(x, kind), self.lift(y, kind)))

    def at_most(self, x: Number, bound: Pair) -> Number:
        """min(x, bound); a NaN stays."""
        return self.where(x > self.pick(bound), self.pick(bound), x)

    def at_least(self, x: Number, bound: Pair) -> Number:
        """max(x, bound); a NaN stays."""
        return self.where(x < self.pick(bound), self.pick(bound), x)

    def bits(self, x: Number) -> Number:
        """The bits of a real, as an integer."""
        return Number(self, self.builder.bitcast(x.ir, self.fmt.bits))

    def real(self, bits: Number) -> Number:
        """The real that has these bits."""
        return Number(self, self.builder.bitcast(bits.ir, self.fmt.real))

    def poly(self, x: Number, tables: Tables) -> Number:
        """Σ c_k x^k by Horner's rule; iterations of a loop overlap, so its latency is hidden."""
        *rest, below, top = tables[self.fmt.index]
        value = self.fma(top, x, below)
        for c in reversed(rest):
            value = self.fma(value, x, c)
        return value


Body = Callable[..., Number]


def _emitter(name: str, body: Body, fmt: Format, kinds: list[Any]) -> Callable[..., Any]:
    """What numba calls to emit code: one always-inlined LLVM function per module, however often used."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        label = f"adjoint.{name}.{fmt.suffix}"
        function = builder.module.globals.get(label)
        if function is None:
            kind = ir.FunctionType(context.get_value_type(signature.return_type), kinds)
            function = ir.Function(builder.module, kind, label)
            function.linkage = "internal"
            function.attributes.add("alwaysinline")
            inner = ir.IRBuilder(function.append_basic_block())
            m = Reading(inner, fmt)
            inner.ret(body(m, *(Number(m, a) for a in function.args)).ir)
        return builder.call(function, args)

    return generate


def _publish(name: str, body: Body, arity: int, fmt: Format, operand: Any, result: Any) -> None:
    """Make `name_<suffix>` of this module: a numba intrinsic operand^arity → result."""
    kind = {id(fmt.number): fmt.real, id(fmt.integer): fmt.bits}[id(operand)]
    generate = _emitter(name, body, fmt, [kind] * arity)
    signature = result(*[operand] * arity)

    def unary(typing: Any, x: Any) -> Any:
        return (signature, generate) if x == operand else None

    def binary(typing: Any, x: Any, y: Any) -> Any:
        return (signature, generate) if x == operand and y == operand else None

    define: Any = unary if arity == 1 else binary
    define.__name__ = define.__qualname__ = f"{name}_{fmt.suffix}"
    define.__doc__ = body.__doc__
    globals()[define.__name__] = intrinsic(define)


def function(body: Body) -> Body:
    """Enter a function: written once, published for every format and listed in FUNCTIONS."""
    name = body.__name__.rstrip("_")
    FUNCTIONS[name] = len(inspect.signature(body).parameters) - 1
    for fmt in FORMATS:
        _publish(name, body, FUNCTIONS[name], fmt, fmt.number, fmt.number)
    return body


def tool(body: Body) -> Body:
    """Publish what kernels need beside functions; not listed in FUNCTIONS."""
    for fmt in FORMATS:
        _publish(
            body.__name__, body, len(inspect.signature(body).parameters) - 1, fmt, fmt.number, fmt.number
        )
    return body


# ------------------------------------------------------------------------------------------ what kernels need
@intrinsic
def tune(typing: Any) -> Any:
    """Set the enclosing kernel's LLVM attributes; call it first, with no arguments.

    Full-width vectors: LLVM prefers 256 bits on most processors with AVX-512. Not inlined: an inlined body
    takes its caller's attributes. Pointer arguments do not alias: no run-time overlap checks; an output may
    be the very same array as an input (elements are read before they are written), not a shifted view of it.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kernel = builder.function
        # llvmlite checks names against LLVM's own attributes; set.add gets a string attribute past that
        set.add(kernel.attributes, '"prefer-vector-width"="512"')
        kernel.attributes.discard("alwaysinline")
        kernel.attributes.add("noinline")
        for argument in kernel.args:
            if isinstance(argument.type, ir.PointerType):
                argument.add_attribute("noalias")
        return context.get_dummy_value()

    return types.none(), generate


@tool
def add_reassoc(m: Reading, x: Number, y: Number) -> Number:
    """x + y that LLVM may reassociate: the one licence a vectorised sum needs."""
    return Number(m, m.builder.fadd(x.ir, y.ir, flags=("reassoc",)))


def _bits(m: Reading, x: Number) -> Number:
    """The bits of a real as an integer."""
    return m.bits(x)


def _real(m: Reading, x: Number) -> Number:
    """The real with these bits."""
    return m.real(x)


for _fmt in FORMATS:
    _publish("bits", _bits, 1, _fmt, _fmt.number, _fmt.integer)
    _publish("real", _real, 1, _fmt, _fmt.integer, _fmt.number)


@function
def maximum(m: Reading, x: Number, y: Number) -> Number:
    """The larger; NaN if either is. As a reduction it vectorises, which `if y > x` does not."""
    return m.call("maximum", x, y)


@function
def minimum(m: Reading, x: Number, y: Number) -> Number:
    """The smaller; NaN if either is."""
    return m.call("minimum", x, y)


@function
def sqrt(m: Reading, x: Number) -> Number:
    """√x, correctly rounded."""
    return m.call("sqrt", x)


# ------------------------------------------------------------------------------------------ exponentials
LOG2E = (1.4426950408889634, 1.4426950408889634)
LN2_HI = (0.6931471824645996, 0.6931471805599453)  # ln 2 rounded to the format,
LN2_LO = (-1.904654290582768e-09, 2.3190468138462996e-17)  # and what is missing
EXP = (  # (eʳ − 1 − r)/r² on |r| ≤ ½ ln 2
    (0.49999994, 0.16666521, 0.04166839, 0.008368723, 0.0013814603),
    (0.5000000000000011, 0.16666666666666413, 0.04166666666653005, 0.008333333333494555,
     0.0013888888943662733, 0.00019841269506446388, 2.4801493061614664e-05, 2.755758642499856e-06,
     2.763026278430373e-07, 2.50000676326812e-08),
)  # fmt: skip


def _reduced_exp(m: Reading, x: Number, rest: Number | None = None) -> tuple[Number, Number]:
    """(t, p) with e^(x + rest) = 2ⁿ(1 + p), |p| < 0.42, n in the lowest bits of t; |x| < 2^11."""
    t = m.fma(x, m.pick(LOG2E), m.fmt.magic)
    n = t - m.fmt.magic
    # x − n·hi is exact: both are multiples of the last bit of hi, and the difference is below ½
    r = m.fma(n, -m.pick(LN2_LO), m.fma(n, -m.pick(LN2_HI), x))
    if rest is not None:
        r = r + rest
    return t, m.fma(r * r, m.poly(r, EXP), r)


def _power_of_two(m: Reading, t: Number, shift: int) -> Number:
    """2^(n + shift), with n in the lowest bits of t; the exponent must be a normal number's."""
    # the shift drops everything of t but n
    return m.real((m.bits(t) << m.fmt.digits) + ((m.fmt.bias + shift) << m.fmt.digits))


def _scaled(m: Reading, p: Number, t: Number) -> Number:
    """p · 2ⁿ in two steps, as 2ⁿ may lie outside the range: overflow and denormals come out right."""
    n = m.bits(t) - (m.fmt.magic_bits - 2 * m.fmt.bias)  # plus twice the bias: never negative
    half = n >> 1
    return p * m.real(half << m.fmt.digits) * m.real((n - half) << m.fmt.digits)


@function
def exp(m: Reading, x: Number) -> Number:
    """eˣ."""
    y = m.at_least(m.at_most(x, (89.0, 710.0)), (-104.0, -746.0))
    t, p = _reduced_exp(m, y)
    return _scaled(m, 1.0 + p, t)


def _expm1_fraction(m: Reading, x: Number, shift: int) -> Number:
    """(eˣ − 1) · 2^shift."""
    t, p = _reduced_exp(m, x)
    scale = _power_of_two(m, t, shift)
    return m.fma(scale, p, scale - 2.0**shift)


@function
def expm1(m: Reading, x: Number) -> Number:
    """eˣ − 1."""
    y = m.at_least(m.at_most(x, (89.0, 710.0)), (-18.0, -40.0))
    half = _expm1_fraction(m, y, -1)  # halved: 2ⁿ overflows before eˣ does
    # keeps the sign of zero and all bits of a denormal
    return m.where(m.abs(x) < 2.0**-54, x, half + half)


@function
def tanh(m: Reading, x: Number) -> Number:
    """Hyperbolic tangent, as h/(h + 1) with h = (e^(2|x|) − 1)/2."""
    y = m.at_most(m.abs(x), (9.2, 20.0))
    h = _expm1_fraction(m, y + y, -1)
    return m.copysign(h / (h + 1.0), x)


def _exp_negative(m: Reading, x: Number) -> Number:
    """eˣ for x ≤ 0."""
    t, p = _reduced_exp(m, m.at_least(x, (-104.0, -746.0)))
    return _scaled(m, 1.0 + p, t)


@function
def expit(m: Reading, x: Number) -> Number:
    """1/(1 + e⁻ˣ), as e^−|x|/(1 + e^−|x|) for x < 0, which keeps its digits down to the denormals."""
    e = _exp_negative(m, -m.abs(x))
    return m.where(x < 0.0, e, 1.0) / (1.0 + e)


# ------------------------------------------------------------------------------------------ logarithms
SQRT_HALF = (0x3F3504F3, 0x3FE6A09E667F3BCD)  # bits
LOG = (  # (log((1 + s)/(1 − s)) − 2s)/s³ in s², on s ≤ (√2 − 1)/(√2 + 1)
    (0.6666666, 0.40000334, 0.28537294, 0.23582424),
    (0.6666666666666734, 0.39999999999413965, 0.285714287425625, 0.22222198553752331, 0.18183565408543229,
     0.15314021100002165, 0.14796261193401508),
)  # fmt: skip


def _split(m: Reading, x: Number) -> tuple[Number, Number, Number]:
    """(f, k, e): x = (1 + f) · 2ᵏ, √½ ≤ 1 + f < √2, for a normal x > 0; e is k + bias as an integer."""
    digits, base = m.fmt.digits, int(m.pick(SQRT_HALF))
    i = m.bits(x) - base
    e = (i + m.fmt.one) >> digits  # biased, for the sake of a logical shift: AVX2 has no other of 64 bits
    k = m.real(e + m.fmt.magic_bits) - (m.fmt.magic + m.fmt.bias)
    f = m.real((i & ((1 << digits) - 1)) + base) - 1.0
    return f, k, e


def _log_of(m: Reading, f: Number, k: Number) -> Number:
    """log((1 + f) · 2^k)."""
    s = f / (f + 2.0)
    z = s * s
    half_square = 0.5 * f * f
    low = m.fma(s, half_square + z * m.poly(z, LOG), k * m.pick(LN2_LO))
    return m.fma(k, m.pick(LN2_HI), f - (half_square - low))


def _normal(m: Reading, x: Number) -> tuple[Number, Number]:
    """(y, lift): y = x · 2^lift is normal, for x > 0."""
    small = x < m.fmt.tiny
    return m.where(small, x * 2.0**54, x), m.where(small, 54.0, 0.0)


def _log_edges(m: Reading, x: Number, value: Number) -> Number:
    """`value` for 0 < x < ∞; what a logarithm is elsewhere."""
    return m.where(x > 0.0, m.where(x < math.inf, value, x), m.where(x == 0.0, -math.inf, math.nan))


@function
def log(m: Reading, x: Number) -> Number:
    """Natural logarithm; −∞ at 0, NaN below."""
    y, lift = _normal(m, x)
    f, k, _ = _split(m, y)
    return _log_edges(m, x, _log_of(m, f, k - lift))


def _log1p_of(m: Reading, x: Number) -> Number:
    """log(1 + x) for −1 < x < ∞."""
    t = 1.0 + x
    lost = x - (t - 1.0)  # exactly, as far as it matters (t < 2^digits)
    f, k, e = _split(m, t)
    # times 2⁻ᵏ, in two factors: for the largest t the power alone would leave the range of exponents
    return _log_of(m, f + 0.5 * lost * m.real((2 * m.fmt.bias + 1 - e) << m.fmt.digits), k)


@function
def log1p(m: Reading, x: Number) -> Number:
    """log(1 + x); −∞ at −1, NaN below."""
    value = m.where(m.abs(x) < 2.0**-54, x, _log1p_of(m, x))
    return m.where(x > -1.0, m.where(x < math.inf, value, x), m.where(x == -1.0, -math.inf, math.nan))


@function
def log_expit(m: Reading, x: Number) -> Number:
    """log(1/(1 + e⁻ˣ)) = min(x, 0) − log(1 + e^−|x|)."""
    return m.where(x > 0.0, -0.0, x) - _log1p_of(m, _exp_negative(m, -m.abs(x)))


@function
def logaddexp(m: Reading, x: Number, y: Number) -> Number:
    """log(eˣ + eʸ), to a few ulp of max(|x|, |y|, |result|): near its zeros digits cancel, as in NumPy."""
    gap = m.where(x == y, 0.0, m.abs(x - y))  # also of two equal infinities
    return m.where(x > y, x, y) + _log1p_of(m, _exp_negative(m, -gap))
