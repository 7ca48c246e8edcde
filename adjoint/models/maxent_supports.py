"""Where a max-entropy density lives, and integrals over it: intervals, half lines, the line, the circle.

A continuous support has one chart t ↦ x in which densities decay exponentially at every end, also those
with a power of x there: sinh t on the line, eᵗ from an end outwards, the logistic function between two ends.
Panels of Gauss–Legendre nodes cover the t where the current density lives, and are halved until halving
changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import refusal
from ..ops.sides import host_only
from .base import DataError, Floats

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_FAR = 45.0  # what lies e⁻⁴⁵ = 3e-20 below the peak is left out
LONGEST = (700.0, 350.0, 170.0, 80.0, 40.0, 20.0, 10.0, 5.0)  # |t|; the first where features are finite
_CELL = 0.5
_PANELS = 3000
_ROUNDING = 4 * np.finfo(float).eps


@host_only
@dataclass(frozen=True)
class Interval:
    """All numbers between two ends, of which either or both may be infinite.

    Args:
        low: the lower end; −inf for none.
        high: the upper end, > low; inf for none.

    Raises:
        DataError: the ends are NaN, or not in this order.

    >>> from adjoint.models import Interval
    >>> Interval(0, 1)
    Interval(low=0, high=1)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            what = f"an interval needs low < high, got ({self.low}, {self.high})"
            raise refusal(DataError, what, "A single point is a finite support: [x].")

    def __str__(self) -> str:
        if np.isinf(self.low) and np.isinf(self.high):
            return "the line"
        left = "(−∞" if np.isinf(self.low) else f"[{self.low:g}"
        return f"{left}, ∞)" if np.isinf(self.high) else f"{left}, {self.high:g}]"


class Sites(NamedTuple):
    """Points of a continuous support with their distances to its ends, which x alone cannot resolve.

    Attributes:
        x: (n,).
        low, high: (n,) x − low and high − x, to full relative accuracy; infinite where there is no end.
    """

    x: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Chart:
    """The map t ↦ x of one support; `circle` leaves t = x in [−π, π]."""

    low: float
    high: float
    circle: bool = False

    def sites(self, t: Floats) -> Sites:
        """The points at t (n,)."""
        none = np.full(t.shape, np.inf)
        if self.circle:
            return Sites(t, none, none)
        if np.isinf(self.low) and np.isinf(self.high):
            return Sites(np.sinh(t), none, none)
        if np.isinf(self.high):
            return Sites(self.low + np.exp(t), np.exp(t), none)
        if np.isinf(self.low):
            return Sites(self.high - np.exp(-t), none, np.exp(-t))
        width = self.high - self.low
        left, right = width / (1 + np.exp(-t)), width / (1 + np.exp(t))
        return Sites(np.where(t < 0, self.low + left, self.high - right), left, right)

    def log_slope(self, t: Floats) -> Floats:
        """log dx/dt at t (n,)."""
        if self.circle:
            return np.zeros(t.shape)
        if np.isinf(self.low) and np.isinf(self.high):
            return np.logaddexp(t, -t) - np.log(2)
        if np.isinf(self.high):
            return t
        if np.isinf(self.low):
            return -t
        return np.log(self.high - self.low) - np.logaddexp(0, t) - np.logaddexp(0, -t)

    def reach(self, exact: bool) -> tuple[float, float]:
        """How far t may go. Functions of x alone see an end other than 0 only to x's rounding.

        Args:
            exact: the features are computed from the distances to the ends.
        """
        if self.circle:
            return -np.pi, np.pi
        ends = []
        for end in (self.low, self.high):
            limit = LONGEST[0]
            if np.isfinite(end) and end != 0 and not exact:
                width = self.high - self.low if np.isfinite(self.high - self.low) else 1.0
                limit = min(limit, -np.log(4 * np.finfo(float).eps * abs(end) / width))
            ends.append(max(limit, 5.0))
        return -ends[0], ends[1]


class Values(NamedTuple):
    """An integrand at t: its logarithm (n,), the features (n, k), and the size of the logarithm's terms."""

    log: Floats
    features: Floats
    size: Floats


class Nodes(NamedTuple):
    """A quadrature for one density.

    Attributes:
        t, log_weight: (n,) nodes in the chart, and logarithms of their weights.
        values: the integrand there.
        lost: estimated share of the mass beyond the chart's reach; inf where the integral diverges.
        edges: (m, 2) the panels, in t.
    """

    t: Floats
    log_weight: Floats
    values: Values
    lost: float
    edges: Floats


Integrand = Callable[[Floats], Values]


