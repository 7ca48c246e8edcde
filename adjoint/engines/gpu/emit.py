"""From a region's spec to the text of a CUDA kernel.

The kernel is called `region`; its parameters are the cells of `block_layout`, in order. One with results that
exist only at the end (sums over rows, over everything) has one chunk of the rows per block, the others loop
over the grid. Two forms:

    flat    a thread takes some neighbouring elements together: loads, statements, stores
    rows    a group of threads has a row: loops over the columns, and between them one number per row, which
            every thread of the group knows; a group is a part of a warp, a warp or the whole block

What one loop leaves to another lies in shared memory, where a thread reads only what it wrote itself. Sums
are sums of short runs in fixed order, added up in float64: they depend on sizes and on nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..regions import OUT, REDUCTIONS, ROW
from ..spec import AXES, VECTOR, Item, Loop, Spec, block_layout, schedule
from ..text import BOOL, F64
from .geometry import WARP, Form, accumulated, has_owner, is_column, is_separable, is_whole, kept
from .text import CUDA, Term, ctype, stored

NAME = "region"  # of every region's kernel
RUN = 64  # elements that one running sum of a thread takes before it is added to a float64
OPERATIONS = {"sum": "Sum", "max": "Max", "min": "Min"}
Lines = list[str]


@lru_cache(maxsize=4096)
def emit(spec: Spec, form: Form) -> str:
    """The source of a region's kernel, without the functions of `device.cuh`."""
    spec = spec._replace(mode="wide", columns=0) if spec.mode == "narrow" else spec
    writer = _Flat(spec, form) if spec.mode == "flat" else _Rows(spec, form)
    return writer.text()


def indented(lines: Sequence[str]) -> Lines:
    """Lines of a block; what the preprocessor reads stays at the margin."""
    return [x if x.startswith("#") else "    " + x for x in lines]


class _Writer:
    """What the two forms share."""

    def __init__(self, spec: Spec, form: Form) -> None:
        self.spec, self.form = spec, form
        self.index = "long long" if form.wide else "int"
        self.written = {item.stored for item in spec.items if item.stored >= 0}
        self.sums = {item.stored for item in spec.items if item.level == OUT}
        self.scalars: dict[int, Term] = {}
        self.names = 0

    def body(self) -> Lines:
        """The statements."""
        raise NotImplementedError

    def text(self) -> str:
        """The kernel."""
        parameters = [self.parameter(name) for name in block_layout(self.spec)]
        head = f'extern "C" __global__ void __launch_bounds__({self.form.block}) {NAME}('
        body = [*self.chunk(), *self.moved(), *self.loaded_once(), *self.body()]
        return "\n".join([head, *_wrapped(parameters), "{", *indented(body), "}", ""])

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

    def load(self, k: int, text: str) -> str:
        """An element of buffer k as a number."""
        return f"{text} != 0" if self.spec.buffers[k].dtype == BOOL else text

    def bind(self, out: Lines, text: str, dtype: np.dtype[Any]) -> Term:
        """A variable for an expression."""
        v = self.name()
        out.append(f"const {ctype(dtype)} {v} = {text};")
        return Term(v, dtype)

    def expression(self, item: Item, read: Callable[[tuple[Any, ...]], Term]) -> str:
        """The row's value."""
        operands: list[Any] = []
        for a in item.args:
            if a[0] == "c":
                operands.append(a[3].value)
            else:
                t = read(a)
                operands.append(Term(t.text, t.dtype, python=a[2]))
        return str(CUDA.value(item.op, operands, item.dtype))

    def operation(self, k: int) -> str:
        """The class of device.cuh for reduction k."""
        return OPERATIONS[REDUCTIONS[self.spec.items[k].op]]

    def neutral(self, k: int, dtype: np.dtype[Any]) -> str:
        """What reduction k begins with."""
        kind = REDUCTIONS[self.spec.items[k].op]
        if kind == "sum":
            return str(CUDA.literal(0, dtype))
        if dtype.kind == "f":
            return str(CUDA.literal(-math.inf if kind == "max" else math.inf, dtype))
        info = np.iinfo(dtype)
        return str(CUDA.literal(info.min if kind == "max" else info.max, dtype))

    def combined(self, k: int, a: str, b: str) -> str:
        """Reduction k of two numbers."""
        return f"{self.operation(k)}::of({a}, {b})"

    def wide_dtype(self, k: int) -> np.dtype[Any]:
        """The dtype in which sums of runs are added up."""
        item = self.spec.items[k]
        return F64 if REDUCTIONS[item.op] == "sum" and item.dtype.kind == "f" else item.dtype

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


