"""What this machine can do: bytes per second, flops per second, nanoseconds per function value.

From these come the floors. Everything is measured with the threads of the run, the best of several
libraries and of many tries: a floor may only err downwards.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from environment import THREADS, clock


def best(run: Callable[[], Any], tries: int = 20, calls: int = 1) -> float:
    """Seconds per call of the fastest of several tries."""
    run()
    fastest = float("inf")
    for _ in range(tries):
        begun = clock()
        for _ in range(calls):
            run()
        fastest = min(fastest, (clock() - begun) / calls)
    return fastest


class Rates:
    """Measured when asked for, once."""

    def __init__(self) -> None:
        self.threads = int(os.environ.get(THREADS, 1))

    @cache  # noqa: B019  (one object per process)
    def moving(self, size: int, read: bool = False) -> float:
        """Seconds to move `size` bytes: all read, or half read and half written.

        The working set is as large as the program's, so that what fits a cache is given the cache's rate.
        """
        words = max(size // 8 // self.threads // 2, 16)
        pairs = [(np.ones(words), np.zeros(words)) for _ in range(self.threads)]

        def part(pair: tuple[np.ndarray, np.ndarray]) -> None:
            if read:
                np.dot(pair[0], pair[1])
            else:
                np.copyto(pair[1], pair[0])

        if self.threads == 1 or size < 1 << 20:  # below, handing out the work takes longer than the work
            return best(lambda: [part(pair) for pair in pairs], 30)
        with ThreadPoolExecutor(self.threads) as pool:
            return best(lambda: list(pool.map(part, pairs)), 30)

    @cache  # noqa: B019
    def gemm(self, dtype: str) -> float:
        """Flops per second of a large matrix product: the better of NumPy's BLAS and torch's."""
        n = 1024
        a, b = np.ones((n, n), dtype), np.ones((n, n), dtype)
        out = np.empty_like(a)
        seconds = best(lambda: np.matmul(a, b, out=out))
        try:
            import torch
        except ImportError:
            pass
        else:
            s, t, r = torch.from_numpy(a), torch.from_numpy(b), torch.from_numpy(out)
            seconds = min(seconds, best(lambda: torch.mm(s, t, out=r)))
        return 2.0 * n**3 / seconds

    @cache  # noqa: B019
    def per_element(self, name: str, dtype: str) -> float:
        """Seconds per value of a function on arrays in cache, by all threads: best of NumPy and torch."""
        x = np.random.default_rng(0).normal(0, 2, 4096).astype(dtype)
        x = np.exp(x) if name.startswith("log") else x
        out, function = np.empty_like(x), getattr(np, name)
        seconds = best(lambda: function(x, out=out), 50, 20)
        try:
            import torch
        except ImportError:
            pass
        else:
            t, r, of_torch = torch.from_numpy(x), torch.from_numpy(out), getattr(torch, name)
            seconds = min(seconds, best(lambda: of_torch(t, out=r), 50, 20))
        return seconds / x.size / self.threads

    @cache  # noqa: B019
    def scalar_loop(self, steps: int) -> float:
        """Seconds of W1 as one loop of compiled code that knows the program, forwards and back."""
        import numba

        @numba.njit
        def loop(x: float, a: float, b: float, sines: np.ndarray, states: np.ndarray) -> Any:
            total = 0.0
            for k in range(steps):
                states[k], sines[k] = x, np.sin(x)
                x = sines[k] * a + b * x
                total += x
            lam, a_bar, b_bar = 0.0, 0.0, 0.0
            for k in range(steps - 1, -1, -1):
                lam += 1.0
                a_bar += lam * sines[k]
                b_bar += lam * states[k]
                lam *= a * np.cos(states[k]) + b
            return total, lam, a_bar, b_bar

        kept = np.empty(steps), np.empty(steps)
        return best(lambda: loop(0.7, 1.2, 0.5, *kept), 50)

    @cache  # noqa: B019
    def call(self) -> float:
        """Seconds of a call of compiled code that takes W8's arrays and returns arrays of their shapes."""
        import numba

        @numba.njit
        def like(w: np.ndarray, x: np.ndarray) -> Any:
            return 0.0, np.empty_like(w), np.empty_like(x)

        w, x = np.ones((8, 8)), np.ones(8)
        return best(lambda: like(w, x), 50, 1000)
