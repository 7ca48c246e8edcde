"""Vector mathematics for numba kernels: elementary functions that LLVM vectorises, to a few ulp.

Errors stay below 3.2 ulp over the whole range (exp, log, power, cbrt, hypot near 1; the gamma function's
relatives below 6, for x > 0; logaddexp as its docstring says), `bench/vmath.py` has the list; zeros,
denormals, infinities and NaN come out as in NumPy. Processors without fused multiply-add get the same numbers
from the C library's `fma`, slowly.

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

import functools
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import binding, ir  # type: ignore[import-untyped]

from .entries import intrinsic, types

Pair = tuple[float, float]  # a constant for float32, and for float64
Tables = tuple[tuple[float, ...], tuple[float, ...]]  # coefficients likewise, lowest power first

FUNCTIONS: dict[str, int] = {}  # name → arity of everything that has versions `name_f32` and `name_f64`


# -------------------------------------------------------------------------------- the reading
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
    def bytes(self) -> int:
        """The size of one value."""
        return int(self.bits.width) // 8

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
        kind = "f" + operation if self.ir.type == self.m.real_type else operation
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

    def __invert__(self) -> Number:
        return Number(self.m, self.m.builder.not_(self.ir))

    def __lshift__(self, other: int) -> Number:
        return self._emit("shl", other)

    def __rshift__(self, other: int) -> Number:
        return self._emit("lshr", other)

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


def _widened(kind: Any, width: int) -> Any:
    return ir.VectorType(kind, width) if width > 1 else kind


class Reading:
    """Reads a function's text as LLVM instructions of one format: on scalars, or on vectors of some width."""

    def __init__(self, builder: Any, fmt: Format, width: int = 1) -> None:
        self.builder, self.fmt, self.width = builder, fmt, width
        self.real_type, self.bits_type = _widened(fmt.real, width), _widened(fmt.bits, width)
        self.mangled = (f"v{width}" if width > 1 else "") + fmt.suffix

    def pick(self, pair: Pair) -> float:
        """The constant of this format."""
        return pair[self.fmt.index]

    def lift(self, x: Any, kind: Any = None) -> Any:
        """A Number's LLVM value; a Python number becomes a constant of the given LLVM type."""
        if isinstance(x, Number):
            return x.ir
        return ir.Constant(kind or self.real_type, [x] * self.width if self.width > 1 else x)

    def number(self, x: float) -> Number:
        """A constant as a Number."""
        return Number(self, self.lift(x))

    def call(self, name: str, *args: Any) -> Number:
        """The LLVM intrinsic `llvm.<name>` on reals, for example fma, sqrt, maximum."""
        callee = _declared(
            self.builder.module, f"llvm.{name}.{self.mangled}", self.real_type, [self.real_type] * len(args)
        )
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
        kind = next((a.ir.type for a in (x, y) if isinstance(a, Number)), self.real_type)
        return Number(self, self.builder.select(condition.ir, self.lift(x, kind), self.lift(y, kind)))

    def at_most(self, x: Number, bound: Pair) -> Number:
        """min(x, bound); a NaN stays."""
        return self.where(x > self.pick(bound), self.pick(bound), x)

    def at_least(self, x: Number, bound: Pair) -> Number:
        """max(x, bound); a NaN stays."""
        return self.where(x < self.pick(bound), self.pick(bound), x)

    def bits(self, x: Number) -> Number:
        """The bits of a real, as an integer."""
        return Number(self, self.builder.bitcast(x.ir, self.bits_type))

    def real(self, bits: Number) -> Number:
        """The real that has these bits."""
        return Number(self, self.builder.bitcast(bits.ir, self.real_type))

    def poly(self, x: Number, tables: Tables) -> Number:
        """Σ c_k x^k by Horner's rule; iterations of a loop overlap, so its latency is hidden."""
        *rest, below, top = tables[self.fmt.index]
        value = self.fma(top, x, below)
        for c in reversed(rest):
            value = self.fma(value, x, c)
        return value


def _declared(module: Any, name: str, result: Any, operands: list[Any]) -> Any:
    """An external function of the module, declared at its first use."""
    known = module.globals.get(name)
    return known or ir.Function(module, ir.FunctionType(result, operands), name)


Body = Callable[..., Number]


def _inliner(body: Body, fmt: Format, kinds: list[Any]) -> Callable[..., Any]:
    """What numba calls to emit code: one always-inlined LLVM function per module, however often used."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        label = f"adjoint_{body.__name__}_{fmt.suffix}"
        function = builder.module.globals.get(label)
        if function is None:
            kind = ir.FunctionType(context.get_value_type(signature.return_type), kinds)
            function = ir.Function(builder.module, kind, label)
            function.linkage = "internal"
            function.attributes.add("alwaysinline")
            m = Reading(ir.IRBuilder(function.append_basic_block()), fmt)
            m.builder.ret(body(m, *(Number(m, a) for a in function.args)).ir)
        return builder.call(function, args)

    return generate


def _export(body: Body, fmt: Format, signature: Any, generate: Callable[..., Any]) -> None:
    """Make `name_<suffix>` of this module: a numba intrinsic that takes exactly the signature's types."""

    def unary(typing: Any, x: Any) -> Any:
        return (signature, generate) if (x,) == signature.args else None

    def binary(typing: Any, x: Any, y: Any) -> Any:
        return (signature, generate) if (x, y) == signature.args else None

    define: Any = unary if len(signature.args) == 1 else binary
    define.__name__ = define.__qualname__ = f"{body.__name__}_{fmt.suffix}"
    define.__doc__ = body.__doc__
    globals()[define.__name__] = intrinsic(define)


