"""Matrix products as native steps: C = A @ B (+ C), batched, any strides, float32 and float64.

A step is a machine-code function `void(int64* block, int64 chunk)`; the block holds addresses, sizes and
strides, the chunk says which rows and columns of C this call computes. The arithmetic stands in
`gemm_kernels`, on an own tile throughout: OpenBLAS is ahead by more than a tenth only at 1024³ and at few
columns of float64 (`bench/gemm.py`), and it has threads of its own and bits that depend on them. Here is what
a block means and how the work is divided. No numba is imported: a stored kernel runs without it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np


@cache
def _vector_bytes() -> int:
    """Bytes of the widest vector the compiler may use; 16 where numba is told to compile for another CPU."""
    from llvmlite import binding  # type: ignore[import-untyped]

    if os.environ.get("NUMBA_CPU_NAME") or "NUMBA_CPU_FEATURES" in os.environ:
        return 16
    features = binding.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx") else 16


VECTOR = _vector_bytes()
HAS_MASKS = VECTOR == 64  # a masked load or store costs no more than a plain one
# 8 × 2 accumulators leave half of AVX-512's 32 registers free; with 16 registers 4 × 2 is what fits.
ROWS = 8 if VECTOR == 64 else 4
WIDE = 8  # vectors of the tile for a single row
# Terms of one chain, rows of a packed strip of B; 1024³ float32 beside OpenBLAS: 256 .92, 512 1.01.
KC = 512
B_VECTORS = 2 * KC  # room for that strip, on the stack: 64 KiB

# Cells of a block (int64 each). Strides count elements; a batch stride of 0 repeats the operand.
A, B, C = 0, 1, 2  # addresses of the first elements, in bytes
M, N, K = 3, 4, 5
A_ROW, A_COLUMN, B_ROW, B_COLUMN, C_ROW = 6, 7, 8, 9, 10
ACCUMULATE = 11  # 0: C = A @ B; 1: C += A @ B
PACK_B = 12  # 1: copy B strip by strip into adjacent rows
BATCH, A_BATCH, B_BATCH, C_BATCH = 13, 14, 15, 16
CHUNK_ROWS, CHUNK_COLUMNS, CHUNK_BATCH = 17, 18, 19  # what one chunk covers at most
ROW_CHUNKS, COLUMN_CHUNKS = 20, 21  # chunks per product; chunk = (batch, row, column), column fastest
DOTS = 22  # n is 1 and both operands have adjacent k
SWAPPED = 23  # the product is Cᵀ = Bᵀ @ Aᵀ: sizes and strides are of that one, addresses stay
CELLS = 24

# How the work is divided; measured on Zen 4 (32 KiB, 1 MiB and 32 MiB of cache).
CHUNK_FLOPS = 1 << 20  # about 10 µs: what a thread should have to do before it is worth waking
# Up to here chunks are columns, so that B is read once; and rows of a chunk where B stays in cache.
FEW_ROWS = 64
# A larger B comes from afar for every chunk of rows: 1024³ float32 beside OpenBLAS .59 with chunks of 64
# rows, .80 with 256, .93 with B packed as well. A is never packed: that gained .1 at most and lost as often.
LARGE_B = 1 << 21  # bytes
MANY_ROWS = 256
PACKED_ROWS = 128  # a strip packed for fewer rows costs more than it saves: 32×784×256 1.5 packed, 1.7 direct


@cache
def gemm_address(dtype: str) -> int:
    """Address of the native step for "float32" or "float64": compiled once per machine, then loaded."""
    from .cache import load

    # the constants the kernels import are part of what names their machine code
    constants = sorted((k, v) for k, v in globals().items() if k.isupper())
    text = Path(__file__).with_name("gemm_kernels.py").read_text(encoding="utf-8")
    text += f"""

from .entries import cfunc

