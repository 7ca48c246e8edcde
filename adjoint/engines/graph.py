"""The traced program as a graph: dead nodes dropped, equal ones merged, algebra that costs nothing applied.

A node is one primitive on operands that are nodes or Python/NumPy scalars. Equal nodes are one object (they
are built through a table), so a value computed by the primal and again by its adjoint exists once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ops import broadcast as bc
from ..ops import elementwise as ew
from ..ops import index as ix
from ..ops import reduce as rd
from ..ops import shape as sh
from ..ops.abstract import Abstract, broadcast_shape
from ..ops.device import on_host
from ..ops.elementwise import Elementwise
from ..ops.primitive import NO_PARAMS, Primitive, Recorded, dtype_of
from ..ops.products import matmul
from ..tape.entries import same_bits
from ..tape.trace import Trace

Shape = tuple[int, ...]
SEVERAL = Abstract((), np.dtype(object))
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


class Assemble(Primitive):
    """z = zeros; z[template] = piece for every piece, none overlapping: joined, padded, scattered."""

    name = "assemble"

    def value(self, *pieces: Any, templates: tuple[Any, ...], shape: Shape, dtype: np.dtype[Any]) -> Any:
        z = np.zeros(shape, dtype)
        for piece, template in zip(pieces, templates, strict=True):
            z[template] = piece
        return z


assemble = Assemble()


class Restrided(Primitive):
    """A view of a constant, by offset and strides in elements."""

    name = "restrided"

    def abstract(self, x: Any, offset: int, strides: tuple[int, ...], shape: Shape) -> Abstract:
        return Abstract(shape, x.dtype)


restrided = Restrided()


class Graph:
    """Nodes in topological order, the inputs first; what is to be computed; what has to hold."""

    def __init__(self, inputs: Sequence[Abstract]) -> None:
        self.nodes: list[Node] = []
        self.known: dict[Any, Node] = {}
        self._large: dict[Any, list[Any]] = {}  # large constants by shape and dtype
        self.checks: list[tuple[Node, int, str]] = []  # (0 if all is well, node of the trace, complaint)
        self.outputs: list[Node] = []
        self.source = -1  # the trace's node being rewritten
        self.inputs = [self._enter(Node(None, (), NO_PARAMS, kind)) for kind in inputs]

    def _enter(self, node: Node) -> Node:
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
                node = self._enter(Node(None, (), NO_PARAMS, Abstract(x.shape, x.dtype)))
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
        rewrite = REWRITES.get(op)
        if rewrite is not None:
            if op in FOLDED and all(_is_small(a) for a in args) and any(isinstance(a, Node) for a in args):
                plain = [a.constant if isinstance(a, Node) else a for a in args]
                return self.constant(np.asarray(op.value(*plain, **params)))
            found = rewrite(self, args, params, kind)
        else:
            found = _elementwise(self, op, args, kind) if isinstance(op, Elementwise) else None
        return self.node(op, args, params, kind) if found is None else found

    def node(self, op: Primitive, args: Sequence[Any], params: dict[str, Any], kind: Any) -> Node:
        """The node itself; an equal one if there is one already (barriers are never equal)."""
        key: Any = tuple([a if type(a) is Node else scalar_key(a) for a in args])
        key = (op, key, _frozen(params)) if params else (op, *key)
        known = self.known.get(key)
        if known is not None and op is not ew.barrier:
            return known
        node = self.known[key] = Node(op, tuple(args), params, kind)
        node.number, node.source = len(self.nodes), self.source  # as `_enter` does
        self.nodes.append(node)
        return node

    def check(self, fails: Any, complaint: str) -> None:
        """Let the program raise when any element of `fails` is true."""
        count = self.call(bc.sum_, fails, axis=tuple(range(len(fails.shape))), keepdims=False)
        self.checks.append((count, self.source, complaint))


def _is_small(x: Any) -> bool:
    return not isinstance(x, Node) or (x.constant is not None and x.constant.nbytes <= SMALL_BYTES)


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


# -------------------------------------------------------------------------------- rewriting
def _same_kind(x: Any, kind: Abstract) -> bool:
    return isinstance(x, Node) and x.shape == kind.shape and x.dtype == kind.dtype


def _elementwise(g: Graph, op: Elementwise, args: Sequence[Any], kind: Abstract) -> Any:
    """Constants are folded; broadcasts are left to the reader; ±1 and double signs vanish."""
    numbers = broadcasts = 0
    for a in args:
        if type(a) is not Node:
            numbers += 1
        elif a.op is bc.broadcast_to:
            broadcasts += 1
    if op is ew.barrier:
        return None
    if broadcasts or numbers == len(args):
        return _of_fewer(g, op, args, kind)
    algebra = ALGEBRA.get(op)
    return None if algebra is None else algebra(g, args, kind)


def _of_fewer(g: Graph, op: Elementwise, args: Sequence[Any], kind: Abstract) -> Any:
    """The same of numbers, which is a number, or before it is repeated."""
    plain = [a.args[0] if type(a) is Node and a.op is bc.broadcast_to else a for a in args]
    if not any(type(a) is Node for a in plain):
        with np.errstate(all="ignore"):
            value = op.value(*plain)
        value = value if kind.weak else np.asarray(value).astype(kind.dtype)[()]
        return value if kind.shape == () else g.node(bc.broadcast_to, (value,), {"shape": kind.shape}, kind)
    shape = broadcast_shape([getattr(a, "shape", ()) for a in plain])
    small = g.make(op, plain, NO_PARAMS, Abstract(shape, kind.dtype, kind.weak))
    return small if shape == kind.shape else g.make(bc.broadcast_to, (small,), {"shape": kind.shape}, kind)


def _product(g: Graph, args: Sequence[Any], kind: Abstract) -> Any:
    for a, b in (args, args[::-1]):
        if type(a) is not Node and _same_kind(b, kind):
            if a == 1:
                return b
            if a == -1:
                return g.make(ew.negative, (b,), NO_PARAMS, kind)
    return None


def _total(g: Graph, args: Sequence[Any], kind: Abstract) -> Any:
    a, b = args
    joined = type(a) is type(b) is Node and a.op is b.op is assemble
    return _united(g, a, b, kind) if joined and _same_kind(a, kind) and _same_kind(b, kind) else None


def _quotient(g: Graph, args: Sequence[Any], kind: Abstract) -> Any:
    x, y = args
    if type(y) is Node or not _same_kind(x, kind):
        return None
    if y == 1:
        return x
    if kind.dtype.kind == "f" and y and math.frexp(y)[0] in (0.5, -0.5):  # exact
        return g.make(ew.multiply, (x, kind.dtype.type(1 / y)), NO_PARAMS, kind)
    return None


def _same(g: Graph, args: Sequence[Any], kind: Abstract) -> Any:
    return args[0] if _same_kind(args[0], kind) else None


def _opposite(g: Graph, args: Sequence[Any], kind: Abstract) -> Any:
    return args[0].args[0] if args[0].op is ew.negative else None


def _power(g: Graph, args: Sequence[Any], kind: Abstract) -> Any:
    x, y = args
    if type(y) is Node or not _same_kind(x, kind):
        return None
    if y == 1:
        return x
    return g.make(ew.square, (x,), NO_PARAMS, kind) if y == 2 and kind.dtype.kind == "f" else None


ALGEBRA: dict[Primitive, Callable[..., Any]] = {
    ew.multiply: _product, ew.add: _total, ew.divide: _quotient, ew.positive: _same, ew.negative: _opposite,
    ew.power: _power,
}  # fmt: skip


def _united(g: Graph, a: Node, b: Node, kind: Abstract) -> Any:
    """The sum of two arrays that are zero but for some slices is one array: equal slices add up, others join.

    So the gradients of an element that every step of a loop reads are added as numbers, not as arrays.
    """
    templates, pieces = list(a.params["templates"]), list(a.args)
    for piece, template in zip(b.args, b.params["templates"], strict=True):
        if template in templates:
            k = templates.index(template)
            pieces[k] = g.call(ew.add, pieces[k], piece)
        elif all(_disjoint(template, t) for t in templates):
            templates.append(template)
            pieces.append(piece)
        else:
            return None
    return g.node(assemble, tuple(pieces), {**a.params, "templates": tuple(templates)}, kind)


def _disjoint(s: tuple[Any, ...], t: tuple[Any, ...]) -> bool:
    """Whether two templates of integers and slices cannot name the same element."""
    for i, j in zip(s, t, strict=False):
        if isinstance(i, slice) or isinstance(j, slice):
            a, b = (k if isinstance(k, slice) else slice(k, k + 1) for k in (i, j))
            if a.step in (None, 1) and b.step in (None, 1) and (a.stop <= b.start or b.stop <= a.start):
                return True
        elif i != j:
            return True
    return False


def _astype(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    x = args[0]
    if not isinstance(x, Node):
        return bc.astype.value(x, dtype=kind.dtype)
    if x.dtype == kind.dtype and not x.weak:
        return x
    if x.op is bc.broadcast_to:
        small = g.call(bc.astype, x.args[0], dtype=kind.dtype)
        return g.call(bc.broadcast_to, small, shape=kind.shape)
    return None


def _reshape(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    x = args[0]
    if not isinstance(x, Node):
        return g.make(bc.broadcast_to, args, {"shape": kind.shape}, kind)
    if x.shape == kind.shape:
        return x
    if x.op is bc.reshape:
        return g.make(bc.reshape, x.args, {"shape": kind.shape}, kind)
    if x.op is bc.broadcast_to and getattr(x.args[0], "shape", ()) == ():
        return g.make(bc.broadcast_to, x.args, {"shape": kind.shape}, kind)
    return g.node(bc.reshape, (x,), {"shape": kind.shape}, kind)


def _broadcast_to(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    x = args[0]
    if getattr(x, "shape", ()) == kind.shape:
        return x
    if isinstance(x, Node) and x.op is bc.broadcast_to:
        return g.make(bc.broadcast_to, x.args, params, kind)
    return g.node(bc.broadcast_to, (x,), {"shape": kind.shape}, kind)


def _transpose(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    x, axes = args[0], params["axes"]
    if not isinstance(x, Node):
        return x
    if axes == tuple(range(len(axes))):
        return x
    if x.op is sh.transpose:
        inner = x.params["axes"]
        return g.make(sh.transpose, x.args, {"axes": tuple([inner[k] for k in axes])}, kind)
    if x.op is bc.broadcast_to and getattr(x.args[0], "shape", ()) == ():
        return g.make(bc.broadcast_to, x.args, {"shape": kind.shape}, kind)
    if math.prod([n for n in kind.shape if n != 1]) in kind.shape:  # one long axis at most: nothing moves
        return g.make(bc.reshape, (x,), {"shape": kind.shape}, kind)
    return None


def _sum(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """Axes of length one vanish; what a broadcast repeated is multiplied."""
    x, axis, keepdims = args[0], params["axis"], params.get("keepdims", False)
    if not isinstance(x, Node):
        return x if x.dtype == kind.dtype else np.asarray(x).astype(kind.dtype)[()]
    if x.op is bc.broadcast_to:
        return _sum_of_broadcast(g, x, axis, kind)
    long = tuple([k for k in axis if x.shape[k] != 1])
    if not long:
        x = x if x.dtype == kind.dtype else g.call(bc.astype, x, dtype=kind.dtype)
        return g.call(bc.reshape, x, shape=kind.shape)
    if long != axis or keepdims:  # one form: no axis of length one, none kept
        total = g.call(bc.sum_, x, axis=long, keepdims=False)
        return g.call(bc.reshape, total, shape=kind.shape)
    if x.op is bc.sum_ and x.dtype == kind.dtype:  # a sum of a sum is one sum
        kept = [k for k in range(len(x.args[0].shape)) if k not in x.params["axis"]]
        both = tuple(sorted((*x.params["axis"], *(kept[k] for k in axis))))
        return g.call(bc.sum_, x.args[0], axis=both, keepdims=False)
    return None


def _sum_of_broadcast(g: Graph, x: Node, axis: Sequence[int], kind: Abstract) -> Any:
    source = x.args[0]
    shape = getattr(source, "shape", ())
    padded = (1,) * (len(x.shape) - len(shape)) + shape
    repeated = [k for k in axis if padded[k] == 1]
    count = math.prod(x.shape[k] for k in repeated)
    if isinstance(source, Node):
        source = g.call(bc.reshape, source, shape=padded)
        source = g.call(bc.sum_, source, axis=tuple([k for k in axis if padded[k] != 1]), keepdims=True)
        kept = tuple([n for k, n in enumerate(x.shape) if k not in axis])
        source = g.call(
            bc.reshape, source, shape=tuple([padded[k] for k in range(len(padded)) if k not in axis])
        )
        source = g.call(bc.astype, source, dtype=kind.dtype)
        total = g.call(ew.multiply, source, kind.dtype.type(count))
        return g.call(bc.reshape, g.call(bc.broadcast_to, total, shape=kept), shape=kind.shape)
    total = g.call(ew.multiply, np.asarray(source).astype(kind.dtype)[()], kind.dtype.type(count))
    return g.call(bc.broadcast_to, total, shape=kind.shape)


def _extremum(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """An extremum of one element is that element."""
    x = args[0]
    if not isinstance(x, Node):
        return x
    return g.call(bc.reshape, x, shape=kind.shape) if x.size == math.prod(kind.shape) else None


def _matmul(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """A product with a vector is a reduction, an outer product is elementwise: both join regions."""
    x, y = args
    if len(x.shape) == 1 or len(y.shape) == 1:
        x2 = g.call(bc.reshape, x, shape=(1, *x.shape)) if len(x.shape) == 1 else x
        y2 = g.call(bc.reshape, y, shape=(*y.shape, 1)) if len(y.shape) == 1 else y
        return g.call(bc.reshape, g.call(matmul, x2, y2), shape=kind.shape)
    if x.dtype != y.dtype and kind.dtype.kind == "f":  # GEMM steps multiply one dtype
        return g.call(matmul, *[g.call(bc.astype, a, dtype=kind.dtype) for a in args])
    rows, inner, columns = x.shape[-2], x.shape[-1], y.shape[-1]
    if kind.dtype.kind in "iu":
        z = g.call(ew.multiply, g.call(bc.reshape, x, shape=(*x.shape, 1)), _inserted(g, y))
        return g.call(bc.astype, g.call(bc.sum_, z, axis=(len(z.shape) - 2,)), dtype=kind.dtype)
    if inner == 1:
        return g.call(bc.astype, g.call(ew.multiply, x, y), dtype=kind.dtype)
    if columns == 1:
        product = _matrix_vector(g, x, _swap(g, y))
    elif rows == 1:
        product = _matrix_vector(g, _swap(g, y), x)
    else:
        return None
    return g.call(bc.reshape, g.call(bc.astype, product, dtype=kind.dtype), shape=kind.shape)


def _inserted(g: Graph, y: Node) -> Any:
    return g.call(bc.reshape, y, shape=(*y.shape[:-2], 1, *y.shape[-2:]))


def _swap(g: Graph, x: Node) -> Any:
    n = len(x.shape)
    return g.call(sh.transpose, x, axes=(*range(n - 2), n - 1, n - 2))


def _matrix_vector(g: Graph, matrix: Node, vector: Node) -> Any:
    """Σ_k matrix[…, m, k] vector[…, 1, k], run in the order in which the matrix lies in memory."""
    from .views import view_of

    strides = view_of(matrix).strides
    if strides[-1] > strides[-2] > 0:
        product = g.call(ew.multiply, _swap(g, matrix), _swap(g, vector))
        return g.call(bc.sum_, product, axis=(len(product.shape) - 2,), keepdims=False)
    product = g.call(ew.multiply, matrix, vector)
    return g.call(bc.sum_, product, axis=(len(product.shape) - 1,), keepdims=False)


def _one_per_row(template: tuple[Any, ...], arrays: Sequence[Any], shape: Shape) -> Node | None:
    """The column index of each row in x[arange(rows), y], None for any other indexing."""
    if template != (ix.ARRAY, ix.ARRAY) or len(shape) != 2:
        return None
    rows, columns = arrays
    if not (isinstance(rows, Node) and rows.constant is not None and isinstance(columns, Node)):
        return None
    fits = (
        rows.size == shape[0] == columns.size and rows.shape == columns.shape and columns.dtype.kind in "iu"
    )
    return columns if fits and np.array_equal(rows.constant.ravel(), np.arange(shape[0])) else None


def _is_diagonal(template: tuple[Any, ...], arrays: Sequence[Any], shape: Shape) -> bool:
    """Whether an index is [..., k, k] with k = 0, 1, … n − 1 for matrices n × n."""
    if template not in ((ix.ARRAY, ix.ARRAY), (Ellipsis, ix.ARRAY, ix.ARRAY)) or shape[-2:-1] != shape[-1:]:
        return False
    if len(template) == 2 != len(shape):
        return False
    k = [a.constant if isinstance(a, Node) else None for a in arrays]
    return all(x is not None and np.array_equal(x, np.arange(shape[-1])) for x in k)


def _flat_diagonal(shape: Shape) -> tuple[Shape, tuple[Any, ...]]:
    """The shape with each matrix as one row, and the index of its diagonal there."""
    n = shape[-1]
    return (*shape[:-2], n * n), (Ellipsis, slice(0, n * n, n + 1))


def _selection(g: Graph, columns: Node, shape: Shape) -> Any:
    """(rows, columns) booleans: the one element that each row picks."""
    n = shape[1]
    y = g.call(bc.reshape, columns, shape=(shape[0], 1))
    if columns.constant is not None:
        c = columns.constant
        if ((c < -n) | (c >= n)).any():
            return None
        if (c < 0).any():
            y = g.call(bc.reshape, g.constant(np.where(c < 0, c + n, c)), shape=(shape[0], 1))
    else:
        outside = g.call(ew.logical_or, g.call(ew.less, y, -n), g.call(ew.greater_equal, y, n))
        g.check(outside, f"an index is out of bounds for an axis of size {n}")
        y = g.call(ew.where, g.call(ew.less, y, 0), g.call(ew.add, y, n), y)
    return g.call(ew.equal, g.constant(np.arange(n)), y)


def _getitem(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    x, *arrays = args
    if _is_diagonal(params["template"], arrays, x.shape):
        flat, template = _flat_diagonal(x.shape)
        return g.call(ix.getitem, g.call(bc.reshape, x, shape=flat), template=template)
    columns = _one_per_row(params["template"], arrays, x.shape)
    selected = _selection(g, columns, x.shape) if columns is not None else None
    if selected is not None:
        picked = g.call(ew.where, selected, x, kind.dtype.type(0))
        return g.call(bc.reshape, g.call(bc.sum_, picked, axis=(1,), keepdims=False), shape=kind.shape)
    return None


def _plain_template(template: tuple[Any, ...], shape: Shape) -> tuple[Any, ...]:
    """An index of integers and slices, one entry per axis, counted from 0; None stays."""
    named = sum(part is not None and part is not Ellipsis for part in template)
    at = next((k for k, part in enumerate(template) if part is Ellipsis), len(template))
    feed = iter(shape)
    result: list[Any] = []
    for part in (*template[:at], *(slice(None),) * (len(shape) - named), *template[at + 1 :]):
        if part is None:
            result.append(None)
        elif isinstance(part, slice):
            n = next(feed)
            start, stop, step = part.indices(n)
            result.append(slice(start, stop if stop >= 0 else None, step))
        else:
            result.append(int(part) % next(feed))
    return tuple(result)


def _assembled(g: Graph, pieces: Sequence[Any], templates: Sequence[Any], kind: Abstract) -> Node:
    if len(pieces) == 1 and pieces[0].size == math.prod(kind.shape) and _ascending(templates[0]):
        return g.call(bc.reshape, pieces[0], shape=kind.shape)
    params = {"templates": tuple(templates), "shape": kind.shape, "dtype": kind.dtype}
    number = Abstract((), kind.dtype)
    nodes = [
        x if isinstance(x, Node) else g.node(bc.broadcast_to, (x,), {"shape": ()}, number) for x in pieces
    ]
    return g.node(assemble, nodes, params, kind)


def _ascending(template: tuple[Any, ...]) -> bool:
    return not any(isinstance(part, slice) and part.step != 1 for part in template)


def _concatenate(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    axis, start, pieces, templates = params["axis"], 0, [], []
    for x in args:
        stop = start + x.shape[axis]
        if stop > start:
            pieces.append(g.call(bc.astype, x, dtype=kind.dtype))
            sizes = [slice(0, n, 1) for n in kind.shape]
            templates.append((*sizes[:axis], slice(start, stop, 1), *sizes[axis + 1 :]))
        start = stop
    return _assembled(g, pieces, templates, kind) if len(pieces) > 1 else pieces[0] if pieces else None


def _pad(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    inside = [slice(w[0], w[0] + n, 1) for w, n in zip(params["widths"], args[0].shape, strict=True)]
    return _assembled(g, [args[0]], [tuple(inside)], kind)


def _mean(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    x = args[0]
    count = math.prod([x.shape[k] for k in params["axis"]]) if isinstance(x, Node) else 1
    if not count:
        return None
    total = g.call(bc.sum_, x, axis=params["axis"], keepdims=params.get("keepdims", False))
    return g.call(bc.astype, g.call(ew.divide, total, kind.dtype.type(count)), dtype=kind.dtype)


def _scatter_add(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    x, *arrays = args
    if not arrays and 0 not in kind.shape:
        template = _plain_template(params["template"], kind.shape)
        shape = np.broadcast_to(np.zeros(()), kind.shape)[template].shape
        if not isinstance(x, Node) or x.shape != shape:
            x = g.call(bc.broadcast_to, x, shape=shape)
        return _assembled(g, [x], [template], kind) if x.size else None
    if _is_diagonal(params["template"], arrays, kind.shape):
        flat, template = _flat_diagonal(kind.shape)
        placed = g.call(ix.scatter_add, x, **{**params, "template": template, "shape": flat})
        return g.call(bc.reshape, placed, shape=kind.shape)
    columns = _one_per_row(params["template"], arrays, kind.shape)
    selected = _selection(g, columns, kind.shape) if columns is not None else None
    if selected is not None and columns is not None:
        if getattr(x, "shape", ()) != ():
            x = g.call(bc.reshape, g.call(bc.broadcast_to, x, shape=columns.shape), shape=(kind.shape[0], 1))
        return g.call(ew.where, selected, x, kind.dtype.type(0))
    return None


FOLDED = frozenset({bc.reshape, sh.transpose, ix.getitem, bc.astype, sh.concatenate})
REWRITES: dict[Primitive, Callable[..., Any]] = {
    bc.astype: _astype, bc.reshape: _reshape, bc.broadcast_to: _broadcast_to, bc.sum_: _sum,
    sh.transpose: _transpose, rd.max_: _extremum, rd.min_: _extremum, matmul: _matmul,
    ix.getitem: _getitem, ix.scatter_add: _scatter_add, rd.mean: _mean, sh.concatenate: _concatenate,
    sh.pad: _pad,
}  # fmt: skip


# -------------------------------------------------------------------------------- from the trace
def build(trace: Trace, inputs: Sequence[int], outputs: Sequence[Any]) -> Graph:
    """The graph of what a trace needs for its outputs.

    Args:
        trace: the recorded program.
        inputs: its placeholders.
        outputs: Variables of the trace, plain arrays or scalars.
    """
    g = Graph([trace.values[i] for i in inputs])
    table: list[Any] = [None] * len(trace)
    for i, node in zip(inputs, g.inputs, strict=True):
        table[i] = node
    needed = trace.needed(x.index for x in outputs if isinstance(x, Recorded))
    operations, parents, constants = trace.operations, trace.parents, trace.constants
    for i in range(len(trace)):
        op = operations[i]
        if op is None or not needed[i]:
            continue
        g.source = i
        fixed = constants[i]
        if fixed is None:
            args = [table[p] for p in parents[i]]
        else:
            args = [table[p] if p >= 0 else g.constant(c) for p, c in zip(parents[i], fixed, strict=True)]
        kind = trace.values[i]
        if type(op) is Elementwise and op not in REWRITES:  # as `make` does, without the call
            z = _elementwise(g, op, args, kind)
            table[i] = g.node(op, args, NO_PARAMS, kind) if z is None else z
        else:
            table[i] = g.make(op, args, trace.params[i], kind)
    for x in outputs:
        if isinstance(x, Recorded):
            kind = trace.values[x.index]
            g.outputs.append(_owned(g, table[x.index], kind))
        else:
            array = np.asarray(x)
            g.outputs.append(_owned(g, g.constant(array), Abstract(array.shape, array.dtype)))
    return g


def _owned(g: Graph, x: Any, kind: Abstract) -> Node:
    """A node whose buffer can be handed to the caller: no input, no constant, no view, no other output."""
    if not isinstance(x, Node):
        x = g.node(bc.broadcast_to, (np.asarray(x).astype(kind.dtype)[()],), {"shape": kind.shape}, kind)
    views = (bc.broadcast_to, bc.reshape, sh.transpose, sh.flip, ix.getitem, restrided)
    if x.op is None or x.op in views or x in g.outputs or x.weak:
        return g._enter(Node(ew.positive, (x,), NO_PARAMS, Abstract(kind.shape, kind.dtype)))
    return x
