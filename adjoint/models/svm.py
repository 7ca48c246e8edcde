"""Support vector machines by their dual: support vectors are the points whose constraints have multipliers.

    minimise ½‖w‖² + Σ C_i ξ_i   subject to   1 − ξ_i − y_i (wᵀφ(x_i) + b) ≤ 0,   −ξ_i ≤ 0

    dual:  maximise Σμ − ½ μᵀ(yyᵀ∘K)μ   subject to   0 ≤ μ ≤ C,   yᵀμ = 0,        K_ij = φ(x_i)ᵀφ(x_j)

with w = Σ μ_i y_i φ(x_i). A point beyond its margin has μ = 0, one on it 0 < μ < C, one short of it μ = C;
b is the multiplier of yᵀμ = 0. One class (ν-formulation):

    minimise ½‖w‖² + Σ s_i ξ_i − ν ρ Σs   subject to   ρ − ξ_i − wᵀφ(x_i) ≤ 0,   −ξ_i ≤ 0

    dual:  minimise ½ μᵀKμ   subject to   0 ≤ μ ≤ s,   Σμ = ν Σs, whose multiplier is −ρ

Sign convention: see `adjoint.problems`; df*/d(margin_i) = −μ_i.

The kernel matrix of all points (n, n) is held while fitting: 0.8 GB at 10,000 points.

Source: C. Cortes and V. Vapnik, "Support-vector networks", Machine Learning 20, 1995; B. Schölkopf et al.,
"Estimating the support of a high-dimensional distribution", Neural Computation 13, 2001.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import refusal, warn
from ..problems import Residuals
from .base import (
    Classifier,
    DataError,
    Estimator,
    Floats,
    check_labels,
    check_number,
    check_weights,
    class_factors,
)
from .svm_kernels import Kernel, KernelFunction, definiteness, fit_kernel
from .svm_machine import FitStatus, FitWarning, Machine, judge, machine


class _Machines(Estimator):
    """What both models share: the kernel, the support vectors, the verdict."""

    kernel: str | KernelFunction
    _kernel: Kernel
    status_: FitStatus
    message_: str
    residuals_: Residuals
    support_: NDArray[np.intp]
    support_vectors_: Floats
    dual_coef_: Floats
    intercept_: Floats

    def _set_kernel(self, X: Floats, weight: Floats) -> Floats:
        p: Any = self
        self._kernel = fit_kernel(p.kernel, p.gamma, p.degree, p.coef0, X, weight)
        return self._kernel.gram(X)

    def _judge(self, K: Floats, machines: list[Machine]) -> None:
        ends = None if self._kernel.certain else definiteness(K)
        self.status_, self.message_, self.residuals_ = judge(machines, ends)
        if self.status_ is not FitStatus.SOLVED:
            warn(f"{type(self).__name__}: {self.message_}", FitWarning)

    def _set_linear(self, coefficients: Floats) -> None:
        """w (machines, p) where the kernel is linear; no attribute of an earlier fit elsewhere."""
        if self.kernel == "linear":
            self.coef_ = coefficients @ self.support_vectors_
        elif hasattr(self, "coef_"):
            del self.coef_

    def _sums(self, X: ArrayLike, coefficients: Floats) -> Floats:
        """Σ over support vectors k(x, ·) · coefficients (n_SV, m), for each row of X: (n, m)."""
        checked = self._check_again(X)
        if len(self.support_) == 0:
            return np.zeros((len(checked), coefficients.shape[1]))
        return np.asarray(self._kernel(checked, self.support_vectors_) @ coefficients)


class SVC(_Machines, Classifier):
    """A support vector classifier: largest margin, one machine for each pair of classes.

    Args:
        C: what an error costs, > 0; times `sample_weight` and `class_weight`.
        kernel: "linear" xᵀz, "rbf" exp(−γ‖x − z‖²), "poly" (γ xᵀz + coef0)^degree, or a function of X (n, p)
            and Z (m, p) that returns the matrix (n, m).
        degree: of "poly".
        gamma: γ > 0, "scale" for 1/(p · variance of all entries of X), "auto" for 1/p.
        coef0: of "poly".
        tol: for y f − 1 at the points that determine it; no smaller than rounding errors allow.
        class_weight: class → factor of C; "balanced" for n/(k n_class); None for ones.
        decision_function_shape: for more than two classes, "ovr": votes of the machines (n, k); "ovo": their
            values (n, k(k−1)/2).
        break_ties: settle a tie of votes by confidence rather than for the first class.

    Attributes:
        classes_: (k,), sorted. With two, positive values stand for the second; in a pair, for the first.
        support_: (n_SV,), rows of X with a multiplier, class by class; `support_vectors_` those rows.
        n_support_: (k,), how many there are of each class.
        dual_coef_: (k−1, n_SV), y μ, in scikit-learn's layout; `coef_` (machines, p) with the linear kernel.
        intercept_: (machines,), b.
        multipliers_: {"margin": μ, "slack": C − μ, "balance": b}: (n,), (n,) and a number with two classes,
            else (machines, n) with zeros at points that a machine does not see, and (machines,). The first
            two belong to the constraints of the primal problem, the last to yᵀμ = 0 in the dual.
        residuals_: the four KKT residuals of the primal problem, relative to max(1, C); the worst machine's.
        objective_: f* = ½‖w‖² + Σ C ξ, a number or (machines,).
        duality_gap_: by how much that might be too large, a number or (machines,).
        status_, message_: the verdict, and its text.
        n_features_in_: p.

    Raises:
        DataError: one class only, NaN, parameters out of range, a kernel that is not symmetric.

    A kernel that is not positive semidefinite gives a stationary point, and a verdict and a `FitWarning` that
    say so.

    >>> from adjoint.models import SVC
    >>> X, y = np.array([[-2.0], [-1.0], [1.0], [3.0]]), np.array([0, 0, 1, 1])
    >>> model = SVC(C=10.0, kernel="linear").fit(X, y)
    >>> model.multipliers_["margin"]
    array([0. , 0.5, 0.5, 0. ])
    >>> float(model.coef_[0, 0]), float(model.intercept_[0])
    (1.0, 0.0)
    """

    def __init__(
        self,
        *,
        C: float = 1.0,
        kernel: str | KernelFunction = "rbf",
        degree: float = 3,
        gamma: float | Literal["scale", "auto"] = "scale",
        coef0: float = 0.0,
        tol: float = 1e-10,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        decision_function_shape: Literal["ovr", "ovo"] = "ovr",
        break_ties: bool = False,
    ) -> None:
        self.C = C
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.tol = tol
        self.class_weight = class_weight
        self.decision_function_shape = decision_function_shape
        self.break_ties = break_ties

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> SVC:
        """Solve the dual problem of each pair of classes.

        Args:
            X: (n, p).
            y: (n,) labels.
            sample_weight: (n,), ≥ 0, factors of C; a whole number acts like that many copies of a row.
        """
        checked = self._check_first(X)
        self.classes_, codes = check_labels(y, len(checked), "SVC")
        weight = check_weights(sample_weight, len(checked))
        cost = self._costs(codes, weight)
        tolerance = check_number(self.tol, "tol", strict=True)
        if self.decision_function_shape not in ("ovr", "ovo"):
            what = f"decision_function_shape should be 'ovr' or 'ovo', got {self.decision_function_shape!r}"
            raise refusal(DataError, what)
        K = self._set_kernel(checked, weight)
        members = [np.flatnonzero(codes == k) for k in range(len(self.classes_))]
        machines, seen = [], []
        for first, second in self._pairs():
            at = np.concatenate([members[first], members[second]])
            sign = np.where(codes[at] == first, 1.0, -1.0)
            if len(members) == 2:  # as in scikit-learn: the second class is the positive one
                at, sign = np.arange(len(codes)), np.where(codes == 1, 1.0, -1.0)
            block = K if len(members) == 2 else K[np.ix_(at, at)]
            machines.append(machine(block, sign, 1.0, cost[at], 0.0, tolerance))
            seen.append((at, sign))
        self._judge(K, machines)
        self._set(checked, codes, machines, seen)
        return self

    def _pairs(self) -> list[tuple[int, int]]:
        k = len(self.classes_)
        return [(i, j) for i in range(k) for j in range(i + 1, k)]

    def _costs(self, codes: NDArray[np.intp], weight: Floats) -> Floats:
        """C times the weights of samples and classes, (n,)."""
        if check_number(self.C, "C", strict=True) == np.inf:
            raise refusal(
                DataError, "C should be finite", "A large one gives the hard margin, if there is one."
            )
        counts = np.bincount(codes, weights=weight, minlength=len(self.classes_))
        if np.min(counts) == 0:
            what = f"class {self.classes_[np.argmin(counts)]!r} has no sample of positive weight"
            raise refusal(DataError, what, "Leave its rows out.")
        factors = class_factors(self.class_weight, self.classes_, counts)
        return float(self.C) * weight * factors[codes]

    def _set(
        self,
        X: Floats,
        codes: NDArray[np.intp],
        machines: list[Machine],
        seen: list[tuple[NDArray[np.intp], Floats]],
    ) -> None:
        k, n, count = len(self.classes_), len(X), len(machines)
        mu, slack, beta = np.zeros((count, n)), np.zeros((count, n)), np.zeros((count, n))
        for row, (m, (at, sign)) in enumerate(zip(machines, seen, strict=True)):
            mu[row, at], slack[row, at], beta[row, at] = m.mu, m.slack, sign * m.mu
        used = np.flatnonzero(np.any(mu > 0, axis=0))
        self.support_ = used[np.argsort(codes[used], kind="stable")]
        kinds = codes[self.support_]
        self.support_vectors_ = X[self.support_]
        self.n_support_ = np.bincount(kinds, minlength=k)
        self._coefficients = beta[:, self.support_].T.copy()
        self.intercept_ = np.array([m.nu for m in machines])
        self.dual_coef_ = self._coefficients.T.copy()
        if k > 2:
            self.dual_coef_ = np.zeros((k - 1, len(kinds)))
            for row, (i, j) in enumerate(self._pairs()):
                self.dual_coef_[j - 1, kinds == i] = self._coefficients[kinds == i, row]
                self.dual_coef_[i, kinds == j] = self._coefficients[kinds == j, row]
        self._set_linear(self._coefficients.T)
        two = k == 2
        self.multipliers_ = {
            "margin": mu[0] if two else mu,
            "slack": slack[0] if two else slack,
            "balance": float(self.intercept_[0]) if two else self.intercept_.copy(),
        }
        objective, gap = np.array([m.objective for m in machines]), np.array([m.gap for m in machines])
        self.objective_ = float(objective[0]) if two else objective
        self.duality_gap_ = float(gap[0]) if two else gap

    def _values(self, X: ArrayLike) -> Floats:
        self._check_fitted()
        return self._sums(X, self._coefficients) + self.intercept_

    def decision_function(self, X: ArrayLike) -> Floats:
        """wᵀφ(x) + b for rows of X (n, p): (n,) with two classes, else votes (n, k) or values (n, machines).

        Votes count pairs that a class wins, plus less than a half for its confidence, as in scikit-learn.
        """
        values = self._values(X)
        if len(self.classes_) == 2:
            return values[:, 0]
        return values if self.decision_function_shape == "ovo" else self._votes(values, confidence=True)

    def _votes(self, values: Floats, *, confidence: bool) -> Floats:
        votes, sure = np.zeros((len(values), len(self.classes_))), np.zeros((len(values), len(self.classes_)))
        for row, (i, j) in enumerate(self._pairs()):
            value = values[:, row]
            votes[:, i] += value > 0
            votes[:, j] += value <= 0
            sure[:, i] += value
            sure[:, j] -= value
        return votes + sure / (3 * (np.abs(sure) + 1)) if confidence else votes

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The class (n,) with most votes of the pairs, for rows of X (n, p)."""
        values = self._values(X)
        if len(self.classes_) == 2:
            return np.asarray(self.classes_[(values[:, 0] > 0).astype(int)])
        votes = self._votes(values, confidence=bool(self.break_ties))
        return np.asarray(self.classes_[np.argmax(votes, axis=1)])


