"""Is f bounded from below? Rays along which it falls at every length tried, and the constraints hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from .point import Point
from .program import Program

LENGTHS = np.array([0.0, 1.0, 10.0, 100.0, 1e4])


def falls_forever(program: Program, x: np.ndarray, directions: Iterable[np.ndarray]) -> np.ndarray | None:
    """The first of the directions, at length one, in which f falls without limit as far as can be seen.

    It must fall by more on each tenfold length: exp(−x) falls forever too, but not below 0.
    """
    reach = max(1.0, float(np.linalg.norm(x)))
    for direction in directions:
        size = float(np.linalg.norm(direction))
        if not np.isfinite(size) or size == 0.0:
            continue
        d = direction / size
        found = [program.values(x + k * reach * d) for k in LENGTHS]
        falls = -np.diff([f for f, _, _ in found])
        bad = np.array([max(np.max(np.abs(h), initial=0.0), np.max(g, initial=0.0)) for _, h, g in found])
        if (
            np.all(falls > 0)
            and np.all(falls[1:] > 2 * falls[:-1])
            and np.all(bad <= 1e-6 * reach * (1 + LENGTHS))
        ):
            return np.asarray(d)
    return None


def straight(program: Program, x: np.ndarray, start: np.ndarray) -> Iterator[np.ndarray]:
    """Where the iteration went, and where f falls most steeply."""
    yield x - start
    yield -program.lagrangian_gradient(x, np.zeros(program.m), np.zeros(program.p))


def recession(program: Program, point: Point) -> Iterator[np.ndarray]:
    """Descent by linear programs over the linearised constraints, then directions of negative curvature."""
    from scipy.linalg import null_space
    from scipy.optimize import linprog

    n = program.n
    hessian = program.hessian(point.x, np.zeros(program.m), np.zeros(program.p))
    if not (np.all(np.isfinite(hessian)) and np.all(np.isfinite(point.G)) and np.all(np.isfinite(point.A))):
        return
    for rows in (np.concatenate([point.A, hessian]), point.A):
        found = linprog(
            point.gradient,
            point.G,
            np.zeros(len(point.G)),
            rows,
            np.zeros(len(rows)),
            bounds=(-1, 1),
            method="highs",
        )
        if found.status == 0 and found.fun < 0:
            yield np.asarray(found.x)
    for rows in (np.concatenate([point.A, point.G]), point.A):
        basis = null_space(rows) if len(rows) else np.eye(n)
        values, vectors = np.linalg.eigh(basis.T @ hessian @ basis)
        for k in np.flatnonzero(values < 0)[:5]:
            yield basis @ vectors[:, k]
            yield -basis @ vectors[:, k]
