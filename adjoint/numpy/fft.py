"""`numpy.fft`, whole; its functions also take lists that contain Variables."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from . import fourier as _fourier  # noqa: F401  (enters the rules)
from .dispatch import FUNCTIONS
from .lists import taking_lists

__all__: list[str] = []  # everything here is NumPy's own


@functools.cache
def __getattr__(name: str) -> Any:
    found = getattr(np.fft, name)
    return taking_lists(found) if callable(found) and found in FUNCTIONS else found


def __dir__() -> list[str]:
    return dir(np.fft)
