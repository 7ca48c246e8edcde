"""What the catalogue says is true: where derivatives are wrong, and that the hard ones are right."""

from __future__ import annotations

import numpy as np
import pytest

from .catalogue import HARD, WRONG, Case
from .catalogue.truth import wrong_entries

STATEFUL = "wrong states"  # at the first call their derivatives are right, or f cannot be recorded
SECOND = "wrong second order"
each = pytest.mark.parametrize


def names(cases: list[Case]) -> list[str]:
    return [case.name for case in cases]


def test_there_are_enough_and_all_differ() -> None:
    assert len(WRONG) >= 180 and len(HARD) >= 160
    for cases in (WRONG, HARD):
        assert len(set(names(cases))) == len(cases) == len({case.what for case in cases})


@each("case", [c for c in WRONG if c.arguments and c.theme not in (STATEFUL, SECOND)], ids=lambda c: c.name)
def test_wrong_derivatives_are_wrong_where_they_are_said_to_be(case: Case) -> None:
    tolerance = 1e-9
    found = wrong_entries(case, tolerance)
    if case.name == "returned as float32":  # as wrong as float32 is
        assert case.build().gradient(*case.build().args).dtype == np.float32  # type: ignore[misc]
        return
    assert set(found) == set(case.arguments), found.keys()
    if case.index is not None:
        assert set(found[case.arguments[0]]) == set(case.index)


@each("case", [c for c in WRONG if c.theme == SECOND and c.build().hvp], ids=lambda c: c.name)
def test_wrong_second_derivatives_have_right_first_ones(case: Case) -> None:
    assert wrong_entries(case) == {}


LARGE = {c.name: pytest.mark.slow for c in HARD if c.name.startswith("a million")}


@each("case", [pytest.param(c, marks=LARGE.get(c.name, ()), id=c.name) for c in HARD if c.smooth])
def test_hard_functions_have_the_derivatives_that_the_catalogue_gives(case: Case) -> None:
    assert wrong_entries(case, 1e-6) == {}
