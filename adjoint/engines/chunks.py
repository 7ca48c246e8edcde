"""Regions cut in chunks: fixed parts of the work, so that results do not depend on who does which.

A reduction over chunks has one partial result per chunk, and a region of its own that puts them together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from ..ops import broadcast as bc
from ..ops.abstract import Abstract
from .chains import Chain
from .graph import Node
from .loops import used_later
from .placing import Planner
from .regions import FULL, OUT, Group, Region
from .spec import AXES, Shaped, shape_region
from .views import View, contiguous

NEVER = 1 << 62  # rows: more than there are
FEWEST = 64  # rows that sums over rows are cut from
MOST = 4096  # chunks of a step at most: their partial results are one row


class Cutting(NamedTuple):
    """How large the parts are into which a target cuts its work.

    Attributes:
        chunk: points of a chunk, if there are not too many chunks.
        column_chunks: partial results of a column reduction, at most.
        narrow: rows up to this length have the form for narrow rows.
        height: rows of a block of narrow rows, of so many columns.
        overflows: whether a region's rows are too long for the memory that a kernel has between its loops.
        chains: whether work on the same rows runs block by block.
    """

    chunk: int
    column_chunks: int
    narrow: int
    height: Callable[[int], int]
    overflows: Callable[[Shaped], bool]
    chains: bool


class Cut(NamedTuple):
    """A region with its shape settled, and its chunks."""

    shaped: Shaped
    rows: int  # per chunk; the rows of a flat region are its elements
    chunks: int

    def arguments(self) -> dict[str, int | tuple[Node, int]]:
        """What the cells of `block_layout` hold: numbers, or a buffer and an offset in it, in elements."""
        s = self.shaped
        values: dict[str, int | tuple[Node, int]] = {}
        for k, (node, offset, strides, b) in enumerate(
            zip(s.nodes, s.offsets, s.strides, s.spec.buffers, strict=True)
        ):
            values[f"p{k}"] = node, offset
            if b.row == "s":
                values[f"r{k}"] = strides[-2]
            elif b.row in AXES:
                values |= {f"r{k}_{d}": strides[d] for d in range(s.spec.axes)}
            if b.column == "s":
                values[f"c{k}"] = strides[-1]
        values |= {f"n{d}": s.rows[d] for d in range(1, s.spec.axes)}
        for it in s.spec.items:
            if it.level == OUT:
                values |= self._of_result(it.stored)
        return {**values, "C": s.columns, "R": _count(s), "chunk": self.rows}

    def _of_result(self, k: int) -> dict[str, int | tuple[Node, int]]:
        """Of a reduction: bytes from one chunk's result to the next, or the part of it that each owns."""
        s = self.shaped
        node, strides = s.nodes[k], s.strides[k]
        partial = self.chunks > 1 and (not any(strides) or (bool(s.rows) and not strides[0]))
        length = node.size // self.chunks if partial else node.size
        owns = bool(s.rows) and strides[0] and self.chunks > 1
        return {
            f"advance{k}": length * node.dtype.itemsize if partial else 0,
            f"per{k}": math.prod(s.rows[1:]) if owns else NEVER,
            f"each{k}": strides[0] if owns else 0,
            f"zero{k}": 0 if owns else length,
        }


def _count(s: Shaped) -> int:
    """Rows; the rows of a flat region are its elements."""
    return s.columns if s.spec.mode == "flat" else math.prod(s.rows)


