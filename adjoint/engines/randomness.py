"""Random draws while tracing would become constants of the compiled program: they are noticed and refused."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from threading import active_count
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..errors import TraceError, refusal

DEPTH = 6  # how far functions within functions are searched for generators,
VISITS = 4000  # at how many objects at most,
ITEMS = 100  # and how many items of a container


class Randomness:
    """The states of the random generators that a function can reach, before it is traced."""

    def __init__(self, f: Callable[..., Any], leaves: Sequence[Any]) -> None:
        found = {id(g): g for g in (*(x for x in leaves if _draws(x)), *_reachable(f))}
        self._generators = list(found.values())
        self._before = self._states()

    def _states(self) -> list[Any]:
        states = [_bits(g).state for g in self._generators]
        return [*map(_comparable, [*states, np.random.get_state(legacy=False)]), random.getstate()]

    def by_others(self) -> bool:
        """Whether it may have been another thread: only the generators that all threads share have moved."""
        now = self._states()
        own = len(self._generators)
        return now[own:] != self._before[own:] and now[:own] == self._before[:own] and active_count() > 1

    def check(self) -> None:
        """Compare with the states now.

        Raises:
            TraceError: somebody drew.
        """
        if self._states() != self._before:
            what = "the traced function draws random numbers, which would be the same in every call"
            remedy = "Draw them outside and pass them as an argument (ad.nn.dropout takes mask=)."
            raise refusal(TraceError, what, remedy)


def _comparable(state: Any) -> Any:
    """A bit generator's state with bytes for arrays: their text takes a millisecond."""
    if isinstance(state, dict):
        return {name: _comparable(part) for name, part in state.items()}
    if isinstance(state, (list, tuple)):
        return [*map(_comparable, state)]
    return state.tobytes() if isinstance(state, np.ndarray) else state


def _draws(x: Any) -> bool:
    return isinstance(x, (np.random.Generator, np.random.RandomState))


def _bits(generator: Any) -> Any:
    return getattr(generator, "bit_generator", None) or generator._bit_generator


def _reachable(start: Any) -> Iterator[Any]:
    """Generators a function can reach: globals it names, defaults, captured variables, attributes, items."""
    seen: set[int] = set()
    level = [start]
    for _ in range(DEPTH):
        following: list[Any] = []
        for x in level:
            if id(x) in seen or len(seen) > VISITS:
                continue
            seen.add(id(x))
            if _draws(x):
                yield x
            else:
                following += _neighbors(x)
        level = following


def _neighbors(x: Any) -> Iterator[Any]:
    """What a function, method, partial application, container or instance holds."""
    if isinstance(x, FunctionType):
        yield from (cell.cell_contents for cell in x.__closure__ or () if _is_set(cell))
        yield from x.__defaults__ or ()
        yield from (x.__kwdefaults__ or {}).values()
        yield from (x.__globals__[name] for name in x.__code__.co_names if name in x.__globals__)
    elif isinstance(x, MethodType):
        yield from (x.__func__, x.__self__)
    elif isinstance(x, partial):
        yield from (x.func, *x.args, *x.keywords.values())
    elif isinstance(x, dict):
        yield from islice(x.values(), ITEMS)
    elif isinstance(x, (list, tuple)):
        yield from x[:ITEMS]
    elif hasattr(type(x), "__dict__") and not isinstance(x, (type, ModuleType)):
        yield from getattr(x, "__dict__", {}).values()
        call = getattr(type(x), "__call__", None)  # noqa: B004  (the function itself is wanted)
        if isinstance(call, FunctionType):
            yield call


def _is_set(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
