"""Trust regions with visible multipliers: TRPO, and CPO under a limit on a cost.

    maximize   E A(s, a) π(a|s)/π_old(a|s)   subject to   E KL(π_old ‖ π) ≤ δ   (and a cost within its limit)

`trpo_step` and `cpo_step` are functions: parameters and a batch in, a `Solution` out, whose multipliers λ (of
the KL) and ν (of the cost) say what a larger δ, and a looser limit, would gain. Sign convention: see
`adjoint.problems`.
"""

from .agents import TRPO, Iteration
from .constrained import CPO
from .environments import LQR, Box, CartPole, Discrete, Environment, Walk
from .mdp import MDP, hazard_grid, random_mdp, tabular_policy
from .policies import Categorical, DiagonalGaussian, Distribution, Policy, mlp_policy
from .quadratic import Case
from .step import PolicyStep, StepStatus, Trial, TrustRegion, cpo_step, trpo_step

# fmt: off
__all__ = [  # noqa: RUF022  (grouped by use)
    "trpo_step", "cpo_step", "TrustRegion", "PolicyStep", "StepStatus", "Trial", "Case",
    "TRPO", "CPO", "Iteration",
    "Policy", "Distribution", "Categorical", "DiagonalGaussian", "mlp_policy", "tabular_policy",
    "MDP", "random_mdp", "hazard_grid", "CartPole", "LQR", "Walk", "Environment", "Discrete", "Box",
]
# fmt: on
