"""Optimizers that scale every coordinate by its own past: Adam, AdamW, RMSprop, Adagrad."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import tree as trees
from ..errors import TreeError, refusal
from ..ops.sides import same_side
from ..tree import tree_map
from .base import START, Optimizer, Rate, Tree, aligned, in_dtype_of, rate_at, root, zeros_like


class AdamState(NamedTuple):
    """State of `adam` and `adamw`: updates done, 0-d, and running means of g and g², not yet corrected."""

    step: Any
    mean: Tree
    square: Tree


class SquareState(NamedTuple):
    """State of `rmsprop` and `adagrad`: updates done, 0-d, and the running mean, or the sum, of g²."""

    step: Any
    square: Tree


def adam(rate: Rate = 1e-3, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Optimizer:
    """Adam: steps of about `rate` per coordinate, whatever the gradient's scale.

    m ← b1 m + (1 − b1) g,  v ← b2 v + (1 − b2) g²,  p ← p − rate · m̂ / (√v̂ + eps),
    m̂ = m / (1 − b1ᵗ),  v̂ = v / (1 − b2ᵗ).

    Args:
        rate: learning rate, a float or a schedule.
        b1: decay of the mean of g, in [0, 1).
        b2: decay of the mean of g², in [0, 1).
        eps: added to √v̂, in units of g.

    Source: Kingma & Ba 2015, arXiv:1412.6980, with PyTorch's place for eps.

    >>> import numpy as np
    >>> import adjoint as ad
    >>> from adjoint import optim
    >>> opt, w = optim.adam(0.1), np.array([3.0, -2.0])
    >>> state = opt.init(w)
    >>> for _ in range(200):
    ...     w, state = opt.update(ad.grad(lambda w: np.sum(w**2))(w), state, w)
    >>> bool(np.max(np.abs(w)) < 1e-2)
    True
    """
    return _adam(rate, b1, b2, eps, 0.0, None)


def adamw(
    rate: Rate = 1e-3,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
    mask: Tree = None,
) -> Optimizer:
    """Adam with decoupled weight decay: p ← (1 − rate · weight_decay) p, then Adam's step.

    Args:
        rate: learning rate, a float or a schedule.
        b1: decay of the mean of g, in [0, 1).
        b2: decay of the mean of g², in [0, 1).
        eps: added to √v̂, in units of g.
        weight_decay: share of p that is removed, per unit of rate.
        mask: a Python bool for every parameter, in their containers: True decays. All by default; to leave
            out biases and scales, `ad.tree_map(lambda p: p.ndim > 1, params)`.

    Raises:
        TreeError: (by `update`) the mask's containers differ from the parameters'.

    Source: Loshchilov & Hutter 2019, arXiv:1711.05101, as PyTorch has it.
    """
    return _adam(rate, b1, b2, eps, weight_decay, mask)


def _adam(rate: Rate, b1: float, b2: float, eps: float, weight_decay: float, mask: Tree) -> Optimizer:
    def init(params: Tree) -> AdamState:
        return AdamState(START, zeros_like(params), zeros_like(params))

    @same_side
    def update(gradient: Tree, state: AdamState, params: Tree) -> tuple[Tree, AdamState]:
        gradient, size, step = aligned(gradient, params), rate_at(rate, state.step), state.step + 1.0
        mean = tree_map(lambda m, g: _blend(b1, m, g), state.mean, gradient)
        square = tree_map(lambda v, g: _blend(b2, v, g * g), state.square, gradient)
        # in float64: 1 − .999 in float32 is off by 5e-5
        first, second = size / (1.0 - b1**step), 1.0 / np.sqrt(1.0 - b2**step)

        def moved(p: Any, m: Any, v: Any) -> Any:
            return p - in_dtype_of(p, first) * m / (root(v) * in_dtype_of(p, second) + eps)

        if weight_decay:
            params = _decayed(params, size * weight_decay, mask)
        return tree_map(moved, params, mean, square), AdamState(step, mean, square)

    return Optimizer(init, update)


def _blend(decay: Any, old: Any, new: Any) -> Any:
    """A running mean: decay · old + (1 − decay) · new."""
    return in_dtype_of(old, decay) * old + in_dtype_of(old, 1.0 - decay) * new


def _decayed(params: Tree, share: Any, mask: Tree) -> Tree:
    if mask is None:
        return tree_map(lambda p: p * in_dtype_of(p, 1.0 - share), params)
    if trees.flatten(mask)[1] != trees.flatten(params)[1]:
        what = f"mask and parameters are different containers: {trees.flatten(mask)[1]}"
        remedy = "Make it from the parameters: mask=ad.tree_map(lambda p: p.ndim > 1, params)."
        raise refusal(TreeError, f"{what} and {trees.flatten(params)[1]}", remedy)
    return tree_map(lambda p, chosen: p * in_dtype_of(p, 1.0 - share) if chosen else p, params, mask)


def rmsprop(rate: Rate = 1e-2, decay: float = 0.99, *, eps: float = 1e-8) -> Optimizer:
    """RMSprop: v ← decay · v + (1 − decay) g², p ← p − rate · g / (√v + eps).

    Args:
        rate: learning rate, a float or a schedule.
        decay: of the mean of g², in [0, 1).
        eps: added to √v, in units of g.

    Source: Tieleman & Hinton 2012, lecture 6.5, with PyTorch's constants.
    """

    def updated(v: Any, g: Any) -> Any:
        return _blend(decay, v, g * g)

    return _scaled(rate, eps, updated)


def adagrad(rate: Rate = 1e-2, *, eps: float = 1e-10) -> Optimizer:
    """Adagrad: v ← v + g², p ← p − rate · g / (√v + eps).

    Args:
        rate: learning rate, a float or a schedule.
        eps: added to √v, in units of g.

    Source: Duchi et al. 2011, JMLR 12, with PyTorch's constants.
    """

    def updated(v: Any, g: Any) -> Any:
        return v + g * g

    return _scaled(rate, eps, updated)


def _scaled(rate: Rate, eps: float, updated: Any) -> Optimizer:
    """Steps along g / (√v + eps), v updated from g."""

    def init(params: Tree) -> SquareState:
        return SquareState(START, zeros_like(params))

    @same_side
    def update(gradient: Tree, state: SquareState, params: Tree) -> tuple[Tree, SquareState]:
        gradient, size = aligned(gradient, params), rate_at(rate, state.step)
        square = tree_map(updated, state.square, gradient)

        def moved(p: Any, g: Any, v: Any) -> Any:
            return p - in_dtype_of(p, size) * g / (root(v) + eps)

        return tree_map(moved, params, gradient, square), SquareState(state.step + 1.0, square)

    return Optimizer(init, update)
