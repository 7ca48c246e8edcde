"""The χ² distribution with df degrees of freedom: a gamma distribution of shape ½ df and twice the scale."""

from __future__ import annotations

from typing import Any

from ..theirs import theirs
from . import gamma
from .common import floats

__all__ = ["cdf", "logpdf", "pdf"]


def _as_gamma(x: Any, df: Any, loc: Any, scale: Any) -> tuple[Any, Any, Any, Any]:
    x, df, loc, scale = floats(x, df, loc, scale)
    return x, 0.5 * df, loc, 2 * scale


def logpdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """(½ df − 1) log ½y − ½y − log Γ(½ df) − log(2 scale), y = (x − loc)/scale ≥ 0."""
    return gamma.logpdf(*_as_gamma(x, df, loc, scale))


def pdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """The density."""
    return gamma.pdf(*_as_gamma(x, df, loc, scale))


def cdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """The distribution function; df has to be plain."""
    return gamma.cdf(*_as_gamma(x, df, loc, scale))


__getattr__, __dir__ = theirs("stats.chi2", __all__)
