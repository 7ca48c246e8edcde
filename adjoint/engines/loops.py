"""The loops of a kernel: which item runs in which of them, and what all writers ask about items."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .regions import FULL, OUT, REDUCTIONS, ROW
from .spec import DEAR, Item, Spec
from .text import F64, Term, TextReading

MAP, MATRIX, VECTOR = "map", "matrix", "vector"  # loops over elements, over rows and columns, over rows


@dataclass
class Loop:
    """One loop of a kernel and what runs in it."""

    kind: str
    items: list[int]


def schedule(spec: Spec) -> tuple[list[Loop], list[int]]:
    """Every item in the earliest loop that its operands allow."""
    loops: list[Loop] = []
    at: list[int] = []
    for k, item in enumerate(spec.items):
        kinds = _kinds(spec, item)
        first = 0
        for a in item.args:
            if a[0] != "n":
                continue
            j = a[1]
            reduction = spec.items[j].op in REDUCTIONS
            first = max(first, at[j] + 1 if reduction else at[j])
            if not reduction and loops[at[j]].kind in kinds:
                continue
            first = max(first, at[j] + 1)
        place = next((n for n in range(first, len(loops)) if loops[n].kind in kinds), None)
        if place is None:
            place = len(loops)
            loops.append(Loop(kinds[0], []))
        loops[place].items.append(k)
        at.append(place)
        # an operand computed in a loop of another kind must have ended before
        assert all(
            at[a[1]] < place or loops[at[a[1]]].kind == loops[place].kind for a in item.args if a[0] == "n"
        )
    return loops, at


def _kinds(spec: Spec, item: Item) -> tuple[str, ...]:
    """The loops in which an item may run, the preferred one first."""
    reduction = item.op in REDUCTIONS
    if (reduction and item.source == ROW) or (not reduction and item.level == ROW):
        return (VECTOR,)
    if spec.mode != "narrow":
        return (MATRIX,)
    plain = all(
        (a[0] == "x" and (spec.buffers[a[1]].row, spec.buffers[a[1]].column) in (("C", "1"), ("0", "0")))
        or (a[0] == "n" and spec.items[a[1]].level == FULL)
        or a[0] == "c"
        for a in item.args
    )
    whole = reduction and is_whole(spec, item)
    if not reduction and item.stored >= 0 and spec.buffers[item.stored][1:] != ("C", "1"):
        return (MATRIX,)
    if not plain or (reduction and not whole):
        return (MATRIX,)
    return (MAP,) if getattr(item.op, "name", "") in DEAR else (MATRIX, MAP)


def used_later(spec: Spec) -> set[int]:
    """Items that are read in another loop than their own."""
    _, at = schedule(spec)
    return {a[1] for k, item in enumerate(spec.items) for a in item.args if a[0] == "n" and at[a[1]] != at[k]}


# -------------------------------------------------------------------------------- reductions
def is_whole(spec: Spec, item: Item) -> bool:
    """Whether an item reduces everything to one number."""
    return item.level == OUT and spec.buffers[item.stored][1:] == ("0", "0")


def is_column(spec: Spec, item: Item) -> bool:
    """Whether an item adds up over rows."""
    return item.level == OUT and not is_whole(spec, item)


def wide_dtype(item: Item) -> np.dtype[Any]:
    """The dtype in which a reduction's results of runs are put together: sums of floats in float64."""
    return F64 if REDUCTIONS[item.op] == "sum" and item.dtype.kind == "f" else item.dtype


def neutral(item: Item, dtype: np.dtype[Any]) -> float:
    """What a reduction begins with, when it runs in this dtype."""
    kind = REDUCTIONS[item.op]
    if kind == "sum":
        return 0
    if dtype.kind == "f":
        return -math.inf if kind == "max" else math.inf
    info = np.iinfo(dtype)
    return int(info.min if kind == "max" else info.max)


# -------------------------------------------------------------------------------- text
def expression(reading: TextReading, item: Item, read: Callable[[tuple[Any, ...]], Term]) -> str:
    """The text of an item's value; `read` gives the terms of its operands that are no constants."""
    operands: list[Any] = []
    for a in item.args:
        if a[0] == "c":
            operands.append(a[3].value)
        else:
            t = read(a)
            operands.append(reading.make(t.text, t.dtype, python=a[2]))
    return reading.value(item.op, operands, item.dtype)
