"""From a verdict to an `Alignment`: what the policy gives, how certain that is, what speaks against it."""

from __future__ import annotations

import numpy as np

from ...problems import Residuals
from .constraints import Constraint
from .diagnostics import drift, errors_of, of_samples, of_solution
from .evaluate import Moments, Point, Source
from .feasibility import Infeasibility, Margin
from .newton import projected
from .partitions import Partitions
from .result import Alignment, Certificate, Status
from .scores import Scores
from .solve import Setting, Verdict, largest_each
from .uncertainty import inverse, sandwich


def solved(
    data: Scores | Partitions, constraints: tuple[Constraint, ...], setting: Setting, verdict: Verdict,
    tolerance: float, rng: np.random.Generator,
) -> Alignment:  # fmt: skip
    """The answer where there is a policy."""
    at, problem, names = verdict.found.at, setting.problem, [one.name for one in constraints]
    m, source = len(names), problem.source
    lam = at.x[:m]
    moments = source.moments(Point(1 / at.beta, lam / at.beta, problem.center, problem.levels))
    covariance = sandwich(setting, at, moments)
    deviations = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
    labels = names + (["beta"] if problem.budget is not None else [])
    diagnostics = of_samples(setting, names) + of_solution(setting, at, moments, names)
    diagnostics.append(errors_of(labels, at.x, deviations))
    moved = drift(source, setting, [one.level for one in constraints], labels, deviations, rng)
    return Alignment(
        status=verdict.status, data=data, constraints=constraints, levels=_named(names, problem.levels),
        beta=at.beta, kl_budget=problem.budget, multipliers=_named(names, lam),
        standard_errors=_named(labels, deviations), covariance=covariance, bootstrap=None,
        objective=at.value, reward=float(np.mean(moments.reward)), utilities=_means(source, moments),
        kl=at.divergence, reference_reward=problem.center,
        reference_utilities=_means(source, setting.reference),
        certificate=Certificate(
            violation=float(np.max(-at.gradient, initial=0.0)), gap=float(at.x @ at.gradient),
            projected_gradient=float(np.max(np.abs(projected(problem, at)), initial=0.0)),
        ),
        # the policy maximizes the Lagrangian by its form: nothing is left of stationarity
        residuals=Residuals.of([], [], [], -at.gradient, at.x),
        response=inverse(setting, at),
        prompt_utilities={name: moments.gaps[:, j] + problem.levels[j] for j, name in enumerate(names)},
        effective_sizes=1 / moments.concentration,
        share_below=_named(names, np.mean(moments.gaps < 0, axis=0)),
        diagnostics=tuple(diagnostics if moved is None else [*diagnostics, moved]),
        steps=verdict.found.steps, tolerance=tolerance,
    )  # fmt: skip


def infeasible(
    data: Scores | Partitions, constraints: tuple[Constraint, ...], setting: Setting, verdict: Verdict,
    tolerance: float,
) -> Alignment:  # fmt: skip
    """The answer where there is none: what the reference gives, and the proof."""
    problem, reference, names = setting.problem, setting.reference, [one.name for one in constraints]
    source, budgeted = problem.source, problem.budget is not None
    size = len(names) + budgeted
    gaps = reference.gaps - problem.levels
    short = float(np.max(-np.mean(gaps, axis=0), initial=0.0))
    assert verdict.margin is not None
    return Alignment(
        status=Status.INFEASIBLE, data=data, constraints=constraints, levels=_named(names, problem.levels),
        beta=problem.beta or 0.0, kl_budget=problem.budget, multipliers={}, standard_errors={},
        covariance=np.zeros((size, size)), bootstrap=None, objective=-np.inf, reward=problem.center,
        utilities=_means(source, reference), kl=0.0, reference_reward=problem.center,
        reference_utilities=_means(source, reference), certificate=Certificate(short, 0.0, short),
        residuals=Residuals.of([], [], [], -np.mean(gaps, axis=0), np.zeros(len(names))),
        response=np.zeros((size, size)),
        prompt_utilities={name: reference.gaps[:, j] for j, name in enumerate(names)},
        effective_sizes=1 / reference.concentration, share_below=_named(names, np.mean(gaps < 0, axis=0)),
        diagnostics=tuple(of_samples(setting, names)),
        infeasibility=_farkas(names, setting, verdict.margin), steps=verdict.found.steps,
        tolerance=tolerance,
    )  # fmt: skip


def _farkas(names: list[str], setting: Setting, margin: Margin) -> Infeasibility:
    levels, counts, scale = setting.problem.levels, setting.problem.source.counts, setting.problem.scale[1:]
    total = float(np.sum(margin.u / scale))
    weights = margin.u / scale / total
    required = float(weights @ levels)
    return Infeasibility(
        weights=_named(names, weights), achievable=required + margin.high / total, required=required,
        best=_named(names, largest_each(setting) + levels), levels=_named(names, levels),
        nearest=_named(names, levels + margin.low * scale),
        samples=(int(np.min(counts)), int(np.max(counts))), budget=setting.problem.budget,
    )  # fmt: skip


def _named(names: list[str], values: np.ndarray) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))


def _means(source: Source, moments: Moments) -> dict[str, float]:
    return _named(source.utilities, np.mean(moments.utilities, axis=0))
