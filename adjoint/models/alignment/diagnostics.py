"""What no multiplier tells by itself: whether the sampled responses can carry the answer.

Source of the drift's reading: a smooth function of averages over K responses has a bias of c/K + O(1/K²), so
λ̂(K) − λ̂(K/2) ≈ −c/K, which is minus the bias left in λ̂(K).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..base import Floats
from .evaluate import Local, Moments, Source
from .newton import Value
from .result import Diagnostic, Status
from .scores import Scores
from .solve import SAMPLE, Setting, solve

BEST_OF = 2.0  # effective responses below which a prompt's policy is nearly its best response


def of_samples(setting: Setting, names: Sequence[str]) -> list[Diagnostic]:
    """What the samples show before anything is solved."""
    source = setting.problem.source
    counts = source.counts
    N, several = len(counts), int(np.sum(counts > 1))
    single, found = N - several, []
    text = ""
    if single:
        text = (
            f"{single:,} of {N:,} prompts have a single response: no policy can change anything there, and "
            "they only count in averages"
        )
    found.append(Diagnostic("single responses", float(single), text))
    constant = {name: 0.0 for name in names}
    for j, name in enumerate(names):
        constant[name] = float(max(setting.constant[j + 1] - single, 0) / max(several, 1))
    stuck = [f"{name!r} in {100 * share:.0f} %" for name, share in constant.items() if share > 0.5]
    text = ""
    if stuck:
        text = f"utilities that are the same for all responses of a prompt: {', '.join(stuck)} of the prompts"
        text += "; only differences within prompts can be traded, so λ rests on the others"
    found.append(Diagnostic("constant utilities", constant, text))
    text = ""
    if N < 30:
        text = (
            f"{N} {'prompt' if N == 1 else 'prompts'}: standard errors that rest on fewer than 30 are rough"
        )
    found.append(Diagnostic("prompts", float(N), text))
    if source.weighted and several:
        sizes = (1 / setting.reference.concentration)[counts > 1] / counts[counts > 1]
        value, text = float(np.median(sizes)), ""
        if value < 0.5:
            text = (
                f"the reference weights (log_base) make a median of {100 * value:.0f} % of the responses "
                "count: the responses were sampled from something far from the reference"
            )
        found.append(Diagnostic("reference weights", value, text))
    return found


def of_solution(setting: Setting, at: Value, moments: Moments, names: Sequence[str]) -> list[Diagnostic]:
    """What the optimal policy shows."""
    source = setting.problem.source
    counts = source.counts
    found = _sizes(moments, counts)
    several = counts > 1
    cap = float(np.mean(np.log(counts)))
    kl, text = at.divergence, ""
    if cap > 0 and kl > 0.5 * cap:
        text = (
            f"KL = {kl:.3g} nats is {100 * kl / cap:.0f} % of log K = {cap:.3g}, "
            + (
                # with weights of their own, rare responses cost more than log K
                "what the best of K equally likely responses costs"
                if source.weighted
                else "the most that the responses at hand let it be"
            )
            + ": sample more responses, or raise β"
        )
    if several.any():
        found.append(Diagnostic("KL against log K", {"KL": kl, "log K": cap}, text))
    found.append(_condition(setting, at, names))
    below = {name: float(np.mean(moments.gaps[:, j] < 0)) for j, name in enumerate(names)}
    many = [f"{name!r} for {100 * share:.0f} %" for name, share in below.items() if share > 0.6]
    text = ""
    if many:
        text = (
            f"E[g | x] is below the level of {', '.join(many)} of the prompts: the constraint holds on "
            "average, carried by the others"
        )
    found.append(Diagnostic("share below the level", below, text))
    return found


def _sizes(moments: Moments, counts: np.ndarray) -> list[Diagnostic]:
    several = counts > 1
    if not several.any():
        return []
    sizes = (1 / moments.concentration)[several]
    at = (0.05, 0.25, 0.5, 0.75, 0.95)
    quantiles = {f"{100 * q:.0f} %": float(v) for q, v in zip(at, np.quantile(sizes, at), strict=True)}
    share = float(np.mean(sizes < BEST_OF))
    text = ""
    if share > 0.5:
        text = (
            f"in {100 * share:.0f} % of the prompts fewer than {BEST_OF:g} responses count: this is best "
            "of K rather than a tilt of the reference, and λ* would change with K; raise β or sample more"
        )
    return [
        Diagnostic("effective sample size", quantiles),
        Diagnostic("best of K", share, text),
    ]


def _condition(setting: Setting, at: Value, names: Sequence[str]) -> Diagnostic:
    """Of ∇²D for utilities in units of their ranges; 1 without constraints."""
    m = len(names)
    if not m:
        return Diagnostic("condition of ∇²D", 1.0)
    unit = setting.problem.scale[1:]
    H = at.hessian[:m, :m] * at.beta / np.outer(unit, unit)
    values, vectors = np.linalg.eigh(H)
    least = max(float(values[0]), 0.0)
    value = float(values[-1]) / least if least > 1e-300 else np.inf
    text = ""
    if value > 1e8:
        direction = vectors[:, 0] / unit
        direction /= direction[np.argmax(np.abs(direction))]
        mix = " ".join(f"{u:+.2g}·{name}" for u, name in zip(direction, names, strict=True) if abs(u) > 1e-3)
        text = (
            f"∇²D is singular, or nearly (condition {value:.1g}): {mix} hardly varies within prompts, and "
            "the multipliers are not unique along it"
        )
    return Diagnostic("condition of ∇²D", value, text)


def errors_of(labels: Sequence[str], values: Floats, errors: Floats) -> Diagnostic:
    """Standard errors over the multipliers that are not 0: more than a half, and λ* is hardly known.

    Args:
        labels: names of the constraints, "beta" last under a budget.
        values: λ*, and β (q,).
        errors: their standard errors (q,).
    """
    shares = {
        name: float(error / value)
        for name, value, error in zip(labels, values, errors, strict=True)
        if value > 0
    }
    unknown = [_symbol(name) for name, share in shares.items() if share > 0.5]
    text = ""
    if unknown:
        text = (
            f"the standard error of {', '.join(unknown)} is more than half of the value: the level is near "
            "the most that these responses allow, or the prompts are too few; do not train with it"
        )
    return Diagnostic("error of λ*", shares, text)


def _symbol(label: str) -> str:
    return "β" if label == "beta" else f"λ of {label}"


def drift(
    source: Source, setting: Setting, levels: Sequence[float],
    labels: Sequence[str], errors: Floats, rng: np.random.Generator,
) -> Diagnostic | None:  # fmt: skip
    """λ̂ from all of each prompt's responses minus λ̂ from a random half of them.

    Measured on at most 10⁵ responses. None where no prompt has four; NaN where those responses alone cannot
    meet the constraints.

    Args:
        source: the scores.
        setting: their setting.
        levels: b (m,), as given.
        labels: names of the constraints, "beta" last under a budget.
        errors: standard errors on all prompts (q,), for what counts as a drift.
        rng: chooses prompts and responses.
    """
    sample = source.sample(SAMPLE, rng)
    if int(np.max(sample.counts)) < 4:
        return None
    solved = []
    for scores in (sample, half(sample, rng)):
        own = Local(scores, source.names)
        solved.append(solve(setting.elsewhere(own, levels), 1e-8))
    whole, less = solved
    K = float(np.mean(sample.counts))
    if whole.status is Status.INFEASIBLE:
        text = (
            f"the drift with K is not known: {sample.n_prompts:,} prompts drawn to measure it cannot meet the"
        )
        text += " constraints by themselves, so that all prompts meet them barely"
        return Diagnostic("drift with K", dict.fromkeys(labels, np.nan), text)
    if less.status is Status.INFEASIBLE:
        text = f"with half the responses (K = {K / 2:.3g}) no policy meets the constraints: K is too small"
        return Diagnostic("drift with K", dict.fromkeys(labels, np.inf), text)
    change = whole.found.at.x - less.found.at.x
    value = dict(zip(labels, change.tolist(), strict=True))
    noise = errors * np.sqrt(source.prompts / sample.n_prompts)
    size = np.abs(whole.found.at.x)
    moved = [
        f"{_symbol(name)} from {after - d:.4g} to {after:.4g}"
        for name, d, after, wide in zip(
            labels, change, whole.found.at.x, np.abs(change) > 2 * noise + 0.05 * size, strict=True
        )
        if wide
    ]
    text = ""
    if moved:
        text = (
            f"doubling K from {K / 2:.3g} to {K:.3g} moves {', '.join(moved)}: with more responses expect as "
            "much again; the standard errors do not know of it"
        )
    return Diagnostic("drift with K", value, text)


def half(scores: Scores, rng: np.random.Generator) -> Scores:
    """A random half of each prompt's responses, rounded up.

    >>> from adjoint.models.alignment import Scores
    >>> half(Scores.dense(np.zeros((2, 5)), {}), np.random.default_rng(0)).counts
    array([3, 3])
    """
    counts = scores.counts
    prompt = np.repeat(np.arange(scores.n_prompts), counts)
    shuffled = np.lexsort((rng.random(scores.n_responses), prompt))
    rank = np.arange(scores.n_responses) - np.repeat(scores.offsets[:-1], counts)
    kept = (counts + 1) // 2
    rows = np.sort(shuffled[rank < np.repeat(kept, counts)])
    offsets = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
    return scores._of_rows(offsets, rows)
