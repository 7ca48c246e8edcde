"""Objectives and constraints known through minibatches: descent in x, ascent in the multipliers.

Plain gradient ascent μ ← [μ + κᵢ g]₊ makes x and μ circle around the saddle point of L: the multiplier
integrates the violation, and goes on rising until x has overshot. A proportional term looks at the violation
itself,

    ξₜ = s ξₜ₋₁ + (1 − s) gₜ,      μ ← [μ + κᵢ gₜ + κₚ (ξₜ − ξₜ₋₁)]₊

and damps the circling (κₚ = 0 is plain ascent; κₚ = κᵢ, s = 0 is optimistic ascent).

Source: M. Sohrabi et al., "On PI controllers for updating Lagrange multipliers in constrained optimization",
2024, arXiv:2406.04558.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import ShapeError, refusal
from .matrix_free import with_bounds
from .newton import Answer, Options
from .program import Program
from .solution import Step
from .verdict import Status

Batches = Sequence[Any] | Callable[[np.random.Generator], Any]


class Ascent(NamedTuple):
    """How multipliers follow the violation.

    Attributes:
        rate: κᵢ, how much of the violation is added at every step.
        damping: κₚ, how much of its change; 0 is plain gradient ascent.
        smoothing: s in [0, 1), the share of the past in the violation that κₚ looks at.
    """

    rate: float = 1e-2
    damping: float = 1.0
    smoothing: float = 0.0


DAMPED = Ascent()


class Sampler:
    """Minibatches as tuples of further arguments: a sequence in shuffled epochs, or drawn by a function."""

    def __init__(self, batches: Batches, rng: np.random.Generator) -> None:
        if not callable(batches) and not len(batches):
            raise refusal(ShapeError, "batches is empty", "Give a sequence of batches, or a function of rng.")
        self.batches, self.rng = batches, rng

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while True:
            if callable(self.batches):
                yield as_arguments(self.batches(self.rng))
            else:
                for k in self.rng.permutation(len(self.batches)):
                    yield as_arguments(self.batches[k])

    def all(self, draws: int = 100) -> list[tuple[Any, ...]]:
        """Every batch of a sequence; a number of draws from a function."""
        if callable(self.batches):
            return [as_arguments(self.batches(self.rng)) for _ in range(draws)]
        return [as_arguments(batch) for batch in self.batches]


def as_arguments(batch: Any) -> tuple[Any, ...]:
    """A batch is a tuple of arguments, or one argument."""
    return batch if isinstance(batch, tuple) else (batch,)


class Average:
    """The program over all batches: means of f, h, g and ∇ₓL, which the residuals are measured on."""

    def __init__(self, program: Program, batches: list[tuple[Any, ...]]) -> None:
        self.program, self.batches, self.given = program, batches, program.args
        for name in ("n", "bound_blocks", "below", "above", "fixed", "lower", "upper"):
            setattr(self, name, getattr(program, name))

    def _mean(self, of: Callable[[], Any]) -> Any:
        found = []
        try:
            for batch in self.batches:
                self.program.args = (*self.given, *batch)
                found.append(of())
        finally:
            self.program.args = self.given
        return found

    def values(self, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Means of f, h and g."""
        f, h, g = zip(*self._mean(lambda: self.program.values(x)), strict=True)
        return float(np.mean(f)), np.mean(h, axis=0), np.mean(g, axis=0)

    def lagrangian_gradient(self, x: np.ndarray, nu: np.ndarray, mu: np.ndarray) -> np.ndarray:
        """The mean of ∇ₓL."""
        return np.asarray(np.mean(self._mean(lambda: self.program.lagrangian_gradient(x, nu, mu)), axis=0))


def stochastic(
    program: Program,
    given: tuple[Any, ...],
    sampler: Sampler,
    optimizer: Any,
    ascent: Ascent,
    average: bool,
    options: Options,
) -> Answer:
    """Alternate one optimizer step in x and one step of the multipliers, batch by batch.

    Args:
        program: built with the arguments of a first batch.
        given: the arguments before the batch.
        sampler: the batches.
        optimizer: a pair (init, update) of `adjoint.optim`.
        ascent: the multipliers' steps.
        average: answer with the mean of the second half of the steps rather than the last one.
        options: tolerance, steps, callback.
    """
    fixed, lower, _ = program.bound_blocks
    x = np.clip(program.start, program.lower, program.upper)
    state = optimizer.init(x)
    nu, mu = np.zeros(program.m), np.zeros(program.p)
    control = Control(ascent, fixed.start, lower.start)
    history: list[Step] = []
    tail, first = Mean(), options.max_steps // 2 if average else options.max_steps - 1
    for step, batch in zip(range(options.max_steps), sampler, strict=False):
        program.args = (*given, *batch)
        f, h, g, pull = program.recorded(x)
        if not (np.isfinite(f) and np.all(np.isfinite(h)) and np.all(np.isfinite(g))):
            break  # diverged: the mean so far is the answer, or the start where none has begun
        control.update(nu, mu, h, g)
        slope = pull(nu, mu)
        moved, state = optimizer.update(slope, state, x)
        x = np.clip(np.asarray(moved, np.float64), program.lower, program.upper)
        primal = max(np.max(np.abs(h), initial=0.0), np.max(g[: lower.start], initial=0.0))
        slack = float(np.max(np.abs(mu[: lower.start] * g[: lower.start]), initial=0.0))
        size = float(np.max(np.abs(slope), initial=0.0))
        lam = np.concatenate([nu[: fixed.start], mu[: lower.start]])
        line = Step(step, f, size, float(primal), slack, 1.0, lam)
        history.append(line)
        if options.callback is not None:
            options.callback(line)
        if step >= first:
            tail.add(x, nu, mu)
    if not tail.count:
        tail.add(program.start, np.zeros(program.m), np.zeros(program.p))
    program.args = given
    whole: Any = Average(program, sampler.all())
    found = with_bounds(whole, *tail.means())
    status = Status.SOLVED if found.worst <= options.tolerance else Status.STEPS
    if len(history) < options.max_steps and status is Status.STEPS:
        status = Status.STALLED
    return Answer(found, status, len(history), history)


class Control:
    """The multipliers' update, with its memory."""

    def __init__(self, ascent: Ascent, m: int, p: int) -> None:
        self.ascent, self.m, self.p = ascent, m, p
        self.smooth: np.ndarray | None = None

    def update(self, nu: np.ndarray, mu: np.ndarray, h: np.ndarray, g: np.ndarray) -> None:
        """Move ν and μ, in place, by the violation on this batch."""
        rate, damping, s = self.ascent
        violation = np.concatenate([h[: self.m], g[: self.p]])
        before = np.zeros_like(violation) if self.smooth is None else self.smooth
        self.smooth = violation if self.smooth is None else s * self.smooth + (1 - s) * violation
        change = rate * violation + damping * (self.smooth - before)
        nu[: self.m] += change[: self.m]
        mu[: self.p] = np.maximum(0.0, mu[: self.p] + change[self.m :])


class Mean:
    """Running means of x, ν and μ."""

    def __init__(self) -> None:
        self.count = 0
        self.sums: list[Any] = []

    def add(self, *arrays: np.ndarray) -> None:
        """One more of each."""
        self.sums = (
            [a + b for a, b in zip(self.sums, arrays, strict=True)]
            if self.count
            else [a.copy() for a in arrays]
        )
        self.count += 1

    def means(self) -> list[np.ndarray]:
        """The means."""
        return [total / self.count for total in self.sums]
