"""Scores in pieces, for data that outgrow one process: the same sums per piece, by Dask.

A piece stays on the worker that made it; per Newton step numbers travel, not scores: (m + 2)² of them per
piece. Per prompt, not per response, a row of averages comes back at the end. Where a worker dies, Dask makes
its pieces again from their recipe, and the step goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import need, refusal
from ..base import DataError, Floats
from .evaluate import Local, Moments, Point, Source, Sums
from .scores import Scores


class Partitions:
    """Scores in pieces; every prompt lies whole in one of them.

    Args:
        parts: dask.delayed objects, each of which makes a `Scores`: `dask.delayed(load)("scores_0.parquet")`.
            All have the same utilities. They are loaded once per call of `align`, where the active Dask
            client, or without one this process's threads, put them.

    Raises:
        MissingPackageError: Dask is not installed.
        DataError: no pieces, or pieces that are no delayed objects.
    """

    def __init__(self, parts: Iterable[Any]) -> None:
        dask = _dask()
        self.parts = tuple(parts)
        if not self.parts:
            raise refusal(DataError, "no partitions: there are no scores")
        for k, part in enumerate(self.parts):
            if not dask.is_dask_collection(part):
                what = f"partition {k} should be a dask.delayed object, got {type(part).__name__}"
                raise refusal(DataError, what, "Write dask.delayed(load)(path), where load returns Scores.")

    def __repr__(self) -> str:
        return f"Partitions: {len(self.parts)} pieces of scores"


class Distributed:
    """Sums over pieces, each on its worker.

    Args:
        partitions: the scores.
        names: the constrained utilities, m of them; nothing is summed unless there are such utilities.

    Raises:
        DataError: a piece that is no `Scores`, or pieces that differ in their utilities.
    """

    def __init__(self, partitions: Partitions, names: Sequence[str]) -> None:
        self._dask, self.names = _dask(), list(names)
        pieces = [self._dask.delayed(_local)(part, list(names)) for part in partitions.parts]
        self._pieces = self._dask.persist(*pieces)
        facts = self._each(_facts)
        for k, (kind, utilities, _, weighted) in enumerate(facts):
            if kind != "Scores":
                raise refusal(DataError, f"partition {k} gave a {kind}, not Scores")
            if (utilities, weighted) != (facts[0][1], facts[0][3]):
                what = f"partition {k} has utilities {utilities}, partition 0 has {facts[0][1]}"
                if utilities == facts[0][1]:
                    what = f"of the partitions 0 and {k} one has a log_base, the other none"
                raise refusal(DataError, what, "All pieces need the same columns.")
        self.utilities: list[str] = facts[0][1]
        self.weighted: bool = facts[0][3]
        self.counts: NDArray[np.int64] = np.concatenate([fact[2] for fact in facts])
        self.prompts = len(self.counts)
        self._ends = np.cumsum([len(fact[2]) for fact in facts])

    def dual(self, at: Point, weight: Floats | None = None) -> Sums:
        """Value, gradient and curvature of the dual, summed over prompts."""
        parts = [None] * len(self._pieces) if weight is None else np.split(weight, self._ends[:-1])
        found = self._each(Local.dual, [(at, part) for part in parts])
        # in the order of the pieces, whoever was ready first
        return Sums(*(sum(column[1:], start=column[0]) for column in zip(*found, strict=True)))

    def moments(self, at: Point) -> Moments:
        """What each prompt's policy gives."""
        found = self._each(Local.moments, [(at,)] * len(self._pieces))
        return Moments(*(np.concatenate(column) for column in zip(*found, strict=True)))

    def support(self, u: Floats, levels: Floats) -> tuple[float, Floats]:
        """Σ max uᵀ(g − b), and Σ E (g − b) where it is attained (m,), over prompts."""
        values, slopes = zip(*self._each(Local.support, [(u, levels)] * len(self._pieces)), strict=True)
        return float(sum(values)), np.sum(slopes, axis=0)

    def extremes(self) -> Floats:
        """Σ max, Σ min and the number of constant prompts, of r and each constrained utility (m + 1, 3)."""
        total: Floats = np.sum(self._each(Local.extremes), axis=0)
        return total

    def sample(self, rows: int, rng: np.random.Generator) -> Scores:
        """Scores of random prompts of every piece, with about that many rows at most."""
        share = rows / max(rows, float(np.sum(self.counts)))
        sizes = [int(np.sum(part)) for part in np.split(self.counts, self._ends[:-1])]
        seeds = rng.integers(2**63, size=len(sizes)).tolist()
        wanted = [(max(1, int(share * size)), seed) for size, seed in zip(sizes, seeds, strict=True)]
        found: list[Scores] = self._each(_sample, wanted)
        counts = np.concatenate([scores.counts for scores in found])
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        columns = {name: np.concatenate([s.utilities[name] for s in found]) for name in self.utilities}
        base = np.concatenate([s.log_base for s in found]) if self.weighted else None
        return Scores(offsets, np.concatenate([s.reward for s in found]), columns, base)

    def delayed_weights(self, at: Point) -> list[Any]:
        """π of each piece's responses, as delayed arrays: nothing is computed yet."""
        return [self._dask.delayed(Local.weights)(piece, at) for piece in self._pieces]

    def _each(self, f: Callable[..., Any], arguments: Sequence[tuple[Any, ...]] | None = None) -> list[Any]:
        given = arguments or [()] * len(self._pieces)
        tasks = [
            self._dask.delayed(f, pure=False)(piece, *own)
            for piece, own in zip(self._pieces, given, strict=True)
        ]
        return list(self._dask.compute(*tasks))


def source_of(data: Scores | Partitions, names: Sequence[str]) -> Source:
    """What sums over the scores, wherever they lie."""
    return Local(data, names) if isinstance(data, Scores) else Distributed(data, names)


# ------------------------------------------------------------------------------------------ on the workers
def _local(scores: Any, names: list[str]) -> Any:
    known = isinstance(scores, Scores) and set(names) <= set(scores.utilities)
    return Local(scores, names) if known else scores


def _facts(piece: Any) -> tuple[str, list[str], NDArray[np.int64], bool]:
    scores = piece.scores if isinstance(piece, Local) else piece
    if not isinstance(scores, Scores):
        return type(scores).__name__, [], np.zeros(0, dtype=np.int64), False
    return "Scores", list(scores.utilities), scores.counts, scores.log_base is not None


def _sample(piece: Local, rows: int, seed: int) -> Scores:
    return piece.sample(rows, np.random.default_rng(seed))


def _dask() -> Any:
    need("dask", "Partitions", "dask")
    return import_module("dask")
