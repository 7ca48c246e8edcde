"""Do multipliers explode or vanish, from layer to layer and over a training?

Along the layers λ is a product of Jacobians: its size falls or rises by some factor per layer, and what is
a factor of 2 per layer is one of 10⁶ over twenty. The first layers then learn a million times slower than the
last, or the last cannot be learned at all. Over the steps, a rising λ is a training about to diverge, and one
that is exactly zero has died (a saturated or unused layer).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..errors import describe
from ..sweeps import MultiplierHistory
from ..text import number, table
from .report import Finding, Report

WIDTH = 24  # characters of the widest bar


@dataclass(frozen=True)
class Layer:
    """One column of the history.

    Attributes:
        name: the layer's.
        first, last: rms of λ, the median over the first and over the last quarter of the steps.
        factor: rms over that of the layer after it, towards the loss: the median over the steps; NaN of the
            last.
        verdict: "steady", "vanishing", "exploding", "zero", "not finite", "rising".
    """

    name: str
    first: float
    last: float
    factor: float
    verdict: str


@dataclass(frozen=True, repr=False)
class TrainingReport(Report):
    """Whether multipliers stay in range; true when none explodes, vanishes, dies or stops being finite.

    Attributes:
        layers: one entry per column, in the order of the program.
        per_layer: the factor by which ‖λ‖ changes per layer, from the loss towards the input.
        verdict: the conclusion in words.
    """

    layers: tuple[Layer, ...] = ()
    per_layer: float = math.nan
    verdict: str = ""

    def table(self, limit: int = 40) -> str:
        """The layers from input to loss, with the size of λ as a bar on a logarithmic scale.

        Args:
            limit: rows at most; those in the middle are left out.
        """
        rows = [
            [x.name, number(x.first), number(x.last), "" if math.isnan(x.factor) else f"× {number(x.factor)}",
             x.verdict, bar]
            for x, bar in zip(self.layers, _bars([x.last for x in self.layers]), strict=True)
        ]  # fmt: skip
        if len(rows) > limit:
            half = limit // 2
            left = [f"… {len(rows) - 2 * half} more", "", "", "", "", ""]
            rows = [*rows[:half], left, *rows[-half:]]
        headers = ["λ of", "rms, first quarter", "last quarter", "of the next", "", "log of the last"]
        return table(headers, rows, right=(1, 2, 3))

    def __repr__(self) -> str:
        lines = [f"{self.subject}: {self.verdict}", *(f"  {f}" for f in self.findings)]
        return "\n".join([*lines, *(f"  note  {n}" for n in self.notes), self.table()])


def training(history: MultiplierHistory, *, spread: float = 1e3) -> TrainingReport:
    """Exploding and vanishing multipliers, by layer and over the steps of a training.

    Args:
        history: recorded once per step; best by="scope", whose columns are the layers.
        spread: how far rms λ of two layers may be apart, and by how much one may rise over the training.

    Returns:
        A report; its verdict says which way ‖λ‖ goes, by which factor per layer, and where.

    Raises:
        ValueError: nothing was recorded.

    >>> import adjoint as ad
    >>> history = ad.MultiplierHistory()
    >>> history.record({"layer1": np.ones(3), "layer2": np.full(3, 2.0)})
    >>> report = training(history)
    >>> bool(report), report.per_layer
    (True, 0.5)
    """
    if not isinstance(history, MultiplierHistory):
        raise TypeError(f"check.training takes a MultiplierHistory, not {describe(history)}")
    if not len(history) or not history.names:
        raise ValueError("nothing was recorded: history.record(multipliers) once per step of the training")
    if not spread > 1:
        raise ValueError(f"spread must be larger than 1, got {spread}")
    rms = history.rms
    quarter = max(1, len(history) // 4)
    first, last = _median(rms[:quarter]), _median(rms[-quarter:])
    depth = _depth(rms)
    factors = _factors(rms)
    broken = np.any((history.sizes > 0) & ~np.isfinite(rms), axis=0)  # a step without a layer has NaN too
    layers = tuple(
        Layer(name, float(a), float(b), float(f), "not finite" if bad else _word(a, b, float(d), spread))
        for name, a, b, f, d, bad in zip(history.names, first, last, factors, depth, broken, strict=True)
    )
    findings = _findings(layers, depth, first, last, spread)
    per_layer = _per_layer(depth)
    subject = f"multipliers of {len(layers)} layers over {len(history)} steps"
    return TrainingReport(
        subject,
        findings,
        layers=layers,
        per_layer=per_layer,
        verdict=_verdict(findings, per_layer),
    )


def _median(rms: np.ndarray) -> np.ndarray:
    """Over the steps that have it; NaN where none has."""
    return np.array([np.median(c[~np.isnan(c)]) if np.any(~np.isnan(c)) else np.nan for c in rms.T])


def _depth(rms: np.ndarray) -> np.ndarray:
    """log10 of each layer's rms over that of the last."""
    return np.array([_log_ratio(column, rms[:, -1]) for column in rms.T])


