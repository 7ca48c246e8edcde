"""What goes into a compiled function: kinds of arguments, containers, what tracing refuses, threads."""

from __future__ import annotations

import functools
import os
import pickle
import random
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import adjoint as ad

from ..helpers import message, normal, nothing_is_open, points_at
from .harness import agree, compare


class Pair(NamedTuple):
    left: Any
    right: Any


def energy(x: Any) -> Any:
    return np.sum(np.sin(x) ** 2, axis=0)


# ------------------------------------------------------------------------------------------ kinds
def test_another_shape_or_dtype_is_another_plan() -> None:
    compiled = ad.compile(energy)
    for shape in ((3, 4), (5, 4), (3, 4), (2, 3, 4), (5, 4)):
        compare(compiled(normal(*shape)), energy(normal(*shape)))
    assert compiled.explain().recompilations == 2
    assert compiled(np.ones((3, 4), np.float32)).dtype == np.float32
    assert compiled.explain().recompilations == 3


def test_python_floats_change_without_a_new_plan_and_stay_weak() -> None:
    def f(x: Any, a: Any) -> Any:
        return x * a + a

    compiled = ad.compile(f)
    x = normal(3).astype(np.float32)
    for a in (2.0, -0.5, float("nan")):
        compare(compiled(x, a), f(x, a))
    assert compiled.explain().recompilations == 0
    for a in (np.float64(2.0), np.float32(2.0), np.array(2.0), np.array(2.0, np.float32)):
        compare(compiled(x, a), f(x, a))
    assert compiled.explain().recompilations == 2  # a 0-d array is a scalar of its dtype


def test_python_floats_are_compared_as_floats_of_the_array() -> None:
    """0.1 in float32 is more than 0.1 in float64."""
    x = np.array([0.1, 0.2], np.float32)
    agree(lambda x, a: (x > a, x == a, np.where(x >= a, x, a), x * (a + 0.5) <= a), x, 0.1)


def test_ints_booleans_and_strings_are_part_of_the_program() -> None:
    def f(x: Any, n: int, flip: bool, how: str) -> Any:
        y = x[:n] * 3 if how == "triple" else x[:n]
        return y[::-1] if flip else y

    compiled, x = ad.compile(f), normal(6)
    for options in ((2, True, "triple"), (4, True, "triple"), (4, False, "triple"), (1, 1, "")):
        for _ in range(2):
            compare(compiled(x, *options), f(x, *options))
    assert compiled.explain().recompilations == 3


def test_one_true_and_one_point_oh_are_different_programs() -> None:
    compiled = ad.compile(lambda x, n: x * n)
    x = np.ones(2, np.float32)
    assert [compiled(x, n).dtype.name for n in (1, True, 1.0, np.int64(1))] == ["float32"] * 3 + ["float64"]
    assert compiled.explain().recompilations == 3


def _misaligned(x: np.ndarray) -> np.ndarray:
    y = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    y[...] = x
    return y


def _read_only(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flags.writeable = False
    return x


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "fortran": np.asfortranarray,
    "strided": lambda x: np.repeat(np.repeat(x, 2, 0), 3, 1)[::2, ::3],
    "reversed": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "misaligned": _misaligned,
    "read-only": _read_only,
    "other byte order": lambda x: x.astype(x.dtype.newbyteorder()),
    "transposed": lambda x: x.T.copy().T,
    "repeated": lambda x: np.broadcast_to(x[:1], x.shape),
}


@pytest.mark.numba
def test_any_layout_is_read_and_none_makes_a_new_plan() -> None:
    compiled = ad.compile(ad.value_and_grad(lambda x: np.sum(energy(x) * np.arange(4.0))))
    f = ad.value_and_grad(lambda x: np.sum(energy(x) * np.arange(4.0)))
    for layout in LAYOUTS.values():
        x = layout(normal(3, 4))
        for _ in range(2):
            compare(compiled(x), f(np.ascontiguousarray(x, np.float64)))
    assert compiled.explain().recompilations == 0


