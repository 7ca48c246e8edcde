"""Sums over the threads of a block, in fixed order: what scans and sorts are made of."""

from __future__ import annotations

from .kernel import THREADS

WARPS = THREADS // 32

SUMS = f"""\
// The sum of `own` over the threads of the block before this one, and over all of them in `total`. `sums` are
// {WARPS} numbers of shared memory. Every thread of the block takes part; before they come again, the caller
// lets them meet in a __syncthreads.
template <class A> __device__ A sums_before(A own, A *sums, A *total)
{{
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    A upto = own;
    for (int d = 1; d < 32; d <<= 1) {{
        const A other = __shfl_up_sync(0xffffffffu, upto, d);
        if (lane >= d)
            upto += other;
    }}
    A before = __shfl_up_sync(0xffffffffu, upto, 1);
    if (lane == 0)
        before = 0;
    if (lane == 31)
        sums[warp] = upto;
    __syncthreads();
    A of_warps = 0, all = 0;
    for (int w = 0; w < {WARPS}; ++w) {{
        if (w == warp)
            of_warps = all;
        all += sums[w];
    }}
    *total = all;
    return of_warps + before;
}}
"""
