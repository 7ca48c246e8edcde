"""Does a result agree with the truth: references that use none of the libraries, and deviations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from programs import leaves, map_leaves

Result = Any  # a container of arrays and numbers; None at the top level for a part that is not computed


def complex_step(f: Callable[..., Any], args: Sequence[Any]) -> Result:
    """Value and gradients of an analytic NumPy function in float64, exact to rounding: Im f(x + ihe_k) / h.

    One call per element of the arguments.
    Source: Squire and Trapp 1998, SIAM Review 40(1).
    """
    h = 1e-40
    gradients = []
    for k, x in enumerate(args):
        x = np.asarray(x, np.float64)
        gradient = np.zeros(x.size)
        for j in range(x.size):
            moved = x.astype(complex).ravel()
            moved[j] += 1j * h
            inner = [moved.reshape(x.shape)[()] if i == k else a for i, a in enumerate(args)]
            gradient[j] = np.imag(f(*inner)) / h
        gradients.append(gradient.reshape(x.shape))
    return f(*args), gradients


def plain(x: Any) -> np.ndarray:
    """Any library's array as NumPy's, in float64."""
    return np.asarray(x.detach() if hasattr(x, "detach") else x, np.float64)


def deviation(found: Result, reference: Result) -> float:
    """The largest |found − reference|, relative to each array's largest element; skips None."""
    if any(part is None for part in (*found, *reference)):
        both = [(a, b) for a, b in zip(found, reference, strict=True) if a is not None and b is not None]
        found, reference = [list(parts) for parts in zip(*both, strict=True)]
    ours, theirs = leaves(found), leaves(reference)
    if len(ours) != len(theirs):
        return math.inf
    worst = 0.0
    for a, b in zip(map(plain, ours), map(plain, theirs), strict=True):
        if a.shape != b.shape or not np.all(np.isfinite(a)):
            return math.inf
        size = max(float(np.max(np.abs(b), initial=0)), 1e-300)
        worst = max(worst, float(np.max(np.abs(a - b), initial=0)) / size)
    return worst


# ----------------------------------------------------------------------------- differences of the program
def moved(parameters: Any, *steps: tuple[float, Any]) -> Any:
    """The container parameters + Σ h·v; integers and Python numbers in it stay."""
    found = iter([plain(a) for a in leaves(parameters)])
    directions = [(h, iter(leaves(v))) for h, v in steps]
    return map_leaves(lambda _: next(found) + sum(h * next(v) for h, v in directions), parameters)


def direction(parameters: Any, seed: int) -> Any:
    """A random container of the same shapes, each array of the size of its parameter."""
    rng = np.random.default_rng(seed)
    return map_leaves(
        lambda a: rng.normal(size=np.shape(a)) * (np.std(a) + 0.1 * np.mean(np.abs(a))), parameters
    )


def inner(a: Any, b: Any) -> tuple[float, float]:
    """⟨a, b⟩ over all arrays, and the sum of what is typical: |a| |b| / √size."""
    pairs = [(plain(x), plain(y)) for x, y in zip(leaves(a), leaves(b), strict=True)]
    sizes = [np.linalg.norm(x) * np.linalg.norm(y) / math.sqrt(max(x.size, 1)) for x, y in pairs]
    return float(sum(np.sum(x * y) for x, y in pairs)), float(sum(sizes))


def along(f: Callable[..., Any], parameters: Any, v: Any, h: float = 1e-4) -> Any:
    """The derivative of f along v by a five-point difference in float64; of fourth order in h."""
    at = {k: plain(f(*moved(parameters, (k * h, v)))) for k in (-2, -1, 1, 2)}
    return (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * h)


def mixed(f: Callable[..., Any], parameters: Any, u: Any, v: Any, h: float = 1e-3) -> float:
    """uᵀ (second derivative of f) v by four values; of second order in h."""
    signs = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
    return sum(s * t * float(f(*moved(parameters, (s * h, u), (t * h, v)))) for s, t in signs) / (4 * h * h)
