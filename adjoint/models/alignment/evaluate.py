"""The dual, its derivatives and per-prompt moments of scores that lie in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from ..base import Floats
from .blocks import Block, blocks
from .programs import compiled
from .scores import Scores


class Point(NamedTuple):
    """Where to evaluate.

    Attributes:
        inverse: 1/β; 0 leaves the reward out.
        theta: λ/β (m,).
        center: r₀.
        levels: b (m,), absolute.
    """

    inverse: float
    theta: Floats
    center: float
    levels: Floats


class Sums(NamedTuple):
    """Sums over prompts, weighted.

    Attributes:
        total: Σ weight.
        log: Σ weight log E_ref eᵗ.
        means: Σ weight E_π c (m + 1,) for c = g − b, and t.
        second: Σ weight Cov_π c (m + 1, m + 1).
    """

    total: float
    log: float
    means: Floats
    second: Floats


class Moments(NamedTuple):
    """One row per prompt.

    Attributes:
        log: log E_ref eᵗ (N,).
        gaps: E_π (g − b) (N, m) for the constrained utilities.
        tilt: E_π t (N,).
        reward: E_π r (N,).
        utilities: E_π of all utilities (N, all), in the scores' order.
        concentration: Σ π² (N,): one over the effective sample size.
    """

    log: Floats
    gaps: Floats
    tilt: Floats
    reward: Floats
    utilities: Floats
    concentration: Floats


class Source(Protocol):
    """What can be summed over: scores in this process, or in many."""

    prompts: int

    def dual(self, at: Point, weight: Floats | None = None) -> Sums:
        """Value, gradient and curvature of the dual."""

    def support(self, u: Floats, levels: Floats) -> tuple[float, Floats]:
        """E max uᵀ(g − b), and E (g − b) where it is attained."""

    def extremes(self) -> Floats:
        """E max and E min of r and of each constrained utility (m + 1, 2)."""

    def moments(self, at: Point) -> Moments:
        """What each prompt's policy gives."""


class Local:
    """Scores in this process.

    Args:
        scores: of N prompts.
        names: the constrained utilities, m of them.
    """

    def __init__(self, scores: Scores, names: Sequence[str]) -> None:
        self.scores, self.names = scores, list(names)
        self.prompts = scores.n_prompts
        self.base = scores.log_base
        counts = scores.counts
        self.shift: Floats = np.log(counts) if self.base is None else _log_sums(self.base, scores.offsets)
        self._ones = np.ones(self.prompts)

    def dual(self, at: Point, weight: Floats | None = None) -> Sums:
        """Value, gradient and curvature of the dual, summed over prompts.

        Args:
            at: where.
            weight: how often each prompt counts (N,); once if omitted.
        """
        run, m = compiled("dual"), len(self.names)
        w = self._ones if weight is None else weight
        log, means, second = 0.0, np.zeros(m + 1), np.zeros((m + 2) * (m + 1) // 2)
        for block in blocks(self.scores.offsets):
            arguments = self._arguments(block, at)
            value, first, rest = run(*arguments, block.offsets, block.spread(w), block.spread(self.shift))
            log += float(value)
            means += np.array(first)
            second += np.array(rest)
        full = np.zeros((m + 1, m + 1))
        full[np.tril_indices(m + 1)] = second
        return Sums(float(np.sum(w)), log, means, full + np.tril(full, -1).T)

    def moments(self, at: Point) -> Moments:
        """What each prompt's policy gives."""
        run, scores, m = compiled("prompts"), self.scores, len(self.names)
        names = list(scores.utilities)
        found = np.empty((self.prompts, m + len(names) + 4))
        for block in blocks(scores.offsets):
            others = [scores.utilities[name][block.rows] for name in names]
            log, gaps, rest, square = run(
                *self._arguments(block, at), block.offsets, block.spread(self.shift), others
            )
            found[block.prompts] = np.stack([block.own(z) for z in (log, square, *rest, *gaps)], axis=1)
        log, square, tilt, reward = found[:, :4].T
        return Moments(log, found[:, 4 + len(names) :], tilt, reward, found[:, 4 : 4 + len(names)], square)

    def weights(self, at: Point) -> Floats:
        """π (n,), which adds to one within every prompt."""
        run, out = compiled("weights"), np.empty(self.scores.n_responses)
        for block in blocks(self.scores.offsets):
            own = block.own_rows()
            out[block.rows][own] = run(*self._arguments(block, at), block.offsets)[own]
        return out

    def support(self, u: Floats, levels: Floats) -> tuple[float, Floats]:
        """Σ max uᵀ(g − b), and Σ E (g − b) where it is attained (m,), over prompts."""
        run, value, slope = compiled("support"), 0.0, np.zeros(len(self.names))
        for block in blocks(self.scores.offsets):
            columns = self._columns(block)
            top, along = run(u, levels, columns, block.offsets, block.spread(self._ones))
            value += float(top)
            slope += np.array(along)
        return value, slope

    def extremes(self) -> Floats:
        """Σ max and Σ min over prompts of r and of each constrained utility (m + 1, 2)."""
        run, total = compiled("extremes"), np.zeros((len(self.names) + 1, 2))
        for block in blocks(self.scores.offsets):
            columns = [self.scores.reward[block.rows], *self._columns(block)]
            total += np.array(run(columns, block.offsets, block.spread(self._ones)))
        return total

    def _columns(self, block: Block) -> list[Floats]:
        return [self.scores.utilities[name][block.rows] for name in self.names]

    def _arguments(self, block: Block, at: Point) -> tuple[object, ...]:
        base = None if self.base is None else self.base[block.rows]
        return (
            np.float64(at.inverse), at.theta, np.float64(at.center), at.levels,
            self.scores.reward[block.rows], self._columns(block), base,
        )  # fmt: skip


def _log_sums(base: Floats, offsets: np.ndarray) -> Floats:
    top = np.maximum.reduceat(base, offsets[:-1])
    counts = np.diff(offsets)
    return top + np.log(np.add.reduceat(np.exp(base - np.repeat(top, counts)), offsets[:-1]))
