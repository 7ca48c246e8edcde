"""Policies: a function from parameters and observations to what a distribution of actions needs.

| | outputs of `apply` | actions |
|---|---|---|
| `Categorical` | logits (T, n) | (T,) integers 0 … n − 1 |
| `DiagonalGaussian` | mean (T, d) and logarithms of the standard deviations (T, d) | (T, d) |

Any function of that kind is a policy; `mlp_policy` makes the usual one. All randomness is in the noise that
is handed in, so that sampling is a function, too, and compiles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ... import nn
from ...ops.sides import same_side

Function = Callable[..., Any]


class Distribution(Protocol):
    """Distributions of actions, one per row of a policy's outputs. Arrays or recorded values in and out."""

    n: int  # actions, or components of one

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """What `sample` needs, (*shape, …)."""

    def sample(self, outputs: Any, noise: Any) -> Any:
        """Actions (T, …)."""

    def mode(self, outputs: Any) -> Any:
        """The most probable actions (T, …)."""

    def log_prob(self, outputs: Any, actions: Any) -> Any:
        """Logarithms of the actions' probabilities, or densities, (T,)."""

    def divergence(self, outputs: Any, others: Any) -> Any:
        """KL(outputs ‖ others) in nats, (T,)."""

    def entropy(self, outputs: Any) -> Any:
        """In nats, (T,)."""


@same_side
class Categorical:
    """Actions 0 … n − 1 with probabilities softmax(logits).

    Attributes:
        n: how many there are.
    """

    def __init__(self, n: int) -> None:
        self.n = n

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Uniform in [0, 1)."""
        return rng.random((*shape, 1))

    def sample(self, outputs: Any, noise: Any) -> Any:
        """The action at which the distribution function passes the noise (T, 1)."""
        passed = np.cumsum(nn.softmax(outputs), axis=-1)[..., :-1] <= noise
        return np.sum(passed, axis=-1)

    def mode(self, outputs: Any) -> Any:
        """The action of the largest logit."""
        return np.argmax(outputs, axis=-1)

    def log_prob(self, outputs: Any, actions: Any) -> Any:
        """log softmax(logits)[action]."""
        return np.take_along_axis(nn.log_softmax(outputs), actions[:, None], axis=-1)[:, 0]

    def divergence(self, outputs: Any, others: Any) -> Any:
        """Σ p (log p − log q)."""
        log_p = nn.log_softmax(outputs)
        return np.sum(np.exp(log_p) * (log_p - nn.log_softmax(others)), axis=-1)

    def entropy(self, outputs: Any) -> Any:
        """−Σ p log p."""
        log_p = nn.log_softmax(outputs)
        return -np.sum(np.exp(log_p) * log_p, axis=-1)


@same_side
class DiagonalGaussian:
    """Independent normal components.

    Attributes:
        n: how many.
    """

    def __init__(self, n: int) -> None:
        self.n = n

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Standard normal."""
        return rng.standard_normal((*shape, self.n))

    def sample(self, outputs: Any, noise: Any) -> Any:
        """mean + σ noise."""
        mean, log_std = outputs
        return mean + np.exp(log_std) * noise

    def mode(self, outputs: Any) -> Any:
        """The mean."""
        return outputs[0]

    def log_prob(self, outputs: Any, actions: Any) -> Any:
        """−½ Σ (z² + 2 log σ + log 2π)."""
        mean, log_std = outputs
        z = (actions - mean) * np.exp(-log_std)
        return -0.5 * np.sum(z * z + 2 * log_std + math.log(2 * math.pi), axis=-1)

    def divergence(self, outputs: Any, others: Any) -> Any:
        """Σ log σ₂/σ₁ + (σ₁² + (m₁ − m₂)²)/2σ₂² − ½."""
        (m1, s1), (m2, s2) = outputs, others
        ratio, off = np.exp(2 * (s1 - s2)), (m1 - m2) * np.exp(-s2)
        return np.sum(s2 - s1 + 0.5 * (ratio + off * off) - 0.5, axis=-1)

    def entropy(self, outputs: Any) -> Any:
        """Σ log σ + ½ log 2πe."""
        return np.sum(outputs[1] + 0.5 * math.log(2 * math.pi * math.e), axis=-1)


@dataclass(frozen=True, eq=False)
class Policy:
    """A stochastic policy.

    Attributes:
        apply: (parameters, observations (T, …)) → outputs for the distribution, one row per observation.
        distribution: of actions given the outputs.
    """

    apply: Function
    distribution: Distribution


def mlp(params: Sequence[Any], x: Any) -> Any:
    """Dense layers with tanh between them: x (T, i) → (T, o)."""
    *hidden, last = params
    for layer in hidden:
        x = np.tanh(nn.dense(layer, x))
    return nn.dense(last, x)


def init_mlp(rng: np.random.Generator, sizes: Sequence[int], last: float = 1.0) -> list[dict[str, Any]]:
    """Parameters of `mlp`, float64: orthogonal matrices times √2, the last one times `last`; biases of 0.

    Args:
        rng: source of the matrices.
        sizes: inputs, hidden sizes, outputs.
        last: the last layer's factor; small ones let a policy begin nearly uniform.
    """
    gains = [math.sqrt(2.0)] * (len(sizes) - 2) + [last]
    pairs = zip(sizes[:-1], sizes[1:], gains, strict=True)
    return [{"W": gain * _orthogonal(rng, i, o), "b": np.zeros(o)} for i, o, gain in pairs]


def _orthogonal(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diagonal(r))
    return q if rows >= columns else q.T


def mlp_policy(
    rng: np.random.Generator,
    inputs: int,
    distribution: Distribution,
    hidden: Sequence[int] = (64, 64),
    *,
    log_std: float = 0.0,
) -> tuple[Policy, Any]:
    """A policy by `mlp`, and its first parameters.

    Args:
        rng: source of the parameters.
        inputs: features of an observation.
        distribution: a `Categorical` or a `DiagonalGaussian`, whose standard deviations are parameters of
            their own.
        hidden: sizes of the hidden layers.
        log_std: at first, of a Gaussian.

    >>> policy, params = mlp_policy(np.random.default_rng(0), 4, Categorical(2))
    >>> policy.apply(params, np.zeros((3, 4))).shape
    (3, 2)
    """
    layers = init_mlp(rng, [inputs, *hidden, distribution.n], 0.01)
    if isinstance(distribution, Categorical):
        return Policy(mlp, distribution), layers
    return Policy(gaussian_mlp, distribution), {
        "mean": layers,
        "log_std": np.full(distribution.n, float(log_std)),
    }


def gaussian_mlp(params: Any, x: Any) -> Any:
    """The mean by `mlp`, and one standard deviation per component everywhere."""
    mean = mlp(params["mean"], x)
    return mean, params["log_std"] + 0.0 * mean
