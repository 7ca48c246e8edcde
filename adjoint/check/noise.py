"""How exactly a function computes: its noise, from its own values and nothing else.

In a table of differences of equally spaced values the smooth part of a function dies out order by order,
while noise of size σ grows: the k-th differences of pure noise have the size σ √(2k over k).
Source: Moré and Wild, Estimating computational noise, SIAM J. Sci. Comput. 33 (2011), section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, sqrt

import numpy as np


def from_differences(values: Sequence[float]) -> float:
    """The noise in equally spaced values, by their third and higher differences.

    Twice the largest estimate is taken: too little noise makes false alarms, a little too much none.

    >>> smooth = [1 + 1e-4 * k + 1e-8 * k * k for k in range(5)]
    >>> from_differences(smooth) < 1e-15 < 1e-9 < from_differences([v + 1e-8 * (-1) ** k
    ...     for k, v in enumerate(smooth)])
    True
    """
    table = np.asarray(values, np.float64)
    if len(table) < 4 or not np.all(np.isfinite(table)):
        return 0.0
    estimates = []
    with np.errstate(over="ignore", invalid="ignore"):
        for order in range(1, len(table)):
            table = np.diff(table)
            if order >= 3:
                estimates.append(float(np.max(np.abs(table))) / sqrt(comb(2 * order, order)))
    return 2 * max(estimates)


def quantum_of(steps: np.ndarray, moved: np.ndarray, slope: float, curvature: float) -> float:
    """The size of the quanta of a function whose values are rounded; 0 when nothing speaks for that.

    Steps that do not move the value at all, beside larger ones that move it as the claimed slope says, to
    within one quantum, are what rounding to so many decimals looks like: no flat place has such neighbours.

    Args:
        steps: (2m,) signed steps along a line.
        moved: (2m,) change of the value.
        slope: the claimed derivative along the line.
        curvature: an estimate of the second derivative.
    """
    changed = np.abs(moved[moved != 0])
    if changed.size < 4 or changed.size == moved.size or slope == 0:
        return 0.0
    quantum = float(np.min(changed))
    if np.max(changed) < 4 * quantum:
        return 0.0
    gap = np.abs(moved - steps * slope)
    allowed = 2 * quantum + np.abs(curvature) * steps**2
    return quantum if bool(np.all(gap <= allowed)) else 0.0
