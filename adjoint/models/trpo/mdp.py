"""Markov decision processes of few states, solved exactly: values, occupancies, the constrained optimum.

    J(π) = E Σ γᵗ r(s_t, a_t),   d(s) = (1 − γ) Σ γᵗ P(s_t = s),   J = Σ d(s) π(a|s) r(s, a) / (1 − γ)

The best policy under a limit on the cost J_c is a linear program in the occupancies ρ(s, a) = d(s) π(a|s),
whose multiplier of the limit is its exact shadow price dJ*/d(limit).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...errors import DomainError, ShapeError, refusal
from ...ops.sides import host_only, same_side
from ..base import DataError, check_count, check_finite, check_number
from .policies import Categorical, Policy
from .quadratic import Floats


class Optimum(NamedTuple):
    """The exact solution of a constrained decision process.

    Attributes:
        value: J*.
        cost: J_c there.
        price: ν ≥ 0, the multiplier of the cost limit: what one more unit of cost gains in return.
        policy: π(a|s) (S, A), uniform in states that it never visits.
    """

    value: float
    cost: float
    price: float
    policy: Floats


class Evaluation(NamedTuple):
    """A policy's exact figures.

    Attributes:
        value: J.
        cost: J_c; 0 where there are no costs.
        occupancy: d(s) π(a|s) (S, A), sums to one.
        advantages: A(s, a) (S, A), of the return.
        cost_advantages: of the cost.
    """

    value: float
    cost: float
    occupancy: Floats
    advantages: Floats
    cost_advantages: Floats


@host_only
@dataclass(frozen=True, eq=False)
class MDP:
    """A finite decision process.

    Attributes:
        transitions: P(s'|s, a) (S, A, S).
        rewards: r(s, a) (S, A).
        start: distribution of the first state (S,).
        gamma: γ in [0, 1).
        costs: c(s, a) (S, A), or None.

    Raises:
        ShapeError: shapes that do not fit each other.
        DataError: NaN, γ out of range, rows that are no distributions.

    >>> on = np.array([[[0.0, 1.0]], [[0.0, 1.0]]])
    >>> chain = MDP(on, np.array([[1.0], [0.0]]), np.array([1.0, 0.0]), 0.5)
    >>> chain.evaluate(np.ones((2, 1))).value
    1.0
    """

    transitions: Floats
    rewards: Floats
    start: Floats
    gamma: float
    costs: Floats | None = None

    def __post_init__(self) -> None:
        costs = self.rewards if self.costs is None else self.costs
        S, A = self.rewards.shape if self.rewards.ndim == 2 else (0, 0)
        if not S or self.transitions.shape != (S, A, S) or self.start.shape != (S,) or costs.shape != (S, A):
            what = "rewards should be (S, A), transitions (S, A, S), start (S,) and costs (S, A); got"
            shapes = (self.rewards.shape, self.transitions.shape, self.start.shape, costs.shape)
            raise refusal(ShapeError, f"{what} {', '.join(map(str, shapes))}")
        check_number(self.gamma, "gamma", below=1)
        for array, name in ((self.rewards, "rewards"), (costs, "costs")):
            check_finite(array, name)
        for array, name in ((self.transitions, "transitions"), (self.start, "start")):
            _check_probabilities(array, name)

    def evaluate(self, pi: ArrayLike) -> Evaluation:
        """A policy π(a|s) (S, A), exactly.

        Raises:
            ShapeError: it is not (S, A).
            DataError: its rows are no distributions.
        """
        p = np.asarray(pi, np.float64)
        if p.shape != self.rewards.shape:
            what = f"the policy should be π(a|s) {self.rewards.shape}, got {p.shape}"
            raise refusal(ShapeError, what, "nn.softmax(logits) is one.")
        _check_probabilities(p, "the policy's rows")
        moves = np.einsum("sa,sat->st", p, self.transitions)
        system = np.eye(len(moves)) - self.gamma * moves
        d = (1 - self.gamma) * np.linalg.solve(system.T, self.start)

        def of(signal: Floats | None) -> tuple[float, Floats]:
            if signal is None:
                return 0.0, np.zeros_like(self.rewards)
            V = np.linalg.solve(system, np.sum(p * signal, axis=1))
            return float(self.start @ V), signal + self.gamma * (self.transitions @ V) - V[:, None]

        (value, advantages), (cost, cost_advantages) = of(self.rewards), of(self.costs)
        return Evaluation(value, cost, d[:, None] * p, advantages, cost_advantages)

    def optimum(self, limit: float = np.inf) -> Optimum:
        """The best policy whose J_c is at most `limit`, by the linear program in occupancies.

        Args:
            limit: ∞ for none. Without costs J_c is 0.

        Raises:
            DataError: the limit is no number.
            DomainError: no policy's cost is within the limit; the least cost is in the text.
        """
        limit = check_number(limit, "limit", low=-np.inf, strict=True)
        from scipy.optimize import linprog

        S, A = self.rewards.shape
        flow = np.repeat(np.eye(S), A, axis=1) - self.gamma * self.transitions.reshape(S * A, S).T
        right = (1 - self.gamma) * self.start
        scale = 1 / (1 - self.gamma)
        costs = np.zeros(S * A) if self.costs is None else self.costs.ravel()
        limited = limit < np.inf
        found = linprog(
            -self.rewards.ravel(),
            A_ub=costs[None] if limited else None,
            b_ub=[limit / scale] if limited else None,
            A_eq=flow,
            b_eq=right,
        )
        if found.x is None:
            least = scale * linprog(costs, A_eq=flow, b_eq=right).fun
            raise refusal(DomainError, f"no policy costs at most {limit:g}; the least is {least:.6g}")
        rho = found.x.reshape(S, A)
        visited = np.sum(rho, axis=1, keepdims=True)
        pi = np.where(visited > 1e-12, rho / np.maximum(visited, 1e-12), 1 / A)
        price = -float(found.ineqlin.marginals[0]) if limited else 0.0
        return Optimum(-scale * found.fun, scale * float(costs @ found.x), price, pi)

    # -------------------------------------------------------------------------- as samples of a step
    def batch(self, pi: ArrayLike) -> tuple[Any, ...]:
        """All states and actions as a batch of `trpo_step` or `cpo_step`, whose expectations are then exact.

        Args:
            pi: π(a|s) (S, A).

        Returns:
            Observations (S·A,), actions (S·A,), advantages and cost advantages (S·A,) on the scale of J, and
            weights d(s) π(a|s).
        """
        S, A = self.rewards.shape
        found = self.evaluate(pi)
        states, actions = np.repeat(np.arange(S), A), np.tile(np.arange(A), S)
        scale = 1 / (1 - self.gamma)
        return (
            states,
            actions,
            scale * found.advantages.ravel(),
            scale * found.cost_advantages.ravel(),
            found.occupancy.ravel(),
        )


def _check_probabilities(array: Floats, name: str) -> None:
    # rounding: a linear program's may be −1e-17, and a softmax in float32 sums to 1 within 1e-7
    if not np.all(array >= -1e-9) or np.max(np.abs(np.sum(array, axis=-1) - 1)) > 1e-6:
        raise refusal(DataError, f"{name} should be probabilities that sum to one")


def tabular_policy(actions: int) -> Policy:
    """softmax(θ[s]), θ (S, A): one logit for each state and action."""
    return Policy(tabular, Categorical(actions))


@same_side
def tabular(theta: Any, states: Any) -> Any:
    """The rows of θ (S, A) that belong to the states (T,)."""
    return theta[states]


def random_mdp(
    rng: np.random.Generator, states: int, actions: int, *, gamma: float = 0.9, costs: bool = False
) -> MDP:
    """Transitions from a Dirichlet distribution, rewards (and costs) uniform in [0, 1).

    >>> random_mdp(np.random.default_rng(0), 5, 2).transitions.shape
    (5, 2, 5)
    """
    transitions = rng.dirichlet(np.ones(states), (states, actions))
    rewards, start = rng.random((states, actions)), rng.dirichlet(np.ones(states))
    return MDP(transitions, rewards, start, gamma, rng.random((states, actions)) if costs else None)


MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # up, right, down, left


def hazard_grid(size: int = 5, *, slip: float = 0.1, gamma: float = 0.95) -> MDP:
    """A square to be crossed from the left to the right, with hazards on the short way.

    Start and goal are in the middle row, at its ends; the square between, all but the cells at the border, is
    hazardous. Actions are up, right, down, left; with probability `slip` one at random is taken instead.
    Each step that begins in the goal earns 1, and the goal is not left; each that begins in a hazard costs 1.

    Args:
        size: cells along a side, odd, at least 3.
        slip: probability in [0, 1).
        gamma: γ.
    """
    size = check_count(size, "size", low=3)
    if size % 2 == 0:
        raise refusal(DataError, f"size should be odd, for a row in the middle, got {size}")
    check_number(slip, "slip", below=1)
    S, middle = size * size, size // 2
    goal = middle * size + size - 1
    towards = np.zeros((S, 4, S))
    for s in range(S):
        for a, (down, right) in enumerate(MOVES):
            i, j = min(max(s // size + down, 0), size - 1), min(max(s % size + right, 0), size - 1)
            towards[s, a, i * size + j] = 1.0
    transitions = (1 - slip) * towards + slip * np.mean(towards, axis=1, keepdims=True)
    transitions[goal] = 0.0
    transitions[goal, :, goal] = 1.0
    rewards, costs = np.zeros((S, 4)), np.zeros((S, 4))
    rewards[goal] = 1.0
    costs.reshape(size, size, 4)[1:-1, 1:-1] = 1.0
    return MDP(transitions, rewards, np.eye(S)[middle * size], gamma, costs)
