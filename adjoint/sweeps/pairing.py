"""The pairing of multipliers with perturbations, ⟨λ, ż⟩ = Re Σ λ ż, and norms and directions to go with it.

λ and ż may be complex (no conjugation: then every adjoint rule is a plain transpose), float32, or tuples (a
node with several results) in which None is zero. Sums are taken in double precision.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ops.primitive import beside, dtype_of, innermost, parts, plain_on_host, shape_of


def default_rng() -> np.random.Generator:
    """The source of the checks' directions: fixed, and not that of anyone's data.

    A point drawn from the same seed would be its own direction, along which some faults do not show.
    """
    return np.random.default_rng((1797, 1761))


def pairing(lam: Any, z_dot: Any) -> float:
    """⟨λ, ż⟩ = Re Σ λ ż."""
    return pairing_and_size(lam, z_dot)[0]


def pairing_and_size(lam: Any, z_dot: Any) -> tuple[float, float]:
    """⟨λ, ż⟩, and the size of its terms Σ |λ_k ż_k|: what rounding is to be measured against."""
    products = [
        np.multiply(in_double(a), in_double(b))
        for a, b in zip(parts(lam), parts(z_dot), strict=False)
        if a is not None and b is not None
    ]
    return sum(float(np.sum(p.real)) for p in products), sum(float(np.sum(np.abs(p))) for p in products)


def length(x: Any) -> float:
    """The Euclidean norm ‖x‖ of a value, recorded or not, in double precision; 0 for None."""
    kind = type(x)
    if kind is float or kind is np.float64:
        return abs(float(x))
    if x is None:
        return 0.0
    if isinstance(x, tuple):
        return math.hypot(*[length(innermost(p)) for p in x])
    x = np.asarray(plain_on_host(x))
    if x.dtype.kind == "c":
        x = np.abs(x)
    if x.dtype != np.float64:
        x = x.astype(np.float64)
    x = x.ravel()
    square = float(np.dot(x, x))
    if 1e-280 < square < math.inf:  # below, the squares of some entries have lost their digits
        return math.sqrt(square)
    largest = float(np.abs(x).max(initial=0.0))  # squares of large and of tiny numbers leave the range
    if not largest or not math.isfinite(largest):
        return largest
    return largest * math.sqrt(float(np.dot(x / largest, x / largest)))


def direction_like(z: Any, rng: np.random.Generator) -> Any:
    """A random direction in z's shape and dtype, where z is; None for integers and booleans."""
    if isinstance(z, tuple):
        return tuple(direction_like(part, rng) for part in z)
    kind = dtype_of(z)
    if kind.kind not in "fc":
        return None
    v = rng.standard_normal(shape_of(z))
    v = np.asarray(v + 1j * rng.standard_normal(shape_of(z)) if kind.kind == "c" else v, kind)
    return beside(z).asarray(v)[()]


def in_double(x: Any) -> np.ndarray:
    """x as an array of float64 or complex128."""
    x = np.asarray(plain_on_host(x))
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64, copy=False)
