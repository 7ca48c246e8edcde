"""How far a parametrized optimum is from the exact one: numbers between computed bounds, on every run.

e(λ) = D(λ) − D_p(λ) = β E KL(π_θ*(λ)‖π_λ) is what the family lacks at λ. With μ the least curvature of D
between λ* and λ_p*, L its smoothness and G the radius of g within a prompt:

    e(λ*) ≤ D* − D_p* ≤ e(λ_p*)                                             duality gap
    |∇D(λ_p*) − ∇D(λ*)| / L ≤ |λ* − λ_p*| ≤ √(2 e(λ_p*) / μ)                distance of the multipliers
    |u_p − u*| / G ≤ E‖π_p − π*‖₁ ≤ √(2 e(λ_p*)/β) + (G/β) |λ* − λ_p*|      distance of the policies
    |u_p − u*| ≤ G E‖π_p − π*‖₁, and the objective's distance in the same way

They hold for any λ ≥ 0 in place of λ_p*, a run stopped early included, when δ = [D_p(λ) − D_p(λ*)]₊ is
allowed for: it is 0 at the minimum. u is the slack E g − b.

Source: B. Zhang et al., NeurIPS 2025, arXiv:2505.19387, state them as O(ν), O(√ν), O(√ν) in the
parametrization gap ν; these are the computable forms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...ops.sides import host_only
from ...text import number, table
from ..base import Floats
from .finite import FiniteProblem


class Bound(NamedTuple):
    """A number between bounds that were computed from other numbers.

    Attributes:
        name: what it is.
        value: the number.
        lower, upper: where it must lie.
    """

    name: str
    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class GapCertificate:
    """Five two-sided bounds for one λ and policy; see the module for the formulas.

    Attributes:
        gap: D* − D_p(λ).
        multipliers: |λ − λ*|.
        policies: E_x ‖π − π*‖₁, at most 2.
        objective: |r_KL(π) − r_KL(π*)|.
        feasibility: |u(π) − u(π*)|, u = E g − b.
        curvature: μ, between λ* and λ.
        excess: e(λ).
        suboptimality: δ.
        rounding: what differences of D are accurate to.
    """

    gap: Bound
    multipliers: Bound
    policies: Bound
    objective: Bound
    feasibility: Bound
    curvature: float
    excess: float
    suboptimality: float
    rounding: float

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """The five."""
        return self.gap, self.multipliers, self.policies, self.objective, self.feasibility

    @property
    def hold(self) -> bool:
        """Whether every number lies between its bounds, up to rounding."""
        # where D is flat to rounding, λ is known to the square root of it only
        slack = {b.name: self.rounding for b in self.bounds}
        slack[self.multipliers.name] = float(np.sqrt(2 * self.rounding / max(self.curvature, 1e-300)))
        allowed = [slack[b.name] + 1e-9 * abs(b.value) for b in self.bounds]
        return all(b.lower - s <= b.value <= b.upper + s for b, s in zip(self.bounds, allowed, strict=True))

    def __repr__(self) -> str:
        rows = [[b.name, number(b.lower), number(b.value), number(b.upper)] for b in self.bounds]
        verdict = "hold" if self.hold else "DO NOT HOLD"
        return f"GapCertificate: the bounds {verdict}\n" + table(
            ["", "at least", "is", "at most"], rows, right=(1, 2, 3)
        )


@host_only
def certify(problem: FiniteProblem, lam: Floats, policy: Floats, reference: Floats) -> GapCertificate:
    """The certificates of a policy that maximises L(·, λ) within a family.

    Args:
        problem: with its exact optimum.
        lam: (m,) λ ≥ 0, λ_p* or any other.
        policy: (N, K) π_θ*(λ).
        reference: (N, K) π_θ*(λ*), the family's best at λ*.

    Raises:
        DomainError: the problem has no λ*.

    >>> base, r, g = np.full((1, 2), 0.5), [[1.0, 0.0]], [[0.0, 1.0]]
    >>> game = FiniteProblem(base, r, {"safe": g}, "safe>=0.5", beta=1.0)
    >>> certify(game, np.array([1.0]), game.policy([1.0]), game.policy([1.0])).hold
    True
    """
    star = problem.optimum
    exact = problem.policy(star)
    at_star, at_lam = problem.dual(star), problem.lagrangian(policy, lam)
    excess, least = problem.excess(policy, lam), problem.excess(reference, star)
    delta = max(0.0, at_lam - problem.lagrangian(reference, star))
    mu, G = problem.curvature(star, lam), problem.reach
    apart = float(np.linalg.norm(lam - star))
    with np.errstate(divide="ignore", invalid="ignore"):
        root = float(np.sqrt(np.divide(2 * (excess + delta), mu))) if excess + delta > 0 else 0.0
    slack, exact_slack = problem.slack(policy), problem.slack(exact)
    missed = float(np.linalg.norm(slack - exact_slack))
    turned = float(np.linalg.norm(problem.dual_gradient(lam) - exact_slack))
    distance = float(np.mean(np.sum(np.abs(policy - exact), axis=1)))
    farthest = float(np.sqrt(2 * excess / problem.beta)) + G / problem.beta * apart
    worth = (
        excess
        + delta
        + float(np.linalg.norm(lam)) * G * farthest
        + apart * float(np.linalg.norm(exact_slack))
    )
    return GapCertificate(
        Bound("duality gap", at_star - at_lam, least - delta, excess),
        Bound("|λ − λ*|", apart, turned / problem.smoothness if problem.smoothness else 0.0, root),
        Bound("E‖π − π*‖₁", distance, missed / G if G else 0.0, farthest),
        Bound("objective gap", abs(problem.objective(policy) - problem.objective(exact)), 0.0, worth),
        Bound("feasibility gap", missed, 0.0, G * farthest),
        mu, excess, delta, 1e-13 * max(1.0, abs(at_star), abs(at_lam)),
    )  # fmt: skip
