"""Environments without further packages, in Gymnasium's manners: `reset` and `step` as there, and its spaces.

observation, info = env.reset(seed=0)
observation, reward, terminated, truncated, info = env.step(action)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, SupportsFloat

import numpy as np

from ...errors import need, refusal
from ...ops.sides import host_only
from ..base import DataError
from .mdp import MDP
from .quadratic import Floats

Answer = tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]


class Environment(Protocol):
    """What is asked of an environment; Gymnasium's are such."""

    observation_space: Any
    action_space: Any

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        """The first observation of an episode; with a seed, always the same episodes follow."""

    def step(self, action: Any) -> Answer:
        """Observation, reward, terminated, truncated, further information."""


@dataclass(frozen=True)
class Discrete:
    """Integers 0 … n − 1."""

    n: int


@host_only
@dataclass(frozen=True, eq=False)
class Box:
    """Real vectors between bounds.

    Attributes:
        low: (d,), may be −∞.
        high: (d,), may be ∞.
    """

    low: Floats
    high: Floats

    @property
    def shape(self) -> tuple[int, ...]:
        """(d,)."""
        return self.low.shape


@host_only
class CartPole:
    """A pole to be balanced on a cart that is pushed to the left (0) or to the right (1).

    Observations are position, velocity, angle, angular velocity. Each step earns 1; an episode ends where
    the cart is more than 2.4 from the middle or the pole more than 12° from the vertical, and after `limit`
    steps.

    Source: A. Barto, R. Sutton and C. Anderson, "Neuronlike adaptive elements that can solve difficult
    learning control problems", IEEE Transactions on Systems, Man, and Cybernetics 13, 1983.

    >>> env = CartPole()
    >>> env.reset(seed=0)[0].shape, env.step(1)[1]
    ((4,), 1.0)
    """

    GRAVITY, CART, POLE, HALF_LENGTH, FORCE, SECONDS = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02

    def __init__(self, limit: int = 500) -> None:
        self.limit = limit
        far = np.array([4.8, np.inf, 24 * math.pi / 180, np.inf])
        self.observation_space, self.action_space = Box(-far, far), Discrete(2)
        self._rng = np.random.default_rng()
        self._state, self._steps = (0.0, 0.0, 0.0, 0.0), 0

    def reset(self, *, seed: int | None = None) -> tuple[Floats, dict[str, Any]]:
        """Every component uniform in ±0.05."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self._state, self._steps = tuple(self._rng.uniform(-0.05, 0.05, 4).tolist()), 0
        return np.array(self._state), {}

    def step(self, action: Any) -> Answer:
        """One fiftieth of a second."""
        x, v, angle, spin = self._state
        mass, moment = self.CART + self.POLE, self.POLE * self.HALF_LENGTH
        sine, cosine = math.sin(angle), math.cos(angle)
        push = ((self.FORCE if action == 1 else -self.FORCE) + moment * spin * spin * sine) / mass
        lever = self.HALF_LENGTH * (4 / 3 - self.POLE * cosine * cosine / mass)
        turn = (self.GRAVITY * sine - cosine * push) / lever
        drive = push - moment * turn * cosine / mass
        h = self.SECONDS
        self._state = (x + h * v, v + h * drive, angle + h * spin, spin + h * turn)
        self._steps += 1
        fallen = abs(self._state[0]) > 2.4 or abs(self._state[2]) > 12 * math.pi / 180
        return np.array(self._state), 1.0, fallen, self._steps >= self.limit and not fallen, {}


@host_only
class LQR:
    """A linear system with quadratic costs: x' = Ax + Bu + w, reward −(xᵀQx + uᵀRu).

    Args:
        A: (n, n).
        B: (n, m).
        Q: (n, n), positive semidefinite.
        R: (m, m), positive definite.
        noise: standard deviation of w.
        limit: steps of an episode.
    """

    def __init__(
        self, A: Floats, B: Floats, Q: Floats, R: Floats, *, noise: float = 0.1, limit: int = 50
    ) -> None:
        self.A, self.B, self.Q, self.R, self.noise, self.limit = A, B, Q, R, noise, limit
        n, m = B.shape
        self.observation_space = Box(np.full(n, -np.inf), np.full(n, np.inf))
        self.action_space = Box(np.full(m, -np.inf), np.full(m, np.inf))
        self._rng = np.random.default_rng()
        self._x, self._steps = np.zeros(n), 0

    def reset(self, *, seed: int | None = None) -> tuple[Floats, dict[str, Any]]:
        """x standard normal."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self._x, self._steps = self._rng.standard_normal(len(self._x)), 0
        return self._x.copy(), {}

    def step(self, action: Any) -> Answer:
        """One step; episodes are cut, and never end."""
        u, x = np.asarray(action, np.float64), self._x
        reward = -float(x @ self.Q @ x + u @ self.R @ u)
        self._x = self.A @ x + self.B @ u + self.noise * self._rng.standard_normal(len(x))
        self._steps += 1
        return self._x.copy(), reward, False, self._steps >= self.limit, {}

    def gain(self, gamma: float = 1.0) -> Floats:
        """K (m, n) of the best policy u = −Kx for discounted rewards, by Riccati's equation."""
        from scipy.linalg import solve_discrete_are

        A, B = math.sqrt(gamma) * self.A, math.sqrt(gamma) * self.B
        P = solve_discrete_are(A, B, self.Q, self.R)
        return np.linalg.solve(self.R + B.T @ P @ B, B.T @ P @ A)


