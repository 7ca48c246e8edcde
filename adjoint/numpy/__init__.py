"""NumPy's namespace: `import adjoint.numpy as np`.

Plain `import numpy` works too, since Variables answer NumPy's protocols. This module exists for what NumPy
does not dispatch, `array([x, y])`, `full(shape, x)` and `full_like(a, x)`; every other name is NumPy's own.
"""

from __future__ import annotations

from typing import Any

import numpy as _np

from ..ops.broadcast import astype as _astype
from ..ops.primitive import Recorded as _Recorded
from ..ops.primitive import dtype_of as _dtype_of
from . import linalg
from . import matrices as _matrices  # noqa: F401  (these enter their rules)
from . import products as _products  # noqa: F401
from . import reductions as _reductions  # noqa: F401
from . import selecting as _selecting  # noqa: F401
from . import shaping as _shaping  # noqa: F401

__all__ = ["array", "asarray", "full", "full_like", "linalg"]


def array(object: Any, dtype: Any = None, *, ndmin: int = 0, **options: Any) -> Any:
    """As np.array; nested lists and tuples that contain Variables become one recorded array.

    Args:
        object: array-like, or nested lists and tuples of arrays, numbers and Variables.
        dtype: of the result; by promotion of the parts when None.
        ndmin: least number of axes of the result; missing ones stand first, with length one.
        **options: NumPy's others; `copy` and `order` mean nothing for a recorded value, which never changes.

    >>> import numpy as np
    >>> import adjoint as ad
    >>> ad.grad(lambda x: np.sum(array([x[0] * x[1], 3.0])))(np.array([2.0, 5.0]))
    array([5., 2.])
    """
    if not _holds_variables(object):
        return _np.array(object, dtype=dtype, ndmin=ndmin, **options)
    z: Any = object if isinstance(object, _Recorded) else _np.stack([array(part) for part in object])
    if len(z.shape) < ndmin:
        z = _np.reshape(z, (1,) * (ndmin - len(z.shape)) + z.shape)
    return z if dtype is None else _astype(z, dtype=_np.dtype(dtype))


def asarray(a: Any, dtype: Any = None, **options: Any) -> Any:
    """As np.asarray; a Variable stays as it is, a list of them becomes one."""
    return array(a, dtype) if _holds_variables(a) else _np.asarray(a, dtype, **options)


def full(shape: Any, fill_value: Any, dtype: Any = None, **options: Any) -> Any:
    """As np.full; the value may be a Variable, or a list of them, that broadcasts to the shape."""
    if not _holds_variables(fill_value):
        return _np.full(shape, fill_value, dtype, **options)
    return _np.broadcast_to(array(fill_value, dtype), shape)


def full_like(a: Any, fill_value: Any, dtype: Any = None, **options: Any) -> Any:
    """As np.full_like; the value may be a Variable also where the array is none."""
    if not _holds_variables(fill_value):
        return _np.full_like(a, fill_value, dtype, **options)
    shape = options.get("shape")
    return full(
        _np.shape(a) if shape is None else shape, fill_value, _dtype_of(a) if dtype is None else dtype
    )


def _holds_variables(x: Any) -> bool:
    return isinstance(x, _Recorded) or (isinstance(x, (list, tuple)) and any(map(_holds_variables, x)))


def __getattr__(name: str) -> Any:
    return getattr(_np, name)


def __dir__() -> list[str]:
    return sorted({*__all__, *dir(_np)})