def test_files_mapped_to_memory_are_read(tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "x", dtype=float, mode="w+", shape=(3, 4))
    mapped[...] = normal(3, 4)
    result = ad.compile(energy)(mapped)
    assert type(result) is np.ndarray
    compare(result, energy(normal(3, 4)))


def test_nothing_scalars_and_no_arguments_at_all() -> None:
    def f(x: Any) -> Any:
        return np.sum(np.sin(x)) + np.prod(x), x * 2

    agree(ad.value_and_grad(lambda x: f(x)[0]), np.zeros((0, 3)))
    agree(f, np.zeros((4, 0)))
    agree(f, np.float64(0.3))
    agree(f, np.array(0.3))
    agree(f, np.float32(0.3))
    agree(lambda: np.ones(2) * 3)


def test_integers_and_booleans_compute_as_in_numpy() -> None:
    def f(x: Any) -> Any:
        return x * 2, x // 2, x % 3, x / 2, np.sum(x), np.mean(x), -x, x**2, np.where(x > 1, x, 0)

    for dtype in (np.int8, np.uint8, np.int32, np.int64, np.uint64):
        agree(f, np.array([1, 2, 100, 7], dtype))
    agree(lambda x: (x * 2, x / 2, np.sum(x), ~x, x & x[::-1]), np.array([True, False, True]))


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble])
@pytest.mark.numba
def test_other_floats_run_by_numpy(dtype: Any) -> None:
    compiled = ad.compile(energy)
    x = normal(3, 4).astype(dtype)
    assert compiled(x).dtype == dtype
    np.testing.assert_allclose(compiled(x).astype(float), energy(x).astype(float), rtol=1e-3)
    assert compiled.explain().programs[0].fallbacks


@pytest.mark.numba
def test_what_is_no_array_of_numbers_is_refused() -> None:
    compiled = ad.compile(lambda x: x)
    assert "cannot take x: (1,) object" in message(ad.DTypeError, compiled, np.array([None]))
    text = message(ad.DTypeError, compiled, np.ma.masked_array(np.ones(2), [True, False]))
    assert "cannot record a MaskedArray" in text
    text = message(ad.DTypeError, ad.compile(lambda x: np.array(["a"])), np.ones(2))
    assert "compiled function cannot return" in text


def test_captured_arrays_are_constants() -> None:
    for size in (3, 3000):
        k, x = normal(size), np.ones(size)
        compiled = ad.compile(lambda x, k=k: x * k)
        want = x * k
        compiled(x)
        k[:] = 5.0
        compare(compiled(x), want)


# -------------------------------------------------------------------------------------- containers
def test_containers_in_and_out() -> None:
    def f(p: Any, *rest: Any, scale: Any, more: Any = None) -> Any:
        total = p["b"].left * scale + p["a"][0]
        return Pair({"z": total, "a": [total * 2, None]}, (p["b"].right, "text", 7, True, rest[0] * 1.0))

    p = {"b": Pair(normal(3), None), "a": [1.5]}
    compiled = ad.compile(f)
    for scale in (2.0, 3.0):
        for _ in range(2):
            compare(compiled(p, normal(2), scale=scale), f(p, normal(2), scale=scale))
    assert compiled.explain().recompilations == 0
    swapped = {"a": [1.5], "b": Pair(normal(3), None)}
    compare(compiled(swapped, normal(2), scale=1.0), f(p, normal(2), scale=1.0))
    assert compiled.explain().recompilations == 0
    compare(compiled(p, normal(2), scale=1.0, more=[]), f(p, normal(2), scale=1.0))
    assert compiled.explain().recompilations == 1


def test_any_name_may_be_a_keyword() -> None:
    compiled = ad.compile(lambda self, f, args: self * f + args)
    compare(compiled(self=np.ones(2), f=2.0, args=1.0), np.full(2, 3.0))


