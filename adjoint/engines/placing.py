"""Every node of a graph in a group: regions, stretches of scalars, matrix products and calls.

Nodes are placed in topological order. A node may join the region of one of its operands when it fits the
space and no path leads from the region through others back to the node; that search is kept local by depths.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..ops import broadcast as bc
from ..ops import elementwise as ew
from ..ops.abstract import Abstract
from ..ops.elementwise import Elementwise
from ..ops.primitive import NO_PARAMS
from ..ops.products import matmul
from .boxes import remainder
from .graph import Graph, Node, Shape, is_native
from .periods import Stretch, stretches
from .regions import (
    FULL,
    OUT,
    REDUCTIONS,
    ROW,
    Access,
    Assembly,
    Call,
    Group,
    Product,
    Region,
    Scalars,
    access,
    squeezed,
    target_access,
)
from .rewriting.joining import assemble
from .runnable import has_text, is_interpreted, is_scalar
from .views import View, contiguous, root_of, sliced, view_of

REGION_NODES = 96  # compile time grows faster than the region: .15 s at 5 nodes, .9 at 100, 2.5 at 200
SMALL = 4096  # a reduction of no more elements than this is a row of its own region
FEW = 24  # nodes from which a region ends where a loop's repetition ends


class Planner:
    """Places every node of a graph that has to be computed in a group."""

    _stretch: Stretch | None = None  # of the node being placed

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.groups: list[Group] = []
        self._latest: dict[Any, Group] = {}  # the last group of each kind and shape
        self._outputs = set(graph.outputs)

    @classmethod
    def region_of(cls, node: Node) -> Region:
        """A region for one reduction alone."""
        planner = cls(Graph(()))
        planner._reduction(node)
        (region,) = planner.groups
        assert isinstance(region, Region)
        return region

    def place(self) -> list[Group]:
        """Groups in the order of their making (not yet of their running)."""
        needed = self._needed()
        runs = self._runs(needed)
        repeated = stretches(runs, REGION_NODES)
        for node in list(self.graph.nodes):
            if node.op is not None and node in needed:
                if not node.shape and type(node.op) is Elementwise and self._simply(node):
                    continue
                if root_of(node) is node:
                    self._stretch = repeated.get(node)
                    self._place(node)
        return self.groups

    def _runs(self, needed: set[Node]) -> dict[Shape, list[Node]]:
        """The nodes over each space that belong to regions, in order."""
        runs: dict[Shape, list[Node]] = {}
        for node in self.graph.nodes:
            shape = node.args[0].shape if node.op in REDUCTIONS else node.shape
            if shape and node in needed and (node.op in REDUCTIONS or isinstance(node.op, Elementwise)):
                runs.setdefault(squeezed(shape), []).append(node)
        return runs

    def _needed(self) -> set[Node]:
        needed = {*self.graph.outputs, *[f for f, _, _ in self.graph.checks if isinstance(f, Node)]}
        for node in reversed(self.graph.nodes):  # operands stand before what is made of them
            if node in needed and node.size:  # what has no elements reads nothing
                for a in node.args:
                    if type(a) is Node:
                        needed.add(a)
        return needed

    def _simply(self, node: Node) -> bool:
        """Place a 0-d node that reads of no region, as most nodes of a program of scalars are."""
        roots = []
        for a in node.args:
            if type(a) is Node:
                root = a if a.group is not None else root_of(a)
                if type(root.group) is Region:
                    return False
                roots.append(root)
        if not is_scalar(node):
            return False
        self._scalar(node, roots)
        return True

    def _place(self, node: Node) -> None:
        op = node.op
        if node.size == 0:
            return  # nothing to compute
        if not is_native(node):  # complex numbers, for one
            self._alone(node, Call())
        elif op is assemble:
            self._assembly(node)
        elif op is bc.broadcast_to:  # of a number
            node.op = ew.positive
            self._pointwise(node, node.shape)
        elif op is bc.reshape:  # a view that strides cannot describe
            node.op = ew.positive
            self._pointwise(node, node.args[0].shape)
        elif (isinstance(op, Elementwise) or op is bc.astype) and has_text(node):
            self._pointwise(node, node.shape)
        elif op in REDUCTIONS and node.dtype.kind in "fiu":
            self._reduction(node)
        elif op is matmul and node.dtype.kind == "f" and all(a.dtype == node.dtype for a in node.args):
            self._alone(node, Product())
        else:
            self._alone(node, Call())

    def _alone(self, node: Node, group: Group) -> None:
        self.groups.append(group)
        group.add(node, [view_of(a).root for a in node.args if isinstance(a, Node)])

    def _assembly(self, node: Node) -> None:
        """Every piece is written into its place by the region that has it."""
        whole = View(node, 0, node.shape, contiguous(node.shape))
        group = Assembly()
        filled = None
        empty = remainder(node.shape, node.params["templates"])
        for box in empty or ():
            shape = tuple([s.stop - s.start for s in box])
            zero = Node(ew.positive, (node.dtype.type(0),), NO_PARAMS, Abstract(shape, node.dtype))
            zero.number, zero.source, zero.target = node.number, node.source, sliced(whole, box, shape)
            self._pointwise(zero, shape)
            group.follow(zero.group)
        if empty is None and sum(x.size for x in node.args) < node.size:
            zero = Node(ew.positive, (node.dtype.type(0),), NO_PARAMS, node.kind)
            zero.number, zero.source, zero.target = node.number, node.source, whole
            self._join(self._new(squeezed(node.shape)), zero, [None], [], FULL)
            self._latest.pop(squeezed(node.shape))
            filled = zero.group
        group.nodes.append(node)
        for x, template in zip(node.args, node.params["templates"], strict=True):
            place = sliced(whole, template, x.shape)
            if filled is None and self._moves_in(x, place):
                x.target = place
                group.follow(x.group)
                continue
            piece = Node(ew.positive, (x,), NO_PARAMS, x.kind)
            piece.number, piece.source = node.number, node.source
            piece.target = place
            self._pointwise(piece, piece.shape, filled)
            group.follow(piece.group)
        node.group = group
        self.groups.append(group)

    def _moves_in(self, x: Any, place: View) -> bool:
        """Whether x can live in its place in the array from the start, instead of being copied there."""
        if not isinstance(x, Node) or view_of(x).root is not x or x.target is not None or x in self._outputs:
            return False
        if place.strides != contiguous(x.shape) and x.size > 1:
            return False
        if isinstance(x.group, Region):
            return x.group.level[x] == FULL
        return isinstance(x.group, Product)

    # ---------------------------------------------------------------- elementwise
    def _pointwise(self, node: Node, shape: Shape, after: Group | None = None) -> None:
        """Place a node that computes element by element over `shape`, to run after a group."""
        self._placed(node, shape)
        if after is not None:
            node.group.follow(after)

    def _placed(self, node: Node, shape: Shape) -> None:
        reads = [access(a, shape) for a in node.args]
        roots = [a.root for a in reads if a is not None]
        space = squeezed(shape)
        moves = reads if node.target is None else [*reads, target_access(node)]
        for region in self._candidates(roots):
            if self._fits(region, space, moves, roots, FULL):
                return self._join(region, node, reads, roots, FULL)
            of_rows = region.split is not None and space == region.shape[: region.split]
            if of_rows and self._fits(region, space, reads, roots, ROW):
                return self._join(region, node, reads, roots, ROW)
        if not space and is_interpreted(node):
            return self._scalar(node, roots)
        neighbour = self._latest.get(space)
        if isinstance(neighbour, Region) and self._fits(neighbour, space, moves, roots, FULL):
            return self._join(neighbour, node, reads, roots, FULL)
        return self._join(self._new(space), node, reads, roots, FULL)

    def _candidates(self, roots: Sequence[Node]) -> list[Region]:
        regions = {r.group: None for r in roots if isinstance(r.group, Region)}
        return sorted(regions, key=lambda g: -g.depth)

    def _new(self, space: Shape) -> Region:
        region = Region(space)
        self.groups.append(region)
        self._latest[space] = region
        return region

    def _fits(
        self, region: Region, space: Shape, reads: Sequence[Access | None], roots: Sequence[Node], level: str
    ) -> bool:
        if len(region.nodes) >= REGION_NODES or (level == FULL and space != region.shape):
            return False
        if len(region.nodes) >= FEW and _are_apart(region.stretch, self._stretch):
            return False
        for a in reads:
            if a is not None and not region.readable(a, level):
                return False
            if (
                a is not None
                and level == FULL
                and region.split is not None
                and not region.columns_merge(a.strides, region.split)
            ):
                return False
        return region.may_read(roots)

    def _join(
        self, region: Region, node: Node, reads: list[Access | None], roots: Sequence[Node], level: str
    ) -> None:
        if not region.nodes:
            region.stretch = self._stretch
        region.level[node] = level
        region.reads[node] = reads
        region.add(node, roots)

    def _scalar(self, node: Node, roots: Sequence[Node]) -> None:
        group = self._latest.get("scalars")
        if group is None or not group.may_read(roots):
            group = self._latest["scalars"] = Scalars()
            self.groups.append(group)
        group.add(node, roots)

    # ---------------------------------------------------------------- reductions
    def _reduction(self, node: Node) -> None:
        x, axes = node.args[0], node.params["axis"]
        shape = x.shape
        long = [k for k, n in enumerate(shape) if n != 1]
        reduced = tuple([at for at, k in enumerate(long) if k in axes])
        read = access(x, shape)
        assert read is not None
        space = squeezed(shape)
        trailing = reduced == tuple(range(len(space) - len(reduced), len(space)))
        if not trailing and len(space) - 1 in reduced:  # first the columns, then the rest
            return self._in_two(node, long, reduced)
        for region in self._candidates([read.root]):
            if self._reduce_in(region, node, space, read, reduced):
                return None
        neighbour = self._latest.get(space)
        if isinstance(neighbour, Region) and self._reduce_in(neighbour, node, space, read, reduced):
            return None
        split = len(space) - len(reduced)
        fresh = Region(space)
        if trailing and not fresh.columns_merge(read.strides, split):
            copy = self._copied(x)
            read = Access(copy, 0, contiguous(space))
        done = self._reduce_in(self._new(space), node, space, read, reduced)
        assert done
        return None

    def _copied(self, x: Node) -> Node:
        """x in a buffer of its own."""
        copy = Node(ew.positive, (x,), NO_PARAMS, x.kind)
        copy.number, copy.source = x.number, x.source
        copy.view = View(copy, 0, copy.shape, contiguous(copy.shape))
        self._pointwise(copy, copy.shape)
        return copy

    def _in_two(self, node: Node, long: Sequence[int], reduced: Sequence[int]) -> None:
        x = node.args[0]
        last = len(long)
        while last - 1 in reduced:
            last -= 1
        inner = tuple([long[k] for k in reduced if k >= last])
        kept = tuple([1 if k in inner else n for k, n in enumerate(x.shape)])
        first = Node(node.op, (x,), {"axis": inner, "keepdims": True}, Abstract(kept, node.dtype))
        first.number, first.source = node.number, node.source
        first.view = View(first, 0, kept, contiguous(kept))
        self._reduction(first)
        node.args = (first,)
        node.params = {"axis": tuple([long[k] for k in reduced if k < last]), "keepdims": False}
        self._reduction(node)

    def _reduce_in(
        self, region: Region, node: Node, space: Shape, read: Access, reduced: tuple[int, ...]
    ) -> bool:
        split = len(space) - len(reduced)
        trailing = reduced == tuple(range(split, len(space)))
        of_rows = region.split is not None and space == region.shape[: region.split] and space != region.shape
        if not self._fits(region, space, [read], [read.root], ROW if of_rows else FULL):
            return False
        as_row = trailing and not of_rows and (split > 0 or math.prod(space) <= SMALL)
        if as_row and region.split in (None, split) and self._may_split(region, split, read):
            region.split = split
            self._join(region, node, [read], [read.root], ROW)
            return True
        if trailing and split > 0 and not of_rows:
            return False
        result = iter(contiguous([n for k, n in enumerate(space) if k not in reduced]))
        strides = tuple([0 if k in reduced else next(result) for k in range(len(space))])
        if not of_rows and region.split is not None and not region.columns_merge(strides, region.split):
            return False
        region.outs[node] = strides
        self._join(region, node, [read], [read.root], OUT)
        return True

    def _may_split(self, region: Region, split: int, read: Access) -> bool:
        if region.split == split:
            return region.columns_merge(read.strides, split)
        accesses = [a.strides for reads in region.reads.values() for a in reads if a is not None]
        accesses += [target_access(node).strides for node in region.nodes if node.target is not None]
        return all(region.columns_merge(a, split) for a in (*accesses, *region.outs.values(), read.strides))


def _are_apart(a: Stretch | None, b: Stretch | None) -> bool:
    """Whether both are stretches of one run, and not the same one."""
    return a is not None and b is not None and a[0] == b[0] and a[1] != b[1]
