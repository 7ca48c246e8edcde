"""What one recorded operation costs: overhead per node of recording and sweeping, adjoint against its peers.

Two programs in which the arithmetic is next to nothing, so that what is measured is bookkeeping: a chain
of 2,002 operations on 4 float64, and W1, a graph of 10,000 scalars. A node is an operation of the primal
program, counted the same for everybody. The overhead is the time for value and gradient less the time in
which plain NumPy computes the value alone, per node, the difference taken within each round. "record" is
the forward run with recording, and freeing the record; "sweep" is the adjoint sweep over a record that is
kept.

`jax.jit` does not take part, for it has no cost per recorded operation: it traces once and compiles the
chain into one loop nest. Tracing and compiling an unrolled graph of 5,000 scalars takes it 18 s, and
10,000 crash it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import harness
import numpy as np
from agreement import Result, complex_step
from environment import heading, options, prepare, versions
from harness import Contestant, Run
from peers import PEERS
from workloads import ARRAY_NODES, ARRAYS, RATES, SCALAR_NODES, SCALARS, array_chain, scalar_chain

Program = Callable[[Any], Callable[..., Any]]  # a library's namespace → loss
Line = dict[str, Any]  # one contestant's numbers
FLOOR = "NumPy, value alone"
TARGETS = {"autograd": 3.0, "torch eager": 1.0}  # peer → how many times less overhead ours is to have


def contestants(program: Program, args: tuple[Any, ...]) -> list[Contestant]:
    """NumPy's forward run; then every library: whole, recording alone, sweep alone."""
    found = [Contestant(FLOOR, lambda: lambda: (program(np)(*args), None), "numpy")]
    for part, build in {"": whole, ", record": recording, ", sweep": sweeping}.items():
        for peer in PEERS.values():
            found.append(Contestant(peer.name + part, partial(build, peer, program, args), peer.package))
    return found


def whole(peer: Any, program: Program, args: tuple[Any, ...]) -> Run:
    library = peer()
    run: Run = library.value_and_grad(program(library.np), args)
    return run


def recording(peer: Any, program: Program, args: tuple[Any, ...]) -> Run:
    library = peer()
    loss = program(library.np)
    return lambda: (library.record(loss, args)[0], None)


def sweeping(peer: Any, program: Program, args: tuple[Any, ...]) -> Run:
    library = peer()
    sweep = library.record(program(library.np), args)[1]

    def run() -> Result:
        return None, sweep()

    return run


def measure(case: str, program: Program, args: tuple[Any, ...], nodes: int, rounds: int) -> list[Line]:
    """Compare and print the table; returns one dictionary of numbers in ns per node for every row."""
    group = contestants(program, args)
    found = harness.compare(group, complex_step(program(np), args), rounds=rounds)
    rows, lines = [], []
    for m in found.values():
        if m.reason:
            rows.append([m.name, m.reason])
            continue
        scale = 1e9 / nodes
        above = [scale * t for t in m.above(found[FLOOR])]
        numbers = {
            "median": m.median * scale,
            "min": min(m.times) * scale,
            "iqr": m.iqr * scale,
            "overhead": statistics.median(above),
            "overhead iqr": harness.spread(above),
        }
        lines.append({"contestant": m.name, "repetitions": m.repetitions, "first_s": m.first, **numbers})
        cells = [f"{x:,.0f}" for x in numbers.values()]
        rows.append([m.name, *cells, f"{m.repetitions}", f"{m.first * 1e3:,.0f}", f"{m.error:.0e}"])
    header = ["ns per node", "median", "min", "IQR", "overhead", "IQR", "calls/turn", "first/ms", "error"]
    harness.table(f"{case}: {nodes:,} nodes, value and gradient, {rounds} rounds", header, rows)
    installed = versions(c.package for c in group)
    return [{"case": case, "n": nodes, "rounds": rounds, "versions": installed, **line} for line in lines]


def verdict(case: str, lines: list[Line]) -> str:
    """The targets, and whether they are met."""
    overhead = {line["contestant"]: line["overhead"] for line in lines}
    texts = []
    for peer, least in TARGETS.items():
        wish = f"target, {case}: overhead at least {least:g}x less than that of {peer}"
        if not overhead.keys() >= {"adjoint", peer}:
            texts.append(f"{wish}: not measured")
            continue
        ratio = overhead[peer] / overhead["adjoint"]
        texts.append(f"{wish}: {ratio:.2f}x less, {'met' if ratio >= least else 'MISSED'}")
    return "\n".join(texts)


def rates(m: Any) -> Any:
    """The chain's constant in the library's own arrays (autograd's are NumPy's)."""
    return m.tensor(RATES) if m.__name__ == "torch" else RATES


def main() -> None:
    given = options(__doc__).parse_args()
    prepare(given)
    print(heading())
    steps, scalar_steps = 667, 2000
    cases: dict[str, tuple[Program, tuple[Any, ...], int]] = {
        "arrays of 4": (lambda m: array_chain(m, steps, rates(m)), ARRAYS, ARRAY_NODES * steps + 1),
        "scalars (W1)": (lambda m: scalar_chain(m, scalar_steps), SCALARS, SCALAR_NODES * scalar_steps),
    }
    results = {case: measure(case, *chain, given.rounds) for case, chain in cases.items()}
    print()
    for case, lines in results.items():
        print(verdict(case, lines))
    print()
    for line in [line for lines in results.values() for line in lines]:
        harness.emit("overhead", value=line.pop("overhead"), unit="ns/node above NumPy", **line)


if __name__ == "__main__":
    main()
