"""`np.convolve` and `np.correlate`, and which part of a convolution a mode asks for."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError, refusal
from ..ops.broadcast import reshape
from ..ops.convolution import convolve as convolve_op
from ..ops.primitive import shape_of
from .complexes import conjugate
from .creation import together
from .dispatch import implements

MODES = ("full", "same", "valid")


def part_of(mode: str, n: int, m: int) -> tuple[int, int]:
    """The range of a convolution of lengths n and m that a mode keeps; `same` has length n.

    Raises:
        ValueError: another mode.
    """
    if mode not in MODES:
        raise ValueError(f"mode is 'full', 'same' or 'valid', not {mode!r}")
    if mode == "full":
        return 0, n + m - 1
    return ((m - 1) // 2, (m - 1) // 2 + n) if mode == "same" else (min(n, m) - 1, max(n, m))


def _vectors(name: str, a: Any, v: Any) -> tuple[Any, Any, int, int]:
    a, v = np.atleast_1d(*together((a, v)))
    if len(shape_of(a)) > 1 or len(shape_of(v)) > 1:
        what = f"{name} needs vectors, not {shape_of(a)} and {shape_of(v)}"
        raise refusal(ShapeError, what, "adjoint.scipy.signal.convolve takes arrays; np.ravel flattens.")
    (n,), (m,) = shape_of(a), shape_of(v)
    if not n or not m:
        raise ValueError(f"{'v' if n else 'a'} cannot be empty")
    return a, v, n, m


def _convolved(a: Any, v: Any, part: tuple[int, int]) -> Any:
    a, v = (reshape(x, shape=(1, 1, shape_of(x)[0])) for x in (a, v))
    return reshape(convolve_op(a, v, [part]), shape=(part[1] - part[0],))


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """As np.convolve."""
    a, v, n, m = _vectors("convolve", a, v)
    return _convolved(a, v, part_of(mode, max(n, m), min(n, m)))


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """As np.correlate."""
    a, v, n, m = _vectors("correlate", a, v)
    start, stop = part_of(mode, max(n, m), min(n, m))
    if mode == "same" and n < m:  # NumPy correlates v with a and turns the result round
        start, stop = n // 2, n // 2 + m
    return _convolved(a, conjugate(v)[::-1], (start, stop))
