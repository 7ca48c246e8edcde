"""Products, solves and factorisations. Every class works on stacks of matrices: leading axes are a batch.

Matrix derivatives follow Giles 2008, "An extended collection of matrix derivative results"; QR follows
Walter, Lehmann and Lamour 2012. A factorisation that reads one triangle (cholesky, eigh) is given a matrix
that `mirror` made symmetric from that triangle, so that derivatives are NumPy's function's, entry by entry.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DomainError
from .broadcast import fit, reshape, sum_
from .elementwise import reciprocal, where
from .index import ARRAY, getitem
from .primitive import Linear, Primitive, Samples, add_all, dtype_of, innermost, register, shape_of
from .shape import swap_last

Args = Sequence[Any]


def _well_conditioned(rng: np.random.Generator, batch: int) -> np.ndarray:
    return rng.standard_normal((batch, 3, 3)) + 3 * np.eye(3)


def _positive_definite(rng: np.random.Generator, batch: int) -> np.ndarray:
    a = rng.standard_normal((batch, 3, 3))
    return a @ np.swapaxes(a, -1, -2) + np.diag([1.0, 2.0, 4.0])


class MatMul(Primitive):
    """z = x @ y, vectors and stacks of matrices included."""

    name = "matmul"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [
            ((rng.standard_normal(x), rng.standard_normal(y)), {})
            for x, y in (
                ((2, 3), (3, 4)),
                ((3,), (3,)),
                ((3,), (2, 3, 4)),
                ((2, 3), (3,)),
                ((5, 1, 2, 3), (4, 3, 2)),
            )
        ]

    def value(self, x: Any, y: Any) -> Any:
        return np.matmul(x, y)

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        x, y = args
        return add_all((
            None if dots[0] is None else matmul(dots[0], y),
            None if dots[1] is None else matmul(x, dots[1]),
        ))  # fmt: skip

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        x, y = args
        shape_x, shape_y = shape_of(x), shape_of(y)
        # a vector is a matrix with one row (x) or one column (y)
        rows, columns = shape_x[-2:-1] or (1,), shape_y[-1:] if len(shape_y) > 1 else (1,)
        shape_z = shape_of(lam)
        batch = shape_z[: len(shape_z) - (len(shape_x) > 1) - (len(shape_y) > 1)]
        lam = reshape_to(lam, (*batch, *rows, *columns))
        x = reshape_to(x, (1, *shape_x)) if len(shape_x) == 1 else x
        y = reshape_to(y, (*shape_y, 1)) if len(shape_y) == 1 else y
        lam_x = lam_y = None
        if wanted[0]:
            lam_x = reshape_to(fit(matmul(lam, swap_last(y)), x), shape_x)
        if wanted[1]:
            lam_y = reshape_to(fit(matmul(swap_last(x), lam), y), shape_y)
        return lam_x, lam_y

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        (x, y) = (shape_of(a) for a in args)
        if not x or not y:
            return f"matmul needs arrays of at least one dimension: {x} @ {y}", "Use * for scalars."
        inner = y[-2] if len(y) > 1 else y[0]
        if x[-1] == inner:
            return f"matmul needs leading axes that broadcast: {x} @ {y}", ""
        hints = []
        if len(y) > 1 and x[-1] == y[-1]:
            hints.append("the second operand transposed (.T)")
        if len(x) > 1 and x[-2] == inner:
            hints.append("the first operand transposed (.T)")
        hints.append(f"a first operand of {inner} columns")
        return f"matmul needs inner sizes to agree: {x} @ {y}", f"Did you mean {', or '.join(hints)}?"

    def latex(self, symbols: Sequence[str], params: dict[str, Any]) -> str:
        return rf"{symbols[0]} \, {symbols[1]}"


matmul = register(MatMul())


def reshape_to(x: Any, shape: tuple[int, ...]) -> Any:
    """Reshape unless the shape is already right."""
    return x if shape_of(x) == shape else reshape(x, shape=shape)


class Einsum(Primitive):
    """z = einsum; explicit subscripts, no ellipsis, no letter twice in an operand (the front end's work)."""

    name = "einsum"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [
            (
                (rng.standard_normal((2, 3)), rng.standard_normal((3, 4)), rng.standard_normal(2)),
                {"subscripts": "ij,jk,i->k"},
            )
        ]

    def value(self, *args: Any, subscripts: str) -> Any:
        return np.einsum(subscripts, *args, optimize=len(args) > 2)

    def tangent(self, args: Args, z: Any, dots: Args, subscripts: str) -> Any:
        return add_all(
            [
                None if dot is None else einsum(*args[:k], dot, *args[k + 1 :], subscripts=subscripts)
                for k, dot in enumerate(dots)
            ]
        )

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool], subscripts: str) -> Sequence[Any]:
        inputs, output = subscripts.split("->")
        letters = inputs.split(",")
        return [
            self._pull(k, args, lam, letters, output) if want else None
            for k, want in zip(range(len(args)), wanted, strict=True)
        ]

    def _pull(self, k: int, args: Args, lam: Any, letters: list[str], output: str) -> Any:
        """Contract λ with the other operands; letters that only operand k has are spread back."""
        others = [a for j, a in enumerate(args) if j != k]
        words = [w for j, w in enumerate(letters) if j != k]
        known = set(output).union(*words)
        kept = "".join(c for c in letters[k] if c in known)
        contribution = einsum(lam, *others, subscripts=",".join([output, *words]) + "->" + kept)
        sizes = dict(zip(kept, shape_of(contribution), strict=True))
        contribution = reshape_to(contribution, tuple(sizes.get(c, 1) for c in letters[k]))
        return fit(contribution, args[k])

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        inputs, output = params["subscripts"].split("->")
        sizes: dict[str, set[int]] = {}
        for word, a in zip(inputs.split(","), args, strict=True):
            for c, n in zip(word, shape_of(a), strict=True):
                sizes.setdefault(c, set()).add(n)
        for c, found in sizes.items():
            if len(found - {1}) > 1:
                listed = " and ".join(str(n) for n in sorted(found - {1}))
                return f"einsum {params['subscripts']!r}: letter {c!r} stands for sizes {listed}", ""
        unknown = [c for c in output if c not in sizes]
        if unknown:
            return f"einsum {params['subscripts']!r}: output letter {unknown[0]!r} is in no operand", ""
        return super().diagnose(args, params, error)

    def latex(self, symbols: Sequence[str], params: dict[str, Any]) -> str:
        subscripts = params["subscripts"].replace("->", r"\to ")
        return rf"\operatorname{{einsum}}_{{{subscripts}}}\left({', '.join(symbols)}\right)"


