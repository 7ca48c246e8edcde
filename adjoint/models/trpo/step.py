"""One step of a policy within a trust region, as a function: parameters and a batch in, a `Solution` out.

The surrogate gain of parameters θ over those that collected the batch is Σ w A (π_θ(a|s)/π_old(a|s) − 1),
with weights w that sum to one. Its gradient, and that of the cost, come from one adjoint sweep each; products
with the Fisher matrix are Jᵀ(∇²KL(J v)): a tangent sweep to the policy's outputs, the curvature of the KL
there, an adjoint sweep back. The model of `quadratic` gives step and multipliers; backtracking makes the step
hold for the policy itself, or leaves the parameters as they are.

The advantages' scale does not matter to the step: dividing them by their standard deviation, as is usual,
divides λ by it too. Here they are only centered, so that λ stays in units of return per nat.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...errors import DomainError, ShapeError, refusal
from ...ops.sides import host_only
from ...problems import Constraint, Solution
from ...transforms.vectors import flatten
from ..base import DataError, check_count, check_number
from .batches import Batch, Direction, sweeps
from .policies import Policy
from .quadratic import Case, ConjugateGradients, Floats, Proposal, propose

FINITE = float(np.finfo(float).max)


class StepStatus(Enum):
    """What became of a step; a member's value is the message."""

    ACCEPTED = "accepted at {length:.3g} of the proposed length: {case}"
    RECOVERED = "taken at {length:.3g} of the proposed length: {case}"
    STATIONARY = "the parameters stay: {case}"
    REJECTED = (
        "the parameters stay: none of {trials} lengths keeps the KL within {delta:.3g}, improves the "
        "surrogate and respects the cost; raise max_backtracks, or lower delta"
    )
    STUCK = "the parameters stay, and the limit is not met: {case}"


class Trial(NamedTuple):
    """One length that backtracking tried.

    Attributes:
        length: the share of the proposed step.
        gain: of the surrogate, measured.
        kl: measured, in nats.
        cost: the cost's excess over its limit by the surrogate; 0 in TRPO.
        accepted: whether it was taken.
    """

    length: float
    gain: float
    kl: float
    cost: float
    accepted: bool


@dataclass(frozen=True, repr=False)
class PolicyStep(Solution):
    """A trust-region step. `x` holds the new parameters; the old ones, untouched, where none was accepted.

    As a `Solution` it is that of the quadratic model: `fun` = gᵀx, `residuals`, and multipliers["kl"] = λ, in
    units of the advantages per nat, multipliers["cost"] = ν, in those per unit of cost.

    Attributes:
        case: which constraints decided the model.
        direction: the whole step that the model proposes, in the parameters' containers.
        predicted_gain: −gᵀx, 2δλ where only the trust region binds.
        predicted_kl: ½ xᵀFx without damping: δ − ½ξ‖x‖² where the trust region binds.
        predicted_cost: the cost's excess over its limit after the step; 0 in TRPO.
        gain: of the surrogate, measured at the new parameters.
        kl: measured there, in nats, at most δ.
        cost: the cost's excess by the surrogate, measured there.
        search: what backtracking tried.
        delta: δ.
    """

    status: StepStatus  # type: ignore[assignment]  # of its own, with its own messages
    case: Case = Case.FREE
    direction: Any = None
    predicted_gain: float = 0.0
    predicted_kl: float = 0.0
    predicted_cost: float = 0.0
    gain: float = 0.0
    kl: float = 0.0
    cost: float = 0.0
    search: tuple[Trial, ...] = ()
    delta: float = 0.0

    @property
    def success(self) -> bool:
        """Whether the parameters moved by a KKT point of the model, or need not move."""
        return self.status in (StepStatus.ACCEPTED, StepStatus.STATIONARY)

    @property
    def length(self) -> float:
        """The share of the proposed step that was taken; 0 for none."""
        return next((trial.length for trial in self.search if trial.accepted), 0.0)

    @property
    def message(self) -> str:
        """The verdict in words, with its figures."""
        return self.status.value.format(
            length=self.length, case=self.case.value, trials=len(self.search), delta=self.delta
        )

    def __repr__(self) -> str:
        lines = [super().__repr__(), f"  gain {self.gain:.4g} (predicted {self.predicted_gain:.4g})"]
        lines.append(f"  KL {self.kl:.4g} of {self.delta:.4g} (predicted {self.predicted_kl:.4g})")
        if "cost" in self.constraints:
            lines.append(f"  excess of the cost {self.cost:.4g} (predicted {self.predicted_cost:.4g})")
        return "\n".join(lines)


