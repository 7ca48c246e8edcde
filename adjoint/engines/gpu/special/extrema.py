"""Positions of extrema along an axis of an array, or in all of it.

Many rows go side by side, a thread each; few long ones are searched in parts, a block each. Which of the two
depends on sizes alone.
"""

from __future__ import annotations

import math
from string import Template

import numpy as np

from ....ops import index as ix
from ...graph import Node
from ...views import joined, view_of
from ..geometry import blocks_for
from ..kernel import Launch, Scratch
from ..text import ctype
from .kernel import MANY, SHORT, THREADS, Kernel, is_far, without

PART = 1 << 14  # elements of a row that a block searches
MOST_PARTS = 1024

# A total order of (value, place), so that it does not matter in which order pairs are compared.
WINS = """\
// Whether v at place i comes before w at place j: the better number, NaN before all, then the first.
static __device__ __forceinline__ bool wins($T v, $I i, $T w, $I j)
{
    if (v != v || w != w)
        return v != v && (w == w || i < j);
    return v $BETTER w || (v == w && i < j);
}
"""

SEARCH_ROW = """\
        $I place = 0;
        $T best = x[from];
        for ($I k = 1; k < n; ++k) {
            $along
            const $T here = x[from + step];
            if (wins(here, k, best, place)) {
                best = here;
                place = k;
            }
        }
        z[p] = place;"""

SEARCH_PART = """
    __shared__ $T best[$THREADS];
    __shared__ $I place[$THREADS];
    for ($I p = blockIdx.x; p < rows * parts; p += gridDim.x) {
        const $I row = p / parts, begin = p % parts * length;
        const $I end = begin + length < n ? begin + length : n;
        $walk
        $T top = 0;
        $I where = -1;
        for ($I k = begin + threadIdx.x; k < end; k += $THREADS) {
            $along
            const $T here = x[from + step];
            if (where < 0 || wins(here, k, top, where)) {
                top = here;
                where = k;
            }
        }
        best[threadIdx.x] = top;
        place[threadIdx.x] = where;
        __syncthreads();
        for (int half = $THREADS / 2; half > 0; half /= 2) {
            if (threadIdx.x < half) {
                const $T other = best[threadIdx.x + half];
                const $I there = place[threadIdx.x + half];
                if (there >= 0 && (where < 0 || wins(other, there, top, where))) {
                    best[threadIdx.x] = top = other;
                    place[threadIdx.x] = where = there;
                }
            }
            __syncthreads();
        }
        if (threadIdx.x == 0)
            z[p] = where;
    }
"""

BEST_PART = """\
        long long place = of_parts[p * parts];
        $I k = place;
        $first
        $T best = x[from + step];
        for ($I part = 1; part < parts; ++part) {
            const $I k = of_parts[p * parts + part];
            $along
            const $T here = x[from + step];
            if (wins(here, k, best, ($I)place)) {
                best = here;
                place = k;
            }
        }
        z[p] = place;"""


class _Search:
    """The rows of an array and what is searched in each: one axis, or all of them in C order."""

    def __init__(self, node: Node, x: Node) -> None:
        self.node, self.v, self.dtype = node, view_of(x), x.dtype
        shape, strides, axis = self.v.shape, self.v.strides, node.params["axis"]
        if axis is None or not shape:
            self.rows, (self.of_rows,) = joined((), [()])
            self.along, (self.of_along,) = joined(shape, [strides])
        else:
            axis %= len(shape)
            self.rows, (self.of_rows,) = joined(without(shape, axis), [without(strides, axis)])
            self.along, self.of_along = (shape[axis],), (strides[axis],)
        self.count, self.n = math.prod(self.rows), math.prod(self.along)
        self.parts = 1 if self.n <= 2 * PART else min(-(-self.n // PART), MOST_PARTS)
        self.far = is_far(self.v.root, self.count, self.n)
        self.marks = {"T": ctype(x.dtype), "THREADS": str(THREADS)}
        index, better = "long long" if self.far else "int", ">" if node.op is ix.argmax else "<"
        self.helpers = Template(WINS).substitute(self.marks, I=index, BETTER=better)

    def _begun(self, what: str) -> Kernel:
        kernel = Kernel(what, far=self.far, marks=self.marks)
        kernel.reads("x", self.v, self.dtype)
        kernel.number("n", self.n)
        kernel.marks["along"] = kernel.walk("k", self.along, {"step": self.of_along}, depth=3)
        return kernel

    def _walk(self, kernel: Kernel, row: str) -> str:
        return kernel.walk(row, self.rows, {"from": self.of_rows})

    def by_rows(self) -> Launch:
        """A thread for each row."""
        kernel = self._begun("position_rows")
        kernel.writes("z", self.node, self.node.dtype)
        return kernel.over(f"        {self._walk(kernel, 'p')}\n{SEARCH_ROW}", self.count, self.helpers)

    def by_parts(self) -> list[Launch]:
        """A block for each part of a row, and a thread that compares what those of its row have found."""
        kernel, of_parts = self._begun("position_parts"), Scratch(8 * self.count * self.parts)
        if self.parts == 1:
            kernel.writes("z", self.node, self.node.dtype)
        else:
            kernel.scratch("z", "long long", of_parts)
        numbers = {"rows": self.count, "parts": self.parts, "length": -(-self.n // self.parts)}
        for name, value in numbers.items():
            kernel.number(name, value)
        kernel.marks["walk"] = self._walk(kernel, "row")
        grid = blocks_for(self.count * self.parts, 1)
        launches = [kernel.launch(SEARCH_PART, grid=grid, helpers=self.helpers)]
        if self.parts > 1:
            kernel = self._begun("position_best")
            kernel.marks["first"] = str(kernel.marks["along"]).replace("\n    ", "\n")
            kernel.writes("z", self.node, self.node.dtype)
            kernel.scratch("of_parts", "const long long", of_parts)
            kernel.number("parts", self.parts)
            body = f"        {self._walk(kernel, 'p')}\n{BEST_PART}"
            launches.append(kernel.over(body, self.count, self.helpers))
        return launches


def position(node: Node, deterministic: bool = True) -> list[Launch] | None:
    """Launches of argmax and argmin: the first of equal ones, the first NaN before all numbers."""
    x = node.args[0]
    if not isinstance(x, Node) or not x.size or node.dtype != np.int64:
        return None
    search = _Search(node, x)
    return [search.by_rows()] if search.n <= SHORT or search.count >= MANY else search.by_parts()
