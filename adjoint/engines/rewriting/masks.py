"""Rewrites of indexing by masks: one that is known is the positions of what it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ops import index as ix
from ...ops.abstract import Abstract
from ...ops.primitive import Primitive
from ..graph import Graph, Node, Rule
from . import ragged


def getitem(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """x[index], with positions in the stead of masks."""
    x, *arrays = args
    return _by_positions(g, ix.getitem, ragged.getitem, x, arrays, params, kind)


def scatter_add(g: Graph, args: Sequence[Any], params: dict[str, Any], kind: Abstract) -> Any:
    """z[index] += x likewise."""
    x, *arrays = args
    x = g.array(x, kind.dtype) if arrays else x
    return _by_positions(g, ix.scatter_add, ragged.scatter_add, x, arrays, params, kind)


def _by_positions(
    g: Graph, op: Primitive, rule: Rule, x: Any, arrays: list[Any], params: dict[str, Any], kind: Abstract
) -> Any:
    if not arrays:
        return rule(g, (x,), params, kind)
    template, arrays = without_masks(g, params["template"], arrays)
    params = {**params, "template": template}
    found = rule(g, (x, *arrays), params, kind)
    return g.node(op, (x, *arrays), params, kind) if found is None else found


def without_masks(
    g: Graph, template: tuple[Any, ...], arrays: Sequence[Any]
) -> tuple[tuple[Any, ...], list[Any]]:
    """An index with the positions of known masks in their stead."""
    parts: list[Any] = []
    found: list[Any] = []
    feed = iter(arrays)
    for part in template:
        if not isinstance(part, str):
            parts.append(part)
            continue
        array = next(feed)
        known = isinstance(array, Node) and array.dtype == np.bool_ and array.constant is not None
        positions = [g.constant(k) for k in np.nonzero(array.constant)] if known else [array]
        parts += [ix.ARRAY] * len(positions)
        found += positions
    return tuple(parts), found
