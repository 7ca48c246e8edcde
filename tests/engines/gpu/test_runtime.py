"""What surrounds the kernels: memory, streams, graphs, arguments, and what is refused in which words."""

from __future__ import annotations

import gc
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.engines.gpu import condition, device
from adjoint.selftest import gpu_selftest
from tests.cuda_emulator import cupy_standin
from tests.cuda_emulator.cupy_standin import CONTROL
from tests.helpers import message, normal, points_at

from .machine import MACHINES

emulated = pytest.mark.parametrize("cupy", MACHINES[:1], indirect=True)


def network(params: Any, x: Any) -> Any:
    return np.mean((np.tanh(x @ params["a"] + params["c"]) @ params["b"]) ** 2)


PARAMS = {"a": normal(12, 40), "c": normal(40, seed=1), "b": normal(40, 3, seed=2)}
X = normal(30, 12, seed=3)


def sent(cupy: Any, tree: Any) -> Any:
    return ad.tree_map(cupy.asarray, tree)


def fetched(cupy: Any, tree: Any) -> Any:
    return ad.tree_map(cupy.asnumpy, tree)


def close(got: Any, want: Any) -> None:
    for a, b in zip(*(ad.tree.flatten(t)[0] for t in (got, want)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


@pytest.fixture
def counts(cupy: Any) -> Iterator[Any]:
    """What the emulated machine has done; only emulated ones count."""
    CONTROL.reset()
    yield CONTROL.counts
    CONTROL.reset()


# -------------------------------------------------------------------------------- results and memory
def test_device_arrays_in_device_arrays_out(cupy: Any) -> None:
    f = ad.value_and_grad(network)
    loss, gradient = ad.compile(f, engine="cupy")(sent(cupy, PARAMS), cupy.asarray(X))
    assert isinstance(loss, cupy.ndarray) and loss.shape == ()
    assert all(isinstance(g, cupy.ndarray) for g in gradient.values())
    close(fetched(cupy, (loss, gradient)), f(PARAMS, X))


@emulated
def test_a_replay_allocates_its_results_and_nothing_else(cupy: Any, counts: Any) -> None:
    f = ad.compile(ad.value_and_grad(network), engine="cupy")
    params, x = sent(cupy, PARAMS), cupy.asarray(X)
    f(params, x)
    before = vars(counts).copy()
    f(params, x)
    assert counts.allocations - before["allocations"] == 4
    assert counts.synchronizations == before["synchronizations"]
    assert counts.device_to_host == before["device_to_host"]
    assert counts.host_to_device == before["host_to_device"]


def training(cupy: Any, **options: Any) -> tuple[Callable[[], Any], Any]:
    """A step of training with its state on the device; the same ten steps on the host."""
    optimizer = ad.optim.adam(1e-2)

    def step(params: Any, state: Any, x: Any) -> Any:
        return optimizer.update(ad.grad(network)(params, x), state, params)

    state: Any = (PARAMS, optimizer.init(PARAMS))
    device = sent(cupy, state)
    compiled, x = ad.compile(step, engine="cupy", donate=(0, 1), **options), cupy.asarray(X)
    held = [device]

    def advance() -> Any:
        held[0] = compiled(*held[0], x)
        return held[0]

    for _ in range(10):
        state = step(*state, X)
    return advance, state


@emulated
def test_training_on_donated_arrays_allocates_nothing(cupy: Any, counts: Any) -> None:
    advance, want = training(cupy)
    for _ in range(9):
        advance()
    before = counts.allocations
    got = advance()
    assert counts.allocations == before
    close(fetched(cupy, got), want)


@emulated
def test_without_room_the_error_says_how_much_and_nothing_is_kept(cupy: Any, counts: Any) -> None:
    x = cupy.asarray(normal(200, 300))
    f = ad.compile(lambda x: np.sum(np.tanh(x @ x.T) @ x), engine="cupy")
    gc.collect()
    pool = cupy.get_default_memory_pool()
    pool.free_all_blocks()  # what earlier programs left there would be room
    before = pool.used_bytes()
    CONTROL.memory = pool.total_bytes() + 1000
    text = message(ad.DeviceError, f, x)
    assert "no room for the 1.12 MB" in text and "Smaller batches" in text
    gc.collect()
    assert pool.used_bytes() == before
    CONTROL.reset()
    close(f(x).get(), np.sum(np.tanh(normal(200, 300) @ normal(200, 300).T) @ normal(200, 300)))


@emulated
def test_a_call_without_room_for_its_results_can_be_made_again(cupy: Any, counts: Any) -> None:
    f = ad.compile(lambda x: np.tanh(x), engine="cupy")
    x = cupy.asarray(X)
    f(x)
    CONTROL.refuse_allocation = 1
    assert "no room for the results: Out of memory allocating" in message(ad.DeviceError, f, x)
    CONTROL.reset()
    close(f(x).get(), np.tanh(X))


def test_dropped_programs_give_their_memory_back(cupy: Any) -> None:
    pool = cupy.get_default_memory_pool()
    x = cupy.asarray(X)
    gc.collect()
    before = pool.used_bytes()
    f = ad.compile(lambda x: np.sum(np.tanh(x @ x.T) @ x), engine="cupy")
    f(x)
    assert pool.used_bytes() > before
    del f
    gc.collect()
    cupy.cuda.get_current_stream().synchronize()  # what is under way holds what it works on
    assert pool.used_bytes() == before


# ------------------------------------------------------------------------------------------ arguments
def test_numbers_change_without_a_new_plan(cupy: Any) -> None:
    f = ad.compile(lambda x, rate, k: x * rate + k, engine="cupy")
    x = cupy.asarray(X.astype("f"))
    for rate, k in ((0.5, np.int32(2)), (0.25, np.int32(-3))):
        z = f(x, rate, k)
        want = X.astype("f") * rate + k
        assert z.dtype == want.dtype
        np.testing.assert_allclose(z.get(), want, rtol=1e-6)
    assert f.explain().recompilations == 0


def test_any_layout_is_read(cupy: Any) -> None:
    f = ad.compile(lambda x: np.sum(np.sin(x), axis=0), engine="cupy")
    x = cupy.asarray(normal(8, 6))
    for view in (x, x.T, x[::2], x[:, 1:4], x[::-1]):
        close(f(view).get(), np.sum(np.sin(view.get()), axis=0))


def test_an_array_that_begins_anywhere_gives_the_same_bits(cupy: Any) -> None:
    """Its elements are not where vectors may be loaded: who takes which, and in which order, is the same."""

    def softmax(x: Any) -> Any:
        e = np.exp(x - np.max(x, axis=1, keepdims=True))
        return e / np.sum(e, axis=1, keepdims=True)

    x = normal(9, 200, seed=4).astype(np.float32)
    f = ad.compile(softmax, engine="cupy")
    aligned = cupy.asarray(x)
    for skip in (1, 2, 3):
        elsewhere = cupy.zeros(x.size + skip, np.float32)[skip:].reshape(x.shape)
        elsewhere[...] = aligned
        assert elsewhere.data.ptr % 16
        assert fetched(cupy, f(elsewhere)).tobytes() == fetched(cupy, f(aligned)).tobytes()
    assert f.explain().recompilations == 0


def test_arrays_of_the_host_are_refused(cupy: Any) -> None:
    f = ad.compile(lambda x, y: x * y, engine="cupy")
    text = message(ad.DTypeError, f, X, X)
    assert "arrays of the device, not x: (30, 12) float64 of the host" in text
    assert "cupy.asarray(x)" in text
    f(cupy.asarray(X), cupy.asarray(X))
    with pytest.raises(ad.DTypeError, match="not y: ") as caught:
        f(cupy.asarray(X), X)
    assert caught.value.__context__ is None  # one error, one traceback


def test_a_function_for_the_cpu_refuses_arrays_of_the_device(cupy: Any) -> None:
    x = cupy.asarray(X)
    given = message(ad.DTypeError, ad.compile(lambda x: x * 2), x)
    captured = message(ad.DTypeError, ad.compile(lambda y: y * x), X)
    assert points_at(captured, "lambda y: y * x")
    for text in (given, captured):
        assert "compiled for the CPU" in text and ".get()" in text and 'engine="cupy"' in text


class Foreign:
    """An array of another library on the device."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self.__cuda_array_interface__ = array.__cuda_array_interface__


def test_arrays_of_other_libraries_are_taken_as_they_are(cupy: Any) -> None:
    f = ad.compile(lambda x, y: x @ y, engine="cupy")
    x = cupy.asarray(X)
    close(f(Foreign(x), Foreign(cupy.asarray(X.T.copy()))).get(), X @ X.T)


def test_arrays_from_the_surroundings_are_constants(cupy: Any) -> None:
    w = normal(12, seed=7)
    on_device = cupy.asarray(w)
    for f in (lambda x: x * w, lambda x: x * on_device):
        close(ad.compile(f, engine="cupy")(cupy.asarray(X)).get(), X * w)


def test_what_kernels_do_not_hold_runs_by_itself(cupy: Any) -> None:
    def f(z: Any) -> Any:
        return np.real(np.exp(1j * z) * np.conj(z)) + np.abs(z)

    compiled = ad.compile(f, engine="cupy")
    close(compiled(cupy.asarray(X)).get(), f(X))
    (program,) = compiled.explain().programs
    assert any("complex128" in reason for _, _, reason in program.fallbacks)
    assert "by cupy: " in repr(program)
    half = X.astype(np.float16)
    got = ad.compile(np.tanh, engine="cupy")(cupy.asarray(half))
    assert got.dtype == np.float16
    np.testing.assert_allclose(got.get().astype(float), np.tanh(half).astype(float), atol=1e-3)


def test_objects_are_refused(cupy: Any) -> None:
    text = message(ad.DTypeError, ad.compile(np.sin, engine="cupy"), np.array(None))
    assert "cannot take" in text


def test_a_compiled_function_pickles(cupy: Any) -> None:
    f = pickle.loads(pickle.dumps(ad.compile(np.tanh, engine="cupy")))
    close(f(cupy.asarray(X)).get(), np.tanh(X))


# ------------------------------------------------------------------------------- failures of kernels
def test_an_index_out_of_bounds_names_the_line_and_the_next_call_is_right(cupy: Any) -> None:
    def f(x: Any, k: Any) -> Any:
        return np.sum(x[k] ** 2)

    compiled = ad.compile(f, engine="cupy")
    x = cupy.asarray(X)
    text = message(ad.IndexingError, compiled, x, cupy.asarray(np.array([0, 30])))
    assert points_at(text, "return np.sum(x[k] ** 2)")
    close(compiled(x, cupy.asarray(np.array([0, -1]))).get(), f(X, np.array([0, -1])))


# ------------------------------------------------------------------------------- streams and graphs
def test_calls_on_several_streams_do_not_meet_in_memory(cupy: Any) -> None:
    f = ad.compile(lambda x: np.tanh(x @ x.T) @ x, engine="cupy")
    inputs = [normal(20, 20, seed=k) for k in range(6)]
    arrays = [cupy.asarray(x) for x in inputs]
    cupy.cuda.get_current_stream().synchronize()
    streams, results = [cupy.cuda.Stream(non_blocking=True) for _ in range(3)], []
    for k, x in enumerate(arrays):
        with streams[k % 3]:
            results.append(f(x))
    for stream in reversed(streams):
        stream.synchronize()
    for x, z in zip(inputs, results, strict=True):
        close(z.get(), np.tanh(x @ x.T) @ x)


def test_threads_share_a_program(cupy: Any) -> None:
    f = ad.compile(lambda x: np.sum(np.tanh(x @ x.T)), engine="cupy")
    inputs = [normal(15, 15, seed=k) for k in range(4)]
    found: dict[int, Any] = {}

    def work(k: int) -> None:
        found[k] = f(cupy.asarray(inputs[k])).get()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for k, x in enumerate(inputs):
        close(found[k], np.sum(np.tanh(x @ x.T)))


@emulated
def test_training_by_graphs(cupy: Any, counts: Any) -> None:
    advance, want = training(cupy, graphs=True)
    for _ in range(2):
        advance()
    before = vars(counts).copy()
    for _ in range(7):
        advance()
    assert counts.graphs - before["graphs"] >= 7
    close(fetched(cupy, advance()), want)


def test_graphs_follow_the_addresses(cupy: Any) -> None:
    f = ad.compile(lambda x, rate: np.sum(np.tanh(x * rate) ** 2, axis=0), engine="cupy", graphs=True)
    inputs = [normal(7, 5, seed=k) for k in range(12)]
    arrays = [cupy.asarray(x) for x in inputs]
    for turn in range(4):
        for x, a in zip(inputs, arrays, strict=True):
            close(f(a, 0.5 + turn).get(), np.sum(np.tanh(x * (0.5 + turn)) ** 2, axis=0))


def test_what_no_stream_records_runs_between_graphs(cupy: Any) -> None:
    def f(x: Any) -> Any:
        h = np.linalg.eigvalsh(np.tanh(x) + np.tanh(x).T)
        return np.sum(np.exp(h / 10)) + np.cumsum(h)

    compiled = ad.compile(f, engine="cupy", graphs=True)
    x = normal(6, 6)
    a = cupy.asarray(x)
    for _ in range(4):
        close(compiled(a).get(), f(x))


# ------------------------------------------------------------------------------- machines without one
def test_without_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(device, "wheels", list)  # whatever is installed where the tests run
    text = message(ad.MissingPackageError, ad.compile, np.sin, engine="cupy")
    assert "pip install 'adjoint-autodiff[gpu]'" in text


@pytest.mark.parametrize("missing", ["cudaErrorInsufficientDriver", "cudaErrorNoDevice"])
def test_without_a_device(missing: str) -> None:
    with cupy_standin.standing_in():
        CONTROL.missing = missing
        text = message(ad.DeviceError, ad.compile, np.sin, engine="cupy")
    assert missing in text and "nvidia-smi" in text and 'engine="numba"' in text


def test_a_wheel_that_does_not_load(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    package = tmp_path / "cupy"
    package.mkdir()
    broken = "raise ImportError('libcublas.so.12: cannot open shared object file')\n"
    (package / "__init__.py").write_text(broken)
    for name in [n for n in sys.modules if n.partition(".")[0] == "cupy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(device, "wheels", list)
    monkeypatch.setattr(condition, "wheels", list)
    text = message(ad.DeviceError, ad.compile, np.sin, engine="cupy")
    assert "libcublas.so.12" in text and "cupy-cuda12x" in text


def test_an_unknown_engine() -> None:
    assert "'numba', 'cupy'" in message(ValueError, ad.compile, np.sin, engine="cuda")


# ------------------------------------------------------------------------------- what it says of itself
def test_explain(cupy: Any) -> None:
    compiled = ad.compile(ad.grad(lambda x: np.sum(ad.nn.softmax(x) ** 2)), engine="cupy")
    compiled(cupy.asarray(X))
    (program,) = compiled.explain().programs
    assert [step.kind for step in program.steps] == ["region"]
    assert "region_" in repr(program)
    again = ad.compile(ad.grad(lambda x: np.sum(ad.nn.softmax(x) ** 2)), engine="cupy")
    again(cupy.asarray(X))
    assert [step.compiled for p in again.explain().programs for step in p.steps] == [False]
    assert "kernels" in compiled._last.summary()


def test_the_self_test(cupy: Any) -> None:
    report = gpu_selftest()
    assert report.ok, repr(report)
    text = repr(report)
    assert "check: 23 of 23 programs as on the host  ok" in text
    assert "device" in text and "compute capability" in text


@emulated
def test_the_self_test_sees_a_wrong_kernel(
    cupy: Any, no_functions: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adjoint.engines.gpu import modules

    plain = modules.module_text
    monkeypatch.setattr(modules, "module_text", lambda k: plain(k).replace(" tanhf(", " 1.001f * tanhf("))
    report = gpu_selftest()
    wrong = [x.name for x in report.lines if x.verdict.startswith("beyond")]
    assert wrong == ["elementwise, float32", "network, float32"], repr(report)
    assert "21 of 23 programs as on the host  FAILED" in repr(report)
