"""`scipy.integrate`: `odeint`, differentiable in start, times and arguments; the rest is SciPy's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import MissingRuleError, ShapeError, refusal
from ..numpy import array
from ..ops.broadcast import astype, reshape
from ..ops.primitive import FLOAT64, Recorded, dtype_of, shape_of
from ..transforms.trajectory import Trajectory

__all__ = ["odeint"]

PASSED = frozenset({"rtol", "atol", "hmax", "hmin", "mxstep", "mxhnil", "mxordn", "mxords", "h0"})


def odeint(func: Callable[..., Any], y0: Any, t: Any, args: Any = (), **options: Any) -> Any:
    """Integrate ẏ = func(y, t, *args) from y(t[0]) = y0 and return y at every time of t.

    On plain arguments this is SciPy's function, for states of any shape. On Variables the result depends
    differentiably on y0, on every entry of t and on args, to any order: reverse mode integrates the adjoint
    equation from time to time backwards, forward mode the equation of variations. Compiled, it runs by SciPy.

    Args:
        func: `func(y, t, *args)`, ẏ of y's shape; written with NumPy functions. A list of numbers will do.
        y0: state at t[0], any shape; a scalar counts as (1,), as in SciPy.
        t: (T,) times, rising or falling.
        args: what func depends on: a tuple of arrays or containers. Values that func takes from its
            surroundings do not count.
        **options: SciPy's. Where something is recorded, these: `rtol` and `atol` (1.5e-8 each; the sweeps
            take them too, of arrays the least), `hmax`, `hmin`, `h0`, `mxstep`, `mxordn`, `mxords`, `tfirst`.

    Returns:
        (T, *y0.shape) float64.

    Raises:
        ConvergenceError: the integrator stopped before it reached the end, or the solution cannot be traced
            backwards (an unstable direction), as it may happen from second order on in stiff problems.
        LeakError: func uses a recorded value that is not among args.
        MissingRuleError: an option that has no rule.
        ShapeError: t is not one-dimensional, or func does not return y's shape.

    >>> def decay(y, t, rate):
    ...     return -rate * y
    >>> times = np.array([0.0, 1.0, 2.0])
    >>> ad.grad(lambda rate: odeint(decay, 1.0, times, (rate,))[-1, 0])(0.5).round(6)  # −2 e⁻¹
    np.float64(-0.735759)
    """
    arguments = args if isinstance(args, (tuple, list)) else (args,)
    leaves, structure = trees.flatten(tuple(arguments))
    name = f"odeint({getattr(func, '__name__', 'function')})"
    recorded = any(isinstance(x, Recorded) for x in (y0, t, *leaves))
    y0, t = _floats(y0), _floats(t)
    shape = shape_of(y0) or (1,)
    first = bool(options.get("tfirst", False))

    def rate(y: Any, time: Any, leaves: Sequence[Any]) -> Any:
        state, inner = reshape(y, shape=shape), trees.unflatten(structure, list(leaves))
        result = _floats(func(time, state, *inner) if first else func(state, time, *inner))
        if shape_of(result) != shape and math.prod(shape_of(result)) != math.prod(shape):
            raise refusal(ShapeError, f"{name} must return the shape of y: {shape}, got {shape_of(result)}")
        return reshape(result, shape=(math.prod(shape),))

    op = Trajectory(name, rate, {k: v for k, v in options.items() if k != "tfirst"})
    start = reshape(y0, shape=(math.prod(shape),))
    if not recorded:
        from scipy.integrate import odeint as solve

        z = solve(lambda y, time: op.plain_rate(y, time, leaves), start, t, **op.options)
        return (_shaped(z[0], shape), *z[1:]) if isinstance(z, tuple) else _shaped(z, shape)
    _check(name, op.options, t)
    z = op(np.zeros(0), start, t, *leaves)
    return _shaped(z, shape)


def _check(name: str, options: dict[str, Any], t: Any) -> None:
    """Refuse what has no rule."""
    odd = [f"{option}=" for option, given in options.items() if option not in PASSED and given]
    if odd:
        remedy = "Leave it away where a derivative is taken, or call scipy.integrate.odeint on plain values."
        raise refusal(MissingRuleError, f"{name} has no rule with {', '.join(odd)}", remedy)
    if len(shape_of(t)) != 1:
        raise refusal(ShapeError, f"{name} needs times of shape (T,), got {shape_of(t)}")


def _shaped(z: Any, shape: tuple[int, ...]) -> Any:
    return z if len(shape) == 1 else reshape(z, shape=(*shape_of(z)[:1], *shape))


def _floats(x: Any) -> Any:
    """An array, or list of numbers and Variables, in float64."""
    if not isinstance(x, Recorded):
        x = array(x) if isinstance(x, (list, tuple)) else np.asarray(x)
    return x if dtype_of(x) == FLOAT64 else astype(x, dtype=FLOAT64)


def __getattr__(name: str) -> Any:
    from scipy import integrate

    return getattr(integrate, name)


def __dir__() -> list[str]:
    from scipy import integrate

    return sorted({*__all__, *dir(integrate)})
