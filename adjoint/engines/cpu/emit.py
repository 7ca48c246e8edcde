"""From a region to the text of a numba kernel.

A kernel runs rows lo … hi of the region's space (elements lo … hi when the space is *flat*). Three forms:

    flat    one loop over the elements, in blocks so that sums are sums of blocks
    wide    for every row: loops over the columns, and statements for the row between them
    narrow  for every block of rows: loops over the block's elements (dear functions, at full vector length),
            over rows and columns (reductions), and over rows (what is one number per row)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..loops import (
    MAP,
    MATRIX,
    VECTOR,
    Loop,
    expression,
    is_column,
    is_whole,
    neutral,
    schedule,
    used_later,
    wide_dtype,
)
from ..regions import FULL, OUT, REDUCTIONS, ROW
from ..spec import AXES, Item, Spec, block_layout
from ..text import BOOL, F32
from .text import TEXT, Term, cast, literal

NARROW = 64  # rows up to this length are emitted in blocks, with the length as a constant
BLOCK = 1024  # elements of a block of narrow rows: its scratch stays in the first-level cache
SCRATCH = 4096  # columns that a row may keep on the stack between its loops
SUM_BLOCK = 2048  # elements that one running sum takes


def block_height(columns: int) -> int:
    """Rows of a block of narrow rows."""
    return max(8, BLOCK // columns)


# -------------------------------------------------------------------------------- text
@lru_cache(maxsize=4096)
def emit(spec: Spec) -> str:
    """The source of a kernel, with its entry `void(int64* block, int64 chunk)`."""
    return _Writer(spec).text()


_POINTER = {"f4": "f32", "f8": "f64", "b1": "u8", "i1": "i8", "i2": "i16", "i4": "i32", "i8": "i64",
            "u1": "u8", "u2": "u16", "u4": "u32", "u8": "u64"}  # fmt: skip


def pointer(dtype: np.dtype[Any]) -> str:
    """The name of the cast from an address to a pointer of this dtype."""
    return f"as_{_POINTER[dtype.str[1:]]}"


class _Writer:
    """Writes one kernel."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.loops, _ = schedule(spec)
        self.stacks: dict[str, tuple[np.dtype[Any], int]] = {}
        self.names = 0
        self.used_later = used_later(spec)

    # ---------------------------------------------------------------- pieces
    def name(self, prefix: str = "v") -> str:
        """A fresh variable."""
        self.names += 1
        return f"{prefix}{self.names}"

    def row_part(self, k: int, i: str) -> str:
        """The row's contribution to an index into buffer k."""
        b = self.spec.buffers[k]
        return {"0": "0", "1": i, "C": f"{i} * C", "s": f"{i} * r{k}"}[b.row]

    def element(self, k: int, i: str, j: str, flat: str = "") -> str:
        """The text of an element of buffer k; `flat` is the index of the point when rows are contiguous."""
        b = self.spec.buffers[k]
        if flat and (b.row, b.column) == ("C", "1"):
            return f"p{k}[{flat}]"
        parts = [] if b.row == "0" else [f"o{k}" if b.row in AXES else self.row_part(k, i)]
        if b.column != "0":
            parts.append(j if b.column == "1" else f"{j} * c{k}")
        return f"p{k}[{' + '.join(parts) or '0'}]"

    def load(self, k: int, text: str) -> Term:
        dtype = self.spec.buffers[k].dtype
        return Term(f"({text} != 0)" if dtype == BOOL else text, dtype)

    def expression(self, item: Item, read: Callable[[tuple[Any, ...]], Term]) -> str:
        """The row's value in the item's dtype."""
        return expression(TEXT, item, read)

    # ---------------------------------------------------------------- accumulators
    def neutral(self, item: Item, dtype: np.dtype[Any]) -> str:
        return literal(neutral(item, dtype), dtype)

    def combine(self, item: Item, a: str, b: str, dtype: np.dtype[Any], reassociate: bool = True) -> str:
        kind = REDUCTIONS[item.op]
        suffix = "_f32" if dtype == F32 else "_f64"
        if kind == "sum":
            if dtype.kind == "f" and reassociate:
                return f"add_reassoc{suffix}({a}, {b})"
            return f"{a} + {b}"
        if dtype.kind == "f":
            return f"{kind}imum{suffix}({a}, {b})"
        return f"({a} if {a} {'>' if kind == 'max' else '<'} {b} else {b})"

    def stack(self, dtype: np.dtype[Any], size: int, prefix: str) -> str:
        name = f"{prefix}{len(self.stacks)}"
        self.stacks[name] = (dtype, size)
        return name

    # ---------------------------------------------------------------- the kernel
    def text(self) -> str:
        spec = self.spec
        body = {"flat": _flat, "wide": _wide, "narrow": _narrow}[spec.mode](self)
        cells = block_layout(spec)
        whole = {item.stored for item in spec.items if item.level == OUT}
        names, values = [], []
        for name, cell in cells.items():
            if name.startswith("advance") or (name == "C" and spec.columns) or name in ("R", "chunk"):
                continue
            names.append(name)
            if name[0] == "p" and name[1:].isdigit():
                k = int(name[1:])
                address = f"a[{cell}] + chunk * a[{cells[f'advance{k}']}]" if k in whole else f"a[{cell}]"
                values.append(f"{pointer(spec.buffers[k].dtype)}({address})")
            else:
                values.append(f"a[{cell}]")
        lines = [
            f"{name}_new = make_stack(types.{_numba(d)}, {size})" for name, (d, size) in self.stacks.items()
        ]
        if spec.columns:
            lines.append(f"C = {spec.columns}")
        lines += ["", "@njit(**OPTIONS)", f"def kernel({', '.join([*names, 'lo', 'hi'])}):", "    tune()"]
        lines += [f"    {name} = {name}_new()" for name in self.stacks]
        lines += ["    " + x for x in body]
        lines += ["", "@cfunc(SIGNATURE, cache=True)", "def entry(a, chunk):",
                  f"    lo = chunk * a[{cells['chunk']}]",
                  f"    hi = min(lo + a[{cells['chunk']}], a[{cells['R']}])",
                  f"    kernel({', '.join([*values, 'lo', 'hi'])})", ""]  # fmt: skip
        return "\n".join(lines)

    def scalars(self) -> tuple[list[str], dict[int, Term]]:
        """Buffers that are one number to the whole kernel, loaded once."""
        lines, terms = [], {}
        written = {item.stored for item in self.spec.items}
        for k, b in enumerate(self.spec.buffers):
            if (b.row, b.column) == ("0", "0") and k not in written:
                lines.append(f"g{k} = {self.load(k, f'p{k}[0]').text}")
                terms[k] = Term(f"g{k}", b.dtype)
        return lines, terms

    def columns_zeroed(self) -> list[str]:
        """Clear what column reductions add into."""
        lines = []
        for item in self.spec.items:
            if is_column(self.spec, item):
                k = item.stored
                lines += [
                    f"z{k} = (lo // per{k}) * each{k}",
                    f"for j in range(z{k}, zero{k} + (hi // per{k}) * each{k}):",
                    f"    p{k}[j] = {self.neutral(item, item.dtype)}",
                ]
        return lines


