"""The wide form: for every row, loops over the columns, and statements for the row between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..loops import VECTOR, Loop, is_column, is_whole, wide_dtype
from ..regions import REDUCTIONS, ROW
from ..spec import Item
from ..text import BOOL
from .rows import Rows
from .text import Term, cast
from .writer import SUM_BLOCK, Writer, add_blocks, finish, held, store

SCRATCH = 4096  # columns that a row may keep on the stack between its loops


def wide(w: Writer) -> list[str]:
    """For every row: loops over the columns, statements between them."""
    rows = Rows(w)
    spec = w.spec
    out: list[str] = []
    values: dict[int, Term] = {}  # rows' numbers
    scratch: dict[int, str] = {}
    row_loaded: dict[int, Term] = {}

    def at_row(k: int) -> Term:
        if k in rows.scalars:
            return rows.scalars[k]
        if k not in row_loaded:
            row_loaded[k] = w.named(w.load(k, w.element(k, "i", "0")), out)
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
            out += ["    " + x for x in add_blocks(w, reducing)]
        else:
            out += ["for j in range(C):", *("    " + x for x in body)]
        for k, item in reducing:
            if item.level == ROW:
                total = cast(Term(f"w{k}", wide_dtype(item)), item.dtype)
                values[k] = w.named(Term(total, item.dtype), out)
                if item.stored >= 0:
                    out.append(store(item, w.element(item.stored, "i", "0"), values[k].text))
    lines = [
        *rows.lines,
        *rows.over_rows("lo", "hi", "lo", ["b = i * C", *out]),
    ]
    return [*lines, *finish(w, rows.wholes)]


def _row_statement(w: Writer, k: int, item: Item, read: Any, out: list[str], values: dict[int, Term]) -> None:
    """One number per row, or a reduction over rows' numbers."""
    if item.op in REDUCTIONS:
        x = cast(read(item.args[0]), item.dtype)
        if is_whole(w.spec, item):
            wide = wide_dtype(item)
            out.append(
                f"w{k} = {w.combine(item, f'w{k}', cast(Term(x, item.dtype), wide), wide, reassociate=False)}"
            )
        else:
            out.append(w.added(item, w.element(item.stored, "i", "0"), x))
        return
    values[k] = w.computed(item, read, out)
    if item.stored >= 0:
        out.append(store(item, w.element(item.stored, "i", "0"), values[k].text))


def _columns_loop(
    w: Writer, loop: Loop, values: dict[int, Term], scratch: dict[int, str], at_row: Any
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
                stored, dtype = spec.items[j].stored, spec.items[j].dtype
                text = w.element(stored, "i", "j", "b + j") if stored >= 0 else f"{scratch[j]}[j]"
                env[j] = w.named(held(text, dtype), body)
            return env[j]
        k = a[1]
        if spec.buffers[k].column == "0":
            return at_row(k)
        if k not in loaded:
            loaded[k] = w.named(w.load(k, w.element(k, "i", "j", "b + j")), body)
        return loaded[k]

    for k in loop.items:
        item = spec.items[k]
        if item.op in REDUCTIONS:
            x = cast(read(item.args[0]), item.dtype)
            if is_column(w.spec, item):
                body.append(w.added(item, w.element(item.stored, "i", "j"), x))
            else:
                body.append(w.running(k, item, x))
            continue
        z = env[k] = w.computed(item, read, body)
        if item.stored >= 0:
            body.append(store(item, w.element(item.stored, "i", "j", "b + j"), z.text))
        elif k in w.used_later:
            scratch[k] = w.stack(np.dtype(np.uint8) if item.dtype == BOOL else item.dtype, SCRATCH, "s")
            body.append(store(item, f"{scratch[k]}[j]", z.text))
    return body
