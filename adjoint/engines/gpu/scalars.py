"""Stretches of 0-d nodes as kernels of one thread: written out where they are short, else interpreted.

Written out, a stretch is one statement per node. A long one would take NVRTC minutes (and every length would
be a kernel of its own): it becomes a list of instructions in the device's memory, and the kernel a loop
around a switch with one case for every *kind* of node that the program uses, generated from the rows.

An instruction is four ints: its case and three operands. Values live in cells of eight bytes, each in its own
dtype; a result goes to the next cell, after the constants, which come first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...ops import elementwise as ew
from ...ops.abstract import result_dtype
from ..graph import Node
from ..regions import Scalars
from ..spec import ARITHMETIC, is_particular
from ..text import BOOL, F64
from ..views import view_of
from .kernel import Argument, Launch, Place, Scratch, Table
from .text import CUDA, Term, ctype, stored
from .writer import bare

NAME = "scalars"  # of these kernels
WRITTEN_OUT = 128  # nodes of a stretch that is written out, at most: NVRTC takes some ms for each
POINTERS = 192  # parameters of a kernel: beyond 4 KiB in all a launch is refused
ONE = (1, 1, 1)


def scalar_launches(group: Scalars, kept: set[Node]) -> list[Launch]:
    """The kernels of a stretch, one after the other.

    Args:
        group: the stretch.
        kept: nodes whose values are needed in memory.
    """
    stretch = _Stretch(group, kept)
    if len(group.nodes) <= WRITTEN_OUT and stretch.parameters() <= POINTERS:
        return [_written_out(stretch)]
    return _Interpreted(stretch).launches()


class _Stretch:
    """A stretch with its operands told apart: values of its own, what it reads, constants."""

    def __init__(self, group: Scalars, kept: set[Node]) -> None:
        self.group, self.nodes = group, group.nodes
        self.kept = kept
        self._origins: dict[Node, Node | Place] = {}

    def origin(self, a: Node) -> Node | Place:
        """The node of the stretch that an operand is, or where it lies in memory."""
        if a.group is self.group:
            return a
        found = self._origins.get(a)
        if found is None:
            v = view_of(a)
            found = self._origins[a] = v.root if v.root.group is self.group else Place(v.root, v.offset)
        return found

    def reads(self, node: Node) -> Iterator[Place]:
        """What a node needs from memory."""
        for a in node.args:
            if isinstance(a, Node) and isinstance(place := self.origin(a), Place):
                yield place

    def destination(self, node: Node) -> Place | None:
        """Where in memory a node's value belongs."""
        if node.target is not None:
            return Place(node.target.root, node.target.offset)
        return Place(node) if node in self.kept else None

    def parameters(self) -> int:
        """Of a kernel that is written out."""
        places = {place for node in self.nodes for place in self.reads(node)}
        stores = sum(self.destination(node) is not None for node in self.nodes)
        numbers = sum(is_setting(a, node) for node in self.nodes for a in node.args)
        return len(places) + stores + numbers


def is_setting(a: Any, node: Node) -> bool:
    """Whether a constant is a setting (a rate, a count), which the text does not depend on."""
    return not isinstance(a, Node) and node.op in ARITHMETIC and is_particular(a, node.dtype)


