"""Constrained problems whose answers come with Lagrange multipliers, residuals and a verdict.

The sign convention of the whole library, stated here and nowhere else:

    minimise f(x)   subject to   h(x) = 0,   g(x) ≤ 0
    L(x, ν, μ) = f(x) + νᵀ h(x) + μᵀ g(x),   μ ≥ 0

    KKT:  ∇ₓL = 0,   h = 0 and g ≤ 0,   μ ≥ 0,   μₖ gₖ = 0
    shadow prices:  for h(x) = c, df*/dc = −ν;   for g(x) ≤ b, df*/db = −μ

To maximise, minimise the negative. `ineq` means g ≤ 0 everywhere (SciPy has it the other way round).
Multipliers are KKT values; the signed derivative of f* by a right-hand side is `Solution.sensitivity`.
"""

from .collect import constrain
from .problem import Problem, Settings, minimize
from .solution import Constraint, Residuals, Sensitivity, Solution, Step
from .stochastic import Ascent
from .verdict import Doubt, Status

__all__ = [
    "Ascent", "Constraint", "Doubt", "Problem", "Residuals", "Sensitivity", "Settings", "Solution", "Status",
    "Step", "constrain", "minimize",
]  # fmt: skip
