"""The Laplace distribution: ½ e^(−|y|), y = (x − loc)/scale. At y = 0 the derivative in y is taken as 0."""

from __future__ import annotations

import math
from typing import Any

from ...ops.elementwise import absolute, exp
from ..theirs import theirs
from .common import floats, per_scale, positive, standard

__all__ = ["logpdf", "pdf"]


def logpdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """−|y| − log(2 scale)."""
    x, loc, scale = floats(x, loc, scale)
    scale = positive(scale)
    return per_scale(-absolute(standard(x, loc, scale)) - math.log(2), scale)


def pdf(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """The density."""
    return exp(logpdf(x, loc, scale))


__getattr__, __dir__ = theirs("stats.laplace", __all__)
