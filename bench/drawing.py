"""How long it takes to draw a long tape: 10⁵ nodes to JSON, text, Mermaid and folded SVG, and mirrored.

Three programs: a loop, a hundred scopes with a loop in each, and a program without structure, in which every
operation takes two of the last fifty values; each as a bare tape and with its multipliers. The adjoint sweep
is done before; everything else, from reading the tape to the last byte, is timed: by wall clock, which has
whatever else the machine does in it, and by process time, to which that of the layout program is added.
`--clock cpu` judges by the second. What is written is checked: as many nodes as the tape has.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from environment import heading, options, prepare
from harness import emit, table

import adjoint as ad

NODES = 100_000
TARGETS = {"json": 2.0, "text": 2.0, "svg": 3.0}  # seconds
FORMS: dict[str, Callable[[Any], Any]] = {
    "json": lambda x: ad.draw(x).json(),
    "text": lambda x: ad.draw(x).text(),
    "svg": lambda x: ad.draw(x).svg(),
    "mermaid": lambda x: ad.draw(x).mermaid(),
    "svg, mirrored": lambda x: ad.draw(x, adjoint=True).svg(),
}


def loop(x: Any) -> Any:
    for _ in range(NODES // 2):
        x = np.sin(x) * 1.1
    return x


def scopes(x: Any) -> Any:
    for k in range(100):
        with ad.scope(f"layer{k}"):
            for _ in range(NODES // 200):
                x = np.sin(x) * 1.1
    return x


def tangle(x: Any) -> Any:
    values = [x, x * 0.5]
    for a, b, c in np.random.default_rng(0).integers(0, 10**6, (NODES - 2, 3)).tolist():
        p, q = values[-1 - a % min(len(values), 50)], values[-1 - b % min(len(values), 50)]
        values.append(_one(p, q, c % 4))
    return values[-1]


def _one(p: Any, q: Any, which: int) -> Any:
    if which % 2:
        return np.sin(p) if which == 1 else np.tanh(q)
    return p * q if which else p + q


def worked() -> float:
    """Seconds that this process and those it started have computed."""
    spent = os.times()
    return time.process_time() + spent.children_user + spent.children_system


def measured(make: Callable[[], Any], rounds: int) -> tuple[np.ndarray, Any]:
    """Process and wall seconds (rounds, 2), and what was made."""
    seconds = []
    for _ in range(rounds):
        cpu, wall = worked(), time.perf_counter()
        made = make()
        seconds.append((worked() - cpu, time.perf_counter() - wall))
    return np.array(seconds), made


def main() -> None:
    given = options(__doc__, rounds=5).parse_args()
    prepare(given)
    print(heading())
    rows, missed = [], []
    for program in (loop, scopes, tangle):
        with ad.Tape() as tape:
            loss = program(tape.parameter(0.5, name="x"))
        lagrangian = ad.Lagrangian(tape, loss)
        assert len(lagrangian.lam) == len(tape)  # swept
        for what, subject in (("tape", tape), ("with multipliers", lagrangian)):
            for form, write in FORMS.items():
                if subject is tape and form == "svg, mirrored":
                    continue
                seconds, made = measured(lambda write=write, subject=subject: write(subject), given.rounds)
                if form == "json":
                    assert len(json.loads(made)["nodes"]) == len(tape)
                cpu, wall = np.median(seconds, axis=0)
                target, judged = TARGETS.get(form), cpu if given.clock == "cpu" else wall
                met = "" if target is None else "met" if judged <= target else "MISSED"
                if met == "MISSED":
                    missed.append(f"{program.__name__} {what} {form}")
                rows.append([
                    program.__name__, what, form, f"{cpu:.2f}", f"{wall:.2f}", f"{np.min(seconds[:, 1]):.2f}",
                    f"{len(made) / 1e6:.2f}", f"≤ {target:g} {met}" if target else "",
                ])  # fmt: skip
                case = f"{program.__name__}, {what}"
                for clock, value in (("process time", cpu), ("wall", wall)):
                    emit("drawing", case, f"{form}, {clock}", value, "s", NODES)
    headers = ["program", "", "format", "cpu s", "wall s", "least wall", "MB", f"wanted, {given.clock}"]
    table(f"{NODES} nodes, medians of {given.rounds} rounds", headers, rows)
    print(f"\nmissed: {', '.join(missed)}" if missed else "\nall targets met")


if __name__ == "__main__":
    sys.exit(main())
