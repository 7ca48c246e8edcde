"""What a solver can say of its answer, in words."""

from __future__ import annotations

from enum import Enum


class Status(Enum):
    """The verdict of a solver; a member's value is the message, filled in by `Solution.message`."""

    SOLVED = "solved: the KKT conditions hold to {tolerance:.0e}"
    SADDLE = (
        "a saddle: the KKT conditions hold to {tolerance:.0e}, but f decreases along the certificate, a "
        "feasible direction of negative curvature"
    )
    INFEASIBLE = (
        "infeasible: the smallest violation found is {violation:.3g}; the certificate's weights on the "
        "constraints balance their gradients, so no small step reduces it"
    )
    UNBOUNDED = "unbounded: f fell to {fun:.3g} and decreases further along the certificate's direction"
    UNQUALIFIED = (
        "no KKT multipliers: x is feasible and no step improves it, but the gradients of the constraints "
        "that bind are linearly dependent (by the certificate's weights), and multipliers that would balance "
        "∇f grow without limit"
    )
    RESTRICTED = (
        "the dual function is at its maximum and the constraints hold, but ∂L/∂x = {stationarity:.1e}: inner "
        "minimises over a set of its own, which has no multipliers here; state it by bounds"
    )
    STEPS = "stopped after {steps} steps at a worst KKT residual of {worst:.1e}; raise max_steps"
    STALLED = (
        "no further progress after {steps} steps: the worst KKT residual is {worst:.1e}, the tolerance "
        "{tolerance:.0e}; are f and the constraints smooth, and their scales within 1e8 of each other?"
    )


class Doubt(Enum):
    """What qualifies a solution without refuting it; a member's value is the message."""

    LICQ = (
        "the gradients of the active constraints are linearly dependent (LICQ fails): the multipliers are "
        "not unique, and shadow prices are one-sided"
    )
    WEAK = (
        "an active inequality has a zero multiplier (no strict complementarity): x* has a kink in its "
        "right-hand side, and dx*/db is that of relaxing it"
    )
    FLAT = (
        "the second-order sufficient condition fails: some direction changes L in neither first nor second "
        "order, so x may be one of many minima, or none"
    )
    LARGE = (
        "multipliers exceed 1e6 in the units of the first gradients: the constraint qualification fails, or "
        "nearly, and they depend on the tolerance"
    )
