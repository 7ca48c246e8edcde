"""Blocks of one shape: windows of equal length on the columns, nothing copied.

A program compiled for one shape then serves all blocks, its intermediate arrays stay in the cache, and memory
does not grow with the data. A ragged block has R rows and P + 2 segments: those rows before its first prompt,
its prompts, empty ones up to P, and the rows after its last prompt. Few data are padded to one of few sizes,
so that a data set of another size seldom needs a program of its own. A dense block has P prompts of K rows
each, and the last window also sees some of those before it. What is not the block's own has weight 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ROWS = 1 << 15  # five columns and the intermediate values of as many rows fit a cache of 2 MB
MANY = 1 << 20  # rows from which a kernel for one K is worth compiling: 0.2 s, and 10 ns less per row


class Block(NamedTuple):
    """One window.

    Attributes:
        rows: which rows it sees.
        prompts: which prompts are its own.
        head: segments before those.
        segments: all of them.
        offsets: (segments + 1,) int64, from 0 to R; None where every prompt has `width` rows.
        width: K, or 0.
    """

    rows: slice
    prompts: slice
    head: int
    segments: int
    offsets: NDArray[np.int64] | None
    width: int = 0

    def view(self, column: Floats) -> Floats:
        """Its rows of a column: (R,), or (P, K)."""
        seen = column[self.rows]
        return seen.reshape(-1, self.width) if self.width else seen

    def spread(self, values: Floats) -> Floats:
        """One number per prompt (N,) as one per segment; 0 for those that are not its own."""
        out = np.zeros(self.segments)
        out[self._own()] = values[self.prompts]
        return out

    def own(self, values: Floats) -> Floats:
        """Its own prompts' part of one number per segment."""
        return values[self._own()]

    def own_rows(self) -> slice:
        """The rows of its own prompts, counted within the window."""
        own = self._own()
        if self.offsets is None:
            return slice(own.start * self.width, own.stop * self.width)
        return slice(int(self.offsets[own.start]), int(self.offsets[own.stop]))

    def _own(self) -> slice:
        return slice(self.head, self.head + self.prompts.stop - self.prompts.start)


def blocks(offsets: NDArray[np.int64], width: int | None = None, rows: int = ROWS) -> Iterator[Block]:
    """Windows that together have every prompt once, in order.

    Args:
        offsets: (N + 1,), where prompts begin.
        width: K where every prompt has K responses; dense blocks are made where that is worth it.
        rows: R at least; more where a prompt has more, and where there are fewer the length of their
            `padded` columns.
    """
    if width is not None and width > 1 and offsets[-1] >= MANY:
        return _dense(len(offsets) - 1, width, rows)
    return _ragged(offsets, rows)


def _dense(prompts: int, width: int, rows: int) -> Iterator[Block]:
    size = min(prompts, max(1, rows // width))
    for first in range(0, prompts, size):
        start = min(first, prompts - size)
        seen, own = slice(start * width, (start + size) * width), slice(first, start + size)
        yield Block(seen, own, first - start, size, None, width)


def _ragged(offsets: NDArray[np.int64], rows: int) -> Iterator[Block]:
    n, prompts = int(offsets[-1]), len(offsets) - 1
    if n <= rows:
        size, most = _rounded(n), _rounded(prompts)
    else:
        size = min(n, max(rows, int(np.max(np.diff(offsets)))))
        # a tenth more prompts than the average window holds
        most = _rounded(int(1.1 * size * prompts / n) + 2)
    first = 0
    while first < prompts:
        start = max(0, min(int(offsets[first]), n - size))
        last = min(int(np.searchsorted(offsets, start + size, side="right")) - 1, first + most)
        local = np.full(most + 3, offsets[last] - start)
        local[0], local[-1] = 0, size
        local[1 : 2 + last - first] = offsets[first : last + 1] - start
        yield Block(slice(start, start + size), slice(first, last), 1, most + 2, local)
        first = last


def padded(column: Floats, rows: int = ROWS) -> Floats:
    """A column for `blocks`: with zeros at its end where it is so short that one window has all of it."""
    size = _rounded(len(column)) if len(column) <= rows else len(column)
    return column if size == len(column) else np.append(column, np.zeros(size - len(column)))


def _rounded(count: int) -> int:
    """Up to four binary digits, so that data sets of about one size share a program."""
    step = 1 << max(0, count.bit_length() - 4)
    return -(-count // step) * step
