"""The stand-in for cupy catches what a card would: each fault is planted once and seen."""

from __future__ import annotations

import gc
import pickle
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from . import harness
from .cupy_standin import CONTROL, CUDARuntimeError, OutOfMemoryError, standing_in

SOURCE = r"""
extern "C" __global__ void axpy(const float* x, float* y, int n, float a) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
        y[i] = y[i] + a * x[i];
    }
}

extern "C" __global__ void fill(double* y, long long n, double a) {
    for (long long i = threadIdx.x; i < n; i += blockDim.x) {
        y[i] = a;
    }
}
"""
compiled = pytest.mark.skipif(harness.missing() is not None, reason=str(harness.missing()))


@pytest.fixture
def cupy() -> Iterator[Any]:
    """A whole machine that has done nothing."""
    gc.collect()
    with standing_in() as module:
        yield module


def said(f: Callable[..., Any], *args: Any, kind: type[Exception] = Exception, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        f(*args, **options)
    return str(caught.value)


def single(n: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(n).astype(np.float32)


# -------------------------------------------------------------------------------- two memories
def test_host_and_device_do_not_mix(cupy: Any) -> None:
    x, h = cupy.arange(3.0), np.arange(3.0)
    assert "Implicit conversion to a NumPy array is not allowed" in said(np.asarray, x, kind=TypeError)
    for mix in (
        lambda: x + h, lambda: h + x, lambda: np.multiply(h, x), lambda: x > h, lambda: x.__iadd__(h),
        lambda: np.maximum(x, h),
    ):  # fmt: skip
        assert "numpy.ndarray'>" in said(mix, kind=TypeError)
    for mix in (
        lambda: x @ h,
        lambda: np.concatenate([x, h]),
        lambda: cupy.stack([x, h]),
        lambda: cupy.dot(x, h),
        lambda: cupy.where(x > 0, h, x),
    ):
        assert "incorrect type" in said(mix, kind=TypeError)
    assert cupy.asnumpy(x + np.float64(1) + 1).tolist() == [2.0, 3.0, 4.0]  # NumPy's scalars are numbers
    assert "Unsupported type <class 'numpy.ndarray'>" in said(lambda: x + h)


def test_what_numpy_hands_on_is_cupys_and_no_more(cupy: Any) -> None:
    x = cupy.arange(4.0).reshape(2, 2)
    for made in (
        np.tanh(x),
        np.sum(x),
        np.linalg.inv(x + cupy.eye(2)),
        np.where(x > 1, x, 0.0),
        np.fft.fft(x),
    ):
        assert isinstance(made, cupy.ndarray)
    assert np.sum(x).shape == () and np.argmax(x).dtype == np.int64
    from scipy import special

    with pytest.raises(TypeError):
        special.erf(x)  # not cupy's name
    with pytest.raises(TypeError):
        np.add.at(x, 0, 1.0)
    with pytest.raises(TypeError, match="unexpected keyword"):
        np.max(x, initial=0.0)  # an argument that cupy does not take


def test_exchange_with_others(cupy: Any) -> None:
    x = cupy.arange(6.0).reshape(2, 3)

    class Foreign:
        __cuda_array_interface__ = x.T.__cuda_array_interface__

    y = cupy.asarray(Foreign())
    assert y.shape == (3, 2) and y.strides == x.T.strides and y.data.ptr == x.data.ptr
    z = cupy.from_dlpack(x)
    z[0, 0] = 7.0
    assert float(x[0, 0]) == 7.0 and x.__dlpack_device__() == (2, 0)
    assert cupy.get_array_module(np.ones(1), x) is cupy and cupy.get_array_module(1.0) is np
    assert isinstance(pickle.loads(pickle.dumps(x)), cupy.ndarray)


# -------------------------------------------------------------------------------- memory
def test_the_pool_counts_and_gives_back(cupy: Any) -> None:
    pool = cupy.get_default_memory_pool()
    x = cupy.zeros(1000)
    assert pool.used_bytes() == 8192 and CONTROL.counts.device_allocations == 1  # rounded up to 512
    cupy.cuda.get_current_stream().synchronize()  # queued work keeps what it works on
    del x
    gc.collect()
    assert (pool.used_bytes(), pool.total_bytes(), pool.n_free_blocks()) == (0, 8192, 1)
    y = cupy.zeros(1000)
    assert CONTROL.counts.allocations == 2 and CONTROL.counts.device_allocations == 1  # the same memory again
    view = y[10:]
    del y
    assert pool.used_bytes() == 8192  # the view keeps it
    cupy.cuda.get_current_stream().synchronize()
    del view
    pool.free_all_blocks()
    assert pool.total_bytes() == 0


def test_limits_and_refused_allocations(cupy: Any) -> None:
    pool = cupy.get_default_memory_pool()
    pool.set_limit(1 << 16)
    text = said(cupy.zeros, 10_000, kind=OutOfMemoryError)
    assert (
        text
        == "Out of memory allocating 80,384 bytes (allocated so far: 0 bytes, limit set to: 65,536 bytes)."
    )
    pool.set_limit(0)
    CONTROL.memory = 1 << 20
    assert "Out of memory" in said(cupy.zeros, 1 << 18, kind=MemoryError)
    CONTROL.refuse_allocation = 2  # the second from now
    kept = cupy.zeros(4)
    assert "Out of memory" in said(cupy.zeros, 4, kind=OutOfMemoryError)
    assert cupy.zeros(4).shape == kept.shape


@compiled
def test_writing_past_the_end_is_seen(cupy: Any) -> None:
    kernel = cupy.RawKernel(SOURCE, "fill")
    for checked in (True, False):  # by the emulator's checks; without them by the zone around the block
        y = cupy.zeros(5)
        with CONTROL.playing(checked=checked):
            kernel = cupy.RawModule(code=SOURCE).get_function("fill")
            kernel((1,), (32,), (y, np.int64(6), np.float64(2.0)))
            with pytest.raises(RuntimeError):
                y.get()


@compiled
def test_use_after_free_is_seen(cupy: Any) -> None:
    kernel = cupy.RawKernel(SOURCE, "axpy")
    x, y = cupy.asarray(single(100)), cupy.zeros(100, np.float32)
    stale = y.data.ptr
    other = cupy.cuda.MemoryPointer(cupy.cuda.UnownedMemory(stale, 400, None, 0), 0)
    del y
    gc.collect()
    kernel((1,), (32,), (x, other, np.int32(100), np.float32(1)))
    text = said(cupy.cuda.get_current_stream().synchronize, kind=CUDARuntimeError)
    assert "cudaErrorIllegalAddress" in text and "freed memory" in text


@compiled
def test_a_graph_keeps_nothing_alive(cupy: Any) -> None:
    kernel, stream = cupy.RawKernel(SOURCE, "axpy"), cupy.cuda.Stream(non_blocking=True)
    x = cupy.asarray(single(100))
    with stream:
        y = cupy.zeros(100, np.float32)
        stream.synchronize()
        stream.begin_capture()
        kernel((1,), (32,), (x, y, np.int32(100), np.float32(1)))
        graph = stream.end_capture()
        graph.launch()
        stream.synchronize()
        np.testing.assert_array_equal(y.get(), x.get())
        del y
        gc.collect()
        graph.launch()
        assert "freed memory" in said(stream.synchronize, kind=CUDARuntimeError)


# -------------------------------------------------------------------------------- streams
def test_work_runs_when_it_is_waited_for(cupy: Any) -> None:
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        x, h = cupy.empty(4), np.ones(4)
        x.set(h)
        h[:] = 7.0  # before the copy has run
        y = x * 2.0
        assert not stream.done
        assert y.get().tolist() == [14.0] * 4
    event = stream.record()
    stream.synchronize()
    assert event.done
    z = cupy.empty(2)
    z.set(h[:2])  # the null stream waits for a copy from the host
    h[:] = 0.0
    assert z.get().tolist() == [7.0, 7.0]


def test_streams_do_not_wait_for_each_other_unless_told(cupy: Any) -> None:
    first, second = (cupy.cuda.Stream(non_blocking=True) for _ in range(2))
    x = cupy.zeros(3)
    cupy.cuda.get_current_stream().synchronize()
    with first:
        x[...] = 5.0
    with second:
        assert x.get().tolist() == [0.0, 0.0, 0.0]  # the fault shows: the copy does not see the write
        second.wait_event(first.record())
        assert x.get().tolist() == [5.0, 5.0, 5.0]


def test_streams_that_wait_for_each_other_keep_the_order(cupy: Any) -> None:
    first, second = (cupy.cuda.Stream(non_blocking=True) for _ in range(2))
    x = cupy.ones(2)
    cupy.cuda.get_current_stream().synchronize()
    with first:
        x *= 2.0
    second.wait_event(first.record())
    with second:
        x += 1.0
    first.wait_event(second.record())
    with first:
        x *= 10.0
        assert x.get().tolist() == [30.0, 30.0]


def test_events_measure(cupy: Any) -> None:
    start, stop = cupy.cuda.Event(), cupy.cuda.Event()
    start.record()
    cupy.ones(10)
    stop.record()
    stop.synchronize()
    assert cupy.cuda.get_elapsed_time(start, stop) >= 0.0


# -------------------------------------------------------------------------------- capture
def test_what_a_capture_refuses(cupy: Any) -> None:
    stream, x = cupy.cuda.Stream(non_blocking=True), cupy.ones((2, 2))
    assert "legacy" in said(cupy.cuda.Stream.null.begin_capture)
    with stream:
        stream.begin_capture()
        refused = {
            "D2H transfers are disallowed": x.get,
            "H2D transfers are disallowed": lambda: x.set(np.ones((2, 2))),
            "calling cuBLAS API during stream capture": lambda: x @ x,
            "operation not permitted when stream is capturing": stream.synchronize,
            "calling cuBLAS API": lambda: cupy.linalg.inv(x),
        }  # fmt: skip
        for text, use in refused.items():
            assert text in said(use)
        y = x + 1.0  # a ufunc is recorded
        graph = stream.end_capture()
        before = CONTROL.counts.allocations
        x[...] = 2.0
        graph.launch()
        graph.launch()
        assert y.get().tolist() == [[3.0, 3.0], [3.0, 3.0]]
        assert CONTROL.counts.allocations == before and CONTROL.counts.graphs == 2


@compiled
def test_a_graph_freezes_numbers(cupy: Any) -> None:
    kernel, stream = cupy.RawKernel(SOURCE, "axpy"), cupy.cuda.Stream(non_blocking=True)
    x, y = cupy.asarray(single(50)), cupy.zeros(50, np.float32)
    rate = np.float32(0.5)
    cupy.cuda.get_current_stream().synchronize()  # this stream does not wait for the null stream
    with stream:
        stream.begin_capture()
        kernel((2,), (32,), (x, y, np.int32(50), rate))
        graph = stream.end_capture()
        rate = np.float32(100.0)
        for _ in range(3):
            graph.launch()
        np.testing.assert_allclose(y.get(), 1.5 * x.get(), rtol=1e-6)


# -------------------------------------------------------------------------------- kernels
@compiled
def test_arguments_are_packed_as_cupy_packs_them(cupy: Any) -> None:
    kernel = cupy.RawModule(code=SOURCE).get_function("axpy")
    x, y = cupy.asarray(single(1000)), cupy.zeros(1000, np.float32)
    kernel((4,), (128,), (x, y, np.int32(1000), np.float32(2.0)))
    np.testing.assert_allclose(y.get(), 2.0 * x.get(), rtol=1e-6)
    n, a = np.int32(1000), np.float32(2.0)
    faults = {
        "argument 2 is i64, the kernel takes i32": (x, y, 1000, a),  # Python's int is 64 bits wide
        "argument 3 is f64, the kernel takes f32": (x, y, n, 2.0),  # and its float is a double
        "argument 2 is f32, the kernel takes i32": (x, y, a, n),
        "argument 1 is f64, the kernel takes p64": (x, np.float64(1.0), n, a),
        "takes 4 arguments, 3 were passed": (x, y, n),
        "trying to pass a numpy.ndarray of shape (1000,)": (single(1000), y, n, a),
        "Unsupported type <class 'list'>": (x, y, [1], a),
    }
    for text, arguments in faults.items():
        assert text in said(kernel, (4,), (128,), arguments, kind=TypeError), text
    wide = cupy.RawModule(code=SOURCE).get_function("fill")
    z = cupy.zeros(3)
    wide((1,), (32,), (z, 3, 1.5))  # here the kernel is as wide as Python's numbers
    assert z.get().tolist() == [1.5, 1.5, 1.5]


@compiled
def test_launches_that_the_driver_refuses(cupy: Any) -> None:
    kernel = cupy.RawModule(code=SOURCE).get_function("axpy")
    x, y = cupy.asarray(single(8)), cupy.zeros(8, np.float32)
    arguments = (x, y, np.int32(8), np.float32(1.0))
    assert "CUDA_ERROR_INVALID_VALUE" in said(kernel, (1,), (2048,), arguments)
    assert "CUDA_ERROR_INVALID_VALUE" in said(kernel, (1,), (32,), arguments, shared_mem=1 << 20)
    assert "must be a tuple" in said(kernel, 1, (32,), arguments, kind=TypeError)
    assert "named symbol not found" in said(cupy.RawModule(code=SOURCE).get_function, "nosuch")
    bad = cupy.RawModule(code='extern "C" __global__ void k(float* x) { x[0] = INFINITY; }')
    assert said(bad.get_function, "k", kind=cupy.cuda.compiler.CompileException)
    with pytest.raises(TypeError, match="expected tuple"):
        cupy.RawModule(code=SOURCE, options=["-std=c++17"])


@compiled
def test_launches_take_thread_orders_in_turn(cupy: Any) -> None:
    """A kernel whose result depends on the order of threads gives itself away."""
    racy = r"""
    extern "C" __global__ void last(int* y) { y[0] = threadIdx.x; }
    """
    with CONTROL.playing(checked=False):
        kernel, seen = cupy.RawModule(code=racy).get_function("last"), set()
        for _ in range(6):
            y = cupy.zeros(1, np.int32)
            kernel((1,), (64,), (y,))
            seen.add(int(y[0]))
    assert len(seen) > 1


# -------------------------------------------------------------------------------- arithmetic
def test_results_have_numpys_numbers_and_dtypes(cupy: Any) -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((3, 4)).astype(np.float32)
    x = cupy.asarray(a)
    for f in (
        lambda m, v: m.tanh(v) * 2, lambda m, v: v + 1, lambda m, v: v > 0, lambda m, v: m.sum(v, axis=0),
        lambda m, v: m.sort(v, axis=1), lambda m, v: m.argsort(v), lambda m, v: v @ v.T,
        lambda m, v: v**2 % 1,
        lambda m, v: m.cumsum(v), lambda m, v: m.linalg.svd(v)[1], lambda m, v: m.linalg.qr(v.T)[1],
        lambda m, v: v[:, m.asarray([2, 0])], lambda m, v: v[v > 0], lambda m, v: m.einsum("ij,kj->ik", v, v),
        lambda m, v: m.clip(v, -0.5, 0.5), lambda m, v: m.linalg.slogdet(v @ v.T)[1],
        lambda m, v: abs(-v) // 0.25,
    ):  # fmt: skip
        want, got = f(np, a), f(cupy, x)
        assert isinstance(got, cupy.ndarray) and got.dtype == np.asarray(want).dtype
        np.testing.assert_allclose(got.get(), want, rtol=1e-5)


def test_index_arrays_out_of_bounds_wrap_around(cupy: Any) -> None:
    """As on the device, where nobody looks."""
    x = cupy.arange(4.0)
    assert x[cupy.asarray([5, -5])].get().tolist() == [1.0, 3.0]
    with pytest.raises(IndexError):
        x[4]


def test_adding_at_indices_is_for_dtypes_with_atomics(cupy: Any) -> None:
    where = cupy.asarray([1, 1])
    for dtype in (np.int32, np.uint32, np.uint64, np.float16, np.float32, np.float64, np.complex64):
        x = cupy.zeros(2, dtype)
        cupy.add.at(x, where, dtype(1))
        assert x.get().tolist() == [0, 2]
    for dtype in (np.bool_, np.int8, np.uint16, np.int64):
        text = said(cupy.add.at, cupy.zeros(2, dtype), where, dtype(1), kind=TypeError)
        assert "scatter_add only supports int32" in text


def test_a_failed_factorization_is_nan_unless_it_is_asked_for(cupy: Any) -> None:
    import cupyx

    indefinite = cupy.asarray(np.diag([1.0, -1.0]))
    assert np.isnan(cupy.linalg.cholesky(indefinite).get()).all()
    with cupyx.errstate(linalg="raise"), pytest.raises(np.linalg.LinAlgError, match="potrf in cuSOLVER"):
        cupy.linalg.cholesky(indefinite)
    with pytest.raises(np.linalg.LinAlgError, match="must be square"):
        cupy.linalg.inv(cupy.ones((2, 3)))


# -------------------------------------------------------------------------------- machines
def test_missing_libraries(cupy: Any) -> None:
    with CONTROL.playing(libraries=frozenset({"cublas"})):
        x = cupy.ones((2, 2))
        assert "libcublasLt.so.13" in said(lambda: x @ x, kind=ImportError)
        assert (x + x).shape == (2, 2)
    with CONTROL.playing(libraries=frozenset({"nvrtc"})):
        assert "libnvrtc.so.13" in said(cupy.RawModule(code=SOURCE).get_function, "axpy", kind=ImportError)


def test_it_goes_as_it_came() -> None:
    marker = object()
    before = sys.modules.get("cupy")
    sys.modules["cupy"] = marker  # type: ignore[assignment]
    try:
        with standing_in() as cupy:
            assert sys.modules["cupy"] is cupy and "cupyx.scipy.special" in sys.modules
            CONTROL.missing = "cudaErrorNoDevice"
        assert sys.modules["cupy"] is marker and not CONTROL.missing
    finally:
        if before is None:
            del sys.modules["cupy"]
        else:
            sys.modules["cupy"] = before