def cut_region(
    region: Region,
    stored: set[Node],
    pieces: dict[Group, Cut],
    cutting: Cutting,
    chain: Chain | None = None,
) -> list[Region]:
    """Shape a region and cut it in chunks, into `pieces`; the regions that put partial results together."""
    s = shape_region(region, stored, cutting.narrow)
    if s.spec.mode != "flat" and cutting.overflows(s):
        spilled = _spilled(region, s)
        if spilled:
            stored |= spilled
            s = shape_region(region, stored, cutting.narrow)
    rows, chunks = _cut(region, s, cutting) if chain is None else _cut_for(chain, s)
    combine: list[Region] = []
    if chunks > 1:
        for node in [n for n in region.nodes if region.level[n] == OUT]:
            at = s.nodes.index(node)
            if not any(s.strides[at]) or (s.rows and not s.strides[at][0]):
                combine.append(_partial(region, node, chunks, stored))
        if combine:
            s = shape_region(region, stored, cutting.narrow)
    pieces[region] = Cut(s, rows, chunks)
    for extra in combine:
        whole = shape_region(extra, stored, cutting.narrow)
        pieces[extra] = Cut(whole, _count(whole), 1)  # in one: parts are few, and have no parts themselves
    return combine


def _spilled(region: Region, s: Shaped) -> set[Node]:
    """Full values that one loop leaves to another, of rows too long for the stack."""
    return {region.nodes[k] for k in used_later(s.spec) if s.spec.items[k].level == FULL}


def _cut(region: Region, s: Shaped, cutting: Cutting) -> tuple[int, int]:
    """(rows per chunk, chunks); the rows of a flat region are its elements."""
    chunk = max(cutting.chunk, -(-s.size // MOST))
    if s.spec.mode == "flat":
        n = s.columns
        return (n, 1) if n <= 2 * chunk else (chunk, -(-n // chunk))
    count = math.prod(s.rows)
    if s.size <= 2 * chunk:
        return count, 1
    rows = max(1, chunk // max(s.columns, 1))
    outer = math.prod(s.rows[1:])
    for node in region.nodes:
        if region.level[node] == OUT:
            strides = s.strides[s.nodes.index(node)]
            if any(strides) and strides[0]:
                rows = -(-rows // outer) * outer  # the chunk owns what it adds into
            elif any(strides):
                if count < FEWEST:
                    return count, 1
                rows = max(rows, -(-count // cutting.column_chunks))
    if s.spec.mode == "narrow":
        height = cutting.height(s.columns)
        if rows > height and not any(any(x) and x[0] for x in _out_strides(region, s)):
            rows = -(-rows // height) * height
    return rows, -(-count // rows)


def _cut_for(chain: Chain, s: Shaped) -> tuple[int, int]:
    """(rows per chunk, chunks) of a chain's member: one chunk per block."""
    return chain.height * (_count(s) // chain.rows), chain.blocks


def add_lanes(product: Group, chain: Chain, stored: set[Node]) -> Region:
    """Let every lane of a chain have its own sum of products, and a region add them."""
    (node,) = product.nodes
    part = _part(node, chain.lanes, product)
    product.nodes = [part]
    node.op = bc.sum_
    return _added_up(node, part, stored)


def _out_strides(region: Region, s: Shaped) -> list[tuple[int, ...]]:
    return [s.strides[s.nodes.index(n)] for n in region.nodes if region.level[n] == OUT]


def _partial(region: Region, node: Node, chunks: int, stored: set[Node]) -> Region:
    """Let the region reduce into one result per chunk, and another one reduce those."""
    part = _part(node, chunks, region)
    region.nodes[region.nodes.index(node)] = part
    region.level[part], region.reads[part] = region.level.pop(node), region.reads.pop(node)
    region.outs[part] = region.outs.pop(node)
    return _added_up(node, part, stored)


def _part(node: Node, count: int, group: Group) -> Node:
    """`count` partial results in the place of one."""
    part = Node(node.op, node.args, node.params, Abstract((count, *node.shape), node.dtype))
    part.number, part.source, part.group = node.number, node.source, group
    part.view = View(part, 0, part.shape, contiguous(part.shape))
    return part


def _added_up(node: Node, part: Node, stored: set[Node]) -> Region:
    """The region that reduces partial results along their first axis."""
    node.args, node.params, node.group = (part,), {"axis": (0,), "keepdims": False}, None
    stored |= {part, node}
    return Planner.region_of(node)
