"""The picture of duality: all policies as points, those of a family among them, and a line on top of each.

    E = {(E g − b, E r − β KL)} over all policies,   E_p over those of a family
    D* = t + λ*u touches E,   D_p* = t + λ_p*u touches E_p;   the heights above u = 0 differ by O(ν)

E has no dent on top, so that its line passes through the best policy that satisfies the constraint: D* = P*.
The family here has probabilities in multiples of 1/4. The line rests on two of its points; the best single
one that satisfies the constraint lies below it: P_p* < D_p*.

Source: D. Ding, talk at SIAM-NNP 2025. Picture: two_lines.png, in the folder given or a temporary one.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from adjoint.models.alignment import FiniteProblem, SimplexGrid, SupportingLine, image, minimize_dual
from adjoint.models.alignment import lower_boundary as lower
from adjoint.models.alignment import upper_boundary as upper

base, r, g = [[0.4, 0.3, 0.2, 0.1]], [[1.0, 0.1, 0.6, 0.0]], [[-1.0, 0.2, 0.5, 1.2]]
problem = FiniteProblem(base, r, {"harmless": g}, "harmless >= 0.25", beta=0.5)
family = SimplexGrid(4)
lam, found = problem.optimum, minimize_dual(problem, family)
exact = SupportingLine(problem.dual(lam), lam)
line = SupportingLine(found.value, found.lam)
print(found)

policies = family.points(4)
E_p = image(problem, policies[:, None, :])
satisfied = E_p[E_p[:, 0] >= 0]
best = satisfied[np.argmax(satisfied[:, 1])]
rng = np.random.default_rng(0)
E = image(problem, rng.dirichlet(0.7 * np.ones(4), size=2000)[:, None, :])
star = image(problem, [problem.policy(lam)])[0]
heights = (problem.dual(lam), star[1], found.value, best[1])
print("D* = {:.6f} = P* = {:.6f};  D_p* = {:.6f} > P_p* = {:.6f}".format(*heights))

low, high = problem.g.min(), problem.g.max()
u = np.linspace(low, high, 300)
under = lower(problem, u)
tilts = np.concatenate([-np.geomspace(60, 1e-2, 150), np.geomspace(1e-2, 60, 150)])
top = upper(problem, tilts)
above = np.interp(E[:, 0], top[:, 0], top[:, 1]) - E[:, 1]  # (chords: a little low)
below = E[:, 1] - np.interp(E[:, 0], u, under)

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    figure, axes = plt.subplots(figsize=(8, 4.6), layout="constrained")
    ends = np.interp(u, top[:, 0], top[:, 1])
    axes.fill_between(u, under, ends, color="tab:blue", alpha=0.15, label="E: all policies")
    axes.plot(top[:, 0], top[:, 1], color="tab:blue", linewidth=1)
    axes.plot(E_p[:, 0], E_p[:, 1], ".", color="tab:orange", markersize=7, label="E_p: multiples of 1/4")
    across = np.array([-0.6, 0.8])
    axes.plot(across, exact(across[:, None]), color="tab:blue", label="t + λ*u = D*")
    axes.plot(across, line(across[:, None]), color="tab:orange", label="t + λ_p*u = D_p*")
    axes.plot(*star, "o", color="tab:blue")
    axes.plot(*best, "s", color="black", label="best single policy of E_p with u ≥ 0")
    axes.axvline(0, color="0.5", linewidth=0.8)
    axes.set(xlabel="u = E g − b", ylabel="t = E r − β KL", xlim=(low, high), title="two supporting lines")
    axes.legend(loc="lower left", fontsize=9)
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "two_lines.png", dpi=120)
    print("picture:", folder / "two_lines.png")

inside = min(exact.clearance(E), line.clearance(E_p)) > -1e-12 and above.min() > -1e-3 and below.min() > -1e-3
rest = np.sum(np.abs(line(E_p[:, :1]) - E_p[:, 1]) < 1e-12)  # how many points the line rests on
ok = inside and rest == 2 and abs(heights[0] - heights[1]) < 1e-12 and heights[0] > heights[2] > heights[3]
print(f"check: D* − D_p* = {heights[0] - heights[2]:.4f}, on {rest} points  {'ok' if ok else 'FAILED'}")
