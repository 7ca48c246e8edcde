"""`minimize`, and `Problem`, the same as an object.

Sign convention: see `adjoint.problems`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import TraceError, UnknownNameError, refusal
from ..ops.formula import document
from ..ops.primitive import Recorded, innermost
from ..ops.sides import host_only
from ..tape.trace import is_traced
from . import typeset
from .augmented import augmented
from .differentiable import differentiable
from .dual import dual
from .inputs import Function, Named
from .newton import Answer, Options, certified, newton
from .program import Program
from .solution import Callback, Residuals, Solution
from .stochastic import DAMPED, Ascent, Sampler, stochastic
from .verdict import Status

SMALL = 300  # unknowns and constraints up to which second derivatives are formed


@host_only
def minimize(
    f: Function,
    x0: Any,
    *,
    eq: Named = None,
    ineq: Named = None,
    bounds: Any = None,
    args: Sequence[Any] = (),
    method: str = "auto",
    **options: Any,
) -> Solution:
    """Minimise f(x) subject to h(x) = 0 (`eq`) and g(x) ≤ 0 (`ineq`: at most zero, unlike SciPy).

    The functions are plain NumPy; their derivatives, up to the exact Hessian of the Lagrangian, are taken by
    the library. Inside `ad.grad`, the result is differentiable in `args`, by the adjoint of its KKT system.
    All of it runs on the host: arrays of cupy are refused.

    Args:
        f: returns a real number: `f(x, *args)`.
        x0: where to start: a float array, or a container of them. It may be infeasible. float64 is used.
        eq: {name: h}, functions `h(x, *args)` of any shape that are to be zero.
        ineq: {name: g}, functions that are to be at most zero.
        bounds: (lower, upper), each None, a number, or shaped like x; their multipliers are "lower" and
            "upper".
        args: what f, h and g depend on besides x; recorded values belong here and nowhere else.
        method: "auto", or one of

            - "newton": interior point, then Newton's method on what binds; small smooth problems;
            - "augmented": augmented Lagrangian with L-BFGS-B; large problems, verdict of first order;
            - "dual": dual ascent; needs `inner`;
            - "primal-dual": descent and damped ascent over minibatches; needs `batches`.

        **options: `tolerance`, `max_steps`, `callback`, `escape`, `compile`, `inner`, `batches`, `rng`,
            `optimizer`, `ascent`, `average`: see `Settings`.

    Returns:
        A `Solution`: x, multipliers by name, the verdict, four KKT residuals, sensitivities, and which method
        was chosen why. Infeasible, unbounded and unfinished are verdicts, not errors.

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
    return problem.solve(x0, args=args, method=method, **options)


@dataclass(frozen=True)
class Settings:
    """The options of `minimize`.

    Attributes:
        tolerance: largest of the four KKT residuals; 1e-8, or 1e-2 over minibatches.
        max_steps: steps at most, and as many again to restore feasibility or to leave a saddle; each method
            has a limit of its own.
        callback: called with a `Step` after every step.
        escape: leave saddles along negative curvature ("newton").
        compile: run first and second derivatives as compiled programs ("newton"); pays when they take long.
        inner: x = inner(multipliers, *args), the minimiser of L over the bounds for given multipliers, a dict
            by name ("dual").
        batches: a sequence of batches, taken in shuffled epochs, or a function of rng that draws one. A batch
            is an argument, or a tuple of arguments, that follows `args` ("primal-dual").
        rng: of the batches' order or draws.
        optimizer: of x over minibatches; `ad.optim.adam(1e-2)` by default.
        ascent: how multipliers move over minibatches.
        average: answer with the mean over the second half of the steps, not with the last.
    """

    tolerance: float | None = None
    max_steps: int | None = None
    callback: Callback | None = None
    escape: bool = True
    compile: bool = False
    inner: Function | None = None
    batches: Any = None
    rng: np.random.Generator | None = None
    optimizer: Any = None
    ascent: Ascent = DAMPED
    average: bool = True

    def of(self, method: str) -> Options:
        """What every solver is told, with the method's own limits filled in."""
        tolerance = self.tolerance if self.tolerance is not None else TOLERANCES.get(method, 1e-8)
        steps = self.max_steps if self.max_steps is not None else LIMITS[method]
        if not tolerance > 0:
            raise ValueError(f"tolerance must be positive, got {tolerance}")
        if not steps >= 1:
            raise ValueError(f"max_steps must be at least 1, got {steps}")
        return Options(tolerance, steps, self.callback, self.escape)


