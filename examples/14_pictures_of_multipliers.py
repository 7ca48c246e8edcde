"""Four pictures of multipliers: over training, over a solver's steps, along a path, along a Pareto curve.

    training   λ_layer = dℓ/dz_layer of a deep tanh network, step by step
    solver     the KKT residuals of  min x₀x₃(x₀ + x₁ + x₂) + x₂  s.t.  Πx ≥ 25,  ‖x‖² = 40,  1 ≤ x ≤ 5
    path       min ‖y − Xw‖²/2n  s.t.  ‖w‖₁ ≤ c:  w(c), and the price μ(c) = −df*/dc of the budget
    Pareto     min ‖x − a‖²  s.t.  ‖x‖² ≤ b:  f*(b) = (√b − ‖a‖)², and its slope −μ(b)

The last has a closed form, −df*/db = ‖a‖/√b − 1, against which its multipliers are checked.

Source: W. Hock and K. Schittkowski, Test Examples for Nonlinear Programming Codes, 1981, problem 71 (solver).
Picture: multipliers.png, in the folder given as argument or a temporary one; needs matplotlib.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import adjoint as ad
from adjoint.models import lasso_path

rng = np.random.default_rng(0)
DEPTH, LAYERS = 6, [f"layer{k}" for k in range(6)]


def network(weights, x, y):
    for k in range(DEPTH):
        x = ad.name(np.tanh(x @ weights[k]), f"layer{k}")
    return np.mean((x @ weights[DEPTH] - y) ** 2)


x = rng.normal(size=(128, 8))
y = np.sin(2 * x[:, :1])
weights = [rng.normal(size=(8, 8)) / 8**0.5 for _ in range(DEPTH)] + [rng.normal(size=(8, 1))]
step, history = ad.compile(ad.with_multipliers(network, *LAYERS)), ad.MultiplierHistory()
for _ in range(300):
    value, gradient, multipliers = step(weights, x, y)
    history.record({name: multipliers[name] for name in LAYERS})
    weights = [w - 0.05 * g for w, g in zip(weights, gradient, strict=True)]
print(f"loss after 300 steps {value:.4f}\n{history}")

solution = ad.minimize(
    lambda x: x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2],
    np.array([1.0, 5.0, 5.0, 1.0]),
    eq={"sphere": lambda x: np.sum(x**2) - 40},
    ineq={"volume": lambda x: 25 - np.prod(x)},
    bounds=(1.0, 5.0),
)

X = rng.normal(size=(80, 5))
t = X @ np.array([3.0, -2.0, 0.0, 1.0, 0.0]) + rng.normal(size=80)
path = lasso_path(X, t)

a, levels = np.array([1.5, 2.0]), np.linspace(0.5, 6.0, 40)
disk = {"disk": lambda x, b: x @ x - b}
best = [ad.minimize(lambda x, b: np.sum((x - a) ** 2), np.zeros(2), args=(b,), ineq=disk) for b in levels]

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install 'adjoint-autodiff[plot]'")
else:
    figure, axes = plt.subplots(2, 2, figsize=(13, 8), layout="constrained")
    ad.plot.multiplier_norms(history, ax=axes[0, 0], title="multipliers by layer over training")
    ad.plot.residuals(solution, ax=axes[0, 1])
    ad.plot.path(path, ax=axes[1, 0], title="lasso: coefficients and the price of the budget")
    ad.plot.pareto(levels, best, constraint="disk", ax=axes[1, 1], title="what a larger disk would save")
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "multipliers.png", dpi=110)
    print("picture:", folder / "multipliers.png")

mu = np.array([s.multipliers["disk"] for s in best])
exact = np.linalg.norm(a) / np.sqrt(levels) - 1
gap = np.max(np.abs(mu - exact))
print(f"check: max |μ(b) − (‖a‖/√b − 1)| = {gap:.1e}  {'ok' if gap < 1e-7 else 'FAILED'}")
