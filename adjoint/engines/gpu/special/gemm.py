"""Matrix products: cuBLAS through cupy for large ones that lie as it likes, tiles of our own for the rest.

Ours take any strides, copy nothing and allocate nothing, and a stream may record them in a graph, which cupy
refuses for cuBLAS. A long inner axis of a small result is cut in parts, which other blocks add up: the
gradient of a weight is such a product. Tiles and parts depend on sizes alone, so every card finds the same.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...graph import Node, Shape
from ...views import View, contiguous, joined, spread_over, view_of
from ..geometry import blocks_for
from ..kernel import Call, Launch, Place, Scratch
from ..text import ctype
from .copying import copy_launch
from .kernel import Kernel, is_far

SMALL = 1 << 18  # multiplications up to which a launch of ours costs less than a call of cupy
MODERATE = 1 << 24  # up to which it costs less than to end a graph and to begin another
OFTEN = 128  # products that an element takes part in from which its copy costs less than our tiles
DEPTH = 16  # of a tile, along the inner axis
SIDE = 16  # threads along each side of a tile
PART = 512  # inner length from which it is cut
LONGEST = 8192  # numbers that one running sum takes
ENOUGH = 64  # tiles that keep a card busy without
MOST_PARTS = 64

# Thread (x, y) of 16 × 16 has $R × $R results, 16 apart, so that neighbours read neighbouring words.
TILES = """
    __shared__ $T a[$DEPTH][$SIZE + 1], b[$DEPTH][$SIZE + 1];  // one more column: no two lanes on one bank
    const int x = threadIdx.x % $SIDE, y = threadIdx.x / $SIDE;
    const $I rows = (m + $SIZE - 1) / $SIZE, columns = (n + $SIZE - 1) / $SIZE;
    const $I tiles = rows * columns * parts * batch;
    for ($I tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        const $I n0 = tile % columns * $SIZE, m0 = tile / columns % rows * $SIZE;
        const $I slice = tile / (columns * rows), part = slice % parts, each = slice / parts;
        $walk
        const $I begin = part * length, end = begin + length < k ? begin + length : k;
        $T sum[$R][$R] = {};
        for ($I k0 = begin; k0 < end; k0 += $DEPTH) {
            #pragma unroll
            for (int e = threadIdx.x; e < $DEPTH * $SIZE; e += $SIDE * $SIDE) {
                const int i = $A_ROW, j = $A_DEPTH;
                const bool there = m0 + i < m && k0 + j < end;
                a[j][i] = there ? left[from_left + (m0 + i) * $left_m + (k0 + j) * $left_k] : ($T)0;
            }
            #pragma unroll
            for (int e = threadIdx.x; e < $DEPTH * $SIZE; e += $SIDE * $SIDE) {
                const int i = $B_COLUMN, j = $B_DEPTH;
                const bool there = n0 + i < n && k0 + j < end;
                b[j][i] = there ? right[from_right + (n0 + i) * $right_n + (k0 + j) * $right_k] : ($T)0;
            }
            __syncthreads();
            #pragma unroll
            for (int j = 0; j < $DEPTH; ++j) {
                $T of_a[$R], of_b[$R];
                #pragma unroll
                for (int r = 0; r < $R; ++r) {
                    of_a[r] = a[j][y + r * $SIDE];
                    of_b[r] = b[j][x + r * $SIDE];
                }
                #pragma unroll
                for (int r = 0; r < $R; ++r)
                    #pragma unroll
                    for (int s = 0; s < $R; ++s)
                        sum[r][s] += of_a[r] * of_b[s];
            }
            __syncthreads();  // before the next tiles overwrite these
        }
        #pragma unroll
        for (int r = 0; r < $R; ++r)
            #pragma unroll
            for (int s = 0; s < $R; ++s) {
                const $I row = m0 + y + r * $SIDE, column = n0 + x + s * $SIDE;
                if (row < m && column < n)
                    z[((part * batch + each) * m + row) * n + column] $PUT sum[r][s];
            }
    }
