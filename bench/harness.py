"""One harness for all benches: contestants side by side in one run, agreement first, then interleaved rounds.

A contestant is a factory. What it returns is called without arguments, gives (value, gradients) or whatever
was asked for, and returns when the numbers are there (jax: `block_until_ready`). The factory imports its
library; what is missing, or fails, is a line in the table with its reason. The order of a comparison:

1. Every contestant is built and called once; that time, compilation included, is shown apart as `first`.
2. Its result is compared with a float64 reference. One that disagrees is reported and not timed.
3. Warm-up; then repetitions are chosen so that a turn lasts at least `turn` seconds.
4. Rounds A B C A B C …: a slow spell of a shared machine meets everybody, and differences can be taken within
   a round.

Garbage collection is on unless `--no-gc` is given, as it is for users: libraries that allocate many
objects pay for it. What exists before the first round is frozen (no contestant pays for walking through
another's modules), and every turn starts after a collection (none pays for another's garbage). Results are
dropped inside the timed part: freeing has its price.
"""

from __future__ import annotations

import gc
import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from agreement import Result, deviation
from environment import clock, machine

Run = Callable[[], Result]
NEWLINE = "\n"


class Skip(Exception):
    """Raised by a contestant's factory: why it does not take part; without a reason it leaves no row."""


@dataclass
class Contestant:
    """Somebody who computes (value, gradients).

    Attributes:
        name: the row of the table.
        build: imports the library, makes the data its own, and returns the function to time; may raise Skip.
        package: the distribution whose version is reported.
    """

    name: str
    build: Callable[[], Run]
    package: str = ""


@dataclass
class Measurement:
    """What was seen of one contestant: a reason why it was not timed, or seconds per call for every round."""

    name: str
    reason: str = ""
    error: float = math.nan  # largest deviation from the reference, relative to the size of each array
    first: float = math.nan  # seconds to build and call once
    repetitions: int = 0
    times: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Seconds per call."""
        return statistics.median(self.times)

    @property
    def iqr(self) -> float:
        """Interquartile range of the rounds, in seconds per call."""
        return spread(self.times)

    def above(self, other: Measurement) -> list[float]:
        """Seconds per call more than `other`, round by round."""
        return [a - b for a, b in zip(self.times, other.times, strict=True)]


def spread(times: Sequence[float]) -> float:
    """The interquartile range."""
    if len(times) < 2:
        return 0.0
    low, _, high = statistics.quantiles(times, n=4, method="inclusive")
    return high - low


# ------------------------------------------------------------------------------------------ the comparison
def compare(
    contestants: Sequence[Contestant],
    reference: Result,
    *,
    rounds: int,
    tolerance: float = 1e-9,
    turn: float = 0.05,
    patience: float = math.inf,
) -> dict[str, Measurement]:
    """Check every contestant against the reference, then time those that agree, in interleaved rounds.

    Args:
        contestants: in the order of the table.
        reference: float64 value and gradients.
        rounds: turns per contestant.
        tolerance: largest relative deviation that counts as agreement.
        turn: seconds that one turn lasts at least.
        patience: seconds that a contestant may use up; then it rests, though not before its third round.

    Returns:
        name → measurement, in the given order.
    """
    found: dict[str, Measurement] = {}
    runs: dict[str, Run] = {}
    for c in contestants:
        m = found[c.name] = Measurement(c.name)
        begun = clock()
        try:
            run = c.build()
            result = run()
        except (ImportError, Skip) as why:
            m.reason = f"skipped: {why}"
            if not str(why):
                del found[c.name]
            continue
        except Exception as why:  # a comparison outlives whoever cannot take part, and says why
            m.reason = f"failed: {type(why).__name__}: {str(why).strip().partition(NEWLINE)[0][:120]}"
            continue
        m.first = clock() - begun
        m.error = deviation(result, reference)
        del result
        if not m.error <= tolerance:
            m.reason = f"not timed: deviates from the reference by {m.error:.1e}, more than {tolerance:.0e}"
            continue
        runs[c.name] = run
        once = timed(run, 1)  # the warm-up
        if once < turn:
            once = min(timed(run, 1) for _ in range(3))
        m.repetitions = max(1, math.ceil(turn / once))
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        for name, run in runs.items():
            m = found[name]
            if len(m.times) >= 3 and sum(m.times) * m.repetitions > patience:
                continue
            gc.collect()
            m.times.append(timed(run, m.repetitions))
    gc.unfreeze()
    return found


def timed(run: Run, repetitions: int) -> float:
    """Seconds per call."""
    begun = clock()
    for _ in range(repetitions):
        run()
    return (clock() - begun) / repetitions


# ------------------------------------------------------------------------------------------ the report
def resident(key: str) -> int:
    """Bytes of the resident set now (VmRSS) or at its largest (VmHWM)."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; a row of two cells is a name and a remark."""
    full = [row for row in (header, *rows) if len(row) == len(header)]
    widths = [max(len(row[k]) for row in full) for k in range(len(header))]
    widths[0] = max(widths[0], *(len(row[0]) for row in rows))
    print(f"\n{title}")
    for row in (header, *rows):
        if row in full:
            cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        else:
            cells = [row[1]]
        print("  ".join(["", row[0].ljust(widths[0]), *cells]))


def emit(bench: str, case: str, contestant: str, value: float | None, unit: str, n: int, **more: Any) -> None:
    """Print one JSON line: one number with all that is needed to compare it later.

    Args:
        bench: the file that measured.
        case: the program and its size in words.
        contestant: the row of the table.
        value: in `unit`; None for who was not timed.
        unit: such as "ns/node".
        n: the size of the problem.
        **more: minimum, spread, versions, …
    """
    known = {"bench": bench, "case": case, "contestant": contestant, "value": value, "unit": unit, "n": n}
    line = known | more | machine()
    print(json.dumps({k: float(f"{v:.4g}") if type(v) is float else v for k, v in line.items()}))
