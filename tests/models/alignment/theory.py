"""Finite problems that the tests of the theory share."""

from __future__ import annotations

import numpy as np

from adjoint.models.alignment import FiniteProblem


def problem(
    seed: int = 0, prompts: int = 12, responses: int = 5, *, constraints: int = 1, level: float = 0.3,
    beta: float = 0.5, relative: bool = False,
) -> FiniteProblem:  # fmt: skip
    """Random scores under a random reference; utilities g0, g1, …, each to be at least `level`."""
    rng = np.random.default_rng(seed)
    shape = (prompts, responses)
    base = rng.dirichlet(2 * np.ones(responses), size=prompts) + 0.01
    names = [f"g{j}" for j in range(constraints)]
    kind = " relative" if relative else ""
    return FiniteProblem(
        base / np.sum(base, axis=1, keepdims=True), rng.normal(size=shape),
        {name: rng.normal(size=shape) for name in names},
        [f"{name} >= {level}{kind}" for name in names], beta=beta,
    )  # fmt: skip
