"""The native half of programs and threads: guard, patch, run the steps, share chunks among threads.

`driver` and `threads` hand this text to the kernel cache and call its cfuncs by address; it is not imported.
Tables and headers are laid out in `layout`.
"""
# mypy: ignore-errors

from __future__ import annotations

from .entries import cfunc, njit
from .intrinsics import (
    call_chunk,
    compare_exchange,
    i32_at,
    i64_at,
    invoke0,
    invoke1,
    invoke2,
    load_shared,
    pause,
    store_shared,
)
from .layout import *  # noqa: F403

# ruff: noqa: F405

# Explicit signatures: numba would compile a function again for each constant among its arguments.
_OPTIONS = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


@njit("void(int64, int64, int64, int64)", **_OPTIONS)
def run_range(address, block, first, last):
    """Chunks [first, last) of one step."""
    for chunk in range(first, last):
        call_chunk(address, block, chunk)


@njit("void(int64, int64)", **_OPTIONS)
def await_zero(pool, word):
    """Spin until a word is zero; give the processor away when that takes long."""
    spins = 0
    while load_shared(word) != 0:
        spins += 1
        if spins > i64_at(pool)[SPINS]:
            invoke0(i64_at(pool)[YIELD])
        else:
            pause()


@njit("void(int64, int64, int64)", **_OPTIONS)
def publish(pool, job, threads):
    """Let workers 1 … threads − 1 see a job, and wake those that sleep."""
    store_shared(pool + 8 * JOB, job)
    for t in range(1, threads):
        line = pool + 8 * (FIRST_WORKER + LINE * t)
        if compare_exchange(line + 8 * PARKED, 1, 0):
            invoke1(i64_at(pool)[POOL_RELEASE], i64_at(line)[WAKE])


