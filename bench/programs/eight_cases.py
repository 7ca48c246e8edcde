"""The eight workloads at the sizes of the table of targets, with the floor that the machine sets to each."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from . import BEST, Case, Goal

MLP = (784, 256, 128, 10)
POLICY = (8, 64, 64, 4)
POWERS = {1_000: "10³", 10_000: "10⁴", 100_000: "10⁵", 10_000_000: "10⁷"}


def network(rng: np.random.Generator, dtype: DTypeLike, sizes: tuple[int, ...], gain: float) -> list[Any]:
    """Layers [(W, b), …] with W of variance gain/inputs."""
    return [
        (
            (rng.normal(size=(i, o)) * (gain / i) ** 0.5).astype(dtype),
            (rng.normal(size=o) * 0.1).astype(dtype),
        )
        for i, o in pairwise(sizes)
    ]


def itemsize(dtype: str) -> int:
    return np.dtype(dtype).itemsize


def w1(steps: int) -> Case:
    start = (np.float64(0.7), np.float64(1.2), np.float64(0.5))
    return Case(
        "W1",
        f"{POWERS[5 * steps]} scalars",
        "float64",
        "gradient",
        "scalar",
        start,
        (steps,),
        n=5 * steps,
        goals=(Goal("clock", 8e-9 * 5 * steps), Goal("casadi", 1.0), Goal("torch eager", 1000.0)),
        floor=lambda rates: rates.scalar_loop(steps),
    )


def w2(n: int, dtype: str) -> Case:
    x = np.random.default_rng(0).normal(0, 2, n).astype(dtype)
    names = ("tanh", "exp", "exp", "log1p")  # exp twice: of −x² and of x, whose inverse is exp(−x)

    def floor(rates: Any) -> float:
        seconds: float = n * sum(rates.per_element(f, dtype) for f in names)
        return max(seconds, rates.moving(2 * n * itemsize(dtype)))

    return Case(
        "W2", f"n={POWERS[n]}", dtype, "gradient", "chain", (x,), n=n, goals=(Goal(BEST, 2.5),), floor=floor
    )


def w3(batch: int, dtype: str, ask: str) -> Case:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(batch, MLP[0])).astype(dtype), rng.integers(0, MLP[-1], batch)
    params = network(rng, dtype, MLP, 2)
    products = [i * o for i, o in pairwise(MLP)]
    flops = 2 * batch * (3 * sum(products) - products[0])  # the inputs have no multiplier
    count = sum(w.size + b.size for w, b in params)
    state: dict[str, Any] = {}
    if ask == "adam":
        m = [(0.01 * w, 0.01 * b) for w, b in network(rng, dtype, MLP, 2)]
        v = [
            (1e-4 * w * w + np.dtype(dtype).type(1e-4), 1e-4 * b * b) for w, b in network(rng, dtype, MLP, 2)
        ]
        state = {"m": m, "v": v, "t": 5.0, "rate": 1e-3}

    def floor(rates: Any) -> float:
        seconds: float = flops / rates.gemm(dtype)
        if ask == "adam":  # three arrays read, three written
            seconds += rates.moving(6 * count * itemsize(dtype))
        return seconds

    goals = (Goal(BEST, 1.2 if batch == 32 else 1.0),)
    return Case("W3", f"batch {batch}", dtype, ask, "mlp", (params,), (x, y), state, batch, goals, floor)


def w4(dtype: str, prompts: int = 100_000, responses: int = 16) -> Case:
    rng = np.random.default_rng(0)
    log_ref = rng.normal(size=(prompts, responses))
    log_ref -= np.log(np.exp(log_ref).sum(1, keepdims=True))
    log_ref, r = log_ref.astype(dtype), rng.normal(size=(prompts, responses)).astype(dtype)
    g, lam = rng.normal(size=(2, prompts, responses)).astype(dtype), np.array([0.3, 0.7], dtype)
    moved = 4 * r.nbytes

    def floor(rates: Any) -> float:
        return max(rates.moving(moved, read=True), r.size * rates.per_element("exp", dtype))

    return Case(
        "W4",
        f"{prompts:,}×{responses}",
        dtype,
        "hessian",
        "dual",
        (lam,),
        (log_ref, r, g),
        n=r.size,
        goals=(Goal(BEST, 3.0),),
        floor=floor,
    )


def w5(dtype: str, ask: str, n: int = 4000) -> Case:
    rng = np.random.default_rng(0)
    x, act = rng.normal(size=(n, POLICY[0])).astype(dtype), rng.integers(0, POLICY[-1], n)
    adv, params, v = (
        rng.normal(size=n).astype(dtype),
        network(rng, dtype, POLICY, 1),
        network(rng, dtype, POLICY, 1),
    )
    first, *later = (i * o for i, o in pairwise(POLICY))
    per_layer = 8 if ask == "hvp" else 5  # products of the primal, tangent and adjoint sweep of a later layer
    flops, hidden = 2 * n * (3 * first + per_layer * sum(later)), n * sum(POLICY[1:-1])

    def floor(rates: Any) -> float:
        return flops / rates.gemm(dtype) + hidden * rates.per_element("tanh", dtype)

    program, data = ("policy_loss", (x, act, adv)) if ask == "hvp" else ("log_policy", (x,))
    goals = (Goal(BEST, 1.2 if ask == "hvp" else 1.5),)
    return Case("W5", f"{n}×{POLICY[0]}", dtype, ask, program, (params,), data, {"v": v}, n, goals, floor)


def w6(dtype: str, steps: int = 1000, dim: int = 64, batch: int = 16, inputs: int = 16) -> Case:
    rng = np.random.default_rng(0)
    u = rng.normal(size=(steps, batch, inputs)).astype(dtype)
    y = (rng.normal(size=(steps, batch, dim)) * 0.5).astype(dtype)
    w, v = rng.normal(size=(dim, dim)) / 8 * 0.9, rng.normal(size=(inputs, dim)) / 4
    parameters = tuple(a.astype(dtype) for a in (w, v, rng.normal(size=dim) * 0.1))
    flops = 2 * steps * batch * dim * (3 * dim + 2 * inputs)

    def floor(rates: Any) -> float:
        return flops / rates.gemm(dtype) + y.size * rates.per_element("tanh", dtype)

    return Case(
        "W6",
        f"{steps} steps",
        dtype,
        "gradient",
        "recurrence",
        parameters,
        (u, y),
        n=steps,
        goals=(Goal(BEST, 2.0),),
        floor=floor,
    )


def w7(kind: str, dtype: str, threads: int, n: int = 100_000, d: int = 100) -> Case:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(n, d)).astype(dtype), (rng.normal(size=d) * 0.1).astype(dtype)
    y = (x @ rng.normal(size=d) * 0.2 + rng.normal(size=n)).astype(dtype)
    if kind == "logistic":
        y = np.sign(y)
    return Case(
        "W7",
        f"{kind} {POWERS[n]}×{d}",
        dtype,
        "gradient",
        kind,
        (w,),
        (x, y),
        n=n,
        goals=(Goal(BEST, 1.1 if threads == 1 else 1.5),),
        floor=lambda rates: rates.moving(x.nbytes, read=True),
    )


def w8(dtype: str) -> Case:
    rng = np.random.default_rng(0)
    parameters = rng.normal(size=(8, 8)).astype(dtype), rng.normal(size=8).astype(dtype)
    return Case(
        "W8",
        "8×8",
        dtype,
        "gradient",
        "call",
        parameters,
        n=64,
        goals=(Goal("clock", 2e-6), Goal("jax.jit", 4.0)),
        floor=lambda rates: rates.call(),
    )


def cases(threads: int, *, quick: bool = False) -> list[Case]:
    """All cases in the order of the table; `quick` leaves out the largest."""
    both = ("float32", "float64")
    found = [w1(2_000)] if quick else [w1(2_000), w1(20_000)]
    found += [w2(n, dtype) for n in (1_000, 100_000, 10_000_000) for dtype in both if n < 10**7 or not quick]
    found += [w3(batch, "float32", ask) for batch in (32, 512) for ask in ("gradient", "adam")]
    found += [] if quick else [w3(512, "float64", "gradient")]
    found += [w4(dtype) for dtype in both]
    found += [w5(dtype, ask) for ask in ("hvp", "fisher") for dtype in both]
    found += [w6(dtype) for dtype in both]
    found += [w7(kind, dtype, threads) for kind in ("ridge", "logistic") for dtype in both]
    found += [w8(dtype) for dtype in both]
    return found
