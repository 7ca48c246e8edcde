"""Nested containers."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import adjoint as ad
from adjoint.errors import TreeError
from adjoint.tree import flatten, paths, tree_map, unflatten

from .helpers import message


class Point(NamedTuple):
    x: Any
    y: Any


leaves = st.floats(allow_nan=False) | st.integers() | st.text(max_size=3)
trees = st.recursive(
    leaves | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
        | st.builds(Point, inner, inner)
    ),
    max_leaves=12,
)


@given(trees)
def test_unflatten_undoes_flatten(tree: Any) -> None:
    found, structure = flatten(tree)
    again = unflatten(structure, found)
    assert again == tree and type(again) is type(tree)
    assert len(paths(structure)) == len(found)
    assert flatten(tree_map(lambda x: [x], tree))[0] == found
    assert hash(structure) == hash(flatten(again)[1])


@given(trees)
def test_leaves_do_not_depend_on_the_order_of_insertion(tree: Any) -> None:
    def reverse(t: Any) -> Any:
        if isinstance(t, dict):
            return {k: reverse(t[k]) for k in reversed(t)}
        if isinstance(t, Point):
            return Point(*map(reverse, t))
        return type(t)(map(reverse, t)) if isinstance(t, (list, tuple)) else t

    def sortable(t: Any) -> bool:
        if isinstance(t, dict):
            return len({type(k) for k in t}) <= 1 and all(map(sortable, t.values()))
        return not isinstance(t, (list, tuple)) or all(map(sortable, t))

    if sortable(tree):
        assert flatten(reverse(tree)) == flatten(tree)


def test_paths() -> None:
    tree = {"layers": [Point(1.0, None), Point(2.0, {3: 4.0})], "b": ()}
    assert paths(flatten(tree)[1]) == ["layers/0/x", "layers/1/x", "layers/1/y/3"]
    assert paths(flatten(tree)[1], "net") == ["net/layers/0/x", "net/layers/1/x", "net/layers/1/y/3"]
    assert paths(flatten(1.0)[1]) == [""]


def test_wrong_number_of_leaves() -> None:
    _, structure = flatten([1.0, {"a": 2.0}])
    assert "1 leaves are too few" in message(TreeError, unflatten, structure, [1.0])
    assert "3 leaves are too many" in message(TreeError, unflatten, structure, [1.0, 2.0, 3.0])


def test_exceptions_of_the_mapped_function_pass_through() -> None:
    def stop(x: Any) -> Any:
        raise StopIteration

    with pytest.raises(StopIteration):
        tree_map(stop, [1.0])


def test_tree_map_needs_equal_structures() -> None:
    for a, b in [([1.0], (1.0,)), ({"a": 1.0}, {"b": 1.0}), ([1.0, None], [1.0, 2.0]), (1.0, [1.0])]:
        assert "the containers differ" in message(TreeError, ad.tree_map, max, a, b)


def test_dict_subclasses_are_dicts_and_arrays_are_leaves() -> None:
    assert tree_map(lambda x: x, OrderedDict(b=1, a=2)) == {"a": 2, "b": 1}
    assert tree_map(lambda x: x, defaultdict(list, a=1)) == {"a": 1}
    assert len(flatten(np.ones((2, 2)))[0]) == 1
    assert flatten({1.0, 2.0})[0] == [{1.0, 2.0}]


class Interval:
    """A container of its own kind: two numbers, and a unit that is not one."""

    def __init__(self, low: Any, high: Any, unit: str) -> None:
        self.low, self.high, self.unit = low, high, unit

    def tree_flatten(self) -> tuple[list[Any], str]:
        return [self.low, self.high], self.unit

    @classmethod
    def tree_unflatten(cls, rest: str, children: list[Any]) -> Interval:
        return cls(*children, rest)


def test_a_class_that_takes_itself_apart_is_a_container() -> None:
    tree = {"t": Interval(1.0, (2.0, 3.0), "s"), "x": 4.0}
    found, structure = flatten(tree)
    assert found == [1.0, 2.0, 3.0, 4.0]
    assert paths(structure) == ["t/0", "t/1/0", "t/1/1", "x"]
    doubled = tree_map(lambda x: 2 * x, tree)
    assert (doubled["t"].low, doubled["t"].high, doubled["t"].unit) == (2.0, (4.0, 6.0), "s")
    assert "the containers differ" in message(
        TreeError, tree_map, max, tree["t"], Interval(1.0, (2.0, 3.0), "m")
    )
    gradient = ad.grad(lambda t: t.low * t.high[1])(tree["t"])
    assert (gradient.low, gradient.high, gradient.unit) == (3.0, (0.0, 1.0), "s")
    both = ad.compile(lambda t: Interval(t.high[0] - t.low, t.high[1], t.unit + "²"))
    for unit in ("s", "m", "s"):
        made = both(Interval(1.0, (2.5, 3.0), unit))
        assert (made.low, made.high, made.unit) == (1.5, 3.0, unit + "²")
