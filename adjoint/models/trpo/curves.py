"""Learning curves: return, multipliers and KL over the steps of the environments."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import need, refusal
from ..base import DataError


def learning_curves(history: Sequence[Any], delta: float, path: str | os.PathLike[str]) -> None:
    """Save a picture with one panel each, and one for the cost where there is a limit on it.

    Raises:
        DataError: no line in the history.
        MissingPackageError: without matplotlib.
    """
    if not history:
        raise refusal(
            DataError, "there are no learning curves before anything is learned", "Call learn first."
        )
    need("matplotlib", "a picture of learning curves", "plot")
    from matplotlib.figure import Figure

    columns = {name: np.array([getattr(line, name) for line in history]) for name in history[0]._fields}
    limited = bool(np.any(columns["nu"] > 0) or np.any(columns["mean_cost"] > 0))
    panels = [
        ("mean_return", "return of an episode", "#1b5e9b"),
        ("lam", "λ of the KL limit\n(return per nat)", "#b4531f"),
        ("kl", f"KL of the step\n(limit {delta:g} nats)", "#444444"),
    ]
    if limited:
        panels[1:1] = [("mean_cost", "cost of an episode", "#7a3e9d")]
        panels[3:3] = [("nu", "ν of the cost limit\n(return per cost)", "#2e7d4f")]
    figure = Figure(figsize=(7.2, 1.75 * len(panels)), layout="constrained")
    for axes, (name, label, color) in zip(
        figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0], panels, strict=True
    ):
        axes.plot(columns["steps"], columns[name], color=color, lw=1.6, marker="o", ms=3)
        axes.set_ylabel(label, fontsize=9)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        if name == "kl":
            axes.axhline(delta, color="#999999", lw=1, ls="--")
            axes.set_ylim(bottom=0)
        recovered = columns["case"] == "RECOVERY"
        if name == "nu" and np.any(recovered):
            axes.plot(columns["steps"][recovered], columns[name][recovered], "rx", label="recovery")
            axes.legend(frameon=False, fontsize=8)
    axes.set_xlabel("steps of the environments")
    figure.savefig(os.fspath(path), dpi=144)
