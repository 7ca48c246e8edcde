"""What the compiled engine gains: the eight workloads, ours against its peers, with targets and floors.

Ours is NumPy's text through `ad.compile`, data closed over, arguments plain arrays, outputs fresh at every
call. Peers get the same mathematics in their own dialect, data on their side, loops as scans, and the
better algorithm where there is one: the closed form of W4's derivatives, Jᵀ(F(Jv)) for W5's Fisher product.
A ratio is the best other library's median over ours; NumPy by hand is shown and does not count as a library.
The floor is what the measured rates of the machine allow (`rates.py`).

    python bench/compiled.py --threads 2 --only W2,W4 --peers jax,torch --rounds 5
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import harness
from agreement import along, direction, inner, mixed
from environment import heading, options, prepare, versions
from harness import Contestant, Measurement, Run
from programs import BEST, Case, Goal, eight, eight_by_hand, eight_cases, eight_others, in_float64
from rates import Rates

OURS, HAND = "adjoint", "NumPy by hand"
TOLERANCE = {"float32": 1e-3, "float64": 1e-9}
PATIENCE = 3.0  # seconds per contestant and case, after three rounds


# ------------------------------------------------------------------------------------ who takes part
def of_jax(name: str) -> Callable[[Case], Run]:
    def build(case: Case) -> Run:
        from programs import eight_jax

        run: Run = getattr(eight_jax, name)(case)
        return run

    return build


def of_torch(name: str) -> Callable[[Case], Run]:
    def build(case: Case) -> Run:
        from programs import eight_torch

        run: Run = getattr(eight_torch, name)(case)
        return run

    return build


# name of the row, key for --peers, package, builder
CONTESTANTS: list[tuple[str, str, str, Callable[[Case], Run]]] = [
    (OURS, "adjoint", "adjoint-autodiff", eight_others.ours),
    (HAND, "numpy", "numpy", eight_others.by_hand),
    ("jax.jit", "jax", "jax", of_jax("build")),
    ("jax.jit, closed form", "jax", "jax", of_jax("hessian_by_moments")),
    ("torch eager", "torch", "torch", of_torch("build")),
    ("torch eager, closed form", "torch", "torch", of_torch("build_moments")),
    ("torch.compile", "inductor", "torch", of_torch("build_compiled")),
    ("torch.compile, closed form", "inductor", "torch", of_torch("build_moments_compiled")),
    ("autograd", "autograd", "autograd", eight_others.autograd),
    ("casadi", "casadi", "casadi", eight_others.casadi),
]


def contestants(case: Case, peers: set[str]) -> list[Contestant]:
    """Everybody who can answer; closed forms only where there are some."""
    return [
        Contestant(name, partial(build, case), package)
        for name, key, package, build in CONTESTANTS
        if key in peers and (case.ask == "hessian" or not name.endswith("closed form"))
    ]


# ----------------------------------------------------------------------------------------- the truth
def reference(case: Case) -> Any:
    """What is asked for in float64, by hand; certified by differences of the program itself.

    Raises:
        AssertionError: the derivatives by hand are not those of the program.
    """
    parameters, data, extra = in_float64(case.parameters), in_float64(case.data), in_float64(dict(case.extra))
    f = eight_by_hand.ASKED.get((case.program, case.ask)) or getattr(eight_by_hand, case.program)
    found = f(*parameters, *data, *extra.values())
    program = getattr(eight, case.program)
    u = direction(parameters, 1)

    def loss(*p: Any) -> Any:
        return program(*p, *data)

    if case.ask == "hvp":
        (expected, size), seen = inner(found, u[0]), mixed(loss, parameters, u, (extra["v"],))
    elif case.ask == "fisher":
        (expected, size) = inner(found, u[0])
        metric = eight.policy_metric(loss(*parameters), along(loss, parameters, (extra["v"],)))
        seen = inner(metric, along(loss, parameters, u))[0]
    else:
        gradient = found[1] if case.ask != "adam" else eight_by_hand.mlp(*parameters, *data)[1]
        h = 1e-7 if case.program == "mlp" else 1e-4  # ReLU: a step must not cross a kink
        (expected, size), seen = inner(gradient, u), along(loss, parameters, u, h)
        if case.ask == "hessian":
            v = direction(parameters, 2)
            second = inner(found[2] @ v[0], u[0])[0]
            assert abs(mixed(loss, parameters, u, v) - second) < 1e-5 * abs(second), case.title
    assert abs(seen - expected) < 1e-5 * (size + abs(expected)), f"{case.title}: {seen} is not {expected}"
    return found


# --------------------------------------------------------------------------------------- one program
def measure(case: Case, peers: set[str], rounds: int, rates: Rates) -> dict[str, Any]:
    """Compare, print the table and the JSON lines; returns the line of the summary."""
    group = contestants(case, peers)
    found = harness.compare(
        group, reference(case), rounds=rounds, tolerance=TOLERANCE[case.dtype], turn=0.03, patience=PATIENCE
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
    for m in found.values():
        numbers = {"median": m.median, "min": min(m.times), "iqr": m.iqr} if m.times else {"reason": m.reason}
        harness.emit(
            "compiled",
            case.title,
            m.name,
            numbers.pop("median", None),
            "s",
            case.n,
            **numbers,
            first_s=m.first,
            error=m.error,
            floor_s=floor,
            versions=installed,
        )
    return summary(case, found, floor)


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


def print_summary(lines: list[dict[str, Any]]) -> None:
    """The table of the whole run."""
    header = ["case", "ours", "best peer", "ratio", "by hand", "floor", "above it", "goals"]
    rows = []
    for line in lines:
        ours, floor = line["ours"], line["floor"]
        peer = f"{line['best']} {time(line['best_s'])}" if line["best"] else "–"
        ratio = f"{line['ratio']:.2f}" if "ratio" in line else "–"
        above = f"{ours / floor:.2f}×" if ours and floor else "–"
        goals = "; ".join(line.get("goals", [])) or line.get("why", "")
        rows.append([line["case"], time(ours), peer, ratio, time(line["hand_s"]), time(floor), above, goals])
    harness.table("Summary", header, rows)
    ratios = [line["ratio"] for line in lines if "ratio" in line]
    if ratios:
        print(f"\nratio: geometric mean {statistics.geometric_mean(ratios):.2f}, worst {min(ratios):.2f}")


def main() -> None:
    parser = options(__doc__, rounds=9)
    keys = sorted({key for _, key, _, _ in CONTESTANTS})
    parser.add_argument(
        "--peers", default=",".join(keys), help=f"who takes part besides ours: {','.join(keys)}"
    )
    parser.add_argument("--only", default="", help="works, such as W2,W4, or parts of titles")
    parser.add_argument("--quick", action="store_true", help="3 rounds, without the largest sizes")
    given = parser.parse_args()
    prepare(given)
    print(heading())
    peers, rates = {OURS, *given.peers.split(",")}, Rates()
    wanted = [part for part in given.only.split(",") if part]
    lines = []
    for case in eight_cases.cases(given.threads, quick=given.quick):
        if not wanted or any(part in case.title for part in wanted):
            lines.append(measure(case, peers, 3 if given.quick else given.rounds, rates))
    print_summary(lines)


if __name__ == "__main__":
    main()
