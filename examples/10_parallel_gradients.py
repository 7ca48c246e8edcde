"""At a constrained minimum the gradients of objective and constraint are parallel: the factor is μ.

    minimise f(x)  subject to  g(x) ≤ 0:      ∇f(x*) + μ ∇g(x*) = 0,   μ ≥ 0

Rosenbrock's function on disks around the origin. While the disk is too small to hold the free minimum (1, 1),
the solution is on its edge, where ∇f points against ∇g: nothing is to be gained along the edge. In the last
disk the constraint is slack, its multiplier is zero, and ∇f vanishes by itself.

Source: J. Nocedal and S. Wright, "Numerical Optimization", 2006, chapter 12. Picture: parallel_gradients.png,
in the folder given as argument or a temporary one.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import adjoint as ad


def f(x, radius=None):  # every function gets the same arguments
    return 10 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


def disk(x, radius):
    return x @ x - radius**2


radii = [0.4, 0.7, 1.0, 1.3, 1.6]
found, turn = [], 0.0
print("radius       x*                μ     ∇f + μ∇g   angle between −∇f and ∇g")
for r in radii:
    solution = ad.minimize(f, np.array([-0.3, 0.2]), args=(r,), ineq={"disk": disk})
    x, mu = solution.x, float(solution.multipliers["disk"])
    of_f, of_g = ad.grad(f)(x), ad.grad(disk)(x, r)
    left = np.max(np.abs(of_f + mu * of_g))
    sine = abs(of_f[0] * of_g[1] - of_f[1] * of_g[0]) / np.linalg.norm(of_g) / max(np.linalg.norm(of_f), 1e-8)
    turn = max(turn, sine if mu > 0 else left)
    print(
        f"{r:6.1f}   ({x[0]:.5f}, {x[1]:.5f})   {mu:.5f}    {left:.1e}    {sine if mu > 0 else 0.0:.1e} rad"
    )
    found.append((solution, of_f))
print(found[2][0])

# the multiplier is a price: what one more unit of r² is worth
slope = ad.grad(lambda r: ad.minimize(f, np.array([-0.3, 0.2]), args=(r,), ineq={"disk": disk}).fun)(1.0)
price = abs(slope + 2 * 1.0 * found[2][0].multipliers["disk"])

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    a, b = np.meshgrid(np.linspace(-1.9, 1.9, 300), np.linspace(-1.8, 1.9, 300))
    figure, axes = plt.subplots(figsize=(6, 6))
    axes.contour(a, b, f((a, b)), levels=np.geomspace(0.02, 200, 18), colors="0.75", linewidths=0.7)
    for r, (solution, of_f) in zip(radii, found, strict=True):
        x, mu = solution.x, float(solution.multipliers["disk"])
        axes.add_patch(plt.Circle((0, 0), r, fill=False, color="tab:blue", linewidth=1.2))
        axes.plot(*x, "ko", markersize=4)
        if mu > 0:
            for vector, length, color in ((-of_f, 0.25, "tab:red"), (2 * x, 0.45, "tab:blue")):
                tip = x + length * vector / np.linalg.norm(vector)
                axes.annotate("", tip, x, arrowprops={"arrowstyle": "->", "color": color})
            axes.annotate(f"μ = {mu:.3f}", x, x + np.array([0.06, -0.16]), fontsize=8)
    axes.set(aspect="equal", title="−∇f (red) is μ times ∇g (blue)", xlabel="x₀", ylabel="x₁")
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "parallel_gradients.png", dpi=120)
    print("picture:", folder / "parallel_gradients.png")

ok = turn < 1e-9 and price < 1e-9 and found[-1][0].multipliers["disk"] == 0
print(
    f"check: gradients parallel to {turn:.1e} rad, df*/dr = −2rμ to {price:.1e}  {'ok' if ok else 'FAILED'}"
)
