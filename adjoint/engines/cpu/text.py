"""Rows read as text: the same lambdas that compute on arrays print the source of a numba kernel.

A `Term` is an expression with the dtype that NumPy would give it. Operands are cast to the promoted dtype
before an operation, literals included, because numba would compute `1 - z * z` of a float32 z in float64.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ...ops.abstract import Abstract, result_dtype, stand_in

F32, F64, BOOL = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.bool_)
SUFFIX = {F32: "_f32", F64: "_f64"}
# What `vmath` has a vector form of: named here, because importing that module starts numba (a test compares).
FUNCTIONS = frozenset({
    "maximum", "minimum", "sqrt", "exp", "expm1", "exp2", "sinh", "cosh", "tanh", "expit", "log", "log1p",
    "log_expit", "log2", "log10", "logaddexp", "logaddexp2", "arcsinh", "arccosh", "arctanh", "power", "cbrt",
    "hypot", "sin", "cos", "tan", "arctan", "arctan2", "arcsin", "arccos", "erf", "erfc", "gammaln",
    "digamma",
})  # fmt: skip
# scalar functions that numba knows and that need no vector form of ours
NUMBA_SCALAR = {"floor": 1, "ceil": 1, "trunc": 1, "rint": 1, "sqrt": 1, "copysign": 2, "fmod": 2}


class NoText(Exception):
    """The row has no native form; the node runs by its NumPy reading."""


class Term:
    """An expression of a kernel: text, dtype, and whether it is a Python number (which promotes weakly)."""

    __slots__ = ("dtype", "text", "weak")
    __array_ufunc__ = None

    def __init__(self, text: str, dtype: np.dtype[Any], weak: Any = None) -> None:
        self.text, self.dtype, self.weak = text, dtype, weak

    @property
    def kind(self) -> Any:
        """What promotes as this term does."""
        return Abstract((), self.dtype) if self.weak is None else self.weak

    def __neg__(self) -> Term:
        if self.dtype == BOOL:
            raise NoText
        return Term(f"(-{self.text})", self.dtype) if self.weak is None else term(-self.weak)

    def __pos__(self) -> Term:
        return self

    def __pow__(self, y: Any) -> Term:
        return _power(self, term(y))

    def __rpow__(self, x: Any) -> Term:
        return _power(term(x), self)


def term(x: Any) -> Term:
    """A constant as a term; a term as it is."""
    if isinstance(x, Term):
        return x
    if isinstance(x, np.generic):
        return Term(literal(x, x.dtype), x.dtype)
    return Term(repr(x), np.asarray(x).dtype, x)


def literal(x: Any, dtype: np.dtype[Any]) -> str:
    """A number in a kernel's text, in exactly that dtype."""
    if dtype == BOOL:
        return "True" if x else "False"
    if dtype.kind in "iu":
        return f"np.{dtype.name}({int(x)})"
    value = float(dtype.type(x))
    text = "NAN" if value != value else repr(value).replace("inf", "INF")
    return text if dtype == F64 else f"np.{dtype.name}({text})"


def cast(x: Term, dtype: np.dtype[Any]) -> str:
    """The term's text in another dtype."""
    if x.weak is not None:
        return literal(x.weak, dtype)
    if x.dtype == dtype:
        return x.text
    if dtype == BOOL:
        return f"({x.text} != 0)"
    if x.dtype == BOOL and dtype.kind == "f":  # a select vectorises, a conversion of a bool may not
        return f"({literal(1, dtype)} if {x.text} else {literal(0, dtype)})"
    return f"np.{dtype.name}({x.text})"


_KINDS: dict[Any, np.dtype[Any]] = {}


def _kind(function: Callable[..., Any], *terms: Term) -> np.dtype[Any]:
    """The dtype of NumPy's result."""
    key = (function, *((t.dtype, type(t.weak)) for t in terms))
    if key not in _KINDS:
        with np.errstate(all="ignore"):
            _KINDS[key] = np.asarray(function(*(stand_in(t.kind) for t in terms))).dtype
    return _KINDS[key]


def _arithmetic(symbol: str, function: Callable[..., Any]) -> Callable[[Any, Any], Term]:
    def operate(a: Any, b: Any) -> Term:
        a, b = term(a), term(b)
        dtype = _kind(function, a, b)
        if dtype == BOOL and symbol not in "&|^":
            if symbol not in "+*":
                raise NoText
            return Term(f"({a.text} {'or' if symbol == '+' else 'and'} {b.text})", dtype)
        text = f"({cast(a, dtype)} {symbol} {cast(b, dtype)})"
        narrow = dtype.kind in "iu" and dtype.itemsize < 8  # numba computes these in 64 bits
        return Term(f"np.{dtype.name}({text})" if narrow else text, dtype)

    return operate


