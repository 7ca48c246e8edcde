"""Solves, inverses and triangles. Leading axes are a batch of matrices.

Matrix derivatives follow Giles 2008, "An extended collection of matrix derivative results". They hold for
complex matrices too: pullbacks are plain transposes (see `primitive.py`), and where a function itself
conjugates, as the Hermitian part does, so does its pullback.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .abstract import Abstract, broadcast_shape
from .broadcast import Shape, fit, reshape_to
from .device import careful, mixed, module_of, on_device
from .elementwise import conjugate
from .formula import TOP, Formula, number
from .index import ARRAY, getitem
from .primitive import (
    Args,
    Linear,
    Primitive,
    Samples,
    add_all,
    beside,
    dtype_of,
    parts,
    register,
    shape_of,
)  # fmt: skip
from .products import matmul
from .shape import swap_last


def well_conditioned(rng: np.random.Generator, batch: int) -> np.ndarray:
    """Random matrices (batch, 3, 3), far enough from singular ones for checks by differences."""
    return rng.standard_normal((batch, 3, 3)) + 3 * np.eye(3)


def complex_normal(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Random complex numbers."""
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def conj(x: Any) -> Any:
    """x̄; a real x is its own."""
    return conjugate(x) if dtype_of(x).kind == "c" else x


def dagger(x: Any) -> Any:
    """xᴴ, the conjugate transpose of the last two axes."""
    return conj(swap_last(x))


class OfMatrices(Primitive):
    """A function of stacks of matrices: the leading axes broadcast, the last two are its own."""

    def abstract(self, *args: Any, **params: Any) -> Abstract | tuple[Abstract, ...]:
        """The stack's shape, then what the function makes of one matrix."""
        shapes = [shape_of(a) for a in args]
        cores = tuple((s[-2:], dtype_of(a)) for s, a in zip(shapes, args, strict=True))
        single = _of_one_matrix(self, cores, tuple(params.items()))
        stack = broadcast_shape([s[:-2] for s in shapes])
        results = tuple(Abstract((*stack, *shape), dtype) for shape, dtype in single)
        return results if self.results > 1 else results[0]


@lru_cache(maxsize=1024)
def _of_one_matrix(
    op: Primitive, cores: tuple[tuple[Shape, np.dtype[Any]], ...], params: tuple[tuple[str, Any], ...]
) -> list[tuple[Shape, np.dtype[Any]]]:
    """Shapes and dtypes of the results, or the error, for one matrix: NumPy says it for a stack of none."""
    args = [np.empty((0, *core) if len(core) == 2 else core, dtype) for core, dtype in cores]
    return [(p.shape[1:], p.dtype) for p in parts(op.value(*args, **dict(params)))]


def _stacked(*matrices: Any) -> list[Any]:
    """Device arrays over the stack that they broadcast to: cupy wants them so."""
    stack = broadcast_shape([x.shape[:-2] for x in matrices])
    return [module_of(x).broadcast_to(x, (*stack, *x.shape[-2:])) for x in matrices]


class Solve(OfMatrices):
    """z = a⁻¹ b with matrices b: (…, n, k)."""

    name = "solve"

    def samples(self, rng: np.random.Generator) -> Samples:
        a, b = well_conditioned(rng, 2), rng.standard_normal((2, 3, 2))
        return [((a, b), {}), ((a + 1j * rng.standard_normal((3, 3)), b), {})]

    def value(self, a: Any, b: Any) -> Any:
        if on_device(a) and on_device(b):
            a, b = _stacked(a, b)
        return careful(np.linalg.solve, a, b)

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        right = add_all((dots[1], None if dots[0] is None else -matmul(dots[0], z)))
        return solve(args[0], right)

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        a, b = args
        lam_b = solve(swap_last(a), lam)
        lam_a = fit(-matmul(lam_b, swap_last(z)), a) if wanted[0] else None
        return lam_a, fit(lam_b, b) if wanted[1] else None

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        return diagnose_square("solve", args[0], error, f" with a right-hand side {shape_of(args[1])}")

    def formula(self, operands: Sequence[Formula], params: dict[str, Any]) -> Formula:
        return operands[0].raised(number(-1)) * operands[1]

    def adjoint_formulas(
        self, operands: Sequence[Formula], z: Formula, lam: Formula, params: dict[str, Any]
    ) -> Sequence[Formula | None]:
        pulled = Formula("times", operands[0].raised(-TOP), lam)
        return -Formula("times", pulled, z.raised(TOP)), pulled


solve = register(Solve())


