"""Every row of the table has every property: a test for each row, for a test costs as much as a property."""

from __future__ import annotations

import numpy as np
import pytest

from . import harness
from .cases import CASES


@pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
def test_row(case):
    """Value; first order in both precisions, with operands one at a time, of any strides; second order."""
    for kind in (np.float64, np.float32):
        harness.check_value(case, kind)
    harness.check_first_order(case, np.float64)
    harness.check_first_order(case, np.float32, differences=False)
    harness.check_one_at_a_time(case)
    harness.check_layouts(case)
    harness.check_second_order(case)
