"""What a check found: a list of findings with a verdict; `repr` is the text, nothing is printed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import AdjointError


class CheckError(AdjointError, AssertionError):
    """A check failed; the message is the report."""


@dataclass(frozen=True)
class Finding:
    """One comparison.

    Attributes:
        what: the property, "dot product" or "Taylor rate, second order".
        error: the discrepancy, in the units of `limit` (for a rate: the rate itself).
        limit: what the error may be at most (for a rate: at least).
        passed: the verdict.
        detail: on failure, where: function, argument, index, received and expected.
    """

    what: str
    error: float
    limit: float
    passed: bool
    detail: str = ""

    def __str__(self) -> str:
        verdict = "ok  " if self.passed else "FAIL"
        text = f"{verdict}  {self.what:<44}{self.error:>10.2e}  (limit {self.limit:.1e})"
        return text + (f"\n        {self.detail}" if self.detail else "")


@dataclass(frozen=True)
class Report:
    """The findings of one check; true when all passed."""

    subject: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether every finding passed (and there is at least one)."""
        return bool(self.findings) and all(f.passed for f in self.findings)

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that did not pass."""
        return tuple(f for f in self.findings if not f.passed)

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
        return "\n".join([f"{self.subject}: {verdict}", *(f"  {f}" for f in self.findings)])
