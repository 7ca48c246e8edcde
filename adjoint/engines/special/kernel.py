"""A kernel written for one primitive: its text, and what the block of arguments holds."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import AdjointError
from ..cpu.writer import pointer
from ..graph import Node
from ..views import View

Places = tuple[Node, int]  # a buffer and an offset in it, in elements
CHUNK = 16384  # elements that a chunk moves: fixed, so that results do not depend on threads


class Kernel:
    """Parameters in order, and the body of a function of them and of `chunk`.

    Attributes:
        cells: of the block: numbers, or the place of an array.
        chunks: parts that threads may share.
        complaint: kind and text of the error when the body calls `fetch_min(status, 0)`; None when the step
            then runs by NumPy.
        keep: working memory.
        stacks: (name, dtype, size) of arrays on the stack.
        helpers: functions that the body calls.
    """

    def __init__(
        self, chunks: int = 1, complaint: tuple[type[AdjointError], str] | None = None, fails: bool = False
    ) -> None:
        self.chunks, self.complaint = chunks, complaint
        self.cells: list[int | Places] = []
        self._names: list[str] = []
        self._values: list[str] = []
        self.stacks: list[tuple[str, str, int]] = []
        self.body: list[str] = []
        self.keep: list[np.ndarray] = []
        self.helpers = ""
        self.status: int | None = None
        if fails or complaint is not None:
            self.status = 0
            self.number("status", 0)

    def array(self, name: str, view: View, dtype: np.dtype[Any]) -> None:
        """A pointer to a view's first element."""
        self._names.append(name)
        self._values.append(f"{pointer(dtype)}(a[{len(self.cells)}])")
        self.cells.append((view.root, view.offset))

    def address(self, name: str, view: View) -> None:
        """The address of a view's first element, as a number."""
        self._names.append(name)
        self._values.append(f"a[{len(self.cells)}]")
        self.cells.append((view.root, view.offset))

    def scratch(self, name: str, memory: np.ndarray) -> None:
        """The address of memory that the kernel has for itself, as a number."""
        self.keep.append(memory)
        self.number(name, memory.ctypes.data)

    def number(self, name: str, value: int) -> None:
        """A number that may differ between kernels of the same text."""
        self._names.append(name)
        self._values.append(f"a[{len(self.cells)}]")
        self.cells.append(int(value))

    def text(self) -> str:
        """The kernel's source with its entry."""
        lines = [f"{name}_new = make_stack(types.{dtype}, {size})" for name, dtype, size in self.stacks]
        lines += [
            self.helpers,
            "@njit(**OPTIONS)",
            f"def kernel({', '.join([*self._names, 'chunk'])}):",
            "    tune()",
        ]
        lines += [f"    {name} = {name}_new()" for name, _, _ in self.stacks]
        lines += ["    " + x for x in self.body]
        lines += ["", "@cfunc(SIGNATURE, cache=True)", "def entry(a, chunk):"]
        lines += [f"    kernel({', '.join([*self._values, 'chunk'])})", ""]
        return "\n".join(lines)
