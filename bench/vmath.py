"""How fast and how exact are the kernels' elementary functions: ns per element in the L2 cache, worst ulp.

Ours is the loop that an emitted kernel contains; NumPy (SciPy where NumPy has no such function) and torch
write into a reused output like ours; jax.jit always makes a new one. Arguments are uniform over `RANGES`. The
ulp are ours, over these and over random bits; NumPy's longdouble is the judge of float64, float64 of float32.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special
from environment import clock, heading, options, prepare, versions
from harness import emit, spread, table

BYTES = 1 << 16  # of one operand: two or three such arrays stay in L2
TURN = 2e-3  # seconds
RANGES = {"log1p": (-0.9, 9), "arcsin": (-1, 1), "arccos": (-1, 1), "arctanh": (-1, 1), "arccosh": (1, 9)}
RANGES |= dict.fromkeys(["log", "log2", "log10", "sqrt", "power"], (0.01, 9))
POSITIVE = ["gammaln", "digamma", "trigamma"]  # their ulp are promised there
RANGES |= dict.fromkeys(POSITIVE, (0.01, 20))
TORCH = {"expit": "sigmoid", "power": "pow"}  # else NumPy's name, or that with "arc" for "a"
LIBRARIES = ("ours", "numpy", "torch", "jax")
Args = tuple[Any, ...]


def ours(name: str, dtype: type, args: Args) -> Callable[[], Any]:
    import numba

    from adjoint.engines.cpu import vmath

    f, tune = getattr(vmath, f"{name}_f{8 * np.dtype(dtype).itemsize}"), vmath.tune
    out = np.empty_like(args[0])

    @numba.njit(error_model="numpy")
    def unary(x, out):
        tune()
        for i in range(x.size):
            out[i] = f(x[i])

    @numba.njit(error_model="numpy")
    def binary(x, y, out):
        tune()
        for i in range(x.size):
            out[i] = f(x[i], y[i])

    kernel = unary if len(args) == 1 else binary

    def run() -> Any:
        kernel(*args, out)
        return out

    return run


def numpy(name: str, dtype: type, args: Args) -> Callable[[], Any] | None:
    f = getattr(np, name, None) or getattr(scipy.special, name, None)
    out = np.empty_like(args[0])
    return f and (lambda: f(*args, out=out))


def torch(name: str, dtype: type, args: Args) -> Callable[[], Any] | None:
    import torch

    torch.set_num_threads(1)
    names = (TORCH.get(name, name), name.replace("arc", "a"))
    f = next((getattr(torch, n) for n in names if hasattr(torch, n)), None)
    tensors, out = [torch.from_numpy(a) for a in args], torch.from_numpy(np.empty_like(args[0]))
    return f and (lambda: f(*tensors, out=out))


def jax(name: str, dtype: type, args: Args) -> Callable[[], Any] | None:
    import jax

    names = [space for space in (jax.numpy, jax.scipy.special, jax.nn) if hasattr(space, name)]
    if not names:
        return None
    f, arrays = jax.jit(getattr(names[0], name)), [jax.numpy.asarray(a) for a in args]
    return lambda: f(*arrays).block_until_ready()


def contestants(name: str, dtype: type, args: Args) -> dict[str, Callable[[], Any]]:
    """Who has the function and is installed."""
    found = {}
    for library in LIBRARIES:
        try:
            run = globals()[library](name, dtype, args)
        except ImportError:
            run = None
        if run:
            found[library] = run
    return found


def rounds_of(runs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds per call, in interleaved rounds of at least TURN seconds each."""
    times: dict[str, list[float]] = {library: [] for library in runs}
    calls = {}
    for library, run in runs.items():
        run()
        begun = clock()
        run()
        calls[library] = max(1, round(TURN / max(clock() - begun, 1e-6)))
    for _ in range(rounds):
        for library, run in runs.items():
            begun = clock()
            for _ in range(calls[library]):
                run()
            times[library].append((clock() - begun) / calls[library])
    return times


def exact(name: str, args: Args) -> Any:
    """The function in longer precision; None for what NumPy does not have there."""
    if name in ("expit", "log_expit"):
        e = np.exp(-np.abs(args[0]))
        return (
            np.where(args[0] < 0, e, 1) / (1 + e) if name == "expit" else np.minimum(args[0], 0) - np.log1p(e)
        )
    if hasattr(np, name):
        return getattr(np, name)(*args)
    return getattr(scipy.special, name)(*args) if args[0].dtype == np.float64 and name != "trigamma" else None


def worst_ulp(name: str, dtype: type, args: Args) -> float:
    """The largest error of ours in units in the last place, or nan where there is no reference."""
    rng, bits = np.random.default_rng(1), np.dtype(f"u{np.dtype(dtype).itemsize}")
    size = 1 << 18
    random = [rng.integers(0, np.iinfo(bits).max, size, bits).view(dtype) for _ in args]
    usual = [rng.uniform(*RANGES.get(name, (-5, 5)), size).astype(dtype) for _ in args]
    found = 0.0
    if name in POSITIVE:
        random = [np.abs(a) for a in random]
    with np.errstate(all="ignore"):
        for sample in (random, usual):
            value = ours(name, dtype, tuple(sample))()
            reference = exact(
                name, tuple(a.astype(np.float64 if dtype is np.float32 else np.longdouble) for a in sample)
            )
            if reference is None:
                return float("nan")
            unit = np.spacing(np.abs(reference.astype(dtype)))
            if name.startswith("logaddexp"):  # digits cancel near its zeros: ulp of the largest operand
                unit = np.maximum(unit, np.spacing(np.maximum(*map(np.abs, sample))))
            found = max(found, float(np.nanmax(np.abs(value - reference) / unit)))
    return found


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("names", nargs="*", help="functions (default: all)")
    given = parser.parse_args()
    prepare(given)
    from adjoint.engines.cpu.vmath import FUNCTIONS

    print(heading())
    packages = versions(["numba", "llvmlite", "torch", "jax", "scipy"])
    rows = []
    for name in given.names or sorted(FUNCTIONS):
        for dtype in (np.float32, np.float64):
            n, rng = BYTES // np.dtype(dtype).itemsize, np.random.default_rng(0)
            args = tuple(
                rng.uniform(*RANGES.get(name, (-5, 5)), n).astype(dtype) for _ in range(FUNCTIONS[name])
            )
            times = rounds_of(contestants(name, dtype, args), given.rounds)
            cells = {k: f"{statistics.median(v) / n * 1e9:.2f}" for k, v in times.items()}
            ulp = worst_ulp(name, dtype, args)
            kind = np.dtype(dtype).name
            rows.append([f"{name} {kind}", *(cells.get(k, "–") for k in LIBRARIES), f"{ulp:.2f}"])
            for library, seconds in times.items():
                more = {
                    "min": min(seconds) / n * 1e9,
                    "iqr": spread(seconds) / n * 1e9,
                    "ulp": ulp if library == "ours" else None,
                }
                value = statistics.median(seconds) / n * 1e9
                emit("vmath", f"{name} {kind}", library, value, "ns/element", n, **more, versions=packages)
    table("ns per element in L2", ["function", *LIBRARIES, "our ulp"], rows)


if __name__ == "__main__":
    main()
