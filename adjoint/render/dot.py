"""The dot language: a view as text that Graphviz lays out.

Every text a user could have written passes through `html` or `quoted`; identifiers are made from numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..text import clean
from .graph import Arrow, Box, Cluster, Graph, Node, View
from .numbers import text_of
from .views import heat_ends
from .words import (
    by_number,
    escaped,
    lines_of,
    place_of,
    source_of,
    title_of,
)

INK, SOFT, LINE = "#1f2933", "#66717d", "#52606d"
# from no sensitivity to the most: ever darker, so that it reads in grey, and never too dark for black type
HEAT = ((255, 255, 255), (255, 243, 217), (254, 217, 157), (250, 176, 98), (238, 126, 65))
FILL = {"input": "#e6eff9", "parameter": "#e8e3f4", "output": "#e3f1e4", "objective": "#e3f1e4"}
BAR = 12  # height of a histogram in points


def dot(graph: Graph, view: View, direction: str = "down") -> str:
    """The view in the dot language, with everything that SVG and PNG show."""
    nodes = by_number(graph)
    # a dense graph has no fine layout to be found, and the search for one takes minutes
    dense = len(view.arrows) > max(2 * len(view.boxes), 60)
    haste = ["  graph [nslimit=1, nslimit1=1, mclimit=0.3]"] if dense else []
    rank = {"down": "TB", "right": "LR"}[direction]
    lines = [
        "digraph adjoint {",
        f'  graph [rankdir={rank}, fontname=Helvetica, fontsize=10, nodesep=0.22, ranksep="0.42", pad=0.25,',
        f'         bgcolor=white, labelloc=b, labeljust=l, fontcolor="{SOFT}", tooltip=" ",',
        f"         label=<{_legend(graph, view)}>]",
        f'  node [fontname=Helvetica, fontsize=10, fontcolor="{INK}", color="{LINE}", margin="0.07,0.04",',
        "        height=0.2, width=0.3, shape=box]",
        f'  edge [fontname=Helvetica, fontsize=8, fontcolor="{SOFT}", color="{LINE}", arrowsize=0.55]',
    ]
    lines += haste
    # a mirrored view: what comes first is drawn on the left, and of two rows below
    lines += _nested(graph, view, nodes, turned=direction == "right")
    lines += [
        _tie(arrow, view, direction) if arrow.side == "pair" else _arrow(arrow, view, not dense)
        for arrow in view.arrows
    ]
    return "\n".join([*lines, "}", ""])


def html(text: str, limit: int = 0) -> str:
    """A text inside an HTML-like label."""
    return escaped(text, limit) or "(blank)"


def quoted(text: str, limit: int = 0) -> str:
    r"""A text as a quoted string.

    In these dot reads entities, and `\N` and `\G` as names of its own, however often it is doubled:
    another sign of that look takes its place.
    """
    text = clean(text, limit).replace("&", "&amp;").replace("\\", "∖").replace('"', '\\"')
    return f'"{text}"'


def _nested(graph: Graph, view: View, nodes: dict[int, Node], turned: bool) -> Iterator[str]:
    """Boxes inside their outlines."""
    inside: dict[int, list[tuple[str, int]]] = {}
    for k, cluster in enumerate(view.clusters):
        inside.setdefault(cluster.parent, []).append(("cluster", k))
    for k, box in enumerate(view.boxes):
        inside.setdefault(box.cluster, []).append(("box", k))
    sides = [k for k, cluster in enumerate(view.clusters) if cluster.kind == "side"]
    for k in range(sides[1] if sides else 0, len(view.clusters)):
        # in the opposite order on the other side: the layout starts from the order it reads
        parts = inside.get(k, [])
        boxes, outlines = ([part for part in parts if part[0] == kind] for kind in ("box", "cluster"))
        inside[k] = boxes + outlines[::-1]
    if turned and sides:
        inside[-1].reverse()
    stack = [("inside", -1, 1)]
    while stack:
        what, k, depth = stack.pop()
        indent = "  " * depth
        if what == "box":
            yield indent + _box(view.boxes[k], graph, nodes)
        elif what == "end":
            yield indent + "}"
        else:
            if what == "cluster":
                yield f"{indent}subgraph cluster_{view.clusters[k].id} {{"
                yield f"{indent}  {_outline(view.clusters[k])}"
                stack.append(("end", -1, depth))
                depth += 1
            stack += [(kind, at, depth) for kind, at in reversed(inside.get(k, []))]


def _outline(cluster: Cluster) -> str:
    name = html(cluster.name, 40) if cluster.name else ""
    if cluster.kind == "side":
        name = f"<b>{name}</b>&#160; "
    if cluster.count > 1:
        name = f"{name}  <b>× {cluster.count}</b>".strip()
    if cluster.note:
        name += f'  <font point-size="8">{html(cluster.note, 60)}</font>'
    style = {
        "scope": 'style="rounded,filled", fillcolor="#f5f7fa", color="#cbd2d9", penwidth=1',
        "repeat": 'style="rounded,filled", fillcolor="#eef3f7", color="#7b8794", penwidth=1.2, peripheries=2',
        "kernel": 'style="rounded,filled", fillcolor="#f3f8f3", color="#4f7a58", penwidth=1.6',
        "side": "peripheries=0",
    }[cluster.kind]
    return (
        f'graph [label=<{name or " "}>, labeljust=l, labelloc=t, fontsize=10, fontcolor="{SOFT}", margin=9, '
        f'id="{cluster.id}", tooltip={quoted(cluster.name or cluster.kind, 400)}, {style}]'
    )


# --------------------------------------------------------------------------------------------- boxes
def heat_color(heat: float) -> str:
    """A color between white and orange; lightness falls evenly."""
    x = min(max(heat, 0.0), 1.0) * (len(HEAT) - 1)
    k = min(int(x), len(HEAT) - 2)
    mixed = [round(a + (b - a) * (x - k)) for a, b in zip(HEAT[k], HEAT[k + 1], strict=True)]
    return "#{:02x}{:02x}{:02x}".format(*mixed)


def _box(box: Box, graph: Graph, nodes: dict[int, Node]) -> str:
    first = nodes[box.members[0]]
    tooltip = " · ".join(
        t for t in (first.formula, place_of(box, graph, nodes), source_of(box, graph, nodes)) if t
    )
    attributes = [f'id="{box.id}"', f"label=<{_label(box, graph, nodes)}>", f"tooltip={quoted(tooltip, 400)}"]
    fill = FILL.get(first.role, "#ffffff") if not box.folded else "#f0f2f4"
    width = 0.8
    if box.heat is not None:
        width = 0.6 + 2.2 * box.heat
    if box.heat is not None and box.lam:  # without λ the role is all there is to show
        fill = heat_color(box.heat)
    style = ["filled"]
    if box.folded:
        attributes.append("shape=folder" if box.title else "shape=box3d")
    elif first.role not in ("input", "parameter"):
        style.append("rounded")
    if not box.folded and first.role in ("parameter", "output", "objective"):
        attributes.append("peripheries=2")
    if not first.connected or first.active is False:
        style.append("dashed")
    if first.active:
        width = max(width, 2.4)
    attributes += [f'style="{",".join(style)}"', f'fillcolor="{fill}"', f"penwidth={width:.2f}"]
    return f"{box.id} [{', '.join(attributes)}]"


def _label(box: Box, graph: Graph, nodes: dict[int, Node]) -> str:
    title = title_of(box, nodes)
    soft = INK if box.heat is not None and box.heat > 0.4 else SOFT  # grey on orange cannot be read
    rows = [f'<tr><td colspan="2" align="left"><b>{html(title)}</b></td></tr>']
    for line in lines_of(box, graph, nodes):
        bars = _bars(_thinned(line.bars))
        text = html(line.text)
        if not line.numeric:
            text = f'<font point-size="8" color="{soft}">{text}</font>'
        if bars:
            rows.append(f'<tr><td align="left">{text}</td><td align="right">{bars}</td></tr>')
        else:
            rows.append(f'<tr><td colspan="2" align="left">{text}</td></tr>')
    return f'<table border="0" cellborder="0" cellspacing="0" cellpadding="1">{"".join(rows)}</table>'


def _thinned(values: Sequence[float], most: int = 24) -> list[float]:
    """A row of at most that many, the largest of each stretch."""
    size = max(1, -(-len(values) // most))
    return [max(values[k : k + size]) for k in range(0, len(values), size)]


def _bars(values: Sequence[float]) -> str:
    """A histogram of cells: no font is needed, and PNG and SVG have it alike."""
    top = max(values, default=0.0)
    if not top > 0 or top == float("inf"):
        return ""
    cells = []
    for x in values:
        height = max(1, round(BAR * x / top)) if x > 0 else 0
        rows = ""
        if height < BAR:
            rows += f'<tr><td fixedsize="true" width="2" height="{BAR - height}"></td></tr>'
        if height:
            rows += f'<tr><td fixedsize="true" width="2" height="{height}" bgcolor="{LINE}"></td></tr>'
        cells.append(
            f'<td><table border="0" cellborder="0" cellspacing="0" cellpadding="0">{rows}</table></td>'
        )
    row = "".join(cells)
    return f'<table border="0" cellborder="0" cellspacing="1" cellpadding="0"><tr>{row}</tr></table>'


# --------------------------------------------------------------------------------------------- arrows
def _arrow(arrow: Arrow, view: View, labeled: bool) -> str:
    attributes = []
    weight = arrow.weight
    if weight is not None:
        attributes.append(f"penwidth={0.5 + 3.5 * weight * weight:.2f}")
    tooltip = "contribution to λ"
    if arrow.contribution is not None:
        tooltip = f"‖(∂f/∂z)ᵀλ‖ = {text_of(arrow.contribution)}"
    if arrow.contribution == 0:
        attributes.append("style=dotted")
    elif arrow.carried:
        attributes.append("style=dashed")
    if arrow.carried:
        attributes.append("constraint=false")
    if arrow.label and labeled:
        attributes.append(f"label=<{html(arrow.label, 32)}>")
    if arrow.count > 1:
        tooltip += f" over {arrow.count} edges"
    attributes += [f"tooltip={quoted(tooltip)}", f"edgetooltip={quoted(tooltip)}"]
    source, target = view.boxes[arrow.source].id, view.boxes[arrow.target].id
    if arrow.side == "adjoint":  # the layout goes with the program, so that λ stands across from z
        source, target = target, source
        attributes.append("dir=back")
    return f"  {source} -> {target} [{', '.join(attributes)}]"


def _tie(arrow: Arrow, view: View, direction: str) -> str:
    """The dotted line between z and λ; it holds the two at the same height."""
    ends = view.boxes[arrow.source].id, view.boxes[arrow.target].id
    first, second = ends if direction == "down" else ends[::-1]
    style = f'style=dotted, color="{SOFT}", arrowhead=none, minlen=0, weight=50, penwidth=0.7'
    return f"  {first} -> {second} [{style}]"


def _legend(graph: Graph, view: View) -> str:
    """Title, what colors and lines mean, and the caption."""
    small = f'<font point-size="8" color="{SOFT}">{{}}</font>'
    facts = " · ".join(f"{name} {text}".strip() for name, text in graph.facts)
    said = f"<b>{html(graph.title, 80)}</b>" + (f"&#160; · {html(facts, 160)}" if facts else "")
    rows = [f'<tr><td align="left">{said}</td></tr>']
    ends = heat_ends(view.boxes)
    signs = ["square: input", "double: parameter and loss", "round: operation"]
    if graph.subject == "problem":
        signs = ["thick: binds", "dashed: slack"]
    if graph.subject == "compiled":
        signs = ["square: argument", "green outline: one kernel"]
    if ends is not None:
        low, high = map(text_of, ends)
        swatches = "".join(
            f'<td fixedsize="true" width="14" height="9" border="1" color="{LINE}" '
            f'bgcolor="{heat_color(k / 6)}"></td>'
            for k in range(7)
        )
        scale = (
            # of fixed size: otherwise it is spread over the width of the title
            f'<table border="0" cellborder="0" cellspacing="0" cellpadding="2" fixedsize="true" width="390" '
            f'height="16"><tr>'
            f"<td>{small.format(f'{html(graph.heat)} ≤ {html(low)}')}</td>{swatches}"
            f"<td>{small.format(html(high))}</td>"
            f"<td>{small.format('· wide arrow: large ‖(∂f/∂z)ᵀλ‖, dotted: none')}</td></tr></table>"
        )
        rows.append(f'<tr><td align="left">{scale}</td></tr>')
    if any(arrow.carried for arrow in view.arrows):
        signs.append("dashed arrow: to the next turn")
    rows.append(f'<tr><td align="left">{small.format(html(" · ".join(signs)))}</td></tr>')
    rows.append(f'<tr><td align="left">{small.format(html(view.caption, 400))}</td></tr>')
    return f'<table border="0" cellborder="0" cellspacing="0" cellpadding="2">{"".join(rows)}</table>'
