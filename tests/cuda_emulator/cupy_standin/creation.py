"""New arrays, copies from the host and to it, and exchange with other libraries."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .errors import CONTROL
from .memory import MemoryPointer, UnownedMemory
from .streams import current
from .values import accepted, adopted, array_type, compute, copied, flat, host_of, is_device, new


def array(
    obj: Any,
    dtype: Any = None,
    copy: Any = True,
    order: str = "K",
    subok: bool = False,
    ndmin: int = 0,
    *,
    blocking: bool = False,
) -> Any:
    """A device array of anything that NumPy makes an array of; from the host it is copied, and waited for."""
    CONTROL.require_device()
    if is_device(obj):
        result = (
            obj
            if copy is not True and (dtype is None or obj.dtype == np.dtype(dtype))
            else copied(obj, dtype or obj.dtype, order)
        )
        return result.reshape((1,) * (ndmin - result.ndim) + result.shape) if ndmin > result.ndim else result
    if hasattr(obj, "__cuda_array_interface__"):
        return array(_of_interface(obj), dtype, copy, order, subok, ndmin)
    if isinstance(obj, (list, tuple)) and any(is_device(leaf) for leaf in flat(obj)):
        from .functions import functions

        stacked = functions["stack"]([array(part) for part in obj])
        return stacked if dtype is None else stacked.astype(dtype)
    host = np.array(obj, dtype=dtype, ndmin=ndmin)
    if host.dtype.kind not in "?biufc":
        raise ValueError(f"Unsupported dtype {host.dtype}")
    result = new(host.shape, host.dtype, "F" if host.flags.fnc and order in "KAF" else "C")
    if host.size:
        result.set(np.asarray(host, order="F" if result.flags.fnc else "C"))
    return result


def _of_interface(obj: Any) -> Any:
    """An array over memory that another library shows."""
    shown = obj.__cuda_array_interface__
    ptr, dtype = shown["data"][0], np.dtype(shown["typestr"])
    size = int(np.prod(shown["shape"], dtype=np.int64)) * dtype.itemsize
    memory = UnownedMemory(ptr, size, obj, 0)
    return array_type()(shown["shape"], dtype, MemoryPointer(memory, 0), shown.get("strides"))


def asarray(a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, blocking: bool = False) -> Any:
    """As `array`, without a copy where none is needed."""
    return array(a, dtype, bool(copy), order or "K")


asanyarray = asarray


def ascontiguousarray(a: Any, dtype: Any = None) -> Any:
    """C order, one axis at least; what has it already is returned, of whatever class."""
    if not is_device(a) or dtype is not None:
        a = asarray(a, dtype)
    if not a.shape:
        return a.reshape(1)
    return a if a.flags.c_contiguous else copied(a, a.dtype, "C")


def asfortranarray(a: Any, dtype: Any = None) -> Any:
    """Fortran order."""
    a = asarray(a, dtype)
    return a if a.flags.f_contiguous else copied(a, a.dtype, "F")


def asnumpy(
    a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True
) -> np.ndarray:
    """On the host."""
    if is_device(a):
        return a.get(stream=stream, order=order, out=out)
    if hasattr(a, "__cuda_array_interface__"):
        return array(a).get(stream=stream, order=order, out=out)
    return np.asarray(a, order=order)  # type: ignore[call-overload]


def empty(shape: Any, dtype: Any = float, order: str = "C") -> Any:
    """Whatever stands there."""
    return new(shape, dtype, order)


def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C") -> Any:
    """One number everywhere."""
    kind = dtype if dtype is not None else getattr(fill_value, "dtype", np.asarray(host_of(fill_value)).dtype)
    result = new(shape, kind, order)
    result.fill(fill_value)
    return result


def zeros(shape: Any, dtype: Any = float, order: str = "C") -> Any:
    """Zeros."""
    return full(shape, 0, dtype, order)


def ones(shape: Any, dtype: Any = float, order: str = "C") -> Any:
    """Ones."""
    return full(shape, 1, dtype, order)


def empty_like(
    prototype: Any, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None
) -> Any:
    """Of another array's shape and dtype."""
    return new(prototype.shape if shape is None else shape, dtype or prototype.dtype)


def full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None
) -> Any:
    """One number everywhere, of another array's shape and dtype."""
    result = empty_like(a, dtype, order, subok, shape)
    result.fill(fill_value)
    return result


def zeros_like(a: Any, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None) -> Any:
    """Zeros of another array's shape and dtype."""
    return full_like(a, 0, dtype, order, subok, shape)


def ones_like(a: Any, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None) -> Any:
    """Ones of another array's shape and dtype."""
    return full_like(a, 1, dtype, order, subok, shape)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    """A range."""
    return adopted(
        np.arange(start, dtype=dtype) if stop is None else np.arange(start, stop, step, dtype=dtype)
    )


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Evenly spaced."""
    return compute(np.linspace, start, stop, num, endpoint, retstep, dtype, axis)


def eye(N: int, M: Any = None, k: int = 0, dtype: Any = float, order: str = "C") -> Any:
    """Ones on a diagonal."""
    return adopted(np.eye(N, M, k, dtype))


def identity(n: int, dtype: Any = float) -> Any:
    """Ones on the diagonal."""
    return eye(n, dtype=dtype)


def tri(N: int, M: Any = None, k: int = 0, dtype: Any = float) -> Any:
    """Ones in the lower triangle."""
    return adopted(np.tri(N, M, k, dtype))


def ix_(*args: Any) -> Any:
    """An open grid."""
    return compute(np.ix_, *args)


def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = None) -> None:
    """Copy into an array, queued."""
    operand = accepted(src)
    if is_device(operand) and not np.can_cast(operand.dtype, dst.dtype, casting):
        raise TypeError(f"Cannot cast {operand.dtype} to {dst.dtype} in {casting} casting mode")

    def run() -> None:
        mask = True if where is None else host_of(where)
        np.copyto(dst._host(), host_of(operand), casting="unsafe", where=mask)

    current().push("copyto", run, (dst, operand, where))


# -------------------------------------------------------------------------------- exchange
class Capsule:
    """What `__dlpack__` gives, for `from_dlpack` here."""

    def __init__(self, array: Any) -> None:
        self.array = array


def from_dlpack(array: Any, *, device: Any = None, copy: Any = None) -> Any:
    """An array over the memory of another library's device array."""
    CONTROL.require_device()
    if hasattr(array, "__dlpack_device__") and array.__dlpack_device__()[0] not in (2, 13):
        raise TypeError(
            "CPU arrays cannot be directly imported to CuPy. "
            "Use `cupy.array(numpy.from_dlpack(input))` instead."
        )
    capsule = array.__dlpack__()
    if not isinstance(capsule, Capsule):
        raise BufferError("a capsule that is not the stand-in's")
    return capsule.array._view_of(capsule.array._host())


def get_array_module(*args: Any) -> Any:
    """cupy if one of them is a device array, else NumPy."""
    return sys.modules["cupy"] if any(is_device(a) for a in args) else np
