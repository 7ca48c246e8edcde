"""Families of policies in which the best one for a given λ is known in closed form, or by counting.

A family is anything with a method `best(problem, lam)`: a maximiser of L(·, λ) within it. Since
L(π, λ) = D(λ) − β E KL(π‖π_λ), that is the member nearest to π_λ, prompt by prompt.

    family                          shows
    floor π ≥ εu                    duality gap ∝ ν: the bound O(ν) is tight
    floor ∪ one exact policy        |λ* − λ_p*| ∝ √ν: the bound O(√ν) is tight
    grid of the simplex             D_p with kinks; P_p* < D_p*, and a mixture of two policies that attains it
    log-linear, perturbed features  ν² where the others have ν: a smooth family alone hides the rates

The parametrization gap is ν = max_π min_θ ‖π − π_θ‖₁ (of one prompt).

Source: B. Zhang et al., "Alignment of large language models with constrained learning", NeurIPS 2025,
arXiv:2505.19387, for the bounds; the families are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb
from typing import Protocol

import numpy as np

from ...errors import DomainError, ShapeError, refusal
from ...ops.sides import host_only
from ..base import DataError, Floats
from .finite import FiniteProblem


class Family(Protocol):
    """Policies that a parametrization can express."""

    def best(self, problem: FiniteProblem, lam: Floats) -> Floats:
        """A maximiser of L(·, λ) within the family: π (N, K)."""


@host_only
class Everything:
    """All policies: the parametrization gap is 0.

    >>> game = FiniteProblem(np.full((1, 2), 0.5), [[1.0, 1.0]], {}, [], beta=1.0)
    >>> Everything().best(game, np.zeros(0)).tolist()
    [[0.5, 0.5]]
    """

    def best(self, problem: FiniteProblem, lam: Floats) -> Floats:
        """π_λ."""
        return problem.policy(lam)


@host_only
@dataclass(frozen=True)
class Floor:
    """Policies that leave no response less than the share ε of a uniform one: π ≥ ε/K.

    The nearest to π_λ is max(ε/K, c·π_λ), with c such that it sums to one: water is poured on what lies below
    the floor and taken from the others in proportion.

    Args:
        epsilon: in [0, 1].

    >>> game = FiniteProblem(np.full((1, 2), 0.5), [[9.0, 0.0]], {}, [], beta=1.0)
    >>> Floor(0.1).best(game, np.zeros(0)).tolist()
    [[0.95, 0.05]]
    """

    epsilon: float

    def __post_init__(self) -> None:
        if not 0 <= self.epsilon <= 1:
            raise refusal(DomainError, f"epsilon must be a share between 0 and 1, got {self.epsilon}")

    def gap(self, responses: int) -> float:
        """ν: how far, in ‖·‖₁, a policy with all its mass on one of K responses is from the family."""
        return 2 * self.epsilon * (1 - 1 / responses)

    def best(self, problem: FiniteProblem, lam: Floats) -> Floats:
        """max(ε/K, c·π_λ)."""
        log_policy = problem.log_policy(lam)[0]
        policy, floor = np.exp(log_policy), self.epsilon / log_policy.shape[1]
        if not floor:
            return policy
        # the responses on the floor are the j smallest, and c = (1 − j·floor) / mass of the others
        ordered = np.sort(policy, axis=1)
        rest = np.cumsum(ordered[:, ::-1], axis=1)[:, ::-1]
        c = (1 - floor * np.arange(policy.shape[1])) / rest
        resting = np.argmax(c * ordered >= floor, axis=1)  # the fewest with which the others stay above
        fits = np.any(c * ordered >= floor, axis=1)  # (ε = 1: rounding may leave none)
        scale = np.take_along_axis(c, resting[:, None], 1)
        found: Floats = np.where(fits[:, None], np.maximum(floor, scale * policy), 1 / policy.shape[1])
        return found


@host_only
@dataclass(frozen=True, eq=False)
class Union:
    """Several families side by side, and single policies among them.

    Args:
        members: families, or policies (N, K).

    >>> game = FiniteProblem(np.full((1, 2), 0.5), [[9.0, 0.0]], {}, [], beta=1.0)
    >>> Union([Floor(0.5), np.array([[0.9, 0.1]])]).best(game, np.zeros(0)).tolist()
    [[0.9, 0.1]]
    """

    members: Sequence[Family | Floats]

    def __post_init__(self) -> None:
        if not self.members:
            raise refusal(DataError, "a union of no families has no policies")

    def best(self, problem: FiniteProblem, lam: Floats) -> Floats:
        """The best of the members' best; the first of equals."""
        found = [m if isinstance(m, np.ndarray) else m.best(problem, lam) for m in self.members]
        for policy in found:
            if policy.shape != problem.base.shape:
                what = (
                    f"a policy of this problem is {problem.base.shape}; the union has one of {policy.shape}"
                )
                raise refusal(ShapeError, what)
        return min(found, key=lambda policy: problem.excess(policy, lam))


@host_only
@dataclass(frozen=True)
class SimplexGrid:
    """Policies whose probabilities are multiples of 1/n, all of them, searched by brute force.

    Args:
        denominator: n ≥ 1.

    >>> SimplexGrid(2).points(2).tolist()
    [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]
    """

    denominator: int

    MOST = 200_000  # points of a grid

    def __post_init__(self) -> None:
        if not (isinstance(self.denominator, int) and self.denominator >= 1):
            raise refusal(DomainError, f"denominator must be an integer ≥ 1, got {self.denominator!r}")

    def points(self, responses: int) -> Floats:
        """All (n+K−1 choose K−1) distributions of the grid on K responses."""
        count = comb(self.denominator + responses - 1, responses - 1)
        if count > self.MOST:
            what = f"a grid of {count:,} points (denominator {self.denominator}, {responses} responses)"
            raise refusal(DomainError, f"{what} is more than the {self.MOST:,} tried one by one")
        return _grid(self.denominator, responses)

    def gap(self, responses: int) -> float:
        """ν: rounding by largest remainders misses by most where all remainders are equal, to ½ or nearly."""
        up = responses // 2
        return 2 * up * (responses - up) / (responses * self.denominator)

    def best(self, problem: FiniteProblem, lam: Floats) -> Floats:
        """The point of least KL(·‖π_λ), of every prompt."""
        log_policy = problem.log_policy(lam)[0]
        points = self.points(log_policy.shape[1])
        with np.errstate(divide="ignore", invalid="ignore"):
            own = np.sum(np.where(points > 0, points * np.log(points), 0.0), axis=1)
        return points[np.argmin(own - log_policy @ points.T, axis=1)]


@lru_cache(maxsize=8)
def _grid(n: int, parts: int) -> Floats:
    # bars among stars: where parts − 1 bars stand among n + parts − 1 places
    bars = np.array(list(combinations(range(n + parts - 1), parts - 1)), float).reshape(-1, parts - 1)
    edges = np.hstack([np.full((len(bars), 1), -1.0), bars, np.full((len(bars), 1), float(n + parts - 1))])
    points: Floats = (np.diff(edges, axis=1) - 1) / n
    points.flags.writeable = False
    return points
