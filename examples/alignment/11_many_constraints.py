"""Four limits at once, and a family of policies that lacks some: who keeps them all, and what it costs.

    λ ∈ R⁴, λ ≥ 0:   by hand (all weights 1) · one shot, at λ* · the mixture at λ_p*

The family must leave every response a share, π ≥ 0.25/K. By hand, nobody knows which weights are enough. At
λ*, which is right for all policies, the family falls short of every limit that binds. λ_p* is its own, and a
mixture of its policies meets all limits, exactly where λ_p* > 0.

Source: B. Zhang et al., NeurIPS 2025, arXiv:2505.19387. Picture: many_constraints.png, in the folder given.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from adjoint.models.alignment import FiniteProblem, Floor, dualize, minimize_dual

rng = np.random.default_rng(4)
N, K, beta = 40, 8, 0.4
names = ["harmless", "humor", "honest", "brief"]
r = rng.normal(size=(N, K))
base = rng.dirichlet(4 * np.ones(K), size=N)
utilities = {name: rng.normal(size=(N, K)) - 0.25 * r for name in names}
limits = dict(zip(names, (0.3, 0.15, 0.45, -0.5), strict=True))
problem = FiniteProblem(base, r, utilities, [f"{n} >= {b}" for n, b in limits.items()], beta=beta)
family = Floor(0.25)

found = minimize_dual(problem, family, tolerance=1e-9)
policies = {
    "reward alone": family.best(problem, np.zeros(4)),
    "all weights 1": family.best(problem, np.ones(4)),
    "one shot, λ*": family.best(problem, problem.optimum),
}
slacks = {name: problem.slack(policy) for name, policy in policies.items()}
slacks["mixture, λ_p*"] = found.mixture_slack
worth = {name: problem.objective(policy) for name, policy in policies.items()}
worth["mixture, λ_p*"] = found.mixture_objective
print(f"{'E g − b':16s}" + "".join(f"{name:>10s}" for name in names) + "   E r − β KL")
for name, slack in slacks.items():
    print(f"{name:16s}" + "".join(f"{u:+10.4f}" for u in slack) + f"{worth[name]:13.4f}")
for name, lam in (("λ*", problem.optimum), ("λ_p*", found.lam)):
    print(f"{name:16s}" + "".join(f"{v:10.4f}" for v in lam))
print(found.certificate)

run = dualize(problem, family, steps=60)  # the same by plain subgradient steps
excess = np.minimum.accumulate(run.values) - found.value
bound = run.bound(found.lam)
print(f"subgradient: D_p − D_p* = {excess[-1]:.1e} ≤ {bound[-1]:.1e} after {run.alignments} alignments")

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", width_ratios=(3, 2))
    for k, (name, slack) in enumerate(slacks.items()):
        left.bar(np.arange(4) + 0.2 * (k - 1.5), slack, 0.19, label=name)
    left.axhline(0, color="black", linewidth=0.8)
    left.set(xticks=range(4), xticklabels=[f"{n} ≥ {b}" for n, b in limits.items()], ylabel="E g − b")
    left.set_title("below 0 a limit is violated")
    left.legend(fontsize=8)
    right.loglog(1 + np.arange(60), np.maximum(excess, 1e-9), label="D_p(best) − D_p*")
    right.loglog(1 + np.arange(60), bound, "--", label="bound")
    right.set(xlabel="alignments", title="subgradient steps")
    right.legend()
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "many_constraints.png", dpi=120)
    print("picture:", folder / "many_constraints.png")

binds = problem.optimum > 0
short = slacks["one shot, λ*"][binds]
kept = found.mixture_slack.min()
hold = found.certificate.hold and run.certificate.hold and np.all(excess <= bound + 1e-12)
ok = hold and kept > -1e-7 and np.all(short < -1e-2) and np.sum(binds) == 3
print(f"check: one shot misses {-short.min():.3f}, mixture {max(0.0, -kept):.1e}  {'ok' if ok else 'FAILED'}")
