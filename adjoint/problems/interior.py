"""Newton's method on the KKT conditions of a barrier problem: small smooth problems, wherever they start.

    min f(x) − τ Σ log s   s.t.  h(x) = 0,  g(x) + s = 0,       μ s = τ → 0

Every step solves the KKT system with exact second derivatives. Its inertia is checked, and corrected by δI
until the step is one of descent; a filter with a second-order correction chooses its length.

Source: A. Wächter and L. Biegler, "On the implementation of an interior-point filter line-search algorithm",
2006; J. Nocedal and S. Wright, "Numerical Optimization", 2006, chapter 19.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .point import Functions, Point
from .solution import Step

REACH = 0.995  # share of the way to the boundary that a step may go
# μ s stays between τ / BELOW and ABOVE τ: a multiplier that its own step took to zero, while x was held back,
# leaves the next step without a barrier (Rosenbrock on a disk then takes 10³ steps instead of 20)
BELOW, ABOVE = 100.0, 1e10
FAR = 1e10  # f below −FAR, in units of its first gradient: unbounded


@dataclass
class State:
    """Where the iteration is.

    Attributes:
        point: values and derivatives at x.
        s, mu: slacks and multipliers (p,) of the inequalities, both > 0.
        nu: multipliers (m,) of the equalities.
        tau: the barrier's weight.
        filter: pairs (violation, barrier function) that a step must not be dominated by.
        widest: the largest violation a step may lead to.
        shift: δ of the last step, 0 where the inertia was right.
        steps: done so far.
        exhausted: whether the steps allowed ran out.
        history: one line per step.
    """

    point: Point
    s: np.ndarray
    mu: np.ndarray
    nu: np.ndarray
    tau: float = 0.1
    filter: list[tuple[float, float]] = field(default_factory=list)
    widest: float = np.inf
    shift: float = 0.0
    steps: int = 0
    exhausted: bool = False
    history: list[Step] = field(default_factory=list)

    def error(self, tau: float) -> float:
        """The largest residual of the barrier problem's KKT conditions."""
        p = self.point
        # multipliers that run off must not keep the test from being met: the scale of Wächter and Biegler
        scale = max(
            1.0,
            float(np.sum(np.abs(self.nu)) + np.sum(self.mu)) / (100.0 * max(1, len(self.nu) + len(self.mu))),
        )
        stationarity = np.max(np.abs(p.lagrangian_gradient(self.nu, self.mu)), initial=0.0) / scale
        primal = max(np.max(np.abs(p.h), initial=0.0), np.max(np.abs(p.g + self.s), initial=0.0))
        return float(max(stationarity, primal, np.max(np.abs(self.s * self.mu - tau), initial=0.0) / scale))


def begin(program: Functions, point: Point, tau: float = 0.1) -> State:
    """Slacks, and multipliers that fit them, at a first point."""
    s = np.maximum(-point.g, 1e-2)
    mu = tau / s
    nu = np.zeros(program.m)
    if program.m:
        found = np.linalg.lstsq(point.A.T, -(point.gradient + mu @ point.G), rcond=None)[0]
        if np.max(np.abs(found)) <= 1e3:  # else the gradients are nearly dependent, and 0 is as good
            nu = found
    state = State(point, s, mu, nu, tau)
    state.widest = 1e4 * max(1.0, _pair(point.f, point.h, point.g, s, tau)[0])
    return state


