"""What runs together: groups of nodes, among them regions, and the order in which groups run.

A region is a set of nodes over one iteration space, (rows…, columns…). Each value in it is *full* (one number
per point), *row* (one per row: a reduction over the columns, or what is computed from such), or *out*: a
reduction whose result exists only when the region has ended. Full and row values are read by later nodes of
the same region without touching memory, so that softmax, layer norm and their adjoints are one pass.

Which node goes where is for `placing` to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..ops import broadcast as bc
from ..ops import reduce as rd
from .graph import Node, Shape
from .periods import Stretch
from .views import View, contiguous, merged, view_of

SEARCHED = 64  # groups looked at for a path among them: a long program must not take the square of its length
REDUCTIONS = {bc.sum_: "sum", rd.max_: "max", rd.min_: "min"}
FULL, ROW, OUT = "full", "row", "out"


class Access(NamedTuple):
    """How a node reads a buffer: `root` at offset + Σ index·stride over the axes of full or row space."""

    root: Node
    offset: int
    strides: tuple[int, ...]


def _negative_depth(group: Group) -> int:
    return -group.depth


class Group:
    """Nodes that run as one step."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.members: list[Group] = []  # groups that run as one step
        self.deps: set[Group] = set()
        self.users: set[Group] = set()
        self.depth = 0
        # One dependency of each group makes a tree; `_jump` leads up it by leaps, for `_is_below`.
        self._above: Group | None = None
        self._jump: Group = self
        self._steps = 0  # to the tree's root

    def add(self, node: Node, roots: Sequence[Node]) -> None:
        """Put a node here; `roots` are the buffers it reads."""
        self.nodes.append(node)
        node.group = self
        groups = [root.group for root in roots if root.group is not None and root.group is not self]
        if len(groups) > 1:
            groups.sort(key=_negative_depth)  # the deepest first: the tree's paths shall be long
        for group in groups:
            self.follow(group)

    def follow(self, other: Group) -> None:
        """Run after another group."""
        if other in self.deps:
            return
        if not self.deps and not self.users:
            self._above, self._steps = other, other._steps + 1
            leap = other._jump
            level = other._steps - leap._steps == leap._steps - leap._jump._steps
            self._jump = leap._jump if level else other
        self.deps.add(other)
        other.users.add(self)
        stack = [(self, other.depth + 1)]
        while stack:
            group, depth = stack.pop()
            if group.depth < depth:
                group.depth = depth
                stack += [(user, depth + 1) for user in group.users]

    def depends_on(self, other: Group) -> bool:
        """Whether a path of dependencies leads from here to `other`; True also when it takes long to tell."""
        if self.depth <= other.depth or not other.users:
            return False
        if self._is_below(other):
            return True
        seen, stack = {self}, [self]
        while stack:
            for group in stack.pop().deps:
                if group is other or len(seen) > SEARCHED:
                    return True
                if group.depth > other.depth and group not in seen:
                    seen.add(group)
                    stack.append(group)
        return False

    def _is_below(self, other: Group) -> bool:
        """Whether `other` is above this one in the tree: in the logarithm of the way."""
        group, steps = self, other._steps
        while group._steps > steps:
            leap = group._jump
            group = leap if leap._steps >= steps else group._above  # type: ignore[assignment]
        return group is other

    def may_read(self, roots: Sequence[Node]) -> bool:
        """Whether a node here may read these buffers without closing a circle."""
        for root in roots:
            group = root.group
            if (
                group is not None
                and group is not self
                and group.depth >= self.depth
                and group.depends_on(self)
            ):
                return False
        return True


