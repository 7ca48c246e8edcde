"""Formats that need no layout: an indented tree for terminals, Mermaid for READMEs, JSON for pages."""

from __future__ import annotations

import json as jsons
from collections.abc import Iterator
from itertools import takewhile
from math import isfinite
from typing import Any

from ..text import clean
from .graph import SCHEMA, Arrow, Box, Graph, Node, Numbers, View
from .words import by_number, lines_of, title_of

HEAT_BARS = " ▁▂▃▄▅▆▇█"


# --------------------------------------------------------------------------------------------- text
def text(graph: Graph, view: View) -> str:
    """The view as an indented tree, one line a box: heat, title, what it is made of, numbers."""
    nodes = by_number(graph)
    sources: dict[int, list[str]] = {}
    for arrow in _in_order_of_operands(graph, view):
        if arrow.side == "pair":  # the letter says it
            continue
        mark = "↺" if arrow.carried else ""
        sources.setdefault(arrow.target, []).append(mark + title_of(view.boxes[arrow.source], nodes))
    facts = "".join(f", {name} {said}".replace(",  ", ", ") for name, said in graph.facts)
    lines = [clean(graph.title + facts), clean(view.caption)]
    for k, (box, _, shared, around) in enumerate(_outlines(view)):
        for depth in range(shared, len(around)):
            cluster = view.clusters[around[depth]]
            times = f" × {cluster.count}" if cluster.count > 1 else ""
            name = clean(cluster.name, 60) or ("" if times else cluster.kind)
            lines.append("    " + "  " * depth + (name + times).strip() + ":")
        heat = f"  {HEAT_BARS[round(box.heat * 8)]} " if box.heat is not None else "    "
        parents = f"({', '.join(sources.get(k, [])[:6])})" if k in sources else ""
        said = "  ".join(line.text for line in lines_of(box, graph, nodes))
        lines.append(f"{heat}{'  ' * len(around)}{title_of(box, nodes)}{clean(parents, 80)}  {said}")
    return "\n".join(lines)


def _in_order_of_operands(graph: Graph, view: View) -> list[Arrow]:
    """The arrows so that `divide(b, a)` says which is divided by which; those of a sweep as they are."""
    box_of = {m: k for k, box in enumerate(view.boxes) if box.side != "adjoint" for m in box.members}
    pairs = dict.fromkeys((box_of[p], box_of[i]) for p, i, _ in graph.edges)
    rank = {pair: k for k, pair in enumerate(pairs)}
    return sorted(view.arrows, key=lambda arrow: rank.get((arrow.source, arrow.target), len(rank)))


def _outlines(view: View) -> Iterator[tuple[Box, int, int, list[int]]]:
    """Every box with how many outlines are open before it, how many of these hold it too, and its own."""
    opened: list[int] = []
    for box in view.boxes:
        around = _around(view, box.cluster)
        pairs = zip(opened, around, strict=False)
        yield box, len(opened), sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs)), around
        opened = around


def _around(view: View, cluster: int) -> list[int]:
    """The outlines around a box, the outermost first."""
    found = []
    while cluster >= 0:
        found.append(cluster)
        cluster = view.clusters[cluster].parent
    return found[::-1]


# --------------------------------------------------------------------------------------------- Mermaid
def mermaid(graph: Graph, view: View, direction: str = "down") -> str:
    """The view as a Mermaid flowchart."""
    nodes = by_number(graph)
    lines = [f"flowchart {'TD' if direction == 'down' else 'LR'}"]
    around: list[int] = []
    for box, opened, shared, around in _outlines(view):
        for depth in range(opened, shared, -1):
            lines.append("  " * depth + "end")
        for depth in range(shared, len(around)):
            cluster = view.clusters[around[depth]]
            name = " ".join(t for t in (cluster.name, f"× {cluster.count}" if cluster.count > 1 else "") if t)
            # an outline that is left and entered again is a second one in the text: its id must differ
            mark = f"{cluster.id}_{len(lines)}"
            lines.append("  " * (depth + 1) + f'subgraph {mark}["{_mermaid(name or cluster.kind)}"]')
        said = "<br/>".join(
            _mermaid(t) for t in [title_of(box, nodes), *(line.text for line in lines_of(box, graph, nodes))]
        )
        left, right = ("[", "]") if nodes[box.members[0]].role in ("input", "parameter") else ("(", ")")
        lines.append("  " * (len(around) + 1) + f'{box.id}{left}"{said}"{right}')
    lines += ["  " * depth + "end" for depth in range(len(around), 0, -1)]
    for arrow in view.arrows:
        source, target = view.boxes[arrow.source].id, view.boxes[arrow.target].id
        line = _mermaid_line(arrow)
        label = f'|"{_mermaid(arrow.label)}"|' if arrow.label else ""
        lines.append(f"  {source} {line}{label} {target}")
    return "\n".join([*lines, ""])


