"""Products of matrices: through cuBLAS, which needs its wheel and cannot be captured."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import CONTROL
from .streams import current
from .values import is_device, new

CUBLAS_IN_CAPTURE = "calling cuBLAS API during stream capture is currently unsupported"


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
