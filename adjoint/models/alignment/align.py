"""`align`: the dual of a constrained alignment problem on sampled responses.

    max_π E_x[ E_π r − β KL(π ‖ π_ref) ]   s.t.  E_x E_π g_j ≥ b_j
    D(λ) = β E_x log Σ_y π_ref e^((r + λᵀ(g − b))/β),   λ* = argmin over λ ≥ 0,   π* ∝ π_ref e^((r + λ*ᵀg)/β)

π_ref is replaced by each prompt's responses. Under a budget KL ≤ κ, β is its multiplier: min D(λ, β) + βκ.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from ...errors import refusal
from ...problems import Residuals
from ..base import DataError, Floats, check_number
from .constraints import Constraint, check_constraints, parsed
from .diagnostics import drift, of_samples, of_solution
from .evaluate import Moments, Point, Source
from .feasibility import Infeasibility, Margin
from .newton import Value, projected
from .partitions import Partitions, source_of, utility_names
from .reading import read_scores
from .result import Alignment, Certificate, Status
from .scores import Scores
from .solve import Setting, Verdict, from_sample, largest_each, prepare, solve
from .uncertainty import bootstrap as resample
from .uncertainty import inverse, sandwich


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
        bootstrap: resamples of the prompts for a second opinion on the standard errors.
        random_state: seed or Generator, for the bootstrap and the sub-samples of the diagnostics.
        tolerance: of the projected gradient, in ranges of the utilities.
        progress: called with a `Progress` after each step.
        reward: for a file: the column that is maximized.
        columns: for a file: names of its other columns, as `read_scores` takes them: {"prompt": "question"}.

    Returns:
        Alignment with `multipliers`, `certificate`, `diagnostics`, …; its `status` says whether it is solved.

    Raises:
        DataError: β ≤ 0, both or neither of β and a budget, repeated or contradictory constraints.
        UnknownNameError: a constraint on a utility that is not there.

    >>> from adjoint.models import align
    >>> from adjoint.models.alignment import Scores
    >>> scores = Scores.dense([[0.0, 1.0]], {"safe": [[1.0, 0.0]]})
    >>> round(align(scores, beta=1.0, constraints="safe>=0.5").multipliers["safe"], 9)
    1.0
    """
    if isinstance(scores, (str, os.PathLike)):
        scores = _read(scores, reward, constraints, columns or {})
    elif reward is not None or columns is not None:
        raise refusal(DataError, "reward and columns name columns of a file, and scores are not one")
    if not isinstance(scores, (Scores, Partitions)):
        raise refusal(
            DataError, f"scores should be Scores or Partitions, got {type(scores).__name__}",
            "Make them by Scores.dense(reward, utilities) or Scores.ragged(…).",
        )  # fmt: skip
    beta, kl_budget = check_weight(beta, kl_budget)
    tolerance = check_number(tolerance, "tolerance", strict=True, high=0.1)
    checked = check_constraints(constraints, utility_names(scores))
    source = source_of(scores, [one.name for one in checked])
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

    rng = np.random.default_rng(random_state)
    start = from_sample(source, setting, [one.level for one in checked], rng)
    verdict = solve(setting, tolerance, start, stepped)
    if verdict.status is Status.INFEASIBLE:
        return _infeasible(scores, checked, setting, verdict, tolerance)
    return _answer(scores, checked, setting, verdict, tolerance, bootstrap, rng, progress)


