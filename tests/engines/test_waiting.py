"""Compiled functions among threads and processes: made in the background, shared, pickled, forked."""

from __future__ import annotations

import os
import pickle
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad

from ..helpers import normal, points_at
from .harness import compare, energy


def test_without_waiting_the_function_itself_answers() -> None:
    compiled = ad.compile(energy, wait=False)
    x = normal(3, 4)
    compare(compiled(x), energy(x))
    _until(lambda: compiled.explain().programs)
    compare(compiled(x), energy(x))
    assert len(compiled.explain().programs) == 1


def test_without_waiting_an_error_is_raised_by_a_later_call() -> None:
    compiled = ad.compile(lambda x: x if x[0] > 0 else -x, wait=False)
    x = np.ones(2)
    caught: list[str] = []

    def failed() -> bool:
        try:
            compiled(x)
        except ad.TraceError as error:
            caught.append(str(error))
        return bool(caught)

    _until(failed)
    assert points_at(caught[0], "if x[0] > 0 else -x")


def _until(condition: Callable[[], Any]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within 30 s")


def test_the_callback_hears_of_every_program_once() -> None:
    lines: list[str] = []
    compiled = ad.compile(energy, callback=lines.append)
    for n in (3, 3, 4):
        compiled(normal(n))
    assert len(lines) == 2
    assert all(line.startswith("compiled energy: ") and "recorded nodes" in line for line in lines)


@pytest.mark.numba
def test_a_compiled_function_pickles_as_its_function_and_options() -> None:
    compiled = ad.compile(energy, donate=0)
    compiled(normal(3))
    copy = pickle.loads(pickle.dumps(compiled))
    assert copy.explain().programs == [] and copy.__name__ == "energy"
    compare(copy(normal(3)), energy(normal(3)))


@pytest.mark.parametrize("library", [False, True], ids=["native", "library"])
def test_python_threads_share_a_compiled_function(library: bool) -> None:
    def f(a: Any, b: Any) -> Any:
        c = np.tanh(a @ a.T / 8 + np.eye(8))
        return np.linalg.solve(c, b) if library else c @ b

    compiled = ad.compile(f)
    cases = [(normal(8, 8, seed=k), normal(8, seed=k + 9)) for k in range(4)]
    failures: list[BaseException] = []

    def work(k: int) -> None:
        try:
            for _ in range(200):
                compare(compiled(*cases[k]), f(*cases[k]), 1e3)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert compiled.explain().recompilations == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_goes_on() -> None:
    import signal

    compiled = ad.compile(lambda x: np.sum(np.sin(x)))
    x = normal(200_000)
    want = compiled(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and later: threads and fork
        child = os.fork()
    if child == 0:
        signal.alarm(30)
        os._exit(0 if compiled(x) == want else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert compiled(x) == want
