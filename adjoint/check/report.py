"""What a check found: a list of findings with a verdict; `repr` is the text, nothing is printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..errors import AdjointError


class CheckError(AdjointError, AssertionError):
    """A check failed; the message is the report."""


@dataclass(frozen=True)
class Place:
    """Where a derivative is wrong, or has a kink: one entry, or a whole argument.

    Attributes:
        argument: the leaf's name, `"w"` or `"params/W"`; `"0"` when the function names no parameters.
        position: which argument of the function, from 0.
        index: the worst entry in that leaf; `()` for a scalar.
        output: the entry of the result, `None` for a scalar function or when it cannot be singled out.
        received: what the derivative says there.
        expected: what differences of the function say.
        wrong: how many of `looked_at` entries of the leaf are wrong.
        looked_at: how many entries of the leaf were compared one by one.
    """

    argument: str
    position: int
    index: tuple[int, ...]
    received: complex
    expected: complex
    output: tuple[int, ...] | None = None
    wrong: int = 1
    looked_at: int = 1

    def __str__(self) -> str:
        where = f"argument {self.argument}, index [{', '.join(map(str, self.index))}]"
        if self.output is not None:
            where += f", output [{', '.join(map(str, self.output))}]"
        return f"{where}: received {self.received:.10g}, expected {self.expected:.10g}"


@dataclass(frozen=True)
class Finding:
    """One comparison.

    Attributes:
        what: the property, "dot product" or "Taylor rate, order 1".
        error: the discrepancy, in the units of `limit` (for a rate: the rate itself).
        limit: what the error may be at most (for a rate: at least).
        passed: the verdict.
        detail: on failure, where: function, argument, index, received and expected.
        place: the same as data, where one entry could be singled out.
        kind: the likely mistake in words, where the evidence singles one out; else empty.
    """

    what: str
    error: float
    limit: float
    passed: bool
    detail: str = ""
    place: Place | None = None
    kind: str = ""

    def __str__(self) -> str:
        verdict = "ok  " if self.passed else "FAIL"
        text = f"{verdict}  {self.what:<44}{self.error:>10.2e}  (limit {self.limit:.1e})"
        if self.detail:
            text += "\n        " + self.detail.replace("\n", "\n        ")
        return text + (f"\n        likely: {self.kind}" if self.kind else "")


@dataclass(frozen=True)
class Report:
    """The findings of one check; true when all passed.

    Attributes:
        subject: what was checked.
        findings: the comparisons, in the order in which they were made.
        notes: what is no fault but should be known: kinks, jumps, noise.
        not_checked: what this check did not look at, and why.
        evaluations: how often the function and each derivative were called.
        rates: the table of Taylor remainders as text, empty when there is none.
        inconclusive: the comparison that nothing could decide, as in noise larger than every difference; such
            a report is not true, though nothing failed. Empty otherwise.
    """

    subject: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    not_checked: tuple[str, ...] = ()
    evaluations: dict[str, int] = field(default_factory=dict)
    rates: str = ""
    inconclusive: str = ""

    @property
    def passed(self) -> bool:
        """Whether every finding passed, there is at least one, and what matters could be compared."""
        return bool(self.findings) and all(f.passed for f in self.findings) and not self.inconclusive

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that did not pass."""
        return tuple(f for f in self.findings if not f.passed)

    @property
    def places(self) -> tuple[Place, ...]:
        """Where the derivative is wrong, the first found first."""
        return tuple(dict.fromkeys(f.place for f in self.failures if f.place is not None))

    @property
    def kind(self) -> str:
        """The likely mistake, in words; empty when nothing failed or the evidence singles none out."""
        return next((f.kind for f in self.failures if f.kind), "")

    def __bool__(self) -> bool:
        return self.passed

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def raise_on_failure(self) -> Report:
        """Raise CheckError with the report as its message unless everything passed; returns itself."""
        if not self.passed:
            raise CheckError(repr(self))
        return self

    def __repr__(self) -> str:
        verdict = "passed" if self.passed else f"FAILED {len(self.failures)} of {len(self.findings)} checks"
        if not self.findings:
            verdict = "FAILED: nothing was checked"
        elif self.inconclusive and not self.failures:
            verdict = f"INCONCLUSIVE: {self.inconclusive} decides nothing, see below"
        lines = [f"{self.subject}: {verdict}", *(f"  {f}" for f in self.findings)]
        lines += [f"  note  {note}" for note in self.notes]
        lines += [f"  not checked: {what}" for what in self.not_checked]
        if self.evaluations:
            counts = ", ".join(f"{what} × {n}" for what, n in self.evaluations.items() if n)
            lines.append(f"  evaluations: {counts}")
        if self.rates and not self.passed:
            lines += ["  " + line for line in self.rates.splitlines()]
        return "\n".join(lines)


class Summary(dict[str, Report]):
    """Reports by name; true when all passed, its repr a line each for those that failed."""

    def __init__(self, engine: str, reports: Mapping[str, Report]) -> None:
        super().__init__(reports)
        self.engine = engine

    def __bool__(self) -> bool:
        return bool(self.keys()) and all(self.values())

    @property
    def failures(self) -> tuple[Report, ...]:
        """The reports of what failed."""
        return tuple(report for report in self.values() if not report)

    def __repr__(self) -> str:
        findings = sum(len(report.findings) for report in self.values())
        right = len(self) - len(self.failures)
        lines = [f"{right} of {len(self)} primitives pass on {self.engine} ({findings} checks)"]
        lines += ["  " + repr(report).replace("\n", "\n  ") for report in self.failures]
        return "\n".join(lines)
