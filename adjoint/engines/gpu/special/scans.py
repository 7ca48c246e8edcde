"""Running sums along an axis of an array.

Many rows go side by side, a thread each; few long ones are cut in tiles, a block each. Which of the two
depends on sizes alone.
"""

from __future__ import annotations

from ...graph import Node
from ...views import contiguous, joined, view_of
from ..geometry import blocks_for
from ..kernel import Launch, Scratch
from ..text import ctype
from .kernel import MANY, SHORT, THREADS, Kernel, is_far, without
from .sums import SUMS, WARPS

ITEMS = 4  # elements of a tile per thread
TILE = THREADS * ITEMS
SIZES = {"ITEMS": str(ITEMS), "TILE": str(TILE), "THREADS": str(THREADS), "WARPS": str(WARPS)}
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


class _Scan:
    """The rows that are added up, in x and in z."""

    def __init__(self, node: Node, x: Node, axis: int) -> None:
        self.node, self.x, self.v, self.axis = node, x, view_of(x), axis
        self.z = contiguous(node.shape)
        strides = [without(self.v.strides, axis), without(self.z, axis)]
        self.rows, (self.of_x, self.of_z) = joined(without(node.shape, axis), strides)
        self.n = node.shape[axis]
        self.count, self.tiles = node.size // self.n, -(-self.n // TILE)
        self.far, self.wide = is_far(node, self.v.root), WIDE[node.dtype.str[1:]]

    def _begun(self, what: str, reads: bool = True, writes: bool = True) -> Kernel:
        truth, before = "!!" if self.x.dtype.kind == "b" else "", "before[p]" if self.tiles > 1 else "0"
        marks = {"T": ctype(self.node.dtype), "W": self.wide, "TRUTH": truth, "BEFORE": before}
        kernel = Kernel(what, far=self.far, marks=SIZES | marks)
        if writes:
            kernel.writes("z", self.node, self.node.dtype)
            kernel.number("pace", self.z[self.axis])
        if reads:
            kernel.reads("x", self.v, self.x.dtype)
            kernel.number("step", self.v.strides[self.axis])
            kernel.number("n", self.n)
        return kernel

    def by_rows(self) -> Launch:
        """A thread for each row."""
        kernel = self._begun("cumsum_rows")
        walk = kernel.walk("p", self.rows, {"from": self.of_x, "to": self.of_z})
        return kernel.over(f"        {walk}\n{ALONG}", self.count)

    def by_tiles(self) -> list[Launch]:
        """A block for each tile of a row; of several tiles, what comes before each is added up first."""
        before, blocks = Scratch(8 * self.count * self.tiles), self.count * self.tiles
        if self.tiles == 1:
            return [self._tiles("cumsum_tiles", SCAN_TILES, None, blocks)]
        return [
            self._tiles("cumsum_of_tiles", SUM_TILES, before, blocks, writes=False),
            self._tiles("cumsum_before_tiles", ADD_TILES, before, self.count, reads=False, writes=False),
            self._tiles("cumsum_tiles", SCAN_TILES, before, blocks),
        ]

    def _tiles(
        self,
        what: str,
        body: str,
        before: Scratch | None,
        blocks: int,
        reads: bool = True,
        writes: bool = True,
    ) -> Launch:
        kernel = self._begun(what, reads, writes)
        if before is not None:
            kernel.scratch("before", self.wide, before)
        kernel.number("rows", self.count)
        kernel.number("tiles", self.tiles)
        sums = {"from": self.of_x, "to": self.of_z} if writes else {"from": self.of_x}
        kernel.marks["walk"] = kernel.walk("row", self.rows, sums) if reads else ""
        return kernel.launch(body, grid=blocks_for(blocks, 1), helpers=SUMS)


def cumsum(node: Node, deterministic: bool = True) -> list[Launch] | None:
    """Launches of z_k = x_0 + … + x_k."""
    x, axis = node.args[0], node.params["axis"]
    if not isinstance(x, Node) or x.shape != node.shape or not isinstance(axis, int):
        return None
    if node.dtype.str[1:] not in WIDE:
        return None
    if not node.size:
        return []
    scan = _Scan(node, x, axis % len(node.shape))
    return [scan.by_rows()] if scan.n <= SHORT or scan.count >= MANY else scan.by_tiles()
