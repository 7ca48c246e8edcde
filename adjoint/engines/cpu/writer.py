"""What the forms of a kernel have in common: names, elements of buffers, reductions, the frame around all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..loops import expression, is_column, neutral, schedule, used_later, wide_dtype
from ..regions import OUT, REDUCTIONS
from ..spec import AXES, Item, Spec, block_layout
from ..text import BOOL, F32
from .text import TEXT, Term, cast, literal

SUM_BLOCK = 2048  # elements that one running sum takes
_POINTER = {"f4": "f32", "f8": "f64", "b1": "u8", "i1": "i8", "i2": "i16", "i4": "i32", "i8": "i64",
            "u1": "u8", "u2": "u16", "u4": "u32", "u8": "u64"}  # fmt: skip


def pointer(dtype: np.dtype[Any]) -> str:
    """The name of the cast from an address to a pointer of this dtype."""
    return f"as_{_POINTER[dtype.str[1:]]}"


def held(text: str, dtype: np.dtype[Any]) -> Term:
    """What lies in memory, as a term; truth values are bytes there."""
    return Term(f"({text} != 0)" if dtype == BOOL else text, dtype)


class Writer:
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
        return held(text, dtype)

    def expression(self, item: Item, read: Callable[[tuple[Any, ...]], Term]) -> str:
        """The row's value in the item's dtype."""
        return expression(TEXT, item, read)

    def named(self, t: Term, lines: list[str]) -> Term:
        """A term in a variable of its own."""
        v = self.name()
        lines.append(f"{v} = {t.text}")
        return Term(v, t.dtype)

    def computed(self, item: Item, read: Callable[[tuple[Any, ...]], Term], lines: list[str]) -> Term:
        """An item's value in a variable; what it reads comes before it."""
        v = self.name()
        text = self.expression(item, read)
        lines.append(f"{v} = {text}")
        return Term(v, item.dtype)

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

    def running(self, k: int, item: Item, x: str) -> str:
        """Add to the running sum of item k: short, so that its order is the compiler's."""
        return f"t{k} = {self.combine(item, f't{k}', x, item.dtype)}"

    def added(self, item: Item, target: str, x: str) -> str:
        """Add to a place in memory, one after the other."""
        return f"{target} = {self.combine(item, target, x, item.dtype, reassociate=False)}"

    def stack(self, dtype: np.dtype[Any], size: int, prefix: str) -> str:
        name = f"{prefix}{len(self.stacks)}"
        self.stacks[name] = (dtype, size)
        return name

    # ---------------------------------------------------------------- the kernel
    def text(self, body: Sequence[str]) -> str:
        """The kernel's source, of the statements of its form."""
        spec = self.spec
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


def store(item: Item, target: str, value: str) -> str:
    """A statement that writes an item's value; truth values are bytes in memory."""
    return f"{target} = {value}" if item.dtype != BOOL else f"{target} = np.uint8({value})"


def add_blocks(w: Writer, reductions: Sequence[tuple[int, Item]]) -> list[str]:
    """Add the running sums of a block to the wide ones."""
    lines = []
    for k, item in reductions:
        wide = wide_dtype(item)
        value = cast(Term(f"t{k}", item.dtype), wide)
        lines.append(f"w{k} = {w.combine(item, f'w{k}', value, wide, reassociate=False)}")
    return lines


def finish(w: Writer, reductions: Sequence[tuple[int, Item]]) -> list[str]:
    """Write the results of whole reductions."""
    return [
        store(item, f"p{item.stored}[0]", cast(Term(f"w{k}", wide_dtype(item)), item.dtype))
        for k, item in reductions
    ]