def _numba(dtype: np.dtype[Any]) -> str:
    return "boolean" if dtype == BOOL else dtype.name


def _store(item: Item, target: str, value: str) -> str:
    return f"{target} = {value}" if item.dtype != BOOL else f"{target} = np.uint8({value})"


def _flat(w: _Writer) -> list[str]:
    """One loop over the elements lo … hi."""
    head, known = w.scalars()
    reductions = [(k, item) for k, item in enumerate(w.spec.items) if item.op in REDUCTIONS]
    body: list[str] = []
    env: dict[int, Term] = {}
    loaded = dict(known)

    def read(a: tuple[Any, ...]) -> Term:
        if a[0] == "n":
            return env[a[1]]
        if a[1] not in loaded:
            v = w.name()
            body.append(f"{v} = {w.load(a[1], w.element(a[1], '0', 'j')).text}")
            loaded[a[1]] = Term(v, w.spec.buffers[a[1]].dtype)
        return loaded[a[1]]

    # all loads come first: a result may lie in the memory of an operand
    for item in w.spec.items:
        for a in item.args:
            if a[0] == "x":
                read(a)
    for k, item in enumerate(w.spec.items):
        if item.op in REDUCTIONS:
            x = cast(read(item.args[0]), item.dtype)
            body.append(f"t{k} = {w.combine(item, f't{k}', x, item.dtype)}")
            continue
        v = w.name()
        body.append(f"{v} = {w.expression(item, read)}")
        env[k] = Term(v, item.dtype)
        if item.stored >= 0:
            body.append(_store(item, w.element(item.stored, "0", "j"), v))
    if not reductions:
        return [*head, "for j in range(lo, hi):", *("    " + x for x in body)]
    lines = [*head, *(f"w{k} = {w.neutral(item, wide_dtype(item))}" for k, item in reductions)]
    lines.append(f"for j0 in range(lo, hi, {SUM_BLOCK}):")
    lines += [f"    t{k} = {w.neutral(item, item.dtype)}" for k, item in reductions]
    lines += [f"    for j in range(j0, min(hi, j0 + {SUM_BLOCK})):", *("        " + x for x in body)]
    return [*lines, *("    " + x for x in _add_blocks(w, reductions)), *_finish(w, reductions)]


