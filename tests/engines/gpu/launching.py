"""Launches of single steps on the CUDA emulator, with every access checked, in three orders of threads."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from adjoint.engines.gpu.kernel import Launch, Place, Scratch, Status, Table
from adjoint.engines.gpu.modules import functions_of, prelude
from adjoint.engines.graph import Graph, Node
from adjoint.ops.abstract import Abstract
from adjoint.ops.primitive import Primitive

from ...cuda_emulator import harness, nvrtc

needs_emulator = pytest.mark.skipif(harness.missing() is not None, reason=str(harness.missing()))
needs_nvrtc = pytest.mark.skipif(nvrtc.missing() is not None, reason=str(nvrtc.missing()))
GARBAGE = 0xA5  # what memory holds that nobody has written


class Step(NamedTuple):
    """A node, what its inputs hold, and what it must become."""

    node: Node
    inputs: dict[Node, np.ndarray]
    want: np.ndarray


def inputs(*arrays: Any) -> tuple[Graph, dict[Node, np.ndarray]]:
    """A graph of so many inputs, and what they hold."""
    held = [np.ascontiguousarray(a) if np.ndim(a) else np.asarray(a) for a in arrays]
    graph = Graph([Abstract(a.shape, a.dtype) for a in held])
    return graph, dict(zip(graph.inputs, held, strict=True))


def node_of(graph: Graph, op: Primitive, *args: Any, **params: Any) -> Node:
    """The very node, without the graph's rewrites."""
    kinds = [a.kind if isinstance(a, Node) else a for a in args]
    return graph.node(op, args, params, op.abstract(*kinds, **params))


def source_of(launch: Launch) -> str:
    """As it is compiled."""
    return prelude() + launch.source


class Device:
    """Buffers of nodes, and of the temporary memory of one step.

    Attributes:
        failed: whether a kernel has reported a failure.
    """

    def __init__(self, launches: Sequence[Launch], buffers: Mapping[Node, np.ndarray]) -> None:
        self.launches, self.buffers = launches, buffers
        self._status = np.zeros(1, np.int32)
        arguments = [a for launch in launches for a in launch.arguments]
        self._scratch = {
            a: np.full(max(a.bytes, 1), 0 if a.zeroed else GARBAGE, np.uint8)
            for a in arguments if isinstance(a, Scratch)
        }  # fmt: skip
        tables = [a.values for a in arguments if isinstance(a, Table)]
        memory = [*buffers.values(), *self._scratch.values(), *tables, self._status]
        addresses = [(m.ctypes.data, m.ctypes.data + m.nbytes) for m in memory if m.nbytes]
        self._regions = sorted(set(addresses))

    @property
    def failed(self) -> bool:
        return bool(self._status[0])

    def _value(self, argument: Any) -> Any:
        if isinstance(argument, Place):
            skip = argument.offset * argument.node.dtype.itemsize
            return ctypes.c_void_p(self.buffers[argument.node].ctypes.data + skip)
        if isinstance(argument, Scratch):
            return ctypes.c_void_p(self._scratch[argument].ctypes.data)
        if isinstance(argument, Table):
            return ctypes.c_void_p(argument.values.ctypes.data)
        if isinstance(argument, Status):
            return ctypes.c_void_p(self._status.ctypes.data)
        return harness.pack(argument)[0]

    def run(self, order: int) -> None:
        """Everything, in order."""
        for launch in self.launches:
            values = [self._value(a) for a in launch.arguments]
            kernel = harness.Module(source_of(launch)).kernels[launch.name]
            kernel.launch(launch.grid, launch.block, values, launch.shared, order, self._regions)


def result_of(
    node: Node, held: Mapping[Node, np.ndarray], launches: Sequence[Launch], order: int = 0
) -> tuple[np.ndarray, bool]:
    """What the launches write, over garbage, and whether they report a failure."""
    z = np.full(node.size * node.dtype.itemsize, GARBAGE, np.uint8).view(node.dtype).reshape(node.shape)
    device = Device(launches, {**held, node: z})
    device.run(order)
    return z, device.failed


def prepare(plans: Iterable[Sequence[Launch]]) -> None:
    """Compile many at once, which is quicker than one by one."""
    harness.prepare({source_of(launch) for plan in plans for launch in plan})


def result_by_cupy(cupy: Any, step: Step, launches: Sequence[Launch]) -> tuple[np.ndarray, bool]:
    """The same through a module cupy: on a card, or on the emulator behind the stand-in."""
    node, size = step.node, step.node.dtype.itemsize
    buffers = {root: cupy.asarray(x) for root, x in step.inputs.items()}
    buffers[node] = cupy.full(max(node.size * size, 1), GARBAGE, np.uint8)
    status = cupy.zeros(1, np.int32)
    rooms: dict[Any, Any] = {}

    def pointer(a: Any) -> Any:
        if isinstance(a, Place):
            return buffers[a.node].data + a.offset * a.node.dtype.itemsize
        if isinstance(a, Scratch) and a not in rooms:
            rooms[a] = cupy.full(max(a.bytes, 1), 0 if a.zeroed else GARBAGE, np.uint8)
        if isinstance(a, Table) and a not in rooms:
            rooms[a] = cupy.asarray(a.values)
        return status.data if isinstance(a, Status) else rooms[a].data if a in rooms else a

    functions, _ = functions_of(cupy).load([(launch.source, launch.name) for launch in launches])
    for launch, function in zip(launches, functions, strict=True):
        arguments = tuple(pointer(a) if not isinstance(a, np.generic) else a for a in launch.arguments)
        function.launch(launch.grid, launch.block, arguments, shared_mem=launch.shared)
    z = cupy.asnumpy(buffers[node])[: node.size * size].view(node.dtype).reshape(node.shape)
    return z, bool(cupy.asnumpy(status)[0])
