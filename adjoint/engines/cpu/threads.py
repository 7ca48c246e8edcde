"""Threads that share the chunks of a step: native workers that spin for 30 µs after a job, then sleep.

A step's chunks are fixed when it is planned, so results do not depend on how many threads run them. One
Python thread at a time has the workers; another that meets a parallel step meanwhile runs it alone. A forked
child has no workers and runs serially until it asks for threads.
"""

from __future__ import annotations

import atexit
import os
import threading
import time

import numpy as np

from . import layout, native

# A job usually follows the last one at once. Beyond this a wake-up, some µs of the caller's time, is cheaper.
SPIN_SECONDS = 30e-6
MOST_THREADS = 256

_lock = threading.RLock()
_chosen: int | None = None
_workers: list[threading.Thread] = []
# In place for good: every program's table holds its address. One spare line, for alignment to 64 bytes.
_memory = np.zeros(layout.FIRST_WORKER + layout.LINE * (MOST_THREADS + 1), np.int64)
_pool = _memory[(-_memory.ctypes.data % 64) // 8 :][: layout.FIRST_WORKER + layout.LINE * MOST_THREADS]
POOL_ADDRESS: int = _pool.ctypes.data


def get_num_threads() -> int:
    """Threads that a parallel step may use, the calling one included.

    Unless set: the processors this process may run on, at most `NUMBA_NUM_THREADS`.
    """
    if _chosen is not None:
        return _chosen
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("NUMBA_NUM_THREADS", "")
    return min(usable, int(limit) if limit.isdecimal() and int(limit) else usable, MOST_THREADS)


def set_num_threads(n: int) -> None:
    """Let parallel steps of compiled programs use n threads, the calling one included; 1 is serial.

    Args:
        n: 1 … 256. More than there are processors gains nothing.

    Raises:
        ValueError: n is out of range.
    """
    global _chosen
    if not 1 <= n <= MOST_THREADS:
        raise ValueError(f"set_num_threads needs 1 to {MOST_THREADS} threads, not {n}")
    with _lock:
        _chosen = int(n)
        if _pool[layout.THREADS]:  # programs with parallel steps are about
            start()


def start() -> None:
    """Bring up the workers that are missing; called where a program with parallel steps is made."""
    with _lock:
        wanted = get_num_threads()
        if wanted > 1 and not _pool[layout.SPINS]:
            _prepare()
        for t in range(len(_workers) + 1, wanted):
            wake = native.new_lock()
            native.acquire(wake)
            _pool[layout.FIRST_WORKER + layout.LINE * t + layout.WAKE] = wake
            work = native.function("work", 2)
            worker = threading.Thread(target=work, args=(POOL_ADDRESS, t), name=f"adjoint-{t}", daemon=True)
            worker.start()
            _workers.append(worker)
        _pool[layout.THREADS] = wanted


def stop() -> None:
    """End the workers; programs go on serially, until `start` is called again."""
    with _lock:
        if _workers:
            # waits for a program that has the workers now; from here on nobody can take them
            native.function("halt", 2)(POOL_ADDRESS, len(_workers))
            for t, worker in enumerate(_workers, 1):
                worker.join()
                native.free_lock(int(_pool[layout.FIRST_WORKER + layout.LINE * t + layout.WAKE]))
        _workers.clear()
        _pool[:] = 0


def _prepare() -> None:
    """Hand the pool what its native half calls, and measure how many pauses make up `SPIN_SECONDS`."""
    _pool[layout.POOL_ACQUIRE] = native.python_api("PyThread_acquire_lock")
    _pool[layout.POOL_RELEASE] = native.python_api("PyThread_release_lock")
    _pool[layout.YIELD] = native.yielding()
    spin, count = native.function("spin", 1), 1000
    seconds = []
    for _ in range(5):
        begin = time.perf_counter()
        spin(count)
        seconds.append(time.perf_counter() - begin)
    _pool[layout.SPINS] = max(1, int(count * SPIN_SECONDS / min(seconds)))


def _after_fork() -> None:
    """Threads do not survive a fork: the child begins with an empty pool and a lock of its own."""
    global _lock
    _lock = threading.RLock()
    _workers.clear()
    _pool[:] = 0


atexit.register(stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
