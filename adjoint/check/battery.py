"""All methods on one subject, cheapest first, and the report.

What is looked at depends on the size: up to a few dozen entries each is differentiated by itself; for large
inputs twenty evaluations must do, along two random directions that move every entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..ops.primitive import shape_of
from ..sweeps.pairing import in_double
from . import complex_step, kinds, products, rates, second, state
from .breaks import BREAKS, Breaks
from .line import BRIEF, USUAL, norm, spacing
from .locate import EXHAUSTIVE, Entry, absolute_gap, entries_of, try_entry, worst_entry, worst_result
from .report import Finding, Place, Report
from .slopes import (
    Claim,
    Comparison,
    compare,
    each_by_its_size,
    entry_scales,
    judge,
    noise_nearby,
    of_all_sizes,
    only,
    together,
)
from .subject import Arrays, Subject

LARGE = 1000  # entries: above, the budget below holds
BUDGET = 20  # evaluations of the function, of large inputs, while nothing is wrong
SINGLY = 32  # entries: up to so many, each is tried by itself
FEW = 4  # wrong arguments that are described one by one
APPROXIMATE = 1e-6  # relative: more is a mistake, whatever is solved inside
GRADIENT, JVP = "gradient against differences", "tangent against differences"


@dataclass
class Battery:
    """The state of one check.

    Attributes:
        subject: what is checked.
        order: 2 to check second derivatives.
        thorough: look at every argument, and at every entry of a few, by itself too.
        findings: the comparisons so far.
        not_checked: what was left out, and why.
        rates: the table of Taylor remainders.
        noise: by how much the function changes from call to call.
        inconclusive: the comparison with the function itself, where it decides nothing.
        breaks: kinks and jumps so far.
    """

    subject: Subject
    order: int = 1
    thorough: bool = True
    findings: list[Finding] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)
    rates: str = ""
    noise: float = 0.0
    inconclusive: str = ""

    def __post_init__(self) -> None:
        if self.order not in (1, 2):
            raise ValueError(f"order is 1 or 2, for second derivatives too, not {self.order!r}")
        self.breaks = Breaks(self.subject.labels)

    @property
    def notes(self) -> list[str]:
        """What is no fault but should be known."""
        return self.breaks.notes

    def report(self) -> Report:
        """What was found."""
        counts = dict(self.subject.counts)
        texts = tuple(self.notes), tuple(self.not_checked)
        return Report(self.subject.name, tuple(self.findings), *texts, counts, self.rates, self.inconclusive)

    def run(self) -> Battery:
        """Every method that applies."""
        subject = self.subject
        start = state.begin(self)
        if start is None:
            return self
        claim, first = start
        if subject.push is not None and subject.pull is not None:
            self.findings.append(products.dot_product(subject))
        if subject.pull is not None and not subject.scalar:
            self.findings.append(products.linearity(claim))
        main = self.slopes(claim)
        if self.order > 1:
            second.check(self, claim, main)
        if claim.gradient is not None:
            state.finish(self, claim, first, main)
        return self

    # ---------------------------------------------------------------------------------- slopes
    def slopes(self, claim: Claim) -> Comparison:
        """The claim against differences along lines, the complex step, the Taylor rate."""
        large = self.subject.size > LARGE
        direct = each_by_its_size if large and of_all_sizes(self.subject) else together
        main = self.line(claim, direct(self.subject), USUAL[:4] if large else USUAL, noise=self.noise)
        exact = self._complex_step(claim, main)
        sharp = claim if exact is None else replace(claim, exact=True)
        known = main.line.noise
        if exact is not None and main.verdict == "differs" and exact.verdict == "agrees":
            main, claim = replace(main, verdict="agrees"), sharp  # differences see nothing but chaos
        self._noise(claim, main)
        lines = [main]
        if main.verdict != "differs" or not self._tries_all():  # then its entries tell which it is
            lines += self._further_lines(claim, known, large)
        claim = sharp
        if exact is not None:
            lines.insert(1, exact)
        entries = self._singly(claim, known)
        self.conclude(claim, lines, entries, GRADIENT if self.subject.pull else JVP)
        if self.subject.push is not None and claim.gradient is not None:
            self._tangent(claim, main)
        excused = all(f.passed for f in self.findings) or None
        self.findings.append(rates.rate_finding(main, passed=excused))
        self.rates = rates.rate_table(main)
        return main

    def line(self, claim: Claim, v: Arrays, exponents: Sequence[float], **options: Any) -> Comparison:
        """One line; breaks along it are named and left out."""
        return self.breaks.line(claim, v, exponents, **options)

    def without(self, v: Arrays) -> Arrays:
        """A direction that leaves what is not differentiable alone."""
        return self.breaks.without(v)

    def _noise(self, claim: Claim, main: Comparison) -> None:
        """Say how exactly the function computes, where that is much less than its dtype allows."""
        least = spacing(claim.w, claim.base)
        if main.line.noise > 3e3 * least and main.verdict == "agrees" and main.scale:
            real = noise_nearby(claim, main.line)
            if real > 3e3 * least:
                size = max(norm([w * b for w, b in zip(claim.w, claim.base, strict=True)]), 1e-300)
                self.notes.append(
                    f"noise: values of the function are off by {real * claim.unit:.1e}, {real / size:.1e} of "
                    f"their size; its slopes can be told to {5 * main.expected.error / main.scale:.1e}"
                )

    def _complex_step(self, claim: Claim, main: Comparison) -> Comparison | None:
        """The claim against the complex step, if that agrees with differences to all the digits they have."""
        subject = self.subject
        if not complex_step.applies(subject, claim.base) or main.verdict not in ("agrees", "differs"):
            return None
        if claim.gradient is None or 5 * main.expected.error > 1e-3 * main.scale:
            return None
        exact = compare(replace(claim, exact=True), main.line.v, noise=main.line.noise)
        analytic = not main.expected.differs(exact.expected.value, 1e-7 * main.scale)
        if not analytic and main.line.is_wild() and exact.expected.value:
            analytic = exact.verdict == "agrees"  # a claim that hits it to nine digits does not by chance
        return exact if analytic and np.isfinite(exact.expected.value) else None

    def _further_lines(self, claim: Claim, known: float, large: bool) -> list[Comparison]:
        """Entries by their own size; every argument by itself."""
        subject = self.subject
        options: dict[str, Any] = {"noise": known, "table": False}
        if large:
            self.not_checked.append(
                f"single entries: random directions that move all {subject.size} of them were looked along"
            )
            spent = subject.counts[subject.names.get("value", "function")]
            if spent + 2 * len(BRIEF) > BUDGET:
                return []
            return [self.line(claim, each_by_its_size(subject), BRIEF, further=(), **options)]
        lines = [self.line(claim, each_by_its_size(subject), BRIEF, **options)]
        if self.thorough and len(subject.x) > 1:
            v = together(subject)
            lines += [self.line(claim, only(v, k), BRIEF, **options) for k, d in enumerate(v) if np.size(d)]
        return lines

    def _tries_all(self) -> bool:
        """Whether every entry is tried by itself."""
        return self.thorough and self.subject.size <= SINGLY

    def _singly(self, claim: Claim, known: float) -> list[Entry]:
        if not self._tries_all():
            return []
        entries = [
            try_entry(claim, k, index, known)
            for k, x in enumerate(self.subject.x)
            for index in np.ndindex(shape_of(x))
            if not self.breaks.has(k, index)
        ]
        for e in entries:
            if e.comparison.verdict in BREAKS:
                self.breaks.name(claim, e)
        return entries

    def _tangent(self, claim: Claim, main: Comparison) -> None:
        """Jv along the main line, against the same values; located where it alone is wrong."""
        by_push = Claim.of(claim.subject, claim.base, claim.w, None)
        received, size = by_push.received(main.line.v)
        c = judge(by_push, main.line, received, size)
        if c.verdict == "differs" and main.verdict != "differs":
            self.conclude(by_push, [c], [], JVP)
        else:
            passed = c.verdict != "differs"
            detail = (
                "" if passed else f"along a line: received {received:.10g}, expected {c.expected.value:.10g}"
            )
            self.findings.append(Finding(JVP, c.gap, c.allowed, passed, detail))

    # ------------------------------------------------------------------------------ conclusions
    def conclude(self, claim: Claim, lines: list[Comparison], entries: list[Entry], what: str) -> None:
        """One finding for what was compared, or one for every wrong argument."""
        wrong = [e for e in entries if e.wrong]
        pool = [c for c in lines if c.verdict == "differs"] + [e.comparison for e in wrong]
        sound = [c for c in [*lines, *(e.comparison for e in entries)] if c.verdict == "agrees"]
        worst = max(pool or sound[:2] or lines, key=lambda c: c.gap / c.allowed if c.allowed else c.gap)
        if not pool:
            open_lines = [c for c in lines if c.verdict == "unresolved"]
            if open_lines:
                some = f"{len(open_lines)} of {len(lines)} lines: " if sound else ""
                self.not_checked.append(f"{what}: {some}{unresolved(open_lines[0])}")
            if sound or not open_lines:
                self.findings.append(Finding(what, worst.gap, worst.allowed, True))
            elif what in (GRADIENT, JVP):
                self.inconclusive = what
            return
        slight = len(self.notes)
        places = self.places(claim, worst.line.noise, entries)
        # in single precision every step crosses kinks where there are many: a gap near its limit is no proof
        slack = 10 if self.breaks.excluded else 2
        if not places and (self.breaks.unnamed or worst.gap <= slack * worst.allowed):
            # where maxima meet, the slope along a line is no sum of those of its entries
            self.not_checked.append(f"{what}: lines that are not resolved; their entries agree one by one")
            self.findings.append(Finding(what, 0.0, worst.allowed, True))
            return
        if not places and len(self.notes) > slight:
            self.findings.append(Finding(what, worst.gap, max(worst.allowed, APPROXIMATE), True))
            return
        for place, kind in places:
            self.findings.append(
                Finding(what, worst.gap, worst.allowed, False, described(place), place, kind)
            )
        if not places:
            detail = "along a random direction only: every single entry agrees to what differences resolve"
            self.findings.append(Finding(what, worst.gap, worst.allowed, False, detail, self._whole(worst)))

    def _whole(self, c: Comparison) -> Place | None:
        """The only argument of a line along which something is wrong that no entry shows by itself."""
        moved = [k for k, d in enumerate(c.line.v) if d is not None and np.size(d)]
        if len(moved) != 1:
            return None
        name, position = self.subject.labels[moved[0]], self.subject.positions[moved[0]]
        return Place(name, position, (), c.received, c.expected.value)

    def places(self, claim: Claim, noise: float, known: list[Entry]) -> list[tuple[Place, str]]:
        """Every wrong argument: its worst entry, and the likely mistake; known entries stay known."""
        found: list[tuple[Place, str]] = []
        v = self.without(together(self.subject))
        for k, x in enumerate(self.subject.x):
            if not np.size(x) or len(found) >= FEW:
                continue
            tried = [e for e in known if e.leaf == k]
            if (
                any(e.wrong for e in tried)
                or compare(claim, only(v, k), table=False, noise=noise).verdict == "differs"
            ):
                place = self._place(claim, k, v, noise, tried)
                found += [place] if place else []
        return found

    def _place(
        self, claim: Claim, leaf: int, v: Arrays, noise: float, tried: list[Entry]
    ) -> tuple[Place, str] | None:
        subject, x = self.subject, self.subject.x[leaf]
        at = worst_entry(claim, v, leaf, absolute_gap, noise) if np.size(x) > EXHAUSTIVE else None
        entries = tried or entries_of(claim, leaf, at, noise)
        entries = [e for e in entries if not self.breaks.has(leaf, e.index)]
        wrong = [e for e in entries if e.wrong]
        if not wrong:
            return None
        if self._approximate(claim, leaf, entries):
            return None
        worst = max(wrong, key=lambda e: np.nan_to_num(abs(e.received - e.expected), nan=np.inf))
        output, received, expected = None, worst.received, worst.expected
        results = sum(np.size(b) for b in claim.base)
        if results > 1:
            output, received, expected = worst_result(claim, worst)
        kind = ""
        if claim.gradient is not None and results > 1:
            kind = kinds.at_one_place(received, expected) or kinds.pushforward(claim, leaf)
            if abs(received - expected) <= 1e-6 * abs(expected):  # right for this λ, wrong for another
                found = Place(
                    subject.labels[leaf], subject.positions[leaf], (), worst.received, worst.expected
                )
                return found, "wrong for some λ only: not linear in it"
        name, position = subject.labels[leaf], subject.positions[leaf]
        counts = len(wrong), len(entries)
        place = Place(name, position, worst.index, received, expected, output, *counts)
        evidence = kinds.Evidence(np.asarray(x), self._claimed(claim, leaf, entries), entries, results)
        return place, kind or kinds.likely(evidence)

    def _approximate(self, claim: Claim, leaf: int, entries: list[Entry]) -> bool:
        """Whether a claim is off by what an inner solver leaves: little, and not by single precision."""
        sizes = entry_scales(self.subject.x[leaf])  # what an entry contributes is its derivative times it
        size = max((abs(e.expected) * sizes[e.index] for e in entries), default=0.0)
        gap = max(abs(e.received - e.expected) * sizes[e.index] for e in entries if e.wrong)
        if claim.eps > 1e-12 or claim.gradient is None or not gap <= APPROXIMATE * size:
            return False
        if state.single_precision(claim, leaf):
            return False
        if claim.exact and any(
            e.wrong and abs(e.received - e.expected) > 0.01 * abs(e.expected) for e in entries
        ):
            return False  # a tolerance of something inside would show in the others too
        self.notes.append(
            f"approximate: the gradient of {self.subject.labels[leaf]} is off by {gap / size:.1e} of its "
            "size, as by the noise of something inside that is solved to a tolerance"
        )
        return True

    def _claimed(self, claim: Claim, leaf: int, entries: list[Entry]) -> np.ndarray:
        """The claimed gradient of one argument; of a tangent, as far as it was looked at."""
        shape = shape_of(self.subject.x[leaf])
        if claim.gradient is not None:
            g = claim.gradient[leaf]
            return np.zeros(shape) if g is None else np.reshape(in_double(g), shape)
        out = np.zeros(shape, np.result_type(*(type(e.received) for e in entries)))
        for e in entries:
            out[e.index] = e.received
        return out


def unresolved(c: Comparison) -> str:
    """Why a line says nothing."""
    if c.verdict != "unresolved":
        return f"a {c.verdict} lies on it"
    if not np.isfinite(c.expected.error):
        return "the function has no finite values nearby"
    return (
        f"differences resolve no more than {5 * c.expected.error:.1e} of {c.scale:.1e} here "
        f"(noise of the function {c.line.noise:.1e})"
    )


def described(place: Place) -> str:
    """A place in words."""
    text = str(place)
    if place.looked_at > 1:
        text += f"; {place.wrong} of {place.looked_at} entries compared are wrong"
    return text
