"""Checkpointing: record a whole function as one constraint, and run it again when its multiplier is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from .. import tree as trees
from ..errors import LeakError, refusal
from ..ops.elementwise import barrier
from ..ops.primitive import Primitive, Recorded, parts, zeros_like
from ..tape.trace import is_traced
from .derivatives import pull_some, push_some


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """f, with its inner values dropped after the forward sweep and computed again in the adjoint sweep.

    Memory falls to f's arguments and results; time grows by one more run of f. Arguments and results may be
    nested containers; everything that f differentiates must be passed as an argument, and f must be
    deterministic: random numbers would be others the second time. Names given inside f are not kept.

    Raises:
        LeakError: f uses a recorded value that is not among its arguments.
    """

    @wraps(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = trees.flatten((args, kwargs))
        op = Checkpoint(f, structure)
        z = op(*leaves)
        return trees.unflatten(op.output_structure, list(z) if op.results != 1 else [z])

    return checkpointed


class Checkpoint(Primitive):
    """One call of a checkpointed function; its operands are the leaves of the arguments."""

    foreign = True

    def __init__(self, f: Callable[..., Any], structure: trees.Structure) -> None:
        self.f, self.structure = f, structure
        self.name = f"checkpoint({getattr(f, '__name__', 'function')})"
        self.output_structure = trees.LEAF

    def call(self, leaves: Sequence[Any]) -> list[Any]:
        """Leaves of the results."""
        args, kwargs = trees.unflatten(self.structure, list(leaves))
        results, self.output_structure = trees.flatten(self.f(*args, **kwargs))
        self.results = len(results)
        return results

    def value(self, *leaves: Any) -> Any:
        results = self.call(leaves)
        for x in results:
            if isinstance(x, Recorded):
                raise refusal(
                    LeakError,
                    f"{self.name} uses a recorded value ({x.tape.label(x.index)}) "
                    "that is not among its arguments\n"
                    "  Pass it as an argument; a value taken from the surroundings cannot be computed again.",
                )
        return tuple(results) if len(results) != 1 else results[0]

    def lower(self, *leaves: Any) -> Any:
        """Recorded in full when traced; what the adjoint computes again is kept apart by barriers."""
        results = self.call(leaves)
        return tuple(results) if len(results) != 1 else results[0]

    def tangent(self, args: Sequence[Any], z: Any, dots: Sequence[Any]) -> Any:
        pushed = push_some(lambda *leaves: self.call(leaves), args, dots)
        return tuple(pushed) if len(pushed) != 1 else pushed[0]

    def adjoint(self, args: Sequence[Any], z: Any, lam: Any, wanted: Sequence[bool]) -> Sequence[Any]:
        given = parts(lam)
        args = [barrier(a) if is_traced(a) else a for a in args]

        def cotangents(results: Sequence[Any]) -> list[Any]:
            return [zeros_like(x) if g is None else g for g, x in zip(given, results, strict=True)]

        return pull_some(lambda *leaves: self.call(leaves), args, cotangents, wanted)
