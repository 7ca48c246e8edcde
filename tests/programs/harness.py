"""What the programs share: a gradient against differences, eager against compiled, and where jax is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import adjoint as ad
from adjoint import tree as trees

from ..engines.harness import compare, fallbacks

Function = Callable[..., Any]


def follows(f: Function, x: Any, gradient: Any, h: float = 1e-2) -> None:
    """f(x + h v) − f(x) − h ⟨gradient, v⟩ falls as h² in a random direction; ⟨gradient, v⟩ is the slope.

    Args:
        f: scalar function of one argument, on plain values.
        x: argument, an array or a container.
        gradient: like x.
        h: the first step; it is halved twice.
    """
    leaves, structure = trees.flatten(x)
    rng = np.random.default_rng(7)
    # no entry near zero: a wrong derivative could hide there
    v = [rng.choice([-1.0, 1.0], np.shape(x)) * rng.uniform(0.5, 1.5, np.shape(x)) for x in leaves]
    slope = sum(float(np.sum(g * d)) for g, d in zip(trees.flatten(gradient)[0], v, strict=True))
    rises = {}
    for k in (-4, -2, -1, 1, 2, 4):
        moved = [leaf + h * k / 4 * d for leaf, d in zip(leaves, v, strict=True)]
        rises[k] = float(f(trees.unflatten(structure, moved)))
    # two central differences and Richardson's combination of them: the error is of fourth order
    coarse, fine = (rises[4] - rises[-4]) / (2 * h), (rises[2] - rises[-2]) / h
    best = (4 * fine - coarse) / 3
    scale = max(abs(slope), abs(best), 1e-3 * max(1.0, abs(rises[1])))
    assert abs(slope - best) <= 1e-5 * scale, f"slope {slope:.12g}, by differences {best:.12g}"
    middle = float(f(x))
    rests = [abs(rises[k] - middle - h * k / 4 * slope) for k in (4, 2, 1)]
    if rests[-1] > 1e-11 * max(1.0, abs(middle)):  # else f is straight here
        rate = np.log2(rests[0] / rests[-1]) / 2
        assert rate > 1.7, f"remainders {rests}: rate {rate:.2f}, not 2"


def same_compiled(f: Function, *args: Any, steps: tuple[str, ...] = (), factor: float = 1e3) -> None:
    """Value and gradient by `ad.compile` are those of the eager sweep; `steps` is what NumPy computes."""
    compiled = ad.compile(ad.value_and_grad(f))
    compare(compiled(*args), ad.value_and_grad(f)(*args), factor)
    assert sorted(set(fallbacks(compiled))) == sorted(steps)
