"""Families of policies with parameters θ, aligned through this library's own gradients.

    π_θ(y|x) ∝ π_ref(y|x) e^{f_θ(φ(x, y))}          maximise L(π_θ, λ) over θ

`LogLinear` has f_θ = θᵀφ: a few parameters, Newton's steps. `Network` has an MLP: adam, then L-BFGS. Neither
problem is concave in θ; both start where the last λ ended.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ... import nn, optim
from ...engines import compile as compiled
from ...errors import ShapeError, refusal
from ...ops.sides import host_only
from ...transforms import hessian, value_and_grad
from ...transforms.vectors import flatten
from ..base import DataError, Floats
from .finite import FiniteProblem

numpy: Any = np  # for calls that come back through the protocols


def _policy(logits: Any, log_base: Any) -> Any:
    """Log π_θ (N, K)."""
    return nn.log_softmax(logits + log_base)


def _loss(logits: Any, log_base: Any, s: Any, beta: Any) -> Any:
    """−L: minus E_x[E_π s − β KL(π‖π_ref)], s = r + λᵀ(g − b)."""
    log_policy = _policy(logits, log_base)
    gain = s - beta * (log_policy - log_base)
    return -numpy.mean(numpy.sum(numpy.exp(log_policy) * gain, axis=1))


def _linear_loss(theta: Any, features: Any, log_base: Any, s: Any, beta: Any) -> Any:
    return _loss(features @ theta, log_base, s, beta)


def _network(params: Any, features: Any) -> Any:
    x = features
    for layer in params[:-1]:
        x = numpy.tanh(nn.dense(layer, x))
    return nn.dense(params[-1], x)[..., 0]


def _network_loss(params: Any, features: Any, log_base: Any, s: Any, beta: Any) -> Any:
    return _loss(_network(params, features), log_base, s, beta)


@cache
def _linear_program() -> Callable[..., Any]:
    def all_orders(theta: Any, *data: Any) -> Any:
        value, gradient = value_and_grad(_linear_loss)(theta, *data)
        return value, gradient, hessian(_linear_loss)(theta, *data)

    return compiled(all_orders)


@cache
def _network_program() -> Callable[..., Any]:
    return compiled(value_and_grad(_network_loss))


@cache
def _adam_program(rate: float) -> tuple[optim.Optimizer, Callable[..., Any]]:
    adam = optim.adam(rate)

    def step(params: Any, state: Any, *data: Any) -> Any:
        value, gradient = value_and_grad(_network_loss)(params, *data)
        return *adam.update(gradient, state, params), value

    return adam, compiled(step)


def _features(values: ArrayLike) -> Floats:
    array = np.array(values, float)
    if array.ndim != 3 or 0 in array.shape:
        what = f"features must be (N, K, p), prompts × responses × features; got shape {array.shape}"
        raise refusal(ShapeError, what)
    if not np.all(np.isfinite(array)):
        raise refusal(DataError, "features must be finite numbers")
    return array


def _data(problem: FiniteProblem, lam: Floats, features: Floats) -> tuple[Any, ...]:
    if features.shape[:2] != problem.base.shape:
        what = f"features of {features.shape[:2]} prompts × responses; the problem has {problem.base.shape}"
        raise refusal(ShapeError, what)
    s = problem.reward + np.tensordot(lam, problem.g, axes=1)
    return features, np.log(problem.base), s, np.float64(problem.beta)


@host_only
class LogLinear:
    """π_θ ∝ π_ref e^{θᵀφ}.

    With φ = (r, g) it contains every π_λ, with θ = (1, λ)/β; with perturbed features it lacks them by little.

    Args:
        features: φ (N, K, p).

    Attributes:
        theta: (p,) parameters of the last policy, None before.

    >>> game = FiniteProblem(np.full((1, 2), 0.5), [[1.0, 0.0]], {}, [], beta=1.0)
    >>> LogLinear([[[1.0], [0.0]]]).best(game, np.zeros(0)).round(8).tolist()  # φ = r: π_0 itself
    [[0.73105858, 0.26894142]]
    """

    def __init__(self, features: ArrayLike) -> None:
        self.features = _features(features)
        self.theta: Floats | None = None

    def best(self, problem: FiniteProblem, lam: Floats) -> Floats:
        """A maximiser of L(π_θ, λ) by Newton's method; the best from several starts."""
        data = _data(problem, lam, self.features)
        starts = [self._projection(problem, data[2])]
        if self.theta is not None:
            starts.append(self.theta)
        found = [_newton(_linear_program(), start, data) for start in starts]
        _, self.theta = min(found, key=lambda pair: pair[0])
        return np.exp(np.asarray(_policy(self.features @ self.theta, data[1])))

    def _projection(self, problem: FiniteProblem, s: Floats) -> Floats:
        """θ with θᵀφ nearest to s/β within prompts, in the mean square under π_ref."""
        weight = np.sqrt(problem.base)[..., None]
        rest = (
            self.features - np.sum(problem.base[..., None] * self.features, axis=1, keepdims=True)
        ) * weight
        target = (s - np.sum(problem.base * s, axis=1, keepdims=True)) * weight[..., 0] / problem.beta
        theta: Floats = np.linalg.lstsq(rest.reshape(-1, rest.shape[2]), target.ravel(), rcond=None)[0]
        return theta