def _add_blocks(w: _Writer, reductions: Sequence[tuple[int, Item]]) -> list[str]:
    lines = []
    for k, item in reductions:
        wide = wide_dtype(item)
        value = cast(Term(f"t{k}", item.dtype), wide)
        lines.append(f"w{k} = {w.combine(item, f'w{k}', value, wide, reassociate=False)}")
    return lines


def _finish(w: _Writer, reductions: Sequence[tuple[int, Item]]) -> list[str]:
    return [
        _store(item, f"p{item.stored}[0]", cast(Term(f"w{k}", wide_dtype(item)), item.dtype))
        for k, item in reductions
    ]


class _Rows:
    """What the wide and the narrow form share: terms known in a loop, rows' numbers, stores."""

    def __init__(self, w: _Writer) -> None:
        self.w = w
        self.head, self.scalars = w.scalars()
        self.wholes = [(k, item) for k, item in enumerate(w.spec.items) if is_whole(w.spec, item)]
        self.lines: list[str] = [*self.head, *w.columns_zeroed()]
        self.lines += [f"w{k} = {w.neutral(item, wide_dtype(item))}" for k, item in self.wholes]

    def over_rows(self, start: str, end: str, first: str, body: Sequence[str]) -> list[str]:
        """A loop of `i` from start to end; `first` is the row at its start.

        Where rows have several axes, the place on every axis is carried along, because to divide for it costs
        more than a row of eight columns. The last axis is a loop of its own: what its rows add into is then
        one place that LLVM keeps in registers (adding up in memory took 50 cycles per row).
        """
        w, last = self.w, self.w.spec.axes - 1
        if last < 1:
            return [f"for i in range({start}, {end}):", *("    " + x for x in body)]
        head = [f"e0 = {first}"]
        for d in range(last, 0, -1):
            head += [f"e{d} = e0 % n{d}", f"e0 = e0 // n{d}"]
        outer, inner = [], []
        for k, b in enumerate(w.spec.buffers):
            if b.row in AXES:
                outer.append(f"o{k} = " + " + ".join(f"e{d} * r{k}_{d}" for d in range(last)))
            if b.row == "d":
                outer[-1] = f"a{k}" + outer[-1][len(f"o{k}") :]
                inner.append(f"o{k} = a{k} + (e{last} + i - q) * r{k}_{last}")
        step, indent = ["q += m", f"e{last} = 0"], ""
        for d in range(last - 1, 0, -1):
            step += [f"{indent}e{d} += 1", f"{indent}if e{d} == n{d}:", f"{indent}    e{d} = 0"]
            indent += "    "
        step.append(f"{indent}e0 += 1")
        loop = [
            f"m = min({end} - q, n{last} - e{last})", *outer, "for i in range(q, q + m):",
            *("    " + x for x in (*inner, *body)), *step,
        ]  # fmt: skip
        return [*head, f"q = {start}", f"while q < {end}:", *("    " + x for x in loop)]


