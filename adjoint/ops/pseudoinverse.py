"""What remains of inverse and determinant for symmetric positive semidefinite matrices.

Derivatives are those along which the rank stays what it is; across a change of rank there are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .broadcast import reshape, sum_
from .linalg import OfMatrices, hermitian_part
from .pinv import pinv
from .primitive import Args, Samples, dtype_of, register, shape_of


def _negligible(kind: np.dtype[Any]) -> float:
    """SciPy's bound for covariances: eigenvalues up to that part of the largest count for nothing."""
    return float((1e3 if kind == np.float32 else 1e6) * np.finfo(kind).eps)


def pseudo_inverse(a: Any) -> Any:
    """a⁺ (…, n, n) of symmetric positive semidefinite matrices."""
    return pinv(hermitian_part(a), _negligible(dtype_of(a)))


class LogPseudoDeterminant(OfMatrices):
    """z = Σ log of the eigenvalues > 0 of symmetric positive semidefinite matrices (…, n, n)."""

    name = "log_pseudo_determinant"

    def samples(self, rng: np.random.Generator) -> Samples:
        x = rng.standard_normal((2, 3, 3))
        a = x @ np.swapaxes(x, 1, 2) + np.eye(3)
        return [((a[0],), {}), ((a,), {})]

    def value(self, a: Any) -> Any:
        s = np.linalg.eigvalsh(0.5 * (a + np.swapaxes(a, -1, -2)))
        largest = np.max(np.abs(s), axis=-1, initial=0, keepdims=True)
        return np.sum(np.log(np.where(s > _negligible(s.dtype) * largest, s, 1)), axis=-1)

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        rank = len(shape_of(args[0]))
        return sum_(pseudo_inverse(args[0]) * dots[0], axis=(rank - 2, rank - 1))

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        return (reshape(lam, shape=(*shape_of(lam), 1, 1)) * pseudo_inverse(args[0]),)


log_pseudo_determinant = register(LogPseudoDeterminant())
