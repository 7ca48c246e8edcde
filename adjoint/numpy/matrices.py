"""numpy.linalg but for norms, with NumPy's signatures."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..errors import DomainError, MissingRuleError, ShapeError, refusal
from ..ops import factorize as fz
from ..ops import linalg as la
from ..ops.abstract import Abstract
from ..ops.broadcast import reshape
from ..ops.primitive import dtype_of, innermost, shape_of
from ..ops.products import matmul as matmul_op
from ..ops.shape import swap_last
from .dispatch import implements
from .products import as_operand, dot

# NumPy's named tuples, which it keeps to itself
SLOGDET: Any = type(np.linalg.slogdet(np.eye(1)))
EIGH: Any = type(np.linalg.eigh(np.eye(1)))
SVD: Any = type(np.linalg.svd(np.eye(1)))
QR: Any = type(np.linalg.qr(np.eye(1)))


def _matrix(name: str, a: Any, square: bool = True) -> Any:
    """The operand, once it is known to have rows and columns (a DomainError is NumPy's LinAlgError)."""
    a = as_operand(a)
    shape = shape_of(a)
    if len(shape) < 2 or (square and shape[-1] != shape[-2]):
        kind = "a square matrix" if square else "a matrix"
        raise refusal(DomainError, f"linalg.{name} needs {kind} or a stack of them, not {shape}")
    return a


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """As np.linalg.solve: b is a vector only if it has one dimension."""
    a, b = _matrix("solve", a), as_operand(b)
    if len(shape_of(b)) == 1:
        z = la.solve(a, reshape(b, shape=(*shape_of(b), 1)))
        return reshape(z, shape=shape_of(z)[:-1])
    return la.solve(a, b)


@implements(np.linalg.inv)
def inv(a: Any) -> Any:
    """As np.linalg.inv."""
    return la.inv(_matrix("inv", a))


@implements(np.linalg.det)
def det(a: Any) -> Any:
    """As np.linalg.det; differentiable, to every order, for singular matrices too.

    A compiled program cannot choose a formula by the values: there the derivative needs an inverse.
    """
    plain = innermost(_matrix("det", a))
    if type(plain) is Abstract:
        return la.det(a)
    directions = la.smallest_directions(plain) if plain.size and np.isfinite(plain).all() else None
    return la.det(a) if directions is None else la.det_of_singular(a, *directions)


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """As np.linalg.slogdet."""
    return SLOGDET(*la.slogdet(_matrix("slogdet", a)))


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """As np.linalg.cholesky, which reads one triangle: the derivative has entries in that triangle only."""
    factor = fz.cholesky(la.mirror(_matrix("cholesky", a), lower=not upper))
    return swap_last(factor) if upper else factor


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    """As np.linalg.eigh, which reads one triangle: the derivative has entries in that triangle only."""
    if UPLO.upper() not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")
    lower = UPLO.upper() == "L"
    return EIGH(*fz.eigh(la.mirror(_matrix("eigh", a), lower=lower), lower=lower))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """As np.linalg.eigvalsh."""
    return eigh(a, UPLO)[0]


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """As np.linalg.svd; not square: only with full_matrices=False (the rest is not unique)."""
    shape = shape_of(_matrix("svd", a, square=False))
    if hermitian:
        raise refusal(
            MissingRuleError, "np.linalg.svd with hermitian=True has no rule", "Leave it away, or use eigh."
        )
    if compute_uv and full_matrices and shape[-1] != shape[-2]:
        what = f"np.linalg.svd of {shape} with full_matrices=True has no derivative: its extra vectors vary"
        raise refusal(MissingRuleError, what, "Pass full_matrices=False.")
    result = SVD(*fz.svd(a))
    return result if compute_uv else result.S


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """As np.linalg.svdvals."""
    return svd(x, compute_uv=False)


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """As np.linalg.qr, modes reduced and r."""
    if mode not in ("reduced", "r"):
        raise refusal(
            MissingRuleError, f"np.linalg.qr with mode={mode!r} has no rule", "Pass mode='reduced' or 'r'."
        )
    rows, columns = shape_of(_matrix("qr", a, square=False))[-2:]
    if rows >= columns:
        q, r = fz.qr(a)
    else:  # the leading square block decides q; the other columns follow from it
        q, leading = fz.qr(a[..., :rows])
        r = np.concatenate([leading, matmul_op(swap_last(q), a[..., rows:])], axis=-1)
    return r if mode == "r" else QR(q, r)


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """As np.linalg.matrix_power, by repeated squaring."""
    shape, n = shape_of(_matrix("matrix_power", a)), operator.index(n)
    if n <= 0:
        return (
            matrix_power(la.inv(a), -n)
            if n
            else np.broadcast_to(np.eye(shape[-1], dtype=dtype_of(a)), shape).copy()
        )
    result, square = None, a
    while True:
        if n & 1:
            result = square if result is None else matmul_op(result, square)
        n >>= 1
        if not n:
            return result
        square = matmul_op(square, square)


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Any) -> Any:
    """As np.linalg.multi_dot, from the left."""
    result, *others = arrays
    for a in others:
        result = dot(result, a)
    return result


@implements(np.linalg.cross)
def cross_of_three(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """As np.linalg.cross."""
    return cross(x1, x2, axis=axis)


@implements(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """As np.cross for vectors of three components."""
    axisa, axisb, axisc = (axis,) * 3 if axis is not None else (axisa, axisb, axisc)
    a, b = np.moveaxis(as_operand(a), axisa, -1), np.moveaxis(as_operand(b), axisb, -1)
    if shape_of(a)[-1] != 3 or shape_of(b)[-1] != 3:
        raise refusal(ShapeError, f"cross needs vectors of three components: {shape_of(a)} and {shape_of(b)}")
    following, previous = np.array([1, 2, 0]), np.array([2, 0, 1])
    z = a[..., following] * b[..., previous] - a[..., previous] * b[..., following]
    return np.moveaxis(z, -1, axisc)
