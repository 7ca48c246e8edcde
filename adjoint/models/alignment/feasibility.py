"""Whether any policy meets all constraints: min over the simplex of h(u) = E_x max_k uᵀ(g − b).

By duality h* = min h is the largest margin t with E g ≥ b + t for some policy over the responses at hand. A u
with h(u) < 0 proves that there is none (Farkas); h* > 0 that some policy satisfies all strictly (Slater).
Each utility is measured in its range within prompts, so that units change no verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..base import Floats


class Margin(NamedTuple):
    """The largest margin, between two bounds.

    Attributes:
        u: (m,) in the simplex, h(u) = high.
        low, high: h* lies between.
    """

    u: Floats
    low: float
    high: float


@dataclass(frozen=True)
class Infeasibility:
    """Why no policy meets the constraints, and how far they are off.

    Attributes:
        weights: u, name → number ≥ 0, adding to 1: a Farkas certificate. Whoever chooses, for every prompt,
            the responses with the largest uᵀg gets `achievable`, and nobody gets more.
        achievable: max over policies of uᵀE g; `best` for u one constraint alone.
        required: uᵀb > achievable.
        best: name → the largest E g of that utility alone.
        levels: name → b, absolute.
        nearest: name → the nearest feasible level: all lowered by one share of the utility's range within
            prompts (E max g − E min g), the least that helps.
        samples: the responses per prompt, fewest and most: the verdict holds on these.
        budget: κ, where policies are limited by it.
    """

    weights: dict[str, float]
    achievable: float
    required: float
    best: dict[str, float]
    levels: dict[str, float]
    nearest: dict[str, float]
    samples: tuple[int, int]
    budget: float | None = None

    def __repr__(self) -> str:
        low, high = self.samples
        each = f"{low}" if low == high else f"{low} to {high}"
        within = f" with KL ≤ {self.budget:g}" if self.budget is not None else ""
        mix = " + ".join(f"{u:.4g}·{name}" for name, u in self.weights.items() if u > 0)
        lines = [
            f"on these samples ({each} responses per prompt) no policy{within} meets all constraints:",
            f"  E[{mix}] is at most {self.achievable:.6g}; the constraints need {self.required:.6g}",
        ]
        for name, level in self.levels.items():
            lines.append(
                f"  {name}: required {level:.6g}, alone at most {self.best[name]:.6g}, "
                f"nearest feasible {self.nearest[name]:.6g}"
            )
        return "\n".join(lines)


def largest_margin(
    h: Callable[[Floats], tuple[float, Floats]], size: int, tolerance: float, limit: int = 1000
) -> Margin:
    """min h over the simplex by cutting planes: the largest sᵀu over subgradients s seen bounds h(u) below.

    Args:
        h: u ↦ value and subgradient; positively homogeneous, so that h(u) = sᵀu.
        size: m ≥ 1.
        tolerance: of the bounds' distance; enough is also to know that h* > 0, or a negative one to 1e-6.
        limit: evaluations at most.
    """
    from scipy.optimize import linprog

    best, high = np.full(size, 1 / size), np.inf
    cuts: list[Floats] = []
    starts = [*np.eye(size), best] if size > 1 else [best]
    trial, low = best, -np.inf
    for k in range(limit):
        u = starts[k] if k < len(starts) else trial
        value, slope = h(u)
        cuts.append(slope)
        if value < high:
            best, high = u, value
        if size == 1:
            return Margin(best, value, value)
        if k < len(starts) - 1:
            continue
        # min τ s.t. sᵀu ≤ τ for all cuts, u in the simplex
        rows = np.column_stack([np.array(cuts), -np.ones(len(cuts))])
        found = linprog(
            np.append(np.zeros(size), 1.0), A_ub=rows, b_ub=np.zeros(len(cuts)),
            A_eq=np.append(np.ones(size), 0.0)[None], b_eq=[1.0],
            bounds=[(0, None)] * size + [(None, None)],
        )  # fmt: skip
        trial, low = found.x[:size], float(found.fun)
        if high - low <= tolerance or low > tolerance or (high < 0 and high - low <= -1e-6 * high):
            break
    return Margin(best, low, high)
