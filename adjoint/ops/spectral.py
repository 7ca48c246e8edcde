"""Eigenvalues and singular values: eigh, svd, eig. Leading axes are a batch of matrices.

Derivatives follow Giles 2008, "An extended collection of matrix derivative results", here for complex
matrices. Vectors are unique up to a phase (real ones up to a sign, which cannot change gradually). That of
`eig` is fixed by LAPACK's documentation and differentiated with the rest. That of `eigh` and `svd` is an
accident: derivatives are of vectors whose phase stays, and right for all that does not depend on phases.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .abstract import Abstract
from .broadcast import fit, reshape_to, sum_
from .device import careful
from .elementwise import absolute, imag, indicator, real, reciprocal, square, where
from .factorize import hermitian, positive_definite
from .linalg import (
    OfMatrices,
    complex_normal,
    conj,
    dagger,
    diagnose_square,
    diagonal_part,
    embed_diagonal,
    hermitian_part,
    solve,
)  # fmt: skip
from .primitive import Args, Samples, add_all, beside, dtype_of, register, shape_of
from .products import matmul
from .reduce import max_
from .shape import swap_last


def real_part(x: Any) -> Any:
    """Re x; a real x is its own."""
    return real(x) if dtype_of(x).kind == "c" else x


def _gaps(s: Any) -> Any:
    """F_ij = 1 / (s_j − s_i), 0 on the diagonal; NaN where two are equal: the vectors are not unique there.

    (0 would pass for a derivative: v eʷ vᵀ at the identity would lose its off-diagonal entries.)
    """
    n = shape_of(s)[-1]
    gap = reshape_to(s, (*shape_of(s)[:-1], 1, n)) - reshape_to(s, (*shape_of(s), 1))
    inverse = where(gap == 0, np.nan, reciprocal(where(gap == 0, 1, gap)))
    return where(beside(s).eye(n, dtype=bool), 0, inverse)


def _without_phases(left: Any, right: Any) -> Any:
    """Σ k v_k u_kᴴ of columns and rows whose phases cancel, for `unique`."""
    counted = 1.0 + beside(left).arange(shape_of(left)[-1], dtype=np.float32)
    return matmul(_scale_columns(left, counted), right)


def _scale_columns(x: Any, s: Any) -> Any:
    """X diag(s)."""
    return x * reshape_to(s, (*shape_of(s)[:-1], 1, shape_of(s)[-1]))


class Eigh(OfMatrices):
    """Eigenvalues w (ascending) and eigenvectors v of a Hermitian matrix: a = v diag(w) vᴴ.

    Where eigenvalues coincide the vectors are not unique and the derivative through them is NaN; so is the
    second derivative of the eigenvalues. Their first derivative needs no unique vectors.
    """

    name = "eigh"
    results = 2
    kink = "equal eigenvalues: NaN through the eigenvectors, which are not unique"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((a,), {"lower": True}) for a in (positive_definite(rng, 2), hermitian(rng))]

    def unique(self, z: Any) -> Any:
        w, v = z
        return (w, _without_phases(v, dagger(v))) if dtype_of(v).kind == "c" else z

    def value(self, a: Any, lower: bool) -> Any:
        # both triangles are the same; which one LAPACK reads decides the signs of the vectors
        return tuple(careful(np.linalg.eigh, hermitian_part(a), "L" if lower else "U"))

    def tangent(self, args: Args, z: Any, dots: Args, lower: bool) -> Any:
        w, v = z
        inside = matmul(dagger(v), matmul(hermitian_part(dots[0]), v))
        return real_part(diagonal_part(inside)), matmul(v, _gaps(w) * inside)

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool], lower: bool) -> Sequence[Any]:
        w, v = z
        inside = add_all((
            None if lam[0] is None else embed_diagonal(lam[0], shape_of(w)[-1]),
            None if lam[1] is None else _gaps(w) * matmul(swap_last(v), lam[1]),
        ))  # fmt: skip
        return (fit(hermitian_part(matmul(conj(v), matmul(inside, swap_last(v)))), args[0]),)

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        return diagnose_square("eigh", args[0], error)


eigh = register(Eigh())


class Svd(OfMatrices):
    """Thin SVD a = u diag(s) vᴴ: u (…, m, k), s (…, k) descending, vᴴ (…, k, n), k = min(m, n)."""

    name = "svd"
    results = 3
    kink = "equal singular values: NaN through the singular vectors, which are not unique"

    def samples(self, rng: np.random.Generator) -> Samples:
        real = [rng.standard_normal(s) for s in ((3, 3), (4, 2), (2, 2, 3))]
        return [((a,), {}) for a in (*real, *(complex_normal(rng, s) for s in ((3, 3), (4, 2), (2, 3))))]

    def unique(self, z: Any) -> Any:
        u, s, vh = z
        return (s, _without_phases(u, vh)) if dtype_of(u).kind == "c" else z

    def value(self, a: Any) -> Any:
        return tuple(careful(np.linalg.svd, a, full_matrices=False))

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        u, s, vh = z
        v, inverse = dagger(vh), _inverse(s)
        inside = matmul(dagger(u), matmul(dots[0], v))
        gaps = _gaps(s * s)
        turn_u, turn_v = _scale_columns(inside, s), swap_last(_scale_columns(swap_last(inside), s))
        turn_u, turn_v = gaps * (turn_u + dagger(turn_u)), gaps * (turn_v + dagger(turn_v))
        if dtype_of(inside).kind == "c":  # u and v turn against each other; u takes all of it
            phases = 1j * imag(diagonal_part(inside)) * inverse
            turn_u = turn_u + embed_diagonal(phases, shape_of(s)[-1])
        outside_u = matmul(dots[0], v) - matmul(u, inside)
        outside_v = matmul(dagger(dots[0]), u) - matmul(v, dagger(inside))
        u_dot = matmul(u, turn_u) + _scale_columns(outside_u, inverse)
        v_dot = matmul(v, turn_v) + _scale_columns(outside_v, inverse)
        return u_dot, real_part(diagonal_part(inside)), dagger(v_dot)

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        u, s, vh = z
        n, v, inverse = shape_of(s)[-1], dagger(vh), _inverse(s)
        gaps = _gaps(s * s)
        inside, outside = [], []  # λ of uᴴ ȧ v, and what goes to ȧ past it
        if lam[1] is not None:
            inside.append(embed_diagonal(lam[1], n))
        if lam[0] is not None:
            along = matmul(swap_last(u), lam[0])
            turn = gaps * along
            inside.append(_scale_columns(turn + dagger(turn), s))
            if dtype_of(along).kind == "c":
                inside.append(embed_diagonal(1j * imag(diagonal_part(along)) * inverse, n))
            rest = lam[0] - matmul(conj(u), along)
            outside.append(matmul(_scale_columns(rest, inverse), conj(vh)))
        if lam[2] is not None:
            lam_v = dagger(lam[2])
            along = matmul(swap_last(v), lam_v)
            turn = gaps * along
            inside.append(swap_last(_scale_columns(swap_last(turn + dagger(turn)), s)))
            rest = lam_v - matmul(conj(v), along)
            outside.append(matmul(conj(u), dagger(_scale_columns(rest, inverse))))
        core = matmul(conj(u), matmul(add_all(inside), conj(vh)))
        return (fit(add_all((core, *outside)), args[0]),)

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        known = type(args[0]) is not Abstract
        odd = known and not np.isfinite(args[0]).all()
        remedy = "The matrix holds NaN or infinite entries." if odd else ""
        return f"svd of a matrix {shape_of(args[0])}: {error}", remedy


svd = register(Svd())


def _inverse(s: Any) -> Any:
    """1 / s, 0 where s is 0."""
    return reciprocal(where(s == 0, np.inf, s))


class Eig(OfMatrices):
    """Eigenvalues w and eigenvectors v of any square matrix, always complex: a v = v diag(w).

    Columns of v have length 1, and their largest entry is real. Derivatives keep both (Boeddeker et al. 2017,
    arXiv:1701.00392, lets the phase go). Where eigenvalues coincide they are NaN through the vectors.
    """

    name = "eig"
    results = 2
    kink = "equal eigenvalues: NaN through the eigenvectors, which are not unique"

    def samples(self, rng: np.random.Generator) -> Samples:
        turning = np.array([[0.3, 2.0, 0.1], [-1.5, 0.2, 0.4], [0.5, -0.2, -1.0]])
        return [((a,), {}) for a in (turning, complex_normal(rng, (2, 3, 3)))]

    def value(self, a: Any) -> Any:
        w, v = careful(np.linalg.eig, a)
        kind = np.result_type(w.dtype, np.complex64)
        return w.astype(kind, copy=False), v.astype(kind, copy=False)

    @staticmethod
    def _pinned(v: Any) -> Any:
        """m_ik / |v_ik|² with m choosing the largest entry of each column, which stays real."""
        size, axis = absolute(v), (len(shape_of(v)) - 2,)
        if 0 in shape_of(v):
            return size
        largest = max_(size, axis=axis, keepdims=True)
        chosen = indicator(size == largest, size)
        return chosen / (sum_(chosen, axis=axis, keepdims=True) * square(largest))

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        w, v = z
        inside = solve(v, matmul(dots[0], v))
        free = matmul(v, _gaps(w) * inside)
        along, last = conj(v) * free, (len(shape_of(v)) - 2,)
        growth = sum_(real(along), axis=last, keepdims=True)
        turning = sum_(self._pinned(v) * imag(along), axis=last, keepdims=True)
        return diagonal_part(inside), free - v * (growth + 1j * turning)

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        w, v = z
        inside = []
        if lam[0] is not None:
            inside.append(embed_diagonal(lam[0], shape_of(w)[-1]))
        if lam[1] is not None:
            scale = sum_(lam[1] * v, axis=(len(shape_of(v)) - 2,), keepdims=True)
            free = lam[1] - conj(v) * (real(scale) + 1j * imag(scale) * self._pinned(v))
            inside.append(_gaps(w) * matmul(swap_last(v), free))
        return (fit(solve(swap_last(v), matmul(add_all(inside), swap_last(v))), args[0]),)

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        return diagnose_square("eig", args[0], error)


eig = register(Eig())
