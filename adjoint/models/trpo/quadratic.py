"""The model of a trust-region step, solved by its KKT conditions.

    minimize gᵀx   subject to   ½ xᵀAx ≤ δ  ("kl", λ),   c + bᵀx ≤ 0  ("cost", ν; CPO only)

    ∂L/∂x = g + λAx + νb = 0,   λ ≥ 0, ν ≥ 0,   complementary slackness.

With q = gᵀA⁻¹g, r = gᵀA⁻¹b, s = bᵀA⁻¹b the multipliers are numbers of these three and of c and δ alone:

    TRPO   λ = √(q/2δ),   x = −A⁻¹g/λ
    CPO    the same if that meets the cost limit, c − r/λ ≤ 0; else both constraints bind,
           λ = √((q − r²/s)/(2δ − c²/s)),   ν = (λc − r)/s,   x = −A⁻¹(g + νb)/λ

The step length is 1/λ, and λ = d(predicted gain)/dδ. Where no step within the trust region meets the limit
(c > 0 and c²/s > 2δ), the step that reduces the cost most is taken; it is not a KKT point, and says so. At
c²/s = 2δ that step is the only one that meets the limit, and has no multipliers either.

Sign convention: see `adjoint.problems`. A is the Fisher matrix F plus damping: A = F + ξI.

Source: Schulman et al. 2015, arXiv:1502.05477, appendix C; Achiam et al. 2017, arXiv:1705.10528, theorem 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from ...errors import DomainError, refusal
from ...problems import Residuals

Floats = NDArray[np.float64]
Operator = Callable[[Floats], Floats]
# 1 − cos² of the angle between the gradients, in the metric A⁻¹, below which they are parallel
PARALLEL = 1e-12


class Case(Enum):
    """Which constraints decide the step; a member's value is the sentence."""

    FREE = "no step: the gradient of the objective is zero"
    TRUST = "only the trust region binds"
    BOTH = "the trust region and the cost limit bind"
    COST = "the cost limit binds, the trust region does not: the two gradients are parallel"
    RECOVERY = (
        "recovery: no step within the trust region meets the cost limit; this one reduces the cost most, "
        "and is not a KKT point"
    )
    STUCK = "no step: the cost is above its limit, and its gradient is zero"


@dataclass(frozen=True)
class Proposal:
    """The model's solution.

    Attributes:
        x: the step (n,).
        lam: λ ≥ 0, the multiplier of the trust region, in units of the objective per nat.
        nu: ν ≥ 0, that of the cost limit, in units of the objective per unit of cost; 0 in TRPO.
        case: which constraints decide.
        change: gᵀx ≤ 0 but where the cost limit forces a worse objective; its negative is the predicted gain.
        cost: c + bᵀx, the predicted excess of the cost; 0 in TRPO.
        size: ½ xᵀAx, at most δ.
        residuals: the four KKT residuals; stationarity is as good as A⁻¹ was computed.
    """

    x: Floats
    lam: float
    nu: float
    case: Case
    change: float
    cost: float
    size: float
    residuals: Residuals


def propose(
    g: Floats,
    delta: float,
    product: Operator,
    inverse: Operator,
    *,
    cost: tuple[float, Floats] | None = None,
) -> Proposal:
    """Solve the model.

    Args:
        g: gradient of the objective that is minimized (n,).
        delta: δ > 0.
        product: v (n,) → A v.
        inverse: v (n,) → A⁻¹ v; conjugate gradients, or a pseudo-inverse.
        cost: (c, b): the excess of the cost over its limit, and its gradient (n,).

    >>> A = np.diag([2.0, 8.0])
    >>> step = propose(np.array([2.0, 4.0]), 0.5, A.__matmul__, np.linalg.inv(A).__matmul__)
    >>> step.x, step.lam
    (array([-0.5 , -0.25]), 2.0)
    """
    u = inverse(g)
    Au = product(u)
    q = float(u @ Au)
    if cost is None:
        lam = math.sqrt(max(q, 0.0) / (2 * delta))
        case = Case.TRUST if lam > 0 else Case.FREE
        return _proposal(g, delta, product, None, -u / lam if lam > 0 else np.zeros_like(g), lam, 0.0, case)
    c, b = cost
    w = inverse(b)
    r, s = float(w @ Au), float(w @ product(w))
    x, lam, nu, case = _constrained(u, w, q, r, s, c, delta)
    return _proposal(g, delta, product, cost, x, lam, nu, case)


