"""The norm of a whole gradient, and a bound on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree as trees
from ..ops.primitive import shape_of
from ..ops.sides import same_side
from .base import Tree, in_dtype_of


@same_side
def global_norm(tree: Tree) -> Any:
    """√Σ x² over all leaves of a container: a 0-d float; its derivative at zero is 0.

    >>> import numpy as np
    >>> from adjoint import optim
    >>> optim.global_norm({"a": np.array([3.0]), "b": [np.array([[4.0]])]})
    np.float64(5.0)
    """
    norms = [np.linalg.norm(np.reshape(x, -1) if shape_of(x) else x) for x in trees.flatten(tree)[0]]
    return np.linalg.norm(np.stack(norms)) if norms else np.float64(0.0)


def clip_by_global_norm(max_norm: float) -> Callable[[Tree], Tree]:
    """A function that shortens a gradient to `max_norm` where it is longer, and keeps its direction.

    g ← g · min(1, max_norm / (‖g‖ + 1e-6)), ‖g‖ over all leaves; the constant is PyTorch's.

    Args:
        max_norm: bound on `global_norm`, > 0, in units of the gradient.

    Raises:
        ValueError: max_norm is not positive.

    >>> import numpy as np
    >>> from adjoint import optim
    >>> clip = optim.clip_by_global_norm(1.0)
    >>> clip([np.array([3.0]), np.array([4.0])])
    [array([0.59999988]), array([0.79999984])]
    """
    if not max_norm > 0:
        raise ValueError(f"clip_by_global_norm needs max_norm > 0, got {max_norm!r}")

    def clip(gradient: Tree) -> Tree:
        factor = np.minimum(max_norm / (global_norm(gradient) + 1e-6), 1.0)
        return trees.tree_map(lambda g: g * in_dtype_of(g, factor), gradient)

    return clip
