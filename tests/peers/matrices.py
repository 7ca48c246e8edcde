"""Linear algebra for random programs: matrices cut out of any array, well-conditioned where it matters."""

from __future__ import annotations

from typing import Any

import numpy as np

from .operations import axis_of, chosen, fitting, is_complex, operation, real, tamed


def matrix(m: Any, x: Any, rows: int, columns: int) -> Any:
    """A matrix, or a stack of two, of entries of x, none above 1."""
    return m.resize(tamed(m, x), (rows, columns))


def adjoint_of(m: Any, a: Any) -> Any:
    return m.conj(m.swapaxes(a, -1, -2))


def invertible(m: Any, x: Any, n: int, k: int) -> Any:
    """n × n, or two of them, with singular values between 1 and 3, far from normal."""
    a = 0.9 * matrix(m, x, n, n) / max(n, 1) + m.tril(np.ones((n, n)), -1) * 0.5 + 2 * np.eye(n)
    return m.stack([a, a.T * 1.5]) if k % 3 == 2 else a


def definite(m: Any, x: Any, n: int, k: int) -> Any:
    b = matrix(m, x, n, n + 1)
    a = b @ adjoint_of(m, b) + (1 + np.arange(n)) * np.eye(n)
    return m.stack([a, 2 * a]) if k % 3 == 2 else a


def separated(m: Any, x: Any, n: int, k: int) -> Any:
    """Hermitian, with eigenvalues apart."""
    b = 0.3 * matrix(m, x, n, n) / max(n, 1)
    a = b + adjoint_of(m, b) + np.diag(1.0 + np.arange(n))
    return m.stack([a, -a]) if k % 3 == 2 else a


