"""What remains of inverse and determinant for symmetric positive semidefinite matrices.

Derivatives are those along which the rank stays what it is; across a change of rank there are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .broadcast import reshape, sum_
from .linalg import OfMatrices, hermitian_part
from .primitive import Args, Samples, dtype_of, register, shape_of
from .products import matmul


def _spectrum(a: Any) -> tuple[Any, Any, Any]:
    """Eigenvalues, eigenvectors, and which eigenvalues count: SciPy's bound for covariances."""
    s, v = np.linalg.eigh(0.5 * (a + np.swapaxes(a, -1, -2)))
    largest = np.max(np.abs(s), axis=-1, initial=0, keepdims=True)
    bound = (1e3 if s.dtype == np.float32 else 1e6) * np.finfo(s.dtype).eps * largest
    return s, v, s > bound


class PseudoInverse(OfMatrices):
    """z = a⁺ (…, n, n) of symmetric positive semidefinite matrices."""

    name = "pseudo_inverse"

    def samples(self, rng: np.random.Generator) -> Samples:
        x = rng.standard_normal((2, 3, 3))
        a = x @ np.swapaxes(x, 1, 2) + np.eye(3)
        return [((a[0],), {}), ((a,), {})]

    def value(self, a: Any) -> Any:
        s, v, kept = _spectrum(a)
        inverse = np.where(kept, 1 / np.where(kept, s, 1), 0)
        return (v * inverse[..., None, :]) @ np.swapaxes(v, -1, -2)

    @staticmethod
    def _push(a: Any, z: Any, dot: Any) -> Any:
        """−z ȧ z, and where a is singular the turning of its range, z z ȧ (1 − a z) and its transpose."""
        dot = hermitian_part(dot)
        rest = np.eye(shape_of(a)[-1], dtype=dtype_of(a)) - matmul(hermitian_part(a), z)
        turned = matmul(matmul(matmul(z, z), dot), rest)
        return 2 * hermitian_part(turned) - matmul(matmul(z, dot), z)

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        return self._push(args[0], z, dots[0])

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        lam = hermitian_part(lam)
        a = hermitian_part(args[0])
        rest = np.eye(shape_of(a)[-1], dtype=dtype_of(a)) - matmul(a, z)
        turned = matmul(matmul(matmul(z, z), lam), rest)
        return (2 * hermitian_part(turned) - matmul(matmul(z, lam), z),)


pseudo_inverse = register(PseudoInverse())


class LogPseudoDeterminant(OfMatrices):
    """z = Σ log of the eigenvalues > 0 of symmetric positive semidefinite matrices (…, n, n)."""

    name = "log_pseudo_determinant"

    def samples(self, rng: np.random.Generator) -> Samples:
        return pseudo_inverse.samples(rng)

    def value(self, a: Any) -> Any:
        s, _, kept = _spectrum(a)
        return np.sum(np.log(np.where(kept, s, 1)), axis=-1)

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        rank = len(shape_of(args[0]))
        return sum_(pseudo_inverse(args[0]) * dots[0], axis=(rank - 2, rank - 1))

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        return (reshape(lam, shape=(*shape_of(lam), 1, 1)) * pseudo_inverse(args[0]),)


log_pseudo_determinant = register(LogPseudoDeterminant())