# -------------------------------------------------------------------------------- written out
def _written_out(stretch: _Stretch) -> Launch:
    """One statement per node."""
    parameters: list[str] = []
    arguments: list[Argument] = []
    loads: dict[Place, Term] = {}
    settings: dict[Any, Term] = {}
    values: dict[Node, Term] = {}
    head: list[str] = []
    body: list[str] = []
    tail: list[str] = []

    def pointer(place: Place, const: str) -> str:
        name = f"p{len(parameters)}"
        dtype = place.node.dtype
        parameters.append(f"{const}{stored(dtype)}* {name}")  # (results may lie in what is read)
        arguments.append(place)
        return name

    def read(a: Node) -> Term:
        origin = stretch.origin(a)
        if isinstance(origin, Node):
            return Term(values[origin].text, origin.dtype, python=a.weak)
        if origin not in loads:
            dtype = origin.node.dtype
            v = Term(f"x{len(loads)}", dtype)
            text = f"{pointer(origin, 'const ')}[0]{' != 0' if dtype == BOOL else ''}"
            head.append(f"const {ctype(dtype)} {v.text} = {text};")
            loads[origin] = v
        return Term(loads[origin].text, origin.node.dtype, python=a.weak)

    def setting(x: Any, dtype: np.dtype[Any]) -> Term:
        value = x if isinstance(x, np.generic) else dtype.type(x)
        key = (value.dtype, value.tobytes())
        if key not in settings:
            settings[key] = Term(f"c{len(parameters)}", value.dtype)
            parameters.append(f"const {ctype(value.dtype)} c{len(parameters)}")
            arguments.append(value)
        return settings[key]

    for node in stretch.nodes:
        operands = [
            read(a) if isinstance(a, Node)
            else setting(a, node.dtype) if is_setting(a, node) else a
            for a in node.args
        ]  # fmt: skip
        v = values[node] = Term(f"v{len(values)}", node.dtype)
        text = bare(CUDA.value(node.op, operands, node.dtype))
        body.append(f"const {ctype(node.dtype)} {v.text} = {text};")
        place = stretch.destination(node)
        if place is not None:
            tail.append(f"{pointer(place, '')}[0] = {v.text};")
    return Launch(_kernel(parameters, [*head, *body, *tail]), NAME, ONE, ONE, arguments)


def _kernel(parameters: Sequence[str], lines: Sequence[str]) -> str:
    """The text of a kernel of one thread."""
    head = f'extern "C" __global__ void __launch_bounds__(1) {NAME}('
    inside = [f"    {x}" if x and not x.startswith("#") else x for x in lines]
    return "\n".join([head, ",\n".join(f"    {p}" for p in parameters) + ")", "{", *inside, "}", ""])


# -------------------------------------------------------------------------------- interpreted
# `at` holds the pointers of this launch. A place in memory is a pointer's number and an offset in elements.
_LOOP = """\
char* const at[] = {{{pointers}}};
for (int k = 0; k < known; ++k) ((long long*)cells)[k] = constants[k];
for (long long n = 0; n < count; ++n) {{
    const int4 now = code[n];
    char* const z = cells + 8 * (first + n);
    switch (now.x) {{
{cases}
    }}
}}"""


