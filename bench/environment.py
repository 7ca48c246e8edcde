"""What the numbers depend on: options that all benches share, the number of threads, versions."""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import importlib.util
import os
import platform
import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

THREADS = "BENCH_THREADS"  # set in the environment of the process that measures
CLOCK = "BENCH_CLOCK"  # likewise
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}  # the second stands still while others compute
POOLS = ("OMP", "OPENBLAS", "MKL", "NUMBA", "BLIS", "VECLIB_MAXIMUM")
FORCED_KERNEL = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # taken back together: the library chooses


def options(doc: str | None, rounds: int = 15) -> argparse.ArgumentParser:
    """A parser with the options that all benches share; the description is the docstring's first line."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1, help="threads of every pool (default 1)")
    parser.add_argument("--rounds", type=int, default=rounds, help=f"interleaved rounds (default {rounds})")
    parser.add_argument(
        "--clock", choices=sorted(CLOCKS), default="wall", help="cpu: time computed, where others compute too"
    )
    parser.add_argument("--no-gc", action="store_true", help="switch garbage collection off")
    return parser


def prepare(given: argparse.Namespace) -> None:
    """Put the options into force; the first thing a bench does."""
    fix_threads(given.threads)
    if given.clock == "cpu" and given.threads > 1:
        raise SystemExit("--clock cpu adds the threads' times up: only for one thread")
    os.environ[CLOCK] = given.clock
    if given.no_gc:
        gc.disable()


def need(package: str) -> None:
    """Leave, with the command, where what makes the reference is missing: nobody could be held against it."""
    if importlib.util.find_spec(package) is None:
        raise SystemExit(f"nothing measured: the reference needs {package}\n  pip install '.[bench]'")


def fix_threads(threads: int) -> None:
    """Replace the process by one whose environment fixes the threads.

    Pools read the environment when their library is loaded, which may be before this line. jax reads NPROC.
    """
    if os.environ.get(THREADS) == str(threads) and not any(name in os.environ for name in FORCED_KERNEL):
        return
    environment = {k: v for k, v in os.environ.items() if k not in FORCED_KERNEL}
    environment |= {f"{pool}_NUM_THREADS": str(threads) for pool in POOLS}
    environment |= {"NPROC": str(threads), "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}
    environment |= {THREADS: str(threads), "PYTHONHASHSEED": "0"}
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def clock() -> float:
    """Seconds by the clock that was asked for."""
    return CLOCKS[os.environ.get(CLOCK, "wall")]()


def machine() -> dict[str, Any]:
    """Processor, threads, Python, NumPy, BLAS kernel, garbage collection."""
    try:
        with open("/proc/cpuinfo") as lines:
            named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        named = []
    return {
        "cpu": named[0] if named else platform.processor(),
        "cores": os.cpu_count(),
        "threads": int(os.environ.get(THREADS, 0)),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": blas(),
        "clock": os.environ.get(CLOCK, "wall"),
        "gc": "on" if gc.isenabled() else "off",
    }


def heading() -> str:
    """`machine()` in one line."""
    return " · ".join(f"{key} {value}" for key, value in machine().items())


def blas() -> str:
    """NumPy's BLAS with the kernel chosen for this processor (threadpoolctl knows), else as it was built."""
    try:
        import threadpoolctl  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        built: Any = np.show_config(mode="dicts")  # type: ignore[call-overload, unused-ignore]
        found = built["Build Dependencies"]["blas"]
        return f"{found['name']} {found['version']} (pip install threadpoolctl names the kernel)"
    pools = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    numpys = [pool for pool in pools if "numpy" in pool["filepath"]] or pools
    if not numpys:
        return "unknown"
    return f"{numpys[0]['internal_api']} {numpys[0]['version']} {numpys[0].get('architecture', '')}".strip()


def versions(packages: Iterable[str]) -> dict[str, str]:
    """The versions of those distributions that are installed."""
    found = {}
    for package in sorted(set(packages)):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
