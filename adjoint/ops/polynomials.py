"""The roots of a polynomial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .abstract import Abstract
from .broadcast import fit
from .device import by_host
from .primitive import Args, Primitive, Samples, beside, register, shape_of
from .products import matmul


class Roots(Primitive):
    """z = the `count` roots of p_0 xⁿ + … + p_n, in NumPy's order and in `dtype`.

    From p(r) = 0: ṙ = −ṗ(r) / p′(r). That is infinite where roots coincide.
    """

    name = "roots"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((rng.uniform(1.0, 2.0, n + 1),), {"count": n, "dtype": np.dtype(complex)}) for n in (3, 1)]

    @by_host
    def value(self, p: Any, count: int, dtype: np.dtype[Any]) -> Any:
        p = np.asarray(p)
        z = np.roots(p.astype(np.result_type(p, np.float32)))
        if z.shape != (count,) or (z.dtype.kind == "c" and dtype.kind != "c"):
            raise ValueError(f"{count} {dtype} roots have become {z.size} {z.dtype} ones")
        return z.astype(dtype)

    def abstract(self, p: Any, count: int, dtype: np.dtype[Any]) -> Abstract:
        return Abstract((count,), dtype)

    def tangent(self, args: Args, z: Any, dots: Args, count: int, dtype: np.dtype[Any]) -> Any:
        powers, slope = _at_roots(args[0], z)
        return -matmul(powers, dots[0]) / slope

    def adjoint(
        self, args: Args, z: Any, lam: Any, wanted: Sequence[bool], count: int, dtype: np.dtype[Any]
    ) -> Sequence[Any]:
        powers, slope = _at_roots(args[0], z)
        return (fit(-matmul(lam / slope, powers), args[0]),)


def _at_roots(p: Any, z: Any) -> tuple[Any, Any]:
    """The powers zⁿ … z⁰ of every root, and p′ there."""
    exponents = beside(p).arange(shape_of(p)[0])[::-1]
    column = z[:, None]
    return column**exponents, matmul(column ** exponents[1:], p[:-1] * exponents[:-1])


roots = register(Roots())
