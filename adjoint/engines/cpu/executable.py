"""A program as native steps: run by one call, or in parts where NumPy has a part in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from ...errors import DTypeError, describe, refusal
from ...ops.device import adopted, on_device
from ...tape.entries import base_array
from ..containers import ARRAY, SCALAR, Kind, kind_of_number
from ..executable import Executable
from ..explain import Line, kind_of_group, names_of, space_of
from ..graph import Node, foreign_kinds
from . import cache
from .driver import DONE, FAILED, Patch, Program, Step
from .steps import CUTTING, Library, Native, write_steps

ELSEWHERE = 'Copy it with .get(), or compile for the device: engine="cupy".'
LARGE = 1 << 20  # bytes of a result whose memory is worth keeping for the next call


def _holders(array: np.ndarray) -> int:
    last: np.ndarray | None = array
    del array
    return getrefcount(last)


_ALONE = _holders(np.empty(0))  # what getrefcount says of an array that one variable holds


class CPU(Executable):
    """One program of the CPU engine."""

    cutting = CUTTING

    @staticmethod
    def kind_of(x: Any, label: str = "") -> Any:
        """The kind of an argument; `label` is its name in errors.

        Raises:
            DTypeError: an array of objects, of a subclass that computes otherwise, or of a device.
        """
        if isinstance(x, (np.ndarray, np.generic)):
            if x.dtype.kind not in "fiubc":
                raise refusal(
                    DTypeError, f"a compiled function cannot take {describe(x, label)}", "Pass numbers."
                )
            if isinstance(x, np.ndarray):
                base_array(x)
            dtype = x.dtype if x.dtype.isnative else x.dtype.newbyteorder("=")
            return Kind(x.shape, dtype, False, ARRAY if x.shape else SCALAR)
        if on_device(adopted(x)):
            what = f"a function compiled for the CPU takes arrays of the host, not {describe(x, label)}"
            raise refusal(DTypeError, f"{what} of the device", ELSEWHERE)
        return kind_of_number(x)

    @staticmethod
    def fitted(x: Any, kind: Kind) -> np.ndarray:
        """A number or array as kernels read it: a plain, aligned array in C order, of native bytes."""
        return np.require(np.asarray(x), kind.dtype, ["C", "A"])

    def write(self) -> None:
        """Write the steps of the plan.

        Raises:
            DTypeError: the function takes an array of a device from its surroundings.
        """
        if "cupy" in sys.modules:
            for source, constants in enumerate(self.trace.constants):
                for x in filter(on_device, constants or ()):
                    what = f"a function compiled for the CPU uses an array of the device, {describe(x)}"
                    raise self.complaint(source, f"{what}\n  {ELSEWHERE}", DTypeError)
        self.code = write_steps(self.plan)

    def assemble(self) -> None:
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
                raise self.complaint(source, complaint)
        self._results()

    def _machine_code(self, step: Native) -> int:
        if not step.address:
            kernel = cache.load(step.text)
            step.address, step.name = kernel.address, kernel.name
            self.kernels.setdefault(kernel.name, kernel)
        return step.address

    def _results(self) -> None:
        """Which results get new arrays, which keep theirs, which are numbers."""
        outputs = self.graph.outputs
        self._outputs = [(x.shape, x.dtype) for x in outputs]
        donated = {j for _, j in self.donated}
        self._large = [
            j for j, x in enumerate(outputs) if x.size * x.dtype.itemsize >= LARGE and j not in donated
        ]
        apart = {*self._large, *donated}
        self._fresh = [None if j in apart else kind for j, kind in enumerate(self._outputs)]
        self._spare: dict[int, np.ndarray] = {}  # large results of the last call, by position
        self._scalars = [k for k, x in enumerate(outputs) if not x.shape]

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
                raise self.complaint(step.group.nodes[0].source, text, kind)
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
                    raise self.complaint(source, complaint)
        return DONE

    def _call_library(
        self, step: Library, args: tuple[np.ndarray, ...], outs: tuple[np.ndarray, ...]
    ) -> None:
        self.by_value(step.node, step.run, step.operands, args, outs)

    def result(self, outs: tuple[np.ndarray, ...]) -> Any:
        """The results in the containers of the function; 0-d ones are scalars, as NumPy's are."""
        if self.single:
            return outs[0][()] if self._scalars else outs[0]
        if self._scalars:
            values: Any = list(outs)
            for k in self._scalars:
                values[k] = values[k][()]
            return self.make(values)
        return self.make(outs)

    @property
    def between(self) -> int:
        """Bytes of memory for values between steps."""
        return self.code.bytes

    def lines(self) -> Iterator[tuple[Line, Sequence[Node], str]]:
        """Every step in order: in words, the nodes it computes, and why it has no kernel (or "")."""
        seen: set[str] = set()
        for step in self.code.steps:
            nodes = step.group.nodes
            operations = names_of(nodes)
            if isinstance(step, Library):
                foreign = foreign_kinds(step.node)
                reason = f"kernels hold no {foreign[0]}" if foreign else "it has no native step"
                yield Line("numpy", step.node.shape, operations, 1, 1, "", False, 0.0), [step.node], reason
                continue
            kernel = self.kernels.get(step.name)
            fresh = kernel if step.name not in seen else None
            seen.add(step.name)
            yield (
                Line(
                    kind_of_group(step.group), space_of(step.group), operations, len(nodes), step.chunks,
                    step.name, bool(fresh and fresh.compiled), 1e3 * fresh.seconds if fresh else 0.0,
                ),
                nodes,
                "",
            )  # fmt: skip

    def summary(self) -> str:
        """One line."""
        compiled = sum(k.compiled for k in self.kernels.values())
        count = len(self.kernels)
        return (
            f"{len(self.trace)} recorded nodes in {self.steps + len(self.calls)} steps, {count} kernels "
            f"({compiled} compiled now, {count - compiled} from the cache), {sum(self.seconds):.2f} s"
        )
