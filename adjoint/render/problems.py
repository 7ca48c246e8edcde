"""Constrained problems as graphs: unknowns, objective, constraints with residuals and multipliers.

The graph is that of L = f + νᵀh + μᵀg as a program of x: the λ of a constraint is its ν or μ, and an edge
from x carries ‖(∂g/∂x)ᵀμ‖, what the constraint adds to ∂L/∂x. Sign convention: see `adjoint.problems`.
"""

from __future__ import annotations

import math

import numpy as np

from .. import tree as trees
from ..ops.primitive import dtype_of, innermost, shape_of
from ..problems import Problem, Solution
from ..problems.inputs import functions
from ..problems.typeset import BOUNDS, flat
from ..sweeps.pairing import length
from .graph import Graph, Node
from .numbers import kind_text, numbers_of, text_of
from .tapes import Places


def of_problem(problem: Problem) -> Graph:
    """The graph of a problem that is not solved: who constrains whom, and where that is written."""
    places = Places()
    graph = Graph("problem: minimize f(x)", "problem", heat="‖μ‖")
    graph.nodes.append(Node(0, "x", "input", "unknowns", "x"))
    rows = [("f", problem.f, "objective", "minimize")]
    rows += [(name, h, "constraint", "=") for name, h in functions(problem.eq, "eq").items()]
    rows += [(name, g, "constraint", "≤") for name, g in functions(problem.ineq, "ineq").items()]
    for name, function, role, relation in rows:
        formula = "f(x)" if role == "objective" else f"{'h' if relation == '=' else 'g'}(x) {relation} 0"
        node = Node(len(graph.nodes), relation, role, formula, name)
        code = getattr(function, "__code__", None)
        node.place = places.number(code, 1 << 40)  # no instruction: the line where it begins
        graph.nodes.append(node)
    if any(bound is not None for bound in problem.bounds or ()):
        graph.nodes.append(Node(len(graph.nodes), "≤", "constraint", "lower ≤ x ≤ upper", "bounds"))
    graph.edges = [(0, node.number, None) for node in graph.nodes[1:]]
    graph.places, graph.lagrangian = places.all, problem.mathml()
    return graph


def of_solution(solution: Solution) -> Graph:
    """The graph of a solution: value, ν or μ and activity of every constraint, and what it adds to ∂L/∂x."""
    graph = Graph("solution: minimize f(x)", "problem", heat="‖μ‖")
    leaves, structure = trees.flatten(solution.x)
    names = trees.paths(structure, "x")
    for leaf, name in zip(leaves, names, strict=True):
        leaf = innermost(leaf)
        kind = kind_text(shape_of(leaf), dtype_of(leaf))
        graph.nodes.append(
            Node(len(graph.nodes), "x", "input", "unknowns", name, kind=kind, z=numbers_of(leaf))
        )
    f = Node(
        len(graph.nodes), "minimize", "objective", "f(x)", "f", z=numbers_of(float(innermost(solution.fun)))
    )
    graph.nodes.append(f)
    for name in solution.constraints:
        node = _constraint(len(graph.nodes), name, solution)
        if node is not None:
            graph.nodes.append(node)
    total = Node(len(graph.nodes), "add", "output", "f + νᵀh + μᵀg", "L", z=f.z)
    graph.nodes.append(total)
    _join(graph, solution, f, total)
    graph.lagrangian = solution.mathml()
    r = solution.residuals
    graph.facts = [
        ("", solution.message),
        ("stationarity", f"{r.stationarity:.1e}"), ("primal", f"{r.primal:.1e}"),
        ("dual", f"{r.dual:.1e}"), ("slackness", f"{r.slackness:.1e}"),
    ]  # fmt: skip
    return graph


def _constraint(number: int, name: str, solution: Solution) -> Node | None:
    """A constraint's node; None for a bound that no element has."""
    c = solution.constraints[name]
    value, multiplier, active = flat(c.value), flat(c.multiplier), flat(c.active)
    there = np.isfinite(value)  # an absent bound is no constraint
    if not there.any() and name in BOUNDS:
        return None
    value, multiplier, active = value[there], multiplier[there], active[there].astype(bool)
    function = "x" if name in BOUNDS else "h(x)" if c.relation == "=" else "g(x)"
    node = Node(
        number, c.relation, "constraint", f"{function} {c.relation} {name if name in BOUNDS else '0'}", name,
        kind=f"{value.size} elements" if value.size > 1 else "",
        z=numbers_of(value if value.size != 1 else float(value[0])),
        lam=numbers_of(multiplier if multiplier.size != 1 else float(multiplier[0])),
        active=bool(active.any()),
    )  # fmt: skip
    if c.relation == "=":
        node.note = f"holds to {text_of(length(value))}"
    elif value.size == 1:
        node.note = "binds" if node.active else "slack"
    else:
        node.note = f"binds in {int(active.sum())} of {value.size}"
    return node


def _join(graph: Graph, solution: Solution, f: Node, total: Node) -> None:
    """Edges from the unknowns through f and the constraints to L, with what each adds where it is known."""
    unknowns = [node for node in graph.nodes if node.operation == "x"]
    ends = np.cumsum([0] + [flat(leaf).size for leaf in trees.flatten(solution.x)[0]]).tolist()
    system = solution.system
    sums = np.zeros(ends[-1])
    for node in graph.nodes:
        if node.role != "constraint":
            continue
        added = None
        if system is not None:
            positions, rows = system.rows.get(node.name, (np.zeros(0, int), np.zeros(0, int)))
            multiplier = flat(solution.constraints[node.name].multiplier)[positions]
            added = (system.sign(node.name, rows) * multiplier) @ system.jacobian[rows]
            sums += added
        for leaf, start, end in zip(unknowns, ends, ends[1:], strict=False):
            part = None if added is None else length(added[start:end])
            graph.edges.append((leaf.number, node.number, part))
        weight = node.lam.norm if node.lam is not None and system is not None else None
        graph.edges.append((node.number, total.number, weight))
    for leaf, start, end in zip(unknowns, ends, ends[1:], strict=False):  # ∇f balances the constraints
        graph.edges.append((leaf.number, f.number, None if system is None else length(sums[start:end])))
    graph.edges.append((f.number, total.number, None if system is None else 1.0))
    if not math.isfinite(float(np.sum(sums))):
        graph.edges = [(a, b, None) for a, b, _ in graph.edges]
