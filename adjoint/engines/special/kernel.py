"""A kernel written for one primitive: its text, and what the block of arguments holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import AdjointError
from ..cpu.emit import pointer
from ..graph import Node, Shape
from ..views import View, contiguous, view_of

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


def whole(node: Node) -> View:
    """A node's own buffer."""
    return View(node, 0, node.shape, contiguous(node.shape))


def joined(shape: Sequence[int], lists: Sequence[Sequence[int]]) -> tuple[Shape, list[tuple[int, ...]]]:
    """As few axes as describe the same elements in the same order to several readers at once."""
    sizes: list[int] = []
    strides: list[list[int]] = []
    for k, n in enumerate(shape):
        if n == 1:
            continue
        own = [s[k] for s in lists]
        if sizes and all(a == b * n for a, b in zip(strides[-1], own, strict=True)):
            sizes[-1], strides[-1] = sizes[-1] * n, own
        else:
            sizes.append(n)
            strides.append(own)
    return tuple(sizes), [tuple([s[k] for s in strides]) for k in range(len(lists))]


def around(x: Any, axis: int) -> tuple[View, list[tuple[int, int]]] | None:
    """(size, stride) of what comes before an axis of x, of the axis, and of what comes after it.

    None when the axes before or after it are not one axis to the reader.
    """
    if not isinstance(x, Node):
        return None
    v = view_of(x)
    parts: list[tuple[int, int]] = []
    for cut in (slice(0, axis), slice(axis, axis + 1), slice(axis + 1, None)):
        sizes, (strides,) = joined(v.shape[cut], [v.strides[cut]])
        if len(sizes) > 1:
            return None
        parts.append((math.prod(sizes), strides[0] if strides else 0))
    return v, parts