def tool(body: Body) -> Body:
    """Publish a body of reals for every format."""
    for fmt in FORMATS:
        arity = len(inspect.signature(body).parameters) - 1
        generate = _inliner(body, fmt, [fmt.real] * arity)
        _export(body, fmt, fmt.number(*[fmt.number] * arity), generate)
    return body


def function(body: Body) -> Body:
    """Publish a body for every format and list it in FUNCTIONS."""
    FUNCTIONS[body.__name__] = len(inspect.signature(body).parameters) - 1
    return tool(body)


# A call of the C library per element keeps a loop from vectorising, even if hardly any element needs it. So
# a function that has to fall back on it is not inlined: it exists for vectors too, of which LLVM's vectoriser
# is told, and all versions ask first whether ANY of their elements needs the library.
@functools.cache
def _widths() -> tuple[int, ...]:
    """Elements per vector: a full register of float64, and of float32."""
    features = binding.get_host_cpu_features()
    register = 64 if features.get("avx512f") else 32 if features.get("avx") else 16
    return tuple(register // fmt.bytes for fmt in reversed(FORMATS))


def _any(m: Reading, truth: Number) -> Any:
    """Whether any element is true, as LLVM's truth value."""
    if m.width == 1:
        return truth.ir
    bit = ir.IntType(1)
    reduce = _declared(m.builder.module, f"llvm.vector.reduce.or.v{m.width}i1", bit, [truth.ir.type])
    return m.builder.call(reduce, [truth.ir])


def _from_library(m: Reading, name: str, x: Number) -> Number:
    """The C library's function of every element."""
    real = m.fmt.real
    callee = _declared(m.builder.module, name + ("f" if real == ir.FloatType() else ""), real, [real])
    if m.width == 1:
        return Number(m, m.builder.call(callee, [x.ir]))
    result = ir.Constant(m.real_type, ir.Undefined)
    for k in range(m.width):
        at = ir.Constant(ir.IntType(32), k)
        value = m.builder.call(callee, [m.builder.extract_element(x.ir, at)])
        result = m.builder.insert_element(result, value, at)
    return Number(m, result)


@dataclass(frozen=True)
class Fallback:
    """A body of one operand that leaves some elements to the C library.

    Attributes:
        body: holds where `outside` is false.
        library: the name of the C library's function.
        outside: operand → which elements need it.
    """

    body: Body
    library: str
    outside: Body


def _outlined(module: Any, name: str, how: Fallback, fmt: Format, width: int) -> Any:
    """The function on vectors of a width: the body, or the C library's if any element needs that."""
    kind = _widened(fmt.real, width)
    function = ir.Function(module, ir.FunctionType(kind, [kind]), name)
    function.linkage = "internal"
    for attribute in ("noinline", "nounwind", "readnone"):
        function.attributes.add(attribute)
    set.add(function.attributes, "willreturn")
    m = Reading(ir.IRBuilder(function.append_basic_block()), fmt, width)
    x = Number(m, function.args[0])
    value, outside = how.body(m, x), how.outside(m, x)
    with m.builder.if_then(_any(m, outside), likely=False):
        # only these elements: no result depends on what else is in its vector
        m.builder.ret(m.where(outside, _from_library(m, how.library, x), value).ir)
    m.builder.ret(value.ir)
    return function


def _keep(module: Any, functions: list[Any]) -> None:
    """Keep functions that nothing calls yet until the vectoriser has seen them."""
    pointer = ir.IntType(8).as_pointer()
    name = "llvm.compiler.used"
    used = module.globals.get(name)
    kept = [*(used.initializer.constant if used else ()), *(f.bitcast(pointer) for f in functions)]
    kind = ir.ArrayType(pointer, len(kept))
    if used is None:
        used = ir.GlobalVariable(module, kind, name)
        used.linkage, used.section = "appending", "llvm.metadata"
    used.value_type, used.type = kind, kind.as_pointer()
    used.initializer = ir.Constant(kind, kept)


def _outliner(how: Fallback, fmt: Format) -> Callable[..., Any]:
    """What numba calls to emit a call of a function that has vector versions."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        label = f"adjoint_{how.body.__name__}_{fmt.suffix}"
        function = builder.module.globals.get(label)
        if function is None:
            module = builder.module
            function = _outlined(module, label, how, fmt, 1)
            versions = {w: _outlined(module, f"{label}_{w}", how, fmt, w) for w in _widths()}
            variants = ",".join(f"_ZGV_LLVM_N{w}v_{label}({v.name})" for w, v in versions.items())
            set.add(function.attributes, f'"vector-function-abi-variant"="{variants}"')
            _keep(module, list(versions.values()))
        return builder.call(function, args)

    return generate


def with_library(library: str, outside: Body) -> Callable[[Body], Body]:
    """Publish and list a function of one operand that leaves the elements `outside` to the C library."""

    def enter(body: Body) -> Body:
        FUNCTIONS[body.__name__] = 1
        for fmt in FORMATS:
            _export(body, fmt, fmt.number(fmt.number), _outliner(Fallback(body, library, outside), fmt))
        return body

    return enter


# -------------------------------------------------------------------------------- what kernels need
@intrinsic
def tune(typing: Any) -> Any:
    """Set the enclosing kernel's LLVM attributes; call it first, with no arguments.

    Full-width vectors: LLVM prefers 256 bits on most processors with AVX-512, where 512 are 1.3 to 1.6 times
    faster (Zen 4, exp to power). Not inlined: an inlined body takes its caller's attributes. Pointers do not
    alias: no run-time overlap checks; an output may be the very same array as an input (elements are read
    before they are written), not a shifted view of it.
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


def bits(m: Reading, x: Number) -> Number:
    """The bits of a real as an integer."""
    return m.bits(x)


def real(m: Reading, x: Number) -> Number:
    """The real with these bits."""
    return m.real(x)


for _fmt in FORMATS:
    _export(bits, _fmt, _fmt.integer(_fmt.number), _inliner(bits, _fmt, [_fmt.real]))
    _export(real, _fmt, _fmt.number(_fmt.integer), _inliner(real, _fmt, [_fmt.bits]))


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


# -------------------------------------------------------------------------------- exponentials
LOG2E = (1.4426950408889634, 1.4426950408889634)
LN2_HI = (0.6931471824645996, 0.6931471805599453)  # ln 2 rounded to the format,
LN2_LO = (-1.9046542121259336e-09, 2.3190468138462996e-17)  # and what is missing
EXP = (  # (eʳ − 1 − r)/r² on |r| ≤ ½ ln 2
    (0.49999994, 0.16666521, 0.04166839, 0.008368723, 0.0013814603),
    (0.5000000000000011, 0.16666666666666413, 0.04166666666653005, 0.008333333333494555,
     0.0013888888943662733, 0.00019841269506446388, 2.4801493061614664e-05, 2.755758642499856e-06,
     2.763026278430373e-07, 2.50000676326812e-08),
)  # fmt: skip


def _expm1_small(m: Reading, r: Number) -> Number:
    """eʳ − 1 for |r| ≤ ½ ln 2."""
    return m.fma(r * r, m.poly(r, EXP), r)


def _reduced_exp(m: Reading, x: Number, rest: Number | None = None) -> tuple[Number, Number]:
    """(t, p) with e^(x + rest) = 2ⁿ(1 + p), |p| < 0.42, n in the lowest bits of t; |x| < 2^11."""
    t = m.fma(x, m.pick(LOG2E), m.fmt.magic)
    n = t - m.fmt.magic
    # x − n·hi is exact: both are multiples of the last bit of hi, and the difference is below ½
    r = m.fma(n, -m.pick(LN2_LO), m.fma(n, -m.pick(LN2_HI), x))
    return t, _expm1_small(m, r if rest is None else r + rest)


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
def exp2(m: Reading, x: Number) -> Number:
    """2ˣ."""
    return _exp2_clamped(m, m.at_least(m.at_most(x, (130.0, 1030.0)), (-152.0, -1080.0)))


def _exp2_clamped(m: Reading, x: Number) -> Number:
    t = x + m.fmt.magic
    return _scaled(m, 1.0 + _expm1_small(m, (x - (t - m.fmt.magic)) * m.pick(LN2_HI)), t)


@function
def sinh(m: Reading, x: Number) -> Number:
    """Hyperbolic sine, as h + h/(2h + 1) with h = (e^|x| − 1)/2."""
    y = m.at_most(m.abs(x), (89.5, 710.5))
    q = _expm1_fraction(m, y, -2)  # h/2: e^|x| overflows before sinh does
    value = q + q / m.fma(4.0, q, 1.0)
    return m.where(m.abs(x) < 2.0**-54, x, m.copysign(value + value, x))


@function
def cosh(m: Reading, x: Number) -> Number:
    """Hyperbolic cosine, as 2q + 1/8q with q = e^|x|/4."""
    t, p = _reduced_exp(m, m.at_most(m.abs(x), (89.5, 710.5)))
    scale = _power_of_two(m, t, -2)
    q = m.fma(scale, p, scale)
    return m.fma(2.0, q, 0.125 / q)


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


# -------------------------------------------------------------------------------- logarithms
SQRT_HALF = (0x3F3504F3, 0x3FE6A09E667F3BCD)  # bits
LOG = (  # (log((1 + s)/(1 − s)) − 2s)/s³ in s², on s ≤ (√2 − 1)/(√2 + 1)
    (0.6666666, 0.40000334, 0.28537294, 0.23582424),
    (0.6666666666666734, 0.39999999999413965, 0.285714287425625, 0.22222198553752331, 0.18183565408543229,
     0.15314021100002165, 0.14796261193401508),
)  # fmt: skip


def _split(m: Reading, x: Number, lift: Any = 0.0) -> tuple[Number, Number, Number]:
    """(f, k, e): x = (1 + f) · 2^(k + lift), √½ ≤ 1 + f < √2, x > 0 normal; e = k + lift + bias, integer."""
    digits, base = m.fmt.digits, int(m.pick(SQRT_HALF))
    i = m.bits(x) - base
    e = (i + m.fmt.one) >> digits  # biased, for the sake of a logical shift: AVX2 has no other of 64 bits
    k = m.real(e + m.fmt.magic_bits) - (lift + (m.fmt.magic + m.fmt.bias))
    f = m.real((i & ((1 << digits) - 1)) + base) - 1.0
    return f, k, e


def _log_of(m: Reading, f: Number, k: Any = 0.0) -> Number:
    """log((1 + f) · 2^k)."""
    s = f / (f + 2.0)
    z = s * s
    half_square = 0.5 * f * f
    low = m.fma(s, m.fma(z, m.poly(z, LOG), half_square), k * m.pick(LN2_LO))
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
    f, k, _ = _split(m, *_normal(m, x))
    return _log_edges(m, x, _log_of(m, f, k))


def _log1p_of(m: Reading, x: Number) -> Number:
    """log(1 + x) for −1 < x < ∞."""
    t = 1.0 + x
    lost = x - (t - 1.0)  # exactly, as far as it matters (t < 2^digits)
    f, k, e = _split(m, t)
    # times 2⁻ᵏ, in two factors: for the largest t the power alone would leave the range of exponents
    scale = m.real((2 * m.fmt.bias + 1 - e) << m.fmt.digits)
    return _log_of(m, m.fma(0.5 * lost, scale, f), k)


@function
def log1p(m: Reading, x: Number) -> Number:
    """log(1 + x); −∞ at −1, NaN below."""
    value = m.where(m.abs(x) < 2.0**-54, x, _log1p_of(m, x))
    return m.where(x > -1.0, m.where(x < math.inf, value, x), m.where(x == -1.0, -math.inf, math.nan))


@function
def log_expit(m: Reading, x: Number) -> Number:
    """log(1/(1 + e⁻ˣ)) = min(x, 0) − log(1 + e^−|x|)."""
    return m.where(x > 0.0, -0.0, x) - _log1p_of(m, _exp_negative(m, -m.abs(x)))


LOG2E_LO = (1.925963033500011e-08, 2.0355273740931033e-17)
LOG10E = (0.4342944920063019, 0.4342944819032518)
LOG10E_LO = (-1.0103049952192578e-08, 1.098319650216765e-17)
LOG10_2 = (0.3010300099849701, 0.3010299956639812)
LOG10_2_LO = (-1.432098883924482e-08, -2.8037281277851704e-18)


@function
def log2(m: Reading, x: Number) -> Number:
    """Logarithm to base 2, exact at its powers."""
    f, k, _ = _split(m, *_normal(m, x))
    part = _log_of(m, f)
    return _log_edges(m, x, m.fma(part, m.pick(LOG2E), m.fma(part, m.pick(LOG2E_LO), k)))


@function
def log10(m: Reading, x: Number) -> Number:
    """Logarithm to base 10."""
    f, k, _ = _split(m, *_normal(m, x))
    part = _log_of(m, f)
    low = m.fma(k, m.pick(LOG10_2_LO), part * m.pick(LOG10E_LO))
    return _log_edges(m, x, m.fma(k, m.pick(LOG10_2), m.fma(part, m.pick(LOG10E), low)))


@function
def logaddexp(m: Reading, x: Number, y: Number) -> Number:
    """log(eˣ + eʸ), to a few ulp of max(|x|, |y|, |result|): near its zeros digits cancel, as in NumPy."""
    gap = m.where(x == y, 0.0, m.abs(x - y))  # also of two equal infinities
    return m.where(x > y, x, y) + _log1p_of(m, _exp_negative(m, -gap))


@function
def logaddexp2(m: Reading, x: Number, y: Number) -> Number:
    """log₂(2ˣ + 2ʸ); accuracy as logaddexp's."""
    gap = m.where(x == y, 0.0, m.abs(x - y))
    part = _log1p_of(m, _exp2_clamped(m, m.at_least(-gap, (-152.0, -1080.0))))
    return m.where(x > y, x, y) + part * m.pick(LOG2E)


# -------------------------------------------------------------------------------- inverse hyperbolic
def _log_of_sum(m: Reading, big: Number, x: Number, w: Number) -> Number:
    """log(1 + w), or where `big` log(2x)."""
    return _log1p_of(m, m.where(big, x, w)) + m.where(big, m.pick(LN2_HI), 0.0)


@function
def arcsinh(m: Reading, x: Number) -> Number:
    """log(x + √(x² + 1))."""
    a = m.abs(x)
    square = a * a
    w = a + square / (1.0 + sqrt(m, 1.0 + square))
    value = m.where(a < 2.0**-54, a, _log_of_sum(m, a > 2.0**60, a, w))
    return m.copysign(m.where(a < math.inf, value, a), x)


@function
def arccosh(m: Reading, x: Number) -> Number:
    """log(x + √(x² − 1)); NaN below 1."""
    t = x - 1.0
    value = _log_of_sum(m, x > 2.0**60, x, t + sqrt(m, m.fma(t, t, 2.0 * t)))
    return m.where(x < math.inf, m.where(x < 1.0, math.nan, value), x)


@function
def arctanh(m: Reading, x: Number) -> Number:
    """½ log((1 + x)/(1 − x)); infinite at ±1, NaN beyond."""
    a = m.abs(x)
    value = m.where(a < 2.0**-54, a, 0.5 * log1p(m, (a + a) / (1.0 - a)))
    return m.copysign(value, x)


# -------------------------------------------------------------------------------- powers and roots
TWO_THIRDS = (0.6666666865348816, 0.6666666666666666)
TWO_THIRDS_LO = (-1.9868215517249155e-08, 3.700743415417188e-17)
LOG_TAIL = (  # (log((1 + s)/(1 − s)) − 2s − ⅔s³)/s⁵ in s²
    (0.40000153, 0.28547123, 0.23418826),
    (0.3999999999999998, 0.28571428571445123, 0.22222222217533563, 0.18181818870669775,
     0.15384556846788794, 0.13336318350957707, 0.11674799563575944, 0.11989171221783439),
)  # fmt: skip


def _fast_two_sum(a: Number, b: Number) -> tuple[Number, Number]:
    """(s, e): s = a + b rounded, s + e = a + b exactly; |a| ≥ |b| or a = 0."""
    s = a + b
    return s, b - (s - a)


def _two_product(m: Reading, a: Number, b: Any) -> tuple[Number, Number]:
    """(p, e): p = a·b rounded, p + e = a·b exactly."""
    p = a * b
    return p, m.fma(a, b, -p)


def _long_log(m: Reading, x: Number, lift: Number) -> tuple[Number, Number]:
    """log(x · 2^−lift) as an unevaluated sum with about 10 bits more than the format has; x normal.

    With s = f/(2 + f): 2s + s³(⅔ + s²·tail), all but the tail in sums of two numbers.
    """
    f, k, _ = _split(m, x, lift)
    d = f + 2.0
    inverse = 1.0 / d
    s = f * inverse
    s_low = m.fma(-s, f - (d - 2.0), m.fma(-s, d, f)) * inverse
    z, z_low = _two_product(m, s, s)
    z_low = m.fma(2.0 * s, s_low, z_low)
    q, q_low = _fast_two_sum(m.number(m.pick(TWO_THIRDS)), z * m.poly(z, LOG_TAIL))
    q_low = q_low + m.pick(TWO_THIRDS_LO)
    cube, cube_low = _two_product(m, s, z)
    cube_low = cube_low + m.fma(s, z_low, s_low * z)
    u, u_low = _two_product(m, cube, q)
    u_low = u_low + m.fma(cube, q_low, cube_low * q)
    part, part_low = _fast_two_sum(2.0 * s, u)
    whole, whole_low = _two_product(m, k, m.pick(LN2_HI))
    high, low = _fast_two_sum(whole, part)
    low = low + m.fma(k, m.pick(LN2_LO), whole_low) + m.fma(2.0, s_low, part_low + u_low)
    return _fast_two_sum(high, low)


@function
def power(m: Reading, x: Number, y: Number) -> Number:
    """xʸ = e^(y log x), with y log x as a sum of two numbers; signs, zeros and infinities as C has them."""
    a = m.abs(x)
    log_high, log_low = _long_log(m, *_normal(m, a))
    log_high = m.where(a > 0.0, m.where(a < math.inf, log_high, a), m.where(a == 0.0, -math.inf, a))
    # as decisive as ±∞, and its products with 0 are 0
    exponent = m.at_least(m.at_most(y, (1e30, 1e290)), (-1e30, -1e290))
    high, low = _two_product(m, log_high, exponent)
    bounded = m.at_least(m.at_most(high, (100.0, 720.0)), (-110.0, -760.0))
    low = m.where(high == bounded, m.fma(log_low, exponent, low), 0.0)
    t, p = _reduced_exp(m, bounded, low)
    value = _scaled(m, 1.0 + p, t)
    half = 0.5 * y
    whole = m.call("trunc", y) == y
    odd = whole & (m.call("trunc", half) != half)
    value = m.where(odd & (m.copysign(1.0, x) < 0.0), -value, value)
    value = m.where((x < 0.0) & (x > -math.inf) & (y == y) & ~whole, math.nan, value)
    return m.where((y == 0.0) | (x == 1.0), 1.0, value)


CBRT = (  # a first guess on ⅓ < a < 2.83, to 0.5 and 0.2 %
    (0.48202902, 0.729025, -0.24496242, 0.037000783),
    (0.4435676015553302, 0.8983604475791034, -0.47384975341378377, 0.1533056354965133, -0.019547358692584206),
)  # fmt: skip


@function
def cbrt(m: Reading, x: Number) -> Number:
    """∛x, by Halley's iteration on the significand."""
    magnitude = m.abs(x)
    f, k, _ = _split(m, *_normal(m, magnitude))
    t = m.fma(k, 1 / 3, m.fmt.magic)
    rest = m.fma(t - m.fmt.magic, -3.0, k)
    a = (1.0 + f) * m.where(rest > 0.0, 2.0, m.where(rest < 0.0, 0.5, 1.0))
    root = m.poly(a, CBRT)
    for _ in range(2):  # the error becomes ⅔ of its cube
        square = root * root
        root = root - root * m.fma(square, root, -a) / m.fma(2.0 * square, root, a)
    value = m.copysign(root * _power_of_two(m, t, 0), x)
    return m.where((magnitude > 0.0) & (magnitude < math.inf), value, x)


@function
def hypot(m: Reading, x: Number, y: Number) -> Number:
    """√(x² + y²), scaled so that squares neither overflow nor vanish; infinite if either is."""
    a, b = m.abs(x), m.abs(y)
    a, b = m.where(a < b, b, a), m.where(a < b, a, b)
    huge, small = a > m.pick((2.0**60, 2.0**500)), a < m.pick((2.0**-60, 2.0**-500))
    down, up = m.pick((2.0**-70, 2.0**-600)), m.pick((2.0**100, 2.0**700))
    scale = m.where(huge, down, m.where(small, up, 1.0))
    back = m.where(huge, 1 / down, m.where(small, 1 / up, 1.0))
    a, b = a * scale, b * scale
    value = sqrt(m, m.fma(a, a, b * b)) * back
    return m.where((m.abs(x) == math.inf) | (m.abs(y) == math.inf), math.inf, value)


# -------------------------------------------------------------------------------- trigonometric
# Reducing the argument by multiples of ½π takes more digits of π the larger it is. Up to LARGEST three
# products do. Beyond, the C library is right.
LARGEST = (2e5, 1e12)
TWO_OVER_PI = (0.6366197466850281, 0.6366197723675814)
HALF_PI = ((1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15),
           (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33))  # fmt: skip
SIN = (  # (sin r − r)/r³ in r², on |r| ≤ ¼π
    (-0.16666655, 0.008332177, -0.00019517173),
    (-0.16666666666666632, 0.008333333333322403, -0.00019841269829798727, 2.7557313688635865e-06,
     -2.5050757581792722e-08, 1.5896763649608976e-10),
)  # fmt: skip
COS = (  # (cos r − 1 + ½r²)/r⁴ in r²
    (0.041666646, -0.0013887367, 2.4438306e-05),
    (0.0416666666666666, -0.001388888888887411, 2.480158728947259e-05, -2.7557314349447564e-07,
     2.0875722866434662e-09, -1.1359626015487547e-11),
)  # fmt: skip


def _sin_cos(m: Reading, x: Number) -> tuple[Number, Number, Number]:
    """(sin r, cos r, t): x = r + n·½π, |r| ≤ ¼π, n in the lowest bits of t."""
    t = m.fma(x, m.pick(TWO_OVER_PI), m.fmt.magic)
    n, r = t - m.fmt.magic, x
    for part in HALF_PI[
        m.fmt.index
    ]:  # the first difference is exact, the second is where digits could cancel
        r = m.fma(n, -part, r)
    z = r * r
    sine = m.fma(r * z, m.poly(z, SIN), r)
    half = 0.5 * z
    head = 1.0 - half
    return sine, head + m.fma(z * z, m.poly(z, COS), (1.0 - head) - half), m.bits(t)


def _very_large(m: Reading, x: Number) -> Number:
    return m.abs(x) > m.pick(LARGEST)


def _bit(m: Reading, t: Number, k: int) -> Number:
    """Whether bit k of t is set."""
    return Number(m, m.builder.icmp_unsigned("!=", (t & (1 << k)).ir, m.lift(0, m.bits_type)))


@with_library("sin", _very_large)
def sin(m: Reading, x: Number) -> Number:
    """Sine."""
    sine, cosine, n = _sin_cos(m, x)
    value = m.where(_bit(m, n, 0), cosine, sine)
    return m.where(x == 0.0, x, m.where(_bit(m, n, 1), -value, value))


@with_library("cos", _very_large)
def cos(m: Reading, x: Number) -> Number:
    """Cosine."""
    sine, cosine, n = _sin_cos(m, x)
    value = m.where(_bit(m, n, 0), sine, cosine)
    return m.where(_bit(m, n + 1, 1), -value, value)


@with_library("tan", _very_large)
def tan(m: Reading, x: Number) -> Number:
    """Tangent."""
    sine, cosine, n = _sin_cos(m, x)
    odd = _bit(m, n, 0)
    value = m.where(odd, -cosine, sine) / m.where(odd, sine, cosine)
    return m.where(x == 0.0, x, value)


# -------------------------------------------------------------------------------- inverse trigonometric
PI = (3.1415927410125732, 3.141592653589793)
PI_LO = (-8.742277657347586e-08, 1.2246467991473532e-16)
ARCTAN = (  # (arctan t − t)/t³ in t², on t ≤ tan ⅛π
    (-0.33332956, 0.19977915, -0.1387972, 0.08059846),
    (-0.333333333333332, 0.19999999999954, -0.14285714280239692, 0.11111110785676466,
     -0.09090897822641109, 0.07692061382694602, -0.06663117399979693, 0.05847986588033427,
     -0.05039742329302228, 0.038075638449286506, -0.01791927911739947),
)  # fmt: skip
ARCSIN = (  # (arcsin t − t)/t³ in t², on t ≤ ½
    (0.16666754, 0.07495233, 0.04547836, 0.02414093, 0.042230625),
    (0.16666666666665375, 0.07500000000344834, 0.04464285682195326, 0.0303819593962309,
     0.022371751923692763, 0.017359795807785978, 0.013884349136753323, 0.01217494970613383,
     0.006503491464727171, 0.019594414036269082, -0.016326799888678776, 0.031981758725324654),
)  # fmt: skip


def _arctan_of(m: Reading, a: Number, b: Any) -> Number:
    """arctan(a/b) for a, b ≥ 0: by the half angle to t ≤ tan ⅛π, with one division."""
    steep, middle = a > b * 2.414213562373095, a > b * 0.41421356237309503
    t = m.where(steep, -b, m.where(middle, a - b, a)) / m.where(steep, a, m.where(middle, a + b, b))
    angle = m.where(steep, 0.5, m.where(middle, 0.25, 0.0))  # of π
    z = t * t
    low = m.fma(t * z, m.poly(z, ARCTAN), angle * m.pick(PI_LO))
    return m.fma(angle, m.pick(PI), t + low)


@function
def arctan(m: Reading, x: Number) -> Number:
    """Inverse tangent, within ±½π."""
    return m.copysign(_arctan_of(m, m.abs(x), m.number(1.0)), x)


@function
def arctan2(m: Reading, y: Number, x: Number) -> Number:
    """The angle of (x, y), within ±π; signed zeros tell the quadrant."""
    a, b = m.abs(y), m.abs(x)
    same = a == b  # also 0, 0 and ∞, ∞, whose ratio is none
    a, b = m.where(same, m.where(a > 0.0, 1.0, a), a), m.where(same, 1.0, b)
    # a + b must not overflow, nor fractions of b be denormal
    huge, (low, up) = (
        (a > 2.0**100) | (b > 2.0**100),
        ((2.0**-60, 2.0**90), (2.0**-500, 2.0**600))[m.fmt.index],
    )
    scale = m.where(huge, 0.25, m.where((a < low) & (b < low), up, 1.0))
    value = _arctan_of(m, a * scale, b * scale)
    value = m.where(m.copysign(1.0, x) < 0.0, m.pick(PI) - (value - m.pick(PI_LO)), value)
    return m.copysign(value, y)


def _arcsin_of(m: Reading, a: Number) -> tuple[Number, Number]:
    """(large, v): v = arcsin a for 0 ≤ a ≤ ½, else large and v = arcsin √((1 − a)/2) = ½ arccos a."""
    large = a > 0.5
    z = m.where(large, m.fma(-0.5, a, 0.5), a * a)
    t = m.where(large, sqrt(m, z), a)
    return large, m.fma(t * z, m.poly(z, ARCSIN), t)


@function
def arcsin(m: Reading, x: Number) -> Number:
    """Inverse sine; NaN beyond ±1."""
    large, v = _arcsin_of(m, m.abs(x))
    half_pi, rest = 0.5 * m.pick(PI), 0.5 * m.pick(PI_LO)
    return m.copysign(m.where(large, half_pi - (2.0 * v - rest), v), x)


@function
def arccos(m: Reading, x: Number) -> Number:
    """Inverse cosine, within 0 … π; NaN beyond ±1."""
    large, v = _arcsin_of(m, m.abs(x))
    half_pi, rest = 0.5 * m.pick(PI), 0.5 * m.pick(PI_LO)
    obtuse = m.pick(PI) - (2.0 * v - m.pick(PI_LO))
    return m.where(large, m.where(x > 0.0, 2.0 * v, obtuse), half_pi - (m.copysign(v, x) - rest))


# -------------------------------------------------------------------------------- the error function
ERF = (  # erf(x)/x − 1 in x², on |x| ≤ ½
    (0.12837917, -0.37612608, 0.112828225, -0.026757183, 0.004717986),
    (0.1283791670955126, -0.3761263890318375, 0.11283791670954864, -0.026866170644997647,
     0.005223977621974483, -0.0008548326505835717, 0.00012055285871083239, -1.4922990308438881e-05,
     1.637095640425905e-06, -1.461844666780396e-07),
)  # fmt: skip
ERFC_AT = (2.0, 3.5)
ERFCX = (  # e^(x²) erfc(x) (x + c) − 1 in (x − c)/(x + c), on ½ ≤ x to where erfc vanishes, c = ERFC_AT
    (0.021582706, -0.6871607, 0.2794719, -0.036443584, -0.021506138, 0.00649342, 0.0030547334,
     -0.0008942453, -0.0005450655, 0.000120170145),
    (0.08705558926226008, -0.937799724567112, 0.6941136466346435, -0.4352560267168778, 0.22573862164746106,
     -0.09231870663897632, 0.02651861988065017, -0.003177050333375544, -0.0013053546813890696,
     0.0007145315929714894, -4.2062226616108025e-05, -7.477654429012407e-05, 1.8647415808184606e-05,
     7.242165868903276e-06, -3.3925421109064584e-06, -7.917786091545004e-07, 5.512539273844083e-07,
     1.0966876864058818e-07, -8.408788213974642e-08, -1.6696086713652774e-08, 9.241228373014232e-09,
     1.6098283424999225e-09),
)  # fmt: skip


def _erf_small(m: Reading, x: Number) -> Number:
    """erf x for |x| ≤ ½."""
    return m.fma(x, m.poly(x * x, ERF), x)


def _erfc_large(m: Reading, a: Number) -> Number:
    """erfc a for a ≥ ½: e^−a² times what varies slowly."""
    a = m.at_most(a, (10.2, 27.3))
    center = m.pick(ERFC_AT)
    d, d_low = a + center, a - ((a + center) - center)
    inverse = 1.0 / d
    top, top_low = _fast_two_sum(m.number(1.0), m.poly((a - center) * inverse, ERFCX))
    slow = top * inverse
    # what the rounding of sum, quotient and denominator lost: 2 of what would be 5 ulp
    slow_low = (m.fma(-slow, d, top) + m.fma(-slow, d_low, top_low)) * inverse
    square, rest = _two_product(m, a, a)
    t, p = _reduced_exp(m, -square, -rest)
    return _scaled(m, slow + m.fma(slow, p, slow_low), t)


@function
def erf(m: Reading, x: Number) -> Number:
    """(2/√π) ∫₀ˣ e^−t² dt."""
    a = m.abs(x)
    return m.copysign(m.where(a < 0.5, _erf_small(m, a), 1.0 - _erfc_large(m, a)), x)


@function
def erfc(m: Reading, x: Number) -> Number:
    """1 − erf x, with its digits down to the denormals."""
    a = m.abs(x)
    tail = _erfc_large(m, a)
    return m.where(a < 0.5, 1.0 - _erf_small(m, x), m.where(x > 0.0, tail, 2.0 - tail))


# -------------------------------------------------------------------------------- the gamma function
HALF_LOG_TWO_PI = 0.9189385332046727
GAMMALN = (  # log Γ(2 + d)/d in d, on |d| ≤ ½
    (0.42278433, 0.32246703, -0.06735222, 0.020581603, -0.0073874295, 0.0028790473, -0.0011778295,
     0.0005698472, -0.00026987155),
    (0.42278433509846713, 0.32246703342411326, -0.06735230105319831, 0.020580808427780557,
     -0.007385551028649638, 0.002890510331024453, -0.0011927539127611145, 0.0005096695156560529,
     -0.00022315473511490676, 9.945767032772195e-05, -4.492653165471981e-05, 2.0505614968062975e-05,
     -9.437233594468499e-06, 4.3846010544681984e-06, -2.0497650943344976e-06, 9.202868628516324e-07,
     -4.2002352744109474e-07, 2.7852251965632873e-07, -1.4330940525328738e-07),
)  # fmt: skip
STIRLING = (  # x (log Γ(x) − (x − ½) log x + x − ½ log 2π) in 1/x², on x ≥ 7.5
    (0.083333336, -0.0027775539, 0.00077309157),
    (0.08333333333333329, -0.0027777777777204062, 0.0007936507678256165, -0.0005952324317313257,
     0.0008410714558742155, -0.0018715447962627842, 0.004717789362787424),
)  # fmt: skip
DIGAMMA_ROOT = ((1.4616321325302124, 1.243815006546356e-08), (1.4616321449683622, 9.549995429965697e-17))
DIGAMMA = (  # ψ(1½ + t)/(1½ + t − root) in t, on |t| ≤ ½
    (0.9510559, -0.42362747, 0.24053839, -0.14839996, 0.09511758, -0.06204016, 0.039360534, -0.02587134,
     0.023927258, -0.016223421),
    (0.951055876031833, -0.4236274212814606, 0.24054248424077393, -0.14840492305388994,
     0.09498872445498067, -0.061922133274706914, 0.0407608338103601, -0.02697579669074805,
     0.01790725249405307, -0.011908219431787282, 0.007926943815978943, -0.005279946078210393,
     0.0035190140854556044, -0.0023454223839361513, 0.001556587766714005, -0.0010368331163263017,
     0.000723478678381508, -0.00048476127935598377, 0.0002269422602879787, -0.0001469185764936897,
     0.0002599212714873505, -0.00017661115483098478),
)  # fmt: skip
DIGAMMA_TAIL = (  # x² (log x − 1/2x − ψ(x)) in 1/x², on x ≥ 8
    (0.08333333, -0.008332178, 0.0038444214),
    (0.08333333333333309, -0.008333333332976738, 0.003968253779978084, -0.004166618591510372,
     0.007569075498306638, -0.02057063172284824, 0.0612069268998582),
)  # fmt: skip
TRIGAMMA_TAIL = (  # x³ (ψ′(x) − 1/x − 1/2x²) in 1/x², on x ≥ 4 and x ≥ 8
    (0.16666661, -0.033325277, 0.023398537, -0.024665521),
    (0.16666666666666657, -0.033333333333151645, 0.023809523678567934, -0.03333328752516638,
     0.07574865492796257, -0.2520891978147195, 1.096754540007609, -4.3657942473966935),
)  # fmt: skip


def _not_positive(m: Reading, x: Number) -> Number:
    return (x <= 0.0) & (x > -math.inf)


@with_library("lgamma", _not_positive)
def gammaln(m: Reading, x: Number) -> Number:
    """log |Γ(x)|: around 2 by a polynomial, to which Γ(x) = (x − 1) Γ(x − 1) leads; Stirling's beyond."""
    d = m.where(x < 0.5, x, m.where(x < 1.5, x - 1.0, x - 2.0))
    product = m.where(x < 0.5, x * (x + 1.0), m.where(x < 1.5, x, 1.0))
    for j in range(1, 6):
        above = x >= j + 1.5
        product, d = m.where(above, product * (x - j), product), m.where(above, x - (j + 2), d)
    large = x >= 7.5
    logarithm = log(m, m.where(large, x, product))
    inverse = 1.0 / x
    series = m.fma(inverse, m.poly(inverse * inverse, STIRLING), HALF_LOG_TWO_PI - 0.5)
    near = m.fma(d, m.poly(d, GAMMALN), m.where(x < 1.5, -logarithm, logarithm))
    value = m.where(large, m.fma(x - 0.5, logarithm - 1.0, series), near)
    return m.where(x > -math.inf, value, x)  # −∞ at −∞, as in SciPy


def _digamma_positive(m: Reading, x: Number) -> Number:
    """ψ(x) for x > 0: on 1 … 2 by a polynomial about its root, to which ψ(x) = ψ(x − 1) + 1/(x − 1) leads."""
    below = x < 1.0
    w = m.where(below, x + 1.0, x)
    top, bottom = m.where(below, -1.0, 0.0), m.where(below, x, 1.0)  # the sum of 1/(x − j), as a quotient
    for j in range(1, 7):
        t, above = x - j, x >= j + 1.0
        top, bottom = m.where(above, m.fma(top, t, bottom), top), m.where(above, bottom * t, bottom)
        w = m.where(above, t, w)
    large = x >= 8.0
    quotient = m.where(large, 1.0, top) / m.where(large, x, bottom)
    root, rest = DIGAMMA_ROOT[m.fmt.index]
    near = m.fma((w - root) - rest, m.poly(w - 1.5, DIGAMMA), quotient)
    square = quotient * quotient
    far = log(m, x) - m.fma(square, m.poly(square, DIGAMMA_TAIL), 0.5 * quotient)
    return m.where(large, far, near)


@function
def digamma(m: Reading, x: Number) -> Number:
    """ψ(x) = Γ′(x)/Γ(x); for x < 0 by ψ(x) = ψ(1 − x) − π/tan πx, to a few ulp of the larger term."""
    reflect = x <= 0.0
    value = _digamma_positive(m, m.where(reflect, 1.0 - x, x))
    turn = m.where(x == 0.0, x, (x - m.call("rint", x)) * m.pick(PI))  # modulo π; a zero keeps its sign
    reflected = m.where((x < 0.0) & (turn == 0.0), math.nan, value - m.pick(PI) / tan(m, turn))
    return m.where(reflect, reflected, value)


@function
def trigamma(m: Reading, x: Number) -> Number:
    """ψ′(x), after some steps of ψ′(x) = ψ′(x + 1) + 1/x²; for x < 0 by π²/sin² πx − ψ′(1 − x)."""
    steps = (4, 8)[m.fmt.index]
    reflect = x <= 0.0
    y = m.where(reflect, 1.0 - x, x)
    small = y < float(steps)
    top, bottom = m.number(0.0), m.number(1.0)  # the sum, as a quotient
    for j in range(steps):
        t = (y + float(j)) * (y + float(j))
        top, bottom = m.fma(top, t, bottom), bottom * t
    inverse = 1.0 / m.where(small, y + float(steps), y)
    square = inverse * inverse
    tail = m.fma(square * inverse, m.poly(square, TRIGAMMA_TAIL), m.fma(0.5, square, inverse))
    value = m.where(small, top / bottom, 0.0) + tail
    sine = sin(m, (x - m.call("rint", x)) * m.pick(PI))
    ratio = m.pick(PI) / sine
    return m.where(reflect, m.fma(ratio, ratio, -value), value)
