"""The picture: every policy by how sharp and how polite it is, and the way of the multiplier."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .results import Results
from .tables import WHO

MARKS = {"free tilt": "x", "tilt": "P", "dpo": "s", "gradient": "^", "longer": "v", "iterative": "o"}


def draw(results: Results, path: Path) -> bool:
    """Write the picture as PNG; False where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.8), layout="constrained")
    for k, at in enumerate(results.found):
        for row in at.rows:
            sharp, clean = row.scores["sharp"], row.scores["clean"]
            left.errorbar(
                sharp.mean, clean.mean, clean.error, sharp.error, fmt=MARKS[row.who], color=f"C{k}",
                markersize=7, label=WHO[row.who] if k == 0 else None,
            )  # fmt: skip
        lams = [r.lam for r in at.path]
        right.plot(np.arange(1, len(lams) + 1), lams, "o-", color=f"C{k}", label=f"β = {at.beta:g}")
    scores = results.reference.scores
    left.plot(scores["sharp"].mean, scores["clean"].mean, "k*", markersize=12, label="before")
    left.axhline(results.settings.level, color="0.4", linestyle=":")
    sharp, clean = "sharp: sounds negative →", "clean: not offensive →"
    left.set(xlabel=sharp, ylabel=clean, title="at the exam (dotted: the limit; colors: β)")
    left.legend(fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.13))
    right.set(xlabel="round of training", ylabel="λ", title="the multiplier, from λ* on")
    right.legend(fontsize=8)
    figure.savefig(path, dpi=100)
    plt.close(figure)
    return True
