"""The narrow form: for every block of rows, loops over elements, over rows and columns, over rows.

Dear functions run over the elements, at full vector length; reductions over rows and columns; what is one
number per row over the rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..loops import MAP, MATRIX, VECTOR, Loop, is_column, is_whole
from ..regions import FULL, OUT, REDUCTIONS, ROW
from ..text import BOOL
from .rows import Rows
from .text import Term, cast
from .writer import Writer, add_blocks, finish, held, store

NARROW = 64  # rows up to this length are emitted in blocks, with the length as a constant
BLOCK = 1024  # elements of a block of narrow rows: its scratch stays in the first-level cache


def block_height(columns: int) -> int:
    """Rows of a block of narrow rows."""
    return max(8, BLOCK // columns)


def narrow(w: Writer) -> list[str]:
    """For every block of rows: loops over elements, over rows and columns, and over rows."""
    return _Narrow(w).run()


class _Narrow:
    """The narrow form. Between its loops every value lives in a scratch array on the stack."""

    def __init__(self, w: Writer) -> None:
        self.w, self.spec = w, w.spec
        self.rows = Rows(w)
        self.height = block_height(self.spec.columns)
        self.scratch: dict[int, str] = {}
        self.lanes: dict[int, str] = {}  # whole reductions: one accumulator per column, added up per block
        self.out: list[str] = []

    def place(self, k: int) -> str:
        """The scratch array of item k."""
        if k not in self.scratch:
            item = self.spec.items[k]
            dtype = np.dtype(np.uint8) if item.dtype == BOOL else item.dtype
            size = self.height * (self.spec.columns if item.level == FULL else 1)
            self.scratch[k] = self.w.stack(dtype, size, "s")
        return self.scratch[k]

    def kept(self, k: int, index: str) -> Term:
        """An item computed in another loop."""
        dtype = self.spec.items[k].dtype
        return held(f"{self.place(k)}[{index}]", dtype)

    def known(self) -> dict[tuple[Any, ...], Term]:
        """What a loop knows when it begins: numbers that are one to the whole kernel."""
        return {("x", k): t for k, t in self.rows.scalars.items()}

    def run(self) -> list[str]:
        w = self.w
        for loop in w.loops:
            {MAP: self.map_loop, MATRIX: self.matrix_loop, VECTOR: self.vector_loop}[loop.kind](loop)
        head = [f"t{k} = {w.neutral(item, item.dtype)}" for k, item in self.rows.wholes]
        tail: list[str] = []
        for k, name in self.lanes.items():
            item = self.spec.items[k]
            head += ["for j in range(C):", f"    {name}[j] = {w.neutral(item, item.dtype)}"]
            total = w.combine(item, f"t{k}", f"{name}[j]", item.dtype)
            tail += ["for j in range(C):", f"    t{k} = {total}"]
        inner = [
            f"n = min({self.height}, hi - i0)",
            "b = i0 * C",
            *head,
            *self.out,
            *tail,
            *add_blocks(w, self.rows.wholes),
        ]
        lines = [*self.rows.lines, f"for i0 in range(lo, hi, {self.height}):", *("    " + x for x in inner)]
        return [*lines, *finish(w, self.rows.wholes)]

    def map_loop(self, loop: Loop) -> None:
        """Over the elements of the block, as one long vector."""
        body: list[str] = []
        self.out += [
            "for t in range(n * C):",
            *("    " + x for x in self._points(loop, body, "", "t", "b + t")),
        ]

    def matrix_loop(self, loop: Loop) -> None:
        """Over rows, and in each over the columns."""
        w, spec = self.w, self.spec
        row: list[str] = []
        body = self._points(loop, [], "(i0 + i)", "j", "b + o + j", row)
        reducing = [
            (k, spec.items[k])
            for k in loop.items
            if spec.items[k].op in REDUCTIONS and spec.items[k].level == ROW
        ]
        lines = ["one_by_one()", "o = i * C", *row]
        lines += [f"t{k} = {w.neutral(item, item.dtype)}" for k, item in reducing]
        lines += ["for j in range(C):", *("    " + x for x in body)]
        for k, item in reducing:
            lines.append(store(item, f"{self.place(k)}[i]", f"t{k}"))
            if item.stored >= 0:
                lines.append(store(item, w.element(item.stored, "(i0 + i)", "0"), f"t{k}"))
        self.out += self.rows.over_rows("0", "n", "i0", lines)

    def _points(
        self,
        loop: Loop,
        body: list[str],
        i: str,
        j: str,
        flat: str,
        row: list[str] | None = None,
    ) -> list[str]:
        """Statements for one point; what is one number per row goes to `row`."""
        w, spec = self.w, self.spec
        index = j if row is None else "o + j"
        known = self.known()

        def read(a: tuple[Any, ...]) -> Term:
            if a[:2] not in known:
                if a[0] == "n":
                    per_row = spec.items[a[1]].level == ROW
                    t = self.kept(a[1], "i" if per_row else index)
                else:
                    per_row = spec.buffers[a[1]].column == "0"
                    t = w.load(a[1], w.element(a[1], i, "0" if per_row else j, flat))
                known[a[:2]] = w.named(t, row if per_row and row is not None else body)
            return known[a[:2]]

        for k in loop.items:
            item = spec.items[k]
            if item.op in REDUCTIONS:
                x = cast(read(item.args[0]), item.dtype)
                if is_column(w.spec, item):
                    body.append(w.added(item, w.element(item.stored, i, j), x))
                elif item.level == OUT and row is not None:
                    # a number per column: adding each row up would cost more than the row
                    if k not in self.lanes:
                        self.lanes[k] = w.stack(item.dtype, spec.columns, "u")
                    body.append(w.added(item, f"{self.lanes[k]}[j]", x))
                else:
                    body.append(w.running(k, item, x))
                continue
            known["n", k] = z = w.computed(item, read, body)
            body += self._kept_and_stored(k, z.text, index, (i, j, flat))
        return body

    def _kept_and_stored(self, k: int, value: str, index: str, point: tuple[str, str, str]) -> list[str]:
        """Write a value where a later loop reads it, and where it is stored; `point` is `element`'s."""
        item, lines = self.spec.items[k], []
        if k in self.w.used_later:
            lines.append(store(item, f"{self.place(k)}[{index}]", value))
        if item.stored >= 0:
            lines.append(store(item, self.w.element(item.stored, *point), value))
        return lines

    def vector_loop(self, loop: Loop) -> None:
        """Over the rows of the block, one number each."""
        w, spec = self.w, self.spec
        body: list[str] = []
        known = self.known()

        def read(a: tuple[Any, ...]) -> Term:
            if a[:2] not in known:
                t = self.kept(a[1], "i") if a[0] == "n" else w.load(a[1], w.element(a[1], "(i0 + i)", "0"))
                known[a[:2]] = w.named(t, body)
            return known[a[:2]]

        for k in loop.items:
            item = spec.items[k]
            if item.op in REDUCTIONS:
                x = cast(read(item.args[0]), item.dtype)
                if is_whole(w.spec, item):
                    body.append(w.running(k, item, x))
                else:
                    body.append(w.added(item, w.element(item.stored, "(i0 + i)", "0"), x))
                continue
            known["n", k] = z = w.computed(item, read, body)
            body += self._kept_and_stored(k, z.text, "i", ("(i0 + i)", "0", ""))
        self.out += self.rows.over_rows("0", "n", "i0", body)
