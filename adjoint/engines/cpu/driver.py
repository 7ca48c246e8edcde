"""Compiled programs: a flat list of native steps, run by one call from Python.

The call reads tuples and arrays where CPython and NumPy keep them, so that it costs 0.1 µs and the kernels.
Where the headers are not as expected (`probe`), the same steps run behind a guard written in Python.
"""

from __future__ import annotations

import ctypes
import os
import sys
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import layout, native, threads
from .layout import DONE, FAILED, MISUSED

__all__ = ["DONE", "FAILED", "MISUSED", "Failure", "Patch", "Program", "Step", "probe"]

Array = npt.NDArray[Any]
Cells = npt.NDArray[np.int64]
Signature = tuple[tuple[int, ...], npt.DTypeLike]


class Step(NamedTuple):
    """A kernel and what it works on.

    Attributes:
        address: of `void(int64* block, int64 chunk)`, called for chunk 0 … chunks − 1.
        block: (B,) int64, contiguous; addresses, sizes, strides, as the kernel reads them.
        chunks: parts the work is cut into, ≥ 0; fixed here, so that results do not depend on threads.
        parallel: chunks may run at the same time.
        status: cell of the block that is to hold the address of the program's status word, where the kernel
            reports a failure with `fetch_min(block[status], code)`, code ≥ 0; None when it never fails.
    """

    address: int
    block: Cells
    chunks: int = 1
    parallel: bool = False
    status: int | None = None


class Patch(NamedTuple):
    """A cell that holds an argument's address: written anew in each run.

    Attributes:
        argument: index of an input; outputs follow the inputs.
        block: the step's block; the same array object or memory.
        cell: index in the block.
        offset: bytes added to the address of the argument's first element.
    """

    argument: int
    block: Cells
    cell: int
    offset: int = 0


class Failure(NamedTuple):
    """Which step of a program failed, and the smallest code its chunks reported."""

    step: int
    code: int


class _Table(np.ndarray[Any, np.dtype[np.int64]]):
    """A program's cells, with what their addresses point to."""

    kept: Any


