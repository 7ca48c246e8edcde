"""Kernels of regions that have rows: for every row loops over the columns, statements between them.

A group of threads has a row: a part of a warp, a warp, or the block. Every thread of it knows the row's
numbers. What one loop leaves to another lies in shared memory, where a thread reads only what it wrote: it
has the same columns in every loop, some neighbouring ones together.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ..loops import VECTOR, Loop, is_column, is_whole, schedule
from ..regions import OUT, REDUCTIONS, ROW
from ..spec import AXES, Spec
from ..text import BOOL
from .elements import Elements, Place
from .geometry import WARP, Form, accumulated, has_owner, is_separable, kept
from .text import CUDA, Term, ctype, stored
from .writer import RUN, Lines, Writer, indented


class Rows(Writer):
    """For every row: loops over the columns, statements between them."""

    def __init__(self, spec: Spec, form: Form) -> None:
        super().__init__(spec, form)
        self.loops, _ = schedule(spec)
        self.kept = {k: f"s{k}" for k in kept(spec)}
        self.groups = {k: f"s{k}" for k in accumulated(spec, form)}  # sums over rows, of each group
        self.separable = is_separable(spec)
        self.values: dict[int, Term] = {}  # rows' numbers
        self.rows_loaded: dict[int, Term] = {}
        self.row: Lines = []  # statements of a row
        self.parts: Lines = []  # declarations of what warps leave to each other

    # ---------------------------------------------------------------- the kernel
    def body(self) -> Lines:
        """The loop over rows, what comes before it, and what the block has at the end."""
        index, group, rows = self.index, self.form.group, self.form.rows
        for loop in self.loops:
            self.vector_loop(loop) if loop.kind == VECTOR else self.columns_loop(loop)
        wholes = [k for k, item in enumerate(self.spec.items) if is_whole(self.spec, item)]
        head = [f"const {index} t = threadIdx.x{f' % {group}' if rows > 1 else ''};"]
        if rows > 1:
            head.append(f"const {index} g = threadIdx.x / {group};")
        return [
            *head, *self.alignment(), *self.room(), *self.parts, *self.zeroed(),
            *(self.accumulator("w", k, self.wide_dtype(k)) for k in wholes),
            *(["int turn = 0;"] if self.parts else []),
            *self.over_rows([*self.row, *(["turn ^= 1;"] if self.parts else [])]),
            *self.added_up(), *self.over_block(wholes),
        ]  # fmt: skip

    def over_rows(self, body: Lines) -> Lines:
        """The loop over this block's rows. A group beyond the last row has no columns, but goes along."""
        index, rows = self.index, self.form.rows
        start, end, step = "lo", "hi", str(rows)
        if not self.sums:
            times = f" * {rows}" if rows > 1 else ""
            start, end, step = f"({index})blockIdx.x{times}", "R", f"({index})gridDim.x{times}"
        i, places = "i", []
        if rows > 1:
            i = "i0"
            places = [
                f"const bool in = i0 + g < {end};",
                f"const {index} i = in ? i0 + g : {end} - 1;",
                f"const {index} end = in ? C : 0;",
            ]
        loop = f"for ({index} {i} = {start}; {i} < {end}; {i} += {step}) {{"
        return [loop, *indented([*places, *self.axes(), *body]), "}"]

    def axes(self) -> Lines:
        """The place of a row's elements in every buffer."""
        spec, lines = self.spec, []
        if spec.axes > 1:
            rest = "i"
            for d in range(spec.axes - 1, 0, -1):
                lines.append(f"const {self.index} e{d} = {rest} % n{d}, q{d} = {rest} / n{d};")
                rest = f"q{d}"
            lines.append(f"const {self.index} e0 = {rest};")
        elif spec.axes == 1:
            lines.append(f"const {self.index} e0 = i;")
        if any(b.row == "C" for b in spec.buffers):
            lines.append(f"const {self.index} row = i * C;")
        for k, b in enumerate(spec.buffers):
            if b.row in AXES:
                place = " + ".join(f"e{d} * r{k}_{d}" for d in range(spec.axes))
                lines.append(f"const {self.index} o{k} = {place};")
            elif b.row == "s":
                lines.append(f"const {self.index} o{k} = i * r{k};")
        return lines

    def room(self) -> Lines:
        """Shared memory: values that loops leave to each other, sums of the groups; the widest first."""
        names = {**self.kept, **self.groups}
        if not names:
            return []
        lines, place = ["extern __shared__ __align__(16) unsigned char room[];"], "room"
        size = f"{self.form.rows} * C" if self.form.rows > 1 else "C"
        for k in sorted(names, key=lambda k: -self.spec.items[k].dtype.itemsize):
            pointer = f"{stored(self.spec.items[k].dtype)}*"
            lines.append(f"{pointer} const {names[k]} = ({pointer}){place};")
            place = f"({names[k]} + {size})"
        if self.form.rows > 1:
            lines.append(f"const {self.index} own = g * C;")
        return lines

    def zeroed(self) -> Lines:
        """What sums over rows begin with, in the memory of the block's own."""
        if self.groups:
            return self.filled([(self.between(k), k) for k in self.groups])
        lines: Lines = []
        own: list[tuple[Place, int]] = []  # columns that a thread adds to alone
        for k, item in enumerate(self.spec.items):
            if not is_column(self.spec, item):
                continue
            b = item.stored
            if self.spec.buffers[b].row == "0":
                own.append((self.outside(b), k))
            else:
                lines += [
                    f"for ({self.index} j = lo / per{b} * each{b} + t; j < zero{b} + hi / per{b} * each{b}; "
                    f"j += {self.form.block}) p{b}[j] = {self.neutral(k, item.dtype)};"
                ]
        lines += self.filled(own)
        # elsewhere a thread zeroes what it adds into itself
        return [*lines, "__syncthreads();"] if has_owner(self.spec) else lines

    def filled(self, places: Sequence[tuple[Place, int]]) -> Lines:
        """A loop over this thread's columns that stores what reductions begin with, each in its place."""
        if not places:
            return []
        elements = Elements(self.form.vector)
        for place, k in places:
            elements.store(place, self.neutral(k, self.spec.items[k].dtype))
        return self.over_columns("C", elements.lines())

    def added_up(self) -> Lines:
        """The groups' sums over rows put together, in order."""
        if not self.groups:
            return []
        lines = ["__syncthreads();", f"for ({self.index} j = threadIdx.x; j < C; j += {self.form.block}) {{"]
        for k in self.groups:
            item = self.spec.items[k]
            lines += indented([
                f"{ctype(item.dtype)} z{k} = s{k}[j];",
                f"for (int other = 1; other < {self.form.rows}; ++other)",
                f"    z{k} = {self.combined(k, f'z{k}', f's{k}[other * C + j]')};",
                f"{self.element(item.stored, 'j', row=False)} = z{k};",
            ])  # fmt: skip
        return [*lines, "}"]

    # ---------------------------------------------------------------- elements
    def element(self, k: int, j: str, row: bool = True) -> str:
        """An element of buffer k, in this row."""
        b = self.spec.buffers[k]
        parts = [{"1": "i", "C": "row"}.get(b.row, f"o{k}")] if row and b.row != "0" else []
        if b.column != "0" and j != "0":
            parts.append(j if b.column == "1" else f"{j} * c{k}")
        return f"p{k}[{' + '.join(parts) or '0'}]"

    def outside(self, k: int) -> Place:
        """The columns of buffer k in this row."""
        b = self.spec.buffers[k]
        whole = "straight" if b.column == "1" else ""
        return Place(str(k), stored(b.dtype), partial(self.element, k), whole)

    def between(self, k: int) -> Place:
        """The columns of item k in shared memory: C is a multiple of the vector, and so are their places."""
        name, own = f"s{k}", "own + " if self.form.rows > 1 else ""
        return Place(name, stored(self.spec.items[k].dtype), lambda j: f"{name}[{own}{j}]", "true")

    def over_columns(self, end: str, body: Lines, start: str = "") -> Lines:
        """A loop over this thread's columns.

        With vectors it is not unrolled: up to 2048 columns take one or two turns, and several at a time would
        take registers (41 instead of 38 in the mean of the tests' kernels).
        """
        index, tile = self.index, self.form.group * self.form.vector
        t = f"{self.form.vector} * t" if self.form.vector > 1 else "t"
        first, step = t, str(tile)
        if self.separable and self.form.whole:  # the grid has tiles of the columns beside each other
            first, step = f"({index})blockIdx.y * {tile} + {t}", f"({index})gridDim.y * {tile}"
        if start:
            first = f"{start} + {t}"
        head = f"for ({index} j = {first}; j < {end}; j += {step}) {{"
        return [*(["#pragma unroll 1"] if self.form.vector > 1 else []), head, *indented(body), "}"]

    def of_one(self, lines: Sequence[str]) -> Lines:
        """Statements that one thread of the group makes."""
        tests = ["t == 0"]
        if self.form.rows > 1:
            tests.append("in")
        return [f"if ({' && '.join(tests)}) {x}" for x in lines]

    def at_row(self, k: int) -> Term:
        """A buffer's number for this row."""
        if k in self.scalars:
            return self.scalars[k]
        if k not in self.rows_loaded:
            text = self.load(k, self.element(k, "0"))
            self.rows_loaded[k] = self.bind(self.row, text, self.spec.buffers[k].dtype)
        return self.rows_loaded[k]

    # ---------------------------------------------------------------- one number per row
    def vector_loop(self, loop: Loop) -> None:
        """Statements for a row's numbers, and reductions over them."""

        def read(a: tuple[Any, ...]) -> Term:
            return self.values[a[1]] if a[0] == "n" else self.at_row(a[1])

        for k in loop.items:
            item = self.spec.items[k]
            if item.op in REDUCTIONS:
                x = CUDA.cast(read(item.args[0]), item.dtype)
                if is_whole(self.spec, item):
                    wide = CUDA.cast(Term(x, item.dtype), self.wide_dtype(k))
                    self.row += self.of_one([f"w{k} = {self.combined(k, f'w{k}', wide)};"])
                else:
                    target = self.element(item.stored, "0")
                    self.row += self.of_one([f"{target} = {self.combined(k, target, x)};"])
                continue
            self.values[k] = self.bind(self.row, self.expression(item, read), item.dtype)
            if item.stored >= 0:
                self.row += self.of_one([f"{self.element(item.stored, '0')} = {self.values[k].text};"])

    # ---------------------------------------------------------------- loops over columns
    def columns_loop(self, loop: Loop) -> None:
        """One loop over the columns, and its reductions."""
        items = self.spec.items
        reducing = [k for k in loop.items if items[k].op in REDUCTIONS and not is_column(self.spec, items[k])]
        end = "end" if self.form.rows > 1 else "C"
        body = self.points(loop)
        started = [self.accumulator("t", k, items[k].dtype) for k in reducing]
        if not reducing:
            self.row += self.over_columns(end, body)
        elif self.form.group <= WARP:
            self.row += [*started, *self.over_columns(end, body)]
            self.row += [self.add_run(k) for k in reducing if items[k].level == OUT]
        else:
            index, run = self.index, self.form.group * RUN
            self.row += [
                *(self.accumulator("w", k, self.wide_dtype(k)) for k in reducing if items[k].level == ROW),
                f"for ({index} j0 = 0; j0 < C; j0 += {run}) {{",
                *indented([
                    *started,
                    f"const {index} end = j0 + {run} < C ? j0 + {run} : C;",
                    *self.over_columns("end", body, "j0"),
                    *(self.add_run(k) for k in reducing),
                ]),
                "}",
            ]  # fmt: skip
        self.reduced([k for k in reducing if items[k].level == ROW])

    def add_run(self, k: int) -> str:
        """The sum of a run added to the others."""
        return f"w{k} = {self.combined(k, f'w{k}', self.widened(k, f't{k}'))};"

    def reduced(self, reductions: Sequence[int]) -> None:
        """The threads' parts of a row's reductions put together: every thread of the group knows the result.

        Over a block the parts lie in one of two places in turn: a thread that is in the next row already does
        not write where another one still reads, and one barrier is enough.
        """
        group = self.form.group
        results: dict[int, str] = {}
        for k in reductions:
            op, dtype = self.operation(k), self.wide_dtype(k)
            if group <= WARP:
                results[k] = f"over_lanes<{op}, {group}>(t{k})" if group > 1 else f"t{k}"
                continue
            self.parts.append(f"__shared__ {ctype(dtype)} part{k}[2][{group // WARP}];")
            self.row.append(f"leave(over_lanes<{op}, {WARP}>(w{k}), part{k}[turn]);")
            z = Term(f"gathered<{op}, {group // WARP}>(part{k}[turn])", dtype)
            results[k] = CUDA.cast(z, self.spec.items[k].dtype)
        if reductions and group > WARP:
            self.row.append("__syncthreads();")
        for k, text in results.items():
            item = self.spec.items[k]
            self.values[k] = self.bind(self.row, text, item.dtype)
            if item.stored >= 0:
                self.row += self.of_one([f"{self.element(item.stored, '0')} = {self.values[k].text};"])

    def points(self, loop: Loop) -> Lines:
        """Statements for the columns that a thread takes together."""
        spec, elements = self.spec, Elements(self.form.vector)
        env: dict[int, Term] = {}
        loaded: dict[str, Term] = {}

        def load(place: Place, dtype: np.dtype[Any]) -> Term:
            if place[0] not in loaded:
                text = elements.load(place)
                loaded[place[0]] = self.bind(elements.each, f"{text} != 0" if dtype == BOOL else text, dtype)
            return loaded[place[0]]

        def read(a: tuple[Any, ...]) -> Term:
            k = a[1]
            if a[0] == "x":
                b = spec.buffers[k]
                return self.at_row(k) if b.column == "0" else load(self.outside(k), b.dtype)
            if k in self.values or k in env:
                return self.values[k] if k in self.values else env[k]
            item = spec.items[k]  # another loop left it
            return load(self.outside(item.stored) if item.stored >= 0 else self.between(k), item.dtype)

        for k in loop.items:
            item = spec.items[k]
            if item.op in REDUCTIONS:
                x = CUDA.cast(read(item.args[0]), item.dtype)
                if is_column(spec, item):
                    place = self.between(k) if self.groups else self.outside(item.stored)
                    elements.store(place, self.combined(k, elements.load(place), x))
                else:
                    elements.each.append(f"t{k} = {self.combined(k, f't{k}', x)};")
                continue
            env[k] = self.bind(elements.each, self.expression(item, read), item.dtype)
            if item.stored >= 0:
                elements.store(self.outside(item.stored), env[k].text)
            elif k in self.kept:
                elements.store(self.between(k), env[k].text)
        return elements.lines()
