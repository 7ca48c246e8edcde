"""What the page, the docs and the terminal show alike: numbers with errors, verdicts, one row a policy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adjoint.models.alignment import Alignment
from adjoint.models.alignment.charts import WIDTH, ticks
from adjoint.models.alignment.sections import Drawing, Grid, Words, escaped

from .results import AtBeta, Average, Results, Row

WHO = {
    "reference": "before",
    "free tilt": "on paper, no limit",
    "tilt": "on paper, at λ*",
    "dpo": "one-shot, DPO",
    "gradient": "one-shot, policy gradient",
    "longer": "one-shot, longer",
    "iterative": "iterative",
}
HEADS = ("policy", "λ", "clean", "limit", "sharp", "KL", "sharp 2", "clean 2")
Blocks = list[Words | Grid | Drawing]


def met(row: Row, level: float) -> bool:
    """Whether the limit is kept within one standard error."""
    slack = row.slack(level)
    return slack.mean >= -slack.error


def verdict(row: Row, level: float) -> str:
    """The same in words, with the distance in standard errors."""
    slack = row.slack(level)
    if slack.mean >= 0:
        return "kept"
    return f"{'kept' if met(row, level) else 'missed'},\u00a0{signed(slack.mean / slack.error, 1)}"


def signed(x: float, digits: int = 3) -> str:
    """A number with its sign, and a minus that is one.

    >>> signed(-0.5, 2)
    '−0.50'
    """
    return f"{x:+.{digits}f}".replace("-", "−")


def pm(x: Average, digits: int = 3) -> str:
    """A mean with its standard error, on one line."""
    return f"{x.mean:.{digits}f}\u00a0±\u00a0{x.error:.{digits}f}".replace("-", "−")


def best_of(alignment: Alignment) -> float:
    """Share of prompts in which fewer than two responses count."""
    return float(alignment.diagnostic("best of K").value)


def leading(results: Results) -> AtBeta:
    """The boldest β whose λ* rests on more than one response of most prompts; the mildest if none does."""
    trusted = [at for at in results.found if best_of(at.alignment) <= 0.5]
    return min(trusted, key=lambda at: at.beta, default=max(results.found, key=lambda at: at.beta))


def exam(results: Results, at: AtBeta) -> Grid:
    """Every policy at one β, and the reference."""
    rows = [cells(row, results.settings.level) for row in (results.reference, *at.rows)]
    return Grid(HEADS, rows, (1, 2, 4, 5, 6, 7))


def cells(row: Row, level: float) -> list[str]:
    """One policy's line, under HEADS."""
    scores = row.scores
    return [
        WHO[row.who], "" if np.isnan(row.lam) else f"{row.lam:.2f}", pm(scores["clean"], 4),
        verdict(row, level), pm(scores["sharp"], 2), pm(row.kl, 2), pm(scores["sharp 2"], 2),
        pm(scores["clean 2"]),
    ]  # fmt: skip


def against(rows: Sequence[Row], level: float, title: str) -> str:
    """Politeness of policies, one row each on one axis, with 95 % intervals; a bar stands at the limit."""
    values = [row.scores["clean"] for row in rows]
    low = min(level, *(v.mean - 2.2 * v.error for v in values))
    high = max(level, *(v.mean + 2.2 * v.error for v in values))
    height, left, right = 34 * len(rows) + 40, 158, WIDTH - 16

    def x(value: float) -> float:
        return round(left + (right - left) * (value - low) / (high - low), 1)

    floor = height - 30
    parts = [
        f'<line class="grid" x1="{x(t)}" x2="{x(t)}" y1="6" y2="{floor}"/>'
        f'<text class="tick" x="{x(t)}" y="{floor + 16}" text-anchor="middle">{t:g}</text>'
        for t in ticks(low, high, 4)
    ]
    parts.append(f'<line class="limit" x1="{x(level)}" x2="{x(level)}" y1="6" y2="{floor}"/>')
    for k, (row, v) in enumerate(zip(rows, values, strict=True)):
        y = 34 * k + 24
        kind = "before" if row.who in ("reference", "free tilt", "tilt") else "after"
        parts.append(f'<text class="name" x="4" y="{y + 4}">{escaped(WHO[row.who])}</text>')
        ends = f'x1="{x(v.mean - 1.96 * v.error)}" x2="{x(v.mean + 1.96 * v.error)}"'
        parts.append(f'<line class="thick" {ends} y1="{y}" y2="{y}"/>')
        parts.append(f'<circle class="{kind}" cx="{x(v.mean)}" cy="{y}" r="5"/>')
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escaped(title)}">'
        f"<title>{escaped(title)}</title>{''.join(parts)}</svg>"
    )
