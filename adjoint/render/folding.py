"""From a graph to what is drawn of it: views into labels, repeats to "× 12", scopes to one box.

Nothing here is recursive, and nothing depends on more than the graph: the same program gives the same view.
The tree of scopes is taken from the inside out: the items of a scope (nodes, scopes, repeats) are a sequence
of tokens, in which a body that follows itself becomes one item; the scope is then one of the scope around it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from ..sweeps.repeats import repeats
from .graph import Graph, Group

LIMIT = 150  # boxes of a first view
SAVING = 6  # boxes that a repeat must save; more in long programs
BODIES = (8, 64, 512, 20_000)  # tokens of a body at most: inner loops before those around them
STRETCHES = 24  # parts of a long program that has neither scopes nor loops


class Tree:
    """The groups of a graph, and which node stands for which.

    Attributes:
        groups: the first is the whole.
        shown: for each node's position, that of the node which stands for it: itself, the same node in the
            first turn of a repeat, or what it is a view of.
    """

    def __init__(self, graph: Graph, *, fold: bool = True) -> None:
        self.graph = graph
        self.groups: list[Group] = []
        self.shown = list(range(len(graph.nodes)))
        self.views = 0
        self._tokens: dict[object, int] = {}
        self._group_tokens: dict[int, int] = {}
        self._node_tokens = [
            self._token((n.operation, n.kind, n.active, plain_name(n.name) if n.name else ""))
            for n in graph.nodes
        ]
        hidden = self._fold_views() if fold else bytearray(len(graph.nodes))
        self._plant(hidden)
        for number in range(len(self.groups) - 1, -1, -1):  # a group's parent comes before it
            self._close(number, fold)
        shown = self.shown
        for i, stands in enumerate(shown):  # of what stands for another in turn; those come before
            shown[i] = shown[stands]

    def _fold_views(self) -> bytearray:
        """Unnamed reshapes and the like are told on the edge that leaves them."""
        graph = self.graph
        position = {node.number: k for k, node in enumerate(graph.nodes)}
        hidden = bytearray(len(graph.nodes))
        for p, i, _ in graph.edges:
            k = position[i]
            if graph.nodes[k].view:
                hidden[k] = 1
                self.shown[k] = self.shown[position[p]]
        self.views = sum(hidden)
        return hidden

    def _plant(self, hidden: bytearray) -> None:
        """Groups for the scopes in the order of their first node, so that items are in order too."""
        graph = self.graph
        known = {0: 0}
        self.groups.append(Group("", "scope", -1))
        for k, node in enumerate(graph.nodes):
            if hidden[k]:
                continue
            number = known.get(node.scope)
            if number is None:
                number = self._group_of(node.scope, known)
            self.groups[number].items.append(k)

    def _group_of(self, scope: int, known: dict[int, int]) -> int:
        missing = []
        while scope not in known:
            missing.append(scope)
            scope = self.graph.scopes[scope].parent
        number = known[scope]
        for s in reversed(missing):
            made = self.graph.scopes[s]
            self.groups.append(Group(made.name, made.kind, number, note=made.note))
            self.groups[number].items.append(-len(self.groups))
            number = known[s] = len(self.groups) - 1
        return number

    # ---------------------------------------------------------------------------------- repeats
    def _token(self, key: object) -> int:
        return self._tokens.setdefault(key, len(self._tokens))

    def _token_of(self, item: int) -> int:
        return self._node_tokens[item] if item >= 0 else self._group_tokens[-1 - item]

    def leaves_of(self, item: int) -> list[int]:
        """Positions of the nodes that an item draws when it is open."""
        return [item] if item >= 0 else self.groups[-1 - item].leaves

    def _close(self, number: int, repeated: bool) -> None:
        """Fold the repeats among the items of a group whose inner groups are closed."""
        group = self.groups[number]
        if repeated and group.kind != "kernel":
            for longest in BODIES:
                while self._fold_repeats(number, longest):
                    pass
        if number:
            tokens = tuple([self._token_of(item) for item in group.items])
            self._group_tokens[number] = self._token((plain_name(group.name), group.kind, tokens))
        group.leaves = [leaf for item in group.items for leaf in self.leaves_of(item)]

    def _fold_repeats(self, number: int, longest: int) -> bool:
        group = self.groups[number]
        tokens = [self._token_of(item) for item in group.items]
        groups = self.groups
        weights = [1 if item >= 0 else len(groups[-1 - item].leaves) for item in group.items]
        # in a long program short repeats are found by chance
        saving = max(SAVING, int(3 * math.log2(len(self.graph.nodes) + 1)) - 15)
        found = repeats(tokens, weights, saving, longest)
        items: list[int] = []
        at = 0
        for start, period, count in found:
            items += group.items[at:start]
            at = start + period * count
            items.append(self._repeat(number, group.items[start:at], period, count))
        group.items = items + group.items[at:]
        return bool(found)

    def _repeat(self, parent: int, items: Sequence[int], period: int, count: int) -> int:
        """One group for `count` equal bodies: the first is kept, and stands for the others."""
        body = list(items[:period])
        first = [leaf for item in body for leaf in self.leaves_of(item)]
        for turn in range(1, count):
            others = (
                leaf for item in items[turn * period : (turn + 1) * period] for leaf in self.leaves_of(item)
            )
            for leaf, stands in zip(others, first, strict=True):
                self.shown[leaf] = stands
        number = len(self.groups)
        self.groups.append(
            Group(self._range_of(items, period), "repeat", parent, count, items=body, leaves=first)
        )
        for item in body:
            if item < 0:
                self.groups[-1 - item].parent = number
        tokens = tuple([self._token_of(item) for item in body])
        self._group_tokens[number] = self._token(("repeat", count, tokens))
        return -1 - number

    def _range_of(self, items: Sequence[int], period: int) -> str:
        """`layer1 … layer12`, when the body is one scope."""
        if period > 1 or items[0] >= 0:
            return ""
        first, last = self.groups[-1 - items[0]], self.groups[-1 - items[-1]]
        return f"{first.name} … {last.name}" if first.name != last.name else ""


def plain_name(name: str) -> str:
    """A name without numbers and scopes: what `layer1/h` and `layer2/h#2` have in common."""
    return re.sub(r"\d+", "", name.rpartition("/")[2].partition("#")[0])


def fold_to(tree: Tree, limit: int, wanted: Callable[[str], bool] | None = None) -> None:
    """Fold groups, the innermost and largest first, until at most `limit` boxes are left.

    Args:
        tree: its groups are marked.
        limit: boxes at most.
        wanted: paths of scopes that stay open.
    """
    groups = tree.groups
    order, depth = [], {0: 0}
    stack = [0]
    while stack:
        g = stack.pop()
        order.append(g)
        for item in groups[g].items:
            if item < 0:
                depth[-1 - item] = depth[g] + 1
                stack.append(-1 - item)
    boxes = len(groups[0].leaves)
    visible = {g: len(groups[g].leaves) for g in order}
    kept = {g for g in order if wanted is not None and wanted(path_of(tree, g))}
    for g in sorted(order[1:], key=lambda g: (-depth[g], -visible[g], g)):
        if boxes <= limit:
            break
        saved = visible[g] - 1
        if g in kept or not saved:
            continue
        groups[g].folded = True
        boxes -= saved
        while g != 0:
            visible[g] -= saved
            g = groups[g].parent
    if boxes > limit:
        _fold_runs(tree, limit, kept)


def path_of(tree: Tree, number: int) -> str:
    """The path of a group's scopes, `encoder/layer2`."""
    names = []
    while number > 0:
        group = tree.groups[number]
        if group.kind != "repeat":
            names.append(group.name)
        number = group.parent
    return "/".join(reversed(names))


