"""A plan as native steps: kernels' texts, blocks of arguments, and one arena that the steps share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import AdjointError
from ...ops.primitive import NO_PARAMS
from ..chains import Chain, is_sum_over_rows
from ..chunks import Cutting
from ..graph import Node
from ..memory import Arena, allocate, settled
from ..plan import Plan
from ..regions import Assembly, Group, Product, Region, Scalars
from ..spec import Shaped, block_layout
from ..special import special_kernel
from ..views import View, contiguous, joined, spread_over, view_of
from . import chain as ch
from .emit import emit
from .interpreter import Constant, assemble, kind_number
from .narrow import NARROW, block_height
from .wide import SCRATCH

CHUNK = 16384  # points that one chunk of a kernel takes: fixed, so that sums do not depend on threads
ALIGNMENT = 64
PARALLEL = 32768  # points from which threads pay


def _overflows(s: Shaped) -> bool:
    return s.columns > SCRATCH and s.spec.mode == "wide"


CUTTING = Cutting(
    CHUNK, column_chunks=32, narrow=NARROW, height=block_height, overflows=_overflows, chains=True
)


Look = Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], Any]  # of inputs and outputs, an operand


@dataclass
class Native:
    """One native step: a kernel, its arguments, and where pointers to inputs and outputs go."""

    group: Group
    text: str  # the kernel's source; empty when `address` is known
    block: np.ndarray
    chunks: int
    parallel: bool
    # block, cell, (kind, number), bytes
    patches: list[tuple[np.ndarray, int, tuple[str, int], int]] = field(default_factory=list)
    moves: list[tuple[int, int, int]] = field(
        default_factory=list
    )  # in a chain: cell, bytes per lane and block
    address: int = 0
    name: str = ""
    members: list[tuple[int, Native]] = field(default_factory=list)  # of a chain: place in its block, step
    status: int | None = None  # cell of the block through which it reports a failure
    complaint: tuple[type[AdjointError], str] | None = None
    reserve: Library | None = None  # runs when the kernel fails, in place of a complaint


@dataclass
class Library:
    """One step that runs a primitive by its NumPy reading; `operands` are what it runs on."""

    group: Group
    node: Node
    run: Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], None]
    operands: Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], list[Any]]


@dataclass
class Steps:
    """Everything that a replay needs except machine code."""

    steps: list[Native | Library]
    arena: np.ndarray
    bytes: int
    keep: list[Any]
    flags: list[tuple[np.ndarray, int, str]]  # a count that must be 0, node of the trace, complaint


def write_steps(plan: Plan) -> Steps:
    """Give every stored value its place and write the steps."""
    return _Layout(plan).run()


class _Layout:
    """Gives every stored value its place and writes the steps."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        graph = plan.graph
        self.inputs = {node: k for k, node in enumerate(graph.inputs)}
        self.outputs = {node: k for k, node in enumerate(graph.outputs)}
        self.keep: list[Any] = []
        self.chain: Chain | None = None  # the one being written
        self.adds_up = False  # whether its member being written adds up over rows
        self.objects: dict[Node, Any] = {}  # results of primitives that have several, at run time

        arena = Arena(ALIGNMENT)
        self.offsets = allocate(plan, arena)
        self.bytes = arena.top
        self.arena = np.empty(arena.top + ALIGNMENT, np.uint8)
        self.base = -(-self.arena.ctypes.data // ALIGNMENT) * ALIGNMENT

    def run(self) -> Steps:
        """The steps in order."""
        steps: list[Native | Library] = []
        for group in self.plan.groups:
            if isinstance(group, Region):
                steps.append(self._region(group))
            elif isinstance(group, Scalars):
                steps.append(self._scalars(group))
            elif isinstance(group, Product):
                steps += self._product(group)
            elif isinstance(group, Chain):
                steps.append(self._chain(group))
            elif not isinstance(group, Assembly):
                steps.append(self._special(group) or self._library(group.nodes[0]))
        flags = [
            (self._array(flag)([], []), source, text)
            for flag, source, text in self.plan.graph.checks
            if isinstance(flag, Node)
        ]
        return Steps(steps, self.arena, self.bytes, self.keep, flags)

    def _address(self, node: Node, offset: int, cell: int, step: Native) -> int:
        """The address of an element of a buffer; 0, and a patch, when it is known only at the call."""
        node, offset = settled(node, offset)
        skip = offset * node.dtype.itemsize
        if self.chain is not None:
            self._move(node, cell, step)
        if node in self.inputs:
            step.patches.append((step.block, cell, ("input", self.inputs[node]), skip))
            return 0
        if node in self.outputs:
            step.patches.append((step.block, cell, ("output", self.outputs[node]), skip))
            return 0
        if node.constant is not None:
            self.keep.append(node.constant)
            return node.constant.ctypes.data + skip
        return self.base + self.offsets[node] + skip if node in self.offsets else self.base

    def _move(self, node: Node, cell: int, step: Native) -> None:
        """How an address moves with lanes and blocks of the chain that is being written."""
        chain = self.chain
        assert chain is not None
        height = node.size // chain.rows * node.dtype.itemsize * chain.height  # bytes of a block
        if node in chain.local:
            # kernels count rows from the first of all, sums over rows from the first of the block
            step.moves.append((cell, height, 0 if self.adds_up else -height))

    # ---------------------------------------------------------------- chains
    def _chain(self, chain: Chain) -> Native:
        """Every member's arguments, and how they move; all under one kernel."""
        self.chain = chain
        members: list[tuple[Native, bool]] = []
        for member in chain.members:
            self.adds_up = isinstance(member, Product) and is_sum_over_rows(member.nodes[0], chain.rows)
            step = self._member_product(member) if isinstance(member, Product) else self._region(member)  # type: ignore[arg-type]
            members.append((step, self.adds_up))
        self.chain, self.adds_up = None, False
        block = np.zeros(ch.HEADER + ch.MEMBER * len(members), np.int64)
        block[: ch.HEADER] = len(members), chain.blocks, chain.lanes, chain.rows, chain.height
        whole = Native(chain, ch.TEXT, block, chain.lanes, chain.lanes > 1, name="chain")
        for k, (step, adds_up) in enumerate(members):
            copies = np.zeros((chain.lanes, len(step.block)), np.int64)
            moves = np.array(step.moves or [(0, 0, 0)], np.int64)
            self.keep += [step.block, copies, moves]
            at = ch.HEADER + ch.MEMBER * k
            addresses = [x.ctypes.data for x in (step.block, copies, moves)]
            block[at : at + ch.MEMBER] = (
                0, addresses[0], addresses[1], len(step.block), addresses[2], len(step.moves), step.chunks,
                adds_up,
            )  # fmt: skip
            whole.patches += step.patches
            whole.members.append((at, step))
        return whole

    def _member_product(self, product: Product) -> Native:
        """A product of a chain: by blocks of rows, or adding up over them."""
        from .gemm import A, B, C, plan_gemm

        chain = self.chain
        assert chain is not None
        (node,) = product.nodes
        x, y = (view_of(a) for a in node.args)
        m, n, k = node.shape[-2], node.shape[-1], x.shape[-1]
        adds = self.adds_up
        planned = plan_gemm(
            node.dtype, m, n, chain.height if adds else k,
            a_strides=_pair(x), b_strides=_pair(y), ldc=n, rows=None if adds else chain.height,
        )  # fmt: skip
        block = planned.block()
        step = Native(product, "", block, planned.chunks, False, address=planned.address, name="gemm")
        size = node.dtype.itemsize
        for cell, v, stride in ((A, x, x.strides[1]), (B, y, y.strides[0])):
            block[cell] = self._address(v.root, v.offset, cell, step)
            if adds and v.root not in chain.local:
                step.moves.append((cell, 0, chain.height * stride * size))
        block[C] = self._address(node, 0, C, step)
        if adds and chain.lanes > 1:
            step.moves.append((C, m * n * size, 0))
        return step

    # ---------------------------------------------------------------- kernels
    def _region(self, region: Region) -> Native:
        cut = self.plan.pieces[region]
        s, chunks = cut.shaped, cut.chunks
        cells = block_layout(s.spec)
        block = np.zeros(len(cells), np.int64)
        step = Native(region, emit(s.spec), block, chunks, chunks > 1 and s.size >= PARALLEL)
        for name, value in cut.arguments().items():
            at = cells[name]
            block[at] = value if isinstance(value, int) else self._address(*value, at, step)
        return step

    def _scalars(self, group: Scalars) -> Native:
        """A stretch of scalars as a program of the interpreter."""
        loads: dict[tuple[Node, int], int] = {}
        others: dict[Node, Any] = {}  # operands that lie elsewhere, or are views: a load, or a node
        for node in group.nodes:
            for a in node.args:
                if type(a) is Node and a.group is not group and a not in others:
                    v = view_of(a)
                    inside = v.root.group is group
                    others[a] = v.root if inside else loads.setdefault((v.root, v.offset), len(loads))
        numbers: dict[Node, int] = {node: k for k, node in enumerate(group.nodes, start=len(loads))}
        numbers.update({a: numbers[k] if isinstance(k, Node) else k for a, k in others.items()})
        instructions = (
            (n.op, kind_number(n.kind), [numbers[a] if type(a) is Node else Constant(a) for a in n.args])
            for n in group.nodes
        )
        written = [
            (node, node.target) for node in group.nodes if node.target is not None or node in self.plan.stored
        ]
        planned = assemble(
            instructions,  # type: ignore[arg-type]
            [float if root.weak else root.dtype for root, _ in loads],
            [(numbers[node], node.dtype) for node, _ in written],
        )
        self.keep += planned.keep
        step = Native(group, planned.text, planned.block, 1, False, name="scalars")
        for (root, offset), cell in zip(loads, planned.load_cells, strict=True):
            planned.block[cell] = self._address(root, offset, cell, step)
        for (node, target), cell in zip(written, planned.store_cells, strict=True):
            root, offset = (target.root, target.offset) if target is not None else (node, 0)
            planned.block[cell] = self._address(root, offset, cell, step)
        return step

    def _product(self, group: Product) -> list[Native]:
        from .gemm import A, B, C, plan_gemm

        (node,) = group.nodes
        x, y = (view_of(a) for a in node.args)
        m, n, k = node.shape[-2], node.shape[-1], x.shape[-1]
        lead = node.shape[:-2]
        strides = [spread_over(v.shape[:-2], v.strides[:-2], lead) for v in (x, y)]
        own = contiguous(node.shape)
        steps = []
        for offset, count, (bx, by, bz) in _batches(lead, strides[0], strides[1], own[: len(lead)]):
            planned = plan_gemm(
                node.dtype,
                m,
                n,
                k,
                a_strides=_pair(x),
                b_strides=_pair(y),
                ldc=n,
                batch=(count, bx, by, bz),
            )
            block = planned.block()
            step = Native(
                group, "", block, planned.chunks, planned.chunks > 1, address=planned.address, name="gemm"
            )
            for cell, root, at in (
                (A, x.root, x.offset + offset[0]),
                (B, y.root, y.offset + offset[1]),
                (C, node, offset[2]),
            ):
                block[cell] = self._address(root, at, cell, step)
            steps.append(step)
        return steps

    def _special(self, group: Group) -> Native | None:
        """A structured primitive by the kernel written for it, if there is one."""
        planned = special_kernel(group.nodes[0])
        if planned is None:
            return None
        block = np.zeros(len(planned.cells), np.int64)
        parallel = planned.chunks > 1
        step = Native(group, planned.text(), block, planned.chunks, parallel)
        step.status, step.complaint = planned.status, planned.complaint
        if step.status is not None and step.complaint is None:
            step.reserve = self._library(group.nodes[0])
        self.keep += planned.keep
        for cell, value in enumerate(planned.cells):
            block[cell] = self._address(*value, cell, step) if isinstance(value, tuple) else value
        return step

    # ---------------------------------------------------------------- NumPy
    def _array(self, x: Any) -> Look:
        """How to get an operand as an array when the program runs."""
        if not isinstance(x, Node):
            return lambda inputs, outputs: x
        v = view_of(x)
        root, size = v.root, v.root.dtype.itemsize
        if not x.size:  # nothing is read, and what it is a view of may not be computed
            nothing = np.empty(v.shape, x.dtype)
            return lambda inputs, outputs: nothing
        if root.dtype.hasobject:
            objects = self.objects
            return lambda inputs, outputs: objects[root]
        strides = [s * size for s in v.strides]
        root, offset = settled(root, v.offset)
        if root in self.inputs or root in self.outputs:
            given = root in self.inputs
            k, start = self.inputs[root] if given else self.outputs[root], offset * size
            if not start and (x.shape, x.dtype, v.strides) == (root.shape, root.dtype, contiguous(x.shape)):
                return (lambda inputs, outputs: inputs[k]) if given else (lambda inputs, outputs: outputs[k])

            def look(inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> np.ndarray:
                return np.ndarray(v.shape, x.dtype, (inputs if given else outputs)[k], start, strides)

            return look
        if root.constant is not None:
            array = np.ndarray(v.shape, x.dtype, root.constant, offset * size, strides)
        else:
            start = self.base - self.arena.ctypes.data + self.offsets[root] + offset * size
            array = np.ndarray(v.shape, x.dtype, self.arena.data, start, strides)
        return lambda inputs, outputs: array

    def _operand(self, x: Any, beside: bool) -> Look:
        """How NumPy gets an operand: one of no axes as a number.

        `beside` arrays a Python number stays one and does not promote; among scalars it would raise where
        NumPy says inf, and the step's dtype is settled anyway.
        """
        look = self._array(x)
        if not isinstance(x, Node) or x.shape or x.dtype.hasobject:
            return look
        if beside and x.weak:
            return lambda inputs, outputs: look(inputs, outputs).item()
        return lambda inputs, outputs: look(inputs, outputs)[()]

    def _library(self, node: Node) -> Library:
        beside = any(isinstance(a, Node) and a.shape for a in node.args)
        looks = [self._operand(a, beside) for a in node.args]
        op, params, objects = node.op, node.params or NO_PARAMS, self.objects
        assert op is not None
        place = None if node.dtype.hasobject else self._array(node)

        def operands(inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> list[Any]:
            return [look(inputs, outputs) for look in looks]

        def run(inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
            z = op.value(*operands(inputs, outputs), **params)
            if place is None:
                objects[node] = z
            else:
                place(inputs, outputs)[...] = z

        return Library(node.group, node, run, operands)


def _pair(v: View) -> tuple[int, int]:
    """Strides of the matrices in a stack."""
    return v.strides[-2], v.strides[-1]


def _batches(
    lead: tuple[int, ...], x: Sequence[int], y: Sequence[int], z: Sequence[int]
) -> list[tuple[tuple[int, int, int], int, tuple[int, int, int]]]:
    """Batched products as (offsets, count, strides): one step when the leading axes are one axis to all."""
    sizes, strides = joined(lead, [x, y, z])
    dims = list(zip(sizes, *strides, strict=True))
    if not dims:
        return [((0, 0, 0), 1, (0, 0, 0))]
    *outer, (count, bx, by, bz) = dims
    steps = []
    for index in np.ndindex(*[d[0] for d in outer]):
        at = tuple([sum(i * d[k] for i, d in zip(index, outer, strict=True)) for k in (1, 2, 3)])
        steps.append((at, count, (bx, by, bz)))
    return steps
