"""From comparisons of answers to a constrained policy, by two roads: reward models, or trained policies.

    MoCAN:  Bradley–Terry scores r̂, ĝ from P(a ≻ b) = σ(s_a − s_b);        PeCAN:  s = β log π_•/π_ref

Comparisons leave a number per prompt open. The tilt does not mind, the level of a constraint does: so it is
relative, E_π g − E_ref g ≥ b. Then both roads lead to the same λ*, and λ̂ → λ* as 1/√n in n comparisons.

Source: X. Huang et al., NeurIPS 2024, arXiv:2405.19544. Picture: preferences.png, in the folder given.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from adjoint.models import align
from adjoint.models.alignment import FiniteProblem, mocan_scores, pecan_scores
from adjoint.models.alignment import fit_bradley_terry as fit
from adjoint.models.alignment import sample_preferences as sample

rng = np.random.default_rng(0)
N, K, beta = 12, 4, 0.5
base = rng.dirichlet(3 * np.ones(K), size=N)
r, noise = 0.8 * rng.normal(size=(2, N, K))
g = 0.8 * noise - 0.5 * r + rng.uniform(0, 1, size=(N, 1))  # the last: no comparison shows it
exact = FiniteProblem(base, r, {"safe": g}, "safe >= 0.4 relative", beta=beta).optimum[0]
centered = [s - np.mean(s, axis=1, keepdims=True) for s in (r, g)]


def lam_of(scores, kind="relative"):
    return align(scores, beta=beta, constraints=f"safe >= 0.4 {kind}").multipliers.get("safe", np.inf)


def trained(s):  # by preferences, at another β: π_ref e^{s/β'}, normalised
    tilted = np.log(base) + s / 0.1
    return tilted - np.log(np.sum(np.exp(tilted), axis=1, keepdims=True))


pecan = pecan_scores(np.log(base), trained(r), {"safe": trained(g)}, beta=0.1)
absolute = [lam_of(s, "") for s in (mocan_scores(np.log(base), r, {"safe": g}), pecan)]  # ∞: infeasible
print(f"λ* = {exact:.8f}; by PeCAN {lam_of(pecan):.8f}; were the level absolute: {absolute}")

sizes, errors, z = np.array([4_000, 10_000, 25_000, 60_000, 150_000]), [], []
for n in sizes:
    missed = []
    for _ in range(8):
        models = [fit(sample(s, int(n), rng=rng), shape=(N, K)) for s in (r, g)]
        z += [(m.scores - c) / m.standard_errors for m, c in zip(models, centered, strict=True)]
        missed.append(lam_of(mocan_scores(np.log(base), models[0], {"safe": models[1]})) - exact)
    errors.append(np.sqrt(np.mean(np.square(missed))))
    print(f"{n:7d} comparisons of each kind: λ̂ off by {errors[-1]:.4f}")
slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
covered = np.mean(np.abs(z) < 1.96)

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    for c, m in zip(centered, models, strict=True):
        left.errorbar(c.ravel(), m.scores.ravel(), 1.96 * m.standard_errors.ravel(), fmt=".")
    left.axline((0, 0), slope=1, color="0.6", linewidth=0.8)
    left.set(xlabel="true r and g, centered", ylabel="fitted", title=f"{sizes[-1]:,} comparisons")
    right.loglog(sizes, errors, "o", label=f"slope {slope:.2f}")
    right.loglog(sizes, errors[0] * np.sqrt(sizes[0] / sizes), color="0.6", label="1/√n")
    right.set(xlabel="comparisons", ylabel="|λ̂ − λ*|", title="the multiplier from fitted scores")
    right.legend()
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "preferences.png", dpi=120)
    print("picture:", folder / "preferences.png")

same = abs(lam_of(pecan) - exact)
moved = absolute[0] < 0.8 * exact < absolute[1]
ok = same < 1e-8 and moved and -0.65 < slope < -0.35 and 0.93 < covered < 0.97
print(f"check: PeCAN − MoCAN = {same:.1e}, n^{slope:.2f}  {'ok' if ok else 'FAILED'}")