einsum = register(Einsum())


class Solve(Primitive):
    """z = a⁻¹ b with matrices b: (…, n, k)."""

    name = "solve"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((_well_conditioned(rng, 2), rng.standard_normal((2, 3, 2))), {})]

    def value(self, a: Any, b: Any) -> Any:
        return np.linalg.solve(a, b)

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        right = add_all((dots[1], None if dots[0] is None else -matmul(dots[0], z)))
        return solve(args[0], right)

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        a, b = args
        lam_b = solve(swap_last(a), lam)
        lam_a = fit(-matmul(lam_b, swap_last(z)), a) if wanted[0] else None
        return lam_a, fit(lam_b, b) if wanted[1] else None

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        return _diagnose_square("solve", args[0], error, f" with a right-hand side {shape_of(args[1])}")

    def latex(self, symbols: Sequence[str], params: dict[str, Any]) -> str:
        return f"{{{symbols[0]}}}^{{-1}} {symbols[1]}"


solve = register(Solve())


def _diagnose_square(name: str, a: Any, error: Exception, tail: str = "") -> tuple[str, str]:
    what = f"{name} of a matrix {shape_of(a)}{tail}: {error}"
    if isinstance(error, np.linalg.LinAlgError) and "ingular" in str(error):
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
        return [
            (
                (_well_conditioned(rng, 2), rng.standard_normal((2, 3, 2))),
                {"lower": a, "transposed": b, "unit": c},
            )
            for a, b, c in ((True, False, False), (False, True, False), (True, True, True))
        ]

    def value(self, a: Any, b: Any, lower: bool, transposed: bool, unit: bool) -> Any:
        from scipy.linalg import solve_triangular

        return solve_triangular(a, b, lower=lower, trans=int(transposed), unit_diagonal=unit)

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
        return _diagnose_square(
            "solve_triangular", args[0], error, f" with a right-hand side {shape_of(args[1])}"
        )


