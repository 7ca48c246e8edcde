"""Tape, Variable and Lagrangian as a graph of constraints."""

from __future__ import annotations

import linecache
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import zip_longest
from types import CodeType
from typing import Any

import numpy as np

from ..errors import LeakError, Origin
from ..ops.abstract import Abstract
from ..ops.primitive import Primitive, Recorded, innermost, shape_of
from ..sweeps import Lagrangian
from ..sweeps.difference import Difference
from ..sweeps.pairing import length
from ..tape import Tape, Variable
from ..text import size_text
from .graph import Graph, Node, Numbers, Place, Scope
from .numbers import kind_text, numbers_of, sizes_text, text_of
from .rules import Uses

VIEWS = frozenset({"reshape", "broadcast_to", "astype", "item"})  # an edge can stand for these
DETAILED = 2000  # nodes up to which each array gets a histogram
DEEPEST = 64  # scopes within scopes; what is nested deeper is drawn at this depth


def of_tape(tape: Tape) -> Graph:
    """The graph of all nodes of a tape, without multipliers."""
    return _Reader(tape, range(len(tape))).read(f"tape of {len(tape)} nodes", "tape")


def of_variable(x: Variable) -> Graph:
    """The graph of what x depends on; with multipliers when x is a real scalar, which is then the loss.

    Its sweep is recorded on older tapes that are open, as any sweep is.
    """
    tape, plain = x.tape, innermost(x)
    below = [i for i, needed in enumerate(tape.needed([x.index])) if needed]
    if not isinstance(plain, (Abstract, tuple)) and x.size == 1 and x.dtype.kind == "f":
        return of_lagrangian(Lagrangian(tape, x), below)
    return _Reader(tape, below, output=x.index).read(f"{tape.label(x.index)}", "tape")


def of_lagrangian(lagrangian: Lagrangian, chosen: Sequence[int] | None = None) -> Graph:
    """The graph of a tape with λ of every constraint and what each edge contributes to it.

    Args:
        lagrangian: of plain values, or nested in another transform (then edges have no contributions).
        chosen: node numbers, ascending; by default those of the tape up to the loss.
    """
    tape, loss = lagrangian.tape, lagrangian.loss.index
    chosen = range(loss + 1) if chosen is None else chosen
    reader = _Reader(tape, chosen, lagrangian.lam, loss)
    value = float(np.reshape(innermost(lagrangian.loss), ())) if reader.has_values else None
    graph = reader.read(f"Lagrangian of {len(chosen)} constraints", "lagrangian")
    graph.lagrangian = lagrangian.mathml()
    if value is not None:
        graph.facts.insert(0, ("loss", text_of(value)))
    return graph


def of_difference(difference: Difference) -> Graph:
    """The graph of a changed program: in place of λ the share of every constraint in the change of the loss.

    Raises:
        LeakError: the difference was pickled, which leaves the program behind.
    """
    if difference.lagrangian is None:
        raise LeakError("this Difference has travelled without its program; draw it where it was made")
    graph = of_lagrangian(difference.lagrangian)
    graph.title, graph.subject, graph.heat = difference.words, "difference", "|Δℓ|"
    shares = {cause.node: cause.contribution for cause in difference.causes}
    total = sum(abs(x) for x in shares.values()) or 1.0
    for node in graph.nodes:
        share = shares.get(node.number)
        node.lam = None if share is None else Numbers(abs(share), share, share)
        node.note = "" if share is None else f"share {100 * abs(share) / total:.2g} %"
    p = difference.perturbation
    graph.facts += [("Δℓ measured", text_of(p.measured)), ("predicted", text_of(p.trapezoidal))]
    return graph


