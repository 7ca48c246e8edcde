"""From a graph to groups that run one after the other, shaped and cut; the same for every target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..ops import elementwise as ew
from ..ops.primitive import NO_PARAMS
from .chains import Chain, chained, is_sum_over_rows
from .chunks import Cut, Cutting, add_lanes, cut_region
from .graph import Graph, Node
from .placing import Planner
from .products import join_products
from .recompute import recompute
from .regions import FULL, Group, Region, Scalars, access, ordered, reads_of, squeezed
from .views import View, contiguous, merged, view_of


class Plan(NamedTuple):
    """What runs, in order, and what lives in memory.

    Attributes:
        graph: what is computed.
        groups: in the order in which they run.
        stored: values that live in memory.
        pieces: shape and chunks of every region.
    """

    graph: Graph
    groups: list[Group]
    stored: set[Node]
    pieces: dict[Group, Cut]


def make_plan(graph: Graph, donated: Sequence[tuple[int, int]], cutting: Cutting) -> Plan:
    """Group, order, shape and cut.

    Args:
        graph: what to compute.
        donated: (input, output) pairs that share an array.
        cutting: the target's sizes.
    """
    join_products(graph)
    groups = Planner(graph).place()
    recompute(groups, {*graph.outputs, *flagged(graph)})
    groups = ordered(groups)
    for source, result in donated:
        _share(graph, groups, source, result)
    stored = _stored(graph, groups)
    pieces: dict[Group, Cut] = {}
    final: list[Group] = []
    kept = {*graph.outputs, *flagged(graph)}
    for group in chained(groups, kept) if cutting.chains else groups:
        final.append(group)
        if isinstance(group, Region):
            final += cut_region(group, stored, pieces, cutting)
        elif isinstance(group, Chain):
            for member in group.members:
                if isinstance(member, Region):
                    final += cut_region(member, stored, pieces, cutting, group)
                elif group.lanes > 1 and is_sum_over_rows(member.nodes[0], group.rows):
                    extra = add_lanes(member, group, stored)
                    final += [extra, *cut_region(extra, stored, pieces, cutting)]
            group.nodes = [node for member in group.members for node in member.nodes]
    return Plan(graph, final, stored, pieces)


def _stored(graph: Graph, groups: Sequence[Group]) -> set[Node]:
    """Values that live in memory: read by another group than their own, or asked for."""
    stored = set(graph.outputs)
    stored |= flagged(graph)
    for group in groups:
        for root in reads_of(group):
            if root.group is not group and root.group is not None:
                stored.add(root)
        if not isinstance(group, (Region, Scalars)):
            stored.update(group.nodes)
    return stored


def _share(graph: Graph, groups: list[Group], source: int, result: int) -> None:
    """Let an output lie in the array of an input.

    That is safe when the region that writes it is one loop over the elements (loads come before stores
    there) and nobody reads the input later. Otherwise the output is made elsewhere and copied at the end.
    """
    x, z = graph.inputs[source], graph.outputs[result]
    readers = [k for k, group in enumerate(groups) if any(root is x for root in reads_of(group))]
    writer = z.group
    at = groups.index(writer) if writer is not None else -1
    if isinstance(writer, Region) and writer.split is None and all(k <= at for k in readers):
        own = [a for reads in writer.reads.values() for a in reads if a is not None and a.root is x]
        everything = [a.strides for reads in writer.reads.values() for a in reads if a is not None]
        flat = all(len(merged(writer.shape, s)) <= 1 for s in (*everything, *writer.outs.values()))
        if flat and all(not a.offset and a.strides == contiguous(writer.shape) for a in own):
            z.share = x
            return
    copy = Node(ew.positive, (z,), NO_PARAMS, z.kind)
    copy.number, copy.source = len(graph.nodes), z.source
    copy.view = View(copy, 0, copy.shape, contiguous(copy.shape))
    region = Region(squeezed(z.shape))
    region.level[copy], region.reads[copy] = FULL, [access(z, z.shape)]
    region.add(copy, [z])
    for k in readers:
        region.follow(groups[k])
    groups.append(region)
    graph.outputs[result] = copy


def flagged(graph: Graph) -> set[Node]:
    """The counts that must be 0 when the program has run."""
    return {view_of(flag).root for flag, _, _ in graph.checks if isinstance(flag, Node)}
