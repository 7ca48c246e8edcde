"""Dual alignment of 10⁶ and 10⁷ scored responses with two constraints: time, first call, memory, peers.

The peers find λ* alone, by SciPy's L-BFGS-B on value and gradient or by Newton steps on the closed form, and
stop where λ* is known to 1e-6. Ours is `align` as users call it (a verdict, standard errors, certificate and
diagnostics come with it), and its part that finds λ*. Prompts have 4 to 28 responses, or 16 each.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import harness
import numpy as np
from agreement import Result
from environment import clock, heading, options, prepare, versions
from harness import Contestant, resident

PACKAGES = ("adjoint-autodiff", "scipy", "jax", "torch", "numpy")
ASKED = {1_000_000: 1.0, 10_000_000: 6.0}  # seconds, kernels compiled
MEMORY = 3.0  # times the numeric columns, at most
BETA, LEVELS = 0.5, np.array([0.3, 0.4])
TOLERANCE = 1e-6
KEYS = ("import", "first", "second")


class Data(NamedTuple):
    """Columns (n,), the prompts' ends, and which prompt each response is of."""

    offsets: np.ndarray
    reward: np.ndarray
    safe: np.ndarray
    humor: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        return np.diff(self.offsets)


def data(n: int, ragged: bool) -> Data:
    """About n responses: utilities that cost reward, as harmlessness costs helpfulness."""
    rng = np.random.default_rng(0)
    if ragged:
        ends = np.cumsum(rng.integers(4, 29, size=n // 16 + n // 100))
        offsets = np.concatenate([[0], ends[ends <= n]])
    else:
        offsets = np.arange(0, n + 1, 16)
    n = int(offsets[-1])
    reward = rng.standard_normal(n)
    safe = rng.standard_normal(n)
    safe -= 0.5 * reward
    return Data(offsets, reward, safe, rng.standard_normal(n))


# ------------------------------------------------------------------------------------------ the contestants
def scores(d: Data) -> Any:
    from adjoint.models.alignment import Scores

    return Scores(d.offsets, d.reward, {"safe": d.safe, "humor": d.humor})


def constraints() -> list[str]:
    return [f"safe>={LEVELS[0]}", f"humor>={LEVELS[1]}"]


def whole(d: Data) -> Callable[[], Result]:
    from adjoint.models import align

    given = scores(d)
    return lambda: (
        0.0,
        [
            np.array(
                list(align(given, beta=BETA, constraints=constraints(), random_state=0).multipliers.values())
            )
        ],
    )


def alone(d: Data) -> Callable[[], Result]:
    from adjoint.models.alignment.evaluate import Local
    from adjoint.models.alignment.solve import prepare as set_up
    from adjoint.models.alignment.solve import solve

    given = scores(d)

    def run() -> Result:
        setting = set_up(Local(given, ["safe", "humor"]), LEVELS, [False, False], BETA, None)
        return 0.0, [solve(setting, 1e-10).found.at.x]

    return run


def dual(d: Data, lam: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """D, ∇D and ∇²D in plain NumPy."""
    starts, counts, N = d.offsets[:-1], d.counts, len(d.counts)
    gaps = [d.safe - LEVELS[0], d.humor - LEVELS[1]]
    s = (d.reward + lam[0] * gaps[0] + lam[1] * gaps[1]) / BETA
    top = np.maximum.reduceat(s, starts)
    e = np.exp(s - np.repeat(top, counts))
    total = np.add.reduceat(e, starts)
    p = e / np.repeat(total, counts)
    value = BETA * np.sum(np.log(total / counts) + top) / N
    means = [np.add.reduceat(p * g, starts) for g in gaps]
    centered = [g - np.repeat(m, counts) for g, m in zip(gaps, means, strict=True)]
    H = [[np.sum(p * a * b) / (BETA * N) for b in centered] for a in centered]
    return value, np.array([np.sum(m) / N for m in means]), np.array(H)


def numpy_newton(d: Data) -> Callable[[], Result]:
    return lambda: (0.0, [newton(lambda lam: dual(d, lam))])


def newton(derivatives: Callable[[np.ndarray], Any], tolerance: float = 1e-9) -> np.ndarray:
    """Newton's steps from 0, projected; no damping is needed on these data."""
    lam = np.zeros(2)
    for _ in range(50):
        _, gradient, H = derivatives(lam)
        if np.max(np.abs(gradient)) < tolerance:
            break
        lam = np.maximum(lam - np.linalg.solve(H, gradient), 0.0)
    return lam


def numpy_lbfgs(d: Data) -> Callable[[], Result]:
    starts, counts, N = d.offsets[:-1], d.counts, len(d.counts)

    def value_and_gradient(lam: np.ndarray) -> tuple[float, np.ndarray]:
        s = (d.reward + lam[0] * (d.safe - LEVELS[0]) + lam[1] * (d.humor - LEVELS[1])) / BETA
        top = np.maximum.reduceat(s, starts)
        e = np.exp(s - np.repeat(top, counts))
        total = np.add.reduceat(e, starts)
        p = e / np.repeat(total, counts)
        gradient = np.array([p @ d.safe, p @ d.humor]) / N - LEVELS
        return BETA * float(np.sum(np.log(total / counts) + top)) / N, gradient

    return lambda: (0.0, [lbfgs(value_and_gradient)])


def lbfgs(value_and_gradient: Callable[[np.ndarray], Any]) -> np.ndarray:
    from scipy.optimize import minimize

    found = minimize(
        value_and_gradient, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(0, None)] * 2,
        options={"ftol": 0.0, "gtol": 1e-8},
    )  # fmt: skip
    return found.x


def by_jax(d: Data) -> Callable[[], Result]:
    import jax
    import jax.numpy as jnp

    N = len(d.counts)
    segment = jnp.asarray(np.repeat(np.arange(N), d.counts))
    log_counts = jnp.log(jnp.asarray(d.counts, dtype=float))
    gaps, reward = jnp.asarray(np.stack([d.safe, d.humor]) - LEVELS[:, None]), jnp.asarray(d.reward)

    @jax.jit
    def derivatives(lam: Any, reward: Any, gaps: Any, segment: Any) -> Any:
        def add(x: Any) -> Any:
            return jax.ops.segment_sum(x, segment, N, indices_are_sorted=True)

        s = (reward + lam @ gaps) / BETA
        top = jax.ops.segment_max(s, segment, N, indices_are_sorted=True)
        e = jnp.exp(s - top[segment])
        total = add(e)
        p = e / total[segment]
        means = jnp.stack([add(p * g) for g in gaps])
        centered = gaps - means[:, segment]
        value = BETA * jnp.mean(jnp.log(total) + top - log_counts)
        return value, means.mean(axis=1), (p * centered) @ centered.T / (BETA * N)

    return lambda: (
        0.0,
        [newton(lambda lam: [np.asarray(z) for z in derivatives(lam, reward, gaps, segment)])],
    )


def by_torch(d: Data) -> Callable[[], Result]:
    import torch

    counts = torch.from_numpy(d.counts)
    N, n = len(counts), len(d.reward)
    segment = torch.repeat_interleave(torch.arange(N), counts)
    reward, log_counts = torch.from_numpy(d.reward), torch.log(counts.double())
    gaps = torch.from_numpy(np.stack([d.safe, d.humor]) - LEVELS[:, None])

    def value_and_gradient(lam: np.ndarray) -> tuple[float, np.ndarray]:
        own = torch.tensor(lam, requires_grad=True)
        s = (reward + own @ gaps) / BETA
        top = torch.full((N,), -torch.inf, dtype=s.dtype)
        top = top.scatter_reduce(0, segment, s.detach(), "amax")
        total = torch.zeros(N, dtype=s.dtype).index_add(0, segment, torch.exp(s - top[segment]))
        value = BETA * torch.mean(torch.log(total) + top - log_counts)
        value.backward()
        assert n == len(s) and own.grad is not None
        return value.item(), own.grad.numpy()

    return lambda: (0.0, [lbfgs(value_and_gradient)])


CONTESTANTS: list[tuple[str, str, Callable[[Data], Callable[[], Result]]]] = [
    ("adjoint, all of align", "adjoint-autodiff", whole),
    ("adjoint, λ* alone", "adjoint-autodiff", alone),
    ("NumPy, Newton", "numpy", numpy_newton),
    ("NumPy, SciPy L-BFGS-B", "scipy", numpy_lbfgs),
    ("jax.jit, Newton", "jax", by_jax),
    ("torch, SciPy L-BFGS-B", "torch", by_torch),
]


# ------------------------------------------------------------------------------------------ fresh processes
def probe(n: int, ragged: bool) -> dict[str, float]:
    """Seconds of the import, the first and the second call in this process."""
    begun = clock()
    import adjoint.models.alignment  # noqa: F401

    importing = clock() - begun
    d = data(n, ragged)
    run, seconds = whole(d), []
    for _ in range(2):
        begun = clock()
        run()
        seconds.append(clock() - begun)
    return {"import": importing, "first": seconds[0], "second": seconds[1]}


def peak(n: int, ragged: bool) -> dict[str, float]:
    """What the columns and a call take at their most, over the size of the columns.

    The compiler and its kernels are there before, whatever the size: what is counted grows with the data.
    """
    whole(data(20_000, ragged))()
    held = resident("VmRSS")
    d = data(n, ragged)
    columns = sum(c.nbytes for c in d[1:])
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts anew: the data took more to make
    whole(d)()
    most = resident("VmHWM") - held
    return {"memory": most / columns, "MiB": most / 2**20}


def fresh(n: int, ragged: bool) -> dict[str, dict[str, float]]:
    """`probe` with an empty kernel cache, and with the one it has filled; and `peak`."""
    found = {}
    with tempfile.TemporaryDirectory() as directory:
        environment = os.environ | {"ADJOINT_CACHE_DIR": str(Path(directory) / "kernels")}
        os.makedirs(environment["ADJOINT_CACHE_DIR"], mode=0o700)
        for kind in ("empty", "filled", "peak"):
            command = [sys.executable, __file__, "--probe", kind, str(n), str(int(ragged))]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            found[kind] = json.loads(done.stdout.strip().rpartition("\n")[2])
    return found


# ------------------------------------------------------------------------------------------ the report
def title(n: int, ragged: bool) -> str:
    return f"{n:.0e} responses, ".replace("e+0", "e") + ("4 to 28 per prompt" if ragged else "16 per prompt")


def measure(n: int, ragged: bool, rounds: int) -> list[list[str]]:
    """Tables and JSON lines of one size; the rows of the summary."""
    named, d = title(n, ragged), data(n, ragged)
    reference = (0.0, [newton(lambda lam: dual(d, lam), 1e-13)])
    group = [Contestant(name, lambda build=build: build(d), package) for name, package, build in CONTESTANTS]  # type: ignore[misc]
    found = harness.compare(group, reference, rounds=rounds, tolerance=TOLERANCE, patience=60)
    ours, rows = found["adjoint, all of align"], []
    for m in found.values():
        harness.emit(
            "align", named, m.name, m.median if m.times else None, "s", n, error=m.error, first=m.first,
            spread=m.iqr, reason=m.reason, versions=versions(PACKAGES),
        )  # fmt: skip
        shown = [m.name, f"{m.error:.0e}", f"{m.first:.2f}", f"{m.median:.3f}", f"{m.iqr:.3f}",
                 f"{m.median / ours.median:.2f}"] if m.times else [m.name, m.reason]  # fmt: skip
        rows.append(shown)
    harness.table(named, ["", "error of λ", "first, s", "median, s", "IQR", "over ours"], rows)
    peers = [m.median for m in list(found.values())[2:] if m.times]
    cold = fresh(n, ragged)
    memory = cold.pop("peak")["memory"]
    harness.emit("align", named, "peak memory over columns", memory, "1", n)
    for kind, one in cold.items():
        harness.emit("align", named, f"fresh process, {kind} cache", one["first"], "s", n, **one)
    harness.table(
        f"{named}: fresh processes",
        ["kernel cache", "import, s", "first call, s", "second, s"],
        [[k, *[f"{one[key]:.2f}" for key in KEYS]] for k, one in cold.items()],
    )  # fmt: skip
    seconds = ours.median
    return [
        [named, f"{seconds:.2f} s", f"≤ {ASKED[n]:g} s", "met" if seconds <= ASKED[n] else "MISSED"],
        ["  best peer over ours", f"{min(peers) / seconds:.1f}" if peers else "–", "", ""],
        ["  first call, no kernels compiled", f"{cold['empty']['first']:.2f} s", "", ""],
        [
            "  peak memory over columns",
            f"{memory:.2f}",
            f"≤ {MEMORY:g}",
            "met" if memory <= MEMORY else "MISSED",
        ],
    ]


def main() -> None:
    parser = options(__doc__, rounds=5)
    parser.add_argument("--quick", action="store_true", help="10⁶ responses, 3 rounds")
    parser.add_argument("--only", default="", help="sizes whose titles contain this: 1e6, 1e7, '16 per'")
    parser.add_argument("--probe", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    prepare(given)
    if given.probe:
        kind, n, ragged = given.probe
        print(json.dumps((peak if kind == "peak" else probe)(int(n), ragged == "1")))
        return
    print(heading())
    rounds, sizes = (3, [1_000_000]) if given.quick else (given.rounds, list(ASKED))
    cases = [(n, ragged) for n in sizes for ragged in (True, False) if given.only in title(n, ragged)]
    rows = [row for case in cases for row in measure(*case, rounds)]
    harness.table("Summary", ["", "measured", "asked for", ""], rows)


if __name__ == "__main__":
    main()