"""

ADD_PARTS = """\
        double total = $START;
        for ($I part = 0; part < parts; ++part)
            total += of_parts[part * points + p];
        z[p] = ($T)total;"""


class _Sizes:
    """A product's sizes, its strides (in elements), and the axes of its stack of matrices."""

    def __init__(self, shape: Shape, x: View, y: View) -> None:
        lead = shape[:-2]
        self.m, self.n, self.k = shape[-2], shape[-1], x.shape[-1]
        self.left, self.right = x.strides[-2:], y.strides[-2:]
        stacks = [spread_over(v.shape[:-2], v.strides[:-2], lead) for v in (x, y)]
        self.stack, (self.left_stack, self.right_stack) = joined(lead, stacks)
        self.batch = math.prod(lead)

    @property
    def work(self) -> int:
        """Multiplications."""
        return self.batch * self.m * self.n * self.k


def gemm_launches(
    x: View, y: View, target: Place, shape: Shape, dtype: np.dtype[Any], *, accumulate: bool = False
) -> list[Launch]:
    """Launches of z = x y, or of z += x y, for stacks of matrices of any strides.

    Args:
        x: (…, m, k), float32 or float64.
        y: (…, k, n), of that dtype.
        target: where z lies, in C order; neither operand shares its memory.
        shape: of z, (…, m, n); leading axes of x and y broadcast to it.
        dtype: of all three.
        accumulate: whether the product is added to what z holds.
    """
    s = _Sizes(shape, x, y)
    size = s.batch * s.m * s.n
    if not size:
        return []
    tile = _results_per_thread(s) * SIDE
    tiles = s.batch * -(-s.m // tile) * -(-s.n // tile)
    parts = _parts(s, tiles)
    far = is_far(size * parts, x.root, y.root, target.node, s.k)
    kernel = Kernel("gemm", far=far, marks=_marks(s, dtype, "+=" if accumulate and parts == 1 else "="))
    partial = Scratch(size * parts * dtype.itemsize)
    if parts == 1:
        kernel.writes("z", target, dtype)
    else:
        kernel.scratch("z", ctype(dtype), partial)
    kernel.reads("left", x, dtype)
    kernel.reads("right", y, dtype)
    length = -(-s.k // parts)
    numbers = {"m": s.m, "n": s.n, "k": s.k, "parts": parts, "length": length, "batch": s.batch}
    for name, value in numbers.items():
        kernel.number(name, value)
    for name, value in zip(STRIDES, (*s.left, *s.right), strict=True):
        if kernel.marks[name] == name:
            kernel.number(name, value)
    kernel.marks["walk"] = kernel.walk(
        "each", s.stack, {"from_left": s.left_stack, "from_right": s.right_stack}
    )
    launch = kernel.launch(TILES, grid=blocks_for(tiles * parts, 1), block=SIDE * SIDE, least=2)
    if parts == 1:
        return [launch]
    adding = Kernel("add_parts", far=far, marks={"T": ctype(dtype), "START": "z[p]" if accumulate else "0"})
    adding.writes("z", target, dtype)
    adding.scratch("of_parts", f"const {ctype(dtype)}", partial)
    adding.number("parts", parts)
    return [launch, adding.over(ADD_PARTS, size)]


STRIDES = ("left_m", "left_k", "right_k", "right_n")


def _marks(s: _Sizes, dtype: np.dtype[Any], put: str) -> dict[str, str | int]:
    """Types and patterns: neighbouring threads read along the axis whose elements are neighbours."""
    results = _results_per_thread(s)
    size = SIDE * results
    along_depth, along_side = (f"e / {DEPTH}", f"e % {DEPTH}"), (f"e % {size}", f"e / {size}")
    a = along_depth if s.left[1] == 1 else along_side
    b = along_depth if s.right[0] == 1 and s.right[1] != 1 else along_side
    strides = {
        name: "1" if value == 1 else name
        for name, value in zip(STRIDES, (*s.left, *s.right), strict=True)
    }  # fmt: skip
    return {
        "T": ctype(dtype), "R": results, "SIZE": size, "SIDE": SIDE, "DEPTH": DEPTH, "PUT": put,
        "A_ROW": a[0], "A_DEPTH": a[1], "B_COLUMN": b[0], "B_DEPTH": b[1], **strides,
    }  # fmt: skip


def _results_per_thread(s: _Sizes) -> int:
    """Along each side: narrow results in small tiles."""
    side = min(s.m, s.n)
    return 4 if side > 32 else 2 if side > 16 else 1


def _parts(s: _Sizes, tiles: int) -> int:
    """How often the inner axis is cut: until there is enough to do, and no running sum is too long."""
    parts = -(-s.k // LONGEST)
    if s.k >= 2 * PART and tiles < ENOUGH:
        parts = max(parts, min(s.k // PART, -(-2 * ENOUGH // tiles)))
    return max(1, min(parts, MOST_PARTS))


# -------------------------------------------------------------------------------- cuBLAS
def matmul(node: Node, captured: bool = False) -> list[Launch | Call] | None:
    """How a product runs: by our tiles if it is small or cupy would copy an operand, else by cuBLAS.

    Args:
        node: (…, m, n), of operands with at least two axes.
        captured: whether a graph would be cut in two for cuBLAS, which cupy lets no stream record; then only
            a large product is worth it.
    """
    x, y = node.args
    if not (isinstance(x, Node) and isinstance(y, Node)) or node.dtype.name not in ("float32", "float64"):
        return None
    if x.dtype != node.dtype or y.dtype != node.dtype or min(len(x.shape), len(y.shape)) < 2:
        return None
    u, v = view_of(x), view_of(y)
    s = _Sizes(node.shape, u, v)
    if s.work > (MODERATE if captured else SMALL):
        planned = _by_cublas(node, u, v, s)
        if planned is not None:
            return planned
    return [*gemm_launches(u, v, Place(node), node.shape, node.dtype)]


def _by_cublas(node: Node, x: View, y: View, s: _Sizes) -> list[Launch | Call] | None:
    """A call for which cupy neither copies nor allocates; None if there is none.

    An operand that lies otherwise is copied by us, if every element of it is used often enough.
    """
    lead = node.shape[:-2]
    if not s.stack:  # one matrix each
        function, wrong = _flat(node, x, y), [not _lies_well(x), not _lies_well(y)]
    elif not any(s.right_stack):  # one right operand for all: the stack is one tall matrix
        function, wrong = _flat(node, x, y), [not _is_whole(x), not _lies_well(y)]
    elif x.shape[:-2] == y.shape[:-2] == lead:
        function, wrong = _stacked, [not _is_whole(x), not _is_whole(y)]
    else:
        return None
    launches: list[Launch] = []
    copies: dict[int, Scratch] = {}
    for k, v in enumerate((x, y)):
        if not wrong[k]:
            continue
        if s.work // math.prod(v.shape) < OFTEN or 0 in v.strides:
            return None
        copies[k] = Scratch(math.prod(v.shape) * node.dtype.itemsize)
        launches.append(copy_launch(v, copies[k], node.dtype))
    return [*launches, Call(function, node, copies=copies)]


def _is_whole(v: View) -> bool:
    return tuple(s for n, s in zip(v.shape, v.strides, strict=True) if n != 1) == tuple(
        s for n, s in zip(v.shape, contiguous(v.shape), strict=True) if n != 1
    )


def _lies_well(v: View) -> bool:
    """Whether the one matrix of a view lies row by row or column by column, without gaps."""
    n, k = v.shape[-2:]
    matrix = View(v.root, v.offset, (n, k), v.strides[-2:])
    return _is_whole(matrix) or _is_whole(View(v.root, v.offset, (k, n), v.strides[-2:][::-1]))


def _stacked(cupy: Any, x: Any, y: Any, out: Any) -> None:
    cupy.matmul(x, y, out=out)


def _flat(node: Node, x: View, y: View) -> Any:
    """A product of two matrices, whatever axes of length one, or of a stack, they have before them."""
    inner, columns = x.shape[-1], y.shape[-1]

    def run(cupy: Any, x: Any, y: Any, out: Any) -> None:
        if x.ndim > 2 or y.ndim > 2:
            x = x.reshape(-1, inner) if x.ndim > 2 else x
            y = y[(0,) * (y.ndim - 2)]
            out = out.reshape(-1, columns)
        cupy.matmul(x, y, out=out)

    return run
