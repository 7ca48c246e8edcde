"""Checks of derivatives, multipliers and rules.

Each returns a `Report`: true or false, with the text as its repr.

    pair, gradients → battery (which methods, in which order) → one file per method: state, products (dot
    product, linearity), line and slopes (differences, rates), complex_step, second; then locate (which
    entry), breaks (kinks and jumps by name), kinds (the likely mistake). `subject` is what all of them
    check; `adapters` make one of torch, jax, autograd and CasADi functions; `rules` uses the same battery.

    certificate → kkt (residuals and verdict); scipy_results, linprog_results and cvxpy_problems bring what
    other solvers return to its one sign convention. multipliers and training stand on their own.
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
