"""Chains: steps over the same rows, run block of rows by block of rows while the block is in the cache.

A network's layers, its loss, and the adjoints of both are products and regions whose row i depends on row i
of what came before; the gradients of the weights add up over rows. Run one after the other over all
rows, every step would meet its operands in slow memory. In a chain they meet them in the second-level
cache, and what only the chain itself reads is never written out: it lives in the buffers of one block.

A chain is one step. Its chunks are *lanes*, fixed stretches of blocks, so that threads may share the work and
the sums do not depend on who does: every lane adds up its own, and the lanes are added in order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..ops.products import matmul
from .graph import Node
from .regions import FULL, OUT, ROW, Group, Product, Region, reads_of
from .views import View, view_of

FEWEST_ROWS = 512
FEWEST_BYTES = 1 << 19  # results below half a megabyte stay in the cache anyway
CACHE = 1 << 18  # bytes that one block of rows may take
LANES = 4


class Chain(Group):
    """Groups over the same rows.

    Attributes:
        rows: all of them.
        height: rows of a block.
        members: in the order in which they run.
        local: values that no other group reads, one block of rows each.
    """

    def __init__(self, rows: int, members: list[Group]) -> None:
        super().__init__()
        self.rows, self.members = rows, members
        self.nodes = [node for member in members for node in member.nodes]
        self.local: set[Node] = set()
        self.height = rows

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return -(-self.rows // self.height)

    @property
    def lanes(self) -> int:
        """How many stretches of blocks."""
        return min(LANES, self.blocks)


def is_sum_over_rows(node: Node, rows: int) -> bool:
    """Whether a product adds up over the rows: a weight's gradient."""
    return node.op is matmul and view_of(node.args[0]).shape[-1] == rows and node.shape[0] != rows


def chained(groups: Sequence[Group], outputs: set[Node]) -> list[Group]:
    """The groups, in an order in which they can run, with runs of row by row work as chains."""
    result: list[Group] = []
    remaining = list(groups)
    while remaining:
        rows = _rows(remaining[0])
        if rows < FEWEST_ROWS:
            result.append(remaining.pop(0))
            continue
        members, others = _split(remaining, rows)
        if _is_worthwhile(members):
            result.append(_finished(Chain(rows, members), [*others], outputs))
            remaining = others
        else:
            result.append(remaining.pop(0))
    return result


def _rows(group: Group) -> int:
    """The rows of the chain that a group could begin; 0: of none."""
    if isinstance(group, Region):
        return group.shape[0] if group.shape and (group.split is None or group.split > 0) else 0
    if isinstance(group, Product):
        return group.nodes[0].shape[0] if len(group.nodes[0].shape) == 2 else 0
    return 0


def _split(groups: Sequence[Group], rows: int) -> tuple[list[Group], list[Group]]:
    """What can be in the chain, and what has to wait until after it."""
    members: list[Group] = []
    others: list[Group] = []
    late: set[Group] = set()
    summed: set[Node] = set()  # results that exist only after the last row
    inside: set[Group] = set()
    for group in groups:
        if not (group.deps & late) and _is_by_rows(group, rows, inside, summed):
            members.append(group)
            inside.add(group)
            if isinstance(group, Region):
                summed |= {n for n in group.nodes if group.level[n] == OUT and not _keeps_rows(group, n)}
            elif is_sum_over_rows(group.nodes[0], rows):
                summed.add(group.nodes[0])
        else:
            others.append(group)
            late.add(group)
    return members, others


def _keeps_rows(region: Region, node: Node) -> bool:
    strides = region.outs[node]
    return bool(strides) and strides[0] != 0


def _is_by_rows(group: Group, rows: int, inside: set[Group], summed: set[Node]) -> bool:
    """Whether row i of the group's work needs only row i of what the chain has made so far."""
    if isinstance(group, Region):
        if not group.shape or group.shape[0] != rows or group.split == 0:
            return False
        if any(n.target is not None for n in group.nodes):
            return False
        if any(group.level[n] == OUT and _keeps_rows(group, n) for n in group.nodes):
            return False
        for reads in group.reads.values():
            for a in reads:
                if (
                    a is not None
                    and a.root.group in inside
                    and not (
                        _is_aligned(a.root, a.offset, a.strides, group.shape, rows) and a.root not in summed
                    )
                ):
                    return False
        return True
    if not isinstance(group, Product):
        return False
    (node,) = group.nodes
    x, y = (view_of(a) for a in node.args)
    if len(node.shape) != 2 or node.target is not None or min(node.shape) < 2 or not _all_free(x, y, summed):
        return False
    # the matrix that stays for all blocks, a weight or its gradient, shares the cache with them
    if math.prod(node.shape if node.shape[0] != rows else y.shape) * node.dtype.itemsize > CACHE // 2:
        return False
    if node.shape[0] == rows:
        return y.root.group not in inside and _row_of(x, 0, rows, inside)
    return x.shape[1] == rows and _row_of(x, 1, rows, inside) and _row_of(y, 0, rows, inside)


def _all_free(x: View, y: View, summed: set[Node]) -> bool:
    return x.root not in summed and y.root not in summed


def _row_of(v: View, axis: int, rows: int, inside: set[Group]) -> bool:
    """Whether axis `axis` of a view runs over the rows of its buffer."""
    order = (axis, *(k for k in range(len(v.shape)) if k != axis))
    shape, strides = [v.shape[k] for k in order], [v.strides[k] for k in order]
    if v.root.group not in inside:
        return strides[0] > 0
    return _is_aligned(v.root, v.offset, strides, shape, rows)


def _is_aligned(root: Node, offset: int, strides: Sequence[int], shape: Sequence[int], rows: int) -> bool:
    """Whether index i of the first axis reads row i of the buffer and no other."""
    if not strides or root.size % rows or root.target is not None:
        return False
    width = root.size // rows
    spread = sum((n - 1) * s for n, s in zip(shape[1:], strides[1:], strict=False) if n > 1)
    plain = all(s >= 0 for s in strides)
    return plain and strides[0] == width and 0 <= offset < width - spread


def _is_worthwhile(members: Sequence[Group]) -> bool:
    if len(members) < 3 or not any(isinstance(m, Product) for m in members):
        return False
    size = sum(n.size * n.dtype.itemsize for m in members for n in m.nodes if isinstance(m, Product))
    return size >= FEWEST_BYTES


def _finished(chain: Chain, others: Sequence[Group], outputs: set[Node]) -> Chain:
    """Say what stays inside, and how high a block is."""
    outside = {root for group in others for root in reads_of(group)}
    read = {root for member in chain.members for root in reads_of(member)}
    width = 0
    for member in chain.members:
        for node in member.nodes:
            level = member.level[node] if isinstance(member, Region) else FULL
            by_rows = level in (FULL, ROW) and not is_sum_over_rows(node, chain.rows)
            foreign = node in outputs or node in outside or node.target is not None
            used = node in read or isinstance(member, Product)
            if by_rows and used and not foreign and node.size % chain.rows == 0:
                chain.local.add(node)
                width += node.size // chain.rows * node.dtype.itemsize
    height = max(32, min(chain.rows, CACHE // max(width, 1)) // 32 * 32)
    chain.height = min(chain.rows, height)
    for member in chain.members:
        chain.deps |= member.deps - set(chain.members)
    return chain
