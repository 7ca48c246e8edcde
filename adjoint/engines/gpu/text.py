"""The text of CUDA kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import text
from ..text import BOOL, F32, NoText

# C's types of numbers; in memory a truth value is a byte, which may hold more than 0 and 1
TYPES = {
    "f4": "float", "f8": "double", "b1": "bool", "i1": "signed char", "i2": "short", "i4": "int",
    "i8": "long long", "u1": "unsigned char", "u2": "unsigned short", "u4": "unsigned int",
    "u8": "unsigned long long",
}  # fmt: skip
# NumPy's names → the C library's, which have an f at their end for float
LIBRARY = {
    "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log", "log1p": "log1p", "log2": "log2",
    "log10": "log10", "sqrt": "sqrt", "cbrt": "cbrt", "hypot": "hypot", "power": "pow", "sin": "sin",
    "cos": "cos", "tan": "tan", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2",
    "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "erf": "erf", "erfc": "erfc", "floor": "floor", "ceil": "ceil",
    "trunc": "trunc", "rint": "rint", "copysign": "copysign", "fmod": "fmod",
}  # fmt: skip
# those of device.cuh, which are overloaded
OWN = frozenset({"maximum", "minimum", "expit", "log_expit", "logaddexp", "logaddexp2", "gammaln", "digamma"})
# On integers these take the unsigned type: to overflow a signed one is undefined in C, and wraps in NumPy.
WRAPPED = {"+": "plus", "-": "minus", "*": "times"}
ROUNDED = {"//": "floor_divide", "%": "floor_remainder"}  # towards −∞, as in Python; x // 0 as in NumPy


def ctype(dtype: np.dtype[Any]) -> str:
    """The C type of a number.

    >>> ctype(np.dtype(np.int64))
    'long long'
    """
    return TYPES[dtype.str[1:]]


def stored(dtype: np.dtype[Any]) -> str:
    """The C type of an array's element."""
    return "unsigned char" if dtype == BOOL else ctype(dtype)


class Term(text.Term):
    """An expression of a CUDA kernel."""

    __slots__ = ()


class CudaReading(text.TextReading):
    """`m` when a row is read as CUDA C."""

    make = Term

    def literal(self, x: Any, dtype: np.dtype[Any]) -> str:
        """With the suffix of its type; INT_MIN has no literal in C."""
        if dtype == BOOL:
            return "true" if x else "false"
        if dtype.kind == "f":
            return _real(dtype.type(x), "f" if dtype == F32 else "")
        value, size = int(x), dtype.itemsize
        if size < 4:
            return f"(({ctype(dtype)}){value})"
        suffix = ("u" if dtype.kind == "u" else "") + ("ll" if size == 8 else "")
        if value == np.iinfo(dtype).min < 0:
            return f"({value + 1}{suffix} - 1)"
        return f"({value}{suffix})" if value < 0 else f"{value}{suffix}"

    def converted(self, text: str, source: np.dtype[Any], dtype: np.dtype[Any]) -> str:
        """A cast."""
        if dtype == BOOL:
            return f"({text} != 0)"
        if source == BOOL and dtype.kind == "f":
            return self.choice(text, self.literal(1, dtype), self.literal(0, dtype))
        return f"({ctype(dtype)}){text}"

    def choice(self, condition: str, x: str, y: str) -> str:
        """The conditional operator."""
        return f"({condition} ? {x} : {y})"

    def negation(self, condition: str) -> str:
        """C's not."""
        return f"(!{condition})"

    def operation(self, symbol: str, a: str, b: str, dtype: np.dtype[Any]) -> str:
        """C's operator where it means the same."""
        if symbol in ROUNDED:
            return f"{ROUNDED[symbol]}({a}, {b})"
        if symbol in WRAPPED and dtype.kind in "iu":
            return f"{WRAPPED[symbol]}({a}, {b})"
        return f"({a} {symbol} {b})"

    def opposite(self, x: str, dtype: np.dtype[Any]) -> str:
        """−x; of integers 0 − x, which wraps."""
        return f"(-{x})" if dtype.kind == "f" else self.operation("-", self.literal(0, dtype), x, dtype)

    def narrowed(self, text: str, dtype: np.dtype[Any]) -> str:
        """C takes what is narrower than an int as an int."""
        return f"({ctype(dtype)}){text}" if dtype.kind in "iu" and dtype.itemsize < 4 else text

    def function(self, name: str, dtype: np.dtype[Any], args: Sequence[str]) -> str:
        """The C library's, or that of device.cuh."""
        if name in OWN:
            return f"{name}({', '.join(args)})"
        if name not in LIBRARY:
            raise NoText
        return f"{LIBRARY[name]}{'f' if dtype == F32 else ''}({', '.join(args)})"

    def size(self, x: str, dtype: np.dtype[Any]) -> str:
        """Overloaded for every type."""
        return f"absolute({x})"


def _real(x: Any, suffix: str) -> str:
    """A float32 or float64: the fewest digits that are this number."""
    if x != x:
        return "NAN_F32" if suffix else "NAN_F64"
    if np.isinf(x):
        text = "INF_F32" if suffix else "INF_F64"
        return text if x > 0 else f"(-{text})"
    return f"({x!s}{suffix})" if np.signbit(x) else f"{x!s}{suffix}"


CUDA: Any = CudaReading()
Term.reading = CUDA
