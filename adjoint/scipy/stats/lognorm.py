"""The lognormal distribution: log y is normal with standard deviation s, y = (x − loc)/scale > 0."""

from __future__ import annotations

from typing import Any

from ...ops.elementwise import exp, log
from ..theirs import theirs
from . import norm
from .common import INFINITY, floats, per_scale, positive, standard, within

__all__ = ["logpdf", "pdf"]


def logpdf(x: Any, s: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """−½ (log y / s)² − log(√(2π) s y scale)."""
    x, s, loc, scale = floats(x, s, loc, scale)
    scale, s = positive(scale), positive(s)
    y = standard(x, loc, scale)

    def inside(y: Any) -> Any:
        log_y = log(y)
        return per_scale(norm.logpdf(log_y, 0, s) - log_y, scale)

    return within(y <= 0, y, inside, inner=1.0, outer=-INFINITY, known=(s,))


def pdf(x: Any, s: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """The density."""
    return exp(logpdf(x, s, loc, scale))


__getattr__, __dir__ = theirs("stats.lognorm", __all__)
