"""NumPy's functions as `adjoint.numpy` has them: they also take lists that contain Variables."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..ops.primitive import Recorded, innermost
from .creation import array, holds_variables, joined
from .dispatch import FUNCTIONS

# Functions whose first arguments are lists of arrays; elsewhere a list is one array.
_OF_LISTS = {
    np.concatenate: 1, np.stack: 1, np.vstack: 1, np.hstack: 1, np.dstack: 1, np.column_stack: 1,
    np.linalg.multi_dot: 1, np.select: 2, np.choose: 2,
}  # fmt: skip
# Functions of functions: what those capture may be recorded though no argument is.
_OF_FUNCTIONS = (np.apply_along_axis, np.piecewise)
_LOOKING_INSIDE = (np.block,)  # NumPy itself looks into their lists of lists
_ITERABLE = (list, tuple, Recorded)
_ABSTRACT = (np.integer, np.signedinteger, np.unsignedinteger)


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
    if isinstance(found, type) and issubclass(found, np.integer) and found not in _ABSTRACT:
        return _integer(found)
    ours = callable(found) and found in FUNCTIONS and found not in _LOOKING_INSIDE
    return taking_lists(found) if ours else found


def _integer(kind: Any) -> type:
    """NumPy's integer type, which called on a Variable gives plain integers: a cast without derivative.

    As a type it is NumPy's: in `isinstance` and `issubclass`, as a dtype, in comparisons.
    """

    class Like(type):
        def __instancecheck__(cls, x: object) -> bool:
            return isinstance(x, kind)

        def __subclasscheck__(cls, other: type) -> bool:
            return issubclass(other, kind)

        def __eq__(cls, other: object) -> bool:
            return True if other is cls or other is kind else NotImplemented

        def __hash__(cls) -> int:
            return hash(kind)

    def cast(cls: type, x: Any = 0, *options: Any) -> Any:
        return kind(innermost(x), *options)

    return Like(kind.__name__, (kind,), {"__new__": cast, "__doc__": kind.__doc__, "__wrapped__": kind})


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """As np.where, also by keywords; between plain Python values a Python bool chooses as `if` does."""
    if x is None and y is None:
        return np.where(joined(condition))
    plain = not any(isinstance(v, (np.ndarray, np.generic)) or holds_variables(v) for v in (x, y))
    if plain and isinstance(condition, bool):
        return x if condition else y
    call: Callable[..., Any] = entry(np, "where")
    return call(condition, x, y)