class _Interpreted:
    """A stretch as instructions, in as many launches as its pointers need."""

    def __init__(self, stretch: _Stretch) -> None:
        self.stretch = stretch
        self.cases: dict[Any, tuple[int, str]] = {}  # the kind of an instruction → number and statement
        self.constants: dict[bytes, int] = {}  # bits → cell
        self._gather_constants()
        self.next = len(self.constants)  # the cell of the next result
        self.cells: dict[Node | Place, int] = {}
        self.pieces: list[tuple[list[int], dict[Place, int]]] = []  # of each launch: instructions, pointers
        self._begin()

    def _begin(self) -> None:
        self.code: list[int] = []
        self.pointers: dict[Place, int] = {}  # every 2³¹ elements of a buffer → number of the pointer
        self.pieces.append((self.code, self.pointers))

    def launches(self) -> list[Launch]:
        """All of them; the cells are one buffer."""
        stretch = self.stretch
        for node in stretch.nodes:
            place = stretch.destination(node)
            touched = {_pointer(p) for p in (*stretch.reads(node), *([place] if place else []))}
            if len(self.pointers) + sum(p not in self.pointers for p in touched) > POINTERS:
                self._begin()
            for read in stretch.reads(node):
                if read not in self.cells:
                    self._transfer("load", read)
            self._compute(node)
            if place is not None:
                self._transfer("store", place, self.cells[node])
        room = Scratch(8 * self.next)
        first = len(self.constants)
        launches: list[Launch] = []
        for code, pointers in self.pieces:
            launches.append(self._launch(code, list(pointers), first, room))
            first += len(code) // 4
        return launches

    # ---------------------------------------------------------------- instructions
    def _emit(self, key: Any, statement: str, *operands: int) -> int:
        """One instruction; the cell of its result."""
        case = self.cases.setdefault(key, (len(self.cases), statement))[0]
        self.code += (case, *operands, *(0,) * (3 - len(operands)))
        self.next += 1
        return self.next - 1

    def _transfer(self, way: str, place: Place, cell: int = 0) -> None:
        """From memory to a cell, or to memory; a store leaves its own cell unused."""
        pointer, dtype = _pointer(place), place.node.dtype
        number = self.pointers.setdefault(pointer, len(self.pointers))
        offset = place.offset - pointer.offset
        memory = f"(({stored(dtype)}*)at[now.y])[now.z]"
        if way == "load":
            self.cells[place] = self._emit((way, dtype), f"*({stored(dtype)}*)z = {memory};", number, offset)
        else:
            source = f"*({stored(dtype)}*)(cells + 8ll * now.w)"
            self._emit((way, dtype), f"{memory} = {source};", number, offset, cell)

    def _compute(self, node: Node) -> None:
        """A node, in the case of its kind: operation, dtypes, and the constants that the text has."""
        operands: list[Any] = []
        places: list[int] = []
        key: list[Any] = [node.op, node.dtype]
        for a in node.args:
            if not isinstance(a, Node) and not self._in_cell(node, a):
                operands.append(a)
                key.append((type(a).__name__, repr(a)))
                continue
            dtype, weak, cell = self._operand(node, a)
            text = f"*(const {stored(dtype)}*)(cells + 8ll * now.{'yzw'[len(places)]})"
            text = f"({text} != 0)" if dtype == BOOL else f"({text})"
            operands.append(Term(text, dtype, python=weak))
            places.append(cell)
            key.append((dtype, weak))
        text = f"*({stored(node.dtype)}*)z = {CUDA.value(node.op, operands, node.dtype)};"
        self.cells[node] = self._emit(tuple(key), text, *places)

    def _operand(self, node: Node, a: Any) -> tuple[np.dtype[Any], bool, int]:
        """Dtype of an operand in a cell, whether it is a Python number's value, and the cell."""
        if isinstance(a, Node):
            origin = self.stretch.origin(a)
            dtype = origin.dtype if isinstance(origin, Node) else origin.node.dtype
            return dtype, a.weak, self.cells[origin]
        value = self._constant(node, a)
        return value.dtype, False, self.constants[_bits(value)]

    # ---------------------------------------------------------------- constants
    @staticmethod
    def _in_cell(node: Node, a: Any) -> bool:
        """Whether a constant is data: not truth values, small whole numbers, exponents of products."""
        if isinstance(a, (bool, np.bool_)):
            return False
        small = abs(a) <= 4 and 2 * a == int(2 * a)
        return not (small and (isinstance(a, int) or node.op is ew.power))

    @staticmethod
    def _constant(node: Node, a: Any) -> np.generic:
        """A constant in the dtype in which it takes part."""
        if isinstance(a, np.generic):
            return a
        others = [np.dtype(b.dtype).type(1) for b in node.args if isinstance(b, Node) and not b.weak]
        dtype = result_dtype(a, *others) if others else node.dtype if node.dtype.kind == "f" else F64
        value: np.generic = dtype.type(a)
        return value

    def _gather_constants(self) -> None:
        for node in self.stretch.nodes:
            for a in node.args:
                if not isinstance(a, Node) and self._in_cell(node, a):
                    self.constants.setdefault(_bits(self._constant(node, a)), len(self.constants))

    # ---------------------------------------------------------------- kernels
    def _launch(self, code: Sequence[int], pointers: Sequence[Place], first: int, room: Scratch) -> Launch:
        """The kernel of one piece."""
        cases = [f"        case {number}: {statement} break;" for number, statement in self.cases.values()]
        text = _LOOP.format(
            pointers=", ".join(f"(char*)p{k}" for k in range(len(pointers))),
            cases="\n".join(cases),
        )
        parameters = [
            "const int4* code", "const long long count", "const long long first", "char* cells",
            "const long long* constants", "const int known", *(f"void* p{k}" for k in range(len(pointers))),
        ]  # fmt: skip
        known = np.frombuffer(b"".join(self.constants) or bytes(8), np.int64)
        arguments: list[Argument] = [
            Table(np.array(code, np.int32)), np.int64(len(code) // 4), np.int64(first), room, Table(known),
            np.int32(len(self.constants)), *pointers,
        ]  # fmt: skip
        return Launch(_kernel(parameters, text.split("\n")), NAME, ONE, ONE, arguments)


def _pointer(place: Place) -> Place:
    """The pointer from which an int reaches it."""
    return Place(place.node, place.offset >> 31 << 31)


def _bits(value: np.generic) -> bytes:
    """A number as the eight bytes of a cell."""
    return value.tobytes().ljust(8, b"\0")
