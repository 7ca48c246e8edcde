"""Python's `isinstance`, `type`, `list`, `tuple` and `dict` as HIPS/autograd exports them.

Containers hold Variables as they are here, so three of them are Python's own. `isinstance` and `type` answer
for what a Variable stands for, so that a function asks the same of a recorded value as of a plain one:

>>> x = np.ones(2)
>>> ad.grad(lambda x: np.sum(x) if isinstance(x, np.ndarray) else 0.0)(x)
array([1., 1.])
"""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from .ops.abstract import Abstract
from .ops.primitive import innermost
from .tape import Variable

__all__ = ["dict", "isinstance", "list", "tuple", "type"]

dict, list, tuple = builtins.dict, builtins.list, builtins.tuple


def isinstance(x: Any, kinds: Any) -> bool:
    """As Python's; for a Variable also of the value it stands for.

    >>> ad.deriv(lambda x: 2 * x if isinstance(x, float) else x)(1.0)
    np.float64(2.0)
    """
    if builtins.isinstance(x, kinds):
        return True
    return builtins.isinstance(x, Variable) and issubclass(_kind(x), kinds)


def type(x: Any, *definition: Any) -> Any:
    """As Python's; of a Variable, that of the value it stands for."""
    if definition:
        return builtins.type(x, *definition)
    return _kind(x) if builtins.isinstance(x, Variable) else builtins.type(x)


def _kind(x: Variable) -> Any:
    value = innermost(x)
    if not builtins.isinstance(value, Abstract):
        return builtins.type(value)
    if value.shape:
        return np.ndarray
    return float if value.weak else value.dtype.type
