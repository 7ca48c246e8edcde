"""Rows read as text: the same lambdas that compute on arrays print the source of a kernel.

A `Term` is an expression with the dtype that NumPy would give it. A language is a subclass of `TextReading`
that says how literals, conversions, choices and calls are spelled (`cpu/text.py`: numba's Python;
`gpu/text.py`: CUDA C), and one of `Term` that knows it. What NumPy means by an operation stands here, once:
operands are cast to the promoted dtype before it, literals included, because left to themselves numba would
compute `1 - z * z` of a float32 z in float64, and C would add two int8 as ints.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from ..ops import broadcast as bc
from ..ops.abstract import Abstract, result_dtype, stand_in
from ..ops.elementwise import Elementwise, positive

F32, F64, BOOL = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.bool_)
# Functions of floats that every language has a form of, by NumPy's names; `vmath` has these for numba: they
# are named here, because importing that module starts numba (a test compares).
FUNCTIONS = frozenset({
    "maximum", "minimum", "sqrt", "exp", "expm1", "exp2", "sinh", "cosh", "tanh", "expit", "log", "log1p",
    "log_expit", "log2", "log10", "logaddexp", "logaddexp2", "arcsinh", "arccosh", "arctanh", "power", "cbrt",
    "hypot", "sin", "cos", "tan", "arctan", "arctan2", "arcsin", "arccos", "erf", "erfc", "gammaln",
    "digamma",
})  # fmt: skip
PLAIN = frozenset({"floor", "ceil", "trunc", "rint", "sqrt", "copysign", "fmod"})  # no vector form is needed
WHOLE = frozenset({"floor", "ceil", "trunc", "fmod"})  # those that give whole numbers of whole numbers


class NoText(Exception):
    """The row has no native form; the node runs by its NumPy reading."""


class Term:
    """An expression of a kernel.

    Attributes:
        text: its source.
        dtype: of its value.
        weak: the Python number that it is, if it is a constant.
        python: whether its value is a Python float's: like a constant, it promotes weakly.
    """

    __slots__ = ("dtype", "python", "text", "weak")
    __array_ufunc__ = None
    reading: ClassVar[TextReading]  # the language it is written in

    def __init__(self, text: str, dtype: np.dtype[Any], weak: Any = None, python: bool = False) -> None:
        self.text, self.dtype, self.weak, self.python = text, dtype, weak, python

    @property
    def kind(self) -> Any:
        """What promotes as this term does."""
        return Abstract((), self.dtype, self.python) if self.weak is None else self.weak

    def __neg__(self) -> Term:
        if self.dtype == BOOL:
            raise NoText
        m = self.reading
        if self.weak is not None:
            return m.term(-self.weak)
        text = m.narrowed(m.opposite(self.text, self.dtype), self.dtype)
        return m.make(text, self.dtype, python=self.python)

    def __pos__(self) -> Term:
        return self

    def __pow__(self, y: Any) -> Term:
        return self.reading.power(self, y)

    def __rpow__(self, x: Any) -> Term:
        return self.reading.power(x, self)


def _operator(symbol: str, function: Callable[..., Any], swap: bool = False) -> Callable[[Term, Any], Term]:
    def operate(a: Term, b: Any) -> Term:
        return a.reading.arithmetic(symbol, function, *((b, a) if swap else (a, b)))

    return operate


def _comparison(symbol: str) -> Callable[[Term, Any], Term]:
    def compare(a: Term, b: Any) -> Term:
        return a.reading.comparison(symbol, a, b)

    return compare


def _install() -> None:
    signs = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%",
             "and": "&", "or": "|", "xor": "^"}  # fmt: skip
    for name, symbol in signs.items():
        function = getattr(operator, f"{name}_" if name in ("and", "or") else name)
        setattr(Term, f"__{name}__", _operator(symbol, function))
        setattr(Term, f"__r{name}__", _operator(symbol, function, swap=True))
    for name, symbol in {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "==", "ne": "!="}.items():
        setattr(Term, f"__{name}__", _comparison(symbol))


_install()

_KINDS: dict[Any, np.dtype[Any]] = {}


def _kind(function: Callable[..., Any], *terms: Term) -> np.dtype[Any]:
    """The dtype of NumPy's result."""
    key = (function, *((t.dtype, type(t.weak), t.python) for t in terms))
    if key not in _KINDS:
        with np.errstate(all="ignore"):
            _KINDS[key] = np.asarray(function(*(stand_in(t.kind) for t in terms))).dtype
    return _KINDS[key]


