"""Functions of square matrices, one row each: expm, logm, sqrtm, … Leading axes are a batch of matrices.

For an analytic f, f([[a, e], [0, a]]) has f(a) on its diagonal and the derivative of f along e above it, and
the transpose of that derivative is the one at aᵀ (Mathias 1996; Higham 2008, "Functions of Matrices", ch. 3).
So the rules are the function itself at twice the size, and any order follows.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from .device import by_host
from .equations import lapack_dtype, solve_sylvester
from .index import getitem
from .linalg import OfMatrices, diagnose_square
from .primitive import Args, Samples, beside, dtype_of, register, shape_of
from .shape import concatenate, swap_last


class MatrixFunction(OfMatrices):
    """z = f(a), by SciPy's function of that name; real for a real matrix.

    Raises:
        LinAlgError: f of a real matrix is complex.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def samples(self, rng: np.random.Generator) -> Samples:
        # eigenvalues near 1: inside the domain of all of them, and no pole of a tangent near
        real = np.eye(3) + 0.2 * rng.standard_normal((2, 3, 3))
        return [((real,), {}), ((real[0] + 0.2j * rng.standard_normal((3, 3)),), {})]

    def of_one(self, a: Any) -> Any:
        """F of one matrix in double precision."""
        from scipy import linalg

        return np.asarray(getattr(linalg, self.name)(a))

    @by_host
    def value(self, a: Any) -> Any:
        if np.ndim(a) < 2 or np.shape(a)[-1] != np.shape(a)[-2]:
            raise np.linalg.LinAlgError("expected a square matrix")
        shape, kind = np.shape(a), lapack_dtype(a)
        # in double precision: SciPy finds logm of float32 inaccurate, with a warning
        flat = np.reshape(
            np.asarray(a, np.result_type(kind, np.float64)), (math.prod(shape[:-2]), *shape[-2:])
        )
        values = [self.of_one(x) for x in flat] if 0 not in shape else []
        if not values:
            return np.zeros(shape, kind)
        z = np.stack(values).reshape(shape)
        if kind.kind != "c" and np.any(np.imag(z)):
            raise np.linalg.LinAlgError(f"{self.name} of a real matrix is complex here")
        return (z if kind.kind == "c" else np.real(z)).astype(kind, copy=False)

    def _along(self, a: Any, e: Any) -> Any:
        """The derivative of f at a along e."""
        n, last = shape_of(a)[-1], len(shape_of(a)) - 1
        below = beside(a).zeros(shape_of(a), dtype_of(a))
        upper, lower = concatenate(a, e, axis=last), concatenate(below, a, axis=last)
        z = self(concatenate(upper, lower, axis=last - 1))
        return getitem(z, template=(Ellipsis, slice(None, n), slice(n, None)))

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        return self._along(args[0], dots[0])

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        return (self._along(swap_last(args[0]), lam),)

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        if "complex" in str(error):
            return f"{error}: {shape_of(args[0])}", "Pass a + 0j."
        return diagnose_square(self.name, args[0], error)


class SquareRoot(MatrixFunction):
    """z with z z = a: ż solves z ż + ż z = ȧ, which takes less than the square root at twice the size."""

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        return solve_sylvester(z, z, dots[0])

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        return (solve_sylvester(swap_last(z), swap_last(z), lam),)


class Logarithm(MatrixFunction):
    """z with eᶻ = a. With an eigenvalue on the negative axis, which is the cut, it has no derivative."""

    kink = "eigenvalues ≤ 0: none"

    def of_one(self, a: Any) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", ".*singular")
            try:
                return super().of_one(a)
            except Warning as error:  # what comes with it are large numbers without a meaning
                raise np.linalg.LinAlgError(f"Singular matrix, which has no logarithm ({error})") from None


expm = register(MatrixFunction("expm"))
logm = register(Logarithm("logm"))
sqrtm = register(SquareRoot("sqrtm"))
cosm = register(MatrixFunction("cosm"))
sinm = register(MatrixFunction("sinm"))
tanm = register(MatrixFunction("tanm"))
coshm = register(MatrixFunction("coshm"))
sinhm = register(MatrixFunction("sinhm"))
tanhm = register(MatrixFunction("tanhm"))
