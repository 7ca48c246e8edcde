"""The README's tables from the benches' JSON lines: python bench/report.py run.txt … > table.md.

Reads the output of `compiled.py`, `variety.py` and `first_gradient.py` (anything that is not a JSON line is
passed over), of one thread or of several runs with different numbers of threads.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from contest import HAND, OURS, time

Line = dict[str, Any]
FIRST = "first_gradient"


def read(lines: Iterable[str]) -> list[Line]:
    """The JSON lines among the lines."""
    return [json.loads(line) for line in lines if line.startswith("{")]


def groups(lines: Sequence[Line], *benches: str) -> dict[tuple[str, int], list[Line]]:
    """(case, threads) → its lines, in the order of the run; a later run of a case replaces the earlier."""
    found: dict[tuple[str, int], dict[str, Line]] = {}
    for line in lines:
        if line["bench"] in benches:
            found.setdefault((line["case"], line["threads"]), {})[line["contestant"]] = line
    return {key: list(group.values()) for key, group in found.items()}


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; every column but the first is right-aligned."""
    rule = ["---", *("--:" for _ in header[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))


def speed(lines: Sequence[Line], *benches: str) -> str:
    """Ours, the best peer, the ratio and the distance to the floor of every case, and the geometric mean."""
    rows, ratios = [], []
    for (case, threads), group in groups(lines, *benches).items():
        timed = {line["contestant"]: line["value"] for line in group if line["value"] is not None}
        floor = group[0].get("floor_s") or None
        peers = {name: t for name, t in timed.items() if name not in (OURS, HAND)}
        best = min(peers, key=lambda name: peers[name]) if peers else ""
        ours, ratio = timed.get(OURS), "–"
        if ours and best:
            ratios.append(peers[best] / ours)
            ratio = f"**{ratios[-1]:.2f}**"
        above = f"{ours / floor:.1f}×" if ours and floor else "–"
        peer = f"{time(peers[best])} ({best})" if best else "–"
        goals = next((line.get("goals", "") for line in group if line["contestant"] == OURS), "")
        hand = time(timed.get(HAND))
        rows.append([case, str(threads), time(ours), peer, ratio, hand, time(floor), above, goals])
    header = ["", "threads", "ours", "best peer", "ratio", "NumPy by hand", "floor", "ours/floor", "target"]
    text = markdown(header, rows)
    if ratios:
        mean = statistics.geometric_mean(ratios)
        text += f"\n\nGeometric mean of the ratios {mean:.2f}, worst {min(ratios):.2f}."
    return text


def first(lines: Sequence[Line]) -> str:
    """Seconds to the first gradient and peak memory of every case."""
    found = groups(lines, FIRST)
    names = list(dict.fromkeys(line["contestant"] for group in found.values() for line in group))
    rows = []
    for (case, _), group in found.items():
        seen = {line["contestant"]: line for line in group}
        rows.append([case, *(cell(seen.get(name)) for name in names)])
    return markdown(["s (peak MiB)", *names], rows)


def cell(line: Line | None) -> str:
    """One time with its memory."""
    if line is None or line["value"] is None:
        return "–"
    return f"{line['value']:.2f} ({line['peak'] / 2**20:,.0f})"


def setting(lines: Sequence[Line]) -> str:
    """Machine and versions in one sentence."""
    line = lines[-1]
    packages: dict[str, str] = {}
    for one in lines:
        packages |= one.get("versions", {})
    named = ", ".join(f"{package} {version}" for package, version in sorted(packages.items()))
    return f"{line['cpu']}, {line['cores']} cores, {line['blas']}, {line['clock']} clock; {named}."


def main() -> None:
    lines = []
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            lines += read(file)
    if not lines:
        raise SystemExit(__doc__)
    for title, benches in (("Eight workloads", ("compiled",)), ("Twenty further programs", ("variety",))):
        if any(line["bench"] in benches for line in lines):
            print(f"### {title}\n\n{speed(lines, *benches)}\n")
    if any(line["bench"] == FIRST for line in lines):
        print(f"### First gradient in a fresh process\n\n{first(lines)}\n")
    print(setting(lines))


if __name__ == "__main__":
    main()
