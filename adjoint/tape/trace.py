"""A tape without values: what `compile` records a program on."""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Sequence
from typing import Any

from ..errors import LeakError, refusal, user_instruction
from ..ops.abstract import Abstract, abstract_of
from ..ops.elementwise import positive
from ..ops.primitive import NO_PARAMS, Primitive, Recorded, shape_of
from .entries import Snapshots
from .tape import Tape
from .variable import Variable


class Trace(Tape):
    """A tape whose nodes know shape and dtype alone (`Abstract`).

    Composites are recorded as the simpler primitives they are made of (`Primitive.lower`). A transform
    inside the traced function opens an ordinary tape above this one; the values there are Variables of the
    trace, so its sweeps are recorded here, as everything else.
    """

    __slots__ = ()

    def __enter__(self) -> Trace:
        super().__enter__()
        self.snapshot = Snapshots(of_trace=True)
        return self

    def placeholder(self, value: Abstract, name: str = "") -> Variable:
        """An input of the program."""
        i = self._append(None, (), None, NO_PARAMS, value, None, 0)
        self.roles[i] = "input"
        if name:
            self.set_name(i, name.replace("#", "_"))
        return Variable(self, i)

    def constant(self, x: Any) -> Variable:
        """A plain number or array as a node, so that what is computed from it is recorded, not computed."""
        code, offset = self.attribution or user_instruction()
        i = self._append(positive, (-1,), (x,), NO_PARAMS, abstract_of(x), code, offset)
        return Variable(self, i)

    def apply(self, op: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Record one primitive, lowered if it is a composite."""
        if op.kinds:
            z = self._quickly(op, args)
            if z is not None:
                return z
        if op.lower is not None and all(shape_of(a) for a in args if isinstance(a, Recorded)):
            z = op.lower(*args, **params)
            if z is not NotImplemented:
                return z
        return super().apply(op, args, params)

    def _quickly(self, op: Primitive, args: Sequence[Any]) -> Any:
        """An elementwise primitive on nodes of this trace and Python numbers, whose kinds are known; or None.

        Most nodes of most traces pass here, or through the operators: `Tape.apply` takes three times as long.
        """
        parents, kinds, constant = [], [], False
        values = self.values
        for a in args:
            if isinstance(a, Recorded):
                if a.tape is not self:
                    return None
                parents.append(a.index)
                kinds.append(values[a.index].number)
            elif type(a) is float or type(a) is int:
                parents.append(-1)
                kinds.append(type(a))
                constant = True
            else:
                return None
        z = op.kinds.get(tuple(kinds))
        if z is None or self.owner != get_ident():
            return None
        constants = (
            tuple([None if p >= 0 else a for p, a in zip(parents, args, strict=True)]) if constant else None
        )
        code, offset = self.attribution or user_instruction()
        return Variable(self, self._append(op, tuple(parents), constants, NO_PARAMS, z, code, offset))

    def evaluate(self, op: Primitive, inner: Sequence[Any], params: dict[str, Any], nested: bool) -> Any:
        """Shape and dtype of the result."""
        if nested:
            raise _closure(op)
        return op.abstract(*inner, **params)


def lifted(x: Any, like: Any) -> Any:
    """A plain seed of a sweep, recorded on the trace below the Variable `like`; as it is without one."""
    trace = _trace_below(like)
    return x if trace is None else trace.constant(x)


def is_traced(x: Any) -> bool:
    """Whether x is recorded, at any level, on a trace."""
    return _trace_below(x) is not None


def _trace_below(x: Any) -> Trace | None:
    while isinstance(x, Recorded):
        if isinstance(x.tape, Trace):
            return x.tape
        x = x.tape.values[x.index]
    return None


def _closure(op: Primitive) -> LeakError:
    what = f"{op.name}: a compiled function uses a recorded value that is not among its arguments"
    return refusal(LeakError, what, "Pass it as an argument, or compile the whole transform.")
