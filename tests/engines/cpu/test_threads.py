"""Threads that share chunks: each chunk once, any number of threads, asleep when idle, ended in order."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from adjoint.engines.cpu import layout, threads
from adjoint.engines.cpu.driver import DONE, FAILED, Patch, Program, Step

from .kernels import CHECK, address

# block: counts, pauses; adds 1 to the count of the chunk
COUNT = """
@cfunc("void(CPointer(int64), int64)", error_model="numpy")
def entry(block, chunk):
    counts = i64_at(block[0])
    for _ in range(block[1] * (1 + chunk % 3)):
        pause()
    counts[chunk] += 1
"""


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    before = threads._chosen
    threads.set_num_threads(4)
    yield
    threads.stop()
    threads._chosen = before


def counting(chunks: int, pauses: int = 0, steps: int = 1) -> tuple[Program, np.ndarray]:
    counts = np.zeros(max(chunks, 1), np.int64)
    block = np.array([counts.ctypes.data, pauses])
    return Program([], [], [Step(address(COUNT), block, chunks, parallel=True)] * steps), counts


@pytest.mark.parametrize("chunks", [1, 2, 3, 4, 5, 64, 1000])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_every_chunk_runs_once(chunks: int, n: int) -> None:
    program, counts = counting(chunks)
    threads.set_num_threads(n)
    for runs in range(1, 4):
        assert program.run((), ()) == DONE
        assert (counts == runs).all()


def test_many_regions_one_after_another() -> None:
    """A ticket taken twice, or a job read too late, would show as a count that is off."""
    program, counts = counting(8, steps=2000)
    for _ in range(3):
        assert program.run((), ()) == DONE
    assert (counts == 6000).all()


def wait_until_they_sleep() -> None:
    lines = [layout.FIRST_WORKER + layout.LINE * t for t in (1, 2, 3)]
    limit = time.monotonic() + 10
    while not all(threads._pool[line + layout.PARKED] for line in lines) and time.monotonic() < limit:
        time.sleep(1e-3)
    assert all(threads._pool[line + layout.PARKED] for line in lines)


def test_workers_that_sleep_are_woken() -> None:
    program, counts = counting(8, pauses=100)
    for _ in range(20):
        assert program.run((), ()) == DONE
        wait_until_they_sleep()
    assert (counts == 20).all()


def test_workers_take_part() -> None:
    """Two chunks that wait for each other can only end on two threads."""
    meet = """
@cfunc("void(CPointer(int64), int64)", error_model="numpy")
def entry(block, chunk):
    flags = i64_at(block[0])
    store_shared(block[0] + 8 * chunk, 1)
    for _ in range(200000000):
        if load_shared(block[0] + 8 * (1 - chunk)) != 0:
            return
        pause()
    flags[2] = 1
"""
    flags = np.zeros(3, np.int64)
    program = Program([], [], [Step(address(meet), np.array([flags.ctypes.data]), 2, parallel=True)])
    assert program.run((), ()) == DONE and flags.tolist() == [1, 1, 0]


def test_idle_workers_cost_nothing() -> None:
    program, _ = counting(8)
    program.run((), ())
    wait_until_they_sleep()
    begin = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - begin < 0.1  # three that spin would take 0.3 s or more


def test_python_threads_do_not_share_a_region() -> None:
    programs = [counting(16, pauses=20, steps=50) for _ in range(3)]

    def work(program: Program) -> None:
        for _ in range(20):
            assert program.run((), ()) == DONE

    callers = [threading.Thread(target=work, args=(program,)) for program, _ in programs]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all((counts == 1000).all() for _, counts in programs)


def test_the_number_may_change_while_programs_run() -> None:
    program, counts = counting(16, pauses=5, steps=100)
    results: list[int] = []
    caller = threading.Thread(target=lambda: results.extend(program.run((), ()) for _ in range(50)))
    caller.start()
    for k in range(60):
        threads.set_num_threads(1 + k % 5)
        if k % 20 == 10:
            threads.stop()
            threads.start()
    caller.join()
    assert results == [DONE] * 50 and (counts == 5000).all()


def test_failures_do_not_depend_on_threads() -> None:
    values = np.arange(64.0)
    seen = set()
    for n in (1, 2, 3, 4):
        threads.set_num_threads(n)
        block = np.array([0, 0, 8, 20])
        steps = [Step(address(CHECK), block, 8, parallel=True, status=1)]
        program = Program([((64,), np.float64)], [], steps, [Patch(0, block, 0)])
        for _ in range(20):
            assert program.run((values,), ()) == FAILED
            seen.add(program.status)
    assert seen == {(0, 21)}


def test_numbers_of_threads(monkeypatch) -> None:
    assert threads.get_num_threads() == 4
    for wrong in (0, -1, threads.MOST_THREADS + 1):
        with pytest.raises(ValueError, match="needs 1 to 256 threads"):
            threads.set_num_threads(wrong)
    assert threads.get_num_threads() == 4
    monkeypatch.setattr(threads, "_chosen", None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)
    assert threads.get_num_threads() == 6
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    assert threads.get_num_threads() == 2


def test_no_worker_before_a_program_needs_one() -> None:
    threads.stop()
    before = threading.active_count()
    threads.set_num_threads(3)
    Program([], [], [Step(address(COUNT), np.zeros(2, np.int64), 5)])
    assert threading.active_count() == before
    counting(5)
    assert threading.active_count() == before + 2
    threads.stop()
    assert threading.active_count() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_runs_serially_until_it_asks_for_threads() -> None:
    program, counts = counting(8, pauses=10, steps=10)
    program.run((), ())
    child = os.fork()
    if not child:
        good = program.run((), ()) == DONE and (counts == 20).all() and not threads._workers
        threads.set_num_threads(2)
        counting(2)
        good = good and len(threads._workers) == 1 and program.run((), ()) == DONE and (counts == 30).all()
        threads.stop()
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert program.run((), ()) == DONE and (counts == 20).all()


EXIT = """
import sys, threading
import numpy as np
sys.path.insert(0, {root!r})
from tests.engines.cpu.test_threads import counting, threads
threads.set_num_threads(3)
program, counts = counting(8, pauses=100, steps=20)
program.run((), ())
if {busy}:
    def work():
        while True:
            program.run((), ())
    threading.Thread(target=work, daemon=True).start()
print("end")
"""


@pytest.mark.parametrize("busy", [False, True])
def test_the_interpreter_ends_cleanly(busy: bool) -> None:
    code = EXIT.format(root=os.getcwd(), busy=busy)
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-X", "faulthandler", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "end\n", "")
