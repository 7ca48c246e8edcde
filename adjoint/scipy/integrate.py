"""`scipy.integrate`: `odeint`, differentiable in start, times and arguments; the rest is SciPy's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import DTypeError, MissingRuleError, ShapeError, refusal
from ..numpy.creation import asarray
from ..ops.broadcast import astype
from ..ops.primitive import FLOAT64, Recorded, dtype_of, shape_of
from ..ops.sides import host_only
from ..transforms.trajectory import Trajectory, from_row, to_row
from .theirs import theirs

__all__ = ["odeint"]

PASSED = frozenset({"rtol", "atol", "hmax", "hmin", "mxstep", "mxhnil", "mxordn", "mxords", "h0"})


@host_only
def odeint(func: Callable[..., Any], y0: Any, t: Any, args: Any = (), **options: Any) -> Any:
    """Integrate ẏ = func(y, t, *args) from y(t[0]) = y0 and return y at every time of t.

    On plain arguments this is SciPy's function, for states of any shape. On Variables the result depends
    differentiably on y0, on every entry of t and on args, to any order: reverse mode integrates the adjoint
    equation from time to time backwards, forward mode the equation of variations. Compiled, it runs by SciPy.
    It runs on the host: arrays of cupy are refused.

    Args:
        func: `func(y, t, *args)`, ẏ of y's shape; written with NumPy functions. A list of numbers will do.
        y0: state at t[0], any shape; a scalar counts as (1,), as in SciPy.
        t: (T,) times, rising or falling.
        args: what func depends on: a tuple of arrays or containers. Values that func takes from its
            surroundings do not count.
        **options: SciPy's. Where something is recorded, these: `rtol` and `atol` (1.5e-8 each; the sweeps
            take them too, of arrays the least), `hmax`, `hmin`, `h0`, `mxstep`, `mxordn`, `mxords`, `tfirst`.

    Returns:
        (T, *y0.shape) float64, or complex128 where y0 is complex (SciPy knows real states only).

    Raises:
        ConvergenceError: the integrator stopped before it reached the end, or the solution cannot be traced
            backwards (an unstable direction), as it may happen from second order on in stiff problems.
        DTypeError: func returns complex numbers for a real y.
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
    y0, t = _inexact(y0), _inexact(t)
    kind = dtype_of(y0)
    shape = shape_of(y0) or (1,)
    first = bool(options.get("tfirst", False))

    def rate(y: Any, time: Any, leaves: Sequence[Any]) -> Any:
        state, inner = from_row(y, shape, kind), trees.unflatten(structure, list(leaves))
        result = _inexact(func(time, state, *inner) if first else func(state, time, *inner))
        if shape_of(result) != shape and math.prod(shape_of(result)) != math.prod(shape):
            raise refusal(ShapeError, f"{name} must return the shape of y: {shape}, got {shape_of(result)}")
        if dtype_of(result) != kind:
            if dtype_of(result).kind == "c":
                what = f"{name} returned complex numbers for a state of real ones"
                raise refusal(DTypeError, what, "Start it with a complex y0: y0 + 0j.")
            result = astype(result, dtype=kind)
        return to_row(result)

    op = Trajectory(name, rate, {k: v for k, v in options.items() if k != "tfirst"})
    start = to_row(y0)
    if not any(isinstance(x, Recorded) for x in (y0, t, *leaves)):
        from scipy.integrate import odeint as solve

        slope = options.get("Dfun")
        if slope is not None:  # it too gets the arguments, which SciPy is not given
            op.options["Dfun"] = lambda y, time: slope(*((time, y) if first else (y, time)), *arguments)
        z = solve(lambda y, time: op.plain_rate(y, time, leaves), start, t, **op.options)
        return (from_row(z[0], shape, kind), *z[1:]) if isinstance(z, tuple) else from_row(z, shape, kind)
    _check(name, op.options, t)
    return from_row(op(np.zeros(0), start, t, *leaves), shape, kind)


def _check(name: str, options: dict[str, Any], t: Any) -> None:
    """Refuse what has no rule."""
    odd = [f"{k}=" for k, given in options.items() if k not in PASSED and (np.ndim(given) or given)]
    if odd:
        remedy = "Leave it away where a derivative is taken, or call scipy.integrate.odeint on plain values."
        raise refusal(MissingRuleError, f"{name} has no rule with {', '.join(odd)}", remedy)
    if len(shape_of(t)) != 1:
        raise refusal(ShapeError, f"{name} needs times of shape (T,), got {shape_of(t)}")


def _inexact(x: Any) -> Any:
    """An array, or list of numbers and Variables, in double precision."""
    x = asarray(x)
    kind = np.dtype(np.complex128) if dtype_of(x).kind == "c" else FLOAT64
    return x if dtype_of(x) == kind else astype(x, dtype=kind)


__getattr__, __dir__ = theirs("integrate", __all__)
