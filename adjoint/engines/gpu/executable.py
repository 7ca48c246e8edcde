"""A program as launches on a device: its memory, its arguments, and the order of its work on streams."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from ...errors import AdjointError, DeviceError, DTypeError, describe, refusal
from ...ops.device import adopted, on_device
from ...text import size_text
from ..containers import ARRAY, SCALAR, Kind, kind_of_number
from ..executable import DONE, Executable
from ..explain import Line, kind_of_group, names_of, space_of
from ..graph import Node
from .binding import Arrays, Binder, Bound, BoundCall
from .capture import Graphs
from .device import no_room, unusable, usable
from .geometry import CUTTING
from .kernel import Call, Launch
from .modules import Function, functions_of
from .numbers import MOST, numbers_text, words_of
from .overlaps import overlapping
from .steps import Memory, write_steps
from .turns import Turns

UNFIT = 0  # what `run` returns when an argument is not what the program is for


class GPU(Executable):
    """One program of the GPU engine.

    Calls put their work on the current stream, one after the other. The program's memory belongs to one call
    at a time, so a call on another stream waits there for the last one. It belongs to the device that was
    current when the program was made; on another, the same arguments are another program.
    """

    cutting = CUTTING

    # ---------------------------------------------------------------- arguments
    @staticmethod
    def place() -> int:
        """The number of the current device."""
        number: int = usable().cuda.runtime.getDevice()
        return number

    @staticmethod
    def at(place: Any) -> AbstractContextManager[Any]:
        """Where a thread makes programs for a device; each begins on the first."""
        device: AbstractContextManager[Any] = usable().cuda.Device(place)
        return device

    @staticmethod
    def kind_of(x: Any, label: str = "") -> Any:
        """The kind of an argument; `label` is its name in errors.

        Raises:
            DTypeError: an array on the host, where the program's arrays are on the device; objects.
            DeviceError: an array on another device than the current one.
        """
        plain = isinstance(x, (np.ndarray, np.generic))
        x = x if plain else adopted(x)
        device = on_device(x)
        if x.ndim if plain else not device and hasattr(x, "__dlpack__") and not isinstance(x, type):
            what = f"a function compiled for the GPU takes arrays of the device, not {describe(x, label)}"
            raise refusal(DTypeError, f"{what} of the host", "Copy it there once: cupy.asarray(x).")
        if device and x.data.device_id != GPU.place():
            there, here = x.data.device_id, GPU.place()
            raise refusal(
                DeviceError,
                f"{describe(x, label)} lies on device {there}, and device {here} is the current one",
                f"Call inside of `with cupy.cuda.Device({there}):`, on arrays of that device alone.",
            )
        if device or plain:
            if x.dtype.kind not in "fiubc" or x.dtype.char in "gG":  # cupy knows no extended precision
                raise refusal(
                    DTypeError, f"a function for the GPU cannot take {describe(x, label)}", "Pass numbers."
                )
            return Kind(x.shape, x.dtype, False, ARRAY if device else SCALAR)
        return kind_of_number(x)

    @staticmethod
    def fitted(x: Any, kind: Kind) -> Any:
        """An array of the device in C order; of a number, an array of the host."""
        if kind.sort == ARRAY:
            cupy = usable()
            x = cupy.ascontiguousarray(adopted(x))
            return cupy.ndarray(kind.shape, kind.dtype, x.data)  # of a subclass, the array itself
        return np.asarray(x, kind.dtype)

    # ---------------------------------------------------------------- making
    def write(self) -> None:
        """Write the steps of the plan."""
        self.cupy = usable()
        self.steps = write_steps(self.plan, self.options.deterministic, self.options.graphs)

    def assemble(self) -> None:
        """Compile the kernels, make room on the device, and bind the steps to it."""
        for flag, source, complaint in self.graph.checks:
            if not isinstance(flag, Node) and flag:
                raise self.complaint(source, complaint)
        numbers = [k for k, kind in enumerate(self.inputs) if kind.sort != ARRAY]
        self.memory = Memory(self.plan, self.steps, numbers)
        self._lock, self._device = threading.RLock(), self.place()
        ndarray = self.cupy.ndarray
        self._types = [(ndarray if k.sort == ARRAY else np.ndarray, k.shape, k.dtype) for k in self.inputs]
        launches = [w for step in self.steps for w in step.works if isinstance(w, Launch)]
        parts = [numbers[k : k + MOST] for k in range(0, len(numbers), MOST)]
        texts = [(numbers_text(len(part)), "numbers") for part in parts]
        functions, self._new = functions_of(self.cupy).load([*((w.source, w.name) for w in launches), *texts])
        self._turns = Turns(self.cupy)
        self._base = self._allocated()
        self._turns.end()  # a call on another stream comes after what has been copied
        self._bind(numbers, functions)
        self.graphs = Graphs(self.cupy, self.work) if self.options.graphs else None
        feeds = functions[len(launches) :]
        self._feeds = [
            (f, part, self._base + self.memory.numbers[part[0]]) for f, part in zip(feeds, parts, strict=True)
        ]

    def _allocated(self) -> Any:
        """The program's memory, filled with what does not change."""
        cupy, memory = self.cupy, self.memory
        try:
            base = cupy.cuda.alloc(memory.total)
        except cupy.cuda.memory.OutOfMemoryError as error:
            what = f"the {size_text(memory.total)} that the program keeps there, "
            raise no_room(
                f"{what}{size_text(memory.between)} of them values between its steps", error
            ) from error
        for place, array in memory.filled:
            cupy.ndarray(array.shape, array.dtype, base + place).set(array)
        return base

    def _bind(self, numbers: Sequence[int], functions: Sequence[Function]) -> None:
        """Everything that a call runs, in order."""
        binder = Binder(self.cupy, self.plan, self.memory, self._base, numbers)
        feed = iter(functions)
        self.work: list[Bound] = []
        if self.memory.statuses:
            self.work.append(binder.fill(*self.memory.words))
        self._names: list[str] = []  # the first kernel of each step
        for k, step in enumerate(self.steps):
            for key, x in step.scratch().items():
                if x.zeroed:
                    self.work.append(binder.fill(self.memory.scratch[key], x.bytes))
            name = ""
            for n, work in enumerate(step.works):
                if isinstance(work, Launch):
                    bound = binder.launch(work, next(feed), (k, n))
                    name = name or bound.function.name
                    self.work.append(bound)
                else:
                    self.work.append(binder.call(work))
            self._names.append(name)
        self._objects = binder.objects
        self._words = binder.words() if self.memory.statuses else None
        self._flags = [
            (binder.array(flag), source, text)
            for flag, source, text in self.graph.checks
            if isinstance(flag, Node)
        ]

    # ---------------------------------------------------------------- running
    def buffers(self, arrays: tuple[Any, ...], fit: bool = False) -> tuple[Any, ...]:
        """Arrays for the results: new ones, or those that were donated.

        Of a donated one that shares memory with another argument, a copy takes its place. Before
        the arrays are known to `fit` there are no copies, but nothing at all, which `run` refuses.

        Raises:
            DeviceError: there is no room for the results.
        """
        cupy, donated = self.cupy, {j: k for k, j in self.donated}
        if donated:
            shared = overlapping(arrays, cupy.ndarray) & {*donated.values()}
            if not fit and (shared or len(arrays) != len(self.inputs)):
                return ()
        outs: list[Any] = []
        try:
            for j, z in enumerate(self.graph.outputs):
                if j not in donated:
                    outs.append(cupy.empty(z.shape, z.dtype))
                else:
                    x = arrays[donated[j]]
                    outs.append(x.copy() if donated[j] in shared else x)
        except cupy.cuda.memory.OutOfMemoryError as error:
            raise no_room("the results", error) from error
        return tuple(outs)

    def run(self, arrays: Arrays, outs: Arrays) -> int:
        """Put the work on the current stream, if the arrays fit; wait only where a kernel may complain."""
        device = self._device
        if len(arrays) != len(self._types) or len(outs) != len(self.graph.outputs):
            return UNFIT
        pairs: Iterator[tuple[Any, Any]] = zip(arrays, self._types, strict=True)
        for x, (kind, shape, dtype) in pairs:
            if type(x) is not kind or x.shape != shape or x.dtype != dtype or not x.flags.c_contiguous:
                return UNFIT
            if kind is not np.ndarray and x.data.device_id != device:
                return UNFIT
        if self.cupy.cuda.runtime.getDevice() != device:
            return UNFIT
        with self._lock:
            self._turns.begin()
            try:
                self._put(arrays, outs)
            finally:  # also what was put there before something failed comes before the next call
                self._turns.end()
                self._objects.clear()
            self._complain(arrays, outs)
        return DONE

    def _put(self, arrays: Arrays, outs: Arrays) -> None:
        """Put the work on the current stream."""
        for function, part, pointer in self._feeds:
            words = words_of([arrays[k] for k in part])
            function.launch((1, 1, 1), (1, 1, 1), (pointer, *words))
        graphs = self.graphs
        if graphs is None or not graphs.replay(arrays, outs, lambda w: self._call(w, arrays, outs)):
            for work in self.work:
                if isinstance(work, BoundCall):
                    self._call(work, arrays, outs)
                else:
                    work(arrays, outs)

    def _call(self, work: BoundCall, arrays: Arrays, outs: Arrays) -> None:
        """Run a function of cupy.

        Raises:
            DeviceError: it finds no room on the device, or a library of CUDA is not installed.
        """
        node = work.call.node
        try:
            self.by_value(node, work, work.values, arrays, outs)
        except AdjointError:
            raise
        except self.cupy.cuda.memory.OutOfMemoryError as error:
            raise no_room(
                f"what {getattr(node.op, 'name', 'cupy')} needs besides its result", error
            ) from error
        except ImportError as error:
            raise unusable(self.cupy) from error

    def _complain(self, arrays: Arrays, outs: Arrays) -> None:
        """Raise what a kernel has reported, the first step's first."""
        if self._words is not None:
            words = self._words.get()
            if words.any():
                step, n = list(self.memory.statuses)[int(np.flatnonzero(words)[0])]
                work = self.steps[step].works[n]
                assert isinstance(work, Launch) and work.complaint is not None
                kind, text = work.complaint
                raise self.complaint(self.steps[step].group.nodes[0].source, text, kind)
        for flag, source, text in self._flags:
            if flag(arrays, outs).get().any():
                raise self.complaint(source, text)

    def __call__(self, arrays: tuple[Any, ...]) -> Any:
        """Run on arrays that fit."""
        outs = self.buffers(arrays, True)
        status = self.run(arrays, outs)
        assert status == DONE, (status, arrays)
        return self.result(outs)

    def result(self, outs: tuple[Any, ...]) -> Any:
        """The results in the containers of the function; 0-d ones are arrays of the device."""
        return outs[0] if self.single else self.make(outs)

    def __del__(self) -> None:
        turns = getattr(self, "_turns", None)  # there is none where making the program failed
        if turns is not None and not sys.is_finalizing():
            turns.leave()

    @property
    def between(self) -> int:
        """Bytes of memory for values between steps."""
        return self.memory.between

    def lines(self) -> Iterator[tuple[Line, Sequence[Node], str]]:
        """Every step in order: in words, the nodes it computes, and why it has no kernel (or "")."""
        for step, name in zip(self.steps, self._names, strict=True):
            nodes, work = step.group.nodes, step.works[0]
            operations = names_of(nodes)
            if isinstance(work, Call):
                line = Line("cupy", work.node.shape, operations, 1, 1, "", False, None)
                yield line, nodes, work.reason
                continue
            blocks = math.prod(work.grid)
            kind, space = kind_of_group(step.group), space_of(step.group)
            line = Line(kind, space, operations, len(nodes), blocks, name, name in self._new, None)
            yield line, nodes, ""

    def summary(self) -> str:
        """One line."""
        count = len({*self._names} - {""})
        return (
            f"{len(self.trace)} recorded nodes in {len(self.work)} launches, {count} kernels "
            f"({len(self._new)} compiled now), {sum(self.seconds):.2f} s"
        )
