"""The same programs with `autograd.numpy` and with `adjoint.numpy`: what changing the import buys.

Twenty programs (`programs/twenty.py`), value and gradients, each read by both libraries from one text. Ours
runs eagerly, as autograd does, and compiled, which takes one more line. The reference is plain NumPy's value
and autograd's gradient in float64, held against differences as in `variety.py`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import harness
from contest import PATIENCE, TOLERANCE, chosen, time
from environment import heading, options, prepare, versions
from harness import Contestant, Run
from programs import Case, read_as, twenty_cases
from variety import ours as compiled
from variety import reference

AUTOGRAD, EAGER, COMPILED = "autograd", "adjoint", "adjoint, compiled"


def eager(library: str, case: Case) -> Run:
    """The program as this library's `value_and_grad` runs it, with its own NumPy."""
    ad, namespace = import_module(library), import_module(f"{library}.numpy")
    loss, arguments = case.loss(read_as("twenty", namespace)), tuple(range(len(case.parameters)))
    derivative = ad.value_and_grad(loss, argnum=arguments)
    return lambda: derivative(*case.parameters)


BUILDERS: dict[str, tuple[str, Callable[[Case], Run]]] = {
    AUTOGRAD: ("autograd", partial(eager, "autograd")),
    EAGER: ("adjoint-autodiff", partial(eager, "adjoint")),
    COMPILED: ("adjoint-autodiff", compiled),
}


def measure(case: Case, rounds: int) -> dict[str, float]:
    """Median seconds of each contestant that agrees with the reference; also as JSON lines."""
    group = [Contestant(name, partial(build, case), package) for name, (package, build) in BUILDERS.items()]
    found = harness.compare(
        group, reference(case), rounds=rounds, tolerance=TOLERANCE[case.dtype], turn=0.03, patience=PATIENCE
    )
    for m in found.values():
        more: dict[str, Any] = {"reason": m.reason, "versions": versions(c.package for c in group)}
        harness.emit("drop_in", case.title, m.name, m.median if m.times else None, "s", case.n, **more)
    return {name: m.median for name, m in found.items() if m.times}


def main() -> None:
    parser = options(__doc__, rounds=9)
    parser.add_argument("--only", default="", help="cases whose titles contain one of these, by commas")
    given = parser.parse_args()
    prepare(given)
    print(heading())
    rows, ratios = [], {EAGER: [], COMPILED: []}  # type: dict[str, list[float]]
    for case in chosen(given, twenty_cases.cases()):
        found = measure(case, given.rounds)
        theirs = found.get(AUTOGRAD)
        row = [case.title, time(theirs)]
        for name, ratio in ratios.items():
            known = theirs is not None and name in found
            if known:
                ratio.append(theirs / found[name])
            row += [time(found.get(name)), f"{ratio[-1]:.1f}" if known else "–"]
        rows.append(row)
    harness.table("Summary", ["case", AUTOGRAD, EAGER, "ratio", COMPILED, "ratio"], rows)
    for name, ratio in ratios.items():
        mean = statistics.geometric_mean(ratio)
        print(f"{name}: {mean:.1f} times as fast as autograd (geometric mean), at least {min(ratio):.1f}")


if __name__ == "__main__":
    main()
