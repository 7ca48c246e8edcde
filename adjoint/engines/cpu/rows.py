"""What the two forms of a kernel over rows share: terms known in every loop, and the loop over rows."""

from __future__ import annotations

from collections.abc import Sequence

from ..loops import is_whole, wide_dtype
from ..spec import AXES
from .writer import Writer


class Rows:
    """What stands before the loop over rows, and that loop."""

    def __init__(self, w: Writer) -> None:
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
