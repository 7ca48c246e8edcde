"""The von Mises distribution on the circle: e^(κ cos y) / (2π I₀(κ)), y = (x − loc)/scale, κ ≥ 0."""

from __future__ import annotations

import math
from typing import Any

from ...ops.elementwise import exp, log, sin, square, where
from ...ops.gamma import i0, i0e
from ..theirs import theirs
from .common import floats, nonnegative, per_scale, positive, standard

__all__ = ["logpdf", "pdf"]


def logpdf(x: Any, kappa: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """κ (cos y − 1) − log(2π e^(−κ) I₀(κ)) − log scale: each part keeps its digits where κ is large."""
    x, kappa, loc, scale = floats(x, kappa, loc, scale)
    scale, kappa = positive(scale), nonnegative(kappa)
    y = standard(x, loc, scale)
    # e^(−|κ|) has no derivative at 0, I₀ and e^(−κ) have
    small = kappa < 1
    log_scaled = where(small, log(i0(where(small, kappa, 0.0))) - kappa, log(i0e(where(small, 1.0, kappa))))
    return per_scale(-2 * kappa * square(sin(0.5 * y)) - log_scaled - math.log(2 * math.pi), scale)


def pdf(x: Any, kappa: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """The density."""
    return exp(logpdf(x, kappa, loc, scale))


__getattr__, __dir__ = theirs("stats.vonmises", __all__)