@host_only
class Walk:
    """A finite decision process, played: states are observations, `info["cost"]` has the cost.

    Args:
        mdp: the process.
        limit: steps of an episode, which is cut there.
    """

    def __init__(self, mdp: MDP, limit: int = 50) -> None:
        self.mdp, self.limit = mdp, limit
        S, A = mdp.rewards.shape
        self.observation_space, self.action_space = Discrete(S), Discrete(A)
        self._rng = np.random.default_rng()
        self._state, self._steps = 0, 0

    def reset(self, *, seed: int | None = None) -> tuple[int, dict[str, Any]]:
        """A state of the start's distribution."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self._state, self._steps = int(self._rng.choice(len(self.mdp.start), p=self.mdp.start)), 0
        return self._state, {}

    def step(self, action: Any) -> Answer:
        """One step; episodes are cut, and never end."""
        s, a = self._state, int(action)
        cost = 0.0 if self.mdp.costs is None else float(self.mdp.costs[s, a])
        self._state = int(self._rng.choice(len(self.mdp.start), p=self.mdp.transitions[s, a]))
        self._steps += 1
        return self._state, float(self.mdp.rewards[s, a]), False, self._steps >= self.limit, {"cost": cost}


def made(env: str | Environment | Callable[[], Environment], count: int) -> list[Environment]:
    """Environments of one kind.

    Raises:
        DataError: several from one object, or something that is no environment.
        MissingPackageError: an id without Gymnasium.
    """
    if isinstance(env, str):
        need("gymnasium", f"the environment {env!r}", "rl")
        import gymnasium

        return [gymnasium.make(env) for _ in range(count)]
    if count > 1 and not callable(env):
        what = f"{count} environments cannot be made from one object"
        raise refusal(DataError, what, "Pass a function that makes one, or its Gymnasium id.")
    found = [env() if callable(env) else env for _ in range(count)]
    for one in found:
        lacking = [
            part for part in ("reset", "step", "observation_space", "action_space") if not hasattr(one, part)
        ]
        if lacking:
            what = f"an environment has no {lacking[0]}: got {one!r:.80}"
            remedy = "Pass a Gymnasium id, an environment or a function that makes one; of an MDP, Walk(mdp)."
            raise refusal(DataError, what, remedy)
    return found