def _factors(rms: np.ndarray) -> np.ndarray:
    """Each layer's rms over that of the next; NaN of the last."""
    return np.array([*(10 ** _log_ratio(a, b) for a, b in pairwise(rms.T)), np.nan])


def _log_ratio(a: np.ndarray, b: np.ndarray) -> float:
    """log10 a/b: the median over the steps where both are positive; NaN where none is."""
    there = (a > 0) & (b > 0) & np.isfinite(a) & np.isfinite(b)
    return float(np.median(np.log10(a[there]) - np.log10(b[there]))) if np.any(there) else math.nan


def _per_layer(depth: np.ndarray) -> float:
    """The factor per layer of the straight line through log10 rms, from the loss towards the input."""
    known = np.flatnonzero(np.isfinite(depth))
    if len(known) < 2:
        return math.nan
    slope = np.polyfit(known.astype(float), depth[known], 1)[0]
    return float(10 ** (-slope))


def _word(first: float, last: float, depth: float, spread: float) -> str:
    if last == 0:
        return "zero"
    if first > 0 and last > spread * first:
        return "rising"
    if depth < -math.log10(spread):
        return "vanishing"
    return "exploding" if depth > math.log10(spread) else "steady"


def _findings(
    layers: tuple[Layer, ...], depth: np.ndarray, first: np.ndarray, last: np.ndarray, spread: float
) -> tuple[Finding, ...]:  # fmt: skip
    def named(word: str) -> str:
        names = [x.name for x in layers if x.verdict == word]
        return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")

    def count(word: str) -> int:
        return sum(x.verdict == word for x in layers)

    known = depth[np.isfinite(depth)]
    low, high = float(10 ** -np.min(known, initial=0.0)), float(10 ** np.max(known, initial=0.0))
    rises = [b / a for a, b in zip(first, last, strict=True) if a > 0 and np.isfinite(b)]
    rise = max(rises, default=1.0)
    return (
        Finding(
            "layers whose λ is not finite",
            count("not finite"),
            0.0,
            not count("not finite"),
            named("not finite"),
        ),
        Finding(
            "layers whose λ is exactly zero at the end", count("zero"), 0.0, not count("zero"), named("zero")
        ),
        Finding("fall of rms λ from the last layer", low, spread, low <= spread, named("vanishing")),
        Finding("rise of rms λ from the last layer", high, spread, high <= spread, named("exploding")),
        Finding("rise of rms λ over the training", rise, spread, rise <= spread, named("rising")),
    )


def _verdict(findings: tuple[Finding, ...], per_layer: float) -> str:
    broken, zero, falls, rises, grows = (not f.passed for f in findings)
    along = f"× {number(per_layer)} per layer towards the input"
    said = []
    if broken:
        said.append(f"NOT FINITE in {findings[0].detail}: ad.nan_origin names the line")
    if rises:
        said.append(f"EXPLODING: ‖λ‖ grows {along}; smaller initial weights, normalisation, or clipping")
    if falls:
        said.append(
            f"VANISHING: ‖λ‖ shrinks {along}; larger initial weights (variance 1/inputs for tanh, 2/inputs "
            "for relu), residual connections, or normalisation"
        )
    if grows and not broken:
        said.append(f"RISING over the training, by {number(findings[4].error)}: a smaller rate, or clipping")
    if zero:
        said.append(f"DEAD: {findings[1].detail} no longer moves the loss")
    if said:
        return "; ".join(said)
    return "steady" if math.isnan(per_layer) else f"steady, {along}"


def _bars(sizes: list[float]) -> list[str]:
    """Bars by the logarithm, from the smallest to the largest."""
    logs = [math.log10(x) if 0 < x < math.inf else math.nan for x in sizes]
    known = [x for x in logs if not math.isnan(x)]
    if not known:
        return [""] * len(sizes)
    low, span = min(known), max(max(known) - min(known), 1.0)  # less than a decade looks level
    return ["" if math.isnan(x) else "▇" * (1 + round((WIDTH - 1) * (x - low) / span)) for x in logs]
