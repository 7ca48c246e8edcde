"""What a report is made of: sections of words, tables and drawings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from ...text import table


def visible(text: str) -> str:
    r"""Text without characters that steer a terminal or the direction of writing; names come from files.

    >>> visible("a\x1b[31m b\u202e c")
    'a[31m b c'
    """
    kept = "\n\u00a0"
    return "".join(c for c in text if c.isprintable() or c in kept)


def escaped(text: str) -> str:
    r"""Text as HTML and SVG have it, without such characters and without markup of its own.

    >>> escaped("<b>a\x1b[31m")
    '&lt;b&gt;a[31m'
    """
    return escape(visible(text))


def minus(text: str) -> str:
    """Text in which numbers below zero have a minus, not a hyphen.

    >>> minus("a-1: -0.5, x ≥ -1e-3")
    'a-1: −0.5, x ≥ −1e-3'
    """
    return re.sub(r"(?<![\w.])-(?=\d)", "−", text)


class Words(NamedTuple):
    """A paragraph, or several lines of one; lines that all begin with "• " are a list.

    `kind`: "plain", "good", "bad", "warning", "small", or "heading" of what follows within a section.
    """

    text: str
    kind: str = "plain"


class Grid(NamedTuple):
    """A table. `numbers`: which columns hold numbers; None: all but the first."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[int] | None = None

    @property
    def right(self) -> Sequence[int]:
        """Columns that are aligned to the right."""
        return range(1, len(self.heads)) if self.numbers is None else self.numbers

    def text(self) -> str:
        """For terminals: one line a row, whatever names it holds."""
        rows = [[" ".join(visible(cell).split("\n")) for cell in row] for row in [self.heads, *self.rows]]
        return table(rows[0], rows[1:], right=self.right)


class Drawing(NamedTuple):
    """An SVG with a sentence below it; drawings that follow each other stand side by side."""

    svg: str
    caption: str


class Section(NamedTuple):
    """A title, empty for the first section, and what follows it."""

    title: str
    blocks: Sequence[Words | Grid | Drawing]
