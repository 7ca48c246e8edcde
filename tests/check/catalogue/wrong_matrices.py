"""Matrix functions: transposes, triangles, normalisation, and solutions of equations."""

from __future__ import annotations

from typing import Any

import numpy as np

from .pairs import Pair, definite, normal, wrong

S = definite(3)
A = normal(3, 3) / 3 + 2 * np.eye(3)
B = normal(3, seed=1)
C = normal(3, 3, seed=2)
inv, solve = np.linalg.inv, np.linalg.solve


@wrong("inverse: A⁻¹λA⁻¹ without its transposes")
def inverse() -> Pair:
    return Pair(lambda a: np.sum(C * inv(a)), (A,), lambda a: -inv(a) @ C @ inv(a))


@wrong("inverse: sign", says="sign")
def inverse_sign() -> Pair:
    return Pair(lambda a: np.sum(C * inv(a)), (A,), lambda a: inv(a).T @ C @ inv(a).T)


@wrong("solve: A in place of Aᵀ for the right-hand side", "1")
def solve_not_transposed() -> Pair:
    def gradient(a: Any, b: Any) -> Any:
        x = solve(a, b)
        return -np.outer(solve(a.T, np.cos(x)), x), solve(a, np.cos(x))

    return Pair(lambda a, b: np.sum(np.sin(solve(a, b))), (A, B), gradient)


@wrong("solve: the matrix's derivative is transposed", "0", says="transpos")
def solve_outer_product() -> Pair:
    def gradient(a: Any, b: Any) -> Any:
        x = solve(a, b)
        lam = solve(a.T, np.cos(x))
        return -np.outer(x, lam), lam

    return Pair(lambda a, b: np.sum(np.sin(solve(a, b))), (A, B), gradient)


@wrong("Cholesky: the diagonal is not halved")
def cholesky() -> Pair:
    def gradient(s: Any) -> Any:
        factor = np.linalg.cholesky(s)
        phi = np.tril(factor.T @ np.tril(C))  # its diagonal should be halved
        back = solve(factor.T, solve(factor.T, phi.T).T)
        return 0.5 * (back + back.T)

    f = lambda s: np.sum(np.tril(C) * np.linalg.cholesky(0.5 * (s + s.T)))  # noqa: E731
    return Pair(f, (S,), gradient)


@wrong("determinant: det A · A⁻¹ without the transpose", says="transpos")
def determinant() -> Pair:
    return Pair(lambda a: np.linalg.det(a), (A,), lambda a: np.linalg.det(a) * inv(a))


@wrong("log determinant: half of it", says="factor|half|2")
def log_determinant() -> Pair:
    return Pair(lambda s: 0.5 * np.linalg.slogdet(s)[1], (A,), lambda s: inv(s).T)


@wrong("eigenvalues: rows of V taken for its columns")
def eigenvalues() -> Pair:
    w = np.array([1.0, 2.0, 4.0])

    def gradient(s: Any) -> Any:
        v = np.linalg.eigh(0.5 * (s + s.T))[1]
        return v.T * w @ v

    return Pair(lambda s: np.sum(w * np.linalg.eigvalsh(0.5 * (s + s.T))), (S,), gradient)


@wrong("eigenvectors: λⱼ − λᵢ with the wrong sign", says="sign")
def eigenvectors() -> Pair:
    rows, columns = np.array([1.0, 2.0, 4.0])[:, None], np.array([1.0, -1.0, 0.5])

    def gradient(s: Any) -> Any:
        values, v = np.linalg.eigh(0.5 * (s + s.T))
        gaps = values[:, None] - values  # should be the negative
        np.fill_diagonal(gaps, np.inf)
        out = v @ ((v.T @ (2 * rows * v * columns)) / gaps) @ v.T
        return 0.5 * (out + out.T)

    return Pair(lambda s: np.sum(rows * np.linalg.eigh(0.5 * (s + s.T))[1] ** 2 * columns), (S,), gradient)


@wrong("an eigenvector scaled to length 1, differentiated as if it were not")
def eigenvector_scale() -> Pair:
    def leading(a: Any) -> Any:
        x = np.array([1.0, 1.0, 1.0])
        for _ in range(60):
            x = a @ x
            x = x / np.sqrt(x @ x)
        return x

    def gradient(a: Any) -> Any:
        x = leading(a)
        mu = x @ a @ x
        system = np.eye(3) * mu - a + np.outer(x, np.array([1.0, 0, 0])) / x[0]  # fixes x₀, not the length
        lam = solve(system.T, B)
        return np.outer(lam, x)

    return Pair(lambda a: B @ leading(a), (np.diag([3.0, 1.0, 0.5]) + 0.1 * np.ones((3, 3)),), gradient)


@wrong("singular values: V Uᵀ in place of U Vᵀ", says="transpos")
def singular_values() -> Pair:
    def gradient(a: Any) -> Any:
        u, s, vt = np.linalg.svd(a)
        return (u * np.cos(s) @ vt).T

    return Pair(lambda a: np.sum(np.sin(np.linalg.svd(a, compute_uv=False))), (C,), gradient)


def exponential(a: Any) -> Any:
    """By its series."""
    term = total = np.eye(3)
    for k in range(1, 25):
        term = term @ a / k
        total = total + term
    return total


@wrong("matrix exponential as if A and its perturbation commuted")
def matrix_exponential() -> Pair:
    return Pair(lambda a: np.sum(C * exponential(a)), (C / 2,), lambda a: exponential(a).T @ C)


@wrong("matrix square: 2A")
def matrix_square() -> Pair:
    return Pair(lambda a: np.sum(C * (a @ a)), (A,), lambda a: 2 * a * C)


