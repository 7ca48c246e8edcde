"""Programs of native steps: what the guard lets through, what runs, who waits."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

from adjoint.engines.cpu import driver, layout
from adjoint.engines.cpu.driver import DONE, FAILED, MISUSED, Patch, Program, Step

from .kernels import ACCUMULATE, ADD, CHECK, PRELUDE, address


@pytest.fixture(params=["native", "python"], autouse=True)
def guard(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test runs behind both guards."""
    if request.param == "native":
        assert driver.HEADERS_AS_EXPECTED, "this build of CPython or NumPy has other headers"
    monkeypatch.setattr(driver, "HEADERS_AS_EXPECTED", request.param == "native")
    return str(request.param)


def adding(n: int = 6, chunks: int = 1, parallel: bool = False) -> Program:
    """z = x + y by one step."""
    block = np.array([0, 0, 0, n, chunks])
    patches = [Patch(k, block, k) for k in range(3)]
    vector = ((n,), np.float64)
    return Program([vector, vector], [vector], [Step(address(ADD), block, chunks, parallel)], patches)


def checking(n: int, limit: int, chunks: int = 4) -> Program:
    """Fails with the index of the first element above a limit, chunk by chunk."""
    block = np.array([0, 0, n // chunks, limit])
    first = np.array([0, 0, 0, 0, 1])  # a step of no elements before it
    steps = [Step(address(ADD), first), Step(address(CHECK), block, chunks, status=1)]
    return Program([((n,), np.float64)], [], steps, [Patch(0, block, 0)])


x, y = np.arange(6.0), np.full(6, 0.5)


def test_runs_with_the_arrays_of_each_call() -> None:
    program = adding()
    for k in range(3):
        z = np.zeros(6)
        assert program.run((x + k, y), (z,)) == DONE
        assert np.array_equal(z, x + k + y)
    assert program.status is None


def test_same_array_twice_and_offsets() -> None:
    block = np.array([0, 0, 0, 3, 1])
    patches = [Patch(0, block, 0), Patch(0, block, 1, offset=24), Patch(1, block, 2, 8)]
    program = Program([((6,), np.float64)], [((4,), np.float64)], [Step(address(ADD), block)], patches)
    z = np.zeros(4)
    assert program.run((x,), (z,)) == DONE
    assert z.tolist() == [0, 3, 5, 7]


WRONG = {
    "type": [1.0] * 6,
    "subclass": np.zeros(6).view(np.recarray),
    "none": None,
    "dtype": np.zeros(6, np.float32),
    "same size": np.zeros(6, np.int64),
    "byte order": np.zeros(6, ">f8"),
    "rank": np.zeros((6, 1)),
    "scalar": np.zeros(()),
    "shape": np.zeros(7),
    "strided": np.zeros(12)[::2],
    "reversed": np.zeros(6)[::-1],
    "unaligned": np.zeros(49, np.uint8)[1:].view(np.float64),
}


@pytest.mark.parametrize("reason", WRONG)
def test_an_argument_that_does_not_fit_is_named_and_nothing_runs(reason: str) -> None:
    program, z, wrong = adding(), np.zeros(6), WRONG[reason]
    assert program.run((wrong, y), (z,)) == 0
    assert program.run((x, wrong), (z,)) == 1
    assert program.run((x, y), (wrong,)) == 2
    assert program.run((wrong, y), (wrong,)) == 0
    assert not z.any()
    assert program.run((x, y), (z,)) == DONE and z.any()


def test_outputs_must_be_writeable_inputs_need_not() -> None:
    program, z, frozen = adding(), np.zeros(6), x.copy()
    frozen.flags.writeable = False
    assert program.run((frozen, y), (z,)) == DONE
    assert program.run((x, y), (frozen,)) == 2


def test_nothing_is_patched_by_a_call_that_does_not_fit() -> None:
    block = np.array([7, 7, 7, 6, 1])
    vector = ((6,), np.float64)
    patches = [Patch(k, block, k) for k in range(3)]
    program = Program([vector, vector], [vector], [Step(address(ADD), block)], patches)
    assert program.run((x, y[:5]), (np.zeros(6),)) == 1
    assert block[:3].tolist() == [7, 7, 7]


def test_matrices_scalars_and_empty_arrays() -> None:
    block = np.array([0, 0, 0, 1, 1])
    inputs = [((2, 3), np.float64), ((), np.float64), ((0, 4), np.float32)]
    patches = [Patch(0, block, 0, 40), Patch(1, block, 1), Patch(3, block, 2)]
    program = Program(inputs, [((), np.float64)], [Step(address(ADD), block)], patches)
    z = np.zeros(())
    args = (np.arange(6.0).reshape(2, 3), np.array(0.25), np.zeros((0, 4), np.float32))
    assert program.run(args, (z,)) == DONE and z == 5.25
    assert program.run((args[0].T.copy(), *args[1:]), (z,)) == 0
    assert program.run((np.asfortranarray(args[0]), *args[1:]), (z,)) == 0
    assert program.run((*args[:2], np.zeros((0, 3), np.float32)), (z,)) == 2


def test_dtypes_with_descriptors_of_their_own_fit() -> None:
    travelled = pickle.loads(pickle.dumps(x))
    described = np.frombuffer(x.tobytes(), np.dtype("f8", copy=True))
    z = np.zeros(6)
    for array in (travelled, described):
        assert adding().run((array, y), (z,)) == DONE and np.array_equal(z, x + y)


def test_misuse_is_told_from_misfit() -> None:
    program, z = adding(), np.zeros(6)
    for args, outs in (((x,), (z,)), ((x, y, y), (z,)), ((x, y), ()), ([x, y], (z,)), ((x, y), [z]), (x, z)):
        assert program.run(args, outs) == MISUSED
    assert not z.any()


def test_wrong_number_of_arguments(guard: str) -> None:
    program = adding()
    if guard == "native":
        assert program.run((x, y)) == MISUSED  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            program.run((x, y), outs=(x,))  # type: ignore[call-arg]
    else:
        with pytest.raises(TypeError):
            program.run((x, y))  # type: ignore[call-arg]


@pytest.mark.parametrize("chunks", [0, 1, 2, 5, 6, 9])
def test_chunks_cover_the_work(chunks: int) -> None:
    z = np.zeros(6)
    assert adding(chunks=chunks).run((x, y), (z,)) == DONE
    assert np.array_equal(z, x + y if chunks else np.zeros(6))


def test_a_failing_step_stops_the_program() -> None:
    values = np.arange(16.0)
    program = checking(16, 20)
    block = np.array([0, 0, 0, 16, 1])
    assert program.run((values,), ()) == DONE and program.status is None
    program = checking(16, 5)
    assert program.run((values,), ()) == FAILED
    assert program.status == (1, 6)  # of the chunks' codes 6, 8 and 12 the smallest
    assert program.run((np.zeros(16),), ()) == DONE and program.status is None
    # later steps do not run
    failing = np.array([values.ctypes.data, 0, 16, 5])
    z = np.zeros(16)
    block[:3] = values.ctypes.data, values.ctypes.data, z.ctypes.data
    program = Program([], [], [Step(address(CHECK), failing, status=1), Step(address(ADD), block)])
    assert program.run((), ()) == FAILED and program.status == (0, 6) and not z.any()


def test_segments_of_a_held_program() -> None:
    blocks = [np.array([0, 0, 0, 6, 1]) for _ in range(3)]
    middle = np.zeros(6)
    for block in blocks:
        block[:3] = middle.ctypes.data
    patches = [Patch(0, blocks[0], 0), Patch(0, blocks[1], 1), Patch(1, blocks[2], 2)]
    vector = ((6,), np.float64)
    steps = [Step(address(ADD), b) for b in blocks]
    program = Program([vector], [vector], steps, patches)
    z = np.zeros(6)
    with program:
        assert program.prepare((x[:5],), (z,)) == 0
        assert program.prepare((x,), (z,)) == DONE
        assert program.run_range(0, 1) == DONE  # middle = x + middle
        assert np.array_equal(middle, x)
        middle *= 10  # what a Python function between segments does
        assert program.run_range(1, 3) == DONE  # middle = middle + x; z = middle + middle
    assert np.array_equal(z, 22 * x)
    with program, pytest.raises(IndexError, match=r"no steps \[2, 4\) among 3"):
        program.run_range(2, 4)


def test_a_held_program_makes_others_wait() -> None:
    program, z = adding(), np.zeros(6)
    running = threading.Thread(target=program.run, args=((x, y), (z,)))
    with program:
        running.start()
        running.join(0.05)
        assert running.is_alive() and not z.any()
    running.join()
    assert np.array_equal(z, x + y)


@pytest.mark.parametrize("hold_gil", [False, True])
def test_threads_take_turns(hold_gil: bool) -> None:
    n, calls = 64, 200
    block = np.array([0, 0, n, 200])
    steps = [Step(address(ACCUMULATE), block)] * 3
    patches = [Patch(0, block, 0), Patch(1, block, 1)]
    vector = ((n,), np.float64)
    program = Program([vector], [vector], steps, patches, hold_gil=hold_gil)
    sums = np.zeros((4, n))

    def work(k: int) -> None:
        addend, total = np.full(n, k + 1.0), sums[k]
        for _ in range(calls):
            assert program.run((addend,), (total,)) == DONE

    workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert np.array_equal(sums, np.outer([1, 2, 3, 4], np.full(n, 3.0 * calls)))


def test_other_threads_run_meanwhile() -> None:
    """A program gives the GIL away: Python goes on while its kernel spins for a second or so."""
    block = np.array([0, 0, 0, 10_000_000])
    program = Program([], [], [Step(address(ACCUMULATE), block)])
    running = threading.Thread(target=program.run, args=((), ()))
    running.start()
    turns = 0
    while running.is_alive() and turns < 100:
        turns += 1
    running.join()
    assert turns == 100


def test_run_outlives_its_program(guard: str) -> None:
    run, z = adding().run, np.zeros(6)
    gc.collect()
    assert run((x, y), (z,)) == DONE and np.array_equal(z, x + y)


def test_a_program_and_its_blocks_are_freed(no_gc: None) -> None:
    program = adding()
    table = weakref.ref(program._table)
    del program
    gc.collect()  # the fallback's bound methods make a cycle
    assert table() is None


def test_references_are_left_as_they_were() -> None:

    program, z = adding(), np.zeros(6)
    args, outs = (x, y), (z,)
    before = [sys.getrefcount(o) for o in (x, y, z, args, outs, program._table)]
    for _ in range(1000):
        program.run(args, outs)
        program.run((y, y[:3]), outs)
    assert [sys.getrefcount(o) for o in (x, y, z, args, outs, program._table)] == before


def test_malformed_programs_are_refused() -> None:
    block = np.array([0, 0, 0, 6, 1])
    step = Step(address(ADD), block)
    with pytest.raises(IndexError, match="patch 0 follows argument 1 of 1"):
        Program([((6,), float)], [], [step], [Patch(1, block, 0)])
    with pytest.raises(IndexError, match="patch 0 writes cell 5 of 5"):
        Program([((6,), float)], [], [step], [Patch(0, block, 5)])
    with pytest.raises(ValueError, match="step 0 has -1 chunks"):
        Program([], [], [step._replace(chunks=-1)])
    with pytest.raises(TypeError, match="contiguous vector of int64"):
        Program([], [], [step._replace(block=np.zeros(5))])


def test_the_probe_notices_other_headers(monkeypatch) -> None:
    assert driver.probe()
    for name in (
        "TYPE_AT",
        "SIZE_AT",
        "ITEMS_AT",
        "DATA_AT",
        "RANK_AT",
        "SHAPE_AT",
        "DESCR_AT",
        "FLAGS_AT",
        "KIND_AT",
    ):
        with monkeypatch.context() as other:
            other.setattr(layout, name, getattr(layout, name) + 8)
            assert not driver.probe(), name


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_child_of_a_fork_may_run_a_program_that_was_held() -> None:
    program, z = adding(), np.zeros(6)
    with program:
        child = os.fork()
        if not child:
            os._exit(0 if program.run((x, y), (z,)) == DONE and np.array_equal(z, x + y) else 1)
    assert os.waitpid(child, 0)[1] == 0


STARTED = f"""
import sys
import numpy as np
from adjoint.engines.cpu import cache, threads
from adjoint.engines.cpu.driver import Program, Step
threads.set_num_threads(2)
kernel = cache.load({ADD!r}, prelude={PRELUDE!r})
program = Program([], [], [Step(kernel.address, np.array([0, 0, 0, 0, 2]), 2, parallel=True)])
assert program.run((), ()) == -1
print("numba" in sys.modules)
"""


def test_a_warm_start_does_without_numba(guard: str) -> None:
    if guard == "python":
        pytest.skip("the same start")
    adding()  # so that the native half is on disk
    finished = subprocess.run([sys.executable, "-W", "error", "-c", STARTED], capture_output=True, text=True)
    assert (finished.stdout, finished.stderr) == ("False\n", "")
