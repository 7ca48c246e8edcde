"""Small drawings in SVG, by hand: no package, no script, colors of the page they stand in.

Every function returns the text of one `<svg>`. Its classes (line, tangent, bar, …) get their colors from the
page's style, so that light, dark and printed pages need no other drawing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...text import number, short
from ..base import Floats
from .sections import escaped, minus

WIDTH, HEIGHT = 440, 250
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 24, 44


class Series(NamedTuple):
    """One curve.

    Attributes:
        x, y: (L,), NaN where there is nothing.
        kind: class in the style: "line" or "tangent".
        dots: whether to mark the points.
        label: in words, for the legend; empty: none.
    """

    x: Floats
    y: Floats
    kind: str = "line"
    dots: bool = False
    label: str = ""


def nice_step(span: float, about: int) -> float:
    """A step of 1, 2, 2.5 or 5 times a power of ten that divides a span into about so many.

    >>> nice_step(0.37, 5), nice_step(83.0, 5)
    (0.1, 20.0)
    """
    raw = span / about
    power = 10.0 ** math.floor(math.log10(raw))
    factor = min((1, 2, 2.5, 5, 10), key=lambda f: abs(math.log(raw / (f * power))))
    return float(f"{factor * power:.12g}")


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers between two.

    >>> ticks(0.12, 0.97)
    [0.2, 0.4, 0.6, 0.8]
    """
    if not high > low:
        return [low]
    step = nice_step(high - low, about)
    first = math.ceil(low / step - 1e-9)
    return [float(f"{k * step:.12g}") for k in range(first, math.floor(high / step + 1e-9) + 1)]


def plot(
    series: Sequence[Series], x_label: str, y_label: str, title: str,
    mark: tuple[float, float, str] | None = None, mark_left: bool = False,
    x_ticks: Sequence[tuple[float, str]] | None = None,
) -> str:  # fmt: skip
    """Curves over one axis, with a legend when they have labels.

    Args:
        series: the curves.
        x_label: what the horizontal axis is.
        y_label: what the vertical axis is.
        title: what the drawing says, for those who hear the page.
        mark: (x, y, words) of one point that is emphasised.
        mark_left: whether its words stand on its left, where a rising curve is not.
        x_ticks: where the horizontal axis has marks, and what they say; round numbers when it is None.
    """
    xs = np.concatenate([s.x[np.isfinite(s.y)] for s in series if s.kind != "tangent"])
    ys = np.concatenate([s.y[np.isfinite(s.y)] for s in series if s.kind != "tangent"])
    if not xs.size:
        return ""
    frame = _Frame(_widened(xs), _widened(ys))
    parts = [frame.axes(x_label, y_label, x_ticks)]
    for s in series:
        parts.append(frame.curve(s))
    if mark is not None:
        x, y = frame.at(mark[0], mark[1])
        # beside the point where a falling curve is not: above on the right, for a rising one on the left
        side, anchor = (-9, "end") if x > WIDTH * 0.62 or mark_left else (9, "start")
        parts.append(f'<circle class="mark" cx="{x}" cy="{y}" r="5.5"/>')
        parts.append(
            f'<text class="note" x="{x + side:.1f}" y="{y - 9:.1f}" text-anchor="{anchor}">'
            f"{escaped(minus(mark[2]))}</text>"
        )
    return _svg(HEIGHT, title, "".join(parts) + _legend([s for s in series if s.label]))


def histogram(values: Floats, x_label: str, title: str, limit: float | None = None, words: str = "") -> str:
    """How a number is spread over prompts; what lies below a limit is drawn in the color of warnings.

    Args:
        values: (N,).
        x_label: what the number is.
        title: what the drawing says.
        limit: drawn as a line.
        words: beside the line.
    """
    low, high = _widened(values if limit is None else np.append(values, limit))
    edges = np.linspace(low, high, 31)
    if limit is not None:  # a bin edge at the limit, so that no bin is half below
        edges += limit - edges[np.argmin(np.abs(edges - limit))]
        edges = np.concatenate(
            [[edges[0] - (edges[1] - edges[0])], edges, [edges[-1] + (edges[1] - edges[0])]]
        )
    counts, _ = np.histogram(values, edges)
    filled = np.flatnonzero(counts)
    ends = [float(edges[max(filled[0] - 1, 0)]), float(edges[min(filled[-1] + 2, len(edges) - 1)])]
    if limit is not None:
        ends = [min(ends[0], limit), max(ends[1], limit)]
    frame = _Frame((ends[0], ends[1]), (0.0, 1.08 * counts.max() / len(values) * 100))
    parts = [frame.axes(x_label, "% of prompts")]
    for count, a, b in zip(counts, edges[:-1], edges[1:], strict=True):
        if count:
            share = 100 * count / len(values)
            (x0, y), (x1, base) = frame.at(a, share), frame.at(b, 0.0)
            below = " below" if limit is not None and b <= limit + 1e-12 * abs(limit) else ""
            between = minus(f"{share:.1f} % between {a:.3g} and {b:.3g}")
            parts.append(
                f'<rect class="bar{below}" x="{x0 + 0.5:.1f}" y="{y}" width="{max(x1 - x0 - 1, 1):.1f}" '
                f'height="{base - y:.1f}"><title>{between}</title></rect>'
            )
    if limit is not None:
        parts.append(frame.upright(limit, words))
    return _svg(HEIGHT, title, "".join(parts))


