"""Rewrites of what moves or masks elements: triangles, cyclic shifts, writes by slices and by masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ops import broadcast as bc
from ...ops import elementwise as ew
from ...ops import index as ix
from ...ops import shape as sh
from ...ops.abstract import Abstract
from ..boxes import remainder
from ..graph import Graph, Node, Shape, has_sign
from .joining import assemble, assembled, disjoint, plain_template
from .masks import without_masks


def _below(g: Graph, rows: int, columns: int, offset: int) -> Any:
    """(rows, columns) booleans: row ≥ column + offset, from two short vectors."""
    i = g.constant(np.arange(rows, dtype=np.int32)[:, None])
    j = g.constant(np.arange(columns, dtype=np.int32) + np.int32(offset))
    return g.call(ew.greater_equal, i, j)


def triangular(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """A triangle is a choice per element."""
    if 0 in kind.shape:
        return None
    rows, columns = kind.shape[-2:]
    zero, k = kind.dtype.type(0), params["offset"]
    if params["lower"]:
        return g.call(ew.where, _below(g, rows, columns, k), args[0], zero)
    return g.call(ew.where, _below(g, rows, columns, 1 - k), zero, args[0])


def mirrored(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """One triangle and its transpose: a choice per element."""
    x = args[0]
    if x.shape != kind.shape or not isinstance(x, Node) or kind.dtype.kind == "c":
        return None
    n = len(x.shape)
    other = g.call(sh.transpose, x, axes=(*range(n - 2), n - 1, n - 2))
    lower, upper = (x, other) if params["lower"] else (other, x)
    return g.call(ew.where, _below(g, kind.shape[-2], kind.shape[-1], 0), lower, upper)


def rolled(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """Along each axis the end comes first."""
    x = args[0]
    for shift, axis in zip(params["shift"], params["axis"], strict=True):
        n = kind.shape[axis]
        cut = n - shift % n if n else 0
        if cut in (0, n):
            continue
        lead = (slice(None),) * axis
        ends = [g.call(ix.getitem, x, template=(*lead, s)) for s in (slice(cut, n), slice(0, cut))]
        x = g.call(sh.concatenate, *ends, axis=axis)
    return x


def scatter_set(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """x[index] = v is x's pieces around v's, or a choice per element where those would be many."""
    x, v, *arrays = args
    if not isinstance(x, Node):
        x = g.call(bc.broadcast_to, x, shape=kind.shape)
    if arrays:
        return _set_by_arrays(g, x, v, params["template"], arrays, kind)
    if not x.size:
        return None
    template = plain_template(params["template"], kind.shape)
    shape = np.broadcast_to(np.zeros(()), kind.shape)[template].shape
    if 0 in shape:
        return x
    v = g.call(bc.astype, _stripped(g, v, len(shape)), dtype=kind.dtype)
    v = g.call(bc.broadcast_to, v, shape=shape)
    if x.op is assemble and all(disjoint(template, t) for t in x.params["templates"]):
        # a loop that fills an array: one more piece
        return assembled(g, [*x.args, v], [*x.params["templates"], template], kind)
    if x.op is bc.broadcast_to and _is_zero(x.args[0]):
        return assembled(g, [v], [template], kind)
    kept = remainder(kind.shape, [template])
    if kept is None:
        return g.call(ew.where, _inside(g, template, kind.shape), assembled(g, [v], [template], kind), x)
    pieces = [g.call(ix.getitem, x, template=box) for box in kept]
    return assembled(g, [*pieces, v], [*kept, template], kind)


def _stripped(g: Graph, v: Any, ndim: int) -> Any:
    """What is written, without leading axes of length one that its place does not have."""
    extra = len(v.shape) - ndim if isinstance(v, Node) else 0
    return g.call(bc.reshape, v, shape=v.shape[extra:]) if extra > 0 else v


def _inside(g: Graph, template: tuple[Any, ...], shape: Shape) -> Any:
    """Booleans that broadcast to `shape`: which elements a template of integers and slices names."""
    named: Any = np.True_
    parts = [part for part in template if part is not None]
    for k, (part, n) in enumerate(zip(parts, shape, strict=True)):
        along = np.zeros(n, np.bool_)
        along[part] = True
        if not along.all():
            along = along.reshape(-1, *(1,) * (len(shape) - k - 1))
            named = g.call(ew.logical_and, named, g.constant(along))
    return named


def _is_zero(x: Any) -> bool:
    """Positive zero, which an assembled array has where no piece lies."""
    return not isinstance(x, Node) and x == 0 and not has_sign(x)


def _set_by_arrays(
    g: Graph, x: Node, v: Any, template: tuple[Any, ...], arrays: Sequence[Any], kind: Abstract
) -> Any:
    """x[mask] = one number is a choice per element; other index arrays have a kernel of their own."""
    mask = arrays[0]
    single = not isinstance(v, Node) or v.size == 1
    if template == (ix.ARRAY,) and getattr(mask, "dtype", None) == np.bool_ and single:
        spread = g.call(bc.reshape, mask, shape=(*mask.shape, *(1,) * (len(kind.shape) - len(mask.shape))))
        number = g.call(bc.reshape, v, shape=()) if isinstance(v, Node) else v
        return g.call(ew.where, spread, g.call(bc.astype, number, dtype=kind.dtype), x)
    template, arrays = without_masks(g, template, arrays)
    v = g.array(g.call(bc.astype, v, dtype=kind.dtype), kind.dtype)
    return g.node(ix.scatter_set, (x, v, *arrays), {"template": template}, kind)
