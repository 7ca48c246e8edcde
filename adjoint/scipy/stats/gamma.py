"""The gamma distribution of shape a: y^(a−1) e^(−y) / Γ(a) on y ≥ 0, y = (x − loc)/scale."""

from __future__ import annotations

from typing import Any

from ...ops.gamma import gamma_density, gammainc, gammaln
from ...ops.primitive import RECORD
from ...ops.special import xlogy
from ..theirs import theirs
from .common import INFINITY, floats, per_scale, positive, standard, within

__all__ = ["cdf", "logpdf", "pdf"]


def _standard(x: Any, a: Any, loc: Any, scale: Any) -> tuple[Any, Any, Any]:
    x, a, loc, scale = floats(x, a, loc, scale)
    scale = positive(scale)
    return standard(x, loc, scale), positive(a), scale


def logpdf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """(a − 1) log y − y − log Γ(a) − log scale."""
    y, a, scale = _standard(x, a, loc, scale)

    def inside(y: Any) -> Any:
        return per_scale(xlogy(a - 1, y) - y - gammaln(a), scale)

    return within(y < 0, y, inside, inner=1.0, outer=-INFINITY, known=(a,))


def pdf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """The density; at y = 0 a power, with the derivatives of one."""
    y, a, scale = _standard(x, a, loc, scale)
    return within(y < 0, y, lambda y: gamma_density(RECORD, a, y) / scale, inner=1.0, outer=0.0, known=(a,))


def cdf(x: Any, a: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """The regularised lower incomplete gamma function of y; a has to be plain."""
    y, a, scale = _standard(x, a, loc, scale)
    return within(y < 0, y, lambda y: gammainc(a, y), inner=1.0, outer=0.0, known=(a,))


__getattr__, __dir__ = theirs("stats.gamma", __all__)
