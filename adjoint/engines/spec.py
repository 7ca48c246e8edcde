"""A region as a kernel in words: what is read how, computed from what, and stored where.

A `Spec` depends on operations, dtypes and patterns of access, not on sizes, except for the length of narrow
rows: equal specs are one kernel. So the steps of an unrolled loop share a kernel, and a new batch size
compiles nothing. Every target writes its own text for a spec, and fills a block of arguments for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..ops.abstract import Abstract
from ..ops.elementwise import add, divide, multiply, subtract
from .graph import Node
from .regions import FULL, OUT, REDUCTIONS, ROW, Region, target_access
from .views import contiguous

DEAR = frozenset({
    "exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "tanh", "sinh", "cosh", "expit", "log_expit",
    "logaddexp", "logaddexp2", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2", "arcsinh",
    "arccosh", "arctanh", "erf", "erfc", "power", "cbrt", "hypot", "divide", "sqrt", "reciprocal",
    "gammaln", "digamma",
})  # fmt: skip
AXES = ("d", "e")  # rows of several axes: their part of an index is a variable


class Reader(NamedTuple):
    """The pattern by which a kernel reads or writes a buffer: multiples of the row and of the column index.

    `row` is "0", "C", "s" (a stride given at run time) "d" (rows of several axes, one stride each)
    or "e" (likewise, and the last axis repeats the row);
    `column` is "0", "1" or "s".
    """

    dtype: np.dtype[Any]
    row: str
    column: str


ARITHMETIC = (add, subtract, multiply, divide)


class Item(NamedTuple):
    """One node of a kernel in words that do not depend on sizes."""

    op: Any
    dtype: np.dtype[Any]
    level: str
    source: str  # level of what a reduction reads
    args: tuple[Any, ...]  # ("n", item) or ("x", buffer) or ("c", number)
    stored: int  # number of the buffer it is written to, −1: none


class Spec(NamedTuple):
    """A kernel in words that do not depend on sizes: equal specs are one kernel."""

    mode: str
    columns: int  # length of narrow rows, 0 when it is an argument
    axes: int  # axes of the rows, where some buffer needs them apart
    buffers: tuple[Reader, ...]
    items: tuple[Item, ...]


@dataclass
class Shaped:
    """A region with its axes joined: the spec, and the sizes and strides for the block of arguments."""

    spec: Spec
    rows: tuple[int, ...]
    columns: int
    nodes: list[Node]  # of the buffers
    offsets: list[int]
    strides: list[tuple[int, ...]]  # of the buffers over (rows…, column)

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(self.rows) * self.columns


# -------------------------------------------------------------------------------- joining axes
def _joined(
    region: Region, lists: list[tuple[int, ...]], row_lists: list[tuple[int, ...]]
) -> list[list[int]]:
    """Which axes of the space are one axis to everybody: groups of neighbouring axes."""
    groups: list[list[int]] = []
    for k, n in enumerate(region.shape):
        if groups and k != region.split:
            rows = row_lists if region.split is not None and k < region.split else []
            if all(s[k - 1] == s[k] * n for s in (*lists, *rows)):
                groups[-1].append(k)
                continue
        groups.append([k])
    return groups


def shape_region(region: Region, stored: set[Node], narrow: int) -> Shaped:
    """Join axes, choose the form, name the buffers.

    Args:
        region: what to shape.
        stored: nodes whose values live in memory.
        narrow: rows up to this length have the form for narrow rows, with the length as a constant.
    """
    full: list[tuple[int, ...]] = [contiguous(region.shape)]
    rows: list[tuple[int, ...]] = []
    for node, reads in region.reads.items():
        of_rows = region.level[node] == ROW and node.op not in REDUCTIONS
        for a in reads:
            if a is not None and a.root.group is not region:
                (rows if of_rows or len(a.strides) < len(region.shape) else full).append(a.strides)
    for strides in region.outs.values():
        (full if len(strides) == len(region.shape) else rows).append(strides)
    for node in region.nodes:
        if node.target is not None:
            (full if region.level[node] == FULL else rows).append(target_access(node).strides)
    groups = _joined(region, full, rows)
    sizes = [math.prod(region.shape[k] for k in g) for g in groups]
    split = region.split
    flat = split is None and len(groups) <= 1
    if split is None:
        cut = 0 if flat else len(groups) - 1
    else:
        cut = sum(g[0] < split for g in groups)
        assert len(groups) - cut <= 1, "columns of several axes"
    row_sizes, columns = tuple(sizes[:cut]), math.prod(sizes[cut:])
    last = [g[-1] for g in groups]

    def pick(strides: Sequence[int]) -> tuple[int, ...]:
        """Strides over (rows…, column) of the joined axes."""
        over = [strides[k] if k < len(strides) else 0 for k in last]
        return (*over[:cut], over[cut] if cut < len(over) else 0)

    short = not flat and columns <= narrow and math.prod(row_sizes) >= 8
    mode = "flat" if flat else "narrow" if short else "wide"
    return _Namer(region, stored, mode, row_sizes, columns, pick).run()


class _Namer:
    """Numbers nodes and buffers in the order in which they are met."""

    def __init__(
        self, region: Region, stored: set[Node], mode: str, rows: tuple[int, ...], columns: int, pick: Any
    ) -> None:
        self.region, self.stored, self.mode, self.rows, self.columns, self.pick = (
            region, stored, mode, rows, columns, pick,
        )  # fmt: skip
        self.buffers: list[Reader] = []
        self.nodes: list[Node] = []
        self.offsets: list[int] = []
        self.strides: list[tuple[int, ...]] = []
        self.known: dict[Any, int] = {}

    def buffer(self, node: Node, offset: int, strides: tuple[int, ...], written: bool = False) -> int:
        """The number of a buffer read or written in one way."""
        key = (node, offset, strides, written)
        if key not in self.known:
            self.known[key] = len(self.buffers)
            self.buffers.append(Reader(node.dtype, self._row(strides[:-1]), self._column(strides[-1])))
            self.nodes.append(node)
            self.offsets.append(offset)
            self.strides.append(strides)
        return self.known[key]

    def number(self, x: Any, dtype: np.dtype[Any]) -> int:
        """The number of a buffer that holds one number, an argument instead of a part of the text."""
        dtype = x.dtype if isinstance(x, np.generic) else dtype
        key = ("number", dtype, repr(x))
        if key not in self.known:
            node = Node(None, (), {}, Abstract((), dtype))
            node.constant = np.array(x, dtype)
            self.known[key] = self.buffer(node, 0, (0,) * (len(self.rows) + 1))
        return self.known[key]

    def _row(self, strides: tuple[int, ...]) -> str:
        if not any(strides):
            return "0"
        linear = all(s == t * n for s, t, n in zip(strides[:-1], strides[1:], self.rows[1:], strict=True))
        if not linear:
            return "d" if strides[-1] else "e"
        return "1" if strides[-1] == 1 else "C" if strides[-1] == self.columns else "s"

    def _column(self, stride: int) -> str:
        if self.columns == 1:
            return "0"
        return str(stride) if stride in (0, 1) else "s"

    def run(self) -> Shaped:
        """The spec of the region."""
        region = self.region
        number = {node: k for k, node in enumerate(region.nodes)}
        # a result in an operand's memory is one buffer: of two, compilers may reorder loads and stores
        shared = {node.share: node for node in region.nodes if node.share is not None}
        args: list[tuple[Any, ...]] = []
        for node in region.nodes:
            words: list[Any] = []
            for a, operand in zip(region.reads[node], node.args, strict=True):
                if a is None and node.op in ARITHMETIC and is_particular(operand, node.dtype):
                    words.append(("x", self.number(operand, node.dtype), False))
                elif a is None:
                    words.append(("c", type(operand).__name__, repr(operand), _Number(operand)))
                elif a.root.group is region:
                    words.append(("n", number[a.root], operand.weak))
                else:
                    root = shared.get(a.root, a.root)
                    words.append(("x", self.buffer(root, a.offset, self.pick(a.strides)), operand.weak))
            args.append(tuple(words))
        items = []
        for node, operands in zip(region.nodes, args, strict=True):
            level = region.level[node]
            stored = -1
            if level == OUT:
                stored = self.buffer(node, 0, self.pick(region.outs[node]), written=True)
            elif node.target is not None:
                stored = self.buffer(
                    node.target.root, node.target.offset, self.pick(target_access(node).strides), written=True
                )
            elif node in self.stored:
                own = self.pick(region.canonical(level, FULL))
                stored = self.buffer(node, 0, own, written=node.share is None)
            source = ""
            if node.op in REDUCTIONS:
                a = region.reads[node][0]
                assert a is not None
                source = ROW if len(a.strides) < len(region.shape) else FULL
            items.append(Item(node.op, node.dtype, level, source, operands, stored))
        axes = len(self.rows) if any(b.row in AXES for b in self.buffers) else 0
        spec = Spec(
            self.mode, self.columns if self.mode == "narrow" else 0, axes, tuple(self.buffers), tuple(items)
        )
        return Shaped(spec, self.rows, self.columns, self.nodes, self.offsets, self.strides)


def is_particular(x: Any, dtype: np.dtype[Any]) -> bool:
    """Whether a number is a size's or a setting's (a mean's count, a rate), not the formula's own."""
    if isinstance(x, bool) or not isinstance(x, (int, float, np.number)) or dtype.kind != "f":
        return False
    value = float(x)
    return not (abs(value) <= 8 and 4 * value == int(4 * value))


class _Number:
    """A constant operand that stays out of comparisons (its type and text are beside it)."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


# -------------------------------------------------------------------------------- arguments
def block_layout(spec: Spec) -> dict[str, int]:
    """Cells of the argument block: pointers, their advance per chunk, strides, sizes."""
    cells: dict[str, int] = {}
    for k, b in enumerate(spec.buffers):
        cells[f"p{k}"] = len(cells)
        if b.row == "s":
            cells[f"r{k}"] = len(cells)
        elif b.row in AXES:
            for d in range(spec.axes):
                cells[f"r{k}_{d}"] = len(cells)
        if b.column == "s":
            cells[f"c{k}"] = len(cells)
    for item in spec.items:
        if item.level == OUT:
            for name in ("advance", "zero", "per", "each"):
                cells[f"{name}{item.stored}"] = len(cells)
    for d in range(1, spec.axes):
        cells[f"n{d}"] = len(cells)
    for name in ("C", "R", "chunk"):
        cells[name] = len(cells)
    return cells
