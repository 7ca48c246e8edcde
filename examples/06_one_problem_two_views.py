"""Ridge regression is one problem with two views: a penalty, or a budget whose multiplier is the penalty.

    min ‖y − Xw‖² + α‖w‖²          min ‖y − Xw‖²  s.t. ‖w‖² ≤ c,   L = f + μ(‖w‖² − c)

α = μ, so that a penalty is a price: df*/dc = −μ. The same holds for ‖w‖₁ (lasso), where the path in between
is a polygon. Here: ten correlated features, the views against each other, the price against solving again.

Source: A. E. Hoerl and R. W. Kennard, "Ridge regression", Technometrics 12, 1970.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import adjoint as ad
from adjoint.models import Lasso, Ridge, lasso_path, ridge_path

rng = np.random.default_rng(0)
n, p = 442, 10
X = rng.normal(size=(n, p)) @ (np.eye(p) + 0.4)
y = X @ np.array([3.0, -2, 0, 0, 1.5, 0, 0, -1, 0, 0]) + rng.normal(size=n) * 4 + 10

# one problem: fit by a penalty, hand what it spent to the other view as a budget, get the penalty back
print(" penalty α     budget ‖w‖²   multiplier of that budget")
gap = 0.0
for alpha in (0.1, 10.0, 1000.0):
    penalized = Ridge(alpha).fit(X, y)
    budgeted = Ridge(budget=penalized.budget_).fit(X, y)
    mu = budgeted.multipliers_["norm"]
    gap = max(gap, abs(mu / alpha - 1), np.max(np.abs(budgeted.coef_ - penalized.coef_)))
    print(f"{alpha:10.1f}  {penalized.budget_:14.6f}   {mu:.12f}")

# the multiplier is a price: what a little more budget takes off the sum of squares
c, h = 6.0, 1e-4
model, less, more = (Ridge(budget=b).fit(X, y) for b in (c, c - h, c + h))
bought = (more.objective_ - less.objective_) / (2 * h)
print(f"\nbudget {c}: df*/dc = {model.sensitivity('norm'):.6f}, measured {bought:.6f}; {model.residuals_}")
slack = Ridge(budget=1e3).fit(X, y)
print(f"budget 1000 is more than least squares spends ({np.sum(slack.coef_**2):.3f}): μ = {slack.alpha_}")


# and the library's gradient of the Lagrangian, written as plain NumPy, vanishes
def lagrangian(w, b):
    return np.sum((y - X @ w - b) ** 2) + model.alpha_ * (np.sum(w**2) - c)


gradients = ad.grad(lagrangian, (0, 1))(model.coef_, model.intercept_)
still = max(float(np.max(np.abs(g))) for g in gradients) / np.sum(y**2)
corner = Lasso(budget=5.0).fit(X, y)
print(f"lasso, ‖w‖₁ ≤ 5: μ = {corner.alpha_:.6f}, duality gap {corner.duality_gap_:.0e}")
print(f"       w = {corner.coef_.round(2)}")

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    ridge, lasso = ridge_path(X, y, np.logspace(-1, 5, 200)), lasso_path(X, y)
    left.plot(ridge.budgets, ridge.coefs)
    left.set(title="ridge: w along the budget", xlabel="‖w‖²")
    right.plot(lasso.budgets, lasso.coefs, marker=".")
    right.set(title="lasso: a polygon with exact corners", xlabel="‖w‖₁")
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "two_views.png", dpi=120)
    print("picture:", folder / "two_views.png")

price = abs(model.sensitivity("norm") / bought - 1)
ok = gap < 1e-9 and price < 1e-6 and still < 1e-12 and slack.alpha_ == 0.0
print(f"check: views agree to {gap:.1e}, price to {price:.1e}, |∇L| {still:.1e}  {'ok' if ok else 'FAILED'}")
