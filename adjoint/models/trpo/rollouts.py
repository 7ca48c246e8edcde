"""Episodes of several environments side by side, and the advantages of what was done in them.

Every rollout starts new episodes, seeded by its own number. So what it sees depends on that number and on the
parameters alone: training can go on from a checkpoint bit for bit, with nothing kept of the environments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...errors import DTypeError, describe, refusal
from ...ops.sides import host_result
from ..base import DataError
from .environments import Environment
from .policies import Categorical, DiagonalGaussian, Distribution
from .quadratic import Floats

CostFunction = Callable[[Any, Any, dict[str, Any]], float]  # observation, action, info → cost of the step


class Episode(NamedTuple):
    """One that ended within a rollout.

    Attributes:
        reward: their sum.
        cost: their sum.
        steps: how many.
    """

    reward: float
    cost: float
    steps: int


class Rollout(NamedTuple):
    """T steps of E environments.

    Attributes:
        observations: (T, E, i).
        actions: (T, E, …).
        rewards: (T, E).
        costs: (T, E).
        done: (T, E): where an episode ended or was cut.
        reached: (T, E, i): the observation after each step.
        terminal: (T, E): where it was the end, so that nothing more is to come.
        episodes: those that ended.
    """

    observations: Floats
    actions: Any
    rewards: Floats
    costs: Floats
    done: np.ndarray
    reached: Floats
    terminal: np.ndarray
    episodes: tuple[Episode, ...]


# ------------------------------------------------------------------------------------------ the spaces
def _discrete(space: Any) -> bool:
    """Whether it holds integers: Gymnasium's MultiBinary has an n, too, but holds vectors."""
    return hasattr(space, "n") and getattr(space, "shape", ()) == ()


def distribution_for(space: Any) -> Distribution:
    """The distribution of actions in a space.

    Raises:
        DataError: neither discrete nor a box of vectors.
    """
    if _discrete(space):
        if getattr(space, "start", 0) != 0:
            raise refusal(DataError, f"discrete actions should start at 0, this space is {space}")
        return Categorical(int(space.n))
    if hasattr(space, "low") and len(space.shape) == 1:
        return DiagonalGaussian(int(space.shape[0]))
    what = f"actions should be discrete or a box of vectors (d,), this environment has {space}"
    raise refusal(DataError, what, "Wrap the environment so that its action space is one of these.")


def features_of(space: Any) -> tuple[int, Callable[[Any], Floats]]:
    """How many numbers an observation has, and the function that makes it a vector.

    Raises:
        DataError: neither discrete nor a box.
    """
    if _discrete(space):
        eye, start = np.eye(int(space.n)), int(getattr(space, "start", 0))
        return len(eye), lambda observation: eye[int(observation) - start]
    if hasattr(space, "low"):
        size = int(np.prod(space.shape))
        return size, lambda observation: np.ravel(host_result(observation, "the environment", np.float64))
    what = f"observations should be discrete or a box, this environment has {space}"
    raise refusal(DataError, what, "Wrap it: gymnasium.wrappers.FlattenObservation.")


def as_action(space: Any) -> Callable[[Any], Any]:
    """The function that makes what a policy samples an action of the space: in bounds, of its dtype."""
    if _discrete(space):
        return int
    low, high = np.asarray(space.low), np.asarray(space.high)
    kind = low.dtype
    if kind.kind in "iu":
        return lambda action: np.rint(np.clip(action, low, high)).astype(kind)
    return lambda action: np.clip(action, low, high).astype(kind)


def check_actions(given: Distribution, wanted: Distribution) -> None:
    """A policy of one's own samples the environment's actions; of distributions of one's own nobody knows.

    Raises:
        DataError: it samples others.
    """
    known = isinstance(given, (Categorical, DiagonalGaussian))
    if known and not (isinstance(given, type(wanted)) and given.n == wanted.n):
        what = f"the policy samples {type(given).__name__}({given.n}), the environment's actions need"
        raise refusal(DataError, f"{what} {type(wanted).__name__}({wanted.n})")


# ------------------------------------------------------------------------------------------ the steps
MANNERS = (
    "Environments answer as Gymnasium's do: reset(seed=…) → (observation, info), step(action) → five values."
)


def begun_by(env: Environment, seed: int | None) -> Any:
    """The first observation of an episode.

    Raises:
        DataError: `reset` answers otherwise than Gymnasium's, or takes no seed.
    """
    try:
        found: Any = env.reset() if seed is None else env.reset(seed=seed)
    except TypeError as why:
        raise refusal(DataError, f"reset(seed={seed}) of the environment fails: {why}", MANNERS) from why
    if not (isinstance(found, tuple) and len(found) == 2):
        raise refusal(DataError, f"reset of the environment gives {describe(found)}", MANNERS)
    return found[0]


