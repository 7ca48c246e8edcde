"""Containers taken apart and put together by code made for their structure, in a tenth of the time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..tree import Structure, is_namedtuple, rebuild

# what a leaf is to a compiled function: an array, one number of a dtype, a Python number, part of the program
ARRAY, SCALAR, FLOAT, COMPLEX, STATIC = "array", "scalar", "float", "complex", "static"


class Kind(NamedTuple):
    """What a plan depends on, of an argument that may change.

    Attributes:
        shape, dtype: of the array or number.
        weak: whether it is a Python number, which promotes as one.
        sort: ARRAY, or the sort of number that is made an array for the call.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    weak: bool
    sort: str


def kind_of_number(x: Any) -> Any:
    """The kind of a Python float or complex; anything else is part of the program."""
    if type(x) is float or type(x) is complex:
        return Kind((), np.dtype(type(x)), True, FLOAT if type(x) is float else COMPLEX)
    return Static(x)


class Static:
    """An argument that is part of the program: compared by value where that is possible."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Static) or type(self.value) is not type(other.value):
            return False
        return self.value is other.value or bool(self.value == other.value)

    def __hash__(self) -> int:
        try:
            return hash(self.value)
        except TypeError:
            return id(self.value)


def taker(structure: Structure, kinds: Sequence[str], statics: Sequence[Any]) -> Callable[[Any], Any]:
    """A function that returns the leaves that change, as a tuple of arrays, or None for any other structure.

    Args:
        structure: of the container.
        kinds: ARRAY, SCALAR, FLOAT, COMPLEX or STATIC for every leaf.
        statics: the values of the static leaves, in their order.
    """
    lines: list[str] = []
    leaves: list[str] = []
    names: dict[str, Any] = {"asarray": np.asarray, "type": type, "len": len, "isinstance": isinstance}
    feed, fixed = iter(kinds), iter(statics)

    def refer(x: Any) -> str:
        names[f"k{len(names)}"] = x
        return f"k{len(names) - 1}"

    def take(node: Structure, at: str) -> None:
        if node.kind is None:
            kind = next(feed)
            if kind == STATIC:
                known = refer(next(fixed))
                lines.append(
                    f"if {at} is not {known} and (type({at}), {at}) != (type({known}), {known}): return None"
                )
            else:
                if kind == SCALAR:
                    lines.append(f"if type({at}) is float or type({at}) is complex: return None")
                elif kind != ARRAY:
                    lines.append(f"if type({at}) is not {kind}: return None")
                leaves.append(at if kind == ARRAY else f"asarray({at})")
            return
        name = f"x{len(lines)}"
        lines.append(f"{name} = {at}")
        if node.kind is type(None):
            lines.append(f"if {name} is not None: return None")
            return
        lines.append(f"if type({name}) is not {refer(node.kind)}: return None")
        if hasattr(node.kind, "tree_flatten"):
            lines.append(f"{name}, rest = {name}.tree_flatten()")
            lines.append(f"if rest != {refer(node.rest)}: return None")
        lines.append(f"if len({name}) != {len(node.children)}: return None")
        for k, (key, child) in enumerate(zip(node.keys, node.children, strict=True)):
            take(child, f"{name}[{refer(key) if node.kind is dict else k}]")

    take(structure, "tree")
    body = ["try:", *("    " + x for x in lines), f"    return ({''.join(x + ', ' for x in leaves)})",
            "except (KeyError, ValueError, TypeError): return None"]  # fmt: skip
    return _function("tree", body, names)


def maker(structure: Structure, constants: Sequence[Any]) -> Callable[[Any], Any]:
    """A function from a sequence of values to the container; constants (not None) stand where they are."""
    names: dict[str, Any] = {}
    feed, position = iter(constants), iter(range(len(constants)))

    def refer(x: Any) -> str:
        names[f"k{len(names)}"] = x
        return f"k{len(names) - 1}"

    def make(node: Structure) -> str:
        if node.kind is None:
            constant = next(feed)
            return f"v[{next(position)}]" if constant is None else refer(constant)
        if node.kind is type(None):
            return "None"
        inside = [make(child) for child in node.children]
        if node.kind is dict:
            return "{" + ", ".join(f"{refer(k)}: {x}" for k, x in zip(node.keys, inside, strict=True)) + "}"
        if node.kind is list:
            return f"[{', '.join(inside)}]"
        if node.kind is tuple:
            return f"({''.join(x + ', ' for x in inside)})"
        if is_namedtuple(node.kind):
            return f"{refer(node.kind)}({', '.join(inside)})"
        return f"{refer(rebuild(node))}([{', '.join(inside)}])"

    return _function("v", [f"return {make(structure)}"], names)


def _function(argument: str, body: Sequence[str], names: dict[str, Any]) -> Callable[[Any], Any]:
    source = f"def function({argument}):\n" + "\n".join("    " + x for x in body)
    exec(source, names)
    function: Callable[[Any], Any] = names["function"]
    return function
