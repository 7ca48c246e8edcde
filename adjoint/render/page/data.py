"""What the page knows, as plain data: nodes, edges, the tree of groups, and the words of every box.

The words are those of all formats (`words.py`), so that the script writes none of its own into a box.
Texts that occur often are written once, in `texts`, and referred to by number.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from ...text import clean
from ..graph import Box, Graph, Group, Node, Numbers, View
from ..views import set_heat
from ..words import (
    by_number,
    lines_of,
    multiplier_symbol,
    title_of,
    value_symbol,
)
from .typeset import tree_of

VERSION = 1
LONGEST = 400  # characters of a text; the title of a box is shorter
LINE = 200  # characters of a line of the user's


class Texts:
    """Texts by number, each once."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._known: dict[str, int] = {}
        self._cleaned: dict[str, int] = {}

    def number(self, text: str) -> int:
        """The number of a text, made harmless."""
        known = self._cleaned.get(text)
        if known is None:
            said = clean(text, LONGEST)
            known = self._known.get(said)
            if known is None:
                known = self._known[said] = len(self.all)
                self.all.append(said)
            self._cleaned[text] = known
        return known


def document(graph: Graph, view: View, direction: str = "down") -> dict[str, Any]:
    """What is written into a page.

    Args:
        graph: all of it is.
        view: with its tree of groups.
        direction: "down" or "right".
    """
    texts = Texts()
    groups, numbers = _groups_in_order(view.groups)
    nodes = by_number(graph)
    position = {node.number: k for k, node in enumerate(graph.nodes)}
    boxes = _boxes(graph, view, groups)
    rules = graph.rules
    return {
        "format": "adjoint.page",
        "version": VERSION,
        "title": clean(graph.title, LONGEST),
        "subject": graph.subject,
        "facts": [[clean(name, LONGEST), clean(text, LONGEST)] for name, text in graph.facts],
        "heat": graph.heat,
        "direction": direction,
        "mirrored": any(box.side for box in view.boxes),
        "places": [
            [clean(p.file, LONGEST), p.line, clean(p.source, LINE), clean(p.short, 80)] for p in graph.places
        ],
        "scopes": [[texts.number(s.name), s.parent, s.kind, texts.number(s.note)] for s in graph.scopes],
        "nodes": [_node(node, graph, texts) for node in graph.nodes],
        "shown": [[k, stands] for k, stands in enumerate(view.shown) if k != stands],
        "edges": [
            [position[p], position[i]] if c is None else [position[p], position[i], _number(c)]
            for p, i, c in graph.edges
        ],
        "groups": [
            [texts.number(g.name), g.kind, g.count, texts.number(g.note), int(g.folded),
             [item if item >= 0 else -1 - numbers[-1 - item] for item in g.items]]
            for g in groups
        ],
        "boxes": [_box(box, graph, nodes, texts) for box in boxes],
        "rules": {clean(said, LONGEST): [tree_of(line) for line in lines] for said, lines in rules.items()},
        "lagrangian": tree_of(graph.lagrangian) if graph.lagrangian else None,
        "texts": texts.all,
    }  # fmt: skip


def _groups_in_order(groups: list[Group]) -> tuple[list[Group], dict[int, int]]:
    """The groups that are reached from the whole, and their new numbers; folding leaves others behind."""
    order, stack = [], [0] if groups else []
    while stack:
        number = stack.pop()
        order.append(number)
        stack += [-1 - item for item in reversed(groups[number].items) if item < 0]
    return [groups[number] for number in order], {number: k for k, number in enumerate(order)}


def _boxes(graph: Graph, view: View, groups: list[Group]) -> list[Box]:
    """A box for every node that can be drawn, and after these one for every group, but for the whole."""
    members: dict[int, list[int]] = {}
    for k, stands in enumerate(view.shown):
        members.setdefault(stands, []).append(graph.nodes[k].number)
    boxes = [Box(f"n{graph.nodes[k].number}", members[k], -1) for k in sorted(members)]
    for group in groups[1:]:
        inside = sorted(number for leaf in group.leaves for number in members[leaf])
        boxes.append(Box(f"c{graph.nodes[group.leaves[0]].number}", inside, -1, True, group.title))
    set_heat(boxes, graph)
    return boxes


def _box(box: Box, graph: Graph, nodes: dict[int, Node], texts: Texts) -> list[Any]:
    """Id, title, ‖λ‖, lines; and, where there is a multiplier, title and lines in the adjoint sweep.

    A line of numbers says whose they are, and whose bars stand beside it: 1 of z, 2 of λ.
    """
    first = 2 if box.folded or nodes[box.members[0]].z is None else 1
    row = [
        box.id,
        texts.number(title_of(box, nodes)),
        _number(box.lam),
        _lines(box, graph, nodes, texts, first),
    ]
    if box.lam is None or graph.subject == "difference":
        return row
    twin = replace(box, side="adjoint")
    return [*row, texts.number(title_of(twin, nodes)), _lines(twin, graph, nodes, texts, 2)]


def _lines(box: Box, graph: Graph, nodes: dict[int, Node], texts: Texts, whose: int) -> list[Any]:
    lines: list[Any] = []
    for line in lines_of(box, graph, nodes):
        lines.append([texts.number(line.text), whose] if line.numeric else texts.number(line.text))
        whose += line.numeric
    return lines


def _node(node: Node, graph: Graph, texts: Texts) -> list[Any]:
    flags = node.connected + 2 * node.view + 4 * (node.active is not None) + 8 * bool(node.active)
    return [
        node.number, texts.number(node.operation), texts.number(node.role), texts.number(node.formula),
        texts.number(node.name), node.scope, texts.number(node.kind), node.bytes, node.place, flags,
        _numbers(node.z), _numbers(node.lam), texts.number(node.note),
        texts.number(value_symbol(node) + " " + multiplier_symbol(node, graph)),
    ]  # fmt: skip


def _numbers(x: Numbers | None) -> Any:
    """Of a real scalar its value alone; else norm, low, high, size, whether it is finite, and bins."""
    if x is None:
        return None
    if x.size == 1 and x.finite and x.norm == abs(x.low):
        return _number(x.low)
    return [_number(x.norm), _number(x.low), _number(x.high), x.size, int(x.finite), *x.bins]


def _number(x: float | None) -> float | None:
    """Seven digits are more than anyone reads in a page, and half the bytes."""
    return None if x is None or not math.isfinite(x) else float(f"{x:.7g}")