@host_only
@dataclass(frozen=True)
class TrustRegion:
    """How a step is computed.

    Attributes:
        delta: δ, the radius in nats, > 0 and finite.
        damping: ξ ≥ 0.
        kl: whether KL(old ‖ new) or KL(new ‖ old) is kept within δ; the model is the same.
        center: subtract the advantages' mean.
        cg_steps: products with the Fisher matrix at most, for each inverse.
        cg_tolerance: relative residual at which to stop earlier.
        backtrack: factor between the lengths that are tried, in (0, 1).
        max_backtracks: lengths that are tried after the first.
        compiled: by `ad.compile`, which takes a second or two for the first batch of a policy; else eagerly.

    Raises:
        DataError: one of them is out of range.
    """

    delta: float = 0.01
    damping: float = 0.1
    kl: Direction = "old-new"
    center: bool = True
    cg_steps: int = 10
    cg_tolerance: float = 1e-10
    backtrack: float = 0.8
    max_backtracks: int = 10
    compiled: bool = True

    def __post_init__(self) -> None:
        if self.kl not in ("old-new", "new-old"):
            raise refusal(DataError, f"kl should be 'old-new' or 'new-old', got {self.kl!r}")
        check_number(self.delta, "delta", strict=True, high=FINITE)
        check_number(self.damping, "damping", high=FINITE)
        check_count(self.cg_steps, "cg_steps", low=1)
        check_number(self.cg_tolerance, "cg_tolerance")
        check_number(self.backtrack, "backtrack", strict=True, below=1)
        check_count(self.max_backtracks, "max_backtracks")


@host_only
def trpo_step(
    policy: Policy,
    params: Any,
    observations: ArrayLike,
    actions: ArrayLike,
    advantages: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    **options: Any,
) -> PolicyStep:
    """Maximize the surrogate return subject to mean KL ≤ δ.

    Solves min gᵀx s.t. ½ xᵀAx ≤ δ with A = F + ξI by its KKT conditions: x = −A⁻¹g/λ, λ = √(gᵀA⁻¹g / 2δ).
    Then it takes the longest of x, .8 x, .64 x, … that keeps the measured KL within δ and improves the
    surrogate.

    Args:
        policy: what acted.
        params: its parameters, nested containers of float arrays; they are not changed.
        observations: (T, …).
        actions: (T, …), as the policy's distribution makes them.
        advantages: (T,), in units of return.
        weights: (T,) ≥ 0, of the rows; equal ones if omitted. With the probabilities of all states and
            actions the step is exact.
        **options: of `TrustRegion`: delta=0.01, damping=0.1, …

    Returns:
        The step; `multipliers["kl"]` is λ ≥ 0 in return per nat: what a larger δ gains, to first order.

    Raises:
        DataError: an option out of range, NaN in the data.
        ShapeError: advantages or weights are not (T,).
        DomainError: the Fisher matrix is singular along the gradient, and there is no damping.

    Source: Schulman et al. 2015, arXiv:1502.05477, appendix C.

    >>> from adjoint.models.trpo import Categorical, Policy, trpo_step
    >>> bandit = Policy(lambda theta, states: theta[states], Categorical(2))
    >>> step = trpo_step(bandit, np.zeros((1, 2)), [0, 0], [0, 1], [1.0, -1.0], damping=0.0, compiled=False)
    >>> round(step.multipliers["kl"], 9), round(step.predicted_gain / 0.02, 9)
    (7.071067812, 7.071067812)
    """
    region = TrustRegion(**options)
    batch = Batch.of(params, observations, actions, weights)
    return _step(policy, batch, batch.advantages(region.center, advantages=advantages), None, region)


@host_only
def cpo_step(
    policy: Policy,
    params: Any,
    observations: ArrayLike,
    actions: ArrayLike,
    advantages: ArrayLike,
    cost_advantages: ArrayLike,
    excess: float,
    *,
    weights: ArrayLike | None = None,
    **options: Any,
) -> PolicyStep:
    """`trpo_step` under a limit on a cost: c + bᵀx ≤ 0.

    Args:
        policy: as in `trpo_step`.
        params: as there.
        observations: as there.
        actions: as there.
        advantages: as there.
        cost_advantages: (T,), of the cost.
        excess: c, the cost less its limit, on the scale on which the cost's advantages are: where those are
            per step, so is c. −∞ is no limit.
        weights: as in `trpo_step`.
        **options: of `TrustRegion`.

    Returns:
        The step, with multipliers["kl"] = λ and multipliers["cost"] = ν. Where no step within the trust
        region meets the limit, `status` is `StepStatus.RECOVERED` (`Case.RECOVERY`): the cost is reduced,
        and both multipliers are 0, since that is no KKT point.

    Raises:
        DataError: as in `trpo_step`; excess is no number, or ∞.
        ShapeError: as there.
        DomainError: as there.

    Source: Achiam et al. 2017, arXiv:1705.10528.
    """
    region = TrustRegion(**options)
    batch = Batch.of(params, observations, actions, weights)
    rows = batch.advantages(region.center, advantages=advantages, cost_advantages=cost_advantages)
    return _step(policy, batch, rows, check_number(excess, "excess", low=-np.inf, below=np.inf), region)


