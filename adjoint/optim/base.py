"""What all optimizers share: the pair of functions, rates, and factors that keep a parameter's dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import tree as trees
from ..errors import ShapeError, TreeError, describe, refusal
from ..ops.broadcast import astype
from ..ops.elementwise import greater, sqrt, where
from ..ops.primitive import Recorded, dtype_of, shape_of
from ..ops.primitive import zeros_like as zeros_like_leaf

Tree = Any  # nested lists, tuples and dicts of arrays
Schedule = Callable[[Any], Any]  # number of updates done (0-d float64) → rate
Rate = float | Schedule


class Optimizer(NamedTuple):
    """An optimizer is two pure functions; whatever changes from step to step is in the state it hands out.

    Attributes:
        init: params → state.
        update: (gradient, state, params) → (new params, new state). The gradient has the containers and
            shapes of the parameters; a parameter keeps its dtype.
    """

    init: Callable[[Tree], Any]
    update: Callable[[Tree, Any, Tree], tuple[Tree, Any]]


# The counter is a 0-d float64, not a Python int: a compiled update takes it as an argument like any other.
START = np.float64(0.0)


def rate_at(rate: Rate, step: Any) -> Any:
    """The learning rate after `step` updates."""
    return rate(step) if callable(rate) else rate


def in_dtype_of(x: Any, factor: Any) -> Any:
    """The factor in x's dtype; Python floats as they are, since they do not promote.

    A 0-d float64, which a schedule or a bias correction is, would turn float32 parameters into float64.
    """
    if type(factor) in (float, int) or dtype_of(factor) == dtype_of(x):
        return factor
    return astype(factor, dtype=dtype_of(x))


def zeros_like(params: Tree) -> Tree:
    """Zeros in the containers, shapes and dtypes of the parameters."""
    return trees.tree_map(zeros_like_leaf, params)


def aligned(gradient: Tree, params: Tree) -> Tree:
    """The gradient in the parameters' dtypes, checked to have their containers and shapes.

    Raises:
        TreeError: the containers differ.
        ShapeError: a leaf's shape differs: broadcasting would change the parameter's shape.
    """
    found, structure = trees.flatten(gradient)
    wanted, expected = trees.flatten(params)
    if structure != expected:
        what = f"gradient and parameters are different containers: {structure} and {expected}"
        raise refusal(TreeError, what, "Pass the gradient as ad.grad returns it for these parameters.")
    for k, (g, p) in enumerate(zip(found, wanted, strict=True)):
        if shape_of(g) != shape_of(p):
            path = trees.paths(structure)[k] or "the parameter"
            what = f"update needs a gradient of the parameter's shape at {path}: {shape_of(g)}, {shape_of(p)}"
            operands = (describe(g, "gradient"), describe(p, "parameter"))
            raise refusal(ShapeError, what, "The order is update(gradient, state, params).", operands)
    return trees.unflatten(structure, [in_dtype_of(p, g) for g, p in zip(found, wanted, strict=True)])


def root(v: Any) -> Any:
    """√v for v ≥ 0. Its derivative at v = 0 is taken as 0, not ∞.

    v is 0 where a gradient has been 0 so far (rows of an embedding not met yet), and an infinite derivative
    times that zero would be NaN when an update is differentiated.
    """
    if not isinstance(v, Recorded):
        return np.sqrt(v)
    positive = greater(v, 0.0)
    return where(positive, sqrt(where(positive, v, 1.0)), 0.0)
