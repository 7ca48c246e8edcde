"""Agents: rollouts, advantages and a trust-region step, again and again, with the multipliers in the log.

    agent = TRPO("CartPole-v1", seed=0).learn(50_000)
    action = agent.predict(observation)

An agent's whole state is its parameters, its optimizers' and the number of iterations done: randomness comes
from (seed, iteration). So a run is reproduced by its seed, and goes on from a checkpoint bit for bit.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from ... import tree as trees
from ...engines import compile
from ...errors import refusal
from ...ops.sides import host_only
from ...optim import AdamState, adam
from ...storage import load, save
from ...transforms import grad
from ..base import DataError, check_count, check_number
from .environments import Environment, made
from .policies import Policy, init_mlp, mlp, mlp_policy
from .quadratic import Floats
from .rollouts import (
    CostFunction,
    Rollout,
    advantages,
    answered,
    as_action,
    begun_by,
    check_actions,
    check_seed,
    collect,
    distribution_for,
    features_of,
    rows,
)
from .step import PolicyStep, TrustRegion, trpo_step


class Iteration(NamedTuple):
    """One line of the log.

    Attributes:
        iteration: from 1.
        steps: of all environments so far.
        episodes: that ended in this rollout.
        mean_return: of those, NaN without any; `mean_length` and `mean_cost` likewise.
        mean_length: steps.
        mean_cost: undiscounted, per episode; 0 in TRPO, which counts none.
        lam: λ, the multiplier of the KL limit: return per nat.
        nu: ν, that of the cost limit: return per unit of cost; 0 in TRPO.
        kl: measured, in nats.
        gain: of the surrogate, measured.
        predicted_gain: by the model.
        length: the share of the proposed step that was taken; 0 for none.
        case: `Case`'s name: which constraints decided.
        entropy: of the policy before the step, in nats.
        value_error: root mean square of the value function's error before it was fitted.
    """

    iteration: int
    steps: int
    episodes: int
    mean_return: float
    mean_length: float
    mean_cost: float
    lam: float
    nu: float
    kl: float
    gain: float
    predicted_gain: float
    length: float
    case: str
    entropy: float
    value_error: float


@host_only
class TRPO:
    """Trust region policy optimization.

    Args:
        env: a Gymnasium id, an environment, or a function that makes one.
        environments: how many are played side by side; more than one needs an id or a function.
        steps: of each environment in an iteration.
        hidden: sizes of the hidden layers, of policy and value function.
        policy: a policy of one's own and its first parameters; the usual network by default.
        gamma: γ, the discount.
        decay: of the advantage estimates, called λ elsewhere.
        region: how steps are taken; `TrustRegion()` by default.
        value_rate: learning rate (Adam) of the value function.
        value_epochs: passes over a rollout.
        value_batch: rows per step of the value function's fit.
        seed: of everything random.

    Attributes:
        params: of the policy.
        value_params: of the value function.
        history: one `Iteration` per iteration.
        interrupted: whether the last `learn` was ended by Ctrl-C.

    Raises:
        DataError: spaces that are not supported, a policy of other actions, parameters out of range.
        MissingPackageError: an id without Gymnasium.

    Source: Schulman et al. 2015, arXiv:1502.05477.

    >>> from adjoint.models.trpo import TRPO, CartPole
    >>> agent = TRPO(CartPole, steps=64, hidden=(8,), seed=0).learn(128)
    >>> len(agent.history), agent.history[-1].kl <= 0.01, agent.predict(np.zeros(4)) in (0, 1)
    (2, True, True)
    """

    def __init__(
        self,
        env: str | Environment | Callable[[], Environment],
        *,
        environments: int = 1,
        steps: int = 1000,
        hidden: Sequence[int] = (64, 64),
        policy: tuple[Policy, Any] | None = None,
        gamma: float = 0.99,
        decay: float = 0.97,
        region: TrustRegion | None = None,
        value_rate: float = 3e-3,
        value_epochs: int = 10,
        value_batch: int = 64,
        seed: int = 0,
    ) -> None:
        self.environments = made(env, check_count(environments, "environments", low=1))
        self.steps = check_count(steps, "steps", low=1)
        self.gamma, self.decay = check_number(gamma, "gamma", high=1), check_number(decay, "decay", high=1)
        self.region = TrustRegion() if region is None else region
        self.value_rate = check_number(value_rate, "value_rate", strict=True)
        self.value_epochs = check_count(value_epochs, "value_epochs", low=1)
        self.value_batch = check_count(value_batch, "value_batch", low=1)
        self.seed = check_seed(seed)
        self.hidden = tuple(check_count(size, "hidden", low=1) for size in hidden)
        first = self.environments[0]
        inputs, self._vector = features_of(first.observation_space)
        distribution = distribution_for(first.action_space)
        self._to_action = as_action(first.action_space)
        rng = np.random.default_rng(self.seed)
        usual = mlp_policy(rng, inputs, distribution, self.hidden)
        self.policy, self.params = usual if policy is None else policy
        check_actions(self.policy.distribution, distribution)
        self.value_params = init_mlp(rng, [inputs, *self.hidden, 1])
        self._adam = adam(self.value_rate)
        self._value_state = self._adam.init(self.value_params)
        self.history: list[Iteration] = []
        self.interrupted = False
        self._compile()

    def _compile(self) -> None:
        apply, distribution = self.policy.apply, self.policy.distribution

        def act(params: Any, observations: Any, noise: Any) -> Any:
            return distribution.sample(apply(params, observations), noise)

        def loss(params: Any, observations: Any, targets: Any) -> Any:
            return np.mean((mlp(params, observations)[:, 0] - targets) ** 2)

        def fit(params: Any, state: Any, observations: Any, targets: Any) -> Any:
            return self._adam.update(grad(loss)(params, observations, targets), state, params)

        self._act, self._fit = compile(act), compile(fit)

    # -------------------------------------------------------------------------------------- training
    def learn(
        self,
        steps: int,
        *,
        callback: Callable[[Iteration], None] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Train for at least so many further steps of the environments, in whole iterations.

        Ctrl-C ends it after the last whole iteration: nothing half-done is kept, the checkpoint is written,
        and the agent returned, with `interrupted` set.

        Args:
            steps: of all environments together.
            callback: is called after every iteration.
            checkpoint: a file (.npz) that is written at the end, whatever ends it.

        Raises:
            DataError: a reward or observation that is not finite; what was learned before it is kept. Or no
                folder for the checkpoint.
        """
        each = self.steps * len(self.environments)
        iterations = -(-check_count(steps, "steps", low=1) // each)
        if checkpoint is not None and not Path(checkpoint).absolute().parent.is_dir():
            what = f"there is no folder {Path(checkpoint).parent} for the checkpoint"
            raise refusal(DataError, what, "Make it before training.")
        self.interrupted = False
        try:
            for _ in range(iterations):
                self.iterate()
                if callback is not None:
                    callback(self.history[-1])
        except KeyboardInterrupt:
            self.interrupted = True
        finally:
            if checkpoint is not None:
                self.save(checkpoint)
        return self

    def iterate(self) -> PolicyStep:
        """One rollout, one step of the policy, one fit of the value function."""
        number = len(self.history) + 1
        rng = np.random.default_rng([self.seed, number])
        noise = self.policy.distribution.noise(rng, (self.steps, len(self.environments)))
        params = self.params
        rollout = collect(
            self.environments, lambda seen, drawn: self._act(params, seen, drawn), noise,
            seed=(self.seed, number), cost=self._cost(),
        )  # fmt: skip
        estimates, targets, error = self._estimates(rollout.rewards, self.value_params, rollout)
        step, changed = self._improve(rollout, estimates, rng)
        value, value_state = self._fitted(self.value_params, self._value_state, rollout, targets, rng)
        record = self._record(number, rollout, step, error)
        changed |= {"params": step.x, "value_params": value, "_value_state": value_state}
        # in one call, which Ctrl-C does not divide: what is interrupted leaves the iteration before
        vars(self).update(changed, history=[*self.history, record])
        return step

    def _cost(self) -> CostFunction | None:
        return None

    def _improve(
        self, rollout: Rollout, estimates: Floats, rng: np.random.Generator
    ) -> tuple[PolicyStep, dict[str, Any]]:
        """The policy's step, and what else changes by attribute."""
        seen, done = rows(rollout.observations), rows(rollout.actions)
        return trpo_step(self.policy, self.params, seen, done, estimates, **vars(self.region)), {}

    def _estimates(
        self, signal: Floats, params: Any, rollout: Rollout, gamma: float | None = None
    ) -> tuple[Floats, Floats, float]:
        """Advantages (T·E,), targets of the value function, and its error."""
        values, after = (mlp(params, x)[..., 0] for x in (rollout.observations, rollout.reached))
        found = advantages(
            signal, values, after, rollout, gamma=self.gamma if gamma is None else gamma, decay=self.decay
        )
        return found.ravel(), (found + values).ravel(), float(np.sqrt(np.mean(found**2)))

    def _fitted(
        self, params: Any, state: Any, rollout: Rollout, targets: Floats, rng: np.random.Generator
    ) -> tuple[Any, Any]:
        """The value function after its epochs, and its optimizer's state."""
        seen = rows(rollout.observations)
        size = min(self.value_batch, len(seen))
        for _ in range(self.value_epochs):
            order = rng.permutation(len(seen))
            for start in range(0, len(seen) - size + 1, size):
                chosen = order[start : start + size]
                params, state = self._fit(params, state, seen[chosen], targets[chosen])
        return params, state

    def _record(self, number: int, rollout: Rollout, step: PolicyStep, error: float) -> Iteration:
        def mean(name: str) -> float:
            return (
                float(np.mean([getattr(e, name) for e in rollout.episodes])) if rollout.episodes else math.nan
            )

        outputs = self.policy.apply(self.params, rows(rollout.observations))
        return Iteration(
            iteration=number,
            steps=number * rollout.rewards.size,
            episodes=len(rollout.episodes),
            mean_return=mean("reward"),
            mean_length=mean("steps"),
            mean_cost=mean("cost"),
            lam=float(step.multipliers["kl"]),
            nu=float(step.multipliers.get("cost", 0.0)),
            kl=step.kl,
            gain=step.gain,
            predicted_gain=step.predicted_gain,
            length=step.length,
            case=step.case.name,
            entropy=float(np.mean(self.policy.distribution.entropy(outputs))),
            value_error=error,
        )

    # -------------------------------------------------------------------------------------- using
    def predict(
        self, observation: Any, *, deterministic: bool = True, rng: np.random.Generator | None = None
    ) -> Any:
        """The action for one observation.

        Args:
            observation: as the environment gives it.
            deterministic: the most probable one, else a draw.
            rng: of the draw; needed for one.

        Returns:
            An action of the environment's space: an int, or an array within its bounds.
        """
        seen = self._vector(observation)[None]
        distribution = self.policy.distribution
        outputs = self.policy.apply(self.params, seen)
        if deterministic:
            return self._to_action(distribution.mode(outputs)[0])
        if rng is None:
            raise refusal(DataError, "a draw needs a random generator", "Pass rng=np.random.default_rng(0).")
        return self._to_action(distribution.sample(outputs, distribution.noise(rng, (1,)))[0])

    def evaluate(
        self,
        env: str | Environment | Callable[[], Environment] | None = None,
        episodes: int = 10,
        seed: int = 0,
    ) -> Floats:
        """Returns (episodes,) of whole episodes played by the most probable actions.

        Args:
            env: as in the constructor; the agent's own by default.
            episodes: how many.
            seed: of the environment.

        Raises:
            DataError: episodes is not a whole number ≥ 1, or an environment of other manners.
            DTypeError: seed is no integer ≥ 0.
        """
        player = self.environments[0] if env is None else made(env, 1)[0]
        returns, first = np.zeros(check_count(episodes, "episodes", low=1)), check_seed(seed)
        for k in range(len(returns)):
            seen, done = begun_by(player, first if k == 0 else None), False
            while not done:
                seen, reward, ended, cut, _ = answered(player.step(self.predict(seen)))
                returns[k] += reward
                done = ended or cut
        return returns

    # -------------------------------------------------------------------------------------- keeping
    def state(self) -> dict[str, Any]:
        """Everything that training changes, as containers of arrays and numbers."""
        return {
            "params": self.params,
            "value_params": self.value_params,
            "value_state": tuple(self._value_state),
            "history": [tuple(line) for line in self.history],
            "seed": self.seed,
        }

    def restore(self, state: dict[str, Any]) -> Self:
        """Go on from what `state` gave.

        Raises:
            DataError: it is another agent's, or none's.
        """
        if not isinstance(state, dict) or not TRPO.state(self).keys() <= state.keys():
            raise refusal(
                DataError, "this is no agent's state", "Agents are written by save, or learn(checkpoint=)."
            )
        self._check_like(state["params"], self.params, "policy")
        self._check_like(state["value_params"], self.value_params, "value function")
        self.params, self.value_params = state["params"], state["value_params"]
        self._value_state = AdamState(*state["value_state"])
        self.history = [Iteration(*line) for line in state["history"]]
        self.seed = state["seed"]
        return self

    def _check_like(self, given: Any, own: Any, name: str) -> None:
        shapes = [[np.shape(leaf) for leaf in trees.flatten(tree)[0]] for tree in (given, own)]
        if shapes[0] != shapes[1]:
            what = f"the checkpoint's {name} has arrays {shapes[0]}, this agent's {shapes[1]}"
            raise refusal(
                DataError, what, "Make the agent with the same environment and the same hidden sizes."
            )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `state()` to a file (.npz, no pickle), atomically."""
        save(path, self.state())

    def load(self, path: str | os.PathLike[str]) -> Self:
        """Go on from a file that `save` wrote: this agent, made as that one was, continues bit for bit.

        Raises:
            DataError: a checkpoint of another network, or of something else.
            FileNotFoundError: no such file.
            TreeError: a file that is damaged.
        """
        return self.restore(load(path))

    def save_history(self, path: str | os.PathLike[str]) -> None:
        """Write the log as CSV, one line per iteration."""
        with open(path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(Iteration._fields)
            writer.writerows(self.history)

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Save learning curves: return, multipliers and KL over steps.

        Raises:
            DataError: nothing was learned yet.
            MissingPackageError: without matplotlib.
        """
        from .curves import learning_curves

        learning_curves(self.history, self.region.delta, path)
