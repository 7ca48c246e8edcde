"""One support vector machine, solved and certified; and the verdict on one or several of them.

The primal problem over features φ, with m_i = s_i − y_i (wᵀφ(x_i) + b), where two classes have s = 1, c = 0,
and one class has s = 0, y = 1, c = ν Σ cost, b = −ρ:

    minimise ½‖w‖² + Σ cost_i ξ_i + c b   subject to   m_i − ξ_i ≤ 0 ("margin", μ_i),   −ξ_i ≤ 0 ("slack")

Its dual, over w = Σ μ_i y_i φ(x_i): minimise ½ μᵀ(yyᵀ∘K)μ − sᵀμ subject to 0 ≤ μ ≤ cost and yᵀμ = c
("balance", ν), where ν = b, and cost − μ are the multipliers of the slacks. Sign convention: see
`adjoint.problems`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from ..problems import Residuals
from .base import Floats
from .svm_solver import Program, solve


class FitStatus(Enum):
    """How a fit ended; a member's value is the message."""

    SOLVED = "solved: worst KKT residual {worst:.1e}, duality gap {gap:.1e} of objective {objective:.6g}"
    INDEFINITE = (
        "the kernel matrix is not positive semidefinite (eigenvalues from {least:.3g} to {largest:.3g}): "
        "this is a stationary point of a problem that is not convex (worst KKT residual {worst:.1e}); there "
        "may be better ones, and the duality gap certifies nothing"
    )
    STALLED = (
        "no further progress at a worst KKT residual of {worst:.1e}, duality gap {gap:.1e} of objective "
        "{objective:.6g}; scale the features, or lower C"
    )


class FitWarning(UserWarning):
    """A model was fitted, but its certificate does not hold; the text is its `message_`."""


@dataclass(frozen=True)
class Machine:
    """One machine with its certificate.

    Attributes:
        mu: (n,), the multipliers of the margins, in [0, cost].
        slack: (n,), those of ξ ≥ 0: cost − μ.
        nu: the multiplier of the balance, b.
        objective: ½‖w‖² + Σ cost ξ + c b.
        gap: objective − dual objective, ≥ 0 up to rounding: no other w is better by more.
        residuals: the four KKT residuals of the primal problem, relative to max(1, cost); with one class
            those of f − ρ are relative to max(1, ρ) besides.
        stalled: the solver gave up before its tolerance.
    """

    mu: Floats
    slack: Floats
    nu: float
    objective: float
    gap: float
    residuals: Residuals
    stalled: bool


def machine(K: Floats, y: Floats, s: float, cost: Floats, total: float, tolerance: float) -> Machine:
    """Solve and certify.

    Args:
        K: (n, n).
        y: (n,), ±1.
        s: 1 for two classes, 0 for one.
        cost: (n,), ≥ 0.
        total: c, what yᵀμ should be.
        tolerance: of y f − s where it should be 0; see `solve`.
    """
    up = y > 0
    program = Program(K, s * y, np.where(up, 0.0, -cost), np.where(up, cost, 0.0), total)
    point, nu = solve(program, tolerance)
    mu = y * point.beta + 0.0  # no −0
    seen = K @ point.beta
    margin = s - y * (seen + nu)
    xi = np.maximum(margin, 0.0)
    squared = float(point.beta @ seen)
    spent = float(cost @ xi) + total * nu
    scale = max(1.0, float(np.max(cost))) * (1.0 if s else max(1.0, abs(nu)))
    slack = cost - mu
    residuals = Residuals.of(
        np.array([scale]),
        np.array([np.sum(point.beta) - total]),
        [],
        np.concatenate([margin - xi, -xi]),
        np.concatenate([mu, slack]),
    )
    gap = squared + spent - s * float(np.sum(mu))
    return Machine(mu, slack, nu, 0.5 * squared + spent, gap, residuals, point.stalled)


def judge(machines: Sequence[Machine], ends: tuple[float, float] | None) -> tuple[FitStatus, str, Residuals]:
    """The verdict on all machines of one model, its text, and the worst of each residual.

    Args:
        machines: at least one.
        ends: the extreme eigenvalues of the kernel matrix, if it is not positive semidefinite.
    """
    worst = Residuals(
        *(
            max(getattr(m.residuals, name) for m in machines)
            for name in ("stationarity", "primal", "dual", "slackness")
        )
    )
    if ends is not None:
        verdict = FitStatus.INDEFINITE
    else:
        stalled = not worst.hold() or any(m.stalled for m in machines)
        verdict = FitStatus.STALLED if stalled else FitStatus.SOLVED
    least, largest = ends or (0.0, 0.0)
    text = verdict.value.format(
        worst=worst.worst, gap=sum(m.gap for m in machines), objective=sum(m.objective for m in machines),
        least=least, largest=largest,
    )  # fmt: skip
    return verdict, text, worst
