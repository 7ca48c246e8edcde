"""What cupy computes: ufuncs, reductions, linear algebra and the rest, by NumPy on the device's memory.

Ufuncs, copies and products are queued as kernels are; what needs its result's shape from the values, or
several results, waits and computes at once. A host array among the operands is refused with cupy's text.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special as scipy_special

from .errors import CONTROL
from .signatures import ALWAYS_DOUBLE, FUNCTIONS, NOT_COMPLEX, SINGLE_OF_BOOL, SPECIAL, UFUNCS, VIEWS
from .streams import current

namespace: Any = None  # the module, once it is built
ufuncs: dict[str, Any] = {}
functions: dict[str, Any] = {}
views: dict[str, Any] = {}
_turn = itertools.count(1)  # of writes whose order is open
CUBLAS_IN_CAPTURE = "calling cuBLAS API during stream capture is currently unsupported"
PRODUCTS = {"dot", "vdot", "inner", "tensordot", "einsum", "outer", "kron"}


def _array_type() -> Any:
    from .array import ndarray

    return ndarray


def is_device(x: Any) -> bool:
    """Whether x is one of our arrays."""
    return isinstance(x, _array_type())


def refuse_host(x: Any) -> None:
    """Raise what cupy's kernels say of a host array."""
    if isinstance(x, np.ndarray):
        raise TypeError(f"Unsupported type {type(x)}")


def accepted(x: Any) -> Any:
    """An operand: a device array, what shows itself as one, or a number."""
    if is_device(x) or isinstance(x, (bool, int, float, complex, np.generic)):
        return x
    if hasattr(x, "__cuda_array_interface__"):
        return array(x, copy=False)
    raise TypeError(f"Unsupported type {type(x)}")


def host_of(x: Any) -> Any:
    """The elements of a device array; anything else as it is."""
    return x._host() if is_device(x) else x


def new(shape: Any, dtype: Any, order: str = "C") -> Any:
    """An array that nothing has been written to."""
    return _array_type()(shape, dtype, order=order)


def copied(x: Any, dtype: Any, order: str = "C") -> Any:
    """A copy, queued."""
    fortran = order == "F" or (order in "KA" and x.flags.fnc)
    result = new(x.shape, dtype, "F" if fortran else "C")

    def run() -> None:
        with np.errstate(all="ignore"):
            np.copyto(result._host(), x._host(), casting="unsafe")

    current().push("copy", run, (x, result))
    return result


