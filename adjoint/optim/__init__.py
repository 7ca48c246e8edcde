"""Optimizers as pairs of pure functions over nested containers, learning-rate schedules, gradient clipping.

    opt = optim.adamw(optim.warmup_cosine(3e-4, 1000, warmup=100))
    state = opt.init(params)
    params, state = opt.update(ad.grad(loss)(params, batch), state, params)

Constants and formulas are PyTorch's. Nothing is hidden: state goes in and comes out, so updates are
differentiable in the parameters, the gradient and the rate, and compile like any function of arrays. A state
is a named tuple; on disk it is a tuple: `ad.save(path, tuple(state))`, `optim.AdamState(*ad.load(path))`.
What is loaded is NumPy's; for parameters of cupy, `ad.tree_map(cupy.asarray, state)` sends it.
"""

from .adaptive import AdamState, SquareState, adagrad, adam, adamw, rmsprop
from .base import Optimizer
from .clipping import clip_by_global_norm, global_norm
from .descent import DescentState, MomentumState, momentum, sgd
from .schedules import constant, cosine, exponential, warmup_cosine

# fmt: off
__all__ = [  # noqa: RUF022  (grouped by use)
    "Optimizer", "sgd", "momentum", "adam", "adamw", "rmsprop", "adagrad",
    "DescentState", "MomentumState", "AdamState", "SquareState",
    "clip_by_global_norm", "global_norm",
    "constant", "exponential", "cosine", "warmup_cosine",
]
# fmt: on
