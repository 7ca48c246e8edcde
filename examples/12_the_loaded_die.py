"""The loaded die: its mean is 4.5 instead of 3.5; what are the odds of each face?

    maximize H(p) = −Σ p log p   s.t.  Σp = 1,  Σ k p_k = 4.5   ⇒   p_k = e^{λk}/Z,   dH*/dμ̂ = −λ

The dual A(λ) = log Σ e^{λk} − 4.5 λ is convex in one number, and Newton's steps find it. Its derivatives
are a mean and a variance; the library's derivatives of A as a program agree. What if the mean is known to ±ε
only, and what if the die cannot be? Then the answer says so.

Source: E. T. Jaynes, "Where do we stand on maximum entropy?", 1978 (Brandeis dice).
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import adjoint as ad
from adjoint.models import MaxEnt

faces = np.arange(1, 7)
die = MaxEnt(faces, moments=4.5).fit()
lam = die.natural_parameters_["mean"]
print(f"p = {die.probabilities_.round(5)}, λ = {lam:.6f} after {die.n_iter_} steps")
print(f"ν = {die.multipliers_['mean']:.6f}: one more eye in the mean changes the entropy by that much")

# derivatives of the dual: by the library, and as moments of the fitted die
slope, curvature = ad.grad(die.dual)(np.array([lam])), ad.hessian(die.dual)(np.array([lam]))
variance = die.predict(lambda k: k**2) - die.moments_["mean"] ** 2
print(f"A' = {slope[0]:.1e}, A'' = {curvature[0, 0]:.9f}, variance {variance:.9f}")

# the whole curve of entropies; its slope is ν everywhere, and 0 at the fair die
means = np.linspace(1.05, 5.95, 99)
dice = [MaxEnt(faces, moments=m).fit() for m in means]
entropy, nu = (
    np.array([get(d) for d in dice]) for get in (lambda d: d.entropy_, lambda d: d.multipliers_["mean"])
)
h = 1e-5
measured = [
    (MaxEnt(faces, moments=m + h).fit().entropy_ - MaxEnt(faces, moments=m - h).fit().entropy_) / (2 * h)
    for m in means[::14]
]
off = np.max(np.abs(measured - nu[::14]))

# the mean is known to ±ε: two multipliers ≥ 0, of which one is 0; both are where ε reaches the fair die
print("\n  ε     mean   μ_lower  μ_upper")
for epsilon in (0.1, 0.25, 0.5, 1.25):
    loose = MaxEnt(faces, moments=4.5, within=epsilon).fit()
    mu = loose.multipliers_
    print(f"{epsilon:4.2f}  {loose.moments_['mean']:.4f}   {mu['mean_lower']:.4f}   {mu['mean_upper']:.4f}")

# dice that cannot be, and the certificate u: u·k lies on one side of what is asked for
for mean in (6.0, 7.0):
    print(f"\nmean {mean}: {MaxEnt(faces, moments=mean).fit().message_}")

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    left.bar(faces, die.probabilities_, color="tab:blue")
    left.set(title="mean 4.5", xlabel="face", ylabel="probability")
    right.plot(means, entropy, label="H*")
    right.plot(means, nu, label="ν = dH*/dμ̂")
    right.axhline(0, color="0.7", linewidth=0.8)
    right.set(title="entropy and its price", xlabel="mean")
    right.legend()
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "the_loaded_die.png", dpi=120)
    print("picture:", folder / "the_loaded_die.png")

ok = die.n_iter_ <= 8 and off < 1e-7 and abs(curvature[0, 0] - variance) < 1e-9 and abs(lam - 0.371049) < 1e-6
print(f"check: {die.n_iter_} steps, ν off from dH*/dμ̂ by {off:.1e}  {'ok' if ok else 'FAILED'}")
