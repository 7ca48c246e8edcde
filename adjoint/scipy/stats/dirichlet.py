"""The Dirichlet distribution on the simplex Σ x = 1, with concentrations alpha (K,)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ShapeError, refusal
from ...ops.abstract import Abstract
from ...ops.broadcast import reshape, sum_
from ...ops.device import as_array
from ...ops.elementwise import exp, minimum, where
from ...ops.gamma import gammaln
from ...ops.primitive import innermost, shape_of
from ...ops.special import xlogy
from ..theirs import theirs
from .common import floats

__all__ = ["logpdf", "pdf"]


def logpdf(x: Any, alpha: Any) -> Any:
    """Σ (α − 1) log x − Σ log Γ(α) + log Γ(Σ α).

    Args:
        x: (K,) or (K, N), columns on the simplex; the last row may be left out.
        alpha: (K,), > 0.

    Returns:
        0-d, or (N,).

    Raises:
        ShapeError: x has neither K nor K − 1 rows.
        ValueError: x is not on the simplex, or an alpha is not > 0 (not looked at in a compiled program).
    """
    x, alpha, column = _checked(x, alpha)
    return sum_(xlogy(column - 1, x), axis=(0,)) - _log_norm(alpha)


def pdf(x: Any, alpha: Any) -> Any:
    """The density; where an x is 0 a product of powers, with the derivatives of one."""
    x, alpha, column = _checked(x, alpha)
    edge = sum_(where(x == 0, 1.0, 0.0), axis=(0,)) > 0
    inner, border = where(edge, 0.5, x), where(edge, x, 1.0)
    log_norm = _log_norm(alpha)
    inside = exp(sum_(xlogy(column - 1, inner), axis=(0,)) - log_norm)
    factor = exp(minimum(where(edge, -log_norm, 0.0), 80.0))  # as in `ops.gamma.beta_density`
    return where(edge, np.prod(border ** (column - 1), axis=0) * factor, inside)


def _log_norm(alpha: Any) -> Any:
    """The logarithm of the integral of Π x^(α − 1) over the simplex."""
    return sum_(gammaln(alpha), axis=(0,)) - gammaln(sum_(alpha, axis=(0,)))


def _checked(x: Any, alpha: Any) -> tuple[Any, Any, Any]:
    """x with all its rows, alpha, and alpha as a column beside x."""
    x, alpha = floats(x, alpha)
    classes = shape_of(alpha)[0] if len(shape_of(alpha)) == 1 else -1
    rows = shape_of(x)[0] if shape_of(x) else -1
    if rows not in (classes, classes - 1) or rows < 1:
        what = f"dirichlet needs as many rows of x as there are alpha: {shape_of(x)}, alpha {shape_of(alpha)}"
        raise refusal(ShapeError, what, "alpha is (K,); x is (K,) or (K, N), or has K − 1 rows.")
    if rows == classes - 1:
        x = np.concatenate([x, 1 - np.sum(x, axis=0, keepdims=True)])
    values, concentrations = innermost(x), innermost(alpha)
    if type(concentrations) is not Abstract and not np.all(as_array(concentrations) > 0):
        raise ValueError("All parameters must be greater than 0")
    if type(values) is not Abstract:
        _check_simplex(as_array(values))
    return x, alpha, reshape(alpha, shape=(classes,) + (1,) * (len(shape_of(x)) - 1))


def _check_simplex(x: Any) -> None:
    tolerance = 1e-9 if x.dtype == np.float64 else 1e-5
    if np.any(x < 0) or np.any(x > 1):
        raise ValueError("each entry of x must lie in [0, 1]")
    if np.any(np.abs(np.sum(x, axis=0) - 1) > tolerance):
        raise ValueError("the entries of x must sum to 1 along its first axis")


__getattr__, __dir__ = theirs("stats.dirichlet", __all__)
