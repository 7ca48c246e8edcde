"""Large problems: an augmented Lagrangian, minimised by L-BFGS-B, and Newton's method without matrices.

    min_x  f + ½ρ ‖h + ν/ρ‖² + ½ρ ‖max(0, g + μ/ρ)‖²      ν ← ν + ρh,   μ ← max(0, μ + ρg)

Its gradient is ∇ₓL(x, ν + ρh, max(0, μ + ρg)): one adjoint sweep, whatever the number of constraints; bounds
are left to L-BFGS-B. The last digits come from Newton steps on what binds, solved by MINRES with exact
Hessian-vector products.

Source: E. Birgin and J. M. Martínez, "Practical Augmented Lagrangian Methods", 2014.
"""

from __future__ import annotations

import numpy as np

from .matrix_free import Flat, polish, with_bounds
from .newton import Answer, Options, normalised
from .program import Program
from .rays import falls_forever, straight
from .solution import Step
from .verdict import Status

FALL = 0.25  # the share of the violation that may be left, or ρ rises
HIGHEST = 1e10  # ρ above which a violation that stays is taken for the smallest there is
FAR = 1e12  # f below −FAR, in units of its first gradient, is taken for unbounded


class _Falls(Exception):
    """Raised out of L-BFGS-B when f has fallen below any bound."""


