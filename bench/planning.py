"""What compiling costs besides machine code: tracing, planning and emitting, per scalar or array operation.

Each program is compiled twice in one process: the second time its kernels are there, and what the first
call takes beyond a warm call is the trace, the plan and the text of the kernels. An operation is one of the
primal program; its tangents and multipliers are recorded too and not counted. jax's comparable share is
tracing and lowering (`jit(f).lower(…)`), its compiler's is shown apart; unrolled scalars beyond 1,000 take
it minutes or crash it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from environment import clock, heading, options, prepare, versions
from harness import emit, table
from programs import Case, eight, eight_cases, read_as
from workloads import SCALAR_NODES

TARGET = 20e-6  # seconds per operation
LARGE = 2.0  # seconds in all for 10⁵ operations
RECURRENCE_NODES = 8  # per step of W6: two products, two sums, tanh, difference, square, sum
JAX_MOST = 1_000


def programs() -> list[tuple[str, Case, int]]:
    """Name, case and number of operations."""
    scalars = [(n, eight_cases.w1(n // SCALAR_NODES)) for n in (1_000, 10_000, 100_000)]
    found = [(f"unrolled scalars (W1), {n:,}", case, n) for n, case in scalars]
    found.append(("unrolled recurrence (W6)", eight_cases.w6("float32"), RECURRENCE_NODES * 1000))
    return found


def ours(case: Case) -> float:
    """Seconds of a first call whose kernels are there, beyond those of a warm call."""
    import adjoint as ad

    f = ad.value_and_grad(case.loss(eight), argnum=tuple(range(len(case.parameters))))
    compiled = ad.compile(f)
    first = spent(lambda: compiled(*case.parameters))
    return first - min(spent(lambda: compiled(*case.parameters)) for _ in range(3))


def of_jax(case: Case) -> tuple[float, float]:
    """Seconds to trace and lower, and to compile."""
    import jax
    import jax.numpy as jnp

    loss = case.loss(read_as("eight", jnp))
    jitted = jax.jit(jax.value_and_grad(loss, argnums=tuple(range(len(case.parameters)))))
    kept: list[Any] = []
    lowering = spent(lambda: kept.append(jitted.lower(*case.parameters)))
    return lowering, spent(kept[0].compile)


def spent(run: Callable[[], Any]) -> float:
    """Seconds of one run."""
    begun = clock()
    run()
    return clock() - begun


def cells(name: str, times: Sequence[float], nodes: int) -> list[str]:
    """A row: µs per operation, and seconds in all."""
    middle = statistics.median(times)
    return [name, f"{middle / nodes * 1e6:.1f}", f"{min(times) / nodes * 1e6:.1f}", f"{middle:.3f}"]


def main() -> None:
    given = options(__doc__, rounds=5).parse_args()
    prepare(given)
    print(heading())
    texts, lines = [], []
    for name, case, nodes in programs():
        ours(case)  # the kernels' turn
        found = {"adjoint": [ours(case) for _ in range(given.rounds)]}
        if nodes <= JAX_MOST:
            both = [of_jax(case) for _ in range(given.rounds)]
            found["jax, trace and lower"] = [one[0] for one in both]
            found["jax, compile"] = [one[1] for one in both]
        rows = [cells(who, times, nodes) for who, times in found.items()]
        header = ["µs per operation", "median", "min", "s in all"]
        table(f"{name}: {nodes:,} operations, value and gradient", header, rows)
        lines += [(name, who, float(np.median(times)) / nodes, nodes) for who, times in found.items()]
        middle = statistics.median(found["adjoint"])
        most = min(TARGET * nodes, LARGE if nodes >= 100_000 else np.inf)
        state = "met" if middle <= most else "MISSED"
        texts.append(f"target, {name}: at most {most:.2f} s in all: {middle:.2f} s, {state}")
    print("\n" + "\n".join(texts) + "\n")
    installed = versions(["adjoint-autodiff", "jax"])
    for name, who, value, nodes in lines:
        emit("planning", name, who, value, "s/operation", nodes, versions=installed)


if __name__ == "__main__":
    main()
