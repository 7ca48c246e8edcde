"""Shapes without values: what stands in for an array while a program is traced for compilation.

An `Abstract` knows its shape and dtype. Whatever would need its numbers (a branch, `float()`, an index that
decides a shape) is refused with the user's line, because the compiled program runs for other numbers too.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import TraceError, refusal
from .device import as_array

REMEDY = (
    "Choose by np.where, repeat with ad.scan, branch with ad.cond: these compile. Python values that are "
    "the same in every call (an axis, a number of layers) may be passed as ints, strings or tuples."
)


_numbers: dict[tuple[tuple[int, ...], np.dtype[Any], bool], int] = {}
_serials = itertools.count()
REMEMBERED = 1 << 16  # kinds of values, at most, that a table keeps


class Abstract:
    """An array, or a Python float or complex (`weak`), of which only shape and dtype are known.

    Attributes:
        number: the same for the same shape, dtype and weakness: NumPy takes 0.2 µs to hash a dtype.
    """

    __slots__ = ("dtype", "number", "shape", "weak")
    __array_ufunc__ = None  # NumPy's operators and ufuncs refuse it at once

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], weak: bool = False) -> None:
        self.shape, self.dtype, self.weak = shape, dtype, weak
        key = (shape, dtype, weak)
        number = _numbers.get(key)
        if number is None:
            if len(_numbers) >= REMEMBERED:  # numbers are not given twice, so that old ones stay right
                _numbers.clear()
            number = _numbers[key] = next(_serials)
        self.number = number

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=int))

    def like(self, shape: tuple[int, ...]) -> Abstract:
        """Another shape of that dtype."""
        return Abstract(shape, self.dtype)

    def __repr__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]{' (Python number)' if self.weak else ''}"

    def refuse(self, what: str, first: str = "") -> TraceError:
        """The error for something that needs the numbers; `first` is the likeliest remedy."""
        text = f"{what} needs the value of an array {self.shape} {self.dtype}, which a compiled program"
        return refusal(TraceError, f"{text} has only when it runs", first + REMEDY)

    def __bool__(self) -> bool:
        raise self.refuse("a branch (if, while, and, or, bool())")

    def __eq__(self, other: object) -> bool:
        raise self.refuse("a comparison outside the recorded program")

    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    __hash__ = object.__hash__

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        index = (
            "Is it an index of a plain array? Pass that array to the function, or write adjoint.numpy.take. "
        )
        raise self.refuse("conversion to a plain array or number", index if self.dtype.kind in "iub" else "")

    def __float__(self) -> float:
        raise self.refuse("float()")

    def __int__(self) -> int:
        raise self.refuse("int()")

    def __index__(self) -> int:
        raise self.refuse("use as an index or a size")

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """NumPy functions that look at shapes and dtypes alone."""
        if function in _OF_SHAPES:
            args = [np.broadcast_to(stand_in(a), a.shape) if type(a) is Abstract else a for a in args]
            return function(*args, **kwargs)
        raise self.refuse(f"np.{function.__name__}")


_OF_SHAPES = frozenset({
    np.shape, np.ndim, np.size, np.zeros_like, np.ones_like, np.empty_like, np.result_type, np.can_cast,
    np.iscomplexobj, np.isrealobj,
})  # fmt: skip


def abstract_of(x: Any) -> Abstract:
    """Shape and dtype of a plain operand; an Abstract as it is."""
    if type(x) is Abstract:
        return x
    if type(x) is float or type(x) is complex:
        return Abstract((), np.dtype(type(x)), weak=True)
    array = as_array(x)
    return Abstract(array.shape, array.dtype)


def stand_in(x: Any) -> Any:
    """One element of x's kind: what promotes as x does."""
    if type(x) is Abstract:
        return _one(x.dtype).item() if x.weak else _one(x.dtype)
    if isinstance(x, (bool, int, float, complex)):
        return type(x)(1)
    return _one(as_array(x).dtype)


@lru_cache(maxsize=256)
def _one(dtype: np.dtype[Any]) -> Any:
    return dtype.type(1)


def result_dtype(*args: Any) -> np.dtype[Any]:
    """The dtype to which NumPy promotes the operands."""
    return np.result_type(*map(stand_in, args))


def broadcast_shape(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """`np.broadcast_shapes`, quick where shapes are equal or empty.

    Raises:
        ValueError: the shapes do not broadcast.
    """
    first = shapes[0]
    for shape in shapes:
        if shape != first and shape:
            if first:
                return np.broadcast_shapes(*shapes)
            first = shape
    return first
