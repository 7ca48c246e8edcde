"""Is there a feasible point at all? The smallest violation, and the weights that prove it.

    min t   s.t.  −t ≤ h(x) ≤ t,   g(x) ≤ t

Its multipliers w sum to one and balance the constraints' gradients, Σ wᵢ∇cᵢ = 0 with Σ wᵢcᵢ = t*. Where h is
affine and g convex, Σ wᵢcᵢ(x) ≥ t* > 0 for all x: no point is feasible (Farkas). Elsewhere the proof is
a local one.
"""

from __future__ import annotations

import numpy as np

from .point import Point
from .program import Program


class Elastic:
    """The program over (x, t) that has always a feasible point; same methods as `Program`."""

    def __init__(self, program: Program, x: np.ndarray) -> None:
        self.inner, self.n, self.m = program, program.n + 1, 0
        self.floor = (
            0.0 if program.m else 1e-2
        )  # without equalities, seek a point inside, not on the boundary
        self.p = 2 * program.m + program.p + 1
        _, h, g = program.values(x)
        violation = max(np.max(np.abs(h), initial=0.0), np.max(g, initial=0.0))
        self.start = np.append(x, violation + 0.1 * max(1.0, min(violation, 1e3)))

    def values(self, z: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """T, no equalities, and the elastic inequalities."""
        _, h, g = self.inner.values(z[:-1])
        return float(z[-1]), np.zeros(0), self._relaxed(h, g, z[-1])

    def _relaxed(self, h: np.ndarray, g: np.ndarray, t: float) -> np.ndarray:
        return np.concatenate([h - t, -h - t, g - t, [-t - self.floor]])

    def point(self, z: np.ndarray) -> Point:
        """Values and first derivatives."""
        inner = self.inner.point(z[:-1])
        rows = np.concatenate([inner.A, -inner.A, inner.G, np.zeros((1, self.n - 1))])
        g = self._relaxed(inner.h, inner.g, z[-1])
        unit = np.append(np.zeros(self.n - 1), 1.0)
        rows = np.column_stack([rows, -np.ones(self.p)])
        return Point(z, float(z[-1]), unit, np.zeros(0), np.zeros((0, self.n)), g, rows)

    def hessian(self, z: np.ndarray, nu: np.ndarray, mu: np.ndarray) -> np.ndarray:
        """That of the constraints alone."""
        w_h, w_g = self.weights(mu)
        inner, zero = self.inner, (np.zeros(self.inner.m), np.zeros(self.inner.p))
        full = np.zeros((self.n, self.n))
        # L is affine in the multipliers: what f contributes is L at zero multipliers
        full[:-1, :-1] = inner.hessian(z[:-1], w_h, w_g) - inner.hessian(z[:-1], *zero)
        return full

    def weights(self, mu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights (m,) of the equalities, of either sign, and (p,) of the inequalities, from multipliers."""
        m = self.inner.m
        return mu[:m] - mu[m : 2 * m], mu[2 * m : -1]
