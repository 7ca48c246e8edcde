"""Learning-rate schedules against closed forms, and clipping by the global norm."""

from __future__ import annotations

import math

import numpy as np
import pytest

import adjoint as ad
from adjoint import optim

from ..helpers import close, same_kind


def test_cosine() -> None:
    for k in range(12):
        expected = 0.1 + 0.9 * (1 + math.cos(math.pi * min(k, 10) / 10)) / 2
        assert float(optim.cosine(1.0, 10, end=0.1)(float(k))) == pytest.approx(expected, abs=1e-15)


def test_exponential_and_constant() -> None:
    for k in range(5):
        assert optim.exponential(0.3, 0.9)(float(k)) == pytest.approx(0.3 * 0.9**k, rel=1e-15)
        assert optim.constant(0.3)(float(k)) == 0.3


def test_warmup_rises_in_stairs_and_then_follows_the_cosine() -> None:
    schedule = optim.warmup_cosine(2.0, 20, warmup=5, end=0.5)
    rates = [float(schedule(np.float64(k))) for k in range(22)]
    close(rates[:5], [0.4, 0.8, 1.2, 1.6, 2.0], 1e-15)
    close(rates[5:], [float(optim.cosine(2.0, 15, end=0.5)(float(k))) for k in range(17)], 1e-15)


@pytest.mark.parametrize(
    "schedule",
    [optim.cosine(1.0, 10), optim.warmup_cosine(1.0, 10, warmup=3), optim.exponential(1.0, 0.9)],
    ids=["cosine", "warmup_cosine", "exponential"],
)
@pytest.mark.parametrize("step", [1.5, 6.5])
def test_schedules_are_recorded(schedule, step: float) -> None:
    """A compiled update traces them: their value must not leave the tape."""
    h = 1e-6
    difference = (schedule(step + h) - schedule(step - h)) / (2 * h)
    assert ad.grad(schedule)(step) == pytest.approx(difference, rel=1e-7)


def test_lengths_are_checked() -> None:
    with pytest.raises(ValueError, match="cosine needs steps > 0, got 0"):
        optim.cosine(1.0, 0)
    with pytest.raises(ValueError, match="steps after warmup > 0, got -1"):
        optim.warmup_cosine(1.0, 4, warmup=5)
    with pytest.raises(ValueError, match="warmup > 0"):
        optim.warmup_cosine(1.0, 4, warmup=0)
    with pytest.raises(ValueError, match="exponential needs steps > 0"):
        optim.exponential(1.0, 0.5, steps=-1)
    with pytest.raises(ValueError, match="max_norm > 0, got 0"):
        optim.clip_by_global_norm(0)


GRADIENT = {"a": np.array([3.0, 0.0]), "b": [np.array([[4.0]]), np.float64(12.0)]}


def test_clipping() -> None:
    assert float(optim.global_norm(GRADIENT)) == pytest.approx(13.0, rel=1e-15)
    clipped = optim.clip_by_global_norm(1.3)(GRADIENT)
    close(clipped, ad.tree_map(lambda g: g * (1.3 / (13 + 1e-6)), GRADIENT), 1e-15)
    close(optim.clip_by_global_norm(20.0)(GRADIENT), GRADIENT, 0.0)
    single = ad.tree_map(np.float32, GRADIENT)
    same_kind(optim.clip_by_global_norm(1.0)(single), single)


def test_clipping_nothing_and_zeros() -> None:
    clip = optim.clip_by_global_norm(1.0)
    assert clip([]) == []
    close(clip([np.zeros(3)]), [np.zeros(3)], 0.0)
    assert ad.grad(lambda x: np.sum(clip([x])[0]))(np.zeros(3)) == pytest.approx(1.0)


def test_clipping_is_differentiable() -> None:
    clip = optim.clip_by_global_norm(2.0)

    def f(g):
        return sum(np.sum(np.sin(x)) for x in ad.tree.flatten(clip(g))[0])

    ad.check.gradients(f, [GRADIENT]).raise_on_failure()
