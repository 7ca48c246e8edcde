"""Fixed points by a distance of the user's; `ad.fixed_point` is the plainer way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import tree as trees
from ..transforms.implicit import FixedPoint
from ..transforms.naming import name_of
from .flatten import flatten

Function = Callable[..., Any]
MAX_STEPS = 100_000


def fixed_point(f: Function, a: Any, x0: Any, distance: Function, tol: float) -> Any:
    """x with x = f(a)(x), iterated from x0 and differentiable in a.

    Args:
        f: `f(a)` is a function of x, a contraction near the solution, written with NumPy functions.
        a: what the solution depends on: an array or a nested container.
        x0: where the iteration starts, an array or a container; it has no influence on derivatives.
        distance: `distance(x, previous)`, a number.
        tol: stop when the distance is at most that. The adjoint equation is iterated with the same distance.

    Raises:
        ConvergenceError: x did not settle in 100,000 steps, or is not finite.

    >>> def half_way(a):  # Heron's iteration for √a
    ...     return lambda x: 0.5 * (x + a / x)
    >>> ad.value_and_grad(lambda a: fixed_point(half_way, a, 1.0, lambda x, y: abs(x - y), 1e-12))(4.0)
    (np.float64(2.0), np.float64(0.25))
    """
    leaves, structure = trees.flatten((a,))
    start, unflatten = flatten(x0)

    def step(x: Any, a: Any) -> Any:
        return flatten(f(a)(unflatten(x)))[0]

    step.__name__ = name_of(f)

    def settled(x: Any, previous: Any) -> bool:
        return bool(distance(unflatten(x), unflatten(previous)) <= tol)

    return unflatten(FixedPoint(step, structure, 0.0, MAX_STEPS, settled)(start, *leaves))
