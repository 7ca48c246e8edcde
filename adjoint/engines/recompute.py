"""Values that are cheaper to compute again than to store and load.

A region stores what a later one reads. Where that is a few cheap operations on values that are in memory
anyway, the reader repeats them: the factor 1 − z² of tanh's adjoint is made from z, which is stored for the
next product.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ops import elementwise as ew
from .graph import Node
from .placing import REGION_NODES
from .regions import FULL, REDUCTIONS, Access, Group, Region, reads_of
from .spec import DEAR
from .views import View, contiguous

MOST = 8  # operations repeated for one value


def recompute(groups: Sequence[Group], outputs: set[Node]) -> None:
    """Move cheap values from the regions that make them to those that read them; in place."""
    readers: dict[Node, set[Group]] = {}
    for group in groups:
        for root in reads_of(group):
            if root.group is not group:
                readers.setdefault(root, set()).add(group)
    kept = {
        root
        for root, users in readers.items()
        if root in outputs or not all(isinstance(u, Region) for u in users)
    }
    for node in outputs:
        kept.add(node)
    for group in groups:
        if isinstance(group, Region):
            for q in {a.root: a for reads in group.reads.values() for a in reads if a is not None}:
                if isinstance(q.group, Region) and q.group is not group and q not in kept:
                    _repeat(group, q, readers, kept)
    for group in groups:
        if isinstance(group, Region):
            _prune(group, readers, outputs)


def _is_cheap(node: Node) -> bool:
    return (
        node.op not in REDUCTIONS and node.op is not ew.barrier and getattr(node.op, "name", "") not in DEAR
    )


def _repeat(region: Region, q: Node, readers: dict[Node, set[Group]], kept: set[Node]) -> None:
    """Compute q in `region` again, if what it takes is there."""
    maker = q.group
    if maker.level.get(q) != FULL or maker.shape != region.shape or q.target is not None or not _is_cheap(q):
        return
    if any(
        a is not None and a.root is q and not _is_straight(region, a)
        for r in region.reads.values()
        for a in r
    ):
        return
    cone = _cone(maker, q, kept)
    if cone is None or len(region.nodes) + len(cone) > REGION_NODES:
        return
    members = set(cone)
    leaves = {a for node in cone for a in maker.reads[node] if a is not None and a.root not in members}
    known = {a for reads in region.reads.values() for a in reads if a is not None}
    full = [a for a in leaves - known if any(a.strides)]
    # q itself need not be loaded any more; a barrier between the regions keeps values of rows out of reach
    if len(full) > 1 or any(a.root.group is maker and maker.level[a.root] != FULL for a in leaves):
        return
    if any(region.split is not None and not region.columns_merge(a.strides, region.split) for a in leaves):
        return
    if not region.may_read([a.root for a in leaves]):
        return
    _insert(region, maker, cone, q)
    for a in leaves:
        if a.root.group is not None and a.root.group is not region:
            readers.setdefault(a.root, set()).add(region)
    readers[q].discard(region)


def _is_straight(region: Region, a: Access) -> bool:
    return not a.offset and a.strides == contiguous(region.shape)


def _cone(maker: Region, q: Node, kept: set[Node]) -> list[Node] | None:
    """The operations of q back to values in memory, in order; None when they are too many or dear."""
    found: list[Node] = []
    stack = [q]
    seen: set[Node] = set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if not _is_cheap(node) or maker.level[node] != FULL or len(found) >= MOST:
            return None
        found.append(node)
        for a in maker.reads[node]:
            if a is not None and a.root.group is maker and a.root not in kept:
                stack.append(a.root)
    place = {node: k for k, node in enumerate(maker.nodes)}
    return sorted(found, key=place.__getitem__)


def _insert(region: Region, maker: Region, cone: Sequence[Node], q: Node) -> None:
    """Put copies of the operations in front of the region's own."""
    copies: dict[Node, Node] = {}
    for node in cone:
        twin = Node(node.op, node.args, node.params, node.kind)
        twin.number, twin.source, twin.group = node.number, node.source, region
        twin.view = View(twin, 0, twin.shape, contiguous(twin.shape))
        copies[node] = twin
        region.level[twin] = FULL
        region.reads[twin] = [
            a._replace(root=copies[a.root]) if a is not None and a.root in copies else a
            for a in maker.reads[node]
        ]
        for a in region.reads[twin]:
            if a is not None and a.root.group is not None and a.root.group is not region:
                region.follow(a.root.group)
    region.nodes[:0] = copies.values()
    for reads in region.reads.values():
        for k, a in enumerate(reads):
            if a is not None and a.root is q:
                reads[k] = a._replace(root=copies[q])


def _prune(region: Region, readers: dict[Node, set[Group]], outputs: set[Node]) -> None:
    """Drop what nobody reads any more."""
    used = {
        a.root for reads in region.reads.values() for a in reads if a is not None and a.root.group is region
    }
    for node in reversed(list(region.nodes)):
        if node in used or node in outputs or readers.get(node) or node.target is not None:
            continue
        if region.level[node] != FULL or node.op in REDUCTIONS or len(region.nodes) == 1:
            continue
        region.nodes.remove(node)
        del region.level[node]
        del region.reads[node]
        used = {
            a.root
            for reads in region.reads.values()
            for a in reads
            if a is not None and a.root.group is region
        }
