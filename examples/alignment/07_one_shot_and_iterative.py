"""One training or several: a network aligned at λ* misses the constraint, one aligned at λ_p* meets it.

    one shot:   λ* from the scores alone, then θ = argmax L(π_θ, λ*): one training
    iterative:  λ ← [λ − η (E g(π_θ*(λ)) − b)]₊ from there: a training, warm, for each λ

The dual of the scores knows all policies, a network only its own: it sees four features of a response, not
the scores. What it lacks shifts λ_p* away from λ*. The table shows required and achieved harmlessness for
both, and what each cost; every run carries its certificate.

Source: X. Huang et al., NeurIPS 2024; B. Zhang et al., NeurIPS 2025. Picture: one_shot.png, in the folder
given or a temporary one.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from adjoint.models.alignment import FiniteProblem, Network, constant_rate, dualize

rng = np.random.default_rng(3)
N, K = 24, 6
features = rng.normal(size=(N, K, 4))
hidden = rng.normal(size=(2, N, K))  # what no feature shows
r = np.tanh(features @ [1.0, 0.5, 0.0, 0.0]) + 0.4 * hidden[0]
g = -0.7 * features[..., 0] + 0.8 * features[..., 2] * features[..., 3] + 0.8 * hidden[1]
base = np.full((N, K), 1 / K)


def solve(level):
    problem = FiniteProblem(base, r, {"harmless": g}, f"harmless >= {level}", beta=0.3)
    network = Network(features, (8,), rng=np.random.default_rng(0), steps=100, polish=400)
    shot, once = problem.slack(network.best(problem, problem.optimum))[0], network.evaluations
    rate = constant_rate(1 / problem.dual_hessian(problem.optimum)[0, 0])  # Newton's, for all policies
    run = dualize(problem, network, steps=6, rule=rate, start=problem.optimum)
    return problem, run, shot, once, network.evaluations - once


levels = np.array([0.1, 0.3, 0.5, 0.7])
rows, hold = [], True
print("required      λ*    λ_p*   one-shot  iterative   gradients: one-shot  iterative   trainings")
for b in levels:
    problem, run, shot, once, more = solve(b)
    found, lam = run.points[-1], problem.optimum[0]
    rows.append((b + shot, b + found.slack[0], lam, found.lam[0], once, more))
    hold = hold and run.certificate.hold
    print(
        f"{b:8.2f} {lam:7.4f} {found.lam[0]:7.4f} {b + shot:10.4f} {b + found.slack[0]:10.4f}"
        f" {once:21d} {more:10d} {run.alignments:11d}"
    )
rows = np.array(rows)
print(run.certificate)

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    left.axhline(0, color="0.6", linewidth=1)
    left.plot(levels, rows[:, 0] - levels, "s-", color="tab:red", label="one-shot, at λ*")
    left.plot(levels, rows[:, 1] - levels, "o-", color="tab:blue", label="iterative, at λ_p*")
    left.set(xlabel="required E g", ylabel="achieved − required", title="below 0 the limit is violated")
    left.legend()
    right.bar(np.arange(4) - 0.2, rows[:, 4], 0.4, color="tab:red", label="one-shot")
    right.bar(np.arange(4) + 0.2, rows[:, 5], 0.4, color="tab:blue", label="iterative")
    right.set(xticks=range(4), xticklabels=levels, xlabel="required E g")
    right.set_title("gradients of the network that it took")
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "one_shot.png", dpi=120)
    print("picture:", folder / "one_shot.png")

missed = np.max(np.abs(rows[:, :2] - levels[:, None]), axis=0)
ok = hold and missed[1] < 5e-3 and missed[0] > 20 * missed[1] and np.all(rows[:, 5] > rows[:, 4])
print(f"check: missed by {missed[0]:.3f} one-shot, {missed[1]:.1e} iterative  {'ok' if ok else 'FAILED'}")
