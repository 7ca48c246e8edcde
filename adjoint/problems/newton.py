"""Small smooth problems to rounding: interior point, then Newton's method on what binds, then the verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np

from .active import Candidate, curvature, least_multipliers, polish, rank
from .elastic import Elastic
from .interior import begin, interior
from .point import Point
from .program import Program
from .rays import falls_forever, recession
from .scaled import Scaled
from .solution import Step, System
from .verdict import Doubt, Status

UNFINISHED = (Status.STALLED, Status.STEPS, Status.SADDLE)
LARGE = 1e6  # multipliers above that, in units of the first gradients, are those of a failing qualification


@dataclass
class Answer:
    """What a method hands over: a candidate in the program's own units and what is known of it.

    Attributes:
        candidate: point and multipliers.
        status: the verdict.
        steps, history: of all runs together.
        doubts: what qualifies it.
        certificate: weights (ν-like (m,), μ-like (p,)), or a direction (n,), or None.
        violation: the smallest one found, of an infeasible problem.
        system: the KKT matrix, when it was formed.
    """

    candidate: Candidate
    status: Status
    steps: int = 0
    history: list[Step] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    certificate: Any = None
    violation: float = 0.0
    system: System | None = None


@dataclass(frozen=True)
class Options:
    """What the user may say about a solver's work.

    Attributes:
        tolerance: what the four residuals are held against.
        max_steps: steps at most.
        callback: called with every `Step`.
        escape: leave saddles along negative curvature.
    """

    tolerance: float = 1e-8
    max_steps: int = 300
    callback: Callable[[Step], Any] | None = None
    escape: bool = True


def newton(program: Program, options: Options) -> Answer:
    """Solve; restore feasibility, and leave saddles, where the first run ends without a minimum."""
    answer = _run(program, program.start, options)
    if (
        answer.status in (*UNFINISHED, Status.UNQUALIFIED)
        and answer.candidate.point.violation > options.tolerance
    ):
        answer = _restore(program, answer, options)
    for _ in range(3 if options.escape else 0):
        if answer.status is not Status.SADDLE:
            break
        better = _leave(program, answer, options)
        if better is None:
            break
        answer = better
    return answer


def _ray(program: Program, point: Point, towards: np.ndarray, answer: Answer) -> Answer | None:
    """The verdict that f falls forever from a feasible point, or None."""
    if not point.violation <= 1e-5:  # far out, rounding of the constraints hides whether they can hold at all
        return None
    direction = falls_forever(program, point.x, chain([towards, -point.gradient], recession(program, point)))
    if direction is None:
        return None
    nothing = replace(answer.candidate, point=point).bare()
    return Answer(nothing, Status.UNBOUNDED, answer.steps, answer.history, certificate=direction)


def _run(
    program: Program,
    start: np.ndarray,
    options: Options,
    steps: int = 0,
    history: list[Step] | None = None,
    tau: float = 0.1,
) -> Answer:
    scaled = Scaled(program)
    state = begin(scaled, scaled.first if start is program.start else scaled.point(start), tau)
    state.steps, state.history = steps, history if history is not None else []
    inner = min(1e-9, 0.1 * options.tolerance)
    state = interior(scaled, state, tolerance=inner, max_steps=options.max_steps, callback=options.callback)
    found = polish(scaled, state.point, state.nu, state.mu)
    candidate = Candidate(program.point(found.point.x), *scaled.multipliers(found.nu, found.mu), found.active)
    answer = judge(program, scaled, candidate, options)
    if answer.status is Status.STALLED and state.exhausted:
        answer.status = Status.STEPS
    answer.steps, answer.history = state.steps, state.history
    if answer.status in (*UNFINISHED, Status.UNQUALIFIED):  # is that because there is no minimum?
        for point in (program.point(state.point.x), answer.candidate.point):
            ray = _ray(program, point, point.x - start, answer)
            if ray is not None:
                return ray
    return answer


def certified(program: Program, answer: Answer, options: Options) -> Answer:
    """An answer of another method, brought to rounding and judged with second derivatives."""
    scaled = Scaled(program)
    c = answer.candidate
    found = polish(scaled, scaled.point(c.point.x), *scaled.inward(c.nu, c.mu))
    candidate = Candidate(program.point(found.point.x), *scaled.multipliers(found.nu, found.mu), found.active)
    better = judge(program, scaled, candidate, options)
    if better.status not in (Status.SOLVED, Status.SADDLE):
        return answer
    better.steps, better.history = answer.steps, answer.history
    return better


def judge(program: Program, scaled: Scaled, candidate: Candidate, options: Options) -> Answer:
    """The verdict on a candidate: first and second order, and what makes its multipliers doubtful."""
    p = candidate.point
    size = np.maximum(1.0, np.abs(scaled.inward(candidate.nu, candidate.mu)[1]))
    binding = candidate.active | (p.g * scaled.C >= -options.tolerance / size)
    candidate = replace(candidate, active=binding)
    rows = np.concatenate([scaled.B[:, None] * p.A, (scaled.C[:, None] * p.G)[binding]])
    doubts = []
    independent = rank(rows)
    if independent < len(rows):
        doubts.append(Doubt.LICQ)
        least = least_multipliers(candidate)
        if least.worst <= max(options.tolerance, candidate.worst) or candidate.worst > options.tolerance:
            candidate = least
    if candidate.worst > options.tolerance:
        status = Status.STALLED
        if p.violation <= options.tolerance and len(rows) and _unqualified(rows):
            status = Status.UNQUALIFIED
        return Answer(
            candidate,
            status,
            doubts=doubts,
            certificate=_dependence(scaled, rows, binding) if status is Status.UNQUALIFIED else None,
        )
    largest = np.max(np.abs(np.concatenate(scaled.inward(candidate.nu, candidate.mu))), initial=0.0)
    if largest > LARGE:
        if doubts:  # gradients that cancel can balance anything, given multipliers that are large enough
            weights = _dependence(scaled, rows, binding)
            return Answer(candidate, Status.UNQUALIFIED, doubts=doubts, certificate=weights)
        doubts.append(Doubt.LARGE)
    return _second_order(program, scaled, candidate, doubts)


def _second_order(program: Program, scaled: Scaled, candidate: Candidate, doubts: list[Doubt]) -> Answer:
    p, binding = candidate.point, candidate.active
    mu = scaled.inward(candidate.nu, candidate.mu)[1]
    strong = binding & (mu > 1e-8 * max(1.0, float(np.max(mu, initial=0.0))))
    if np.any(binding & ~strong) and Doubt.LICQ not in doubts:  # of dependent constraints some are redundant
        doubts.append(Doubt.WEAK)
    hessian = program.hessian(p.x, candidate.nu, candidate.mu)
    A, G = scaled.B[:, None] * p.A, scaled.C[:, None] * p.G
    scale = max(
        1e-300, float(np.max(np.abs(hessian), initial=0.0)), float(np.max(np.abs(p.gradient), initial=0.0))
    )
    status, certificate = Status.SOLVED, None
    inside, direction = curvature(hessian, np.concatenate([A, G[binding]]))
    if inside < -1e-7 * scale:
        status, certificate = Status.SADDLE, direction
    else:
        wider, _ = curvature(hessian, np.concatenate([A, G[strong]]))
        if wider <= max(1e-9 * scale, 1e-12 / scaled.a):  # or nothing beside the curvature it started from
            doubts.append(Doubt.FLAT)
    return Answer(
        candidate,
        status,
        doubts=doubts,
        certificate=certificate,
        system=system(program, hessian, candidate, strong),
    )


def system(program: Program, hessian: np.ndarray, candidate: Candidate, strong: np.ndarray) -> System:
    """The KKT matrix, with the rows of every constraint by name."""
    p = candidate.point
    number_of = np.cumsum(strong) - 1 + len(p.A)
    rows: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for b in program.own:
        if b.relation == "=":
            rows[b.name] = (np.arange(b.rows.stop - b.rows.start), np.arange(b.rows.start, b.rows.stop))
        else:
            holds = np.flatnonzero(strong[b.rows])
            rows[b.name] = (holds, number_of[b.rows][holds])
    fixed, lower, upper = program.bound_blocks
    for block, index in ((lower, program.below), (upper, program.above)):
        holds = strong[block.rows]
        rows[block.name] = (index[holds], number_of[block.rows][holds])
    if len(program.fixed):  # the side that pushes is the one whose shift moves x
        pushed = candidate.nu[fixed.rows] >= 0
        numbers = np.arange(fixed.rows.start, fixed.rows.stop)
        for name, side in (("upper", pushed), ("lower", ~pushed)):
            positions, found = rows[name]
            rows[name] = (np.append(positions, program.fixed[side]), np.append(found, numbers[side]))
    limits = (fixed.rows.start, fixed.rows.stop)
    return System(hessian, np.concatenate([p.A, p.G[strong]]), rows, np.flatnonzero(strong), limits)


def _unqualified(rows: np.ndarray) -> bool:
    return float(np.linalg.svd(rows, compute_uv=False)[-1]) <= 1e-4 or len(rows) > rows.shape[1]


def _dependence(scaled: Scaled, rows: np.ndarray, binding: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights on the constraints whose gradients they (nearly) balance."""
    u, *_ = np.linalg.svd(rows, full_matrices=True)
    w = u[:, -1] * (1 if np.sum(u[:, -1]) >= 0 else -1)
    w_g = np.zeros(scaled.p)
    w_g[binding] = w[scaled.m :]
    return normalised(scaled.B * w[: scaled.m], scaled.C * w_g)


