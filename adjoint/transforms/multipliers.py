"""Multipliers of a plain function: the same sweep as `grad`, with λ of named values kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from .. import tree as trees
from ..ops.primitive import beside
from ..sweeps import Lagrangian, Multipliers, NonFinite, adjoint_sweep
from ..sweeps.certificate import first_non_finite
from .recording import Argnum, Recording, own


def with_multipliers(f: Callable[..., Any], *names: str, argnum: Argnum = 0) -> Callable[..., Any]:
    """A function that returns `(f(x), ∇f(x), Multipliers)`.

    Inside f, `ad.name(h, "h")` names a value.
    A name given twice becomes `h` and `h#2`; asking for `"h"` gives both.

    Args:
        f: returns a real scalar.
        *names: keep only these (and the arguments differentiated); all when none is given.
        argnum: which argument(s) to differentiate.

    Raises:
        UnknownNameError: a name that f did not give; the message lists those it gave.

    >>> import numpy as np
    >>> import adjoint as ad
    >>> def f(w):
    ...     h = ad.name(np.tanh(w), "h")
    ...     return np.sum(h * h)
    >>> value, gradient, multipliers = ad.with_multipliers(f, "h")(np.array([0.5]))
    >>> multipliers["h"]
    array([0.92423431])
    """

    @wraps(f)
    def derivative(*args: Any, **kwargs: Any) -> tuple[Any, Any, Multipliers]:
        run = Recording(f, args, kwargs, argnum)
        x = run.scalar_output("with_multipliers")
        if run.is_ours(x):
            found = Lagrangian(run.tape, x).multipliers
        else:
            found = Multipliers.from_sweep(run.tape, [])
        kept = {e.node for name in names for e in found.entries(name)} if names else {e.node for e in found}
        kept.update(x.index for x in run.inputs)
        gradient = own([found[x.index] for x in run.inputs])
        chosen = found.keep(kept)
        return own([run.plain(x)])[0], trees.unflatten(run.structure, gradient), chosen

    return derivative


def nan_origin(f: Callable[..., Any], *args: Any, argnum: Argnum = 0, **kwargs: Any) -> NonFinite | None:
    """The first operation of `f(*args)` whose value or multiplier is not finite: line, operands, ranges.

    Args:
        f: the function whose value or gradient is NaN or infinite; its outputs are summed.
        *args: its arguments.
        argnum: which argument(s) to differentiate.
        **kwargs: its keyword arguments.

    Returns:
        A report, or None when everything is finite.
    """
    with np.errstate(all="ignore"):  # NumPy's warnings say less than the report, and -W error would stop it
        run = Recording(f, args, kwargs, argnum)
        seeds = {
            x.index: beside(x).ones(x.shape, x.dtype)[()]
            for x in run.results
            if run.is_ours(x) and x.dtype.kind in "fc"
        }
        return first_non_finite(run.tape, adjoint_sweep(run.tape, seeds))
