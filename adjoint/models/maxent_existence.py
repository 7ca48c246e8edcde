"""Whether a max-entropy density exists: verdicts, and the linear programs that prove them.

Moments μ̂ (each missed by at most ε) are those of some distribution exactly if no direction u separates
them from the features: u·(f(x) − μ̂) + ε·|u| < 0 everywhere is a certificate that there is none. If such a u
reaches 0 on part of the support only, all mass has to lie there, and no density q·exp(λ·f) does.

Source: I. Csiszár and F. Matúš, "Generalized maximum likelihood estimates for exponential families", 2008.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

import numpy as np

from .base import Floats
from .maxent_supports import climb, tops

RESOLUTION = 1e-8  # below it, in units of the features' spread, inside and outside are not told apart


class Verdict(Enum):
    """What became of a max-entropy problem; a member's value is the message."""

    SOLVED = "solved: the moments hold to {primal:.0e}, and multipliers exist"
    INFEASIBLE = (
        "infeasible: no distribution on {support} has these moments; along the certificate u, u·f(x) stays "
        "at least {margin:.3g} below what the moments ask for"
    )
    BOUNDARY = (
        "on the boundary: u·f(x) ≤ u·μ̂ on all of {support}, so that the mass has to lie where equality holds "
        "({face}); no multipliers exist"
    )
    UNATTAINED = (
        "no maximiser: the supremum {bound:.6g} of {objective} is not attained. The density that comes "
        "closest lacks the certificate's part of the moments, which only vanishing mass at the ends of "
        "{support} could add"
    )
    UNBOUNDED = (
        "unbounded: no combination of the features makes a density on {support}; mass spreads without limit, "
        "and the entropy with it"
    )
    UNRESOLVED = (
        "not resolved: {lost:.0e} of the mass is nearer to an end of {support} than float64 numbers x are; "
        "move that end to 0, or use the named moments"
    )
    STEPS = "stopped after {steps} steps at moments that are off by {primal:.1e}; raise max_iter"
    STALLED = "no further progress after {steps} steps at moments that are off by {primal:.1e}"


class Separation(NamedTuple):
    """A direction u (k,), and by how much it separates; margin 0 is a face."""

    direction: Floats
    margin: float


def separation(rows: Floats, slack: Floats) -> Separation | None:
    """A direction that keeps 0 out of the relative interior of conv(rows) ± slack, or None.

    Args:
        rows: (n, k) features minus moments; a row may be scaled by a positive number, `slack` with it.
        slack: (n, k) how far the moments may be missed, ≥ 0.
    """
    # far rows by their length; not those next to 0, where a curved boundary touches
    size = np.maximum(np.linalg.norm(rows, axis=1), 1.0)
    rows, slack = rows / size[:, None], slack / size[:, None]
    n, k = rows.shape
    # u = a − b, |u| = a + b:  maximise m  s.t.  rows u + slack |u| + m ≤ 0,  0 ≤ a, b ≤ 1
    both = np.concatenate([rows + slack, slack - rows], axis=1)
    cost = np.zeros(2 * k + 1)
    cost[-1] = -1.0
    found = _program(cost, np.concatenate([both, np.ones((n, 1))], axis=1), k)
    margin = float(found[-1])
    if margin > RESOLUTION:
        return Separation(found[:k] - found[k : 2 * k], margin)
    found = _program(np.append(np.sum(both, axis=0), 0.0), np.append(both, np.zeros((n, 1)), axis=1), k)
    u = found[:k] - found[k : 2 * k]
    # inside but near the boundary, the program's tolerance leaves a short u
    if np.max(np.abs(u)) > 0.1:
        reach = rows @ u + slack @ np.abs(u)
        if np.min(reach) < -1e-6 and np.max(reach) <= RESOLUTION:
            return Separation(u, 0.0)
    return None


def _program(cost: Floats, matrix: Floats, k: int) -> Floats:
    from scipy.optimize import linprog

    options = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    bounds = [(0.0, 1.0)] * (2 * k) + [(0.0, 2.0)]
    found = linprog(cost, matrix, np.zeros(len(matrix)), bounds=bounds, method="highs", options=options)
    # 0 is feasible and everything is bounded, so there is an answer unless the solver gives up
    return np.asarray(found.x) if found.x is not None else np.zeros(2 * k + 1)


def separation_of_continuum(
    rows_at: Callable[[Floats], Floats], cells: Floats, extra: Floats, slack: Floats
) -> tuple[Separation, Floats, float] | None:
    """The same on a chart: programs over sample points, to which the worst violators are added.

    Args:
        rows_at: t (n,) → features minus moments (n, k), all finite.
        cells: (m, 2) cells of t.
        extra: (j, k) further rows: values at the ends of the support, and directions of growth there.
        slack: (k,).

    Returns:
        The separation, the t (n,) where it is tight, and the largest u·(f − μ̂) + ε·|u|.
    """
    t = np.mean(cells, axis=1)
    fine = np.sort(
        np.concatenate([c[0] + (c[1] - c[0]) * np.array([0.1, 0.3, 0.7, 0.9]) for c in cells] + [t])
    )
    for _ in range(40):
        rows = np.concatenate([rows_at(t), extra])
        found = separation(rows, np.broadcast_to(slack, rows.shape))
        if found is None:
            return None
        u = found.direction
        at, reach = _maxima(_along(rows_at, u, slack, scaled=True), fine)
        new = at[reach > RESOLUTION / 4]
        if not new.size:
            _, largest = _maxima(_along(rows_at, u, slack, scaled=False), fine)
            return found, at[reach > -1e-6], float(np.max(largest))
        t = np.concatenate([t, new])
    return None  # undecided: the dual's own steps will tell


def _along(
    rows_at: Callable[[Floats], Floats], u: Floats, slack: Floats, *, scaled: bool
) -> Callable[[Floats], Floats]:
    """t → u·(f − μ̂) + ε·|u|, over max(1, ‖f − μ̂‖) if scaled."""

    def function(t: Floats) -> Floats:
        rows = rows_at(t)
        reach: Floats = rows @ u + slack @ np.abs(u)
        size = np.maximum(np.linalg.norm(rows, axis=1), 1.0)
        return reach / size if scaled else reach

    return function


def _maxima(function: Callable[[Floats], Floats], fine: Floats) -> tuple[Floats, Floats]:
    """The largest local maxima of a function around the points of a fine grid: where, and how large."""
    reach = function(fine)
    where = tops(reach, 12)
    low, high = fine[np.maximum(where - 1, 0)], fine[np.minimum(where + 1, len(fine) - 1)]
    return climb(function, low, high, fine[where], reach[where], points=8, rounds=12)
