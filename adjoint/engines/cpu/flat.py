"""The flat form: one loop over the elements lo … hi, in blocks so that sums are sums of blocks."""

from __future__ import annotations

from typing import Any

from ..loops import wide_dtype
from ..regions import REDUCTIONS
from .text import Term, cast
from .writer import SUM_BLOCK, Writer, add_blocks, finish, store


def flat(w: Writer) -> list[str]:
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
            loaded[a[1]] = w.named(w.load(a[1], w.element(a[1], "0", "j")), body)
        return loaded[a[1]]

    # all loads come first: a result may lie in the memory of an operand
    for item in w.spec.items:
        for a in item.args:
            if a[0] == "x":
                read(a)
    for k, item in enumerate(w.spec.items):
        if item.op in REDUCTIONS:
            x = cast(read(item.args[0]), item.dtype)
            body.append(w.running(k, item, x))
            continue
        env[k] = w.computed(item, read, body)
        if item.stored >= 0:
            body.append(store(item, w.element(item.stored, "0", "j"), env[k].text))
    if not reductions:
        return [*head, "for j in range(lo, hi):", *("    " + x for x in body)]
    lines = [*head, *(f"w{k} = {w.neutral(item, wide_dtype(item))}" for k, item in reductions)]
    lines.append(f"for j0 in range(lo, hi, {SUM_BLOCK}):")
    lines += [f"    t{k} = {w.neutral(item, item.dtype)}" for k, item in reductions]
    lines += [f"    for j in range(j0, min(hi, j0 + {SUM_BLOCK})):", *("        " + x for x in body)]
    return [*lines, *("    " + x for x in add_blocks(w, reductions)), *finish(w, reductions)]
