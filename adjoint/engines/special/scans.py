"""Running sums, and positions of extrema, along one axis of an array."""

from __future__ import annotations

from ...ops import index as ix
from ..graph import Node
from ..text import BOOL
from ..views import around, contiguous, whole
from .kernel import CHUNK, Kernel

BLOCK = 512  # columns that go along the axis together, with an accumulator each


def cumsum(node: Node) -> Kernel | None:
    """Kernel of z_k = x_0 + … + x_k; floats are added in float64."""
    axis = node.params["axis"]
    found = around(node.args[0], axis) if node.args[0].shape == node.shape else None
    if found is None:
        return None
    v, (lead, along, tail) = found
    kind = "float64" if node.dtype.kind == "f" else node.dtype.name
    value = "(x[{i}] != 0)" if v.root.dtype == BOOL else "x[{i}]"
    kernel = Kernel()
    kernel.array("z", whole(node), node.dtype)
    kernel.array("x", v, node.args[0].dtype)
    _sizes(kernel, lead, along, tail)
    if tail[0] == 1:
        value = value.format(i=_element(along))
        kernel.body = [
            "for r in range(lo, hi):",
            f"    total = types.{kind}(0)",
            "    for k in range(n):",
            f"        total += types.{kind}({value})",
            f"        z[r * n + k] = types.{node.dtype.name}(total)",
        ]
        return _by_rows(kernel, lead[0], along[0])
    kernel.stacks.append(("total", kind, BLOCK))
    kernel.body = [
        "for j in range(hi - lo):", "    total[j] = 0",
        "for k in range(n):",
        "    for j in range(hi - lo):",
        f"        total[j] += types.{kind}({value.format(i='r * ls + k * ns + (lo + j) * ts')})",
        f"        z[(r * n + k) * tail + lo + j] = types.{node.dtype.name}(total[j])",
    ]  # fmt: skip
    return _by_columns(kernel, lead[0], tail[0])


def position(node: Node) -> Kernel | None:
    """Kernel of argmax and argmin: the first of equal ones, the first NaN before all numbers."""
    x, axis = node.args[0], node.params["axis"]
    if not isinstance(x, Node) or x.dtype == BOOL:
        return None
    if axis is None:
        found = around(x, 0) if len(x.shape) <= 1 else None
    else:
        found = around(x, axis % len(x.shape)) if x.shape else None
    if axis is None and found is None and x.view.strides == contiguous(x.shape):
        found = x.view, [(1, 0), (x.size, 1), (1, 0)]
    if found is None:
        return None
    v, (lead, along, tail) = found
    better = ">" if node.op is ix.argmax else "<"
    kernel = Kernel()
    kernel.array("z", whole(node), node.dtype)
    kernel.array("x", v, x.dtype)
    _sizes(kernel, lead, along, tail)
    if tail[0] == 1:
        combine = f"best if best {better} v else v"
        if x.dtype.kind == "f":
            combine = f"{'max' if node.op is ix.argmax else 'min'}imum_f{8 * x.dtype.itemsize}(best, v)"
        kernel.body = _first_best(f"v = x[{_element(along)}]", better, combine)
        return _by_rows(kernel, lead[0], along[0])
    kernel.stacks += [("best", x.dtype.name, BLOCK), ("place", "int64", BLOCK)]
    kernel.body = [
        "for j in range(hi - lo):",
        "    best[j] = x[r * ls + (lo + j) * ts]", "    place[j] = 0",
        "for k in range(1, n):",
        "    for j in range(hi - lo):",
        "        v, b = x[r * ls + k * ns + (lo + j) * ts], best[j]",
        f"        wins = (v {better} b) | ((v != v) & (b == b))",
        "        best[j] = v if wins else b",
        "        place[j] = k if wins else place[j]",
        "for j in range(hi - lo):", "    z[r * tail + lo + j] = place[j]",
    ]  # fmt: skip
    return _by_columns(kernel, lead[0], tail[0])


def _first_best(load: str, better: str, combine: str) -> list[str]:
    """Per row: the extremum of each block as vectors, then a search in the first block that has the best."""
    return [
        "for r in range(lo, hi):",
        "    top, where = x[r * ls], 0",
        f"    for k0 in range(0, n, {BLOCK}):",
        "        k = k0",
        f"        {load}",
        "        best = v",
        f"        for k in range(k0, min(k0 + {BLOCK}, n)):",
        f"            {load}",
        f"            best = {combine}",
        f"        if best {better} top or (best != best and top == top):",
        "            top, where = best, k0",
        "    place = where",
        f"    for k in range(where, min(where + {BLOCK}, n)):",
        f"        {load}",
        "        if v == top or v != v:",
        "            place = k",
        "            break",
        "    z[r] = place",
    ]


def _element(along: tuple[int, int]) -> str:
    """Element k of row r; adjacent ones are said to be so, that they are loaded as vectors."""
    return "r * ls + k" if along[1] == 1 else "r * ls + k * ns"


def _sizes(kernel: Kernel, lead: tuple[int, int], along: tuple[int, int], tail: tuple[int, int]) -> None:
    for name, value in (("n", along[0]), ("ns", along[1]), ("ls", lead[1]), ("ts", tail[1])):
        kernel.number(name, value)


def _by_rows(kernel: Kernel, rows: int, each: int) -> Kernel:
    """Chunks of rows."""
    height = max(1, CHUNK // max(each, 1)) if rows * each > 2 * CHUNK else rows
    kernel.chunks = -(-rows // height)
    kernel.number("height", height)
    kernel.number("rows", rows)
    kernel.body = ["lo = chunk * height", "hi = min(lo + height, rows)", *kernel.body]
    return kernel


def _by_columns(kernel: Kernel, rows: int, columns: int) -> Kernel:
    """Chunks of columns, in each row of blocks."""
    blocks = -(-columns // BLOCK)
    kernel.chunks = rows * blocks
    kernel.number("blocks", blocks)
    kernel.number("tail", columns)
    head = ["r = chunk // blocks", f"lo = chunk % blocks * {BLOCK}", f"hi = min(lo + {BLOCK}, tail)"]
    kernel.body = [*head, *kernel.body]
    return kernel