def interior(
    program: Functions,
    state: State,
    *,
    tolerance: float,
    max_steps: int,
    callback: Callable[[Step], Any] | None = None,
) -> State:
    """Follow the barrier's minimisers to τ = 0.

    Args:
        program: `Scaled`, or anything with its methods.
        state: from `begin`.
        tolerance: largest residual, in the program's scale.
        max_steps: Newton steps at most, counted over the life of the state.
        callback: called with every `Step`.
    """
    state.exhausted = False
    while state.steps < max_steps:
        if state.error(0.0) <= tolerance:
            return state
        while state.mu.size and state.tau > tolerance / 10 and state.error(state.tau) <= 10 * state.tau:
            state.tau = max(tolerance / 10, min(0.2 * state.tau, state.tau**1.5))
            state.filter.clear()
        length = _step(program, state)
        p = state.point
        line = Step(
            state.steps, p.f, float(np.max(np.abs(p.lagrangian_gradient(state.nu, state.mu)), initial=0.0)),
            p.violation, float(np.max(state.s * state.mu, initial=0.0)), length,
        )  # fmt: skip
        state.history.append(line)
        state.steps += 1
        if callback is not None:
            callback(line)
        if state.shift > 0 and state.error(state.tau) <= 1e-6:
            # a saddle: δ would only slow down the approach to it
            return state
        if length == 0.0 or np.max(state.mu, initial=0.0) > 1e30:  # they run off: there is no feasible point
            return state
        if p.f < -FAR * (1 + abs(state.history[0].fun)) and p.violation <= 1e-6 * (1 + np.max(np.abs(p.x))):
            return state
    state.exhausted = True
    return state


def _step(program: Functions, state: State) -> float:
    """One Newton step; the share of it that was taken, 0 when none helped."""
    p, s, mu = state.point, state.s, state.mu
    hessian = program.hessian(p.x, state.nu, mu)
    if not np.all(np.isfinite(hessian)):
        return 0.0
    shift = 0.0
    for _ in range(8):  # a longer δ turns a step that fails into one of steeper descent
        solver, shift = kkt_solver(hessian + p.G.T @ ((mu / s)[:, None] * p.G), p.A, shift, state.shift)
        if solver is None:
            return 0.0
        direction = _direction(solver, state, p.h, p.g + s)
        length = _search(program, state, solver, direction, hessian, shift)
        if length > 0.0:
            state.shift = shift
            return length
        shift = max(1e-4, 10 * shift)
    return 0.0


def kkt_solver(
    W: np.ndarray, A: np.ndarray, shift: float, last: float
) -> tuple[Callable[[np.ndarray], np.ndarray] | None, float]:
    """A solver of [[W + δI, Aᵀ], [A, −εI]] with the inertia of a minimum, and the δ that gave it."""
    from scipy.linalg.lapack import dgetrf, dgetrs

    n, m = len(W), len(A)
    scale = max(1e-8, float(np.max(np.abs(np.diag(W)), initial=0.0)))
    relaxed = 0.0
    for _ in range(60):
        matrix = np.block([[W + shift * np.eye(n), A.T], [A, -relaxed * np.eye(m)]])
        if not np.all(np.isfinite(matrix)):
            return None, shift
        negative, zero = inertia(matrix)
        if negative == m and not zero:
            lu, pivots, singular = dgetrf(matrix)
            if not singular:
                return lambda right, lu=lu, pivots=pivots: dgetrs(lu, pivots, right)[0], shift
        if m and (zero or negative < m) and not relaxed:
            relaxed = 1e-8  # dependent rows of A
            continue
        first = max(1e-8 * min(1.0, scale), last / 3) if last else 1e-4 * min(1.0, scale)
        shift = first if shift == 0.0 else 8 * shift
    return None, shift


def inertia(matrix: np.ndarray) -> tuple[int, int]:
    """How many eigenvalues are negative, and how many are zero to rounding, from an LDLᵀ factorisation."""
    from scipy.linalg import eigvalsh_tridiagonal, ldl

    _, D, _ = ldl(matrix)
    values = eigvalsh_tridiagonal(np.diag(D), np.diag(D, -1)) if len(D) > 1 else np.diag(D)
    tiny = 1e-14 * np.max(np.abs(values), initial=1e-300)
    # the barrier makes entries differ by 1e10 and more: only an outright zero is a singular matrix
    return int(np.sum(values < -min(tiny, 1e-12))), int(np.sum(np.abs(values) <= min(tiny, 1e-12)))


