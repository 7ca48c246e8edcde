"""Factorisations: cholesky, eigh, svd, qr. Leading axes are a batch of matrices.

Derivatives follow Giles 2008, "An extended collection of matrix derivative results"; QR follows Walter,
Lehmann and Lamour 2012. What reads one triangle (cholesky, eigh) is given a matrix that `mirror` made
symmetric from that triangle, so that derivatives are NumPy's function's, entry by entry.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DomainError, refusal
from .abstract import Abstract
from .broadcast import fit, reshape_to
from .elementwise import reciprocal, where
from .linalg import (
    OfMatrices,
    diagnose_square,
    diagonal_part,
    embed_diagonal,
    solve_triangular,
    symmetric_part,
    triangle,
)  # fmt: skip
from .primitive import Args, Samples, add_all, register, shape_of
from .products import matmul
from .shape import swap_last


def _positive_definite(rng: np.random.Generator, batch: int) -> np.ndarray:
    a = rng.standard_normal((batch, 3, 3))
    return a @ np.swapaxes(a, -1, -2) + np.diag([1.0, 2.0, 4.0])


class Cholesky(OfMatrices):
    """L lower triangular with L Lᵀ the symmetric part of a, which must be positive definite."""

    name = "cholesky"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((_positive_definite(rng, 2),), {})]

    def value(self, a: Any) -> Any:
        return np.linalg.cholesky(symmetric_part(a))

    @staticmethod
    def _half(x: Any) -> Any:
        """Φ: the lower triangle with half the diagonal."""
        return 0.5 * (triangle(x, lower=True, offset=0) + triangle(x, lower=True, offset=1))

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        down = {"lower": True, "transposed": False, "unit": False}
        inside = swap_last(
            solve_triangular(z, swap_last(solve_triangular(z, symmetric_part(dots[0]), **down)), **down)
        )
        return matmul(z, self._half(inside))

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        up = {"lower": True, "transposed": True, "unit": False}
        inside = self._half(matmul(swap_last(z), triangle(lam, lower=True, offset=0)))
        left = solve_triangular(z, inside, **up)
        return (symmetric_part(swap_last(solve_triangular(z, swap_last(left), **up))),)

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        if not isinstance(error, np.linalg.LinAlgError) or "ositive" not in str(error):
            return diagnose_square("cholesky", args[0], error)
        known = type(args[0]) is not Abstract and np.isfinite(args[0]).all()
        lowest = float(np.min(np.linalg.eigvalsh(args[0]))) if known else math.nan
        shape = shape_of(args[0])
        what = (
            f"cholesky needs a positive definite matrix: the smallest eigenvalue of {shape} is {lowest:.3g}"
        )
        return what, "Add a multiple of the identity larger than that, or check the matrix for symmetry."


cholesky = register(Cholesky())


def _gaps(s: Any) -> Any:
    """F_ij = 1 / (s_j − s_i), 0 on the diagonal; NaN where two are equal: the vectors are not unique there.

    (0 would pass for a derivative: v eʷ vᵀ at the identity would lose its off-diagonal entries.)
    """
    n = shape_of(s)[-1]
    gap = reshape_to(s, (*shape_of(s)[:-1], 1, n)) - reshape_to(s, (*shape_of(s), 1))
    inverse = where(gap == 0, np.nan, reciprocal(where(gap == 0, 1, gap)))
    return where(np.eye(n, dtype=bool), 0, inverse)


def _scale_columns(x: Any, s: Any) -> Any:
    """X diag(s)."""
    return x * reshape_to(s, (*shape_of(s)[:-1], 1, shape_of(s)[-1]))


class Eigh(OfMatrices):
    """Eigenvalues w (ascending) and eigenvectors v of a symmetric matrix: a = v diag(w) vᵀ.

    Where eigenvalues coincide the vectors are not unique and the derivative through them is NaN; so is the
    second derivative of the eigenvalues. Their first derivative needs no unique vectors.
    """

    name = "eigh"
    results = 2
    kink = "equal eigenvalues: NaN through the eigenvectors, which are not unique"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((_positive_definite(rng, 2),), {"lower": True})]

    def value(self, a: Any, lower: bool) -> Any:
        # both triangles are the same; which one LAPACK reads decides the signs of the vectors
        return tuple(np.linalg.eigh(symmetric_part(a), "L" if lower else "U"))

    def tangent(self, args: Args, z: Any, dots: Args, lower: bool) -> Any:
        w, v = z
        inside = matmul(swap_last(v), matmul(symmetric_part(dots[0]), v))
        return diagonal_part(inside), matmul(v, _gaps(w) * inside)

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool], lower: bool) -> Sequence[Any]:
        w, v = z
        inside = add_all((
            None if lam[0] is None else embed_diagonal(lam[0], shape_of(w)[-1]),
            None if lam[1] is None else _gaps(w) * matmul(swap_last(v), lam[1]),
        ))  # fmt: skip
        return (fit(symmetric_part(matmul(v, matmul(inside, swap_last(v)))), args[0]),)

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        return diagnose_square("eigh", args[0], error)


eigh = register(Eigh())


class Svd(OfMatrices):
    """Thin SVD a = u diag(s) vᵀ: u (…, m, k), s (…, k) descending, vᵀ (…, k, n), k = min(m, n)."""

    name = "svd"
    results = 3
    kink = "equal singular values: NaN through the singular vectors, which are not unique"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((rng.standard_normal(s),), {}) for s in ((3, 3), (4, 2), (2, 2, 3))]

    def value(self, a: Any) -> Any:
        return tuple(np.linalg.svd(a, full_matrices=False))

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        u, s, vt = z
        v, inverse = swap_last(vt), reciprocal(where(s == 0, np.inf, s))
        inside = matmul(swap_last(u), matmul(dots[0], v))
        gaps = self._gaps(s)
        turn_u = gaps * (_scale_columns(inside, s) + swap_last(_scale_columns(inside, s)))
        left = swap_last(_scale_columns(swap_last(inside), s))  # diag(s) inside
        turn_v = gaps * (left + swap_last(left))
        outside_u = matmul(dots[0], v) - matmul(u, inside)
        outside_v = matmul(swap_last(dots[0]), u) - matmul(v, swap_last(inside))
        u_dot = matmul(u, turn_u) + _scale_columns(outside_u, inverse)
        v_dot = matmul(v, turn_v) + _scale_columns(outside_v, inverse)
        return u_dot, diagonal_part(inside), swap_last(v_dot)

    @staticmethod
    def _gaps(s: Any) -> Any:
        """1 / (s_j² − s_i²)."""
        return _gaps(s * s)

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        u, s, vt = z
        v, inverse = swap_last(vt), reciprocal(where(s == 0, np.inf, s))
        gaps = self._gaps(s)
        inside, outside = [], []
        if lam[1] is not None:
            inside.append(embed_diagonal(lam[1], shape_of(s)[-1]))
        if lam[0] is not None:
            turn = gaps * matmul(swap_last(u), lam[0])
            inside.append(_scale_columns(turn + swap_last(turn), s))
            rest = lam[0] - matmul(u, matmul(swap_last(u), lam[0]))
            outside.append(matmul(_scale_columns(rest, inverse), vt))
        if lam[2] is not None:
            lam_v = swap_last(lam[2])
            turn = gaps * matmul(vt, lam_v)
            inside.append(swap_last(_scale_columns(swap_last(turn + swap_last(turn)), s)))
            rest = lam_v - matmul(v, matmul(vt, lam_v))
            outside.append(matmul(u, swap_last(_scale_columns(rest, inverse))))
        core = matmul(u, matmul(add_all(inside), vt))
        return (fit(add_all((core, *outside)), args[0]),)

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        known = type(args[0]) is not Abstract
        odd = known and not np.isfinite(args[0]).all()
        remedy = "The matrix holds NaN or infinite entries." if odd else ""
        return f"svd of a matrix {shape_of(args[0])}: {error}", remedy


svd = register(Svd())


class Qr(OfMatrices):
    """Reduced QR of a (…, m, n) with m ≥ n and full column rank: q (…, m, n), r (…, n, n) upper."""

    name = "qr"
    results = 2

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((rng.standard_normal(s),), {}) for s in ((3, 3), (2, 4, 3))]

    def value(self, a: Any) -> Any:
        if shape_of(a)[-2] < shape_of(a)[-1]:
            raise refusal(
                DomainError, f"the derivative of qr needs at least as many rows as columns: {shape_of(a)}"
            )
        return tuple(np.linalg.qr(a))

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        q, r = z
        # ȧ r⁻¹
        right = swap_last(solve_triangular(r, swap_last(dots[0]), lower=False, transposed=True, unit=False))
        inside = matmul(swap_last(q), right)
        below = triangle(inside, lower=True, offset=1)
        turn = below - swap_last(below)  # antisymmetric: qᵀ q̇
        return matmul(q, turn) + right - matmul(q, inside), matmul(inside - turn, r)

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        q, r = z
        lam_q, lam_r = lam
        inner = add_all((
            None if lam_r is None else matmul(triangle(lam_r, lower=False, offset=0), swap_last(r)),
            None if lam_q is None else -matmul(swap_last(q), lam_q),
        ))  # fmt: skip
        # the transpose of m ↦ triu(m) + tril(m, −1)ᵀ
        folded = triangle(inner, lower=False, offset=0) + swap_last(triangle(inner, lower=False, offset=1))
        total = add_all((lam_q, matmul(q, folded)))
        return (
            fit(
                swap_last(solve_triangular(r, swap_last(total), lower=False, transposed=False, unit=False)),
                args[0],
            ),
        )

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        return f"qr: {error}", "Factor the first m columns and multiply the others by qᵀ."


qr = register(Qr())
