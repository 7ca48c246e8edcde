"""`scipy.linalg`: functions and equations of matrices; every other name is SciPy's own.

Leading axes are a batch of matrices, but for `solve_banded`. Permissions to overwrite an argument are taken
and not used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import MissingRuleError, refusal
from ..numpy.creation import asarray
from ..numpy.matrices import with_columns
from ..numpy.reductions import floating
from ..ops import equations, matrix_functions
from ..ops import linalg as la
from ..ops.broadcast import astype
from ..ops.factorize import cholesky
from ..ops.primitive import Primitive, dtype_of, shape_of
from .theirs import theirs

__all__ = [
    "block_diag", "cho_factor", "cho_solve", "coshm", "cosm", "expm", "logm", "sinhm", "sinm", "solve_banded",
    "solve_sylvester", "solve_triangular", "sqrtm", "tanhm", "tanm",
]  # fmt: skip


def _operand(a: Any) -> Any:
    """A Variable, or an array of floating-point numbers."""
    return floating(asarray(a))


def solve_triangular(
    a: Any,
    b: Any,
    trans: int | str = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """Solve a z = b (trans = 0), aᵀ z = b (1 or "T") or aᴴ z = b (2 or "C"), reading one triangle of a.

    Only the triangle that is read has a derivative.

    Args:
        a: (…, n, n).
        b: (n,), or (…, n, k).
        trans: 0, 1, 2, "N", "T" or "C".
        lower: read the lower triangle; the upper one by default.
        unit_diagonal: take the diagonal as ones without reading it.
        overwrite_b: not used.
        check_finite: not used; entries that are not finite are refused.

    Raises:
        MissingRuleError: another value of trans.
        DomainError: a zero on the diagonal.
    """
    if trans not in (0, 1, 2, "N", "T", "C"):
        what = f"solve_triangular with trans={trans!r} has no rule"
        raise refusal(MissingRuleError, what, "Pass 0, 1 or 2.")
    a, b = _operand(a), _operand(b)
    how = {"lower": bool(lower), "transposed": trans not in (0, "N"), "unit": bool(unit_diagonal)}
    a = la.conj(a) if trans in (2, "C") else a
    return with_columns(b, lambda b: la.solve_triangular(a, b, **how))


def cho_factor(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> tuple[Any, bool]:
    """The Cholesky factor and which triangle it fills, for `cho_solve`; the other triangle is zero.

    Args:
        a: (…, n, n) Hermitian and positive definite; one triangle is read.
        lower: read and return the lower triangle; the upper one by default.
        overwrite_a: not used.
        check_finite: not used.

    Raises:
        DomainError: a is not positive definite.
    """
    factor = cholesky(la.mirror(_operand(a), lower=bool(lower)))
    return (factor if lower else la.dagger(factor)), bool(lower)


def cho_solve(
    c_and_lower: tuple[Any, bool], b: Any, overwrite_b: bool = False, check_finite: bool = True
) -> Any:
    """Solve (c cᴴ) z = b, or (cᴴ c) z = b, with the result of `cho_factor`."""
    c, lower = c_and_lower
    middle = solve_triangular(c, b, trans=0 if lower else 2, lower=lower)
    return solve_triangular(c, middle, trans=2 if lower else 0, lower=lower)


def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """The z (…, m, n) with a z + z b = q.

    Args:
        a: (…, m, m).
        b: (…, n, n); a and −b must share no eigenvalue.
        q: (…, m, n).
    """
    return equations.solve_sylvester(_operand(a), _operand(b), _operand(q))


def solve_banded(
    l_and_u: tuple[int, int],
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """Solve a z = b for a band matrix.

    Args:
        l_and_u: how many diagonals there are below and above the main one.
        ab: (l + u + 1, n), a[i, j] at ab[u + i − j, j]; corners outside the matrix have no derivative.
        b: (n,) or (n, k).
        overwrite_ab: not used.
        overwrite_b: not used.
        check_finite: not used; entries that are not finite are refused.

    Raises:
        DomainError: the matrix is singular.
    """
    below, above = (int(k) for k in l_and_u)
    ab, b = _operand(ab), _operand(b)
    return with_columns(b, lambda b: equations.solve_banded(ab, b, below=below, above=above))


def block_diag(*arrs: Any) -> Any:
    """The matrix with these blocks on its diagonal: (…, Σ m, Σ n) of blocks (…, m, n).

    A vector is a block of one row, a number a block (1, 1).
    """
    blocks = [np.atleast_2d(asarray(a)) for a in arrs] or [np.zeros((1, 0))]
    lead = np.broadcast_shapes(*(shape_of(b)[:-2] for b in blocks))
    width, before, rows = sum(shape_of(b)[-1] for b in blocks), 0, []
    for block in blocks:
        *_, m, n = shape_of(block)
        block = np.broadcast_to(block, (*lead, m, n)) if shape_of(block)[:-2] != lead else block
        left, right = (np.zeros((*lead, m, k), dtype_of(block)) for k in (before, width - before - n))
        rows.append(np.concatenate([left, block, right], axis=-1))
        before += n
    return np.concatenate(rows, axis=-2)


def _of_matrix(op: Primitive) -> Callable[[Any], Any]:
    def function(A: Any) -> Any:
        a = _operand(A)
        try:
            return op(a)
        except np.linalg.LinAlgError:  # complex for this real matrix, perhaps
            if dtype_of(a).kind == "c" or op not in _MAY_BE_COMPLEX:
                raise
        return op(astype(a, dtype=np.result_type(dtype_of(a), np.complex64)))

    function.__name__ = function.__qualname__ = op.name
    function.__doc__ = f"As scipy.linalg.{op.name}, for A (…, n, n); differentiable to every order."
    if op in _MAY_BE_COMPLEX:
        function.__doc__ += (
            "\n\n    A compiled program of a real A raises where the result is complex: pass A + 0j."
        )
    return function


_MAY_BE_COMPLEX = (matrix_functions.sqrtm, matrix_functions.logm)
expm = _of_matrix(matrix_functions.expm)
logm = _of_matrix(matrix_functions.logm)
sqrtm = _of_matrix(matrix_functions.sqrtm)
cosm = _of_matrix(matrix_functions.cosm)
sinm = _of_matrix(matrix_functions.sinm)
tanm = _of_matrix(matrix_functions.tanm)
coshm = _of_matrix(matrix_functions.coshm)
sinhm = _of_matrix(matrix_functions.sinhm)
tanhm = _of_matrix(matrix_functions.tanhm)

__getattr__, __dir__ = theirs("linalg", __all__)
