"""Data sets small enough to ship; sources and licences are in the .md file beside each."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np

FOLDER = Path(__file__).parent


class Split(NamedTuple):
    """A data set cut in two: images (n, 64) in [0, 1] and labels (n,) from 0 to 9."""

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray


def digits() -> tuple[np.ndarray, np.ndarray]:
    """The 1,797 handwritten digits of the UCI test set.

    Images (1797, 64) with grey values 0 … 16, labels (1797,).
    """
    with gzip.open(FOLDER / "digits.csv.gz", "rt") as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.int64)
    return table[:, :64].astype(np.float64), table[:, 64]


def digits_split(rng: np.random.Generator, held_out: float = 0.2) -> Split:
    """The digits in [0, 1], shuffled, a share of them held out."""
    x, y = digits()
    order = rng.permutation(len(y))
    x, y = x[order] / 16, y[order]
    cut = round(len(y) * (1 - held_out))
    return Split(x[:cut], y[:cut], x[cut:], y[cut:])
