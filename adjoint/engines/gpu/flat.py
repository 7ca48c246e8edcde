"""Kernels of regions that are one loop over elements: a thread takes some neighbouring ones together."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..regions import REDUCTIONS
from .elements import Elements, Place
from .text import CUDA, Term, stored
from .writer import RUN, Lines, Writer, indented


class Flat(Writer):
    """One loop over the elements."""

    def body(self) -> Lines:
        """The loop, over the grid or over this block's elements in runs."""
        reductions = [k for k, item in enumerate(self.spec.items) if item.op in REDUCTIONS]
        index, step = self.index, self.form.block * self.form.vector
        place = f"({index})threadIdx.x"
        if self.form.vector > 1:
            place = f"{self.form.vector} * {place}"
        head = self.alignment("lo" if self.sums else "")
        if not reductions:
            first = f"({index})blockIdx.x * {step} + {place}"
            loop = f"for ({index} j = {first}; j < R; j += ({index})gridDim.x * {step}) {{"
            return [*head, loop, *indented(self.points("R")), "}"]
        run = step * max(1, RUN // self.form.vector)
        body = [
            *(self.accumulator("t", k, self.spec.items[k].dtype) for k in reductions),
            f"const {index} end = j0 + {run} < hi ? j0 + {run} : hi;",
            f"for ({index} j = j0 + {place}; j < end; j += {step}) {{",
            *indented(self.points("end")), "}",
            *(f"w{k} = {self.combined(k, f'w{k}', self.widened(k, f't{k}'))};" for k in reductions),
        ]  # fmt: skip
        return [
            *head,
            *(self.accumulator("w", k, self.wide_dtype(k)) for k in reductions),
            f"for ({index} j0 = lo; j0 < hi; j0 += {run}) {{", *indented(body), "}",
            *self.over_block(reductions),
        ]  # fmt: skip

    def element(self, k: int, j: str) -> str:
        """An element of buffer k."""
        place = {"0": "0", "1": j, "s": f"{j} * c{k}"}[self.spec.buffers[k].column]
        return f"p{k}[{place}]"

    def points(self, end: str) -> Lines:
        """Statements for the elements that a thread takes together."""
        spec, v = self.spec, self.form.vector
        elements = Elements(v, "left" if v > 1 else "")
        loaded: dict[int, Term] = dict(self.scalars)
        env: dict[int, Term] = {}

        def place(k: int) -> Place:
            b = spec.buffers[k]
            return Place(str(k), stored(b.dtype), partial(self.element, k), "full" if b.column == "1" else "")

        def read(a: tuple[Any, ...]) -> Term:
            k = a[1]
            if a[0] == "n":
                return env[k]
            if k not in loaded:
                text = self.load(k, elements.load(place(k)))
                loaded[k] = self.bind(elements.each, text, spec.buffers[k].dtype)
            return loaded[k]

        for k, item in enumerate(spec.items):
            if item.op in REDUCTIONS:
                x = CUDA.cast(read(item.args[0]), item.dtype)
                elements.each.append(f"{elements.condition}t{k} = {self.combined(k, f't{k}', x)};")
                continue
            text = self.expression(item, read)
            env[k] = self.bind(elements.each, text, item.dtype)
            if item.stored >= 0:
                elements.store(place(item.stored), env[k].text)
        if v == 1:
            return elements.lines()
        remaining = [f"const {self.index} left = {end} - j;", f"const bool full = straight && left >= {v};"]
        return [*remaining, *elements.lines()]