def _wrapped(parameters: Sequence[str]) -> Lines:
    """Parameters over lines of at most 110 columns."""
    lines = [""]
    for k, p in enumerate(parameters):
        text = p + ("," if k < len(parameters) - 1 else ")")
        if lines[-1] and len(lines[-1]) + len(text) > 104:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "    ") + text
    return lines


# -------------------------------------------------------------------------------- flat
class _Flat(_Writer):
    """One loop over the elements."""

    def body(self) -> Lines:
        reductions = [k for k, item in enumerate(self.spec.items) if item.op in REDUCTIONS]
        index, step = self.index, self.form.block * self.form.vector
        place = (
            f"{self.form.vector} * ({index})threadIdx.x" if self.form.vector > 1 else f"({index})threadIdx.x"
        )
        head = self.alignment()
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

    def near(self) -> list[int]:
        """Buffers whose elements are neighbours."""
        return [k for k, b in enumerate(self.spec.buffers) if b.column == "1"]

    def alignment(self) -> Lines:
        """Whether every buffer begins where vectors may."""
        if self.form.vector == 1:
            return []
        start = " + lo" if self.sums else ""
        tests = [f"aligned<{self.form.vector}>(p{k}{start})" for k in self.near()]
        return _joined("const bool straight = ", tests, " && ", ";")

    def element(self, k: int, j: str) -> str:
        """An element of buffer k."""
        column = self.spec.buffers[k].column
        return f"p{k}[{ {'0': '0', '1': j, 's': f'{_product(j)} * c{k}'}[column] }]"

    def points(self, end: str) -> Lines:
        """Statements for the elements of one thread: all loads come before all stores."""
        return self.point() if self.form.vector == 1 else self.vectors(end)

    def point(self) -> Lines:
        """One element."""
        out: Lines = []
        loaded: dict[int, Term] = dict(self.scalars)
        for item in self.spec.items:
            for a in item.args:
                if a[0] == "x" and a[1] not in loaded:
                    k = a[1]
                    loaded[k] = self.bind(out, self.load(k, self.element(k, "j")), self.spec.buffers[k].dtype)
        stores: Lines = []
        self.statements(out, stores, loaded, "")
        return [*out, *stores]

    def statements(self, out: Lines, stores: Lines, loaded: dict[int, Term], condition: str) -> None:
        """Every item for one element; `condition`: whether there is one."""
        env: dict[int, Term] = {}

        def read(a: tuple[Any, ...]) -> Term:
            return env[a[1]] if a[0] == "n" else loaded[a[1]]

        for k, item in enumerate(self.spec.items):
            if item.op in REDUCTIONS:
                x = CUDA.cast(read(item.args[0]), item.dtype)
                out.append(f"{condition}t{k} = {self.combined(k, f't{k}', x)};")
                continue
            env[k] = self.bind(out, self.expression(item, read), item.dtype)
            if item.stored >= 0:
                stores.append(self.store(item.stored, env[k].text))

    def store(self, k: int, value: str) -> str:
        """To its element, or to its place in a vector of results."""
        near = self.form.vector > 1 and self.spec.buffers[k].column == "1"
        if near:
            return f"z{k}.at[k] = {value};"
        guard = "if (k < left) " if self.form.vector > 1 else ""
        return f"{guard}{self.element(k, 'j + k' if guard else 'j')} = {value};"

    def vectors(self, end: str) -> Lines:
        """Neighbouring elements together, by vector loads where they are aligned."""
        v = self.form.vector
        out = [f"const {self.index} left = {end} - j;", f"const bool full = straight && left >= {v};"]
        body: Lines = []
        loaded = dict(self.scalars)
        for k in sorted({a[1] for item in self.spec.items for a in item.args if a[0] == "x"} - set(loaded)):
            dtype = self.spec.buffers[k].dtype
            if self.spec.buffers[k].column == "1":
                out.append(f"const auto x{k} = fetch<{v}>(p{k} + j, full, left);")
                loaded[k] = self.bind(body, self.load(k, f"x{k}.at[k]"), dtype)
            else:
                safe = self.element(k, "(k < left ? j + k : j)")  # (its stores come after all loads too)
                out += [f"Pack<{stored(dtype)}, {v}> x{k};", "#pragma unroll",
                        f"for (int k = 0; k < {v}; ++k) x{k}.at[k] = {safe};"]  # fmt: skip
                loaded[k] = self.bind(body, self.load(k, f"x{k}.at[k]"), dtype)
        results = sorted(k for k in self.written - self.sums if self.spec.buffers[k].column == "1")
        out += [f"Pack<{stored(self.spec.buffers[k].dtype)}, {v}> z{k};" for k in results]
        stores: Lines = []
        self.statements(body, stores, loaded, "if (k < left) ")
        return [
            *out, "#pragma unroll", f"for (int k = 0; k < {v}; ++k) {{", *indented([*body, *stores]), "}",
            *(f"put(p{k} + j, z{k}, full, left);" for k in results),
        ]  # fmt: skip


