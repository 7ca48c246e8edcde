"""How much helpfulness does harmlessness cost? The whole curve, and λ is its slope everywhere.

    P*(b) = max E r − β KL  s.t. E g ≥ b,      dP*/db = −λ*(b),    d²P*/db² = −dλ*/db = −β (E Cov g)⁻¹

P* is concave: every further unit of harmlessness costs more. Weighted sums r + λg, tuned by hand, give the
same policies, but which λ belongs to which b? Up to the harmlessness that comes unasked, λ* is 0.

Source: D. Ding, talk at SIAM-NNP 2025. Picture: tradeoff.png, in the folder given or a temporary one.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from adjoint.models import align
from adjoint.models.alignment import Scores

rng = np.random.default_rng(0)
N, K, beta = 500, 16, 0.3
taste = rng.normal(size=(2, N, K))
helpful = taste[0] + 0.5 * rng.normal(size=(N, 1))
harmless = -0.6 * taste[0] + 0.8 * taste[1]
scores = Scores.dense(helpful, {"harmless": harmless})

answer = align(scores, beta=beta, constraints="harmless >= 0.3")
levels = np.linspace(-1.2, 1.6, 57)
curve = answer.pareto("harmless", levels)
print(answer.pareto("harmless", levels[::8]))
h = 1e-4  # slopes, measured
up, down = (answer.pareto("harmless", levels + s * h) for s in (1, -1))
off = np.max(np.abs((up.objective - down.objective) / (2 * h) + curve.multiplier))

# a weighted sum by hand lands on the same curve: at the level it happens to reach, its λ is the multiplier
worst = 0.0
for lam in (0.25, 0.5, 1.0, 2.0):
    tuned = align(Scores.dense(helpful + lam * harmless, {"harmless": harmless}), beta=beta)
    level = tuned.utilities["harmless"]
    found = align(scores, beta=beta, constraints=f"harmless >= {level!r}")
    worst = max(worst, abs(found.multipliers["harmless"] - lam))
    print(f"weight {lam:4.2f} reaches {level:+.4f}, whose λ* is {found.multipliers['harmless']:.9f}")

nearby = answer.pareto("harmless", [0.3 - h, 0.3 + h]).multiplier
turn = abs(np.diff(nearby)[0] / (2 * h) / answer.level_response[0, 0] - 1)

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    left.plot(curve.utility, curve.reward, label="E r")
    left.plot(levels, curve.objective, label="P* = E r − β KL")
    for k in range(20, 53, 8):
        b, p, lam = levels[k], curve.objective[k], curve.multiplier[k]
        left.plot([b - 0.25, b + 0.25], [p + 0.25 * lam, p - 0.25 * lam], color="tab:red", linewidth=1)
    left.set(xlabel="harmlessness", ylabel="helpfulness", title="the trade-off, with −λ* as slope")
    left.legend()
    right.plot(levels, curve.multiplier)
    right.axvline(curve.utility[0], color="0.6", linestyle=":")
    right.text(curve.utility[0] + 0.03, 2.3, "what comes unasked", color="0.4")
    right.set(xlabel="required harmlessness b", ylabel="λ*", title="the price of a unit more")
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "tradeoff.png", dpi=120)
    print("picture:", folder / "tradeoff.png")

monotone = np.all(np.diff(curve.multiplier) >= -1e-12) and np.all(np.diff(curve.reward) <= 1e-12)
ok = monotone and off < 1e-5 and worst < 1e-7 and turn < 1e-5
print(f"check: slope + λ {off:.1e}, λ of weighted sums {worst:.1e}  {'ok' if ok else 'FAILED'}")
