"""Complex numbers: their parts, and the functions whose rule differs from that of real numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..ops import elementwise as ew
from ..ops.primitive import beside, dtype_of, shape_of
from .dispatch import UFUNCS, implements


def is_complex(x: Any) -> bool:
    """Whether the dtype is complex, as np.iscomplexobj says it."""
    return dtype_of(x).kind == "c"


@implements(np.real)
def real(val: Any) -> Any:
    """As np.real; a real value is its own real part."""
    return ew.real(val) if is_complex(val) else val


@implements(np.imag)
def imag(val: Any) -> Any:
    """As np.imag; zeros for a real value."""
    return ew.imag(val) if is_complex(val) else beside(val).zeros(shape_of(val), dtype_of(val))[()]


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """As np.angle; of real numbers 0 or π, without derivative."""
    phi = ew.angle(z)
    return ew.degrees(phi) if deg else phi


def conjugate(x: Any) -> Any:
    """As np.conjugate; a real value is its own conjugate."""
    return ew.conjugate(x) if is_complex(x) else x


def sign(x: Any) -> Any:
    """As np.sign: z / |z| of complex numbers, 0 at 0."""
    if not is_complex(x):
        return ew.sign(x)
    size = ew.absolute(x)
    return ew.where(size == 0, 0, x) / ew.where(size == 0, 1, size)


def reduce_parts(reduction: Callable[..., Any], x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """A reduction of squares (norm, sum of squares) over the real and imaginary parts: smooth where x = 0."""
    if not is_complex(x):
        return reduction(x, axis=axis, keepdims=keepdims)
    both = np.stack([ew.real(x), ew.imag(x)], axis=-1)
    z = reduction(both, axis=(*axis, len(shape_of(x))), keepdims=keepdims)
    return z[..., 0] if keepdims else z


UFUNCS[np.conjugate] = conjugate
UFUNCS[np.sign] = sign
