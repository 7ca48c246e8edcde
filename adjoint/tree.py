"""Nested containers: lists, tuples, named tuples and dicts of arrays, flattened to leaves and built up again.

`None` is a container without leaves; everything else that is not a container is a leaf. Dict keys are visited
in sorted order (insertion order when they cannot be sorted), so equal dicts give equal leaves. A class is a
container too if it has `tree_flatten()`, which gives its children and whatever else it consists of, hashable,
and `tree_unflatten(rest, children)`, which makes another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from .errors import TreeError


@dataclass(frozen=True, slots=True, repr=False)
class Structure:
    """The shape of a nested container: its type, keys and the structures below; a leaf has `kind` None.

    `rest` is what a container with `tree_flatten` consists of beside its children.
    """

    kind: type | None
    keys: tuple[object, ...] = ()
    children: tuple[Structure, ...] = ()
    rest: Any = None

    def __repr__(self) -> str:
        if self.kind is None:
            return "*"
        if self.kind is type(None):
            return "None"
        inside = [repr(child) for child in self.children]
        if self.kind is dict:
            return "{" + ", ".join(f"{k!r}: {c}" for k, c in zip(self.keys, inside, strict=True)) + "}"
        if self.kind is list:
            return f"[{', '.join(inside)}]"
        name = "" if self.kind is tuple else self.kind.__name__
        return f"{name}({', '.join(inside)}{',' if len(inside) == 1 and not name else ''})"


LEAF = Structure(None)


def _keys(tree: dict[Any, Any]) -> tuple[object, ...]:
    try:
        return tuple(sorted(tree))
    except TypeError:
        return tuple(tree)


def is_namedtuple(kind: type) -> bool:
    """Whether instances are made from their fields one by one."""
    return issubclass(kind, tuple) and hasattr(kind, "_fields")


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """Leaves in a fixed order, and the structure that `unflatten` needs.

    >>> leaves, structure = flatten({"b": (3.0, [4.0]), "a": 1.0})
    >>> leaves
    [1.0, 3.0, 4.0]
    """
    leaves: list[Any] = []
    return leaves, _flatten_into(tree, leaves)


def _flatten_into(tree: Any, leaves: list[Any]) -> Structure:
    if isinstance(tree, dict):
        keys = _keys(tree)
        return Structure(dict, keys, tuple(_flatten_into(tree[k], leaves) for k in keys))
    if isinstance(tree, (list, tuple)):
        keys = getattr(type(tree), "_fields", None) or tuple(range(len(tree)))
        return Structure(type(tree), keys, tuple(_flatten_into(child, leaves) for child in tree))
    if tree is None:
        return Structure(type(None))
    if hasattr(type(tree), "tree_flatten"):
        parts, rest = tree.tree_flatten()
        inside = tuple(_flatten_into(child, leaves) for child in parts)
        return Structure(type(tree), tuple(range(len(parts))), inside, rest)
    leaves.append(tree)
    return LEAF


def unflatten(structure: Structure, leaves: list[Any]) -> Any:
    """The container that `flatten` took apart, filled with other leaves.

    Raises:
        TreeError: the number of leaves does not fit the structure.
    """
    feed = iter(leaves)
    try:
        tree = _build(structure, feed)
    except StopIteration:
        raise TreeError(f"{len(leaves)} leaves are too few for {structure}") from None
    if next(feed, _END) is not _END:
        raise TreeError(f"{len(leaves)} leaves are too many for {structure}")
    return tree


_END = object()


def _build(structure: Structure, feed: Iterator[Any]) -> Any:
    if structure.kind is None:
        return next(feed)
    if structure.kind is type(None):
        return None
    children = []
    for child in structure.children:
        children.append(_build(child, feed))
    if structure.kind is dict:
        return dict(zip(structure.keys, children, strict=True))
    return structure.kind(*children) if is_namedtuple(structure.kind) else rebuild(structure)(children)


def rebuild(structure: Structure) -> Callable[[list[Any]], Any]:
    """The function that makes a container of its children, for kinds that are given them as one list."""
    kind: Any = structure.kind
    return partial(kind.tree_unflatten, structure.rest) if hasattr(kind, "tree_unflatten") else kind


def paths(structure: Structure, prefix: str = "") -> list[str]:
    """A name for every leaf: `"layers/0/W"`; the empty string for a single leaf without prefix."""
    if structure.kind is None:
        return [prefix]
    return [
        name
        for key, child in zip(structure.keys, structure.children, strict=True)
        for name in paths(child, f"{prefix}/{key}" if prefix else str(key))
    ]


def tree_map(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """Apply `function` leaf by leaf to one or more containers of the same structure.

    >>> tree_map(lambda x, y: x + y, {"a": 1.0, "b": [2.0]}, {"a": 10.0, "b": [20.0]})
    {'a': 11.0, 'b': [22.0]}

    Raises:
        TreeError: the containers differ in structure.
    """
    leaves, structure = flatten(tree)
    columns = [leaves]
    for other in others:
        other_leaves, other_structure = flatten(other)
        if other_structure != structure:
            raise TreeError(f"the containers differ: {structure} and {other_structure}")
        columns.append(other_leaves)
    return unflatten(structure, [function(*row) for row in zip(*columns, strict=True)])
