"""Every row of the table has every property."""

from __future__ import annotations

import numpy as np
import pytest

from . import harness
from .cases import CASES

every_case = pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])


@every_case
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_value(case, kind):
    harness.check_value(case, kind)


@every_case
def test_first_order(case):
    harness.check_first_order(case, np.float64)


@every_case
def test_first_order_in_float32(case):
    harness.check_first_order(case, np.float32, differences=False)


@every_case
def test_operands_one_at_a_time(case):
    harness.check_one_at_a_time(case)


@every_case
def test_layouts(case):
    harness.check_layouts(case)


@every_case
def test_second_order(case):
    harness.check_second_order(case)
