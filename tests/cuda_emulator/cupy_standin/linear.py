"""Linear algebra as cupy has it: what fails is NaN unless `cupyx.errstate(linalg="raise")` is set."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .errors import CONTROL
from .functions import offered
from .products import in_product
from .signatures import FUNCTIONS
from .values import compute, is_device

_config = threading.local()
ROUTINES = {
    "cholesky": "potrf", "solve": "gesv", "inv": "gesv", "svd": "gesvd", "eigh": "syevd", "eigvalsh": "syevd",
    "eig": "geev", "eigvals": "geev", "qr": "geqrf", "lstsq": "gesvd", "pinv": "gesvd", "det": "getrf",
    "slogdet": "getrf", "tensorsolve": "gesv", "tensorinv": "gesv", "matrix_power": "gesv",
}  # fmt: skip
SQUARE = {"cholesky", "inv", "eigh", "eigvalsh", "eig", "eigvals", "det", "slogdet"}


@contextmanager
def errstate(
    *, divide: Any = None, over: Any = None, under: Any = None, invalid: Any = None, linalg: Any = None
) -> Iterator[None]:
    """As `cupyx.errstate`: linalg is "ignore" or "raise"."""
    if any(x is not None for x in (divide, over, under, invalid)) or linalg not in (None, "ignore", "raise"):
        raise NotImplementedError
    before = getattr(_config, "linalg", "ignore")
    _config.linalg = linalg or before
    try:
        yield
    finally:
        _config.linalg = before


def guarded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of numpy.linalg that fails as cuSOLVER does."""
    numpys = getattr(np.linalg, name)
    signature = FUNCTIONS[f"linalg.{name}"]

    def careful(*args: Any, **options: Any) -> Any:
        try:
            return numpys(*args, **options)
        except np.linalg.LinAlgError as error:
            if "must be" in str(error) or "dimension" in str(error):
                raise
            if getattr(_config, "linalg", "ignore") == "raise":
                text = (
                    f"Error reported by {ROUTINES[name]} in cuSOLVER. devInfo = 1. Please refer to the "
                    "cuSOLVER documentation."
                )
                raise np.linalg.LinAlgError(text) from None
            regular = [_regular(a) for a in args]
            return _spoiled(numpys(*regular, **options))

    careful.__name__ = name
    whole = offered(f"linalg.{name}", signature, careful)

    def checked(a: Any, *args: Any, **options: Any) -> Any:
        CONTROL.require_library("cusolver")
        if not is_device(a):
            raise np.linalg.LinAlgError("cupy.linalg only supports cupy.ndarray")
        if a.dtype == np.float16:
            raise TypeError("float16 is unsupported in linalg")
        if a.ndim < 2:
            text = f"{a.ndim}-dimensional array given. Array must be at least two-dimensional"
            raise np.linalg.LinAlgError(text)
        if name in SQUARE and a.shape[-1] != a.shape[-2]:
            raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")
        in_product()
        return whole(a, *args, **options)

    checked.__signature__ = whole.__signature__  # type: ignore[attr-defined]
    checked.__name__ = name
    return checked


def _regular(a: Any) -> Any:
    """The identity in the place of a matrix that fails, for the shapes of what comes out."""
    if isinstance(a, np.ndarray) and a.ndim >= 2 and a.shape[-1] == a.shape[-2]:
        return np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape)
    return np.zeros_like(a) if isinstance(a, np.ndarray) else a


def _spoiled(z: Any) -> Any:
    if isinstance(z, tuple):
        parts = [_spoiled(part) for part in z]
        return type(z)(*parts) if hasattr(z, "_fields") else tuple(parts)
    return np.full_like(z, np.nan)


def solve_triangular(
    a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False,
    overwrite_b: bool = False, check_finite: bool = False,
) -> Any:  # fmt: skip
    """As `cupyx.scipy.linalg.solve_triangular`: batches are equal, not broadcast; zeros divide silently."""
    CONTROL.require_library("cublas")
    for x in (a, b):
        if not is_device(x):
            raise np.linalg.LinAlgError("cupy.linalg only supports cupy.ndarray")
    if a.ndim < 2:
        raise ValueError("expected one square matrix or a batch of square matrices")
    if a.shape[-1] != a.shape[-2]:
        raise ValueError("expected a batch of square matrices" if a.ndim > 2 else "expected square matrix")
    if a.shape[:-2] != b.shape[: a.ndim - 2]:
        raise ValueError("incompatible batch count")
    if b.ndim < a.ndim - 1 or a.shape[-2] != b.shape[a.ndim - 2]:
        raise ValueError("incompatible dimensions")
    in_product()
    step = {0: "N", 1: "T", 2: "C"}.get(trans, trans)

    def substitute(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        half = np.tril(left) if lower else np.triu(left)
        if unit_diagonal:
            half = half - np.einsum("...ii->...i", half)[..., None] * np.eye(left.shape[-1], dtype=left.dtype)
            half = half + np.eye(left.shape[-1], dtype=left.dtype)
        half = half.conj().swapaxes(-1, -2) if step == "C" else half.swapaxes(-1, -2) if step == "T" else half
        vector = right.ndim == left.ndim - 1
        try:
            z = np.linalg.solve(half, right[..., None] if vector else right)
        except np.linalg.LinAlgError:
            z = np.full(
                (*half.shape[:-1], 1 if vector else right.shape[-1]), np.nan, np.result_type(left, right)
            )
        return z[..., 0] if vector else z

    return compute(substitute, a, b)


def expm(a: Any) -> Any:
    """As `cupyx.scipy.linalg.expm`."""
    import scipy.linalg

    in_product()
    return compute(scipy.linalg.expm, a)