def _fold_runs(tree: Tree, limit: int, kept: set[int]) -> None:
    """The last resort, for long programs without scopes and loops: stretches of the outermost items.

    A stretch is what one line of the user's recorded, in as many parts as make it comparable with others.
    """
    root = tree.groups[0]
    runs = _runs_by_line(tree, root.items)
    longest = max(1, -(-len(tree.graph.nodes) // min(STRETCHES, limit)))
    runs = [part for run in runs for part in _parts(tree, run, longest)]
    if len(runs) > limit:
        size = -(-len(root.items) // limit)
        runs = [[]]
        for item in root.items:
            if -1 - item in kept:
                runs += [[item], []]
                continue
            if len(runs[-1]) == size:
                runs.append([])
            runs[-1].append(item)
        runs = [run for run in runs if run]
    items = []
    for run in runs:
        if len(run) == 1:
            items += run
            continue
        leaves = [leaf for item in run for leaf in tree.leaves_of(item)]
        tree.groups.append(Group("", "run", 0, items=run, leaves=leaves, folded=True))
        for item in run:
            if item < 0:
                tree.groups[-1 - item].parent = len(tree.groups) - 1
                tree.groups[-1 - item].folded = False  # the stretch is
        items.append(-len(tree.groups))
    root.items = items


def _parts(tree: Tree, run: list[int], longest: int) -> list[list[int]]:
    """A stretch in parts of some length in nodes."""
    weights = [len(tree.leaves_of(item)) for item in run]
    total = sum(weights)
    count = max(1, round(total / longest))
    parts: list[list[int]] = [[] for _ in range(count)]
    seen = 0
    for item, weight in zip(run, weights, strict=True):
        parts[min(count - 1, seen * count // total)].append(item)
        seen += weight
    return [part for part in parts if part]


def _runs_by_line(tree: Tree, items: Sequence[int]) -> list[list[int]]:
    """Neighbours that the same line of the user's recorded; inputs and open groups stay by themselves."""
    runs: list[list[int]] = []
    last: int | None = None
    for item in items:
        line = _line_of(tree, item)
        if line == last and line is not None:
            runs[-1].append(item)
        else:
            runs.append([item])
        last = line
    return runs


def _line_of(tree: Tree, item: int) -> int | None:
    if item >= 0:
        place = tree.graph.nodes[item].place
        return place if place != -1 else None
    group = tree.groups[-1 - item]
    if not group.folded or group.kind != "repeat":
        return None
    places = {tree.graph.nodes[leaf].place for leaf in tree.leaves_of(item)}
    return places.pop() if len(places) == 1 and places != {-1} else None
