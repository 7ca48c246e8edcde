"""Polynomials as vectors of coefficients, the highest power's first, with NumPy's signatures.

A recorded coefficient that happens to be 0 stays where it is, since it has a derivative; NumPy drops zeros at
the front of some results.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import MissingRuleError, ShapeError, refusal
from ..ops.abstract import Abstract
from ..ops.broadcast import astype
from ..ops.polynomials import roots as roots_op
from ..ops.primitive import beside, dtype_of, innermost, shape_of
from .complexes import is_complex
from .convolution import convolve
from .creation import asarray, together
from .dispatch import implements
from .factorizations import eigvals
from .joining import concatenate
from .matrices import lstsq
from .reductions import floating
from .shaping import ndim_of


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """As np.polyval: Horner's rule, the highest power's coefficient first."""
    p, x = together((p, x))
    z = np.zeros_like(x)
    for k in range(shape_of(p)[0]):
        z = z * x + p[k] if k else z + p[k]
    return z


@implements(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """As np.vander."""
    if ndim_of(x) != 1:
        raise refusal(ShapeError, f"vander needs a vector, not {shape_of(x)}", "Flatten with np.ravel.")
    powers = beside(x).arange(shape_of(x)[0] if N is None else N)
    x = astype(x, dtype=np.promote_types(dtype_of(x), int))
    return x[:, None] ** (powers if increasing else powers[::-1])


@implements(np.roots)
def roots(p: Any) -> Any:
    """As np.roots; differentiable where they are simple."""
    p = _vector(p)
    if ndim_of(p) != 1:
        raise ValueError("Input must be a rank-1 array.")
    plain = innermost(p)
    if type(plain) is not Abstract:
        known = np.roots(plain)
        return roots_op(p, count=known.size, dtype=known.dtype) if known.size else known
    # which coefficients are zero, and which roots real, a compiled program does not know
    return roots_op(p, count=shape_of(p)[0] - 1, dtype=np.result_type(dtype_of(p), np.complex64))


# ------------------------------------------------------------------------------------------------- arithmetic
def _vector(p: Any) -> Any:
    """(n,) coefficients; a number is a constant polynomial."""
    return np.atleast_1d(asarray(p))


def _of_one_length(p: Any, q: Any) -> tuple[Any, Any]:
    """The two with zeros at the front of the shorter one."""
    p, q = map(_vector, together((p, q)))
    n = max(shape_of(p)[0], shape_of(q)[0])
    p, q = (concatenate([beside(x).zeros(n - shape_of(x)[0], dtype_of(x)), x]) for x in (p, q))
    return p, q


@implements(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    """As np.polyadd."""
    p, q = _of_one_length(a1, a2)
    return p + q


@implements(np.polysub)
def polysub(a1: Any, a2: Any) -> Any:
    """As np.polysub."""
    p, q = _of_one_length(a1, a2)
    return p - q


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """As np.polymul."""
    return convolve(_vector(a1), _vector(a2))


@implements(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    """As np.polyder."""
    if m < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    p = _vector(p)
    for _ in range(m):
        p = p[:-1] * beside(p).arange(shape_of(p)[0] - 1, 0, -1)
    return p


@implements(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """As np.polyint; differentiable in the constants of integration as well."""
    if m < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    k = np.zeros(1) if k is None else _vector(k)
    constants = [k[0]] * m if shape_of(k)[0] == 1 else [k[j] for j in range(shape_of(k)[0])]
    if len(constants) < m:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    p = floating(_vector(p))
    for constant in constants[:m]:
        highest = beside(p).arange(shape_of(p)[0], 0, -1)
        p = concatenate([p / highest, np.reshape(astype(constant, dtype=dtype_of(p)), (1,))])
    return p


@implements(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    """As np.poly: the polynomial with these roots, or the characteristic polynomial of a matrix."""
    zeros = _vector(seq_of_zeros)
    real = not is_complex(zeros)
    if ndim_of(zeros) == 2:
        zeros = eigvals(zeros)
    elif ndim_of(zeros) != 1:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    elif not real and type(plain := innermost(zeros)) is not Abstract:  # in pairs of conjugates
        real = bool(np.all(np.sort(plain) == np.sort(np.conjugate(plain))))
    zeros = floating(zeros)
    p = beside(zeros).ones(1, dtype_of(zeros))
    for k in range(shape_of(zeros)[0]):  # times x − zeros[k]
        lower = concatenate([p[1:], beside(zeros).zeros(1, dtype_of(zeros))]) - zeros[k] * p
        p = concatenate([p[:1], lower])
    return np.real(p) if real else p


@implements(np.polyfit)
def polyfit(
    x: Any, y: Any, deg: int, rcond: Any = None, full: bool = False, w: Any = None, cov: Any = False
) -> Any:
    """As np.polyfit without `full` and `cov`; differentiable in the places, the values and the weights."""
    if full or cov:
        remedy = "np.linalg.lstsq of np.vander(x, deg + 1) has residuals, rank and singular values."
        what = "np.polyfit with full= or cov= has no rule for recorded values"
        raise refusal(MissingRuleError, what, remedy)
    x, y = floating(asarray(x)), floating(asarray(y))
    if ndim_of(x) != 1 or ndim_of(y) not in (1, 2) or shape_of(y)[:1] != shape_of(x) or not shape_of(x)[0]:
        what = f"polyfit needs places (n,) and values (n,) or (n, k), not {shape_of(x)} and {shape_of(y)}"
        raise refusal(ShapeError, what)
    powers = vander(x, int(deg) + 1)
    if w is not None:
        w = asarray(w)
        powers, y = powers * w[:, None], y * (w[:, None] if ndim_of(y) == 2 else w)
    rcond = shape_of(x)[0] * np.finfo(dtype_of(x)).eps if rcond is None else rcond
    scale = np.sqrt(np.sum(powers * powers, axis=0))
    z = lstsq(powers / scale, y, rcond)[0]
    return z / (scale[:, None] if ndim_of(z) == 2 else scale)
