"""Random programs, compiled: values, gradients and Hessian-vector products equal the eager sweep's."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad

from .harness import compare
from .programs import Draft, arguments, draft, everything

ORDINARY, MANY = 40, 500
FACTOR = {"float64": 1e3, "float32": 30}  # rounding adds up over the steps: of TOLERANCE

ONCE_WRONG = [
    Draft(((3, 1, 8), (3, 1, 8)), (("joined", 90, 34, 2199),), "float64", 57),  # a piece met merged columns
    Draft(
        ((17, 8), (17, 8), (8,)),
        (
            ("reduction", 94, 87, 234),
            ("repeated", 40, 57, 2229),
            ("reduction", 93, 10, 2740),
            ("joined", 88, 97, 4827),
        ),
        "float64",
        257,
    ),  # a reshape, run over its operand's axes, was written into its place with its own
]


def properties(d: Draft) -> None:
    f, args = everything(d), arguments(d)
    with np.errstate(all="ignore"):
        want = f(*args)
    try:
        compare(ad.compile(f)(*args), want, FACTOR[d.dtype])
    except Exception as error:
        error.add_note(repr(d))
        raise


@pytest.mark.parametrize("seed", range(ORDINARY))
def test_random_program(seed: int) -> None:
    properties(draft(seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(ORDINARY, MANY))
def test_many_random_programs(seed: int) -> None:
    properties(draft(seed))


@pytest.mark.parametrize("d", ONCE_WRONG, ids=lambda d: str(d.seed))
def test_programs_that_were_wrong_once(d: Draft) -> None:
    properties(d)
