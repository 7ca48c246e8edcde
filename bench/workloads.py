"""Programs that the benches share, written once for every library: `m` is numpy, autograd.numpy or torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def scalar_chain(m: Any, steps: int) -> Callable[..., Any]:
    """W1: a scalar recurrence of 5 operations per step; with respect to x, a, b at SCALARS."""

    def loss(x: Any, a: Any, b: Any) -> Any:
        total = 0.0
        for _ in range(steps):
            x = m.sin(x) * a + b * x
            total = total + x
        return total

    return loss


SCALARS = (0.7, 1.2, 0.5)
SCALAR_NODES = 5  # per step: sin, multiply, multiply, add, add


def array_chain(m: Any, steps: int, rates: Any) -> Callable[..., Any]:
    """The recurrence x ← x + rates · tanh(x), then the sum: 3 operations per step and one at the end.

    Args:
        m: the library.
        steps: of the recurrence.
        rates: (4,), a constant; positive and small, so that neither values nor multipliers vanish or explode.
    """

    def loss(x: Any) -> Any:
        for _ in range(steps):
            x = x + m.tanh(x) * rates
        return m.sum(x)

    return loss


ARRAYS = (np.array([0.3, 0.5, 0.7, 0.9]),)
RATES = np.array([0.002, 0.003, 0.004, 0.005])
ARRAY_NODES = 3  # per step: tanh, multiply, add
