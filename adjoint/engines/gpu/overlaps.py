"""Which arguments lie in the same memory: a result that is written over one of them would change another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def overlapping(arrays: Sequence[Any], ndarray: type[Any]) -> set[int]:
    """Positions of the arrays that share memory with another.

    Args:
        arrays: of the device, in C order; what is no `ndarray` is passed over.
        ndarray: the class of the device's arrays.
    """
    spans = sorted(
        (x.data.ptr, x.data.ptr + x.nbytes, k) for k, x in enumerate(arrays) if type(x) is ndarray and x.size
    )
    found: set[int] = set()
    end, last = 0, -1  # the furthest end so far, and whose it is
    for start, stop, k in spans:
        if start < end:
            found |= {k, last}
        if stop > end:
            end, last = stop, k
    return found
