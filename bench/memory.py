"""What one recorded scalar costs in memory: bytes per node of W1 with 10⁵ and 10⁶ nodes.

Every number comes from a process of its own, forward run only, record held. `held` is the growth of the
resident set between the start of the recording and its end: it sees every allocator (torch's nodes are C++
objects that tracemalloc cannot see), and memory that is paid for and unused. A first, short recording has
loaded everything that is loaded late. `traced` is tracemalloc's count in a further process, because
tracing itself takes memory (and time: only for 10⁵); it is exact, and blind to what is not allocated by
Python or NumPy. `peak` is the largest growth of the resident set until the sweep has ended. The gradients
of the sweep are compared with the float64 reference.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import subprocess
import sys
import tracemalloc
from typing import Any

import numpy as np
from agreement import complex_step, deviation
from environment import heading, options, prepare, versions
from harness import emit, table
from peers import PEERS
from workloads import SCALAR_NODES, SCALARS, scalar_chain

SIZES = (100_000, 1_000_000)
TARGET = 500  # bytes per scalar node, ours


def resident() -> int:
    """Bytes of the resident set now."""
    with open("/proc/self/statm") as line:
        return int(line.read().split()[1]) * resource.getpagesize()


def probe(peer: str, nodes: int, trace: bool) -> dict[str, float]:
    """Record W1 in this process and report bytes per node."""
    library = PEERS[peer]()
    steps = nodes // SCALAR_NODES
    library.record(scalar_chain(library.np, 20), SCALARS)[1]()
    gc.collect()
    if trace:
        tracemalloc.start()
        held_alive = library.record(scalar_chain(library.np, steps), SCALARS)
        gc.collect()
        traced = tracemalloc.get_traced_memory()[0]
        del held_alive
        return {"traced": traced / nodes}
    before = resident()
    value, sweep = library.record(scalar_chain(library.np, steps), SCALARS)
    gc.collect()
    held = (resident() - before) / nodes
    gradients = sweep()
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before) / nodes
    error = deviation((value, gradients), complex_step(scalar_chain(np, steps), SCALARS))
    return {"held": held, "peak": peak, "error": error}


def ask(peer: str, nodes: int, trace: bool) -> dict[str, Any]:
    """`probe` in a fresh process; a `reason` instead of numbers if that fails."""
    command = [sys.executable, __file__, "--probe", peer, str(nodes), "trace" if trace else "rss"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        found: dict[str, Any] = json.loads(done.stdout)
        return found
    last = done.stderr.strip().rpartition("\n")[2]
    return {"reason": f"skipped: {last or f'the process ended with status {done.returncode}'}"}


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--probe", nargs=3, metavar=("PEER", "NODES", "HOW"), help="measure in this process")
    given = parser.parse_args()
    prepare(given)
    if given.probe:
        peer, nodes, how = given.probe
        print(json.dumps(probe(peer, int(nodes), how == "trace")), flush=True)
        os._exit(0)  # taking a graph of 10⁶ nodes apart would only cost time
    print(heading())
    installed = versions(peer.package for peer in PEERS.values())
    verdicts, lines = [], []
    for nodes in SIZES:
        rows = []
        for key, peer in PEERS.items():
            found = ask(key, nodes, False)
            if "reason" not in found and key != "torch" and nodes == SIZES[0]:
                found |= ask(key, nodes, True)
            if "reason" in found:
                rows.append([peer.name, found["reason"]])
                continue
            if not found["error"] <= 1e-6:  # rounding grows along the chain: 10⁶ nodes, about 10⁻¹⁰
                rows.append([peer.name, f"not shown: deviates from the reference by {found['error']:.1e}"])
                continue
            cells = [f"{found[k]:,.0f}" if k in found else "–" for k in ("held", "traced", "peak")]
            rows.append([peer.name, *cells, f"{found['error']:.0e}"])
            lines.append((peer.name, nodes, found))
            if key == "adjoint":
                state = "met" if found["held"] <= TARGET else "MISSED"
                wish = f"target, {nodes:,} nodes: adjoint holds at most {TARGET} bytes per scalar node"
                verdicts.append(f"{wish}: {found['held']:.0f}, {state}")
        table(f"W1, {nodes:,} scalar nodes", ["bytes per node", "held", "traced", "peak", "error"], rows)
    print()
    print("\n".join(verdicts))
    print()
    for name, nodes, found in lines:
        value = found.pop("held")
        emit("memory", "scalars (W1)", name, value, "bytes/node", nodes, versions=installed, **found)


if __name__ == "__main__":
    main()
