"""Faults planted between the plan and the device: pointers, places, numbers, streams, graphs, status words.

Each changes one thing of the runtime; some programs then run on the emulator, and one of them must go wrong.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.engines.gpu import binding, capture, executable, steps
from tests.cuda_emulator import harness
from tests.cuda_emulator.cupy_standin import standing_in, streams
from tests.helpers import normal

pytestmark = [
    pytest.mark.skipif(harness.missing() is not None, reason=str(harness.missing())),
    pytest.mark.usefixtures("forgotten"),
]
Patch = pytest.MonkeyPatch
VALUES = "other values"


# ---------------------------------------------------------------------------------------- programs
PARAMS = {"a": normal(6, 20), "c": normal(20, seed=1), "b": normal(20, 3, seed=2)}
TABLE = normal(12, seed=5)


def network(params: Any, x: Any) -> Any:
    return np.mean((np.tanh(x @ params["a"] + params["c"]) @ params["b"]) ** 2)


def training(cupy: Any) -> Iterator[tuple[Any, Any]]:
    """Steps on donated arrays, with products by cupy between the kernels."""
    optimizer = ad.optim.adam(1e-2)

    def step(params: Any, state: Any, x: Any) -> Any:
        return optimizer.update(ad.grad(network)(params, x), state, params)

    compiled, state = ad.compile(step, engine="cupy", donate=(0, 1)), (PARAMS, optimizer.init(PARAMS))
    device = ad.tree_map(cupy.asarray, state)
    for k in range(3):
        x = normal(9, 6, seed=10 + k)
        state, device = step(*state, x), compiled(*device, cupy.asarray(x))
        yield device, state


def indices(x: Any, k: Any, rate: Any) -> Any:
    """Numbers, an array of the surroundings, slices, sums in blocks; reading and adding by indices."""
    loss, gradient = ad.value_and_grad(lambda x: np.sum(np.tanh(x[k] * rate) ** 2 * TABLE[2:7]))(x)
    return loss, gradient, np.cumsum(x)[3:], x[1:] * x[:-1] + rate


def indexing(cupy: Any, **options: Any) -> Iterator[tuple[Any, Any]]:
    """Arrays at new addresses in each call; one begins inside of its memory."""
    compiled = ad.compile(indices, engine="cupy", **options)
    for turn in range(5):
        x, k = normal(31, seed=turn), np.random.default_rng(turn).integers(-30, 30, 5)
        rate = 0.5 + turn
        whole = cupy.asarray(x)
        yield compiled(whole[1:], cupy.asarray(k), rate), indices(x[1:], k, rate)


def solving(cupy: Any) -> Iterator[tuple[Any, Any]]:
    """What cupy does stands between kernels; a result is where an argument was, so that graphs come again."""

    def f(a: Any, b: Any) -> Any:
        return np.tanh(np.linalg.solve(a.T, np.sin(b))) * 2.0 + np.sum(b)

    compiled = ad.compile(f, engine="cupy", graphs=True, donate=1)
    a, b = normal(5, 5) + 4 * np.eye(5), normal(5, 4)
    on_device, result = cupy.asarray(a), cupy.asarray(b)
    for _ in range(4):
        b, result = f(a, b), compiled(on_device, result)
        yield result, b


def two_streams(cupy: Any) -> Iterator[tuple[Any, Any]]:
    """Calls of one program on two streams, whose work is run in turns as far as it may be."""
    compiled = ad.compile(lambda x: np.tanh(x @ x.T) @ x, engine="cupy")
    hosts = [normal(8, 8, seed=k) for k in range(4)]
    arrays = [cupy.asarray(x) for x in hosts]
    compiled(arrays[0])  # made before, so that both streams have the same to do
    cupy.cuda.get_current_stream().synchronize()
    pair, results = [cupy.cuda.Stream(non_blocking=True) for _ in range(2)], []
    for k, x in enumerate(arrays):
        with pair[k % 2]:
            results.append(compiled(x))
    while not all(stream.done for stream in pair):
        for stream in reversed(pair):
            if not stream.done:
                _, run, _ = stream._queue.popleft()
                run()
    yield tuple(results), tuple(np.tanh(x @ x.T) @ x for x in hosts)


def wrong_index(cupy: Any) -> Iterator[tuple[Any, Any]]:
    """An index that is out of bounds is reported."""
    compiled = ad.compile(indices, engine="cupy")
    try:
        compiled(cupy.asarray(normal(30)), cupy.asarray(np.array([0, 99, 1, 2, 3])), 0.5)
        reported = False
    except ad.IndexingError:
        reported = True
    yield np.array(reported), np.array(True)


def by_graphs(cupy: Any) -> Iterator[tuple[Any, Any]]:
    return indexing(cupy, graphs=True)


PROGRAMS: dict[str, Callable[[Any], Iterator[tuple[Any, Any]]]] = {
    f.__name__: f for f in (training, indexing, by_graphs, solving, two_streams, wrong_index)
}


def outcome(name: str) -> str | None:
    """What goes wrong in a program: an error's text, or other values than eagerly; None when nothing does."""
    with standing_in() as cupy:
        try:
            for got, want in PROGRAMS[name](cupy):
                host = ad.tree_map(lambda x: x.get() if isinstance(x, cupy.ndarray) else x, got)
                pairs = zip(ad.tree.flatten(host)[0], ad.tree.flatten(want)[0], strict=True)
                if not all(np.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in pairs):
                    return VALUES
        except Exception as error:  # of any kind: it was seen
            return f"{type(error).__name__}: {error}"
    return None