def _wide(w: _Writer) -> list[str]:
    """For every row: loops over the columns, statements between them."""
    rows = _Rows(w)
    spec = w.spec
    out: list[str] = []
    values: dict[int, Term] = {}  # rows' numbers
    scratch: dict[int, str] = {}
    row_loaded: dict[int, Term] = {}

    def at_row(k: int) -> Term:
        if k in rows.scalars:
            return rows.scalars[k]
        if k not in row_loaded:
            v = w.name()
            out.append(f"{v} = {w.load(k, w.element(k, 'i', '0')).text}")
            row_loaded[k] = Term(v, spec.buffers[k].dtype)
        return row_loaded[k]

    for loop in w.loops:
        if loop.kind == VECTOR:
            for k in loop.items:
                item = spec.items[k]

                def read(a: tuple[Any, ...]) -> Term:
                    return values[a[1]] if a[0] == "n" else at_row(a[1])

                _row_statement(w, k, item, read, out, values)
            continue
        body = _columns_loop(w, loop, values, scratch, at_row)
        reducing = [
            (k, spec.items[k])
            for k in loop.items
            if spec.items[k].op in REDUCTIONS and not is_column(spec, spec.items[k])
        ]
        if reducing:
            out += [
                f"w{k} = {w.neutral(item, wide_dtype(item))}" for k, item in reducing if item.level == ROW
            ]
            out.append(f"for j0 in range(0, C, {SUM_BLOCK}):")
            out += [f"    t{k} = {w.neutral(item, item.dtype)}" for k, item in reducing]
            out += [f"    for j in range(j0, min(C, j0 + {SUM_BLOCK})):", *("        " + x for x in body)]
            out += ["    " + x for x in _add_blocks(w, reducing)]
        else:
            out += ["for j in range(C):", *("    " + x for x in body)]
        for k, item in reducing:
            if item.level == ROW:
                v = w.name()
                out.append(f"{v} = {cast(Term(f'w{k}', wide_dtype(item)), item.dtype)}")
                values[k] = Term(v, item.dtype)
                if item.stored >= 0:
                    out.append(_store(item, w.element(item.stored, "i", "0"), v))
    lines = [
        *rows.lines,
        *rows.over_rows("lo", "hi", "lo", ["b = i * C", *out]),
    ]
    return [*lines, *_finish(w, rows.wholes)]


def _row_statement(
    w: _Writer, k: int, item: Item, read: Any, out: list[str], values: dict[int, Term]
) -> None:
    """One number per row, or a reduction over rows' numbers."""
    if item.op in REDUCTIONS:
        x = cast(read(item.args[0]), item.dtype)
        if is_whole(w.spec, item):
            wide = wide_dtype(item)
            out.append(
                f"w{k} = {w.combine(item, f'w{k}', cast(Term(x, item.dtype), wide), wide, reassociate=False)}"
            )
        else:
            target = w.element(item.stored, "i", "0")
            out.append(f"{target} = {w.combine(item, target, x, item.dtype, reassociate=False)}")
        return
    v = w.name()
    out.append(f"{v} = {w.expression(item, read)}")
    values[k] = Term(v, item.dtype)
    if item.stored >= 0:
        out.append(_store(item, w.element(item.stored, "i", "0"), v))


