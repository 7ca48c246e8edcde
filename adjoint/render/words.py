"""What the boxes of every format say, and how a hostile name is made harmless."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple
from xml.sax.saxutils import escape

from ..text import clean, size_text
from .graph import Box, Graph, Node, Numbers
from .numbers import text_of

WIDTH = 36  # characters of a title


def by_number(graph: Graph) -> dict[int, Node]:
    """Nodes by number."""
    return {node.number: node for node in graph.nodes}


def numbers_text(symbol: str, x: Numbers | None, disconnected: bool = False) -> str:
    """`z 0.53` of a scalar, `‖z‖ 3.1 in [−0.9, 0.98]` of an array."""
    if disconnected:
        return f"{symbol} 0, disconnected"
    if x is None:
        return ""
    if x.size == 1 and x.finite:
        return f"{symbol} {text_of(x.low)}" if x.norm == abs(x.low) else f"|{symbol}| {text_of(x.norm)}"
    if x.size == 1 and not x.finite:
        return f"|{symbol}| {text_of(x.norm)}, not finite"
    finite = "" if x.finite else " not finite"
    if x.low != x.low:
        return f"{symbol}{finite}" if x.size else f"{symbol} empty"
    if x.norm == 0:
        return f"‖{symbol}‖ 0"
    return f"‖{symbol}‖ {text_of(x.norm)} in [{text_of(x.low)}, {text_of(x.high)}]{finite}"


def turns_of(box: Box, nodes: dict[int, Node]) -> list[Node]:
    """The node of every turn of a repeat; of another box that is no outline, its one node."""
    return [nodes[m] for m in box.members if m == box.members[0] or not nodes[m].view]


def title_of(box: Box, nodes: dict[int, Node]) -> str:
    """The first line of a box; of a box of the adjoint sweep with the letter of the multiplier."""
    first = nodes[box.members[0]]
    if box.side == "adjoint":
        return f"{_letter(first)} {_title(box, first, nodes)}"
    return _title(box, first, nodes)


def _title(box: Box, first: Node, nodes: dict[int, Node]) -> str:
    if not box.folded:
        turns = turns_of(box, nodes)
        times = f" × {len(turns)}" if len(turns) > 1 else ""
        return clean(_common_name(turns) or first.formula, WIDTH) + times
    if box.title:
        return clean(box.title, WIDTH)
    return f"nodes {box.members[0]} to {box.members[-1]}"


def _common_name(turns: list[Node]) -> str:
    """`layer/0…11/b` of names that differ in numbers alone; names inside a scope do not repeat it."""
    if len(turns) == 1:
        return turns[0].name
    names = list(dict.fromkeys(node.name.partition("#")[0] for node in turns))
    if len(names) == 1:
        return names[0]
    parts = [re.split(r"(\d+)", name[:200]) for name in names]
    if any(part[::2] != parts[0][::2] for part in parts):
        return names[0]
    # the least and the largest number, not the first and the last name: 10 stands before 2 in a dict
    ends = [
        (min(column, key=int), max(column, key=int)) for column in zip(*(p[1::2] for p in parts), strict=True)
    ]
    numbers = [low if low == high else f"{low}…{high}" for low, high in ends]
    return "".join(text + number for text, number in zip_longest(parts[0][::2], numbers, fillvalue=""))


def operations_of(box: Box, nodes: dict[int, Node], limit: int = 4) -> str:
    """The operations in a folded box, the most frequent first."""
    names = Counter(nodes[m].operation for m in box.members)
    ranked = sorted(names.items(), key=lambda item: (-item[1], item[0]))
    text = ", ".join(f"{clean(name, 16)} {n}" if n > 1 else clean(name, 16) for name, n in ranked[:limit])
    return text + (f" +{len(ranked) - limit}" if len(ranked) > limit else "")


def place_of(box: Box, graph: Graph, nodes: dict[int, Node]) -> str:
    """The user's line, `train.py:41`; of a folded box the first and how many others."""
    places = dict.fromkeys(nodes[m].place for m in box.members if nodes[m].place >= 0)
    if not places:
        return ""
    first = clean(graph.places[min(places)].short, 40)
    return first + (f" +{len(places) - 1}" if len(places) > 1 else "")


def bytes_text(box: Box, nodes: dict[int, Node]) -> str:
    """Memory kept by all members."""
    total = sum(nodes[m].bytes for m in box.members)
    return size_text(total) if total else ""


