"""A solution as a function of the arguments, by the adjoint of its KKT system.

    F(z, args) = (∇ₓL, h, g_𝒜) = 0,   z = (x, ν, μ_𝒜)        (∂F/∂z)ᵀ w = λ_z,   λ_args = −(∂F/∂args)ᵀ w

𝒜 are the inequalities with positive multipliers. The solver is not differentiated, and derivatives of any
order follow. Where an active inequality has a zero multiplier, x* has a kink, and the derivative is that of
relaxing it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import ConvergenceError, DomainError, refusal
from ..transforms import grad
from ..transforms.implicit import Root
from .program import Program
from .solution import Solution, System
from .verdict import Doubt

numpy: Any = np  # for calls that come back through the protocols


def differentiable(program: Program, solution: Solution, args: tuple[Any, ...]) -> Solution:
    """The same solution with x, fun and the multipliers recorded as functions of `args`.

    Raises:
        ConvergenceError: the problem is not solved.
        DomainError: x* is not a differentiable function of the arguments.
    """
    if not solution.success:
        what = f"minimize cannot be differentiated where it has no solution: {solution.message}"
        raise refusal(ConvergenceError, what)
    if Doubt.FLAT in solution.doubts or solution.system is None:
        why = Doubt.FLAT.value if solution.system is not None else f"{solution.method} forms no KKT matrix"
        what = f"minimize cannot be differentiated here: {why}"
        raise refusal(DomainError, what, "Add curvature (a small multiple of x @ x), or method='newton'.")
    system = solution.system
    kept = independent(system.jacobian)
    leaves, structure = trees.flatten(args)
    start = np.concatenate([_vector(program, solution), _multipliers(solution, system)[kept]])
    z = Root(_conditions(program, system, kept), structure, lambda _, z: z)(start, *leaves)
    x, lam = z[: program.n], z[program.n :]
    fun = program.evaluate(x, *args)[0]
    constraints = {
        name: replace(
            c, multiplier=_presented(program, c.multiplier, lam, *_selection(system, name, c, kept))
        )
        for name, c in solution.constraints.items()
    }
    return replace(solution, x=program.unflatten(x), fun=fun, constraints=constraints)


def independent(rows: np.ndarray) -> np.ndarray:
    """Indices of linearly independent rows that span them all."""
    from scipy.linalg import qr

    if not len(rows):
        return np.arange(0)
    _, r, order = qr(rows.T, mode="economic", pivoting=True)
    sizes = np.abs(np.diag(r))
    return np.sort(order[: int(np.sum(sizes > 1e-9 * max(1e-300, float(sizes[0]))))])


def _conditions(program: Program, system: System, kept: np.ndarray) -> Any:
    n, m = program.n, program.m
    # the system's rows are those of h, then of the inequalities that hold, in the order of g
    expand = np.zeros((m + program.p, len(kept)))
    expand[np.concatenate([np.arange(m), m + system.binding])[kept], np.arange(len(kept))] = 1.0
    fixed, lower, upper = program.bound_blocks
    pull = np.zeros((n, m + program.p))
    pull[program.fixed, np.arange(fixed.rows.start, fixed.rows.stop)] = 1.0
    pull[program.below, np.arange(m + lower.rows.start, m + lower.rows.stop)] = -1.0
    pull[program.above, np.arange(m + upper.rows.start, m + upper.rows.stop)] = 1.0
    limits = np.zeros(m + program.p)
    limits[fixed.rows] = program.lower[program.fixed]
    limits[m + lower.start : m + program.p] = np.concatenate(
        [-program.lower[program.below], program.upper[program.above]]
    )
    limits = expand.T @ limits

    def kkt(z: Any, *args: Any) -> Any:
        x, full = z[:n], expand @ z[n:]
        nu, mu = full[:m], full[m:]
        blocks = program.spread(nu, mu)
        slope = grad(program.lagrangian)(x, blocks, *args) + pull @ full
        values = [numpy.ravel(c) for c in program.evaluate(x, *args)[1]]
        h = [c for c, b in zip(values, program.own, strict=True) if b.relation == "="]
        g = [c for c, b in zip(values, program.own, strict=True) if b.relation != "="]
        own = numpy.concatenate([*h, np.zeros(len(program.fixed)), *g, np.zeros(program.p - lower.start)])
        return numpy.concatenate([slope, expand.T @ (own + pull.T @ x) - limits])

    return kkt


def _vector(program: Program, solution: Solution) -> np.ndarray:
    return np.concatenate([np.ravel(leaf) for leaf in trees.flatten(solution.x)[0]])


def _multipliers(solution: Solution, system: System) -> np.ndarray:
    """Multipliers of the system's rows."""
    lam = np.zeros(len(system.jacobian))
    for name, (positions, rows) in system.rows.items():
        if name in solution.constraints:
            flat = np.concatenate(
                [np.ravel(v) for v in trees.flatten(solution.constraints[name].multiplier)[0]]
            )
            lam[rows] = system.sign(name, rows) * flat[positions]
    return lam


def _selection(system: System, name: str, c: Any, kept: np.ndarray) -> tuple[np.ndarray, Any]:
    """The matrix that takes the kept multipliers to those of one constraint, flat."""
    positions, rows = system.rows[name]
    size = sum(int(np.size(leaf)) for leaf in trees.flatten(c.multiplier)[0])
    full = np.zeros((size, len(system.jacobian)))
    full[positions, rows] = system.sign(name, rows)
    return full[:, kept], trees.flatten(c.multiplier)


def _presented(program: Program, like: Any, lam: Any, matrix: np.ndarray, flat: Any) -> Any:
    leaves, structure = flat
    vector, parts, start = matrix @ lam, [], 0
    for leaf in leaves:
        size = int(np.size(leaf))
        parts.append(numpy.reshape(vector[start : start + size], np.shape(leaf)))
        start += size
    return trees.unflatten(structure, parts)
