"""`scipy.linalg`: triangular solves and what builds on them; every other name is SciPy's own."""

from __future__ import annotations

from typing import Any

from ..errors import MissingRuleError
from ..ops import linalg as la
from ..ops.broadcast import reshape
from ..ops.factorize import cholesky
from ..ops.primitive import shape_of
from ..ops.shape import swap_last

__all__ = ["cho_factor", "cho_solve", "solve_triangular"]


def solve_triangular(
    a: Any, b: Any, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False
) -> Any:
    """Solve a z = b (trans = 0) or aᵀ z = b (1 or "T"), reading one triangle of a.

    Only the triangle that is read has a derivative.

    Args:
        a: (…, n, n).
        b: (n,), or (…, n, k).
        trans: 0, 1, "N" or "T".
        lower: read the lower triangle; the upper one by default.
        unit_diagonal: take the diagonal as ones without reading it.
    """
    if trans not in (0, 1, "N", "T"):
        raise MissingRuleError(f"solve_triangular with trans={trans!r} has no rule; use 0 or 1")
    how = {"lower": bool(lower), "transposed": trans in (1, "T"), "unit": bool(unit_diagonal)}
    if len(shape_of(b)) == 1:
        z = la.solve_triangular(a, reshape(b, shape=(*shape_of(b), 1)), **how)
        return reshape(z, shape=shape_of(z)[:-1])
    return la.solve_triangular(a, b, **how)


def cho_factor(a: Any, lower: bool = False) -> tuple[Any, bool]:
    """The Cholesky factor and which triangle it fills, for `cho_solve`; the other triangle is zero."""
    factor = cholesky(la.mirror(a, lower=bool(lower)))
    return (factor if lower else swap_last(factor)), bool(lower)


def cho_solve(c_and_lower: tuple[Any, bool], b: Any) -> Any:
    """Solve (c cᵀ) z = b, or (cᵀ c) z = b, with the result of `cho_factor`."""
    c, lower = c_and_lower
    middle = solve_triangular(c, b, trans=0 if lower else 1, lower=lower)
    return solve_triangular(c, middle, trans=1 if lower else 0, lower=lower)


def __getattr__(name: str) -> Any:
    from scipy import linalg

    return getattr(linalg, name)


def __dir__() -> list[str]:
    from scipy import linalg

    return sorted({*__all__, *dir(linalg)})
