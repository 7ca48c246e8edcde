"""The binomial distribution: k successes in n trials of probability p."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ops.elementwise import exp, log1p, where
from ...ops.gamma import betaln
from ...ops.special import xlog1py, xlogy
from ..theirs import theirs
from .common import INFINITY, counted, either, floats, probability, standard, within

__all__ = ["logpmf", "pmf"]


def logpmf(k: Any, n: Any, p: Any, loc: Any = 0) -> Any:
    """log C(n, k) + k log p + (n − k) log(1 − p) for k − loc in 0 … n; derivative 0 in k and n."""
    k, n, p, loc = floats(k, n, p, loc)
    k, broken = counted(standard(k, loc, 1))
    n, no_number = counted(n)
    n = where(either(no_number, n < 0), np.nan, n)
    p = probability(p)

    def inside(k: Any) -> Any:
        choices = -betaln(1 + k, 1 + n - k) - log1p(n)
        return choices + xlogy(k, p) + xlog1py(n - k, -p)

    return within(either(broken, k < 0, k > n), k, inside, inner=0.0, outer=-INFINITY, known=(n, p))


def pmf(k: Any, n: Any, p: Any, loc: Any = 0) -> Any:
    """The probability."""
    return exp(logpmf(k, n, p, loc))


__getattr__, __dir__ = theirs("stats.binom", __all__)