def _step(
    policy: Policy, batch: Batch, advantages: Floats, excess: float | None, region: TrustRegion
) -> PolicyStep:
    """The model, its solution, and the search along it; advantages (1, T), or (2, T) with the cost's."""
    of = sweeps(policy, region.kl, region.compiled)
    params, observations, actions, weights = batch
    theta, unflatten = flatten(params)
    outputs, before = of.begin(params, observations, actions)
    _check_outputs(before, weights)
    weighted = advantages * weights

    def gradient(k: int) -> Floats:
        found = of.gradient(params, before, observations, actions, weighted[k])
        g = np.asarray(flatten(found)[0], np.float64)
        # below the rounding of its terms: where a policy is sure, all that is left of a gradient of zero
        return np.where(np.max(np.abs(g)) > 1e-15 * np.max(np.abs(advantages[k])), g, 0.0)

    def product(v: Floats) -> Floats:
        found = of.fisher(params, outputs, observations, weights, unflatten(v))
        return np.asarray(flatten(found)[0], np.float64) + region.damping * v

    inverse = ConjugateGradients(product, region.cg_steps, region.cg_tolerance)
    g = -gradient(0)
    cost = None if excess is None else (excess, gradient(1))
    found = propose(g, region.delta, product, inverse, cost=cost)
    step = _unsearched(found, params, unflatten, region, excess)
    if step.status is not StepStatus.REJECTED:
        return step

    def measured(vector: Floats) -> tuple[Floats, float]:
        gains, divergence = of.measure(
            unflatten(vector), outputs, before, observations, actions, weighted, weights
        )
        return np.asarray(gains), float(divergence)

    if np.max(np.abs(found.x)) <= 1e-13 * max(1.0, float(np.max(np.abs(theta)))):
        return replace(step, status=StepStatus.STATIONARY)  # a step of rounding errors
    step = replace(step, predicted_kl=found.size - 0.5 * region.damping * float(found.x @ found.x))
    return _search(step, found, np.asarray(theta, np.float64), unflatten, measured, region, excess)


def _check_outputs(log_prob: Any, weights: Floats) -> None:
    if np.shape(log_prob) != weights.shape:
        what = f"the policy gives {np.shape(log_prob)} probabilities for {weights.shape} observations"
        raise refusal(ShapeError, what, "Its outputs should have one row per observation.")
    if not np.all(np.isfinite(log_prob)):
        k = int(np.argmin(np.isfinite(log_prob)))
        what = f"action {k} has log-probability {float(log_prob[k]):g} under the policy"
        raise refusal(DomainError, what, "Are these the actions that it took, and its parameters finite?")


def _unsearched(
    found: Proposal, params: Any, unflatten: Callable[..., Any], region: TrustRegion, excess: float | None
) -> PolicyStep:
    """The model's solution, before anything is tried; REJECTED stands for "not yet accepted"."""
    status = {Case.FREE: StepStatus.STATIONARY, Case.STUCK: StepStatus.STUCK}.get(
        found.case, StepStatus.REJECTED
    )
    binds = found.case in (Case.TRUST, Case.BOTH, Case.RECOVERY)
    constraints = {"kl": Constraint("≤", found.size - region.delta, found.lam, binds)}
    if excess is not None:
        constraints["cost"] = Constraint("≤", found.cost, found.nu, found.case in (Case.BOTH, Case.COST))
    return PolicyStep(
        x=params,
        fun=found.change,
        status=status,
        residuals=found.residuals,
        constraints=constraints,
        method="KKT conditions of the quadratic model, conjugate gradients",
        steps=1,
        case=found.case,
        direction=unflatten(found.x),
        predicted_gain=0.0 - found.change,
        predicted_cost=found.cost,
        cost=0.0 if excess is None else excess,
        delta=region.delta,
    )


def _search(
    step: PolicyStep,
    found: Proposal,
    theta: Floats,
    unflatten: Callable[..., Any],
    measured: Callable[[Floats], tuple[Floats, float]],
    region: TrustRegion,
    excess: float | None,
) -> PolicyStep:
    """The longest length that the policy itself bears."""
    trials: list[Trial] = []
    length = 1.0
    for _ in range(region.max_backtracks + 1):
        moved = theta + length * found.x
        gains, divergence = measured(moved)
        gain = float(gains[0])
        risen = float(gains[1]) if excess is not None else 0.0
        good = divergence <= region.delta and _improves(found, gain, risen, excess)
        trials.append(Trial(length, gain, divergence, (excess or 0.0) + risen, good))
        if good:
            status = StepStatus.RECOVERED if found.case is Case.RECOVERY else StepStatus.ACCEPTED
            return replace(
                step, x=unflatten(moved), status=status, gain=gain, kl=divergence,
                cost=trials[-1].cost, search=tuple(trials),
            )  # fmt: skip
        length *= region.backtrack
    return replace(step, search=tuple(trials))


def _improves(found: Proposal, gain: float, risen: float, excess: float | None) -> bool:
    """Whether what was measured is progress: a gain, or a cost that nears its limit.

    Where both constraints bind, the curvature of the cost often lifts it a little above the limit. The gain
    may pay for that at twice its price ν, an exact penalty; else steps near the limit shrink to nothing.
    """
    if not (math.isfinite(gain) and math.isfinite(risen)):
        return False
    if excess is None:
        return gain > 0
    above = max(excess + risen, 0.0) - max(excess, 0.0)
    if found.case is Case.BOTH and gain > 2 * found.nu * above:
        return True
    return above < 0 or (above == 0 and gain > 0)
