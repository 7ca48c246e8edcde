"""The numbers of a call, on their way to the device: as arguments of a kernel that writes them to memory.

A copy from the host would wait, or read a buffer that the next call writes again. Numbers travel as their
bits, two words each, so that the kernel knows nothing of dtypes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .steps import NUMBER

MOST = 100  # numbers of a launch: arguments are 4,096 bytes at most
WORDS = NUMBER // 8


def numbers_text(count: int) -> str:
    """The kernel `numbers(memory, word, …)` that writes the words of `count` numbers."""
    words = range(WORDS * count)
    parameters = ", ".join(["unsigned long long* memory", *(f"unsigned long long x{k}" for k in words)])
    lines = [f"    memory[{k}] = x{k};" for k in words]
    return "\n".join([f'extern "C" __global__ void numbers({parameters})', "{", *lines, "}"])


def words_of(numbers: Sequence[np.ndarray]) -> list[np.uint64]:
    """The words of 0-d arrays."""
    cells = np.zeros((len(numbers), WORDS), np.uint64)
    for cell, x in zip(cells, numbers, strict=True):
        cell.view(np.uint8)[: x.dtype.itemsize] = np.frombuffer(x.tobytes(), np.uint8)
    return list(cells.ravel())