class Program:
    """Native steps behind a guard of their arguments.

    `run(args, outs)` is a built-in function of a tuple of input arrays and a tuple of output arrays. It
    returns

    - DONE (−1);
    - k ≥ 0 when argument k does not fit, outputs counted after the inputs, and then nothing was run or
      written. Type, dtype and shape must be those given here, C order, aligned, outputs writeable;
    - MISUSED (−2) when it did not get two tuples of the right lengths;
    - FAILED (−3) when a step reported failure, see `status`.

    Threads may call it at the same time: they take turns.

    A program whose native steps alternate with Python functions is held by its caller from start to end,
    because its blocks and arena belong to one run at a time:

        with program:
            if program.prepare(args, outs) == DONE:
                program.run_range(0, 3)
                ...
                program.run_range(3, 5)

    Args:
        inputs: shape and dtype of each input.
        outputs: shape and dtype of each output.
        steps: run in this order.
        patches: cells that follow the arguments.
        hold_gil: keep other Python threads waiting meanwhile; right only for programs of a few µs, whose
            caller would otherwise queue for the GIL again each time.
    """

    run: Callable[[tuple[Array, ...], tuple[Array, ...]], int]
    prepare: Callable[[tuple[Array, ...], tuple[Array, ...]], int]

    def __init__(
        self,
        inputs: Sequence[Signature],
        outputs: Sequence[Signature],
        steps: Sequence[Step],
        patches: Sequence[Patch] = (),
        *,
        hold_gil: bool = False,
    ) -> None:
        self._wanted = [(tuple(shape), np.dtype(dtype)) for shape, dtype in (*inputs, *outputs)]
        self._inputs, self._patches = len(inputs), list(patches)
        self._status = np.array([layout.HEALTHY])
        self._table = table = np.zeros(layout.TABLE_CELLS, np.int64).view(_Table)
        guards, rows, places = self._guards(), self._rows(steps), self._places()
        table.kept = (guards, rows, places, self._status, list(steps), self._patches)
        table[[layout.INPUTS, layout.OUTPUTS, layout.STEP_COUNT]] = len(inputs), len(outputs), len(steps)
        table[layout.PATCH_COUNT] = len(places)
        table[[layout.TUPLE_TYPE, layout.ARRAY_TYPE]] = id(tuple), id(np.ndarray)
        parts = {
            layout.GUARDS: guards,
            layout.STEPS: rows,
            layout.PATCHES: places,
            layout.STATUS: self._status,
        }
        for cell, array in parts.items():
            table[cell] = address_of(array)
        table[layout.POOL], table[layout.HOLD_GIL] = threads.POOL_ADDRESS, hold_gil
        self._use_python_api()
        self._segment = native.function("segment", 3, returns=True)
        if rows[:, 3].any():
            threads.start()
        if HEADERS_AS_EXPECTED:
            self.run, self.prepare = native.builtin("run", table), native.builtin("prepare", table)
        else:
            self.run, self.prepare = self._run_by_python, self._prepare_by_python
        _programs.add(self)

    @property
    def status(self) -> Failure | None:
        """What failed in the last run; None when nothing did."""
        code = int(self._status[0])
        return None if code == layout.HEALTHY else Failure(int(self._table[layout.FAILED_STEP]), code)

    def __enter__(self) -> Program:
        native.acquire(int(self._table[layout.LOCK]))
        return self

    def __exit__(self, *_: object) -> None:
        native.release(int(self._table[layout.LOCK]))

    def run_range(self, first: int, last: int) -> int:
        """Run steps [first, last) of a program that is held and prepared; DONE or FAILED."""
        if not 0 <= first <= last <= self._table[layout.STEP_COUNT]:
            raise IndexError(f"no steps [{first}, {last}) among {self._table[layout.STEP_COUNT]}")
        return self._segment(address_of(self._table), first, last)

    def forgive(self) -> None:
        """Forget a failure, so that a program that is held can run on."""
        self._status[0] = layout.HEALTHY

    def _guards(self) -> Cells:
        """Per argument: type, kind of dtype, flags, rank, shape."""
        cells: list[int] = []
        for k, (shape, dtype) in enumerate(self._wanted):
            flags = layout.CONTIGUOUS | layout.ALIGNED | (layout.WRITEABLE if k >= self._inputs else 0)
            cells += [id(np.ndarray), _kind(dtype), flags, len(shape), *shape]
        return np.array(cells, np.int64)

    def _rows(self, steps: Sequence[Step]) -> Cells:
        """Per step: address, block, chunks, parallel."""
        rows = np.zeros((len(steps), layout.STEP_CELLS), np.int64)
        for k, step in enumerate(steps):
            if step.chunks < 0:
                raise ValueError(f"step {k} has {step.chunks} chunks")
            if step.status is not None:
                step.block[step.status] = address_of(self._status)
            rows[k] = step.address, _block_address(step.block), step.chunks, step.parallel and step.chunks > 1
        return rows

    def _places(self) -> Cells:
        """Per patch: argument, address of the cell, offset."""
        rows = np.zeros((len(self._patches), layout.PATCH_CELLS), np.int64)
        for k, patch in enumerate(self._patches):
            if not 0 <= patch.argument < len(self._wanted):
                raise IndexError(f"patch {k} follows argument {patch.argument} of {len(self._wanted)}")
            if not 0 <= patch.cell < len(patch.block):
                raise IndexError(f"patch {k} writes cell {patch.cell} of {len(patch.block)}")
            rows[k] = patch.argument, _block_address(patch.block) + 8 * patch.cell, patch.offset
        return rows

    def _use_python_api(self) -> None:
        table = self._table
        for cell, name in (
            (layout.SAVE_THREAD, "PyEval_SaveThread"),
            (layout.RESTORE_THREAD, "PyEval_RestoreThread"),
            (layout.FROM_LONG, "PyLong_FromLongLong"),
            (layout.ACQUIRE, "PyThread_acquire_lock"),
            (layout.RELEASE, "PyThread_release_lock"),
        ):
            table[cell] = native.python_api(name)
        table[layout.LOCK] = lock = native.new_lock()
        # with the table, which the built-in functions keep, not with the program
        weakref.finalize(table, native.free_lock, lock).atexit = False

    def _prepare_by_python(self, args: tuple[Array, ...], outs: tuple[Array, ...]) -> int:
        """`prepare` where headers cannot be read."""
        if (type(args), type(outs)) != (tuple, tuple):
            return MISUSED
        if (len(args), len(args) + len(outs)) != (self._inputs, len(self._wanted)):
            return MISUSED
        for k, (array, (shape, dtype)) in enumerate(zip((*args, *outs), self._wanted, strict=True)):
            fits = type(array) is np.ndarray and array.shape == shape and array.dtype == dtype
            if not fits or not (array.flags.c_contiguous and array.flags.aligned):
                return k
            if k >= self._inputs and not array.flags.writeable:
                return k
        both = (*args, *outs)
        for patch in self._patches:
            patch.block[patch.cell] = address_of(both[patch.argument]) + patch.offset
        self._status[0] = layout.HEALTHY
        return DONE

    def _run_by_python(self, args: tuple[Array, ...], outs: tuple[Array, ...]) -> int:
        """`run` where headers cannot be read."""
        with self:
            result = self._prepare_by_python(args, outs)
            return self.run_range(0, int(self._table[layout.STEP_COUNT])) if result == DONE else result


