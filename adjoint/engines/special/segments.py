"""Ragged rows: reductions per segment, and values per segment repeated over its rows.

Threads share the rows: a chunk takes the segments that begin in its part of them, so long and short segments
mix freely. The next segment begins where the last one ended, whatever the offsets say: wrong ones are
reported, and never read or written beyond the arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import ShapeError
from ...ops import segment as sg
from ..graph import Node
from ..rewriting.ragged import shares, spread
from ..text import BOOL
from ..views import around, view_of, whole
from .kernel import CHUNK, Kernel

BLOCK = 1024  # rows of short segments whose exponentials are taken together, as vectors
WIDTH = 512  # columns that are reduced together
SUM_BLOCK = 2048  # elements that one running sum takes
FEW = 32  # rows up to which a loop without vectors is quicker: it has neither a prologue nor a rest
HELPERS = """
@njit(**OPTIONS)
def bound(offsets, step, count, rows, part, parts):
    if part == 0:
        return 0
    lo, hi = 0, count
    if part == parts:
        return count
    while lo < hi:
        middle = (lo + hi) // 2
        if offsets[middle * step] < rows * part // parts:
            lo = middle + 1
        else:
            hi = middle
    return lo
"""


def _begun(offsets: Any, rows: int, elements: int) -> Kernel | None:
    """A kernel whose chunk has segments lo … hi, the first of which begins at row `begin`."""
    if not isinstance(offsets, Node) or offsets.dtype.kind not in "iu":
        return None
    what = f"offsets must be integers that rise from 0 to len(x) = {rows}"
    kernel = Kernel(-(-elements // CHUNK) if elements > 2 * CHUNK else 1, (ShapeError, what))
    kernel.helpers = HELPERS
    v = view_of(offsets)
    kernel.array("offsets", v, offsets.dtype)
    for name, value in (
        ("step", v.strides[0]),
        ("count", v.shape[0] - 1),
        ("rows", rows),
        ("parts", kernel.chunks),
    ):
        kernel.number(name, value)
    kernel.body = [
        "wrong = chunk == 0 and (offsets[0] != 0 or offsets[count * step] != rows)",
        "for k in range(count * chunk // parts, count * (chunk + 1) // parts):",
        "    wrong |= offsets[k * step] > offsets[(k + 1) * step]",
        "if wrong:",
        "    fetch_min(status, 0)",
        "lo = bound(offsets, step, count, rows, chunk, parts)",
        "hi = bound(offsets, step, count, rows, chunk + 1, parts)",
        "begin = min(max(np.int64(offsets[lo * step]), 0), rows)",
    ]
    return kernel


END = "end = min(max(np.int64(offsets[(k + 1) * step]), begin), rows)"


def _indented(lines: list[str]) -> list[str]:
    return ["    " + x for x in lines]


def _over_segments(kernel: Kernel, body: list[str]) -> Kernel:
    """Run `body` for every segment k with rows begin … end."""
    kernel.body += ["for k in range(lo, hi):", *_indented([END, *body, "begin = end"])]
    return kernel


def reduction(node: Node) -> Kernel | None:
    """Kernel of segment_sum, segment_max and segment_logsumexp."""
    x, offsets = node.args
    found = around(x, 0)
    if found is None or x.dtype == BOOL or x.dtype != node.dtype:
        return None
    v, (_, (rows, row_step), (width, column_step)) = found
    kernel = _begun(offsets, rows, rows * width)
    if kernel is None or (node.dtype.kind != "f" and node.op is not sg.segment_sum):
        return None
    kernel.array("z", whole(node), node.dtype)
    kernel.array("x", v, node.dtype)
    if width > 1:
        kernel.number("width", width)
        kernel.number("rs", row_step)
        kernel.number("cs", column_step)
        return _wide(kernel, node, f"x[r * rs + c0 + j{' * cs' if column_step != 1 else ''}]")
    kernel.number("rs", row_step)
    return _single(kernel, node, "x[{r}]" if row_step == 1 else "x[({r}) * rs]")


def _sum(value: str, kind: str, begin: str, end: str) -> list[str]:
    """Add up a loop over r, one by one when there are few, else in blocks; floats end in float64."""
    suffix = {"float32": "_f32", "float64": "_f64"}.get(kind)
    add = f"add_reassoc{suffix}(part, {value})" if suffix else f"part + {value}"
    return [
        f"total = types.{'float64' if suffix else kind}(0)",
        f"if {end} - ({begin}) <= {FEW}:",
        f"    part = types.{kind}(0)",
        f"    for r in range({begin}, {end}):",
        f"        part += {value}",
        "    total += part",
        "else:",
        f"    for r0 in range({begin}, {end}, {SUM_BLOCK}):",
        f"        part = types.{kind}(0)",
        f"        for r in range(r0, min(r0 + {SUM_BLOCK}, {end})):",
        f"            part = {add}",
        "        total += part",
    ]


def _top(value: str, kind: str, begin: str, end: str) -> list[str]:
    return [
        f"top = types.{kind}(-INF)",
        f"if {end} - {begin} <= {FEW}:",
        f"    for r in range({begin}, {end}):",
        f"        v = {value}",
        "        top = v if v > top or v != v else top",
        "else:",
        f"    for r in range({begin}, {end}):",
        f"        top = maximum_f{kind[5:]}(top, {value})",
    ]


def _shift(kind: str) -> str:
    return f"shift = top if top - top == 0 else types.{kind}(0)"  # an infinity would make NaN


def _single(kernel: Kernel, node: Node, x: str) -> Kernel:
    """One number per row."""
    kind = node.dtype.name
    if node.op is sg.segment_sum:
        body = _sum(x.format(r="r"), kind, "begin", "end")
        return _over_segments(kernel, [*body, f"z[k] = types.{kind}(total)"])
    if node.op is sg.segment_max:
        return _over_segments(kernel, [*_top(x.format(r="r"), kind, "begin", "end"), "z[k] = top"])
    kernel.stacks += [(name, kind, BLOCK) for name in ("of_row", "of_segment", "sums")]
    bits = kind[5:]
    long = [
        END,
        *_top(x.format(r="r"), kind, "begin", "end"),
        _shift(kind),
        *_sum(f"exp_f{bits}({x.format(r='r')} - shift)", kind, "begin", "end"),
        f"z[first] = log_f{bits}(types.{kind}(total)) + shift",
        "begin = end",
        "k += 1",
    ]
    tops = [
        END,
        *_top(x.format(r="r"), kind, "begin", "end"),
        _shift(kind),
        "of_segment[k - first] = shift",
        "for r in range(begin, end):",
        "    of_row[r - start] = shift",
        "begin = end",
    ]
    sums = [
        END,
        *_sum("of_row[r]", kind, "begin - start", "end - start"),
        f"sums[k - first] = types.{kind}(total)",
        "begin = end",
    ]
    short = [
        "for k in range(first, last):", *_indented(tops),
        "for r in range(begin - start):",
        f"    of_row[r] = exp_f{bits}({x.format(r='start + r')} - of_row[r])",
        "begin = start",
        "for k in range(first, last):", *_indented(sums),
        "for k in range(last - first):",
        f"    z[first + k] = log_f{bits}(sums[k]) + of_segment[k]",
        "k = last",
    ]  # fmt: skip
    return _in_blocks(kernel, long, short)


def _in_blocks(kernel: Kernel, long: list[str], short: list[str]) -> Kernel:
    """Segments first … last of few rows from `start` on together; one that is long alone."""
    kernel.body += [
        "k = lo",
        "while k < hi:",
        "    first, start = k, begin",
        "    last = first",
        f"    while last < hi and last - first < {BLOCK}:",
        f"        if min(np.int64(offsets[(last + 1) * step]), rows) - start > {BLOCK}:",
        "            break",
        "        last += 1",
        "    if last == first:",
        *_indented(_indented(long)),
        "    else:",
        *_indented(_indented(short)),
    ]
    return kernel


def _wide(kernel: Kernel, node: Node, x: str) -> Kernel:
    """Rows of several columns, reduced next to each other."""
    kind = node.dtype.name
    bits, wide = kind[5:], "float64" if node.dtype.kind == "f" else kind
    kernel.stacks += [("total", wide, WIDTH), ("top", kind, WIDTH)]
    each = "for j in range(n):"
    rows = ["for r in range(begin, end):", f"    {each}"]
    body = []
    if node.op is not sg.segment_sum:
        body += [each, f"    top[j] = types.{kind}(-INF)"]
        body += [*rows, f"        top[j] = maximum_f{bits}(top[j], {x})"]
    if node.op is sg.segment_logsumexp:
        body += [each, f"    top[j] = top[j] if top[j] - top[j] == 0 else types.{kind}(0)"]
        x = f"exp_f{bits}({x} - top[j])"
    if node.op is not sg.segment_max:
        body += [each, "    total[j] = 0", *rows, f"        total[j] += {x}"]
    result = {
        sg.segment_sum: f"types.{kind}(total[j])",
        sg.segment_max: "top[j]",
        sg.segment_logsumexp: f"log_f{bits}(types.{kind}(total[j])) + top[j]",
    }[node.op]  # type: ignore[index]
    body += [each, f"    z[k * width + c0 + j] = {result}"]
    columns = [
        f"for c0 in range(0, width, {WIDTH}):",
        f"    n = min({WIDTH}, width - c0)",
        *_indented(body),
    ]
    return _over_segments(kernel, columns)


def spreading(node: Node) -> Kernel | None:
    """Kernel of segment_spread and segment_of_row."""
    offsets = node.args[-1]
    rows = node.shape[0]
    kernel = _begun(offsets, rows, node.size)
    if kernel is None:
        return None
    kernel.array("z", whole(node), node.dtype)
    if node.op is sg.segment_of_row:
        return _over_segments(kernel, ["for r in range(begin, end):", "    z[r] = k"])
    found = around(node.args[0], 0)
    if found is None or not node.args[0].size:
        return None
    v, (_, (_, row_step), (width, column_step)) = found
    kernel.array("x", v, node.dtype)
    kernel.number("rs", row_step)
    if width == 1:
        return _over_segments(
            kernel, ["value = x[k * rs]", "for r in range(begin, end):", "    z[r] = value"]
        )
    kernel.number("width", width)
    kernel.number("cs", column_step)
    column = "j" if column_step == 1 else "j * cs"
    inner = ["    for j in range(width):", f"        z[r * width + j] = x[k * rs + {column}]"]
    return _over_segments(kernel, ["for r in range(begin, end):", *inner])


def sharing(node: Node) -> Kernel | None:
    """Kernel of segment_shares."""
    x, z, lam, offsets = node.args
    kernel = _begun(offsets, node.shape[0], node.size)
    if kernel is None:
        return None
    kernel.array("out", whole(node), node.dtype)
    for name, a in (("x", x), ("z", z), ("lam", lam)):
        v = view_of(a)
        kernel.array(name, v, node.dtype)
        kernel.number(f"{name}_step", v.strides[0])
    kind = node.dtype.name
    kernel.stacks += [("of_z", kind, BLOCK), ("of_lam", kind, BLOCK)]
    exp = f"exp_f{kind[5:]}"
    row = "r" if view_of(x).strides[0] == 1 else "r * x_step"
    long = [
        END,
        "a, b = z[first * z_step], lam[first * lam_step]",
        "for r in range(begin, end):",
        f"    out[r] = {exp}(x[{row}] - a) * b",
        "begin = end",
        "k += 1",
    ]
    fill = [
        END,
        "a, b = z[k * z_step], lam[k * lam_step]",
        "for r in range(begin - start, end - start):", "    of_z[r] = a", "    of_lam[r] = b",
        "begin = end",
    ]  # fmt: skip
    short = [
        "for k in range(first, last):", *_indented(fill),
        "for r in range(start, begin):",
        f"    out[r] = {exp}(x[{row}] - of_z[r - start]) * of_lam[r - start]",
        "k = last",
    ]  # fmt: skip
    return _in_blocks(kernel, long, short)


PLANNERS: dict[Any, Callable[[Node], Kernel | None]] = {
    sg.segment_sum: reduction, sg.segment_max: reduction, sg.segment_logsumexp: reduction,
    sg.segment_of_row: spreading, spread: spreading, shares: sharing,
}  # fmt: skip
