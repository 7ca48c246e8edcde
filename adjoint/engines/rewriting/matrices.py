"""Rewrites of matrix products: with vectors and of integers they join regions, the rest are of one dtype."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...ops import broadcast as bc
from ...ops import elementwise as ew
from ...ops import shape as sh
from ...ops.abstract import Abstract
from ...ops.products import matmul
from ..graph import Graph, Node
from ..views import view_of


def product(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """A product with a vector is a reduction, an outer product is elementwise: both join regions."""
    x, y = args
    if len(x.shape) == 1 or len(y.shape) == 1:
        x2 = g.call(bc.reshape, x, shape=(1, *x.shape)) if len(x.shape) == 1 else x
        y2 = g.call(bc.reshape, y, shape=(*y.shape, 1)) if len(y.shape) == 1 else y
        return g.call(bc.reshape, g.call(matmul, x2, y2), shape=kind.shape)
    if x.dtype != y.dtype and kind.dtype.kind == "f":  # GEMM steps multiply one dtype
        return g.call(matmul, *[g.call(bc.astype, a, dtype=kind.dtype) for a in args])
    rows, inner, columns = x.shape[-2], x.shape[-1], y.shape[-1]
    if kind.dtype.kind in "iu":
        z = g.call(ew.multiply, g.call(bc.reshape, x, shape=(*x.shape, 1)), _inserted(g, y))
        return g.call(bc.astype, g.call(bc.sum_, z, axis=(len(z.shape) - 2,)), dtype=kind.dtype)
    if inner == 1:
        return g.call(bc.astype, g.call(ew.multiply, x, y), dtype=kind.dtype)
    if columns == 1:
        product = _matrix_vector(g, x, _swap(g, y))
    elif rows == 1:
        product = _matrix_vector(g, _swap(g, y), x)
    else:
        return None
    return g.call(bc.reshape, g.call(bc.astype, product, dtype=kind.dtype), shape=kind.shape)


def _inserted(g: Graph, y: Node) -> Any:
    return g.call(bc.reshape, y, shape=(*y.shape[:-2], 1, *y.shape[-2:]))


def _swap(g: Graph, x: Node) -> Any:
    n = len(x.shape)
    return g.call(sh.transpose, x, axes=(*range(n - 2), n - 1, n - 2))


def _matrix_vector(g: Graph, matrix: Node, vector: Node) -> Any:
    """Σ_k matrix[…, m, k] vector[…, 1, k], run in the order in which the matrix lies in memory."""
    strides = view_of(matrix).strides
    if strides[-1] > strides[-2] > 0:
        product = g.call(ew.multiply, _swap(g, matrix), _swap(g, vector))
        return g.call(bc.sum_, product, axis=(len(product.shape) - 2,), keepdims=False)
    product = g.call(ew.multiply, matrix, vector)
    return g.call(bc.sum_, product, axis=(len(product.shape) - 1,), keepdims=False)