entry = cfunc("void(CPointer(int64), int64)", error_model="numpy")(gemm_{dtype})
"""
    return load(text, prelude=f"# {constants}\n").address


@dataclass(frozen=True)
class GemmStep:
    """A planned product: what a driver needs to run it.

    Attributes:
        dtype: "float32" or "float64".
        chunks: calls chunk = 0 … chunks − 1 do the whole work, in any order, on any threads.
        flops: 2·batch·m·n·k.
        scratch: bytes of working memory that the caller must give: none, packed panels live on the stack.
        cells: (CELLS,) contents of the block, addresses still 0.
    """

    dtype: str
    chunks: int
    flops: int
    cells: tuple[int, ...] = field(repr=False)
    scratch: int = 0

    @property
    def address(self) -> int:
        """Of the native function `void(int64* block, int64 chunk)`; the first call in a process loads it."""
        return gemm_address(self.dtype)

    def block(self, a: int = 0, b: int = 0, c: int = 0) -> np.ndarray[Any, np.dtype[np.int64]]:
        """A new argument block, (CELLS,) int64, with the three addresses (bytes) in cells A, B, C."""
        block = np.array(self.cells, np.int64)
        block[[A, B, C]] = a, b, c
        return block


def plan_gemm(
    dtype: Any,
    m: int,
    n: int,
    k: int,
    *,
    a_strides: tuple[int, int],
    b_strides: tuple[int, int],
    ldc: int,
    accumulate: bool = False,
    batch: tuple[int, int, int, int] = (1, 0, 0, 0),
    rows: int | None = None,
) -> GemmStep:
    """Plan C[m, n] = A[m, k] @ B[k, n], or C += A @ B, for every product of a batch.

    Args:
        dtype: float32 or float64, of all three.
        m: rows of C, ≥ 0.
        n: columns of C, ≥ 0.
        k: inner size, ≥ 0; an empty sum is 0.
        a_strides: of A, in elements: (from row to row, from column to column). Swapped strides transpose.
        b_strides: likewise of B.
        ldc: elements from row to row of C; its columns are adjacent.
        accumulate: add to C instead of overwriting it.
        batch: (count, stride of A, of B, of C) in elements; a stride of 0 repeats A or B.
        rows: height of a chunk, ≥ 1, where the caller wants chunk t to be the rows t·rows … of all columns,
            to run several steps on the same rows while they are in cache; for one product, not a batch.

    Returns:
        The step. Its bits do not depend on the chunks, nor on m, n or the strides, except that a matrix times
        a vector, both with adjacent k, sums in another order than a wider product.
    """
    dtype = np.dtype(dtype)
    a, b, (count, a_batch, b_batch, c_batch) = a_strides, b_strides, batch
    swapped = (m == 1 and b[0] == 1 != b[1]) or (n == 1 == a[0] != a[1] and ldc == 1)
    if swapped:
        # a vector times a matrix reads the matrix along its rows: (A @ B)ᵀ = Bᵀ @ Aᵀ
        m, n, a, b, ldc, a_batch, b_batch = n, m, b[::-1], a[::-1], 1, b_batch, a_batch
        tile = _split(m, n, k, count, dtype.itemsize) if rows is None else (max(m, 1), rows, 1)
    else:
        tile = _split(m, n, k, count, dtype.itemsize) if rows is None else (rows, max(n, 1), 1)
    row_chunks, column_chunks = -(-m // tile[0]), -(-n // tile[1])
    dots = n == 1 == b[0] == a[1]
    pack = b[1] != 1 or (tile[0] >= PACKED_ROWS and k * n * dtype.itemsize > LARGE_B)
    cells = [0, 0, 0, m, n, k, *a, *b, ldc, accumulate, pack, count, a_batch, b_batch, c_batch]
    cells += [*tile, row_chunks, column_chunks, dots, swapped]
    chunks = row_chunks * column_chunks * -(-count // tile[2])
    return GemmStep(dtype.name, chunks, 2 * count * m * n * k, tuple(map(int, cells)))


def _split(m: int, n: int, k: int, count: int, size: int) -> tuple[int, int, int]:
    """Rows, columns and products of one chunk."""
    flops = 2 * m * n * k
    if flops <= CHUNK_FLOPS:
        return max(m, 1), max(n, 1), max(min(count, CHUNK_FLOPS // max(flops, 64)), 1)
    if m <= FEW_ROWS:
        width = 2 * VECTOR // size
        return m, min(-(-CHUNK_FLOPS // (2 * m * k * width)) * width, n), 1
    pieces = max(2, -(-m // (MANY_ROWS if k * n * size > LARGE_B else FEW_ROWS)))
    return -(-m // (pieces * ROWS)) * ROWS, n, 1
