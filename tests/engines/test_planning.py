"""Tracing and planning: the quick ways against the plain ones, and nothing takes the square of a length."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.engines import regions
from adjoint.engines.building import build
from adjoint.engines.graph import Graph, Node
from adjoint.engines.placing import Planner
from adjoint.engines.regions import Group, ordered
from adjoint.engines.rewriting import RULES
from adjoint.ops.abstract import Abstract
from adjoint.ops.broadcast import reshape
from adjoint.ops.elementwise import multiply
from adjoint.ops.primitive import NO_PARAMS
from adjoint.tape.trace import Trace

from ..helpers import rng

FLOAT, SCALAR = Abstract((), np.dtype(np.float64), weak=True), Abstract((), np.dtype(np.float32))


def recurrence(x: Any, a: Any, rows: Any) -> Any:
    total = 0.0
    for k in range(3):
        x = np.sin(x) * a + (2 - k) * x / np.float32(3)
        rows = np.tanh(rows * x) - np.ones(4, np.float32) / rows
        total = total + x**2 + np.sum(rows)
    return total


def traced(f: Any, *kinds: Abstract) -> Trace:
    with Trace() as trace:
        f(*[trace.placeholder(kind) for kind in kinds])
    return trace


def columns(trace: Trace) -> list[Any]:
    """Everything that a trace says of its nodes."""
    numbers = [[repr(c) for c in row or ()] for row in trace.constants]
    lines = [trace.origin(i).line for i in range(len(trace))]
    kinds = [repr(v) for v in trace.values]
    return [trace.operations, trace.parents, numbers, kinds, lines, trace.scopes]


def in_scopes(*args: Any) -> Any:
    with ad.scope("outer"):
        z = recurrence(*args)
        with ad.scope("inner"):
            return z * recurrence(*args)


PROGRAMS = {
    "alone": recurrence,
    "with its gradient": ad.value_and_grad(in_scopes, (0, 1, 2)),
    "twice": ad.grad(lambda x, a, rows: ad.grad(in_scopes)(x, a, rows) ** 2, (0, 1, 2)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_quick_recording_records_what_the_plain_one_does(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    f, kinds = PROGRAMS[name], [FLOAT, SCALAR, Abstract((4,), np.dtype(np.float32))]
    traced(f, *kinds)  # fills the tables of kinds
    quick = columns(traced(f, *kinds))
    monkeypatch.setattr("adjoint.tape.operators.get_ident", lambda: None)  # "another thread": no short cut
    monkeypatch.setattr(Trace, "_quickly", lambda *_: None)
    assert columns(traced(f, *kinds)) == quick


def chain_of_groups(random: np.random.Generator, count: int) -> list[Group]:
    """Groups of which each comes after up to three earlier ones, mostly near ones."""
    groups: list[Group] = []
    for k in range(count):
        group = Group()
        for back in random.geometric(0.3, random.integers(0, 4)):
            if back <= k:
                group.follow(groups[k - back])
        groups.append(group)
    return groups


def test_paths_between_groups_are_found() -> None:
    groups = chain_of_groups(rng(), 60)
    reached: dict[Group, set[Group]] = {}
    for group in groups:
        reached[group] = set(group.deps).union(*[reached[other] for other in group.deps])
    for group in groups:
        assert {other for other in groups if group.depends_on(other)} == reached[group]
        assert {other for other in groups if group is not other and group._is_below(other)} <= reached[group]


def test_searches_for_a_path_end() -> None:
    """Two long chains side by side: the tree does not tell, and the search gives up on the safe side."""
    left, right = [[Group() for _ in range(1000)] for _ in range(2)]
    for chain in (left, right):
        for a, b in itertools.pairwise(chain):
            b.follow(a)
    looked_at = 0

    class Counted(set[Group]):
        def __iter__(self) -> Any:
            nonlocal looked_at
            looked_at += 1
            return super().__iter__()

    for group in left:
        group.deps = Counted(group.deps)
    assert left[-1].depends_on(right[0])
    assert looked_at <= regions.SEARCHED + 1
    assert left[-1].depends_on(left[0])


def planned(steps: int) -> tuple[list[Group], int]:
    """The groups of a recurrence and its gradient, and how often one was looked at for a path."""

    def loss(w: Any, x: Any) -> Any:
        z, total = x, 0.0
        for _ in range(steps):
            z = np.tanh(z @ w)
            total = total + np.sum(z**2)
        return total

    with Trace() as trace:
        inputs = [trace.placeholder(Abstract(shape, np.dtype(np.float32))) for shape in ((8, 8), (4, 8))]
        results = ad.value_and_grad(loss)(*inputs)
    return Planner(build(trace, [0, 1], list(results))).place(), len(trace)


def test_a_longer_recurrence_takes_as_much_per_step(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = 0
    is_below = Group._is_below

    def counted(self: Group, other: Group) -> bool:
        nonlocal looked_at
        looked_at += 1
        return is_below(self, other)

    monkeypatch.setattr(Group, "_is_below", counted)
    monkeypatch.setattr(regions, "SEARCHED", 0)  # whatever the tree does not tell is taken for a path
    groups, _ = planned(200)
    few = looked_at
    monkeypatch.undo()
    assert len(groups) == len(planned(200)[0])  # and that costs no region
    assert few < 20 * 200


def test_a_graph_applies_the_rules_that_it_is_given() -> None:
    kind = Abstract((3, 1), np.dtype(np.float64))
    plain, ruled = Graph([kind]), Graph([kind], RULES)
    for g, simple in ((plain, False), (ruled, True)):
        (x,) = g.inputs
        once = g.call(multiply, x, 1.0)
        assert (once is x) == (g.call(reshape, x, shape=(3, 1)) is x) == simple
        assert g.call(multiply, x, 1.0) is once  # equal nodes are one with and without
        assert g.call(multiply, 2.0, 3.0) == 6.0


def test_groups_of_one_node_run_in_the_order_of_their_making() -> None:
    """Their sets of each other have another order in every process; a program's steps have one."""
    x = Node(None, (), NO_PARAMS, FLOAT)
    groups = [Group() for _ in range(50)]
    for group in groups:
        group.nodes.append(x)
    for group in groups[1:]:
        group.follow(groups[0])
    assert ordered(groups) == groups


def test_kinds_by_number() -> None:
    one, other = Abstract((2,), np.dtype(np.float32)), Abstract((2,), np.dtype("<f4"))
    assert one.number == other.number
    assert len({one.number, FLOAT.number, SCALAR.number, Abstract((), np.dtype(np.float64)).number}) == 4