def _read(
    path: str | os.PathLike[str], reward: str | None,
    constraints: Iterable[Constraint | str] | Constraint | str, columns: Mapping[str, str],
) -> Scores:  # fmt: skip
    """The scores of a file, with the columns that constraints name."""
    if reward is None:
        raise refusal(DataError, "a file of scores needs reward=, the name of the column to maximize")
    known = ("prompt", "response", "id", "log_base")
    if unknown := [name for name in columns if name not in known]:
        raise refusal(DataError, f"no column {unknown[0]!r} to name: columns may have {', '.join(known)}")
    prompt, *others = (columns.get(name) for name in known)
    response, id, log_base = others
    return read_scores(
        path, reward=reward, utilities=[one.name for one in parsed(constraints)], prompt=prompt or "prompt",
        response=response, id=id, log_base=log_base,
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


def _answer(
    scores: Scores | Partitions, constraints: tuple[Constraint, ...], setting: Setting, verdict: Verdict,
    tolerance: float, count: int, rng: np.random.Generator,
    progress: Callable[[Progress], None] | None,
) -> Alignment:  # fmt: skip
    at, problem, m = verdict.found.at, setting.problem, len(constraints)
    names = [one.name for one in constraints]
    lam = at.x[:m]
    moments = problem.source.moments(Point(1 / at.beta, lam / at.beta, problem.center, problem.levels))
    covariance = sandwich(setting, at, moments)
    labels = names + (["beta"] if problem.budget is not None else [])
    errors = dict(zip(labels, np.sqrt(np.maximum(np.diagonal(covariance), 0.0)).tolist(), strict=True))
    drawn = None
    if count:
        told = None if progress is None else (lambda k: progress(Progress("bootstrap", k, count)))
        drawn = resample(setting, at, labels, count, rng, tolerance, told)
    gaps = at.gradient[:m]
    over = [0.0, *(-gaps)] + ([-at.gradient[m]] if problem.budget is not None else [])
    products = float(at.x @ at.gradient)
    certificate = Certificate(
        float(max(over)), products, float(np.max(np.abs(projected(problem, at)), initial=0.0))
    )
    residuals = Residuals.of([], [], [], -at.gradient, at.x)
    below = {name: float(np.mean(moments.gaps[:, j] < 0)) for j, name in enumerate(names)}
    absolute = dict(zip(names, problem.levels.tolist(), strict=True))
    counts = problem.source.counts
    found = of_samples(setting, counts, names) + of_solution(setting, at, moments, counts, names)
    moved = drift(
        problem.source, setting, [one.level for one in constraints], labels,
        np.sqrt(np.maximum(np.diagonal(covariance), 0.0)), rng,
    )  # fmt: skip
    found += [] if moved is None else [moved]
    return Alignment(
        verdict.status, scores, constraints, absolute, at.beta, problem.budget,
        dict(zip(names, lam.tolist(), strict=True)), errors, covariance, drawn,
        at.value, float(np.mean(moments.reward)), _means(problem.source, moments), at.divergence,
        problem.center, _means(problem.source, setting.reference), certificate, residuals,
        inverse(setting, at),
        {name: moments.gaps[:, j] + problem.levels[j] for j, name in enumerate(names)},
        1 / moments.concentration, below, tuple(found), None, verdict.found.steps, tolerance, problem.center,
    )  # fmt: skip


def _means(source: Source, moments: Moments) -> dict[str, float]:
    return dict(zip(source.utilities, np.mean(moments.utilities, axis=0).tolist(), strict=True))


def _infeasible(
    scores: Scores | Partitions,
    constraints: tuple[Constraint, ...],
    setting: Setting,
    verdict: Verdict,
    tolerance: float,
) -> Alignment:
    margin, problem, reference = verdict.margin, setting.problem, setting.reference
    assert margin is not None
    names = [one.name for one in constraints]
    absolute = dict(zip(names, problem.levels.tolist(), strict=True))
    m = len(names)
    q = m + (problem.budget is not None)
    gaps = reference.gaps - problem.levels
    violation = float(-np.min(np.mean(gaps, axis=0)))
    return Alignment(
        Status.INFEASIBLE, scores, constraints, absolute, problem.beta or 0.0, problem.budget, {}, {},
        np.zeros((q, q)), None, np.inf * -1, problem.center, _means(problem.source, reference), 0.0,
        problem.center, _means(problem.source, reference), Certificate(violation, 0.0, violation),
        Residuals.of([], [], [], -np.mean(gaps, axis=0), np.zeros(m)), np.zeros((q, q)),
        {name: reference.gaps[:, j] for j, name in enumerate(names)}, 1 / reference.concentration,
        {name: float(np.mean(gaps[:, j] < 0)) for j, name in enumerate(names)},
        tuple(of_samples(setting, problem.source.counts, names)),
        _farkas(names, setting, margin), verdict.found.steps, tolerance, problem.center,
    )  # fmt: skip


def _farkas(names: list[str], setting: Setting, margin: Margin) -> Infeasibility:
    problem = setting.problem
    required = float(margin.u @ problem.levels)
    best: Floats = largest_each(setting) + problem.levels
    counts = problem.source.counts
    return Infeasibility(
        dict(zip(names, margin.u.tolist(), strict=True)), required + margin.high, required,
        dict(zip(names, best.tolist(), strict=True)), dict(zip(names, problem.levels.tolist(), strict=True)),
        dict(zip(names, (problem.levels + margin.low).tolist(), strict=True)),
        (int(np.min(counts)), int(np.max(counts))), problem.budget,
    )  # fmt: skip
