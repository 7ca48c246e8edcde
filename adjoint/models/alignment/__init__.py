"""Constrained alignment of a softmax policy: from scores of responses to multipliers with a certificate.

Maximize E r − β KL(π ‖ π_ref) subject to E g_j ≥ b_j: `align` solves the dual on sampled responses.

The theory on finite spaces: `FiniteProblem`, families of policies that cannot express every policy, iterative
dualization within them, and certificates of what that costs. Scores come from models fitted to preferences.
"""

from .align import Progress, align
from .bradley_terry import BradleyTerry, fit_bradley_terry
from .certificates import Bound, GapCertificate, certify
from .constraints import Constraint
from .constructions import mocan_scores, pecan_scores
from .exports import write_preferences, write_reward_weights, write_weights
from .families import Everything, Family, Floor, SimplexGrid, Union
from .feasibility import Infeasibility
from .finite import FiniteProblem
from .geometry import SupportingLine, image, lower_boundary, upper_boundary
from .iterative import Dualization, constant_rate, decreasing_rate, dualize, polyak_rate, projected_gradient
from .mixtures import ParametrizedDual, minimize_dual
from .parametrized import LogLinear, Network
from .pareto import Pareto
from .partitions import Partitions
from .preferences import Preferences, sample_preferences
from .reading import FileScores, read_scores
from .report import Report
from .result import Alignment, Bootstrap, Certificate, Diagnostic, Status
from .scores import Scores
from .training import Pair, dpo_loss, policy_advantages, policy_gradient_loss, read_preferences

# fmt: off
__all__ = [  # noqa: RUF022  (grouped by use)
    "align", "Scores", "Partitions", "Constraint", "Alignment", "Status", "Certificate", "Bootstrap",
    "Diagnostic", "Infeasibility", "Pareto", "Progress",
    # from a file to what trainers read
    "read_scores", "FileScores", "Report", "write_preferences", "write_reward_weights", "write_weights",
    # what trainers do with it
    "read_preferences", "Pair", "dpo_loss", "policy_advantages", "policy_gradient_loss",
    # scores from preferences
    "Preferences", "sample_preferences", "fit_bradley_terry", "BradleyTerry", "mocan_scores", "pecan_scores",
    # finite spaces, and families of policies on them
    "FiniteProblem", "Family", "Everything", "Floor", "SimplexGrid", "Union", "LogLinear", "Network",
    # duals of families
    "dualize", "Dualization", "constant_rate", "decreasing_rate", "polyak_rate", "projected_gradient",
    "minimize_dual", "ParametrizedDual", "certify", "GapCertificate", "Bound",
    # the picture of duality
    "image", "upper_boundary", "lower_boundary", "SupportingLine",
]
# fmt: on
