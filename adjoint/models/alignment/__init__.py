"""Constrained alignment of a softmax policy: from scores of responses to multipliers with a certificate.

Maximize E r − β KL(π ‖ π_ref) subject to E g_j ≥ b_j: `align` solves the dual on sampled responses.
"""

from .align import Progress, align
from .constraints import Constraint
from .feasibility import Infeasibility
from .pareto import Pareto
from .result import Alignment, Bootstrap, Certificate, Diagnostic, Status
from .scores import Scores

__all__ = [
    "Alignment", "Bootstrap", "Certificate", "Constraint", "Diagnostic", "Infeasibility", "Pareto",
    "Progress", "Scores", "Status", "align",
]  # fmt: skip