class ufunc:
    """As `cupy.ufunc`: an elementwise function with its types."""

    comparison = False

    def __init__(self, name: str, function: np.ufunc) -> None:
        self.name, self.__name__, self._function = f"cupy_{name}", name, function
        self.nin, self.nout, self.nargs = function.nin, function.nout, function.nargs
        self.comparison = name in ("greater", "greater_equal", "less", "less_equal", "equal", "not_equal")

    def __repr__(self) -> str:
        return f"<ufunc {self.name!r}>"

    def __call__(self, *args: Any, out: Any = None, casting: str = "same_kind", dtype: Any = None) -> Any:
        CONTROL.require_device()
        *operands, out = (*args, out) if len(args) <= self.nin else args
        if len(operands) != self.nin:
            raise TypeError(f"Wrong number of arguments for {self.name!r}: it takes {self.nin}")
        operands = [accepted(x) for x in operands]
        shape = np.broadcast_shapes(*(np.shape(x) for x in operands))
        kinds = self._kinds(operands, dtype)
        given = (out if isinstance(out, tuple) else (out,)) if out is not None else ()
        results = tuple(given) or tuple(new(shape, kind) for kind in kinds)
        for r in results:
            if not is_device(r):
                raise TypeError("Output arguments type must be cupy.ndarray")
        if given and given[0].shape != shape:
            raise ValueError("Out shape is mismatched")
        CONTROL.counts.calls += 1

        def run() -> None:
            hosts = [host_of(x) for x in operands]
            with np.errstate(all="ignore"):
                z = self._function(*hosts) if dtype is None else self._function(*hosts, dtype=dtype)
            for r, part in zip(results, z if self.nout > 1 else (z,), strict=True):
                np.copyto(r._host(), part, casting="unsafe")

        current().push(self.name, run, (*operands, *results))
        return results if self.nout > 1 else results[0]

    def _kinds(self, operands: Any, dtype: Any) -> list[np.dtype[Any]]:
        if dtype is not None:
            return [np.dtype(dtype)] * self.nout
        kinds = [
            x.dtype if hasattr(x, "dtype") else np.dtype(bool) if isinstance(x, bool) else type(x)
            for x in operands
        ]
        if all(kind in (int, float, complex) for kind in kinds):
            kinds = [np.dtype(kind) for kind in kinds]
        if self.__name__ in NOT_COMPLEX and any(np.dtype(kind).kind == "c" for kind in kinds):
            names = ", ".join(np.dtype(kind).name for kind in kinds)
            raise TypeError(f"Wrong type ({names}) of arguments for {self.name}")
        if self.__name__ in ALWAYS_DOUBLE:
            return [np.dtype(np.float64)]
        if self.__name__ in SINGLE_OF_BOOL and all(np.dtype(kind).kind == "b" for kind in kinds):
            return [np.dtype(np.float32)]
        return list(self._function.resolve_dtypes((*kinds, *(None,) * self.nout))[self.nin :])

    def at(self, a: Any, indices: Any, b: Any = None) -> None:
        """In place at indices; one that occurs twice counts twice. cupy has it for a few ufuncs."""
        if self.__name__ not in (
            "add",
            "subtract",
            "maximum",
            "minimum",
            "bitwise_and",
            "bitwise_or",
            "bitwise_xor",
        ):
            raise NotImplementedError(f"`{self.__name__}.at` is not supported yet")
        if self.__name__ in ("add", "subtract") and a.dtype.kind in "?bhl" and a.dtype != np.int32:
            raise TypeError(
                "scatter_add only supports int32, float16, float32, float64, complex64, complex128, uint32, "
                "uint64, as data type"
            )
        refuse_host(b)
        value, parts = accepted(b), _index(indices)

        def run() -> None:
            self._function.at(a._host(), _host_index(parts), host_of(value))

        current().push(f"{self.name}.at", run, (a, value, parts))

    def reduce(
        self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False
    ) -> Any:
        """Over axes."""
        return compute(self._function.reduce, array, axis=axis, dtype=dtype, out=out, keepdims=keepdims)

    def accumulate(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None) -> Any:
        """Along an axis."""
        return compute(self._function.accumulate, array, axis=axis, dtype=dtype, out=out)