def answered(found: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
    """What a step answers, the reward as a number.

    Raises:
        DataError: not five values, or a reward that is no number.
    """
    if not (isinstance(found, tuple) and len(found) == 5):
        count = f"{len(found)} values" if isinstance(found, tuple) else describe(found)
        what = (
            f"step of the environment gives {count}, not (observation, reward, terminated, truncated, info)"
        )
        raise refusal(DataError, what, MANNERS)
    seen, reward, ended, cut, info = found
    if isinstance(reward, str) or np.ndim(reward):
        raise refusal(DataError, f"a reward should be a number, got {describe(reward)}")
    return seen, float(reward), bool(ended), bool(cut), info


def seen_as(vector: Callable[[Any], Floats], observation: Any, size: int) -> Floats:
    """An observation as numbers (size,).

    Raises:
        DataError: it has another size than the environment's space.
    """
    found = vector(observation)
    if found.shape != (size,):
        what = f"an observation {np.shape(observation)} came, the observation space has {size} numbers"
        raise refusal(DataError, what, "Mend observation_space, or what reset and step give.")
    return found


def collect(
    environments: Sequence[Environment],
    act: Callable[[Floats, Any], Any],
    noise: Any,
    *,
    seed: tuple[int, ...],
    cost: CostFunction | None = None,
) -> Rollout:
    """Play T steps in each environment.

    Args:
        environments: E of them, of one kind.
        act: observations (E, i) and noise (E, …) → actions (E, …).
        noise: (T, E, …).
        seed: of the rollout; each environment's is derived from it.
        cost: (observation, action, info) → cost of the step; None for none.

    Raises:
        DataError: a reward, a cost or an observation that is not finite; the step is named.
    """
    T, E = noise.shape[:2]
    to_action = as_action(environments[0].action_space)
    size, vector = features_of(environments[0].observation_space)
    seeds = np.random.SeedSequence(seed).generate_state(E)
    current = np.stack(
        [seen_as(vector, begun_by(env, int(s)), size) for env, s in zip(environments, seeds, strict=True)]
    )
    observations, reached = np.empty((T, E, size)), np.empty((T, E, size))
    rewards, costs = np.zeros((T, E)), np.zeros((T, E))
    done, terminal = np.zeros((T, E), bool), np.zeros((T, E), bool)
    actions, episodes, begun = [], [], [0] * E
    for t in range(T):
        observations[t] = current
        chosen = act(current, noise[t])
        actions.append(chosen)
        for e, env in enumerate(environments):
            action = to_action(chosen[e])
            seen, reward, ended, cut, info = answered(env.step(action))
            current[e] = reached[t, e] = seen_as(vector, seen, size)
            rewards[t, e] = reward
            if cost is not None:
                costs[t, e] = cost(seen, action, info)
            if ended or cut:
                done[t, e], terminal[t, e] = True, ended
                part = slice(begun[e], t + 1)
                episodes.append(
                    Episode(float(np.sum(rewards[part, e])), float(np.sum(costs[part, e])), t + 1 - begun[e])
                )
                begun[e] = t + 1
                current[e] = seen_as(vector, begun_by(env, None), size)
    # the last thing seen is followed by no step, but its value counts, unless nothing is to come
    followed = np.where(terminal[..., None], 0.0, reached)
    signals = {"reward": rewards, "cost": costs, "observation": observations, "next observation": followed}
    for name, array in signals.items():
        _refuse(name, array)
    done[-1] = True
    return Rollout(observations, np.stack(actions), rewards, costs, done, reached, terminal, tuple(episodes))


def rows(array: Any) -> Any:
    """(T, E, …) as (T·E, …)."""
    return array.reshape(-1, *array.shape[2:])


def _refuse(name: str, array: Floats) -> None:
    if np.all(np.isfinite(array)):
        return
    t, e = (int(k) for k in np.argwhere(~np.isfinite(array.reshape(*array.shape[:2], -1)).all(-1))[0])
    what = f"the {name} of step {t} in environment {e} is not finite"
    raise refusal(DataError, what, "Nothing was learned from this rollout; mend the environment.")


def advantages(
    signal: Floats, values: Floats, after: Floats, rollout: Rollout, *, gamma: float, decay: float
) -> Floats:
    """Generalized advantage estimates: Σ (γ·decay)ᵏ δ_{t+k} with δ = r + γV(s') − V(s), within episodes.

    Args:
        signal: rewards or costs (T, E).
        values: V of the observations (T, E).
        after: V of those that were reached (T, E); it does not count where that was the end.
        rollout: says where episodes ended.
        gamma: γ.
        decay: called λ elsewhere; 0 trusts the values, 1 the returns.

    Source: Schulman et al. 2016, arXiv:1506.02438.
    """
    deltas = signal + gamma * np.where(rollout.terminal, 0.0, after) - values
    on = gamma * decay * ~rollout.done
    found = np.empty_like(deltas)
    running = np.zeros(deltas.shape[1])
    for t in range(len(deltas) - 1, -1, -1):
        found[t] = running = deltas[t] + on[t] * running
    return found


def check_seed(seed: object) -> int:
    """A seed as a number ≥ 0.

    Raises:
        DTypeError: something else.
    """
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) and seed >= 0:
        return int(seed)
    raise refusal(DTypeError, f"seed should be an integer ≥ 0, got {seed!r}")
