"""Rewrites of rows by numbers that are special: ones, twos, powers of two; signs that cancel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...ops import elementwise as ew
from ...ops.abstract import Abstract
from ...ops.primitive import NO_PARAMS
from ..graph import Graph, Node, same_kind


def product(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """1·x is x, and −1·x is −x."""
    for a, b in (args, args[::-1]):
        if type(a) is not Node and same_kind(b, kind):
            if a == 1:
                return b
            if a == -1:
                return g.make(ew.negative, (b,), NO_PARAMS, kind)
    return None


def quotient(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """x/1 is x; a power of two divides as its inverse multiplies."""
    x, y = args
    if type(y) is Node or not same_kind(x, kind):
        return None
    if y == 1:
        return x
    if kind.dtype.kind == "f" and y and math.frexp(y)[0] in (0.5, -0.5):  # exact
        return g.make(ew.multiply, (x, kind.dtype.type(1 / y)), NO_PARAMS, kind)
    return None


def positive(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """+x is x."""
    return args[0] if same_kind(args[0], kind) else None


def negative(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """−(−x) is x."""
    return args[0].args[0] if args[0].op is ew.negative else None


def power(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """x¹ is x, and x² a square."""
    x, y = args
    if type(y) is Node or not same_kind(x, kind):
        return None
    if y == 1:
        return x
    return g.make(ew.square, (x,), NO_PARAMS, kind) if y == 2 and kind.dtype.kind == "f" else None
