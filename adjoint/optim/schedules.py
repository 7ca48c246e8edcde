"""Learning rates that change: functions of the number of updates done, a 0-d float, 0 at the first update.

They are written without Python branches, so that a compiled update follows them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .base import Schedule


def constant(rate: float) -> Schedule:
    """The same rate at every step.

    >>> constant(0.1)(7.0)
    0.1
    """

    def schedule(step: Any) -> Any:
        return rate

    return schedule


def exponential(rate: float, decay: float, *, steps: float = 1.0) -> Schedule:
    """`rate` · decay^(step / steps).

    Args:
        rate: at step 0.
        decay: the factor that `steps` updates bring, > 0.
        steps: > 0.

    Raises:
        ValueError: steps is not positive.

    >>> float(exponential(1.0, 0.5, steps=10)(20.0))
    0.25
    """
    _positive("exponential", steps=steps)

    def schedule(step: Any) -> Any:
        return rate * decay ** (step / steps)

    return schedule


def cosine(rate: float, steps: float, *, end: float = 0.0) -> Schedule:
    """From `rate` to `end` along half a cosine of `steps` updates; `end` from there on.

    Args:
        rate: at step 0.
        steps: length of the descent, > 0.
        end: the last rate.

    Raises:
        ValueError: steps is not positive.

    Source: Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts.

    >>> [round(float(cosine(1.0, 4)(k)), 3) for k in (0.0, 1.0, 2.0, 4.0, 9.0)]
    [1.0, 0.854, 0.5, 0.0, 0.0]
    """
    _positive("cosine", steps=steps)

    def schedule(step: Any) -> Any:
        return end + (rate - end) * 0.5 * (1.0 + np.cos(math.pi * np.minimum(step / steps, 1.0)))

    return schedule


def warmup_cosine(rate: float, steps: float, *, warmup: float, end: float = 0.0) -> Schedule:
    """Up to `rate` in `warmup` equal stairs, then `cosine` down to `end` at `steps`.

    The first update already moves (by rate / warmup), the last of the warmup has the full rate.

    Args:
        rate: the highest.
        steps: length of the whole, warmup included.
        warmup: number of stairs, 0 < warmup < steps.
        end: the last rate.

    Raises:
        ValueError: warmup is not between 0 and steps.

    >>> [round(float(warmup_cosine(1.0, 6, warmup=2)(k)), 3) for k in (0.0, 1.0, 2.0, 4.0, 6.0)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    _positive("warmup_cosine", warmup=warmup, steps_after_warmup=steps - warmup)
    descent = cosine(rate, steps - warmup, end=end)

    def schedule(step: Any) -> Any:
        return np.where(step < warmup, rate * (step + 1.0) / warmup, descent(np.maximum(step - warmup, 0.0)))

    return schedule


def _positive(name: str, **lengths: float) -> None:
    for label, value in lengths.items():
        if not value > 0:
            raise ValueError(f"{name} needs {label.replace('_', ' ')} > 0, got {value!r}")