def _direction(
    solver: Callable[[np.ndarray], np.ndarray], state: State, h: np.ndarray, slack: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(dx, ds, dν, dμ) towards μ s = τ, h = 0 and g + s = 0."""
    p, s, mu, tau = state.point, state.s, state.mu, state.tau
    sigma = mu / s
    right = p.lagrangian_gradient(state.nu, mu) + (tau / s - mu + sigma * slack) @ p.G
    found = solver(-np.concatenate([right, h]))
    dx, dnu = found[: len(p.x)], found[len(p.x) :]
    ds = -slack - p.G @ dx
    return dx, ds, dnu, tau / s - mu - sigma * ds


def _longest(values: np.ndarray, change: np.ndarray, reach: float) -> float:
    shrinking = change < 0
    return float(min(1.0, np.min(-reach * values[shrinking] / change[shrinking], initial=1.0)))


def _search(
    program: Functions, state: State, solver: Any, direction: Any, hessian: np.ndarray, shift: float
) -> float:
    """Go along the direction as far as the filter allows; updates the state."""
    p, s, tau = state.point, state.s, state.tau
    dx, ds, dnu, dmu = direction
    if not np.all(np.isfinite(dx)):
        return 0.0
    reach = max(REACH, 1 - tau)
    longest, dual = _longest(s, ds, reach), _longest(state.mu, dmu, reach)
    here = _pair(p.f, p.h, p.g, s, tau)
    slope = float(p.gradient @ dx - tau * np.sum(ds / s))
    length = longest
    for tries in range(40):
        x, slack = p.x + length * dx, s + length * ds
        f, h, g = program.values(x)
        there = _pair(f, h, g, slack, tau)
        if _acceptable(state, here, there, slope, length):
            return _accept(program, state, x, slack, length, dual, dnu, dmu)
        if tries == 0 and np.isfinite(there[0]) and there[0] >= here[0] and (p.h.size or p.g.size):
            # the constraints' curvature undid the step: aim at where they really are (Maratos effect)
            again = _direction(solver, state, length * p.h + h, length * (p.g + s) + g + slack)
            share = _longest(s, again[1], reach)
            x, slack = p.x + share * again[0], s + share * again[1]
            f, h, g = program.values(x)
            if _acceptable(state, here, _pair(f, h, g, slack, tau), slope, share):
                return _accept(
                    program, state, x, slack, share, _longest(state.mu, again[3], reach), *again[2:]
                )
        length *= 0.5
    return 0.0


def _pair(f: float, h: np.ndarray, g: np.ndarray, s: np.ndarray, tau: float) -> tuple[float, float]:
    """(θ, φ): what the constraints miss, and the barrier function."""
    if not (np.isfinite(f) and np.all(np.isfinite(h)) and np.all(np.isfinite(g))):
        return np.inf, np.inf
    return float(np.sum(np.abs(h)) + np.sum(np.abs(g + s))), float(f - tau * np.sum(np.log(s)))


def _acceptable(
    state: State, here: tuple[float, float], there: tuple[float, float], slope: float, length: float
) -> bool:
    """Whether a trial improves on the present point and on every pair that the filter remembers."""
    (theta, phi), (theta_new, phi_new) = here, there
    if not np.isfinite(theta_new) or theta_new > state.widest:
        return False
    noise = 10 * np.finfo(float).eps * max(1.0, abs(phi))
    if any(theta_new >= t and phi_new >= q + noise for t, q in state.filter):
        return False
    if slope < 0 and length * (-slope) ** 2.3 > theta**1.1 and theta <= 1e-4 * max(1.0, state.widest / 1e4):
        return bool(phi_new <= phi + 1e-4 * length * slope + noise)
    if theta_new <= (1 - 1e-5) * theta or phi_new <= phi - 1e-5 * theta + (noise if theta <= 1e-13 else 0.0):
        state.filter.append(((1 - 1e-5) * theta, phi - 1e-5 * theta))
        return True
    return False


def _accept(
    program: Functions,
    state: State,
    x: np.ndarray,
    s: np.ndarray,
    length: float,
    dual: float,
    dnu: np.ndarray,
    dmu: np.ndarray,
) -> float:
    point = program.point(x)
    if not (
        np.all(np.isfinite(point.gradient)) and np.all(np.isfinite(point.A)) and np.all(np.isfinite(point.G))
    ):
        return 0.0
    state.point = point
    state.s = np.maximum(
        s, -point.g
    )  # where g leaves room, the slack takes it: that lowers the penalty function
    state.nu = state.nu + length * dnu
    state.mu = np.clip(state.mu + dual * dmu, state.tau / (BELOW * state.s), ABOVE * state.tau / state.s)
    return length