def _columns_loop(
    w: _Writer, loop: Loop, values: dict[int, Term], scratch: dict[int, str], at_row: Any
) -> list[str]:
    """The body of a loop over the columns of one row."""
    spec = w.spec
    body: list[str] = []
    env: dict[int, Term] = {}
    loaded: dict[int, Term] = {}

    def read(a: tuple[Any, ...]) -> Term:
        if a[0] == "n":
            j = a[1]
            if j in values:
                return values[j]
            if j not in env:
                v = w.name()
                stored = spec.items[j].stored
                text = w.element(stored, "i", "j", "b + j") if stored >= 0 else f"{scratch[j]}[j]"
                text = f"({text} != 0)" if spec.items[j].dtype == BOOL else text
                body.append(f"{v} = {text}")
                env[j] = Term(v, spec.items[j].dtype)
            return env[j]
        k = a[1]
        if spec.buffers[k].column == "0":
            return at_row(k)
        if k not in loaded:
            v = w.name()
            body.append(f"{v} = {w.load(k, w.element(k, 'i', 'j', 'b + j')).text}")
            loaded[k] = Term(v, spec.buffers[k].dtype)
        return loaded[k]

    for k in loop.items:
        item = spec.items[k]
        if item.op in REDUCTIONS:
            x = cast(read(item.args[0]), item.dtype)
            if is_column(w.spec, item):
                target = w.element(item.stored, "i", "j")
                body.append(f"{target} = {w.combine(item, target, x, item.dtype, reassociate=False)}")
            else:
                body.append(f"t{k} = {w.combine(item, f't{k}', x, item.dtype)}")
            continue
        v = w.name()
        text = w.expression(item, read)
        body.append(f"{v} = {text}")
        env[k] = Term(v, item.dtype)
        if item.stored >= 0:
            body.append(_store(item, w.element(item.stored, "i", "j", "b + j"), v))
        elif k in w.used_later:
            scratch[k] = w.stack(np.dtype(np.uint8) if item.dtype == BOOL else item.dtype, SCRATCH, "s")
            body.append(_store(item, f"{scratch[k]}[j]", v))
    return body


def _narrow(w: _Writer) -> list[str]:
    """For every block of rows: loops over elements, over rows and columns, and over rows."""
    return _Narrow(w).run()