def diagnose_square(name: str, a: Any, error: Exception, tail: str = "") -> tuple[str, str]:
    """What went wrong and its remedy, after NumPy refused a matrix that must be square and regular."""
    what = f"{name} of a matrix {shape_of(a)}{tail}: {error}"
    if isinstance(error, np.linalg.LinAlgError) and any(
        word in str(error) for word in ("ingular", "devInfo")
    ):
        return (
            what,
            "The matrix has no inverse; np.linalg.lstsq or a small ridge a + eps * np.eye(n) may be meant.",
        )
    if shape_of(a)[-1] == shape_of(a)[-2]:
        return what, "A right-hand side is (…, n, k), or (n,), for matrices (…, n, n)." if tail else ""
    return what, "The last two axes must be a square matrix."


class SolveTriangular(Primitive):
    """z = a⁻¹ b (or a⁻ᵀ b), reading only one triangle of a; b: (…, n, k)."""

    name = "solve_triangular"

    def samples(self, rng: np.random.Generator) -> Samples:
        samples: Samples = [
            (
                (well_conditioned(rng, 2), rng.standard_normal((2, 3, 2))),
                {"lower": a, "transposed": b, "unit": c},
            )
            for a, b, c in ((True, False, False), (False, True, False), (True, True, True))
        ]
        right = complex_normal(rng, (2, 3, 2))
        return [*samples, ((well_conditioned(rng, 2), right), samples[1][1])]

    def value(self, a: Any, b: Any, lower: bool, transposed: bool, unit: bool) -> Any:
        from scipy.linalg import solve_triangular

        if 0 in np.shape(a) or 0 in np.shape(b):  # SciPy refuses an empty batch
            kind = self.abstract(a, b, lower, transposed, unit)
            return beside(a, b).zeros(kind.shape, kind.dtype)
        if on_device(a) or on_device(b):
            return _triangular_on_device(a, b, lower, transposed, unit)
        return solve_triangular(a, b, lower=lower, trans=int(transposed), unit_diagonal=unit)

    def abstract(self, a: Any, b: Any, lower: bool, transposed: bool, unit: bool) -> Abstract:
        left, right = shape_of(a), shape_of(b)
        if len(left) < 2 or left[-1] != left[-2]:
            raise ValueError("expected square matrix")
        if not right or right[max(-2, -len(right))] != left[-1]:
            raise ValueError(f"shapes of a {left} and b {right} are incompatible")
        stack = broadcast_shape([left[:-2], right[:-2]])
        return Abstract((*stack, *right[-2:]), _triangular_dtype(dtype_of(a), dtype_of(b)))

    def tangent(self, args: Args, z: Any, dots: Args, **how: Any) -> Any:
        right = dots[1]
        if dots[0] is not None:
            a_dot = triangle(dots[0], lower=how["lower"], offset=int(how["unit"]))
            right = add_all((right, -matmul(swap_last(a_dot) if how["transposed"] else a_dot, z)))
        return solve_triangular(args[0], right, **how)

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool], **how: Any) -> Sequence[Any]:
        a, b = args
        lam_b = solve_triangular(a, lam, **{**how, "transposed": not how["transposed"]})
        lam_a = None
        if wanted[0]:
            outer = matmul(z, swap_last(lam_b)) if how["transposed"] else matmul(lam_b, swap_last(z))
            lam_a = fit(-triangle(outer, lower=how["lower"], offset=int(how["unit"])), a)
        return lam_a, fit(lam_b, b) if wanted[1] else None

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        return diagnose_square(
            "solve_triangular", args[0], error, f" with a right-hand side {shape_of(args[1])}"
        )


solve_triangular = register(SolveTriangular())


def _triangular_on_device(a: Any, b: Any, lower: bool, transposed: bool, unit: bool) -> Any:
    """By cupyx, whose stacks must be equal; SciPy says of a zero on the diagonal what cupyx divides by."""
    from cupyx.scipy import linalg

    if mixed((a, b)):
        raise TypeError("host and device arrays")
    kind = _triangular_dtype(a.dtype, b.dtype)
    a, b = (x.astype(kind) for x in _stacked(a, b))
    if not unit and bool((np.diagonal(a, axis1=-2, axis2=-1) == 0).any()):
        raise np.linalg.LinAlgError("singular matrix: a zero on its diagonal")
    return linalg.solve_triangular(a, b, lower=lower, trans="T" if transposed else "N", unit_diagonal=unit)


