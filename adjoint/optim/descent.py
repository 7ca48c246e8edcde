"""Gradient descent, plain and with momentum."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..ops.sides import same_side
from ..tree import tree_map
from .base import START, Optimizer, Rate, Tree, aligned, in_dtype_of, rate_at, zeros_like


class DescentState(NamedTuple):
    """State of `sgd`: the number of updates done, 0-d."""

    step: Any


class MomentumState(NamedTuple):
    """State of `momentum`: the number of updates done, 0-d, and the velocity in the parameters' shapes."""

    step: Any
    velocity: Tree


def sgd(rate: Rate) -> Optimizer:
    """Gradient descent: p ← p − rate · g.

    Args:
        rate: learning rate, a float or a schedule.

    >>> import numpy as np
    >>> from adjoint import optim
    >>> opt = optim.sgd(0.1)
    >>> params = {"w": np.array([1.0, 2.0])}
    >>> params, state = opt.update({"w": np.array([1.0, -1.0])}, opt.init(params), params)
    >>> params["w"]
    array([0.9, 2.1])
    """

    def init(params: Tree) -> DescentState:
        return DescentState(START)

    @same_side
    def update(gradient: Tree, state: DescentState, params: Tree) -> tuple[Tree, DescentState]:
        gradient, size = aligned(gradient, params), rate_at(rate, state.step)
        params = tree_map(lambda p, g: p - in_dtype_of(p, size) * g, params, gradient)
        return params, DescentState(state.step + 1.0)

    return Optimizer(init, update)


def momentum(rate: Rate, decay: float = 0.9, *, nesterov: bool = False) -> Optimizer:
    """Gradient descent with momentum: v ← decay · v + g, p ← p − rate · v.

    Args:
        rate: learning rate, a float or a schedule.
        decay: how much of the velocity v is kept, in [0, 1).
        nesterov: step along g + decay · v instead of v.

    Source: Sutskever et al. 2013, "On the importance of initialization and momentum", in PyTorch's form
    (the velocity is not multiplied by the rate, and starts as the first gradient).
    """

    def init(params: Tree) -> MomentumState:
        return MomentumState(START, zeros_like(params))

    @same_side
    def update(gradient: Tree, state: MomentumState, params: Tree) -> tuple[Tree, MomentumState]:
        gradient, size = aligned(gradient, params), rate_at(rate, state.step)
        velocity = tree_map(lambda v, g: in_dtype_of(v, decay) * v + g, state.velocity, gradient)
        ahead = velocity
        if nesterov:
            ahead = tree_map(lambda g, v: g + in_dtype_of(v, decay) * v, gradient, velocity)
        params = tree_map(lambda p, a: p - in_dtype_of(p, size) * a, params, ahead)
        return params, MomentumState(state.step + 1.0, velocity)

    return Optimizer(init, update)
