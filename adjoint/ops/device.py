"""Arrays of a device: cupy's are computed with as NumPy's are, where they are.

NumPy's ufuncs and functions go to cupy by themselves when an operand is cupy's (`__array_ufunc__`,
`__array_function__`), so most rules say nothing of devices. What NumPy does not hand on is here: new arrays
(`beside`), conversions (`as_array`, `on_host`), the functions of scipy.special (`of_special`), factorizations
that must not fail silently (`careful`), what cupy has not at all (`by_host`). Whole functions say in `sides`
what they take.

cupy is never imported: whoever has an array of it has imported it. Without one, all of this is a look-up in
`sys.modules`.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, TypeVar

import numpy as np

from ..errors import DTypeError, describe, need, refusal

F = TypeVar("F", bound=Callable[..., Any])
# Primitives that go by the host for arrays of a device: cupy has no function for their value, or for what
# their derivative takes (that of j1 is made of jv). A test finds the same names by running all rules.
HOSTED = frozenset({
    "coshm", "cosm", "expm", "i1", "i1e", "iv", "ive", "j1", "jv", "log_stdtr", "logm", "roots", "sinc",
    "sinhm", "sinm", "solve_banded", "solve_sylvester", "spherical_jn", "sqrtm", "stdtr", "tanhm", "tanm",
    "y1", "yv",
})  # fmt: skip
HOSTED_IF_COMPLEX = frozenset({"erf", "erfc", "ndtr"})  # cupy has them for real numbers alone
BOTH = "got an array of the host and one of the device"
CUDA = (2, 13)  # DLPack's numbers for memory of a CUDA device, and for managed memory


def on_device(x: Any) -> bool:
    """Whether a plain value is an array of a device."""
    cupy = sys.modules.get("cupy")
    return cupy is not None and isinstance(x, getattr(cupy, "ndarray", ()))


def any_on_device(plain: Iterable[Any]) -> bool:
    """Whether one of the plain values is an array of a device."""
    return "cupy" in sys.modules and any(map(on_device, plain))


def is_array(x: Any) -> bool:
    """Whether a plain value is an array, of the host or of a device."""
    return isinstance(x, np.ndarray) or on_device(x)


def module_of(*plain: Any) -> Any:
    """The module whose functions make arrays beside plain values: cupy if one of them is its, else numpy."""
    return sys.modules["cupy"] if any_on_device(plain) else np


def as_array(x: Any, dtype: Any = None) -> Any:
    """A plain value as an array, where it is."""
    if type(x) is np.ndarray and dtype is None:
        return x
    if on_device(x):
        return x if dtype is None else x.astype(dtype, copy=False)
    return np.asarray(x, dtype)


def add_at(z: Any, index: Any, x: Any) -> None:
    """z[index] += x in place, an index that occurs twice counting twice.

    cupy adds so where CUDA has atomics: int64 as the bits of uint64, what is narrower in int32.
    """
    m = module_of(z)
    if m is np or z.dtype.kind in "fc" or z.dtype in (np.int32, np.uint32, np.uint64):
        m.add.at(z, index, x)
    elif z.dtype == np.int64:
        m.add.at(z.view(np.uint64), index, x.astype(np.int64, copy=False).view(np.uint64))
    else:
        wide = z.astype(np.int32)
        m.add.at(wide, index, x.astype(np.int32))
        z[...] = wide.astype(z.dtype)


def on_host(x: Any) -> Any:
    """A plain value as NumPy's: an array of a device is copied, everything else is as it is."""
    return x.get() if on_device(x) else x


def elsewhere(x: Any) -> bool:
    """Whether a plain value is an array of a device, cupy's or another library's."""
    if isinstance(x, (np.ndarray, np.generic, float, int, complex, str, bytes, type)):
        return False
    if on_device(x):
        return True
    try:
        if getattr(x, "__cuda_array_interface__", None) is not None:
            return True
    except RuntimeError:  # torch's, of a tensor that requires a gradient
        return True
    place = getattr(x, "__dlpack_device__", None)
    with suppress(Exception):  # what lies nowhere, as torch's meta tensors
        return place is not None and place()[0] in CUDA
    return False


def adopted(x: Any) -> Any:
    """A device array of another library as cupy's, over the same memory; anything else as it is.

    `__cuda_array_interface__` (torch, numba, jax) or DLPack says where the memory is.

    Raises:
        DTypeError: the array says that it cannot be shown, as a torch tensor that requires a gradient does.
        MissingPackageError: it is a device array, and cupy is not installed.
    """
    if on_device(x) or not elsewhere(x):
        return x
    try:
        shown = getattr(x, "__cuda_array_interface__", None)
    except RuntimeError as error:
        what = f"{describe(x)} {type(x).__name__} does not show its memory: {error}"
        raise DTypeError(f"{what}\n  Pass x.detach()") from None
    need("cupy", f"an array of a device ({type(x).__module__}.{type(x).__name__})", "gpu")
    import cupy

    return cupy.asarray(x) if shown is not None else cupy.from_dlpack(x)


