"""Threads do not see each other's tapes."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import adjoint as ad
from adjoint.errors import LeakError

from ..helpers import close, message, nothing_is_open, points_at


def in_thread(f: Callable[[], Any], context: contextvars.Context | None = None) -> Any:
    """The result of f in a thread of its own; its exception is raised here."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(context.run, f).result() if context else pool.submit(f).result()


def model(w: Any, k: float) -> Any:
    with ad.scope(f"thread{k}"):
        h = np.tanh(w * k)
        for _ in range(20):
            h = np.sin(h @ h * h + w)
    return np.sum(ad.grad(lambda v: np.sum(v**3))(h)) + np.sum(h)


def test_many_threads_at_once() -> None:
    w = np.linspace(-1.0, 1.0, 7)
    expected = [ad.grad(model)(w, float(k)) for k in range(8)]
    start = threading.Barrier(8)

    def run(k: int) -> list[Any]:
        start.wait()
        return [ad.grad(model)(w, float(k)) for _ in range(15)]

    with ThreadPoolExecutor(8) as pool:
        for k, found in enumerate(pool.map(run, range(8))):
            for g in found:
                assert g.tobytes() == expected[k].tobytes()


def test_variable_of_another_thread_is_refused() -> None:
    def use(v: Any) -> Any:
        return np.exp(v)

    with ad.Tape() as tape:
        x = tape.input(1.0)
        text = message(LeakError, in_thread, lambda: use(x))
        assert text.startswith("exp got a Variable that another thread is recording")
        assert points_at(text, "return np.exp(v)")
        assert "ad.grad inside the thread" in text
        for f in (
            lambda: x + 1,
            lambda: 1 - x,
            lambda: -x,
            lambda: x > 0,
            lambda: ad.grad(lambda y: x * y)(1.0),
        ):
            assert "another thread" in message(LeakError, in_thread, f)
        assert in_thread(lambda: x.value) == 1.0
        assert "only while the tape is open" in message(LeakError, in_thread, lambda: tape.input(1.0))
    assert len(tape) == 1


def test_thread_that_inherits_the_context_does_not_touch_the_tapes_in_it() -> None:
    """asyncio.to_thread copies the context: its open tapes and scope belong to the other thread."""
    in_the_middle, go_on = threading.Event(), threading.Event()

    def pause(args: Any, z: Any, lam: Any) -> Any:
        in_the_middle.set()
        go_on.wait(10)
        return (lam,)

    paused = ad.primitive("test_paused", lambda x: x * 1.0, adjoint=pause)

    def work() -> Any:
        with ad.scope("elsewhere"):
            return ad.grad(lambda y: paused(y) * 3)(0.3)

    with ad.Tape() as tape, ThreadPoolExecutor(1) as pool:
        x = tape.input(2.0)
        with ad.scope("here"):
            future = pool.submit(contextvars.copy_context().run, work)
            assert in_the_middle.wait(10)
            y = x * x
            z = np.sin(x)
            go_on.set()
            assert future.result() == 3.0
    assert tape.attribution is None
    assert [tape.scope(v.index) for v in (x, y, z)] == ["", "here", "here"]
    assert [tape.origin(v.index).source for v in (y, z)] == ["y = x * x", "z = np.sin(x)"]


def test_tasks_of_one_thread_interleave() -> None:
    async def task(w: float) -> Any:
        with ad.Tape() as tape, ad.scope(f"task{w}"):
            x = tape.parameter(w, "x")
            loss = x * 1.0
            for _ in range(3):
                await asyncio.sleep(0)
                loss = loss * x
            gradient = ad.Lagrangian(tape, loss).gradient("x")
        return gradient, tape.scope(1), len(tape)

    async def main() -> Any:
        inner = [asyncio.to_thread(task_in_thread, 5.0), *(task(float(k)) for k in range(4))]
        return await asyncio.gather(*inner)

    def task_in_thread(w: float) -> Any:
        return ad.grad(lambda x: x**4)(w)

    first, *others = asyncio.run(main())
    close(first, np.float64(500.0))
    for k, (gradient, scope, length) in enumerate(others):
        close(gradient, np.float64(4.0 * k**3))
        assert (scope, length) == (f"task{float(k)}", 5)
    assert nothing_is_open()
