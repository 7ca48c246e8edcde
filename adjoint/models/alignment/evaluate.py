"""The dual, its derivatives and per-prompt moments of scores that lie in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..base import Floats
from .blocks import Block, blocks, padded
from .programs import program
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

    @property
    def names(self) -> list[str]:
        """The constrained utilities."""

    @property
    def prompts(self) -> int:
        """N."""

    @property
    def utilities(self) -> list[str]:
        """Names of all utilities, the constrained ones among them."""

    @property
    def counts(self) -> NDArray[np.int64]:
        """Responses per prompt (N,)."""

    @property
    def weighted(self) -> bool:
        """Whether responses have reference weights (log_base)."""

    def dual(self, at: Point, weight: Floats | None = None) -> Sums:
        """Value, gradient and curvature of the dual."""

    def support(self, u: Floats, levels: Floats) -> tuple[float, Floats]:
        """Σ max uᵀ(g − b), and Σ E (g − b) where it is attained."""

    def extremes(self) -> Floats:
        """Σ max, Σ min and the number of constant prompts, of r and each constrained utility (m + 1, 3)."""

    def moments(self, at: Point) -> Moments:
        """What each prompt's policy gives."""

    def sample(self, rows: int, rng: np.random.Generator) -> Scores:
        """Scores of random prompts, with about that many rows at most."""


class Local:
    """Scores in this process.

    Args:
        scores: of N prompts.
        names: the constrained utilities, m of them.
    """

    def __init__(self, scores: Scores, names: Sequence[str]) -> None:
        self.scores, self.names = scores, list(names)
        self.prompts, self.weighted = scores.n_prompts, scores.log_base is not None
        self.counts, self.utilities = scores.counts, list(scores.utilities)
        self._width = scores.width
        self._ones = np.ones(self.prompts)
        self._reward = padded(scores.reward)
        self._utilities = {name: padded(g) for name, g in scores.utilities.items()}
        self._base = None if scores.log_base is None else padded(scores.log_base)
        self._shift: Floats = np.log(self.counts) if scores.log_base is None else self._log_sums()

    def dual(self, at: Point, weight: Floats | None = None) -> Sums:
        """Value, gradient and curvature of the dual, summed over prompts.

        Args:
            at: where.
            weight: how often each prompt counts (N,); once if omitted.
        """
        m = len(self.names)
        w = self._ones if weight is None else weight
        log, means, second = 0.0, np.zeros(m + 1), np.zeros((m + 2) * (m + 1) // 2)
        for block, run in self._blocks("dual"):
            value, first, rest = run(*self._arguments(block, at), block.spread(w), block.spread(self._shift))
            log += float(value)
            means += np.array(first)
            second += np.array(rest)
        full = np.zeros((m + 1, m + 1))
        full[np.tril_indices(m + 1)] = second
        return Sums(float(np.sum(w)), log, means, full + np.tril(full, -1).T)

    def moments(self, at: Point) -> Moments:
        """What each prompt's policy gives."""
        columns, m = list(self._utilities.values()), len(self.names)
        found = np.empty((4 + len(columns) + m, self.prompts))
        for block, run in self._blocks("prompts"):
            others = [block.view(c) for c in columns]
            values = run(*self._arguments(block, at), block.spread(self._shift), others)
            for row, z in zip(found, values, strict=True):
                row[block.prompts] = block.own(z)
        log, square, tilt, reward = found[:4]
        return Moments(log, found[4 + len(columns) :].T, tilt, reward, found[4 : 4 + len(columns)].T, square)

    def weights(self, at: Point) -> Floats:
        """π (n,), which adds to one within every prompt."""
        out = np.empty(self.scores.n_responses)
        for block, run in self._blocks("weights"):
            own = block.own_rows()
            out[block.rows][own] = run(*self._arguments(block, at)).ravel()[own]
        return out

    def support(self, u: Floats, levels: Floats) -> tuple[float, Floats]:
        """Σ max uᵀ(g − b), and Σ E (g − b) where it is attained (m,), over prompts."""
        value, slope = 0.0, np.zeros(len(self.names))
        for block, run in self._blocks("support"):
            top, along = run(u, levels, self._columns(block), block.offsets, block.spread(self._ones))
            value += float(top)
            slope += np.array(along)
        return value, slope

    def extremes(self) -> Floats:
        """Σ max, Σ min and the number of constant prompts, of r and each constrained utility (m + 1, 3)."""
        total = np.zeros((len(self.names) + 1, 3))
        for block, run in self._blocks("extremes"):
            columns = [block.view(self._reward), *self._columns(block)]
            total += np.array(run(columns, block.offsets, block.spread(self._ones)))
        return total

    def sample(self, rows: int, rng: np.random.Generator) -> Scores:
        """Scores of random prompts, with about that many rows at most; all of them where that suffices."""
        if self.scores.n_responses <= rows:
            return self.scores
        count = max(1, rows * self.prompts // self.scores.n_responses)
        return self.scores.take(np.sort(rng.choice(self.prompts, count, replace=False)))

    def _log_sums(self) -> Floats:
        out = np.empty(self.prompts)
        assert self._base is not None
        for block, run in self._blocks("log_sums"):
            out[block.prompts] = block.own(run(block.view(self._base), block.offsets))
        return out

    def _blocks(self, name: str) -> Iterator[tuple[Block, Callable[..., Any]]]:
        for block in blocks(self.scores.offsets, self._width):
            yield block, program(name, block.rows.stop - block.rows.start, block.segments)

    def _columns(self, block: Block) -> list[Floats]:
        return [block.view(self._utilities[name]) for name in self.names]

    def _arguments(self, block: Block, at: Point) -> tuple[object, ...]:
        base = self._base
        return (
            np.float64(at.inverse), at.theta, np.float64(at.center), at.levels,
            block.view(self._reward), self._columns(block),
            None if base is None else block.view(base), block.offsets,
        )  # fmt: skip
