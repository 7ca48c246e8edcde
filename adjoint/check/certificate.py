"""`certificate`: are these the solution and the multipliers of that constrained problem?"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import describe
from ..ops.sides import host_only
from ..problems import Problem, Solution
from ..problems.program import Program
from ..transforms.vectors import flatten
from .kkt import KKTReport, Stated, findings_of, judge, rows_of

TOLERANCE = 1e-5  # of the four residuals, of answers that bring none


@host_only
def certificate(
    solution: Any,
    problem: Any = None,
    *,
    constraints: Any = (),
    bounds: Any = None,
    args: tuple[Any, ...] = (),
    tolerance: float | None = None,
) -> KKTReport:
    """Hold an answer against the KKT conditions, whoever found it.

    Args:
        solution: what the solver returned:

            - a `Solution` of ours, with its `Problem` for residuals computed anew;
            - an OptimizeResult of SciPy's `minimize`, with the f, constraints and bounds given to it;
            - one of `linprog`, with a dict of its arguments, {"c": c, "A_ub": …};
            - a solved cvxpy Problem, alone;
            - a dict or array x, with a `Problem` of ours: multipliers are estimated.
        problem: f, `Problem` or dict, as above.
        constraints: SciPy's, c(x) ≥ 0; also LinearConstraint and NonlinearConstraint. A dict may have "name".
        bounds: SciPy's.
        args: of f (and, for a `Problem`, of all its functions).
        tolerance: of the four residuals; by default that of our Solution, else 1e-5.

    Returns:
        A report, true when all four hold: residuals, multipliers by name in the one sign convention
        (L = f + νᵀh + μᵀg, g ≤ 0, μ ≥ 0), and a verdict that names wrong signs, contradicting constraints, an
        unbounded f, or the constraint that spoils it.

    >>> from scipy.optimize import minimize
    >>> f = lambda x: (x[0] - 3) ** 2 + x[1] ** 2
    >>> c = {"type": "ineq", "fun": lambda x: 2 - x[0], "name": "cap"}
    >>> report = certificate(minimize(f, [0.0, 1.0], constraints=c), f, constraints=c)
    >>> bool(report), report.multipliers["cap"].round(5)
    (True, np.float64(2.0))
    """
    if tolerance is not None and not tolerance > 0:
        raise ValueError(f"tolerance must be larger than 0, got {tolerance}")
    cvxpy = sys.modules.get("cvxpy")  # nobody hands over a problem of a package that is not imported
    if cvxpy is not None and isinstance(solution, cvxpy.Problem):
        from .cvxpy_problems import of_cvxpy

        _refuse("a cvxpy Problem", problem=problem, constraints=constraints, bounds=bounds, args=args)
        return of_cvxpy(solution, tolerance or TOLERANCE)
    if isinstance(solution, Solution):
        _refuse("a Solution's Problem", constraints=constraints, bounds=bounds)
        if problem is None:
            return _as_reported(solution, tolerance or solution.tolerance)
        return _of_problem(solution.x, solution, problem, args, tolerance or solution.tolerance)
    if isinstance(problem, Problem):
        _refuse("a Problem", constraints=constraints, bounds=bounds)
        x = solution.x if hasattr(solution, "fun") else solution
        return _of_problem(x, None, problem, args, tolerance or TOLERANCE)
    optimize = sys.modules.get("scipy.optimize")
    if optimize is not None and isinstance(solution, optimize.OptimizeResult):
        if hasattr(solution, "ineqlin"):
            from .linprog_results import of_linprog

            _refuse("the dict of linprog's arguments", constraints=constraints, bounds=bounds, args=args)
            return of_linprog(solution, problem, tolerance or TOLERANCE)
        from .scipy_results import of_scipy

        return of_scipy(solution, problem, constraints, bounds, args, tolerance or TOLERANCE)
    raise TypeError(
        f"certificate takes a Solution, a SciPy OptimizeResult or a cvxpy Problem, got {describe(solution)}\n"
        "  For any other x: certificate(x, ad.Problem(f, eq=…, ineq=…, bounds=…))."
    )


def _refuse(what: str, **given: Any) -> None:
    """Arguments that would not be looked at."""
    for name, value in given.items():
        if value is not None and not (isinstance(value, (tuple, list)) and not value):
            raise TypeError(f"{what} holds everything that it is about; {name}= is for results of minimize")


def _as_reported(solution: Solution, tolerance: float) -> KKTReport:
    """What the solution says of itself."""
    rows = []
    for name, c in solution.constraints.items():
        value, lam = (flatten(part)[0] for part in (c.value, c.multiplier))
        rows += [row for row in rows_of(name, c.relation, value, lam) if np.isfinite(row.value)]
    findings = findings_of(solution.residuals, tolerance, {})
    holds = all(f.passed for f in findings)
    verdict = solution.message if holds else f"FAILED: {solution.message}"
    if solution.certificate is not None:
        verdict += f"; certificate: {_brief(solution.certificate)}"
    notes = ("residuals as the solver left them; certificate(solution, problem) computes them anew",)
    return KKTReport(
        f"a Solution ({solution.method.partition(' (')[0]})", findings, notes,
        residuals=solution.residuals, multipliers=dict(solution.multipliers), verdict=verdict,
        rows=tuple(rows),
    )  # fmt: skip


def _brief(x: Any) -> str:
    leaves, structure = trees.flatten(x)
    return ", ".join(
        f"{path or 'x'} {np.array2string(np.asarray(leaf), precision=3, threshold=8)}"
        for path, leaf in zip(trees.paths(structure), leaves, strict=True)
    )


def _of_problem(x: Any, solution: Solution | None, problem: Any, args: Any, tolerance: float) -> KKTReport:
    """Values and derivatives computed anew at x, with the solution's multipliers or our own."""
    if not isinstance(problem, Problem):
        raise TypeError(f"a Solution is held against its ad.Problem, got {describe(problem)}")
    program = Program(problem.f, x, args, problem.eq, problem.ineq, problem.bounds)
    nu = mu = None
    if solution is not None:
        nu, mu = problem._flat(program, solution.multipliers)
    blocks = [*program.own, *(b for b in program.bound_blocks if np.prod(b.shape, dtype=int))]
    source = "x" if solution is None else f"a Solution ({solution.method.partition(' (')[0]})"
    remark = "" if solution is None or solution.success else solution.message
    positions = dict(
        zip(("fixed", "lower", "upper"), (program.fixed, program.below, program.above), strict=True)
    )

    def evaluate(v: np.ndarray) -> tuple[float, float]:
        f, h, g = program.values(v)
        return float(f), float(max(np.max(np.abs(h), initial=0.0), np.max(g, initial=0.0)))

    return judge(
        Stated(
            source, program.point(program.start), blocks, nu, mu, tolerance, [], remark, positions, evaluate
        )
    )
