"""‖λ‖ of a program's constraints over the steps of a training: what explodes, what vanishes, and where."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import LeakError, UnknownNameError, describe, refusal
from ..ops.abstract import Abstract
from ..ops.primitive import innermost, parts
from ..text import number, table
from .multipliers import Multiplier, Multipliers
from .pairing import length

GROUPS = ("name", "scope")


class MultiplierHistory:
    """Norms of multipliers, recorded once per step. It holds numbers and names only; it can be pickled.

    Args:
        by: "name": one column for each named constraint (for every constraint, where none has a name);
            "scope": one for each scope, of all that was recorded in it; parameters `encoder/W`, which are
            recorded outside, belong to `encoder`; or a function of a `Multiplier` that returns the name of
            its column, None for none. What falls into one column has one norm, √Σ‖λ‖².

    Raises:
        ValueError: another word.

    >>> import numpy as np
    >>> import adjoint as ad
    >>> def loss(w, x):
    ...     h = ad.name(np.tanh(x * w), "h")
    ...     return np.mean(h**2)
    >>> history, w = ad.MultiplierHistory(), 1.0
    >>> for x in np.eye(3):
    ...     value, gradient, multipliers = ad.with_multipliers(loss, "h")(w, x)
    ...     history.record(multipliers)
    ...     w -= gradient
    >>> history.names, history.norms.shape, history["h"].round(3)
    (['h'], (3, 1), array([0.508, 0.438, 0.328]))
    """

    def __init__(self, by: str | Callable[[Multiplier], str | None] = "name") -> None:
        if not callable(by) and by not in GROUPS:
            raise ValueError(f"by is 'name', 'scope' or a function of a Multiplier, not {by!r}")
        self.by = by
        self._steps: list[int] = []
        self._norms: dict[str, list[float]] = {}
        self._sizes: dict[str, list[int]] = {}

    def record(self, multipliers: Multipliers | Mapping[str, Any], step: int | None = None) -> None:
        """Add the norms of one step.

        Args:
            multipliers: of `with_multipliers` (also compiled) or `Lagrangian.multipliers`; or anything by
                name: `Solution.multipliers`, a gradient in a dict of arrays, whose names are the columns
                whatever `by` is.
            step: its number; by default one more than that of the last.

        Raises:
            LeakError: they have no values: this runs while a program is traced, and would run once.
            TypeError: neither multipliers nor a dict.
            ValueError: the number is not larger than the last one.
        """
        found: dict[str, tuple[float, int]] = {}
        for name, value in self._grouped(multipliers):
            norm, size = found.get(name, (0.0, 0))
            found[name] = math.hypot(norm, _norm(value)), size + _size(value)
        last = self._steps[-1] if self._steps else -1
        step = last + 1 if step is None else int(step)
        if step <= last:
            raise ValueError(f"step {step} does not follow step {last}; numbers of steps grow")
        before = len(self._steps)
        self._steps.append(step)
        for name in found:
            self._norms.setdefault(name, [math.nan] * before)
            self._sizes.setdefault(name, [0] * before)
        for name, norms in self._norms.items():
            norm, size = found.get(name, (math.nan, 0))
            norms.append(norm)
            self._sizes[name].append(size)

    def _grouped(self, given: Multipliers | Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
        """Columns and values."""
        if isinstance(given, Multipliers):
            entries = list(given)
            if self.by == "name":
                entries = [e for e in entries if e.name] or entries
            return [(name, e.value) for e in entries if (name := self._column(e)) is not None]
        if not isinstance(given, Mapping):
            raise TypeError(
                f"cannot record {describe(given)}: pass Multipliers, or a dict of arrays by name\n"
                "  with_multipliers(f)(x) returns (value, gradient, multipliers)."
            )
        leaves, structure = trees.flatten(dict(given))
        return list(zip(trees.paths(structure), leaves, strict=True))

    def _column(self, entry: Multiplier) -> str | None:
        if callable(self.by):
            return self.by(entry)
        if self.by == "name":
            return entry.name or entry.label
        return entry.scope or entry.name.rpartition("/")[0] or None

    def __len__(self) -> int:
        """How many steps were recorded."""
        return len(self._steps)

    @property
    def names(self) -> list[str]:
        """The columns, in the order in which they were met: that of the program."""
        return list(self._norms)

    @property
    def steps(self) -> np.ndarray:
        """Numbers of the steps (T,), ascending."""
        return np.array(self._steps, int)

    @property
    def norms(self) -> np.ndarray:
        """‖λ‖ (T, k), a row for each step, a column for each name; NaN where a step did not have it."""
        return _columns(self._norms.values(), len(self))

    @property
    def sizes(self) -> np.ndarray:
        """How many elements λ had (T, k), 0 where a step did not have it."""
        return _columns(self._sizes.values(), len(self)).astype(int)

    @property
    def rms(self) -> np.ndarray:
        """‖λ‖ / √elements (T, k): comparable between layers of different widths."""
        return self.norms / np.sqrt(np.maximum(self.sizes, 1))

    def __getitem__(self, name: str) -> np.ndarray:
        """‖λ‖ (T,) of one column.

        Raises:
            UnknownNameError: there is none of that name.
        """
        if name not in self._norms:
            known = ", ".join(self._norms) or "none: nothing was recorded"
            raise UnknownNameError(f"no multipliers {name!r} were recorded; there are {known}")
        return np.array(self._norms[name])

    def __contains__(self, name: object) -> bool:
        return name in self._norms

    def table(self, limit: int = 40) -> str:
        """First, last, smallest and largest ‖λ‖ of every column.

        Args:
            limit: rows at most; what is left out is said in the last line.
        """
        rows = []
        for name in self.names[:limit]:
            known = [x for x in self._norms[name] if not math.isnan(x)] or [math.nan]
            rows.append([name, *map(number, (known[0], known[-1], min(known), max(known)))])
        text = table(["λ of", "first ‖λ‖", "last", "smallest", "largest"], rows, right=(1, 2, 3, 4))
        more = len(self.names) - limit
        return text + (f"\n… and {more} more" if more > 0 else "")

    def __repr__(self) -> str:
        return f"{len(self)} steps\n{self.table()}"


def _columns(columns: Iterable[list[Any]], steps: int) -> np.ndarray:
    stacked = [np.array(column, float) for column in columns]
    return np.stack(stacked, axis=1) if stacked else np.zeros((steps, 0))


def _norm(value: Any) -> float:
    for part in parts(value):
        if isinstance(innermost(part), Abstract):
            what = "these multipliers have no values: a program is being traced, which happens once"
            raise refusal(LeakError, what, "Return them from the compiled function, and record them outside.")
    with np.errstate(all="ignore"):  # infinite or NaN is recorded as it is: that is what one looks for
        return length(value)


def _size(value: Any) -> int:
    return sum(int(np.size(innermost(part))) for part in parts(value))
