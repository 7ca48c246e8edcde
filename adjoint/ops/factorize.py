"""Factorisations into triangles: cholesky, qr. Leading axes are a batch of matrices.

Derivatives follow Giles 2008, "An extended collection of matrix derivative results"; QR follows Walter,
Lehmann and Lamour 2012. What reads one triangle (cholesky) is given a matrix that `mirror` made Hermitian
from that triangle, so that derivatives are NumPy's function's, entry by entry.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DomainError, refusal
from .abstract import Abstract
from .broadcast import fit
from .device import careful
from .linalg import (
    OfMatrices,
    complex_normal,
    conj,
    dagger,
    diagnose_square,
    half_triangle,
    hermitian_part,
    solve_triangular,
    triangle,
)  # fmt: skip
from .primitive import Args, Samples, add_all, register, shape_of
from .products import matmul
from .shape import swap_last


def positive_definite(rng: np.random.Generator, batch: int) -> np.ndarray:
    """Random symmetric matrices (batch, 3, 3) with positive and distinct eigenvalues."""
    a = rng.standard_normal((batch, 3, 3))
    return a @ np.swapaxes(a, -1, -2) + np.diag([1.0, 2.0, 4.0])


def hermitian(rng: np.random.Generator) -> np.ndarray:
    """A random Hermitian matrix (3, 3), positive definite too."""
    a = complex_normal(rng, (3, 3))
    return a @ a.conj().T + np.diag([1.0, 2.0, 4.0])


class Cholesky(OfMatrices):
    """L lower triangular with L Lᴴ the Hermitian part of a, which must be positive definite."""

    name = "cholesky"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((positive_definite(rng, 2),), {}), ((hermitian(rng),), {})]

    def value(self, a: Any) -> Any:
        return careful(np.linalg.cholesky, hermitian_part(a))

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        down = {"lower": True, "transposed": False, "unit": False}
        inside = dagger(
            solve_triangular(z, dagger(solve_triangular(z, hermitian_part(dots[0]), **down)), **down)
        )
        return matmul(z, half_triangle(inside))

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        up = {"lower": True, "transposed": True, "unit": False}
        inside = half_triangle(matmul(swap_last(z), triangle(lam, lower=True, offset=0)))
        left = solve_triangular(z, inside, **up)
        return (hermitian_part(dagger(solve_triangular(z, dagger(left), **up))),)

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        if not isinstance(error, np.linalg.LinAlgError) or not any(
            word in str(error) for word in ("ositive", "potrf")
        ):
            return diagnose_square("cholesky", args[0], error)
        known = type(args[0]) is not Abstract and np.isfinite(args[0]).all()
        lowest = float(np.min(np.linalg.eigvalsh(args[0]))) if known else math.nan
        shape = shape_of(args[0])
        what = (
            f"cholesky needs a positive definite matrix: the smallest eigenvalue of {shape} is {lowest:.3g}"
        )
        return what, "Add a multiple of the identity larger than that, or check the matrix for symmetry."


cholesky = register(Cholesky())


class Qr(OfMatrices):
    """Reduced QR of a (…, m, n) with m ≥ n and full column rank: q (…, m, n), r (…, n, n) upper.

    LAPACK makes the diagonal of r real for complex matrices too, which decides the phases of q's columns.
    """

    name = "qr"
    results = 2

    def samples(self, rng: np.random.Generator) -> Samples:
        real = [rng.standard_normal(s) for s in ((3, 3), (2, 4, 3))]
        return [((a,), {}) for a in (*real, complex_normal(rng, (3, 3)), complex_normal(rng, (4, 3)))]

    def value(self, a: Any) -> Any:
        if shape_of(a)[-2] < shape_of(a)[-1]:
            raise refusal(
                DomainError, f"the derivative of qr needs at least as many rows as columns: {shape_of(a)}"
            )
        return tuple(careful(np.linalg.qr, a))

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        q, r = z
        # ȧ r⁻¹
        right = swap_last(solve_triangular(r, swap_last(dots[0]), lower=False, transposed=True, unit=False))
        inside = matmul(dagger(q), right)
        half = half_triangle(inside)
        turn = half - dagger(half)  # qᴴ q̇: antihermitian, and inside − turn is upper with a real diagonal
        return matmul(q, turn) + right - matmul(q, inside), matmul(inside - turn, r)

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        q, r = z
        lam_q, lam_r = lam
        inner = add_all((
            None if lam_r is None else matmul(triangle(lam_r, lower=False, offset=0), swap_last(r)),
            None if lam_q is None else -matmul(swap_last(q), lam_q),
        ))  # fmt: skip
        # what `inside` gets, through itself and through turn, whose transpose is m ↦ half(m − mᴴ)
        inner = inner - half_triangle(inner - dagger(inner))
        total = add_all((lam_q, matmul(conj(q), inner)))
        return (
            fit(
                swap_last(solve_triangular(r, swap_last(total), lower=False, transposed=False, unit=False)),
                args[0],
            ),
        )

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        return f"qr: {error}", "Factor the first m columns and multiply the others by qᵀ."


qr = register(Qr())


class Complement(OfMatrices):
    """z (…, m, m − n): an orthonormal basis of what is orthogonal to the columns of a (…, m, n), m > n.

    NumPy's complete factorisations return one; `of` says which: "qr", or "svd" (of a, or of aᴴ: "svd of aᴴ").
    The basis may be turned within its space; the derivative is that of the one that does not turn, right for
    whatever depends on the space alone. With a of full rank: ż = −(a⁺)ᴴ ȧᴴ z.
    """

    name = "complement"
    kink = "unique but for a rotation: right for functions of the space"

    def samples(self, rng: np.random.Generator) -> Samples:
        real, complex_ = rng.standard_normal((2, 4, 2)), complex_normal(rng, (4, 2))
        return [((a,), {"of": of}) for a in (real, complex_) for of in ("qr", "svd", "svd of aᴴ")]

    def unique(self, z: Any) -> Any:
        return matmul(z, dagger(z))

    def value(self, a: Any, of: str) -> Any:
        n = shape_of(a)[-1]
        if of == "qr":
            return careful(np.linalg.qr, a, "complete")[0][..., n:]
        if of == "svd":
            return careful(np.linalg.svd, a)[0][..., n:]
        return dagger(careful(np.linalg.svd, dagger(a))[2])[..., n:]

    def _lift(self, a: Any, x: Any) -> Any:
        """(a⁺)ᴴ x = q r⁻ᴴ x."""
        q, r = qr(a)
        return matmul(q, solve_triangular(conj(r), x, lower=False, transposed=True, unit=False))

    def tangent(self, args: Args, z: Any, dots: Args, of: str) -> Any:
        return -self._lift(args[0], matmul(dagger(dots[0]), z))

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool], of: str) -> Sequence[Any]:
        """−z̄ λᴴ q̄ r⁻ᵀ."""
        q, r = qr(args[0])
        inside = matmul(dagger(lam), conj(q))
        right = solve_triangular(r, swap_last(inside), lower=False, transposed=False, unit=False)
        return (-matmul(conj(z), swap_last(right)),)


complement = register(Complement())
