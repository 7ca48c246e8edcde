"""Reading and writing by index arrays: one thread per element that is moved.

What is written twice is written in the order of the grid of indices, as `np.add.at` and `x[i] = v` do: floats
are added by atomics only if the user allows results that differ between runs. In order means here: few
points of the grid are compared with each other; many are sorted by the place they go to (`sorting`), and
each place then goes through its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....ops import index as ix
from ...graph import Node
from ...indexed import Indexed, along, complaint_of, indexed, spread_over, written_over
from ...views import joined, view_of, whole
from ..kernel import Launch, Place, Scratch
from ..text import ctype
from .copying import copy_launch
from .kernel import Kernel, is_far
from .sorting import sort_launches

FEW = 512  # points of the grid up to which all pairs are compared: two launches, at most 512 steps a thread
ATOMIC = {"f4": "float", "f8": "double", "i4": "int", "u4": "unsigned int", "i8": "unsigned long long",
          "u8": "unsigned long long"}  # fmt: skip

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


class _Axes:
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
        maps = [spread_over(view_of(a), seen.grid) for a, _, _ in seen.arrays]
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


def gather(node: Node, deterministic: bool = True) -> list[Launch] | None:
    """Launches of z = x[index]."""
    x, *arrays = node.args
    if not isinstance(x, Node) or not arrays:
        return None
    v = view_of(x)
    seen = indexed(v, node.params["template"], arrays)
    if seen is None or not seen.arrays:
        return None
    if not node.size:
        return []
    axes = _Axes(seen, along(node.shape, whole(node).strides, seen), node.dtype)
    kernel = Kernel("gather", far=_is_far(axes, v.root, node), complaint=complaint_of(seen))
    kernel.writes("z", node, axes.dtype)
    kernel.reads("x", Place(v.root, seen.offset), axes.dtype)
    body = "        " + kernel.walk("p", *axes.sums("all", "at", "", *axes.names)) + "\n"
    body += axes.index(kernel, address="at")
    return [kernel.over(body + "        z[p] = x[at];", axes.elements)]


def _is_far(axes: _Axes, *nodes: Node) -> bool:
    arrays = [view_of(a).root for a, _, _ in axes.seen.arrays]
    return is_far(*[2 * n.size for n in nodes], axes.elements, axes.keys, *arrays)


class _Scatter:
    """z = 0 or x, then z[index] += v or = v; None where NumPy has to do it."""

    def __init__(self, node: Node) -> None:
        self.node, self.adds = node, node.op is ix.scatter_add
        self.v, *self.arrays = node.args if self.adds else node.args[1:]
        self.base = None if self.adds else node.args[0]

    @property
    def fits(self) -> bool:
        """Whether the operands are what kernels take."""
        v, dtype = self.v, self.node.dtype
        if not self.arrays or not isinstance(v, Node) or v.dtype != dtype:
            return False
        return not (self.adds and dtype.kind == "b") and (self.adds or isinstance(self.base, Node))

    def plan(self, deterministic: bool) -> list[Launch] | None:
        """All launches, in order."""
        node = self.node
        seen = indexed(whole(node), node.params["template"], self.arrays) if self.fits else None
        if seen is None or not seen.arrays:
            return None
        if not node.size:
            return []
        kinds = [a.kind if isinstance(a, Node) else a for a in self.arrays]
        target = ix.getitem.abstract(node.kind, *kinds, template=node.params["template"]).shape
        other = along(target, written_over(view_of(self.v), target), seen)
        self.axes = _Axes(seen, other, node.dtype)
        roots = [view_of(a).root for a in node.args if isinstance(a, Node)]
        self.far = _is_far(self.axes, node, *roots)
        self.word = "long long" if self.far else "int"
        if not self.axes.elements:
            return [self._filled()]
        code = self.axes.dtype.str[1:]
        if self.adds and code in ATOMIC and (self.axes.dtype.kind != "f" or not deterministic):
            return [self._filled(), self._atomic(ATOMIC[code])]
        if self.axes.points <= FEW:
            return [self._filled(), *self._few()]
        return [self._filled(), *(self._many() if self.adds else self._last())]

    def _kernel(self, what: str, **marks: str) -> Kernel:
        return Kernel(what, far=self.far, marks=marks)

    def _reporting(self, what: str, **marks: str) -> Kernel:
        """A kernel that reads the indices."""
        return Kernel(what, far=self.far, complaint=complaint_of(self.axes.seen), marks=marks)

    def _scratch(self, count: int) -> Scratch:
        return Scratch(count * (8 if self.far else 4))

    def _filled(self) -> Launch:
        """z = 0, or what the base holds."""
        node = self.node
        if self.base is None:
            kernel = Kernel("zeros", far=self.far)
            kernel.writes("z", node, self.axes.dtype)
            return kernel.over("        z[p] = 0;", node.size * (2 if node.dtype.kind == "c" else 1))
        return copy_launch(view_of(self.base), Place(node), node.dtype)

    def _ends(self, kernel: Kernel) -> None:
        """The arrays that are written and read, and where the first element lies."""
        node, v = self.node, view_of(self.v)
        kernel.writes("z", Place(node, self.axes.seen.offset), self.axes.dtype)
        kernel.reads("v", v, self.axes.dtype)

    def _atomic(self, kind: str) -> Launch:
        kernel = self._reporting("scatter_atomic", A=kind)
        self._ends(kernel)
        body = "        " + kernel.walk("p", *self.axes.sums("all", "at", "from", *self.axes.names)) + "\n"
        body += self.axes.index(kernel, address="at")
        return kernel.over(body + "        atomicAdd(($A *)(z + at), ($A)v[from]);", self.axes.elements)

    def _keys(self, keys: Scratch) -> Launch:
        """The number of the place that each point of the grid goes to."""
        kernel = self._reporting("places")
        kernel.scratch("keys", self.word, keys)
        body = "        " + kernel.walk("p", *self.axes.sums("grid", "", *self.axes.names)) + "\n"
        body += "        $I key;\n" + self.axes.index(kernel, key="key")
        return kernel.over(body + "        keys[p] = key;", self.axes.points)

    def _split(self, kernel: Kernel) -> str:
        """Statements that take an element's number into the point `q` and its place in (lead, tail)."""
        if self.axes.each == 1:
            return "        const $I q = p;\n        $I at = 0, from = 0;"
        kernel.number("each", self.axes.each)
        lines = "        const $I q = p / each, e = p % each;\n        "
        return lines + kernel.walk("e", *self.axes.sums("ends", "at", "from"))

    def _of_point(self, kernel: Kernel, point: str, into: str) -> str:
        """Statements that set `into` to where the values of a point of the grid lie."""
        return "        " + kernel.walk(point, *self.axes.sums("grid", into))

    def _few(self) -> list[Launch]:
        """Every point is compared with those before it, or behind it: the first of a place adds them all."""
        keys = self._scratch(self.axes.points)
        kernel = self._kernel("scatter_few", T=ctype(self.axes.dtype))
        self._ends(kernel)
        kernel.scratch("keys", f"const {self.word}", keys)
        kernel.number("count", self.axes.points)
        body = self._split(kernel) + "\n        const $I key = keys[q];\n"
        if self.adds:
            body += FIRST
        else:
            body += LAST
        body += self.axes.place(kernel, "at", "key") + "\n"
        if self.adds:
            body += SUM_OF_FEW.replace("$point", _deeper(self._of_point(kernel, "r", "near")))
        else:
            body += self._of_point(kernel, "q", "near") + "\n        z[at] = v[from + near];"
        return [self._keys(keys), kernel.over(body, self.axes.elements)]

    def _many(self) -> list[Launch]:
        """The points sorted by place, stably; then the first of each place adds its own."""
        points = self.axes.points
        keys, order, sorting = sort_launches(points, self.axes.keys, self.word, self.far)
        kernel = self._kernel("scatter_sorted", T=ctype(self.axes.dtype))
        self._ends(kernel)
        kernel.scratch("keys", f"const {self.word}", keys[-1])
        kernel.scratch("order", f"const {self.word}", order)
        kernel.number("count", points)
        body = self._split(kernel) + HEAD + self.axes.place(kernel, "at", "key") + "\n"
        body += SUM_OF_RUN.replace("$point", _deeper(self._of_point(kernel, "r", "near")))
        return [self._keys(keys[0]), *sorting, kernel.over(body, self.axes.elements)]

    def _last(self) -> list[Launch]:
        """The last point of each place, found by an integer maximum, whose order does not matter."""
        points, axes = self.axes.points, self.axes
        keys, board = self._scratch(points), Scratch(axes.keys * (8 if self.far else 4), zeroed=True)
        claim = self._kernel("claim")
        claim.scratch("keys", f"const {self.word}", keys)
        claim.scratch("board", self.word, board)
        kernel = self._kernel("scatter_last")
        self._ends(kernel)
        kernel.scratch("keys", f"const {self.word}", keys)
        kernel.scratch("board", f"const {self.word}", board)
        body = self._split(kernel) + "\n        const $I key = keys[q];\n"
        body += "        if (board[key] != q + 1)\n            continue;\n"
        body += axes.place(kernel, "at", "key") + "\n" + self._of_point(kernel, "q", "near")
        return [
            self._keys(keys),
            # 0 is nobody's
            claim.over("        atomicMax(&board[keys[p]], p + 1);", points),
            kernel.over(body + "\n        z[at] = v[from + near];", self.axes.elements),
        ]


