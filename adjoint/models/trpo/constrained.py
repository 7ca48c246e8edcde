"""The agent whose policy also keeps a cost within its limit.

agent = CPO(lambda: Walk(hazard_grid()), cost_limit=1.0).learn(50_000)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from ...errors import refusal
from ...ops.sides import host_only
from ...optim import AdamState
from ..base import DataError, check_number
from .agents import TRPO
from .environments import Environment
from .policies import init_mlp
from .quadratic import Floats
from .rollouts import CostFunction, Rollout, rows
from .step import PolicyStep, cpo_step


@host_only
class CPO(TRPO):
    """Constrained policy optimization: TRPO under a limit on the mean cost of an episode.

    Args:
        env: as in `TRPO`, with all parameters not explained here.
        cost_limit: of the undiscounted cost of an episode, on average.
        cost: (observation, action, info) → cost of a step; `info["cost"]` by default.
        cost_gamma: discount of the cost's advantages.
        **options: of `TRPO`.

    Attributes:
        cost_params: of the cost's value function.

    Source: Achiam et al. 2017, arXiv:1705.10528.
    """

    def __init__(
        self,
        env: str | Environment | Callable[[], Environment],
        *,
        cost_limit: float,
        cost: CostFunction | None = None,
        cost_gamma: float = 0.99,
        **options: Any,
    ) -> None:
        super().__init__(env, **options)
        self.cost_limit = check_number(cost_limit, "cost_limit", low=-np.inf)
        self.cost_gamma = check_number(cost_gamma, "cost_gamma", high=1)
        self.cost = _from_info if cost is None else cost
        rng = np.random.default_rng([self.seed, 0, 1])
        self.cost_params = init_mlp(rng, [len(self.value_params[0]["W"]), *self.hidden, 1])
        self._cost_state = self._adam.init(self.cost_params)

    def _cost(self) -> CostFunction | None:
        return self.cost

    def _improve(
        self, rollout: Rollout, estimates: Floats, rng: np.random.Generator
    ) -> tuple[PolicyStep, dict[str, Any]]:
        cost_estimates, targets, _ = self._estimates(
            rollout.costs, self.cost_params, rollout, self.cost_gamma
        )
        seen, done = rows(rollout.observations), rows(rollout.actions)
        step = cpo_step(
            self.policy, self.params, seen, done, estimates, cost_estimates, self.excess(rollout),
            **vars(self.region),
        )  # fmt: skip
        params, state = self._fitted(self.cost_params, self._cost_state, rollout, targets, rng)
        return step, {"cost_params": params, "_cost_state": state}

    def excess(self, rollout: Rollout) -> float:
        """By how much the mean cost of an episode is above its limit, per step: as its advantages are.

        Where no episode ended within the rollout, the part that was seen stands for a whole one.
        """
        if not rollout.episodes:
            T, E = rollout.costs.shape
            return (float(np.sum(rollout.costs)) / E - self.cost_limit) / T
        spent = sum(e.cost for e in rollout.episodes) - self.cost_limit * len(rollout.episodes)
        return spent / sum(e.steps for e in rollout.episodes)

    def state(self) -> dict[str, Any]:
        """As in `TRPO`, with the cost's value function."""
        return {**super().state(), "cost_params": self.cost_params, "cost_state": tuple(self._cost_state)}

    def restore(self, state: dict[str, Any]) -> Self:
        """As in `TRPO`."""
        if isinstance(state, dict) and "params" in state and "cost_params" not in state:
            raise refusal(DataError, "the checkpoint is one of TRPO: it has no value function of the cost")
        super().restore(state)
        self.cost_params, self._cost_state = state["cost_params"], AdamState(*state["cost_state"])
        return self


def _from_info(observation: Any, action: Any, info: dict[str, Any]) -> float:
    if "cost" not in info:
        what = f"the environment's info has no 'cost'; it has {sorted(info) or 'nothing'}"
        raise refusal(
            DataError, what, "Pass cost=, a function (observation, action, info) → cost of the step."
        )
    return float(info["cost"])
