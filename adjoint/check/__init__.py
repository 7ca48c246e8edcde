"""Checks of derivatives, multipliers and rules.

Each returns a `Report`: true or false, with the text as its repr.
"""

from .gradients import gradients
from .multipliers import multipliers
from .pair import pair
from .report import CheckError, Finding, Place, Report
from .rules import all_rules, rule

__all__ = [
    "CheckError",
    "Finding",
    "Place",
    "Report",
    "all_rules",
    "gradients",
    "multipliers",
    "pair",
    "rule",
]
