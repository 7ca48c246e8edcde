"""The exponential distribution: e^(−y) on y ≥ 0, y = (x − loc)/scale."""

from __future__ import annotations

from typing import Any

from ...ops.elementwise import exp
from ..theirs import theirs
from .common import INFINITY, floats, per_scale, positive, standard, within

__all__ = ["logpdf", "pdf"]


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """−y − log scale."""
    x, loc, scale = floats(x, loc, scale)
    scale = positive(scale)
    y = standard(x, loc, scale)
    return within(y < 0, y, lambda y: per_scale(-y, scale), inner=1.0, outer=-INFINITY)


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """The density."""
    return exp(logpdf(x, loc, scale))


__getattr__, __dir__ = theirs("stats.expon", __all__)
