"""THE RECORD: a program as a list of constraints z_i = f_i(z_<i, W), in append-only columns.

Node i is an input (operation None) or the primitive `operations[i]` applied to operands; operand k is node
`parents[i][k]`, or the constant `constants[i][k]` where the parent is −1. Parents have smaller indices, so
the list is its own topological order and every sweep is a loop.

A tape records while it is open (`with tape:`), in the thread that opened it. Tapes nest: an operation goes to
the one opened last among its operands' tapes (`level`), and what that tape stores as a value may be a
Variable of an older one. A tape never holds its own Variables, so dropping the last one frees the arrays.
"""

from __future__ import annotations

import itertools
from _thread import get_ident
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import (
    AdjointError,
    ConversionError,
    DomainError,
    DTypeError,
    IndexingError,
    LeakError,
    Origin,
    ShapeError,
    describe,
    format_error,
    user_instruction,
)
from ..ops.device import as_array, diagnose_mixed, diagnose_multiplier, host_numbers, host_refused, mixed
from ..ops.primitive import NO_PARAMS, PRIMITIVES, Primitive, Recorded, dtype_of, innermost
from .entries import Snapshots, base_array, entry_value
from .operators import PLAIN, Attribution
from .variable import Variable

# A tape keeps arrays and frees them all at once. glibc would return that memory to the system and fetch it
# page by page for the next tape, at more than the cost of the program itself (a stencil on 128×128: 32 ms,
# 12 without). It stops returning blocks smaller than one that was freed before; this one is never touched.
np.empty((32 << 20) - 8192, np.uint8)

_levels = itertools.count(1)
_serials = itertools.count(1)
_open_tapes: ContextVar[tuple[Tape, ...]] = ContextVar("open tapes of this context, oldest first", default=())
_scope: ContextVar[str] = ContextVar("path of the current scope", default="")