class Scalars(Group):
    """0-d nodes, run by the interpreter."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: dict[Node, None] = {}  # the buffers of others, in the order in which they are met

    def add(self, node: Node, roots: Sequence[Node]) -> None:
        """Put a node here; `roots` are the buffers it reads."""
        self.nodes.append(node)
        node.group = self
        for root in roots:
            group = root.group
            if group is not self and root not in self.reads:
                self.reads[root] = None
                if group is not None:
                    self.follow(group)


class Product(Group):
    """One matrix product."""


class Assembly(Group):
    """An array whose pieces others have written; nothing is left to do."""


class Call(Group):
    """A structured primitive: by a kernel of its own, or by its NumPy reading."""


class Region(Group):
    """Nodes over one iteration space."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape  # without axes of length one
        self.split: int | None = None  # rows are shape[:split], columns shape[split:]; None: not decided
        self.level: dict[Node, str] = {}
        self.reads: dict[Node, list[Access | None]] = {}  # one entry per operand, None for a number
        self.outs: dict[Node, tuple[int, ...]] = {}  # of reductions at level OUT: strides of the result
        self.stretch: Stretch | None = None  # of a loop's repetitions, that of the first node

    def canonical(self, level: str, reader: str) -> tuple[int, ...]:
        """The strides with which `reader` space meets the elements of a value of `level`."""
        if level == FULL:
            return contiguous(self.shape)
        rows = self.shape[: self.split]
        lead = contiguous(rows)
        return lead if reader == ROW else (*lead, *(0,) * (len(self.shape) - len(rows)))

    def readable(self, access: Access, reader: str) -> bool:
        """Whether a node at level `reader` may read this, if it is a value of this very region."""
        root = access.root
        if root.group is not self:
            return True
        level = self.level[root]
        if level == OUT or (level == FULL and reader == ROW) or access.offset:
            return False
        return _same_strides(
            access.strides,
            self.canonical(level, reader),
            self.shape if reader == FULL else self.shape[: self.split],
        )

    def columns_merge(self, strides: Sequence[int], split: int) -> bool:
        """Whether the columns are one axis to an access in full space (or it does not move along them)."""
        return len(merged(self.shape[split:], strides[split:])) <= 1


def _same_strides(a: Sequence[int], b: Sequence[int], shape: Shape) -> bool:
    return all(s == t or n == 1 for s, t, n in zip(a, b, shape, strict=True))


def squeezed(shape: Sequence[int]) -> Shape:
    """A shape without its axes of length one."""
    return tuple([n for n in shape if n != 1])


def access(x: Any, shape: Shape) -> Access | None:
    """How x is read by a node that iterates over `shape`; None for a number."""
    if not isinstance(x, Node):
        return None
    view: View = x.view or view_of(x)
    lead = len(shape) - len(view.shape)
    strides = [
        0 if k < lead or view.shape[k - lead] == 1 else view.strides[k - lead]
        for k, n in enumerate(shape)
        if n != 1
    ]
    return Access(view.root, view.offset, tuple(strides))


def target_access(node: Node) -> Access:
    """How a node with a target is written there."""
    view, group = node.target, node.group
    strides = tuple([s for n, s in zip(view.shape, view.strides, strict=True) if n != 1])
    if isinstance(group, Region) and group.level[node] == FULL and squeezed(view.shape) != group.shape:
        strides = contiguous(
            group.shape
        )  # a reshape, run over its operand's axes, and its place is one block
    return Access(view.root, view.offset, strides)


def ordered(groups: Sequence[Group]) -> list[Group]:
    """Groups in an order in which they can run: by need, else by the place of their first node."""
    import heapq

    waiting = {g: len(g.deps) for g in groups}
    # ties by the order of making: sets of groups have another order in every process
    rank = {g: (g.nodes[0].number, k) for k, g in enumerate(groups)}
    ready = [(*rank[g], g) for g in groups if not g.deps]
    heapq.heapify(ready)
    result = []
    while ready:
        *_, group = heapq.heappop(ready)
        result.append(group)
        for user in group.users:
            waiting[user] -= 1
            if not waiting[user]:
                heapq.heappush(ready, (*rank[user], user))
    assert len(result) == len(groups), "a circle among the groups"
    return result


def reads_of(group: Group) -> Iterator[Node]:
    """The buffers that a group reads, its own included where those are in memory."""
    if isinstance(group, Region):
        for reads in group.reads.values():
            for a in reads:
                if a is not None:
                    yield a.root
    elif isinstance(group, Scalars):
        yield from group.reads
    elif group.members:
        for member in group.members:
            yield from reads_of(member)
    else:
        for node in group.nodes:
            for a in node.args:
                if isinstance(a, Node):
                    yield view_of(a).root