# ---------------------------------------------------------------------------------------- faults
def of_arguments(change: Callable[[Any, list[Any]], list[Any]]) -> Callable[[Patch], None]:
    """The list of arguments of each launch passes through `change(bound launch, list)`."""

    def plant(patch: Patch) -> None:
        def launched(self: Any, args: Any, outs: Any) -> None:
            arguments = list(self.arguments)
            for p in self.patches:
                arguments[p.at] = (outs if p.is_result else args)[p.array].data + p.skip
            change(self, arguments)
            self.function.launch(
                self.launch.grid, self.launch.block, tuple(arguments), shared_mem=self.launch.shared
            )

        patch.setattr(binding.BoundLaunch, "__call__", launched)

    return plant


def kept(bound: Any, arguments: list[Any]) -> None:
    """Pointers of the first call, without what they belong to."""
    known = _FIRST.setdefault(id(bound), [*arguments])
    arguments[:] = known


_FIRST: dict[int, list[Any]] = {}


def host_array(bound: Any, arguments: list[Any]) -> None:
    arguments[0] = np.zeros(7)


def exchanged(bound: Any, arguments: list[Any]) -> None:
    arguments[0], arguments[1] = arguments[1], arguments[0]


def one_missing(bound: Any, arguments: list[Any]) -> None:
    del arguments[-1]


def of_patch(**fields: Any) -> Callable[[Patch], None]:
    """Arguments of the call, each with one field set."""
    plain = binding.Patch
    return lambda patch: patch.setattr(
        binding, "Patch", lambda *values: plain(**{**plain(*values).__dict__, **fields})
    )


def of_memory(change: Callable[[Any], None]) -> Callable[[Patch], None]:
    """The places in the program's memory pass through `change`."""

    class Changed(steps.Memory):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            change(self)

    return lambda patch: patch.setattr(executable, "Memory", Changed)


def one_place(memory: Any) -> None:
    memory.values = dict.fromkeys(memory.values, 0)


def too_little(memory: Any) -> None:
    memory.total = memory.between // 2


def nothing_filled(memory: Any) -> None:
    memory.filled = []


def scratch_over_values(memory: Any) -> None:
    memory.scratch = dict.fromkeys(memory.scratch, max(memory.values.values()))


def of_steps(change: Callable[[list[Any]], list[Any]]) -> Callable[[Patch], None]:
    """The steps pass through `change`."""
    plain = executable.write_steps
    return lambda patch: patch.setattr(executable, "write_steps", lambda *args: change(plain(*args)))


def freed(patch: Patch) -> None:
    """The program's memory goes back to the pool as soon as it is bound."""
    plain = executable.GPU._allocated

    def allocated(self: Any) -> Any:
        base = plain(self)
        self.cupy.cuda.get_current_stream().synchronize()
        base.mem.free()
        self.cupy.get_default_memory_pool().free_all_blocks()
        return base

    patch.setattr(executable.GPU, "_allocated", allocated)