def _comparison(symbol: str) -> Callable[[Any, Any], Term]:
    def compare(a: Any, b: Any) -> Term:
        a, b = term(a), term(b)
        dtype = result_dtype(a.kind, b.kind)
        return Term(f"({cast(a, dtype)} {symbol} {cast(b, dtype)})", BOOL)

    return compare


def _install() -> None:
    signs = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%",
             "and": "&", "or": "|", "xor": "^"}  # fmt: skip
    for name, symbol in signs.items():
        operate = _arithmetic(symbol, getattr(operator, f"{name}_" if name in ("and", "or") else name))
        setattr(Term, f"__{name}__", operate)
        setattr(Term, f"__r{name}__", lambda a, b, operate=operate: operate(b, a))
    for name, symbol in {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "==", "ne": "!="}.items():
        setattr(Term, f"__{name}__", _comparison(symbol))


_install()


_product = _arithmetic("*", operator.mul)


def _power(x: Term, y: Term) -> Term:
    """Small constant powers are products; the others go to the vector mathematics."""
    dtype = _kind(operator.pow, x, y)
    if dtype.kind != "f":
        raise NoText
    a = cast(x, dtype)
    exponent = float(y.weak) if y.weak is not None else None
    if exponent is not None and exponent == int(exponent) and 1 <= abs(exponent) <= 4:
        product = " * ".join([a] * int(abs(exponent)))
        return Term(f"({product})" if exponent > 0 else f"({literal(1, dtype)} / ({product}))", dtype)
    if exponent == 0.5:
        return Term(f"np.sqrt({a})", dtype)
    return Term(f"{_vector('power', dtype)}({a}, {cast(y, dtype)})", dtype)


def _vector(name: str, dtype: np.dtype[Any]) -> str:
    if name not in FUNCTIONS or dtype not in SUFFIX:
        raise NoText
    return name + SUFFIX[dtype]