solve_triangular = register(SolveTriangular())


class Triangle(Linear):
    """z = the lower (upper) triangle of x, without `offset` diagonals from the main one on."""

    name = "triangle"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [
            ((rng.standard_normal((2, 3, 4)),), {"lower": a, "offset": k}) for a, k in ((True, 0), (False, 1))
        ]

    def value(self, x: Any, lower: bool, offset: int) -> Any:
        return np.tril(x, -offset) if lower else np.triu(x, offset)

    def transpose(self, lam: Any, x: Any, lower: bool, offset: int) -> Any:
        return triangle(lam, lower=lower, offset=offset)


triangle = register(Triangle())


class Mirror(Linear):
    """z = the symmetric matrix whose lower (upper) triangle is that of x."""

    name = "mirror"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((rng.standard_normal((3, 3)),), {"lower": a}) for a in (True, False)]

    def value(self, x: Any, lower: bool) -> Any:
        half, rest = (np.tril(x), np.tril(x, -1)) if lower else (np.triu(x), np.triu(x, 1))
        return half + np.swapaxes(rest, -1, -2)

    def transpose(self, lam: Any, x: Any, lower: bool) -> Any:
        return triangle(lam, lower=lower, offset=0) + triangle(swap_last(lam), lower=lower, offset=1)

    def latex(self, symbols: Sequence[str], params: dict[str, Any]) -> str:
        return symbols[0]


mirror = register(Mirror())


def diagonal_part(x: Any) -> Any:
    """The diagonal of the last two axes: (…, n, n) → (…, n)."""
    k = np.arange(shape_of(x)[-1])
    return getitem(x, k, k, template=(Ellipsis, ARRAY, ARRAY))


def symmetric_part(x: Any) -> Any:
    """½ (x + xᵀ)."""
    return 0.5 * (x + swap_last(x))


def _embed_diagonal(d: Any, n: int) -> Any:
    """diag(d) for stacks: (…, n) → (…, n, n); one entry serves for all of them."""
    return reshape_to(d, (*shape_of(d), 1)) * np.eye(n, dtype=dtype_of(d))


class Cholesky(Primitive):
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
            return _diagnose_square("cholesky", args[0], error)
        lowest = float(np.min(np.linalg.eigvalsh(args[0]))) if np.isfinite(args[0]).all() else math.nan
        shape = shape_of(args[0])
        what = (
            f"cholesky needs a positive definite matrix: the smallest eigenvalue of {shape} is {lowest:.3g}"
        )
        return what, "Add a multiple of the identity larger than that, or check the matrix for symmetry."


cholesky = register(Cholesky())


class Inv(Primitive):
    """z = a⁻¹."""

    name = "inv"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((_well_conditioned(rng, 2),), {})]

    def value(self, a: Any) -> Any:
        return np.linalg.inv(a)

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        return -matmul(z, matmul(dots[0], z))

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        return (-matmul(swap_last(z), matmul(lam, swap_last(z))),)

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        return _diagnose_square("inv", args[0], error)

    def latex(self, symbols: Sequence[str], params: dict[str, Any]) -> str:
        return f"{{{symbols[0]}}}^{{-1}}"


inv = register(Inv())


class SlogDet(Primitive):
    """(sign, log|det a|); the sign has no derivative."""

    name = "slogdet"
    results = 2

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((_well_conditioned(rng, 2),), {})]

    def value(self, a: Any) -> Any:
        return tuple(np.linalg.slogdet(a))

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        trace = sum_(diagonal_part(solve(args[0], dots[0])), axis=(len(shape_of(args[0])) - 2,))
        return None, trace

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        if lam[1] is None:
            return (None,)
        return (reshape_to(lam[1], (*shape_of(lam[1]), 1, 1)) * swap_last(inv(args[0])),)

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        return _diagnose_square("slogdet", args[0], error)


slogdet = register(SlogDet())


class Det(Primitive):
    """z = det a for a matrix that has an inverse; for one that has none there is `det_of_singular`."""

    name = "det"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((_well_conditioned(rng, 2),), {})]

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
        return _diagnose_square("det", args[0], error)


