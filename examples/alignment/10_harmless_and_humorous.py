"""Two limits at once, harmless and humorous: each has its own price, and raising one changes the other's.

    max E r − β KL  s.t.  E g₁ ≥ b₁,  E g₂ ≥ b₂        ∂P*/∂b_j = −λ_j,   ∂λ/∂b = β (E Cov g)⁻¹ on what binds

Each pair (λ₁, λ₂) ≥ 0 has a point in the plane of the two scores; every limit (b₁, b₂) leads to the pair that
meets it at the least cost. Where one limit holds unasked, its λ is 0. Jokes hurt a little here.

Source: D. Ding, talk at SIAM-NNP 2025. Picture: two_limits.png, in the folder given or a temporary one.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from adjoint.models import align
from adjoint.models.alignment import Scores

rng = np.random.default_rng(2)
N, K, beta = 400, 12, 0.4
z = rng.normal(size=(3, N, K))
harmless, humor = z[1] - 0.5 * z[0], 0.9 * z[2] - 0.3 * z[1]
utilities = {"harmless": harmless, "humor": humor}
scores = Scores.dense(z[0], utilities)


def solve(b):
    return align(scores, beta=beta, constraints=[f"harmless >= {b[0]}", f"humor >= {b[1]}"])


limits = [(-1.0, -1.0), (0.3, -1.0), (-1.0, 0.5), (0.3, 0.5), (0.9, 0.5), (0.6, 0.9)]
print("  required              achieved              λ harmless  λ humor       E r")
found, met, price, turn, h = [], True, 0.0, 0.0, 1e-4
for b in limits:
    a = solve(b)
    found.append(a)
    got, lam = (np.array(list(d.values())) for d in (a.utilities, a.multipliers))
    print(f"{b!s:>14s}   ({got[0]:+.4f}, {got[1]:+.4f})   {lam[0]:13.4f} {lam[1]:8.4f} {a.reward:9.4f}")
    met = met and np.all(got >= np.array(b) - 1e-9) and np.all(lam * (got - b) < 1e-9)
    for j in range(2):
        up, down = solve(b + h * np.eye(2)[j]), solve(b - h * np.eye(2)[j])
        price = max(price, abs((up.objective - down.objective) / (2 * h) + lam[j]))
        moved = [(up.multipliers[n] - down.multipliers[n]) / (2 * h) for n in a.multipliers]
        turn = max(turn, np.max(np.abs(moved - a.level_response[:, j])))
print(f"prices measured: off by {price:.1e}; dλ/db measured: off by {turn:.1e}")

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:

    def point(lam):
        tilted = Scores.dense(z[0] + lam[0] * harmless + lam[1] * humor, utilities)
        return list(align(tilted, beta=beta).utilities.values())

    steps = np.linspace(0, 1.6, 9)
    mesh = np.array([[point((a, b)) for a in steps] for b in steps])
    figure, axes = plt.subplots(figsize=(6.5, 5), layout="constrained")
    axes.plot(mesh[..., 0], mesh[..., 1], color="tab:blue", alpha=0.4, linewidth=0.8)
    axes.plot(mesh[..., 0].T, mesh[..., 1].T, color="tab:orange", alpha=0.6, linewidth=0.8)
    for b, a in zip(limits, found, strict=True):
        got = list(a.utilities.values())
        axes.annotate("", got, b, arrowprops={"arrowstyle": "->", "color": "0.5"})
        axes.plot(*b, "s", color="tab:red", label="required" if b == limits[0] else None)
        axes.plot(*got, "k.", label="achieved, at the least cost" if b == limits[0] else None)
    axes.set(xlabel="E harmless", ylabel="E humor", title="orange: λ harmless grows; blue: λ humor")
    axes.legend(fontsize=8, loc="lower right")
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "two_limits.png", dpi=120)
    print("picture:", folder / "two_limits.png")

idle = [sum(v == 0 for v in a.multipliers.values()) for a in found]
ok = met and price < 1e-6 and turn < 1e-4 and idle[0] == 2 and idle[3] == 0 and max(idle[1:3]) == 1
print(f"check: all limits met, ∂P*/∂b + λ = {price:.1e}  {'ok' if ok else 'FAILED'}")
