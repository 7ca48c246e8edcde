"""Close values, distant multipliers: |λ* − λ_p*| is O(√ν), and so are the gaps of objective and constraint.

    |λ* − λ_p*| ≤ √(2 e(λ_p*)/μ),      E‖π_p − π*‖₁ ≤ √(2 e(λ_p*)/β) + (G/β) |λ* − λ_p*|

A dual lower by e may have its minimum √(2e/μ) away. A family that does it: a floor, which lowers D by e all
over, and beside it a single policy, exact at λ* + h, whose line cuts off the lowered valley on one side. The
policies that are best at λ_p* then miss constraint and optimum by a root of ν as well, though the gap of
the values is only ν.

Source: B. Zhang et al., NeurIPS 2025, arXiv:2505.19387. Picture: root_of_nu.png, in the folder given.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from adjoint.models.alignment import FiniteProblem, Floor, Union, certify, minimize_dual

rng = np.random.default_rng(0)
N, K = 3, 4
r, g = rng.normal(size=(2, N, K))
r[:, 0] -= 30
problem = FiniteProblem(np.full((N, K), 1 / K), r, {"harmless": g}, "harmless >= 0.3", beta=1.0)
lam, mu = problem.optimum, problem.dual_hessian(problem.optimum)[0, 0]

eps = np.geomspace(1e-8, 1e-3, 11)
nu = np.array([Floor(e).gap(K) for e in eps])
rows, bounds, hold = [], [], True
for e in eps:
    floor = Floor(e)
    lowered = problem.excess(floor.best(problem, lam), lam)
    h = 0.1 * np.sqrt(2 * lowered / mu)
    family = Union([floor, problem.policy(lam + h)])
    found = minimize_dual(problem, family)
    # at the kink two policies are equally good, and training may return either: the worse counts
    each = [certify(problem, found.lam, p.policy, found.reference) for p in found.parts]
    hold = hold and all(c.hold for c in each)
    worst = [max(pair) for pair in zip(*([b.value for b in c.bounds] for c in each), strict=True)]
    rows.append(worst)
    bounds.append([max(pair) for pair in zip(*([b.upper for b in c.bounds] for c in each), strict=True)])
rows, bounds = np.array(rows), np.array(bounds)
names = [b.name for b in each[0].bounds]
slopes = [np.polyfit(np.log(nu), np.log(rows[:, k]), 1)[0] for k in range(5)]
print("ν         " + "".join(f"{name:>17s}" for name in names))
for v, row in zip(nu, rows, strict=True):
    print(f"{v:8.2e}  " + "".join(f"{x:17.3e}" for x in row))
print("slope     " + "".join(f"{s:17.3f}" for s in slopes))
print(
    "at most   " + "".join(f"{np.max(rows[:, k] / bounds[:, k]):17.3f}" for k in range(5)) + " of the bound"
)

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    lams = lam[0] + np.linspace(-0.7, 0.5, 200)
    D_p = [problem.lagrangian(family.best(problem, [v]), [v]) for v in lams]
    left.plot(lams, [problem.dual([v]) for v in lams], label="D")
    left.plot(lams, D_p, label=f"D_p, ν = {nu[-1]:.1e}")
    left.plot(lam, problem.dual(lam), "o", color="tab:blue", label="λ*")
    left.plot(found.lam, found.value, "o", color="tab:orange", label="λ_p*")
    left.set(xlabel="λ", title="a little lower, elsewhere lowest")
    left.legend()
    for k, name in enumerate(names):
        right.loglog(nu, rows[:, k], "o-", markersize=4, label=f"{name}, slope {slopes[k]:.2f}")
    right.set(xlabel="ν", title="values ∝ ν, all else ∝ √ν")
    right.legend(fontsize=8)
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "root_of_nu.png", dpi=120)
    print("picture:", folder / "root_of_nu.png")

ok = hold and 0.9 < slopes[0] < 1.15 and all(0.43 < s < 0.6 for s in slopes[1:])
print(f"check: gap ν^{slopes[0]:.2f}, |λ − λ*| ν^{slopes[1]:.2f}, bounds hold  {'ok' if ok else 'FAILED'}")