def _constrained(
    u: Floats, w: Floats, q: float, r: float, s: float, c: float, delta: float
) -> tuple[Floats, float, float, Case]:
    """CPO's enumeration, with the degenerate cases apart: x, λ, ν and the case."""
    nothing = np.zeros_like(u)
    lam = math.sqrt(max(q, 0.0) / (2 * delta))
    if s <= 0.0:  # the cost does not depend on the step
        if c > 0:
            return nothing, 0.0, 0.0, Case.STUCK
        return (-u / lam, lam, 0.0, Case.TRUST) if lam > 0 else (nothing, 0.0, 0.0, Case.FREE)
    if c > 0 and c * c / s >= 2 * delta:
        return -math.sqrt(2 * delta / s) * w, 0.0, 0.0, Case.RECOVERY
    if lam > 0 and c - r / lam <= 0:
        return -u / lam, lam, 0.0, Case.TRUST
    if lam == 0 and c <= 0:
        return nothing, 0.0, 0.0, Case.FREE
    across = q - r * r / s
    if across <= PARALLEL * q:  # λ = 0 and g = −νb: of all steps to the limit the shortest
        return -(c / s) * w, 0.0, max(-r / s, 0.0), Case.COST
    lam = math.sqrt(across / (2 * delta - c * c / s))
    nu = (lam * c - r) / s
    return -(u + nu * w) / lam, lam, nu, Case.BOTH


def _proposal(
    g: Floats,
    delta: float,
    product: Operator,
    cost: tuple[float, Floats] | None,
    x: Floats,
    lam: float,
    nu: float,
    case: Case,
) -> Proposal:
    Ax = product(x)
    size = 0.5 * float(x @ Ax)
    slope, excess = g + lam * Ax, 0.0
    values, multipliers = [size - delta], [lam]
    if cost is not None:
        excess = cost[0] + float(cost[1] @ x)
        slope = slope + nu * cost[1]
        values.append(excess)
        multipliers.append(nu)
    residuals = Residuals.of(g, slope, [], values, multipliers)
    return Proposal(x, lam, nu, case, float(g @ x), excess, size, residuals)


@dataclass(frozen=True)
class ConjugateGradients:
    """A⁻¹ by a few products with A.

    Attributes:
        product: v → A v, A symmetric and positive semidefinite.
        steps: products at most.
        tolerance: of ‖A y − v‖ relative to ‖v‖, at which to stop.
    """

    product: Operator
    steps: int
    tolerance: float

    def __call__(self, v: Floats) -> Floats:
        """y with A y ≈ v.

        Raises:
            DomainError: A has no curvature along v.
        """
        y, residual = np.zeros_like(v), v.copy()
        along, square = residual.copy(), float(residual @ residual)
        goal = (self.tolerance**2) * square
        for _ in range(self.steps):
            if square <= goal or square == 0.0:
                break
            curved = self.product(along)
            curvature = float(along @ curved)
            if not curvature > 1e-14 * float(np.sqrt(along @ along) * max(np.sqrt(curved @ curved), 1e-300)):
                if not np.any(y):
                    raise singular(curvature)
                break  # what is left of v lies where A has only rounding errors
            length = square / curvature
            y += length * along
            residual -= length * curved
            square, before = float(residual @ residual), square
            along = residual + (square / before) * along
        return y


def singular(curvature: float) -> DomainError:
    """The refusal where the Fisher matrix has no curvature along the gradient."""
    kind = "is not a number" if math.isnan(curvature) else f"is {curvature:.2g}"
    what = f"the Fisher matrix is singular along the gradient: its curvature there {kind}"
    remedy = "Pass damping=1e-3 or more; a policy that gives an action that was taken probability 0 has none."
    return refusal(DomainError, what, remedy)
