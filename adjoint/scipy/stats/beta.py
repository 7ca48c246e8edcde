"""The beta distribution: y^(a−1) (1−y)^(b−1) / B(a, b) on 0 ≤ y ≤ 1, y = (x − loc)/scale."""

from __future__ import annotations

from typing import Any

from ...ops.elementwise import indicator
from ...ops.gamma import beta_density, betainc, betaln
from ...ops.primitive import RECORD
from ...ops.special import xlog1py, xlogy
from ..theirs import theirs
from .common import INFINITY, either, floats, per_scale, positive, standard, within

__all__ = ["cdf", "logpdf", "pdf"]


def _standard(x: Any, a: Any, b: Any, loc: Any, scale: Any) -> tuple[Any, Any, Any, Any]:
    x, a, b, loc, scale = floats(x, a, b, loc, scale)
    scale = positive(scale)
    return standard(x, loc, scale), positive(a), positive(b), scale


def logpdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """(a − 1) log y + (b − 1) log(1 − y) − log B(a, b) − log scale."""
    y, a, b, scale = _standard(x, a, b, loc, scale)

    def inside(y: Any) -> Any:
        return per_scale(xlogy(a - 1, y) + xlog1py(b - 1, -y) - betaln(a, b), scale)

    return within(either(y < 0, y > 1), y, inside, inner=0.5, outer=-INFINITY, known=(a, b))


def pdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """The density; at 0 and 1 a power, with the derivatives of one."""
    y, a, b, scale = _standard(x, a, b, loc, scale)

    def inside(y: Any) -> Any:
        return beta_density(RECORD, a, b, y) / scale

    return within(either(y < 0, y > 1), y, inside, inner=0.5, outer=0.0, known=(a, b))


def cdf(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """The regularised incomplete beta function of y; a and b have to be plain."""
    y, a, b, scale = _standard(x, a, b, loc, scale)
    beyond = either(y < 0, y > 1)
    return within(beyond, y, lambda y: betainc(a, b, y), inner=0.5, outer=indicator(y > 1, y), known=(a, b))


__getattr__, __dir__ = theirs("stats.beta", __all__)
