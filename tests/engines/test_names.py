"""Every row of the table of NumPy programs, compiled: native, or by NumPy node by node, and never a crash."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import tree as trees

from ..numpy.cases import CASES
from ..numpy.harness import Case
from .harness import agree

TRIMMED = {c.name for c in CASES if c.name.startswith("trim_zeros")}
NEEDS_VALUES = {"unique", "unique counts", "x[x > 0]", "extract"} | TRIMMED  # the numbers decide the shape
# eager code sees that a matrix is singular and takes another rule; a compiled program complains
SINGULAR = {"det rank n−2", "det zero 2", "det zero 3", "det mixed"}


def first_of_each() -> set[str]:
    """One case of every function: names begin with it."""
    first: dict[str, str] = {}
    for case in CASES:
        first.setdefault(case.name.split()[0], case.name)
    return set(first.values())


ORDINARY = first_of_each()
every_case = pytest.mark.parametrize(
    "case",
    [pytest.param(c, id=c.name, marks=[] if c.name in ORDINARY else pytest.mark.slow) for c in CASES],
)


@every_case
def test_value_and_gradient(case: Case) -> None:
    def both(*args: Any) -> Any:
        def loss(*x: Any) -> Any:
            return sum(np.sum(np.sin(np.real(z))) for z in trees.flatten(case.function(*x))[0])

        return case.function(*args), ad.grad(loss, argnum=tuple(range(len(args))))(*args)

    args = case.arguments()
    if case.name in NEEDS_VALUES:
        with pytest.raises(ad.TraceError):
            ad.compile(both)(*args)
        return
    if case.name in SINGULAR:
        with pytest.raises(ad.DomainError, match="Singular matrix"):
            ad.compile(both)(*args)
        return
    agree(both, *args, factor=100)