class Model:
    def __init__(self, rate: float) -> None:
        self.rate = rate

    @ad.compile
    def step(self, x: Any) -> Any:
        return x * self.rate


def test_a_method_may_be_compiled() -> None:
    slow, fast = Model(0.5), Model(2.0)
    for _ in range(2):
        compare(slow.step(np.ones(2)), np.full(2, 0.5))
        compare(fast.step(np.ones(2)), np.full(2, 2.0))
    compare(Model.step(slow, np.ones(2)), np.full(2, 0.5))


def test_wrong_arguments_are_the_functions_own_error() -> None:
    compiled = ad.compile(lambda x: x * 2)
    compiled(np.ones(2))
    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given"):
        compiled(np.ones(2), np.ones(2))
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        compiled()
    compare(compiled(np.ones(2)), np.full(2, 2.0))


# ---------------------------------------------------------------------------------------- refusals
REFUSED: dict[str, Callable[[Any], Any]] = {
    "a branch": lambda x: x if x[0] > 0 else -x,  # the line is found
    "float()": lambda x: float(np.sum(x)) * x,
    "int()": lambda x: x[int(x[0])],
    "a mask": lambda x: x[x > 0],
    "any": lambda x: x if np.any(x > 0) else -x,
    "range": lambda x: sum(range(np.sum(x))),
    "item": lambda x: x[0].item() * x,
    "astype": lambda x: np.asarray(x, float),
    "tolist": lambda x: x.tolist(),
    "nonzero": lambda x: np.nonzero(x),
    "unique": lambda x: np.unique(x),
}


@pytest.mark.parametrize("name", REFUSED)
def test_asking_for_a_value_names_the_line_and_the_remedy(name: str) -> None:
    text = message(ad.TraceError, ad.compile(REFUSED[name]), normal(3))
    assert points_at(text, "lambda x")
    assert "np.where" in text or "size" in text
    assert nothing_is_open()


class Sampler:
    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def __call__(self, x: Any) -> Any:
        return x * self.rng.normal()

    def draw(self, x: Any) -> Any:
        return self(x)


GENERATOR, SAMPLER = np.random.default_rng(0), Sampler()
COUNTER = np.random.Generator(np.random.Philox(0))
DRAWS: dict[str, Callable[[Any], Any]] = {
    "global": lambda x: x * GENERATOR.normal(),
    "legacy": lambda x: x * np.random.rand(),
    "standard library": lambda x: x * random.random(),
    "state in arrays": lambda x: x * COUNTER.normal(),
    "method": Sampler().draw,
    "instance": Sampler(),
    "instance within": lambda x, sampler=SAMPLER: sampler.draw(x),
    "partial": functools.partial(lambda x, rng: x * rng.normal(), rng=GENERATOR),
    "item": lambda x, held={"rng": [GENERATOR]}: x * held["rng"][0].normal(),
    "within a transform": ad.grad(lambda x: np.sum(x * GENERATOR.normal())),
}


@pytest.mark.parametrize("name", DRAWS)
def test_random_draws_are_refused(name: str) -> None:
    text = message(ad.TraceError, ad.compile(DRAWS[name]), normal(3))
    assert "draws random numbers" in text and "Draw them outside" in text


def test_a_generator_as_an_argument_is_refused_when_it_is_used() -> None:
    compiled = ad.compile(lambda x, rng: x * rng.normal())
    assert "draws random numbers" in message(ad.TraceError, compiled, normal(3), np.random.default_rng(0))


def test_draws_of_another_thread_are_not_the_functions() -> None:
    """The shared generators move while f is traced, and not when it is traced again."""
    traced: list[int] = []

    def f(x: Any) -> Any:
        traced.append(1)
        if len(traced) == 1:
            other = threading.Thread(target=random.random)
            other.start()
            other.join()
        return x * 2.0

    done = threading.Event()
    somebody = threading.Thread(target=done.wait)
    somebody.start()
    try:
        np.testing.assert_allclose(ad.compile(f)(normal(3)), 2 * normal(3))
        assert len(traced) == 2
        drawing = ad.compile(lambda x: x * random.random())
        assert "draws random numbers" in message(ad.TraceError, drawing, normal(3))
    finally:
        done.set()
        somebody.join()