class OneClassSVM(_Machines):
    """The support of a distribution: a half space of features that holds all but a share ν of the points.

    Args:
        kernel, degree, gamma, coef0: as in `SVC`.
        tol: for f − ρ at the points that determine it; no smaller than rounding errors allow.
        nu: ν in (0, 1]: at most this share of the points lies outside, at least this share has multipliers.

    Attributes:
        support_: (n_SV,), rows of X with a multiplier; `support_vectors_` those rows.
        n_support_: (1,), how many there are.
        dual_coef_: (1, n_SV), μ; `coef_` (1, p) with the linear kernel.
        offset_: ρ; `intercept_` (1,) = −ρ.
        multipliers_: {"margin": μ (n,), "slack": s − μ (n,), "balance": −ρ}. The first two belong to the
            constraints of the primal problem, the last to Σμ = ν Σs in the dual.
        residuals_, objective_, duality_gap_, status_, message_, n_features_in_: as in `SVC`.

    >>> from adjoint.models import OneClassSVM
    >>> model = OneClassSVM(kernel="linear", nu=0.5).fit(np.array([[1.0], [2.0], [3.0], [4.0]]))
    >>> model.multipliers_["margin"], round(model.offset_, 12)
    (array([1., 1., 0., 0.]), 7.5)
    """

    _kind: ClassVar[str | None] = "outlier_detector"

    def __init__(
        self,
        *,
        kernel: str | KernelFunction = "rbf",
        degree: float = 3,
        gamma: float | Literal["scale", "auto"] = "scale",
        coef0: float = 0.0,
        tol: float = 1e-10,
        nu: float = 0.5,
    ) -> None:
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.tol = tol
        self.nu = nu

    def fit(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> OneClassSVM:
        """Solve the dual problem.

        Args:
            X: (n, p).
            y: not used; there because scikit-learn passes it.
            sample_weight: s (n,), ≥ 0; ones if omitted.
        """
        checked = self._check_first(X)
        weight = check_weights(sample_weight, len(checked))
        share = check_number(self.nu, "nu", high=1.0, strict=True)
        tolerance = check_number(self.tol, "tol", strict=True)
        K = self._set_kernel(checked, weight)
        total = share * float(np.sum(weight))
        found = machine(K, np.ones(len(K)), 0.0, weight, total, tolerance)
        self._judge(K, [found])
        self.support_ = np.flatnonzero(found.mu > 0)
        self.support_vectors_ = checked[self.support_]
        self.n_support_ = np.array([len(self.support_)])
        self.dual_coef_ = found.mu[self.support_][None, :]
        self.offset_, self.intercept_ = -found.nu, np.array([found.nu])
        self._set_linear(self.dual_coef_)
        self.multipliers_ = {"margin": found.mu, "slack": found.slack, "balance": found.nu}
        self.objective_, self.duality_gap_ = found.objective, found.gap
        return self

    def score_samples(self, X: ArrayLike) -> Floats:
        """wᵀφ(x) (n,) for rows of X (n, p); exactly ρ within `tol` of it.

        Points that determine ρ lie on the boundary: which side would be a matter of rounding errors.
        """
        self._check_fitted()
        value = self._sums(X, self.dual_coef_.T)[:, 0]
        value[np.abs(value - self.offset_) <= self.tol * max(1.0, abs(self.offset_))] = self.offset_
        return value

    def decision_function(self, X: ArrayLike) -> Floats:
        """wᵀφ(x) − ρ (n,) for rows of X (n, p): negative outside, 0 on the boundary to within `tol`."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> NDArray[np.intp]:
        """1 for rows inside, −1 for rows outside, (n,)."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def fit_predict(
        self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None
    ) -> NDArray[np.intp]:
        """`fit(X).predict(X)`."""
        return self.fit(X, sample_weight=sample_weight).predict(X)