def address_of(array: Array) -> int:
    """The address of an array's first element."""
    # a third of the time that array.ctypes takes
    return int(array.__array_interface__["data"][0])


def _block_address(block: Cells) -> int:
    if block.dtype != np.int64 or block.ndim != 1 or not block.flags.c_contiguous:
        raise TypeError(f"a block is a contiguous vector of int64, not {block.shape} {block.dtype}")
    return address_of(block)


def _word(address: int) -> int:
    return int.from_bytes(ctypes.string_at(address, 8), sys.byteorder, signed=True)


def _kind(dtype: np.dtype[Any]) -> int:
    """The word of a descriptor that tells kind, byte order and type number; equal for equal dtypes.

    Not the descriptor's address: an array that was pickled has a descriptor of its own.
    """
    return _word(id(dtype) + layout.KIND_AT)


def probe() -> bool:
    """Whether tuples, arrays and dtypes lie in memory as `layout` says; looked up on arrays made for it."""
    if np.ndarray.__basicsize__ < layout.FLAGS_AT + 4 or np.dtype.__basicsize__ < layout.KIND_AT + 8:
        return False
    array = np.arange(24.0).reshape(2, 3, 4)
    view, sample = array[:, 1:, ::2], (array, None, array)
    at, half = id(array), ctypes.c_int.from_address
    dtypes = [np.dtype(c) for c in "fdhqbB?"]
    return (
        _word(id(sample) + layout.TYPE_AT) == id(tuple)
        and _word(id(sample) + layout.SIZE_AT) == 3
        and _word(id(sample) + layout.ITEMS_AT + 8) == id(None)
        and _word(at + layout.TYPE_AT) == id(np.ndarray)
        and _word(at + layout.DATA_AT) == address_of(array)
        and half(at + layout.RANK_AT).value == 3
        and [_word(_word(at + layout.SHAPE_AT) + 8 * k) for k in range(3)] == [2, 3, 4]
        and _word(at + layout.DESCR_AT) == id(array.dtype)
        and half(at + layout.FLAGS_AT).value == array.flags.num
        and half(id(view) + layout.FLAGS_AT).value == view.flags.num
        and _kind(np.dtype(float)) == _kind(np.dtype(float, copy=True)) != _kind(np.dtype(">f8"))
        and len({_kind(d) for d in dtypes}) == len(set(dtypes))
    )


HEADERS_AS_EXPECTED = probe()
_programs: weakref.WeakSet[Program] = weakref.WeakSet()


def _after_fork() -> None:
    """A lock that a vanished thread held would stay locked in the child."""
    for program in _programs:
        program._table[layout.LOCK] = native.new_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
