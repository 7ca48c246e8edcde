"""The multivariate normal distribution: mean (d,), covariance (d, d)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...errors import ShapeError, refusal
from ...ops.broadcast import reshape, sum_
from ...ops.elementwise import absolute, exp, log, rint, square, where
from ...ops.factorize import cholesky
from ...ops.linalg import diagonal_part, solve_triangular
from ...ops.primitive import beside, dtype_of, shape_of
from ...ops.products import matmul
from ...ops.pseudoinverse import log_pseudo_determinant, pseudo_inverse
from ...ops.reduce import max_, norm
from ...ops.shape import swap_last
from ..theirs import theirs
from .common import floats

__all__ = ["entropy", "logpdf", "pdf"]

LOG_2PI = math.log(2 * math.pi)


def logpdf(x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
    """−½ (x − mean)ᵀ cov⁻¹ (x − mean) − ½ log det(2π cov).

    Args:
        x: (…, d); for d = 1 also (…).
        mean: (d,); 0 by default.
        cov: (d, d) symmetric positive definite, or its diagonal (d,), or one variance for all. Of a matrix
            the symmetric part counts, so that the derivative in it is symmetric.
        allow_singular: let cov be semidefinite: the density on its range, and −∞ where x − mean leaves it.
            The derivative in cov is that along which its rank stays.

    Returns:
        One number per x, axes of length one removed, as SciPy does.

    Raises:
        LinAlgError: cov is not positive definite (semidefinite with allow_singular is not looked at).
        ShapeError: mean, cov and x do not fit.

    >>> logpdf(np.zeros(2), np.zeros(2), np.eye(2)) + math.log(2 * math.pi)
    np.float64(0.0)
    """
    mean, cov, dim = _parameters(mean, cov, x)
    deviation = _quantiles(x, dim) - mean
    batch = shape_of(deviation)[:-1]
    flat = reshape(deviation, shape=(math.prod(batch), dim))
    z = _singular(flat, cov) if allow_singular else _regular(flat, cov)
    return reshape(z, shape=tuple(n for n in batch if n != 1))


def pdf(x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
    """The density; arguments as for `logpdf`."""
    return exp(logpdf(x, mean, cov, allow_singular))


def entropy(mean: Any = None, cov: Any = 1) -> Any:
    """½ log det(2πe cov), cov positive definite; it does not depend on the mean.

    >>> entropy(cov=np.eye(2))
    np.float64(2.8378770664093453)
    """
    _, cov, dim = _parameters(mean, cov)
    return sum_(log(diagonal_part(cholesky(cov))), axis=(0,)) + 0.5 * dim * (1 + LOG_2PI)


def _regular(deviation: Any, cov: Any) -> Any:
    factor = cholesky(cov)
    half = solve_triangular(factor, swap_last(deviation), lower=True, transposed=False, unit=False)
    log_root = sum_(log(diagonal_part(factor)), axis=(0,))
    return -0.5 * sum_(square(half), axis=(0,)) - log_root - 0.5 * LOG_2PI * shape_of(deviation)[1]


def _singular(deviation: Any, cov: Any) -> Any:
    inverse = pseudo_inverse(cov)
    projector = matmul(cov, inverse)
    rank = rint(sum_(diagonal_part(projector), axis=(0,)))  # a whole number, without derivative
    inside = matmul(deviation, inverse)
    outside = norm(deviation - matmul(deviation, projector), axis=(1,))
    z = -0.5 * (sum_(inside * deviation, axis=(1,)) + log_pseudo_determinant(cov) + LOG_2PI * rank)
    kind = dtype_of(cov)
    reach = (1e6 if kind == np.float32 else 1e9) * np.finfo(kind).eps * max_(absolute(cov), axis=(0, 1))
    return where(outside < reach, z, -math.inf)


def _parameters(mean: Any, cov: Any, *points: Any) -> tuple[Any, Any, int]:
    """Mean as (d,), covariance as (d, d), and d; what is made of numbers lies where the points are."""
    if mean is None:
        (cov,) = floats(cov)
        mean = beside(cov, *points).zeros(shape_of(cov)[:1] or 1, dtype_of(cov))
    mean, cov = floats(mean, cov)
    dim = math.prod(shape_of(mean))
    mean = reshape(mean, shape=(dim,))
    if len(shape_of(cov)) < 2:
        cov = cov * beside(cov, mean, *points).eye(*(shape_of(cov) or (dim,)), dtype=dtype_of(cov))
    if shape_of(cov) != (dim, dim):
        what = f"multivariate_normal needs a square covariance of the mean's size {dim}: {shape_of(cov)}"
        raise refusal(ShapeError, what, "cov is (d, d), (d,) or a number; mean is (d,).")
    return mean, cov, dim


def _quantiles(x: Any, dim: int) -> Any:
    """Points as (…, d); plain numbers are points of the line."""
    (x,) = floats(x)
    shape = shape_of(x)
    if len(shape) < 2:
        x = reshape(x, shape=(math.prod(shape), 1) if dim == 1 else (1, *shape))
    if shape_of(x)[-1] != dim:
        what = f"multivariate_normal in {dim} dimensions needs x (…, {dim}): {shape}"
        raise refusal(ShapeError, what, "The last axis of x holds the coordinates of one point.")
    return x


__getattr__, __dir__ = theirs("stats.multivariate_normal", __all__)
