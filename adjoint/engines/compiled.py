"""`compile`: a function traced once per kind of arguments, and replayed as native steps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import DTypeError, describe, format_error, refusal
from ..ops.abstract import Abstract
from ..ops.primitive import Recorded
from ..tape.trace import Trace
from .cpu import cache
from .cpu.driver import DONE, Patch, Program, Step
from .graph import build
from .plan import Library, Plan, make_plan

Function = Callable[..., Any]


def compile(f: Function, *, engine: str = "numba") -> Compiled:
    """A function that computes what f computes, by native kernels.

    f is traced with the shapes and dtypes of its arguments, once for each kind; any composition of
    transforms may be inside. Float arguments and arrays may change from call to call; Python ints, booleans,
    strings and other objects are part of the program, and another value is another program.

    Args:
        f: plain NumPy code, the functions of this library, transforms.
        engine: "numba": kernels for this machine's processor.

    Returns:
        The compiled function: same arguments, same containers of results, in arrays of the caller's own.

    Raises:
        TraceError: f asks for a value while it is traced (a branch, a conversion), or for random numbers.

    >>> step = compile(lambda x: np.sum(np.tanh(x) ** 2))
    >>> step(np.array([0.0, 1.0]))
    np.float64(0.5800256583859735)
    """
    if engine != "numba":
        raise ValueError(f"unknown engine {engine!r}: there is 'numba'")
    if not callable(f):
        raise TypeError(f"compile needs a function, got {describe(f)}: write ad.compile(f)(x)")
    return Compiled(f)


class Compiled:
    """A compiled function; see `compile`."""

    def __init__(self, f: Function) -> None:
        wraps(f)(self)
        self._f = f
        self._programs: dict[Any, Executable] = {}
        self._last: Executable | None = None
        self._lock = threading.RLock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run; trace and compile first when arguments of this kind come for the first time."""
        last = self._last
        if last is not None and last.plain and not kwargs:
            outs = last.buffers()
            if last.run(args, outs) == DONE:
                return last.result(args, outs)
        return self._call(args, kwargs)

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        leaves, structure = trees.flatten((args, kwargs))
        if any(isinstance(x, Recorded) for x in leaves):
            return self._f(*args, **kwargs)
        kinds = [_kind(x) for x in leaves]
        arrays = tuple(
            [np.asarray(x, order="C") for x, kind in zip(leaves, kinds, strict=True) if type(kind) is tuple]
        )
        key = (structure, tuple(kinds))
        program = self._programs.get(key)
        if program is None:
            with self._lock:
                program = self._programs.get(key)
                if program is None:
                    program = self._programs[key] = Executable(self._f, leaves, kinds, structure)
        self._last = program
        return program(arrays)

    def __reduce__(self) -> Any:
        return (compile, (self._f,))


def _kind(x: Any) -> Any:
    """What a plan depends on: shape and dtype of arrays and floats; of anything else, itself."""
    if isinstance(x, (np.ndarray, np.generic)):
        if x.dtype.kind not in "fiub":
            raise refusal(DTypeError, f"a compiled function cannot take {describe(x)}", "Pass real numbers.")
        return (x.shape, x.dtype, False)
    if type(x) is float:
        return ((), np.dtype(np.float64), True)
    return _Static(x)


