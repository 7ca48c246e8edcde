"""A program as a graph: equal nodes merged, numbers folded, the rules applied that it is given.

A node is one primitive on operands that are nodes or Python/NumPy scalars. Equal nodes are one object (they
are built through a table), so a value computed by the primal and again by its adjoint exists once. Which
nodes are put in a simpler form is for the rules to say (`rewriting`); `building` fills a graph from a trace.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..ops import broadcast as bc
from ..ops import elementwise as ew
from ..ops import index as ix
from ..ops import shape as sh
from ..ops.abstract import Abstract, broadcast_shape
from ..ops.device import on_host
from ..ops.elementwise import Elementwise
from ..ops.primitive import NO_PARAMS, Primitive, dtype_of
from ..tape.entries import same_bits

Shape = tuple[int, ...]
SEVERAL = Abstract((), np.dtype(object))
Rule = Callable[..., Any]
NO_RULES: dict[Primitive, Rule] = {}
SMALL_BYTES = 4096  # constants up to this size are told apart by content, and folded


class Node:
    """One value of the compiled program."""

    __slots__ = (
        "args", "constant", "dtype", "group", "kind", "number", "op", "params", "shape", "share", "size",
        "source", "target", "view", "weak",
    )  # fmt: skip

    def __init__(
        self, op: Primitive | None, args: tuple[Any, ...], params: dict[str, Any], kind: Any
    ) -> None:
        self.op, self.args, self.params = op, args, params
        if type(kind) is tuple:  # the results of a primitive that has several are its items
            kind = SEVERAL
        self.kind: Abstract = kind
        self.shape: Shape = kind.shape
        self.dtype: np.dtype[Any] = kind.dtype
        self.weak: bool = kind.weak
        self.size: int = math.prod(kind.shape)  # number of elements
        self.constant: np.ndarray | None = None
        self.number = self.source = -1
        self.view: Any = None  # set by `views.view_of`
        self.group: Any = None  # set by the planner
        self.share: Any = None  # an input whose array, donated, this is written into
        self.target: Any = None  # a View of another node's buffer that this one is written into

    def __repr__(self) -> str:
        name = self.op.name if self.op else "constant" if self.constant is not None else "input"
        return f"%{self.number} {name} {self.dtype}{list(self.shape)}"


NATIVE = frozenset({np.dtype(c) for c in "?bhilqBHILQfd"})  # what kernels hold; the rest is left to NumPy


def foreign_kinds(node: Node) -> list[np.dtype[Any]]:
    """The dtypes of a node and its operands that kernels do not hold; several results are one object."""
    return [k for k in map(dtype_of, (node, *node.args)) if k not in NATIVE and not k.hasobject]


def is_native(node: Node) -> bool:
    """Whether kernels hold numbers of the node's dtype and of its operands'."""
    if node.dtype not in NATIVE:
        return False
    for a in node.args:
        if type(a) is Node:
            if a.dtype not in NATIVE:
                return False
        elif type(a) is not float and dtype_of(a) not in NATIVE:
            return False
    return True


class Restrided(Primitive):
    """A view of a constant, by offset and strides in elements."""

    name = "restrided"

    def abstract(self, x: Any, offset: int, strides: tuple[int, ...], shape: Shape) -> Abstract:
        return Abstract(shape, x.dtype)


restrided = Restrided()


FOLDED = frozenset({bc.reshape, sh.transpose, ix.getitem, bc.astype, sh.concatenate})  # of small constants


class Graph:
    """Nodes in topological order, the inputs first; what is to be computed; what has to hold.

    Args:
        inputs: shapes and dtypes.
        rules: by primitive, what puts it in a simpler form: of the graph, the operands, the parameters, and
            the shape and dtype of the result, a node or a number; None where there is none. Rows get there
            when neither numbers alone nor broadcasts are among the operands.
    """

    def __init__(self, inputs: Sequence[Abstract], rules: Mapping[Primitive, Rule] = NO_RULES) -> None:
        self.rules = rules
        self.nodes: list[Node] = []
        self.known: dict[Any, Node] = {}
        self._large: dict[Any, list[Any]] = {}  # large constants by shape and dtype
        self.checks: list[tuple[Node, int, str]] = []  # (0 if all is well, node of the trace, complaint)
        self.outputs: list[Node] = []
        self.source = -1  # the trace's node being rewritten
        self.inputs = [self.enter(Node(None, (), NO_PARAMS, kind)) for kind in inputs]

    def enter(self, node: Node) -> Node:
        """Put a node at the end, whether or not there is an equal one."""
        node.number, node.source = len(self.nodes), self.source
        self.nodes.append(node)
        return node

    # -------------------------------------------------------------------------------- building
    def constant(self, x: Any) -> Any:
        """A constant operand: scalars as they are, arrays as nodes."""
        x = on_host(x)  # of a device: programs keep a copy of their own, wherever they run
        if not isinstance(x, np.ndarray):
            return x
        if x.ndim == 0:
            return x[()]
        if x.size and _is_uniform(x):
            return self.call(bc.broadcast_to, x.flat[0], shape=x.shape)
        owner = x.base
        if isinstance(owner, np.ndarray) and owner.flags.c_contiguous and owner.dtype == x.dtype and x.size:
            return self._view_of_constant(x, owner)
        key = ("array", x.dtype, x.shape, x.tobytes() if x.nbytes <= SMALL_BYTES else id(x))
        node = self.known.get(key)
        if node is None:
            alike = self._large.setdefault((x.shape, x.dtype), [])
            node = next((n for n in alike if same_bits(n.constant, x)), None)
            if node is None:
                node = self.enter(Node(None, (), NO_PARAMS, Abstract(x.shape, x.dtype)))
                node.constant = np.ascontiguousarray(x)
                if x.nbytes > SMALL_BYTES:
                    alike.append(node)
            self.known[key] = node
        return node

    def _view_of_constant(self, x: np.ndarray, owner: np.ndarray) -> Any:
        """A view of a constant is a view here too: X and X.T are one array."""
        base = self.constant(owner)
        address = x.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
        if not isinstance(base, Node) or base.constant is None or not 0 <= address < owner.nbytes:
            return self.constant(x.copy())
        offset, strides = address // x.itemsize, tuple([s // x.itemsize for s in x.strides])
        return self.call(restrided, base, offset=offset, strides=strides, shape=x.shape)

    def call(self, op: Primitive, *args: Any, **params: Any) -> Any:
        """A primitive on nodes and scalars; shape and dtype follow from the operands."""
        kinds = [a.kind if isinstance(a, Node) else a for a in args]
        return self.make(op, args, params or NO_PARAMS, op.abstract(*kinds, **params))

    def make(self, op: Primitive, args: Sequence[Any], params: dict[str, Any], kind: Any) -> Any:
        """The node for a primitive, simplified; or the number it is known to be."""
        if isinstance(op, Elementwise):
            found = self.simplified(op, args, kind)
        elif op in FOLDED and all(_is_small(a) for a in args) and any(isinstance(a, Node) for a in args):
            plain = [a.constant if isinstance(a, Node) else a for a in args]
            return self.constant(np.asarray(op.value(*plain, **params)))
        else:
            rule = self.rules.get(op)
            found = None if rule is None else rule(self, args, params, kind)
        return self.node(op, args, params, kind) if found is None else found

    def simplified(self, op: Elementwise, args: Sequence[Any], kind: Abstract) -> Any:
        """A row in a simpler form, or None: numbers are folded, broadcasts are left to the reader."""
        numbers = broadcasts = 0
        for a in args:
            if type(a) is not Node:
                numbers += 1
            elif a.op is bc.broadcast_to:
                broadcasts += 1
        if op is ew.barrier:
            return None
        if broadcasts or numbers == len(args):
            return self._of_fewer(op, args, kind)
        rule = self.rules.get(op)
        return None if rule is None else rule(self, args, NO_PARAMS, kind)

    def _of_fewer(self, op: Elementwise, args: Sequence[Any], kind: Abstract) -> Any:
        """The same of numbers, which is a number, or before it is repeated."""
        plain = [a.args[0] if type(a) is Node and a.op is bc.broadcast_to else a for a in args]
        whole = {"shape": kind.shape}
        if not any(type(a) is Node for a in plain):
            with np.errstate(all="ignore"):
                value = op.value(*plain)
            value = value if kind.weak else np.asarray(value).astype(kind.dtype)[()]
            return value if kind.shape == () else self.node(bc.broadcast_to, (value,), whole, kind)
        shape = broadcast_shape([getattr(a, "shape", ()) for a in plain])
        small = self.make(op, plain, NO_PARAMS, Abstract(shape, kind.dtype, kind.weak))
        return small if shape == kind.shape else self.make(bc.broadcast_to, (small,), whole, kind)

    def node(self, op: Primitive, args: Sequence[Any], params: dict[str, Any], kind: Any) -> Node:
        """The node itself; an equal one if there is one already (barriers are never equal)."""
        key: Any = tuple([a if type(a) is Node else scalar_key(a) for a in args])
        key = (op, key, _frozen(params)) if params else (op, *key)
        known = self.known.get(key)
        if known is not None and op is not ew.barrier:
            return known
        node = self.known[key] = Node(op, tuple(args), params, kind)
        node.number, node.source = len(self.nodes), self.source  # as `enter` does
        self.nodes.append(node)
        return node

    def array(self, x: Any, dtype: np.dtype[Any]) -> Node:
        """A number as an array of no axes; a node as it is."""
        return (
            x if isinstance(x, Node) else self.node(bc.broadcast_to, (x,), {"shape": ()}, Abstract((), dtype))
        )

    def check(self, fails: Any, complaint: str) -> None:
        """Let the program raise when any element of `fails` is true."""
        count = self.call(bc.sum_, fails, axis=tuple(range(len(fails.shape))), keepdims=False)
        self.checks.append((count, self.source, complaint))


def _is_small(x: Any) -> bool:
    return not isinstance(x, Node) or (x.constant is not None and x.constant.nbytes <= SMALL_BYTES)


def same_kind(x: Any, kind: Abstract) -> bool:
    """Whether x is a node of this shape and dtype."""
    return isinstance(x, Node) and x.shape == kind.shape and x.dtype == kind.dtype


def _is_uniform(x: np.ndarray) -> bool:
    """Whether all elements are one number (not NaN); cheap for most arrays that are not."""
    first = x.flat[0]
    if not any(x.strides):
        return bool(first == first)
    corners = (x.flat[x.size - 1], x.flat[x.size // 2], x.flat[x.size // 3])
    return bool(all(first == c for c in corners) and (x == first).all() and (first or not has_sign(x)))


def has_sign(x: Any) -> bool:
    """Whether a sign bit is set, as in −0; of complex numbers, in either part."""
    return bool(np.signbit(np.real(x)).any() or (np.iscomplexobj(x) and np.signbit(np.imag(x)).any()))


def scalar_key(x: Any) -> Any:
    """Equal only for the same number of the same kind: 0 is not −0, 1 is not 1.0."""
    return (type(x), x) if x else (type(x), str(x))


def _frozen(params: dict[str, Any]) -> Any:
    return tuple([(k, _frozen_value(v)) for k, v in sorted(params.items())])


def _frozen_value(v: Any) -> Any:
    if type(v) is slice:
        return ("slice", v.start, v.stop, v.step)
    if isinstance(v, (tuple, list)):
        return tuple([_frozen_value(x) for x in v])
    try:
        hash(v)
    except TypeError:
        return ("object", id(v))
    return v
