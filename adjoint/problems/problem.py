"""`minimize`, and `Problem`, the same as an object.

Sign convention: see `adjoint.problems`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import TraceError, UnknownNameError, refusal
from ..ops.primitive import Recorded, innermost
from ..tape.trace import is_traced
from .differentiable import differentiable
from .inputs import Function, Named
from .newton import Answer, Options, newton
from .program import Program
from .solution import Callback, Residuals, Solution

SMALL = 300  # unknowns and constraints up to which second derivatives are formed


def minimize(
    f: Function,
    x0: Any,
    *,
    args: Sequence[Any] = (),
    eq: Named = None,
    ineq: Named = None,
    bounds: Any = None,
    method: str = "auto",
    tolerance: float = 1e-8,
    max_steps: int | None = None,
    callback: Callback | None = None,
    escape: bool = True,
    compile: bool = False,
) -> Solution:
    """Minimise f(x) subject to h(x) = 0 (`eq`) and g(x) ≤ 0 (`ineq`: at most zero, unlike SciPy).

    The functions are plain NumPy; their derivatives, up to the exact Hessian of the Lagrangian, are taken by
    the library. Inside `ad.grad`, the result is differentiable in `args`, by the adjoint of its KKT system.

    Args:
        f: returns a real number: `f(x, *args)`.
        x0: where to start: a float array, or a container of them. It may be infeasible. float64 is used.
        args: what f, h and g depend on besides x; recorded values belong here and nowhere else.
        eq: {name: h}, functions `h(x, *args)` of any shape that are to be zero.
        ineq: {name: g}, functions that are to be at most zero.
        bounds: (lower, upper), each None, a number, or shaped like x; their multipliers are "lower" and
            "upper".
        method: "newton", "augmented", or "auto", by size; the solution says which.
        tolerance: largest of the four KKT residuals.
        max_steps: steps at most; a method's own limit by default.
        callback: called with a `Step` after every step.
        escape: leave saddles along negative curvature.
        compile: run the derivatives as compiled programs; pays when they run for seconds.

    Returns:
        A `Solution`: x, multipliers by name, the verdict, four KKT residuals, sensitivities. Infeasible,
        unbounded and unfinished are verdicts, not errors.

    Raises:
        ShapeError, DTypeError, DomainError: a function returns the wrong thing, or NaN at x0; the message
            names it and its line.
        LeakError: a function uses a recorded value that is not among `args`.

    >>> import numpy as np
    >>> import adjoint as ad
    >>> solution = ad.minimize(np.sum, np.zeros(2), ineq={"disk": lambda x: x @ x - 2})
    >>> solution.x, solution.multipliers["disk"].round(10)
    (array([-1., -1.]), np.float64(0.5))
    """
    problem = Problem(f, eq=eq, ineq=ineq, bounds=bounds)
    return problem.solve(
        x0, args=args, method=method, tolerance=tolerance, max_steps=max_steps, callback=callback,
        escape=escape, compile=compile,
    )  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """Minimise f subject to h = 0 (`eq`), g ≤ 0 (`ineq`) and bounds; see `minimize`.

    >>> import numpy as np
    >>> import adjoint as ad
    >>> problem = ad.Problem(lambda x: np.sum(x**2), eq={"sum": lambda x: np.sum(x) - 2})
    >>> problem.solve(np.zeros(2)).x
    array([1., 1.])
    """

    f: Function
    eq: Named = None
    ineq: Named = None
    bounds: Any = None

    def lagrangian(self, x: Any, multipliers: dict[str, Any], *args: Any) -> Any:
        """L(x, ν, μ) with multipliers by name, bounds included; missing ones are zero.

        Raises:
            UnknownNameError: a multiplier's name is no constraint's.
        """
        program = self._program(x, args)
        nu, mu = self._flat(program, multipliers)
        f, h, g = program.values(program.start)
        return f + nu @ h + mu @ g

    def residuals(self, x: Any, multipliers: dict[str, Any], *args: Any) -> Residuals:
        """The four KKT residuals of any point with any multipliers, by name; missing ones are zero."""
        program = self._program(x, args)
        nu, mu = self._flat(program, multipliers)
        p = program.point(program.start)
        return Residuals.of(p.gradient, p.lagrangian_gradient(nu, mu), p.h, p.g, mu)

    def _program(self, x: Any, args: Sequence[Any], compile: bool = False) -> Program:
        return Program(self.f, x, args, self.eq, self.ineq, self.bounds, compile)

    def _flat(self, program: Program, multipliers: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        nu, mu = np.zeros(program.m), np.zeros(program.p)
        known = {b.name: b for b in program.own}
        fixed, lower, upper = program.bound_blocks
        for name, given in multipliers.items():
            flat = np.concatenate([np.ravel(leaf) for leaf in trees.flatten(given)[0]])
            if name in known:
                (nu if known[name].relation == "=" else mu)[known[name].rows] = flat
            elif name in ("lower", "upper"):
                block, index, sign = (
                    (lower, program.below, -1) if name == "lower" else (upper, program.above, 1)
                )
                mu[block.rows] = flat[index]
                nu[fixed.rows] += sign * flat[program.fixed]
            else:
                raise UnknownNameError(f"no constraint {name!r}; there are {', '.join(known) or 'none'}")
        return nu, mu

    def solve(
        self,
        x0: Any,
        *,
        args: Sequence[Any] = (),
        method: str = "auto",
        tolerance: float = 1e-8,
        max_steps: int | None = None,
        callback: Callback | None = None,
        escape: bool = True,
        compile: bool = False,
    ) -> Solution:
        """Solve from x0; the arguments are those of `minimize`."""
        if not isinstance(args, (tuple, list)):
            raise TypeError(f"args must be a tuple of arguments, got {type(args).__name__}: write args=(p,)")
        leaves, structure = trees.flatten(tuple(args))
        plain = trees.unflatten(structure, [_plain(leaf) for leaf in leaves])
        program = self._program(x0, plain, compile)
        how, why = _choose(method, program)
        options = Options(tolerance, max_steps or LIMITS[how], callback, escape)
        answer = METHODS[how](program, options)
        solution = conclude(program, answer, f"{how} ({why})", tolerance)
        if any(isinstance(leaf, Recorded) for leaf in leaves):
            return differentiable(program, solution, tuple(args))
        return solution


METHODS: dict[str, Callable[[Program, Options], Answer]] = {"newton": newton}
LIMITS = {"newton": 300}


def _choose(method: str, program: Program) -> tuple[str, str]:
    """The method, and why."""
    size = f"{program.n} unknowns, {program.m} equalities, {program.p} inequalities"
    if method != "auto":
        if method not in METHODS:
            raise ValueError(
                f"unknown method {method!r}: there are {', '.join(map(repr, METHODS))} and 'auto'"
            )
        return method, f"as asked for; {size}"
    return "newton", f"{size}: small enough for exact second derivatives"


def _plain(leaf: Any) -> Any:
    if is_traced(leaf):
        what = "minimize needs values, and while a program is traced for compilation there are only shapes"
        raise refusal(
            TraceError, what, "Call it outside of ad.compile; compile=True compiles its derivatives."
        )
    return innermost(leaf)


def conclude(program: Program, answer: Answer, method: str, tolerance: float) -> Solution:
    """An answer in the user's containers and names."""
    c = answer.candidate
    p = c.point
    certificate = answer.certificate
    if isinstance(certificate, tuple):
        nothing = np.zeros(program.p, bool)
        named = program.constraints(p.h, p.g, certificate[0], certificate[1], nothing)
        certificate = {name: found.multiplier for name, found in named.items()}
    elif certificate is not None:
        certificate = program.unflatten(certificate)
    return Solution(
        x=program.unflatten(p.x), fun=p.f, status=answer.status, residuals=c.residuals,
        constraints=program.constraints(p.h, p.g, c.nu, c.mu, c.active), method=method, steps=answer.steps,
        history=tuple(answer.history), doubts=tuple(answer.doubts), certificate=certificate,
        violation=answer.violation, tolerance=tolerance, system=answer.system,
    )  # fmt: skip
