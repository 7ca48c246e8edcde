"""The part of the table that is about numpy.linalg; norms are among the reductions."""

from __future__ import annotations

import numpy as np

from adjoint.ops import linalg as la

from .harness import Case, case, definite, invertible

INDEFINITE = np.array([[1.0, 0.5, 0.2], [0.5, -2.0, 0.3], [0.2, 0.3, 0.6]])
TURNING = np.array([[0.3, 2.0, 0.1], [-1.5, 0.2, 0.4], [0.5, -0.2, -1.0]])  # has complex eigenvalues


def spaces(factors, rows, columns):
    """Factors without what is not unique: extra vectors count by the space that they span."""
    first, *middle, last = factors
    unique = [first[..., :columns], *middle]
    if rows > columns:
        rest = first[..., columns:]
        unique.append(rest @ np.swapaxes(rest, -1, -2))
    if middle:  # of an SVD
        unique.append(last[..., :rows, :])
        if columns > rows:
            rest = last[..., rows:, :]
            unique.append(np.swapaxes(rest, -1, -2) @ rest)
    else:
        unique.append(last)
    return unique


def parts(*arrays):
    """Complex arrays as real ones."""
    return [part(x) for x in arrays for part in (np.real, np.imag)]


LINALG: list[Case] = [
    *(
        case(f"solve {a} {b}", lambda x, y: np.linalg.solve(x, y), invertible(*a), b)
        for a, b in (
            ((3, 3), (3,)),
            ((3, 3), (3, 2)),
            ((2, 3, 3), (3,)),
            ((2, 3, 3), (2, 3, 1)),
            ((2, 3, 3), (3, 2)),
            ((3, 3), (2, 3, 2)),
            ((2, 1, 3, 3), (4, 3, 2)),
            ((0, 0), (0,)),
            ((0, 3, 3), (3, 2)),
        )
    ),
    case("solve symmetric part", lambda x: np.linalg.solve(x + x.T, np.ones(3)), invertible(3, 3)),
    *(
        case(f"inv {s}", lambda x: np.linalg.inv(x), invertible(*s))
        for s in ((3, 3), (2, 3, 3), (1, 1), (0, 3, 3))
    ),
    *(
        case(f"det {s}", lambda x: np.linalg.det(x), invertible(*s))
        for s in ((3, 3), (2, 3, 3), (1, 1), (0, 0), (0, 2, 2))
    ),
    case("det negative", lambda x: np.linalg.det(x), np.array([[1.0, 2.0], [3.0, 1.0]])),
    case("det rank n−1", lambda x: np.linalg.det(x), np.array([[1.0, 2, 3], [4, 5, 6], [5, 7, 9]])),
    case("det rank n−2", lambda x: np.linalg.det(x), np.outer([1.0, 2, 3], [1.0, -1, 2])),
    case("det zero 3", lambda x: np.linalg.det(x), np.zeros((3, 3))),
    case("det zero 2", lambda x: np.linalg.det(x), np.zeros((2, 2))),
    case(
        "det mixed", lambda x: np.linalg.det(x), np.stack([np.eye(3), np.ones((3, 3)), np.diag([0.0, 1, 2])])
    ),
    *(
        case(f"slogdet {s}", lambda x: np.linalg.slogdet(x)[1], invertible(*s))
        for s in ((3, 3), (2, 3, 3), (0, 2, 2))
    ),
    case("slogdet both", lambda x: np.linalg.slogdet(x), np.array([[1.0, 2.0], [3.0, 1.0]])),
    case("slogdet attribute", lambda x: np.linalg.slogdet(x).logabsdet, invertible(3, 3)),
    *(
        case(f"cholesky {s}", lambda x: np.linalg.cholesky(x), definite(*s))
        for s in ((3, 3), (2, 3, 3), (1, 1), (0, 0))
    ),
    case("cholesky upper", lambda x: np.linalg.cholesky(x, upper=True), definite(3, 3)),
    case("eigvalsh", lambda x: np.linalg.eigvalsh(x), definite(4, 4)),
    case("eigvalsh U", lambda x: np.linalg.eigvalsh(x, "U"), definite(2, 3, 3)),
    case("eigvalsh unsymmetric", lambda x: np.linalg.eigvalsh(x), (3, 3)),
    case("eigh", lambda x: np.linalg.eigh(x), definite(3, 3)),
    case("eigh stack", lambda x: np.linalg.eigh(x, "U"), definite(2, 3, 3)),
    case("eigh attribute", lambda x: np.linalg.eigh(x).eigenvalues, definite(3, 3)),
    case("svdvals", lambda x: np.linalg.svdvals(x), (2, 3, 4)),
    case("svd values", lambda x: np.linalg.svd(x, compute_uv=False), (4, 3)),
    *(
        case(f"svd {s}", lambda x: np.linalg.svd(x, full_matrices=False), s)
        for s in ((3, 3), (4, 3), (3, 4), (2, 4, 2), (2, 2, 3), (1, 3))
    ),
    case("svd square", lambda x: np.linalg.svd(x), (3, 3)),
    case("svd attribute", lambda x: np.linalg.svd(x, full_matrices=False).S, (2, 3)),
    *(
        case(f"qr {s}", lambda x: np.linalg.qr(x), s)
        for s in ((3, 3), (4, 3), (3, 5), (2, 4, 2), (2, 2, 4), (3, 1))
    ),
    case("qr r", lambda x: np.linalg.qr(x, mode="r"), (4, 3)),
    case("qr attribute", lambda x: np.linalg.qr(x).R, (4, 3)),
    *(
        case(f"matrix_power {n}", lambda x, n=n: np.linalg.matrix_power(x, n), invertible(3, 3))
        for n in (-3, -1, 0, 1, 2, 3, 5)
    ),
    case("matrix_power stack", lambda x: np.linalg.matrix_power(x, 3), (2, 3, 3)),
    case("multi_dot", lambda x, y, z: np.linalg.multi_dot([x, y, z]), (2, 3), (3, 4), (4, 2)),
    case("multi_dot vectors", lambda x, y, z: np.linalg.multi_dot([x, y, z]), (3,), (3, 4), (4,)),
    case("linalg.trace", lambda x: np.linalg.trace(x), (2, 3, 3)),
    case("linalg.diagonal", lambda x: np.linalg.diagonal(x, offset=1), (2, 3, 3)),
    *(
        case(
            f"solve_triangular {lower} {transposed} {unit}",
            lambda a, b, lower=lower, transposed=transposed, unit=unit: la.solve_triangular(
                a, b, lower=lower, transposed=transposed, unit=unit
            ),
            invertible(3, 3),
            (3, 2),
        )
        for lower in (True, False)
        for transposed in (True, False)
        for unit in (True, False)
    ),
    case(
        "solve_triangular stack",
        lambda a, b: la.solve_triangular(a, b, lower=True, transposed=False, unit=False),
        invertible(2, 3, 3),
        (3, 2),
    ),
    case(
        "solve_triangular stack b",
        lambda a, b: la.solve_triangular(a, b, lower=True, transposed=True, unit=False),
        invertible(3, 3),
        (2, 3, 2),
    ),
    case("triangle", lambda x: la.triangle(x, lower=False, offset=1), (2, 3, 3)),
    case("mirror", lambda x: la.mirror(x, lower=False), (2, 3, 3)),
    *(
        case(f"multi_dot {len(s)} {s[0]}", lambda *x: np.linalg.multi_dot(x), *s)
        for s in (((2, 9), (9, 1), (1, 8), (8, 3)), ((7,), (7, 2), (2, 6)), ((2, 7), (7, 3), (3, 5), (5,)))
    ),
    *(
        case(f"svd full {s}", lambda x: spaces(np.linalg.svd(x), *x.shape[-2:]), s)
        for s in ((4, 2), (2, 4), (2, 4, 3))
    ),
    case("svd hermitian", lambda x: np.linalg.svd(x, hermitian=True), INDEFINITE),
    case("svd hermitian values", lambda x: np.linalg.svd(x, True, False, True), np.stack([INDEFINITE] * 2)),
    *(
        case(f"qr complete {s}", lambda x: spaces(np.linalg.qr(x, "complete"), *x.shape[-2:]), s)
        for s in ((3, 3), (4, 2), (2, 4), (2, 4, 3))
    ),
    case("eig turning", lambda x: parts(*np.linalg.eig(x)), TURNING),
    case("eig stack", lambda x: parts(*np.linalg.eig(x)), np.stack([TURNING, 2 * np.eye(3) + TURNING.T])),
    case("eigvals", lambda x: parts(np.linalg.eigvals(x)), TURNING),
    *(
        case(f"pinv {s}", lambda x: np.linalg.pinv(x), s)
        for s in ((3, 3), (4, 2), (2, 4), (2, 3, 2), (0, 3), (3, 0))
    ),
    case("pinv hermitian", lambda x: np.linalg.pinv(x, hermitian=True), INDEFINITE),
    case("pinv fixed rank", lambda x: np.linalg.pinv(x.T @ x, rcond=1e-4), (2, 4)),
    case("pinv rtol", lambda x: np.linalg.pinv(x[:, None] * x, rtol=1e-4), (3,)),
    case("pinv rtol None", lambda x: np.linalg.pinv(x, rtol=None), (4, 2)),
    *(
        case(f"lstsq {a} {b}", lambda x, y: np.linalg.lstsq(x, y)[0], a, b)
        for a, b in (((4, 2), (4,)), ((4, 2), (4, 3)), ((2, 4), (2,)), ((3, 3), (3, 1)))
    ),
    case("lstsq residuals", lambda x, y: np.linalg.lstsq(x, y)[1::2], (4, 2), (4, 3)),
    case("lstsq fixed rank", lambda x, y: np.linalg.lstsq(x @ x.T, y, rcond=1e-4)[:2], (4, 2), (4,)),
    case("tensorinv", lambda x: np.linalg.tensorinv(x), (2, 3, 3, 2)),
    case("tensorinv ind", lambda x: np.linalg.tensorinv(x, ind=1), (6, 3, 2)),
    case("tensorsolve", lambda x, y: np.linalg.tensorsolve(x, y), (2, 3, 6), (2, 3)),
    case("tensorsolve axes", lambda x, y: np.linalg.tensorsolve(x, y, axes=(0, 2)), (3, 6, 2), (6,)),
    *(
        case(f"cond {p}", lambda x, p=p: np.linalg.cond(x, p), invertible(2, 3, 3))
        for p in (None, -2, 1, "fro")
    ),
    case("cond of a tall matrix", lambda x: np.linalg.cond(x), (4, 2)),
]