class Tape:
    """A program recorded as constraints; the explicit way in, for those who want the multipliers.

    >>> import numpy as np
    >>> import adjoint as ad
    >>> with ad.Tape() as tape:
    ...     w = tape.parameter(np.array([1.0, 2.0]), name="w")
    ...     loss = np.sum(w * w)
    >>> ad.Lagrangian(tape, loss).gradient("w")
    array([2., 4.])
    """

    __slots__ = (
        "__weakref__", "_named", "attribution", "codes", "constants", "level", "names", "offsets",
        "operations", "owner", "params", "parents", "roles", "scopes", "serial", "snapshot", "values",
    )  # fmt: skip

    def __init__(self) -> None:
        self.operations: list[Primitive | None] = []
        self.parents: list[tuple[int, ...]] = []
        self.constants: list[tuple[Any, ...] | None] = []
        self.params: list[dict[str, Any]] = []
        self.values: list[Any] = []
        self.codes: list[CodeType | None] = []  # with `offsets`: the user's instruction behind each node
        self.offsets: list[int] = []
        self.names: dict[int, str] = {}
        self._named: dict[str, int] = {}  # how often a name was given
        self.roles: dict[int, str] = {}  # of inputs: "input" or "parameter"
        self.scopes: list[tuple[int, str]] = [(0, "")]  # (first node, path), wherever the scope changes
        self.attribution: Attribution | None = None  # set while a sweep over a younger tape records here
        self.level = 0  # rises with every opening: the youngest open tape has the highest
        self.serial = next(_serials)  # never changes: tells tapes apart without holding one
        self.owner: int | None = None  # the thread that records; None when closed
        self.snapshot = Snapshots()

    # -------------------------------------------------------------------------------- opening and closing
    def __enter__(self) -> Tape:
        if self.owner is not None:
            raise LeakError("this tape is open already; one `with` block per tape at a time")
        self.level, self.owner = next(_levels), get_ident()
        outer = open_tapes()
        # the copies of constants are shared: what a nested sweep uses again is the same array
        self.snapshot = outer[0].snapshot if outer else Snapshots()
        _open_tapes.set((*_open_tapes.get(), self))
        self.mark_scope(_scope.get())
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self.owner = None
        # not `reset`: generators and tasks may close tapes in another order than they opened them
        _open_tapes.set(tuple(tape for tape in _open_tapes.get() if tape is not self))
        self.snapshot = Snapshots()
        if error is not None and isinstance(error.__cause__, ConversionError):
            # a[i] = v on a plain array: NumPy wraps our error in "setting an array element with a sequence"
            raise error.__cause__ from None

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        state = "open" if self.owner is not None else "closed"
        return f"<Tape of {len(self)} nodes, {len(self.roles)} of them inputs, {state}>"

    # -------------------------------------------------------------------------------- recording
    def input(self, value: Any, name: str = "") -> Any:
        """Record data as inputs of the program.

        Args:
            value: a float or complex array or number, a Variable of an older tape, or a nest of these.
                Arrays are copied: changing the original later does not change the record.
            name: name of the node; leaves of a container are called `name/path`.

        Returns:
            A Variable, or the same container of Variables.

        Raises:
            DTypeError: a leaf is not floating point.
            LeakError: the tape is not open.
        """
        return self._inputs(value, name, "input")

    def parameter(self, value: Any, name: str = "") -> Any:
        """Record W, what the program is to be optimised over; otherwise like `input`."""
        return self._inputs(value, name, "parameter")

    def _inputs(self, value: Any, name: str, role: str) -> Any:
        if self.owner != get_ident():
            raise LeakError("inputs can be recorded only while the tape is open: use `with tape:`")
        if "#" in name:
            raise ValueError(_bad_name(name))
        leaves, structure = trees.flatten(value)
        names = [path.replace("#", "_") for path in trees.paths(structure, name)]
        leaves = [entry_value(leaf, label) for leaf, label in zip(leaves, names, strict=True)]
        code, offset = user_instruction()
        handles = []
        for leaf, label in zip(leaves, names, strict=True):
            i = self._append(None, (), None, NO_PARAMS, leaf, code, offset)
            self.roles[i] = role
            if label:
                self.set_name(i, label)
            handles.append(Variable(self, i))
        return trees.unflatten(structure, handles)

    def apply(self, op: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Record one primitive on operands whose youngest tape is this one; returns the result's Variable."""
        thread = get_ident()
        if self.owner != thread:
            raise self.refusal(op, next(a.index for a in args if isinstance(a, Recorded) and a.tape is self))
        values = self.values
        parents: list[int] = []
        inner: list[Any] = []
        constant = nested = False
        for a in args:
            if isinstance(a, Recorded):
                if a.tape is self:
                    a_value = values[a.index]
                    parents.append(a.index)
                    inner.append(a_value)
                    nested = nested or isinstance(a_value, Recorded)
                    continue
                if a.tape.owner != thread:
                    raise a.tape.refusal(op, a.index)
                nested = True
            elif type(a) is np.ndarray:
                a = self.snapshot(a)
            elif type(a) is list:
                a = self.snapshot.of_list(a, args)
            elif isinstance(a, np.ndarray):
                a = self.snapshot(base_array(a))
            elif type(a) not in PLAIN:
                a = self.snapshot.of_device(a)
            parents.append(-1)
            inner.append(a)
            constant = True
        try:
            try:
                z = self.evaluate(op, inner, params, nested)
            except TypeError:
                numbers = host_numbers(inner)
                if numbers is None:
                    raise
                z = self.evaluate(op, numbers, params, nested)
                inner = numbers
        except AdjointError:
            raise
        except (ValueError, TypeError, IndexError) as error:
            if op.foreign and not (mixed(list(map(innermost, inner))) and host_refused(error)):
                raise
            raise self._failure(op, parents, inner, params, error) from error
        constants = (
            tuple(None if p >= 0 else a for p, a in zip(parents, inner, strict=True)) if constant else None
        )
        code, offset = self.attribution or user_instruction()
        i = self._append(op, tuple(parents), constants, params or NO_PARAMS, z, code, offset)
        if op.results == 1:
            return Variable(self, i)
        item, whole = PRIMITIVES["item"], Variable(self, i)
        return tuple(self.apply(item, (whole,), {"k": k, "results": op.results}) for k in range(op.results))

    def evaluate(self, op: Primitive, inner: Sequence[Any], params: dict[str, Any], nested: bool) -> Any:
        """The value of a new node; recorded on an older tape when the operands are (`nested`)."""
        return op(*inner, **params) if nested else op.value(*inner, **params)

    def _append(
        self, op: Primitive | None, parents: tuple[int, ...], constants: tuple[Any, ...] | None,
        params: dict[str, Any], value: Any, code: CodeType | None, offset: int,
    ) -> int:  # fmt: skip
        """The one place where a node comes to be (operators repeat these lines inline, for speed)."""
        i = len(self.values)
        self.operations.append(op)
        self.parents.append(parents)
        self.constants.append(constants)
        self.params.append(params)
        self.values.append(value)
        self.codes.append(code)
        self.offsets.append(offset)
        return i

    # -------------------------------------------------------------------------------- reading
    def operands(self, i: int) -> list[Any]:
        """The operands' values of node i."""
        values, constants = self.values, self.constants[i]
        if constants is None:
            return [values[p] for p in self.parents[i]]
        return [values[p] if p >= 0 else c for p, c in zip(self.parents[i], constants, strict=True)]

    def needed(self, outputs: Iterable[int]) -> bytearray:
        """1 for every node that one of `outputs` depends on, itself included; 0 for the others."""
        found = bytearray(len(self))
        for i in outputs:
            found[i] = 1
        for i in range(len(self) - 1, -1, -1):
            if found[i]:
                for p in self.parents[i]:
                    if p >= 0:
                        found[p] = 1
        return found

    def origin(self, i: int) -> Origin:
        """The user's instruction that recorded node i."""
        return Origin(self.codes[i], self.offsets[i])

    def scope(self, i: int) -> str:
        """The path of the scope in which node i was recorded, `"encoder/layer2"`."""
        return self.scope_around(i)[2]

    def scope_around(self, i: int) -> tuple[int, int, str]:
        """The nodes from, up to but not including, that are in one scope with node i; and its path."""
        after = bisect_right(self.scopes, i, key=lambda mark: mark[0])
        end = self.scopes[after][0] if after < len(self.scopes) else len(self)
        return (self.scopes[after - 1][0], end, self.scopes[after - 1][1])

    def label(self, i: int) -> str:
        """A node in few words: its name, or its operation and number."""
        op = self.operations[i]
        return self.names.get(i) or f"{op.name if op is not None else self.roles[i]}#{i}"

    def set_name(self, i: int, name: str) -> str:
        """Name node i; a name that is taken becomes `name#2`, `name#3` and so on."""
        if not name or "#" in name:
            raise ValueError(_bad_name(name))
        if i in self.names:
            raise ValueError(f"this node is named {self.names[i]!r} already")
        count = self._named[name] = self._named.get(name, 0) + 1
        self.names[i] = name if count == 1 else f"{name}#{count}"
        return self.names[i]

    def mark_scope(self, path: str) -> None:
        """Nodes recorded from now on belong to this scope."""
        if self.scopes[-1][1] != path:
            if self.scopes[-1][0] == len(self):
                self.scopes.pop()
            if not self.scopes or self.scopes[-1][1] != path:
                self.scopes.append((len(self), path))

    def replay(self, changes: dict[int, Any]) -> Tape:
        """The same constraints solved again, with residuals: z_i = f_i(z_<i) + changes[i].

        Args:
            changes: node → residual, added to the node's value (an input's too).

        Returns:
            A closed tape that shares everything but the values.
        """
        other = Tape()
        for column in ("operations", "parents", "constants", "params", "codes", "offsets"):
            setattr(other, column, getattr(self, column))
        other.names, other._named = self.names, self._named
        other.roles, other.scopes = self.roles, self.scopes
        first = min(changes, default=len(self))  # nothing changes before it
        for i, op in enumerate(self.operations):
            z = self.values[i] if op is None or i <= first else op(*other.operands(i), **self.params[i])
            if i in changes:
                z = as_array(z + changes[i], dtype_of(innermost(z)))[()]
            other.values.append(z)
        return other

    # -------------------------------------------------------------------------------- refusing
    def describe(self, i: int, label: str) -> str:
        """An operand in words, for an error message."""
        name = f' "{self.names[i]}"' if i in self.names else ""
        return describe(innermost(self.values[i]), label, self.roles.get(i, "") + name)

    def where(self, i: int) -> str:
        """Where node i was recorded, for an error message: `train.py:41`."""
        return self.origin(i).place

    def refusal(self, op: Primitive, i: int) -> LeakError:
        """The error for a use of node i while this tape does not record."""
        code, offset = user_instruction()
        if self.owner is None:
            what = (
                f"{op.name} got a Variable of a tape that is closed: "
                "the computation it belonged to has finished"
            )
            remedy = (
                "Return the value from the function, read it with .value, "
                "or compute inside the `with tape:` block."
            )
        else:
            what = f"{op.name} got a Variable that another thread is recording"
            remedy = (
                "Give each thread its own tape (call ad.grad inside the thread), "
                "and pass plain arrays between threads."
            )
        made = [f"made at {self.where(i)} by {self.label(i)}:  {self.origin(i).source}"]
        origin, scope = Origin(code, offset), _scope.get()
        return LeakError(format_error(what, origin=origin, scope=scope, operands=made, remedy=remedy))

    def _failure(
        self,
        op: Primitive,
        parents: Sequence[int],
        inner: Sequence[Any],
        params: dict[str, Any],
        error: Exception,
    ) -> AdjointError:
        """The error for a primitive whose value could not be computed; the tape stays as it was."""
        code, offset = self.attribution or user_instruction()
        return self._explain(op, parents, inner, params, error, Origin(code, offset), _scope.get())

    def failure_at(
        self, i: int, error: Exception, prefix: str = "derivative of ", operands: Sequence[Any] | None = None
    ) -> AdjointError:
        """The error for node i that could not be computed: by default, its derivative in a sweep.

        `operands` where they are not on the tape: a trace has none, the program that it became has.
        """
        op = self.operations[i]
        assert op is not None
        operands = self.operands(i) if operands is None else operands
        origin, scope = self.origin(i), self.scope(i)
        return self._explain(op, self.parents[i], operands, self.params[i], error, origin, scope, prefix)

    def _explain(
        self,
        op: Primitive,
        parents: Sequence[int],
        operands: Sequence[Any],
        params: dict[str, Any],
        error: Exception,
        origin: Origin,
        scope: str,
        prefix: str = "",
    ) -> AdjointError:
        kind: type[AdjointError] = ShapeError
        if isinstance(error, np.linalg.LinAlgError):
            kind = DomainError
        elif isinstance(error, IndexError):
            kind = IndexingError
        elif isinstance(error, TypeError):
            kind = DTypeError
        plain = [innermost(a) for a in operands]
        described = [
            self.describe(p, f"x{k}") if p >= 0 else describe(a, f"x{k}", "constant")
            for k, (p, a) in enumerate(zip(parents, plain, strict=True))
        ]
        if mixed(plain):
            kind = DTypeError
            what, described, remedy = diagnose_mixed(op.name, described, plain)
        elif host_refused(error):
            what, remedy = diagnose_multiplier(op.name)
        else:
            what, remedy = op.diagnose(plain, params, error)
        return kind(
            format_error(prefix + what, origin=origin, scope=scope, operands=described, remedy=remedy)
        )


def _bad_name(name: str) -> str:
    return f"a name must be non-empty and free of '#', got {name!r}"


def open_tapes() -> tuple[Tape, ...]:
    """The tapes that record in this context, oldest first.

    A context copied from another thread brings that thread's tapes along: they are left out.
    """
    thread = get_ident()
    return tuple(tape for tape in _open_tapes.get() if tape.owner == thread)


def scope_path() -> str:
    """Path of the current scope, `"encoder/layer2"`; empty outside of any."""
    return _scope.get()


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Group what is recorded inside under a name; scopes nest to paths: `with ad.scope("encoder"): …`."""
    outer = _scope.get()
    path = f"{outer}/{name}" if outer else name
    token = _scope.set(path)
    tapes = open_tapes()
    for tape in tapes:
        tape.mark_scope(path)
    try:
        yield
    finally:
        _scope.reset(token)
        for tape in tapes:
            tape.mark_scope(outer)


def name(x: Any, label: str) -> Any:
    """Name a recorded value, so that its multiplier can be asked for: `h = ad.name(np.tanh(x @ W), "h")`.

    The name is prefixed with the current scope's path; a repeated name becomes `name#2`.
    Plain values pass through.
    """
    if isinstance(x, Recorded):
        path = _scope.get()
        full = f"{path}/{label}" if path else label
        if x.index in x.tape.names and x.tape.names[x.index] != full:
            x = PRIMITIVES["positive"](x)  # a second name needs a node of its own
        level = x
        while isinstance(level, Recorded):  # inside a nested transform the older tapes want the name too
            if level.index not in level.tape.names:  # (a leaf of a dict has its key as its name already)
                level.tape.set_name(level.index, full)
            level = level.tape.values[level.index]
    return x
