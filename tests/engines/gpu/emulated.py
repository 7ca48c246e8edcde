"""A plan for the GPU, run group by group: kernels of regions on the emulator, all else by NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adjoint.engines.building import build
from adjoint.engines.gpu.emit import NAME, emit
from adjoint.engines.gpu.geometry import CUTTING, Form, form_of, index, launch_of
from adjoint.engines.gpu.kernel import Place, Scratch, Table
from adjoint.engines.gpu.modules import prelude
from adjoint.engines.gpu.scalars import scalar_launches
from adjoint.engines.graph import Node
from adjoint.engines.memory import settled
from adjoint.engines.plan import Plan, make_plan
from adjoint.engines.regions import Assembly, Region, Scalars
from adjoint.engines.spec import block_layout
from adjoint.engines.views import view_of
from adjoint.ops.abstract import Abstract
from adjoint.ops.elementwise import positive
from adjoint.ops.primitive import NO_PARAMS
from adjoint.tape.trace import Trace

from ...cuda_emulator import harness


def planned(f: Callable[..., Any], args: Sequence[Any], donated: Any = (), chunk: int = 0) -> Plan:
    """The plan of f(*args); f returns one array or a tuple of them; in chunks of so many elements."""
    cutting = CUTTING._replace(chunk=chunk) if chunk else CUTTING
    trace = Trace()
    with trace:
        inputs = [trace.placeholder(_abstract(x), str(k)) for k, x in enumerate(args)]
        results = f(*inputs)
    outputs = list(results) if isinstance(results, (tuple, list)) else [results]
    return make_plan(build(trace, [x.index for x in inputs], outputs), donated, cutting)


def _abstract(x: Any) -> Abstract:
    weak = type(x) is float
    return Abstract(np.shape(x), np.asarray(x).dtype, weak)


def regions_of(plan: Plan) -> list[Region]:
    return [group for group in plan.groups if isinstance(group, Region)]


def source_of(plan: Plan, region: Region, form: Form | None = None) -> str:
    shaped = plan.pieces[region].shaped
    return prelude() + emit(shaped.spec, form or form_of(shaped))


class Machine:
    """The memory of one run: every buffer by itself, so that the checker knows its bounds."""

    def __init__(
        self,
        plan: Plan,
        args: Sequence[Any],
        order: int = 0,
        checked: bool = True,
        widened: bool = False,
        scalars: bool = False,
        skew: int = 0,
    ) -> None:
        self.scalars = scalars  # whether stretches of scalars run by their kernels, too
        self.skew = skew  # elements that every buffer begins beyond an aligned address
        self.plan, self.order, self.checked, self.widened = plan, order, checked, widened
        self.forms: list[Form] = []  # of the kernels that have run
        self.buffers: dict[Node, np.ndarray] = {}
        for node, x in zip(plan.graph.inputs, args, strict=True):
            self.buffers[node] = self.placed(np.asarray(x).ravel())

    def placed(self, x: np.ndarray) -> np.ndarray:
        """A copy where buffers begin."""
        z = np.empty(x.size + self.skew, x.dtype)[self.skew :]
        z[...] = x
        return z

    def buffer(self, node: Node) -> np.ndarray:
        """The elements of a root, unset at first."""
        if node.share is not None:
            return self.buffer(node.share)
        if node not in self.buffers:
            if node.constant is not None:
                self.buffers[node] = self.placed(np.asarray(node.constant).ravel())
            else:
                self.buffers[node] = self.placed(np.empty(node.size, node.dtype))
                self.buffers[node].view(np.uint8)[...] = 0xEB
        return self.buffers[node]

    def array(self, x: Any) -> Any:
        """The value of an operand."""
        if not isinstance(x, Node):
            return x
        v = view_of(x)
        root, offset = settled(v.root, v.offset)
        strides = [s * x.dtype.itemsize for s in v.strides]
        return np.ndarray(v.shape, x.dtype, self.buffer(root), offset * x.dtype.itemsize, strides)

    def run(self) -> list[np.ndarray]:
        """The program's results."""
        for group in self.plan.groups:
            if isinstance(group, Region):
                self.launch(group)
            elif isinstance(group, Scalars) and self.scalars:
                self.run_scalars(group)
            elif not isinstance(group, Assembly):
                for node in group.nodes:
                    self.evaluate(node)
        return [np.array(self.array(node)) for node in self.plan.graph.outputs]

    def evaluate(self, node: Node) -> None:
        assert node.op is not None
        with np.errstate(all="ignore"):
            if node.op is positive:  # (NumPy has none of truth values; and it may have been a broadcast)
                z = self.array(node.args[0])
            else:
                z = node.op.value(*map(self.array, node.args), **(node.params or NO_PARAMS))
        root, offset = (node, 0) if node.target is None else settled(node, 0)
        np.ndarray(node.shape, node.dtype, self.buffer(root), offset * node.dtype.itemsize)[...] = z

    def launch(self, region: Region) -> None:
        """One kernel."""
        cut = self.plan.pieces[region]
        form = form_of(cut.shaped)
        if self.widened:
            form = replace(form, wide=True)
        self.forms.append(form)
        grid, block, shared = launch_of(cut, form)
        arguments = []
        values = cut.arguments()
        for value in map(values.__getitem__, block_layout(cut.shaped.spec)):
            if isinstance(value, int):
                arguments.append(index(value, form))
            else:
                root, offset = settled(*value)
                arguments.append(self.buffer(root)[offset:])
        module = harness.Module(source_of(self.plan, region, form), self.checked)
        module.run(NAME, grid, block, *arguments, shared=shared, order=self.order)

    def run_scalars(self, group: Scalars) -> None:
        rooms: dict[Scratch, np.ndarray] = {}
        for launch in scalar_launches(group, self.plan.stored):
            arguments: list[Any] = []
            for a in launch.arguments:
                if isinstance(a, Place):
                    root, offset = settled(*a)
                    arguments.append(self.buffer(root)[offset:])
                elif isinstance(a, Scratch):
                    arguments.append(rooms.setdefault(a, np.full(a.bytes, 0xEB, np.uint8)))
                else:
                    arguments.append(a.values if isinstance(a, Table) else a)
            module = harness.Module(prelude() + launch.source, self.checked)
            module.run(launch.name, launch.grid, launch.block, *arguments, order=self.order)


def emulate(f: Callable[..., Any], *args: Any, checked: bool = True) -> list[np.ndarray]:
    """The results of f(*args) by emulated kernels."""
    plan = planned(f, args)
    harness.prepare([source_of(plan, region) for region in regions_of(plan)], checked)
    return Machine(plan, args, checked=checked).run()
