"""Writing by index arrays: one thread per element that is moved.

What is written twice is written in the order of the grid of indices, as `np.add.at` and `x[i] = v` do: floats
are added by atomics only if the user allows results that differ between runs. In order means here: few
points of the grid are compared with each other; many are sorted by the place they go to (`sorting`), and
each place then goes through its own.
"""

from __future__ import annotations

from ....ops import index as ix
from ...graph import Node
from ...indexed import Indexed, complaint_of, scattered
from ...views import View, view_of
from ..kernel import Launch, Place, Scratch
from ..text import ctype
from .axes import Axes
from .copying import copy_launch
from .kernel import Kernel
from .sorting import sort_launches

FEW = 512  # points of the grid up to which all pairs are compared: two launches, at most 512 steps a thread
ATOMIC = {"f4": "float", "f8": "double", "i4": "int", "u4": "unsigned int", "i8": "unsigned long long",
          "u8": "unsigned long long"}  # fmt: skip

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


class _Scatter:
    """z = 0 or x, then z[index] += v or = v."""

    def __init__(self, node: Node, v: View, seen: Indexed, strides: tuple[int, ...]) -> None:
        self.node, self.v, self.adds = node, v, node.op is ix.scatter_add
        self.axes = Axes(seen, strides, node.dtype)
        roots = [view_of(a).root for a in node.args if isinstance(a, Node)]
        self.far = self.axes.are_far(node, *roots)

    def plan(self, deterministic: bool) -> list[Launch]:
        """All launches, in order."""
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
        if self.adds:
            kernel = Kernel("zeros", far=self.far)
            kernel.writes("z", node, self.axes.dtype)
            return kernel.over("        z[p] = 0;", node.size * (2 if node.dtype.kind == "c" else 1))
        return copy_launch(view_of(node.args[0]), Place(node), node.dtype)

    def _ends(self, kernel: Kernel) -> None:
        """The arrays that are written and read, and where the first element lies."""
        kernel.writes("z", Place(self.node, self.axes.seen.offset), self.axes.dtype)
        kernel.reads("v", self.v, self.axes.dtype)

    def _atomic(self, kind: str) -> Launch:
        kernel = self._reporting("scatter_atomic", A=kind)
        self._ends(kernel)
        body = "        " + kernel.walk("p", *self.axes.sums("all", "at", "from", *self.axes.names)) + "\n"
        body += self.axes.index(kernel, address="at")
        return kernel.over(body + "        atomicAdd(($A *)(z + at), ($A)v[from]);", self.axes.elements)

    def _keys(self, keys: Scratch) -> Launch:
        """The number of the place that each point of the grid goes to."""
        kernel = self._reporting("places")
        kernel.scratch("keys", kernel.index, keys)
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
        kernel.scratch("keys", f"const {kernel.index}", keys)
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
        keys, order, sorting = sort_launches(points, self.axes.keys, self.far)
        kernel = self._kernel("scatter_sorted", T=ctype(self.axes.dtype))
        self._ends(kernel)
        kernel.scratch("keys", f"const {kernel.index}", keys[-1])
        kernel.scratch("order", f"const {kernel.index}", order)
        kernel.number("count", points)
        body = self._split(kernel) + HEAD + self.axes.place(kernel, "at", "key") + "\n"
        body += SUM_OF_RUN.replace("$point", _deeper(self._of_point(kernel, "r", "near")))
        return [self._keys(keys[0]), *sorting, kernel.over(body, self.axes.elements)]

    def _last(self) -> list[Launch]:
        """The last point of each place, found by an integer maximum, whose order does not matter."""
        points, axes = self.axes.points, self.axes
        keys, board = self._scratch(points), Scratch(axes.keys * (8 if self.far else 4), zeroed=True)
        claim = self._kernel("claim")
        claim.scratch("keys", f"const {claim.index}", keys)
        claim.scratch("board", claim.index, board)
        kernel = self._kernel("scatter_last")
        self._ends(kernel)
        kernel.scratch("keys", f"const {kernel.index}", keys)
        kernel.scratch("board", f"const {kernel.index}", board)
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


def scatter(node: Node, deterministic: bool = True) -> list[Launch] | None:
    """Launches of scatter_add and scatter_set."""
    found = scattered(node)
    if found is None:
        return None
    return _Scatter(node, *found).plan(deterministic) if node.size else []
