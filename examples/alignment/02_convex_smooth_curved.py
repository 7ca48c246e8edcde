"""Why λ* is easy to find: the dual is convex, smooth, and curved where the constraints are independent.

    0 ≤ ∇²D = E_x Cov_{π_λ}(g | x) / β ≤ L = E_x[diam_x(g)²] / 4β

A convex function that is nowhere steeper than L allows long safe steps. How far λ̂ may be off when D is known
to ±e depends on the least curvature μ: √(2e/μ). It is 0 in a direction u along which uᵀg is constant within
every prompt, whatever it does between prompts: there λ* is not unique, and constraints can contradict.

Source: Popoviciu's inequality on variances. Picture: curvature.png, in the folder given or a temporary one.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from adjoint.models.alignment import FiniteProblem

rng = np.random.default_rng(1)
N, K, beta = 20, 6, 0.4
base, r = rng.dirichlet(np.ones(K), size=N) + 1e-3, rng.normal(size=(N, K))
base /= np.sum(base, axis=1, keepdims=True)
humor, harmless = rng.normal(size=(2, N, K))
limits = ["harmless >= 0.2", "humor >= 0.2"]
problem = FiniteProblem(base, r, {"harmless": harmless, "humor": humor}, limits, beta=beta)

points = rng.exponential(2.0, size=(400, 2))
spectra = np.array([np.linalg.eigvalsh(problem.dual_hessian(lam)) for lam in points])
D = np.array([problem.dual(lam) for lam in points])
middle = np.array([problem.dual((a + b) / 2) for a, b in zip(points[1:], points[:-1], strict=True)])
convex = np.max(middle - (D[1:] + D[:-1]) / 2)
print(f"L = {problem.smoothness:.3f}, curvatures met: {spectra[:, 0].min():.1e} to {spectra[:, 1].max():.3f}")

coin = FiniteProblem([[0.5, 0.5]], [[0.0, 0.0]], {"g": [[0.0, 1.0]]}, "g >= 0.5", beta=beta)
attained = coin.dual_hessian([0.0])[0, 0] / coin.smoothness  # by a fair coin

lam, far = problem.optimum, np.array([3.0, 3.0])
mu = problem.curvature(lam, far)  # a bound for the whole segment, from finitely many points on it
u = (far - lam) / np.linalg.norm(far - lam)
along = np.linspace(0, 1, 300)
curve = np.array([u @ problem.dual_hessian(lam + t * (far - lam)) @ u for t in along])
print(f"from λ* = {lam.round(3)} to {far}: μ ≥ {mu:.6f}, least met {curve.min():.6f}")

# humor that is harmlessness with a number per prompt added: no policy can tell the two apart
twins = {"a": harmless, "b": 2 * harmless + rng.normal(size=(N, 1))}
both = FiniteProblem(base, r, twins, ["a >= 0.2", "b >= 0.1"], beta=beta)
flat = both.flat_directions[:, 0]
lost = max(np.linalg.norm(both.dual_hessian(lam) @ flat) for lam in points)
print(f"dependent: D is straight along u = {flat.round(4)}; independent: {problem.flat_directions.size} such")

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    distance = along * np.linalg.norm(far - lam)
    left.plot(distance, curve, label="uᵀ∇²D u between λ* and (3, 3)")
    left.axhline(problem.smoothness, color="tab:red", linestyle="--", label="L")
    left.axhline(mu, color="tab:green", linestyle=":", label="μ")
    left.set(yscale="log", xlabel="distance from λ*", title="curvature between its bounds")
    left.legend(loc=(0.22, 0.62))
    shown = np.linspace(-1, 1, 100)
    for game, name in ((problem, "independent"), (both, "dependent")):
        rise = [game.dual(1 + t * flat) - game.dual([1.0, 1.0]) for t in shown]
        right.plot(shown, rise - shown * (rise[-1] - rise[0]) / 2, label=name)
    right.set(xlabel="along u, through (1, 1)", xticks=[-1, 0, 1], title="D, less its slope")
    right.legend()
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "curvature.png", dpi=120)
    print("picture:", folder / "curvature.png")

inside = spectra.min() > 0 and spectra.max() <= problem.smoothness and 0 < mu <= curve.min() < 1.1 * mu
ok = inside and convex <= 1e-12 and abs(attained - 1) < 1e-12 and lost < 1e-12
print(f"check: 0 < curvature ≤ L, dependent ones {lost:.1e}  {'ok' if ok else 'FAILED'}")
