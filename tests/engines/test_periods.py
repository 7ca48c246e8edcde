"""Unrolled loops are cut at the same places of every step; what their steps add up is added where it is."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

import adjoint as ad
from adjoint.engines.graph import Node
from adjoint.engines.periods import WINDOW, stretches
from adjoint.ops import elementwise as ew
from adjoint.ops.abstract import Abstract

from ..helpers import normal
from .harness import agree, fallbacks

OPERATIONS = [ew.add, ew.multiply, ew.subtract, ew.exp, ew.log, ew.tanh, ew.sin]
BODY = np.random.default_rng(0).integers(0, len(OPERATIONS), 200)


def line(period: int, steps: int, before: int = 0) -> list[Node]:
    """Nodes of a loop whose body has `period` operations, after some that do not repeat."""
    kind = Abstract((3,), np.dtype(float))
    head = np.random.default_rng(1).integers(0, len(OPERATIONS), before)
    return [Node(OPERATIONS[k], (), {}, kind) for k in (*head, *np.tile(BODY[:period], steps))]


def numbers(nodes: list[Node], most: int) -> list[int]:
    """The stretch of every node."""
    found = stretches({(3,): nodes}, most)
    return [found[node][1] for node in nodes]


def test_whole_periods_as_many_as_fit() -> None:
    found = numbers(line(30, 30), 96)
    assert found[0] == 1 and set(Counter(found).values()) == {90}
    assert found == sorted(found)


def test_equal_parts_of_a_period_that_does_not_fit() -> None:
    found = numbers(line(150, 8), 96)
    assert set(Counter(found).values()) == {75}
    assert found == sorted(found)


def test_what_comes_before_a_loop_is_apart() -> None:
    found = numbers(line(40, 30, before=70), 96)
    assert len(set(found[:70])) == 1
    # what repeats may begin by chance one node or two before the body
    assert Counter(found[75:])[found[200]] == 80 and found[70 - 5] != found[75]


def test_what_does_not_repeat_or_is_short_is_left_alone() -> None:
    assert not stretches({(3,): line(20, 10)}, 96)
    assert len(set(numbers(line(0, 0, before=4 * 96 + WINDOW), 96))) == 1


def trajectory(rates: Any, x: Any, v: Any) -> Any:
    """Steps of a damped pendulum; all of them read the same two numbers of an array."""
    for _ in range(60):
        force = -rates[0] * np.sin(x) - rates[1] * v
        half = v + 0.05 * force
        x = x + 0.1 * half
        v = half - 0.05 * (rates[0] * np.sin(x) + rates[1] * half)
    return np.sum(x * x + v * v)


def test_an_unrolled_loop_is_a_few_kernels() -> None:
    f = ad.value_and_grad(trajectory, argnum=(0, 1, 2))
    compiled = agree(f, np.array([1.0, 0.2]), normal(50), normal(50, seed=1), factor=100)
    assert not fallbacks(compiled)
    (program,) = compiled.explain().programs
    assert len({step.kernel for step in program.steps}) <= 12


def test_equal_slices_are_added_before_they_are_placed() -> None:
    def f(x: Any) -> Any:
        return sum(np.sum(x[k % 3] * x[1:3] ** k) for k in range(1, 9)) + np.sum(x[2:4, :2] ** 2)

    compiled = agree(ad.value_and_grad(f), np.abs(normal(5, 4)), factor=10)
    assert not fallbacks(compiled)
