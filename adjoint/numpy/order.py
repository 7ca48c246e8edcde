"""Sorting, and where values stand in order, with NumPy's signatures."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.elementwise import where as where_op
from ..ops.index import argmax as argmax_op
from ..ops.index import argmin as argmin_op
from ..ops.index import argsort as argsort_op
from ..ops.index import take_along_axis
from ..ops.primitive import innermost, shape_of
from ..ops.search import argpartition as argpartition_op
from ..ops.search import searchsorted as searchsorted_op
from .creation import asarray
from .dispatch import FUNCTIONS, implements, plain
from .scans import scan_axis
from .selecting import take


@implements(np.sort)
def sort(a: Any, axis: int | None = -1, kind: Any = None, *, stable: Any = None) -> Any:
    """As np.sort; each sorted element belongs to the element it came from (ties in the order of argsort)."""
    a, k = scan_axis(a, axis)
    return take_along_axis(a, argsort_op(a, axis=k, kind=kind, stable=stable), k)


@implements(np.argsort)
def argsort(a: Any, axis: int | None = -1, kind: Any = None, *, stable: Any = None) -> Any:
    """As np.argsort: integers, recorded so that a replay follows the values."""
    return argsort_op(a, axis=axis, kind=kind, stable=stable)


@implements(np.argmax)
def argmax(a: Any, axis: int | None = None, out: Any = None, *, keepdims: bool = False) -> Any:
    """As np.argmax."""
    return argmax_op(a, axis=axis, keepdims=keepdims)


@implements(np.argmin)
def argmin(a: Any, axis: int | None = None, out: Any = None, *, keepdims: bool = False) -> Any:
    """As np.argmin."""
    return argmin_op(a, axis=axis, keepdims=keepdims)


@implements(np.partition)
def partition(a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None) -> Any:
    """As np.partition; each element keeps its derivative."""
    a, k = scan_axis(a, axis)
    return take_along_axis(a, argpartition(a, kth, k, kind), k)


@implements(np.argpartition)
def argpartition(
    a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None
) -> Any:
    """As np.argpartition."""
    a, k = scan_axis(a, axis)
    kth = innermost(kth)
    return argpartition_op(a, kth=tuple(kth) if np.ndim(kth) else int(kth), axis=k, kind=kind)


def _searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """As np.searchsorted, recorded."""
    return searchsorted_op(a if sorter is None else take(a, sorter), asarray(v), side=side)


def _digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """As np.digitize, recorded: bins that fall are searched backwards."""
    rising = searchsorted_op(bins, asarray(x), side="left" if right else "right")
    falling = shape_of(bins)[0] - searchsorted_op(bins[::-1], asarray(x), side="right" if right else "left")
    return where_op(bins[0] <= bins[-1], rising, falling)


for _function, _traced in ((np.searchsorted, _searchsorted), (np.digitize, _digitize)):
    FUNCTIONS[_function] = plain(_function, _traced)
