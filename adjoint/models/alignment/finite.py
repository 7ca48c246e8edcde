"""Constrained alignment where everything can be enumerated: N prompts with K responses each.

    max_π E_x[ E_π r − β KL(π‖π_ref) ]  s.t. E_x E_π g_j ≥ b_j        L(π, λ) = E[ E_π(r + λᵀ(g − b)) − β KL ]
    D(λ) = max_π L(π, λ) = β E_x log Σ_y π_ref e^{s/β},  s = r + λᵀ(g − b);      π_λ ∝ π_ref e^{s/β}
    ∇D = E_x E_{π_λ}[g − b],   ∇²D = E_x Cov_{π_λ}(g | x) / β,   D(λ) − L(π, λ) = β E_x KL(π‖π_λ)

The last identity is exact, for any policy: what a policy lacks at λ is its divergence from π_λ, and all
certificates of `certificates` follow from it. λ* itself is found by `align`, as for scores from files.

Source: X. Huang et al., "One-shot safety alignment for large language models via optimal dualization",
NeurIPS 2024, arXiv:2405.19544.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ...errors import DomainError, ShapeError, refusal
from ...ops.sides import host_only
from ..base import DataError, Floats, is_number
from .align import align
from .constraints import Constraint, check_constraints
from .result import Alignment
from .scores import Scores


@host_only
@dataclass(frozen=True, eq=False)
class FiniteProblem:
    """A constrained alignment problem on a finite space, with its exact dual.

    Args:
        base: (N, K) π_ref, positive; rows sum to 1.
        reward: (N, K) r.
        utilities: {name: (N, K) g_j}.
        constraints: `Constraint`s or their texts, "safe>=0.5" or "safe>=0.5 relative".
        beta: weight of the divergence, > 0, in units of reward per nat.

    Raises:
        ShapeError: an array is not (N, K).
        DataError: a number is not finite, or base is no distribution.
        DomainError: beta ≤ 0.
        UnknownNameError: a constraint on a utility that is not there.

    >>> base, r, g = np.full((1, 2), 0.5), [[1.0, 0.0]], [[0.0, 1.0]]
    >>> game = FiniteProblem(base, r, {"safe": g}, "safe>=0.5", beta=1.0)
    >>> game.optimum.round(9).tolist()  # r and λ*g cancel: π* is uniform
    [1.0]
    """

    base: Floats
    reward: Floats
    utilities: Mapping[str, Floats]
    constraints: tuple[Constraint, ...]
    beta: float
    g: Floats = field(init=False, repr=False)

    def __init__(
        self,
        base: ArrayLike,
        reward: ArrayLike,
        utilities: Mapping[str, ArrayLike],
        constraints: Iterable[Constraint | str] | Constraint | str,
        *,
        beta: float,
    ) -> None:
        put = object.__setattr__  # the class is frozen
        put(self, "base", _table("base", base))
        put(self, "reward", _table("reward", reward, self.base.shape))
        tables = {name: _table(name, values, self.base.shape) for name, values in utilities.items()}
        put(self, "utilities", tables)
        _check_distribution(self.base)
        if not (is_number(beta) and 0 < beta < np.inf):
            raise refusal(DomainError, f"beta must be a number > 0, got {beta!r}", "It is the weight of KL.")
        put(self, "beta", float(beta))
        put(self, "constraints", check_constraints(constraints, list(tables)))
        put(self, "g", self._centered())

    def _centered(self) -> Floats:
        """g − b, (m, N, K); of a relative constraint, g − E_ref g − b."""
        rows = []
        for c in self.constraints:
            g = self.utilities[c.name]
            reference = float(np.mean(np.sum(self.base * g, axis=1))) if c.relative else 0.0
            rows.append(g - reference - c.level)
        return np.reshape(rows, (len(rows), *self.base.shape))

    # ------------------------------------------------------------------------------------ policies
    def expectation(self, policy: Floats, values: Floats) -> float:
        """E_x E_π of values (N, K)."""
        return float(np.mean(np.sum(policy * values, axis=1)))

    def divergence(self, policy: Floats) -> float:
        """E_x KL(π‖π_ref), in nats."""
        return mean_kl(policy, np.log(self.base))

    def objective(self, policy: Floats) -> float:
        """E_x[E_π r − β KL(π‖π_ref)], the r_KL that is maximised."""
        return self.expectation(policy, self.reward) - self.beta * self.divergence(policy)

    def slack(self, policy: Floats) -> Floats:
        """E_x E_π g − b, (m,): ≥ 0 where the constraints hold."""
        return np.array([self.expectation(policy, g) for g in self.g])

    def lagrangian(self, policy: Floats, lam: ArrayLike) -> float:
        """L(π, λ) = objective + λᵀ slack."""
        return self.objective(policy) + float(np.dot(lam, self.slack(policy)))

    # ------------------------------------------------------------------------------------ the dual
    def log_policy(self, lam: ArrayLike) -> tuple[Floats, Floats]:
        """Log π_λ (N, K), and log Σ π_ref e^{s/β} (N,).

        Raises:
            ShapeError: λ is not (m,).
        """
        lam = np.asarray(lam, float)
        if lam.shape != self.g.shape[:1]:
            raise refusal(ShapeError, f"λ must be {self.g.shape[:1]}, one per constraint; got {lam.shape}")
        s = self.reward + np.tensordot(lam, self.g, axes=1)
        logits = np.log(self.base) + s / self.beta
        top = np.max(logits, axis=1, keepdims=True)
        total = top + np.log(np.sum(np.exp(logits - top), axis=1, keepdims=True))
        return logits - total, total[:, 0]

    def policy(self, lam: ArrayLike) -> Floats:
        """π_λ (N, K), the maximiser of L(·, λ) over all policies."""
        return np.exp(self.log_policy(lam)[0])

    def dual(self, lam: ArrayLike) -> float:
        """D(λ)."""
        return self.beta * float(np.mean(self.log_policy(lam)[1]))

    def dual_gradient(self, lam: ArrayLike) -> Floats:
        """∇D(λ) (m,): the slack of π_λ."""
        return self.slack(self.policy(lam))

    def dual_hessian(self, lam: ArrayLike) -> Floats:
        """∇²D(λ) (m, m): covariances of g within prompts, over β."""
        policy = self.policy(lam)
        rest = self.g - np.sum(policy * self.g, axis=2, keepdims=True)
        return np.einsum("nk,ink,jnk->ij", policy, rest, rest) / (len(policy) * self.beta)

    def excess(self, policy: Floats, lam: ArrayLike) -> float:
        """D(λ) − L(π, λ) = β E_x KL(π‖π_λ), without the cancellation of that difference."""
        return self.beta * mean_kl(policy, self.log_policy(lam)[0])

    # ------------------------------------------------------------------------------------ constants
    @cached_property
    def smoothness(self) -> float:
        """L with ∇²D ≤ L everywhere: E_x[diam_x(g)²] / 4β, by Popoviciu's bound on variances."""
        if not len(self.g):
            return 0.0
        square = np.zeros(len(self.base))
        for k in range(self.base.shape[1]):
            square = np.maximum(
                square, np.max(np.sum((self.g - self.g[:, :, k : k + 1]) ** 2, axis=0), axis=1)
            )
        return float(np.mean(square)) / (4 * self.beta)

    @cached_property
    def reach(self) -> float:
        """G, the largest radius of g within a prompt: no E[g | x] moves by more than G ‖π − π'‖₁.

        It is at most max |g − b| over all prompts and responses, and does not depend on the levels.
        """
        if not len(self.g):
            return 0.0
        middle = 0.5 * (np.max(self.g, axis=2, keepdims=True) + np.min(self.g, axis=2, keepdims=True))
        return float(np.sqrt(np.max(np.sum((self.g - middle) ** 2, axis=0))))

    def curvature(self, start: ArrayLike, end: ArrayLike) -> float:
        """A lower bound of the curvature of D in the direction end − start, everywhere between them.

        Along a line a variance changes by no more than the factor e^{range·|t|/β}, so that values at
        points which are near enough to each other bound all those between. Of one point: the smallest
        eigenvalue of ∇²D there.
        """
        start, step = np.asarray(start, float), np.asarray(end, float) - np.asarray(start, float)
        length = float(np.linalg.norm(step))
        if not length:
            return float(np.linalg.eigvalsh(self.dual_hessian(start))[0]) if len(start) else 0.0
        along = np.tensordot(step, self.g, axes=1)
        change = float(np.max(np.ptp(along, axis=1))) / self.beta  # of log Var over the whole segment
        cells = int(np.clip(np.ceil(change / 0.02), 1, 2000))
        values = [step @ self.dual_hessian(start + t * step) @ step for t in np.linspace(0, 1, cells + 1)]
        return float(np.min(values)) * float(np.exp(-change / (2 * cells))) / length**2

    @property
    def flat_directions(self) -> Floats:
        """Directions u (m, d), orthonormal, along which uᵀg is constant within every prompt.

        There ∇²D = 0 at every λ: the constraints are not linearly independent, λ* is not unique or does
        not exist, and no rate that needs curvature holds. Empty, (m, 0), where D is locally strongly convex.
        """
        if not len(self.g):
            return np.zeros((0, 0))
        rest = self.g - np.mean(self.g, axis=2, keepdims=True)
        rows = rest.reshape(len(self.g), -1)
        size = np.linalg.norm(rows, axis=1)
        scaled = rows / np.where(size > 0, size, 1.0)[:, None]
        u, s, _ = np.linalg.svd(scaled, full_matrices=True)
        flat = u[:, np.append(s, np.zeros(len(rows) - len(s))) < 1e-10]
        basis, _ = np.linalg.qr(flat / np.where(size > 0, size, 1.0)[:, None])
        return basis

    # ------------------------------------------------------------------------------------ the optimum
    @property
    def scores(self) -> Scores:
        """The same as scores: a finite space is a sample whose log_base is log π_ref."""
        return Scores.dense(self.reward, dict(self.utilities), log_base=np.log(self.base))

    def solve(self) -> Alignment:
        """λ* and π*, by the damped projected Newton method of `align`."""
        return align(self.scores, beta=self.beta, constraints=self.constraints)

    @property
    def optimum(self) -> Floats:
        """λ* (m,) in the order of the constraints.

        Raises:
            DomainError: the constraints cannot be satisfied, or λ* does not exist.
        """
        return self._optimum.copy()

    @cached_property
    def _optimum(self) -> Floats:
        found = self.solve()
        if not found.success:
            raise refusal(DomainError, f"no λ* to compare with: {found.message}")
        return np.array([found.multipliers[c.name] for c in self.constraints])


