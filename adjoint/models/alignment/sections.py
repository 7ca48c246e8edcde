"""What a report is made of: sections of words, tables and drawings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...text import table


class Words(NamedTuple):
    """A paragraph. `kind`: "plain", "lead" (the answer), "warning", "good", "bad" or "small"."""

    text: str
    kind: str = "plain"


class Grid(NamedTuple):
    """A table; the columns after the first `left` ones hold numbers."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1

    def text(self) -> str:
        """For terminals."""
        return table(self.heads, self.rows, right=range(self.left, len(self.heads)))


class Drawing(NamedTuple):
    """An SVG with a sentence below it; drawings that follow each other stand side by side."""

    svg: str
    caption: str


class Section(NamedTuple):
    """A title, empty for the first section, and what follows it."""

    title: str
    blocks: Sequence[Words | Grid | Drawing]
