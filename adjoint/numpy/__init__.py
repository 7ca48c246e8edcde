"""NumPy's namespace: `import adjoint.numpy as np`.

Plain `import numpy` works too, since Variables answer NumPy's protocols. This module exists for what NumPy does not
dispatch, `array([x, y])` and `full(shape, x)`; every other name is NumPy's own.
"""

from __future__ import annotations

from typing import Any

import numpy as _np

from ..ops.broadcast import astype as _astype
from ..ops.broadcast import broadcast_to as _broadcast_to
from ..ops.primitive import Recorded as _Recorded
from . import linalg, products, reductions, shaping

__all__ = ["array", "asarray", "full", "linalg"]


def array(object: Any, dtype: Any = None, **options: Any) -> Any:
    """As np.array; nested lists and tuples that contain Variables become one recorded array."""
    if not _holds_variables(object):
        return _np.array(object, dtype=dtype, **options)
    z = object if isinstance(object, _Recorded) else _np.stack([array(part) for part in object])
    return z if dtype is None else _astype(z, dtype=_np.dtype(dtype))


def asarray(a: Any, dtype: Any = None, **options: Any) -> Any:
    """As np.asarray; a Variable stays as it is."""
    return array(a, dtype) if _holds_variables(a) else _np.asarray(a, dtype, **options)


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """As np.full; the value may be a Variable."""
    if not _holds_variables(fill_value):
        return _np.full(shape, fill_value, dtype)
    z = _broadcast_to(fill_value, shape=tuple(shape) if isinstance(shape, (tuple, list)) else (int(shape),))
    return z if dtype is None else _astype(z, dtype=_np.dtype(dtype))


def _holds_variables(x: Any) -> bool:
    return isinstance(x, _Recorded) or isinstance(x, (list, tuple)) and any(map(_holds_variables, x))


def __getattr__(name: str) -> Any:
    return getattr(_np, name)


def __dir__() -> list[str]:
    return sorted({*__all__, *dir(_np)})
