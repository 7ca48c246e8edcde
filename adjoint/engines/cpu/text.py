"""The text of numba kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import text
from ..text import BOOL, F32, F64, FUNCTIONS, PLAIN, NoText

SUFFIX = {F32: "_f32", F64: "_f64"}


class Term(text.Term):
    """An expression of a numba kernel."""

    __slots__ = ()


class NumbaReading(text.TextReading):
    """`m` when a row is read as numba's Python."""

    make = Term

    def literal(self, x: Any, dtype: np.dtype[Any]) -> str:
        """Through its NumPy type: a bare number would be an int64 or a float64."""
        if dtype == BOOL:
            return "True" if x else "False"
        if dtype.kind in "iu":
            return f"np.{dtype.name}({int(x)})"
        value = float(dtype.type(x))
        number = "NAN" if value != value else repr(value).replace("inf", "INF")
        return number if dtype == F64 else f"np.{dtype.name}({number})"

    def converted(self, text: str, source: np.dtype[Any], dtype: np.dtype[Any]) -> str:
        """A truth value by a choice, which vectorises where a conversion of it may not."""
        if dtype == BOOL:
            return f"({text} != 0)"
        if source == BOOL and dtype.kind == "f":
            return self.choice(text, self.literal(1, dtype), self.literal(0, dtype))
        return f"np.{dtype.name}({text})"

    def choice(self, condition: str, x: str, y: str) -> str:
        """Python's conditional expression."""
        return f"({x} if {condition} else {y})"

    def negation(self, condition: str) -> str:
        """Python's not."""
        return f"(not {condition})"

    def operation(self, symbol: str, a: str, b: str, dtype: np.dtype[Any]) -> str:
        """As it stands."""
        return f"({a} {symbol} {b})"

    def narrowed(self, text: str, dtype: np.dtype[Any]) -> str:
        """Numba computes narrow integers in 64 bits."""
        return f"np.{dtype.name}({text})" if dtype.kind in "iu" and dtype.itemsize < 8 else text

    def function(self, name: str, dtype: np.dtype[Any], args: Sequence[str]) -> str:
        """NumPy's where numba has it in one instruction, else that of `vmath`."""
        if name in PLAIN:
            return f"np.{name}({', '.join(args)})"
        if name not in FUNCTIONS or dtype not in SUFFIX:
            raise NoText
        return f"{name}{SUFFIX[dtype]}({', '.join(args)})"

    def size(self, x: str, dtype: np.dtype[Any]) -> str:
        """Python's abs."""
        return f"abs({x})"


TEXT: Any = NumbaReading()
Term.reading = TEXT
term, cast, literal = TEXT.term, TEXT.cast, TEXT.literal