def _deeper(text: str) -> str:
    """One level of indentation more, but for the first line, which has it from where it is put."""
    return text.replace("\n", "\n    ")


FIRST = """\
        bool first = true;
        for ($I r = 0; r < q && first; ++r)
            first = keys[r] != key;
        if (!first)
            continue;
"""
LAST = """\
        bool last = true;
        for ($I r = q + 1; r < count && last; ++r)
            last = keys[r] != key;
        if (!last)
            continue;
"""
SUM_OF_FEW = """\
        $T total = 0;
        for ($I r = q; r < count; ++r) {
            if (keys[r] != key)
                continue;
    $point
            total += v[from + near];
        }
        z[at] = total;"""
HEAD = """
        const $I key = keys[q];
        if (q && keys[q - 1] == key)
            continue;
"""
SUM_OF_RUN = """\
        $T total = 0;
        for ($I s = q; s < count && keys[s] == key; ++s) {
            const $I r = order[s];
    $point
            total += v[from + near];
        }
        z[at] = total;"""


def checks(node: Node) -> list[Launch]:
    """Launches that only look whether indices are in bounds, for what cupy does, which would wrap them."""
    if node.op is ix.getitem:
        x, *arrays = node.args
    else:
        x, arrays = node, list(node.args[1 if node.op is ix.scatter_add else 2 :])
    if not isinstance(x, Node) or not arrays:  # slices alone are never out of bounds
        return []
    seen = indexed(view_of(x), node.params["template"], arrays)
    if seen is None or not seen.arrays or not math.prod(seen.grid):
        return []
    plain = Indexed(0, [], [], seen.arrays, seen.grid)
    axes = _Axes(plain, (0,) * len(seen.grid), np.dtype(bool))
    kernel = Kernel("indices", far=_is_far(axes), complaint=complaint_of(seen))
    body = "        " + kernel.walk("p", *axes.sums("grid", "", *axes.names)) + "\n"
    return [kernel.over(body + axes.index(kernel).rstrip("\n"), axes.points)]


def scatter(node: Node, deterministic: bool = True) -> list[Launch] | None:
    """Launches of scatter_add and scatter_set."""
    return _Scatter(node).plan(deterministic)
