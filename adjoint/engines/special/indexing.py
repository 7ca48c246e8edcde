"""Reading and writing by index arrays: one kernel goes over the grid of indices, in its order.

Results do not depend on threads: threads share the elements that are read, and of what is written each owns
a range of rows, into which it adds in the order of the grid, as `np.add.at` does.
"""

from __future__ import annotations

import math

from ...ops import index as ix
from ..cpu.narrow import NARROW
from ..cpu.threads import get_num_threads
from ..graph import Node
from ..indexed import Indexed, along, complaint_of, gathered, scattered
from ..views import View, joined, spread_over, view_of, whole
from .kernel import CHUNK, Kernel

OWNERS = 8  # ranges of rows that a scattering is cut into, at most: each reads all indices
WIDE = 16  # elements per index from which that pays


class _Loops:
    """The loops over the grid and over the axes before and behind it, for a kernel and its other array.

    Args:
        kernel: gets the parameters.
        seen: the array that the index goes into.
        other: strides, over the result's axes, of the array on the other side.
    """

    def __init__(self, kernel: Kernel, seen: Indexed, other: tuple[int, ...]) -> None:
        self.kernel, self.seen = kernel, seen
        depth, width = len(seen.lead), len(seen.grid)
        self.ends: list[tuple[int, int, int]] = []  # size, stride in the seen array, in the other
        for part, strides in ((seen.lead, other[:depth]), (seen.tail, other[depth + width :])):
            sizes, both = joined([n for n, _ in part], [[s for _, s in part], strides])
            self.ends += zip(sizes, *both, strict=True)
        lists = [other[depth : depth + width]]
        lists += [spread_over(a.shape, view_of(a).strides, seen.grid) for a, _, _ in seen.arrays]
        self.grid, self.strides = joined(seen.grid, lists)
        if not self.grid:
            self.grid, self.strides = (1,), [(0,) for _ in lists]

    @property
    def each(self) -> int:
        """Elements per point of the grid."""
        return math.prod([n for n, _, _ in self.ends])

    def parameters(self, first: int, last: int) -> None:
        """Index arrays and sizes; the points of the grid per chunk, and how many there are."""
        kernel = self.kernel
        for k, (a, n, step) in enumerate(self.seen.arrays):
            kernel.array(f"i{k}", view_of(a), a.dtype)
            kernel.number(f"n{k}", n)
            kernel.number(f"t{k}", step)
        for d, n in enumerate(self.grid):
            kernel.number(f"g{d}", n)
            for k, s in enumerate(self.strides):
                kernel.number(f"s{k}_{d}", s[d])
        for d, (n, inside, outside) in enumerate(self.ends):
            kernel.number(f"m{d}", n)
            kernel.number(f"u{d}", inside)
            kernel.number(f"w{d}", outside)
        kernel.number("first", first)
        kernel.number("last", last)

    def body(self, statement: str, guard: str = "") -> list[str]:
        """Run `statement` with `i`, an index into the seen array, and `o`, into the other."""
        rank, count = len(self.grid), len(self.seen.arrays)
        inner = [f"c{k} = o{k} + c * s{k}_{rank - 1}" for k in range(count + 1)]
        inner.append("at = 0")
        for k in range(count):
            inner += [
                f"k{k} = np.int64(i{k}[c{k + 1}])",
                f"if k{k} < 0:", f"    k{k} += n{k}",
                f"if k{k} < 0 or k{k} >= n{k}:", "    bad = True", f"    k{k} = 0",
                f"at += k{k} * t{k}",
            ]  # fmt: skip
        if guard:
            inner += [f"if {guard}:", "    continue"]
        inner += self._ends(statement)
        width = f"g{rank - 1}"
        rows = [f"start = p % {width}", f"rest = p // {width}", f"stop = min({width}, start + hi - p)"]
        rows += [f"o{k} = 0" for k in range(count + 1)]
        for d in range(rank - 2, -1, -1):
            rows += [f"o{k} += rest % g{d} * s{k}_{d}" for k in range(count + 1)]
            rows.append(f"rest //= g{d}")
        return [
            "bad = False",
            "p = lo",
            "while p < hi:",
            *("    " + x for x in rows),
            "    for c in range(start, stop):",
            *("        " + x for x in inner),
            "    p += stop - start",
            "if bad:",
            "    fetch_min(status, 0)",
        ]

    def _ends(self, statement: str) -> list[str]:
        """Loops over the axes before and behind the grid, where there are any."""
        lines: list[str] = []
        i, o = "at", "c0"
        for d, (n, inside, outside) in enumerate(self.ends):
            # a short row's length is a constant of the text: its loop has no preamble
            size = n if inside == outside == 1 and n <= NARROW else f"m{d}"
            lines.append("    " * d + f"for j{d} in range({size}):")
            # said in the text where elements are adjacent: such loops move vectors
            i += f" + j{d}" if inside == 1 else f" + j{d} * u{d}"
            o += f" + j{d}" if outside == 1 else f" + j{d} * w{d}"
        return [*lines, "    " * len(self.ends) + statement.format(i=i, o=o)]


