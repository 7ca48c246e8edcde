"""Support vectors are the points with multipliers.

    min ½‖w‖² + C Σξ   s.t.   1 − ξ_i − y_i (wᵀφ(x_i) + b) ≤ 0,   −ξ_i ≤ 0,      multipliers μ_i, C − μ_i

Beyond its margin a point has μ = 0 and might as well not be there; on it 0 < μ < C; short of it μ = C.
b is a multiplier too: that of Σ y_i μ_i = 0 in the dual. Here: the same from the primal problem by a solver
that knows nothing of duals; fitting without the points that have none; the price of a margin.

Source: C. Cortes and V. Vapnik, "Support-vector networks", Machine Learning 20, 1995.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import adjoint as ad
from adjoint.models import SVC

rng, n, C = np.random.default_rng(3), 60, 2.0
y = np.repeat([1.0, -1.0], n // 2)
X = rng.normal(size=(n, 2)) + np.outer(y, [1.2, 0.8])
model = SVC(C=C, kernel="linear").fit(X, y)
mu, b = model.multipliers_["margin"], model.multipliers_["balance"]
print(model.message_)
for words, where in (("beyond", mu == 0), ("on", (mu > 0) & (mu < C)), ("short of", mu == C)):
    far = (y * model.decision_function(X))[where]
    print(f"{words:>9} the margin: {np.sum(where)} points, y f {far.min():.4f} to {far.max():.4f}")


# the primal problem, as it is written above
def objective(v):
    return 0.5 * np.sum(v["w"] ** 2) + C * np.sum(v["xi"])


def problem(relaxed):
    start = {"w": np.zeros(2), "b": np.array(0.0), "xi": np.full(n, 2.0)}

    def margin(v):
        return 1 - v["xi"] - y * (X @ v["w"] + v["b"]) - relaxed

    return ad.minimize(objective, start, ineq={"margin": margin, "slack": lambda v: -v["xi"]})


primal = problem(0.0)
same = max(np.max(np.abs(primal.multipliers["margin"] - mu)), abs(primal.x["b"] - b))
print(f"primal problem: {primal.method}; μ and b differ by {same:.1e}")

# without the others
kept = SVC(C=C, kernel="linear").fit(X[mu > 0], y[mu > 0])
alone = float(np.max(np.abs(kept.decision_function(X) - model.decision_function(X))))
print(f"fitted to the {np.sum(mu > 0)} support vectors alone: decision values differ by {alone:.1e}")

# the multiplier is a price: relax one point's margin, solve again
i = int(np.argmax(mu * (mu < C)))
bought = (problem(1e-4 * np.eye(n)[i]).fun - problem(-1e-4 * np.eye(n)[i]).fun) / 2e-4
print(f"point {i}: df*/db = {-mu[i]:.6f}, measured {bought:.6f}")

try:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    grid = np.stack(np.meshgrid(*[np.linspace(-4, 4, 120)] * 2), axis=-1)
    for axis, fitted in zip(axes, (model, SVC(C=C, gamma=0.5).fit(X, y)), strict=True):
        values = fitted.decision_function(grid.reshape(-1, 2)).reshape(120, 120)
        axis.contour(grid[..., 0], grid[..., 1], values, [-1, 0, 1], colors="k", linestyles=["--", "-", "--"])
        axis.scatter(*X.T, s=8 + 60 * fitted.multipliers_["margin"], c=np.where(y > 0, "C0", "C1"), alpha=0.7)
        axis.set_title(f"{fitted.kernel}: points sized by μ")
    picture = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()) / "support_vectors.png"
    figure.savefig(picture, dpi=120)
    print(f"picture: {picture}")
price = abs(model.sensitivity("margin")[i] - bought)
ok = same < 1e-6 and alone < 1e-9 and price < 1e-5 and model.residuals_.hold(1e-10)
print(f"check: primal to {same:.1e}, alone to {alone:.1e}, price to {price:.1e}  {'ok' if ok else 'FAILED'}")
