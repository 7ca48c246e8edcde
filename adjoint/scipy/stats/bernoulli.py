"""The Bernoulli distribution: 1 with probability p, else 0."""

from __future__ import annotations

from typing import Any

from ...ops.elementwise import exp
from ...ops.special import xlog1py, xlogy
from ..theirs import theirs
from .common import INFINITY, counted, either, floats, probability, standard, within

__all__ = ["logpmf", "pmf"]


def logpmf(k: Any, p: Any, loc: Any = 0) -> Any:
    """k log p + (1 − k) log(1 − p) for k − loc in {0, 1}; derivative 0 in k."""
    k, p, loc = floats(k, p, loc)
    k, broken = counted(standard(k, loc, 1))
    p = probability(p)
    return within(
        either(broken, k < 0, k > 1),
        k,
        lambda k: xlogy(k, p) + xlog1py(1 - k, -p),
        inner=0.0,
        outer=-INFINITY,
        known=(p,),
    )


def pmf(k: Any, p: Any, loc: Any = 0) -> Any:
    """The probability."""
    return exp(logpmf(k, p, loc))


__getattr__, __dir__ = theirs("stats.bernoulli", __all__)
