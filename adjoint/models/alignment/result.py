"""What `align` returns: multipliers with their errors, a certificate, and what the policy gives.

Sign convention: maximize E r − β KL subject to E g ≥ b, and λ ≥ 0 is what one unit less of b is worth:
dP*/db = −λ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import UnknownNameError, refusal
from ...ops.sides import host_only
from ...problems import Residuals
from ...text import number, table
from ..base import DataError, Floats
from .constraints import Constraint
from .evaluate import Local, Point
from .feasibility import Infeasibility
from .partitions import Distributed, Partitions
from .scores import Scores

if TYPE_CHECKING:
    from .pareto import Pareto


class Status(Enum):
    """The verdict; a member's value is the message, filled in by `Alignment.message`."""

    SOLVED = "solved: the multipliers are optimal, to {tolerance:.0e} of the utilities' ranges"
    INFEASIBLE = "infeasible on these samples: no policy over these responses meets all constraints"
    NO_SLATER = (
        "feasible, but no policy meets all constraints strictly (Slater's condition fails): multipliers may "
        "be unbounded or not unique, and those shown depend on the tolerance; lower a level"
    )
    SLACK_BUDGET = (
        "the KL budget does not bind: the best responses at hand cost {kl:.4g} nats of {budget:.4g}, and β "
        "would be 0; the policy shown is best of K, and more responses per prompt would let it spend more"
    )
    STOPPED = (
        "stopped after {steps} steps at a projected gradient of {projected_gradient:.1e}; are the scores' "
        "scales within 1e8 of each other, and β within 1e8 of the reward's?"
    )


@dataclass(frozen=True)
class Certificate:
    """Three numbers, all zero at an optimum.

    Attributes:
        violation: the largest b − E g, or KL − κ, at least 0; in the constraint's units.
        gap: λᵀ∇D: how much the dual value exceeds E r − β KL, or under a budget E r, exactly; at a feasible
            policy a bound on what any policy could gain.
        projected_gradient: the largest entry of ∇D that a λ ≥ 0 can still follow down.
    """

    violation: float
    gap: float
    projected_gradient: float


@dataclass(frozen=True)
class Bootstrap:
    """Multipliers of resampled prompts.

    Attributes:
        samples: (B, q): λ by constraint, and β last under a KL budget.
        standard_errors: by name.
        covariance: (q, q).
        failed: resamples without a solution, left out.
    """

    samples: Floats
    standard_errors: dict[str, float]
    covariance: Floats
    failed: int


@dataclass(frozen=True)
class Diagnostic:
    """One question asked of every answer.

    Attributes:
        name: what was looked at.
        value: a number, or several by name.
        text: what it means, as a warning; empty where there is nothing to warn of.
    """

    name: str
    value: float | dict[str, float]
    text: str = ""


