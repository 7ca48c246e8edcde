"""Where values live between steps: places in one block of memory, reused when their value is dead."""

from __future__ import annotations

from bisect import bisect_left, insort

from .chains import Chain
from .graph import Node
from .plan import Plan, flagged
from .regions import reads_of


class Arena:
    """Offsets in one block of memory, reused when their value is dead."""

    def __init__(self, alignment: int) -> None:
        self.alignment = alignment  # of every place, in bytes
        self.free: list[tuple[int, int]] = []  # (size, offset), sorted
        self.top = 0

    def take(self, size: int) -> tuple[int, int]:
        """Room for so many bytes: how many are taken, and where."""
        size = -(-max(size, 1) // self.alignment) * self.alignment
        at = bisect_left(self.free, (size, -1))
        if at < len(self.free):
            have, offset = self.free.pop(at)
            if have > size:
                insort(self.free, (have - size, offset + size))
            return size, offset
        offset, self.top = self.top, self.top + size
        return size, offset

    def give(self, size: int, offset: int) -> None:
        """Take room back."""
        insort(self.free, (size, offset))


def allocate(plan: Plan, arena: Arena) -> dict[Node, int]:
    """The offset of every stored value that is no result of the program."""
    graph, outputs = plan.graph, set(plan.graph.outputs)
    last: dict[Node, int] = {}
    for k, group in enumerate(plan.groups):
        for root in reads_of(group):
            while root.target is not None:
                last[root] = k
                root = root.target.root
            last[root] = k
    dying: dict[int, list[Node]] = {}
    for node, k in last.items():
        dying.setdefault(k, []).append(node)
    flags = flagged(graph)
    offsets: dict[Node, int] = {}
    sizes: dict[Node, int] = {}
    for k, group in enumerate(plan.groups):
        for node in group.nodes:
            if node.target is not None:  # the first piece makes room for all
                node = node.target.root
            if node in sizes or node in outputs or node.dtype.hasobject:
                continue
            if node in plan.stored:
                size = node.size * node.dtype.itemsize
                if isinstance(group, Chain) and node in group.local:  # one block of rows for every lane
                    size = size // group.rows * group.height * group.lanes
                sizes[node], offsets[node] = arena.take(size)
        for node in dying.get(k, ()):
            if node in sizes and node not in flags:
                arena.give(sizes[node], offsets[node])
    return offsets


def settled(node: Node, offset: int) -> tuple[Node, int]:
    """The buffer in which an element lies, and where: a piece lives in its array."""
    while node.target is not None:
        node, offset = node.target.root, node.target.offset + offset
    return node, offset
