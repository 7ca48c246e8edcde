"""The pseudoinverse of any matrix; of symmetric positive semidefinite ones, the pseudo-determinant too.

Derivatives are those along which the rank stays what it is; across a change of rank there are none. Leading
axes are a batch of matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .abstract import Abstract, broadcast_shape
from .broadcast import reshape, sum_
from .device import careful
from .linalg import OfMatrices, complex_normal, conj, dagger, hermitian_part
from .primitive import Args, Primitive, Samples, dtype_of, register, shape_of
from .products import chain
from .shape import swap_last


class Pinv(Primitive):
    """z = a⁺ (…, n, m) of a (…, m, n), singular values up to `rcond` (…) times the largest taken for 0.

    Where the rank changes the derivative does not exist; it is that of matrices of a's own rank (Golub and
    Pereyra 1973), with e = ȧᴴ:  ż = −z ȧ z + z zᴴ e (1 − a z) + (1 − z a) e zᴴ z.
    """

    name = "pinv"
    kink = "where the rank changes: as if it did not"

    def samples(self, rng: np.random.Generator) -> Samples:
        real = [rng.standard_normal(s) for s in ((3, 3), (4, 2), (2, 2, 3))]
        return [((a, 1e-15), {}) for a in (*real, complex_normal(rng, (4, 2)), complex_normal(rng, (2, 3)))]

    def value(self, a: Any, rcond: Any) -> Any:
        return careful(np.linalg.pinv, a, rcond)

    def abstract(self, a: Any, rcond: Any) -> Abstract:
        shape = shape_of(a)
        if len(shape) < 2:
            raise np.linalg.LinAlgError(f"{len(shape)}-dimensional array given; pinv needs a matrix")
        lead = broadcast_shape([shape[:-2], shape_of(rcond)])
        kind = np.linalg.pinv(np.ones((1, 1), dtype_of(a))).dtype
        return Abstract((*lead, shape[-1], shape[-2]), kind)

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        a, e, zh = args[0], dagger(dots[0]), dagger(z)
        # the projections are not formed: of a tall matrix 1 − a z would be large
        within = chain(z, zh, e) - chain(z, zh, e, a, z)
        without = chain(e, zh, z) - chain(z, a, e, zh, z)
        return within + without - chain(z, dots[0], z)

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        a, zt, zh, lam_t = args[0], swap_last(z), dagger(z), swap_last(lam)
        within = chain(lam_t, z, zh) - chain(a, z, lam_t, z, zh)
        without = chain(zh, z, lam_t) - chain(zh, z, lam_t, z, a)
        return conj(within + without) - chain(zt, lam, zt), None


pinv = register(Pinv())


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
        s = careful(np.linalg.eigvalsh, hermitian_part(a))
        largest = np.max(np.abs(s), axis=-1, keepdims=True) if s.shape[-1] else 0.0
        return np.sum(np.log(np.where(s > _negligible(s.dtype) * largest, s, 1)), axis=-1)

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        rank = len(shape_of(args[0]))
        return sum_(pseudo_inverse(args[0]) * dots[0], axis=(rank - 2, rank - 1))

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        return (reshape(lam, shape=(*shape_of(lam), 1, 1)) * pseudo_inverse(args[0]),)


log_pseudo_determinant = register(LogPseudoDeterminant())