def grid(low: float, high: float) -> Floats:
    """Mid-points of cells of at most half a unit of t that fill [low, high], with an edge at t = 0."""
    left, right = max(int(np.ceil(-low / _CELL)), 8), max(int(np.ceil(high / _CELL)), 8)
    edges = np.concatenate([np.linspace(low, 0, left + 1)[:-1], np.linspace(0, high, right + 1)])
    return np.stack([edges[:-1], edges[1:]], axis=1)


def quadrature(integrand: Integrand, cells: Floats, coarse: Values) -> Nodes:
    """Nodes and weights that integrate a density, and its features, to about 1e-13 of the total.

    Args:
        integrand: values at t.
        cells: (m, 2) from `grid`.
        coarse: values at the cells' mid-points.
    """
    score = coarse.log + np.log1p(np.max(np.abs(coarse.features), axis=1, initial=0.0))
    peaks, heights = _peaks(integrand, cells, coarse.log)
    if not peaks.size:
        return Nodes(np.zeros(0), np.zeros(0), coarse, np.inf, cells[:0])
    top = float(np.max(heights))
    lost = max(_lost(cells, score, top, 0, 1), _lost(cells, score, top, -1, -2))
    keep = score > max(top, float(np.max(score))) - _FAR
    keep[1:] |= keep[:-1].copy()
    keep[:-1] |= keep[1:].copy()
    if not np.isfinite(lost) or abs(top) > 1e12:  # at 1e12, e^log has lost all its digits
        return Nodes(np.zeros(0), np.zeros(0), coarse, np.inf, cells[:0])
    high = heights >= top - _FAR
    panels = _graded(integrand, cells, keep, peaks[high], heights[high])
    t, log_weight, values, edges = _halve(integrand, panels, top)
    return Nodes(t, log_weight, values, lost, edges)


def _graded(integrand: Integrand, cells: Floats, keep: np.ndarray, peaks: Floats, heights: Floats) -> Floats:
    """The kept cells, those with a peak, and edges that close in on each peak down to its width.

    Without them, nodes on both sides of a narrow peak would see nothing, and nothing change.
    """
    steps = _CELL * 0.5 ** np.arange(50)
    edges = [np.unique(cells)]
    for sign in (-1.0, 1.0):
        t = np.clip(peaks[:, None] + sign * steps, cells[0, 0], cells[-1, 1])
        fall = heights[:, None] - integrand(t.ravel()).log.reshape(t.shape)
        width = np.argmax(fall < 1.0, axis=1)
        width[np.all(fall >= 1.0, axis=1)] = len(steps) - 1
        edges += [row[: j + 1] for row, j in zip(t, width, strict=True)]
    keep = keep | np.any((cells[:, :1] <= peaks + _CELL) & (peaks - _CELL <= cells[:, 1:]), axis=1)
    points = np.unique(np.concatenate(edges))
    panels = np.stack([points[:-1], points[1:]], axis=1)
    where = np.clip(np.searchsorted(cells[:, 1], np.mean(panels, axis=1)), 0, len(cells) - 1)
    kept: Floats = panels[keep[where]]
    return kept


def _peaks(integrand: Integrand, cells: Floats, log: Floats) -> tuple[Floats, Floats]:
    """Where the integrand has local maxima, t (m,), and its logarithm there.

    A peak narrower than a cell would otherwise be judged by its flanks, e⁻⁴⁵ and more below it.
    """
    where = tops(log, 16)
    if not where.size:
        return np.zeros(0), np.zeros(0)
    low = cells[np.maximum(where - 1, 0), 0]
    high = cells[np.minimum(where + 1, len(cells) - 1), 1]
    at = np.mean(cells[where], axis=1)
    return climb(lambda t: integrand(t).log, low, high, at, log[where], points=16, rounds=8)


def tops(values: Floats, most: int) -> np.ndarray:
    """Where values on a grid (n,) have local maxima above −∞: the `most` largest, falling."""
    padded = np.concatenate([[-np.inf], values, [-np.inf]])
    where = np.flatnonzero((values >= padded[:-2]) & (values >= padded[2:]) & (values > -np.inf))
    return where[np.argsort(-values[where])[:most]]


