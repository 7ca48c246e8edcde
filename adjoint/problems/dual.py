"""Dual ascent, where the user knows the inner minimiser x(ν, μ) = argmin L(·, ν, μ) in closed form.

    D(ν, μ) = L(x(ν, μ), ν, μ) is concave,   ∇D = (h, g)(x(ν, μ)),   ∇²D = ∂(h, g)/∂x · ∂x/∂(ν, μ)

Maximised over μ ≥ 0 by projected Newton steps with the exact Hessian. D bounds f* from below, whatever the
multipliers are; at the maximum of a convex problem it is f*.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import DomainError, ShapeError, TreeError, refusal
from ..ops.primitive import shape_of
from ..ops.sides import host_result
from ..transforms import jacobian
from .inputs import Function, defined_at
from .matrix_free import Flat, with_bounds
from .newton import Answer, Options, normalised
from .program import Program
from .solution import Residuals, Step
from .verdict import Status

numpy: Any = np  # for calls that come back through the protocols
FAR = 1e8  # multipliers beyond which D, still rising, is taken for unbounded


class Dual:
    """The dual function over λ = (ν, μ) of the user's constraints."""

    def __init__(self, program: Program, inner: Function) -> None:
        if not callable(inner):
            raise TypeError(f"inner must be a function of the multipliers, got {type(inner).__name__}")
        self.program, self.inner = program, inner
        fixed, lower, _ = program.bound_blocks
        self.m, self.p = fixed.start, lower.start
        self.free = np.concatenate([np.ones(self.m, bool), np.zeros(self.p, bool)])
        self._hessian = jacobian(self.constraints)

    def minimiser(self, lam: Any) -> Any:
        """x(λ) as a vector; differentiable."""
        named = {}
        for b in self.program.own:
            start = b.start if b.relation == "=" else self.m + b.start
            size = b.rows.stop - b.rows.start
            named[b.name] = numpy.reshape(lam[start : start + size], b.shape) if b.shape else lam[start]
        x = self.inner(named, *self.program.args)
        leaves, structure = trees.flatten(x)
        if structure != self.program.structure or [shape_of(leaf) for leaf in leaves] != self.program.shapes:
            found = f"{structure} of shapes {[shape_of(leaf) for leaf in leaves]}"
            what = (
                f"inner must return x in the containers and shapes of x0, {self.program.shapes}; got {found}"
            )
            kind = ShapeError if structure == self.program.structure else TreeError
            raise refusal(kind, what, defined_at(self.inner))
        return numpy.concatenate([numpy.ravel(leaf) for leaf in leaves])

    def constraints(self, lam: Any) -> Any:
        """(h, g)(x(λ)), the user's rows alone: the gradient of D."""
        values = self.program.evaluate(self.minimiser(lam), *self.program.args)[1]
        return numpy.concatenate([numpy.ravel(c) for c in values])

    def value(self, lam: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """D, its gradient and x; not finite where the inner minimum is not."""
        with np.errstate(all="ignore"):
            x = host_result(self.minimiser(lam), "inner", np.float64)
            f, h, g = self.program.values(x)
            gradient = np.concatenate([h[: self.m], g[: self.p]])
            return float(f + lam @ gradient), gradient, x

    def hessian(self, lam: np.ndarray) -> np.ndarray:
        """∇²D, negative semidefinite."""
        with np.errstate(all="ignore"):
            found = np.asarray(self._hessian(lam), np.float64)
        return 0.5 * (found + found.T)

    def candidate(self, lam: np.ndarray, x: np.ndarray) -> Flat:
        """x with the multipliers; those of bounds are what is left of the gradient."""
        return with_bounds(self.program, x, *_split(self, lam))


def dual(program: Program, inner: Function, options: Options) -> Answer:
    """Maximise the dual function.

    Raises:
        ShapeError: `inner` does not return x.
        DomainError: `inner` is not finite at any multipliers tried.
    """
    problem = Dual(program, inner)
    lam = _begin(problem)
    value, gradient, x = problem.value(lam)
    history: list[Step] = []
    status = Status.STEPS
    for step in range(options.max_steps):
        found = problem.candidate(lam, x)
        ascent = np.where(problem.free | (lam > 0), gradient, np.maximum(gradient, 0.0))
        size = float(np.max(np.abs(ascent), initial=0.0))
        r = found.residuals
        if max(r.primal, r.dual, r.slackness) <= options.tolerance and (
            size <= 1e-14 or _settled(history, size)
        ):
            status = _verdict(r, options)
            break
        new, length = _ascend(problem, lam, value, gradient)
        line = Step(step, found.point.f, r.stationarity, r.primal, r.slackness, length)
        history.append(line)
        if options.callback is not None:
            options.callback(line)
        if length == 0.0:
            status = _verdict(r, options)
            break
        lam = new
        value, gradient, x = problem.value(lam)
        if np.max(np.abs(lam)) > FAR:
            weights = normalised(*_split(problem, lam))
            found = problem.candidate(np.zeros_like(lam), x)
            return Answer(
                found,
                Status.INFEASIBLE,
                len(history),
                history,
                certificate=weights,
                violation=found.point.violation,
            )
    found = problem.candidate(lam, x)
    return Answer(found, status, len(history), history)


def _verdict(r: Residuals, options: Options) -> Status:
    if r.hold(options.tolerance):
        return Status.SOLVED
    return Status.RESTRICTED if max(r.primal, r.dual, r.slackness) <= options.tolerance else Status.STALLED


def _settled(history: list[Step], size: float) -> bool:
    """Whether the last step brought nothing: the gradient is down to rounding."""
    return len(history) > 1 and size >= 0.5 * history[-1].primal


def _begin(problem: Dual) -> np.ndarray:
    """Multipliers at which the inner minimum exists: 0, or powers of ten of either sign."""
    ones = np.ones(problem.m + problem.p)
    for scale in (0.0, 1.0, -1.0, 0.1, -0.1, 10.0, -10.0, 100.0, -100.0, 1e-3, -1e-3):
        lam = np.where(problem.free, scale, abs(scale)) * ones
        value, gradient, x = problem.value(lam)
        if np.isfinite(value) and np.all(np.isfinite(gradient)) and np.all(np.isfinite(x)):
            return np.asarray(lam)
    what = "inner is not finite at any of the multipliers tried (0, ±1e-3 … ±100)"
    raise refusal(DomainError, what, defined_at(problem.inner))


def _ascend(problem: Dual, lam: np.ndarray, value: float, gradient: np.ndarray) -> tuple[np.ndarray, float]:
    """A projected Newton step, or one along the gradient, that raises D; length 0 when neither does."""
    moving = problem.free | (lam > 0) | (gradient > 0)
    hessian = problem.hessian(lam)[np.ix_(moving, moving)]
    directions = []
    if np.all(np.isfinite(hessian)):
        curvature = -hessian
        scale = max(1e-300, float(np.max(np.abs(np.diag(curvature)), initial=0.0)))
        for shift in (0.0, 1e-10, 1e-4):
            try:
                factor = np.linalg.cholesky(curvature + shift * scale * np.eye(len(curvature)))
            except np.linalg.LinAlgError:
                continue
            newton = np.zeros_like(lam)
            newton[moving] = np.linalg.solve(factor.T, np.linalg.solve(factor, gradient[moving]))
            directions.append(newton)
            break
    directions.append(np.where(moving, gradient, 0.0))
    noise = 1e-14 * max(1.0, abs(value))
    size = np.max(np.abs(gradient[moving]), initial=0.0)
    for direction in directions:
        for halvings in range(50):
            length = 0.5**halvings
            trial = lam + length * direction
            trial = np.where(problem.free, trial, np.maximum(trial, 0.0))
            found, slope, _ = problem.value(trial)
            if not (np.isfinite(found) and np.all(np.isfinite(slope))):
                continue
            rise = gradient @ (trial - lam)
            if found >= value + 1e-4 * rise and rise > noise:
                return trial, length
            # at the top D is flat to rounding: there a smaller gradient is the better witness
            left = np.where(problem.free | (trial > 0), slope, np.maximum(slope, 0.0))
            if abs(rise) <= 1e3 * noise and np.max(np.abs(left)) < 0.9 * size:
                return trial, length
    return lam, 0.0


def _split(problem: Dual, lam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    w_h, w_g = np.zeros(problem.program.m), np.zeros(problem.program.p)
    w_h[: problem.m], w_g[: problem.p] = lam[: problem.m], lam[problem.m :]
    return w_h, w_g
