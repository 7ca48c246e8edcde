"""Blocks of one shape: windows of equal length on the columns, nothing copied.

A program compiled for one shape then serves all blocks, its intermediate arrays stay in the cache, and memory
does not grow with the data. A block has R rows and P + 2 segments: those rows before its first prompt, its
prompts, empty ones up to P, and the rows after its last prompt. Head, padding and tail have weight 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ROWS = 1 << 16  # five columns and the intermediate values of as many rows fit a cache of 2–8 MB


class Block(NamedTuple):
    """One window.

    Attributes:
        rows: which rows it sees.
        offsets: (P + 3,) int64, from 0 to R.
        prompts: which prompts are its own; they are the segments 1 … len.
    """

    rows: slice
    offsets: NDArray[np.int64]
    prompts: slice

    def spread(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """One number per prompt (N,) as one per segment (P + 2,); 0 for those that are no prompts."""
        out = np.zeros(len(self.offsets) - 1)
        own = values[self.prompts]
        out[1 : 1 + len(own)] = own
        return out

    def own(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The prompts' part of one number per segment."""
        return values[1 : 1 + self.prompts.stop - self.prompts.start]

    def own_rows(self) -> slice:
        """The rows of its prompts, counted within the window."""
        count = self.prompts.stop - self.prompts.start
        return slice(int(self.offsets[1]), int(self.offsets[1 + count]))


def blocks(offsets: NDArray[np.int64], rows: int = ROWS) -> Iterator[Block]:
    """Windows that together have every prompt once, in order.

    Args:
        offsets: (N + 1,), where prompts begin.
        rows: R at least; more where a prompt has more, all where there are fewer.
    """
    n, prompts = int(offsets[-1]), len(offsets) - 1
    size = min(n, max(rows, int(np.max(np.diff(offsets)))))
    # a tenth more prompts than the average window holds; all of them where one window does
    most = prompts if size == n else min(prompts, int(1.1 * size * prompts / n) + 2)
    first = 0
    while first < prompts:
        start = min(int(offsets[first]), n - size)
        last = min(int(np.searchsorted(offsets, start + size, side="right")) - 1, first + most)
        local = np.full(most + 3, offsets[last] - start)
        local[0], local[-1] = 0, size
        local[1 : 2 + last - first] = offsets[first : last + 1] - start
        yield Block(slice(start, start + size), local, slice(first, last))
        first = last
