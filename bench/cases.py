"""The catalogue of wrong derivatives and hard functions, which lives with the tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from adjoint import tree as trees
from adjoint.check import Report
from tests.check.catalogue import HARD, WRONG, Case, Pair
from tests.check.catalogue.checking import checked, misplaced
from tests.check.catalogue.truth import twin, wrong_entries

__all__ = [
    "HARD",
    "WRONG",
    "Case",
    "Pair",
    "Report",
    "checked",
    "misplaced",
    "trees",
    "twin",
    "wrong_entries",
]
