"""Few numbers for many: norm, range and histogram of a value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..ops.abstract import Abstract
from ..ops.primitive import innermost, parts
from ..sweeps.pairing import length
from .graph import Numbers

BINS = 10


def numbers_of(x: Any, histogram: bool = True) -> Numbers | None:
    """What is shown of a value, or of λ; None for what has no numbers (a trace's shapes, nothing).

    Args:
        x: a number, array, tuple of these (several results; None is zero), or a Variable of an older tape.
        histogram: count elements in ten bins, which costs twenty times the norm of a small array.
    """
    if type(x) is float or type(x) is np.float64:
        value = float(x)
        if not math.isfinite(value):
            return Numbers(abs(value), math.nan, math.nan, 1, False)
        return Numbers(abs(value), value, value)
    if x is None:
        return None
    pieces = [innermost(p) for p in parts(x) if p is not None]
    if not pieces or any(isinstance(p, Abstract) for p in pieces):
        return None
    flat = [np.ravel(p) for p in pieces]
    whole = flat[0] if len(flat) == 1 else np.concatenate([f.astype(np.complex128) for f in flat])
    return _of_array(whole, histogram)


def _of_array(x: np.ndarray, histogram: bool) -> Numbers:
    norm = length(x)
    real = x.real if x.dtype.kind == "c" else x
    if x.dtype.kind == "b":
        real = x.astype(np.uint8)
    finite = math.isfinite(norm) or bool(np.isfinite(x).all())
    if not finite:
        real = real[np.isfinite(real)]
    if not real.size:
        return Numbers(norm, math.nan, math.nan, x.size, finite)
    low, high = float(real.min()), float(real.max())
    bins: tuple[int, ...] = ()
    if histogram and high > low:
        # by hand: np.histogram refuses a range that is too small for its steps
        with np.errstate(all="ignore"):
            step = (real.astype(np.float64) - low) / (high - low)
        where = np.clip(np.nan_to_num(step, nan=0.5) * BINS, 0, BINS - 1).astype(np.intp)
        bins = tuple(np.bincount(where, minlength=BINS).tolist())
    return Numbers(norm, low, high, x.size, finite, bins)


def text_of(x: float) -> str:
    """A number in three digits, with a true minus sign."""
    return f"{x:.3g}".replace("-", "−")


def sizes_text(shape: Sequence[int]) -> str:
    """`50×3`; empty for a scalar."""
    return "×".join(map(str, shape))


def kind_text(shape: Sequence[int], dtype: Any) -> str:
    """Shape and dtype: `50×3 float64`."""
    return f"{sizes_text(shape)} {dtype}".strip()