def source_of(box: Box, graph: Graph, nodes: dict[int, Node]) -> str:
    """The text of the user's line."""
    places = [nodes[m].place for m in box.members if nodes[m].place >= 0]
    return clean(graph.places[min(places)].source, 120) if places else ""


class Line(NamedTuple):
    """A line of a box: its text, whether it is numbers, and what is drawn beside it as bars."""

    text: str
    numeric: bool = False
    bars: Sequence[float] = ()


def escaped(text: str, limit: int = 0) -> str:
    """A text for XML: inside SVG, and in dot's HTML-like labels."""
    return escape(clean(text, limit), {'"': "&quot;"})


def lines_of(box: Box, graph: Graph, nodes: dict[int, Node]) -> list[Line]:
    """What a box says below its title, one text a line; the last is where it comes from."""
    first = nodes[box.members[0]]
    if box.side == "adjoint":
        return _multiplier_lines(box, first, graph)
    lines = []
    with_lam = box.lam is not None and not box.side
    if box.folded:
        lines += [Line(f"{len(box.members)} nodes"), Line(operations_of(box, nodes))]
        if with_lam:
            lines.append(_total_line(box, graph))
    else:
        said = first.name and first.formula not in ("input", "parameter", first.name)
        lines.append(
            Line(" · ".join(clean(t, WIDTH) for t in (first.formula if said else "", first.kind) if t))
        )
        turns = turns_of(box, nodes)
        if len(turns) > 1:
            norms = [t.z.norm for t in turns if t.z is not None]
            lines.append(Line(_range_text(value_symbol(first), norms), True, norms))
        else:
            lines.append(_numbers_line(value_symbol(first), first.z))
        if with_lam:
            lines.append(_multiplier_line(box, first, graph))
        if all(turn.note == first.note for turn in turns):
            lines.append(Line(clean(first.note, 60)))
    where = " · ".join(t for t in (place_of(box, graph, nodes), bytes_text(box, nodes)) if t)
    return [line for line in [*lines, Line(where)] if line.text]


def _multiplier_lines(box: Box, first: Node, graph: Graph) -> list[Line]:
    """What a box of the adjoint sweep says: what its multiplier is, and its numbers."""
    if box.folded:
        return [Line(f"{len(box.members)} nodes"), _total_line(box, graph)]
    meaning = {
        "parameter": "the gradient", "output": "the seed, 1", "objective": "1",
    }.get(first.role, "")  # fmt: skip
    if first.operation == "x":
        meaning = "∂L/∂x, zero at a solution"
    return [line for line in (Line(meaning), _multiplier_line(box, first, graph)) if line.text]


def _total_line(box: Box, graph: Graph) -> Line:
    return Line(f"{graph.heat} {text_of(box.lam)}" if box.lam is not None else "", True)


def _multiplier_line(box: Box, first: Node, graph: Graph) -> Line:
    """‖λ‖ of a node, or its range over the turns of a repeat."""
    symbol = multiplier_symbol(first, graph)
    if box.norms:
        return Line(_range_text(symbol, box.norms), True, box.norms)
    return _numbers_line(symbol, first.lam, not first.connected)


def _numbers_line(symbol: str, x: Numbers | None, disconnected: bool = False) -> Line:
    return Line(numbers_text(symbol, x, disconnected), True, x.bins if x is not None else ())


def _range_text(symbol: str, norms: Sequence[float]) -> str:
    """Norms over the turns of a repeat."""
    if not norms:
        return ""
    low, high = text_of(min(norms)), text_of(max(norms))
    return f"‖{symbol}‖ {low}" + (f" to {high}" if low != high else "")


def value_symbol(node: Node) -> str:
    """The letter of a value: z of a tape's, of a problem's parts f, g, h, x and L."""
    if node.role == "constraint":
        return "h" if node.operation == "=" else "g"
    return {"x": "x", "minimize": "f"}.get(node.operation, "z" if node.name != "L" else "L")


def multiplier_symbol(node: Node, graph: Graph) -> str:
    """The letter of a multiplier: λ of a tape's, ν of an equality, μ of an inequality; Δℓ of a share."""
    return "Δℓ" if graph.subject == "difference" else _letter(node)


def _letter(node: Node) -> str:
    if node.role != "constraint":
        return "λ"
    return "ν" if node.operation == "=" else "μ"