def mean_kl(policy: Floats, log_other: Floats) -> float:
    """E_x KL(p‖q) of p (N, K) and log q (N, K), to full relative accuracy also where they almost agree."""
    q = np.exp(log_other)
    with np.errstate(divide="ignore"):
        t = np.where(policy > 0, np.log(policy) - log_other, 0.0)
    # Σ p log p/q = Σ (p t − p + q), whose terms are ≥ 0; near t = 0 they are q (t²/2 + t³/3 + t⁴/8 + …)
    small = np.abs(t) < 1e-2
    series = t**2 * (1 / 2 + t * (1 / 3 + t * (1 / 8 + t * (1 / 30 + t * (1 / 144 + t / 840)))))
    terms = np.where(small & (policy > 0), q * series, policy * t - policy + q)
    return float(np.mean(np.sum(terms, axis=1)))


def _table(name: str, values: ArrayLike, shape: tuple[int, ...] | None = None) -> Floats:
    array = np.array(values, float)
    if array.ndim != 2 or 0 in array.shape or (shape is not None and array.shape != shape):
        wanted = "(N, K), prompts × responses" if shape is None else f"{shape}, as base is"
        raise refusal(ShapeError, f"{name} must be {wanted}; got shape {array.shape}")
    if not np.all(np.isfinite(array)):
        n, k = np.argwhere(~np.isfinite(array))[0]
        raise refusal(DataError, f"{name} is {array[n, k]} at prompt {n}, response {k}")
    array.flags.writeable = False
    return array


def _check_distribution(base: Floats) -> None:
    total = np.sum(base, axis=1)
    n = int(np.argmax(np.abs(total - 1)))
    if np.min(base) <= 0:
        what = f"base must be positive, got {np.min(base):.3g}: every policy may use what π_ref uses, no more"
        raise refusal(DataError, what, "Leave impossible responses out, or give them a small mass.")
    if abs(total[n] - 1) > 1e-8:
        raise refusal(DataError, f"base must sum to 1 for every prompt; prompt {n} sums to {total[n]:.6g}")
