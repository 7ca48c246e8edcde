"""How many prompts does λ* need? Its error falls as 1/√N, and one sample says how large it is.

    λ̂ = argmin over λ ≥ 0 of the mean of N prompts' duals,       λ̂ − λ* ≈ N(0, H⁻¹ S H⁻¹ / N)

H is the curvature of the dual, S the covariance over prompts of E[g | x] − b. Prompts are drawn from 20,000,
for which λ* is exact; the interval λ̂ ± 1.96 s.e. of a single draw covers it in 95 of 100 cases.

Source: the sandwich formula of M-estimators, P. Huber 1967. Picture: prompts.png, in the folder given.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from adjoint.models import align
from adjoint.models.alignment import Scores

rng = np.random.default_rng(0)
K, beta, draws = 6, 0.5, 60
z = rng.normal(size=(2, 20_000, K))
mood = rng.normal(size=(20_000, 1))  # prompts differ in how harmless their answers can be
population = Scores.dense(z[0], {"harmless": 0.8 * z[1] - 0.4 * z[0] + mood})


def solve(scores):
    return align(scores, beta=beta, constraints="harmless >= 0.25")


exact = solve(population).multipliers["harmless"]
print(f"λ* of the population: {exact:.6f}\n\n    N   error of λ̂   mean s.e.   covered")
sizes = np.array([100, 200, 400, 800, 1600])
errors, claimed, covered = [], [], []
for n in sizes:
    answers = [solve(population.take(rng.integers(20_000, size=n))) for _ in range(draws)]
    lam = np.array([a.multipliers["harmless"] for a in answers])
    se = np.array([a.standard_errors["harmless"] for a in answers])
    errors.append(np.sqrt(np.mean((lam - exact) ** 2)))
    claimed.append(np.mean(se))
    covered.append(np.abs(lam - exact) < 1.96 * se)
    print(f"{n:5d} {errors[-1]:12.4f} {claimed[-1]:11.4f} {100 * np.mean(covered[-1]):8.1f} %")
slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
share = np.mean(covered)

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    left.loglog(sizes, errors, "o", label=f"error, slope {slope:.2f}")
    left.loglog(sizes, claimed, color="tab:orange", label="mean standard error")
    left.set(xlabel="prompts N", ylabel="|λ̂ − λ*|", title="1/√N")
    left.legend()
    order = np.argsort(lam)
    hit = covered[-1][order]
    for good, color in ((True, "tab:blue"), (False, "tab:red")):
        where = np.flatnonzero(hit == good)
        if where.size:
            right.errorbar(where, lam[order][where], 1.96 * se[order][where], fmt=".", color=color)
    right.axhline(exact, color="black", linewidth=0.8)
    right.set(xlabel="draw", ylabel="λ̂ ± 1.96 s.e.", title=f"{draws} draws of {sizes[-1]} prompts")
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "prompts.png", dpi=120)
    print("picture:", folder / "prompts.png")

ratio = np.array(claimed) / errors
ok = -0.6 < slope < -0.4 and 0.9 < share < 0.98 and np.all(np.abs(ratio - 1) < 0.3)
print(f"check: error ∝ N^{slope:.2f}, covered {100 * share:.1f} %  {'ok' if ok else 'FAILED'}")
