"""Newton's method on the KKT conditions of a large problem, by products with its matrices alone.

Unknowns at a bound are held there; the others, and the multipliers of what binds, solve the KKT system by
MINRES.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..transforms import make_jvp, make_vjp
from .active import Candidate
from .point import Point
from .program import Program
from .solution import Residuals


@dataclass
class Flat(Candidate):
    """A candidate whose Jacobians are not formed."""

    program: Program

    @cached_property  # a sweep, or one per batch; asked for many times
    def residuals(self) -> Residuals:
        """The four KKT residuals."""
        p = self.point
        slope = self.program.lagrangian_gradient(p.x, self.nu, self.mu)
        return Residuals.of(p.gradient, slope, p.h, p.g, self.mu)


def with_bounds(program: Program, x: np.ndarray, nu: np.ndarray, mu: np.ndarray) -> Flat:
    """A candidate whose multipliers of bounds balance the gradient where x is at a bound."""
    fixed, lower, upper = program.bound_blocks
    nu, mu = nu.copy(), mu.copy()
    nu[fixed.rows], mu[lower.rows], mu[upper.rows] = 0.0, 0.0, 0.0
    slope = program.lagrangian_gradient(x, nu, mu)
    below, above = (
        x[program.below] <= program.lower[program.below],
        x[program.above] >= program.upper[program.above],
    )
    nu[fixed.rows] = -slope[program.fixed]
    mu[lower.rows] = np.where(below, np.maximum(slope[program.below], 0.0), 0.0)
    mu[upper.rows] = np.where(above, np.maximum(-slope[program.above], 0.0), 0.0)
    f, h, g = program.values(x)
    none = np.zeros((0, program.n))
    gradient = program.lagrangian_gradient(x, np.zeros_like(nu), np.zeros_like(mu))
    return Flat(Point(x, f, gradient, h, none, g, none), nu, mu, mu > 0, program)


class Products:
    """Products with the Hessian of L and the Jacobians of the user's constraints at one point."""

    def __init__(self, program: Program, x: np.ndarray, nu: np.ndarray, mu: np.ndarray) -> None:
        self.program, self.x, self.nu, self.mu = program, x, nu, mu

        def constraints(v: Any) -> Any:
            return program.evaluate(v, *program.args)[1]

        with np.errstate(all="ignore"):
            self._push = make_jvp(constraints)(x) if program.own else None
            self._pull = make_vjp(constraints)(x)[0] if program.own else None

    def curve(self, v: np.ndarray) -> np.ndarray:
        """(∇²ₓₓL) v."""
        return self.program.product(self.x, self.nu, self.mu, v)

    def push(self, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(∂h/∂x) v and (∂g/∂x) v, the user's rows alone."""
        if self._push is None:
            return np.zeros(0), np.zeros(0)
        _, dots = self._push(v)
        pairs = list(zip(self.program.own, dots, strict=True))
        h = [np.ravel(d) for b, d in pairs if b.relation == "="]
        g = [np.ravel(d) for b, d in pairs if b.relation != "="]
        return np.concatenate([*h, np.zeros(0)]), np.concatenate([*g, np.zeros(0)])

    def pull(self, nu: np.ndarray, mu: np.ndarray) -> np.ndarray:
        """(∂h/∂x)ᵀ ν + (∂g/∂x)ᵀ μ."""
        if self._pull is None:
            return np.zeros(self.program.n)
        return np.asarray(self._pull(self.program.spread(nu, mu)))

    def system(self, held: np.ndarray, rows: np.ndarray) -> Any:
        """[[H, Aᵀ], [A, 0]] on the unknowns that are free and the inequalities that bind (`rows`)."""
        from scipy.sparse.linalg import LinearOperator

        fixed, lower, _ = self.program.bound_blocks
        m, p, n = fixed.start, lower.start, self.program.n

        def apply(z: np.ndarray) -> np.ndarray:
            dx, lam_g = np.where(held, 0.0, z[:n]), np.zeros(p)
            lam_g[rows] = z[n + m :]
            push_h, push_g = self.push(dx)
            top = np.where(held, z[:n], self.curve(dx) + self.pull(z[n : n + m], lam_g))
            return np.concatenate([top, push_h, push_g[rows]])

        size = n + m + len(rows)
        return LinearOperator((size, size), matvec=apply, dtype=np.float64)


def polish(program: Program, start: Flat, *, max_steps: int = 8) -> Flat:
    """Newton steps as long as they reduce the worst residual."""
    from scipy.sparse.linalg import minres

    current = start
    fixed, lower, upper = program.bound_blocks
    n, m = program.n, fixed.start
    for _ in range(max_steps):
        x, nu, mu = current.point.x, current.nu.copy(), current.mu.copy()
        held = np.zeros(n, bool)
        held[program.fixed] = True
        held[program.below] |= mu[lower.rows] > 0
        held[program.above] |= mu[upper.rows] > 0
        rows = np.flatnonzero(mu[: lower.start] > 0)
        slope = np.where(held, 0.0, program.lagrangian_gradient(x, nu, mu))
        right = -np.concatenate([slope, current.point.h[:m], current.point.g[rows]])
        if not np.all(np.isfinite(right)) or not np.any(right):
            return current
        matrix = Products(program, x, nu, mu).system(held, rows)
        step, _ = minres(matrix, right, rtol=1e-13, maxiter=min(5 * len(right), 4000))
        if not np.all(np.isfinite(step)):
            return current
        nu[:m] += step[n : n + m]
        mu[rows] += step[n + m :]
        moved = np.clip(x + np.where(held, 0.0, step[:n]), program.lower, program.upper)
        following = with_bounds(program, moved, nu, mu)
        if not following.worst < current.worst:
            return current
        current = following
        if current.worst <= 1e-14:
            break
    return current