def normalised(w_h: np.ndarray, w_g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights with Σ|w| = 1."""
    total = float(np.sum(np.abs(w_h)) + np.sum(np.abs(w_g))) or 1.0
    return w_h / total, w_g / total


def _restore(program: Program, answer: Answer, options: Options) -> Answer:
    """Look for the smallest violation: start again from there, or say that there is no feasible point."""
    best: tuple[float, Any, Any] | None = None
    for start in (answer.candidate.point.x, program.start):
        elastic = Elastic(program, start)
        scaled = Scaled(elastic)
        state = begin(scaled, scaled.first)
        state.steps, state.history = answer.steps, answer.history
        limit = answer.steps + options.max_steps
        state = interior(scaled, state, tolerance=1e-10, max_steps=limit, callback=options.callback)
        found = polish(scaled, state.point, state.nu, state.mu)
        answer.steps, answer.history = state.steps, state.history
        point = program.point(found.point.x[:-1])
        holds = found.worst <= 1e-6
        if best is None or point.violation < best[0]:
            weights = elastic.weights(scaled.multipliers(found.nu, np.maximum(found.mu, 0.0))[1])
            best = (point.violation, point, weights if holds else None)
        if point.violation <= options.tolerance:
            more = replace(options, max_steps=answer.steps + options.max_steps)
            again = _run(program, point.x, more, answer.steps, answer.history, 0.01)
            if again.status in UNFINISHED:
                return _ray(program, point, again.candidate.point.x - point.x, again) or again
            return again
    assert best is not None
    violation, point, weights = best
    nothing = replace(answer.candidate, point=point).bare()
    if weights is None:  # not a proof, not even a local one
        return replace(answer, violation=violation)
    return Answer(
        nothing,
        Status.INFEASIBLE,
        answer.steps,
        answer.history,
        certificate=normalised(*weights),
        violation=violation,
    )


def _leave(program: Program, answer: Answer, options: Options) -> Answer | None:
    """Start again beside a saddle, where f is lower; None when nothing lower is found."""
    p, d = answer.candidate.point, answer.certificate
    price = 1.0 + 2.0 * float(
        np.max(np.abs(np.concatenate([answer.candidate.nu, answer.candidate.mu])), initial=0.0)
    )
    reach = max(1.0, float(np.linalg.norm(p.x)))

    def cost(x: np.ndarray) -> float:
        f, h, g = program.values(x)
        total = f + price * (np.sum(np.abs(h)) + np.sum(np.maximum(g, 0.0)))
        return float(total) if np.isfinite(total) else np.inf

    trials = [p.x + sign * length * reach * d for length in (1.0, 0.1, 0.01, 1e-3) for sign in (1, -1)]
    x = min(trials, key=cost)
    more = replace(options, max_steps=answer.steps + options.max_steps)
    again = _run(program, x, more, answer.steps, answer.history, 0.01)
    lower = again.candidate.point.f < p.f - 1e-12 * max(1.0, abs(p.f))
    return again if again.status in (Status.SOLVED, Status.SADDLE, Status.UNBOUNDED) and lower else None