@operation
def product(m: Any, x: Any, y: Any, k: int) -> Any:
    n, rows, columns = k % 4, 1 + k // 4 % 3, k // 12 % 4
    a, b = matrix(m, x, rows, n), matrix(m, y, n, columns)
    u, v = a[0], m.resize(tamed(m, y), (n,))
    return chosen([
        lambda: a @ b,
        lambda: m.matmul(m.stack([a, 2 * a]), b),
        lambda: m.matmul(m.stack([a, a])[:, None], m.stack([b, -b, b])),
        lambda: m.dot(a, v),
        lambda: v @ b,
        lambda: m.dot(u, v),
        lambda: m.dot(m.stack([a, a]), m.stack([b, b * b])),
        lambda: m.vdot(u, v),
        lambda: m.inner(a, b.T),
        lambda: m.outer(x if np.size(x) < 9 else u, v),
        lambda: m.kron(a[:, :2], b[:2]),
        lambda: m.tensordot(a, b, 1),
        lambda: m.tensordot(m.stack([a, a]), m.stack([b, b]), ([0, 2], [0, 1])),
        lambda: m.linalg.multi_dot([a, b, adjoint_of(m, b)]) if n and columns else a @ b,
        lambda: m.cross(m.resize(tamed(m, x), (2, 3)), m.resize(tamed(m, y), 3)),
        lambda: m.vecdot(a, v),
        lambda: m.trace(m.stack([a, 2 * a, a]), offset=k % 3 - 1, axis1=0, axis2=-1),
    ], k // 48)()  # fmt: skip


@operation
def solved(m: Any, x: Any, y: Any, k: int) -> Any:
    n = k % 4
    a, b = invertible(m, x, n, k), matrix(m, y, n, 2)
    return chosen([
        lambda: m.linalg.solve(a, b),
        lambda: m.linalg.solve(a, b[..., 0]) if k % 3 != 2 else m.linalg.solve(a, b[None]),
        lambda: m.linalg.inv(a),
        lambda: m.linalg.det(a),
        lambda: m.linalg.slogdet(a)[1] + m.linalg.slogdet(a)[0],
        lambda: m.linalg.matrix_power(a, k % 5 - 2),
        lambda: m.linalg.inv(m.linalg.inv(a) + np.eye(n)),
        lambda: m.linalg.pinv(m.concatenate([a, b], axis=-1)) if k % 3 != 2 and n else a,
        lambda: m.linalg.lstsq(m.concatenate([a, b.T]), m.concatenate([b, np.eye(2)]))[0]
        if k % 3 != 2 and n > 1 else a,
        lambda: m.linalg.tensorsolve(a, b[:, 0]) if k % 3 != 2 and n else a,
    ], k // 16)()  # fmt: skip


@operation
def factored(m: Any, x: Any, y: Any, k: int) -> Any:
    """Factorizations, by what does not depend on signs and phases of vectors."""
    n = 1 + k % 4
    return chosen([
        lambda: m.linalg.cholesky(definite(m, x, n, k)),
        lambda: m.linalg.eigvalsh(separated(m, x, n, k)),
        lambda: spectral(m, *m.linalg.eigh(separated(m, x, n, k))),
        lambda: m.linalg.svd(separated(m, x, n, k) + 0.1 * matrix(m, y, n, n), compute_uv=False),
        lambda: positive_triangle(m, m.linalg.qr(definite(m, x, n, k) + 0.2 * matrix(m, y, n, n))[1]),
        lambda: polar(m, *m.linalg.svd(invertible(m, x, n, k) + np.diag(np.arange(n)), full_matrices=False)),
        lambda: m.linalg.norm(separated(m, x, n, k), chosen(["fro", "nuc", 2, -2, 1, np.inf], k), (-2, -1)),
        lambda: m.linalg.eigvalsh(definite(m, x, n, k)) * (1 if k % 3 else 0.5),
    ], k // 8)()  # fmt: skip


def spectral(m: Any, w: Any, v: Any) -> Any:
    """sin of the matrix."""
    return (v * m.sin(w)[..., None, :]) @ adjoint_of(m, v)


def polar(m: Any, u: Any, s: Any, vh: Any) -> Any:
    """The unitary factor, times the square of the other."""
    return u @ (m.square(s)[..., None] * vh)


def positive_triangle(m: Any, r: Any) -> Any:
    return m.abs(r + 1e-3) if not is_complex(r) else adjoint_of(m, r) @ r


@operation
def triangle(m: Any, x: Any, y: Any, k: int) -> Any:
    a = matrix(m, x, 3, 1 + k % 4)
    return chosen([
        lambda: m.tril(a, k % 3 - 1),
        lambda: m.triu(m.stack([a, a])),
        lambda: m.diag(a[0], k % 3 - 1),
        lambda: m.diag(a, k % 3 - 1),
        lambda: m.diagonal(m.stack([a, 2 * a]), k % 2, 1, 2),
        lambda: m.trace(a, k % 2),
        lambda: m.diagflat(a[0]),
    ], k // 12)()  # fmt: skip


# ------------------------------------------------------------------------------------ sampled functions
@operation
def sampled(m: Any, x: Any, y: Any, k: int) -> Any:
    if not np.ndim(x) or np.size(x) < 3:
        return x
    v, axis = m.ravel(tamed(m, x)), axis_of(x, k // 32)
    w = m.ravel(tamed(m, fitting(m, x, y)))
    w = w if np.size(w) else v  # nothing to convolve with is an error
    r = real(m, v)
    knots = np.arange(np.size(x)) - 1.5
    return chosen([
        lambda: m.convolve(v, w, chosen(["full", "same", "valid"], k // 16)),
        lambda: m.correlate(v, w, chosen(["full", "same", "valid"], k // 16)),
        lambda: m.interp(2 * r, knots, r * r),
        lambda: m.gradient(v, 0.5),
        lambda: m.polyval(r[:4], tamed(m, x)),
        lambda: m.cov(m.stack([r, m.sin(r), r * knots])),
        lambda: m.corrcoef(r + 0.1 * knots, m.cos(r + knots)),
        lambda: m.quantile(r, np.array([0.1, 0.55])),
        lambda: m.percentile(real(m, x), 37.0, axis=axis),
        lambda: m.vander(1.5 + r[:3], 4),  # (jax has no derivative of 0⁰)
        lambda: m.average(x, axis=axis, weights=1.5 + m.sin(knots[: np.shape(x)[axis]])),
        lambda: m.meshgrid(v[:3], w[:2])[k % 2],
        lambda: m.median(real(m, x), axis=axis, keepdims=True),
        lambda: m.linspace(r[0], r[1], 4),
    ], k)()  # fmt: skip
