"""Running sums, and positions of extrema, along an axis of an array.

Many rows go side by side, a thread each; few long ones are cut in tiles or parts, a block each. Which of the
two depends on sizes alone.
"""

from __future__ import annotations

import math
from string import Template

import numpy as np

from ....ops import index as ix
from ...graph import Node
from ...views import contiguous, joined, view_of
from ..geometry import blocks_for
from ..kernel import Launch, Scratch
from ..text import ctype
from .kernel import THREADS, Kernel, is_far
from .sums import SUMS, WARPS

MANY = 1 << 14  # rows that keep a card busy with a thread each
SHORT = 32  # length up to which a thread per row is best however few there are
ITEMS = 4  # elements of a tile per thread
TILE = THREADS * ITEMS
PART = 1 << 14  # elements of a row that a block searches
MOST_PARTS = 1024
# what sums are held in: floats in double, as on the CPU; integers unsigned, which wrap as NumPy's do
WIDE = {
    "f4": "double", "f8": "double", "i4": "unsigned int", "u4": "unsigned int", "i8": "unsigned long long",
    "u8": "unsigned long long",
}  # fmt: skip

ALONG = """\
        $W total = 0;
        for ($I k = 0; k < n; ++k) {
            total += ($W)${TRUTH}x[from + k * step];
            z[to + k * pace] = ($T)total;
        }"""

SUM_TILES = """
    __shared__ $W sums[$WARPS];
    for ($I p = blockIdx.x; p < rows * tiles; p += gridDim.x) {
        const $I row = p / tiles, first = p % tiles * $TILE;
        $walk
        $W own = 0, total;
        for (int k = 0; k < $ITEMS; ++k) {
            const $I at = first + k * $THREADS + threadIdx.x;
            if (at < n)
                own += ($W)${TRUTH}x[from + at * step];
        }
        sums_before(own, sums, &total);
        if (threadIdx.x == 0)
            before[p] = total;
        __syncthreads();  // before the next sums
    }
"""

# one block for each row: what its tiles add up to before each of them
ADD_TILES = """
    __shared__ $W sums[$WARPS];
    for ($I row = blockIdx.x; row < rows; row += gridDim.x) {
        $W carry = 0;
        for ($I first = 0; first < tiles; first += $THREADS) {
            const $I tile = first + threadIdx.x;
            const $W own = tile < tiles ? before[row * tiles + tile] : 0;
            $W total;
            const $W sum = carry + sums_before(own, sums, &total);
            if (tile < tiles)
                before[row * tiles + tile] = sum;
            carry += total;
            __syncthreads();  // before the next sums
        }
    }
"""

# neighbouring threads read and write neighbours; in between each takes a few that follow each other
SCAN_TILES = """
    __shared__ $W sums[$WARPS], tile[$TILE];
    for ($I p = blockIdx.x; p < rows * tiles; p += gridDim.x) {
        const $I row = p / tiles, first = p % tiles * $TILE;
        $walk
        for (int k = threadIdx.x; k < $TILE; k += $THREADS)
            tile[k] = first + k < n ? ($W)${TRUTH}x[from + (first + k) * step] : 0;
        __syncthreads();
        const int mine = threadIdx.x * $ITEMS;
        $W own = 0, total;
        for (int k = 0; k < $ITEMS; ++k)
            own += tile[mine + k];
        $W sum = $BEFORE + sums_before(own, sums, &total);
        for (int k = 0; k < $ITEMS; ++k) {
            sum += tile[mine + k];
            tile[mine + k] = sum;
        }
        __syncthreads();
        for (int k = threadIdx.x; k < $TILE; k += $THREADS)
            if (first + k < n)
                z[to + (first + k) * pace] = ($T)tile[k];
    }
"""


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