@wrong("least squares: the term of the residual is dropped", "0")
def least_squares() -> Pair:
    tall, y = normal(5, 2), normal(5, seed=1)

    def fitted(a: Any, y: Any) -> Any:
        return solve(a.T @ a, a.T @ y)

    def gradient(a: Any, y: Any) -> Any:
        x = fitted(a, y)
        lam = solve(a.T @ a, np.cos(x))
        return -np.outer(a @ lam, x), a @ lam  # + outer(y − a x, lam)

    return Pair(lambda a, y: np.sum(np.sin(fitted(a, y))), (tall, y), gradient)


@wrong("a symmetric matrix by its triangle: off-diagonal entries counted once", index=[(0,), (1,), (2,)])
def symmetric_parameters() -> Pair:
    i, j = np.triu_indices(3, 1)

    def full(p: Any) -> Any:
        upper = np.array([[0, 1, 1], [0, 0, 1], [0, 0, 0]])
        place = np.array([[0, 0, 1], [0, 0, 2], [1, 2, 0]])
        off = p[:3][place] * (upper + upper.T)
        return off + p[3:][np.arange(3)] * np.eye(3)

    def gradient(p: Any) -> Any:
        g = np.outer(B, B)
        return np.concatenate([g[i, j], np.diag(g)])

    return Pair(lambda p: B @ full(p) @ B, (normal(6),), gradient)


@wrong("Gaussian likelihood: the determinant's half is missing", "1")
def gaussian_likelihood() -> Pair:
    def f(x: Any, s: Any) -> Any:
        return 0.5 * x @ solve(s, x) + 0.5 * np.linalg.slogdet(s)[1]

    def gradient(x: Any, s: Any) -> Any:
        y = solve(s, x)
        return y, -0.5 * np.outer(y, y)

    return Pair(f, (B, S), gradient)


# ---------------------------------------------------------------------------------- implicit functions
def fixed_point(a: Any, b: Any, steps: int = 200) -> Any:
    z = np.zeros(3)
    for _ in range(steps):
        z = np.tanh(0.4 * a @ z + b)
    return z


def implicit_gradient(a: Any, b: Any, steps: int = 200, terms: int = 200, transposed: bool = True) -> Any:
    z = fixed_point(a, b, steps)
    slope = (1 - z**2)[:, None] * 0.4 * a
    lam = u = np.cos(z)
    for _ in range(terms):
        lam = u + (slope.T if transposed else slope) @ lam
    lam = lam * (1 - z**2)
    return 0.4 * np.outer(lam, z), lam


M = normal(3, 3) / 2


@wrong("an implicit layer: the adjoint equation stopped after two terms", "0 1")
def unconverged_adjoint() -> Pair:
    return Pair(
        lambda a, b: np.sum(np.sin(fixed_point(a, b))), (M, B), lambda a, b: implicit_gradient(a, b, terms=2)
    )


@wrong("an implicit layer: differentiated at a point that is no solution yet", "0 1")
def unconverged_solve() -> Pair:
    return Pair(
        lambda a, b: np.sum(np.sin(fixed_point(a, b))), (M, B), lambda a, b: implicit_gradient(a, b, steps=3)
    )


@wrong("an implicit layer: Jacobian not transposed", "0 1")
def implicit_not_transposed() -> Pair:
    return Pair(
        lambda a, b: np.sum(np.sin(fixed_point(a, b))),
        (M, B),
        lambda a, b: implicit_gradient(a, b, transposed=False),
    )


@wrong("a root: sign of the implicit function theorem", says="sign")
def root() -> Pair:
    def cubic(c: Any) -> Any:  # z³ + z = c
        z = c / 2
        for _ in range(60):
            z = z - (z**3 + z - c) / (3 * z**2 + 1)
        return z

    return Pair(
        lambda c: np.sum(cubic(c)), (np.array([0.5, 1.0, 3.0]),), lambda c: -1 / (3 * cubic(c) ** 2 + 1)
    )


def euler(k: Any, y: Any, steps: int = 20) -> Any:
    for _ in range(steps):
        y = y - y * k / steps
    return y


@wrong("a continuous adjoint for a solver with 20 coarse steps", "0")
def continuous_adjoint() -> Pair:
    return Pair(
        lambda k, y: np.sum(euler(k, y)),
        (np.array([0.5, 1.0]), np.array([1.0, 2.0])),
        lambda k, y: (-y * np.exp(-k), (1 - k / 20) ** 20),
    )


@wrong("Leibniz: the moving limit of an integral is forgotten")
def moving_limit() -> Pair:
    nodes, weights = np.polynomial.legendre.leggauss(20)

    def f(x: Any) -> Any:  # ∫₀ˣ sin(x t) dt, summed
        t = 0.5 * x[:, None] * (nodes + 1)
        return np.sum(0.5 * x[:, None] * weights * np.sin(x[:, None] * t))

    def gradient(x: Any) -> Any:
        t = 0.5 * x[:, None] * (nodes + 1)
        return np.sum(0.5 * x[:, None] * weights * t * np.cos(x[:, None] * t), axis=1)

    return Pair(f, (np.array([0.7, 1.4]),), gradient)


@wrong("an optimum inside: differentiated as if it stood still where it does not")
def moving_optimum() -> Pair:
    def f(c: Any) -> Any:  # w minimises (w − c)² + w⁴, f is not that minimum but Σ sin w + c²
        w = c / 2
        for _ in range(50):
            w = w - (2 * (w - c) + 4 * w**3) / (2 + 12 * w**2)
        return np.sum(np.sin(w) + c**2)

    return Pair(f, (np.array([0.5, 1.5]),), lambda c: 2 * c)
