"""Every row of the table has every property: three tests of each, for a test costs as much as a property."""

from __future__ import annotations

import numpy as np
import pytest

from . import harness
from .cases import CASES

every_case = pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])


@every_case
def test_value(case):
    for kind in (np.float64, np.float32):
        harness.check_value(case, kind)


@every_case
def test_first_order(case):
    """In both precisions, with operands one at a time, and of any strides."""
    harness.check_first_order(case, np.float64)
    harness.check_first_order(case, np.float32, differences=False)
    harness.check_one_at_a_time(case)
    harness.check_layouts(case)


@every_case
def test_second_order(case):
    harness.check_second_order(case)
