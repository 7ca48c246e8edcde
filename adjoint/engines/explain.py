"""What a compiled function does, in words: steps, kernels, memory, what runs by NumPy or by cupy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..ops.elementwise import positive
from ..text import table
from .chains import Chain
from .graph import Node
from .regions import Call, Group, Product, Region, Scalars

if TYPE_CHECKING:
    from .executable import Executable

WORDS = 6  # operations named per step, arguments per program


@dataclass(frozen=True)
class Line:
    """One step.

    Attributes:
        kind: "region", "scalars", "product", "chain" (several of these over the same rows), "special" (one
            structured primitive with a kernel of its own); by a library, "numpy" or "cupy".
        space: of a region, its iteration space; of the others, the result's shape.
        operations: names, the most frequent first.
        nodes: how many.
        chunks: parts that threads may share; on a GPU, blocks of threads.
        kernel: name of the machine code; empty for a library.
        compiled: by this process for this program; else it was there.
        milliseconds: spent on compiling or loading; None of a GPU's, which are compiled together.
    """

    kind: str
    space: tuple[int, ...]
    operations: tuple[str, ...]
    nodes: int
    chunks: int
    kernel: str
    compiled: bool
    milliseconds: float | None


@dataclass(frozen=True)
class Report:
    """One program: for one kind of arguments.

    Attributes:
        arguments: shape and dtype of each.
        recorded: nodes of the trace.
        steps: in the order in which they run.
        fallbacks: (operation, place in the user's code, reason) of nodes that run by NumPy or cupy.
        arena: bytes of memory for intermediate values.
        outputs: bytes of the results.
        seconds: for tracing, planning, and kernels.
    """

    arguments: tuple[str, ...]
    recorded: int
    steps: tuple[Line, ...]
    fallbacks: tuple[tuple[str, str, str], ...]
    arena: int
    outputs: int
    seconds: tuple[float, float, float]

    def __repr__(self) -> str:
        trace, plan, kernels = self.seconds
        rows = [
            [str(k), s.kind, "×".join(map(str, s.space)) or "1", str(s.nodes), str(s.chunks),
             _few(s.operations, " "), s.kernel[:10],
             ("compiled" if s.compiled else "cached") if s.kernel else "",
             "" if s.milliseconds is None else f"{s.milliseconds:.0f}"]
            for k, s in enumerate(self.steps)
        ]  # fmt: skip
        headers = ["step", "kind", "space", "nodes", "chunks", "operations", "kernel", "", "ms"]
        lines = [
            f"for {_few(self.arguments) or 'no arguments'}",
            f"{self.recorded} recorded nodes; "
            f"seconds: trace {trace:.3f}, plan {plan:.3f}, kernels {kernels:.3f}",
            f"memory: {self.arena} bytes between steps, {self.outputs} bytes of results",
            table(headers, rows, right=(0, 3, 4, 8)),
        ]
        library = "cupy" if any(s.kind == "cupy" for s in self.steps) else "NumPy"
        for (name, place, why), count in Counter(self.fallbacks).items():
            lines.append(f"by {library}: {name} at {place}: {why}{f' ({count} nodes)' if count > 1 else ''}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Explanation:
    """All programs of a compiled function; more than one means that it was compiled again."""

    name: str
    programs: list[Report]

    @property
    def recompilations(self) -> int:
        """Programs beyond the first."""
        return max(0, len(self.programs) - 1)

    def __repr__(self) -> str:
        count = len(self.programs)
        head = f"{self.name}: {count} program{'s' if count != 1 else ''}"
        return "\n\n".join([head, *map(repr, self.programs)])


def _few(words: tuple[str, ...], between: str = ", ") -> str:
    """The first of many words, and how many more there are."""
    more = len(words) - WORDS
    return between.join(words[:WORDS]) + (f" +{more}" if more > 0 else "")


_KINDS = {Region: "region", Scalars: "scalars", Product: "product", Chain: "chain", Call: "special"}


def names_of(nodes: Sequence[Node]) -> tuple[str, ...]:
    """The operations of a step, the most frequent first."""
    # `positive` is how a value comes into another array
    counts = Counter("copy" if n.op is positive else n.op.name for n in nodes if n.op is not None)
    return tuple(name for name, _ in counts.most_common())


def kind_of_group(group: Group) -> str:
    """The word for a group that runs natively."""
    return next(word for type_, word in _KINDS.items() if isinstance(group, type_))


def space_of(group: Group) -> tuple[int, ...]:
    """A region's iteration space, the shape of another group's result."""
    return group.shape if isinstance(group, Region) else group.nodes[-1].shape


def report_of(executable: Executable) -> Report:
    """The report of one program."""
    trace, lines, fallbacks = executable.trace, [], []
    for line, nodes, reason in executable.lines():
        lines.append(line)
        if reason:
            source = nodes[0].source
            fallbacks.append(
                (line.operations[0], trace.where(source) if source >= 0 else "<unknown>", reason)
            )
    arguments = tuple(
        f"{kind.dtype}{list(kind.shape)}{' (Python)' if kind.weak else ''}" for kind in executable.inputs
    )
    outputs = sum(x.size * x.dtype.itemsize for x in executable.graph.outputs)
    return Report(
        arguments, len(trace), tuple(lines), tuple(fallbacks), executable.between, outputs, executable.seconds
    )
