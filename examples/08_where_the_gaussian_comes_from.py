"""Where the Gaussian comes from: of all densities with a given mean and variance, it knows nothing else.

    maximize H(p) = −∫ p log p   s.t.  ∫p = 1,  E_p f = μ̂   ⇒   p = exp(λ·f)/Z,   λ = −ν,   dH*/dμ̂ = −λ

Other knowledge, other names: a positive mean gives the exponential, E|x| Laplace's density, E log x and
E log(1 − x) the beta, a mean direction von Mises'. And some knowledge has no density of largest entropy:
kurtosis above 3 is approached by Gaussians with vanishing mass ever farther out.

Source: E. T. Jaynes, "Information theory and statistical mechanics", Physical Review 106, 1957.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy import special, stats

from adjoint.models import Interval, MaxEnt

digamma, bessel = special.digamma, special.i1(2) / special.i0(2)
known = {
    "Gaussian": ("line", {"mean": 1, "variance": 4}, stats.norm(1, 2)),
    "exponential": ("half line", {"mean": 2}, stats.expon(scale=2)),
    "Laplace": ("line", {"abs": 1}, stats.laplace()),
    "uniform": (Interval(0, 1), {}, stats.uniform()),
    "beta": (
        Interval(0, 1),
        {"log": digamma(1.5) - digamma(4.5), "log1m": digamma(3) - digamma(4.5)},
        stats.beta(1.5, 3),
    ),
    "von Mises": ("circle", {"cos": bessel, "sin": 0}, stats.vonmises(2)),
}
models, worst = {}, 0.0
print("density      entropy      steps   natural parameters λ")
for name, (support, moments, law) in known.items():
    models[name] = model = MaxEnt(support, moments=moments).fit()
    x = law.ppf(np.linspace(0.01, 0.99, 99))
    worst = max(worst, np.max(np.abs(model.density(x) / law.pdf(x) - 1)), model.residuals_.worst)
    lam = "  ".join(f"{key} {value + 0.0:.6f}" for key, value in model.natural_parameters_.items())
    print(f"{name:11s} {model.entropy_:9.6f}   {model.n_iter_:6d}   {lam}")

# a multiplier is a price: what a little more variance adds to the entropy, −λ = 1/(2σ²)
h = 1e-4
more, less = (MaxEnt("line", moments={"mean": 1, "variance": v}).fit() for v in (4 + h, 4 - h))
bought = (more.entropy_ - less.entropy_) / (2 * h)
price = models["Gaussian"].multipliers_["variance"]
print(f"\ndH*/dσ² = {price:.9f}; by solving again {bought:.9f}\n")

shapes = {}
for kurtosis in (0.9, 2.0, 3.0, 3.5):
    moments = {"mean": 0, "variance": 1, "skewness": 0, "kurtosis": kurtosis}
    shapes[kurtosis] = MaxEnt("line", moments=moments).fit()
    print(f"kurtosis {kurtosis}: {shapes[kurtosis].message_}")

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    figure, axes = plt.subplots(2, 3, figsize=(9, 5), layout="constrained")
    for ax, (name, model) in zip(axes.ravel(), models.items(), strict=True):
        x = np.linspace(*known[name][2].ppf([1e-3, 0.999]), 400)
        ax.fill_between(x, model.density(x), alpha=0.4)
        ax.set(title=f"{name}: knows {', '.join(known[name][1]) or 'nothing'}", ylim=(0, None))
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "where_the_gaussian_comes_from.png", dpi=120)
    print("picture:", folder / "where_the_gaussian_comes_from.png")

verdicts = [model.status_.name for model in shapes.values()] == [
    "INFEASIBLE",
    "SOLVED",
    "SOLVED",
    "UNATTAINED",
]
ok = worst < 1e-8 and abs(price - bought) < 1e-7 and verdicts
print(f"check: densities off by {worst:.1e}, price by {abs(price - bought):.1e}  {'ok' if ok else 'FAILED'}")
