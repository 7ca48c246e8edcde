"""Plain text for reports: tables, numbers, hostile names made harmless.

Color and progress belong to the command line.
"""

from __future__ import annotations

import unicodedata
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


def number(x: float, scale: float = 0.0) -> str:
    """A number in four digits; 0 where it is no more than the rounding of numbers as large as `scale`.

    >>> number(-3.8e-17, scale=0.2), number(-3.8e-17), number(0.123456)
    ('0', '-3.8e-17', '0.1235')
    """
    # sums of 10⁴ terms and the last Newton step leave up to 1e-12 of what was added
    return f"{0.0 if abs(x) <= 1e-12 * scale else x:.4g}"


def short(text: str, limit: int) -> str:
    """A text of any length in at most `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def clean(text: str, limit: int = 0) -> str:
    """A text on one line that every format can hold: no control characters, no lone surrogates.

    Args:
        text: anything.
        limit: characters at most; 0 for all.

    Returns:
        The text; what is invisible or forbidden in XML is shown as �, white space as one space.
    """
    if limit:
        text = text[: 4 * limit + 64]  # a name of a megabyte is not read to its end
    text = " ".join(text.split())
    if not (text.isascii() and text.isprintable()):
        text = "".join("\ufffd" if _is_forbidden(c) else c for c in text)
    return short(text, limit) if limit else text


def _is_forbidden(c: str) -> bool:
    # Cf turns the direction of writing; Co and Cn hold what XML forbids (U+FFFE) beside what fonts lack
    return unicodedata.category(c) in ("Cc", "Cs", "Cf", "Cn", "Co")


def size_text(count: int) -> str:
    """Bytes in words: `4.1 kB`."""
    if count < 1000:
        return f"{count} B"
    power = min(3, 1 + (count >= 999_500) + (count >= 999_500_000))
    return f"{count / 1000**power:.3g} {('kB', 'MB', 'GB')[power - 1]}"