def _newton(program: Callable[..., Any], theta: Floats, data: tuple[Any, ...]) -> tuple[float, Floats]:
    """The loss and its minimiser; eigenvalues of the Hessian by their size, so that every step descends."""
    value, gradient, matrix = program(theta, *data)
    for _ in range(100):
        values, vectors = np.linalg.eigh(matrix)
        size = np.maximum(np.abs(values), 1e-10 * max(float(np.max(np.abs(values))), 1e-300))
        step = -vectors @ ((vectors.T @ gradient) / size)
        decrement = -float(gradient @ step)
        if decrement <= 1e-28 * max(1.0, abs(float(value))):
            break
        for halvings in range(40):
            trial = theta + 0.5**halvings * step
            after = program(trial, *data)
            # the last steps change the loss by less than its rounding; then the gradient decides
            flat = decrement < 1e-13 * max(1.0, abs(float(value)))
            if after[0] <= value - 1e-4 * 0.5**halvings * decrement or (
                flat and np.linalg.norm(after[1]) < np.linalg.norm(gradient)
            ):
                break
        else:
            break
        theta, (value, gradient, matrix) = trial, after
    return float(value), theta


@host_only
class Network:
    """π_θ ∝ π_ref e^{f_θ(φ)} with an MLP f_θ of tanh layers.

    Args:
        features: φ (N, K, p).
        hidden: widths of the hidden layers.
        rng: draws the first parameters.
        steps: of adam, before L-BFGS takes over; a tenth of them when it goes on from the last λ.
        rate: of adam.
        polish: steps of L-BFGS at most.

    Attributes:
        params: list of {"W", "b"}, of the last policy.
        evaluations: how many gradients all alignments together took.

    >>> game = FiniteProblem(np.full((1, 2), 0.5), [[1.0, 0.0]], {}, [], beta=1.0)
    >>> network = Network([[[1.0], [0.0]]], (3,), rng=np.random.default_rng(0))
    >>> network.best(game, np.zeros(0)).round(4).tolist()
    [[0.7311, 0.2689]]
    """

    def __init__(
        self,
        features: ArrayLike,
        hidden: tuple[int, ...] = (16,),
        *,
        rng: np.random.Generator,
        steps: int = 200,
        rate: float = 0.02,
        polish: int = 300,
    ) -> None:
        self.features = _features(features)
        sizes = [self.features.shape[2], *hidden, 1]
        self.params = [nn.init_dense(rng, i, o, dtype=np.float64) for i, o in pairwise(sizes)]
        self.steps, self.rate, self.polish = steps, rate, polish
        self.evaluations = 0

    def best(self, problem: FiniteProblem, lam: Floats) -> Floats:
        """A local maximiser of L(π_θ, λ), from where the last one was."""
        data = _data(problem, lam, self.features)
        first = self.evaluations == 0
        adam, step = _adam_program(self.rate)
        state = adam.init(self.params)
        for _ in range(self.steps if first else self.steps // 10):
            self.params, state, _ = step(self.params, state, *data)
            self.evaluations += 1
        self._polish(data)
        return np.exp(np.asarray(_policy(_network(self.params, self.features), data[1])))

    def _polish(self, data: tuple[Any, ...]) -> None:
        from scipy.optimize import minimize

        start, unpack = flatten(self.params)
        program = _network_program()

        def value(flat: Floats) -> tuple[float, Floats]:
            self.evaluations += 1
            loss, gradient = program(unpack(flat), *data)
            return float(loss), flatten(gradient)[0]

        options = {"maxiter": self.polish, "ftol": 1e-15, "gtol": 1e-9}
        found = minimize(value, start, jac=True, method="L-BFGS-B", options=options)
        self.params = unpack(np.asarray(found.x))