class Places:
    """The user's lines, each once. A code object's table of lines is read once: it is as long as the code."""

    def __init__(self) -> None:
        self.all: list[Place] = []
        self._known: dict[tuple[str, int], int] = {}
        self._codes: dict[CodeType, tuple[str, list[int | None]]] = {}
        self._places: dict[tuple[int, int], int] = {}  # by identity: the hash of a code object is slow

    def number(self, code: CodeType | None, offset: int) -> int:
        """The number of the line of an instruction; −1 when unknown."""
        if code is None:
            return -1
        number = self._places.get((id(code), offset))
        if number is None:
            number = self._places[id(code), offset] = self._line(code, offset)
        return number

    def _line(self, code: CodeType, offset: int) -> int:
        entry = self._codes.get(code)
        if entry is None:
            file = Origin(code, 0).place.rpartition(":")[0]
            entry = self._codes[code] = file, [position[0] for position in code.co_positions()]
        file, lines = entry
        line = (lines[offset // 2] if 0 <= offset // 2 < len(lines) else None) or code.co_firstlineno
        number = self._known.get((code.co_filename, line))
        if number is None:
            number = self._known[code.co_filename, line] = len(self.all)
            self.all.append(Place(file, line, linecache.getline(code.co_filename, line).strip()))
        return number


class Scopes:
    """Paths of scopes as a tree, each once."""

    def __init__(self) -> None:
        self.all = [Scope("", -1)]
        self._known: dict[tuple[int, str], int] = {}

    def number(self, path: str) -> int:
        """The number of the scope with a path."""
        at = 0
        for name in path.split("/")[:DEEPEST] if path else ():
            known = self._known.get((at, name))
            if known is None:
                known = self._known[at, name] = len(self.all)
                self.all.append(Scope(name, at))
            at = known
        return at

    def along(self, tape: Tape) -> Iterator[int]:
        """The scope of every node of a tape, in order."""
        ends = [first for first, _ in tape.scopes[1:]] + [len(tape)]
        for (first, path), end in zip(tape.scopes, ends, strict=True):
            number = self.number(path)
            for _ in range(first, end):
                yield number


class _Reader:
    """One reading of a tape; the tape is not kept."""

    def __init__(
        self, tape: Tape, chosen: Sequence[int], lam: Sequence[Any] | None = None, output: int = -1
    ) -> None:
        self.tape, self.chosen, self.lam, self.output = tape, chosen, lam, output
        self.histograms = len(chosen) <= DETAILED
        plain = innermost(tape.values[chosen[-1]]) if chosen else None
        self.has_values = not any(
            isinstance(p, Abstract) for p in (plain if type(plain) is tuple else (plain,))
        )
        self.kinds: dict[Any, str] = {}
        self.constants: dict[tuple[type, Any], str] = {}

    def read(self, title: str, subject: str) -> Graph:
        places, scopes = Places(), Scopes()
        graph = Graph(title, subject)
        tape, kept = self.tape, 0
        along = list(scopes.along(tape))
        for i in self.chosen:
            node = self.node(i)
            node.place = places.number(tape.codes[i], tape.offsets[i])
            node.scope = along[i]
            kept += node.bytes
            graph.nodes.append(node)
        graph.edges = self.edges()
        graph.rules = self.uses(graph).rules()
        graph.places, graph.scopes = places.all, scopes.all
        if self.has_values:
            graph.facts.append(("values kept:", size_text(kept)))
        return graph

    def uses(self, graph: Graph) -> Uses:
        """What rules the graph has."""
        tape, uses = self.tape, Uses()

        def known(i: int) -> list[Any]:
            pairs = zip_longest(tape.parents[i], tape.constants[i] or ())
            return [None if p >= 0 else c for p, c in pairs]

        for node in graph.nodes:
            op = tape.operations[node.number]
            if op is not None:
                uses.add(node, op, partial(known, node.number), tape.params[node.number])
        return uses

    def node(self, i: int) -> Node:
        tape = self.tape
        op, z, name = tape.operations[i], tape.values[i], tape.names.get(i, "")
        if isinstance(z, Recorded):
            z = innermost(z)
        if op is None:
            role = operation = formula = tape.roles[i]
        else:
            role = "output" if i == self.output else "operation"
            operation = op.name
            formula = operation if tape.constants[i] is None and not tape.params[i] else self.formula(i, op)
        node = Node(i, operation, role, formula, name, kind=self.kind(z), bytes=bytes_of(z))
        node.view = operation in VIEWS and not name and role == "operation"
        node.z = numbers_of(z, self.histograms)
        if self.lam is not None:
            lam = self.lam[i] if i < len(self.lam) else None
            node.connected = lam is not None
            node.lam = numbers_of(lam, self.histograms)
        return node

    def kind(self, z: Any) -> str:
        """Shape and dtype; the common ones are written once."""
        if type(z) is float:
            return "float"
        if type(z) is np.float64:
            return "float64"
        if type(z) is tuple:
            return ", ".join(self.kind(innermost(part)) for part in z)
        key = shape_of(z), getattr(z, "dtype", type(z))
        text = self.kinds.get(key)
        if text is None:
            shape, dtype = key
            word = dtype.__name__ if isinstance(dtype, type) else str(dtype)
            text = self.kinds[key] = kind_text(shape, word)
        return text

    def formula(self, i: int, op: Primitive) -> str:
        """`divide(·, 3)`: operands that are recorded are points; constants and parameters are written out."""
        tape = self.tape
        constants = zip(tape.parents[i], tape.constants[i] or (), strict=False)  # none: all are recorded
        operands = ["·" if p >= 0 else self.constant(c) for p, c in constants]
        operands += [f"{key}={text}" for key, x in tape.params[i].items() if (text := parameter_text(x))]
        return f"{op.name}({', '.join(operands)})" if operands else op.name

    def constant(self, c: Any) -> str:
        """A constant operand; the text of a number that occurs again is not made again."""
        if type(c) is not float and type(c) is not int:
            return constant_text(c)
        key = type(c), c  # 1 and 1.0 are equal
        text = self.constants.get(key)
        if text is None:
            text = self.constants[key] = constant_text(c)
        return text

    def edges(self) -> list[tuple[int, int, float | None]]:
        """All edges between the chosen nodes; with contributions, if there are multipliers and values."""
        tape, parents = self.tape, self.tape.parents
        if self.lam is None or not self.has_values or _is_nested(tape, self.chosen):
            return [(p, i, None) for i in self.chosen for p in dict.fromkeys(parents[i]) if p >= 0]
        edges: list[tuple[int, int, float | None]] = []
        table: list[Any] = [None] * len(tape)  # what one node adds, taken out again after each
        for i in self.chosen:
            op = tape.operations[i]
            if op is None:
                continue
            lam = self.lam[i] if i < len(self.lam) else None
            if lam is not None:
                op.pull(table, parents[i], tape.operands(i), tape.values[i], lam, tape.params[i])
            operands = parents[i]
            for p in operands if len(operands) == 1 else dict.fromkeys(operands):
                if p >= 0:
                    edges.append((p, i, length(table[p])))
                    table[p] = None
        return edges


def _is_nested(tape: Tape, chosen: Sequence[int]) -> bool:
    return any(isinstance(tape.values[i], Recorded) for i in chosen)


def bytes_of(z: Any) -> int:
    """Memory of a value; a view of another array's has none of its own."""
    if type(z) is float or type(z) is np.float64:
        return 8
    if type(z) is tuple:
        return sum(bytes_of(innermost(part)) for part in z)
    if isinstance(z, np.ndarray):
        return z.nbytes if z.base is None else 0
    return int(getattr(z, "nbytes", 0))


def constant_text(c: Any) -> str:
    """A constant operand: a number as it is, an array by its shape."""
    shape = np.shape(c)
    if shape:
        return f"[{sizes_text(shape)}]"
    if isinstance(c, (bool, np.bool_)):
        return str(bool(c))
    if np.asarray(c).dtype.kind in "iu":
        return f"{int(c)}".replace("-", "−")
    return text_of(float(c)) if np.asarray(c).dtype.kind == "f" else str(c)


def parameter_text(x: Any) -> str:
    """A parameter, when it is short enough to be read in a box."""
    if x is None or x is False or not isinstance(x, (bool, int, float, str, tuple, np.dtype)):
        return ""
    text = repr(x) if not isinstance(x, np.dtype) else str(x)
    return text if len(text) <= 16 and "array" not in text and "<" not in text else ""
