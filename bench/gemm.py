"""How fast is one matrix product? The native step against OpenBLAS, torch and jax.

The step and OpenBLAS (numba's `np.dot`) are called by a compiled loop, as a compiled program does; torch and
jax have no such way in, so that their calls from Python are part of their time. Outputs are reused, by
jax excepted. Matrices stay in cache between calls as far as they fit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import harness
import numpy as np
from environment import heading, options, prepare, versions
from harness import Contestant
from numba import njit, prange

from adjoint.engines.cpu.gemm import plan_gemm
from adjoint.engines.cpu.intrinsics import call_chunk

# (m, k, n, which operands are transposed): the products of an MLP, its gradients, a policy, a recurrence
SHAPES = (
    (32, 784, 256, ""), (32, 256, 128, ""), (512, 784, 256, ""), (784, 32, 256, "A"), (784, 512, 256, "A"),
    (32, 128, 256, "B"), (512, 128, 256, "B"), (16, 64, 64, ""), (16, 64, 64, "B"), (250, 64, 64, ""),
    (64, 250, 64, "A"),
    (512, 128, 10, ""), (1, 784, 256, ""), (784, 256, 1, ""), (1024, 1024, 1024, ""),
)  # fmt: skip
PEERS = "OpenBLAS", "torch", "jax"


@njit
def serial(address, block, chunks, times):
    for _ in range(times):
        for chunk in range(chunks):
            call_chunk(address, block, chunk)


@njit(parallel=True)
def parallel(address, block, chunks, times):
    for _ in range(times):
        for chunk in prange(chunks):
            call_chunk(address, block, chunk)


@njit
def blas(a, b, c, times):
    for _ in range(times):
        np.dot(a, b, c)


def measure(shape: tuple[int, int, int, str], dtype: str, rounds: int, threads: int) -> dict[str, Any]:
    """All contestants on one product."""
    m, k, n, transposed = shape
    rng = np.random.default_rng(0)
    a = rng.normal(size=(k, m) if "A" in transposed else (m, k)).astype(dtype)
    b = rng.normal(size=(n, k) if "B" in transposed else (k, n)).astype(dtype)
    a, b = a.T if "A" in transposed else a, b.T if "B" in transposed else b
    times = max(1, 4_000_000 // (2 * m * n * k))
    reference = a.astype(np.float64) @ b.astype(np.float64)
    group = [
        Contestant("step", lambda: step(a, b, times, threads)),
        Contestant("OpenBLAS", lambda: openblas(a, b, times), "numpy"),
        Contestant("torch", lambda: torch(a, b, times), "torch"),
        Contestant("jax", lambda: jax(a, b, times), "jax"),
    ]
    tolerance = 1e-4 if dtype == "float32" else 1e-12
    found = harness.compare(group, (reference, []), rounds=rounds, tolerance=tolerance, turn=0.004)
    for measurement in found.values():
        measurement.times = [t / times for t in measurement.times]
    return found


def step(a: np.ndarray, b: np.ndarray, times: int, threads: int) -> Callable[[], Any]:
    (m, k), n, size = a.shape, b.shape[1], a.itemsize
    c = np.empty((m, n), a.dtype)
    strides = [tuple(s // size for s in x.strides) for x in (a, b)]
    planned = plan_gemm(a.dtype, m, n, k, a_strides=strides[0], b_strides=strides[1], ldc=n)  # type: ignore[arg-type]
    block = planned.block(a.ctypes.data, b.ctypes.data, c.ctypes.data)
    loop = parallel if threads > 1 and planned.chunks > 1 else serial
    keep = a, b, block

    def run() -> Any:
        loop(planned.address, keep[2].ctypes.data, planned.chunks, times)
        return c, []

    return run


def openblas(a: np.ndarray, b: np.ndarray, times: int) -> Callable[[], Any]:
    c = np.empty((a.shape[0], b.shape[1]), a.dtype)

    def run() -> Any:
        blas(a, b, c, times)
        return c, []

    return run


def torch(a: np.ndarray, b: np.ndarray, times: int) -> Callable[[], Any]:
    import torch

    x, y = torch.from_numpy(a), torch.from_numpy(b)
    out = torch.empty((a.shape[0], b.shape[1]), dtype=x.dtype)

    def run() -> Any:
        for _ in range(times):
            torch.mm(x, y, out=out)
        return out.numpy(), []

    return run


def jax(a: np.ndarray, b: np.ndarray, times: int) -> Callable[[], Any]:
    import jax

    # a transposed operand is transposed inside, as it is in a program
    turn = [not x.flags.c_contiguous for x in (a, b)]
    x, y = (jax.device_put(v.T if t else v) for v, t in zip((a, b), turn, strict=True))
    product = jax.jit(lambda x, y: (x.T if turn[0] else x) @ (y.T if turn[1] else y))

    def run() -> Any:
        for _ in range(times):
            out = product(x, y)
        return out.block_until_ready(), []

    return run


def row(shape: tuple[int, int, int, str], found: dict[str, Any]) -> list[str]:
    """Microseconds of everybody, the step's rate, and how much faster it is than the best of the others."""
    m, k, n, transposed = shape
    mine = found["step"].median
    others = [found[p].median for p in PEERS if p in found and not found[p].reason]
    cells = [
        f"{found[p].median * 1e6:,.2f}" if p in found and not found[p].reason else "-"
        for p in ("step", *PEERS)
    ]
    marks = ["ᵀ" if side in transposed else "" for side in "AB"]
    name = f"{m}×{k}{marks[0]} @ {k}×{n}{marks[1]}"
    return [name, *cells, f"{2e-9 * m * n * k / mine:.0f}", f"{min(others) / mine:.2f}"]


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--dtype", choices=("float32", "float64"), help="one of the two only")
    given = parser.parse_args()
    prepare(given)
    print(heading())
    for dtype in [given.dtype] if given.dtype else ["float32", "float64"]:
        results = {shape: measure(shape, dtype, given.rounds, given.threads) for shape in SHAPES}
        header = ["µs per product", "step", *PEERS, "GF/s", "best/step"]
        harness.table(f"{dtype}, {given.threads} thread(s)", header, [row(s, r) for s, r in results.items()])
        known = versions(("adjoint-autodiff", "numpy", "torch", "jax"))
        for (m, k, n, transposed), found in results.items():
            for name, f in found.items():
                if not f.reason:
                    case = f"{m}×{k}×{n} {transposed}".strip()
                    harness.emit(
                        "gemm",
                        case,
                        name,
                        f.median * 1e6,
                        "µs",
                        m * n * k,
                        dtype=dtype,
                        iqr=f.iqr * 1e6,
                        versions=known,
                    )


if __name__ == "__main__":
    main()
