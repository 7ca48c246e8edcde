"""Helpful, if harmless enough: the best policy by one number λ*, and nothing is lost by it.

    P* = max_π E[ E_π r − β KL(π‖π_ref) ]  s.t. E E_π g ≥ b        D(λ) = β E log Σ π_ref e^{(r + λ(g − b))/β}
    D* = min_{λ ≥ 0} D(λ) = P*,   and π* = π_λ*

Newton's steps find λ*, fewer than projected gradient takes; a solver of the primal problem, which knows no λ,
agrees. One unit of b costs λ*.

Source: X. Huang et al., "One-shot safety alignment for large language models via optimal dualization", 2024,
arXiv:2405.19544. Picture: strong_duality.png, in the folder given as argument or a temporary one.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from adjoint.models.alignment import FiniteProblem, projected_gradient

rng = np.random.default_rng(0)
N, K, beta = 4, 4, 0.5
base = rng.dirichlet(3 * np.ones(K), size=N)
r = rng.normal(size=(N, K))
g = rng.normal(size=(N, K)) - 0.6 * r  # what is helpful is less harmless
problem = FiniteProblem(base, r, {"harmless": g}, "harmless >= 0.5", beta=beta)
answer = problem.solve()
lam = problem.optimum
print(answer)


def soft(z):
    e = np.exp(z.reshape(N, K))
    return e / np.sum(e, axis=1, keepdims=True)


# the primal problem over the logits of π, by a solver of constrained problems that knows no dual
found = minimize(
    lambda z: -problem.objective(soft(z)), np.log(base).ravel(), method="SLSQP",
    constraints={"type": "ineq", "fun": lambda z: problem.slack(soft(z))[0]},
    options={"ftol": 1e-15, "maxiter": 500},
)  # fmt: skip
gap, apart = abs(problem.dual(lam) + found.fun), np.max(np.abs(soft(found.x) - problem.policy(lam)))
print(f"\nD* = {problem.dual(lam):.12f}, primal solver {-found.fun:.12f}, policies differ by {apart:.1e}")

path = projected_gradient(problem, steps=200)[:, 0]
slow = int(np.argmax(np.abs(path - lam[0]) < 1e-8))
print(f"λ* = {lam[0]:.10f} by {answer.steps} steps of Newton; projected gradient: {slow} steps to 1e-8")

nearby = answer.pareto("harmless", [0.4999, 0.5001])  # what a unit of b costs, measured
price = -np.diff(nearby.objective)[0] / 2e-4
try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    lams = np.linspace(0, 2.5 * lam[0], 100)
    left.plot(lams, [problem.dual([v]) for v in lams], label="D(λ) ≥ P*")
    left.axvline(lam[0], color="0.6", linestyle=":", label="λ*")
    left.axhline(-found.fun, color="tab:red", linestyle="--", label="P*, by the primal solver")
    left.set(xlabel="λ", title="the dual touches the optimum")
    left.legend()
    right.semilogy(np.abs(path - lam[0]), color="tab:orange")
    right.axvline(answer.steps, color="tab:blue", linestyle=":")
    right.text(answer.steps + 4, 1e-9, "Newton is done", color="tab:blue")
    right.set(xlabel="step", ylabel="|λ − λ*|", title="projected gradient, for comparison")
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "strong_duality.png", dpi=120)
    print("picture:", folder / "strong_duality.png")

ok = gap < 1e-8 and apart < 1e-5 and abs(price - lam[0]) < 1e-6 and 0 < answer.steps < slow
print(f"check: P* − D* = {gap:.1e}, λ* − dP*/db {abs(price - lam[0]):.1e}  {'ok' if ok else 'FAILED'}")
