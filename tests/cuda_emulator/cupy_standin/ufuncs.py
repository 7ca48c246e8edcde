"""Elementwise functions: queued, with cupy's loops and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special as scipy_special

from .errors import CONTROL
from .indexing import host_index, index_parts
from .signatures import ALWAYS_DOUBLE, NOT_COMPLEX, SINGLE_OF_BOOL, SPECIAL, UFUNCS
from .streams import current
from .values import accepted, compute, host_of, is_device, new, refuse_host

AT = ("add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor")
ADDED = frozenset(map(np.dtype, "iILefdFD"))  # dtypes for which there are atomics


class ufunc:
    """As `cupy.ufunc`: an elementwise function with its types."""

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
        if self.__name__ not in AT:
            raise NotImplementedError(f"`{self.__name__}.at` is not supported yet")
        if self.__name__ in ("add", "subtract") and a.dtype not in ADDED:
            raise TypeError(
                "scatter_add only supports int32, float16, float32, float64, complex64, complex128, uint32, "
                "uint64, as data type"
            )
        refuse_host(b)
        value, parts = accepted(b), index_parts(indices)

        def run() -> None:
            self._function.at(a._host(), host_index(parts), host_of(value))

        current().push(f"{self.name}.at", run, (a, value, parts))

    def reduce(
        self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False
    ) -> Any:
        """Over axes."""
        return compute(self._function.reduce, array, axis=axis, dtype=dtype, out=out, keepdims=keepdims)

    def accumulate(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None) -> Any:
        """Along an axis."""
        return compute(self._function.accumulate, array, axis=axis, dtype=dtype, out=out)


# cupy's ufuncs that are functions in NumPy (sinc, i0, fix) are in `functions`
ufuncs = {name: ufunc(name, getattr(np, name)) for name in UFUNCS if isinstance(getattr(np, name), np.ufunc)}
special = {name: ufunc(name, getattr(scipy_special, name)) for name in SPECIAL}
