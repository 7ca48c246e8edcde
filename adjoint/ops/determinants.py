"""Determinants. Leading axes are a batch of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .broadcast import reshape_to, sum_
from .device import careful
from .elementwise import imag, real
from .linalg import (
    OfMatrices,
    diagnose_square,
    diagonal_part,
    embed_diagonal,
    inv,
    solve,
    well_conditioned,
)  # fmt: skip
from .primitive import Args, Samples, add_all, beside, dtype_of, innermost, register, shape_of
from .products import matmul
from .shape import swap_last


def _samples(rng: np.random.Generator) -> Samples:
    a = well_conditioned(rng, 2)
    return [((a,), {}), ((a + 1j * rng.standard_normal((3, 3)),), {})]


class SlogDet(OfMatrices):
    """(sign, log|det a|). A real sign has no derivative; a complex one is a phase, and turns."""

    name = "slogdet"
    results = 2

    def samples(self, rng: np.random.Generator) -> Samples:
        return _samples(rng)

    def value(self, a: Any) -> Any:
        return tuple(careful(np.linalg.slogdet, a))

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        trace = sum_(diagonal_part(solve(args[0], dots[0])), axis=(len(shape_of(args[0])) - 2,))
        if dtype_of(trace).kind != "c":  # trace = d log det a
            return None, trace
        return 1j * imag(trace) * z[0], real(trace)

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        turning = lam[0] is not None and dtype_of(z[0]).kind == "c"
        scale = add_all((lam[1], 1j * imag(lam[0] * z[0]) if turning else None))
        if scale is None:
            return (None,)
        return (reshape_to(scale, (*shape_of(scale), 1, 1)) * swap_last(inv(args[0])),)

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        return diagnose_square("slogdet", args[0], error)


slogdet = register(SlogDet())


class Det(OfMatrices):
    """z = det a for a matrix that has an inverse; for one that has none there is `det_of_singular`."""

    name = "det"

    def samples(self, rng: np.random.Generator) -> Samples:
        return _samples(rng)

    def value(self, a: Any) -> Any:
        return np.linalg.det(a)

    def _cofactors(self, a: Any, z: Any) -> Any:
        return reshape_to(z, (*shape_of(z), 1, 1)) * swap_last(inv(a))

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        ndim = len(shape_of(args[0]))
        return sum_(self._cofactors(args[0], z) * dots[0], axis=(ndim - 2, ndim - 1))

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        return (reshape_to(lam, (*shape_of(lam), 1, 1)) * self._cofactors(args[0], z),)

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        return diagnose_square("det", args[0], error)


det = register(Det())


def smallest_directions(a: Any) -> tuple[Any, Any] | None:
    """Singular vectors u (…, n, k), vᴴ (…, k, n) in which a matrix is nearly singular; None if it is not.

    det a · a⁻ᵀ loses digits with the condition number, its derivative with the square: 1e5 is the limit.
    """
    size = np.max(np.abs(a), axis=(-2, -1), keepdims=True)
    scaled = a / np.where(size == 0, 1, size)
    try:
        with np.errstate(over="ignore"):
            condition = np.linalg.norm(scaled, axis=(-2, -1)) * np.linalg.norm(
                careful(np.linalg.inv, scaled), axis=(-2, -1)
            )
        if (condition < 1e5).all():
            return None
    except np.linalg.LinAlgError:  # no inverse at all
        pass
    u, s, vt = np.linalg.svd(a)
    k = max(1, int((s <= 1e-5 * s[..., :1]).sum(axis=-1).max()))
    return u[..., -k:], vt[..., -k:, :]


def det_of_singular(a: Any, u: Any, vh: Any) -> Any:
    """Det a by the matrix determinant lemma, filling up the directions u vᴴ in which a is singular.

    With b = a + σ u vᴴ invertible, det a = det b · det(1 − σ vᴴ b⁻¹ u): a product of smooth factors, so that
    derivatives of every order are exact where a⁻¹ does not exist.
    """
    size = np.linalg.norm(innermost(a), axis=(-2, -1), keepdims=True)
    sigma = np.where(size == 0, 1, size)
    b = a + sigma * np.matmul(u, vh)
    missing = beside(u).eye(u.shape[-1], dtype=u.dtype) - sigma * matmul(vh, solve(b, u))
    return det(b) * _det_by_traces(missing)


def _det_by_traces(a: Any) -> Any:
    """Det of a small matrix as a polynomial in its entries (Faddeev and Le Verrier)."""
    n, last = shape_of(a)[-1], (len(shape_of(a)) - 2,)
    product, coefficient = a, -sum_(diagonal_part(a), axis=last)
    for k in range(2, n + 1):
        product = matmul(a, product + embed_diagonal(reshape_to(coefficient, (*shape_of(coefficient), 1)), n))
        coefficient = sum_(diagonal_part(product), axis=last) / -k
    return coefficient if n % 2 == 0 else -coefficient
