"""The picture of strong duality: policies as points (u, t), slack E g − b across and r_KL upward.

The image of all policies is E = {(u(π), r_KL(π))}; that of a family is E_p, inside it. A line t + λu = D that
lies above E and touches it has its height at u = 0 where the dual is: D(λ). The lowest of these heights over
λ ≥ 0 is D*, and it is reached at the height of E above u ≥ 0, P*: strong duality. The line that supports E_p
does so for its convex hull, so that D_p* may lie above what any single policy of the family attains.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...errors import ShapeError, refusal
from ...ops.sides import host_only
from ..base import Floats
from .finite import FiniteProblem


@host_only
class SupportingLine(NamedTuple):
    """The line t = D − λu.

    Attributes:
        height: D, where it crosses u = 0.
        lam: (m,) minus its slopes.

    >>> line = SupportingLine(1.0, np.array([0.5]))
    >>> line([[0.0], [2.0]]).tolist(), line.clearance(np.array([[2.0, -0.25]]))
    ([1.0, 0.0], 0.25)
    """

    height: float
    lam: Floats

    def __call__(self, u: ArrayLike) -> Floats:
        """The line's t above u (…, m)."""
        return np.asarray(self.height - np.asarray(u, float) @ self.lam)

    def clearance(self, points: Floats) -> float:
        """How far the line stays above points (p, m + 1): 0 where it touches, negative where it cuts."""
        return float(np.min(self(points[:, :-1]) - points[:, -1]))


@host_only
def image(problem: FiniteProblem, policies: Iterable[ArrayLike]) -> Floats:
    """Policies (N, K) as points (u, t): slack and objective, (p, m + 1).

    >>> base, r, g = np.full((1, 2), 0.5), [[1.0, 0.0]], [[0.0, 1.0]]
    >>> game = FiniteProblem(base, r, {"safe": g}, "safe>=0.5", beta=1.0)
    >>> image(game, [base]).tolist()  # of the reference itself
    [[0.0, 0.5]]
    """
    rows = [np.asarray(p, float) for p in policies]
    return np.array([[*problem.slack(p), problem.objective(p)] for p in rows]).reshape(len(rows), -1)


@host_only
def upper_boundary(problem: FiniteProblem, lams: ArrayLike) -> Floats:
    """Points of E that no policy is above: those of π_λ, for λ of either sign, (p, m + 1).

    Args:
        problem: any.
        lams: (p, m), or (p,) for one constraint.

    >>> base, r, g = np.full((1, 2), 0.5), [[1.0, 0.0]], [[0.0, 1.0]]
    >>> game = FiniteProblem(base, r, {"safe": g}, "safe>=0.5", beta=1.0)
    >>> upper_boundary(game, [1.0]).round(6).tolist()
    [[0.0, 0.5]]
    """
    array = np.asarray(lams, float)
    return image(problem, (problem.policy(lam) for lam in array.reshape(len(array), -1)))


@host_only
def lower_boundary(problem: FiniteProblem, u: ArrayLike) -> Floats:
    """The lowest t of E above each u, for one prompt and one constraint, (p,).

    r_KL is concave, so that it is lowest at an extreme point of the policies with that u: one that uses two
    responses only. NaN where no policy has that u. Every t between the boundaries is some policy's.

    Raises:
        ShapeError: more than one prompt, or not one constraint.

    >>> base, r, g = np.full((1, 2), 0.5), [[1.0, 0.0]], [[0.0, 1.0]]
    >>> game = FiniteProblem(base, r, {"safe": g}, "safe>=0.5", beta=1.0)
    >>> lower_boundary(game, [0.0, 0.9]).tolist()  # two responses: one policy for each u
    [0.5, nan]
    """
    if len(problem.base) != 1 or len(problem.g) != 1:
        what = f"the lower boundary is drawn for 1 prompt and 1 constraint, not {len(problem.base)} and "
        raise refusal(ShapeError, what + f"{len(problem.g)}")
    at, g, r, q = np.asarray(u, float), problem.g[0, 0], problem.reward[0], problem.base[0]
    # a single response: what g is the same for everywhere has nothing else
    lowest = np.full(at.shape, np.inf)
    for k in range(len(g)):
        alone = r[k] + problem.beta * np.log(q[k])
        lowest = np.where(np.abs(at - g[k]) <= 1e-12, np.minimum(lowest, alone), lowest)
    for i, j in combinations(range(len(g)), 2):
        if g[i] == g[j]:
            continue
        share = (at - g[j]) / (g[i] - g[j])  # of response i
        inside = (share >= -1e-12) & (share <= 1 + 1e-12)
        p = np.clip(share, 0.0, 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            kl = np.where(p > 0, p * np.log(p / q[i]), 0.0) + np.where(
                p < 1, (1 - p) * np.log((1 - p) / q[j]), 0.0
            )
        t = p * r[i] + (1 - p) * r[j] - problem.beta * kl
        lowest = np.where(inside, np.minimum(lowest, t), lowest)
    return np.where(np.isfinite(lowest), lowest, np.nan)