def test_an_exception_of_the_users_leaves_nothing_behind() -> None:
    faulty = [True]

    def f(x: Any) -> Any:
        y = np.tanh(x)
        if faulty:
            raise KeyError("mine")
        return y

    compiled = ad.compile(f)
    with pytest.raises(KeyError, match="mine"):
        compiled(normal(3))
    assert compiled.explain().programs == [] and nothing_is_open()
    faulty.clear()
    compare(compiled(normal(3)), np.tanh(normal(3)))


# ----------------------------------------------------------------------------------- while it runs
def test_a_singular_matrix_names_the_line() -> None:
    compiled = ad.compile(lambda a, b: np.tanh(np.linalg.solve(a * 1.0, b)))
    compare(compiled(np.eye(2), np.ones(2)), np.tanh(np.ones(2)))
    text = message(ad.DomainError, compiled, np.zeros((2, 2)), np.ones(2))
    assert points_at(text, "np.linalg.solve(a * 1.0, b)") and "Singular matrix" in text
    compare(compiled(np.eye(2), np.ones(2)), np.tanh(np.ones(2)))


def test_a_failing_factorization_tells_what_it_found() -> None:
    text = message(ad.DomainError, ad.compile(lambda a: np.linalg.cholesky(a)), -2 * np.eye(2))
    assert points_at(text, "np.linalg.cholesky(a)") and "smallest eigenvalue of (2, 2) is -2" in text


INDEXED: dict[str, Callable[[Any, Any], Any]] = {
    "rows": lambda x, i: x[i] * 2,
    "one per row": lambda x, i: x[np.arange(3), i],
    "pairs": lambda x, i: x[i, i],
    "written": lambda x, i: x.at[i].add(1.0) if isinstance(x, ad.Variable) else x,
}


@pytest.mark.parametrize("name", INDEXED)
def test_an_index_out_of_bounds_names_the_line(name: str) -> None:
    compiled = ad.compile(INDEXED[name])
    x = normal(3, 3)
    compiled(x, np.array([0, -3, 2]))
    for wrong in ([0, 3, 1], [0, 1, -4], [2**40, 0, 0]):
        text = message(ad.IndexingError, compiled, x, np.array(wrong))
        assert points_at(text, "lambda x, i:") and "out of bounds" in text
    if name != "written":
        index = np.array([0, -3, 2])
        compare(compiled(x, index), INDEXED[name](x, index))


# -------------------------------------------------------------------------- threads and processes
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


def test_values_that_only_empty_arrays_read_are_not_computed() -> None:
    """Once their sum was written over another value: it had no place in memory of its own."""
    x, y, c = np.empty((0, 3)), normal(3), normal(3, 2, seed=1)

    def loss(x: Any, y: Any) -> Any:
        z = np.zeros((3, 1)) @ np.tanh(y)[np.array([0, 1])].reshape(1, 2)
        return np.sum(z * c) + np.sum(z.at[::2].set(np.sum(x)) * c[::-1])

    agree(ad.value_and_grad(loss, argnum=(0, 1)), x, y)


def test_empty_views_of_values_that_are_not_computed() -> None:
    agree(ad.value_and_grad(lambda x: np.sum(3.0 * np.trapezoid(x, axis=1))), normal(3, 1))


def test_numpy_reads_a_piece_that_lives_in_a_joined_array() -> None:
    def loss(x: Any) -> Any:
        y = x / np.sqrt(1 + x * x)
        return np.sum(np.sort(y) * np.arange(5.0)) + np.sum(np.concatenate([y, x]) * np.arange(10.0))

    agree(ad.value_and_grad(loss), normal(5))
