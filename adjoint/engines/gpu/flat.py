"""Kernels of regions that are one loop over elements: a thread takes some neighbouring ones together."""

from __future__ import annotations

from typing import Any

from ..regions import REDUCTIONS
from .text import CUDA, Term, stored
from .writer import RUN, Lines, Writer, indented, joined


class Flat(Writer):
    """One loop over the elements."""

    def body(self) -> Lines:
        """The loop, over the grid or over this block's elements in runs."""
        reductions = [k for k, item in enumerate(self.spec.items) if item.op in REDUCTIONS]
        index, step = self.index, self.form.block * self.form.vector
        place = f"({index})threadIdx.x"
        if self.form.vector > 1:
            place = f"{self.form.vector} * {place}"
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
        return joined("const bool straight = ", tests, " && ", ";")

    def element(self, k: int, j: str) -> str:
        """An element of buffer k."""
        place = {"0": "0", "1": j, "s": f"{j} * c{k}"}[self.spec.buffers[k].column]
        return f"p{k}[{place}]"

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
        if self.form.vector == 1:
            return f"{self.element(k, 'j')} = {value};"
        if self.spec.buffers[k].column == "1":
            return f"z{k}.at[k] = {value};"
        return f"if (k < left) {self.element(k, '(j + k)')} = {value};"

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
                safe = self.element(k, "(k < left ? j + k : j)")
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
