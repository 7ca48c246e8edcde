"""All methods on one subject, cheapest first, and the report.

What is looked at depends on the size: up to a few dozen entries each is differentiated by itself; for large
inputs twenty evaluations must do, along two random directions that move every entry.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from ..ops.primitive import shape_of
from ..sweeps.pairing import in_double
from . import kinds, state
from .line import BRIEF, USUAL, Arrays
from .locate import (
    EXHAUSTIVE,
    Entry,
    absolute_gap,
    break_size,
    entries_of,
    try_entry,
    worst_entry,
    worst_leaf,
    worst_result,
)
from .rates import rate_finding, rate_table
from .report import Finding, Place, Report
from .slopes import Claim, Comparison, compare, each_by_its_size, only, together
from .subject import Subject

LARGE = 1000  # entries: above, the budget below holds
BUDGET = 20  # evaluations of the function, of large inputs, while nothing is wrong
SINGLY = 32  # entries: up to so many, each is tried by itself
FEW = 4  # kinks, and wrong arguments, that are named one by one


@dataclass
class Battery:
    """The state of one check."""

    subject: Subject
    order: int = 1
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)
    excluded: dict[int, np.ndarray] = field(default_factory=dict)
    rates: str = ""

    # ------------------------------------------------------------------------------- reporting
    def report(self) -> Report:
        """What was found."""
        counts = MappingProxyType(dict(self.subject.counts))
        return Report(
            self.subject.name,
            tuple(self.findings),
            tuple(self.notes),
            tuple(self.not_checked),
            counts,
            self.rates,
        )

    def run(self) -> Report:
        """Everything that applies."""
        start = state.begin(self)
        if start is None:
            return self.report()
        claim, first = start
        main = self.slopes(claim)
        state.finish(self, claim, first, main)
        return self.report()

    # ---------------------------------------------------------------------------------- slopes
    def slopes(self, claim: Claim) -> Comparison:
        """Differences along lines; on failure, where and what."""
        subject = self.subject
        large = subject.size > LARGE
        main = self._line(claim, together(subject), USUAL[:4] if large else USUAL)
        lines = [main]
        known = main.line.noise
        if not large or subject.counts[subject.names.get("value", "function")] <= BUDGET - 2 * len(BRIEF):
            further = () if large else (7 / 16, 1 / 2, 1 / 8, 1 / 16)
            lines.append(
                self._line(claim, each_by_its_size(subject), BRIEF, further=further, noise=known, table=False)
            )
        if not large and len(subject.x) > 1:
            v = together(subject)
            for k in range(len(v)):
                if np.size(subject.x[k]):
                    lines.append(self._line(claim, only(v, k), BRIEF, noise=known, table=False))
        elif large:
            self.not_checked.append(
                f"single entries: two directions that move all {subject.size} entries were looked along"
            )
        entries: list[Entry] = []
        if subject.size <= SINGLY:
            entries = [
                try_entry(claim, k, index, known)
                for k, x in enumerate(subject.x)
                for index in np.ndindex(shape_of(x))
                if not self._is_excluded(k, index)
            ]
            for e in entries:
                if e.comparison.verdict in ("kink", "jump", "steep"):
                    self._note_break(claim, e)
        self._conclude(claim, lines, entries)
        self.findings.append(rate_finding(main))
        self.rates = rate_table(main)
        return main

    def _line(self, claim: Claim, v: Arrays, exponents: Any, **options: Any) -> Comparison:
        """One line; breaks along it are located, named and left out."""
        for _ in range(FEW):
            c = compare(claim, self._without(v), exponents=exponents, **options)
            if c.verdict not in ("kink", "jump", "steep") and np.isfinite(c.received):
                return c
            at = self._infinite(claim) if not np.isfinite(c.received) else self._break(claim, c)
            if at is None:
                return c
            self._leave_out(at.leaf, at.index)
            if at.comparison.verdict in ("kink", "jump", "steep"):
                self._note_break(claim, at)
            else:
                return c
        self.notes.append(
            "more breaks than were looked for one by one; the claim lies between the one-sided slopes"
        )
        return c

    def _without(self, v: Arrays) -> Arrays:
        return [
            d if d is None or k not in self.excluded else np.where(self.excluded[k], 0.0, d)
            for k, d in enumerate(v)
        ]

    def _is_excluded(self, leaf: int, index: tuple[int, ...]) -> bool:
        return leaf in self.excluded and bool(self.excluded[leaf][index])

    def _leave_out(self, leaf: int, index: tuple[int, ...]) -> None:
        """Leave out an entry, and those of the same value: what is broken there is broken for all."""
        x = np.asarray(self.subject.x[leaf])
        same = x == x[index]
        before = self.excluded.get(leaf)
        self.excluded[leaf] = same if before is None else before | same

    def _infinite(self, claim: Claim) -> Entry | None:
        for k, g in enumerate(claim.gradient or []):
            if g is None:
                continue
            bad = ~np.isfinite(in_double(g))
            if k in self.excluded:
                bad &= ~self.excluded[k]
            if np.any(bad):
                return try_entry(claim, k, tuple(int(i) for i in np.argwhere(bad)[0]))
        return None

    def _break(self, claim: Claim, c: Comparison) -> Entry | None:
        noise = c.line.noise
        v = self._without(together(self.subject))
        leaf = worst_leaf(claim, v, break_size, noise)
        index = worst_entry(claim, v, leaf, break_size, noise)
        found = try_entry(claim, leaf, index, noise)
        return found if found.comparison.verdict in ("kink", "jump", "steep") else None

    def _note_break(self, claim: Claim, e: Entry) -> None:
        c = e.comparison
        label = self.subject.labels[e.leaf]
        at = f"argument {label}[{', '.join(map(str, e.index))}]" if e.index else f"argument {label}"
        if c.verdict == "kink":
            length = c.line.v[e.leaf][e.index] if e.index else c.line.v[e.leaf][()]
            below, above = (s / float(np.abs(length)) for s in c.sides)
            text = (
                f"kink at {at}: slopes {below:.6g} and {above:.6g}, "
                f"received {np.real(e.received):.6g} between"
            )
        elif c.verdict == "jump":
            text = f"jump at {at}: the function is not continuous there, no derivative to compare with"
        else:
            text = f"infinite slope at {at}: received {np.real(e.received):.6g}"
        if text not in self.notes:
            self.notes.append(text)

    # ------------------------------------------------------------------------------ conclusions
    def _conclude(self, claim: Claim, lines: list[Comparison], entries: list[Entry]) -> None:
        bad = [c for c in lines if c.verdict == "differs"]
        wrong = [e for e in entries if e.wrong]
        pool = bad or [e.comparison for e in wrong]
        sound = [c for c in [*lines, *(e.comparison for e in entries)] if c.verdict == "agrees"]
        if not pool and not sound:
            self.not_checked.append("slopes: " + self._why(lines[0]))
        worst = max(pool or sound or lines, key=lambda c: c.gap / c.allowed if c.allowed else c.gap)
        what = "central differences"
        if not pool:
            self.findings.append(Finding(what, worst.gap, worst.allowed, True))
            unresolved = sum(c.verdict == "unresolved" for c in lines)
            if unresolved and sound:
                self.not_checked.append(f"{unresolved} of {len(lines)} lines: " + self._why(lines[0]))
            return
        places = self.places(claim, worst.line.noise, wrong)
        if not places:
            detail = "along a random direction only: every single entry agrees to what differences resolve"
            self.findings.append(Finding(what, worst.gap, worst.allowed, False, detail))
        for place, kind in places:
            self.findings.append(
                Finding(what, worst.gap, worst.allowed, False, self.describe(place), place, kind)
            )

    def _why(self, c: Comparison) -> str:
        return (
            f"differences resolve no more than {5 * c.expected.error:.1e} of {c.scale:.1e} here "
            f"(noise of the function {c.line.noise:.1e})"
        )

    def describe(self, place: Place) -> str:
        """A place in words."""
        text = str(place)
        if place.looked_at > 1:
            text += f"; {place.wrong} of {place.looked_at} entries compared are wrong"
        return text

    def places(self, claim: Claim, noise: float, wrong: list[Entry]) -> list[tuple[Place, str]]:
        """Every wrong argument: its worst entry, and the likely mistake."""
        found: list[tuple[Place, str] | None] = []
        v = self._without(together(self.subject))
        for k, x in enumerate(self.subject.x):
            if not np.size(x) or len(found) >= FEW:
                continue
            if any(e.leaf == k for e in wrong):
                pass
            elif compare(claim, only(v, k), table=False, noise=noise).verdict != "differs":
                continue
            found.append(self.place(claim, k, noise))
        return [f for f in found if f is not None]

    def place(self, claim: Claim, leaf: int, noise: float) -> tuple[Place, str] | None:
        """The worst entry of one argument, and the likely mistake."""
        x = self.subject.x[leaf]
        v = self._without(together(self.subject))
        at = worst_entry(claim, v, leaf, absolute_gap, noise) if np.size(x) > EXHAUSTIVE else None
        entries = [e for e in entries_of(claim, leaf, at, noise) if not self._is_excluded(leaf, e.index)]
        wrong = [e for e in entries if e.wrong]
        if not wrong:
            return None
        worst = max(wrong, key=lambda e: np.nan_to_num(abs(e.received - e.expected), nan=np.inf))
        output, received, expected = None, worst.received, worst.expected
        if sum(np.size(b) for b in claim.base) > 1:
            output, received, expected = worst_result(claim, worst)
        place = Place(
            self.subject.labels[leaf],
            self.subject.positions[leaf],
            worst.index,
            received,
            expected,
            output,
            len(wrong),
            len(entries),
        )
        g = None if claim.gradient is None else claim.gradient[leaf]
        claimed = np.zeros(shape_of(x)) if g is None else in_double(g)
        results = sum(np.size(b) for b in claim.base)
        return place, kinds.likely(
            kinds.Evidence(np.asarray(x), np.reshape(claimed, shape_of(x)), entries, results)
        )
