"""`numpy.linalg`, whole; its functions also take lists that contain Variables."""

from __future__ import annotations

from typing import Any

import numpy as np

from .lists import entry

__all__: list[str] = []  # everything here is NumPy's own


def __getattr__(name: str) -> Any:
    return entry(np.linalg, name)


def __dir__() -> list[str]:
    return dir(np.linalg)
