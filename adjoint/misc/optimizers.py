"""HIPS/autograd's optimization loops over the update rules of `adjoint.optim`.

Each takes `grad(x, i)`, the gradient at x in iteration i, and a start x0, which may be a nested container; it
calls `callback(x, i, g)` before every step and returns the last x. For a compiled training step take the
optimizers of `adjoint.optim` themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import optim
from ..ops.broadcast import astype
from ..ops.primitive import beside, dtype_of, shape_of
from ..optim.base import Optimizer
from ..tree import tree_map

Function = Callable[..., Any]


def sgd(
    grad: Function,
    x0: Any,
    callback: Function | None = None,
    num_iters: int = 200,
    step_size: float = 0.1,
    mass: float = 0.9,
) -> Any:
    """Gradient descent with momentum: v ← mass · v − (1 − mass) g, x ← x + step_size · v.

    >>> sgd(ad.grad(lambda x, i: np.sum((x - 1.0) ** 2)), np.zeros(2)).round(3)
    array([1., 1.])
    """
    return _descend(optim.momentum(step_size * (1.0 - mass), mass), grad, x0, callback, num_iters)


def rmsprop(
    grad: Function,
    x0: Any,
    callback: Function | None = None,
    num_iters: int = 100,
    step_size: float = 0.1,
    gamma: float = 0.9,
    eps: float = 1e-8,
) -> Any:
    """RMSprop: s ← gamma · s + (1 − gamma) g², x ← x − step_size · g / (√s + eps), with s = 1 at first."""
    inner = optim.rmsprop(step_size, decay=gamma, eps=eps)

    def init(params: Any) -> Any:
        ones = tree_map(lambda p: beside(p).ones(shape_of(p), dtype_of(p))[()], params)
        return inner.init(params)._replace(square=ones)

    return _descend(Optimizer(init, inner.update), grad, x0, callback, num_iters)


def adam(
    grad: Function,
    x0: Any,
    callback: Function | None = None,
    num_iters: int = 100,
    step_size: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
) -> Any:
    """Adam, as `adjoint.optim.adam`.

    >>> x = adam(ad.grad(lambda p, i: p["a"] ** 2 + (p["b"] - 1) ** 2), {"a": 1.0, "b": 0.0}, None, 200, 0.1)
    >>> round(float(x["b"]), 2)
    1.0
    """
    return _descend(optim.adam(step_size, b1=b1, b2=b2, eps=eps), grad, x0, callback, num_iters)


def _descend(optimizer: Optimizer, grad: Function, x: Any, callback: Function | None, num_iters: int) -> Any:
    x = tree_map(lambda p: p if dtype_of(p).kind in "fc" else astype(p, dtype=np.dtype(float)), x)
    state = optimizer.init(x)
    for i in range(num_iters):
        g = grad(x, i)
        if callback is not None:
            callback(x, i, g)
        x, state = optimizer.update(g, state, x)
    return x
