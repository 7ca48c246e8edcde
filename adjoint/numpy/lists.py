"""NumPy's functions as `adjoint.numpy` has them: they also take lists that contain Variables."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ops.primitive import Recorded
from .creation import array, holds_variables, joined
from .dispatch import FUNCTIONS

# Functions whose first arguments are lists of arrays; elsewhere a list is one array.
_OF_LISTS = {
    np.concatenate: 1, np.stack: 1, np.vstack: 1, np.hstack: 1, np.dstack: 1, np.column_stack: 1,
    np.linalg.multi_dot: 1, np.select: 2,
}  # fmt: skip
# Functions of functions: what those capture may be recorded though no argument is.
_OF_FUNCTIONS = (np.apply_along_axis, np.piecewise)
_ITERABLE = (list, tuple, Recorded)


def taking_lists(function: Callable[..., Any]) -> Callable[..., Any]:
    """A NumPy function that takes lists of Variables for arrays, and Variables wherever its rule does.

    NumPy asks only some arguments whether they are recorded, and looks into lists of arrays alone.
    """
    lists = _OF_LISTS.get(function, 0)

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        if function not in _OF_FUNCTIONS and not any(
            [isinstance(a, _ITERABLE) for a in (*args, *options.values())]
        ):
            return function(*args, **options)
        operands = [_operand(a, k < lists) for k, a in enumerate(args)]
        named = {name: _operand(a, lists > 0) for name, a in options.items()}
        everything = (*operands, *named.values())
        witness = next((a for a in everything if isinstance(a, Recorded)), None)
        if witness is None and function in _OF_FUNCTIONS:
            return FUNCTIONS[function](*args, **options)
        if witness is None:  # NumPy looks into lists of arrays itself
            return function(*operands, **named)
        kind: Any = type(witness)
        return kind.__array_function__(witness, function, (kind,), tuple(operands), named)

    return call


def _operand(x: Any, is_list: bool) -> Any:
    if not isinstance(x, (list, tuple)) or not holds_variables(x):
        return x
    return [joined(part) for part in x] if is_list else array(x)


@functools.cache
def entry(module: Any, name: str) -> Any:
    """What our twin of a module of NumPy has under a name: the function taking lists, or NumPy's own."""
    found = getattr(module, name)
    return taking_lists(found) if callable(found) and found in FUNCTIONS else found
