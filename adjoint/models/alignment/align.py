"""`align`: the dual of a constrained alignment problem on sampled responses.

    max_π E_x[ E_π r − β KL(π ‖ π_ref) ]   s.t.  E_x E_π g_j ≥ b_j
    D(λ) = β E_x log Σ_y π_ref e^((r + λᵀ(g − b))/β),   λ* = argmin over λ ≥ 0,   π* ∝ π_ref e^((r + λ*ᵀg)/β)

π_ref is replaced by each prompt's responses. Under a budget KL ≤ κ, β is its multiplier: min D(λ, β) + βκ.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ...errors import refusal
from ...ops.sides import host_only
from ..base import DataError, check_count, check_number
from .answer import infeasible, solved
from .constraints import Constraint, check_constraints, parsed
from .newton import Value
from .partitions import Partitions, source_of
from .reading import read_scores
from .result import Alignment, Status
from .scores import Scores
from .solve import from_sample, prepare, solve
from .uncertainty import bootstrap as resample

RESERVED = ("beta", "kl_budget")  # entries of the answer's tables beside the constraints' names


class Progress(NamedTuple):
    """What `align` reports while it works.

    Attributes:
        stage: "newton" or "bootstrap".
        done: steps, or resamples.
        total: how many there will be; 0 where nobody knows.
    """

    stage: str
    done: int
    total: int


@host_only
def align(
    scores: Scores | Partitions | str | os.PathLike[str],
    *,
    beta: float | None = None,
    kl_budget: float | None = None,
    constraints: Iterable[Constraint | str] | Constraint | str = (),
    bootstrap: int = 0,
    random_state: int | np.random.Generator | None = None,
    tolerance: float = 1e-10,
    progress: Callable[[Progress], None] | None = None,
    reward: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> Alignment:
    """Solve the alignment problem on given scores: λ*, its errors, and a certificate.

    Args:
        scores: rewards and utilities of each prompt's responses; in pieces where they outgrow one process;
            or a file of them, for `read_scores`.
        beta: β > 0, the weight of KL(π ‖ π_ref), in units of r per nat; or
        kl_budget: κ > 0 in nats, and β is its multiplier. Exactly one of the two.
        constraints: lower limits of average utilities, as `Constraint`s or texts like "safe>=0.5".
        bootstrap: resamples of the prompts for a second opinion on the standard errors; 0 for none.
        random_state: seed or Generator, for the bootstrap and the sub-samples of the diagnostics.
        tolerance: of the projected gradient, in ranges of the utilities.
        progress: called with a `Progress` before each Newton step, and after each resample.
        reward: for a file: the column that is maximized.
        columns: for a file: names of its other columns, as `read_scores` takes them: {"prompt": "question"}.

    Returns:
        Alignment with `multipliers`, `certificate`, `diagnostics`, …; its `status` says whether it is solved.

    Raises:
        DataError: β ≤ 0, both or neither of β and a budget, repeated or contradictory constraints, one on a
            utility called "beta" or "kl_budget", bootstrap = 1 or no whole number.
        UnknownNameError: a constraint on a utility that is not there.

    >>> from adjoint.models import align
    >>> from adjoint.models.alignment import Scores
    >>> scores = Scores.dense([[0.0, 1.0]], {"safe": [[1.0, 0.0]]})
    >>> round(align(scores, beta=1.0, constraints="safe>=0.5").multipliers["safe"], 9)
    1.0
    """
    given = parsed(constraints)
    if isinstance(scores, (str, os.PathLike)):
        scores = _read(scores, reward, [one.name for one in given], columns or {})
    elif reward is not None or columns is not None:
        raise refusal(
            DataError, "reward and columns name columns of a file, and scores are not one",
            "Leave them out, or give the file's path.",
        )  # fmt: skip
    if not isinstance(scores, (Scores, Partitions)):
        raise refusal(
            DataError, f"scores should be Scores or Partitions, got {type(scores).__name__}",
            "Make them by Scores.dense(reward, utilities) or Scores.ragged(…).",
        )  # fmt: skip
    beta, kl_budget = check_weight(beta, kl_budget)
    tolerance = check_number(tolerance, "tolerance", strict=True, high=0.1)
    bootstrap = check_count(bootstrap, "bootstrap")
    if bootstrap == 1:
        raise refusal(
            DataError, "bootstrap should be 0 (none) or at least 2 resamples: one has no spread",
            "200 give standard errors to about 5 %.",
        )  # fmt: skip
    source = source_of(scores, [one.name for one in given])
    checked = check_constraints(given, source.utilities)
    if reserved := [one.name for one in checked if one.name in RESERVED]:
        raise refusal(
            DataError, f"a constrained utility cannot be called {reserved[0]!r}: β and κ have those names",
            "Give that utility another name.",
        )  # fmt: skip
    setting = prepare(
        source, [one.level for one in checked], [one.relative for one in checked], beta, kl_budget
    )

    if kl_budget is not None and setting.constant[0] == source.prompts:
        raise refusal(
            DataError, "the reward is the same for all responses of every prompt: a KL budget buys nothing",
            "Give beta: then the policy nearest to the reference that meets the constraints is found.",
        )  # fmt: skip

    def stepped(at: Value, step: int) -> None:
        if progress is not None:
            progress(Progress("newton", step, 0))

    # each its own: resamples are the same however many draws the samples took
    of_samples, of_resamples = np.random.default_rng(random_state).spawn(2)
    start = from_sample(source, setting, [one.level for one in checked], of_samples)
    verdict = solve(setting, tolerance, start, stepped)
    if verdict.status is Status.INFEASIBLE:
        return infeasible(scores, checked, setting, verdict, tolerance)
    found = solved(scores, checked, setting, verdict, tolerance, of_samples)
    if not bootstrap:
        return found

    def drawn(count: int) -> None:
        if progress is not None:
            progress(Progress("bootstrap", count, bootstrap))

    labels = list(found.standard_errors)
    samples = resample(setting, verdict.found.at, labels, bootstrap, of_resamples, tolerance, drawn)
    return replace(found, bootstrap=samples)


def _read(
    path: str | os.PathLike[str], reward: str | None, utilities: list[str], columns: Mapping[str, str]
) -> Scores:  # fmt: skip
    """The scores of a file, with the columns that constraints name."""
    if reward is None:
        raise refusal(DataError, "a file of scores needs reward=, the name of the column to maximize")
    known = ("prompt", "response", "id", "log_base")
    if unknown := [name for name in columns if name not in known]:
        raise refusal(DataError, f"no column {unknown[0]!r} to name: columns may have {', '.join(known)}")
    prompt, response, id, log_base = (columns.get(name) for name in known)
    return read_scores(
        path, reward=reward, utilities=utilities, prompt=prompt or "prompt", response=response, id=id,
        log_base=log_base,
    )  # fmt: skip


def check_weight(beta: float | None, kl_budget: float | None) -> tuple[float | None, float | None]:
    """β or a KL budget, whichever is given, as a number > 0.

    Raises:
        DataError: both, neither, or one that is not a finite number > 0.
    """
    if (beta is None) == (kl_budget is None):
        both = "both beta and kl_budget are" if beta is not None else "neither beta nor kl_budget is"
        raise refusal(DataError, f"{both} given", "Give one: β is the multiplier of a budget.")
    if beta is not None:
        return check_number(beta, "beta", strict=True, high=np.finfo(float).max), None
    return None, check_number(kl_budget, "kl_budget", strict=True, high=np.finfo(float).max)
