"""Data and sizes of the twenty programs, of the order of .1 to 10 ms each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import BEST, Case, Goal

Made = tuple[str, tuple[Any, ...], tuple[Any, ...]]  # size in words, parameters, data
KINKS = {"quantiles", "convolution"}  # not differentiable everywhere


def dense(rng: np.random.Generator, *sizes: int) -> list[np.ndarray]:
    """W and b of every layer, in one list."""
    found = []
    for i, o in zip(sizes, sizes[1:], strict=False):  # noqa: RUF007  (a pair of sizes)
        found += [rng.normal(size=(i, o)) / i**0.5, rng.normal(size=o) * 0.1]
    return found


def mixture(rng: np.random.Generator) -> Made:
    x = rng.normal(size=(5000, 8)) + rng.integers(0, 4, (5000, 1))
    return (
        "5000×8, 16 components",
        (rng.normal(size=16), rng.normal(size=(16, 8)), rng.normal(size=(16, 8)) * 0.1),
        (x,),
    )


def quantiles(rng: np.random.Generator) -> Made:
    x = rng.normal(size=(50_000, 20))
    y = x @ rng.normal(size=20) + rng.normal(size=50_000)
    return "50,000×20, 3 levels", (rng.normal(size=(20, 3)), np.zeros(3)), (x, y, np.array([0.1, 0.5, 0.9]))


def huber(rng: np.random.Generator) -> Made:
    x = rng.normal(size=(50_000, 20))
    y = x @ rng.normal(size=20) + rng.standard_t(2, size=50_000)
    return "50,000×20", (rng.normal(size=20), np.array(0.1)), (x, y)


def poisson(rng: np.random.Generator) -> Made:
    x, w = rng.normal(size=(50_000, 30)), rng.normal(size=30) * 0.1
    return "50,000×30", (w, np.array(0.2)), (x, rng.poisson(np.exp(x @ w)).astype(float))


def experts(rng: np.random.Generator) -> Made:
    x = rng.normal(size=(10_000, 10))
    y = (rng.random(10_000) < 0.4).astype(float)
    return "10,000×10, 4 experts", (rng.normal(size=(10, 4)), rng.normal(size=(10, 4))), (x, y)


def spline(rng: np.random.Generator) -> Made:
    x = rng.random(20_000)
    y = np.sin(9 * x) + 0.1 * rng.normal(size=20_000)
    return "20,000 points, 20 knots", (np.linspace(0.02, 0.98, 20), rng.normal(size=24)), (x, y)


def gaussian_process(rng: np.random.Generator) -> Made:
    x = rng.normal(size=(300, 4))
    y = np.sin(x[:, 0]) + 0.1 * rng.normal(size=300)
    return "300×4", (np.array([0.1, 0.4, 0.2, 0.3]), np.array(0.1), np.array(-1.0)), (x, y)


def kalman(rng: np.random.Generator) -> Made:
    a = 0.9 * np.eye(4) + 0.05 * rng.normal(size=(4, 4))
    data = rng.normal(size=(2, 4)), rng.normal(size=(100, 2))
    return "100 steps, 4 states", (a, 0.1 * rng.normal(size=4), 0.1 * rng.normal(size=2)), data


def hidden_markov(rng: np.random.Generator) -> Made:
    parameters = rng.normal(size=(16, 16)), rng.normal(size=16), 0.1 * rng.normal(size=16)
    return "200 steps, 16 states, batch 8", parameters, (rng.normal(size=(200, 8)),)


def diffusion(rng: np.random.Generator) -> Made:
    u, rate = rng.random((128, 128)), 0.1 + 0.1 * rng.random((128, 128))
    return "128×128, 20 steps", (u, rate, np.array(0.05)), (rng.random((128, 128)), 20)


def predators(rng: np.random.Generator) -> Made:
    z = 1 + rng.random((2, 1000))
    return "1000 starts, 50 steps", (np.array([1.1, 0.4, 0.1, 0.4]), z), (1 + rng.random((2, 1000)), 50)


def bodies(rng: np.random.Generator) -> Made:
    return "400 bodies", (rng.normal(size=(400, 3)), rng.random(400)), ()


def lstm(rng: np.random.Generator) -> Made:
    w, b = dense(rng, 192, 512)
    data = rng.normal(size=(64, 32, 64)), rng.normal(size=(32, 8))
    return "64 steps, batch 32, 128 wide", (w, b, dense(rng, 128, 8)[0]), data


def attention(rng: np.random.Generator) -> Made:
    weights = tuple(dense(rng, 256, 256)[0] for _ in range(4))
    return "4×128×256, 4 heads", weights, (rng.normal(size=(4, 128, 256)), rng.normal(size=(4, 128, 256)), 4)


def convolution(rng: np.random.Generator) -> Made:
    w, b = dense(rng, 13 * 13 * 8, 10)
    data = rng.normal(size=(64, 28, 28)), rng.integers(0, 10, 64)
    return "64×28×28, 8 filters", (rng.normal(size=(9, 8)) / 3, w, b), data


def ratings(rng: np.random.Generator) -> Made:
    n, users, items, k = 50_000, 2000, 1000, 16
    u, v = rng.normal(size=(users, k)) / 4, rng.normal(size=(items, k)) / 4
    data = rng.integers(0, users, n), rng.integers(0, items, n), rng.normal(size=n)
    return "50,000 of 2000×1000, rank 16", (u, v, np.zeros(users), np.zeros(items)), data


def words(rng: np.random.Generator) -> Made:
    data = rng.integers(0, 1000, (512, 4)), rng.integers(0, 1000, 512)
    return "512×4 of 1000 words, 32 wide", (rng.normal(size=(1000, 32)), dense(rng, 32, 1000)[0]), data


def normalized(rng: np.random.Generator) -> Made:
    layers = [
        (np.ones(128), np.zeros(128), dense(rng, 128, 256)[0], dense(rng, 256, 128)[0]) for _ in range(3)
    ]
    return "256×128, 3 blocks", (layers,), (rng.normal(size=(256, 128)), rng.normal(size=(256, 128)))


def variational(rng: np.random.Generator) -> Made:
    encoder, decoder = dense(rng, 784, 128, 32), dense(rng, 16, 128, 784)
    return "64×784, 16 latent", (encoder, decoder), (rng.random((64, 784)), rng.normal(size=(64, 16)))


def low_rank(rng: np.random.Generator) -> Made:
    parameters = 1.1 * np.linalg.qr(rng.normal(size=(1000, 10)))[0], rng.normal(size=(200, 10))
    return "1000×200, rank 10", parameters, (rng.normal(size=(1000, 200)),)


PROGRAMS: list[tuple[Callable[[np.random.Generator], Made], str]] = [
    *((make, "float64") for make in (mixture, quantiles, huber, poisson, experts, spline, gaussian_process)),
    *((make, "float64") for make in (kalman, hidden_markov, diffusion, predators, bodies)),
    *((make, "float32") for make in (lstm, attention, convolution, ratings, words, normalized)),
    *((make, "float32") for make in (variational, low_rank)),
]


def cases() -> list[Case]:
    """All twenty, statistics and physics in float64, learning in float32."""
    found = []
    for make, dtype in PROGRAMS:
        size, parameters, data = make(np.random.default_rng(0))
        name = make.__name__
        found.append(
            Case(
                name,
                size,
                dtype,
                "gradient",
                name,
                cast(parameters, dtype),
                cast(data, dtype),
                goals=(Goal(BEST, 0.8),),
            )
        )
    return found


def cast(x: Any, dtype: str) -> Any:
    """The container with its floating arrays in one precision."""
    if isinstance(x, (list, tuple)):
        return type(x)(cast(part, dtype) for part in x)
    return np.asarray(x, dtype) if np.asarray(x).dtype.kind == "f" else x
