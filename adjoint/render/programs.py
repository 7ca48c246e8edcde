"""Compiled functions as graphs: what is computed, with an outline around what runs as one kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..engines.graph import Node as Value
from ..errors import TraceError
from ..text import size_text
from .graph import Graph, Node, Scope
from .numbers import kind_text, sizes_text
from .rules import Uses
from .tapes import Places, constant_text, parameter_text

LIBRARIES = {"numpy": "by NumPy", "cupy": "by cupy"}


def of_compiled(compiled: Any) -> Graph:
    """The graph of the program that a compiled function ran last.

    Raises:
        TraceError: it was not called yet, so that there is no program.
    """
    programs = list(compiled._programs.values())
    if not programs:
        raise TraceError(
            "this function is not compiled yet: its program depends on shapes\n  Call it once, then draw it."
        )
    executable = compiled._last if compiled._last is not None else programs[-1]
    reader = _Reader(executable)
    title = f"compiled {getattr(compiled._f, '__name__', 'function')}: {len(list(executable.lines()))} steps"
    graph = Graph(title, "compiled", reader.nodes, reader.edges, reader.scopes, reader.places.all)
    graph.rules = reader.uses.rules()
    graph.facts = [("memory between steps:", size_text(executable.between))]
    if len(programs) > 1:
        graph.facts.append(("", f"one of {len(programs)} programs"))
    return graph


class _Reader:
    """Numbers for the plan's values, arguments first and operands before what is computed of them."""

    def __init__(self, executable: Any) -> None:
        self.trace, graph = executable.trace, executable.graph
        self.nodes: list[Node] = []
        self.edges: list[tuple[int, int, float | None]] = []
        self.scopes = [Scope("", -1)]
        self.places = Places()
        self.outputs = set(map(id, graph.outputs))
        self.uses = Uses()
        self.known: dict[int, int] = {}  # id of a value → its number; the plan keeps them alive
        names = self.trace.names
        arguments = [i for i, role in self.trace.roles.items() if role == "input"]
        for k, value in enumerate(graph.inputs):
            self._add(value, 0, names.get(arguments[k], "") if k < len(arguments) else "")
        for line, values, _ in executable.lines():
            space = sizes_text(line.space) or "1"
            note = f"{space} · {line.kernel[:10] or LIBRARIES[line.kind]}"
            self.scopes.append(Scope(line.kind, 0, "kernel", note))
            inside = len(self.scopes) - 1
            for value in values:
                self._reach(value, inside)

    def _reach(self, value: Value, scope: int) -> None:
        """A value after its operands, which may be views and constants that no step computes."""
        stack = [(value, scope)]
        while stack:
            top, where = stack[-1]
            if id(top) in self.known:
                stack.pop()
                continue
            missing = [x for x in _operands(top) if id(x) not in self.known]
            if missing:
                stack += [(x, 0) for x in missing]
            else:
                stack.pop()
                self._add(top, where)

    def _add(self, value: Value, scope: int, name: str = "") -> None:
        number = self.known[id(value)] = len(self.nodes)
        source = value.source
        op = value.op
        operation = op.name if op is not None else "constant" if value.constant is not None else "argument"
        role = "input" if op is None else "output" if id(value) in self.outputs else "operation"
        node = Node(number, operation, role, self._formula(value, operation), name, scope)
        node.kind = kind_text(value.shape, value.dtype)
        if source >= 0:
            node.place = self.places.number(self.trace.codes[source], self.trace.offsets[source])
        operands = list(_operands(value))
        node.view = scope == 0 and len(operands) == 1 and role == "operation"
        self.nodes.append(node)
        if op is not None:
            known = [None if isinstance(x, Value) else x for x in value.args]
            self.uses.add(node, op, lambda: known, value.params)
        self.edges += [(p, number, None) for p in dict.fromkeys(self.known[id(x)] for x in operands)]

    def _formula(self, value: Value, operation: str) -> str:
        shown = ["·" if isinstance(x, Value) else constant_text(x) for x in value.args]
        if all(text == "·" for text in shown):
            shown = []
        shown += [f"{key}={text}" for key, x in value.params.items() if (text := parameter_text(x))]
        return f"{operation}({', '.join(shown)})" if shown else operation


def _operands(value: Value) -> Iterator[Value]:
    return (x for x in value.args if isinstance(x, Value))
