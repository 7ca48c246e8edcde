"""NumPy's namespace: `import adjoint.numpy as np`.

Plain `import numpy` works too, since Variables answer NumPy's protocols. This module adds what NumPy does not
dispatch, `array([x, y])`, `full(shape, x)`, `r_[x, 0.0]`, and lists of Variables wherever NumPy takes arrays,
`sum([x, y])`; every other name is NumPy's own.
"""

from __future__ import annotations

from typing import Any

import numpy as _np

from . import choosing as _choosing  # noqa: F401  (these enter their rules)
from . import complexes as _complexes  # noqa: F401
from . import convolution as _convolution  # noqa: F401
from . import editing as _editing  # noqa: F401
from . import factorizations as _factorizations  # noqa: F401
from . import fft, linalg, random
from . import joining as _joining  # noqa: F401
from . import lists as _lists
from . import matrices as _matrices  # noqa: F401
from . import nans as _nans  # noqa: F401
from . import norms as _norms  # noqa: F401
from . import order as _order  # noqa: F401
from . import polynomials as _polynomials  # noqa: F401
from . import products as _products  # noqa: F401
from . import questions as _questions  # noqa: F401
from . import reductions as _reductions  # noqa: F401
from . import scans as _scans  # noqa: F401
from . import selecting as _selecting  # noqa: F401
from . import sequences as _sequences  # noqa: F401
from . import shaping as _shaping  # noqa: F401
from . import signals as _signals  # noqa: F401
from . import statistics as _statistics  # noqa: F401
from .creation import array, asarray, c_, full, full_like, make_diagonal, r_, row_stack
from .lists import where

__all__ = [
    "array", "asarray", "c_", "fft", "full", "full_like", "linalg", "make_diagonal", "r_", "random",
    "row_stack", "where",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    return _lists.entry(_np, name)


def __dir__() -> list[str]:
    return sorted({*__all__, *dir(_np)})
