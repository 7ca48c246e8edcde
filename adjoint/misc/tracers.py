"""A program recorded once and run again without its Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any

from .. import tree as trees
from ..errors import ShapeError, TreeError, describe, refusal
from ..ops.primitive import Recorded, dtype_of, innermost, shape_of
from ..tape import Tape

Function = Callable[..., Any]


def const_graph(f: Function, *args: Any, **kwargs: Any) -> Function:
    """f with these arguments bound; its first call records its operations, later ones repeat them.

    For a function whose operations never change: branches and loops are those of the first call, and so are
    values taken from its surroundings. `ad.compile` does more: it tells kinds of arguments apart, fuses, and
    refuses branches that depend on values.

    Args:
        f: a function of floats, float arrays and containers of these.
        *args: its first arguments, constant.
        **kwargs: its keyword arguments, constant.

    Returns:
        A function of the remaining arguments, differentiable like f.

    Raises:
        DTypeError: an argument that is not bound is not floating point.
        TreeError: later arguments come in other containers than those of the first call.
        ShapeError: they have other shapes.

    >>> calls = []
    >>> def f(a, x):
    ...     calls.append(a)
    ...     return a * np.sin(x)
    >>> g = const_graph(f, 2.0)
    >>> [float(g(x).round(3)) for x in (0.0, 1.0, 2.0)], calls
    ([0.0, 1.683, 1.819], [2.0])
    """
    bound = partial(f, *args, **kwargs)
    recorded: list[Graph] = []

    @wraps(f)
    def replayed(*args: Any) -> Any:
        if recorded:
            return recorded[0].run(args)
        graph, result = record(bound, args)
        recorded.append(graph)
        return result

    return replayed


def record(f: Function, args: Sequence[Any]) -> tuple[Graph, Any]:
    """The operations of f(*args), and its result."""
    leaves, structure = trees.flatten(tuple(args))
    with Tape() as tape:
        inputs = tape.input(leaves)
        outputs, output_structure = trees.flatten(f(*trees.unflatten(structure, inputs)))
    ours = [x.index if isinstance(x, Recorded) and x.tape is tape else -1 for x in outputs]
    result = [x if k < 0 else tape.values[k] for x, k in zip(outputs, ours, strict=True)]
    # the tape's values may belong to an older tape, and are not needed
    others = [innermost(x) if k < 0 else None for x, k in zip(outputs, ours, strict=True)]
    graph = Graph(tape, leaves, structure, ours, others, output_structure)
    return graph, trees.unflatten(output_structure, result)


class Graph:
    """The operations that a result needs, and where arguments and results stand among them."""

    def __init__(
        self,
        tape: Tape,
        leaves: Sequence[Any],
        structure: trees.Structure,
        outputs: Sequence[int],
        others: Sequence[Any],
        output_structure: trees.Structure,
    ) -> None:
        self.structure, self.output_structure = structure, output_structure
        self.shapes = [(shape_of(x), dtype_of(x)) for x in leaves]
        self.outputs, self.others, self.size = outputs, others, len(tape)
        needed = tape.needed(k for k in outputs if k >= 0)
        self.steps = [
            (i, op, tape.parents[i], tape.constants[i], tape.params[i])
            for i, op in enumerate(tape.operations)
            if needed[i] and op is not None
        ]

    def run(self, args: Sequence[Any]) -> Any:
        """The same operations on other arguments, which may be recorded."""
        leaves, structure = trees.flatten(tuple(args))
        if structure != self.structure:
            raise refusal(TreeError, f"const_graph was recorded for {self.structure}, got {structure}")
        for x, (shape, kind) in zip(leaves, self.shapes, strict=True):
            if shape_of(x) != shape or dtype_of(x) != kind:
                what = f"const_graph was recorded for an argument {shape} {kind}, got {describe(x)}"
                raise refusal(ShapeError, what, "Make another one for it, or use ad.compile.")
        values: list[Any] = [None] * self.size
        values[: len(leaves)] = leaves
        for i, op, parents, constants, params in self.steps:
            if constants is None:
                operands = [values[p] for p in parents]
            else:
                operands = [values[p] if p >= 0 else c for p, c in zip(parents, constants, strict=True)]
            values[i] = op(*operands, **params)
        results = [x if k < 0 else values[k] for k, x in zip(self.outputs, self.others, strict=True)]
        return trees.unflatten(self.output_structure, results)
