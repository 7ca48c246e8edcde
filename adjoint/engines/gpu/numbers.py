"""The numbers of a call, on their way to the device: as arguments of a kernel that writes them to memory.

A copy from the host would wait, or read a buffer that the next call writes again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .steps import NUMBER
from .text import ctype, stored

MOST = 200  # numbers of a launch: arguments are 4,096 bytes at most


def numbers_text(dtypes: Sequence[np.dtype[Any]]) -> str:
    """The kernel `numbers(memory, number, …)` that writes each number to a cell of its own."""
    parameters = ", ".join(["unsigned char* memory", *(f"{ctype(d)} x{k}" for k, d in enumerate(dtypes))])
    lines = [f"    *({stored(d)}*)(memory + {NUMBER * k}) = ({stored(d)})x{k};" for k, d in enumerate(dtypes)]
    return "\n".join([f'extern "C" __global__ void numbers({parameters})', "{", *lines, "}"])
