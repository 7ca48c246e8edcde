"""Functions of containers as functions of one vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..transforms.vectors import flatten

__all__ = ["flatten", "flatten_func"]

Function = Callable[..., Any]


def flatten_func(f: Function, example: Any) -> tuple[Function, Function, Any]:
    """f as a function from vector to vector.

    Args:
        f: a function whose first argument and whose result are containers of arrays.
        example: such an argument.

    Returns:
        `(flat_f, unflatten, vector)`: `flat_f(v, *args)` is `f(unflatten(v), *args)` as a vector; `vector` is
        the example's.
    """
    vector, unflatten = flatten(example)

    def flat(v: Any, *args: Any) -> Any:
        return flatten(f(unflatten(v), *args))[0]

    return flat, unflatten, vector
