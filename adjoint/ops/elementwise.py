"""Elementwise primitives: the machinery once, then THE TABLE, one row per primitive.

A row is `elementwise(name, value, *partials, domain=…, kink=…)`. `m` is the *reading*: with NumPy arrays the
row computes, with Variables it records, with symbols it prints LaTeX (and, in the engines, kernel source).
`z` is the row's own value, so that partials can reuse it. From a row follow, here and nowhere else,

    tangent   ż = Σ_k partial_k · ẋ_k        adjoint   λ_k += partial_k · λ, broadcasting undone by `fit`

A partial is a function, a number (1 and −1 cost nothing), or None for "zero everywhere". Names are those of
NumPy and scipy.special, which is how ufuncs find their rows.

On complex operands a partial is the complex derivative ∂f/∂x; where z is real (as |x| is) it is the number p
of dz = Re(p dx), and the same two lines hold. Where the real partials do not say so, `complex` gives others,
or None: there is no derivative for complex operands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..errors import DTypeError, refusal
from .abstract import REMEMBERED, Abstract, abstract_of, broadcast_shape, stand_in
from .broadcast import broadcast_tangent, fit
from .formula import FORMULAS, Formula, formula
from .primitive import (
    NUMPY,
    RECORD,
    Linear,
    Primitive,
    Recorded,
    Samples,
    add_all,
    dtype_of,
    register,
    shape_of,
)

Partial = Callable[..., Any] | float | complex | None
Interval = tuple[float, float]


class Elementwise(Primitive):
    """A primitive given by one row: its value and one partial derivative per operand."""

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        partials: Sequence[Partial],
        domain: Sequence[Interval] = (),
        kink: str = "",
        complex: Sequence[Partial] | None = (),
    ) -> None:
        self.name, self.function, self.partials, self.kink = name, function, tuple(partials), kink
        self.complex_partials = None if complex is None else tuple(complex)  # empty: the same
        intervals = tuple(domain) or (REAL,)
        self.domain = intervals if len(intervals) >= len(partials) else intervals * len(partials)
        self.kinds: dict[Any, Abstract] = {}

    def value(self, *args: Any) -> Any:
        """The row read as NumPy."""
        return self.function(NUMPY, *args)

    def abstract(self, *args: Any) -> Abstract:
        """Shapes broadcast; the dtype is what the row makes of one element of each operand's."""
        key = tuple([
            a.number if type(a) is Abstract else (a.dtype, a.shape) if isinstance(a, np.ndarray) else type(a)
            for a in args
        ])  # fmt: skip
        kind = self.kinds.get(key)
        if kind is None:
            shape = broadcast_shape([getattr(a, "shape", ()) for a in args])
            with np.errstate(all="ignore"):
                z = self.value(*map(stand_in, args))
            if len(self.kinds) >= REMEMBERED:
                self.kinds.clear()
            kind = self.kinds[key] = Abstract(
                shape, np.asarray(z).dtype, not shape and type(z) in (float, complex)
            )
        return kind

    def tangent(self, args: Sequence[Any], z: Any, dots: Sequence[Any]) -> Any:
        """ż = Σ partial · ẋ."""
        terms = [
            self._times(derivative, args, z, dot)
            for derivative, dot in zip(self._partials_at(args), dots, strict=True)
            if derivative is not None and dot is not None
        ]
        return broadcast_tangent(add_all(terms), z)

    def adjoint(self, args: Sequence[Any], z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        """partial · λ for every operand, fitted to it."""
        return [
            fit(self._times(derivative, args, z, lam), x) if want and derivative is not None else None
            for derivative, x, want in zip(self._partials_at(args), args, wanted, strict=True)
        ]

    def _partials_at(self, args: Sequence[Any]) -> tuple[Partial, ...]:
        if self.complex_partials == () or all(dtype_of(x).kind != "c" for x in args):
            return self.partials
        if self.complex_partials is None:
            what = f"{self.name} has no derivative for complex numbers here"
            raise refusal(DTypeError, what, "Write it with functions that have one, or give it real numbers.")
        return self.complex_partials

    def pull(
        self,
        table: list[Any],
        parents: Sequence[int],
        args: Sequence[Any],
        z: Any,
        lam: Any,
        params: dict[str, Any],
    ) -> None:
        """`adjoint`, `_times` and `fit` in one loop: most nodes of most sweeps pass here."""
        if isinstance(z, Recorded):
            return self._pull_recorded(table, parents, args, z, lam)
        partials = self.partials if self.complex_partials == () else self._partials_at(args)
        for derivative, x, p in zip(partials, args, parents):  # noqa: B905 (strict= would cost 0.1 µs)
            if p < 0 or derivative is None:
                continue
            if not callable(derivative):
                c = lam if derivative == 1 else lam * derivative
            else:
                try:
                    # λ first: Python's complex times np.float64 would be Python's
                    c = lam * derivative(NUMPY, *args, z)
                except (ZeroDivisionError, OverflowError):
                    c = self._times(derivative, args, z, lam)
            kind = type(c)
            if kind is np.float64:
                if type(x) is not np.float64 and type(x) is not float:
                    c = fit(c, x)
            elif kind is not type(x) or c.shape != x.shape or c.dtype is not x.dtype:
                c = fit(c, x)
            known = table[p]
            table[p] = c if known is None else known if c is None else known + c

    def _pull_recorded(
        self, table: list[Any], parents: Sequence[int], args: Sequence[Any], z: Any, lam: Any
    ) -> None:
        """The loop of `pull` where the values are recorded on an older tape."""
        kind = type(z)
        for derivative, x, p in zip(self._partials_at(args), args, parents):  # noqa: B905
            if p < 0 or derivative is None:
                continue
            c = self._times(derivative, args, z, lam)
            if type(c) is kind is type(x):
                # on a trace, equal kinds are mostly one object: no need to compare shapes and dtypes
                if c.tape.values[c.index] is not x.tape.values[x.index]:
                    c = fit(c, x)
            else:
                c = fit(c, x)
            known = table[p]
            table[p] = c if known is None else known if c is None else known + c

    def _times(self, derivative: Any, args: Sequence[Any], z: Any, factor: Any) -> Any:
        if not callable(derivative):
            return factor if derivative == 1 else -factor if derivative == -1 else factor * derivative
        try:
            if isinstance(z, Recorded):
                return derivative(RECORD, *args, z) * factor
            return factor * derivative(NUMPY, *args, z)
        except (ZeroDivisionError, OverflowError):
            # Python scalars raise where NumPy says inf or nan; a derivative says what NumPy says.
            *args, z = (np.asarray(x)[()] if type(x) in (int, float, complex) else x for x in (*args, z))
            return derivative(RECORD if isinstance(z, Recorded) else NUMPY, *args, z) * factor

    def diagnose(self, args: Sequence[Any], params: dict[str, Any], error: Exception) -> tuple[str, str]:
        """Say which shapes do not broadcast."""
        shapes = [shape_of(x) for x in args]
        try:
            np.broadcast_shapes(*shapes)
        except ValueError:
            listed = " and ".join(str(s) for s in shapes)
            remedy = "Compared from the right, sizes must be equal or 1; x[:, None] inserts an axis."
            return f"{self.name} needs shapes that broadcast: {listed}", remedy
        return super().diagnose(args, params, error)

    def samples(self, rng: np.random.Generator) -> Samples:
        """Every operand from its domain: equal shapes, broadcast, strided, 0-d, empty; and complex ones."""
        arity = len(self.partials)
        shapes: list[list[tuple[int, ...]]] = [[(2, 3)] * arity, [()] * arity, [(0, 3)] * arity]
        if arity > 1:
            shapes += [
                [(3, 1) if k % 2 else (2, 1, 4) for k in range(arity)],
                [() if k else (4,) for k in range(arity)],
            ]
        samples: Samples = [(tuple(map(partial(_draw, rng), self.domain, s)), {}) for s in shapes]
        strided = tuple(_draw(rng, d, (6, 4))[::2, ::-1].T for d in self.domain)
        return [*samples, (strided, {}), *self._complex_samples(rng)]

    def _complex_samples(self, rng: np.random.Generator) -> Samples:
        """If a row of ours computes with complex numbers: all operands complex, and each one alone."""
        if self.foreign or self.complex_partials is None:
            return []
        real = [_draw(rng, d, (2, 3)) for d in self.domain]
        partials = self.complex_partials or self.partials
        numbers = [k for k, x in enumerate(real) if x.dtype.kind == "f" and partials[k] is not None]
        samples: Samples = []
        for chosen in [numbers, *([k] for k in numbers)] if len(numbers) > 1 else [numbers]:
            args = [x + 1j * rng.uniform(0.1, 1.0, (2, 3)) if k in chosen else x for k, x in enumerate(real)]
            try:
                self.value(*args)
            except TypeError:
                continue
            samples.append((tuple(args), {}))
        return samples if numbers else []

    def formula(self, operands: Sequence[Formula], params: dict[str, Any]) -> Formula:
        """The row read as a formula."""
        try:
            return formula(self.function(FORMULAS, *operands))
        except (AttributeError, TypeError):  # a row from outside that calls NumPy by name
            return super().formula(operands, params)

    def adjoint_formulas(
        self, operands: Sequence[Formula], z: Formula, lam: Formula, params: dict[str, Any]
    ) -> Sequence[Formula | None]:
        """The partials read as formulas, times λ."""
        try:
            return [_added(partial, operands, z, lam) for partial in self.partials]
        except (AttributeError, TypeError):
            return super().adjoint_formulas(operands, z, lam, params)


def _added(derivative: Partial, operands: Sequence[Formula], z: Formula, lam: Formula) -> Formula | None:
    """`partial · λ`; λ alone where the partial is one."""
    if derivative is None:
        return None
    if callable(derivative):
        return formula(derivative(FORMULAS, *operands, z)) * lam
    return lam if derivative == 1 else -lam if derivative == -1 else formula(derivative) * lam


def _draw(rng: np.random.Generator, interval: Interval, shape: tuple[int, ...]) -> Any:
    """Values from a domain: BOOLEAN gives booleans, COUNT integers, NONZERO numbers of both signs."""
    low, high = interval
    if interval is BOOLEAN:
        return rng.random(shape) < 0.5
    if interval is COUNT:
        return rng.integers(int(low), int(high), shape, np.int16, endpoint=True)
    x = rng.uniform(low, high, shape)
    return x * rng.choice([-1.0, 1.0], shape) if interval is NONZERO else x


REAL, POSITIVE, NONZERO, UNIT = (-3.0, 3.0), (0.2, 3.0), (0.3, 3.0), (-0.95, 0.95)
BOOLEAN = (0, 1)  # True or False
COUNT = (1, 3)  # an integer, a short one: beside float32 it promotes to float32


def elementwise(
    name: str, value: Callable[..., Any], *partials: Partial, domain: Sequence[Interval] = (), kink: str = "",
    complex: Sequence[Partial] | None = (),
) -> Elementwise:  # fmt: skip
    """Enter one row of the table; a ufunc of the same name finds it."""
    return register(Elementwise(name, value, partials, domain, kink, complex))


# -------------------------------------------------------------------------------- arithmetic
add = elementwise("add", lambda m, x, y: x + y, 1, 1)
subtract = elementwise("subtract", lambda m, x, y: x - y, 1, -1)
multiply = elementwise("multiply", lambda m, x, y: x * y, lambda m, x, y, z: y, lambda m, x, y, z: x)
divide = elementwise(
    "divide",
    lambda m, x, y: x / y,
    lambda m, x, y, z: 1 / m.promoted(y, z),
    lambda m, x, y, z: -z / y,
    domain=(REAL, NONZERO),
)
negative = elementwise("negative", lambda m, x: -x, -1)
positive = elementwise("positive", lambda m, x: +x, 1)
# the value itself, which a compiler must not replace by an equal one computed before (see `checkpoint`)
barrier = elementwise("barrier", lambda m, x: +x, 1)
reciprocal = elementwise("reciprocal", lambda m, x: 1 / x, lambda m, x, z: -z * z, domain=(NONZERO,))
square = elementwise("square", lambda m, x: x * x, lambda m, x, z: 2 * x)


def _power_slope(m: Any, x: Any, y: Any, z: Any) -> Any:
    """y xʸ⁻¹; at y = 0 it is 0 also where x = 0 and x⁻¹ is not finite."""
    y = m.promoted(y, z)
    return y * x ** m.where(y == 0, 1, y - 1)


power = elementwise(
    "power",
    lambda m, x, y: x**y,
    _power_slope,
    # x = 0: the derivative of 0ʸ is 0, and log 0 is not finite
    lambda m, x, y, z: z * m.log(m.where(x == 0, 1, m.promoted(x, z))),
    domain=(POSITIVE, REAL),
    complex=(
        _power_slope,
        lambda m, x, y, z: z * m.log(m.where(x == 0, 1, m.promoted(x, z)) + 0j),  # x may be real and negative
    ),
)
floor_divide = elementwise(
    "floor_divide", lambda m, x, y: x // y, None, None, domain=((2.2, 2.8), (1.0, 1.05))
)
remainder = elementwise(
    "remainder", lambda m, x, y: x % y, 1, lambda m, x, y, z: -(x // y),
    domain=((2.2, 2.8), (1.0, 1.05)), kink="x a multiple of y: the derivative from the right",
)  # fmt: skip
fmod = elementwise(
    "fmod", lambda m, x, y: m.fmod(x, y), 1, lambda m, x, y, z: -m.trunc(x / y),
    domain=((2.2, 2.8), (1.0, 1.05)), kink="x a multiple of y: the derivative from the right",
)  # fmt: skip

# -------------------------------------------------------------------------------- magnitude and choice


def _over_size(m: Any, x: Any, z: Any) -> Any:
    """x/|x|; where |x| = 0 it is 0, and so are its derivatives of every order."""
    return m.where(z == 0, 0, x) / m.where(z == 0, 1, z)


absolute = elementwise(
    "absolute",
    lambda m, x: m.absolute(x),
    lambda m, x, z: m.sign(x),
    domain=(NONZERO,),
    kink="x = 0: derivative 0",
    complex=(lambda m, x, z: _over_size(m, m.conjugate(x), z),),
)
sign = elementwise("sign", lambda m, x: m.sign(x), None, domain=(NONZERO,), kink="x = 0: derivative 0")
copysign = elementwise(
    "copysign",
    lambda m, x, y: m.copysign(x, y),
    lambda m, x, y, z: m.sign(x) * m.copysign(1, y),
    None,
    domain=(NONZERO, NONZERO),
    kink="x = 0: derivative 0",
)
indicator = elementwise(
    "indicator", lambda m, c, like: m.indicator(c, like), None, None, domain=(BOOLEAN, REAL)
)


def _half_at_ties(m: Any, above: Any, reached: Any, z: Any) -> Any:
    return 0.5 * (m.indicator(above, z) + m.indicator(reached, z))


TIE = "x = y: half to each"
maximum = elementwise(
    "maximum",
    lambda m, x, y: m.maximum(x, y),
    lambda m, x, y, z: _half_at_ties(m, x > y, x >= y, z),
    lambda m, x, y, z: _half_at_ties(m, y > x, y >= x, z),
    kink=TIE,
)
minimum = elementwise(
    "minimum",
    lambda m, x, y: m.minimum(x, y),
    lambda m, x, y, z: _half_at_ties(m, x < y, x <= y, z),
    lambda m, x, y, z: _half_at_ties(m, y < x, y <= x, z),
    kink=TIE,
)
# fmax and fmin ignore a NaN: the operand that is a number takes all of λ
fmax = elementwise(
    "fmax",
    lambda m, x, y: m.fmax(x, y),
    lambda m, x, y, z: _half_at_ties(m, (x > y) | m.isnan(y), (x >= y) | m.isnan(y), z),
    lambda m, x, y, z: _half_at_ties(m, (y > x) | m.isnan(x), (y >= x) | m.isnan(x), z),
    kink=TIE,
)
fmin = elementwise(
    "fmin",
    lambda m, x, y: m.fmin(x, y),
    lambda m, x, y, z: _half_at_ties(m, (x < y) | m.isnan(y), (x <= y) | m.isnan(y), z),
    lambda m, x, y, z: _half_at_ties(m, (y < x) | m.isnan(x), (y <= x) | m.isnan(x), z),
    kink=TIE,
)
where = elementwise(
    "where",
    lambda m, c, x, y: m.where(c, x, y),
    None,
    lambda m, c, x, y, z: c,
    lambda m, c, x, y, z: m.logical_not(c),
    domain=(BOOLEAN, REAL, REAL),
)
hypot = elementwise(
    "hypot",
    lambda m, x, y: m.hypot(x, y),
    lambda m, x, y, z: _over_size(m, x, z),
    lambda m, x, y, z: _over_size(m, y, z),
    kink="x = y = 0: derivative 0",
)

# -------------------------------------------------------------------------------- parts of complex numbers
real = elementwise("real", lambda m, x: m.real(x), 1)
imag = elementwise("imag", lambda m, x: m.imag(x), None, complex=(-1j,))
angle = elementwise(
    "angle", lambda m, x: m.angle(x), None, domain=(NONZERO,), complex=(lambda m, x, z: -1j / x,)
)


class Conjugate(Linear):
    """z = x̄, linear over the reals: λ_x = λ̄."""

    name = "conjugate"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((rng.standard_normal((2, 3)) + 1j * rng.standard_normal((2, 3)),), {})]

    def value(self, x: Any) -> Any:
        return np.conjugate(x)

    def abstract(self, x: Any) -> Abstract:
        return abstract_of(x)

    def transpose(self, lam: Any, x: Any) -> Any:
        return conjugate(lam)

    def formula(self, operands: Sequence[Formula], params: dict[str, Any]) -> Formula:
        return Formula("conjugate", operands[0])

    def adjoint_formulas(
        self, operands: Sequence[Formula], z: Formula, lam: Formula, params: dict[str, Any]
    ) -> Sequence[Formula | None]:
        return (Formula("conjugate", lam),)


conjugate = register(Conjugate())

# -------------------------------------------------------------------------------- powers, exp, log
LOG2, LOG10 = math.log(2), math.log(10)
sqrt = elementwise("sqrt", lambda m, x: m.sqrt(x), lambda m, x, z: 0.5 / z, domain=(POSITIVE,))
cbrt = elementwise("cbrt", lambda m, x: m.cbrt(x), lambda m, x, z: 1 / (3 * z * z), domain=(NONZERO,))
exp = elementwise("exp", lambda m, x: m.exp(x), lambda m, x, z: z)
exp2 = elementwise("exp2", lambda m, x: m.exp2(x), lambda m, x, z: LOG2 * z)
expm1 = elementwise("expm1", lambda m, x: m.expm1(x), lambda m, x, z: m.exp(x))
log = elementwise("log", lambda m, x: m.log(x), lambda m, x, z: 1 / x, domain=(POSITIVE,))
log2 = elementwise("log2", lambda m, x: m.log2(x), lambda m, x, z: 1 / (LOG2 * x), domain=(POSITIVE,))
log10 = elementwise("log10", lambda m, x: m.log10(x), lambda m, x, z: 1 / (LOG10 * x), domain=(POSITIVE,))
log1p = elementwise("log1p", lambda m, x: m.log1p(x), lambda m, x, z: 1 / (1 + x), domain=((-0.7, 3.0),))


def _share(m: Any, x: Any, y: Any, z: Any, scale: float = 1.0) -> Any:
    """∂/∂x log(eˣ + eʸ) = σ(x − y): finite also where both exponentials overflow, or both vanish."""
    nothing = z == -math.inf
    gap = m.where(nothing, 0, x) - m.where(nothing, 0, y)
    return m.where(nothing, 0, m.expit(gap if scale == 1 else scale * gap))


NOTHING = "x = y = −∞: derivative 0"
logaddexp = elementwise(
    "logaddexp",
    lambda m, x, y: m.logaddexp(x, y),
    _share,
    lambda m, x, y, z: _share(m, y, x, z),
    kink=NOTHING,
)
logaddexp2 = elementwise(
    "logaddexp2",
    lambda m, x, y: m.logaddexp2(x, y),
    lambda m, x, y, z: _share(m, x, y, z, LOG2),
    lambda m, x, y, z: _share(m, y, x, z, LOG2),
    kink=NOTHING,
)

# -------------------------------------------------------------------------------- trigonometric, hyperbolic
sin = elementwise("sin", lambda m, x: m.sin(x), lambda m, x, z: m.cos(x))
cos = elementwise("cos", lambda m, x: m.cos(x), lambda m, x, z: -m.sin(x))
tan = elementwise("tan", lambda m, x: m.tan(x), lambda m, x, z: 1 + z * z, domain=((-1.2, 1.2),))
arcsin = elementwise(
    "arcsin", lambda m, x: m.arcsin(x), lambda m, x, z: 1 / m.sqrt((1 - x) * (1 + x)), domain=(UNIT,)
)
arccos = elementwise(
    "arccos", lambda m, x: m.arccos(x), lambda m, x, z: -1 / m.sqrt((1 - x) * (1 + x)), domain=(UNIT,)
)
arctan = elementwise("arctan", lambda m, x: m.arctan(x), lambda m, x, z: 1 / (1 + x * x))
arctan2 = elementwise(
    "arctan2",
    lambda m, y, x: m.arctan2(y, x),
    # through the radius, which neither overflows nor vanishes where x² + y² does
    lambda m, y, x, z: x / m.hypot(x, y) / m.hypot(x, y),
    lambda m, y, x, z: -(y / m.hypot(x, y) / m.hypot(x, y)),  # y may be unsigned: there is no −y
    domain=(NONZERO, NONZERO),
)
sinh = elementwise("sinh", lambda m, x: m.sinh(x), lambda m, x, z: m.cosh(x))
cosh = elementwise("cosh", lambda m, x: m.cosh(x), lambda m, x, z: m.sinh(x))
tanh = elementwise("tanh", lambda m, x: m.tanh(x), lambda m, x, z: 1 - z * z)
arcsinh = elementwise(
    "arcsinh",
    lambda m, x: m.arcsinh(x),
    lambda m, x, z: 1 / m.hypot(x, 1),
    complex=(lambda m, x, z: 1 / (m.sqrt(1 + 1j * x) * m.sqrt(1 - 1j * x)),),
)
arccosh = elementwise(
    "arccosh",
    lambda m, x: m.arccosh(x),
    lambda m, x, z: 1 / (m.sqrt(x - 1) * m.sqrt(x + 1)),
    domain=((1.2, 4.0),),
)
arctanh = elementwise(
    "arctanh", lambda m, x: m.arctanh(x), lambda m, x, z: 1 / ((1 - x) * (1 + x)), domain=(UNIT,)
)
radians = elementwise("radians", lambda m, x: m.radians(x), math.pi / 180)
degrees = elementwise("degrees", lambda m, x: m.degrees(x), 180 / math.pi)

# -------------------------------------------------------------------------------- rounding: zero derivative
STEP = "at the steps: derivative 0, as everywhere"
floor = elementwise("floor", lambda m, x: m.floor(x), None, kink=STEP)
ceil = elementwise("ceil", lambda m, x: m.ceil(x), None, kink=STEP)
trunc = elementwise("trunc", lambda m, x: m.trunc(x), None, kink=STEP)
rint = elementwise("rint", lambda m, x: m.rint(x), None, kink=STEP)
heaviside = elementwise(
    "heaviside", lambda m, x, y: m.heaviside(x, y), None, lambda m, x, y, z: m.indicator(x == 0, z),
    kink="x = 0: derivative 0 in x",
)  # fmt: skip

# -------------------------------------------------------------------------------- comparisons and logic
greater = elementwise("greater", lambda m, x, y: x > y, None, None)
greater_equal = elementwise("greater_equal", lambda m, x, y: x >= y, None, None)
less = elementwise("less", lambda m, x, y: x < y, None, None)
less_equal = elementwise("less_equal", lambda m, x, y: x <= y, None, None)
equal = elementwise("equal", lambda m, x, y: x == y, None, None)
not_equal = elementwise("not_equal", lambda m, x, y: x != y, None, None)
logical_and = elementwise("logical_and", lambda m, x, y: m.logical_and(x, y), None, None)
logical_or = elementwise("logical_or", lambda m, x, y: m.logical_or(x, y), None, None)
logical_xor = elementwise("logical_xor", lambda m, x, y: m.logical_xor(x, y), None, None)
logical_not = elementwise("logical_not", lambda m, x: m.logical_not(x), None)
bitwise_and = elementwise("bitwise_and", lambda m, x, y: x & y, None, None, domain=(BOOLEAN,))
bitwise_or = elementwise("bitwise_or", lambda m, x, y: x | y, None, None, domain=(BOOLEAN,))
bitwise_xor = elementwise("bitwise_xor", lambda m, x, y: x ^ y, None, None, domain=(BOOLEAN,))
invert = elementwise("invert", lambda m, x: m.invert(x), None, domain=(BOOLEAN,))
isnan = elementwise("isnan", lambda m, x: m.isnan(x), None)
isinf = elementwise("isinf", lambda m, x: m.isinf(x), None)
isfinite = elementwise("isfinite", lambda m, x: m.isfinite(x), None)
signbit = elementwise("signbit", lambda m, x: m.signbit(x), None)

# ufuncs whose name is not their row's
ALIASES = {
    "psi": "digamma",
    "fabs": "absolute",
    "deg2rad": "radians",
    "rad2deg": "degrees",
}
