"""The constructor of `MaxEnt`, and how support, features, moments, prior and samples become a problem."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ShapeError, refusal
from ..ops.sides import host_result
from .base import DataError, Estimator, Floats, check_finite, check_matrix
from .maxent_features import RESERVED, Features, Moments, Table, of_samples, table_of, vector
from .maxent_integrals import Continuum, Finite
from .maxent_supports import Chart, Interval, Sites

Support = ArrayLike | Interval | str | None
_SPACES = {"line": Interval(-np.inf, np.inf), "half line": Interval(0.0, np.inf)}


class Posed(Estimator):
    """A max-entropy problem before it is solved; its parameters are explained at `MaxEnt`."""

    def __init__(
        self,
        support: Support = None,
        features: Features = None,
        moments: Moments = None,
        *,
        within: ArrayLike | Mapping[str, ArrayLike] = 0.0,
        prior: ArrayLike | Callable[[Any], Any] | None = None,
        log_prior: ArrayLike | Callable[[Any], Any] | None = None,
        max_iter: int = 200,
        tolerance: float = 1e-12,
    ) -> None:
        self.support = support
        self.features = features
        self.moments = moments
        self.within = within
        self.prior = prior
        self.log_prior = log_prior
        self.max_iter = max_iter
        self.tolerance = tolerance

    def _space(self, X: ArrayLike | None) -> Floats | None:
        """Set the support, and return the samples in it, if X are such."""
        support = self.support
        self._interval: Interval | None = None
        self._circle = False
        if support is None:
            if X is None:
                raise refusal(
                    DataError,
                    "fit requires X to be passed, as the support is None",
                    "MaxEnt([1, 2, 3], moments=2.5).fit() needs none.",
                )
            self.support_: Any = self._check_first(X)
            return None
        if isinstance(support, str):
            if support == "circle":
                self._circle, support = True, Interval(-np.pi, np.pi)
            elif support in _SPACES:
                support = _SPACES[support]
            else:
                what = f"no support is called {support!r}; there are line, half line, circle"
                raise refusal(DataError, what, "Interval(a, b) and a list of points are others.")
        if isinstance(support, Interval):
            self._interval, self.support_ = support, "circle" if self._circle else support
            self.n_features_in_ = 1
        else:
            self.support_ = _points(support)
            self.n_features_in_ = 1 if self.support_.ndim == 1 else self.support_.shape[1]
        return None if X is None else self._inside(X)

    def _inside(self, X: ArrayLike) -> Floats:
        """Points in the shape that features take, x (n,) or (n, d)."""
        flat = self._interval is not None or self.support_.ndim == 1
        if flat and np.ndim(X) == 1:
            X = np.asarray(X)[:, None]
        checked = self._check_again(X)
        x = checked[:, 0] if flat else checked
        return (x + np.pi) % (2 * np.pi) - np.pi if self._circle else x

    def _problem(self, samples: Floats | None) -> Finite | Continuum:
        """Features, moments and prior as one of the two kinds of problem."""
        moments = self.moments
        if samples is not None and moments is not None:
            raise refusal(
                DataError, "moments are given, and samples to take them from", "Leave one of them out."
            )
        if samples is not None:
            self._check_samples(samples)
        features = self.features
        if features is None and moments is None and samples is None and self.support is not None:
            features, moments = {}, {}  # nothing is known
        names = tuple(features) if isinstance(features, (list, tuple)) else ()
        central = of_samples(names, samples) if samples is not None and samples.ndim == 1 else {}
        table = self._table = table_of(features, central or moments)
        spread = None
        if self._interval is None:
            x = self.support_
            matrix, where, shapes = self._matrix(table, x)
            if samples is not None:
                moments = np.mean(self._matrix(table, samples)[0], axis=0)
            elif moments is None and self.support is None:
                moments = np.mean(matrix, axis=0)
        else:
            at = np.array([0.5]) if samples is None else samples
            matrix, where, shapes = self._matrix(table, at)
            if moments is None and samples is not None:
                check_finite(matrix, "the features of the samples")
                moments, spread = np.mean(matrix, axis=0), np.std(matrix, axis=0)
            elif table.exact and "variance" in where:
                # x is measured in the standard deviation that is asked for, not in the mean's size
                spread = np.where([name == "mean" for name in where], np.sqrt(table.spread), np.inf)
        self._where, self._shapes = where, shapes
        if moments is None:
            raise refusal(DataError, "no moments are given, and no samples to take them from")
        target = vector(moments, "moments", where, shapes, None)
        within = vector(self.within, "within", where, shapes, 0.0)
        if np.any(within < 0):
            raise refusal(DataError, f"within should be ≥ 0, got {np.min(within):g}")
        if self._interval is None:
            check_finite(matrix, "the features of the support")
            return Finite(matrix, self._weights(), target, within)
        chart = Chart(self._interval.low, self._interval.high, self._circle)
        name = "the circle" if self._circle else str(self._interval)
        problem = Continuum(chart, table, self._log_prior, target, within, spread, name)
        open_ended = problem.periodic() if self._circle else None
        if open_ended is not None:
            what = f"feature {open_ended!r} differs at −π and π, which are one point of the circle"
            raise refusal(DataError, what, "Use cos kx and sin kx, or Interval(-np.pi, np.pi).")
        return problem

    def _matrix(self, table: Table, x: Floats) -> tuple[Floats, dict[str, slice], dict[str, tuple[int, ...]]]:
        low, high = (self._interval.low, self._interval.high) if self._interval else (-np.inf, np.inf)
        if self._interval is None and x.ndim == 1 and x.size:
            low = 0.0 if np.all(x >= 0) else low  # "log" of points is log x
        with np.errstate(all="ignore"):
            matrix, where, shapes = table.matrix(Sites(x, x - low, high - x))
        if RESERVED in where:
            raise refusal(DataError, f"the name {RESERVED!r} is that of Σp = 1; call the feature otherwise")
        return matrix, where, shapes

    def _check_samples(self, samples: Floats) -> None:
        if self._interval is not None and not self._circle:
            outside = (samples < self._interval.low) | (samples > self._interval.high)
            if np.any(outside):
                k = int(np.argmax(outside))
                raise refusal(DataError, f"X[{k}] = {samples[k]:g} is outside {self._interval}")

    def _given_prior(self) -> Any:
        """The prior or its logarithm, whichever there is; None for neither."""
        if self.prior is not None and self.log_prior is not None:
            raise refusal(DataError, "prior and log_prior are both given", "Leave one of them out.")
        return self.log_prior if self.prior is None else self.prior

    def _weights(self) -> Floats:
        """log q at the points of a finite support, (n,)."""
        n, given = len(self.support_), self._given_prior()
        if given is None:
            return np.zeros(n)
        weights = host_result(given(self.support_) if callable(given) else given, "the prior", np.float64)
        if weights.shape != (n,):
            raise refusal(
                ShapeError, f"the prior should be ({n},), one weight per point, got {weights.shape}"
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            log = weights if self.prior is None else np.log(weights)
        if np.any(np.isnan(log)) or not -np.inf < np.max(log) < np.inf:
            raise refusal(DataError, "the prior should be finite and ≥ 0, and > 0 somewhere")
        return log

    def _log_prior(self, x: Floats) -> Floats:
        """log q at x (n,) of a continuous support."""
        given = self._given_prior()
        if given is None:
            return np.zeros(x.shape)
        if not callable(given):
            raise refusal(DataError, "the prior on a continuous support should be a function of x")
        value = host_result(given(x), "the prior", np.float64)
        return value if self.prior is None else np.log(value)


def _points(support: Any) -> Floats:
    """A finite support as (n,) or (n, d), as given."""
    array = np.asarray(support)
    if array.ndim == 1:
        return check_matrix(array[:, None], "MaxEnt")[:, 0]
    return check_matrix(array, "MaxEnt")
