"""Where a function has no derivative: kinks, jumps and infinite slopes, found by entry and named, not failed.

A line that crosses one is looked into by halving; the entry is left out, with all others of the same value
(the zeros of a sparse array are on the same kink), and the rest is checked without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..sweeps.pairing import in_double
from .locate import Entry, break_size, try_entry, worst_entry, worst_leaf
from .slopes import Claim, Comparison, compare, together
from .subject import Arrays

BREAKS = ("kink", "jump", "steep")
CLOSE = (3 / 8, 7 / 16, 1 / 2)  # steps, as powers of the rounding: from afar all kinks nearby count
FEW = 4  # kinks that are named one by one


@dataclass
class Breaks:
    """The breaks found so far.

    Attributes:
        labels: names of the arguments.
        notes: one sentence for each break.
        excluded: the entries left out, by argument.
        unnamed: whether lines go through more breaks than were located.
    """

    labels: Sequence[str]
    notes: list[str] = field(default_factory=list)
    excluded: dict[int, np.ndarray] = field(default_factory=dict)
    unnamed: bool = False

    def without(self, v: Arrays) -> Arrays:
        """A direction that leaves the breaks alone."""
        return [
            d if d is None or k not in self.excluded else np.where(self.excluded[k], 0.0, d)
            for k, d in enumerate(v)
        ]

    def has(self, leaf: int, index: tuple[int, ...]) -> bool:
        """Whether an entry is left out."""
        return leaf in self.excluded and bool(self.excluded[leaf][index])

    def line(self, claim: Claim, v: Arrays, exponents: Sequence[float], **options: Any) -> Comparison:
        """Compare along v; breaks on the way are located, named and left out."""
        for _ in range(FEW + 1):
            c = compare(claim, self.without(v), exponents=exponents, **options)
            finite = np.isfinite(c.received)
            if finite and c.verdict not in BREAKS:
                return c
            at = self._find(claim, c) if finite else self._infinite(claim)
            if at is None:
                return c
            if at.comparison.verdict not in BREAKS:
                return replace(c, verdict="differs") if at.wrong else c
            self.name(claim, at)
            x = np.asarray(claim.subject.x[at.leaf])
            same = x == x[at.index]
            self.excluded[at.leaf] = same | self.excluded.get(at.leaf, np.zeros_like(same))
            if not any(np.any(d) for d in self.without(v) if d is not None):
                return c  # nothing is left
        if not self.unnamed:
            self.notes.append("there are more breaks than were looked for one by one")
        self.unnamed = True
        return c

    def name(self, claim: Claim, e: Entry) -> None:
        """Add the sentence for one break."""
        c = e.comparison
        at = self.labels[e.leaf] + (f"[{', '.join(map(str, e.index))}]" if e.index else "")
        if c.verdict == "kink":
            length = float(np.abs(c.line.v[e.leaf][e.index])) / claim.unit
            below, above = (s / length + 0.0 for s in c.sides)  # −0 is 0
            text = f"kink at argument {at}: slopes {below:.6g} and {above:.6g}, "
            text += f"received {np.real(e.received) + 0.0:.6g} between"
            if sum(np.size(b) for b in claim.base) > 1:
                text += ", of a random combination of the results"
        elif c.verdict == "jump":
            text = f"jump at argument {at}: the function is not continuous there and has no derivative"
        else:
            text = f"infinite slope at argument {at}: received {np.real(e.received):.6g}"
        same = int(
            np.sum(np.asarray(claim.subject.x[e.leaf]) == np.asarray(claim.subject.x[e.leaf])[e.index])
        )
        if same > 1:
            text += f" ({same} entries of this value, left out)"
        if text not in self.notes:
            self.notes.append(text)

    def _infinite(self, claim: Claim) -> Entry | None:
        """The first entry whose claim is not finite."""
        for k, g in enumerate(claim.gradient or []):
            if g is None:
                continue
            bad = ~np.isfinite(in_double(g)) & ~self.excluded.get(k, np.zeros(np.shape(g), bool))
            if np.any(bad):
                return try_entry(claim, k, tuple(int(i) for i in np.argwhere(bad)[0]))
        return None

    def _find(self, claim: Claim, c: Comparison) -> Entry | None:
        v = self.without(together(claim.subject))
        leaf = worst_leaf(claim, v, break_size, c.line.noise)
        index = worst_entry(claim, v, leaf, break_size, c.line.noise, CLOSE)
        return try_entry(claim, leaf, index, c.line.noise)