@host_only
@dataclass(frozen=True, eq=False, repr=False)
class Alignment:
    """The solution of max E r − β KL(π ‖ π_ref) s.t. E g_j ≥ b_j, on given scores.

    Where the constraints are infeasible, `multipliers` is empty, β under a budget is 0, and the averages are
    those of the reference.

    Attributes:
        status: the verdict; `message` has it in words.
        data: what it was computed from, `Scores` or `Partitions`.
        constraints: as given.
        levels: name → b, absolute (of a relative constraint its level plus E_ref g).
        beta: β, given or the KL budget's multiplier.
        kl_budget: κ in nats, or None.
        multipliers: name → λ* ≥ 0, in units of r per unit of g.
        standard_errors: name → standard error of λ*, "beta" too under a budget; 0 for λ* = 0.
        covariance: (q, q) of λ, and β last under a budget: H⁻¹SH⁻¹/N on the active set.
        bootstrap: the same by resampling prompts, or None.
        objective: the dual value D = E r − β KL + λᵀ(E g − b); under a budget with + βκ.
        reward: E r of the optimal policy.
        utilities: name → E g, of all utilities.
        kl: E KL(π ‖ π_ref), in nats.
        reference_reward, reference_utilities: the same under the reference.
        certificate: violation, exact gap, projected gradient.
        residuals: the four KKT residuals, relative to 1 and to the gradient's size.
        response: (q, q): d(λ, β)/db, zero for slack constraints; under a budget its last column is −d/dκ.
        prompt_utilities: name → E[g | x] (N,) for the constrained ones.
        effective_sizes: 1 / Σ π² (N,): how many responses of each prompt count.
        share_below: name → share of prompts with E[g | x] < b.
        diagnostics: what could be wrong with trusting λ*.
        infeasibility: the Farkas report, or None.
        steps: Newton steps.
        tolerance: as given.
    """

    status: Status
    data: Scores | Partitions
    constraints: tuple[Constraint, ...]
    levels: dict[str, float]
    beta: float
    kl_budget: float | None
    multipliers: dict[str, float]
    standard_errors: dict[str, float]
    covariance: Floats
    bootstrap: Bootstrap | None
    objective: float
    reward: float
    utilities: dict[str, float]
    kl: float
    reference_reward: float
    reference_utilities: dict[str, float]
    certificate: Certificate
    residuals: Residuals
    response: Floats
    prompt_utilities: dict[str, Floats]
    effective_sizes: Floats
    share_below: dict[str, float]
    diagnostics: tuple[Diagnostic, ...] = ()
    infeasibility: Infeasibility | None = None
    steps: int = 0
    tolerance: float = 1e-10

    @property
    def scores(self) -> Scores:
        """What it was computed from.

        Raises:
            DataError: the scores lie in partitions.
        """
        if isinstance(self.data, Scores):
            return self.data
        what = f"the scores lie in {len(self.data.parts)} partitions, not in this process"
        raise refusal(DataError, what, "See .data.parts.")

    @property
    def success(self) -> bool:
        """Whether the multipliers are optimal."""
        return self.status is Status.SOLVED

    @property
    def message(self) -> str:
        """The verdict in words."""
        return self.status.value.format(
            tolerance=self.tolerance, kl=self.kl, budget=self.kl_budget or 0.0, steps=self.steps,
            projected_gradient=self.certificate.projected_gradient,
        )  # fmt: skip

    @property
    def warnings(self) -> tuple[str, ...]:
        """The texts of the diagnostics that warn."""
        return tuple(d.text for d in self.diagnostics if d.text)

    @property
    def level_response(self) -> Floats:
        """dλ/db (m, m): β (E Cov)⁻¹ on the active set.

        Raises:
            DataError: there is no policy.
        """
        self._check_solved("level_response")
        m = len(self.constraints)
        return self.response[:m, :m]

    @property
    def value_response(self) -> dict[str, float]:
        """dP*/db = −λ by name; and dP*/dβ = −KL as "beta", or dP*/dκ = β as "kl_budget".

        Raises:
            DataError: there is no policy.
        """
        self._check_solved("value_response")
        prices = {name: -lam + 0.0 for name, lam in self.multipliers.items()}
        last = {"beta": -self.kl} if self.kl_budget is None else {"kl_budget": self.beta}
        return prices | last

    def weights(self) -> Floats:
        """π* (n,): the optimal policy's share of each response, adding to 1 within every prompt.

        Raises:
            DataError: there is no policy.
        """
        self._check_solved("weights")
        if isinstance(self.data, Scores):
            return Local(self.data, list(self.multipliers)).weights(self._point())
        pieces = self.delayed_weights()
        return np.concatenate([piece.compute() for piece in pieces])

    def delayed_weights(self) -> list[Any]:
        """π* of scores in partitions: one dask.delayed array per partition, for who writes them apart.

        Raises:
            DataError: the scores lie in this process, or there is no policy.
        """
        self._check_solved("delayed_weights")
        if isinstance(self.data, Scores):
            raise refusal(DataError, "the scores lie in this process, not in partitions", "Call weights().")
        return Distributed(self.data, list(self.multipliers)).delayed_weights(self._point())

    def _point(self) -> Point:
        lam, levels = (np.array(list(one.values())) for one in (self.multipliers, self.levels))
        return Point(1 / self.beta, lam / self.beta, self.reference_reward, levels)

    def pareto(self, name: str, levels: Sequence[float]) -> Pareto:
        """The same problem at other levels of one constraint: what each costs.

        Args:
            name: a constraint; or any utility, which is then constrained too.
            levels: b, absolute or relative as that constraint is.
        """
        from .pareto import pareto

        return pareto(self, name, levels)

    def diagnostic(self, name: str) -> Diagnostic:
        """One of the diagnostics.

        Raises:
            UnknownNameError: there is none of that name.
        """
        for one in self.diagnostics:
            if one.name == name:
                return one
        there = ", ".join(repr(d.name) for d in self.diagnostics) or "none"
        raise refusal(UnknownNameError, f"no diagnostic {name!r}; there are {there}")

    def _check_solved(self, what: str) -> None:
        if self.infeasibility is not None:
            raise refusal(DataError, f"{what}: there is no policy; {self.message}", "See .infeasibility.")

    def __repr__(self) -> str:
        lines = [f"Alignment: {self.message}"]
        if self.infeasibility is not None:
            return "\n".join([*lines, repr(self.infeasibility)])
        kind = "given" if self.kl_budget is None else f"multiplier of KL ≤ {self.kl_budget:g}"
        lines.append(
            f"  β = {self.beta:.6g} ({kind}), E r = {self.reward:.6g} "
            f"(reference {self.reference_reward:.6g}), KL = {self.kl:.4g} nats"
        )
        rows = [self._row(one) for one in self.constraints]
        if rows:
            heads = ["constraint", "E g", "reference", "λ", "± s.e.", "prompts below"]
            lines += ["  " + row for row in table(heads, rows, right=(1, 2, 3, 4, 5)).splitlines()]
        c = self.certificate
        lines.append(
            f"  certificate: violation {c.violation:.1e}, duality gap {c.gap:.1e}, "
            f"projected gradient {c.projected_gradient:.1e}"
        )
        lines += [f"  warning: {text}" for text in self.warnings]
        return "\n".join(lines)

    def _row(self, one: Constraint) -> list[str]:
        name = one.name
        size = float(np.max(np.abs(self.prompt_utilities[name])))
        averages = [number(means[name], size) for means in (self.utilities, self.reference_utilities)]
        found = [number(values[name]) for values in (self.multipliers, self.standard_errors)]
        return [str(one), *averages, *found, f"{100 * self.share_below[name]:.1f} %"]
