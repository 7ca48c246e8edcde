"""At a kink of the parametrized dual no single policy is right, and a mixture of two is, exactly.

    λ_{t+1} = [λ_t − η_t u_t]₊,   u_t = E g(π_t) − b,      D_p(best) − D_p* ≤ (R² + G² Σ η_t²) / (2 Σ η_t)

With probabilities in multiples of 1/4, D_p is a maximum of finitely many lines. Subgradient steps circle
around its kink within their bound; their policies jump between one that violates the constraint and one that
wastes reward. Played in turn, weighted by η_t, they violate it by no more than (λ_T − λ_0)₊ / Σ η_t, and the
mixture from the linear program by nothing.

Source: N. Z. Shor 1985; A. Nedić and A. Ozdaglar 2009. Picture: kinks.png, in the folder given.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from adjoint.models.alignment import FiniteProblem, SimplexGrid, dualize, image, minimize_dual
from adjoint.models.alignment import constant_rate as constant
from adjoint.models.alignment import decreasing_rate as decreasing

base, r, g = [[0.4, 0.3, 0.2, 0.1]], [[1.0, 0.1, 0.6, 0.0]], [[-1.0, 0.2, 0.5, 1.2]]
problem = FiniteProblem(base, r, {"harmless": g}, "harmless >= 0.25", beta=0.5)
family = SimplexGrid(4)
found = minimize_dual(problem, family)
print(found)

# brute force: all policies of the family as lines; the lowest point of their maximum; the best single policy
points = image(problem, family.points(4)[:, None, :])
lams = np.linspace(0, 2, 200_001)
top = np.max([t + lams * u for u, t in points], axis=0)
single = points[points[:, 0] >= 0][:, 1].max()
print(f"brute force: D_p* = {top.min():.8f} at {lams[top.argmin()]:.5f}; best single policy {single:.6f}")

rules = {"η = 0.2": constant(0.2), "η = 0.5/√(t+1)": decreasing(0.5)}
runs = {name: dualize(problem, family, steps=400, rule=rule) for name, rule in rules.items()}
within, held = True, True
print("\nstep                  D_p(best) − D_p*       bound   slack of the mixture   at least")
for name, run in runs.items():
    excess = np.minimum.accumulate(run.values) - found.value
    bound = run.bound(found.lam)
    within = within and bool(np.all(excess <= bound + 1e-15)) and run.certificate.hold
    slack, least = run.mixture_slack[0], -run.mixture_bound[0]
    held = held and slack >= least - 1e-15
    print(f"{name:20s} {excess[-1]:17.3e} {bound[-1]:11.3e} {slack:22.3e} {least:10.3e}")

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    near = np.linspace(0.3, 1.3, 300)
    left.plot(near, [problem.dual([v]) for v in near], label="D")
    left.plot(near, np.interp(near, lams, top), label="D_p")
    for part, weight in zip(found.parts, found.weights, strict=True):
        line = part.objective + near * part.slack[0]
        left.plot(near, line, ":", color="0.4", label=f"policy of slack {part.slack[0]:+.2f}: {weight:.0%}")
    left.plot(found.lam, found.value, "o", color="tab:orange")
    left.set(xlabel="λ", ylim=(0.3, 0.55), title="two policies at the kink")
    left.legend(fontsize=8)
    for k, (name, run) in enumerate(runs.items()):
        excess = np.minimum.accumulate(run.values) - found.value
        right.loglog(1 + np.arange(400), np.maximum(excess, 1e-8), color=f"C{k}", label=name)
        right.loglog(1 + np.arange(400), run.bound(found.lam), "--", color=f"C{k}", linewidth=0.8)
    right.set(xlabel="step", title="D_p(best) − D_p*, and its bound (dashed)", ylim=(1e-6, 10))
    right.legend(fontsize=8)
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "kinks.png", dpi=120)
    print("picture:", folder / "kinks.png")

exact = abs(found.mixture_slack[0]) < 1e-12 and abs(found.mixture_objective - found.value) < 1e-12
ok = within and held and exact and abs(top.min() - found.value) < 1e-5 and single < found.value - 0.01
print(f"check: mixture's slack {found.mixture_slack[0]:.1e}, bounds hold  {'ok' if ok else 'FAILED'}")
