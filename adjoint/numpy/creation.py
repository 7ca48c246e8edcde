"""Arrays from their parts: what NumPy does not dispatch, so that `adjoint.numpy` has functions of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import MissingRuleError, ShapeError, refusal
from ..ops.broadcast import astype, reshape
from ..ops.device import as_array, on_device
from ..ops.index import ARRAY, scatter_add
from ..ops.primitive import Recorded, beside, dtype_of, normalize_axis, shape_of


def holds_variables(x: Any) -> bool:
    """Whether x is a Variable, or a list or tuple with one somewhere inside."""
    return isinstance(x, Recorded) or (isinstance(x, (list, tuple)) and any(map(holds_variables, x)))


def joined(x: Any) -> Any:
    """The operand itself, unless it is a list or tuple: that becomes one array, recorded if a part is."""
    return array(x) if isinstance(x, (list, tuple)) else x


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
    if not holds_variables(object):
        return np.array(object, dtype=dtype, ndmin=ndmin, **options)
    z: Any = (
        object
        if isinstance(object, Recorded)
        else np.stack([array(part) if holds_variables(part) else part for part in object])
    )
    if len(z.shape) < ndmin:
        z = np.reshape(z, (1,) * (ndmin - len(z.shape)) + z.shape)
    return z if dtype is None else astype(z, dtype=np.dtype(dtype))


def asarray(a: Any, dtype: Any = None, **options: Any) -> Any:
    """As np.asarray; a Variable stays as it is, a list of them becomes one."""
    if holds_variables(a):
        return array(a, dtype)
    return as_array(a, dtype) if on_device(a) else np.asarray(a, dtype, **options)


def together(arrays: Sequence[Any]) -> list[Any]:
    """Several operands as arrays; lists and numbers go where the arrays among them are."""
    m = beside(*arrays)
    if m is np:
        return [asarray(a) for a in arrays]
    return [m.asarray(a) if isinstance(a, (list, tuple, float, int)) else asarray(a) for a in arrays]


def full(shape: Any, fill_value: Any, dtype: Any = None, **options: Any) -> Any:
    """As np.full; the value may be a Variable, or a list of them, that broadcasts to the shape."""
    if not holds_variables(fill_value):
        return np.full(shape, fill_value, dtype, **options)
    return np.broadcast_to(array(fill_value, dtype), shape)


def full_like(a: Any, fill_value: Any, dtype: Any = None, **options: Any) -> Any:
    """As np.full_like; the value may be a Variable also where the array is none."""
    if not holds_variables(fill_value):
        return np.full_like(a, fill_value, dtype, **options)
    shape = options.get("shape")
    return full(np.shape(a) if shape is None else shape, fill_value, dtype_of(a) if dtype is None else dtype)


def make_diagonal(D: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Square matrices with D's last axis on a diagonal and zeros elsewhere: the inverse of np.diagonal.

    Args:
        D: (…, n).
        offset: of the diagonal; the matrices are (n + |offset|, n + |offset|).
        axis1: where the rows stand among the axes of the result.
        axis2: where the columns stand.

    Returns:
        An array of one axis more than D, recorded if D is: np.diagonal(z, offset, axis1, axis2) is D.

    Raises:
        ShapeError: D has no axis, or the two axes are the same or out of range.

    >>> make_diagonal(np.array([2.0, 3.0]), axis1=-1, axis2=-2)
    array([[2., 0.],
           [0., 3.]])
    """
    D = asarray(D)
    if not shape_of(D):
        raise refusal(ShapeError, "make_diagonal needs an array of at least one axis, not a scalar")
    *lead, n = shape_of(D)
    normalize_axis((axis1, axis2), len(lead) + 2)
    rows, size = np.arange(n) + max(0, -offset), n + abs(offset)
    z = scatter_add(D, rows, rows + offset, template=(Ellipsis, ARRAY, ARRAY), shape=(*lead, size, size))
    return np.moveaxis(z, (-2, -1), (axis1, axis2))


def row_stack(tup: Any, *, dtype: Any = None) -> Any:
    """As np.vstack, whose old name it is."""
    arrays = [joined(a) for a in tup] if holds_variables(tup) else tup
    return np.vstack(arrays, dtype=dtype)


class Joiner:
    """`np.r_` and `np.c_` with Variables among the parts: `r_[x, 0.0, 1:3]` joins them along one axis.

    Args:
        plain: NumPy's own, which answers where nothing is recorded.
        axis: along which the parts are joined.
        ndmin: least number of axes of a part.
        first: place of a part's own axes among those; negative counts from the end.
    """

    def __init__(self, plain: Any, axis: int, ndmin: int, first: int) -> None:
        self.plain, self.axis, self.ndmin, self.first = plain, axis, ndmin, first

    def __getitem__(self, key: Any) -> Any:
        """Join arrays, lists, numbers and slices as in np.arange; in front may stand "axis,ndmin,first"."""
        parts = list(key) if isinstance(key, tuple) else [key]
        if not holds_variables(parts):
            return self.plain[key]
        axis, ndmin, first = self.axis, self.ndmin, self.first
        if isinstance(parts[0], str):
            directive = parts.pop(0)
            if directive in ("r", "c"):
                what = f"np.r_[{directive!r}, …] makes a matrix object, which cannot be recorded"
                raise refusal(MissingRuleError, what, "Use np.r_ and np.c_ without it, or np.vstack.")
            numbers = [int(n) for n in directive.split(",")]
            axis, ndmin, first = (*numbers, *(axis, ndmin, first)[len(numbers) :])
        parts = [self.plain[p] if isinstance(p, slice) else joined(p) for p in parts]
        dtype = np.result_type(*(dtype_of(p) if hasattr(p, "dtype") else p for p in parts))
        arrays = [_with_axes(p if isinstance(p, Recorded) else as_array(p), ndmin, first) for p in parts]
        z = np.concatenate(arrays, axis)
        return z if dtype_of(z) == dtype else astype(z, dtype=dtype)

    def __len__(self) -> int:
        return 0


def _with_axes(x: Any, ndmin: int, first: int) -> Any:
    """x with axes of length one before and after its own, `ndmin` in all."""
    missing = ndmin - len(shape_of(x))
    if missing <= 0:
        return x
    before = min(first if first >= 0 else max(first + missing + 1, 0), missing)
    return reshape(x, shape=(1,) * before + shape_of(x) + (1,) * (missing - before))


r_ = Joiner(np.r_, 0, 1, -1)
c_ = Joiner(np.c_, -1, 2, 0)
