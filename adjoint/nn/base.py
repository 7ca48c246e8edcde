"""What the layers share: names of types, and the error for shapes that do not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ShapeError, describe, refusal
from ..ops.device import as_array as plain_array
from ..ops.primitive import Recorded

Array = Any  # an array, or a Variable that stands for one: a layer answers with what it is given
Params = Mapping[str, Any]  # a layer's parameters by name; dicts of them for layers made of layers


def as_array(x: Any) -> Any:
    """A Variable as it is, anything else as an array."""
    return x if isinstance(x, Recorded) else plain_array(x)


def misfit(what: str, remedy: str = "", **operands: Any) -> ShapeError:
    """The error of a layer: what it needs, the user's line, the operands' shapes and dtypes, the remedy."""
    return refusal(ShapeError, what, remedy, [describe(x, label) for label, x in operands.items()])