def gather(node: Node) -> Kernel | None:
    """Kernel of z = x[index]."""
    found = gathered(node)
    if found is None:
        return None
    v, seen = found
    z = whole(node)
    kernel = Kernel(complaint=complaint_of(seen))
    loops = _Loops(kernel, seen, along(node.shape, z.strides, seen))
    points = math.prod(loops.grid)
    each = max(1, CHUNK // max(loops.each, 1))
    kernel.chunks = -(-points // each) if points * loops.each > 2 * CHUNK else 1
    kernel.array("z", z, node.dtype)
    kernel.array("x", View(v.root, seen.offset, v.shape, v.strides), node.dtype)
    loops.parameters(each if kernel.chunks > 1 else points, points)
    kernel.body = ["lo = chunk * first", "hi = min(lo + first, last)", *loops.body("z[{o}] = x[{i}]")]
    return kernel


def scatter(node: Node) -> Kernel | None:
    """Kernel of z = 0 or x, z[index] += v or = v."""
    found = scattered(node)
    if found is None:
        return None
    v, seen, strides = found
    z, adds = whole(node), node.op is ix.scatter_add
    base = None if adds else view_of(node.args[0])
    if base is not None and base.strides != z.strides:
        return None
    kernel = Kernel(complaint=complaint_of(seen))
    loops = _Loops(kernel, seen, strides)
    points = math.prod(loops.grid)
    rows, step = seen.arrays[0][1:]
    owns = step * rows == node.size
    shared = owns and loops.each >= WIDE and points * loops.each > 2 * CHUNK
    # one per thread: who owns a row changes nothing of what is added to it, and in which order
    kernel.chunks = min(OWNERS, get_num_threads()) if shared else 1
    kernel.array("z", z, node.dtype)
    kernel.array("base", View(z.root, 0, (), ()) if base is None else base, node.dtype)
    kernel.array("v", v, node.dtype)
    kernel.number("offset", seen.offset)
    kernel.number("rows", -(-rows // kernel.chunks) if owns else 1)
    kernel.number("row", step if owns else node.size)
    kernel.number("count", rows if owns else 1)
    loops.parameters(points, points)
    kernel.body = [
        "lo, hi = 0, last",
        "r0 = chunk * rows",
        "r1 = min(r0 + rows, count)",
        "for j in range(r0 * row, r1 * row):",
        f"    z[j] = {'0' if adds else 'base[j]'}",
        *loops.body(
            f"z[offset + {{i}}] {'+=' if adds else '='} v[{{o}}]",
            "k0 < r0 or k0 >= r1" if kernel.chunks > 1 else "",
        ),
    ]
    return kernel
