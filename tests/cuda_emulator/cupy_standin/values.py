"""What every function of the stand-in does with its operands: take them, wait, compute, put results away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import CONTROL
from .streams import current

SCALARS = (bool, int, float, complex, np.generic)
namespace: dict[str, Any] = {}  # "cupy": the module, once it is built


def array_type() -> Any:
    """The class of device arrays, which is made of what is here."""
    from .array import ndarray

    return ndarray


def is_device(x: Any) -> bool:
    """Whether x is one of our arrays."""
    return isinstance(x, array_type())


def refuse_host(x: Any) -> None:
    """Raise what cupy's kernels say of a host array."""
    if isinstance(x, np.ndarray):
        raise TypeError(f"Unsupported type {type(x)}")


def accepted(x: Any) -> Any:
    """An operand: a device array, what shows itself as one, or a number."""
    if is_device(x) or isinstance(x, SCALARS):
        return x
    if hasattr(x, "__cuda_array_interface__"):
        from .creation import array

        return array(x, copy=False)
    raise TypeError(f"Unsupported type {type(x)}")


def host_of(x: Any) -> Any:
    """The elements of a device array; anything else as it is."""
    return x._host() if is_device(x) else x


def new(shape: Any, dtype: Any, order: str = "C") -> Any:
    """An array that nothing has been written to."""
    return array_type()(shape, dtype, order=order)


def copied(x: Any, dtype: Any, order: str = "C") -> Any:
    """A copy, queued."""
    fortran = order == "F" or (order in "KA" and x.flags.fnc)
    result = new(x.shape, dtype, "F" if fortran else "C")

    def run() -> None:
        with np.errstate(all="ignore"):
            np.copyto(result._host(), x._host(), casting="unsafe")

    current().push("copy", run, (x, result))
    return result


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
            return function(*hosts(args), **hosts(options))

    z = evaluate()
    if out is not None:
        kind = np.asarray(z).dtype
        if not np.can_cast(kind, out.dtype, "same_kind"):
            raise TypeError(f"output dtype {out.dtype} cannot take {kind}")
        if np.shape(z) != out.shape:
            raise ValueError("Out shape is mismatched")
        result = out
    else:
        result = adopted(z)
    if out is not None or stream.is_capturing():

        def run() -> None:
            for r, part in zip(flat(result), flat(evaluate()), strict=True):
                np.copyto(r._host(), part, casting="unsafe")

        stream.push(getattr(function, "__name__", "function"), run, (args, options, result))
    return result


def hosts(x: Any) -> Any:
    if isinstance(x, (list, tuple)):
        return type(x)(map(hosts, x)) if type(x) in (list, tuple) else type(x)(*map(hosts, x))
    if isinstance(x, dict):
        return {k: hosts(v) for k, v in x.items()}
    return host_of(x)


def adopted(z: Any) -> Any:
    if isinstance(z, (list, tuple)):
        parts = [adopted(part) for part in z]
        return type(z)(*parts) if hasattr(z, "_fields") else type(z)(parts)
    if isinstance(z, (np.ndarray, np.generic)):
        z = np.asarray(z)
        result = new(z.shape, z.dtype)
        result._host()[...] = z
        return result
    return z


def flat(x: Any) -> list[Any]:
    return [leaf for part in x for leaf in flat(part)] if isinstance(x, (list, tuple)) else [x]
