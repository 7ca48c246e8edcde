"""Checks of derivatives, multipliers and rules.

Each returns a `Report`: true or false, with the text as its repr.
"""

from .certificate import certificate
from .gradients import gradients
from .kkt import KKTReport
from .multipliers import multipliers
from .pair import pair
from .report import CheckError, Finding, Place, Report, Summary
from .rules import all_rules, rule
from .training import TrainingReport, training

__all__ = [
    "CheckError",
    "Finding",
    "KKTReport",
    "Place",
    "Report",
    "Summary",
    "TrainingReport",
    "all_rules",
    "certificate",
    "gradients",
    "multipliers",
    "pair",
    "rule",
    "training",
]