det = register(Det())


def smallest_directions(a: Any) -> tuple[Any, Any] | None:
    """Singular vectors u, v (…, n, k) along which a plain matrix is singular or nearly so; None if it is not.

    det a · a⁻ᵀ loses digits with the condition number, its derivative with the square: 1e5 is the limit.
    """
    size = np.max(np.abs(a), axis=(-2, -1), keepdims=True)
    scaled = a / np.where(size == 0, 1, size)
    try:
        with np.errstate(over="ignore"):
            condition = np.linalg.norm(scaled, axis=(-2, -1)) * np.linalg.norm(
                np.linalg.inv(scaled), axis=(-2, -1)
            )
        if (condition < 1e5).all():
            return None
    except np.linalg.LinAlgError:  # no inverse at all
        pass
    u, s, vt = np.linalg.svd(a)
    k = max(1, int((s <= 1e-5 * s[..., :1]).sum(axis=-1).max()))
    return u[..., -k:], np.swapaxes(vt, -1, -2)[..., -k:]


def det_of_singular(a: Any, u: Any, v: Any) -> Any:
    """Det a by the matrix determinant lemma, filling up the directions u vᵀ in which a is singular.

    With b = a + σ u vᵀ invertible, det a = det b · det(1 − σ vᵀ b⁻¹ u): a product of smooth factors, so that
    derivatives of every order are exact where a⁻¹ does not exist.
    """
    size = np.linalg.norm(innermost(a), axis=(-2, -1), keepdims=True)
    sigma = np.where(size == 0, 1, size)
    b = a + sigma * np.matmul(u, np.swapaxes(v, -1, -2))
    missing = np.eye(u.shape[-1], dtype=u.dtype) - sigma * matmul(np.swapaxes(v, -1, -2), solve(b, u))
    return det(b) * _det_by_traces(missing)


def _det_by_traces(a: Any) -> Any:
    """Det of a small matrix as a polynomial in its entries (Faddeev and Le Verrier)."""
    n, last = shape_of(a)[-1], (len(shape_of(a)) - 2,)
    product, coefficient = a, -sum_(diagonal_part(a), axis=last)
    for k in range(2, n + 1):
        product = matmul(
            a, product + _embed_diagonal(reshape_to(coefficient, (*shape_of(coefficient), 1)), n)
        )
        coefficient = sum_(diagonal_part(product), axis=last) / -k
    return coefficient if n % 2 == 0 else -coefficient


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


class Eigh(Primitive):
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
            None if lam[0] is None else _embed_diagonal(lam[0], shape_of(w)[-1]),
            None if lam[1] is None else _gaps(w) * matmul(swap_last(v), lam[1]),
        ))  # fmt: skip
        return (fit(symmetric_part(matmul(v, matmul(inside, swap_last(v)))), args[0]),)

    def diagnose(self, args: Args, params: dict[str, Any], error: Exception) -> tuple[str, str]:
        return _diagnose_square("eigh", args[0], error)


eigh = register(Eigh())


class Svd(Primitive):
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
            inside.append(_embed_diagonal(lam[1], shape_of(s)[-1]))
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
        remedy = "" if np.isfinite(args[0]).all() else "The matrix holds NaN or infinite entries."
        return f"svd of a matrix {shape_of(args[0])}: {error}", remedy


svd = register(Svd())


class Qr(Primitive):
    """Reduced QR of a (…, m, n) with m ≥ n and full column rank: q (…, m, n), r (…, n, n) upper."""

    name = "qr"
    results = 2

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((rng.standard_normal(s),), {}) for s in ((3, 3), (2, 4, 3))]

    def value(self, a: Any) -> Any:
        if shape_of(a)[-2] < shape_of(a)[-1]:
            raise DomainError(f"the derivative of qr needs at least as many rows as columns: {shape_of(a)}")
        return tuple(np.linalg.qr(a))

    def tangent(self, args: Args, z: Any, dots: Args) -> Any:
        q, r = z
        right = swap_last(
            solve_triangular(r, swap_last(dots[0]), lower=False, transposed=True, unit=False)
        )  # ȧ r⁻¹
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
