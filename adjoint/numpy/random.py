"""`numpy.random`, whole: what is drawn has no derivative.

A program that is compiled draws outside and takes the numbers as arguments.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__: list[str] = []  # everything here is NumPy's own


def __getattr__(name: str) -> Any:
    return getattr(np.random, name)


def __dir__() -> list[str]:
    return dir(np.random)