class TextReading:
    """`m` when a row is read as a kernel's text."""

    def __getattr__(self, name: str) -> Callable[..., Term]:
        if name.startswith("__"):  # inspect and copy ask for these
            raise AttributeError(name)
        if not (name in FUNCTIONS or name in NUMBA_SCALAR):
            raise NoText

        def call(*args: Any) -> Term:
            terms = [term(a) for a in args]
            dtype = result_dtype(*(t.kind for t in terms))
            if dtype.kind != "f":
                dtype = F64
            function = f"np.{name}" if name in NUMBA_SCALAR else _vector(name, dtype)
            return Term(f"{function}({', '.join(cast(t, dtype) for t in terms)})", dtype)

        return call

    @staticmethod
    def where(condition: Any, x: Any, y: Any) -> Term:
        """Both branches are cheap or safe: rows are written so."""
        condition, x, y = term(condition), term(x), term(y)
        if type(condition.weak) is bool:
            return x if condition.weak else y
        dtype = result_dtype(x.kind, y.kind)
        return Term(f"({cast(x, dtype)} if {cast(condition, BOOL)} else {cast(y, dtype)})", dtype)

    @staticmethod
    def indicator(condition: Any, like: Any) -> Term:
        """1 or 0 in the dtype of `like`."""
        dtype = term(like).dtype
        one = cast(term(condition), BOOL)
        return Term(f"({literal(1, dtype)} if {one} else {literal(0, dtype)})", dtype)

    @staticmethod
    def maximum(x: Any, y: Any) -> Term:
        """NaN passes through."""
        return _extremum("maximum", x, y)

    @staticmethod
    def minimum(x: Any, y: Any) -> Term:
        """NaN passes through."""
        return _extremum("minimum", x, y)

    @staticmethod
    def fmax(x: Any, y: Any) -> Term:
        """A NaN gives way to a number."""
        return _ignoring_nan("maximum", x, y)

    @staticmethod
    def fmin(x: Any, y: Any) -> Term:
        """A NaN gives way to a number."""
        return _ignoring_nan("minimum", x, y)

    @staticmethod
    def absolute(x: Any) -> Term:
        """|x|."""
        x = term(x)
        if x.dtype.kind not in "fi":
            raise NoText
        return Term(f"abs({x.text})", x.dtype)

    @staticmethod
    def sign(x: Any) -> Term:
        """NaN stays NaN; the sign of −0 is 0."""
        x = term(x)
        one, minus, zero = (literal(k, x.dtype) for k in (1, -1, 0))
        tail = f"({zero} if {x.text} == 0 else {x.text})"
        return Term(f"({one} if {x.text} > 0 else ({minus} if {x.text} < 0 else {tail}))", x.dtype)

    @staticmethod
    def heaviside(x: Any, y: Any) -> Term:
        """0, y or 1; NaN stays NaN."""
        x, y = term(x), term(y)
        dtype = result_dtype(x.kind, y.kind)
        if dtype.kind != "f":
            dtype = F64
        a, zero, one = cast(x, dtype), literal(0, dtype), literal(1, dtype)
        tail = f"({cast(y, dtype)} if {a} == 0 else {a})"
        return Term(f"({zero} if {a} < 0 else ({one} if {a} > 0 else {tail}))", dtype)

    @staticmethod
    def isnan(x: Any) -> Term:
        """A number differs from itself only then."""
        x = term(x)
        return Term(f"({x.text} != {x.text})", BOOL)

    @staticmethod
    def isinf(x: Any) -> Term:
        """|x| = ∞."""
        return _float_test(x, "(abs({0}) == INF)", "False")

    @staticmethod
    def isfinite(x: Any) -> Term:
        """|x| < ∞; false for NaN."""
        return _float_test(x, "(abs({0}) < INF)", "True")

    @staticmethod
    def signbit(x: Any) -> Term:
        """True also for −0."""
        x = term(x)
        if x.dtype.kind != "f":
            return x < 0
        return Term(f"(np.copysign({literal(1, x.dtype)}, {x.text}) < 0)", BOOL)

    @staticmethod
    def radians(x: Any) -> Term:
        """Degrees to radians."""
        return _product(_as_float(x), np.pi / 180)

    @staticmethod
    def degrees(x: Any) -> Term:
        """Radians to degrees."""
        return _product(_as_float(x), 180 / np.pi)

    @staticmethod
    def logical_not(x: Any) -> Term:
        """Not."""
        return Term(f"(not {cast(term(x), BOOL)})", BOOL)

    @staticmethod
    def logical_and(x: Any, y: Any) -> Term:
        """And."""
        return Term(f"({cast(term(x), BOOL)} & {cast(term(y), BOOL)})", BOOL)

    @staticmethod
    def logical_or(x: Any, y: Any) -> Term:
        """Or."""
        return Term(f"({cast(term(x), BOOL)} | {cast(term(y), BOOL)})", BOOL)

    @staticmethod
    def logical_xor(x: Any, y: Any) -> Term:
        """Exclusive or."""
        return Term(f"({cast(term(x), BOOL)} != {cast(term(y), BOOL)})", BOOL)

    @staticmethod
    def invert(x: Any) -> Term:
        """Not of a boolean, all bits of an integer."""
        x = term(x)
        return Term(f"(not {x.text})", BOOL) if x.dtype == BOOL else Term(f"(~{x.text})", x.dtype)


def _as_float(x: Any) -> Term:
    x = term(x)
    return x if x.dtype.kind == "f" else Term(cast(x, F64), F64)


def _extremum(name: str, x: Any, y: Any) -> Term:
    x, y = term(x), term(y)
    dtype = result_dtype(x.kind, y.kind)
    a, b = cast(x, dtype), cast(y, dtype)
    if dtype.kind == "f":
        return Term(f"{_vector(name, dtype)}({a}, {b})", dtype)
    order = ">" if name == "maximum" else "<"
    return Term(f"({a} if {a} {order} {b} else {b})", dtype)


def _ignoring_nan(name: str, x: Any, y: Any) -> Term:
    x, y = term(x), term(y)
    best = _extremum(name, x, y)
    a, b = cast(x, best.dtype), cast(y, best.dtype)
    return Term(f"({b} if {a} != {a} else ({a} if {b} != {b} else {best.text}))", best.dtype)


def _float_test(x: Any, pattern: str, otherwise: str) -> Term:
    x = term(x)
    return Term(pattern.format(x.text) if x.dtype.kind == "f" else otherwise, BOOL)


TEXT: Any = TextReading()
