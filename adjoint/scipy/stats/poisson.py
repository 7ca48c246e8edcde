"""The Poisson distribution of mean mu ≥ 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ops.broadcast import astype
from ...ops.elementwise import exp, floor
from ...ops.gamma import gammaincc, gammaln
from ...ops.primitive import dtype_of
from ...ops.special import xlogy
from ..theirs import theirs
from .common import INFINITY, counted, either, floats, nonnegative, standard, within

__all__ = ["cdf", "logpmf", "pmf"]


def logpmf(k: Any, mu: Any, loc: Any = 0) -> Any:
    """k log mu − log k! − mu for k − loc in 0, 1, …; derivative 0 in k."""
    k, mu, loc = floats(k, mu, loc)
    k, broken = counted(standard(k, loc, 1))
    mu = nonnegative(mu)
    return within(
        either(broken, k < 0),
        k,
        lambda k: xlogy(k, mu) - gammaln(k + 1) - mu,
        inner=0.0,
        outer=-INFINITY,
        known=(mu,),
    )


def pmf(k: Any, mu: Any, loc: Any = 0) -> Any:
    """The probability."""
    return exp(logpmf(k, mu, loc))


def cdf(k: Any, mu: Any, loc: Any = 0) -> Any:
    """The regularised upper incomplete gamma function of floor(k − loc) + 1 and mu; derivative 0 in k."""
    k, mu, loc = floats(k, mu, loc)
    k, mu = floor(standard(k, loc, 1)), nonnegative(mu)

    def inside(k: Any) -> Any:
        whole = astype(
            k, dtype=np.dtype(np.int64)
        )  # what is counted has no derivative, nor does gammaincc ask
        return gammaincc(whole + 1, mu)

    kind = np.result_type(dtype_of(k), dtype_of(mu))
    z = within(k < 0, k, inside, inner=0.0, outer=0.0, known=(mu,))
    return z if dtype_of(z) == kind else astype(z, dtype=kind)


__getattr__, __dir__ = theirs("stats.poisson", __all__)
