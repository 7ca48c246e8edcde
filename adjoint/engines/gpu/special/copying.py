"""Views copied to where their elements lie one behind the other.

A matrix that lies transposed goes through tiles of shared memory: it is read along its own rows and written
along those of the copy, so that both sides move whole stretches of memory.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ....ops.elementwise import positive
from ...graph import Node
from ...views import View, contiguous, joined, view_of
from ..geometry import blocks_for
from ..kernel import Launch, Place, Scratch
from ..text import stored
from .kernel import THREADS, Kernel, is_far

SIDE = 32  # of a tile
NARROW = 8  # length of either axis below which tiles would be empty for the most part

TILES = """
    __shared__ $T tile[$SIDE][$SIDE + 1];  // one more column: reading down a column meets every bank
    const int x = threadIdx.x % $SIDE, y = threadIdx.x / $SIDE;
    const $I across = (m + $SIDE - 1) / $SIDE, down = (n + $SIDE - 1) / $SIDE;
    for ($I p = blockIdx.x; p < across * down * stack; p += gridDim.x) {
        const $I i0 = p % across * $SIDE, j0 = p / across % down * $SIDE, each = p / (across * down);
        $walk
        for (int k = y; k < $SIDE; k += $HIGH)
            if (i0 + x < m && j0 + k < n)
                tile[k][x] = v[from + (i0 + x) * step + (j0 + k) * row];
        __syncthreads();
        for (int k = y; k < $SIDE; k += $HIGH)
            if (i0 + k < m && j0 + x < n)
                z[to + (i0 + k) * pace + j0 + x] = tile[x][k];
        __syncthreads();  // before the next tile
    }
"""


class _Axis(NamedTuple):
    size: int
    source: int  # stride in the view
    target: int  # stride in the copy


def _as_real(v: View, dtype: np.dtype[Any]) -> tuple[View, np.dtype[Any]]:
    """Of a complex view the real and imaginary parts, as one more axis."""
    if dtype.kind != "c":
        return v, dtype
    strides = [2 * s for s in v.strides]
    return View(v.root, v.offset, (*v.shape, 2), (*strides, 1)), np.dtype(f"f{dtype.itemsize // 2}")


def _axes(v: View) -> list[_Axis]:
    sizes, (source, target) = joined(v.shape, [v.strides, contiguous(v.shape)])
    return [_Axis(*a) for a in zip(sizes, source, target, strict=True)]


def _near(axes: list[_Axis]) -> int | None:
    """The axis along which the view's elements are neighbours, when tiles are worth while."""
    if len(axes) < 2 or axes[-1].source in (0, 1, -1) or axes[-1].size < NARROW:
        return None
    near = min(range(len(axes) - 1), key=lambda k: abs(axes[k].source) or 1 << 62)
    good = 0 < abs(axes[near].source) < abs(axes[-1].source) and axes[near].size >= NARROW
    return near if good else None


def transpose_launch(v: View, target: Place | Scratch, dtype: np.dtype[Any]) -> Launch | None:
    """The copy of a view through tiles; None where it is read along its last axis anyway.

    Args:
        v: of any strides; elements may repeat.
        target: where the elements go, in C order; its memory is not the view's.
        dtype: of both.
    """
    if dtype.kind == "c":
        return None
    axes = _axes(v)
    near = _near(axes)
    if near is None:
        return None
    across, down = axes[near], axes[-1]
    others = [a for k, a in enumerate(axes[:-1]) if k != near]
    size = math.prod(v.shape)
    kernel = Kernel(
        "transpose",
        far=is_far(size, v.root),
        marks={"T": stored(dtype), "SIDE": SIDE, "HIGH": THREADS // SIDE},
    )
    _pointers(kernel, v, target, dtype)
    stack = math.prod(a.size for a in others)
    numbers = {
        "m": across.size, "n": down.size, "stack": stack, "step": across.source, "row": down.source,
        "pace": across.target,
    }  # fmt: skip
    for name, value in numbers.items():
        kernel.number(name, value)
    kernel.marks["walk"] = kernel.walk(
        "each",
        [a.size for a in others],
        {"from": [a.source for a in others], "to": [a.target for a in others]},
    )
    tiles = -(-across.size // SIDE) * -(-down.size // SIDE) * stack
    return kernel.launch(TILES, grid=blocks_for(tiles, 1))


def turned(node: Node) -> Launch | None:
    """The launch of a region that is nothing but the copy of a transposed view; None for any other.

    An elementwise kernel would read one element of every row it passes.
    """
    x = node.args[0]
    plain = node.op is positive and node.target is None and node.share is None and isinstance(x, Node)
    if not plain or x.dtype != node.dtype or x.size != node.size:
        return None
    return transpose_launch(view_of(x), Place(node), node.dtype)


def copy_launch(v: View, target: Place | Scratch, dtype: np.dtype[Any]) -> Launch:
    """The copy of a view, through tiles or element by element."""
    through = transpose_launch(v, target, dtype)
    if through is not None:
        return through
    v, dtype = _as_real(v, dtype)
    axes, size = _axes(v), math.prod(v.shape)
    kernel = Kernel("copy", far=is_far(size, 2 * v.root.size))
    _pointers(kernel, v, target, dtype)
    body = "        " + kernel.walk("p", [a.size for a in axes], {"from": [a.source for a in axes]})
    return kernel.over(body + "\n        z[p] = v[from];", size)


def _pointers(kernel: Kernel, v: View, target: Place | Scratch, dtype: np.dtype[Any]) -> None:
    if isinstance(target, Scratch):
        kernel.scratch("z", stored(dtype), target)
    else:
        kernel.writes("z", target, dtype)
    kernel.reads("v", v, dtype)
