"""Many small matrix products as few large ones, before the graph is cut into steps.

    x_1 W, x_2 W, …  with x_t consecutive slices of one array      →  one product, and slices of its result
    x_1ᵀy_1 + x_2ᵀy_2 + …                                          →  [x_1; x_2; …]ᵀ [y_1; y_2; …]
    Σ_rows y_1 + Σ_rows y_2 + …                                    →  Σ_rows [y_1; y_2; …]

So the products with the inputs of a recurrence leave its loop, and the gradients of its weights are one
product over all steps at the end. The stacks cost nothing: their pieces are written in place (`regions`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..ops import broadcast as bc
from ..ops import elementwise as ew
from ..ops import index as ix
from ..ops import shape as sh
from ..ops.products import matmul
from .graph import Graph, Node, restrided
from .rewriting.joining import assemble
from .views import view_of

FEWEST = 4  # products worth joining
LARGEST = 1 << 22  # multiplications beyond which a product is not small


def join_products(g: Graph) -> None:
    """Rewrite the graph in place."""
    if sum(n.op is matmul for n in g.nodes) < FEWEST:
        return
    needed = reachable(g)
    order = [n for n in g.nodes if n in needed or n.op is None]
    if sum(n.op is matmul for n in order) < FEWEST:
        return
    order = _hoisted(g, order)
    g.nodes = _summed(g, order)


def reachable(g: Graph) -> set[Node]:
    """What the outputs and the checks need."""
    stack = [*g.outputs, *(flag for flag, _, _ in g.checks if isinstance(flag, Node))]
    needed = set(stack)
    while stack:
        for a in stack.pop().args:
            if type(a) is Node and a not in needed:
                needed.add(a)
                stack.append(a)
    return needed


def _new(g: Graph, before: list[Node], op: Any, *args: Any, **params: Any) -> Any:
    """A node made now, and put into the order with all that its making made."""
    start = len(g.nodes)
    node = g.call(op, *args, **params)
    before += g.nodes[start:]
    return node


# -------------------------------------------------------------------------------- slices of one array
def _hoisted(g: Graph, order: list[Node]) -> list[Node]:
    groups: dict[Any, list[Node]] = {}
    for node in order:
        if node.op is matmul and len(node.args[0].shape) == len(node.args[1].shape) == 2:
            x, y = node.args
            v = view_of(x)
            plain = v.root is not x and v.strides == (x.shape[1], 1)
            if plain and v.root.op is None and node.size * x.shape[1] < LARGEST:
                groups.setdefault((v.root, y, x.shape), []).append(node)
    first: dict[Node, list[Node]] = {}  # products by the place of the earliest
    for (root, y, shape), nodes in groups.items():
        size = shape[0] * shape[1]
        nodes.sort(key=lambda n: view_of(n.args[0]).offset)
        start = view_of(nodes[0].args[0]).offset
        if len(nodes) < FEWEST or any(
            view_of(n.args[0]).offset != start + k * size for k, n in enumerate(nodes)
        ):
            continue
        made: list[Node] = []
        count = len(nodes)
        stack = _new(
            g, made, restrided, root, offset=start, strides=(shape[1], 1), shape=(count * shape[0], shape[1])
        )
        product = _new(g, made, matmul, stack, y)
        slices = _new(g, made, bc.reshape, product, shape=(count, shape[0], y.shape[1]))
        earliest = min(nodes, key=lambda n: n.number)
        for k, node in enumerate(nodes):
            node.op, node.args, node.params = ix.getitem, (slices,), {"template": (k,)}
            node.view = None
        first[earliest] = made
    if not first:
        return order
    _forget_views(order)
    result: list[Node] = []
    for node in order:
        result += first.get(node, ())
        result.append(node)
    return result


def _forget_views(order: Iterable[Node]) -> None:
    for node in order:
        node.view = None


# -------------------------------------------------------------------------------- sums of products
def _summed(g: Graph, order: list[Node]) -> list[Node]:
    uses: dict[Node, int] = {}
    for node in order:
        for a in node.args:
            if isinstance(a, Node):
                uses[a] = uses.get(a, 0) + 1
    for node in g.outputs:
        uses[node] = uses.get(node, 0) + 2
    inside: set[Node] = set()  # sums that are only a term of another
    for node in order:
        if node.op is ew.add:
            for a in node.args:
                if isinstance(a, Node) and a.op is ew.add and uses[a] == 1 and a.shape == node.shape:
                    inside.add(a)
    result: list[Node] = []
    for node in order:
        if node.op is ew.add and node not in inside and any(a in inside for a in node.args):
            _shorten(g, node, inside, uses, result)
        result.append(node)
    return result


def _shorten(g: Graph, total: Node, inside: set[Node], uses: dict[Node, int], made: list[Node]) -> None:
    """Join terms of a long sum; what remains is added one by one."""
    terms = _terms(total, inside)
    products: list[tuple[Node, Node, Node]] = []
    rows: list[tuple[Node, Node]] = []
    for t in terms:
        if not isinstance(t, Node) or uses[t] != 1:
            continue
        if t.op is matmul and len(t.args[0].shape) == len(t.args[1].shape) == 2:
            x, y = t.args
            if _is_transposed(x) and t.size * x.shape[1] < LARGEST and x.dtype == y.dtype:
                products.append((t, x, y))
        elif t.op is bc.sum_ and t.params["axis"] == (0,) and len(t.args[0].shape) == 2:
            rows.append((t, t.args[0]))
    joined: list[Any] = []
    taken: set[Node] = set()
    if len(products) >= FEWEST:
        products.sort(key=lambda p: -p[2].number)
        x = _stacked(g, made, [_new(g, made, sh.transpose, p[1], axes=(1, 0)) for p in products])
        y = _stacked(g, made, [p[2] for p in products])
        joined.append(_new(g, made, matmul, _new(g, made, sh.transpose, x, axes=(1, 0)), y))
        taken |= {p[0] for p in products}
    if len(rows) >= FEWEST:
        rows.sort(key=lambda r: -r[1].number)
        joined.append(
            _new(g, made, bc.sum_, _stacked(g, made, [r[1] for r in rows]), axis=(0,), keepdims=False)
        )
        taken |= {r[0] for r in rows}
    if not joined:
        return
    rest = [*joined, *(t for t in terms if t not in taken)]
    sum_ = rest[0]
    for term in rest[1:-1]:
        sum_ = _new(g, made, ew.add, sum_, term)
    if len(rest) == 1:
        total.op, total.args = ew.positive, (sum_,)
    else:
        total.args = (sum_, rest[-1])


def _is_transposed(x: Node) -> bool:
    """Whether xᵀ is made of adjacent elements: a transposed view, or one number."""
    return view_of(x).strides[0] == 1 or (x.op is bc.broadcast_to and not isinstance(x.args[0], Node))


def _terms(total: Node, inside: set[Node]) -> list[Any]:
    terms: list[Any] = []
    stack = [total]
    while stack:
        node = stack.pop()
        for a in node.args:
            if isinstance(a, Node) and a in inside:
                stack.append(a)
            else:
                terms.append(a)
    return terms


def _stacked(g: Graph, made: list[Node], pieces: Sequence[Node]) -> Any:
    """The pieces one under the other; slices of one array that follow each other are that array."""
    columns = pieces[0].shape[1]
    count = sum(p.shape[0] for p in pieces)
    views = [view_of(p) for p in pieces]
    root, at = views[0].root, views[0].offset
    for v in views:
        if v.root is not root or v.offset != at or v.strides != (columns, 1):
            break
        at += v.shape[0] * columns
    else:
        return _new(
            g, made, restrided, root, offset=views[0].offset, strides=(columns, 1), shape=(count, columns)
        )
    templates, start = [], 0
    for p in pieces:
        templates.append((slice(start, start + p.shape[0], 1), slice(0, columns, 1)))
        start += p.shape[0]
    shape, dtype = (count, columns), pieces[0].dtype
    known = len(g.nodes)
    node = g.node(assemble, tuple(pieces), {"templates": tuple(templates), "shape": shape, "dtype": dtype},
                  pieces[0].kind.like(shape))  # fmt: skip
    made += g.nodes[known:]
    return node
