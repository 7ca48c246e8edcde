"""What the experiment finds: averages with their errors, a row for each policy, the way of λ."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

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
        who: a key of `tables.WHO`.
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
        samples: who → the first sentence said to each exam prompt.
    """

    alignment: Alignment
    rows: tuple[Row, ...]
    path: tuple[Round, ...]
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
        practiced: E clean of the reference on the practice prompts.
        found: what was trained, by β.
        prompts: of the exam.
        before: the first thing that the reference said to each.
        people: scorer → correlation of its score with people's ratings of the held-out sentences.
        seconds: how long what took, in processor time, which other programs do not lengthen.
        processor: all of that.
        elapsed: seconds by the clock.
    """

    settings: Settings
    reference: Row
    papers: tuple[Alignment, ...]
    practiced: Average
    found: tuple[AtBeta, ...]
    prompts: list[str]
    before: list[str]
    people: dict[str, float]
    seconds: dict[str, float]
    processor: float
    elapsed: float

    def record(self) -> dict[str, Any]:
        """Every number of the page under its name, for JSON."""
        return {
            "settings": asdict(self.settings),
            "reference": _row(self.reference),
            "practiced": self.practiced._asdict(),
            "prices": [_price(paper) for paper in self.papers],
            "found": [
                {
                    "beta": at.beta,
                    "rows": [_row(row) for row in at.rows],
                    "path": [{"lam": one.lam, "clean": one.clean._asdict()} for one in at.path],
                }
                for at in self.found
            ],
            "people": self.people,
            "seconds": self.seconds,
            "processor_seconds": self.processor,
            "elapsed_seconds": self.elapsed,
        }


def _row(row: Row) -> dict[str, Any]:
    scores = {name: score._asdict() for name, score in row.scores.items()}
    return {
        "who": row.who, "lam": None if np.isnan(row.lam) else row.lam, "kl": row.kl._asdict(), **scores
    }  # fmt: skip


def _price(paper: Alignment) -> dict[str, Any]:
    return {
        "beta": paper.beta,
        "lam": paper.multipliers["clean"],
        "error": paper.standard_errors["clean"],
        "sharp": paper.reward,
        "clean": paper.utilities["clean"],
        "kl": paper.kl,
        "effective_responses": [float(q) for q in np.quantile(paper.effective_sizes, (0.25, 0.5, 0.75))],
        "prompts_with_fewer_than_2": float(paper.diagnostic("best of K").value),
    }