@lru_cache(maxsize=64)
def _triangular_dtype(a: np.dtype[Any], b: np.dtype[Any]) -> np.dtype[Any]:
    return dtype_of(
        solve_triangular(np.eye(1, dtype=a), np.eye(1, dtype=b), lower=True, transposed=False, unit=False)
    )


class Triangle(Linear):
    """z = the lower (upper) triangle of x, without `offset` diagonals from the main one on."""

    name = "triangle"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [
            ((rng.standard_normal((2, 3, 4)),), {"lower": a, "offset": k}) for a, k in ((True, 0), (False, 1))
        ]

    def value(self, x: Any, lower: bool, offset: int) -> Any:
        return np.tril(x, -offset) if lower else np.triu(x, offset)

    def abstract(self, x: Any, lower: bool, offset: int) -> Abstract:
        shape = shape_of(x)
        if len(shape) < 2:
            raise TypeError(f"a triangle is part of a matrix, not of {shape}")
        return Abstract(shape, dtype_of(x))

    def transpose(self, lam: Any, x: Any, lower: bool, offset: int) -> Any:
        return triangle(lam, lower=lower, offset=offset)


triangle = register(Triangle())


def half_triangle(x: Any, lower: bool = True) -> Any:
    """The lower (upper) triangle of x with half the diagonal: h + hᴴ makes it whole."""
    return 0.5 * (triangle(x, lower=lower, offset=0) + triangle(x, lower=lower, offset=1))


class Mirror(Linear):
    """z = the symmetric (Hermitian) matrix whose lower (upper) triangle is that of x."""

    name = "mirror"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [
            ((x,), {"lower": a})
            for x in (rng.standard_normal((3, 3)), complex_normal(rng, (3, 3)))
            for a in (True, False)
        ]

    def value(self, x: Any, lower: bool) -> Any:
        half, rest = (np.tril(x), np.tril(x, -1)) if lower else (np.triu(x), np.triu(x, 1))
        if half.dtype.kind == "c":  # the diagonal of a Hermitian matrix is real
            half = np.where(beside(x).eye(*half.shape[-2:], dtype=bool), half.real, half)
        return half + dagger(rest)

    def abstract(self, x: Any, lower: bool) -> Abstract:
        shape = shape_of(x)
        if len(shape) < 2:
            raise TypeError(f"a triangle is part of a matrix, not of {shape}")
        return Abstract(broadcast_shape([shape, (*shape[:-2], shape[-1], shape[-2])]), dtype_of(x))

    def transpose(self, lam: Any, x: Any, lower: bool) -> Any:
        if dtype_of(lam).kind == "c":
            return half_triangle(lam + dagger(lam), lower)
        return triangle(lam, lower=lower, offset=0) + triangle(swap_last(lam), lower=lower, offset=1)

    def formula(self, operands: Sequence[Formula], params: dict[str, Any]) -> Formula:
        return operands[0]


mirror = register(Mirror())


def diagonal_part(x: Any) -> Any:
    """The diagonal of the last two axes: (…, n, n) → (…, n)."""
    k = np.arange(shape_of(x)[-1])
    return getitem(x, k, k, template=(Ellipsis, ARRAY, ARRAY))


def hermitian_part(x: Any) -> Any:
    """½ (x + xᴴ): the symmetric part of a real matrix."""
    return 0.5 * (x + dagger(x))


def embed_diagonal(d: Any, n: int) -> Any:
    """diag(d) for stacks: (…, n) → (…, n, n); one entry serves for all of them."""
    return reshape_to(d, (*shape_of(d), 1)) * beside(d).eye(n, dtype=dtype_of(d))


class Inv(OfMatrices):
    """z = a⁻¹."""

    name = "inv"

    def samples(self, rng: np.random.Generator) -> Samples:
        a = well_conditioned(rng, 2)
        return [((a,), {}), ((a + 1j * rng.standard_normal((3, 3)),), {})]

    def value(self, a: Any) -> Any:
        return careful(np.linalg.inv, a)

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        return -matmul(z, matmul(dots[0], z))

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        return (-matmul(swap_last(z), matmul(lam, swap_last(z))),)

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        return diagnose_square("inv", args[0], error)

    def formula(self, operands: Sequence[Formula], params: dict[str, Any]) -> Formula:
        return operands[0].raised(number(-1))

    def adjoint_formulas(
        self, operands: Sequence[Formula], z: Formula, lam: Formula, params: dict[str, Any]
    ) -> Sequence[Formula | None]:
        return (-Formula("times", Formula("times", z.raised(TOP), lam), z.raised(TOP)),)


inv = register(Inv())
