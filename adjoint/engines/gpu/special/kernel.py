"""The text of a kernel written for one primitive, and the arguments that fit its parameters.

A body is CUDA C with marks, `$T` for a type or a constant, so that the braces of C stay as they are. What a
body is given in numbers (sizes, strides) are arguments; only types, ranks and patterns enter the text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from string import Template
from typing import Any

import numpy as np

from ....errors import AdjointError
from ...graph import Node
from ...views import View
from ..geometry import BLOCK, REACH, blocks_for
from ..kernel import Argument, Launch, Place, Scratch, Status
from ..text import stored

THREADS = BLOCK  # of a block, where the text does not say otherwise
MANY = 1 << 14  # rows that keep a card busy with a thread each
SHORT = 32  # length of rows up to which a thread each is best however few there are


def place(v: View) -> Place:
    """The first element of a view."""
    return Place(v.root, v.offset)


def is_far(*counts: Iterable[int] | Node | int) -> bool:
    """Whether indices into these buffers, or up to these counts, need 64 bits."""
    sizes = [c.size if isinstance(c, Node) else c for c in counts]
    return any((s if isinstance(s, int) else math.prod(s)) >= REACH for s in sizes)


def without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """Sizes or strides of the other axes."""
    return (*shape[:axis], *shape[axis + 1 :])


class Kernel:
    """Parameters in order with their arguments; `launch` puts a body under them.

    >>> kernel = Kernel("fill", marks={"VALUE": 7})
    >>> kernel.scratch("z", "int", Scratch(4000))
    >>> launch = kernel.over("        z[p] = $VALUE;", points=1000)
    >>> launch.grid, int(launch.arguments[1])
    ((4, 1, 1), 1000)
    >>> print(launch.source)
    extern "C" __global__ void __launch_bounds__(256, 4)
    fill(int *__restrict__ z, int points)
    {
        const int stride = (int)gridDim.x * blockDim.x;
        for (int p = (int)blockIdx.x * blockDim.x + threadIdx.x; p < points; p += stride) {
            z[p] = 7;
        }
    }
    <BLANKLINE>

    Args:
        what: the kernel's name.
        far: whether indices have 64 bits (`$I`).
        complaint: what to raise after `fail(status)`; the kernel then has a parameter `status`.
        fails: whether it has that parameter without a complaint: the step then runs by its own value.
        marks: what `$` names stand for in the body.
    """

    def __init__(
        self,
        what: str,
        *,
        far: bool = False,
        complaint: tuple[type[AdjointError], str] | None = None,
        fails: bool = False,
        marks: Mapping[str, str | int] | None = None,
    ) -> None:
        self.what, self.complaint = what, complaint
        self.index = "long long" if far else "int"
        self.number_type: type[np.generic] = np.int64 if far else np.int32
        self.marks: dict[str, str | int] = {"I": self.index, **(marks or {})}
        self._parameters: list[str] = []
        self._arguments: list[Argument] = []
        if fails or complaint is not None:
            self._add("int *status", Status())

    def _add(self, parameter: str, argument: Argument) -> None:
        self._parameters.append(parameter)
        self._arguments.append(argument)

    def reads(self, name: str, source: View | Place, dtype: np.dtype[Any]) -> None:
        """A pointer to what the kernel only reads, and nothing it writes is a part of."""
        at = place(source) if isinstance(source, View) else source
        self._add(f"const {stored(dtype)} *__restrict__ {name}", at)

    def writes(self, name: str, target: Node | Place, dtype: np.dtype[Any]) -> None:
        """A pointer to a node's buffer that the kernel writes, and may read."""
        at = Place(target) if isinstance(target, Node) else target
        self._add(f"{stored(dtype)} *__restrict__ {name}", at)

    def scratch(self, name: str, kind: str, memory: Scratch) -> None:
        """A pointer to temporary memory."""
        self._add(f"{kind} *__restrict__ {name}", memory)

    def number(self, name: str, value: int) -> None:
        """A size, a stride or a count, of the kernel's index type."""
        self._add(f"{self.index} {name}", self.number_type(value))

    def walk(self, at: str, sizes: Sequence[int], sums: Mapping[str, Sequence[int]], depth: int = 2) -> str:
        """Statements that take an index over `sizes` apart into variables that are multiples of strides.

        Args:
            at: the variable that counts the points in C order; the sizes and strides become parameters
                named after it.
            sizes: at least one axis is counted, of length one if there is none.
            sums: name of a variable → its stride along each axis; each is declared here.
            depth: of the indentation.
        """
        lines = [f"{self.index} {name} = 0;" for name in sums]
        axes = range(len(sizes))
        rest = at
        for d in reversed(axes):
            terms = [(name, strides[d]) for name, strides in sums.items() if strides[d]]
            if d == 0:
                digit = rest
            else:
                self.number(f"{at}_n{d}", sizes[d])
                digit = f"{at}_{d}"
                if rest == at:
                    lines.append(f"{self.index} {at}_rest = {at};")
                    rest = f"{at}_rest"
                lines.append(f"const {self.index} {digit} = {rest} % {at}_n{d};")
                lines.append(f"{rest} /= {at}_n{d};")
            for name, stride in terms:
                if stride == 1:
                    lines.append(f"{name} += {digit};")
                else:
                    self.number(f"{name}_s{d}", stride)
                    lines.append(f"{name} += {digit} * {name}_s{d};")
        return ("\n" + "    " * depth).join(lines)

    def launch(
        self, body: str, *, grid: int, block: int = THREADS, helpers: str = "", least: int = 4
    ) -> Launch:
        """The launch of a body, which is what stands between the kernel's outermost braces.

        `helpers` are functions that the body calls. `least` blocks must find room on a multiprocessor: to fit
        more of them the compiler would spill registers.
        """
        text = Template(body.strip("\n")).substitute(self.marks)
        parameters = _wrapped(self._parameters, len(self.what) + 1)
        head = f'extern "C" __global__ void __launch_bounds__({block}, {least})\n{self.what}({parameters})'
        source = f"{helpers}{head}\n{{\n{text}\n}}\n"
        size, threads = (grid, 1, 1), (block, 1, 1)
        return Launch(source, self.what, size, threads, self._arguments, complaint=self.complaint)

    def over(self, body: str, points: int, helpers: str = "", before: str = "") -> Launch:
        """The launch of `before`, and a body that goes over `p` from 0 to `points` by all threads."""
        self.number("points", points)
        loop = before + (
            "    const $I stride = ($I)gridDim.x * blockDim.x;\n"
            "    for ($I p = ($I)blockIdx.x * blockDim.x + threadIdx.x; p < points; p += stride) {\n"
            f"{body.strip(chr(10))}\n"
            "    }"
        )
        return self.launch(loop, grid=blocks_for(points), helpers=helpers)


def _wrapped(parameters: Sequence[str], taken: int) -> str:
    """Parameters in lines of at most 110 columns, of which the first has so many already."""
    text, column = "", taken
    for p in parameters:
        if text and column + len(p) > 106:
            text, column = f"{text},\n    {p}", 4 + len(p)
        else:
            text, column = f"{text}, {p}" if text else p, column + 2 + len(p)
    return text
