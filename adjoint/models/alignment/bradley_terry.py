"""Bradley–Terry models of reward and utilities, fitted to preferences.

    maximise Σ log σ(s(x, chosen) − s(x, rejected))        s free, one number per response, or s = φᵀθ

A comparison sees differences within a prompt only, so that s is known up to a number per prompt. A tilted
policy does not mind; the level of a constraint does. So scores from preferences go with `relative`
constraints, E_π g − E_ref g ≥ b, which do not mind either.

Source: R. A. Bradley and M. E. Terry, Biometrika 39, 1952; existence after L. R. Ford, "Solution of a ranking
problem from binary comparisons", American Mathematical Monthly 64, 1957.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ... import nn
from ...engines import compile as compiled
from ...errors import ConvergenceError, DomainError, ShapeError, refusal
from ...ops.sides import host_only
from ...transforms import value_and_grad
from ..base import DataError, Floats, check_finite
from .preferences import Preferences

numpy: Any = np  # for calls that come back through the protocols


@dataclass(frozen=True, eq=False)
class BradleyTerry:
    """A fitted model.

    Attributes:
        scores: (N, K) s, of mean 0 within each prompt.
        standard_errors: (N, K), of s so centered.
        theta: (p,) coefficients of the features; None for free scores.
        covariance: (p, p) of theta; of free scores (N, K, K), prompts being independent.
        log_likelihood: Σ log σ.
        gradient: the largest |∂| that is left, per comparison.
        steps: Newton's steps.
    """

    scores: Floats
    standard_errors: Floats
    theta: Floats | None
    covariance: Floats = field(repr=False)
    log_likelihood: float
    gradient: float
    steps: int

    def __repr__(self) -> str:
        n, k = self.scores.shape
        kind = "free scores" if self.theta is None else f"{len(self.theta)} features"
        return (
            f"BradleyTerry of {n} prompts × {k} responses, {kind}: log-likelihood {self.log_likelihood:.6g}, "
            f"standard errors {np.min(self.standard_errors):.2g} to {np.max(self.standard_errors):.2g}"
        )


@host_only
def fit_bradley_terry(
    preferences: Preferences,
    *,
    shape: tuple[int, int] | None = None,
    features: ArrayLike | None = None,
    ridge: float = 0.0,
    max_steps: int = 100,
) -> BradleyTerry:
    """Maximise the likelihood of comparisons, by Newton's steps on a compiled program.

    Args:
        preferences: n comparisons.
        shape: (N, K), for one free score per response.
        features: φ (N, K, p) instead, for s = φᵀθ.
        ridge: ½·ridge·‖s‖² (or ‖θ‖²) is added to −log-likelihood, ≥ 0: needed where comparisons leave scores
            open.
        max_steps: Newton's steps at most.

    Returns:
        Scores, centered within prompts, with standard errors from the inverse Hessian.

    Raises:
        DataError: without a ridge, some score could be moved for ever without ever being contradicted; or
            a feature that is not finite.
        DomainError: a ridge below 0.
        ShapeError: neither or both of shape and features; a comparison outside (N, K).
        ConvergenceError: max_steps did not suffice.

    >>> from adjoint.models.alignment import Preferences
    >>> won = Preferences(np.zeros(4, int), np.array([0, 0, 0, 1]), np.array([1, 1, 1, 0]))
    >>> fit_bradley_terry(won, shape=(1, 2)).scores.round(6).tolist()  # 3 : 1, a difference of log 3
    [[0.549306, -0.549306]]
    """
    if (shape is None) == (features is None):
        raise refusal(ShapeError, "fit_bradley_terry needs either shape=(N, K) or features=(N, K, p)")
    if not (np.isfinite(ridge) and ridge >= 0):
        raise refusal(DomainError, f"ridge must be a number ≥ 0, got {ridge}")
    fit = _Free(preferences, shape, ridge) if shape is not None else _Linear(preferences, features, ridge)
    if not ridge:
        fit.check_existence()
    parameters = fit.start
    value, gradient = fit.evaluate(parameters)
    for steps in range(max_steps):  # noqa: B007  (reported)
        change = fit.newton_step(parameters, gradient)
        fall = -float(np.sum(gradient * change))
        if fall <= 1e-26:
            break
        for halvings in range(50):
            trial = parameters + 0.5**halvings * change
            after = fit.evaluate(trial)
            # the last steps change the value by less than its rounding
            if after[0] <= value - 1e-4 * 0.5**halvings * fall + 1e-15 * abs(value):
                break
        parameters, (value, gradient) = trial, after
        if fall <= 1e-20:
            break
    else:
        left = float(np.max(np.abs(gradient)))
        what = f"fit_bradley_terry stopped after {max_steps} steps at a gradient of {left:.1e}"
        raise refusal(ConvergenceError, what, "Raise max_steps, or give a ridge.")
    return fit.result(parameters, value, float(np.max(np.abs(gradient))), steps)


def _free_loss(s: Any, chosen: Any, rejected: Any, weight: Any, ridge: Any) -> Any:
    """−Σ log σ / n of scores in one vector."""
    return weight * (numpy.sum(nn.softplus(s[rejected] - s[chosen])) + 0.5 * ridge * numpy.sum(s * s))


def _linear_loss(theta: Any, rows: Any, weight: Any, ridge: Any) -> Any:
    """−Σ log σ / n of s = φᵀθ; rows are differences φ(chosen) − φ(rejected)."""
    return weight * (numpy.sum(nn.softplus(-(rows @ theta))) + 0.5 * ridge * numpy.sum(theta * theta))


@cache
def _program(loss: Any) -> Any:
    return compiled(value_and_grad(loss))


class _Fit:
    """What both kinds share; gradients are per comparison, so that tolerances do not depend on n."""

    loss: Any
    data: tuple[Any, ...]
    start: Floats
    shape: tuple[int, int]

    def __init__(self, preferences: Preferences, shape: tuple[int, ...], ridge: float) -> None:
        for name, limit in (("prompts", shape[0]), ("chosen", shape[1]), ("rejected", shape[1])):
            values = getattr(preferences, name)
            bad = np.flatnonzero((values < 0) | (values >= limit))
            if bad.size:
                what = f"comparison {bad[0]} has {name}[{bad[0]}] = {values[bad[0]]}, outside 0 … {limit - 1}"
                raise refusal(
                    ShapeError, what, f"There are {shape[0]} prompts with {shape[1]} responses each."
                )
        self.preferences, self.ridge = preferences, float(ridge)
        self.shape = (shape[0], shape[1])
        self.weight = 1.0 / len(preferences)

    def evaluate(self, parameters: Floats) -> tuple[float, Floats]:
        """The loss per comparison, and its gradient."""
        value, gradient = _program(self.loss)(parameters, *self.data, self.weight, self.ridge)
        return float(value), np.asarray(gradient)


def _spread(margin: Floats) -> Floats:
    """σ(m) σ(−m), the curvature of −log σ."""
    e = np.exp(-np.abs(margin))
    found: Floats = e / (1 + e) ** 2
    return found


class _Free(_Fit):
    """One score per response; the Hessian is a block (K, K) per prompt."""

    loss = staticmethod(_free_loss)

    def __init__(self, preferences: Preferences, shape: tuple[int, ...], ridge: float) -> None:
        if len(shape) != 2 or min(shape) < 1:
            raise refusal(ShapeError, f"shape must be (N, K), got {shape}")
        super().__init__(preferences, shape, ridge)
        p, k = preferences, self.shape[1]
        self.data = (p.prompts * k + p.chosen, p.prompts * k + p.rejected)
        self.start = np.zeros(self.shape[0] * k)

    def check_existence(self) -> None:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        chosen, rejected = self.data
        n, k = self.shape
        links = coo_array((np.ones(len(chosen)), (chosen, rejected)), shape=(n * k, n * k))
        labels = connected_components(links.tocsr(), connection="strong")[1].reshape(n, k)
        apart = np.flatnonzero(np.any(labels != labels[:, :1], axis=1))
        if apart.size:
            x = int(apart[0])
            y = int(np.argmax(labels[x] != labels[x, 0]))
            what = f"responses 0 and {y} of prompt {x} are not linked by wins in both directions"
            many = f" ({apart.size} of {n} prompts have such)" if apart.size > 1 else ""
            raise refusal(
                DataError, what + many, "Their scores have no finite estimate: give a ridge > 0, or features."
            )

    def _hessian(self, s: Floats) -> Floats:
        n, k = self.shape
        x, a, b = self.preferences.prompts, self.preferences.chosen, self.preferences.rejected
        w = self.weight * _spread(s[self.data[0]] - s[self.data[1]])
        flat = np.zeros(n * k * k)
        for i, j, sign in ((a, a, 1.0), (b, b, 1.0), (a, b, -1.0), (b, a, -1.0)):
            flat += sign * np.bincount((x * k + i) * k + j, w, minlength=n * k * k)
        blocks = flat.reshape(n, k, k)
        # all scores of a prompt may move together: any curvature along 1 serves
        size = np.trace(blocks, axis1=1, axis2=2)[:, None, None] / k**2 + 1e-300
        return blocks + size + self.weight * self.ridge * np.eye(k)

    def newton_step(self, s: Floats, gradient: Floats) -> Floats:
        step = np.linalg.solve(self._hessian(s), -gradient.reshape(*self.shape, 1))
        return np.asarray(step).ravel()

    def result(self, s: Floats, value: float, gradient: float, steps: int) -> BradleyTerry:
        k = self.shape[1]
        center = np.eye(k) - 1 / k
        covariance = center @ np.linalg.inv(self._hessian(s)) @ center * self.weight
        errors = np.sqrt(np.maximum(np.diagonal(covariance, axis1=1, axis2=2), 0.0))
        scores = s.reshape(self.shape)
        likelihood = -value / self.weight + 0.5 * self.ridge * float(s @ s)
        scores = scores - np.mean(scores, axis=1, keepdims=True)
        return BradleyTerry(scores, errors, None, covariance, likelihood, gradient, steps)


class _Linear(_Fit):
    """s = φᵀθ."""

    loss = staticmethod(_linear_loss)

    def __init__(self, preferences: Preferences, features: ArrayLike | None, ridge: float) -> None:
        self.features = np.asarray(features, float)
        if self.features.ndim != 3 or 0 in self.features.shape:
            raise refusal(ShapeError, f"features must be (N, K, p); got shape {self.features.shape}")
        check_finite(self.features, "features")
        super().__init__(preferences, self.features.shape, ridge)
        p = preferences
        self.rows = self.features[p.prompts, p.chosen] - self.features[p.prompts, p.rejected]
        self.data = (self.rows,)
        self.start = np.zeros(self.rows.shape[1])

    def check_existence(self) -> None:
        from ..logistic_solver import Likelihood, separation

        q = self.rows.shape[1]
        if np.linalg.matrix_rank(self.rows) < q:
            what = f"differences of the {q} features span {np.linalg.matrix_rank(self.rows)} dimensions only"
            raise refusal(
                DataError, what, "Leave out features that are constant within prompts, or give a ridge."
            )
        n = len(self.rows)
        likelihood = Likelihood(self.rows, np.ones(n, np.intp), np.ones(n), 2, 0.0, 0)
        direction = separation(likelihood)
        if direction is not None:
            what = f"no comparison contradicts the direction {np.round(direction[0], 4).tolist()} of θ"
            raise refusal(
                DataError, what, "The likelihood has no maximum: give a ridge > 0, or more comparisons."
            )

    def _hessian(self, theta: Floats) -> Floats:
        w = self.weight * _spread(self.rows @ theta)
        return (self.rows * w[:, None]).T @ self.rows + self.weight * self.ridge * np.eye(len(theta))

    def newton_step(self, theta: Floats, gradient: Floats) -> Floats:
        return np.asarray(np.linalg.solve(self._hessian(theta), -gradient))

    def result(self, theta: Floats, value: float, gradient: float, steps: int) -> BradleyTerry:
        covariance = np.asarray(np.linalg.inv(self._hessian(theta)), np.float64) * self.weight
        centered = self.features - np.mean(self.features, axis=1, keepdims=True)
        errors: Floats = np.sqrt(np.einsum("nki,ij,nkj->nk", centered, covariance, centered))
        likelihood = -value / self.weight + 0.5 * self.ridge * float(theta @ theta)
        return BradleyTerry(centered @ theta, errors, theta, covariance, likelihood, gradient, steps)
