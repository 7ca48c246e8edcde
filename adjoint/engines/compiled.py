"""Compiled functions: traced once per kind of arguments, and replayed as one program."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from types import MethodType
from typing import Any, NamedTuple

from .. import tree as trees
from ..errors import DeviceError, DTypeError
from ..ops.primitive import Recorded
from ..ops.sides import label_of
from .containers import Kind
from .executable import DONE, Executable, Function
from .explain import Explanation


class Options(NamedTuple):
    """How a function is compiled; see `compile`."""

    target: type[Executable]
    donate: tuple[int, ...] = ()
    wait: bool = True
    callback: Callable[[str], None] | None = None
    deterministic: bool = True
    graphs: bool = False


class Compiled:
    """A compiled function; see `compile`."""

    def __init__(self, f: Function, options: Options) -> None:
        wraps(f)(self)
        self._f, self._options = f, options
        self._programs: dict[Any, Executable] = {}
        self._last: Executable | None = None
        self._lock = threading.RLock()
        self._under_way: dict[Any, Exception | None] = {}  # what is compiled in a thread, or why it failed

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Run; trace and compile first when arguments of this kind come for the first time."""
        last = self._last
        if last is not None:
            arrays = args if last.plain and not kwargs else last.take((args, kwargs))
            if arrays is not None:
                outs = last.buffers(arrays)
                if last.run(arrays, outs) == DONE:
                    return last.result(outs)
        return self._other(args, kwargs)

    def _other(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Another kind of arguments than the last time."""
        leaves, structure = trees.flatten((args, kwargs))
        if any(isinstance(x, Recorded) for x in leaves):
            return self._f(*args, **kwargs)
        target = self._options.target
        kinds: list[Any] = []
        with suppress(DTypeError, DeviceError):
            for x in leaves:
                kinds.append(target.kind_of(x))
        if len(kinds) < len(leaves):  # once more, with the name of the argument that it cannot be
            x = leaves[len(kinds)]
            target.kind_of(x, label_of(x, self._f, args, kwargs))
        key = (structure, tuple(kinds), target.place())
        program = self._programs.get(key)
        if program is None:
            if not self._options.wait:
                self._start(key, leaves, kinds, structure)
                return self._f(*args, **kwargs)
            program = self._made(key, leaves, kinds, structure)
        self._last = program
        pairs = zip(leaves, kinds, strict=True)
        return program(tuple([target.fitted(x, kind) for x, kind in pairs if type(kind) is Kind]))

    def _made(
        self, key: Any, leaves: Sequence[Any], kinds: Sequence[Any], structure: trees.Structure
    ) -> Executable:
        with self._lock:
            if key not in self._programs:
                program = self._options.target(self._f, leaves, kinds, structure, self._options)
                self._programs[key] = program
                if self._options.callback is not None:
                    self._options.callback(
                        f"compiled {getattr(self._f, '__name__', 'function')}: {program.summary()}"
                    )
            return self._programs[key]

    def _start(
        self, key: Any, leaves: Sequence[Any], kinds: Sequence[Any], structure: trees.Structure
    ) -> None:
        """Compile in a thread of its own; what it raises, the call that next needs the program raises."""
        with self._lock:
            if key in self._under_way:
                failure = self._under_way[key]
                if failure is not None:
                    del self._under_way[key]
                    raise failure
                return
            self._under_way[key] = None

        target = self._options.target

        def make() -> None:
            try:
                with target.at(key[-1]):
                    self._made(key, leaves, kinds, structure)
            except Exception as failure:
                self._under_way[key] = failure

        threading.Thread(target=make, daemon=True).start()

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """A compiled function in a class is a method; the instance is part of the program."""
        return self if instance is None else MethodType(self, instance)

    def explain(self) -> Explanation:
        """What was compiled for each kind of arguments: steps, kernels, memory, what a library runs."""
        return Explanation(
            getattr(self._f, "__name__", "function"), [p.explain() for p in self._programs.values()]
        )

    def __reduce__(self) -> Any:
        return (_again, (self._f, self._options))


def _again(f: Function, options: Options) -> Compiled:
    return Compiled(f, options)
