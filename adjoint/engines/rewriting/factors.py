"""Rewrites of dense linear algebra: what a factorisation's readers need of it, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ops import shape as sh
from ...ops.abstract import Abstract
from ...ops.determinants import slogdet
from ...ops.factorize import cholesky
from ...ops.linalg import solve_triangular
from ...ops.primitive import Primitive
from ..graph import Graph, Node


class _OfSlogdet(Primitive):
    """One of slogdet's two results."""

    def __init__(self, name: str, part: int) -> None:
        self.name, self.part = name, part

    def value(self, a: Any) -> Any:
        return np.linalg.slogdet(a)[self.part]

    def abstract(self, a: Any) -> Abstract:
        kinds = slogdet.abstract(a)
        assert isinstance(kinds, tuple)
        return kinds[self.part]


sign_det, log_abs_det = _OfSlogdet("sign_det", 0), _OfSlogdet("log_abs_det", 1)


def item(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """One of slogdet's results is a determinant's sign, or the logarithm of its size."""
    x = args[0]
    if not isinstance(x, Node) or x.op is not slogdet:
        return None
    return g.call((sign_det, log_abs_det)[params["k"]], *x.args)


def solve(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """A Cholesky factor is a triangle, and its diagonal is positive."""
    a, b = args
    transposed = False
    if isinstance(a, Node) and a.op is sh.transpose:
        n = len(a.shape)
        if a.params["axes"] != (*range(n - 2), n - 1, n - 2):
            return None
        a, transposed = a.args[0], True
    if not isinstance(a, Node) or a.op is not cholesky or getattr(b, "dtype", None) != a.dtype:
        return None
    return g.call(solve_triangular, a, b, lower=True, transposed=transposed, unit=False)