LIMITS = {"newton": 300, "augmented": 100, "dual": 200, "primal-dual": 5000}
TOLERANCES = {"primal-dual": 1e-2}  # steps of constant size end in a ball around the solution


@host_only
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

    def latex(self, limit: int = 40) -> str:
        """L = f + νᵀh + μᵀg with the names of this problem, in LaTeX (an `aligned` environment).

        Args:
            limit: lines at most; the rest is an ellipsis.
        """
        return typeset.of_problem(self.eq, self.ineq, self.bounds, limit).latex()

    def mathml(self, limit: int = 40) -> str:
        """The same as a `<math>` element, which browsers typeset without help."""
        return document(typeset.of_problem(self.eq, self.ineq, self.bounds, limit))

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

    def solve(self, x0: Any, *, args: Sequence[Any] = (), method: str = "auto", **options: Any) -> Solution:
        """Solve from x0; the arguments are those of `minimize`."""
        if not isinstance(args, (tuple, list)):
            raise TypeError(f"args must be a tuple of arguments, got {type(args).__name__}: write args=(p,)")
        settings = _settings(options)
        _check_method(method, settings)
        leaves, structure = trees.flatten(tuple(args))
        plain = trees.unflatten(structure, [_plain(leaf) for leaf in leaves])
        sampler = None
        first: tuple[Any, ...] = ()
        if settings.batches is not None:
            sampler = Sampler(settings.batches, settings.rng or np.random.default_rng(0))
            first = sampler.all(1)[0]
        program = self._program(x0, (*plain, *first), settings.compile)
        how, why = _choose(method, program, settings)
        with np.errstate(all="ignore"):  # trial points may be anywhere
            answer = _answer(how, program, plain, settings, sampler)
        solution = conclude(program, answer, f"{how} ({why})", settings.of(how).tolerance)
        if any(isinstance(leaf, Recorded) for leaf in leaves):
            return differentiable(program, solution, tuple(args))
        return solution


def _settings(options: dict[str, Any]) -> Settings:
    known = [field.name for field in fields(Settings)]
    for name in options:
        if name not in known:
            raise TypeError(f"minimize has no option {name!r}; there are {', '.join(known)}")
    return Settings(**options)


def _check_method(method: str, settings: Settings) -> None:
    if method != "auto" and method not in LIMITS:
        raise ValueError(f"unknown method {method!r}: there are {', '.join(map(repr, LIMITS))} and 'auto'")
    if method == "dual" and settings.inner is None:
        raise ValueError("method 'dual' needs inner=, the minimiser of L as a function of the multipliers")
    if method == "primal-dual" and settings.batches is None:
        raise ValueError("method 'primal-dual' needs batches=")
    if settings.batches is not None and method not in ("auto", "primal-dual"):
        raise ValueError(f"method {method!r} does not take batches=; 'primal-dual' does")


def _choose(method: str, program: Program, settings: Settings) -> tuple[str, str]:
    """The method, and why."""
    size = f"{program.n} unknowns, {program.m} equalities, {program.p} inequalities"
    if method != "auto":
        return method, f"as asked for; {size}"
    if settings.batches is not None:
        return "primal-dual", f"{size}; f is known through minibatches"
    if settings.inner is not None:
        return "dual", f"{size}; the inner minimiser is given"
    if program.n + program.m > SMALL or program.p > 10 * SMALL:
        return "augmented", f"{size}: too many for second derivatives"
    return "newton", f"{size}: small enough for exact second derivatives"


def _answer(
    how: str, program: Program, args: tuple[Any, ...], settings: Settings, sampler: Sampler | None
) -> Answer:
    options = settings.of(how)
    if how == "newton":
        return newton(program, options)
    if how == "augmented":
        return augmented(program, options)
    if how == "dual":
        assert settings.inner is not None
        answer = dual(program, settings.inner, options)
        small = program.n + program.m <= SMALL and answer.status is Status.SOLVED
        return certified(program, answer, options) if small else answer
    from ..optim import adam  # not loaded with the package

    assert sampler is not None
    optimizer = settings.optimizer or adam(1e-2)
    return stochastic(program, args, sampler, optimizer, settings.ascent, settings.average, options)


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
