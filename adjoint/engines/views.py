"""Views: what only renames the elements of another value, as offset and strides on its buffer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..ops import broadcast as bc
from ..ops import index as ix
from ..ops import shape as sh
from .graph import Node, Shape, restrided


class View(NamedTuple):
    """Element (i, j, …) is that of `root`'s C-ordered buffer at offset + i·strides[0] + j·strides[1] …."""

    root: Node
    offset: int
    shape: Shape
    strides: tuple[int, ...]


def contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """Strides of a C-ordered array, in elements."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def view_of(x: Node) -> View:
    """x as a view; of itself when it has a buffer of its own. Chains of any length, without recursion."""
    chain = []
    while x.view is None:
        chain.append(x)
        if not (x.op in _READERS and isinstance(x.args[0], Node)):
            x.view = View(x, 0, x.shape, contiguous(x.shape))
            break
        x = x.args[0]
    for node in reversed(chain):
        if node.view is None:
            node.view = _READERS[node.op](node, node.args[0].view) or View(
                node, 0, node.shape, contiguous(node.shape)
            )
    return chain[0].view if chain else x.view


def root_of(x: Node) -> Node:
    """The node in whose buffer x lies: `view_of(x).root`, without making views of what is none."""
    return view_of(x).root if x.op in _READERS else x


def _broadcast(x: Node, v: View) -> View:
    lead = len(x.shape) - len(v.shape)
    inner = [s if n == m else 0 for n, m, s in zip(v.shape, x.shape[lead:], v.strides, strict=True)]
    return View(v.root, v.offset, x.shape, (*(0,) * lead, *inner))


def _transposed(x: Node, v: View) -> View:
    return View(v.root, v.offset, x.shape, tuple([v.strides[k] for k in x.params["axes"]]))


def _flipped(x: Node, v: View) -> View:
    strides, offset = list(v.strides), v.offset
    for k in x.params["axis"]:
        offset += (v.shape[k] - 1) * strides[k]
        strides[k] = -strides[k]
    return View(v.root, offset, x.shape, tuple(strides))


def _indexed(x: Node, v: View) -> View | None:
    template = x.params["template"]
    if any(isinstance(part, str) for part in template) or not x.size:
        return None
    return sliced(v, template, x.shape)


def every_axis(template: tuple[Any, ...], ndim: int) -> tuple[Any, ...]:
    """An index with one part for every axis, besides None: whole slices in Ellipsis' stead, or behind it."""
    named = sum(part is not None and part is not Ellipsis for part in template)
    at = next((k for k, part in enumerate(template) if part is Ellipsis), len(template))
    return (*template[:at], *(slice(None),) * (ndim - named), *template[at + 1 :])


def stepped(part: slice, n: int, stride: int) -> tuple[int, int, int]:
    """What a slice keeps of an axis of n elements: the offset of the first, how many, and their stride."""
    kept = range(n)[part]
    return kept.start * stride, len(kept), kept.step * stride


def sliced(v: View, template: tuple[Any, ...], shape: Shape) -> View:
    """The view behind an index of integers, slices, None and Ellipsis; `shape` is its shape."""
    strides: list[int] = []
    offset, axis = v.offset, 0
    for part in every_axis(template, len(v.shape)):
        if part is None:
            strides.append(0)
            continue
        n, step = v.shape[axis], v.strides[axis]
        axis += 1
        if isinstance(part, slice):
            skip, _, stride = stepped(part, n, step)
            offset += skip
            strides.append(stride)
        else:
            offset += (int(part) % n) * step
    return View(v.root, offset, shape, tuple(strides))


def _of_constant(x: Node, v: View) -> View:
    return View(v.root, x.params["offset"], x.shape, x.params["strides"])


def _reshaped(x: Node, v: View) -> View | None:
    strides = restride(v.shape, v.strides, x.shape)
    return None if strides is None else View(v.root, v.offset, x.shape, strides)


def merged(shape: Sequence[int], strides: Sequence[int]) -> list[tuple[int, int]]:
    """(size, stride) of as few axes as describe the same elements in the same order."""
    blocks: list[tuple[int, int]] = []
    for n, s in zip(shape, strides, strict=True):
        if n == 1:
            continue
        if blocks and blocks[-1][1] == n * s:
            blocks[-1] = (blocks[-1][0] * n, s)
        else:
            blocks.append((n, s))
    return blocks


def whole(node: Node) -> View:
    """A node's own buffer."""
    return View(node, 0, node.shape, contiguous(node.shape))


def spread_over(shape: Shape, strides: Sequence[int], target: Shape) -> tuple[int, ...]:
    """Strides of an array over the axes that it broadcasts to; leading ones too many do not count."""
    extra = max(0, len(shape) - len(target))
    own = [0 if n == 1 else s for n, s in zip(shape[extra:], strides[extra:], strict=True)]
    return (*(0,) * (len(target) - len(own)), *own)


def joined(shape: Sequence[int], lists: Sequence[Sequence[int]]) -> tuple[Shape, list[tuple[int, ...]]]:
    """As few axes as describe the same elements in the same order to several readers at once."""
    sizes: list[int] = []
    strides: list[list[int]] = []
    for k, n in enumerate(shape):
        if n == 1:
            continue
        own = [s[k] for s in lists]
        if sizes and all(a == b * n for a, b in zip(strides[-1], own, strict=True)):
            sizes[-1], strides[-1] = sizes[-1] * n, own
        else:
            sizes.append(n)
            strides.append(own)
    return tuple(sizes), [tuple([s[k] for s in strides]) for k in range(len(lists))]


def around(x: Any, axis: int) -> tuple[View, list[tuple[int, int]]] | None:
    """(size, stride) of what comes before an axis of x, of the axis, and of what comes after it.

    None when the axes before or after it are not one axis to the reader.
    """
    if not isinstance(x, Node):
        return None
    v = view_of(x)
    parts: list[tuple[int, int]] = []
    for cut in (slice(0, axis), slice(axis, axis + 1), slice(axis + 1, None)):
        sizes, (strides,) = joined(v.shape[cut], [v.strides[cut]])
        if len(sizes) > 1:
            return None
        parts.append((math.prod(sizes), strides[0] if strides else 0))
    return v, parts


def restride(shape: Sequence[int], strides: Sequence[int], target: Sequence[int]) -> tuple[int, ...] | None:
    """The strides of a reshaped view, None when no strides describe it (it has to be copied)."""
    if 0 in shape:
        return None
    result = [0] * len(target)
    feed = iter([k for k, n in enumerate(target) if n != 1])
    for size, step in merged(shape, strides):
        covered, axes = 1, []
        while covered < size:
            axes.append(next(feed))
            covered *= target[axes[-1]]
        if covered != size:
            return None
        for k in axes:
            covered //= target[k]
            result[k] = covered * step
    return tuple(result)


_READERS: dict[Any, Any] = {
    bc.broadcast_to: _broadcast, bc.reshape: _reshaped, sh.transpose: _transposed, sh.flip: _flipped,
    ix.getitem: _indexed, restrided: _of_constant,
}  # fmt: skip
