"""Dense linear algebra in compiled programs: which nodes have a native step.

Small matrices are factorised by kernels of our own, triangular solves of any size run on our products; larger
factorisations are LAPACK's, or run by NumPy. A kernel that finds no answer (a singular matrix) says so,
and the step runs again by NumPy, which has the words for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ...ops.determinants import det
from ...ops.factorize import cholesky
from ...ops.linalg import inv, solve, solve_triangular
from ..cpu import dense as cell
from ..graph import Node
from ..rewriting.factors import log_abs_det, sign_det
from ..views import View, contiguous, view_of
from .kernel import Kernel, Places
from .lapack import lapack

STRIP = 1024  # bytes of a row that one chunk of a triangular solve takes: a strip of 500 rows stays in cache
CHUNK = 1 << 16  # operations that one chunk of a batch takes


def _lead(node: Node) -> tuple[int, ...]:
    """The axes of the batch."""
    own = 0 if node.op in (det, sign_det, log_abs_det) else 2
    return node.shape[: len(node.shape) - own]


def _batches(node: Node, views: Sequence[View]) -> tuple[int, list[int]] | None:
    """How many matrices, and elements from one to the next, of operands and result; None if not constant."""
    lead = _lead(node)
    core = math.prod(node.shape[len(lead) :])
    lists = [(*(0,) * (len(lead) - len(v.shape) + 2), *v.strides[:-2]) for v in views]
    shapes = [(*(1,) * (len(lead) - len(v.shape) + 2), *v.shape[:-2]) for v in views]
    lists = [tuple([0 if n == 1 else s for n, s in zip(*both, strict=True)])
             for both in zip(shapes, lists, strict=True)]  # fmt: skip
    lists.append(tuple([core * s for s in contiguous(lead)]))
    axes = [k for k, n in enumerate(lead) if n != 1]
    for k, following in pairwise(axes):
        if any(s[k] != s[following] * lead[following] for s in lists):
            return None
    return math.prod(lead), [s[axes[-1]] if axes else 0 for s in lists]


class Dense:
    """A step's kernel and arguments; what the planner asks of it is what it asks of a `Kernel`.

    Attributes:
        cells: of the block: numbers, or the place of an array.
        chunks: parts that threads may share.
        status: the cell through which the kernel says that it found no answer.
        keep: arrays that must live as long as the step.
    """

    status, complaint = cell.STATUS, None

    def __init__(self, node: Node, views: Sequence[View], count: int, moves: Sequence[int]) -> None:
        assert node.op is not None
        self._names = node.op.name, node.dtype.name
        self.keep: list[np.ndarray] = []
        a, b = views[0], views[-1]
        n, k = a.shape[-1], b.shape[-1]
        triangular = node.op is solve_triangular
        transposed = triangular and node.params["transposed"]
        strides = a.strides[-2:][::-1] if transposed else a.strides[-2:]
        per_chunk = max(1, CHUNK // max(n * n * (n + k), 1))
        places: list[Places] = [(a.root, a.offset), (b.root, b.offset), (node, 0)]
        numbers = [n, k, *strides, *b.strides[-2:], count, moves[0], moves[-2], moves[-1], per_chunk, 0]
        self.cells: list[int | Places] = [*places, *map(int, numbers)]
        self.chunks = -(-count // per_chunk)
        if triangular:
            strip = min(k, STRIP // node.dtype.itemsize)
            self.chunks = count * -(-k // strip)
            products = self._products(node, n, k, strip, strides) if n > cell.PANEL and k > 1 else (0, 0, 0)
            self.cells += [strip, *products, node.params["lower"] == transposed, node.params["unit"]]

    def text(self) -> str:
        """The kernel's source."""
        return cell.text(*self._names)

    def _products(
        self, node: Node, n: int, k: int, strip: int, strides: Sequence[int]
    ) -> tuple[int, int, int]:
        """Of the products of a triangular solve: GEMM, where each chunk's arguments are, cells of each."""
        from ..cpu.gemm import plan_gemm

        planned = plan_gemm(
            node.dtype, cell.PANEL, strip, n, a_strides=(strides[0], strides[1]), b_strides=(k, 1), ldc=k,
            accumulate=True, rows=cell.PANEL,
        )  # fmt: skip
        blocks = np.tile(planned.block(), (self.chunks, 1))
        self.keep.append(blocks)
        return planned.address, blocks.ctypes.data, blocks.shape[1]


def dense(node: Node) -> Dense | Kernel | None:
    """The native step of a node, None when it has none."""
    views = [view_of(a) for a in node.args if isinstance(a, Node)]
    if len(views) != len(node.args) or node.dtype.name not in ("float32", "float64"):
        return None
    if any(v.root.dtype != node.dtype for v in views):
        return None
    if node.op is not solve_triangular and views[0].shape[-1] > cell.MOST:
        return lapack(node)
    found = _batches(node, views)
    return Dense(node, views, *found) if found is not None else None


PLANNERS = dict.fromkeys((solve_triangular, solve, inv, det, sign_det, log_abs_det, cholesky), dense)
