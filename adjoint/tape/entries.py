"""What may enter a tape: inputs and constants, as they are at that moment.

Both are copied, so that changing an array later does not change the record of what was computed from it.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import AdjointError, DTypeError, describe, refusal
from ..ops.abstract import Abstract
from ..ops.device import adopted, on_device
from ..ops.primitive import Recorded, beside, dtype_of, innermost

LARGE_ON_DEVICE = 1 << 20  # bytes from which a comparison, which waits for the device, pays
LARGEST_BASE = 1 << 26  # bytes of an array that is copied whole because slices of it were met


class Snapshots:
    """Constants as they are now. A large array met again is compared, not copied again.

    So a mask used in every step of a loop costs one copy, and one comparison per step.
    """

    __slots__ = ("_large", "of_trace")

    def __init__(self, of_trace: bool = False) -> None:
        self.of_trace = of_trace  # slices of one array stay slices of one array: a planner makes use of it
        self._large: dict[int, tuple[Any, np.ndarray]] = {}  # id → (weak reference, read-only copy)

    def of_list(self, x: list[Any], others: Sequence[Any]) -> Any:
        """A list of numbers as an array, where the other operands are."""
        array = np.array(x)
        m = beside(*others)
        return self(array) if m is np else m.asarray(array)

    def of_device(self, x: Any) -> Any:
        """A copy of a device's array, whichever library's it is; of a large one met again, the copy there is.

        Raises:
            DTypeError: its elements are neither numbers nor booleans.
        """
        array = adopted(x)
        if not on_device(array):
            return x
        if array.dtype.kind not in "fiubc":
            raise _refused_constant(array.dtype)
        if array.nbytes <= LARGE_ON_DEVICE:
            return array.copy()
        known, copy = self._large.get(id(array), (None, array))
        if known is not None and known() is array:
            both_nan = (copy != copy) & (array != array)
            if bool(((copy == array) | both_nan).all()):
                return copy
        copy = array.copy()
        self._large[id(array)] = (weakref.ref(array), copy)
        return copy

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """A copy of the array, or the array itself if it is large and nobody can write to it.

        Raises:
            DTypeError: its elements are neither numbers nor booleans.
        """
        if array.dtype.kind not in "fiubc":
            raise _refused_constant(array.dtype)
        if self.of_trace and isinstance(array.base, np.ndarray) and 4096 < array.base.nbytes <= LARGEST_BASE:
            return array if _is_frozen(array) else self._slice(array, array.base)
        if array.nbytes <= 4096:
            return array.copy()
        if not any(array.strides):  # one number, broadcast
            return np.broadcast_to(array.flat[0], array.shape)
        if _is_frozen(array):
            return array
        known, copy = self._large.get(id(array), (None, array))
        if known is not None and known() is array and same_bits(copy, array):
            return copy
        copy = array.copy()
        copy.setflags(write=False)
        self._large[id(array)] = (weakref.ref(array), copy)
        return copy

    def _slice(self, array: np.ndarray, base: np.ndarray) -> np.ndarray:
        """A slice of the copy of its base, if that still holds the same numbers."""
        known, copy = self._large.get(id(base), (None, base))
        if known is None or known() is not base:
            if base.dtype.kind not in "fiubc" or not base.flags.c_contiguous or base.dtype != array.dtype:
                return array.copy()
            copy = base if _is_frozen(base) else base.copy()
            copy.setflags(write=False)
            self._large[id(base)] = (weakref.ref(base), copy)
        start = array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
        same = np.ndarray(array.shape, array.dtype, copy, start, array.strides)
        return same if same.tobytes() == array.tobytes() else array.copy()


def _is_frozen(array: np.ndarray) -> bool:
    """Whether nobody can write to it, neither by itself nor by the array that owns its memory."""
    owner = array if array.base is None else array.base
    return isinstance(owner, np.ndarray) and not (array.flags.writeable or owner.flags.writeable)


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Equality that takes NaN for itself in one pass; NumPy's `equal_nan` costs five copies."""
    if a.flat[0] != b.flat[0] and a.flat[0] == a.flat[0]:
        return False
    if a.dtype.itemsize > 8:  # extended precision and complex128 have no integer of their size
        return np.array_equal(a, b, equal_nan=True)
    bits = np.dtype(f"u{a.dtype.itemsize}")
    return np.array_equal(a.view(bits), b.view(bits))


def _refused_constant(dtype: np.dtype[Any]) -> DTypeError:
    what, remedy = (
        f"an array of {dtype} cannot be recorded: its elements are neither numbers nor booleans",
        "",
    )
    if dtype.hasobject:
        what = "an object array cannot be recorded: it hides numbers (or Variables) from differentiation"
        remedy = "Stack the elements with np.stack, or convert with .astype(float)."
    return refusal(DTypeError, what, remedy)


def base_array(array: np.ndarray) -> np.ndarray:
    """An ndarray as such; of its subclasses only memory maps mean the same by their operators.

    Raises:
        DTypeError: the subclass may compute otherwise (masked arrays skip elements,
            np.matrix multiplies matrices).
    """
    if type(array) is np.ndarray or isinstance(array, np.memmap):
        return np.asarray(array)
    what = f"cannot record a {type(array).__name__}: its operations are not those of ndarray"
    remedy = "Convert it with np.asarray; of a masked array take .filled(0.0), and multiply by ~mask."
    raise refusal(DTypeError, what, remedy)


def entry_value(leaf: Any, name: str = "") -> Any:
    """What a tape stores for an input: a read-only copy of a float or complex array; others as they are.

    Raises:
        DTypeError: the leaf is not a floating-point number or array, real or complex.
    """
    if isinstance(leaf, Recorded):
        if dtype_of(innermost(leaf)).kind in "fc":
            return leaf
    elif type(leaf) is float or type(leaf) is complex:
        return leaf
    elif isinstance(leaf, np.ndarray):
        leaf = base_array(leaf)
    leaf = adopted(leaf)
    try:
        inner = innermost(leaf)
        array: Any = (
            inner if type(inner) is Abstract else inner.copy() if on_device(inner) else np.array(inner)
        )  # of the former, the dtype decides
    except (ValueError, AdjointError) as error:
        raise refusal(
            DTypeError, f"an input must be a float, a float array, or a container of these: {error}"
        ) from None
    kind = array.dtype.kind
    if kind not in "fc":
        label = f' "{name}"' if name else ""
        what = (
            f"cannot differentiate with respect to {describe(leaf)} input{label}: its dtype is {array.dtype}"
        )
        raise refusal(DTypeError, what, _dtype_remedy(kind, leaf))
    if on_device(array):
        return array
    array.flags.writeable = False
    return array if isinstance(leaf, np.ndarray) else array[()]


def _dtype_remedy(kind: str, leaf: Any) -> str:
    if kind in "iub":
        suggestion = f"{float(leaf)}" if isinstance(leaf, (int, np.integer)) else "x.astype(float)"
        return f"Pass {suggestion}, or leave the argument out of argnum."
    return (
        "Pass floats; leave strings, objects and options out of argnum, or bind them with functools.partial."
    )