def _product(text: str) -> str:
    return text if text.isidentifier() or text.startswith("(") else f"({text})"


def _joined(head: str, parts: Sequence[str], between: str, tail: str) -> Lines:
    """One statement over lines of at most 100 columns."""
    lines = [head + parts[0]]
    for p in parts[1:]:
        if len(lines[-1]) + len(between) + len(p) > 100:
            lines.append("   ")
        lines[-1] += between + p
    lines[-1] += tail
    return lines


# -------------------------------------------------------------------------------- rows
class _Rows(_Writer):
    """For every row: loops over the columns, statements between them."""

    def __init__(self, spec: Spec, form: Form) -> None:
        super().__init__(spec, form)
        self.loops, self.at = schedule(spec)
        self.kept = {k: f"s{k}" for k in kept(spec)}
        self.groups = {k: f"s{k}" for k in accumulated(spec, form)}  # sums over rows, of each group
        self.separable = is_separable(spec)
        self.values: dict[int, Term] = {}  # rows' numbers
        self.rows_loaded: dict[int, Term] = {}
        self.row: Lines = []  # statements of a row
        self.parts: Lines = []  # declarations of what warps leave to each other

    # ---------------------------------------------------------------- the kernel
    def body(self) -> Lines:
        index, group, rows = self.index, self.form.group, self.form.rows
        for loop in self.loops:
            self.vector_loop(loop) if loop.kind == VECTOR else self.columns_loop(loop)
        wholes = [k for k, item in enumerate(self.spec.items) if is_whole(self.spec, item)]
        head = [f"const {index} t = threadIdx.x{f' % {group}' if rows > 1 else ''};"]
        if rows > 1:
            head.append(f"const {index} g = threadIdx.x / {group};")
        return [
            *head, *self.room(), *self.parts, *self.zeroed(),
            *(self.accumulator("w", k, self.wide_dtype(k)) for k in wholes),
            *(["int turn = 0;"] if self.parts else []),
            *self.over_rows([*self.row, *(["turn ^= 1;"] if self.parts else [])]),
            *self.added_up(), *self.over_block(wholes),
        ]  # fmt: skip

    def over_rows(self, body: Lines) -> Lines:
        """The loop over this block's rows. A group beyond the last row has no columns, but goes along."""
        index, rows = self.index, self.form.rows
        if self.sums:
            start, end, step = "lo", "hi", f"{rows}"
        else:
            start, end, step = f"({index})blockIdx.x * {rows}", "R", f"({index})gridDim.x * {rows}"
        if rows == 1:
            start = start.removesuffix(" * 1")
            step = step.removesuffix(" * 1")
            loop, places = f"for ({index} i = {start}; i < {end}; i += {step}) {{", []
        else:
            loop = f"for ({index} i0 = {start}; i0 < {end}; i0 += {step}) {{"
            places = [
                f"const bool in = i0 + g < {end};",
                f"const {index} i = in ? i0 + g : {end} - 1;",
                f"const {index} end = in ? C : 0;",
            ]
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
        lines: Lines = []
        for k in self.groups:
            lines += [f"{self.columns('C')} s{k}[own + j] = {self.neutral(k, self.spec.items[k].dtype)};"]
        if self.groups:
            return lines
        for k, item in enumerate(self.spec.items):
            if not is_column(self.spec, item):
                continue
            b, neutral = item.stored, self.neutral(k, item.dtype)
            if self.spec.buffers[b].row == "0":
                lines.append(f"{self.columns('C')} {self.element(b, 'j')} = {neutral};")
            else:
                lines += [
                    f"for ({self.index} j = lo / per{b} * each{b} + t; j < zero{b} + hi / per{b} * each{b}; "
                    f"j += {self.form.block}) p{b}[j] = {neutral};"
                ]
        # elsewhere a thread zeroes what it adds into itself
        return [*lines, "__syncthreads();"] if has_owner(self.spec) else lines

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

    def columns(self, end: str, start: str = "") -> str:
        """The head of a loop over this thread's columns."""
        index, group = self.index, self.form.group
        first, step = "t", f"{group}"
        if self.separable and self.form.whole:  # the grid has tiles of the columns beside each other
            first, step = f"({index})blockIdx.y * {group} + t", f"({index})gridDim.y * {group}"
        if start:
            first = f"{start} + t"
        return f"for ({index} j = {first}; j < {end}; j += {step})"

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
            self.row += [f"{self.columns(end)} {{", *indented(body), "}"]
        elif self.form.group <= WARP:
            self.row += [*started, f"{self.columns(end)} {{", *indented(body), "}"]
            self.row += [self.add_run(k) for k in reducing if items[k].level == OUT]
        else:
            index, run = self.index, self.form.group * RUN
            self.row += [
                *(self.accumulator("w", k, self.wide_dtype(k)) for k in reducing if items[k].level == ROW),
                f"for ({index} j0 = 0; j0 < C; j0 += {run}) {{",
                *indented([
                    *started,
                    f"const {index} end = j0 + {run} < C ? j0 + {run} : C;",
                    f"{self.columns('end', 'j0')} {{", *indented(body), "}",
                    *(self.add_run(k) for k in reducing),
                ]),
                "}",
            ]  # fmt: skip
        self.reduced([k for k in reducing if items[k].level == ROW])

    def add_run(self, k: int) -> str:
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
        """Statements for one column of this row."""
        out: Lines = []
        env: dict[int, Term] = {}
        loaded: dict[int, Term] = {}
        own = "own + j" if self.form.rows > 1 else "j"

        def read(a: tuple[Any, ...]) -> Term:
            k = a[1]
            if a[0] == "n":
                if k in self.values:
                    return self.values[k]
                if k not in env:  # another loop left it
                    item = self.spec.items[k]
                    text = self.element(item.stored, "j") if item.stored >= 0 else f"{self.kept[k]}[{own}]"
                    env[k] = self.bind(out, f"{text} != 0" if item.dtype == BOOL else text, item.dtype)
                return env[k]
            if self.spec.buffers[k].column == "0":
                return self.at_row(k)
            if k not in loaded:
                text = self.load(k, self.element(k, "j"))
                loaded[k] = self.bind(out, text, self.spec.buffers[k].dtype)
            return loaded[k]

        for k in loop.items:
            item = self.spec.items[k]
            if item.op in REDUCTIONS:
                x = CUDA.cast(read(item.args[0]), item.dtype)
                target = f"t{k}"
                if is_column(self.spec, item):
                    target = f"{self.groups[k]}[{own}]" if self.groups else self.element(item.stored, "j")
                out.append(f"{target} = {self.combined(k, target, x)};")
                continue
            env[k] = self.bind(out, self.expression(item, read), item.dtype)
            if item.stored >= 0:
                out.append(f"{self.element(item.stored, 'j')} = {env[k].text};")
            elif k in self.kept:
                out.append(f"{self.kept[k]}[{own}] = {env[k].text};")
        return out
