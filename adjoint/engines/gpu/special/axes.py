"""The axes that an index with arrays leaves and makes, as kernels go over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...graph import Node
from ...indexed import Indexed
from ...views import joined, spread_over, view_of
from .kernel import Kernel, is_far

# the element of an axis that index array $k names; one out of bounds is reported and taken as the first
NAMED = """\
        long long k$k = i$k[c$k];
        if (k$k < 0)
            k$k += n$k;
        if (k$k < 0 || k$k >= n$k) {
            fail(status);
            k$k = 0;
        }
"""


class Axes:
    """The axes of a gather or scatter: those before and behind the grid, and those of the grid.

    A complex number is two real ones, as one more axis.

    Args:
        seen: the array that the index goes into.
        other: strides over (lead, grid, tail) of the array on the other side.
        dtype: of both.
    """

    def __init__(self, seen: Indexed, other: Sequence[int], dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        if dtype.kind == "c":
            self.dtype = np.dtype(f"f{dtype.itemsize // 2}")
            lead, tail = ([(n, 2 * s) for n, s in axes] for axes in (seen.lead, seen.tail))
            arrays = [(a, n, 2 * s) for a, n, s in seen.arrays]
            seen = Indexed(seen.offset, lead, [*tail, (2, 1)], arrays, seen.grid)
            other = [*[2 * s for s in other], 1]
        self.seen = seen
        depth, width = len(seen.lead), len(seen.grid)
        ends = [*seen.lead, *seen.tail]
        grid = slice(depth, depth + width)
        self.names = [f"c{k}" for k in range(len(seen.arrays))]
        maps = [spread_over(a.shape, view_of(a).strides, seen.grid) for a, _, _ in seen.arrays]
        inside = [s for _, s in ends]
        outside = [*other[:depth], *other[depth + width :]]
        zeros = (0,) * depth, (0,) * len(seen.tail)
        self.all = joined(
            [*[n for n, _ in seen.lead], *seen.grid, *[n for n, _ in seen.tail]],
            [
                [*inside[:depth], *(0,) * width, *inside[depth:]],
                other,
                *[[*zeros[0], *m, *zeros[1]] for m in maps],
            ],
        )
        self.ends = joined([n for n, _ in ends], [inside, outside])
        self.grid = joined(seen.grid, [other[grid], *maps])
        self.points = math.prod(seen.grid)
        self.each = math.prod([n for n, _ in ends])
        self.keys = math.prod([n for _, n, _ in seen.arrays])

    @property
    def elements(self) -> int:
        """Numbers that are moved."""
        return self.points * self.each

    def sums(self, which: str, *names: str) -> tuple[Sequence[int], dict[str, Sequence[int]]]:
        """Sizes and strides for `Kernel.walk`; names that are empty are left out."""
        sizes, strides = getattr(self, which)
        return sizes, {n: s for n, s in zip(names, strides, strict=False) if n}

    def index(self, kernel: Kernel, address: str = "", key: str = "") -> str:
        """Statements that read the indices at `c0 …`; they add to `address`, or number the place in `key`."""
        lines = []
        for k, (a, n, step) in enumerate(self.seen.arrays):
            kernel.reads(f"i{k}", view_of(a), a.dtype)
            kernel.number(f"n{k}", n)
            lines.append(NAMED.replace("$k", str(k)))
            if address:
                kernel.number(f"t{k}", step)
                lines.append(f"        {address} += ($I)k{k} * t{k};\n")
            if key:
                lines.append(f"        {key} = {f'{key} * n{k} + ' if k else ''}($I)k{k};\n")
        return "".join(lines)

    def place(self, kernel: Kernel, address: str, key: str) -> str:
        """Statements that add to `address` what the number of a place stands for."""
        count = len(self.seen.arrays)
        lines = [f"$I {key}_rest = {key};"] if count > 1 else []
        for k in range(count - 1, -1, -1):
            _, n, step = self.seen.arrays[k]
            kernel.number(f"t{k}", step)
            if count == 1:
                lines.append(f"{address} += {key} * t0;")
                continue
            if k == 0:
                lines.append(f"{address} += {key}_rest * t0;")
                continue
            kernel.number(f"n{k}", n)
            lines.append(f"{address} += {key}_rest % n{k} * t{k};")
            lines.append(f"{key}_rest /= n{k};")
        return "\n".join("        " + x for x in lines)

    def are_far(self, *nodes: Node) -> bool:
        """Whether indices into these, or into the index arrays, need 64 bits."""
        arrays = [view_of(a).root for a, _, _ in self.seen.arrays]
        return is_far(*[2 * n.size for n in nodes], self.elements, self.keys, *arrays)
