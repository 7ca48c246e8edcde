"""Functions of NumPy's names with cupy's parameters, computed by NumPy on the device's memory.

A host array among the operands is refused with cupy's text.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special as scipy_special

from .errors import CONTROL
from .products import in_product
from .signatures import FUNCTIONS, UFUNCS, VIEWS
from .values import compute, hosts, is_device

PRODUCTS = {"dot", "vdot", "inner", "tensordot", "einsum", "outer", "kron"}


def reject_host(x: Any) -> None:
    """A host array anywhere among the arguments: cupy takes none."""
    if isinstance(x, (list, tuple)):
        for part in x:
            reject_host(part)
    elif isinstance(x, np.ndarray):
        expected = "cupy._core.core._ndarray_base"
        raise TypeError(f"Argument 'a' has incorrect type (expected {expected}, got {type(x).__name__})")


HOST_INDICES = {"take"}  # cupy sends an index array of the host to the device
RENAMED = {"linalg.matrix_rank": {"M": "A"}, "linalg.matrix_power": {"M": "a"}}  # cupy's parameter → NumPy's
ONLY_CUPYS = {"casting", "dtype"}  # parameters that mean nothing here where NumPy lacks them


def signature_of(text: str) -> inspect.Signature:
    """The parameters that a table's text says."""
    return inspect.signature(eval(f"lambda {text[1:-1]}: None"))


def offered(name: str, signature: str, numpys: Callable[..., Any]) -> Callable[..., Any]:
    """A function of cupy by NumPy's function of that name, with cupy's parameters and no others."""
    own, renamed = signature_of(signature), RENAMED.get(name, {})
    try:
        theirs = set(inspect.signature(numpys).parameters)
    except ValueError:
        theirs = set(own.parameters)

    @functools.wraps(numpys)
    def function(*args: Any, **options: Any) -> Any:
        try:
            own.bind(*args, **options)
        except TypeError as error:
            raise TypeError(f"{name}() {error}") from None
        if name not in HOST_INDICES:
            reject_host([*args, *options.values()])
        if name in PRODUCTS:
            in_product()
        given = {renamed.get(k, k): v for k, v in options.items()}
        kept = {k: v for k, v in given.items() if k in theirs or k not in ONLY_CUPYS}
        # None is cupy's default where NumPy may have another
        return compute(
            numpys, *args, **{k: v for k, v in kept.items() if v is not None or k in ("axis", "ord")}
        )

    function.__signature__ = own  # type: ignore[attr-defined]
    return function


# -------------------------------------------------------------------------------- views
def viewing(name: str, signature: str, numpys: Callable[..., Any]) -> Callable[..., Any]:
    """A function that makes a view of its first operand where NumPy's does, and a copy where it cannot."""
    own = signature_of(signature)

    @functools.wraps(numpys)
    def function(*args: Any, **options: Any) -> Any:
        CONTROL.require_device()
        own.bind(*args, **options)
        reject_host([*args, *options.values()])
        options = {k: v for k, v in options.items() if v is not None or k == "axis"}
        if "newshape" in options:
            options["shape"] = options.pop("newshape")
        if not any(is_device(a) for a in args):
            return compute(numpys, *args, **options)
        arrays = [a for a in args if is_device(a)]
        z = numpys(*hosts(args), **options)
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


# -------------------------------------------------------------------------------- the tables
def _numpys(name: str) -> Any:
    found: Any = np
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


functions = {name: offered(name, signature, _numpys(name)) for name, signature in FUNCTIONS.items()}
# cupy's ufuncs that are functions in NumPy: sinc, i0, fix
functions |= {
    name: offered(name, "(x)", getattr(np, name))
    for name in UFUNCS
    if not isinstance(getattr(np, name), np.ufunc)
}
views = {name: viewing(name, signature, _numpys(name)) for name, signature in VIEWS.items()}


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