# -------------------------------------------------------------------------------- at once
def compute(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Wait, compute, and put the results where the device can see them.

    In a capture the function is recorded, for the shapes it has now.
    """
    CONTROL.require_device()
    out = options.pop("out", None)
    stream, counts = current(), CONTROL.counts
    counts.calls += 1
    if not stream.is_capturing():
        stream.drain()

    def evaluate() -> Any:
        with np.errstate(all="ignore"):
            return function(*_hosts(args), **_hosts(options))

    z = evaluate()
    if out is not None:
        kind = np.asarray(z).dtype
        if not np.can_cast(kind, out.dtype, "same_kind"):
            raise TypeError(f"output dtype {out.dtype} cannot take {kind}")
        if np.shape(z) != out.shape:
            raise ValueError("Out shape is mismatched")
        result = out
    else:
        result = _adopted(z)
    if out is not None or stream.is_capturing():

        def run() -> None:
            for r, part in zip(_flat(result), _flat(evaluate()), strict=True):
                np.copyto(r._host(), part, casting="unsafe")

        stream.push(getattr(function, "__name__", "function"), run, (args, options, result))
    return result


def _hosts(x: Any) -> Any:
    if isinstance(x, (list, tuple)):
        return type(x)(map(_hosts, x)) if type(x) in (list, tuple) else type(x)(*map(_hosts, x))
    if isinstance(x, dict):
        return {k: _hosts(v) for k, v in x.items()}
    return host_of(x)


def _adopted(z: Any) -> Any:
    if isinstance(z, (list, tuple)):
        parts = [_adopted(part) for part in z]
        return type(z)(*parts) if hasattr(z, "_fields") else type(z)(parts)
    if isinstance(z, (np.ndarray, np.generic)):
        z = np.asarray(z)
        result = new(z.shape, z.dtype)
        result._host()[...] = z
        return result
    return z


def _flat(x: Any) -> list[Any]:
    return [leaf for part in x for leaf in _flat(part)] if isinstance(x, (list, tuple)) else [x]


def _reject(x: Any) -> None:
    """A host array anywhere among the arguments: cupy takes none."""
    if isinstance(x, (list, tuple)):
        for part in x:
            _reject(part)
    elif isinstance(x, np.ndarray):
        expected = "cupy._core.core._ndarray_base"
        raise TypeError(f"Argument 'a' has incorrect type (expected {expected}, got {type(x).__name__})")


HOST_INDICES = {"take"}  # cupy sends an index array of the host to the device


def offered(name: str, signature: str, numpys: Callable[..., Any]) -> Callable[..., Any]:
    """A function of cupy by NumPy's function of that name, with cupy's parameters and no others."""
    bind = eval(f"lambda {signature[1:-1]}: None", {"np": np})  # the table's own text
    own = inspect.signature(bind)

    @functools.wraps(numpys)
    def function(*args: Any, **options: Any) -> Any:
        try:
            own.bind(*args, **options)
        except TypeError as error:
            raise TypeError(f"{name}() {error}") from None
        if name not in HOST_INDICES:
            _reject([*args, *options.values()])
        if name in PRODUCTS:
            in_product()
        return _called(name, numpys, own, args, options)

    function.__signature__ = own  # type: ignore[attr-defined]
    return function


def _called(name: str, numpys: Any, own: inspect.Signature, args: Any, options: dict[str, Any]) -> Any:
    bound = own.bind(*args, **options)
    given = dict(bound.arguments)
    if name in RENAMED:
        given = {RENAMED[name].get(k, k): v for k, v in given.items()}
        return compute(numpys, **{k: v for k, v in given.items() if v is not None or k in ("axis", "ord")})
    # what cupy takes and NumPy does not, and defaults that mean the same
    dropped = {
        k: v
        for k, v in options.items()
        if not (v is None and k in ("kind", "dtype", "copy", "subok", "bias"))
    }
    dropped.pop("casting", None)
    if name in ("argmax", "argmin", "nanargmax", "nanargmin"):
        dropped.pop("dtype", None)
    return compute(numpys, *args, **dropped)


RENAMED: dict[str, dict[str, str]] = {
    "vander": {}, "linalg.pinv": {}, "linalg.matrix_rank": {"M": "A"}, "linalg.matrix_power": {"M": "a"},
}  # fmt: skip


# -------------------------------------------------------------------------------- views
def viewing(name: str, signature: str, numpys: Callable[..., Any]) -> Callable[..., Any]:
    """A function that makes a view of its first operand where NumPy's does, and a copy where it cannot."""
    own = inspect.signature(eval(f"lambda {signature[1:-1]}: None"))

    @functools.wraps(numpys)
    def function(*args: Any, **options: Any) -> Any:
        CONTROL.require_device()
        own.bind(*args, **options)
        _reject([*args, *options.values()])
        options = {k: v for k, v in options.items() if v is not None or k == "axis"}
        if "newshape" in options:
            options["shape"] = options.pop("newshape")
        if not any(is_device(a) for a in args):
            return compute(numpys, *args, **options)
        arrays = [a for a in args if is_device(a)]
        z = numpys(*_hosts(args), **options)
        found = _as_views(z, arrays)
        return compute(numpys, *args, **options) if found is None else found

    function.__signature__ = own  # type: ignore[attr-defined]
    return function


def _as_views(z: Any, arrays: list[Any]) -> Any:
    if isinstance(z, (list, tuple)):
        parts = [_as_views(part, arrays) for part in z]
        return None if any(part is None for part in parts) else type(z)(parts)
    for a in arrays:
        if not a.size or not np.size(z):
            return a._view_of(np.asarray(z)) if a.dtype == z.dtype else None
        if isinstance(z, np.ndarray) and np.may_share_memory(z, a._host()):
            return a._view_of(z)
    return None


# -------------------------------------------------------------------------------- indexing
def _index(index: Any) -> list[Any]:
    """The parts of an index, arrays on the device: those of the host are sent there, as cupy does."""
    parts = list(index) if isinstance(index, tuple) else [index]
    for k, part in enumerate(parts):
        if isinstance(part, slice):  # its bounds now, not when the work runs
            bounds = (b.item() if is_device(b) else b for b in (part.start, part.stop, part.step))
            parts[k] = part = slice(*(b if b is None else operator.index(b) for b in bounds))
        if isinstance(part, (list, np.ndarray, bool, np.bool_)):
            sent = np.asarray(part)
            parts[k] = array(sent.astype(np.int32) if isinstance(part, list) and not sent.size else sent)
        elif not (
            part is None or part is Ellipsis or isinstance(part, slice) or is_device(part)
        ) and not hasattr(part, "__index__"):
            raise IndexError(
                "only integers, slices (`:`), ellipsis (`...`),numpy.newaxis (`None`) and integer or "
                "boolean arrays are valid indices"
            )
        if is_device(parts[k]) and parts[k].dtype.kind not in "biu?":
            raise IndexError(
                f"arrays used as indices must be of integer or boolean type. (actual: {parts[k].dtype.type})"
            )
    return parts


def _host_index(parts: list[Any], shape: Any = None) -> tuple[Any, ...]:
    """The index as NumPy takes it."""
    return tuple(host_of(part) for part in parts)


def _wrapped(parts: list[Any], shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Index arrays taken modulo the size: cupy does not look whether they are in bounds."""
    taken = [
        part.ndim if is_device(part) and part.dtype == bool else 0 if part is None or part is Ellipsis else 1
        for part in parts
    ]
    rest, axis, index = len(shape) - sum(taken), 0, []
    for part, count in zip(parts, taken, strict=True):
        host = host_of(part)
        if is_device(part) and part.dtype != bool and shape[axis]:
            host = host % shape[axis]
        index.append(host)
        axis += rest if part is Ellipsis else count
    return tuple(index)


def getitem(x: Any, index: Any) -> Any:
    """x[index]: a view for slices and integers, a queued gather for index arrays, at once for masks."""
    CONTROL.require_device()
    parts = _index(index)
    arrays = [part for part in parts if is_device(part)]
    if not arrays:
        whole = parts if any(part is Ellipsis for part in parts) else [*parts, Ellipsis]
        return x._view_of(x._host()[tuple(whole)])
    if any(a.dtype == bool for a in arrays):
        return compute(lambda host, *at: host[at], x, *parts)
    blank = np.broadcast_to(np.zeros((), bool), x.shape)
    shape = (
        blank[tuple(np.zeros(p.shape, np.intp) if is_device(p) else p for p in parts)].shape
        if x.size
        else None
    )
    if shape is None:
        return compute(lambda host, *at: host[at], x, *parts)
    result = new(shape, x.dtype)
    current().push(
        "getitem",
        lambda: result._host().__setitem__(..., x._host()[_wrapped(parts, x.shape)]),
        (x, parts, result),
    )
    return result


def _write(host: np.ndarray, index: tuple[Any, ...], given: Any) -> None:
    """host[index] = given; of two writes to one place either may stand, as on the device."""
    if not any(isinstance(part, np.ndarray) and part.dtype != bool for part in index):
        host[index] = given
        return
    places = np.arange(host.size).reshape(host.shape)[index]
    values = np.broadcast_to(
        np.squeeze(given, tuple(range(max(np.ndim(given) - places.ndim, 0)))), places.shape
    )
    order = slice(None, None, -1 if next(_turn) % 2 else 1)
    host.flat[places.ravel()[order]] = values.ravel()[order]


def setitem(x: Any, index: Any, value: Any) -> None:
    """x[index] = value, queued."""
    CONTROL.require_device()
    if isinstance(value, np.ndarray):
        if value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        value = value.item()
    parts = _index(index)
    operand = accepted(value)
    target = np.broadcast_to(np.zeros((), bool), x.shape)
    if not any(is_device(p) for p in parts):
        shape = target[tuple(parts)].shape
        if is_device(operand):
            np.broadcast_shapes(shape, operand.shape)
    elif current().is_capturing() is False and any(is_device(p) and p.dtype == bool for p in parts):
        current().drain()

    def run() -> None:
        with np.errstate(all="ignore"):
            given = host_of(operand)
            if np.iscomplexobj(given) and x.dtype.kind != "c":
                given = np.real(given)
            _write(x._host(), _wrapped(parts, x.shape), given)

    current().push("setitem", run, (x, parts, operand))


# -------------------------------------------------------------------------------- creation
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
    if isinstance(obj, (list, tuple)) and any(is_device(leaf) for leaf in _flat(obj)):
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
    from .memory import MemoryPointer, UnownedMemory

    shown = obj.__cuda_array_interface__
    ptr, dtype = shown["data"][0], np.dtype(shown["typestr"])
    size = int(np.prod(shown["shape"], dtype=np.int64)) * dtype.itemsize
    memory = UnownedMemory(ptr, size, obj, 0)
    return _array_type()(shown["shape"], dtype, MemoryPointer(memory, 0), shown.get("strides"))


def asarray(a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, blocking: bool = False) -> Any:
    """As `array`, without a copy where none is needed."""
    return array(a, dtype, bool(copy), order or "K")


asanyarray = asarray


def ascontiguousarray(a: Any, dtype: Any = None) -> Any:
    """C order, one axis at least."""
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
    return _adopted(
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
    return _adopted(np.eye(N, M, k, dtype))


def identity(n: int, dtype: Any = float) -> Any:
    """Ones on the diagonal."""
    return eye(n, dtype=dtype)


def tri(N: int, M: Any = None, k: int = 0, dtype: Any = float) -> Any:
    """Ones in the lower triangle."""
    return _adopted(np.tri(N, M, k, dtype))


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


# -------------------------------------------------------------------------------- products
def in_product() -> None:
    """What cuBLAS needs: its wheel, and no capture."""
    CONTROL.require_library("cublas")
    if current().is_capturing():
        raise NotImplementedError(CUBLAS_IN_CAPTURE)


def matmul(
    *args: Any,
    axes: Any = None,
    axis: Any = None,
    keepdims: bool = False,
    casting: str = "same_kind",
    dtype: Any = None,
    signature: Any = None,
    order: str = "K",
    out: Any = None,
) -> Any:
    """a @ b, queued; through cuBLAS, so never while capturing."""
    CONTROL.require_device()
    a, b, *rest = args
    out = rest[0] if rest else out
    for side, x in zip("ab", (a, b), strict=True):
        if not is_device(x):
            expected = "cupy._core.core._ndarray_base"
            raise TypeError(
                f"Argument {side!r} has incorrect type (expected {expected}, got {type(x).__name__})"
            )
    in_product()
    shape = _product_shape(a.shape, b.shape)
    result = new(shape, dtype or np.result_type(a.dtype, b.dtype)) if out is None else out
    if result.shape != shape:
        raise ValueError("Out shape is mismatched")
    CONTROL.counts.calls += 1

    def run() -> None:
        with np.errstate(all="ignore"):
            np.copyto(result._host(), np.matmul(a._host(), b._host()), casting="same_kind")

    current().push("matmul", run, (a, b, result))
    return result


def _product_shape(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    if not a or not b:
        raise ValueError("matmul: Input operand does not have enough dimensions")
    one = (a if len(a) > 1 else (1, *a)), (b if len(b) > 1 else (*b, 1))
    if one[0][-1] != one[1][-2]:
        sizes = f"(size {one[1][-2]} is different from {one[0][-1]})"
        raise ValueError(f"matmul: Input operand 1 has a mismatch in its core dimension 0, {sizes}")
    stack = np.broadcast_shapes(one[0][:-2], one[1][:-2])
    return (*stack, *(one[0][-2:-1] if len(a) > 1 else ()), *(one[1][-1:] if len(b) > 1 else ()))


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
    import sys

    return sys.modules["cupy"] if any(is_device(a) for a in args) else np


# -------------------------------------------------------------------------------- questions
def shape(a: Any) -> tuple[int, ...]:
    """Sizes."""
    return a.shape if is_device(a) else np.shape(a)


def ndim(a: Any) -> int:
    """Number of axes."""
    return len(shape(a))


def size(a: Any, axis: Any = None) -> int:
    """Number of elements, or length of an axis."""
    sizes = shape(a)
    return int(np.prod(sizes, dtype=np.int64)) if axis is None else sizes[axis]


def _kind(x: Any) -> Any:
    return x.dtype if is_device(x) else x


def result_type(*arrays_and_dtypes: Any) -> Any:
    """As NumPy's."""
    return np.result_type(*map(_kind, arrays_and_dtypes))


def can_cast(from_: Any, to: Any, casting: str = "safe") -> bool:
    """As NumPy's."""
    return np.can_cast(_kind(from_), to, casting)  # type: ignore[arg-type]


def iscomplexobj(x: Any) -> bool:
    """Whether its dtype is complex."""
    return x.dtype.kind == "c" if is_device(x) else np.iscomplexobj(x)


def isrealobj(x: Any) -> bool:
    """Whether its dtype is not."""
    return not iscomplexobj(x)


# -------------------------------------------------------------------------------- filling the tables
def _numpys(name: str) -> Any:
    found: Any = np
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


for _name in UFUNCS:
    _numpy_function = _numpys(_name)
    if isinstance(_numpy_function, np.ufunc):
        ufuncs[_name] = ufunc(_name, _numpy_function)
    else:  # cupy's ufunc, NumPy's function of ufuncs: sinc, i0, fix
        functions[_name] = offered(_name, "(x)", _numpy_function)
for _name, _signature in VIEWS.items():
    views[_name] = viewing(_name, _signature, _numpys(_name))
for _name, _signature in FUNCTIONS.items():
    functions[_name] = offered(_name, _signature, _numpys(_name))
special = {_name: ufunc(_name, getattr(scipy_special, _name)) for _name in SPECIAL}


def _polygamma(n: Any, x: Any) -> Any:
    return compute(scipy_special.polygamma, n, x)


def _logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    return compute(scipy_special.logsumexp, a, axis, b, keepdims, return_sign)


def _softmax(x: Any, axis: Any = None) -> Any:
    return compute(scipy_special.softmax, x, axis)


def _log_softmax(x: Any, axis: Any = None) -> Any:
    return compute(scipy_special.log_softmax, x, axis)


special_functions = {
    "polygamma": _polygamma,
    "logsumexp": _logsumexp,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
}
