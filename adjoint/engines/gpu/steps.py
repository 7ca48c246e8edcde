"""A plan as launches: which kernels run on what, and where on the device everything lies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..chunks import Cut
from ..graph import Node
from ..memory import Arena, allocate, settled
from ..plan import Plan
from ..regions import Assembly, Group, Region, Scalars
from ..spec import block_layout
from ..views import view_of
from .emit import NAME, emit
from .fallback import own_value
from .geometry import form_of, index, launch_of
from .kernel import Argument, Call, Launch, Place, Scratch, Status, Table
from .scalars import scalar_launches
from .special import special_steps
from .special.copying import turned

ALIGNMENT = 256  # bytes: what cupy's own allocations have, and more than the widest vector load needs
WORD = np.dtype(np.int32)  # of a step's status
NUMBER = 16  # bytes for each number of a call


class Step(NamedTuple):
    """What one group does, in order."""

    group: Group
    works: list[Launch | Call]

    def scratch(self) -> dict[int, Scratch]:
        """The step's temporary memory, by identity."""
        found: dict[int, Scratch] = {}
        for work in self.works:
            for a in work.arguments if isinstance(work, Launch) else work.scratch:
                if isinstance(a, Scratch):
                    found[id(a)] = a
        return found


def write_steps(plan: Plan, deterministic: bool, captured: bool = False) -> list[Step]:
    """The steps of a plan in order; `captured`: streams will record them in graphs."""
    steps: list[Step] = []
    for group in plan.groups:
        if isinstance(group, Region):
            copied = turned(group.nodes[0]) if len(group.nodes) == 1 else None
            steps.append(Step(group, [copied or _region(plan.pieces[group])]))
        elif isinstance(group, Scalars):
            steps.append(Step(group, [*scalar_launches(group, plan.stored)]))
        elif not isinstance(group, Assembly):
            node = group.nodes[0]
            steps.append(Step(group, special_steps(node, deterministic, captured) or [own_value(node)]))
    return steps


def _region(cut: Cut) -> Launch:
    """A region's kernel and what it takes, in the order of `block_layout`."""
    form = form_of(cut.shaped)
    grid, block, shared = launch_of(cut, form)
    values = cut.arguments()
    cells = [values[name] for name in block_layout(cut.shaped.spec)]
    arguments: list[Argument] = [index(v, form) if isinstance(v, int) else Place(*v) for v in cells]
    return Launch(emit(cut.shaped.spec, form), NAME, grid, block, arguments, shared)


class Memory:
    """Where everything lies in the program's one block of device memory, in bytes from its start.

    Values between steps come first; then what is copied there once (constants, tables), what the steps have
    for themselves in turn, the numbers of a call, and the status words.

    Attributes:
        values: place of each stored value that is no result.
        between: bytes of these.
        filled: (place, array) of what is copied there once.
        scratch: place of a step's temporary memory, by its identity.
        numbers: place of each input that comes as a number, by its position.
        statuses: place of the word of each launch that may fail, by (step, launch).
        words: place and bytes of all status words.
        total: bytes of everything.
    """

    def __init__(self, plan: Plan, steps: list[Step], numbers: list[int]) -> None:
        arena = Arena(ALIGNMENT)
        self.values = allocate(plan, arena)
        self.between = self.total = arena.top
        self.filled: list[tuple[int, np.ndarray]] = []
        self.scratch: dict[int, int] = {}
        self._known: dict[int, int] = {}
        self._kept: list[Any] = []  # what is known by identity must live
        for x in self._constants(steps):
            if id(x) not in self._known:
                array = x.values if isinstance(x, Table) else x.constant
                self._known[id(x)] = self._take(array.nbytes)
                self.filled.append((self._known[id(x)], np.ascontiguousarray(array)))
                self._kept.append(x)
        self._temporary(steps)
        start = self._take(NUMBER * len(numbers)) if numbers else self.total
        self.numbers = {k: start + NUMBER * n for n, k in enumerate(numbers)}
        failing = [
            (k, n)
            for k, step in enumerate(steps)
            for n, work in enumerate(step.works)
            if isinstance(work, Launch) and any(isinstance(a, Status) for a in work.arguments)
        ]
        start = self._take(len(failing) * WORD.itemsize) if failing else self.total
        self.statuses = {key: start + n * WORD.itemsize for n, key in enumerate(failing)}
        self.words = start, len(failing) * WORD.itemsize

    def _take(self, size: int) -> int:
        place, self.total = self.total, self.total + -(-max(size, 1) // ALIGNMENT) * ALIGNMENT
        return place

    def _constants(self, steps: list[Step]) -> Iterator[Any]:
        """Tables, and nodes with a constant, that steps read."""
        for step in steps:
            for work in step.works:
                if isinstance(work, Call):
                    roots = [view_of(a).root for a in work.node.args if isinstance(a, Node)]
                else:
                    yield from (a for a in work.arguments if isinstance(a, Table))
                    roots = [a.node for a in work.arguments if isinstance(a, Place)]
                yield from (root for root in roots if root.constant is not None)

    def _temporary(self, steps: list[Step]) -> None:
        """One region that all steps have in turn; within a step, what one launch leaves the next may read."""
        most, base = 0, self.total
        for step in steps:
            used = 0
            for key, x in step.scratch().items():
                self.scratch[key] = base + used
                self._kept.append(x)
                used += -(-max(x.bytes, 1) // ALIGNMENT) * ALIGNMENT
            most = max(most, used)
        self.total += most

    def of_node(self, node: Node, offset: int) -> tuple[Node, int]:
        """The buffer in which an element lies, and at which byte of it."""
        root, offset = settled(node, offset)
        return root, offset * root.dtype.itemsize

    def of_table(self, x: Any) -> int:
        """The place of a table, or of a node with a constant."""
        return self._known[id(x)]
