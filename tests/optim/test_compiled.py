"""Every optimizer's step compiled: the same steps as eagerly, in arrays that are handed on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import optim
from adjoint import tree as trees

from ..helpers import close, same_kind
from .cases import CASES, RATE
from .test_optimizers import loss, start

MASK = {"W": True, "inner": [False, False]}
OPTIMIZERS = {name: case.optimizer for name, case in CASES.items()} | {
    "sgd by a schedule": optim.sgd(optim.warmup_cosine(RATE, 8, warmup=3)),
    "adam by a schedule": optim.adam(optim.cosine(RATE, 8)),
    "adamw with a mask": optim.adamw(RATE, weight_decay=0.1, mask=MASK),
}


def step_of(opt: optim.Optimizer) -> Any:
    def step(params: Any, state: Any) -> Any:
        value, gradient = ad.value_and_grad(loss)(params)
        return *opt.update(gradient, state, params), value

    return step


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_ten_steps_as_eagerly(name: str, dtype: type) -> None:
    """Parameters, state and loss of every step, by one program and without NumPy."""
    opt = OPTIMIZERS[name]
    step, tolerance = step_of(opt), 1e-12 if dtype is np.float64 else 3e-6
    compiled = ad.compile(step, donate=(0, 1))
    eager = mine = (start(dtype), opt.init(start(dtype)))
    mine = ad.tree_map(np.array, mine)  # donated: they are written over
    for _ in range(10):
        *eager, value = step(*eager)
        *mine, found = compiled(*mine)
        same_kind(mine, eager)
        close([*mine, found], [*eager, value], tolerance)
    explained = compiled.explain()
    assert explained.recompilations == 0 and not explained.programs[0].fallbacks


def test_donated_arrays_are_written_in_place() -> None:
    """Parameters, mean and square of every leaf with axes: the results are the arrays that were given."""
    opt, params = optim.adam(RATE), start()
    compiled = ad.compile(step_of(opt), donate=(0, 1))
    given = (params, opt.init(params))
    arrays = [x for x in trees.flatten(given)[0] if np.ndim(x)]
    results = [x for x in trees.flatten(compiled(*given)[:2])[0] if np.ndim(x)]
    assert [id(x) for x in results] == [id(x) for x in arrays] and len(arrays) == 6
    kept = ad.compile(step_of(opt))  # without donation, nothing that is given changes
    before = [np.copy(x) for x in trees.flatten(given)[0]]
    kept(*given)
    close(trees.flatten(given)[0], before, 0.0)


@pytest.mark.slow
def test_an_unrolled_descent_is_differentiable_in_the_rate() -> None:
    """d(loss after three steps)/d(rate), compiled through optimizer and gradients."""

    def final(rate: Any, params: Any) -> Any:
        opt = optim.momentum(rate)
        state = opt.init(params)
        for _ in range(3):
            params, state = opt.update(ad.grad(loss)(params), state, params)
        return loss(params)

    derivative = ad.value_and_grad(final)
    close(ad.compile(derivative)(0.02, start()), derivative(0.02, start()), 1e-11)


def test_clipping_by_the_norm() -> None:
    clip = optim.clip_by_global_norm(0.1)
    compiled = ad.compile(lambda params: clip(ad.grad(loss)(params)))
    for scale in (1.0, 1e-3):
        params = ad.tree_map(lambda p, scale=scale: scale * p, start())
        close(compiled(params), clip(ad.grad(loss)(params)), 1e-12)
