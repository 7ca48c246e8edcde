"""Features minus moments, summed over a finite set or integrated over a continuum: two kinds of `Problem`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..errors import refusal
from .base import DataError, Floats
from .maxent_dual import State, Tail, log_sum
from .maxent_existence import Separation, separation, separation_of_continuum
from .maxent_features import Table
from .maxent_supports import LONGEST, Chart, Nodes, Sites, Values, evaluated, grid, quadrature

LogPrior = Callable[[Any], Floats]


class Target(NamedTuple):
    """What the features are measured against: c = (f − moments) / scale, missed by ≤ slack; (k,) each."""

    moments: Floats
    scale: Floats
    slack: Floats


def _scale(spread: Floats, moments: Floats) -> Floats:
    """Units for the features: their spread where it is known and not 0, else the moments' size."""
    size = np.where(np.isfinite(spread), spread, np.abs(moments))
    return np.where(size > 1e-14 * np.maximum(np.abs(moments), 1e-2), size, 1.0)


class Finite:
    """Sums over points.

    Args:
        features: (n, k) at the points.
        log_prior: (n,), −inf where the prior is 0.
        moments, within: (k,) μ̂ and ε.
    """

    def __init__(self, features: Floats, log_prior: Floats, moments: Floats, within: Floats) -> None:
        self.k = len(moments)
        self.log_prior = log_prior
        self.possible = log_prior > -np.inf
        centered = features - moments
        spread = np.max(np.abs(centered[self.possible]), axis=0, initial=0.0)
        self.target = Target(moments, _scale(spread, moments), within)
        self.rows = centered / self.target.scale

    def evaluate(self, lam: Floats) -> State:
        """The masses at λ (k,)."""
        value, p = log_sum(self.rows @ lam + self.log_prior)
        return State(value, p, self.rows, p @ self.rows)

    def tails(self, basis: Floats) -> list[Tail]:
        """None: everything is bounded."""
        return []

    def separate(self) -> tuple[Separation, np.ndarray] | None:
        """A direction that separates the moments from the points, and the points (n,) on its face."""
        rows = self.rows[self.possible]
        slack = self.target.slack / self.target.scale
        found = separation(rows, np.broadcast_to(slack, rows.shape))
        if found is None:
            return None
        reach = self.rows @ found.direction + slack @ np.abs(found.direction)
        return found._replace(margin=float(-np.max(reach[self.possible]))), (reach > -1e-7) & self.possible


