"""The multipliers of one adjoint sweep as an object of their own: by node, by name, by scope, as a table."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import TreeError, UnknownNameError
from ..ops.primitive import Recorded, innermost, parts, shape_of, zeros_like
from ..tape import Tape
from ..text import number, table
from .pairing import length


@dataclass(frozen=True)
class Multiplier:
    """λ of one constraint.

    Attributes:
        node: the node's number on the tape.
        label: its name, or operation and number.
        name: its name, empty if it has none.
        operation: the primitive's name; "input" or "parameter" for an input.
        scope: path of the scope it was recorded in.
        place: the user's file and line.
        value: λ, in the shape and dtype of z; zeros where the loss does not depend on z.
        connected: whether the loss depends on z.
    """

    node: int
    label: str
    name: str
    operation: str
    scope: str
    place: str = field(compare=False)  # the same program called from another line
    value: Any
    connected: bool

    def __repr__(self) -> str:
        return (
            f"<Multiplier {self.label}: {self.operation} {shape_of(self.value)}, ‖λ‖ = {number(self.norm)}>"
        )

    @property
    def norm(self) -> float:
        """The Euclidean norm ‖λ‖."""
        return length(self.value)


class Multipliers:
    """λ of the constraints of a program. Holds arrays and texts, no tape; it can be pickled.

    `m["h"]` is the array of the node named h, a list when the name was given several times; `m["h#2"]` is the
    second. A name given inside a scope is `"layer1/h"`; the bare `"h"` finds those of all scopes unless there
    is one outside. `m[3]` is that of node 3, `m[z]` that of a Variable.
    """

    def __init__(self, entries: list[Multiplier], serial: int = 0) -> None:
        self._entries = entries
        self._serial = serial  # of the tape, so that another tape's Variable is not taken for a node number
        self._by_node = {e.node: e for e in entries}
        self._by_name: dict[str, list[Multiplier]] = {}
        for e in entries:
            for name in {e.name, e.name.partition("#")[0]} - {""}:
                self._by_name.setdefault(name, []).append(e)

    @classmethod
    def from_sweep(cls, tape: Tape, lam: list[Any]) -> Multipliers:
        """Label the result of an adjoint sweep."""
        entries = []
        for i, op in enumerate(tape.operations):
            value = lam[i] if i < len(lam) else None
            z = tape.values[i]
            shown = _read_only(_filled(value, z))
            kind = op.name if op is not None else tape.roles[i]
            place = tape.where(i) if tape.codes[i] is not None else ""
            name = tape.names.get(i, "")
            entries.append(
                Multiplier(i, tape.label(i), name, kind, tape.scope(i), place, shown, value is not None)
            )
        return cls(entries, tape.serial)

    def tree_flatten(self) -> tuple[list[Any], tuple[Multiplier, ...]]:
        """The values, and the entries without: a container, so that compiled functions return it."""
        return [e.value for e in self._entries], tuple(replace(e, value=None) for e in self._entries)

    @classmethod
    def tree_unflatten(cls, rest: tuple[Multiplier, ...], values: list[Any]) -> Multipliers:
        """The same entries with other values; they belong to no tape, so a Variable finds nothing there."""
        return cls([replace(e, value=value) for e, value in zip(rest, values, strict=True)])

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Multiplier]:
        return iter(self._entries)

    def entries(self, key: Any) -> list[Multiplier]:
        """Everything known about the constraints behind a name, a node number or a Variable.

        Raises:
            UnknownNameError: there is none; the message lists the names.
        """
        if isinstance(key, Recorded):
            if key.tape.serial != self._serial:
                raise TreeError("this Variable is recorded on another tape; its multipliers are others")
            key = key.index
        if isinstance(key, (int, np.integer)):
            found = [self._by_node[int(key)]] if int(key) in self._by_node else []
        else:
            first = key.removesuffix("#1")  # the first of a repeated name bears no number itself
            found = self._by_name.get(first, []) or [
                e for e in self._entries if _without_scope(e.name) == key
            ]
            found = found[:1] if first != key else found
        if not found:
            names = f"names: {', '.join(self.names)}" if self.names else "h = ad.name(h, 'h') names a value"
            raise UnknownNameError(
                f"no multiplier {key!r}; {names}\n"
                "  A value that does not depend on what is differentiated is no constraint and has none."
            )
        return found

    def __getitem__(self, key: Any) -> Any:
        found = self.entries(key)
        return found[0].value if len(found) == 1 else [e.value for e in found]

    def __contains__(self, key: Any) -> bool:
        try:
            return bool(self.entries(key))
        except KeyError:
            return False

    @property
    def names(self) -> list[str]:
        """All names, in the order of the program."""
        return [e.name for e in self._entries if e.name]

    @property
    def disconnected(self) -> list[str]:
        """Inputs and parameters on which the loss does not depend: their multiplier is exactly zero."""
        return [e.label for e in self._entries if e.operation in ("input", "parameter") and not e.connected]

    def scope(self, path: str) -> Multipliers:
        """Those recorded in a scope and the scopes below it."""
        return self._chosen(e for e in self._entries if f"{e.scope}/".startswith(f"{path}/"))

    def named(self) -> Multipliers:
        """Those with a name."""
        return self._chosen(e for e in self._entries if e.name)

    def _chosen(self, entries: Iterable[Multiplier]) -> Multipliers:
        return Multipliers(list(entries), self._serial)

    def keep(self, nodes: Iterable[int]) -> Multipliers:
        """Those of the given nodes."""
        chosen = set(nodes)
        return self._chosen(e for e in self._entries if e.node in chosen)

    def norms(self) -> dict[str, float]:
        """‖λ‖ by label, in the order of the program."""
        return {e.label: e.norm for e in self._entries}

    def stationarity(self) -> float:
        """‖∂L/∂W‖ over all parameters: zero only where W is optimal."""
        return float(np.sqrt(sum(e.norm**2 for e in self._entries if e.operation == "parameter")))

    def nan_origin(self) -> Multiplier | None:
        """The constraint where the sweep, from last to first, first met a λ that is not finite, or None."""
        for e in reversed(self._entries):
            if not all(np.all(np.isfinite(innermost(p))) for p in parts(e.value)):
                return e
        return None

    def table(self, limit: int = 40) -> str:
        """A table of the named constraints (of all, when none has a name), in the order of the program.

        Args:
            limit: rows at most; what is left out is said in the last line.
        """
        chosen = [e for e in self._entries if e.name] or self._entries
        rows = []
        for e in chosen[:limit]:
            norm = number(e.norm) if e.connected else "0 (disconnected)"
            rms = number(e.norm / max(1, sum(np.size(innermost(p)) for p in parts(e.value))) ** 0.5)
            shape = " ".join(str(shape_of(p)).replace(" ", "") for p in parts(e.value))
            rows.append([e.label, e.operation, shape, norm, rms, os.path.basename(e.place)])
        text = table(["constraint", "operation", "shape", "‖λ‖", "rms λ", "recorded at"], rows, right=(3, 4))
        return text + (f"\n… and {len(chosen) - limit} more" if len(chosen) > limit else "")

    def __repr__(self) -> str:
        return self.table()


def _read_only(value: Any) -> Any:
    """A view that cannot be written to: one sweep may leave the same array on several constraints."""
    if isinstance(value, tuple):
        return tuple(_read_only(part) for part in value)
    if isinstance(value, np.ndarray):
        value = value.view()
        value.flags.writeable = False
    return value


def _without_scope(name: str) -> str:
    return name.rpartition("/")[2].partition("#")[0]


def _filled(value: Any, z: Any) -> Any:
    """λ with its structural zeros (None) written out in z's shapes and dtypes."""
    if isinstance(z, tuple):
        return tuple(_filled(lam, part) for lam, part in zip(value or (None,) * len(z), z, strict=True))
    return zeros_like(z) if value is None else value
