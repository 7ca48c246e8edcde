"""Points sorted by a number each, equal ones in the order in which they came: a radix sort.

A pass takes eight bits. It counts the digits of every tile of points, adds the counts up (all smaller digits
of all tiles, then the same digit of the tiles before), and moves every point to its place. Integers only:
nothing depends on the order in which threads run.
"""

from __future__ import annotations

from ..geometry import blocks_for
from ..kernel import Launch, Scratch
from .kernel import THREADS, Kernel
from .sums import SUMS, WARPS

ITEMS = 8  # points of a tile per thread
TILE = THREADS * ITEMS
DIGITS = 256  # one per thread
COUNT = """
    __shared__ int counts[$DIGITS];
    for ($I tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        counts[threadIdx.x] = 0;
        __syncthreads();
        for (int k = 0; k < $ITEMS; ++k) {
            const $I at = tile * $TILE + k * $THREADS + threadIdx.x;
            if (at < count)
                atomicAdd(&counts[keys[at] >> shift & $LAST], 1);
        }
        __syncthreads();
        places[threadIdx.x * tiles + tile] = counts[threadIdx.x];
    }
"""

# one block: what it goes through is small beside the points
ADD_UP = """
    __shared__ $I sums[$WARPS];
    $I carry = 0;
    for ($I start = 0; start < count; start += $TILE) {
        const $I first = start + threadIdx.x * $ITEMS;
        $I own = 0, total;
        for (int k = 0; k < $ITEMS; ++k)
            own += first + k < count ? places[first + k] : 0;
        $I sum = carry + sums_before(own, sums, &total);
        for (int k = 0; k < $ITEMS && first + k < count; ++k) {
            const $I here = places[first + k];
            places[first + k] = sum;
            sum += here;
        }
        carry += total;
        __syncthreads();  // before the next sums
    }
"""

MOVE = """
    __shared__ $I counts[$WARPS][$DIGITS];
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    for ($I tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        for (int w = 0; w < $WARPS; ++w)
            counts[w][threadIdx.x] = 0;
        __syncthreads();
        // a warp takes neighbours, row by row, so that its points keep their order
        const $I first = tile * $TILE + warp * (32 * $ITEMS) + lane;
        $I key[$ITEMS], rank[$ITEMS];
        #pragma unroll
        for (int k = 0; k < $ITEMS; ++k) {
            const bool there = first + k * 32 < count;
            key[k] = there ? keys[first + k * 32] : 0;
            const int digit = key[k] >> shift & $LAST;
            unsigned peers = __ballot_sync(0xffffffffu, there);  // lanes with the same digit
            for (int bit = 0; bit < 8; ++bit) {
                const unsigned ones = __ballot_sync(0xffffffffu, digit >> bit & 1);
                peers &= digit >> bit & 1 ? ones : ~ones;
            }
            const unsigned before = peers & ((1u << lane) - 1);
            rank[k] = counts[warp][digit] + __popc(before);
            __syncwarp();
            if (there && !before)
                counts[warp][digit] = rank[k] + __popc(peers);
            __syncwarp();
        }
        __syncthreads();
        $I place = places[threadIdx.x * tiles + tile];
        for (int w = 0; w < $WARPS; ++w) {
            const $I here = counts[w][threadIdx.x];
            counts[w][threadIdx.x] = place;
            place += here;
        }
        __syncthreads();
        #pragma unroll
        for (int k = 0; k < $ITEMS; ++k) {
            const $I at = first + k * 32;
            if (at < count) {
                const $I to = counts[warp][key[k] >> shift & $LAST] + rank[k];
                keys_sorted[to] = key[k];
                order_sorted[to] = $ORDER;
            }
        }
        __syncthreads();
    }
"""


def sort_launches(count: int, keys: int, far: bool) -> tuple[list[Scratch], Scratch, list[Launch]]:
    """Launches that sort points by numbers from 0 to `keys`.

    Args:
        count: number of points.
        keys: number of different keys.
        far: whether keys and positions have 64 bits.

    Returns:
        Memory of the keys, before and after; of the points in their new order; the launches.
    """
    size, word = (8, "long long") if far else (4, "int")
    tiles = -(-count // TILE)
    places = Scratch(DIGITS * tiles * size)
    memory = [Scratch(count * size) for _ in range(2)]
    orders = [Scratch(count * size) for _ in range(2)]
    marks: dict[str, str | int] = {
        "ITEMS": ITEMS, "TILE": TILE, "THREADS": THREADS, "DIGITS": DIGITS, "LAST": DIGITS - 1,
        "WARPS": WARPS,
    }  # fmt: skip
    launches: list[Launch] = []
    passes = max(1, -(-(keys - 1).bit_length() // 8))
    for k in range(passes):
        source, target = memory[k % 2], memory[1 - k % 2]
        counting = Kernel("sort_count", far=far, marks=marks)
        counting.scratch("keys", f"const {word}", source)
        counting.scratch("places", word, places)
        adding = Kernel("sort_add_up", far=far, marks=marks)
        adding.scratch("places", word, places)
        adding.number("count", DIGITS * tiles)
        moving = Kernel("sort_move", far=far, marks={**marks, "ORDER": "order[at]" if k else "at"})
        moving.scratch("keys", f"const {word}", source)
        moving.scratch("keys_sorted", word, target)
        if k:
            moving.scratch("order", f"const {word}", orders[k % 2])
        moving.scratch("order_sorted", word, orders[1 - k % 2])
        moving.scratch("places", f"const {word}", places)
        for kernel in (counting, moving):
            kernel.number("count", count)
            kernel.number("tiles", tiles)
            kernel.number("shift", 8 * k)
        grid = blocks_for(tiles, 1)
        launches += [
            counting.launch(COUNT, grid=grid),
            adding.launch(ADD_UP, grid=1, helpers=SUMS),
            moving.launch(MOVE, grid=grid),
        ]
    return [memory[0], memory[passes % 2]], orders[passes % 2], launches