class Move(NamedTuple):
    """One row of `moves`: what an average was, is, and has to be.

    Attributes:
        name: of the score.
        before, after: averages under the reference and the aligned policy.
        level: the required one, or None.
    """

    name: str
    before: float
    after: float
    level: float | None


def moves(rows: Sequence[Move], title: str) -> str:
    """Before and after, one row a score, each on a scale of its own; a bar stands where the level is."""
    parts, height = [], 60 * len(rows) + 6
    for k, row in enumerate(rows):
        y = 60 * k + 34
        numbers = [row.before, row.after] + ([] if row.level is None else [row.level])
        low, high = min(numbers), max(numbers)
        span, size = (high - low) or 1.0, max(abs(low), abs(high))

        def x(value: float, low: float = low, span: float = span) -> float:
            return round(130 + 250 * (value - low) / span, 1)

        a, b = x(row.before), x(row.after)
        parts.append(f'<text class="name" x="8" y="{y + 4}">{escaped(short(row.name, 16))}</text>')
        parts.append(f'<line class="grid" x1="124" x2="386" y1="{y}" y2="{y}"/>')
        parts.append(f'<line class="way" x1="{a}" x2="{b}" y1="{y}" y2="{y}"/>')
        if row.level is not None:
            parts.append(
                f'<line class="limit" x1="{x(row.level)}" x2="{x(row.level)}" y1="{y - 9}" y2="{y + 9}"/>'
                f'<text class="tick" x="{x(row.level)}" y="{y + 22}" text-anchor="middle">'
                f"needs {minus(number(row.level, size))}</text>"
            )
        parts.append(f'<circle class="before" cx="{a}" cy="{y}" r="4.5"/>')
        parts.append(f'<circle class="after" cx="{b}" cy="{y}" r="5.5"/>')
        close = abs(a - b) < 70
        left, right = ("end", "start") if a <= b else ("start", "end")
        anchors = (left, right) if close else ("middle", "middle")
        for kind, at, anchor, value in (
            ("tick", a, anchors[0], row.before),
            ("note", b, anchors[1], row.after),
        ):
            parts.append(
                f'<text class="{kind}" x="{at}" y="{y - 13}" text-anchor="{anchor}">'
                f"{minus(number(value, size))}</text>"
            )
    return _svg(height, title, "".join(parts))


class Estimate(NamedTuple):
    """One row of `intervals`: a multiplier with its standard errors, None where there is none."""

    name: str
    value: float
    sandwich: float
    bootstrap: float | None


def intervals(rows: Sequence[Estimate], title: str) -> str:
    """Multipliers on one axis from 0, with 95 % intervals: thick by the sandwich, thin by the bootstrap."""
    reach = [r.value + 2.2 * max(r.sandwich, r.bootstrap or 0.0) for r in rows if np.isfinite(r.sandwich)]
    high = max([*reach, *(r.value for r in rows), 1e-12])
    marks = ticks(0.0, high, 4)
    height = 44 * len(rows) + 48

    def x(value: float) -> float:
        return round(130 + 280 * min(max(value, 0.0), high) / high, 1)

    parts = []
    for tick in marks:
        parts.append(f'<line class="grid" x1="{x(tick)}" x2="{x(tick)}" y1="8" y2="{height - 42}"/>')
        parts.append(
            f'<text class="tick" x="{x(tick)}" y="{height - 26}" text-anchor="middle">{tick:.4g}</text>'
        )
    parts.append(
        f'<text class="label" x="270" y="{height - 6}" text-anchor="middle">λ* with 95 % intervals</text>'
    )
    for k, row in enumerate(rows):
        y = 44 * k + 28
        parts.append(f'<text class="name" x="8" y="{y + 4}">{escaped(short(row.name, 16))}</text>')
        for error, kind, offset in ((row.sandwich, "thick", 0), (row.bootstrap, "thin", 9)):
            if error and np.isfinite(error):
                a, b = x(row.value - 1.96 * error), x(row.value + 1.96 * error)
                parts.append(f'<line class="{kind}" x1="{a}" x2="{b}" y1="{y + offset}" y2="{y + offset}"/>')
        parts.append(f'<circle class="after" cx="{x(row.value)}" cy="{y}" r="5"/>')
        parts.append(
            f'<text class="note" x="{x(row.value)}" y="{y - 10}" text-anchor="middle">{row.value:.4g}</text>'
        )
    return _svg(height, title, "".join(parts))


