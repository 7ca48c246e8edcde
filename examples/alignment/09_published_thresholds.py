"""Five limits and their multipliers, as published for a language model, on synthetic scores of the same kind.

    E g ≥ b:    b   −2     −0.75    0.5     1.75     3
                λ*  0.270   0.457   0.647   0.871   1.290      published; the raw scores are not public

Normal scores with 128 responses per prompt, β = 0.1, and three numbers fitted to these five (mean of g,
spread of r, correlation) give the same curve. Why it bends: at this β the best of 128 responses has nearly
all the weight, so that a limit is bought by choosing others, until there are none. More of them lower λ*.

Source: X. Huang et al., NeurIPS 2024, arXiv:2405.19544. Picture: thresholds.png, in the folder given.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from adjoint.models import align
from adjoint.models.alignment import Scores

limits = np.array([-2.0, -0.75, 0.5, 1.75, 3.0])
published = np.array([0.270, 0.457, 0.647, 0.871, 1.290])
rng = np.random.default_rng(0)
z = rng.normal(size=(2, 600, 128))
safe = -2.95 + 3.0 * z[1]
helpful = 2.84 * (-0.17 * z[1] + np.sqrt(1 - 0.17**2) * z[0])


def thresholds(responses, levels):
    """λ* of each level, from the first responses of every prompt."""
    scores = Scores.dense(helpful[:, :responses], {"safe": safe[:, :responses]})
    answer = align(scores, beta=0.1, constraints=f"safe >= {levels[0]}")
    return answer, answer.pareto("safe", levels).multiplier


answer, lam = thresholds(128, limits)
print(answer)
print("\n    b   published       ours   off by")
for b, theirs, ours in zip(limits, published, lam, strict=True):
    print(f"{b:5.2f}   {theirs:9.3f}  {ours:9.3f}   {100 * (ours / theirs - 1):+.1f} %")
fewer = thresholds(32, limits)[1]
print("with 32 responses each:", fewer.round(3))
alike = np.corrcoef(lam, published)[0, 1]
size = np.median(answer.effective_sizes)

try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
except ImportError:
    print("no picture: pip install matplotlib")
else:
    levels = np.linspace(-2.5, 3.8, 64)
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for count, style in ((128, "-"), (64, "--"), (32, ":")):
        axes.plot(levels, thresholds(count, levels)[1], style, color="tab:blue", label=f"{count} responses")
    axes.plot(limits, published, "o", color="tab:red", label="published")
    axes.set(xlabel="required E g", ylabel="λ*", ylim=(0, 2.5), title="from thresholds to multipliers")
    axes.legend()
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    figure.savefig(folder / "thresholds.png", dpi=120)
    print("picture:", folder / "thresholds.png")

off = np.max(np.abs(lam / published - 1))
convex = np.all(np.diff(np.diff(lam)[1:]) > 0) and np.all(np.diff(lam) > 0)
ok = off < 0.03 and alike > 0.999 and convex and size < 1.5 and np.all(fewer[1:] > lam[1:])
print(f"check: off by {100 * off:.1f} % at most, {size:.2f} responses count  {'ok' if ok else 'FAILED'}")
