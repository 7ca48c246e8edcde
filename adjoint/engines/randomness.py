"""Random draws while tracing would become constants of the compiled program: they are noticed and refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import TraceError, refusal

DEPTH = 6  # how far functions within functions are searched for generators


class Randomness:
    """The states of the random generators that a function can reach, before it is traced."""

    def __init__(self, f: Callable[..., Any], leaves: Sequence[Any]) -> None:
        found = {id(g): g for g in (*(x for x in leaves if _draws(x)), *_reachable(f, DEPTH, set()))}
        self._generators = list(found.values())
        self._before = self._states()

    def _states(self) -> list[str]:
        states = [repr(_bits(g).state) for g in self._generators]
        return [*states, repr(np.random.get_state(legacy=False))]

    def check(self) -> None:
        """Compare with the states now.

        Raises:
            TraceError: somebody drew.
        """
        if self._states() != self._before:
            what = "the traced function draws random numbers, which would be the same in every call"
            remedy = "Draw them outside and pass them as an argument (ad.nn.dropout takes mask=)."
            raise refusal(TraceError, what, remedy)


def _draws(x: Any) -> bool:
    return isinstance(x, (np.random.Generator, np.random.RandomState))


def _bits(generator: Any) -> Any:
    return getattr(generator, "bit_generator", None) or generator._bit_generator


def _reachable(f: Any, depth: int, seen: set[int]) -> Iterator[Any]:
    """Generators among the globals, defaults and captured variables of f and of the functions it can reach."""
    f = getattr(f, "__func__", f)
    code = getattr(f, "__code__", None)
    if id(f) in seen or not depth:
        return
    seen.add(id(f))
    values = [cell.cell_contents for cell in getattr(f, "__closure__", None) or () if _is_set(cell)]
    values += list(getattr(f, "__defaults__", None) or ()) + [getattr(f, "__self__", None)]
    values += list((getattr(f, "__kwdefaults__", None) or {}).values())
    values += [getattr(f, "func", None), *getattr(f, "args", ())] if hasattr(f, "func") else []
    if code is not None:
        values += [f.__globals__[name] for name in code.co_names if name in f.__globals__]
    for x in values:
        if _draws(x):
            yield x
        elif (callable(x) and not isinstance(x, type) and hasattr(x, "__code__")) or hasattr(x, "func"):
            yield from _reachable(x, depth - 1, seen)
        elif (
            hasattr(x, "__dict__")
            and not isinstance(x, type)
            and not callable(x)
            and not hasattr(x, "__path__")
        ):
            yield from (v for v in vars(x).values() if _draws(v))


def _is_set(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
