"""How long until the first gradient: fresh processes, from their start to the first result, and their memory.

Counted: starting Python, importing the library, tracing, compiling, running once. Not counted: making the
data. Ours runs twice, with $ADJOINT_CACHE_DIR pointing at an empty directory (cold) and at the directory the
cold run has filled (warm); torch.compile likewise with its own. jax keeps nothing between processes
unless told to. Afterwards each process calls its function a few times more and reports its peak resident
memory, above what it held with the data made and no library loaded.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from agreement import deviation
from environment import clock, heading, options, prepare, versions
from harness import emit, resident, table
from programs import Case, eight_cases

COLD, WARM = 1.5, 1.0  # times jax's, at most
Seen = dict[str, list[dict[str, Any]]]  # row → what each of its processes reported
CALLS = 5  # after the first, before memory is read

# name of the row, key for --peers, package, module and builder, whether it keeps files from run to run
ENTRIES = [
    ("adjoint", "adjoint", "adjoint-autodiff", "eight_others", "ours", True),
    ("jax.jit", "jax", "jax", "eight_jax", "build", False),
    ("torch eager", "torch", "torch", "eight_torch", "build", False),
    ("torch.compile", "inductor", "torch", "eight_torch", "build_compiled", True),
]


CASES: list[Callable[[], Case]] = [  # one of each workload, made where it is needed
    partial(eight_cases.w1, 2_000),
    partial(eight_cases.w2, 100_000, "float32"),
    partial(eight_cases.w3, 32, "float32", "gradient"),
    partial(eight_cases.w3, 32, "float32", "adam"),
    partial(eight_cases.w4, "float32"),
    partial(eight_cases.w5, "float32", "hvp"),
    partial(eight_cases.w5, "float32", "fisher"),
    partial(eight_cases.w6, "float32"),
    partial(eight_cases.w7, "logistic", "float32", 1),
    partial(eight_cases.w8, "float32"),
]


# --------------------------------------------------------------------------------- in the fresh process
def probe(entry: int, number: int, started: float) -> dict[str, float]:
    """Build, call, and report seconds since `started` (wall) or since the process began (process time)."""
    module, builder = ENTRIES[entry][3:5]
    before = clock()
    case = CASES[number]()
    making, held = clock() - before, resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts anew: the data took more to make
    run = getattr(import_module(f"programs.{module}"), builder)(case)
    result = run()
    seconds = clock() - started - making
    for _ in range(CALLS):
        run()
    peak = resident("VmHWM")
    from compiled import reference  # only now: it is none of the library's time and memory
    from contest import TOLERANCE

    error = deviation(result, reference(case))
    if not error <= TOLERANCE[case.dtype]:
        raise ArithmeticError(f"deviates from the reference by {error:.1e}")
    return {"seconds": seconds, "peak": peak - held, "error": error}


# ---------------------------------------------------------------------------------- who asks for it
def ask(entry: int, number: int, directory: str, by_wall: bool) -> dict[str, Any]:
    """`probe` in a fresh process whose caches lie in `directory`; a reason where there are no numbers."""
    environment = dict(os.environ)
    for variable in ("ADJOINT_CACHE_DIR", "NUMBA_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"):
        environment[variable] = str(Path(directory) / variable.lower())
        os.makedirs(environment[variable], mode=0o700, exist_ok=True)
    started = clock() if by_wall else 0.0  # the wall's clock is the machine's, alike in every process
    command = [sys.executable, __file__, "--probe", str(entry), str(number), repr(started)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode == 0:
        found: dict[str, Any] = json.loads(done.stdout.strip().rpartition("\n")[2])
        return found
    last = done.stderr.strip().rpartition("\n")[2]
    return {"reason": f"failed: {last[:120] or f'the process ended with status {done.returncode}'}"}


def measure(number: int, peers: set[str], rounds: int, by_wall: bool) -> Seen:
    """Every contestant in turn, `rounds` times; those that keep files cold and then warm."""
    found: Seen = {}
    for _ in range(rounds):
        for entry, (name, key, _, _, _, keeps) in enumerate(ENTRIES):
            earlier = [*found.get(name, []), *found.get(f"{name}, cold", [])]
            if key not in peers or any("reason" in one for one in earlier):
                continue
            with tempfile.TemporaryDirectory() as directory:
                for row in (f"{name}, cold", f"{name}, warm") if keeps else (name,):
                    found.setdefault(row, []).append(ask(entry, number, directory, by_wall))
    return found


def report(case: Case, found: Seen, rounds: int) -> list[str]:
    """The table and the JSON lines; returns what the targets say."""
    rows, medians, peaks = [], {}, {}
    installed = versions(entry[2] for entry in ENTRIES)
    for name, seen in found.items():
        reason = next((one["reason"] for one in seen if "reason" in one), "")
        if reason:
            rows.append([name, reason])
            emit("first_gradient", case.title, name, None, "s", case.n, reason=reason, versions=installed)
            continue
        times = [one["seconds"] for one in seen]
        medians[name], peaks[name] = statistics.median(times), statistics.median(one["peak"] for one in seen)
        rows.append([name, f"{medians[name]:.2f}", f"{min(times):.2f}", f"{peaks[name] / 2**20:,.0f}"])
        emit("first_gradient", case.title, name, medians[name], "s", case.n, min=min(times), peak=peaks[name],
             rounds=rounds, versions=installed)  # fmt: skip
    table(f"{case.title}: first gradient, {rounds} rounds", ["", "s", "min", "peak MiB"], rows)
    return verdicts(case, medians, peaks)


def verdicts(case: Case, medians: dict[str, float], peaks: dict[str, float]) -> list[str]:
    """Cold and warm against jax, and memory."""
    if "jax.jit" not in medians or not medians.keys() >= {"adjoint, cold", "adjoint, warm"}:
        return [f"{case.title}: not measured"]
    texts = []
    for kind, most in (("cold", COLD), ("warm", WARM)):
        ratio = medians[f"adjoint, {kind}"] / medians["jax.jit"]
        state = "met" if ratio <= most else "MISSED"
        texts.append(f"{case.title}, {kind}: {ratio:.2f}× jax's time, at most {most:g}×: {state}")
    ratio = peaks["adjoint, warm"] / peaks["jax.jit"]
    state = "met" if ratio <= 1 else "MISSED"
    texts.append(f"{case.title}: {ratio:.2f}× jax's peak memory, at most 1×: {state}")
    return texts


def main() -> None:
    parser = options(__doc__, rounds=3)
    parser.add_argument("--peers", default="jax,torch", help="of jax, torch, inductor (20 s per process)")
    parser.add_argument("--only", default="", help="cases whose titles contain one of these, by commas")
    parser.add_argument(
        "--probe", nargs=3, metavar=("ENTRY", "CASE", "STARTED"), help="measure in this process"
    )
    given = parser.parse_args()
    if given.probe:
        print(json.dumps(probe(int(given.probe[0]), int(given.probe[1]), float(given.probe[2]))), flush=True)
        return
    prepare(given)
    print(heading())
    peers, texts = {"adjoint", *given.peers.split(",")}, []
    wanted = [part for part in given.only.split(",") if part]
    for number, make in enumerate(CASES):
        case = make()
        if not wanted or any(part in case.title for part in wanted):
            found = measure(number, peers, given.rounds, given.clock == "wall")
            texts += report(case, found, given.rounds)
    print()
    print("\n".join(texts))


if __name__ == "__main__":
    main()