class Continuum:
    """Integrals over a chart.

    Args:
        chart: the support.
        table: the features.
        log_prior: x (n,) → log q (n,).
        moments, within: (k,) μ̂ and ε.
        spread: (k,) known standard deviations of the features, ∞ for others, or None.
        name: the support in words.
    """

    def __init__(
        self,
        chart: Chart,
        table: Table,
        log_prior: LogPrior,
        moments: Floats,
        within: Floats,
        spread: Floats | None,
        name: str,
    ) -> None:
        self.k = len(moments)
        self.chart, self.table, self.log_prior, self.name = chart, table, log_prior, name
        self.reach = self._reach()
        self.cells = grid(*self.reach)
        middle = np.mean(self.cells, axis=1)
        features = self.features(middle)
        if spread is None:
            spread = np.full(self.k, np.inf)  # not known
            if not np.isinf(chart.high - chart.low):
                largest = np.max(np.abs(features - moments), axis=0, initial=0.0)
                # of log x or 1/x, the largest seen is no scale
                spread = np.where(
                    largest < 1e3 * np.median(np.abs(features - moments), axis=0), largest, np.inf
                )
        self.target = Target(moments, _scale(spread, moments), within)
        self._coarse = (features - moments) / self.target.scale
        self._coarse_log = self.log_base(middle)

    # ----------------------------------------------------------------------------------------- the integrand
    def features(self, t: Floats) -> Floats:
        """The features (n, k) at t.

        Raises:
            DataError: one is NaN or infinite.
        """
        sites = self.chart.sites(t)
        with np.errstate(all="ignore"):
            matrix, where, _ = self.table.matrix(sites)
        if not np.all(np.isfinite(matrix)):
            row, column = np.argwhere(~np.isfinite(matrix))[0]
            name = next(n for n, part in where.items() if part.start <= column < part.stop)
            what = f"feature {name!r} is {matrix[row, column]} at x = {sites.x[row]:.6g} within {self.name}"
            raise refusal(DataError, what, "Features must be finite inside the support.")
        return matrix

    def _reach(self) -> tuple[float, float]:
        """How far the features can be evaluated without overflow."""
        limits = self.chart.reach(self.table.exact)
        ends = []
        for end in limits:
            tried = [end] + [np.sign(end) * size for size in LONGEST if size < abs(end)]
            for t in tried:
                with np.errstate(all="ignore"):
                    matrix, *_ = self.table.matrix(self.chart.sites(np.array([t])))
                # 1e140: squares of them occur
                if np.all(np.abs(matrix) < 1e140):
                    break
            ends.append(float(t))
        return ends[0], ends[1]

    def log_base(self, t: Floats) -> Floats:
        """The part of the log-integrand without λ."""
        with np.errstate(all="ignore"):
            log = np.asarray(self.log_prior(self.chart.sites(t).x), dtype=np.float64)
        if log.shape != t.shape or np.any(np.isnan(log)) or np.any(log == np.inf):
            what = f"the prior should be finite and ≥ 0, one number per point of {self.name}"
            raise refusal(DataError, what, "Its logarithm, as log_prior, cannot underflow.")
        total: Floats = log + self.chart.log_slope(t)
        return total

    def underflows(self) -> bool:
        """Whether the prior seems to be 0 where it is too small for float64."""
        log = self._coarse_log - self.chart.log_slope(np.mean(self.cells, axis=1))
        seen = log > -np.inf
        return bool(np.any(~seen) and np.any(log[seen] < -600))

    def _values(self, lam: Floats, fixed: Floats, rows: Floats) -> Values:
        with np.errstate(over="ignore", invalid="ignore"):
            log = rows @ lam + fixed
            # c = f − μ̂ is as exact as f is: c may be 1e-5 of it
            size = (np.abs(rows) + np.abs(self.target.moments / self.target.scale)) @ np.abs(lam)
        return Values(np.where(np.isnan(log), np.inf, log), rows, size)

    def integrand(self, lam: Floats) -> Callable[[Floats], Values]:
        """log (q exp(λ·c) dx/dt) and c, at t."""

        def values(t: Floats) -> Values:
            rows = (self.features(t) - self.target.moments) / self.target.scale
            return self._values(lam, self.log_base(t), rows)

        return values

    def nodes(self, lam: Floats) -> Nodes:
        """A quadrature adapted to the density at λ."""
        coarse = self._values(lam, self._coarse_log, self._coarse)
        return quadrature(self.integrand(lam), self.cells, coarse)

    def evaluate(self, lam: Floats) -> State:
        """The density at λ (k,), on nodes adapted to it."""
        return self.state(self.nodes(lam))

    def state(self, nodes: Nodes) -> State:
        if not nodes.t.size:
            return State(np.inf, np.zeros(0), np.zeros((0, self.k)), np.zeros(self.k), nodes.lost)
        value, p = log_sum(nodes.values.log + nodes.log_weight)
        rows = nodes.values.features
        lost = nodes.lost * float(np.exp(np.max(nodes.values.log) - value))
        return State(value, p, rows, p @ rows, lost)

    def verify(self, lam: Floats, nodes: Nodes) -> State:
        """The same density on panels cut in three: its moments are independent of the first ones' nodes."""
        a, b = nodes.edges[:, 0], nodes.edges[:, 1]
        third = (b - a) / 3
        panels = np.concatenate([np.stack([a + j * third, a + (j + 1) * third], 1) for j in range(3)])
        t, weight, values = evaluated(self.integrand(lam), panels)
        flat = Values(values.log.ravel(), values.features.reshape(t.size, self.k), values.size.ravel())
        return self.state(Nodes(t.ravel(), np.log(weight.ravel()), flat, nodes.lost, panels))

    # ------------------------------------------------------------------------------------------- existence
    def tails(self, basis: Floats) -> list[Tail]:
        """Ends towards which c·basis grows: its direction between far and farther points."""
        found = []
        for end in self.reach if not self.chart.circle else ():
            t = np.array([end / 2, end])
            rows = (self.features(t) - self.target.moments) / self.target.scale @ basis
            change, size = rows[1] - rows[0], np.max(np.abs(rows), axis=1, initial=0.0)
            length = float(np.linalg.norm(change))
            fixed = self.log_base(t)
            if size[1] <= 1.2 * size[0] or length == 0 or fixed[1] == -np.inf:
                continue
            direction = np.where(np.abs(change) < 1e-9 * length, 0.0, change) / length
            offset = float(fixed[1] - fixed[0]) / length
            if abs(offset) < 1e6:
                found.append(Tail(direction / np.linalg.norm(direction), offset))
        return found

    def separate(self) -> tuple[Separation, np.ndarray] | None:
        """A direction that separates the moments from the support, and some x (m,) on its face."""
        if not self.k:
            return None
        slack = self.target.slack / self.target.scale
        directions = np.array([tail.direction for tail in self.tails(np.eye(self.k))]).reshape(-1, self.k)
        ends, end_rows = self._ends()
        possible = self.cells[self._coarse_log > -np.inf]

        def rows_at(t: Floats) -> Floats:
            return (self.features(t) - self.target.moments) / self.target.scale

        found = separation_of_continuum(rows_at, possible, np.concatenate([directions, end_rows]), slack)
        if found is None:
            return None
        split, touching, largest = found
        reach = end_rows @ split.direction + slack @ np.abs(split.direction)
        margin = float(-max(largest, np.max(reach, initial=-np.inf))) if split.margin else 0.0
        face = np.concatenate([self.chart.sites(touching).x, ends[reach > -1e-7]])
        return split._replace(margin=margin), face

    def _ends(self) -> tuple[Floats, Floats]:
        """The finite ends at which the features are finite too, (m,), and c there, (m, k)."""
        low, high = self.chart.low, self.chart.high
        ends = np.array([end for end in (low, high) if np.isfinite(end) and not self.chart.circle])
        if not ends.size:
            return ends, np.zeros((0, self.k))
        with np.errstate(all="ignore"):
            matrix, *_ = self.table.matrix(Sites(ends, ends - low, high - ends))
        finite = np.all(np.isfinite(matrix), axis=1)
        return ends[finite], (matrix[finite] - self.target.moments) / self.target.scale

    def periodic(self) -> str | None:
        """The name of a feature that does not close up on the circle, if there is one."""
        ends = np.array([-np.pi, np.pi])
        with np.errstate(all="ignore"):
            matrix, where, _ = self.table.matrix(Sites(ends, ends * np.inf, ends * np.inf))
        for name, part in where.items():
            if not np.allclose(matrix[0, part], matrix[1, part], rtol=1e-9, atol=1e-9):
                return name
        return None
