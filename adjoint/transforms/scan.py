"""Loops over the first axis with a carried state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import ShapeError, TreeError, refusal
from ..ops.primitive import shape_of
from .checkpoint import checkpoint as checkpointed


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    *,
    checkpoint: bool = False,
) -> tuple[Any, Any]:
    """`carry, y = f(carry, x)` for every x along the first axis of xs: the last carry and the stacked y.

    Args:
        f: one step. carry, x and y may be nested containers of arrays (y may be None).
        init: the first carry.
        xs: what to loop over, or None for `length` steps without input.
        length: number of steps; needed when xs is None.
        checkpoint: keep only the carries and run each step again in the adjoint sweep. f must then take
            everything that is differentiated from carry and x.

    Returns:
        `(carry, ys)`, ys with a new first axis (None for zero steps).

    Raises:
        ShapeError: leaves of xs differ in length.
        TreeError: f changes the structure of the carry, or does not return a pair.
    """
    leaves, structure = trees.flatten(xs)
    if not all(shape_of(x) for x in leaves):
        raise refusal(
            ShapeError,
            "scan needs one common length along the first axis, but a leaf of xs is a scalar: it has no axis",
        )
    lengths = {shape_of(x)[0] for x in leaves} | ({length} if length is not None else set())
    if len(lengths) != 1:
        found = f"lengths {sorted(lengths)}" if lengths else "neither xs nor length"
        raise refusal(ShapeError, f"scan needs one common length along the first axis, got {found}")
    step, carry, ys = checkpointed(f) if checkpoint else f, init, []
    for k in range(lengths.pop()):
        result = step(carry, trees.unflatten(structure, [x[k] for x in leaves]))
        if not (isinstance(result, tuple) and len(result) == 2):
            raise refusal(TreeError, f"scan: the step must return (carry, y), not {type(result).__name__}")
        if trees.flatten(result[0])[1] != trees.flatten(init)[1]:
            raise refusal(
                TreeError, f"scan: the step changed the structure of the carry: {trees.flatten(result[0])[1]}"
            )
        carry = result[0]
        ys.append(result[1])
    return carry, trees.tree_map(lambda *rows: np.stack(rows), *ys) if ys else None
