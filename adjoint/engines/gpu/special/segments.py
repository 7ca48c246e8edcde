"""Ragged rows: reductions per segment, and values per segment repeated over its rows.

A segment is taken by one thread, a warp or a block, by how many rows one has on average; a row finds its
segment by halving. Every kernel checks the offsets too: wrong ones are reported, and never read or written
beyond the arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ....errors import ShapeError
from ....ops import segment as sg
from ...graph import Node
from ...rewriting.ragged import shares, spread
from ...views import joined, view_of
from ..geometry import blocks_for
from ..kernel import Launch
from ..text import ctype
from .kernel import THREADS, Kernel, is_far

EACH = 64  # numbers that a thread adds in their own precision before it goes on in float64
CHECK = """\
    for ($I k = ($I)blockIdx.x * blockDim.x + threadIdx.x; k <= count; k += ($I)gridDim.x * blockDim.x) {
        const long long here = offsets[k * pace];
        const bool falls = k < count && here > (long long)offsets[(k + 1) * pace];
        if (falls || (k == 0 && here != 0) || (k == count && here != rows))
            fail(status);
    }
"""
BOUNDS = """\
static __device__ __forceinline__ $I between(long long x, $I low, $I high)
{
    return x < low ? low : x > high ? high : ($I)x;
}
"""
# the last segment that begins at or before a row
FIND = """\
static __device__ __forceinline__ $I segment_of($I row, const $O *offsets, $I pace, $I count)
{
    $I low = 0, high = count;  // of the segments, the wanted one is in [low, high)
    while (high - low > 1) {
        const $I middle = low + (high - low) / 2;
        if ((long long)offsets[middle * pace] <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}
"""

REDUCE = """\
    $shared
    const $I items = count * width;
    const int lane = threadIdx.x % $LANES;
    for ($I first = ($I)blockIdx.x * ($THREADS / $LANES); first < items;
         first += ($I)gridDim.x * ($THREADS / $LANES)) {
        const $I item = first + threadIdx.x / $LANES;
        const bool there = item < items;
        const $I segment = there ? item / width : 0, column = there ? item % width : 0;
        $walk
        const $I begin = between(offsets[segment * pace], 0, rows);
        const $I end = there ? between(offsets[(segment + 1) * pace], begin, rows) : begin;
        $body
        if (there && lane == 0)
            z[item] = $result;
    }
"""
TOP = """\
$T top = -$INF;
for ($I r = begin + lane; r < end; r += $LANES)
    top = maximum(top, x[from + r * step]);
$together_top"""
SHIFT = """\
const $T shift = top - top == 0 ? top : ($T)0;  // an infinity would make NaN"""
TOTAL = """\
$W total = 0;
for ($I start = begin + lane; start < end; start += $LANES * $EACH) {
    $P part = 0;
    for ($I r = start; r < end && r < start + $LANES * $EACH; r += $LANES)
        part += $term;
    total += part;
}
$together_total"""
ALL = {"top": "Max", "total": "Sum"}


def _begun(what: str, offsets: Any, rows: int, marks: dict[str, str], *nodes: Node) -> Kernel | None:
    """A kernel with the offsets, how many segments and rows they are for, and the check of them."""
    if not isinstance(offsets, Node) or offsets.dtype.kind not in "iu":
        return None
    v = view_of(offsets)
    complaint = ShapeError, f"offsets must be integers that rise from 0 to len(x) = {rows}"
    marks = {"O": ctype(offsets.dtype), **marks}
    kernel = Kernel(what, far=is_far(*nodes, v.root, rows), complaint=complaint, marks=marks)
    kernel.reads("offsets", v, offsets.dtype)
    for name, value in (("pace", v.strides[0]), ("count", v.shape[0] - 1), ("rows", rows)):
        kernel.number(name, value)
    return kernel


def _lanes(rows: int, segments: int, items: int) -> int:
    """Threads that share a segment: more where segments are long, one where there are enough of them."""
    mean = rows / max(segments, 1)
    if mean >= 8192:
        return THREADS
    return 32 if mean >= 16 and items * 8 < (1 << 20) else 1


def reduction(node: Node, deterministic: bool = True) -> list[Launch] | None:
    """Launches of segment_sum, segment_max and segment_logsumexp."""
    x, offsets = node.args
    if not isinstance(x, Node) or x.dtype != node.dtype or x.dtype.kind == "b":
        return None
    if node.dtype.kind != "f" and node.op is not sg.segment_sum:
        return None
    v = view_of(x)
    rows, segments, width = v.shape[0], node.shape[0], math.prod(v.shape[1:])
    lanes = _lanes(rows, segments, node.size)
    floats, name = node.dtype.kind == "f", ctype(node.dtype)
    marks = {
        "T": name, "W": "double" if floats else "unsigned long long",
        "P": name if floats else "unsigned long long", "LANES": str(lanes), "THREADS": str(THREADS),
        "EACH": str(EACH), "INF": f"INF_F{8 * node.dtype.itemsize}",
    }  # fmt: skip
    kernel = _begun(node.op.name if node.op else "", offsets, rows, marks, v.root, node)
    if kernel is None:
        return None
    if not node.size:
        return [kernel.launch(CHECK, grid=1)]
    kernel.reads("x", v, x.dtype)
    kernel.writes("z", node, node.dtype)
    kernel.number("width", width)
    kernel.number("step", v.strides[0])
    columns, (of_columns,) = joined(v.shape[1:], [v.strides[1:]])
    kernel.marks["walk"] = kernel.walk("column", columns, {"from": of_columns})
    body, result = _reduced(node, lanes)
    kernel.marks["shared"] = _shared(lanes, node, marks["W"])
    text = CHECK + REDUCE.replace("$body", body.replace("\n", "\n        ")).replace("$result", result)
    grid = blocks_for(node.size * lanes)
    return [kernel.launch(text, grid=grid, helpers=BOUNDS.replace("$I", kernel.index))]


def _reduced(node: Node, lanes: int) -> tuple[str, str]:
    """The statements for one segment, and the expression of its result."""
    x = "x[from + r * step]"
    if node.op is sg.segment_max:
        return _together(TOP, lanes, again=True), "top"
    if node.op is sg.segment_logsumexp:
        text = "\n".join([TOP, SHIFT, TOTAL.replace("$term", f"exp_of({x} - shift)")])
        return _together(text, lanes), "log_of(($T)total) + shift"
    return _together(TOTAL.replace("$term", x), lanes, again=True), "($T)total"


def _together(text: str, lanes: int, again: bool = False) -> str:
    """What the threads of a segment found, put together in one fixed order.

    `again`: the next segment's may be written while others still read; two in turn keep each other apart.
    """
    for name, op in ALL.items():
        lines = "" if lanes == 1 else f"{name} = over_lanes<{op}, {min(lanes, 32)}>({name});"
        if lanes > 32:
            lines += (
                f"\nleave({name}, of_warps_{name});\n__syncthreads();\n"
                f"{name} = gathered<{op}, {lanes // 32}>(of_warps_{name});"
            )
            if again:
                lines += "\n__syncthreads();  // before they are written again"
        text = text.replace(f"$together_{name}", lines)
    return text


def _shared(lanes: int, node: Node, wide: str) -> str:
    if lanes <= 32:
        return ""
    of_top = f"__shared__ $T of_warps_top[{lanes // 32}];".replace("$T", ctype(node.dtype))
    of_total = f"__shared__ {wide} of_warps_total[{lanes // 32}];"
    return " ".join(
        [*([of_top] if node.op is not sg.segment_sum else []),
         *([of_total] if node.op is not sg.segment_max else [])]
    )  # fmt: skip


def _by_rows(kernel: Kernel, body: str, points: int) -> list[Launch]:
    """A kernel that goes over points, after the check; what it calls finds a row's segment."""
    if not points:
        return [kernel.launch(CHECK, grid=1)]
    find = FIND.replace("$I", kernel.index).replace("$O", str(kernel.marks["O"]))
    return [kernel.over(body, points, find, before=CHECK)]


def spreading(node: Node, deterministic: bool = True) -> list[Launch] | None:
    """Launches of segment_spread and segment_of_row."""
    offsets, rows = node.args[-1], node.shape[0]
    roots = [view_of(a).root for a in node.args if isinstance(a, Node)]
    kernel = _begun(node.op.name if node.op else "", offsets, rows, {}, node, *roots)
    if kernel is None:
        return None
    if node.op is sg.segment_of_row:
        kernel.writes("z", node, node.dtype)
        return _by_rows(kernel, "        z[p] = segment_of(p, offsets, pace, count);", node.size)
    x = node.args[0]
    if not isinstance(x, Node) or not x.size:
        return None
    v = view_of(x)
    kernel.writes("z", node, node.dtype)
    kernel.reads("x", v, x.dtype)
    kernel.number("step", v.strides[0])
    tail = v.shape[1:]
    sizes, (of_x, of_row) = joined(
        (rows, *tail), [(0, *v.strides[1:]), (1, *(0,) * len(tail))]
    )  # fmt: skip
    body = "        " + kernel.walk("p", sizes, {"at": of_x, "row": of_row})
    body += "\n        z[p] = x[at + segment_of(row, offsets, pace, count) * step];"
    return _by_rows(kernel, body, node.size)


def sharing(node: Node, deterministic: bool = True) -> list[Launch] | None:
    """Launches of segment_shares: exp(x − z) λ with the z and λ of each row's segment."""
    x, z, lam, offsets = node.args
    views = [view_of(a) for a in (x, z, lam)]
    if 0 in views[1].shape:
        return None
    kernel = _begun("segment_shares", offsets, node.shape[0], {}, node, *[v.root for v in views])
    if kernel is None:
        return None
    kernel.writes("out", node, node.dtype)
    for name, v in zip(("x", "z", "lam"), views, strict=True):
        kernel.reads(name, v, node.dtype)
        kernel.number(f"{name}_step", v.strides[0])
    return _by_rows(
        kernel,
        "        const $I k = segment_of(p, offsets, pace, count);\n"
        "        out[p] = exp_of(x[p * x_step] - z[k * z_step]) * lam[k * lam_step];",
        node.size,
    )


PLANNERS: dict[Any, Callable[[Node, bool], list[Launch] | None]] = {
    sg.segment_sum: reduction, sg.segment_max: reduction, sg.segment_logsumexp: reduction,
    sg.segment_of_row: spreading, spread: spreading, shares: sharing,
}  # fmt: skip