def climb(
    function: Callable[[Floats], Floats],
    low: Floats,
    high: Floats,
    at: Floats,
    best: Floats,
    *,
    points: int,
    rounds: int,
) -> tuple[Floats, Floats]:
    """Local maxima in intervals, by ever finer grids: where, and how large, each (m,).

    Args:
        function: of t (n,).
        low: (m,), where the intervals begin.
        high: (m,), where they end.
        at: (m,), the best point known in each.
        best: (m,), its value.
        points: of each grid.
        rounds: how many grids; each is finer by (points + 1) / 2.
    """
    share = np.linspace(0, 1, points + 2)[1:-1]
    for _ in range(rounds):
        t = low[:, None] + (high - low)[:, None] * share
        found = function(t.ravel()).reshape(t.shape)
        k, rows = np.argmax(found, axis=1), np.arange(len(t))
        better = found[rows, k] > best
        best, at = np.where(better, found[rows, k], best), np.where(better, t[rows, k], at)
        width = (high - low) / (points + 1)
        low, high = np.maximum(low, at - width), np.minimum(high, at + width)
    return at, best


def _lost(cells: Floats, score: Floats, top: float, last: int, before: int) -> float:
    """The share of the mass beyond the last cell, if it goes on to decay as it does there."""
    if score[last] < top - _FAR or cells[-1, 1] <= np.pi:  # a circle has no ends
        return 0.0
    rate = (score[before] - score[last]) / abs(np.mean(cells[before]) - np.mean(cells[last]))
    if not rate > 0.02:
        return np.inf
    return float(np.exp(min(score[last] - top, 0.0)) / rate)


def _halve(integrand: Integrand, panels: Floats, top: float) -> tuple[Floats, Floats, Values, Floats]:
    """Panels halved until the integrals of the density and of its features stay as they are."""
    done: list[tuple[Floats, Floats, Values]] = []
    edges: list[Floats] = []
    total: Floats | float = 0.0  # of the accepted panels
    values = evaluated(integrand, panels)[2]
    count = len(panels)
    for depth in range(64):
        middle = np.mean(panels, axis=1)
        halves = np.concatenate(
            [np.stack([panels[:, 0], middle], 1), np.stack([middle, panels[:, 1]], 1)]
        )  # first all left halves, then all right ones
        t, weight, finer = evaluated(integrand, halves)
        new = max(top, float(np.max(finer.log, initial=-np.inf)))
        total, top = total * np.exp(top - new), new
        whole, _, _ = _sums(values, top, _weights(panels))
        part, part_size, noise = _sums(finer, top, weight)
        part, part_size, noise = (_pair(a) for a in (part, part_size, noise))
        everything = total + np.sum(part_size, axis=0)
        wrong = np.any(np.abs(whole - part) > 1e-13 * everything + noise, axis=1)
        count += int(np.sum(wrong))
        if depth == 63 or count > _PANELS:
            wrong[:] = False
        good, again = np.concatenate([~wrong, ~wrong]), np.concatenate([wrong, wrong])
        total = total + np.sum(part_size[~wrong], axis=0)
        done.append((t[good], weight[good], Values(*(part[good] for part in finer))))
        edges.append(halves[good])
        if not np.any(wrong):
            break
        panels, values = halves[again], Values(*(part[again] for part in finer))
    k = values.features.shape[-1]
    t = np.concatenate([piece[0].ravel() for piece in done])
    log_weight = np.log(np.concatenate([piece[1].ravel() for piece in done]))
    values = Values(
        np.concatenate([piece[2].log.ravel() for piece in done]),
        np.concatenate([piece[2].features.reshape(piece[0].size, k) for piece in done]),
        np.concatenate([piece[2].size.ravel() for piece in done]),
    )
    return t, log_weight, values, np.concatenate(edges)


def _weights(panels: Floats) -> Floats:
    return (panels[:, 1] - panels[:, 0])[:, None] / 2 * _WEIGHTS


def evaluated(integrand: Integrand, panels: Floats) -> tuple[Floats, Floats, Values]:
    """Nodes, weights and values, each (m, 12, …)."""
    half = (panels[:, 1] - panels[:, 0])[:, None] / 2
    t = np.mean(panels, axis=1)[:, None] + half * _NODES
    log, features, size = integrand(t.ravel())
    shaped = Values(
        log.reshape(t.shape), features.reshape(*t.shape, features.shape[1]), size.reshape(t.shape)
    )
    return t, half * _WEIGHTS, shaped


def _sums(values: Values, top: float, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """Per panel: ∫(1, f) e^{log − top}, the same of absolute values, and what rounding makes of it."""
    mass = weight * np.exp(values.log - top)
    ones = np.ones((*mass.shape, 1))
    f = np.concatenate([ones, values.features], axis=-1)
    noise = _ROUNDING * np.einsum("mn,mnk->mk", mass * (1 + values.size), 1 + np.abs(f))
    return np.einsum("mn,mnk->mk", mass, f), np.einsum("mn,mnk->mk", mass, np.abs(f)), noise


def _pair(halves: Floats) -> Floats:
    """Left and right halves added up."""
    return halves[: len(halves) // 2] + halves[len(halves) // 2 :]
