"""Whose memory it is: arguments that overlap, streams and threads in turn, devices, what is given back."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from tests.cuda_emulator.cupy_standin import CONTROL
from tests.helpers import message, normal

from .machine import MACHINES

emulated = pytest.mark.parametrize("cupy", MACHINES[:1], indirect=True)
X = normal(30, 12, seed=3)


# ------------------------------------------------------------------------------------------ arguments
def turned_sum(a: Any, b: Any) -> Any:
    """Two results; the second reads what lies elsewhere than what the first writes."""
    return a + b[::-1], a * b


OVERLAPS: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "one array": lambda x: (x[:20], x[:20]),
    "two views of the same": lambda x: (x[2:22], x[2:22][:]),
    "a part of the other": lambda x: (x[:20], x[5:25]),
    "the other before it": lambda x: (x[5:25], x[:20]),
}


@pytest.mark.parametrize("donate", [0, 1, (0, 1)])
@pytest.mark.parametrize("name", OVERLAPS)
def test_what_is_donated_may_overlap_another_argument(cupy: Any, name: str, donate: Any) -> None:
    compiled = ad.compile(turned_sum, engine="cupy", donate=donate)
    for turn in range(3):
        x = normal(25, seed=turn)
        want = turned_sum(*OVERLAPS[name](x))
        got = compiled(*OVERLAPS[name](cupy.asarray(x)))
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a.get(), b, rtol=1e-13)


def test_what_lies_apart_is_written_where_it_is(cupy: Any) -> None:
    compiled = ad.compile(turned_sum, engine="cupy", donate=1)
    x = cupy.asarray(normal(40))
    for _ in range(2):
        a, b = x[:20], x[20:]
        results = compiled(a, b)
        assert b.data.ptr in [z.data.ptr for z in results]


def test_an_array_of_a_subclass_is_taken(cupy: Any) -> None:
    class Named(cupy.ndarray):  # type: ignore[misc, name-defined]
        pass

    x = cupy.asarray(X)
    compiled = ad.compile(lambda x: np.sum(x**2), engine="cupy")
    for _ in range(2):
        named = Named(x.shape, x.dtype, x.data)
        np.testing.assert_allclose(compiled(named).get(), np.sum(X**2))


class OnHost:
    """An array of another library on the host, as torch shows one."""

    shape, dtype, ndim = (3,), np.dtype(float), 1

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0

    def __dlpack__(self, **options: Any) -> Any:
        return np.ones(3).__dlpack__(**options)


def test_arrays_of_other_libraries_on_the_host_are_refused(cupy: Any) -> None:
    text = message(ad.DTypeError, ad.compile(lambda x: x * 2, engine="cupy"), OnHost())
    assert "arrays of the device, not x: (3,) float64 of the host" in text and "cupy.asarray(x)" in text


# ------------------------------------------------------------------------------------------ streams
def test_what_the_program_keeps_is_there_for_every_stream(cupy: Any) -> None:
    """The program is made on one stream, with the copy of its constant, and runs first on another."""
    w, pair = normal(12, seed=1), [cupy.cuda.Stream(non_blocking=True) for _ in range(2)]

    def stop(text: str) -> None:
        raise RuntimeError(text)

    compiled = ad.compile(lambda x: x * w, engine="cupy", callback=stop)
    x = cupy.asarray(X)
    cupy.cuda.get_current_stream().synchronize()
    with pair[0], pytest.raises(RuntimeError, match="compiled"):
        compiled(x)
    with pair[1]:
        got = cupy.asnumpy(compiled(x))
    np.testing.assert_allclose(got, X * w)


def test_a_program_that_a_thread_has_made(cupy: Any) -> None:
    w, made = cupy.asarray(normal(12, seed=1)), threading.Event()
    compiled = ad.compile(lambda x: x * w, engine="cupy", wait=False, callback=lambda text: made.set())
    x = cupy.asarray(X)
    for _ in range(2):  # by the function itself, and by the program
        np.testing.assert_allclose(compiled(x).get(), X * w.get())
        assert made.wait(60)


@emulated
def test_memory_goes_back_after_the_last_call(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[Any] = []
    x, plain = cupy.asarray(X), cupy.cuda.Stream.wait_event
    compiled = ad.compile(lambda x: np.sum(np.tanh(x @ x.T) @ x), engine="cupy")
    compiled(x)
    other = cupy.cuda.Stream(non_blocking=True)
    with other:
        compiled(x)

    def wait(stream: Any, event: Any) -> None:
        waits.append(stream)
        plain(stream, event)

    monkeypatch.setattr(cupy.cuda.Stream, "wait_event", wait)
    del compiled
    assert waits == [cupy.cuda.get_current_stream()]
    other.synchronize()


@pytest.mark.parametrize("graphs", [False, True])
def test_nothing_holds_a_dropped_program(cupy: Any, graphs: bool) -> None:
    def f(x: Any) -> Any:
        return np.sum(np.linalg.solve(x.T @ x, np.tanh(x[0])) ** 2) + x[0, np.argmax(x[0])]

    pool, x = cupy.get_default_memory_pool(), cupy.asarray(X)

    def used_and_left() -> tuple[int, int]:
        before = pool.used_bytes()
        compiled = ad.compile(ad.value_and_grad(f), engine="cupy", graphs=graphs)
        for _ in range(3):
            compiled(x)
        used = pool.used_bytes() - before
        del compiled
        cupy.cuda.get_current_stream().synchronize()
        return used, pool.used_bytes() - before

    used_and_left()  # cupy's libraries may keep something from their first use
    gc.collect()
    gc.disable()
    try:
        used, left = used_and_left()
    finally:
        gc.enable()
    assert used > 0 and not left


# ------------------------------------------------------------------------------------------ devices
@emulated
def test_each_device_has_programs_of_its_own(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = ad.compile(lambda x: np.sum(np.tanh(x)), engine="cupy")
    x, y = cupy.asarray(X), cupy.asarray(X)
    y.data.device_id = 1
    compiled(x)
    text = message(ad.DeviceError, compiled, y)
    assert "(30, 12) float64 lies on device 1, and device 0 is the current one" in text
    assert "with cupy.cuda.Device(1):" in text
    monkeypatch.setattr(cupy.cuda.runtime, "getDevice", lambda: 1)
    assert "lies on device 0" in message(ad.DeviceError, compiled, x)
    np.testing.assert_allclose(compiled(y).get(), np.sum(np.tanh(X)))
    assert len(compiled.explain().programs) == 2


# ------------------------------------------------------------------------------------------ room
@emulated
def test_what_cupy_finds_no_room_for_is_named(cupy: Any) -> None:
    compiled = ad.compile(lambda x: np.linalg.eigvalsh(x.T @ x), engine="cupy")
    x = cupy.asarray(X)
    want = compiled(x).get()
    for which in range(1, 4):  # the result is the first
        with CONTROL.playing(refuse_allocation=which):
            text = message(ad.DeviceError, compiled, x)
        assert "no room for" in text and "Smaller batches" in text
        assert ("the results" in text) == (which == 1) and ("eigh needs" in text) == (which > 1), text
        np.testing.assert_allclose(compiled(x).get(), want)


@emulated
@pytest.mark.parametrize("library", ["nvrtc", "cublas"])
def test_a_library_that_is_not_installed_is_named(cupy: Any, no_functions: None, library: str) -> None:
    compiled = ad.compile(lambda x: np.tanh(x @ x.T), engine="cupy")
    x = cupy.asarray(normal(300, 300))
    with CONTROL.playing(libraries=frozenset({library})):
        text = message(ad.DeviceError, compiled, x)
    assert "pip install" in text and "[ctk]" in text and 'engine="numba"' in text
    compiled(x)


@emulated
def test_a_module_that_the_driver_refuses(
    cupy: Any, no_functions: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Any, name: str) -> Any:
        raise cupy.cuda.driver.CUDADriverError("CUDA_ERROR_NO_BINARY_FOR_GPU: no kernel image is available")

    monkeypatch.setattr(cupy.RawModule, "get_function", refuse)
    text = message(ad.DeviceError, ad.compile(lambda x: x * 2.0, engine="cupy"), cupy.asarray(X))
    assert "driver refuses" in text and "CUDA_ERROR_NO_BINARY_FOR_GPU" in text and "doctor" in text