class Work:
    """One run: the present x with its multipliers, and what evaluates the augmented Lagrangian."""

    def __init__(self, program: Program, options: Options) -> None:
        self.program, self.options = program, options
        fixed, lower, _ = program.bound_blocks
        self.m, self.p = fixed.start, lower.start  # the user's constraints; bounds are left to L-BFGS-B
        self.x = np.clip(program.start, program.lower, np.maximum(program.lower, program.upper))
        self.nu, self.mu = np.zeros(program.m), np.zeros(program.p)
        f, h, g = program.values(self.x)
        slope = float(np.max(np.abs(program.lagrangian_gradient(self.x, self.nu, self.mu)), initial=0.0))
        self.unit = 1.0 / min(max(slope, 1e-8), 1e8) if slope > 0 else 1.0
        size = 0.5 * (np.sum(h[: self.m] ** 2) + np.sum(np.maximum(g[: self.p], 0) ** 2))
        self.rho = (
            float(np.clip(10 * max(1.0, abs(f)) / max(1.0, size), 1e-3, 10.0)) if self.m + self.p else 0.0
        )
        self.history: list[Step] = []
        self.evaluations = 0

    def shifted(self, h: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """ν + ρh and max(0, μ + ρg), zero for bounds."""
        nu, mu = np.zeros_like(self.nu), np.zeros_like(self.mu)
        nu[: self.m] = self.nu[: self.m] + self.rho * h[: self.m]
        mu[: self.p] = np.maximum(0.0, self.mu[: self.p] + self.rho * g[: self.p])
        return nu, mu

    def value_and_slope(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """The augmented Lagrangian and its gradient, in units of the first gradient."""
        self.evaluations += 1
        f, h, g, pull = self.program.recorded(x)
        nu, mu = self.shifted(h, g)
        total = f
        if self.rho:
            total = f + 0.5 * (np.sum(nu**2) + np.sum(mu**2)) / self.rho
        if not np.isfinite(total):
            return 1e300, np.zeros_like(x)  # L-BFGS-B steps back from it
        if self.unit * f < -FAR:
            self.x = x
            raise _Falls
        return float(self.unit * total), self.unit * pull(nu, mu)

    def candidate(self) -> Flat:
        """x with its multipliers; those of the bounds are what is left of the gradient there."""
        return with_bounds(self.program, self.x, self.nu, self.mu)


def augmented(program: Program, options: Options) -> Answer:
    """Solve by multiplier steps; the verdict is of first order (no second derivatives are formed)."""
    work = Work(program, options)
    status = Status.STEPS
    violation, accuracy = np.inf, 1e-2
    best: Flat | None = None
    crossed = program.lower > program.upper
    if np.any(crossed):
        return _crossed(program, work.candidate(), crossed)
    while len(work.history) < options.max_steps:
        before = work.evaluations
        _descend(work, accuracy)
        f, h, g = program.values(work.x)
        work.nu, work.mu = work.shifted(h, g)
        found = work.candidate()
        residuals = found.residuals
        now = residuals.primal
        line = Step(
            len(work.history),
            f,
            residuals.stationarity,
            now,
            residuals.slackness,
            float(work.evaluations - before),
        )
        work.history.append(line)
        if options.callback is not None:
            options.callback(line)
        best = found if best is None or found.worst < best.worst else best
        direction = _unbounded(work, f, now)
        if direction is not None:
            nothing = found.bare()
            return Answer(nothing, Status.UNBOUNDED, len(work.history), work.history, certificate=direction)
        if found.worst <= 1e-3:
            best = polish(program, best)
        if best.worst <= options.tolerance:
            status = Status.SOLVED
            break
        if work.rho >= HIGHEST and now > options.tolerance:
            weights = _weights(work, h, g)
            if weights is not None:
                nothing = found.bare()
                return Answer(
                    nothing,
                    Status.INFEASIBLE,
                    len(work.history),
                    work.history,
                    certificate=weights,
                    violation=now,
                )
            status = Status.STALLED
            break
        if not (work.m + work.p) and accuracy <= 1e-12:
            status = Status.STALLED
            break
        if now > FALL * violation and now > options.tolerance:
            work.rho *= 10
        violation, accuracy = now, max(0.1 * accuracy, 1e-12)
    assert best is not None  # at least one step was asked for
    return Answer(best, status, len(work.history), work.history)


def _descend(work: Work, accuracy: float) -> None:
    from scipy.optimize import minimize

    program = work.program
    pairs = np.column_stack([program.lower, program.upper])
    options = {"maxcor": 20, "ftol": 0.0, "gtol": accuracy, "maxiter": 2000, "maxfun": 10_000}
    options["maxls"] = 60  # 20 trials are too few where ρ max(0, g)² bends sharply
    try:
        found = minimize(
            work.value_and_slope, work.x, jac=True, method="L-BFGS-B", bounds=pairs,
            options=options
        )  # fmt: skip
    except _Falls:
        return
    if np.all(np.isfinite(found.x)):
        work.x = np.asarray(found.x)


def _unbounded(work: Work, f: float, violation: float) -> np.ndarray | None:
    far = work.unit * f <= -FAR and violation <= 1e-6 * (1 + np.max(np.abs(work.x)))
    if not far:
        return None
    return falls_forever(work.program, work.x, straight(work.program, work.x, work.program.start))


def _weights(work: Work, h: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The violations themselves as weights, where they balance each other's gradients within the bounds."""
    program = work.program
    w_h, w_g = np.zeros_like(h), np.zeros_like(g)
    w_h[: work.m], w_g[: work.p] = h[: work.m], np.maximum(g[: work.p], 0.0)
    w_h, w_g = normalised(w_h, w_g)
    zero = (np.zeros_like(h), np.zeros_like(g))
    pull = program.lagrangian_gradient(work.x, w_h, w_g) - program.lagrangian_gradient(work.x, *zero)
    pull = np.where(
        (work.x <= program.lower) & (pull > 0) | (work.x >= program.upper) & (pull < 0), 0.0, pull
    )
    return (w_h, w_g) if np.max(np.abs(pull), initial=0.0) <= 1e-3 else None


def _crossed(program: Program, found: Flat, crossed: np.ndarray) -> Answer:
    gap = np.where(crossed, program.lower - program.upper, 0.0)
    k = int(np.argmax(gap))
    _, lower, upper = program.bound_blocks
    w_g = np.zeros(program.p)
    w_g[lower.start + int(np.flatnonzero(program.below == k)[0])] = 0.5
    w_g[upper.start + int(np.flatnonzero(program.above == k)[0])] = 0.5
    nothing = found.bare()
    return Answer(
        nothing, Status.INFEASIBLE, certificate=(np.zeros(program.m), w_g), violation=float(gap[k]) / 2
    )
