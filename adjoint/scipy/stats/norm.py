"""The normal distribution: mean `loc`, standard deviation `scale`."""

from __future__ import annotations

import math
from typing import Any

from ...ops.elementwise import exp, square
from ...ops.special import log_ndtr, ndtr
from ..theirs import theirs
from .common import floats, per_scale, positive, standard

__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def _standard(x: Any, loc: Any, scale: Any) -> tuple[Any, Any]:
    x, loc, scale = floats(x, loc, scale)
    scale = positive(scale)
    return standard(x, loc, scale), scale


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """−½ y² − log(√(2π) scale), y = (x − loc)/scale.

    >>> ad.grad(logpdf, (0, 1, 2))(3.0, 1.0, 2.0)
    (np.float64(-0.5), np.float64(0.5), np.float64(0.0))
    """
    y, scale = _standard(x, loc, scale)
    return per_scale(-0.5 * square(y) - HALF_LOG_2PI, scale)


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """The density."""
    return exp(logpdf(x, loc, scale))


def cdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Φ(y)."""
    return ndtr(_standard(x, loc, scale)[0])


def sf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """1 − Φ(y), with its digits in the tail."""
    return ndtr(-_standard(x, loc, scale)[0])


def logcdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """log Φ(y), with its digits and those of its derivatives in both tails."""
    return log_ndtr(_standard(x, loc, scale)[0])


def logsf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """log(1 − Φ(y)), likewise."""
    return log_ndtr(-_standard(x, loc, scale)[0])


__getattr__, __dir__ = theirs("stats.norm", __all__)