class OneKey(OrderedDict[Any, Any]):
    """Any set of addresses is the first."""

    def __contains__(self, key: Any) -> bool:
        return super().__contains__(())

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(())

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__((), value)

    def move_to_end(self, key: Any, last: bool = True) -> None:
        super().move_to_end((), last)


def stale_graphs(patch: Patch) -> None:
    patch.setattr(capture, "OrderedDict", OneKey)


def turned_operands(patch: Patch) -> None:
    """Matrices that cupy gets lie as if they were transposed."""
    plain = binding.view_of

    def turned(x: Any) -> Any:
        v = plain(x)
        return v._replace(strides=v.strides[::-1]) if len(v.strides) == 2 and v.root is not x else v

    patch.setattr(binding, "view_of", turned)


def nothing(target: Any, name: str) -> Callable[[Patch], None]:
    """A method that does nothing."""
    return lambda patch: patch.setattr(target, name, lambda *args, **kwargs: None)


ADDRESS, WIDTH = "cudaErrorIllegalAddress", "the kernel takes i32"
# name → (program, fault, what is said of it)
FAULTS: dict[str, tuple[str, Callable[[Patch], None], str]] = {
    "pointers of the call before": ("indexing", of_arguments(kept), f"{VALUES}|{ADDRESS}"),
    "an array of the host": ("indexing", of_arguments(host_array), "TypeError: You are trying to pass"),
    "two arguments exchanged": ("indexing", of_arguments(exchanged), f"{VALUES}|the kernel takes"),
    "one argument missing": ("indexing", of_arguments(one_missing), "arguments, . were passed"),
    "a slice at its array's beginning": ("indexing", of_patch(skip=0), VALUES),
    "results in an argument": ("indexing", of_patch(is_result=False, array=0), f"{VALUES}|outside|race"),
    "the first argument for all": ("training", of_patch(array=0), f"{VALUES}|outside|race"),
    "numbers of no width": (
        "indexing", lambda patch: patch.setattr(steps, "index", lambda value, form: int(value)), WIDTH,
    ),
    "numbers of 64 bits": (
        "indexing", lambda patch: patch.setattr(steps, "index", lambda value, form: np.int64(value)), WIDTH,
    ),
    "numbers of the call before": (
        "indexing", lambda patch: patch.setattr(executable, "words_of", _first_words), VALUES,
    ),
    "all values at one place": ("training", of_memory(one_place), f"{VALUES}|race|restrict"),
    "memory that is too small": ("indexing", of_memory(too_little), f"outside|{ADDRESS}"),
    "constants are not copied": ("indexing", of_memory(nothing_filled), VALUES),
    "temporary memory over values": ("indexing", of_memory(scratch_over_values), f"{VALUES}|race|restrict"),
    "memory given back too early": ("indexing", freed, ADDRESS),
    "status words are not set to zero": ("indexing", nothing(binding.BoundFill, "__call__"), "IndexingError"),
    "status words are not read": ("wrong_index", nothing(executable.GPU, "_complain"), VALUES),
    "steps in the other order": ("training", of_steps(lambda found: found[::-1]), VALUES),
    "a step is left out": ("training", of_steps(lambda found: found[1:]), VALUES),
    "graphs of other addresses": ("by_graphs", stale_graphs, f"{VALUES}|{ADDRESS}"),
    "cuSOLVER in a graph": (
        "solving", lambda patch: patch.setattr(binding.BoundCall, "captured", True), "captur",
    ),
    "operands of cupy's turned": ("solving", turned_operands, VALUES),
    "a stream does not wait": ("two_streams", nothing(streams.Stream, "wait_event"), VALUES),
}  # fmt: skip


def _first_words(numbers: Any) -> Any:
    _WORDS.setdefault(len(numbers), _plain_words(numbers))
    return _WORDS[len(numbers)]


_plain_words, _WORDS = executable.words_of, {}


@pytest.fixture(autouse=True)
def apart() -> Iterator[None]:
    """No fault leaves anything behind."""
    yield
    _FIRST.clear()
    _WORDS.clear()


@pytest.mark.parametrize("name", PROGRAMS)
def test_without_a_fault_nothing_is_seen(name: str) -> None:
    assert outcome(name) is None


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_seen(name: str, monkeypatch: Patch) -> None:
    program, plant, seen = FAULTS[name]
    plant(monkeypatch)
    found = outcome(program)
    assert found is not None, "survives"
    assert re.search(seen, found), found