def mixed(plain: Any) -> bool:
    """Whether some of the values are arrays of the host and some are arrays of a device."""
    return any_on_device(plain) and any(isinstance(x, np.ndarray) and x.ndim for x in plain)


def host_numbers(plain: list[Any]) -> list[Any] | None:
    """The values with 0-d arrays of the host as scalars, where device arrays can meet them then; or None."""
    single = [isinstance(x, np.ndarray) and not x.ndim for x in plain]
    if not any(single) or not any_on_device(plain) or mixed(plain):
        return None
    return [x[()] if alone else x for x, alone in zip(plain, single, strict=True)]


def diagnose_mixed(name: str, described: list[str], plain: Any) -> tuple[str, list[str], str]:
    """What to say where host and device meet: the sentence, the operands and where they are, the remedy."""
    places = ["on the device" if on_device(x) else "on the host" for x in plain]
    operands = [f"{d}, {p}" if is_array(x) else d for d, p, x in zip(described, places, plain, strict=True)]
    labels = [f"x{k}" for k, x in enumerate(plain) if isinstance(x, np.ndarray)]
    remedy = f"Send {' and '.join(labels)} there once, before the computation: cupy.asarray(x)"
    return f"{name} {BOTH}", operands, f"{remedy}."


def refused_mixture(name: str, plain: Any) -> DTypeError:
    """The error for plain operands of both sides."""
    named = [describe(x, f"x{k}") for k, x in enumerate(plain)]
    what, operands, remedy = diagnose_mixed(name, named, plain)
    return refusal(DTypeError, what, remedy, operands)


def host_refused(error: Exception) -> bool:
    """Whether that is a complaint, cupy's or ours, about an array of the host beside one of the device."""
    said = (
        "Unsupported type <class 'numpy.ndarray'>",
        "_ndarray_base, got",
        "Implicit conversion to a NumPy array",
        BOTH,
    )
    return "cupy" in sys.modules and isinstance(error, TypeError) and any(s in str(error) for s in said)


def diagnose_multiplier(name: str) -> tuple[str, str]:
    """What to say where operands of the host get a λ of the device, or the reverse; and the remedy.

    Two parts of a program that meet in numbers alone can be on both sides, their multipliers cannot.
    """
    what = f"{name}: its operands are arrays of the host, its multiplier is one of the device"
    return what, "Keep the whole program on one side: cupy.asarray(x), also of numbers that are reshaped."


# ------------------------------------------------------------------------ what NumPy does not hand on
def of_special(function: Any, name: str) -> Any:
    """A function of scipy.special that goes to cupyx's of that name for arrays of a device.

    What cupyx has not is computed on the host, and sent back: `HOSTED` and `HOSTED_IF_COMPLEX` name it.
    """

    @functools.wraps(function)
    def dispatched(*args: Any, **options: Any) -> Any:
        if not any_on_device(args):
            return function(*args, **options)
        if mixed(args):
            raise TypeError("arrays of the host and of a device")  # the tape says which
        from cupyx.scipy import special

        there = getattr(special, name, None)
        if there is not None:
            with suppress(TypeError):  # no complex numbers there
                return there(*args, **options)
        return hosted(function, args, options)

    return dispatched


def careful(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """A factorization that raises where it fails: cupy's would go on with what is left."""
    if not on_device(args[0]):
        return function(*args, **options)
    import cupyx

    with cupyx.errstate(linalg="raise"):
        return function(*args, **options)


def hosted(function: Callable[..., Any], args: Any, options: dict[str, Any]) -> Any:
    """What a function of the host makes of device arrays, sent back to the device."""
    cupy = module_of(*args, *options.values())
    z = function(*map(on_host, args), **{k: on_host(v) for k, v in options.items()})

    def sent(part: Any) -> Any:
        return cupy.asarray(part) if isinstance(part, (np.ndarray, np.generic)) else part

    return tuple(map(sent, z)) if isinstance(z, tuple) else sent(z)


def by_host(method: F) -> F:
    """A primitive's value that cupy has no function for: on the host, its operands and its result copied.

    Copies and a wait: slower, never wrong. The attribute `by_host` lets the GPU engine say so.
    """

    @functools.wraps(method)
    def value(self: Any, *args: Any, **params: Any) -> Any:
        if not any_on_device(args):
            return method(self, *args, **params)
        if mixed(args):
            raise refused_mixture(self.name, args)
        return hosted(functools.partial(method, self), args, params)

    value.by_host = True  # type: ignore[attr-defined]
    return value  # type: ignore[return-value]
