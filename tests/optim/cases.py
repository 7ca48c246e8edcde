"""The optimizers under test, each with a hand-written NumPy witness and its twin in torch.optim.

A witness works on one flat float64 vector: it takes p, the gradient, the step t = 1, 2, … and a dict that it
may write its memory into, and returns the new p.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from adjoint import optim

RATE = 0.05


def witness_sgd(p, g, t, memory):
    return p - RATE * g


def witness_momentum(p, g, t, memory):
    memory["v"] = g if t == 1 else 0.9 * memory["v"] + g
    return p - RATE * memory["v"]


def witness_nesterov(p, g, t, memory):
    memory["v"] = g if t == 1 else 0.8 * memory["v"] + g
    return p - RATE * (g + 0.8 * memory["v"])


def witness_adam(p, g, t, memory, b1=0.9, b2=0.999, eps=1e-8):
    """The means as sums over all gradients so far, instead of a recursion."""
    history = memory.setdefault("g", [])
    history.append(g)
    m = sum((1 - b1) * b1 ** (t - 1 - k) * h for k, h in enumerate(history)) / (1 - b1**t)
    v = sum((1 - b2) * b2 ** (t - 1 - k) * h**2 for k, h in enumerate(history)) / (1 - b2**t)
    return p - RATE * m / (np.sqrt(v) + eps)


def witness_adam_other(p, g, t, memory):
    return witness_adam(p, g, t, memory, 0.8, 0.95, 1e-3)


def witness_adamw(p, g, t, memory):
    return witness_adam(p - RATE * 0.1 * p, g, t, memory)


def witness_rmsprop(p, g, t, memory):
    history = memory.setdefault("g", [])
    history.append(g)
    v = sum(0.01 * 0.99 ** (t - 1 - k) * h**2 for k, h in enumerate(history))
    return p - RATE * g / (np.sqrt(v) + 1e-8)


def witness_adagrad(p, g, t, memory):
    history = memory.setdefault("g", [])
    history.append(g)
    return p - RATE * g / (np.sqrt(np.sum(np.square(history), axis=0)) + 1e-10)


class Case(NamedTuple):
    """One optimizer, its witness, and name and options of its twin in torch.optim."""

    optimizer: optim.Optimizer
    witness: Callable[..., Any]
    torch: str
    options: dict[str, Any]


CASES = {
    "sgd": Case(optim.sgd(RATE), witness_sgd, "SGD", {}),
    "momentum": Case(optim.momentum(RATE), witness_momentum, "SGD", {"momentum": 0.9}),
    "nesterov": Case(
        optim.momentum(RATE, 0.8, nesterov=True), witness_nesterov, "SGD", {"momentum": 0.8, "nesterov": True}
    ),
    "adam": Case(optim.adam(RATE), witness_adam, "Adam", {}),
    "adam other constants": Case(
        optim.adam(RATE, b1=0.8, b2=0.95, eps=1e-3),
        witness_adam_other,
        "Adam",
        {"betas": (0.8, 0.95), "eps": 1e-3},
    ),
    "adamw": Case(optim.adamw(RATE, weight_decay=0.1), witness_adamw, "AdamW", {"weight_decay": 0.1}),
    "rmsprop": Case(optim.rmsprop(RATE), witness_rmsprop, "RMSprop", {}),
    "adagrad": Case(optim.adagrad(RATE), witness_adagrad, "Adagrad", {}),
}
