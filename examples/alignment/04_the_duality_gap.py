"""What a family of policies lacks costs in proportion: the duality gap is O(ν), and no better in general.

    e(λ*) ≤ D* − D_p* ≤ e(λ_p*),   e(λ) = β E KL(π_θ*(λ)‖π_λ),   ν = max_π min_θ ‖π − π_θ‖₁

A floor π ≥ ε/K has ν = 2ε(1 − 1/K), and its best policy in closed form. Where π* would leave a response only
e⁻³⁰, the floor takes real mass to where log π/π* is large, and the gap follows ν. While π* is above the floor
it is 0. A smooth family, log-linear in features off by τ, has a gap ∝ τ²: it alone would hide the rate.

Source: B. Zhang et al., NeurIPS 2025, arXiv:2505.19387. Picture: duality_gap.png, in the folder given.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from adjoint.models.alignment import FiniteProblem, Floor, LogLinear, minimize_dual

rng = np.random.default_rng(0)
N, K = 5, 4
r, g = rng.normal(size=(2, N, K))
bad = r - 30 * (np.arange(K) == 0)  # one response nobody wants: e⁻³⁰ of the mass
steep = FiniteProblem(np.full((N, K), 1 / K), bad, {"harmless": g}, "harmless >= 0.3", beta=1.0)
mild = FiniteProblem(np.full((N, K), 1 / K), r, {"harmless": g}, "harmless >= 0.3", beta=1.0)

eps = np.geomspace(1e-7, 1e-2, 11)
nu = np.array([Floor(e).gap(K) for e in eps])
floors = [minimize_dual(steep, Floor(e)).certificate for e in eps]
Z = rng.normal(size=(2, N, K))
tau = np.geomspace(1e-4, 1e-1, 11)
smooth = [
    minimize_dual(mild, LogLinear(np.stack([r + t * Z[0], g + t * Z[1]], axis=2))).certificate for t in tau
]
unbound = minimize_dual(mild, Floor(0.5 * mild.policy(mild.optimum).min() * K)).certificate


def slope(x, certificates):
    return np.polyfit(np.log(x), np.log([c.gap.value for c in certificates]), 1)[0]


print("floor         ν     e(λ*)  D* − D_p*   e(λ_p*)")
for v, c in zip(nu, floors, strict=True):
    print(f"{v:15.2e} {c.gap.lower:9.3e}  {c.gap.value:9.3e} {c.gap.upper:9.3e}")
rates = slope(nu, floors), slope(tau, smooth)
print(
    f"slopes: floor {rates[0]:.3f} in ν, log-linear {rates[1]:.3f} in τ; idle floor: {unbound.gap.value:.1e}"
)

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for x, certificates, color, name in (
        (nu, floors, "tab:blue", f"floor, slope {rates[0]:.2f} in ν"),
        (tau, smooth, "tab:orange", f"log-linear, slope {rates[1]:.2f} in τ"),
    ):
        axes.loglog(x, [c.gap.value for c in certificates], "o", color=color, label=name)
        axes.fill_between(
            x,
            [c.gap.lower for c in certificates],
            [c.gap.upper for c in certificates],
            color=color,
            alpha=0.3,
        )
    axes.set(xlabel="ν, or τ", ylabel="D* − D_p*", title="the duality gap, between its certificates")
    axes.legend()
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "duality_gap.png", dpi=120)
    print("picture:", folder / "duality_gap.png")

hold = all(c.hold for c in [*floors, *smooth, unbound])
ok = hold and 0.95 < rates[0] < 1.12 and 1.9 < rates[1] < 2.1 and abs(unbound.gap.value) < 1e-12
print(f"check: slopes {rates[0]:.2f} ≈ 1 and {rates[1]:.2f} ≈ 2, bounds hold  {'ok' if ok else 'FAILED'}")