def _mermaid_line(arrow: Arrow) -> str:
    if arrow.side == "pair":
        return "-.-"
    if arrow.carried or arrow.contribution == 0:
        return "-.->"
    return "==>" if (arrow.weight or 0) > 0.7 else "-->"


def _mermaid(said: str) -> str:
    """A text inside quotes: whatever is no letter, digit, space or plain sign is written as its number."""
    return "".join(c if c.isalnum() or c in " .,:/_×·‖−+" else f"#{ord(c)};" for c in clean(said, 120))


# --------------------------------------------------------------------------------------------- JSON
def json(graph: Graph, view: View) -> str:
    """Everything: all nodes with their numbers, all edges, and the view by which they are drawn first.

    Keys with nothing to say are left out. A number that is not finite is null; `"finite": false` says so.
    """
    document = {
        "format": "adjoint.graph",
        "version": SCHEMA,
        "title": graph.title,
        "subject": graph.subject,
        "facts": dict(graph.facts),
        "places": [{"file": p.file, "line": p.line, "source": p.source} for p in graph.places],
        "scopes": [
            _filled({"name": s.name, "parent": s.parent, "kind": s.kind, "note": s.note})
            for s in graph.scopes
        ],
        "nodes": list(map(_node, graph.nodes)),
        "edges": [
            [p, i] if c is None else [p, i, c if isfinite(c) else None] for p, i, c in graph.edges
        ],
        "view": {
            "caption": view.caption,
            "clusters": [
                _filled({"id": c.id, "name": c.name, "kind": c.kind, "parent": c.parent, "count": c.count,
                         "note": c.note})
                for c in view.clusters
            ],
            "boxes": list(_boxes(graph, view)),
            "arrows": [
                _filled({"from": view.boxes[a.source].id, "to": view.boxes[a.target].id, "count": a.count,
                         "contribution": _number(a.contribution), "weight": _number(a.weight),
                         "label": a.label, "carried": a.carried, "side": a.side})
                for a in view.arrows
            ],
        },
    }  # fmt: skip
    # ASCII: lone surrogates have no UTF-8
    return jsons.dumps(document, separators=(",", ":"), allow_nan=False, check_circular=False)


def _boxes(graph: Graph, view: View) -> Iterator[dict[str, Any]]:
    nodes = by_number(graph)
    for box in view.boxes:
        yield _filled({
            "id": box.id, "title": title_of(box, nodes),
            "lines": [line.text for line in lines_of(box, graph, nodes)],
            "members": box.members, "cluster": box.cluster, "folded": box.folded, "lam": _number(box.lam),
            "heat": _number(box.heat), "norms": [_number(x) for x in box.norms], "side": box.side,
        })  # fmt: skip


def _filled(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: x for key, x in entry.items() if x is not None and x is not False and x not in ("", [], ())}


def _node(node: Node) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": node.number, "operation": node.operation}
    if node.role != "operation" and node.role != node.operation:
        entry["role"] = node.role
    if node.formula != node.operation:
        entry["formula"] = node.formula
    if node.name:
        entry["name"] = node.name
    if node.scope:
        entry["scope"] = node.scope
    if node.kind:
        entry["kind"] = node.kind
    if node.bytes:
        entry["bytes"] = node.bytes
    if node.place >= 0:
        entry["place"] = node.place
    if node.z is not None:
        entry["z"] = _numbers(node.z)
    if node.lam is not None:
        entry["lam"] = _numbers(node.lam)
    if not node.connected:
        entry["connected"] = False
    if node.note:
        entry["note"] = node.note
    if node.active is not None:
        entry["active"] = node.active
    return entry


def _numbers(x: Numbers) -> Any:
    """Of a real scalar its value alone."""
    if x.size == 1 and x.finite and (x.norm == x.low or x.norm == -x.low):
        return x.low
    entry: dict[str, Any] = {
        "norm": _number(x.norm),
        "low": _number(x.low),
        "high": _number(x.high),
        "size": x.size,
    }
    if not x.finite:
        entry["finite"] = False
    if x.bins:
        entry["bins"] = x.bins
    return entry


def _number(x: float | None) -> float | None:
    return None if x is None or not isfinite(x) else float(x)
