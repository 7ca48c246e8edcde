"""What the kernels of all regions have in common: parameters, rows as statements, reductions over a block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..loops import expression, neutral, wide_dtype
from ..regions import OUT, REDUCTIONS
from ..spec import Item, Spec, block_layout
from ..text import BOOL
from .geometry import WARP, Form, near
from .text import CUDA, Term, ctype, stored

NAME = "region"  # of every region's kernel
RUN = 64  # elements that one running sum of a thread takes before it is added to a float64
OPERATIONS = {"sum": "Sum", "max": "Max", "min": "Min"}
Lines = list[str]


def indented(lines: Sequence[str]) -> Lines:
    """Lines of a block; what the preprocessor reads stays at the margin."""
    return [x if x.startswith("#") else "    " + x for x in lines]


def bare(text: str) -> str:
    """An expression without parentheses around all of it."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for k, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if not depth:
            return text[1:-1] if k == len(text) - 1 else text
    return text


class Writer(ABC):
    """What the two forms share."""

    def __init__(self, spec: Spec, form: Form) -> None:
        self.spec, self.form = spec, form
        self.index = "long long" if form.wide else "int"
        self.written = {item.stored for item in spec.items if item.stored >= 0}
        self.sums = {item.stored for item in spec.items if item.level == OUT}
        self.scalars: dict[int, Term] = {}
        self.names = 0

    @abstractmethod
    def body(self) -> Lines:
        """The statements."""

    def text(self) -> str:
        """The kernel."""
        parameters = [self.parameter(name) for name in block_layout(self.spec)]
        head = f'extern "C" __global__ void __launch_bounds__({self.form.block}) {NAME}('
        body = [*self.chunk(), *self.moved(), *self.loaded_once(), *self.body()]
        return "\n".join([head, *wrapped(parameters), "{", *indented(body), "}", ""])

    def parameter(self, cell: str) -> str:
        """The declaration of a cell; what is never written may go through the cache for constants."""
        if not (cell[0] == "p" and cell[1:].isdigit()):
            return f"const {self.index} {cell}"
        k = int(cell[1:])
        name = f"first{k}" if k in self.sums else cell
        kind = stored(self.spec.buffers[k].dtype)
        # two pieces of one array may be written through two pointers: those promise nothing
        return f"{kind}* {name}" if k in self.written else f"const {kind}* __restrict__ {name}"

    def chunk(self) -> Lines:
        """The rows (elements, where there are none) of this block, when it has its own."""
        if not self.sums:
            return []
        index = self.index
        return [
            f"const {index} lo = ({index})blockIdx.x * chunk;",
            f"const {index} hi = lo + chunk < R ? lo + chunk : R;",
        ]

    def moved(self) -> Lines:
        """Where this block adds up."""
        return [
            f"{stored(self.spec.buffers[k].dtype)}* const p{k} = "
            f"moved(first{k}, (long long)blockIdx.x * advance{k});"
            for k in sorted(self.sums)
        ]

    def loaded_once(self) -> Lines:
        """Buffers that are one number to the whole kernel."""
        lines = []
        for k, b in enumerate(self.spec.buffers):
            if (b.row, b.column) == ("0", "0") and k not in self.written:
                lines.append(f"const {ctype(b.dtype)} g{k} = {self.load(k, f'p{k}[0]')};")
                self.scalars[k] = Term(f"g{k}", b.dtype)
        return lines

    # ---------------------------------------------------------------- pieces
    def name(self) -> str:
        """A fresh variable."""
        self.names += 1
        return f"v{self.names}"

    def alignment(self, start: str = "") -> Lines:
        """Whether the neighbours in every buffer, from element `start` on, lie where vectors may."""
        v = self.form.vector
        if v == 1:
            return []
        tests = [f"aligned<{v}>(p{k}{start and f' + {start}'})" for k in near(self.spec)]
        return joined("const bool straight = ", tests, " && ", ";")

    def load(self, k: int, text: str) -> str:
        """An element of buffer k as a number."""
        return f"{text} != 0" if self.spec.buffers[k].dtype == BOOL else text

    def bind(self, out: Lines, text: str, dtype: np.dtype[Any]) -> Term:
        """A variable for an expression."""
        v = self.name()
        out.append(f"const {ctype(dtype)} {v} = {bare(text)};")
        return Term(v, dtype)

    def expression(self, item: Item, read: Callable[[tuple[Any, ...]], Term]) -> str:
        """The row's value."""
        return expression(CUDA, item, read)

    def operation(self, k: int) -> str:
        """The class of device.cuh for reduction k."""
        return OPERATIONS[REDUCTIONS[self.spec.items[k].op]]

    def neutral(self, k: int, dtype: np.dtype[Any]) -> str:
        """What reduction k begins with."""
        return str(CUDA.literal(neutral(self.spec.items[k], dtype), dtype))

    def combined(self, k: int, a: str, b: str) -> str:
        """Reduction k of two numbers."""
        return f"{self.operation(k)}::of({a}, {b})"

    def wide_dtype(self, k: int) -> np.dtype[Any]:
        """The dtype in which sums of runs are added up."""
        return wide_dtype(self.spec.items[k])

    def widened(self, k: int, text: str) -> str:
        """A sum of a run in that dtype."""
        return str(CUDA.cast(Term(text, self.spec.items[k].dtype), self.wide_dtype(k)))

    def accumulator(self, name: str, k: int, dtype: np.dtype[Any]) -> str:
        """The declaration of a variable that reduction k runs in."""
        return f"{ctype(dtype)} {name}{k} = {self.neutral(k, dtype)};"

    # ---------------------------------------------------------------- reductions over a block
    def over_block(self, reductions: Sequence[int]) -> Lines:
        """The numbers w of all threads put together, by the first thread."""
        if not reductions:
            return []
        warps = self.form.block // WARP
        lines, last = [], []
        for k in reductions:
            dtype, op = self.wide_dtype(k), self.operation(k)
            item = self.spec.items[k]
            whole = f"over_lanes<{op}, {WARP}>(w{k})"
            if warps > 1:
                lines.append(f"__shared__ {ctype(dtype)} total{k}[{warps}];")
                lines.append(f"leave({whole}, total{k});")
                z = f"gathered<{op}, {warps}>(total{k})"
            else:
                lines.append(f"const {ctype(dtype)} total{k} = {whole};")
                z = f"total{k}"
            last.append(f"p{item.stored}[0] = {CUDA.cast(Term(z, dtype), item.dtype)};")
        barrier = ["__syncthreads();"] if warps > 1 else []
        return [*lines, *barrier, "if (threadIdx.x == 0) {", *indented(last), "}"]


def wrapped(parameters: Sequence[str]) -> Lines:
    """Parameters over lines of at most 110 columns."""
    lines = [""]
    for k, p in enumerate(parameters):
        text = p + ("," if k < len(parameters) - 1 else ")")
        if lines[-1] and len(lines[-1]) + len(text) > 104:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "    ") + text
    return lines


def joined(head: str, parts: Sequence[str], between: str, tail: str) -> Lines:
    """One statement over lines of at most 100 columns."""
    lines = [head + parts[0]]
    for p in parts[1:]:
        if len(lines[-1]) + len(between) + len(p) > 100:
            lines.append("   ")
        lines[-1] += between + p
    lines[-1] += tail
    return lines