class TextReading(ABC):
    """`m` when a row is read as a kernel's text; a language fills in how things are spelled.

    Attributes:
        make: the language's Term.
    """

    make: type[Term]

    # ---------------------------------------------------------------- how a language spells
    @abstractmethod
    def literal(self, x: Any, dtype: np.dtype[Any]) -> str:
        """A number, in exactly that dtype."""

    @abstractmethod
    def converted(self, text: str, source: np.dtype[Any], dtype: np.dtype[Any]) -> str:
        """A number of one dtype as one of another."""

    @abstractmethod
    def choice(self, condition: str, x: str, y: str) -> str:
        """One of two values."""

    @abstractmethod
    def negation(self, condition: str) -> str:
        """Not."""

    @abstractmethod
    def operation(self, symbol: str, a: str, b: str, dtype: np.dtype[Any]) -> str:
        """Python's a ∘ b of two numbers of one dtype, which is the result's."""

    @abstractmethod
    def function(self, name: str, dtype: np.dtype[Any], args: Sequence[str]) -> str:
        """A function of floats, by NumPy's name.

        Raises:
            NoText: the language has none.
        """

    @abstractmethod
    def size(self, x: str, dtype: np.dtype[Any]) -> str:
        """|x|."""

    def opposite(self, x: str, dtype: np.dtype[Any]) -> str:
        """−x."""
        return f"(-{x})"

    def narrowed(self, text: str, dtype: np.dtype[Any]) -> str:
        """The result of an operation that the language takes in a wider dtype."""
        return text

    # ---------------------------------------------------------------- terms
    def term(self, x: Any) -> Term:
        """A constant as a term; a term as it is."""
        if isinstance(x, Term):
            return x
        if isinstance(x, np.generic):
            return self.make(self.literal(x, x.dtype), x.dtype)
        return self.make(repr(x), np.asarray(x).dtype, x)

    def cast(self, x: Term, dtype: np.dtype[Any]) -> str:
        """The term's text in another dtype."""
        if x.weak is not None:
            return self.literal(x.weak, dtype)
        return x.text if x.dtype == dtype else self.converted(x.text, x.dtype, dtype)

    def value(self, op: Any, operands: Sequence[Any], dtype: np.dtype[Any]) -> str:
        """The text of a row's value, in the dtype of its node."""
        if op is bc.astype or op is positive:  # (NumPy has no +x of a boolean number)
            return self.cast(self.term(operands[0]), dtype)
        assert isinstance(op, Elementwise)
        return self.cast(self.term(op.function(self, *operands)), dtype)

    # ---------------------------------------------------------------- operators
    def arithmetic(self, symbol: str, function: Callable[..., Any], a: Any, b: Any) -> Term:
        """A Python operator; of two booleans + is or, * is and."""
        a, b = self.term(a), self.term(b)
        dtype = _kind(function, a, b)
        if dtype == BOOL and symbol not in "&|^":
            if symbol not in "+*":
                raise NoText
            symbol = "|" if symbol == "+" else "&"
        text = self.operation(symbol, self.cast(a, dtype), self.cast(b, dtype), dtype)
        python = all(t.python or t.weak is not None for t in (a, b))
        return self.make(self.narrowed(text, dtype), dtype, python=python)

    def comparison(self, symbol: str, a: Any, b: Any) -> Term:
        """Of two numbers in the dtype to which they are promoted."""
        a, b = self.term(a), self.term(b)
        dtype = result_dtype(a.kind, b.kind)
        return self.make(f"({self.cast(a, dtype)} {symbol} {self.cast(b, dtype)})", BOOL)

    def power(self, x: Any, y: Any) -> Term:
        """Small constant powers are products; the others are left to the language."""
        x, y = self.term(x), self.term(y)
        dtype = _kind(operator.pow, x, y)
        if dtype.kind != "f":
            raise NoText
        a = self.cast(x, dtype)
        exponent = float(y.weak) if y.weak is not None else None
        if exponent is not None and exponent == int(exponent) and 1 <= abs(exponent) <= 4:
            product = " * ".join([a] * int(abs(exponent)))
            one = self.literal(1, dtype)
            return self.make(f"({product})" if exponent > 0 else f"({one} / ({product}))", dtype)
        if exponent == 0.5:
            return self.make(self.function("sqrt", dtype, [a]), dtype)
        return self.make(self.function("power", dtype, [a, self.cast(y, dtype)]), dtype)

    # ---------------------------------------------------------------- functions
    def __getattr__(self, name: str) -> Callable[..., Term]:
        if name.startswith("__"):  # inspect and copy ask for these
            raise AttributeError(name)
        if not (name in FUNCTIONS or name in PLAIN):
            raise NoText

        def call(*args: Any) -> Term:
            terms = [self.term(a) for a in args]
            dtype = result_dtype(*(t.kind for t in terms))
            if dtype.kind in "iu" and name in WHOLE:  # not by floats, which have fewer digits
                if name == "fmod":
                    raise NoText
                return terms[0]
            dtype = _float(dtype)
            return self.make(self.function(name, dtype, [self.cast(t, dtype) for t in terms]), dtype)

        return call

    def where(self, condition: Any, x: Any, y: Any) -> Term:
        """Both branches are cheap or safe: rows are written so."""
        condition, x, y = self.term(condition), self.term(x), self.term(y)
        if type(condition.weak) is bool:
            return x if condition.weak else y
        dtype = result_dtype(x.kind, y.kind)
        chosen = self.choice(self.cast(condition, BOOL), self.cast(x, dtype), self.cast(y, dtype))
        return self.make(chosen, dtype)

    def indicator(self, condition: Any, like: Any) -> Term:
        """1 or 0 in the dtype of `like`."""
        dtype = self.term(like).dtype
        one = self.cast(self.term(condition), BOOL)
        return self.make(self.choice(one, self.literal(1, dtype), self.literal(0, dtype)), dtype)

    def maximum(self, x: Any, y: Any) -> Term:
        """NaN passes through."""
        return self._extremum("maximum", x, y)

    def minimum(self, x: Any, y: Any) -> Term:
        """NaN passes through."""
        return self._extremum("minimum", x, y)

    def fmax(self, x: Any, y: Any) -> Term:
        """A NaN gives way to a number."""
        return self._ignoring_nan("maximum", x, y)

    def fmin(self, x: Any, y: Any) -> Term:
        """A NaN gives way to a number."""
        return self._ignoring_nan("minimum", x, y)

    def _extremum(self, name: str, x: Any, y: Any) -> Term:
        x, y = self.term(x), self.term(y)
        dtype = result_dtype(x.kind, y.kind)
        a, b = self.cast(x, dtype), self.cast(y, dtype)
        if dtype.kind == "f":
            return self.make(self.function(name, dtype, [a, b]), dtype)
        return self.make(self.choice(f"{a} {'>' if name == 'maximum' else '<'} {b}", a, b), dtype)

    def _ignoring_nan(self, name: str, x: Any, y: Any) -> Term:
        x, y = self.term(x), self.term(y)
        best = self._extremum(name, x, y)
        a, b = self.cast(x, best.dtype), self.cast(y, best.dtype)
        return self.make(self.choice(f"{a} != {a}", b, self.choice(f"{b} != {b}", a, best.text)), best.dtype)

    def absolute(self, x: Any) -> Term:
        """|x|."""
        x = self.term(x)
        if x.dtype.kind not in "fi":
            raise NoText
        return self.make(self.size(x.text, x.dtype), x.dtype)

    def sign(self, x: Any) -> Term:
        """NaN stays NaN; the sign of −0 is 0."""
        x = self.term(x)
        one, minus, zero = (self.literal(k, x.dtype) for k in (1, -1, 0))
        tail = self.choice(f"{x.text} == 0", zero, x.text)
        return self.make(
            self.choice(f"{x.text} > 0", one, self.choice(f"{x.text} < 0", minus, tail)), x.dtype
        )

    def heaviside(self, x: Any, y: Any) -> Term:
        """0, y or 1; NaN stays NaN."""
        x, y = self.term(x), self.term(y)
        dtype = _float(result_dtype(x.kind, y.kind))
        a, zero, one = self.cast(x, dtype), self.literal(0, dtype), self.literal(1, dtype)
        tail = self.choice(f"{a} == 0", self.cast(y, dtype), a)
        return self.make(self.choice(f"{a} < 0", zero, self.choice(f"{a} > 0", one, tail)), dtype)

    def isnan(self, x: Any) -> Term:
        """A number differs from itself only then."""
        x = self.term(x)
        return self.make(f"({x.text} != {x.text})", BOOL)

    def isinf(self, x: Any) -> Term:
        """|x| = ∞."""
        return self._against_infinity(x, "==", False)

    def isfinite(self, x: Any) -> Term:
        """|x| < ∞; false for NaN."""
        return self._against_infinity(x, "<", True)

    def _against_infinity(self, x: Any, symbol: str, otherwise: bool) -> Term:
        x = self.term(x)
        if x.dtype.kind != "f":
            return self.make(self.literal(otherwise, BOOL), BOOL)
        infinity = self.literal(np.inf, x.dtype)
        return self.make(f"({self.size(x.text, x.dtype)} {symbol} {infinity})", BOOL)

    def signbit(self, x: Any) -> Term:
        """True also for −0."""
        x = self.term(x)
        if x.dtype.kind != "f":
            return self.comparison("<", x, 0)
        sign = self.function("copysign", x.dtype, [self.literal(1, x.dtype), x.text])
        return self.make(f"({sign} < 0)", BOOL)

    def radians(self, x: Any) -> Term:
        """Degrees to radians."""
        return self.arithmetic("*", operator.mul, self._as_float(x), np.pi / 180)

    def degrees(self, x: Any) -> Term:
        """Radians to degrees."""
        return self.arithmetic("*", operator.mul, self._as_float(x), 180 / np.pi)

    def _as_float(self, x: Any) -> Term:
        x = self.term(x)
        return x if x.dtype.kind == "f" else self.make(self.cast(x, F64), F64)

    def logical_not(self, x: Any) -> Term:
        """Not."""
        return self.make(self.negation(self.cast(self.term(x), BOOL)), BOOL)

    def logical_and(self, x: Any, y: Any) -> Term:
        """And."""
        return self._logical("&", x, y)

    def logical_or(self, x: Any, y: Any) -> Term:
        """Or."""
        return self._logical("|", x, y)

    def logical_xor(self, x: Any, y: Any) -> Term:
        """Exclusive or."""
        return self._logical("!=", x, y)

    def _logical(self, symbol: str, x: Any, y: Any) -> Term:
        a, b = (self.cast(self.term(v), BOOL) for v in (x, y))
        return self.make(f"({a} {symbol} {b})", BOOL)

    def invert(self, x: Any) -> Term:
        """Not of a boolean, all bits of an integer."""
        x = self.term(x)
        if x.dtype == BOOL:
            return self.make(self.negation(x.text), BOOL)
        return self.make(self.narrowed(f"(~{x.text})", x.dtype), x.dtype)


def _float(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """In which functions of floats are computed."""
    return dtype if dtype.kind == "f" else F64
