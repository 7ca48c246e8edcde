"""One program of a compiled function: recorded, planned, and what is the same for every target."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import numpy as np

from .. import tree as trees
from ..errors import AdjointError, DTypeError, IndexingError, TreeError, describe, format_error, refusal
from ..garbage import without_collections
from ..ops.abstract import Abstract
from ..ops.primitive import Recorded
from ..tape.trace import Trace
from .building import build
from .chunks import Cutting
from .containers import ARRAY, STATIC, Kind, maker, taker
from .explain import Line, Report, report_of
from .graph import Graph, Node, is_native
from .plan import make_plan
from .randomness import Randomness

Function = Callable[..., Any]
OfArrays = Callable[[Any, Any], Any]  # of arguments and results
TRIES = 4  # traces before the draws of another thread, which has its reasons, count as the function's
DONE = -1  # what `run` returns when all is done; the CPU engine's driver returns it too


class Executable(ABC):
    """One program: for one kind of arguments.

    A call takes the arguments apart (`take`), finds arrays for the results (`buffers`), runs, and puts the
    results together (`result`).

    Attributes:
        plain: whether the arguments are the arrays themselves.
        run: of arguments and results, runs if they fit: DONE, or anything else when they do not, or when
            there is more to do.
        cutting: the target's sizes.
    """

    cutting: ClassVar[Cutting]
    run: Callable[[tuple[Any, ...], tuple[Any, ...]], int]

    def __init__(
        self,
        f: Function,
        leaves: Sequence[Any],
        kinds: Sequence[Any],
        structure: trees.Structure,
        options: Any,
    ) -> None:
        self.options = options
        self.inputs: list[Kind] = [kind for kind in kinds if type(kind) is Kind]
        with without_collections():
            begun = time.perf_counter()
            inputs, results = self._record(f, leaves, kinds, structure)
            traced = time.perf_counter()
            self.graph = graph = build(self.trace, inputs, [x for x in results if _is_number(x)])
            self.donated = _donations(graph, structure, kinds, options.donate)
            self.plan = make_plan(graph, self.donated, self.cutting)
            self.write()
            planned = time.perf_counter()
            self.assemble()
        self.seconds = (traced - begun, planned - traced, time.perf_counter() - planned)
        self._describe(leaves, kinds, structure, results)

    # ---------------------------------------------------------------- what a target does
    @staticmethod
    def place() -> Any:
        """What a program is for besides the kinds of its arguments: which of several devices."""
        return None

    @staticmethod
    def at(place: Any) -> AbstractContextManager[Any]:
        """Where another thread makes programs for such a place."""
        return nullcontext()

    @staticmethod
    @abstractmethod
    def kind_of(x: Any, label: str = "") -> Any:
        """The `Kind` of an argument, or `Static`; `label` is its name in errors.

        Raises:
            DTypeError: an array that the target cannot take.
        """

    @staticmethod
    @abstractmethod
    def fitted(x: Any, kind: Kind) -> Any:
        """An argument as `run` takes it."""

    @abstractmethod
    def write(self) -> None:
        """Write the steps of the plan."""

    @abstractmethod
    def assemble(self) -> None:
        """Compile the kernels and put the steps in a row."""

    @abstractmethod
    def buffers(self, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        """Arrays for the results, or those that were donated; `arrays` may not fit."""

    @abstractmethod
    def __call__(self, arrays: tuple[Any, ...]) -> Any:
        """Run on arrays that fit; the results."""

    @abstractmethod
    def result(self, outs: tuple[Any, ...]) -> Any:
        """The results in the containers of the function."""

    @abstractmethod
    def lines(self) -> Iterator[tuple[Line, Sequence[Node], str]]:
        """Every step in order: in words, the nodes it computes, and why it has no kernel (or "")."""

    @property
    @abstractmethod
    def between(self) -> int:
        """Bytes of memory for values between steps."""

    @abstractmethod
    def summary(self) -> str:
        """One line."""

    # ---------------------------------------------------------------- what all do
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
                array = type(kind) is Kind
                placeholders.append(trace.placeholder(Abstract(*kind[:3]), path) if array else x)
            args, kwargs = trees.unflatten(structure, placeholders)
            results, self.structure = trees.flatten(f(*args, **kwargs))
        for x in results:
            if isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind not in "fiubc":
                raise refusal(
                    DTypeError, f"a compiled function cannot return {describe(x)}", "Return numbers."
                )
        inputs = [x.index for x in placeholders if isinstance(x, Recorded) and x.tape is trace]
        return inputs, results

    def _describe(
        self, leaves: Sequence[Any], kinds: Sequence[Any], structure: trees.Structure, results: Sequence[Any]
    ) -> None:
        """The code that takes arguments apart and puts results together."""
        sorts = [kind.sort if type(kind) is Kind else STATIC for kind in kinds]
        statics = [x for x, sort in zip(leaves, sorts, strict=True) if sort == STATIC]
        self.plain = structure == trees.flatten((tuple(leaves), {}))[1] and set(sorts) <= {ARRAY}
        self.take = taker(structure, sorts, statics)
        constants = [None if _is_number(x) else x for x in results]
        self.make = maker(self.structure, constants)
        self.single = self.structure == trees.LEAF and len(self.graph.outputs) == 1

    def complaint(
        self, source: int, complaint: str, kind: type[AdjointError] = IndexingError
    ) -> AdjointError:
        """The error of a node of the trace."""
        return kind(format_error(complaint, origin=self.trace.origin(source), scope=self.trace.scope(source)))

    def by_value(
        self, node: Node, run: OfArrays, operands: OfArrays, args: Sequence[Any], outs: Sequence[Any]
    ) -> None:
        """Run a primitive's own value; its errors tell the place in the user's code, with the operands."""
        try:
            run(args, outs)
        except AdjointError:
            raise
        except (ValueError, TypeError, IndexError) as error:
            op, source = node.op, node.source
            if op is None or op.foreign or source < 0:
                raise
            known = operands(args, outs) if self.trace.operations[source] is op else None
            raise self.trace.failure_at(source, error, "", known) from error

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
            if type(kinds[leaf]) is Kind:
                if position in chosen and kinds[leaf].sort == ARRAY:
                    fits = (
                        j for j, x in enumerate(graph.outputs)
                        if j not in taken and (x.shape, x.dtype) == kinds[leaf][:2] and is_native(x)
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
