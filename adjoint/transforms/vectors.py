"""Nested containers as one vector, and back; both ways differentiable."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import DTypeError, ShapeError, describe, refusal
from ..ops.broadcast import astype
from ..ops.primitive import dtype_of, shape_of

Function = Callable[..., Any]


def flatten(value: Any) -> tuple[Any, Function]:
    """All numbers of a nested container in one vector, and the function that puts them back.

    Args:
        value: nested lists, tuples and dicts (in the order of their keys) of arrays and numbers, real or
            complex, which may be Variables.

    Returns:
        `(vector, unflatten)`: the vector of shape (n,), in the dtype to which the leaves are promoted;
        `unflatten(v)` is a container like `value`, filled from v, where float and complex leaves keep their
        dtype. A complex number in the place of a real one loses its imaginary part.

    Raises:
        DTypeError: a leaf is no number.
        ShapeError: (by `unflatten`) v is not (n,).

    >>> vector, unflatten = flatten({"w": np.ones((2, 2)), "b": [3.0]})
    >>> vector
    array([3., 1., 1., 1., 1.])
    >>> unflatten(2 * vector)["b"]
    [np.float64(6.0)]
    """
    leaves, structure = trees.flatten(value)
    for leaf, path in zip(leaves, trees.paths(structure), strict=True):
        if dtype_of(leaf).kind not in "fciub":
            what = f"flatten needs numbers, got {describe(leaf)}{f' at {path}' if path else ''}"
            raise refusal(DTypeError, what, "Keep strings and objects outside the container.")
    shapes, kinds = [shape_of(x) for x in leaves], [dtype_of(x) for x in leaves]
    sizes = [math.prod(shape) for shape in shapes]
    vector: Any = np.concatenate([np.ravel(x) for x in leaves]) if leaves else np.zeros(0)

    def unflatten(vector: Any) -> Any:
        if shape_of(vector) != (sum(sizes),):
            what = f"unflatten needs a vector of {sum(sizes)} numbers, got shape {shape_of(vector)}"
            raise refusal(ShapeError, what)
        pieces, start = [], 0
        for shape, kind, size in zip(shapes, kinds, sizes, strict=True):
            piece = np.reshape(vector[start : start + size], shape)
            pieces.append(_in_kind(piece if shape else piece[()], kind))
            start += size
        return trees.unflatten(structure, pieces)

    return vector, unflatten


def _in_kind(piece: Any, kind: np.dtype[Any]) -> Any:
    """In the leaf's dtype if that is inexact: a vector that moved would lose its fractions as integers."""
    return piece if dtype_of(piece) == kind or kind.kind not in "fc" else astype(piece, dtype=kind)