class _Narrow:
    """The narrow form. Between its loops every value lives in a scratch array on the stack."""

    def __init__(self, w: _Writer) -> None:
        self.w, self.spec = w, w.spec
        self.rows = _Rows(w)
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
        text = f"{self.place(k)}[{index}]"
        return Term(f"({text} != 0)" if dtype == BOOL else text, dtype)

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
            *_add_blocks(w, self.rows.wholes),
        ]
        lines = [*self.rows.lines, f"for i0 in range(lo, hi, {self.height}):", *("    " + x for x in inner)]
        return [*lines, *_finish(w, self.rows.wholes)]

    def map_loop(self, loop: Loop) -> None:
        """Over the elements of the block, as one long vector."""
        body: list[str] = []
        self.out += [
            "for t in range(n * C):",
            *("    " + x for x in self._points(loop, body, "", "t", "b + t", {})),
        ]

    def matrix_loop(self, loop: Loop) -> None:
        """Over rows, and in each over the columns."""
        w, spec = self.w, self.spec
        row: list[str] = []
        known: dict[Any, Term] = {}
        body = self._points(loop, [], "(i0 + i)", "j", "b + o + j", known, row)
        reducing = [
            (k, spec.items[k])
            for k in loop.items
            if spec.items[k].op in REDUCTIONS and spec.items[k].level == ROW
        ]
        lines = ["one_by_one()", "o = i * C", *row]
        lines += [f"t{k} = {w.neutral(item, item.dtype)}" for k, item in reducing]
        lines += ["for j in range(C):", *("    " + x for x in body)]
        for k, item in reducing:
            lines.append(_store(item, f"{self.place(k)}[i]", f"t{k}"))
            if item.stored >= 0:
                lines.append(_store(item, w.element(item.stored, "(i0 + i)", "0"), f"t{k}"))
        self.out += self.rows.over_rows("0", "n", "i0", lines)

    def _points(
        self,
        loop: Loop,
        body: list[str],
        i: str,
        j: str,
        flat: str,
        known: dict[Any, Term],
        row: list[str] | None = None,
    ) -> list[str]:
        """Statements for one point; what is one number per row goes to `row`."""
        w, spec = self.w, self.spec
        index = j if row is None else "o + j"

        def read(a: tuple[Any, ...]) -> Term:
            key = a[:2]
            if a[0] == "x" and a[1] in self.rows.scalars:
                return self.rows.scalars[a[1]]
            if key not in known:
                v = w.name()
                if a[0] == "n":
                    per_row = spec.items[a[1]].level == ROW
                    t = self.kept(a[1], "i" if per_row else index)
                else:
                    per_row = spec.buffers[a[1]].column == "0"
                    t = w.load(a[1], w.element(a[1], i, "0" if per_row else j, flat))
                (row if per_row and row is not None else body).append(f"{v} = {t.text}")
                known[key] = Term(v, t.dtype)
            return known[key]

        for k in loop.items:
            item = spec.items[k]
            if item.op in REDUCTIONS:
                x = cast(read(item.args[0]), item.dtype)
                if is_column(w.spec, item):
                    target = w.element(item.stored, i, j)
                    body.append(f"{target} = {w.combine(item, target, x, item.dtype, reassociate=False)}")
                elif item.level == OUT and row is not None:
                    # a number per column: adding each row up would cost more than the row
                    if k not in self.lanes:
                        self.lanes[k] = w.stack(item.dtype, spec.columns, "u")
                    lane = f"{self.lanes[k]}[j]"
                    body.append(f"{lane} = {w.combine(item, lane, x, item.dtype, reassociate=False)}")
                else:
                    body.append(f"t{k} = {w.combine(item, f't{k}', x, item.dtype)}")
                continue
            v = w.name()
            body.append(f"{v} = {w.expression(item, read)}")
            known["n", k] = Term(v, item.dtype)
            if k in w.used_later:
                body.append(_store(item, f"{self.place(k)}[{index}]", v))
            if item.stored >= 0:
                body.append(_store(item, w.element(item.stored, i, j, flat), v))
        return body

    def vector_loop(self, loop: Loop) -> None:
        """Over the rows of the block, one number each."""
        w, spec = self.w, self.spec
        body: list[str] = []
        known: dict[Any, Term] = {}

        def read(a: tuple[Any, ...]) -> Term:
            key = a[:2]
            if a[0] == "x" and a[1] in self.rows.scalars:
                return self.rows.scalars[a[1]]
            if key not in known:
                v = w.name()
                t = self.kept(a[1], "i") if a[0] == "n" else w.load(a[1], w.element(a[1], "(i0 + i)", "0"))
                body.append(f"{v} = {t.text}")
                known[key] = Term(v, t.dtype)
            return known[key]

        for k in loop.items:
            item = spec.items[k]
            if item.op in REDUCTIONS:
                x = cast(read(item.args[0]), item.dtype)
                if is_whole(w.spec, item):
                    body.append(f"t{k} = {w.combine(item, f't{k}', x, item.dtype)}")
                else:
                    target = w.element(item.stored, "(i0 + i)", "0")
                    body.append(f"{target} = {w.combine(item, target, x, item.dtype, reassociate=False)}")
                continue
            v = w.name()
            body.append(f"{v} = {w.expression(item, read)}")
            known["n", k] = Term(v, item.dtype)
            if k in w.used_later:
                body.append(_store(item, f"{self.place(k)}[i]", v))
            if item.stored >= 0:
                body.append(_store(item, w.element(item.stored, "(i0 + i)", "0"), v))
        self.out += self.rows.over_rows("0", "n", "i0", body)