class _Static:
    """An argument that is part of the program: compared by value where that is possible."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Static)
            and type(self.value) is type(other.value)
            and bool(self.value == other.value)
        )

    def __hash__(self) -> int:
        try:
            return hash(self.value)
        except TypeError:
            return id(self.value)


class Executable:
    """One program: for one kind of arguments."""

    def __init__(
        self, f: Function, leaves: Sequence[Any], kinds: Sequence[Any], structure: trees.Structure
    ) -> None:
        begun = time.perf_counter()
        self.trace = trace = Trace()
        placeholders: list[Any] = []
        self.kinds = []
        with trace:
            paths = trees.paths(structure)
            for x, kind, path in zip(leaves, kinds, paths, strict=True):
                if type(kind) is tuple:
                    placeholders.append(trace.placeholder(Abstract(*kind), path))
                    self.kinds.append(kind)
                else:
                    placeholders.append(x)
            args, kwargs = trees.unflatten(structure, placeholders)
            results, self.structure = trees.flatten(f(*args, **kwargs))
        inputs = [x.index for x in placeholders if isinstance(x, Recorded) and x.tape is trace]
        self.constant = [None if _is_number(x) else x for x in results]
        traced = time.perf_counter()
        graph = build(trace, inputs, [x for x in results if _is_number(x)])
        self.plan: Plan = make_plan(graph)
        planned = time.perf_counter()
        self._assemble()
        done = time.perf_counter()
        self.seconds = {"trace": traced - begun, "plan": planned - traced, "compile": done - planned}
        self.kinds_of_outputs = [(x.shape, x.dtype) for x in graph.outputs]
        self.plain = structure == _PLAIN.get(len(leaves)) and all(
            type(k) is tuple and not k[2] for k in kinds
        )
        self.single = self.structure == trees.LEAF and self.constant == [None]
        for flag, source, complaint in graph.checks:
            if not hasattr(flag, "op") and flag:
                raise self._complaint(source, complaint)

    def _assemble(self) -> None:
        """Compile the kernels and put the steps in a row."""
        plan = self.plan
        steps, patches, self.calls, self.kernels = [], [], [], {}
        count = len(self.plan.graph.inputs)
        for step in plan.steps:
            if isinstance(step, Library):
                self.calls.append((len(steps), step))
                continue
            address = step.address
            if not address:
                kernel = cache.load(step.text)
                address = kernel.address
                self.kernels.setdefault(kernel.name, kernel)
            steps.append(Step(address, step.block, step.chunks, step.parallel))
            for cell, (kind, k), skip in step.patches:
                patches.append(Patch(k if kind == "input" else count + k, step.block, cell, skip))
        outputs = [(x.shape, x.dtype) for x in plan.graph.outputs]
        inputs = [(x.shape, x.dtype) for x in plan.graph.inputs]
        self.program = Program(inputs, outputs, steps, patches)
        self.steps = len(steps)
        self.run = self.program.run if not self.calls and not plan.flags else self._run_in_parts

    def buffers(self) -> tuple[np.ndarray, ...]:
        """New arrays for the results."""
        empty = np.empty
        return tuple([empty(shape, dtype) for shape, dtype in self.kinds_of_outputs])

    def __call__(self, arrays: tuple[np.ndarray, ...]) -> Any:
        """Run on arrays that fit."""
        outs = self.buffers()
        status = self.run(arrays, outs)
        assert status == DONE, (status, arrays)
        return self.result(arrays, outs)

    def _run_in_parts(self, args: tuple[np.ndarray, ...], outs: tuple[np.ndarray, ...]) -> int:
        """Native segments, and library calls between them."""
        program = self.program
        with program:
            status = program.prepare(args, outs)
            if status != DONE:
                return status
            at = 0
            for before, step in self.calls:
                if before > at:
                    program.run_range(at, before)
                    at = before
                step.run(args, outs)
            if self.steps > at:
                program.run_range(at, self.steps)
            for flag, source, complaint in self.plan.flags:
                if flag[()]:
                    raise self._complaint(source, complaint)
        return DONE

    def result(self, args: tuple[np.ndarray, ...], outs: tuple[np.ndarray, ...]) -> Any:
        """The results in the containers of the function."""
        values = [x[()] if not x.ndim else x for x in outs]
        if self.single:
            return values[0]
        feed = iter(values)
        return trees.unflatten(self.structure, [next(feed) if c is None else c for c in self.constant])

    def _complaint(self, source: int, complaint: str) -> Exception:
        from ..errors import IndexingError

        origin = self.trace.origin(source)
        return IndexingError(format_error(complaint, origin=origin))


def _is_number(x: Any) -> bool:
    return isinstance(x, (Recorded, np.ndarray, np.generic, float)) and not isinstance(x, (bool, int))


_PLAIN = {n: trees.flatten((tuple([0.0] * n), {}))[1] for n in range(17)}  # arguments that are one array each