def cumsum(node: Node, deterministic: bool = True) -> list[Launch] | None:
    """Launches of z_k = x_0 + … + x_k."""
    x, axis = node.args[0], node.params["axis"]
    if not isinstance(x, Node) or x.shape != node.shape or not isinstance(axis, int):
        return None
    if node.dtype.str[1:] not in WIDE:
        return None
    if not node.size:
        return []
    v, z = view_of(x), contiguous(node.shape)
    axis %= len(node.shape)
    n = node.shape[axis]
    rows, (of_x, of_z) = joined(_without(node.shape, axis), [_without(v.strides, axis), _without(z, axis)])
    count, tiles = node.size // n, -(-n // TILE)
    marks = {
        "T": ctype(node.dtype), "W": WIDE[node.dtype.str[1:]], "TRUTH": "!!" if x.dtype.kind == "b" else "",
        "BEFORE": "before[p]" if tiles > 1 else "0",
    }  # fmt: skip
    far = is_far(node, v.root)

    def begun(what: str, *names: str) -> Kernel:
        kernel = Kernel(what, far=far, marks=SIZES | marks)
        if "z" in names:
            kernel.writes("z", node, node.dtype)
            kernel.number("pace", z[axis])
        if "x" in names:
            kernel.reads("x", v, x.dtype)
            kernel.number("step", v.strides[axis])
            kernel.number("n", n)
        return kernel

    if n <= SHORT or count >= MANY:
        kernel = begun("cumsum_rows", "x", "z")
        walk = kernel.walk("p", rows, {"from": of_x, "to": of_z})
        return [kernel.over(f"        {walk}\n{ALONG}", count)]
    before = Scratch(8 * count * tiles)
    launches = []
    for what, body, names in (
        ("cumsum_of_tiles", SUM_TILES, "x"),
        ("cumsum_before_tiles", ADD_TILES, ""),
        ("cumsum_tiles", SCAN_TILES, "xz"),
    ):
        if tiles == 1 and body is not SCAN_TILES:
            continue
        kernel = begun(what, *names)
        if tiles > 1:
            kernel.scratch("before", marks["W"], before)
        kernel.number("rows", count)
        kernel.number("tiles", tiles)
        sums = {"from": of_x, "to": of_z} if "z" in names else {"from": of_x}
        kernel.marks["walk"] = kernel.walk("row", rows, sums) if names else ""
        grid = blocks_for(count if body is ADD_TILES else count * tiles, 1)
        launches.append(kernel.launch(body, grid=grid, helpers=SUMS))
    return launches


SIZES = {"ITEMS": str(ITEMS), "TILE": str(TILE), "THREADS": str(THREADS), "WARPS": str(WARPS)}

# -------------------------------------------------------------------------------- positions of extrema
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


def position(node: Node, deterministic: bool = True) -> list[Launch] | None:
    """Launches of argmax and argmin: the first of equal ones, the first NaN before all numbers."""
    x, axis = node.args[0], node.params["axis"]
    if not isinstance(x, Node) or not x.size or node.dtype != np.int64:
        return None
    v = view_of(x)
    if axis is None or not x.shape:
        (rows, (of_rows,)), (along, (of_along,)) = joined((), [()]), joined(v.shape, [v.strides])
    else:
        k = axis % len(x.shape)
        rows, (of_rows,) = joined(_without(v.shape, k), [_without(v.strides, k)])
        along, of_along = (v.shape[k],), (v.strides[k],)
    count, n = math.prod(rows), math.prod(along)
    better, far = ">" if node.op is ix.argmax else "<", is_far(v.root, count, n)
    marks = {"T": ctype(x.dtype), "THREADS": str(THREADS)}
    helpers = Template(WINS).substitute(marks, I="long long" if far else "int", BETTER=better)
    parts = 1 if n <= 2 * PART else min(-(-n // PART), MOST_PARTS)

    def begun(what: str) -> Kernel:
        kernel = Kernel(what, far=far, marks=marks)
        kernel.reads("x", v, x.dtype)
        kernel.number("n", n)
        kernel.marks["along"] = kernel.walk("k", along, {"step": of_along}, depth=3)
        return kernel

    if n <= SHORT or count >= MANY:
        kernel = begun("position_rows")
        kernel.writes("z", node, node.dtype)
        walk = kernel.walk("p", rows, {"from": of_rows})
        return [kernel.over(f"        {walk}\n{SEARCH_ROW}", count, helpers)]
    kernel = begun("position_parts")
    of_parts = Scratch(8 * count * parts)
    if parts == 1:
        kernel.writes("z", node, node.dtype)
    else:
        kernel.scratch("z", "long long", of_parts)
    for name, value in (("rows", count), ("parts", parts), ("length", -(-n // parts))):
        kernel.number(name, value)
    kernel.marks["walk"] = kernel.walk("row", rows, {"from": of_rows})
    launches = [kernel.launch(SEARCH_PART, grid=blocks_for(count * parts, 1), helpers=helpers)]
    if parts > 1:
        kernel = begun("position_best")
        kernel.marks["first"] = str(kernel.marks["along"]).replace("\n    ", "\n")
        kernel.writes("z", node, node.dtype)
        kernel.scratch("of_parts", "const long long", of_parts)
        kernel.number("parts", parts)
        walk = kernel.walk("p", rows, {"from": of_rows})
        launches.append(kernel.over(f"        {walk}\n{BEST_PART}", count, helpers))
    return launches
