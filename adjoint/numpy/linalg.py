"""`numpy.linalg`, which dispatches everything itself."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__: list[str] = []  # everything here is NumPy's own


def __getattr__(name: str) -> Any:
    return getattr(np.linalg, name)


def __dir__() -> list[str]:
    return dir(np.linalg)
