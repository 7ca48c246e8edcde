"""numpy.linalg with NumPy's signatures: solving, inverting, multiplying; cross products."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import DomainError, ShapeError, refusal
from ..ops import determinants as dt
from ..ops import linalg as la
from ..ops.abstract import Abstract
from ..ops.broadcast import reshape, sum_
from ..ops.elementwise import absolute
from ..ops.elementwise import square as square_of
from ..ops.primitive import beside, dtype_of, innermost, shape_of
from ..ops.products import chain
from ..ops.products import matmul as matmul_op
from ..ops.pseudoinverse import pinv as pinv_op
from ..ops.spectral import svd as svd_op
from .creation import asarray
from .dispatch import implements
from .products import dot

SLOGDET: Any = type(np.linalg.slogdet(np.eye(1)))  # a named tuple that NumPy keeps to itself


def as_matrix(name: str, a: Any, square: bool = True) -> Any:
    """The operand, once it is known to have rows and columns (a DomainError is NumPy's LinAlgError)."""
    a = asarray(a)
    shape = shape_of(a)
    if len(shape) < 2 or (square and shape[-1] != shape[-2]):
        kind = "a square matrix" if square else "a matrix"
        raise refusal(DomainError, f"linalg.{name} needs {kind} or a stack of them, not {shape}")
    return a


def with_columns(b: Any, solve: Callable[[Any], Any]) -> Any:
    """Solve for b (n,) as for one column, or for b (…, n, k)."""
    if len(shape_of(b)) != 1:
        return solve(b)
    z = solve(reshape(b, shape=(*shape_of(b), 1)))
    return reshape(z, shape=shape_of(z)[:-1])


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """As np.linalg.solve: b is a vector only if it has one dimension."""
    a = as_matrix("solve", a)
    return with_columns(asarray(b), lambda b: la.solve(a, b))


@implements(np.linalg.inv)
def inv(a: Any) -> Any:
    """As np.linalg.inv."""
    return la.inv(as_matrix("inv", a))


@implements(np.linalg.det)
def det(a: Any) -> Any:
    """As np.linalg.det; differentiable, to every order, for singular matrices too.

    A compiled program cannot choose a formula by the values: there the derivative needs an inverse.
    """
    plain = innermost(as_matrix("det", a))
    if type(plain) is Abstract:
        return dt.det(a)
    directions = dt.smallest_directions(plain) if plain.size and np.isfinite(plain).all() else None
    return dt.det(a) if directions is None else dt.det_of_singular(a, *directions)


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """As np.linalg.slogdet."""
    return SLOGDET(*dt.slogdet(as_matrix("slogdet", a)))


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """As np.linalg.matrix_power, by repeated squaring."""
    shape, n = shape_of(as_matrix("matrix_power", a)), operator.index(n)
    if n < 0:
        return matrix_power(la.inv(a), -n)
    if n == 0:
        return np.broadcast_to(beside(a).eye(shape[-1], dtype=dtype_of(a)), shape).copy()
    result, square = None, a
    while True:
        if n & 1:
            result = square if result is None else matmul_op(result, square)
        n >>= 1
        if not n:
            return result
        square = matmul_op(square, square)


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: Any = None) -> Any:
    """As np.linalg.multi_dot: in the order that takes the fewest multiplications."""
    arrays = [asarray(a) for a in arrays]
    if len(arrays) < 2:
        raise ValueError("Expecting at least two arrays.")
    ends = len(shape_of(arrays[0])), len(shape_of(arrays[-1]))
    if len(arrays) == 2 or not {*ends, *(len(shape_of(a)) for a in arrays)} <= {1, 2}:
        result, *others = arrays
        for a in others:  # a number of dimensions that NumPy refuses is refused there
            result = dot(result, a)
        return result
    first, *middle, last = arrays
    first = reshape(first, shape=(1, *shape_of(first))) if ends[0] == 1 else first
    last = reshape(last, shape=(*shape_of(last), 1)) if ends[1] == 1 else last
    z = chain(first, *middle, last)
    rows, columns = shape_of(z)
    return reshape(z, shape=(*((rows,) if ends[0] == 2 else ()), *((columns,) if ends[1] == 2 else ())))


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """As np.linalg.tensorinv."""
    shape = shape_of(a)
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    z = inv(reshape(a, shape=(math.prod(shape[:ind]), math.prod(shape[ind:]))))
    return reshape(z, shape=shape[ind:] + shape[:ind])


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """As np.linalg.tensorsolve."""
    a, b = asarray(a), asarray(b)
    if axes is not None:
        ndim = len(shape_of(a))
        moved = [k % ndim for k in axes]
        a = np.transpose(a, [*(k for k in range(ndim) if k not in moved), *moved])
    shape = shape_of(a)
    own = shape[len(shape_of(b)) :] if len(shape_of(b)) < len(shape) else ()
    n = math.prod(own)
    if math.prod(shape) != n * n:
        what = f"linalg.tensorsolve needs a square system: {shape} with a right-hand side {shape_of(b)}"
        raise refusal(DomainError, what, "prod(a.shape[:b.ndim]) must be prod(a.shape[b.ndim:]).")
    return reshape(solve(reshape(a, shape=(n, n)), reshape(b, shape=(n,))), shape=own)


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = 1e-15) -> Any:
    """As np.linalg.pinv. Where a is rank-deficient, the derivative is that of matrices of the same rank."""
    a = as_matrix("pinv", a, square=False)
    if rcond is None:
        rcond = max(shape_of(a)[-2:]) * np.finfo(dtype_of(a)).eps if rtol is None else rtol
    return pinv_op(la.mirror(a, lower=True) if hermitian else a, rcond)


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Any, Any, Any, Any]:
    """As np.linalg.lstsq. Where a is rank-deficient, derivatives are those of matrices of the same rank.

    A compiled program cannot choose by the values: there the residuals are those of full rank.
    """
    a, b = as_matrix("lstsq", a, square=False), asarray(b)
    rows, columns = shape_of(a)
    if shape_of(b)[:1] != (rows,) or len(shape_of(b)) > 2:
        what = f"linalg.lstsq needs as many right-hand sides as rows: {shape_of(a)} and {shape_of(b)}"
        raise refusal(DomainError, what, "b is (m,) or (m, k) for a matrix (m, n).")
    eps = float(np.finfo(dtype_of(a)).eps)
    rcond = eps * max(rows, columns) if rcond is None else eps if rcond == -1 else rcond
    right = reshape(b, shape=(rows, 1)) if len(shape_of(b)) == 1 else b
    x, s = matmul_op(pinv_op(a, rcond), right), svd_op(a)[1]
    counted = s > rcond * s[:1]
    unknown = type(innermost(counted)) is Abstract
    rank = np.sum(counted) if unknown else int(np.sum(innermost(counted)))
    residuals = sum_(square_of(absolute(right - matmul_op(a, x))), axis=(0,))
    if rows <= columns or not (unknown or rank == columns):
        residuals = residuals[:0]
    return reshape(x, shape=(columns, *shape_of(b)[1:])), residuals, rank, s


@implements(np.linalg.cross)
def cross_of_three(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """As np.linalg.cross."""
    return cross(x1, x2, axis=axis)


@implements(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """As np.cross for vectors of three components."""
    axisa, axisb, axisc = (axis,) * 3 if axis is not None else (axisa, axisb, axisc)
    a, b = np.moveaxis(asarray(a), axisa, -1), np.moveaxis(asarray(b), axisb, -1)
    if shape_of(a)[-1] != 3 or shape_of(b)[-1] != 3:
        raise refusal(ShapeError, f"cross needs vectors of three components: {shape_of(a)} and {shape_of(b)}")
    following, previous = np.array([1, 2, 0]), np.array([2, 0, 1])
    z = a[..., following] * b[..., previous] - a[..., previous] * b[..., following]
    return np.moveaxis(z, -1, axisc)
