"""Plain-text tables for reports; color and progress belong to the command line."""

from __future__ import annotations

from collections.abc import Sequence


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Columns of text under their headers, two spaces apart.

    Args:
        headers: one title per column.
        rows: the cells.
        right: columns to align to the right.
    """
    widths = [max(len(row[k]) for row in [headers, *rows]) for k in range(len(headers))]
    rule = ["─" * w for w in widths]
    lines = [
        "  ".join(
            cell.rjust(w) if k in right else cell.ljust(w)
            for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in [headers, rule, *rows]
    ]
    return "\n".join(line.rstrip() for line in lines)


def number(x: float) -> str:
    """A number in four digits."""
    return f"{x:.4g}"
