"""What the experiment finds: averages with their errors, a row for each policy, the way of λ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from adjoint.models.alignment import Alignment

from .settings import Settings


class Average(NamedTuple):
    """A mean over prompts, and its standard error."""

    mean: float
    error: float

    @classmethod
    def of(cls, values: np.ndarray, weights: np.ndarray | None = None) -> Average:
        """Of (P, K), each prompt weighing the same; weights (P, K) add up to 1 for every prompt."""
        each = np.mean(values, axis=1) if weights is None else np.sum(weights * values, axis=1)
        return cls(float(np.mean(each)), float(np.std(each, ddof=1) / np.sqrt(len(each))))


class Row(NamedTuple):
    """One policy at the exam.

    Attributes:
        who: "reference", "tilt", "dpo", "gradient", "iterative", …
        lam: λ it was made with, NaN where there was none.
        kl: KL(π ‖ π_ref) in nats.
        scores: by scorer.
    """

    who: str
    lam: float
    kl: Average
    scores: dict[str, Average]

    def slack(self, level: float) -> Average:
        """E clean − level."""
        return Average(self.scores["clean"].mean - level, self.scores["clean"].error)


class Round(NamedTuple):
    """One round of iterative dualization: λ_t, and E clean of the policy it led to, on practice prompts."""

    lam: float
    clean: Average


@dataclass(frozen=True)
class AtBeta:
    """What was found at one β.

    Attributes:
        alignment: from the practice responses' scores.
        rows: policies at the exam.
        path: of the multiplier.
        last: λ at the end of it.
        samples: who → sentences said to the first exam prompts, one each.
    """

    alignment: Alignment
    rows: tuple[Row, ...]
    path: tuple[Round, ...]
    last: float
    samples: dict[str, list[str]]

    @property
    def beta(self) -> float:
        """β."""
        return self.alignment.beta

    def row(self, who: str) -> Row:
        """The row of one policy."""
        return next(row for row in self.rows if row.who == who)


@dataclass(frozen=True)
class Results:
    """The whole experiment.

    Attributes:
        settings: as chosen.
        reference: the row of the language model itself.
        papers: λ* and diagnostics at every β.
        found: what was trained, by β.
        prompts: the first exam prompts, for the samples.
        before: what the reference said to them.
        people: scorer → correlation of its score with people's ratings of the held-out sentences.
        pairs: preferences exported, by β.
        seconds: how long what took.
        processor: seconds of processor time in all, which other programs do not lengthen.
    """

    settings: Settings
    reference: Row
    papers: tuple[Alignment, ...]
    found: tuple[AtBeta, ...]
    prompts: list[str]
    before: list[str]
    people: dict[str, float]
    seconds: dict[str, float]
    processor: float
