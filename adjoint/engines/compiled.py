"""Compiled functions: traced once per kind of arguments, and replayed as native steps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import wraps
from sys import getrefcount
from types import MethodType
from typing import Any, NamedTuple

import numpy as np

from .. import tree as trees
from ..errors import (
    AdjointError,
    DTypeError,
    IndexingError,
    TreeError,
    describe,
    format_error,
    refusal,
)
from ..garbage import without_collections
from ..ops.abstract import Abstract
from ..ops.primitive import Recorded
from ..tape.entries import base_array
from ..tape.trace import Trace
from . import contractions, ragged, rearranging  # noqa: F401  they register their rewrites
from .containers import ARRAY, COMPLEX, FLOAT, SCALAR, STATIC, maker, taker
from .cpu import cache
from .cpu.driver import DONE, FAILED, Patch, Program, Step
from .cpu.steps import CUTTING, Library, Native, write_steps
from .explain import Explanation, Report, report_of
from .graph import Graph, Node, build, is_native
from .plan import make_plan
from .randomness import Randomness

Function = Callable[..., Any]
TRIES = 4  # traces before the draws of another thread, which has its reasons, count as the function's
LARGE = 1 << 20  # bytes of a result whose memory is worth keeping for the next call


class Options(NamedTuple):
    """How a function is compiled; see `compile`."""

    donate: tuple[int, ...] = ()
    wait: bool = True
    callback: Callable[[str], None] | None = None


class Compiled:
    """A compiled function; see `compile`."""

    def __init__(self, f: Function, options: Options) -> None:
        wraps(f)(self)
        self._f, self._options = f, options
        self._programs: dict[Any, Executable] = {}
        self._last: Executable | None = None
        self._lock = threading.RLock()
        self._under_way: dict[Any, Exception | None] = {}  # what is compiled in a thread, or why it failed

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Run; trace and compile first when arguments of this kind come for the first time."""
        last = self._last
        if last is not None:
            arrays = args if last.plain and not kwargs else last.take((args, kwargs))
            if arrays is not None:
                outs = last.buffers(arrays)
                if last.run(arrays, outs) == DONE:
                    return last.result(outs)
        return self._other(args, kwargs)

    def _other(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Another kind of arguments than the last time."""
        leaves, structure = trees.flatten((args, kwargs))
        if any(isinstance(x, Recorded) for x in leaves):
            return self._f(*args, **kwargs)
        kinds = [_kind(x) for x in leaves]
        key = (structure, tuple(kinds))
        program = self._programs.get(key)
        if program is None:
            if not self._options.wait:
                self._start(key, leaves, kinds, structure)
                return self._f(*args, **kwargs)
            program = self._made(key, leaves, kinds, structure)
        self._last = program
        pairs = zip(leaves, kinds, strict=True)
        return program(tuple([_fitting(x, kind[1]) for x, kind in pairs if type(kind) is tuple]))

    def _made(
        self, key: Any, leaves: Sequence[Any], kinds: Sequence[Any], structure: trees.Structure
    ) -> Executable:
        with self._lock:
            if key not in self._programs:
                program = Executable(self._f, leaves, kinds, structure, self._options.donate)
                self._programs[key] = program
                if self._options.callback is not None:
                    self._options.callback(
                        f"compiled {getattr(self._f, '__name__', 'function')}: {program.summary()}"
                    )
            return self._programs[key]

    def _start(
        self, key: Any, leaves: Sequence[Any], kinds: Sequence[Any], structure: trees.Structure
    ) -> None:
        """Compile in a thread of its own; what it raises, the call that next needs the program raises."""
        with self._lock:
            if key in self._under_way:
                failure = self._under_way[key]
                if failure is not None:
                    del self._under_way[key]
                    raise failure
                return
            self._under_way[key] = None

        def make() -> None:
            try:
                self._made(key, leaves, kinds, structure)
            except Exception as failure:
                self._under_way[key] = failure

        threading.Thread(target=make, daemon=True).start()

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """A compiled function in a class is a method; the instance is part of the program."""
        return self if instance is None else MethodType(self, instance)

    def explain(self) -> Explanation:
        """What was compiled for each kind of arguments: steps, kernels, memory, what runs by NumPy."""
        return Explanation(
            getattr(self._f, "__name__", "function"), [p.explain() for p in self._programs.values()]
        )

    def __reduce__(self) -> Any:
        return (_again, (self._f, self._options))


def _again(f: Function, options: Options) -> Compiled:
    return Compiled(f, options)


def _kind(x: Any) -> Any:
    """What a plan depends on: shape and dtype of arrays and floats; of anything else, itself.

    Raises:
        DTypeError: an array of objects, or of a subclass that computes otherwise.
    """
    if isinstance(x, (np.ndarray, np.generic)):
        if x.dtype.kind not in "fiubc":
            raise refusal(DTypeError, f"a compiled function cannot take {describe(x)}", "Pass numbers.")
        if isinstance(x, np.ndarray):
            base_array(x)
        return (x.shape, x.dtype if x.dtype.isnative else x.dtype.newbyteorder("="), False)
    if type(x) is float or type(x) is complex:
        return ((), np.dtype(type(x)), True)
    return Static(x)


def _sort(kind: Any) -> str:
    """What a leaf of this kind is, to `containers.taker`."""
    if type(kind) is not tuple:
        return STATIC
    shape, dtype, weak = kind
    return ARRAY if shape else SCALAR if not weak else FLOAT if dtype.kind == "f" else COMPLEX


def _fitting(x: Any, dtype: np.dtype[Any]) -> np.ndarray:
    """A number or array as kernels read it: a plain, aligned array in C order, of native bytes."""
    return np.require(np.asarray(x), dtype, ["C", "A"])


class Static:
    """An argument that is part of the program: compared by value where that is possible."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Static) or type(self.value) is not type(other.value):
            return False
        return self.value is other.value or bool(self.value == other.value)

    def __hash__(self) -> int:
        try:
            return hash(self.value)
        except TypeError:
            return id(self.value)


def _holders(array: np.ndarray) -> int:
    last: np.ndarray | None = array
    del array
    return getrefcount(last)


_ALONE = _holders(np.empty(0))  # what getrefcount says of an array that one variable holds


class Executable:
    """One program: for one kind of arguments."""

    def __init__(
        self,
        f: Function,
        leaves: Sequence[Any],
        kinds: Sequence[Any],
        structure: trees.Structure,
        donate: Sequence[int] = (),
    ) -> None:
        with without_collections():
            begun = time.perf_counter()
            inputs, results = self._record(f, leaves, kinds, structure)
            traced = time.perf_counter()
            graph = build(self.trace, inputs, [x for x in results if _is_number(x)])
            self.donated = _donations(graph, structure, kinds, donate)
            self.graph = graph
            self.plan = make_plan(graph, self.donated, CUTTING)
            self.code = write_steps(self.plan)
            planned = time.perf_counter()
            self._assemble()
        self.seconds = (traced - begun, planned - traced, time.perf_counter() - planned)
        self._describe(leaves, kinds, structure, results)

    def _record(
        self, f: Function, leaves: Sequence[Any], kinds: Sequence[Any], structure: trees.Structure
    ) -> tuple[list[int], list[Any]]:
        """Trace f; the placeholders' nodes and the leaves of the results."""
        for _ in range(TRIES):
            watch = Randomness(f, leaves)
            found = self._traced(f, leaves, kinds, structure)
            if not watch.by_others():
                break
        watch.check()
        return found

    def _traced(
        self, f: Function, leaves: Sequence[Any], kinds: Sequence[Any], structure: trees.Structure
    ) -> tuple[list[int], list[Any]]:
        self.trace = trace = Trace()
        placeholders: list[Any] = []
        with trace:
            for x, kind, path in zip(leaves, kinds, trees.paths(structure), strict=True):
                array = type(kind) is tuple
                placeholders.append(trace.placeholder(Abstract(*kind), path) if array else x)
            args, kwargs = trees.unflatten(structure, placeholders)
            results, self.structure = trees.flatten(f(*args, **kwargs))
        for x in results:
            if isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind not in "fiubc":
                raise refusal(
                    DTypeError, f"a compiled function cannot return {describe(x)}", "Return numbers."
                )
        inputs = [x.index for x in placeholders if isinstance(x, Recorded) and x.tape is trace]
        return inputs, results

    def _assemble(self) -> None:
        """Compile the kernels and put the steps in a row."""
        graph, code = self.graph, self.code
        steps: list[Step] = []
        patches: list[Patch] = []
        self.calls: list[tuple[int, Library]] = []
        self.natives: list[Native] = []
        self.kernels: dict[str, cache.Kernel] = {}
        count = len(graph.inputs)
        for step in code.steps:
            if isinstance(step, Library):
                self.calls.append((len(steps), step))
                continue
            for at, member in step.members:
                step.block[at] = self._machine_code(member)
            address = self._machine_code(step)
            steps.append(Step(address, step.block, step.chunks, step.parallel, step.status))
            self.natives.append(step)
            for block, cell, (kind, k), skip in step.patches:
                patches.append(Patch(k if kind == "input" else count + k, block, cell, skip))
        outputs = [(x.shape, x.dtype) for x in graph.outputs]
        inputs = [(x.shape, x.dtype) for x in graph.inputs]
        self.program = Program(inputs, outputs, steps, patches)
        self.steps = len(steps)
        # a program that has failed is run again from the start, which arguments that were taken over forbid
        replaced = bool(self.donated) and any(step.reserve for step in self.natives)
        parts = self.calls or code.flags or replaced
        self.run = self._run_in_parts if parts else self.program.run
        for flag, source, complaint in graph.checks:
            if not isinstance(flag, Node) and flag:
                raise self._complaint(source, complaint)

    def _machine_code(self, step: Native) -> int:
        if not step.address:
            kernel = cache.load(step.text)
            step.address, step.name = kernel.address, kernel.name
            self.kernels.setdefault(kernel.name, kernel)
        return step.address

    def _describe(
        self, leaves: Sequence[Any], kinds: Sequence[Any], structure: trees.Structure, results: Sequence[Any]
    ) -> None:
        """The code that takes arguments apart and puts results together."""
        outputs = self.graph.outputs
        self.inputs = [kind for kind in kinds if type(kind) is tuple]
        self._outputs = [(x.shape, x.dtype) for x in outputs]
        donated = {j for _, j in self.donated}
        self._large = [
            j for j, x in enumerate(outputs) if x.size * x.dtype.itemsize >= LARGE and j not in donated
        ]
        apart = {*self._large, *donated}
        self._fresh = [None if j in apart else kind for j, kind in enumerate(self._outputs)]
        self._spare: dict[int, np.ndarray] = {}  # large results of the last call, by position
        sorts = [_sort(kind) for kind in kinds]
        statics = [x for x, sort in zip(leaves, sorts, strict=True) if sort == STATIC]
        self.plain = structure == trees.flatten((tuple(leaves), {}))[1] and set(sorts) <= {ARRAY}
        self.take = taker(structure, sorts, statics)
        constants = [None if _is_number(x) else x for x in results]
        self._make = maker(self.structure, constants)
        self._scalars = [k for k, x in enumerate(outputs) if not x.shape]
        self._single = self.structure == trees.LEAF and len(outputs) == 1

    def buffers(self, arrays: tuple[np.ndarray, ...], fit: bool = False) -> tuple[np.ndarray, ...]:
        """Arrays for the results: new ones, or those that were donated.

        Of arrays that came twice or must not be written, a copy takes their place; but before the arrays
        are known to `fit`, something that `run` refuses.
        A large result of the last call that the caller has dropped is taken again: new pages cost more than
        what is computed into them.
        """
        empty = np.empty
        outs: list[Any] = [empty(*kind) if kind is not None else None for kind in self._fresh]
        for j in self._large:
            last = self._spare.pop(j, None)  # another thread cannot have it too
            if last is None or getrefcount(last) != _ALONE:
                last = empty(*self._outputs[j])
            outs[j] = self._spare[j] = last
        if self.donated:
            alone = len({*map(id, arrays)}) == len(arrays) == len(self.inputs)
            for k, j in self.donated:
                if alone and (not fit or arrays[k].flags.writeable):
                    outs[j] = arrays[k]
                elif fit:
                    outs[j] = arrays[k].copy()  # its values are read there
        return tuple(outs)

    def __call__(self, arrays: tuple[np.ndarray, ...]) -> Any:
        """Run on arrays that fit."""
        outs = self.buffers(arrays, True)
        status = self.run(arrays, outs)
        if status == FAILED:
            with self.program:  # again, because another thread may have run it since
                self.program.prepare(arrays, outs)
                self._advance(0, self.steps, arrays, outs)
            status = DONE
        assert status == DONE, (status, arrays)
        return self.result(outs)

    def _advance(
        self, first: int, last: int, args: tuple[np.ndarray, ...], outs: tuple[np.ndarray, ...]
    ) -> None:
        """Run native steps of the program that is held; what a kernel complains about is raised.

        A kernel that found no answer is replaced by NumPy, which finds one or says why there is none.
        """
        while self.program.run_range(first, last) == FAILED:
            failure = self.program.status
            assert failure is not None
            step = self.natives[failure.step]
            if step.reserve is None:
                assert step.complaint is not None
                kind, text = step.complaint
                raise self._complaint(step.group.nodes[0].source, text, kind)
            self._call_library(step.reserve, args, outs)
            self.program.forgive()
            first = failure.step + 1

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
                    self._advance(at, before, args, outs)
                    at = before
                self._call_library(step, args, outs)
            if self.steps > at:
                self._advance(at, self.steps, args, outs)
            for flag, source, complaint in self.code.flags:
                if flag.any():
                    raise self._complaint(source, complaint)
        return DONE

    def _call_library(
        self, step: Library, args: tuple[np.ndarray, ...], outs: tuple[np.ndarray, ...]
    ) -> None:
        try:
            step.run(args, outs)
        except AdjointError:
            raise
        except (ValueError, TypeError, IndexError) as error:
            if step.node.op is None or step.node.op.foreign or step.node.source < 0:
                raise
            operands = (
                step.operands(args, outs) if self.trace.operations[step.node.source] is step.node.op else None
            )
            raise self.trace.failure_at(step.node.source, error, "", operands) from error

    def result(self, outs: tuple[np.ndarray, ...]) -> Any:
        """The results in the containers of the function; 0-d ones are scalars, as NumPy's are."""
        if self._single:
            return outs[0][()] if self._scalars else outs[0]
        if self._scalars:
            values: Any = list(outs)
            for k in self._scalars:
                values[k] = values[k][()]
            return self._make(values)
        return self._make(outs)

    def _complaint(
        self, source: int, complaint: str, kind: type[AdjointError] = IndexingError
    ) -> AdjointError:
        return kind(format_error(complaint, origin=self.trace.origin(source), scope=self.trace.scope(source)))

    def summary(self) -> str:
        """One line."""
        compiled = sum(k.compiled for k in self.kernels.values())
        count = len(self.kernels)
        return (
            f"{len(self.trace)} recorded nodes in {self.steps + len(self.calls)} steps, {count} kernels "
            f"({compiled} compiled now, {count - compiled} from the cache), {sum(self.seconds):.2f} s"
        )

    def explain(self) -> Report:
        """What runs, and where it is kept."""
        return report_of(self)


def _donations(
    graph: Graph, structure: trees.Structure, kinds: Sequence[Any], donate: Sequence[int]
) -> list[tuple[int, int]]:
    """(input, output) pairs that share an array: donated leaves, in order, and outputs of their kind."""
    if not donate:
        return []
    args = structure.children[0]
    count = len(args.children)
    outside = [k for k in donate if not -count <= k < count]
    if outside:
        raise refusal(
            TreeError, f"donate={tuple(donate)!r}, but the function was called with {count} arguments"
        )
    chosen = {k % count for k in donate}
    pairs, taken, leaf, number = [], set(), 0, 0
    for position, child in enumerate(args.children):
        for _ in trees.paths(child):
            if type(kinds[leaf]) is tuple:
                if position in chosen:
                    fits = (
                        j for j, x in enumerate(graph.outputs)
                        if j not in taken and (x.shape, x.dtype) == kinds[leaf][:2] and x.shape
                        and is_native(x)
                    )  # fmt: skip
                    j = next(fits, None)
                    if j is not None:
                        taken.add(j)
                        pairs.append((number, j))
                number += 1
            leaf += 1
    return pairs


def _is_number(x: Any) -> bool:
    return isinstance(x, (Recorded, np.ndarray, np.generic, float, complex))