# ----------------------------------------------------------------------------------------------- the frame
class _Frame:
    """Where numbers lie in the picture."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.x, self.y = x, y

    def at(self, x: float, y: float) -> tuple[float, float]:
        (x0, x1), (y0, y1) = self.x, self.y
        return (
            round(LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT), 1),
            round(HEIGHT - BOTTOM - (y - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM), 1),
        )

    def axes(self, x_label: str, y_label: str, x_ticks: Sequence[tuple[float, str]] | None = None) -> str:
        parts, floor = [], HEIGHT - BOTTOM
        for value in ticks(*self.y):
            _, y = self.at(self.x[0], value)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
            parts.append(
                f'<text class="tick" x="{LEFT - 7}" y="{y + 4}" text-anchor="end">{_tick(value)}</text>'
            )
        for value, said in [(t, _tick(t)) for t in ticks(*self.x)] if x_ticks is None else x_ticks:
            x, _ = self.at(value, self.y[0])
            parts.append(f'<line class="axis" x1="{x}" x2="{x}" y1="{floor}" y2="{floor + 4}"/>')
            parts.append(
                f'<text class="tick" x="{x}" y="{floor + 17}" text-anchor="middle">{escaped(said)}</text>'
            )
        parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{floor}" y2="{floor}"/>')
        middle = (LEFT + WIDTH - RIGHT) / 2
        parts.append(
            f'<text class="label" x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">'
            f"{escaped(x_label)}</text>"
        )
        across = (TOP + floor) / 2
        parts.append(
            f'<text class="label" transform="rotate(-90)" x="{-across}" y="14" text-anchor="middle">'
            f"{escaped(y_label)}</text>"
        )
        return "".join(parts)

    def curve(self, s: Series) -> str:
        shown = [(float(x), float(y)) for x, y in zip(s.x, s.y, strict=True) if np.isfinite(y)]
        if s.kind == "tangent":
            shown = self._cut(*shown)
        points = [self.at(x, y) for x, y in shown]
        way = " ".join(f"{x},{y}" for x, y in points)
        out = f'<polyline class="{s.kind}" points="{way}"/>'
        if s.dots:
            for (x, y), (px, py) in zip(shown, points, strict=True):
                words = f"<title>{minus(f'{x:.4g} → {y:.4g}')}</title>"
                out += f'<circle class="dot {s.kind}" cx="{px}" cy="{py}" r="3">{words}</circle>'
        return out

    def _cut(self, a: tuple[float, float], b: tuple[float, float]) -> list[tuple[float, float]]:
        """The part of a straight line that lies in the frame."""
        (low, high), (x0, y0), (x1, y1) = self.y, a, b
        if y0 == y1:
            return [a, b]
        at = sorted((y - y0) / (y1 - y0) for y in (low, high))
        ends = max(0.0, at[0]), min(1.0, at[1])
        return [(x0 + t * (x1 - x0), y0 + t * (y1 - y0)) for t in ends]

    def upright(self, value: float, words: str) -> str:
        x, _ = self.at(value, 0.0)
        side, anchor = (-6, "end") if x > WIDTH * 0.6 else (6, "start")
        return (
            f'<line class="limit" x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
            f'<text class="note" x="{x + side}" y="{TOP + 10}" text-anchor="{anchor}">{escaped(words)}</text>'
        )


def _legend(series: Sequence[Series]) -> str:
    parts, x = [], LEFT + 6
    for s in series:
        parts.append(f'<line class="{s.kind}" x1="{x}" x2="{x + 18}" y1="6" y2="6"/>')
        parts.append(f'<text class="tick" x="{x + 23}" y="10">{escaped(s.label)}</text>')
        x += 36 + round(6.3 * len(s.label))
    return "".join(parts)


def _widened(values: Floats) -> tuple[float, float]:
    low, high = float(np.min(values)), float(np.max(values))
    margin = 0.05 * (high - low) or max(abs(high), 1.0) * 0.05
    return low - margin, high + margin


def _tick(value: float) -> str:
    return minus(f"{value:.6g}")


def _svg(height: int, title: str, body: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escaped(title)}">'
        f"<title>{escaped(title)}</title>{body}</svg>"
    )
