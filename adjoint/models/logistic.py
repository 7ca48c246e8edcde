"""Logistic regression, binary and multinomial, and the maximum-entropy problem whose dual it is.

scikit-learn's problem, divided by C (its minimizer is the same),

    min over W, b   F = Σᵢ sᵢ ℓᵢ + ‖W‖²/(2C),    ℓᵢ = log Σₖ exp(z_ik) − z_i,yᵢ,    z = XWᵀ + b

is minus the Lagrange dual of: among all conditional probabilities p_ik, the least negative entropy

    min over p, ξ   Σᵢ sᵢ Σₖ p_ik log p_ik + (C/2) ‖ξ‖²
    s.t.  features       Σᵢ sᵢ (p_ik − [yᵢ = k]) xᵢ + ξₖ = 0     ν = −W   (ξ = W/C; without penalty ξ = 0)
          intercept      Σᵢ sᵢ (p_ik − [yᵢ = k]) = 0             ν = −b
          normalization  Σₖ p_ik = 1                             ν = sᵢ (log Σₖ exp(z_ik) − 1)

So the coefficients are the multipliers of the constraints that the model's feature expectations are those of
the data, with the sign of `adjoint.problems`: natural parameters are −ν. With two classes one vector stands
for both (z = (0, xᵀw + b)), and "features" and "intercept" are the second class's.

Source: A. L. Berger, S. A. Della Pietra and V. J. Della Pietra, "A maximum entropy approach to natural
language processing", Computational Linguistics 22, 1996; M. Dudík et al., "Maximum entropy density estimation
with generalized regularization", JMLR 8, 2007, for the penalty.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..problems import Residuals, Status
from .base import Classifier, Floats, check_labels, check_number, check_weights, class_factors
from .logistic_solver import Likelihood, logsumexp, minimize, separation

FAR = 1e-8  # penalty, relative to the curvature, that picks a point where there is no minimum


class LogisticRegression(Classifier):
    """Class probabilities softmax(XWᵀ + b), fitted by maximum likelihood with a penalty on ‖W‖².

    Minimizes C Σ s ℓ + ½‖W‖² by Newton's method; one vector of coefficients for two classes, otherwise one
    for each class with Σₖ wₖ = 0 and Σₖ bₖ = 0 (multinomial).

    Args:
        C: inverse penalty > 0, in units of the loss; np.inf is maximum likelihood.
        fit_intercept: whether there is a b, which is not penalized.
        class_weight: class → factor of its samples' weights; "balanced": Σ s / (K Σ s of that class).
        tol: the gradient's size, relative to that at W = 0, at which to stop (after a polish).
        max_iter: Newton steps at most.

    Attributes:
        classes_: labels (K,), sorted; of samples of positive weight.
        coef_: W (1, p) for two classes, else (K, p).
        intercept_: b (1,) or (K,).
        objective_: Σ s ℓ + ‖W‖²/(2C).
        multipliers_: {"features": −W, "intercept": −b, "normalization": (n,)} of the maximum-entropy problem
            above (n counts samples of positive weight); `sensitivity("features")` = W is what its value gains
            when the data's moments Σ s x move.
        residuals_: that problem's four residuals; moments relative to Σ s|x|.
        duality_gap_: its value minus the dual's, −F; it certifies both.
        status_: `Status.SOLVED`; `Status.UNBOUNDED` without a penalty on classes that can be separated: F has
            no minimum, and W is a point far out, where F is about its infimum; `Status.STEPS` when max_iter
            was too small.
        certificate_: None; if unbounded, the direction (1 or K, p + 1) along which F falls for ever.
        n_iter_: Newton steps.
        n_features_in_: p.

    Raises:
        DataError: fewer than two classes, C not positive, NaN in the data.

    >>> from adjoint.models import LogisticRegression
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"]
    >>> model = LogisticRegression().fit(X, y)
    >>> model.predict([[0.5], [2.5]]).tolist(), model.predict_proba([[1.5]]).round(12).tolist()
    (['no', 'yes'], [[0.5, 0.5]])
    >>> bool(model.multipliers_["features"] == -model.coef_), model.residuals_.hold()
    (True, True)
    """

    coef_: Floats
    intercept_: Floats
    classes_: NDArray[Any]

    def __init__(
        self,
        C: float = 1.0,
        *,
        fit_intercept: bool = True,
        class_weight: dict[Any, float] | str | None = None,
        tol: float = 1e-10,
        max_iter: int = 200,
    ) -> None:
        self.C = C
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> LogisticRegression:
        """Solve the problem.

        Args:
            X: (n, p).
            y: (n,) labels of any kind that can be sorted.
            sample_weight: s (n,), ≥ 0; ones if omitted. A weight of 0 removes the sample.
        """
        checked = self._check_first(X)
        weight = check_weights(sample_weight, len(checked))
        ridge = 1.0 / check_number(self.C, "C", strict=True)
        tol, steps = (
            check_number(self.tol, "tol", strict=True),
            check_number(self.max_iter, "max_iter", low=1),
        )
        model = type(self).__name__
        labels, codes = check_labels(y, len(checked), model)
        if not np.all(weight > 0):
            keep = weight > 0
            checked, weight = checked[keep], weight[keep]
            labels, codes = check_labels(labels[codes[keep]], len(checked), model)
        counts = np.bincount(codes, weight, len(labels))
        weight = weight * class_factors(self.class_weight, labels, counts)[codes]
        p = checked.shape[1]
        design = np.hstack([checked, np.ones((len(checked), 1))]) if self.fit_intercept else checked
        loss = Likelihood(design, codes, weight, len(labels), ridge, p)
        self.classes_ = labels
        self.certificate_ = separation(loss) if ridge == 0.0 else None
        if self.certificate_ is not None:
            loss.ridge = FAR * (weight @ design**2)
        theta, self.n_iter_, done = minimize(loss, tol, int(steps))
        self.n_iter_ = max(self.n_iter_, 1)
        self.status_ = Status.SOLVED if done else Status.STEPS
        if self.certificate_ is not None:
            self.status_ = Status.UNBOUNDED
            loss.ridge = np.zeros(design.shape[1])
        self.coef_ = theta[:, :p].copy()
        self.intercept_ = theta[:, p].copy() if self.fit_intercept else np.zeros(len(theta))
        self._certify(loss, theta)
        return self

    def _certify(self, loss: Likelihood, theta: Floats) -> None:
        """Multipliers, residuals and duality gap of the maximum-entropy problem."""
        z, weight = loss.scores(theta), loss.weight
        top = logsumexp(z)
        log_p = z - top[:, None]
        every = np.exp(log_p)
        p = every[:, 1:] if loss.classes == 2 else every
        self.objective_ = loss.evaluate(theta)[0]
        normalization = weight * (top - 1)
        self.multipliers_ = {
            "features": -self.coef_, "intercept": -self.intercept_, "normalization": normalization,
        }  # fmt: skip
        negative_entropy = weight[:, None] * (log_p + 1)
        lagrangian = negative_entropy - weight[:, None] * z + normalization[:, None]
        size = np.maximum(weight @ np.abs(loss.X), 1.0)
        gradient = loss.gradient(theta, p)
        moments = gradient / size
        h = np.concatenate([moments.ravel(), np.sum(every, axis=1) - 1])
        self.residuals_ = Residuals.of(negative_entropy, lagrangian, h, [], [])
        # (C/2)‖ξ‖² with the ξ that makes "features" hold: W/C at the minimum
        on = loss.ridge > 0
        missed = (loss.ridge * theta - gradient)[:, on]
        slack = 0.5 * float(np.sum(missed**2 / loss.ridge[on]))
        primal = float(np.sum(weight[:, None] * every * log_p)) + slack
        self.duality_gap_ = primal + self.objective_

    def decision_function(self, X: ArrayLike) -> Floats:
        """xᵀw + b (n,) for two classes, positive for the second; (n, K) for more."""
        z: Floats = self._check_again(X) @ self.coef_.T + self.intercept_
        return z[:, 0] if len(self.classes_) == 2 else z

    def predict_log_proba(self, X: ArrayLike) -> Floats:
        """Logarithms of the class probabilities (n, K)."""
        z = self.decision_function(X)
        if z.ndim == 1:
            z = np.stack([np.zeros_like(z), z], axis=1)
        return z - logsumexp(z)[:, None]

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Class probabilities (n, K), columns as `classes_`."""
        return np.exp(self.predict_log_proba(X))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The most probable labels (n,)."""
        z = self.decision_function(X)
        best = (z > 0).astype(int) if z.ndim == 1 else np.argmax(z, axis=1)
        labels: NDArray[Any] = self.classes_[best]
        return labels
