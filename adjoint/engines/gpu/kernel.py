"""A kernel and what it is launched on, before anything has an address."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...errors import AdjointError
from ..graph import Node

Size = tuple[int, int, int]


class Place(NamedTuple):
    """A pointer to an element of a node's buffer; `offset` counts elements."""

    node: Node
    offset: int = 0


@dataclass(eq=False)
class Scratch:
    """Memory of the device that the launches of one step have among them; one object is one buffer.

    Attributes:
        bytes: its size.
        zeroed: whether it holds zeros when the step begins.
    """

    bytes: int
    zeroed: bool = False


@dataclass(eq=False)
class Table:
    """Numbers that a kernel reads from the device's memory: copied there once, when the program is made."""

    values: np.ndarray


class Status:
    """A pointer to the step's status word, an int: the kernel reports a failure with `fail(status)`."""


Argument = Place | Scratch | Table | Status | np.generic


@dataclass
class Launch:
    """One launch of a kernel.

    Attributes:
        source: CUDA C of the kernel, an `extern "C" __global__ void` function called `name`; the functions
            of `device.cuh` are put before it.
        grid, block: of threads.
        arguments: in the order of the kernel's parameters; numbers as NumPy scalars of their width.
        shared: bytes of dynamic shared memory, at most 48 KiB.
        complaint: what to raise when the kernel has reported a failure; None when the step then runs by the
            primitive's own value.
    """

    source: str
    name: str
    grid: Size
    block: Size
    arguments: list[Argument]
    shared: int = 0
    complaint: tuple[type[AdjointError], str] | None = None


@dataclass
class Call:
    """One step that a function of cupy takes, on arrays over the program's memory.

    Attributes:
        function: `function(cupy, *operands, out=out)`; it writes the result into `out`, and operands are
            device arrays or numbers, in the order of the node's arguments.
        node: whose value it computes.
        captured: whether cupy lets a stream record it in a graph.
        reason: why there is no kernel, for `explain`; empty when cupy's function is the best there is.
        copies: operands, by position, that launches before the call have copied in C order to temporary
            memory.
    """

    function: Any
    node: Node
    captured: bool = False
    reason: str = ""
    copies: dict[int, Scratch] = field(default_factory=dict)

    @property
    def scratch(self) -> list[Scratch]:
        """The temporary memory that the call reads."""
        return list(self.copies.values())
