"""numpy.linalg's factorisations, with NumPy's signatures."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import MissingRuleError, refusal
from ..ops import factorize as fz
from ..ops import linalg as la
from ..ops import spectral as sp
from ..ops.abstract import Abstract
from ..ops.primitive import beside, dtype_of, innermost, shape_of
from ..ops.products import matmul as matmul_op
from .dispatch import implements
from .matrices import as_matrix

# NumPy's named tuples, which it keeps to itself
EIG: Any = type(np.linalg.eig(np.eye(1)))
EIGH: Any = type(np.linalg.eigh(np.eye(1)))
SVD: Any = type(np.linalg.svd(np.eye(1)))
QR: Any = type(np.linalg.qr(np.eye(1)))


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """As np.linalg.cholesky, which reads one triangle: the derivative has entries in that triangle only."""
    factor = fz.cholesky(la.mirror(as_matrix("cholesky", a), lower=not upper))
    return la.dagger(factor) if upper else factor


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    """As np.linalg.eigh, which reads one triangle: the derivative has entries in that triangle only."""
    if UPLO.upper() not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")
    lower = UPLO.upper() == "L"
    return EIGH(*sp.eigh(la.mirror(as_matrix("eigh", a), lower=lower), lower=lower))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """As np.linalg.eigvalsh."""
    return eigh(a, UPLO)[0]


@implements(np.linalg.eig)
def eig(a: Any) -> Any:
    """As np.linalg.eig: real results where every eigenvalue is real, complex ones otherwise.

    A compiled program cannot choose by the values: there the results are complex.
    """
    w, v = sp.eig(as_matrix("eig", a))
    plain = innermost(w)
    if dtype_of(a).kind != "c" and type(plain) is not Abstract and not np.any(np.imag(plain)):
        w, v = np.real(w), np.real(v)
    return EIG(w, v)


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    """As np.linalg.eigvals."""
    return eig(a)[0]


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """As np.linalg.svd.

    The vectors that full_matrices=True adds are unique but for a rotation; derivatives are right for what
    depends only on the space that they span.
    """
    a = as_matrix("svd", a, square=hermitian)
    if hermitian:
        return _svd_by_eigh(a, compute_uv)
    u, s, vh = sp.svd(a)
    if not compute_uv:
        return s
    rows, columns = shape_of(a)[-2:]
    if full_matrices and rows > columns:
        u = np.concatenate([u, fz.complement(a, of="svd")], axis=-1)
    elif full_matrices and rows < columns:
        rest = fz.complement(la.dagger(a), of="svd of aᴴ")
        vh = np.concatenate([vh, la.dagger(rest)], axis=-2)
    return SVD(u, s, vh)


def _svd_by_eigh(a: Any, compute_uv: bool) -> Any:
    """Singular values |w| of a Hermitian matrix, with the vectors of its eigenvalues w."""
    w, v = eigh(a)
    order = np.argsort(np.abs(w), axis=-1)[..., ::-1]
    w = np.take_along_axis(w, order, axis=-1)
    if not compute_uv:
        return np.abs(w)
    v = np.take_along_axis(v, order[..., None, :], axis=-1)
    return SVD(v, np.abs(w), la.dagger(v * np.sign(w)[..., None, :]))


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """As np.linalg.svdvals."""
    return svd(x, compute_uv=False)


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """As np.linalg.qr, modes reduced, complete and r.

    The columns that mode "complete" adds to q are unique but for a rotation; derivatives are right for what
    depends only on the space that they span.
    """
    if mode not in ("reduced", "complete", "r"):
        what = f"np.linalg.qr with mode={mode!r} has no rule"
        raise refusal(MissingRuleError, what, "Pass mode='reduced', 'complete' or 'r'.")
    rows, columns = shape_of(as_matrix("qr", a, square=False))[-2:]
    if rows >= columns:
        q, r = fz.qr(a)
    else:  # the leading square block decides q; the other columns follow from it
        q, leading = fz.qr(a[..., :rows])
        r = np.concatenate([leading, matmul_op(la.dagger(q), a[..., rows:])], axis=-1)
    if mode == "complete" and rows > columns:
        q = np.concatenate([q, fz.complement(a, of="qr")], axis=-1)
        below = beside(r).zeros((*shape_of(r)[:-2], rows - columns, columns), dtype_of(r))
        r = np.concatenate([r, below], axis=-2)
    return r if mode == "r" else QR(q, r)
