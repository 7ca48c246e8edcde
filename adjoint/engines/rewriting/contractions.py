"""Rewrites of einsum: sums, transposes and matrix products, which regions and GEMM steps know how to run.

An einsum of several operands is a chain of pairs. A pair is one product of stacks of matrices: letters that
both have and the result keeps are the stack, those only one has are its rows or columns, the rest is summed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ...ops import broadcast as bc
from ...ops import elementwise as ew
from ...ops import shape as sh
from ...ops.abstract import Abstract
from ...ops.products import matmul
from ..graph import Graph, Node, Shape


def contracted(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """The result of an einsum, contracted pair by pair in the order that costs least."""
    inputs, output = params["subscripts"].split("->")
    words = inputs.split(",")
    sizes = _sizes(words, [x.shape if isinstance(x, Node) else np.shape(x) for x in args])
    operands = [_prepared(g, x, word, sizes, kind) for x, word in zip(args, words, strict=True)]
    if not all(isinstance(x, Node) for x, _ in operands):
        return None
    shapes = tuple([x.shape for x, _ in operands])
    left = ",".join([word for _, word in operands])
    for pair in _path(f"{left}->{''.join([c for c in output if c in left])}", shapes):
        chosen = [operands[k] for k in sorted(pair, reverse=True)]
        operands = [o for k, o in enumerate(operands) if k not in pair]
        kept = set(output).union(*[word for _, word in operands])
        operands.append(_pair(g, chosen, kept, output) if len(chosen) == 2 else _single(g, *chosen[0], kept))
    (result, word) = _single(g, *operands[0], set(output))
    ordered = g.call(sh.transpose, result, axes=tuple([word.index(c) for c in output if c in word]))
    # letters that stand for axes of length one in every operand have gone
    spread = tuple([sizes[c] if c in word else 1 for c in output])
    return g.call(bc.reshape, ordered, shape=spread)


def _sizes(words: Sequence[str], shapes: Sequence[Shape]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for word, shape in zip(words, shapes, strict=True):
        for c, n in zip(word, shape, strict=True):
            sizes[c] = n if sizes.get(c, 1) == 1 else sizes[c]
    return sizes


def _prepared(g: Graph, x: Any, word: str, sizes: dict[str, int], kind: Abstract) -> tuple[Any, str]:
    """An operand in the result's dtype, without its axes of length one, which neither move nor sum."""
    if not isinstance(x, Node):
        x = g.call(bc.broadcast_to, np.asarray(x).astype(kind.dtype)[()], shape=np.shape(x))
    kept = [k for k, n in enumerate(x.shape) if n != 1]
    x = g.call(bc.reshape, x, shape=tuple([x.shape[k] for k in kept]))
    return g.call(bc.astype, x, dtype=kind.dtype), "".join([word[k] for k in kept])


@lru_cache(maxsize=1024)
def _path(subscripts: str, shapes: tuple[Shape, ...]) -> list[tuple[int, ...]]:
    """Which two operands to contract next, each result standing last among those that remain."""
    count = len(shapes)
    if count < 3:
        return [(0, 1)] if count == 2 else []
    order = "optimal" if count < 5 else "greedy"  # the search for the best takes count! steps
    steps = np.einsum_path(subscripts, *[np.broadcast_to(0.0, s) for s in shapes], optimize=order)[0][1:]
    pairs: list[tuple[int, ...]] = []
    for step in steps:
        rest = list(step)
        while len(rest) > 1:  # NumPy may contract several at once
            first, second, *others = rest
            pairs.append((first, second))
            count -= 1
            rest = [count - 1] + [k - (first < k) - (second < k) for k in others]
    return pairs


def _single(g: Graph, x: Any, word: str, kept: set[str]) -> tuple[Any, str]:
    """Sum over the letters that nobody else has."""
    axes = tuple([k for k, c in enumerate(word) if c not in kept])
    if not axes:
        return x, word
    total = g.call(bc.sum_, x, axis=axes, keepdims=False)
    return g.call(bc.astype, total, dtype=x.dtype), "".join([c for c in word if c in kept])


def _pair(g: Graph, pair: Sequence[tuple[Any, str]], kept: set[str], output: str) -> tuple[Any, str]:
    """Two operands as one: a product of stacks of matrices, or of elements where nothing is summed."""
    first, second = pair
    x, left = _single(g, *first, kept | set(second[1]))
    y, right = _single(g, *second, kept | set(first[1]))
    if _ends(left, right, output):  # the columns of the product are the last axes of the result
        x, left, y, right = y, right, x, left
    stack = [c for c in left if c in right and c in kept]
    summed = [c for c in left if c in right and c not in kept]
    rows, columns = [c for c in left if c not in right], [c for c in right if c not in left]
    if output:
        stack.sort(key=lambda c: output.find(c))
    if not summed or x.dtype.kind != "f":
        return _by_elements(g, (x, left), (y, right), [*stack, *rows, *columns], summed)
    x, x_shape = _matrices(g, x, left, stack, rows, summed)
    y, y_shape = _matrices(g, y, right, stack, summed, columns)
    z = g.call(matmul, x, y)
    depth = len(stack)
    sizes = (*x_shape[: depth + len(rows)], *y_shape[depth + len(summed) :])
    return g.call(bc.reshape, z, shape=sizes), "".join([*stack, *rows, *columns])


def _ends(left: str, right: str, output: str) -> bool:
    """Whether the last axis of the result that only one operand has is the first operand's."""
    alone = [c for c in output if (c in left) != (c in right)]
    return bool(alone) and alone[-1] in left


def _matrices(
    g: Graph, x: Any, word: str, stack: Sequence[str], rows: Sequence[str], columns: Sequence[str]
) -> tuple[Any, Shape]:
    """(…stack, rows, columns) with rows and columns one axis each, and the shape before they were joined."""
    ordered = g.call(sh.transpose, x, axes=tuple([word.index(c) for c in (*stack, *rows, *columns)]))
    shape = ordered.shape
    cut, end = len(stack), len(stack) + len(rows)
    joined = (*shape[:cut], math.prod(shape[cut:end]), math.prod(shape[end:]))
    return g.call(bc.reshape, ordered, shape=joined), shape


def _by_elements(
    g: Graph, first: tuple[Any, str], second: tuple[Any, str], kept: Sequence[str], summed: Sequence[str]
) -> tuple[Any, str]:
    """Σ x·y over all letters at once: what has no matrix product joins a region."""
    letters = [*kept, *summed]
    factors = []
    for x, word in (first, second):
        order = [c for c in letters if c in word]
        moved = g.call(sh.transpose, x, axes=tuple([word.index(c) for c in order]))
        sizes = dict(zip(order, moved.shape, strict=True))
        factors.append(g.call(bc.reshape, moved, shape=tuple([sizes.get(c, 1) for c in letters])))
    product = g.call(ew.multiply, *factors)
    axes = tuple(range(len(kept), len(letters)))
    if axes:
        product = g.call(
            bc.astype, g.call(bc.sum_, product, axis=axes, keepdims=False), dtype=factors[0].dtype
        )
    return product, "".join(kept)
