"""Launches and calls with their operands: pointers into the program's memory, and those of each call.

What does not change from call to call is prepared once; a replay replaces the pointers to the arguments and
results in lists that are otherwise ready.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..graph import Node
from ..plan import Plan
from ..views import contiguous, view_of
from .kernel import Argument, Call, Launch, Place, Scratch, Status, Table
from .modules import Function
from .steps import Memory

Arrays = Sequence[Any]


@dataclass(frozen=True)
class Patch:
    """An argument that is a pointer into an array of the call: number `array` of the arguments or results."""

    at: int
    is_result: bool
    array: int
    skip: int  # bytes


@dataclass(frozen=True)
class BoundLaunch:
    """A kernel with its arguments."""

    function: Function
    launch: Launch
    arguments: list[Any]
    patches: list[Patch]
    captured = True

    def __call__(self, args: Arrays, outs: Arrays) -> None:
        """Put it on the current stream."""
        arguments = self.arguments
        if self.patches:
            arguments = arguments.copy()
            for p in self.patches:
                pointer = (outs if p.is_result else args)[p.array].data
                arguments[p.at] = pointer + p.skip if p.skip else pointer
        self.function.launch(
            self.launch.grid, self.launch.block, tuple(arguments), shared_mem=self.launch.shared
        )


@dataclass(frozen=True)
class BoundFill:
    """Memory that is to hold zeros."""

    pointer: Any
    size: int
    captured = True

    def __call__(self, args: Arrays, outs: Arrays) -> None:
        """Put it on the current stream."""
        self.pointer.memset_async(0, self.size)


@dataclass(frozen=True)
class BoundCall:
    """A function of cupy with its operands.

    Attributes:
        operands: how to get each from the call's arrays.
        out: likewise the array for the result; None when the result is an object.
        objects: where results that are objects are kept during a call.
    """

    cupy: Any
    call: Call
    operands: list[Callable[[Arrays, Arrays], Any]]
    out: Callable[[Arrays, Arrays], Any] | None
    objects: dict[Node, Any]

    @property
    def captured(self) -> bool:
        """Whether a stream that records may take it."""
        return self.call.captured

    def __call__(self, args: Arrays, outs: Arrays) -> None:
        """Run it; what it launches goes on the current stream."""
        out = self.out(args, outs) if self.out is not None else None
        z = self.call.function(self.cupy, *self.values(args, outs), out=out)
        if out is None:
            self.objects[self.call.node] = z

    def values(self, args: Arrays, outs: Arrays) -> list[Any]:
        """The operands."""
        return [a(args, outs) for a in self.operands]


Bound = BoundLaunch | BoundFill | BoundCall


class Binder:
    """Binds the works of one program.

    Args:
        cupy: the module.
        plan: whose nodes they name.
        memory: where everything lies.
        base: pointer to the program's block of memory.
        numbers: inputs that come as numbers of the host.
    """

    def __init__(self, cupy: Any, plan: Plan, memory: Memory, base: Any, numbers: Sequence[int]) -> None:
        self.cupy, self.memory, self.base, self.numbers = cupy, memory, base, frozenset(numbers)
        self.inputs = {node: k for k, node in enumerate(plan.graph.inputs)}
        self.outputs = {node: k for k, node in enumerate(plan.graph.outputs)}
        self.objects: dict[Node, Any] = {}

    def launch(self, launch: Launch, function: Function, key: tuple[int, int]) -> BoundLaunch:
        """A launch, the second number of `key` among those of the step that is the first."""
        arguments: list[Any] = []
        patches: list[Patch] = []
        for at, a in enumerate(launch.arguments):
            if isinstance(a, Place):
                self._place(a, at, arguments, patches)
            else:
                arguments.append(self._known(a, key))
        return BoundLaunch(function, launch, arguments, patches)

    def _known(self, a: Argument, key: tuple[int, int]) -> Any:
        memory = self.memory
        if isinstance(a, Table):
            return self.base + memory.of_table(a)
        if isinstance(a, Scratch):
            return self.base + memory.scratch[id(a)]
        return self.base + memory.statuses[key] if isinstance(a, Status) else a

    def _place(self, a: Place, at: int, arguments: list[Any], patches: list[Patch]) -> None:
        root, skip = self.memory.of_node(a.node, a.offset)
        fixed = self._fixed(root)
        if fixed is not None:
            arguments.append(self.base + (fixed + skip))
            return
        arguments.append(None)
        result = root in self.outputs
        patches.append(Patch(at, result, (self.outputs if result else self.inputs)[root], skip))

    def _fixed(self, root: Node) -> int | None:
        """The place of a buffer in the program's memory; None when it is an array of the call."""
        if root in self.outputs:
            return None
        if root in self.inputs:
            return self.memory.numbers.get(self.inputs[root])
        if root.constant is not None:
            return self.memory.of_table(root)
        return self.memory.values.get(root, 0)  # without elements it has no place, and is not read

    def fill(self, place: int, size: int) -> BoundFill:
        """Zeros at a place of the memory."""
        return BoundFill(self.base + place, size)

    def call(self, call: Call) -> BoundCall:
        """A call of cupy."""
        node = call.node
        out = None if node.dtype.hasobject else self.array(node)
        operands = [
            self._copied(a, call.copies[k]) if k in call.copies else self._operand(a)
            for k, a in enumerate(node.args)
        ]
        return BoundCall(self.cupy, call, operands, out, self.objects)

    def _copied(self, x: Node, memory: Scratch) -> Callable[[Arrays, Arrays], Any]:
        """The copy of an operand in temporary memory."""
        array = self.cupy.ndarray(x.shape, x.dtype, self.base + self.memory.scratch[id(memory)])
        return lambda args, outs: array

    def _operand(self, x: Any) -> Callable[[Arrays, Arrays], Any]:
        if isinstance(x, Node) and x.weak and x in self.inputs:  # beside arrays a Python number stays one
            k = self.inputs[x]
            return lambda args, outs: args[k].item()
        return self.array(x)

    def array(self, x: Any) -> Callable[[Arrays, Arrays], Any]:
        """How to get an operand, a view of a buffer, when the program runs."""
        if not isinstance(x, Node):
            return lambda args, outs: x
        cupy = self.cupy
        if not x.size:  # nothing is read, and what it is a view of may not be computed
            nothing = cupy.empty(x.shape, x.dtype)
            return lambda args, outs: nothing
        v = view_of(x)
        if v.root.dtype.hasobject:
            objects, root = self.objects, v.root
            return lambda args, outs: objects[root]
        strides = [s * x.dtype.itemsize for s in v.strides]
        root, skip = self.memory.of_node(v.root, v.offset)
        fixed = self._fixed(root)
        if fixed is not None:
            array = cupy.ndarray(v.shape, x.dtype, self.base + (fixed + skip), strides)
            return lambda args, outs: array
        result = root in self.outputs
        k = (self.outputs if result else self.inputs)[root]
        if not skip and v.shape == root.shape and v.strides == contiguous(root.shape):
            return lambda args, outs: (outs if result else args)[k]
        return lambda args, outs: cupy.ndarray(
            v.shape, x.dtype, (outs if result else args)[k].data + skip, strides
        )

    def words(self) -> Any:
        """The status words as an array."""
        place, size = self.memory.words
        return self.cupy.ndarray((size // 4,), np.int32, self.base + place)
