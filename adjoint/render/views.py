"""What is drawn of a graph: boxes, arrows between them, outlines, and a caption that says what was folded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

from ..text import short
from .folding import LIMIT, Tree, fold_to, path_of
from .graph import Arrow, Box, Cluster, Graph, View

Ends = tuple[int, int, bool]  # of an arrow: from, to, whether it is carried to the next turn
# of ‖λ‖ and of contributions that a scale spans: equal norms are not made to look different, and rounding
# errors in a λ that is zero do not leave one shade to all the others
DECADES = (0.5, 3.0)


def view_of(graph: Graph, *, limit: int = LIMIT, expand: Iterable[str] = (), fold: bool = True) -> View:
    """Fold a graph.

    Args:
        graph: what is to be drawn.
        limit: boxes at most.
        expand: patterns of scopes' paths that stay open, `encoder/*`.
        fold: False draws every node, views and repeats too.
    """
    tree = Tree(graph, fold=fold)
    if fold:
        fold_to(tree, limit, _wanted(tuple(expand)))
    maker = _Maker(tree)
    arrows = maker.arrows()
    set_heat(maker.boxes, graph)
    return View(maker.boxes, arrows, maker.clusters, maker.caption(), tree.groups, tree.shown)


def _wanted(patterns: tuple[str, ...]) -> Callable[[str], bool] | None:
    if not patterns:
        return None
    return lambda path: any(
        fnmatchcase(path, pattern) or fnmatchcase(pattern, f"{path}/*") for pattern in patterns
    )


class _Maker:
    """Boxes and outlines in the order of the program."""

    def __init__(self, tree: Tree) -> None:
        self.tree, self.graph = tree, tree.graph
        self.boxes: list[Box] = []
        self.clusters: list[Cluster] = []
        self.box_of = [-1] * len(self.graph.nodes)  # by position of the node that is shown
        self.folded: dict[str, list[str]] = {}  # kind → paths
        self.turns: list[int] = []  # of the repeats that are drawn once
        self.hidden = 0  # arrows
        self._walk()
        for k, stands in enumerate(tree.shown):
            box = self.boxes[self.box_of[stands]]
            box.members.append(self.graph.nodes[k].number)
            self.box_of[k] = self.box_of[stands]

    def _walk(self) -> None:
        groups = self.tree.groups
        stack: list[tuple[int, int]] = [(item, -1) for item in reversed(groups[0].items)]
        while stack:
            item, around = stack.pop()
            if item >= 0:
                self.box_of[item] = len(self.boxes)
                self.boxes.append(Box(f"n{self.graph.nodes[item].number}", [], around))
                continue
            group = groups[-1 - item]
            if group.folded:
                self._folded(-1 - item, around)
                continue
            if group.kind == "repeat":
                self.turns.append(group.count)
                if len(group.items) == 1 and group.items[0] >= 0:  # one box, which says how often
                    stack.append((group.items[0], around))
                    continue
            self.clusters.append(
                Cluster(f"g{len(self.clusters)}", group.name, group.kind, around, group.count, group.note)
            )
            around = len(self.clusters) - 1
            if group.kind == "repeat" and len(group.items) == 1 and group.items[0] < 0:
                inner = groups[-1 - group.items[0]]
                if inner.kind == "scope" and not inner.folded:  # a scope that repeats has one outline
                    self.clusters[-1].name = self.clusters[-1].name or inner.name
                    group = inner
            stack += [(inner, around) for inner in reversed(group.items)]

    def _folded(self, number: int, around: int) -> None:
        group = self.tree.groups[number]
        for leaf in group.leaves:
            self.box_of[leaf] = len(self.boxes)
        first = self.graph.nodes[group.leaves[0]].number if group.leaves else 0
        self.boxes.append(Box(f"c{first}", [], around, True, group.title))
        self.folded.setdefault(group.kind, []).append(path_of(self.tree, number))

    # ---------------------------------------------------------------------------------- arrows
    def arrows(self) -> list[Arrow]:
        """One for each pair of boxes with an edge between; those of one folded box are inside it."""
        graph, shown = self.graph, self.tree.shown
        position = {node.number: k for k, node in enumerate(graph.nodes)}
        sums: dict[Ends, list[float]] = {}
        labels: dict[Ends, str] = {}
        kinds: dict[Ends, set[str]] = {}
        for p, i, contribution in graph.edges:
            at, to = position[p], position[i]
            a, b = self.box_of[at], self.box_of[to]
            if a == b and (self.boxes[a].folded or self._is_view(to)):
                continue
            carried = shown[at] >= shown[to]
            entry = sums.setdefault((a, b, carried), [0, 0.0])
            entry[0] += 1
            if contribution is not None:
                entry[1] = math.hypot(entry[1], contribution)
            kinds.setdefault((a, b, carried), set()).add(graph.nodes[at].kind)
            if self._is_view(at) and (a, b, carried) not in labels:
                labels[a, b, carried] = graph.nodes[at].formula.replace("(·, ", "(").replace("(·)", "")
        for (a, b, carried), found in kinds.items():  # what crosses the border of a folded box
            if (self.boxes[a].folded or self.boxes[b].folded) and len(found) == 1:
                count = int(sums[a, b, carried][0])
                labels.setdefault((a, b, carried), (f"{count} of " if count > 1 else "") + min(found))
        measured = any(c is not None for _, _, c in graph.edges)
        scale = _logarithmic([total for _, total in sums.values()])
        drawn = self._strongest(sums)
        return [
            Arrow(a, b, int(count), total if measured else None, scale(total) if measured else None,
                  labels.get((a, b, carried), ""), carried)
            for (a, b, carried), (count, total) in drawn
        ]  # fmt: skip

    def _strongest(self, sums: dict[Ends, list[float]]) -> list[tuple[Ends, list[float]]]:
        """All arrows in order; of very many the strongest, and at least one into every box.

        A tangle tells nothing, and the layout of 300 arrows among 30 boxes takes a minute.
        """
        most = 2 * len(self.boxes) + 40
        if len(sums) > most:
            ranked = sorted(sums.items(), key=lambda item: (-item[1][1], -item[1][0], item[0]))
            first: dict[int, Ends] = {}
            for ends in sorted(sums, key=lambda ends: (abs(ends[1] - ends[0]), ends)):
                first.setdefault(ends[1], ends)  # the nearest: they keep the boxes in order
            needed = set(first.values())
            free = [ends for ends, _ in ranked if ends not in needed]
            kept = needed | set(free[: max(0, most - len(needed))])
            self.hidden = len(sums) - len(kept)
            sums = {ends: entry for ends, entry in sums.items() if ends in kept}
        return sorted(sums.items())

    def _is_view(self, k: int) -> bool:
        return self.graph.nodes[k].view and self.tree.shown[k] != k

    def caption(self) -> str:
        """What was folded, in words."""
        parts = [_count(len(self.graph.nodes), "node")]
        if len(self.boxes) != len(self.graph.nodes):
            parts = [f"{parts[0]} in {_count(len(self.boxes), 'box')}"]
        if self.turns:
            times = ", ".join(f"× {n}" for n in self.turns[:4]) + (" …" if len(self.turns) > 4 else "")
            parts.append(f"{_count(len(self.turns), 'repeat')} drawn once ({times})")
        for kind, paths in sorted(self.folded.items()):
            names = [short(path, 24) for path in paths if path][:3] if kind == "scope" else []
            more = f" ({', '.join(names)}{' …' if len(paths) > len(names) else ''})" if names else ""
            parts.append(f"{_count(len(paths), 'stretch' if kind == 'run' else kind)} folded{more}")
        if self.tree.views:
            parts.append(f"{_count(self.tree.views, 'reshape or cast', 'reshapes and casts')} told on edges")
        if self.hidden:
            parts.append(f"the {self.hidden} weakest arrows are not drawn")
        return "; ".join(parts)


def _count(n: int, word: str, plural: str = "") -> str:
    return f"{n} {word if n == 1 else plural or (word + ('es' if word.endswith(('ch', 'x')) else 's'))}"


def set_heat(boxes: Sequence[Box], graph: Graph) -> None:
    """‖λ‖ of every box and where it stands among them."""
    if all(node.lam is None for node in graph.nodes):
        return
    norms = {node.number: node.lam.norm if node.lam is not None else 0.0 for node in graph.nodes}
    shares = {node.number: node.lam.low if node.lam is not None else 0.0 for node in graph.nodes}  # signed
    views = {node.number for node in graph.nodes if node.view}
    for box in boxes:
        each = [norms[m] for m in box.members if m == box.members[0] or m not in views]
        box.lam = (
            math.hypot(*each) if graph.subject != "difference" else abs(sum(shares[m] for m in box.members))
        )
        if not box.folded and len(each) > 1:
            box.norms = tuple(each)
    scale = _logarithmic([box.lam for box in boxes if box.lam is not None])
    for box in boxes:
        box.heat = scale(box.lam) if box.lam is not None else None


def heat_ends(boxes: Iterable[Box]) -> tuple[float, float] | None:
    """‖λ‖ of the palest shade and all below, and of the darkest; None where no ‖λ‖ is positive and finite."""
    ends = _ends(box.lam for box in boxes if box.heat is not None and box.lam is not None)
    return ends and (10 ** ends[0], 10 ** ends[1])


def _ends(values: Iterable[float]) -> tuple[float, float] | None:
    """Both ends of a scale in decades: the smallest and the largest value, within limits apart."""
    known = [x for x in values if 0 < x < math.inf]
    if not known:
        return None
    low, high = math.log10(min(known)), math.log10(max(known))
    least, most = DECADES
    return min(max(low, high - most), high - least), high


def _logarithmic(values: Iterable[float]) -> Callable[[float], float]:
    """0 to 1 between the ends of a scale; 1 for what is not finite."""
    ends = _ends(values)
    if ends is None:
        return lambda x: 1.0 if x else 0.0
    low, high = ends

    def scale(x: float) -> float:
        if x == 0:
            return 0.0
        if not math.isfinite(x):
            return 1.0
        return min(1.0, max(0.0, 1 - (high - math.log10(x)) / (high - low)))

    return scale
