"""Maximum entropy: the distribution that knows given moments and nothing else.

    minimise  ∫ p log(p/q)   subject to   ∫p = 1,   E_p f = μ̂   (or |E_p f − μ̂| ≤ ε)

    p = q·exp(λ·f) / Z,   λ = −ν;   without a prior q = 1 and the objective is −H(p), so that dH*/dμ̂ = −λ

Sign convention: see `adjoint.problems`. Bounds are two inequalities with multipliers ≥ 0
each: λ = μ_lower − μ_upper.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError, ShapeError, refusal
from ..ops.sides import host_result
from ..problems import Residuals
from .base import DataError, Floats, check_number
from .maxent_dual import Outcome, State, log_sum, minimise
from .maxent_existence import RESOLUTION, Separation, Verdict
from .maxent_features import RESERVED
from .maxent_given import Posed
from .maxent_integrals import Continuum, Finite
from .maxent_supports import Values, quadrature


class MaxEnt(Posed):
    """The density or probabilities of largest entropy with given moments, or closest to a prior.

    Whether there is one is part of the answer: `status_` is a `Verdict`; those that say no come
    with a certificate.

    Args:
        support: points (n,) or (n, d) of a finite set; an `Interval`, "line", "half line" or "circle"
            (angles in [−π, π]); None for the rows of the X that is fitted.
        features: a plain NumPy function of all points at once, x (n,) or (n, d) → (n,) or (n, k); a
            dict of such functions by name; names from "mean", "variance", "skewness", "kurtosis" (about the
            mean, in standard deviations), "log", "log1m" (of the distances to the ends), "abs", "cos", "sin";
            None for those that name the moments, and for x itself where the moments have no names.
        moments: μ̂, one number per feature, (k,) or by name; None for the means over the samples
            that are fitted.
        within: ε ≥ 0, by how much each moment may be missed: a number, (k,), or by name.
        prior: q on a finite support as weights (n,), else a function x → q(x); it need not be normalised.
        log_prior: log q instead, where q underflows.
        max_iter: Newton's steps at most, in each search (faces of the domain have their own).
        tolerance: on the Newton decrement: the misfit of the moments in standard deviations.

    Attributes:
        status_, message_: the verdict, and its text with the figures.
        multipliers_: name → ν; `name_upper` and `name_lower` → μ ≥ 0 where ε > 0; "total" → that of Σp = 1.
        natural_parameters_: name → λ = −ν, or μ_lower − μ_upper.
        moments_: name → E f.
        residuals_: the four KKT residuals; moments in units of max(1, |μ̂|, their standard deviation).
        log_partition_: log Z.
        entropy_: −∫ p log p, in nats.
        divergence_: ∫ p log(p/q), in nats; −entropy_ without a prior.
        probabilities_: (n,), finite supports only.
        bound_: the supremum of the entropy, or of −KL(p‖q), where no density attains it.
        certificate_: name → u, for a verdict other than SOLVED: a direction that separates, or the part
            of the moments that no density supplies; None otherwise.
        face_: (n,) for BOUNDARY on a finite set: where mass can be; None otherwise.
        n_iter_: Newton's steps of the search that decided.

    Source: E. T. Jaynes, "Information theory and statistical mechanics", 1957;
    M. Dudík, S. Phillips and R. Schapire, "Maximum entropy density estimation", 2007, for bounded moments.

    >>> die = MaxEnt(np.arange(1, 7), moments=4.5).fit()
    >>> die.probabilities_.round(5)
    array([0.05435, 0.07877, 0.11416, 0.16545, 0.23977, 0.34749])
    >>> round(float(die.multipliers_["mean"]), 6)
    -0.371049
    """

    # ------------------------------------------------------------------------------------------------- fit
    def fit(self, X: ArrayLike | None = None, y: None = None) -> MaxEnt:
        """Find the density, or say why there is none.

        Args:
            X: (n, d) or, on a one-dimensional support, (n,): samples whose feature means become the
                moments; the support itself where that is None. Not needed where support and moments are
                given.
            y: ignored.

        Raises:
            DataError: moments given twice or not at all, NaN, unknown names, samples outside the support.
            ShapeError: features, moments or a prior of the wrong shape.
        """
        max_iter = int(check_number(self.max_iter, "max_iter", low=1))
        tolerance = check_number(self.tolerance, "tolerance", strict=True)
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)  # what an earlier fit found; this one may find less
        samples = self._space(X)
        problem = self._problem(samples)
        self.certificate_: dict[str, Any] | None = None
        self.face_: np.ndarray | None = None
        slack = problem.target.slack / problem.target.scale
        at_once = problem.evaluate(np.zeros(problem.k))
        settled = np.isfinite(at_once.value) and bool(np.all(np.abs(at_once.mean) <= 1e-15))
        found = None if settled else problem.separate()
        if found is not None:
            self._separated(problem, *found)
            return self
        outcome = minimise(problem, slack, max_iter, tolerance)
        self.n_iter_ = outcome.steps
        self._conclude(problem, outcome)
        return self

    # --------------------------------------------------------------------------------------------- verdicts
    def _separated(self, problem: Finite | Continuum, found: Separation, face: np.ndarray) -> None:
        """INFEASIBLE or BOUNDARY, with the direction u in the features' units."""
        u = found.direction / problem.target.scale
        largest = float(np.max(np.abs(u)))
        self.n_iter_ = 0
        self.certificate_ = self._named(u / largest)
        if isinstance(problem, Continuum) and self.prior is not None and problem.underflows():
            raise self._underflow()
        support = problem.name if isinstance(problem, Continuum) else f"these {len(self.support_)} points"
        if found.margin > RESOLUTION:
            self._say(Verdict.INFEASIBLE, support=support, margin=found.margin / largest)
            return
        if isinstance(problem, Finite):
            self.face_ = face
            where = f"face_: {int(np.sum(face))} of the points"
        else:
            shown = np.unique(np.round(face, 3) + 0.0)
            few = ", ".join(f"{x:g}" for x in shown[:4])
            where = f"near x = {few}" if 0 < len(shown) <= 4 else "a null set"
        self._say(Verdict.BOUNDARY, support=support, face=where)

    def _underflow(self) -> DataError:
        what = "the prior underflows to 0 where the density needs it"
        return refusal(DataError, what, "Give its logarithm as log_prior.")

    def _say(self, status: Verdict, **figures: Any) -> None:
        self.status_, self.message_ = status, status.value.format(**figures)

    def _named(self, values: Floats) -> dict[str, Any]:
        """A vector (k,) by names, in the features' shapes."""
        return {name: values[part].reshape(self._shapes[name])[()] for name, part in self._where.items()}

    def _conclude(self, problem: Finite | Continuum, outcome: Outcome) -> None:
        """Attributes and verdict from where the dual's minimisation ended."""
        target = problem.target
        support = problem.name if isinstance(problem, Continuum) else f"these {len(self.support_)} points"
        figures: dict[str, Any] = {"support": support, "steps": outcome.steps}
        if outcome.state is None:
            self._say(Verdict.UNBOUNDED, **figures)
            return
        if outcome.verdict is Verdict.UNATTAINED and outcome.certificate is not None:
            lacking = outcome.certificate * target.scale
            self.certificate_ = self._named(
                np.where(np.abs(lacking) < 1e-9 * np.max(np.abs(lacking)), 0, lacking)
            )
            slack = target.slack / target.scale
            self.bound_ = outcome.state.value + float(slack @ np.abs(outcome.lam))
            objective = "the entropy" if self.prior is None and self.log_prior is None else "−KL(p‖q)"
            self._say(Verdict.UNATTAINED, bound=self.bound_, objective=objective, **figures)
            return
        lam, state = outcome.lam, outcome.state
        self._set_density(problem, lam, state)
        self.residuals_ = self._residuals(problem, lam)
        if outcome.verdict is Verdict.SOLVED and state.lost > 1e-9:
            self._say(Verdict.UNRESOLVED, lost=state.lost, **figures)
        elif outcome.verdict is Verdict.SOLVED and not self.residuals_.hold():
            self._say(Verdict.STALLED, primal=self.residuals_.worst, **figures)
        else:
            self._say(outcome.verdict, primal=self.residuals_.primal, **figures)

    def _set_density(self, problem: Finite | Continuum, lam: Floats, state: State) -> None:
        target = problem.target
        self._lam, self._value = lam / target.scale, state.value
        self._problem_ = problem
        self.natural_parameters_ = self._named(self._lam)
        self.log_partition_ = state.value + float(self._lam @ target.moments)
        if isinstance(problem, Continuum):
            self._nodes = problem.nodes(lam)
            state = problem.verify(lam, self._nodes)
            t = self._nodes.t
            self._x, log_q = problem.chart.sites(t).x, problem.log_base(t) - problem.chart.log_slope(t)
            state_mass = problem.state(self._nodes).p
            if self.log_prior is None and np.any((log_q < -690) & (state_mass > 1e-15)):
                raise self._underflow()
        else:
            self._x, log_q, state_mass = self.support_, problem.log_prior, state.p
            self.probabilities_ = state.p
        self._p = state_mass
        self._mean = state.mean * target.scale + target.moments
        self._sd = state.spread * target.scale
        self._total = (
            float(np.sum(state.p))
            if isinstance(problem, Finite)
            else float(np.exp(state.value - self._value))
        )
        self.moments_ = self._named(self._mean)
        # ∫ p log (p/q) = λ·(E f − μ̂) − A, with A centered at μ̂: no cancellation of large λ·μ̂
        self.divergence_ = float(self._lam @ (self._mean - target.moments)) - state.value
        seen = state_mass > 0
        self.entropy_ = -self.divergence_ - float(state_mass[seen] @ log_q[seen])
        self.multipliers_ = self._multipliers(target.slack)

    def _multipliers(self, slack: Floats) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, part in self._where.items():
            lam = np.asarray(self._lam[part].reshape(self._shapes[name]))
            if np.any(slack[part] > 0):
                found[f"{name}_upper"] = np.maximum(-lam, 0.0)[()]
                found[f"{name}_lower"] = np.maximum(lam, 0.0)[()]
            else:
                found[name] = (0.0 - lam)[()]
        found[RESERVED] = self.log_partition_ - 1.0
        return found

    def _residuals(self, problem: Finite | Continuum, lam: Floats) -> Residuals:
        """The four residuals, from the public multipliers: not the solver's own numbers."""
        target = problem.target
        nu = 0.0 - self._lam
        unit = np.maximum(np.maximum(1.0, np.abs(target.moments)), self._sd)
        off = self._mean - target.moments
        bounded = target.slack > 0
        g = np.concatenate([(off - target.slack)[bounded], (-off - target.slack)[bounded]])
        units = np.concatenate([unit[bounded], unit[bounded]])
        mu = np.concatenate([np.maximum(nu, 0.0)[bounded], np.maximum(-nu, 0.0)[bounded]])
        h = np.append((off / unit)[~bounded], self._total - 1.0)
        # ∂L/∂p = log p + 1 + log(1/q) + ν_total + ν·f, at the points that carry mass
        if isinstance(problem, Finite):
            seen = self._p > 0
            ratio = np.log(self._p[seen]) - problem.log_prior[seen]
            f = problem.rows[seen] * target.scale + target.moments
        else:
            seen = self._p > 1e-14
            t = self._nodes.t[seen]
            ratio = np.log(self._p[seen]) - self._nodes.log_weight[seen] - problem.log_base(t)
            f = problem.features(t)
        terms = f * nu
        gradient = ratio + 1.0 + self.multipliers_[RESERVED] + np.sum(terms, axis=1)
        # relative to its terms: λ·f of raw powers may be 1e8
        scale = np.max(np.sum(np.abs(terms), axis=1), initial=1.0)
        return Residuals.of(np.array([scale]), gradient, h, g / units, mu * np.minimum(units, 1.0))

    def sensitivity(self, name: str) -> Any:
        """df*/db for the right-hand side b of one constraint: minus its multiplier.

        Raises:
            NotFittedError: before `fit`.
            DomainError: the model has no density; the text is its verdict.
            UnknownNameError: there is no such constraint.
        """
        if not hasattr(self, "multipliers_"):
            self._ready()
        return super().sensitivity(name)

    def __getattr__(self, name: str) -> Any:
        """Why an attribute of the density is missing, where there is no density."""
        verdict = self.__dict__.get("message_") if name.endswith("_") and not name.startswith("_") else None
        what = f"this MaxEnt has no {name}: {verdict}" if verdict else f"MaxEnt has no attribute {name!r}"
        raise AttributeError(what)

    def _ready(self) -> None:
        self._check_fitted("status_")
        if self.status_ is not Verdict.SOLVED:
            raise refusal(DomainError, f"this MaxEnt has no density: {self.message_}")

    # ------------------------------------------------------------------------------------------ the density
    def dual(self, lam: Any) -> Any:
        """A(λ) = log Z(λ) − λ·μ̂, plain NumPy on the fitted nodes.

        `ad.grad` of it is E f − μ̂, and `ad.hessian` the features' covariance.

        Args:
            lam: (k,) natural parameters of all features in order.
        """
        self._ready()
        problem = self._problem_
        if isinstance(problem, Finite):
            keep = problem.possible
            rows, fixed = problem.rows[keep], problem.log_prior[keep]
        else:
            rows, fixed = (
                self._nodes.values.features,
                self._nodes.log_weight + problem.log_base(self._nodes.t),
            )
        exponent = (rows * problem.target.scale) @ lam + fixed
        top = float(
            np.max((rows * problem.target.scale) @ self._lam + fixed)
        )  # constant: its derivative is 0
        return np.log(np.sum(np.exp(exponent - top))) + top

    def score_samples(self, X: ArrayLike) -> Floats:
        """Logarithm of `density` at points: (n,)."""
        self._ready()
        x = self._inside(X)
        if self._interval is None:
            return _lookup(self.support_, self.probabilities_, x)
        problem = self._problem_
        inside = self._circle | ((x >= self._interval.low) & (x <= self._interval.high))
        safe = np.where(inside, x, self._x[0])
        matrix = self._matrix(self._table, safe)[0]
        with np.errstate(all="ignore"):
            log = (matrix - problem.target.moments) @ self._lam + self._log_prior(safe) - self._value
        return np.where(inside & ~np.isnan(log), log, -np.inf)

    def density(self, X: ArrayLike) -> Floats:
        """The probability of each point on a finite set, elsewhere the density per unit of x; 0 outside.

        Args:
            X: (n, d), or (n,) on a one-dimensional support.

        Returns:
            (n,) ≥ 0.

        Raises:
            DomainError: the model has no density; the text is its verdict.
        """
        return np.exp(self.score_samples(X))

    def score(self, X: ArrayLike, y: None = None) -> float:
        """Mean log-density of samples, in nats; −∞ if one is impossible."""
        return float(np.mean(self.score_samples(X)))

    def predict(self, X: Any) -> Any:
        """What the model expects: E g for a function g; for points, their `density`.

        Args:
            X: a function of all points at once, x (n,) or (n, d) → (n,) or (n, m); or points.

        Returns:
            () or (m,); for points (n,).

        Raises:
            DomainError: no density, or g grows so fast that its mean does not exist.

        >>> round(float(MaxEnt("line", moments={"mean": 0, "variance": 1}).fit().predict(lambda x: x**4)), 9)
        3.0
        """
        if not callable(X):
            return self.density(X)
        self._ready()
        g = X
        if isinstance(self._problem_, Finite):
            values = host_result(g(self.support_), "the function", np.float64)
            return np.tensordot(self._p, values, axes=1)[()]
        return self._integral(self._problem_, g)

    def _integral(self, problem: Continuum, g: Callable[[Any], Any]) -> Any:
        """E g on nodes of its own, adapted to the density and to g."""
        scaled = self._lam * problem.target.scale
        plain = problem.integrand(scaled)
        shape: tuple[int, ...] = ()

        def values(t: Floats) -> Values:
            nonlocal shape
            base = plain(t)
            with np.errstate(all="ignore"):
                extra = host_result(g(problem.chart.sites(t).x), "the function", np.float64)
            if len(extra) != len(t) or extra.ndim > 2:
                what = f"the function should give one row per point, ({len(t)}, …), got {extra.shape}"
                raise refusal(ShapeError, what)
            shape = extra.shape[1:]
            # where the density is 0 in float64, an overflow of g has no weight
            extra = np.where((base.log < np.max(base.log) - 700)[:, None], 0, extra.reshape(len(t), -1))
            return Values(base.log, extra, base.size)

        nodes = quadrature(values, problem.cells, values(np.mean(problem.cells, axis=1)))
        if not nodes.t.size or not np.all(np.isfinite(nodes.values.features)):
            raise refusal(DomainError, "the mean of this function does not exist: it outgrows the density")
        _, p = log_sum(nodes.values.log + nodes.log_weight)
        return (p @ nodes.values.features).reshape(shape)[()]

    def sample(self, n_samples: int = 1, random_state: int | np.random.Generator | None = None) -> Floats:
        """Independent draws.

        Args:
            n_samples: how many.
            random_state: a seed or a Generator.

        Returns:
            (n_samples,), or (n_samples, d) on a finite set of (n, d).
        """
        self._ready()
        rng = np.random.default_rng(random_state)
        problem = self._problem_
        if isinstance(problem, Finite):
            return np.asarray(self.support_[rng.choice(len(self._p), n_samples, p=self._p)])
        # the distribution function at the edges of fine cells, linear in t between them
        edges = self._nodes.edges[np.argsort(self._nodes.edges[:, 0])]
        share = np.linspace(0, 1, 65)
        t = (edges[:, :1] + (edges[:, 1:] - edges[:, :1]) * share).ravel()
        middle, width = (t[1:] + t[:-1]) / 2, np.diff(t)
        mass = np.exp(problem.integrand(self._lam * problem.target.scale)(middle).log - self._value) * width
        cumulative = np.concatenate([[0.0], np.cumsum(mass)])
        drawn = np.interp(rng.uniform(0, cumulative[-1], n_samples), cumulative, t)
        return problem.chart.sites(drawn).x


def _lookup(support: Floats, p: Floats, x: Floats) -> Floats:
    """Logarithm of the mass at points (m,) or (m, d); points that are listed twice add up."""
    mass: dict[bytes, float] = {}
    for point, share in zip(np.asarray(support) + 0.0, p, strict=True):  # + 0.0: −0 and 0 are one point
        mass[point.tobytes()] = mass.get(point.tobytes(), 0.0) + float(share)
    found = np.array([mass.get(point.tobytes(), 0.0) for point in np.asarray(x) + 0.0])
    with np.errstate(divide="ignore"):
        return np.log(found)
