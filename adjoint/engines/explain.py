"""What a compiled function does, in words: steps, kernels, memory, and what runs by NumPy."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ..ops.elementwise import positive
from ..text import table
from .chains import Chain
from .cpu.steps import Library
from .graph import Node, foreign_kinds
from .regions import Call, Product, Region, Scalars

WORDS = 6  # operations named per step, arguments per program


@dataclass(frozen=True)
class Line:
    """One step.

    Attributes:
        kind: "region", "scalars", "product", "chain" (several of these over the same rows), "special" (one
            structured primitive with a kernel of its own) or "numpy".
        space: of a region, its iteration space; of the others, the result's shape.
        operations: names, the most frequent first.
        nodes: how many.
        chunks: parts that threads may share.
        kernel: name of the machine code; empty for NumPy.
        compiled: by this process; else it came from the cache.
        milliseconds: spent on compiling or loading.
    """

    kind: str
    space: tuple[int, ...]
    operations: tuple[str, ...]
    nodes: int
    chunks: int
    kernel: str
    compiled: bool
    milliseconds: float


@dataclass(frozen=True)
class Report:
    """One program: for one kind of arguments.

    Attributes:
        arguments: shape and dtype of each.
        recorded: nodes of the trace.
        steps: in the order in which they run.
        fallbacks: (operation, place in the user's code, reason) of nodes that run by NumPy.
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
             ("compiled" if s.compiled else "cached") if s.kernel else "", f"{s.milliseconds:.0f}"]
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
        lines += [f"by NumPy: {name} at {place}: {why}" for name, place, why in self.fallbacks]
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


def _reason(node: Node) -> str:
    """Why a node runs by NumPy."""
    foreign = foreign_kinds(node)
    return f"kernels hold no {foreign[0]}" if foreign else "it has no native step"


def report_of(executable: Any) -> Report:
    """The report of one program."""
    code, trace, lines, fallbacks, seen = executable.code, executable.trace, [], [], set()
    for step in code.steps:
        nodes = step.group.nodes
        # `positive` is how a value comes into another array
        names = Counter("copy" if n.op is positive else n.op.name for n in nodes if n.op is not None)
        operations = tuple(name for name, _ in names.most_common())
        if isinstance(step, Library):
            node = step.node
            lines.append(Line("numpy", node.shape, operations, 1, 1, "", False, 0.0))
            place = trace.where(node.source) if node.source >= 0 else "<unknown>"
            fallbacks.append((operations[0], place, _reason(node)))
            continue
        group = step.group
        region = isinstance(group, Region)
        kind = next(word for type_, word in _KINDS.items() if isinstance(group, type_))
        kernel = executable.kernels.get(step.name)
        fresh = kernel is not None and step.name not in seen
        seen.add(step.name)
        lines.append(
            Line(
                kind, group.shape if region else nodes[-1].shape, operations, len(nodes), step.chunks,
                step.name,
                bool(fresh and kernel.compiled), 1e3 * kernel.seconds if fresh else 0.0,
            )
        )  # fmt: skip
    arguments = tuple(
        f"{kind.dtype}{list(kind.shape)}{' (Python)' if kind.weak else ''}" for kind in executable.inputs
    )
    outputs = sum(x.size * x.dtype.itemsize for x in executable.graph.outputs)
    return Report(
        arguments, len(trace), tuple(lines), tuple(fallbacks), code.bytes, outputs, executable.seconds
    )
