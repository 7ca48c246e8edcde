"""Constraints stated where their values are computed: `ad.constrain`, collected by `minimize`.

Sign convention: see `adjoint.problems`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from ..errors import ShapeError, describe, refusal
from ..ops.primitive import shape_of
from ..ops.sides import same_side
from ..tape.tape import scope_path


class Entry(NamedTuple):
    """One constraint as met while a function ran.

    Attributes:
        name: with the path of its scope.
        relation: "=", "≤" or "≥", as the user stated it.
        value: what is to be zero, or at most zero.
    """

    name: str
    relation: str
    value: Any


_collected: ContextVar[list[Entry] | None] = ContextVar(
    "constraints met by the running function", default=None
)


@same_side
def constrain(value: Any, *, upper: Any = None, lower: Any = None, equals: Any = None, name: str) -> Any:
    """Constrain an intermediate value of the function that `ad.minimize` is minimising.

    The constraint enters the same Lagrangian as those given by `eq=` and `ineq=`, and its multiplier is found
    under its name. With both `upper` and `lower` the names are `name.upper` and `name.lower`; inside
    `ad.scope("layer1")` they begin with `layer1/`.

    Args:
        value: an array or number, of any shape.
        upper: value ≤ upper, element by element; μ = −df*/d(upper).
        lower: value ≥ lower; μ = df*/d(lower).
        equals: value = equals; ν = −df*/d(equals). Not together with the others.
        name: name of the constraint; a repeated one becomes `name#2`.

    Returns:
        `value` itself, unchanged: also where nothing is being minimised.

    Raises:
        ShapeError: a limit does not broadcast to the shape of the value.
        ValueError: no limit is given, or `equals` with another.

    >>> import numpy as np
    >>> import adjoint as ad
    >>> def cost(x):
    ...     total = ad.constrain(np.sum(x), lower=2.0, name="demand")
    ...     return np.sum(x**2) + 0.0 * total
    >>> solution = ad.minimize(cost, np.zeros(2))
    >>> solution.x, float(solution.multipliers["demand"])
    (array([1., 1.]), 2.0)
    """
    limits = {"=": equals, "≤": upper, "≥": lower}
    given = {relation: limit for relation, limit in limits.items() if limit is not None}
    if not given or ("=" in given and len(given) > 1):
        what = f"constrain {name!r} needs upper=, lower= or both, or equals= alone"
        raise ValueError(str(refusal(ShapeError, what)))
    for limit in given.values():
        try:
            fits = np.broadcast_shapes(shape_of(value), shape_of(limit)) == shape_of(value)
        except ValueError:
            fits = False
        if not fits:
            what = f"constrain {name!r}: the limit must broadcast to the value's shape"
            raise refusal(ShapeError, what, operands=(describe(value, "value"), describe(limit, "limit")))
    entries = _collected.get()
    if entries is not None:
        path = scope_path()
        full = f"{path}/{name}" if path else name
        suffixes = {"≤": ".upper", "≥": ".lower"} if len(given) > 1 else {}
        for relation, limit in given.items():
            residual = limit - value if relation == "≥" else value - limit
            entries.append(Entry(_free(full + suffixes.get(relation, ""), entries), relation, residual))
    return value


def _free(name: str, entries: list[Entry]) -> str:
    count = sum(e.name.partition("#")[0] == name for e in entries)
    return f"{name}#{count + 1}" if count else name


@contextmanager
def collecting() -> Iterator[list[Entry]]:
    """Collect the constraints met inside; an inner `minimize` collects its own."""
    entries: list[Entry] = []
    token = _collected.set(entries)
    try:
        yield entries
    finally:
        _collected.reset(token)
