"""A batch, checked, and the sweeps over it: gradients, products with the Fisher matrix, what a step does."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...engines import compile
from ...errors import ShapeError, refusal
from ...transforms import grad, make_ggnvp
from ..base import DataError, check_finite
from .policies import Policy
from .quadratic import Floats

Direction = Literal["old-new", "new-old"]


class Batch(NamedTuple):
    """What was seen and done, and with which weights."""

    params: Any
    observations: Any
    actions: Any
    weights: Floats

    @classmethod
    def of(
        cls,
        params: Any,
        observations: ArrayLike,
        actions: ArrayLike,
        weights: ArrayLike | None,
    ) -> Batch:
        """Arrays, with weights that sum to one.

        Raises:
            ShapeError: lengths that differ, or no rows.
            DataError: NaN, negative weights.
        """
        seen, done = np.asarray(observations), np.asarray(actions)
        T = len(seen) if seen.ndim else 0
        if not T or done.ndim == 0 or len(done) != T:
            what = (
                f"observations (T, …) and actions (T, …) should have equally many rows, got {seen.shape} and"
            )
            raise refusal(ShapeError, f"{what} {done.shape}")
        for array, name in ((seen, "observations"), (done, "actions")):
            if array.dtype.kind == "f":
                check_finite(array, name)
        if weights is None:
            return cls(params, seen, done, np.full(T, 1 / T))
        given = np.asarray(weights, dtype=np.float64)
        if given.shape != (T,):
            raise refusal(ShapeError, f"weights should be ({T},), one per row, got {given.shape}")
        check_finite(given, "weights")
        if np.min(given) < 0 or not np.any(given):
            raise refusal(DataError, "weights should be ≥ 0, and > 0 somewhere")
        return cls(params, seen, done, given / np.sum(given))

    def advantages(self, center: bool, **given: ArrayLike) -> Floats:
        """Advantages (k, T) by name, less their weighted means if asked for.

        Raises:
            ShapeError: not (T,).
            DataError: NaN or infinite entries.
        """
        rows = []
        for name, values in given.items():
            array = np.asarray(values, dtype=np.float64)
            if array.shape != self.weights.shape:
                what = f"{name} should be {self.weights.shape}, one per observation, got {array.shape}"
                raise refusal(ShapeError, what)
            check_finite(array, name)
            row = array - self.weights @ array if center else array
            # equal advantages are no advantage: what rounding leaves of them would be taken for a direction
            rows.append(row if np.max(np.abs(row)) > 1e-14 * np.max(np.abs(array)) else np.zeros_like(row))
        return np.stack(rows)


# ------------------------------------------------------------------------------------------ the sweeps
class Sweeps(NamedTuple):
    """The derivatives of one policy that a step needs.

    Attributes:
        begin: (params, observations, actions) → outputs, log-probabilities (T,).
        gradient: (params, log-probabilities, observations, actions, wA (T,)) → gradient of the surrogate.
        fisher: (params, outputs, observations, weights, v) → F v, all in the parameters' containers.
        measure: (params, outputs, log-probabilities, observations, actions, wA (k, T), weights) → surrogate
            gains (k,), KL.
    """

    begin: Callable[..., Any]
    gradient: Callable[..., Any]
    fisher: Callable[..., Any]
    measure: Callable[..., Any]


@lru_cache(maxsize=32)
def sweeps(policy: Policy, kl: Direction, compiled: bool) -> Sweeps:
    """Made, and compiled, once for each policy."""
    apply, pi = policy.apply, policy.distribution

    def begin(params: Any, observations: Any, actions: Any) -> Any:
        outputs = apply(params, observations)
        return outputs, pi.log_prob(outputs, actions)

    def surrogate(params: Any, before: Any, observations: Any, actions: Any, weighted: Any) -> Any:
        ratio = np.exp(pi.log_prob(apply(params, observations), actions) - before)
        return np.sum(weighted * ratio)

    def fisher(params: Any, outputs: Any, observations: Any, weights: Any, v: Any) -> Any:
        def divergence(others: Any) -> Any:
            return np.sum(weights * pi.divergence(outputs, others))

        return make_ggnvp(apply, divergence)(params, observations)(v)

    def measure(
        params: Any, outputs: Any, before: Any, observations: Any, actions: Any, weighted: Any, weights: Any
    ) -> Any:
        others = apply(params, observations)
        ratio = np.exp(pi.log_prob(others, actions) - before)
        pair = (outputs, others) if kl == "old-new" else (others, outputs)
        return weighted @ (ratio - 1.0), np.sum(weights * pi.divergence(*pair))

    keep: Callable[..., Any] = compile if compiled else lambda f: f
    return Sweeps(keep(begin), keep(grad(surrogate)), keep(fisher), keep(measure))
