"""Student's t distribution with df degrees of freedom, shifted by `loc` and stretched by `scale`."""

from __future__ import annotations

from typing import Any

from ...ops.elementwise import exp
from ...ops.gamma import log_stdtr, stdtr, t_log_density
from ...ops.primitive import RECORD
from ..theirs import theirs
from .common import floats, per_scale, positive, standard

__all__ = ["cdf", "logcdf", "logpdf", "pdf"]


def _standard(x: Any, df: Any, loc: Any, scale: Any) -> tuple[Any, Any, Any]:
    x, df, loc, scale = floats(x, df, loc, scale)
    scale = positive(scale)
    return standard(x, loc, scale), positive(df), scale


def logpdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """−½ (df + 1) log(1 + y²/df) − ½ log df − log B(½ df, ½) − log scale; df finite."""
    y, df, scale = _standard(x, df, loc, scale)
    return per_scale(t_log_density(RECORD, df, y), scale)


def pdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """The density."""
    return exp(logpdf(x, df, loc, scale))


def cdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """The distribution function; df has to be plain."""
    y, df, _ = _standard(x, df, loc, scale)
    return stdtr(df, y)


def logcdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Any:
    """Its logarithm, also where the distribution function is too small for a float; df has to be plain."""
    y, df, _ = _standard(x, df, loc, scale)
    return log_stdtr(df, y)


__getattr__, __dir__ = theirs("stats.t", __all__)