@njit("void(int64, int64, int64, int64)", **_OPTIONS)
def lead(pool, address, block, chunks):
    """Run a step's chunks with the workers of the pool: thread t takes the t-th range of equal size.

    A worker that does not come in time (the machine is busy) finds its ticket taken: the caller runs that
    range itself, and waits for none but those that have begun.
    """
    cells = i64_at(pool)
    threads = cells[THREADS]
    if threads > chunks:
        threads = chunks
    if threads < 2 or not compare_exchange(pool + 8 * BUSY, 0, 1):  # another thread has the workers
        run_range(address, block, 0, chunks)
        return
    job = load_shared(pool + 8 * JOB) + 1
    cells[ADDRESS], cells[BLOCK], cells[CHUNKS] = address, block, chunks
    for t in range(1, threads):
        # the number of threads travels with the ticket: the caller's setting may change between jobs
        store_shared(pool + 8 * (FIRST_WORKER + LINE * t + TICKET), threads)
    publish(pool, job, threads)
    run_range(address, block, 0, chunks // threads)
    for t in range(1, threads):
        ticket = pool + 8 * (FIRST_WORKER + LINE * t + TICKET)
        if compare_exchange(ticket, threads, 0):
            run_range(address, block, chunks * t // threads, chunks * (t + 1) // threads)
        else:
            await_zero(pool, ticket)
    store_shared(pool + 8 * BUSY, 0)


@njit("int64(int64, int64, int64)", **_OPTIONS)
def await_job(pool, line, seen):
    """Spin for a new job, then park; returns its number."""
    cells = i64_at(pool)
    while True:
        for _ in range(cells[SPINS]):
            job = load_shared(pool + 8 * JOB)
            if job != seen:
                return job
            pause()
        store_shared(line + 8 * PARKED, 1)
        # a job published before the caller could see us parked must not be slept through
        if load_shared(pool + 8 * JOB) == seen or not compare_exchange(line + 8 * PARKED, 1, 0):
            invoke2(cells[POOL_ACQUIRE], i64_at(line)[WAKE], 1)


@cfunc("void(int64, int64)", **_OPTIONS)
def work(pool, t):
    """What worker t does until the pool stops: take the ticket of a job, run its range."""
    line = pool + 8 * (FIRST_WORKER + LINE * t)
    ticket = line + 8 * TICKET
    cells = i64_at(pool)
    seen = 0
    while True:
        seen = await_job(pool, line, seen)
        if seen == STOP:
            return
        threads = load_shared(ticket)
        # a ticket that is ours keeps the caller waiting: until it is zero the job's cells stay as they are
        if threads > 0 and compare_exchange(ticket, threads, -threads):
            chunks = cells[CHUNKS]
            run_range(cells[ADDRESS], cells[BLOCK], chunks * t // threads, chunks * (t + 1) // threads)
            store_shared(ticket, 0)


@cfunc("void(int64, int64)", **_OPTIONS)
def halt(pool, workers):
    """Tell all workers to end, once none has work; the pool stays busy, so that nobody gives them any."""
    while not compare_exchange(pool + 8 * BUSY, 0, 1):
        invoke0(i64_at(pool)[YIELD])
    publish(pool, STOP, workers + 1)


@cfunc("void(int64)", **_OPTIONS)
def spin(count):
    """Pause `count` times, to learn how long that takes."""
    for _ in range(count):
        pause()


@njit("int64(int64, int64, int64)", **_OPTIONS)
def run_steps(table, first, last):
    """Run steps [first, last); DONE, or FAILED after the first step that reported a failure."""
    cells = i64_at(table)
    steps = i64_at(cells[STEPS])
    for s in range(first, last):
        row = STEP_CELLS * s
        if steps[row + 3] != 0:
            lead(cells[POOL], steps[row], steps[row + 1], steps[row + 2])
        else:
            run_range(steps[row], steps[row + 1], 0, steps[row + 2])
        if i64_at(cells[STATUS])[0] != HEALTHY:
            cells[FAILED_STEP] = s
            return FAILED
    return DONE


@cfunc("int64(int64, int64, int64)", **_OPTIONS)
def segment(table, first, last):
    """`run_steps`, for a program held by its caller."""
    return run_steps(table, first, last)


@njit("boolean(int64, CPointer(int64))", **_OPTIONS)
def fits(array, guard):
    """Whether an object is an array of the type, dtype, flags and shape that a guard demands."""
    if i64_at(array + TYPE_AT)[0] != guard[0]:
        return False
    kind = i64_at(i64_at(array + DESCR_AT)[0] + KIND_AT)[0]
    if kind != guard[1] or (i32_at(array + FLAGS_AT)[0] & guard[2]) != guard[2]:
        return False
    if i32_at(array + RANK_AT)[0] != guard[3]:
        return False
    shape = i64_at(i64_at(array + SHAPE_AT)[0])
    for axis in range(guard[3]):  # noqa: SIM110
        if shape[axis] != guard[4 + axis]:
            return False
    return True


@njit("int64(CPointer(int64), int64, int64)", **_OPTIONS)
def misfit(cells, args, outs):
    """The index of the first argument that does not fit (outputs follow inputs), DONE when all do."""
    inputs, outputs = cells[INPUTS], cells[OUTPUTS]
    if i64_at(args + TYPE_AT)[0] != cells[TUPLE_TYPE] or i64_at(args + SIZE_AT)[0] != inputs:
        return MISUSED
    if i64_at(outs + TYPE_AT)[0] != cells[TUPLE_TYPE] or i64_at(outs + SIZE_AT)[0] != outputs:
        return MISUSED
    guard = cells[GUARDS]
    for k in range(inputs + outputs):
        array = i64_at(args + ITEMS_AT)[k] if k < inputs else i64_at(outs + ITEMS_AT)[k - inputs]
        if not fits(array, i64_at(guard)):
            return k
        guard += 8 * (4 + i64_at(guard)[3])
    return DONE


@njit("void(CPointer(int64), int64, int64)", **_OPTIONS)
def patch(cells, args, outs):
    """Write the arguments' addresses into the steps' blocks."""
    inputs = cells[INPUTS]
    rows = i64_at(cells[PATCHES])
    for p in range(cells[PATCH_COUNT]):
        k = rows[PATCH_CELLS * p]
        array = i64_at(args + ITEMS_AT)[k] if k < inputs else i64_at(outs + ITEMS_AT)[k - inputs]
        i64_at(rows[PATCH_CELLS * p + 1])[0] = i64_at(array + DATA_AT)[0] + rows[PATCH_CELLS * p + 2]


@cfunc("int64(int64, int64, int64)", **_OPTIONS)
def prepare(program, argv, count):
    """`prepare(args, outs)`, a Python function in C: guard and patch, for a program held by its caller."""
    cells = i64_at(i64_at(program + DATA_AT)[0])
    result = MISUSED
    if count == 2:
        args, outs = i64_at(argv)[0], i64_at(argv)[1]
        result = misfit(cells, args, outs)
        if result == DONE:
            patch(cells, args, outs)
            i64_at(cells[STATUS])[0] = HEALTHY
    return invoke1(cells[FROM_LONG], result)


@cfunc("int64(int64, int64, int64)", **_OPTIONS)
def run(program, argv, count):
    """`run(args, outs)`, a Python function in C: guard, patch and run everything.

    The program's lock is given back before the GIL is asked for: its next holder may have the GIL.
    """
    table = i64_at(program + DATA_AT)[0]
    cells = i64_at(table)
    result = MISUSED
    if count == 2:
        args, outs = i64_at(argv)[0], i64_at(argv)[1]
        result = misfit(cells, args, outs)
        if result == DONE:
            keeps_gil = cells[HOLD_GIL] != 0 and (invoke2(cells[ACQUIRE], cells[LOCK], 0) & 1) != 0
            state = 0
            if not keeps_gil:
                state = invoke0(cells[SAVE_THREAD])
                invoke2(cells[ACQUIRE], cells[LOCK], 1)
            patch(cells, args, outs)
            i64_at(cells[STATUS])[0] = HEALTHY
            result = run_steps(table, 0, cells[STEP_COUNT])
            invoke1(cells[RELEASE], cells[LOCK])
            if not keeps_gil:
                invoke1(cells[RESTORE_THREAD], state)
    return invoke1(cells[FROM_LONG], result)
