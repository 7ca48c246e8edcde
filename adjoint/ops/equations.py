"""Linear equations in matrices: Sylvester's, and banded systems."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .abstract import Abstract, result_dtype
from .broadcast import Shape, fit
from .device import by_host
from .index import ARRAY, getitem
from .linalg import OfMatrices, complex_normal, well_conditioned
from .primitive import Args, Primitive, Samples, add_all, beside, dtype_of, register, shape_of
from .products import einsum, matmul
from .shape import swap_last


def lapack_dtype(*args: Any) -> np.dtype[Any]:
    """The dtype in which LAPACK computes with these operands: float32, float64 or their complex ones."""
    return np.result_type(result_dtype(*args), np.float32)


class SolveSylvester(OfMatrices):
    """z (…, m, n) with a z + z b = q for a (…, m, m), b (…, n, n); a and −b must share no eigenvalue."""

    name = "solve_sylvester"

    def samples(self, rng: np.random.Generator) -> Samples:
        a, b = well_conditioned(rng, 2), np.array([[1.0, 0.3], [-0.4, 2.0]])
        q = rng.standard_normal((2, 3, 2))
        return [((a, b, q), {}), ((a[0] + 0.5j, b, q[0]), {}), ((a[0], b, complex_normal(rng, (3, 2))), {})]

    @by_host
    def value(self, a: Any, b: Any, q: Any) -> Any:
        from scipy.linalg import solve_sylvester

        if any(np.ndim(x) < 2 for x in (a, b, q)):
            raise np.linalg.LinAlgError("a, b and q must be matrices")
        kind = lapack_dtype(a, b, q)
        lead = np.broadcast_shapes(*(np.shape(x)[:-2] for x in (a, b, q)))
        flat = [
            np.broadcast_to(x, lead + np.shape(x)[-2:]).reshape((math.prod(lead), *np.shape(x)[-2:]))
            for x in (a, b, q)
        ]
        (m, k), (n, j), size = (x.shape[1:] for x in flat)
        if m != k or n != j or size != (m, n):
            raise ValueError(f"shapes {(m, k)}, {(n, j)} and {size} do not make a z + z b = q")
        z = np.empty((len(flat[0]), m, n), kind)
        for i, matrices in enumerate(zip(*flat, strict=True)):
            if m and n:  # in one dtype: SciPy's real Schur forms are of no use beside complex ones
                z[i] = solve_sylvester(*(x.astype(kind) for x in matrices))
        return z.reshape((*lead, m, n))

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        a, b, _ = args
        right = add_all((
            dots[2],
            None if dots[0] is None else -matmul(dots[0], z),
            None if dots[1] is None else -matmul(z, dots[1]),
        ))  # fmt: skip
        return solve_sylvester(a, b, right)

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        a, b, q = args
        lam_q = solve_sylvester(swap_last(a), swap_last(b), lam)
        return (
            fit(-matmul(lam_q, swap_last(z)), a) if wanted[0] else None,
            fit(-matmul(swap_last(z), lam_q), b) if wanted[1] else None,
            fit(lam_q, q) if wanted[2] else None,
        )

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        shapes = [shape_of(x) for x in args]
        remedy = "a is (m, m), b is (n, n) and q is (m, n)."
        return f"solve_sylvester of {shapes[0]}, {shapes[1]} and {shapes[2]}: {error}", remedy


solve_sylvester = register(SolveSylvester())


@lru_cache(maxsize=64)
def _places(below: int, above: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Row i of the entry that a band matrix keeps at [r, j], clipped, and whether there is such a row."""
    i = np.arange(below + above + 1)[:, None] - above + np.arange(n)
    return np.clip(i, 0, max(n - 1, 0)), (i >= 0) & (i < n)


class SolveBanded(Primitive):
    """z (n, k) with a z = b for a band matrix, `below` and `above` diagonals beside the main one.

    `ab` (below + above + 1, n) keeps a[i, j] at ab[above + i − j, j]; what lies outside has no derivative.
    """

    name = "solve_banded"

    def samples(self, rng: np.random.Generator) -> Samples:
        samples: Samples = []
        for below, above in ((1, 1), (2, 0), (1, 2)):
            ab, b = rng.standard_normal((below + above + 1, 4)), rng.standard_normal((4, 2))
            ab[above] += 4
            samples.append(((ab, b), {"below": below, "above": above}))
        complex_ = (samples[2][0][0] + 1j, complex_normal(rng, (4, 1)))
        return [*samples, (complex_, {"below": 1, "above": 2})]

    @by_host
    def value(self, ab: Any, b: Any, below: int, above: int) -> Any:
        from scipy.linalg import solve_banded

        self._check(np.shape(ab), np.shape(b), below, above)
        kind = lapack_dtype(ab, b)
        if 0 in np.shape(b):
            return np.zeros(np.shape(b), kind)
        return solve_banded((below, above), np.asarray(ab, kind), np.asarray(b, kind))

    @staticmethod
    def _check(ab: Shape, b: Shape, below: int, above: int) -> None:
        if len(b) != 2 or len(ab) != 2 or ab != (below + above + 1, b[0]):
            raise ValueError(f"ab {ab} should be ({below + above + 1}, n) and b {b} (n,) or (n, k)")

    def abstract(self, ab: Any, b: Any, below: int, above: int) -> Abstract:
        self._check(shape_of(ab), shape_of(b), below, above)
        return Abstract(shape_of(b), lapack_dtype(ab, b))

    @staticmethod
    def _transposed(ab: Any, below: int, above: int) -> Any:
        """aᵀ as a band matrix; zeros outside."""
        n = shape_of(ab)[1]
        columns, inside = _places(above, below, n)
        rows = np.broadcast_to(np.arange(below + above, -1, -1)[:, None], columns.shape)
        return getitem(ab, rows, columns, template=(ARRAY, ARRAY)) * beside(ab).asarray(inside, dtype_of(ab))

    @classmethod
    def _product(cls, ab: Any, x: Any, below: int, above: int) -> Any:
        """A x (n, k)."""
        columns, _ = _places(above, below, shape_of(ab)[1])
        turned = getitem(x, columns, template=(ARRAY,))
        return einsum(cls._transposed(ab, below, above), turned, subscripts="rj,rjk->jk")

    def tangent(self, args: Args, z: Any, dots: Args, below: int, above: int) -> Any:
        moved = None if dots[0] is None else -self._product(dots[0], z, below, above)
        return solve_banded(args[0], add_all((dots[1], moved)), below=below, above=above)

    def adjoint(
        self, args: Args, z: Any, lam: Any, wanted: Sequence[bool], below: int, above: int
    ) -> Sequence[Any]:
        ab, b = args
        lam_b = solve_banded(self._transposed(ab, below, above), lam, below=above, above=below)
        lam_ab = None
        if wanted[0]:
            rows, inside = _places(below, above, shape_of(ab)[1])
            at = getitem(lam_b, rows, template=(ARRAY,))
            lam_ab = fit(
                -einsum(at, z, subscripts="rjk,jk->rj") * beside(ab).asarray(inside, dtype_of(ab)), ab
            )
        return lam_ab, fit(lam_b, b) if wanted[1] else None

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        return f"solve_banded: {error}", ""


solve_banded = register(SolveBanded())
