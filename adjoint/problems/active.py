"""Which constraints bind, and Newton's method on them alone: the last digits, and what can be certified.

    ∇f + Aᵀν + G_𝒜ᵀ μ_𝒜 = 0,   h = 0,   g_𝒜 = 0        𝒜: the inequalities that hold with equality

Without barrier and penalty the system is well scaled, so residuals come down to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from .point import Functions, Point
from .solution import Residuals


@dataclass
class Candidate:
    """A point with multipliers (both ν (m,) and μ (p,), zero off the active set)."""

    point: Point
    nu: np.ndarray
    mu: np.ndarray
    active: np.ndarray

    @cached_property
    def residuals(self) -> Residuals:
        """The four KKT residuals."""
        p = self.point
        return Residuals.of(p.gradient, p.lagrangian_gradient(self.nu, self.mu), p.h, p.g, self.mu)

    @property
    def worst(self) -> float:
        """The largest residual; infinite where something is not finite."""
        worst = self.residuals.worst
        return worst if np.isfinite(worst) else np.inf

    def bare(self) -> Self:
        """The same point without multipliers, for verdicts that have none."""
        none = {name: np.zeros_like(getattr(self, name)) for name in ("nu", "mu", "active")}
        return replace(self, **none)


def polish(
    program: Functions, point: Point, nu: np.ndarray, mu: np.ndarray, *, max_steps: int = 30
) -> Candidate:
    """The best candidate that Newton's method on a guessed active set finds, mending the guess as it goes."""
    active = mu > -point.g
    given = best = Candidate(point, nu, mu, mu > 0)
    current = Candidate(point, nu, np.where(active, np.maximum(mu, 0.0), 0.0), active)
    seen: set[bytes] = set()
    for _ in range(6):
        if current.active.tobytes() in seen:
            break
        seen.add(current.active.tobytes())
        current = _newton(program, current, max_steps)
        if current.worst < best.worst or (current.worst <= 1e-13 and best is given):
            best = current
        tolerance = max(1e-12, 10 * current.residuals.stationarity)
        wrong = current.active & (current.mu < -tolerance)
        missing = ~current.active & (current.point.g > tolerance)
        if not (np.any(wrong) or np.any(missing)):
            break
        if np.any(wrong):  # one at a time: the others' multipliers change when it leaves
            wrong = np.arange(len(wrong)) == np.argmin(np.where(wrong, current.mu, np.inf))
        following = (current.active & ~wrong) | missing
        current = Candidate(point, nu, np.where(following, np.maximum(mu, 0.0), 0.0), following)
    tiny = best.active & (best.mu < 0) & (best.mu > -1e-12)
    return Candidate(best.point, best.nu, np.where(tiny, 0.0, best.mu), best.active)


def _newton(program: Functions, start: Candidate, max_steps: int) -> Candidate:
    """Undamped Newton steps as long as they reduce the residuals of the equality-constrained problem."""
    current, size = start, _size(start)
    for _ in range(max_steps):
        p, active = current.point, current.active
        hessian = program.hessian(p.x, current.nu, current.mu)
        rows = np.concatenate([p.A, p.G[active]])
        right = -np.concatenate([p.lagrangian_gradient(current.nu, current.mu), p.h, p.g[active]])
        if not (np.all(np.isfinite(hessian)) and np.all(np.isfinite(right))):
            return current
        step = solve_kkt(hessian, rows, right)
        n, m = program.n, program.m
        mu = current.mu.copy()
        mu[active] += step[n + m :]
        x = p.x + step[:n]
        point = program.point(x)
        following = Candidate(point, current.nu + step[n : n + m], mu, active)
        found = _size(following)
        if not found < size:
            return current
        halved = found < 0.5 * size
        current, size = following, found
        if not halved and size < 1e-12:
            return current
    return current


def _size(candidate: Candidate) -> float:
    p = candidate.point
    scale = max(1.0, float(np.max(np.abs(p.gradient), initial=0.0)))
    parts = (p.lagrangian_gradient(candidate.nu, candidate.mu) / scale, p.h, p.g[candidate.active])
    size = max(float(np.max(np.abs(part), initial=0.0)) for part in parts)
    return size if np.isfinite(size) else np.inf


def solve_kkt(hessian: np.ndarray, rows: np.ndarray, right: np.ndarray) -> np.ndarray:
    """[[H, Aᵀ], [A, 0]]⁻¹ right; the shortest least-squares solution where it is singular."""
    from scipy.linalg import lstsq

    k = len(rows)
    matrix = np.block([[hessian, rows.T], [rows, np.zeros((k, k))]])
    try:
        found = np.linalg.solve(matrix, right)
        if np.max(np.abs(matrix @ found - right), initial=0.0) <= 1e-8 * max(
            1e-300, np.max(np.abs(right), initial=0.0)
        ):
            return found
    except np.linalg.LinAlgError:
        pass
    found = lstsq(matrix, right, cond=1e-11)[0]
    return np.asarray(found)


def rank(rows: np.ndarray) -> int:
    """How many of the rows are linearly independent, each taken at length one."""
    lengths = np.linalg.norm(rows, axis=1)
    if np.any(lengths <= 1e-9):
        rows, lengths = rows[lengths > 1e-9], lengths[lengths > 1e-9]
    if not len(rows):
        return 0
    return int(np.sum(np.linalg.svd(rows / lengths[:, None], compute_uv=False) > 1e-8))


def least_multipliers(candidate: Candidate) -> Candidate:
    """ν and μ ≥ 0 on the active set that leave the least stationarity, where they are not unique."""
    from scipy.optimize import lsq_linear

    p, active = candidate.point, candidate.active
    rows = np.concatenate([p.A, p.G[active]])
    if not len(rows):
        return candidate
    m = len(p.A)
    lower = np.concatenate([np.full(m, -np.inf), np.zeros(int(np.sum(active)))])
    # lsq_linear asks for lower < upper and is at its best with the bounded least-squares method
    found = lsq_linear(rows.T, -p.gradient, bounds=(lower, np.inf), method="bvls", tol=1e-14)
    mu = np.zeros(len(p.g))
    mu[active] = np.maximum(found.x[m:], 0.0)
    return Candidate(p, found.x[:m], mu, active)


def curvature(hessian: np.ndarray, rows: np.ndarray) -> tuple[float, np.ndarray]:
    """The smallest eigenvalue of H on the null space of the rows, and its direction; ∞ when that is {0}."""
    n = len(hessian)
    basis = np.eye(n)
    if len(rows):
        _, sizes, vt = np.linalg.svd(rows, full_matrices=True)
        count = int(np.sum(sizes > 1e-9 * max(1e-300, float(np.max(sizes, initial=0.0)))))
        basis = vt[count:].T
    if not basis.shape[1]:
        return np.inf, np.zeros(n)
    values, vectors = np.linalg.eigh(basis.T @ hessian @ basis)
    return float(values[0]), basis @ vectors[:, 0]
