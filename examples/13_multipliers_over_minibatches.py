"""Multipliers that do not oscillate: a constraint seen through minibatches, by plain and by damped ascent.

    min E[cᵀx] + ½ε‖x‖²  s.t.  E[aᵀx] ≥ 1,  x ≥ 0        μ ← [μ + κᵢ gₜ + κₚ (gₜ − gₜ₋₁)]₊

Descent in x and ascent in μ circle around the saddle point of L: μ integrates the violation and overshoots.
The term κₚ, which plain gradient ascent lacks, damps the circle. The exact multiplier is 1 + ε.

Source: M. Sohrabi et al., "On PI controllers for updating Lagrange multipliers in constrained optimization",
2024, arXiv:2406.04558. Picture: minibatches.png, in the folder given as argument or a temporary one.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import adjoint as ad
from adjoint.problems import Ascent

rng = np.random.default_rng(0)
eps, size = 0.1, 20
C = np.array([1.0, 2.0]) + 0.3 * rng.normal(size=(400, 2))
A = np.array([1.0, 1.0]) + 0.1 * rng.normal(size=(400, 2))
C, A = C - C.mean(0) + [1, 2], A - A.mean(0) + 1
batches = [(C[k : k + size], A[k : k + size]) for k in range(0, 400, size)]


def cost(x, C, A):
    return np.mean(C @ x) + 0.5 * eps * x @ x


def shortfall(x, C, A):
    return 1 - np.mean(A @ x)


exact = ad.minimize(cost, np.zeros(2), args=(C, A), ineq={"return": shortfall}, bounds=(0.0, None))
mu = float(exact.multipliers["return"])
ways = {
    "plain ascent, κₚ = 0": Ascent(0.05, 0.0),
    "damped, κₚ = 0.5": Ascent(0.05, 0.5),
    "κₚ = 1, smoothed": Ascent(0.05, 1.0, 0.5),
}
paths, spread = {}, []
print(
    f"exact μ = {mu:.6f}\n\nascent                 highest μ   |μ − μ*| at 200–300   mean of the second half"
)
for name, ascent in ways.items():
    found = ad.minimize(
        cost, np.zeros(2), ineq={"return": shortfall}, bounds=(0.0, None), batches=batches, ascent=ascent,
        rng=np.random.default_rng(1), optimizer=ad.optim.sgd(0.05), max_steps=1500,
    )  # fmt: skip
    paths[name] = np.array([step.multipliers[0] for step in found.history])
    spread.append(np.max(np.abs(paths[name][200:300] - mu)))
    print(
        f"{name:22s} {np.max(paths[name]):9.3f} {spread[-1]:19.4f} {float(found.multipliers['return']):22.5f}"
    )
print(found)

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
    for name, path in paths.items():
        axes.plot(path[:800], label=name, linewidth=1)
    axes.axhline(mu, color="0.4", linestyle=":", label="exact")
    axes.set(xlabel="minibatch", ylabel="multiplier", title="the same problem, the same batches")
    axes.legend()
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "minibatches.png", dpi=120)
    print("picture:", folder / "minibatches.png")

ok = spread[0] > 5 * max(spread[1:]) and abs(float(found.multipliers["return"]) - mu) < 5e-3
print(f"check: oscillation {spread[0]:.3f} plain, {max(spread[1:]):.3f} damped  {'ok' if ok else 'FAILED'}")
