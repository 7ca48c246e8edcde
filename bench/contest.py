"""A case from contestants to the line of the summary: what the benches of compiled programs share.

A ratio is the best other library's median over ours; NumPy by hand is shown and does not count as a library.
"""

from __future__ import annotations

import statistics
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import harness
from environment import versions
from harness import Contestant, Measurement, Run
from programs import BEST, Case, Goal
from rates import Rates

OURS, HAND = "adjoint", "NumPy by hand"
TOLERANCE = {"float32": 1e-3, "float64": 1e-9}
PATIENCE = 3.0  # seconds per contestant and case, after three rounds

# name of the row, key for --peers, package, builder
Entry = tuple[str, str, str, Callable[[Case], Run]]


def late(module: str, name: str) -> Callable[[Case], Run]:
    """A builder in programs.<module>, which imports its library only when somebody builds."""

    def build(case: Case) -> Run:
        run: Run = getattr(import_module(f"programs.{module}"), name)(case)
        return run

    return build


def add_filters(parser: ArgumentParser, entries: Sequence[Entry]) -> None:
    """Options for choosing cases and contestants."""
    keys = ",".join(sorted({key for _, key, _, _ in entries} - {OURS}))
    parser.add_argument("--peers", default=keys, help=f"who takes part besides ours: {keys}")
    parser.add_argument("--only", default="", help="cases whose titles contain one of these, by commas")
    parser.add_argument("--quick", action="store_true", help="3 rounds, without the largest sizes")


def chosen(given: Namespace, cases: Sequence[Case]) -> list[Case]:
    """The cases that --only asks for."""
    wanted = [part for part in given.only.split(",") if part]
    return [case for case in cases if not wanted or any(part in case.title for part in wanted)]


def run(
    bench: str,
    given: Namespace,
    cases: Sequence[Case],
    entries: Sequence[Entry],
    reference: Callable[[Case], Any],
    goal: float = 0.0,
) -> None:
    """All chosen cases, and the summary."""
    lines, rates, peers = [], Rates(), {OURS, *given.peers.split(",")}
    for case in chosen(given, cases):
        group = [
            Contestant(name, partial(build, case), package)
            for name, key, package, build in entries
            if key in peers
        ]
        lines.append(measure(bench, case, group, reference(case), 3 if given.quick else given.rounds, rates))
    print_summary(lines, goal)


def measure(
    bench: str, case: Case, group: Sequence[Contestant], reference: Any, rounds: int, rates: Rates
) -> dict[str, Any]:
    """Compare, print the table and the JSON lines; returns the line of the summary."""
    found = harness.compare(
        group, reference, rounds=rounds, tolerance=TOLERANCE[case.dtype], turn=0.03, patience=PATIENCE
    )
    rows = []
    ours = found.get(OURS)
    for m in found.values():
        if m.reason:
            rows.append([m.name, m.reason])
            continue
        ratio = f"{m.median / ours.median:.2f}" if ours and ours.times else "–"
        cells = [time(x) for x in (m.median, min(m.times), m.iqr)]
        rows.append([m.name, *cells, ratio, f"{m.first:.2f}", f"{m.error:.0e}"])
    header = ["", "median", "min", "IQR", "ratio", "first/s", "error"]
    harness.table(f"{case.title}, {rounds} rounds", header, rows)
    floor = case.floor(rates) if case.floor else 0.0
    installed = versions(c.package for c in group)
    line = summary(case, found, floor)
    for m in found.values():
        more: dict[str, Any] = {"reason": m.reason}
        if m.times:
            more = {"min": min(m.times), "iqr": m.iqr, "error": m.error, "first_s": m.first}
        if m.name == OURS:
            more["goals"] = "; ".join(line.get("goals", ()))
        value = m.median if m.times else None
        harness.emit(bench, case.title, m.name, value, "s", case.n, **more, floor_s=floor, versions=installed)
    return line


def summary(case: Case, found: dict[str, Measurement], floor: float) -> dict[str, Any]:
    """Ours, the best peer, the ratio, what the goals say, the floor."""
    timed = {name: m.median for name, m in found.items() if m.times}
    peers = {name: t for name, t in timed.items() if name not in (OURS, HAND)}
    best = min(peers, key=lambda name: peers[name]) if peers else None
    ours = timed.get(OURS)
    line: dict[str, Any] = {"case": case.title, "ours": ours, "best": best, "floor": floor}
    line["best_s"] = peers[best] if best else None
    line["hand_s"] = timed.get(HAND)
    if ours is None:
        line["why"] = found[OURS].reason if OURS in found else "not asked for"
    elif best:
        line["ratio"] = peers[best] / ours
        line["goals"] = [verdict(goal, ours, timed | {BEST: peers[best]}) for goal in case.goals]
    return line


def verdict(goal: Goal, ours: float, times: dict[str, float]) -> str:
    """A goal, and by how much it is met or missed."""
    if goal.against == "clock":
        wish, reached = f"≤ {time(goal.least)}", goal.least / ours
        return f"{wish}: met" if reached >= 1 else f"{wish}: MISSED by {100 * (1 / reached - 1):.0f} %"
    wish = f"≥ {goal.least:g}× {goal.against}"
    if goal.against not in times:
        return f"{wish}: not measured"
    reached = times[goal.against] / ours
    if reached >= goal.least:
        return f"{wish}: met"
    return f"{wish}: MISSED, {reached:.2f}×"


def time(seconds: float | None) -> str:
    """Seconds in the unit that suits them."""
    if seconds is None:
        return "–"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.1g} s"


def print_summary(lines: list[dict[str, Any]], goal: float) -> None:
    """The table of the whole run, and the geometric mean of the ratios beside its goal."""
    header = ["case", "ours", "best peer", "ratio", "by hand", "floor", "above it", "goals"]
    rows = []
    for line in lines:
        ours, floor = line["ours"], line["floor"]
        peer = f"{line['best']} {time(line['best_s'])}" if line["best"] else "–"
        ratio = f"{line['ratio']:.2f}" if "ratio" in line else "–"
        above = f"{ours / floor:.2f}×" if ours and floor else "–"
        goals = "; ".join(line.get("goals", [])) or line.get("why", "")
        rows.append(
            [line["case"], time(ours), peer, ratio, time(line["hand_s"]), time(floor or None), above, goals]
        )
    harness.table("Summary", header, rows)
    ratios = [line["ratio"] for line in lines if "ratio" in line]
    if ratios:
        mean = statistics.geometric_mean(ratios)
        state = f" (goal {goal:g}: {'met' if mean >= goal else 'MISSED'})" if goal else ""
        print(f"\nratio: geometric mean {mean:.2f}{state}, worst {min(ratios):.2f}")
