"""The device array: what `cupy.ndarray` is to programs, over a block of the stand-in's own memory."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from . import creation, functions, indexing, memory, products, ufuncs, values
from .errors import CONTROL
from .signatures import words
from .streams import chosen, current

CONVERSION = (
    "Implicit conversion to a NumPy array is not allowed. "
    "Please use `.get()` to construct a NumPy array explicitly."
)


def contiguous_strides(shape: Sequence[int], itemsize: int, order: str = "C") -> tuple[int, ...]:
    """Strides in bytes of a contiguous array."""
    strides, step = [], itemsize
    for n in reversed(shape) if order == "C" else shape:
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides)) if order == "C" else tuple(strides)


class Flags:
    """As `ndarray.flags`."""

    def __init__(self, c: bool, f: bool, owndata: bool) -> None:
        self.c_contiguous, self.f_contiguous, self.owndata = c, f, owndata
        self.fnc, self.forc = f and not c, f or c

    def __getitem__(self, name: str) -> bool:
        return bool(getattr(self, name.lower()))


class ndarray:
    """As `cupy.ndarray`."""

    __slots__ = ("__weakref__", "base", "data", "dtype", "shape", "strides")
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self, shape: Any, dtype: Any = float, memptr: Any = None, strides: Any = None, order: str = "C"
    ) -> None:
        shape = (shape,) if isinstance(shape, (int, np.integer)) else shape
        self.shape = tuple(operator.index(n) for n in shape)
        self.dtype = np.dtype(dtype)
        if self.dtype.kind not in "?biufc":
            raise ValueError(f"Unsupported dtype {self.dtype}")
        self.strides = (
            contiguous_strides(self.shape, self.dtype.itemsize, order) if strides is None else tuple(strides)
        )
        self.data = memory.alloc(self.nbytes) if memptr is None else memptr
        self.base: Any = None

    # -------------------------------------------------------------------------------- attributes
    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: math.prod(self.shape))
    itemsize = property(lambda self: self.dtype.itemsize)
    nbytes = property(lambda self: self.size * self.dtype.itemsize)
    T = property(lambda self: self.transpose())
    mT = property(lambda self: functions.views["matrix_transpose"](self))
    real = property(lambda self: functions.views["real"](self) if self.dtype.kind == "c" else self)
    imag = property(lambda self: functions.views["imag"](self))
    device = property(lambda self: self.data.device)

    @property
    def flags(self) -> Flags:
        """Contiguity, and whether it owns its memory."""
        known = np.lib.stride_tricks.as_strided(np.empty(1, self.dtype), self.shape, self.strides).flags
        return Flags(known.c_contiguous, known.f_contiguous, self.base is None)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        CONTROL.require_device()
        return {
            "shape": self.shape, "typestr": self.dtype.str, "descr": self.dtype.descr, "stream": 1,
            "version": 3, "strides": None if self.flags.c_contiguous else self.strides,
            "data": (self.data.ptr, False),
        }  # fmt: skip

    # -------------------------------------------------------------------------------- the host's side
    def _host(self) -> np.ndarray:
        """The elements where they lie: for this package alone, after the work before has run."""
        if not self.size:
            return np.empty(self.shape, self.dtype)
        block = memory.block_at(self.data.ptr)
        return np.ndarray(self.shape, self.dtype, block.bytes.data, self.data.ptr - block.ptr, self.strides)

    def _view_of(self, host: np.ndarray) -> ndarray:
        """A device array of what a view of `_host` shows."""
        offset = host.__array_interface__["data"][0] - self.data.ptr if host.size else 0
        view = ndarray(host.shape, host.dtype, self.data + offset, host.strides)
        view.base = self if self.base is None else self.base
        return view

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> np.ndarray:
        """A copy on the host."""
        CONTROL.require_device()
        chosen(stream).refuse_in_capture("D2H transfers")
        chosen(stream).synchronize()
        CONTROL.counts.device_to_host += 1
        if out is None:
            return np.array(self._host(), order="C" if order == "A" else order, copy=True)  # type: ignore[call-overload]
        if not isinstance(out, np.ndarray):
            raise TypeError("Only numpy.ndarray can be obtained fromcupy.ndarray")
        if out.dtype != self.dtype:
            raise TypeError(f"{out.dtype} array cannot be obtained from {self.dtype} array")
        if out.shape != self.shape:
            raise ValueError(f"Shape mismatch. Expected shape: {self.shape}, actual shape: {out.shape}")
        out[...] = self._host()
        return out

    def set(self, arr: Any, stream: Any = None) -> None:
        """Copy from the host: from the array itself where it is contiguous, when the stream comes to it."""
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if self.dtype != arr.dtype:
            raise TypeError(f"{arr.dtype} array cannot be set to {self.dtype} array")
        if self.shape != arr.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        if not self.flags.forc:
            raise RuntimeError("Cannot set to non-contiguous array")
        target = chosen(stream)
        target.refuse_in_capture("H2D transfers")
        source = np.asarray(arr, order="C" if self.flags.c_contiguous else "F")

        def run() -> None:
            CONTROL.counts.host_to_device += 1
            self._host()[...] = source

        target.push("host to device", run, (self, source))
        if target.ptr == 0:
            target.synchronize()

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError(CONVERSION)

    def item(self) -> Any:
        """The one element, as a Python number."""
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self.get().item()

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        return self.get().tolist()

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                "The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()"
            )
        return bool(self.get())

    def __repr__(self) -> str:
        return repr(self.get())

    def __str__(self) -> str:
        return str(self.get())

    def __format__(self, spec: str) -> str:
        return format(self.get(), spec)

    def __reduce__(self) -> Any:
        return creation.array, (self.get(),)

    # -------------------------------------------------------------------------------- NumPy's protocols
    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """As cupy: only names that cupy has itself, only `__call__`, and no type it does not know."""
        if "out" in kwargs:
            if len(kwargs["out"]) != 1:
                raise ValueError("The 'out' parameter must have exactly one array value")
            kwargs = {**kwargs, "out": kwargs["out"][0]}
        function = getattr(values.namespace["cupy"], ufunc.__name__, None)
        if method != "__call__" or function is None:
            return NotImplemented
        for x in (*inputs, *([kwargs["out"]] if "out" in kwargs else [])):
            known = hasattr(x, "__cuda_array_interface__") or isinstance(x, (*values.SCALARS, np.ndarray))
            if not known:
                return NotImplemented
        if getattr(function, "comparison", False):  # NumPy's way of comparing with its own scalars
            inputs = tuple(x.item() if isinstance(x, np.ndarray) and not x.ndim else x for x in inputs)
        return function(*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """As cupy: the function of that module and name, where all types are arrays."""
        path = [*function.__module__.split(".")[1:], function.__name__]
        own = values.namespace["cupy"]
        for name in path:
            own = getattr(own, name, None)
            if own is None:
                return NotImplemented
        if own is function or any(t not in (ndarray, np.ndarray) for t in types):
            return NotImplemented
        return own(*args, **kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        CONTROL.require_device()
        return (2, 0)  # kDLCUDA

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: Any = None
    ) -> Any:
        """Not a capsule that others could read: the host must not see this memory."""
        CONTROL.require_device()
        return creation.Capsule(self)

    # -------------------------------------------------------------------------------- container
    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[k] for k in range(self.shape[0]))

    def __getitem__(self, index: Any) -> Any:
        return indexing.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        indexing.setitem(self, index, value)

    # -------------------------------------------------------------------------------- methods
    def copy(self, order: str = "C") -> ndarray:
        """Another array with the same elements."""
        return values.copied(self, self.dtype, order)

    __copy__ = copy

    def __deepcopy__(self, memo: Any) -> ndarray:
        return self.copy()

    def astype(
        self, dtype: Any, order: str = "K", casting: Any = None, subok: Any = None, copy: bool = True
    ) -> ndarray:
        """In another dtype."""
        if not copy and np.dtype(dtype) == self.dtype:
            return self
        if self.dtype.kind == "c" and np.dtype(dtype).kind not in "c?":
            return values.copied(self.real, dtype, order)
        return values.copied(self, dtype, order)

    def view(self, dtype: Any = None, type: Any = None) -> ndarray:
        """The same memory, perhaps in another dtype."""
        return self._view_of(self._host().view(self.dtype if dtype is None else dtype))

    def fill(self, value: Any) -> None:
        """One number everywhere."""
        values.refuse_host(value)
        number = value.item() if isinstance(value, ndarray) else value
        current().push("fill", lambda: self._host().fill(number), (self,))

    def reshape(self, *shape: Any, order: str = "C") -> ndarray:
        """Another shape."""
        return functions.views["reshape"](self, shape[0] if len(shape) == 1 else shape, order)

    def transpose(self, *axes: Any) -> ndarray:
        """Axes in another order."""
        chosen_axes = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None
        return functions.views["transpose"](self, chosen_axes)

    def flatten(self, order: str = "C") -> ndarray:
        """A copy in one axis."""
        return functions.views["ravel"](self, order).copy()

    def conj(self) -> Any:
        """As cupy.conjugate; a real array is its own."""
        return ufuncs.ufuncs["conjugate"](self) if self.dtype.kind == "c" else self

    conjugate = conj

    def dot(self, b: Any, out: Any = None) -> Any:
        """As cupy.dot."""
        return functions.functions["dot"](self, b, out)

    def scatter_add(self, slices: Any, value: Any) -> None:
        """As cupyx.scatter_add."""
        ufuncs.ufuncs["add"].at(self, slices, value)

    def __pos__(self) -> ndarray:
        return self

    def __matmul__(self, other: Any) -> Any:
        if (
            not isinstance(other, ndarray)
            and hasattr(other, "__array_ufunc__")
            and not isinstance(other, np.ndarray)
        ):
            return NotImplemented
        return products.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return products.matmul(other, self)


def _method(name: str, table: dict[str, Any]) -> Any:
    def method(self: ndarray, *args: Any, **options: Any) -> Any:
        return table[name](self, *args, **options)

    method.__name__ = name
    return method


for _name in words(
    "sum prod mean var std max min argmax argmin cumsum cumprod argsort take repeat trace all any clip round "
    "nonzero searchsorted ptp argpartition choose compress"
):
    setattr(ndarray, _name, _method(_name, functions.functions))
for _name in words("ravel squeeze swapaxes diagonal"):
    setattr(ndarray, _name, _method(_name, functions.views))


def _operator(ufunc: str, swapped: bool, in_place: bool = False) -> Any:
    """As cupy's: with an array directly, with anything else through NumPy, which asks both sides."""
    numpys = getattr(np, ufunc)

    def operate(self: ndarray, other: Any) -> Any:
        if in_place:
            return ufuncs.ufuncs[ufunc](self, other, out=self)
        if not isinstance(other, ndarray) and getattr(other, "__array_ufunc__", self) is None:
            return NotImplemented
        pair = (other, self) if swapped else (self, other)
        return ufuncs.ufuncs[ufunc](*pair) if isinstance(other, ndarray) else numpys(*pair)

    return operate


for _name, _ufunc in {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "lshift": "left_shift", "rshift": "right_shift", "and": "bitwise_and",
    "or": "bitwise_or", "xor": "bitwise_xor",
}.items():  # fmt: skip
    setattr(ndarray, f"__{_name}__", _operator(_ufunc, False))
    setattr(ndarray, f"__r{_name}__", _operator(_ufunc, True))
    setattr(ndarray, f"__i{_name}__", _operator(_ufunc, False, in_place=True))
for _name, _ufunc in {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal",
    "ne": "not_equal",
}.items():  # fmt: skip
    setattr(ndarray, f"__{_name}__", _operator(_ufunc, False))
for _name, _ufunc in {"neg": "negative", "abs": "absolute", "invert": "invert"}.items():
    setattr(ndarray, f"__{_name}__", (lambda u: lambda self: ufuncs.ufuncs[u](self))(_ufunc))
