"""Quadratic programs of support vector machines: a box and one equality, solved to the last digits.

    minimise ½ βᵀKβ − tᵀβ   subject to   Σβ = c,   l ≤ β ≤ u

(β = yα and t = y for classification, t = 0 for one class.) With the multiplier ν of Σβ − c = 0, the KKT
conditions are: g + ν = 0 where l < β < u, g + ν ≥ 0 at l, g + ν ≤ 0 at u, for g = Kβ − t. So Kβ + ν, the
decision function, meets t at every free point: the intercept b of a support vector machine is ν.

Two stages. *Pairs*: move the pair of entries that gains most until few are wrong; a move costs two rows of K.
*Faces*: Newton's method on the free entries; a step that would leave the box is bent along it or cut short at
it; then bounds whose multipliers have the wrong sign are released. Every step decreases the objective, and
there are finitely many faces, so this ends, at residuals near the rounding errors of g. While Newton's steps
are cut short, pairs get as much time as they take.

Source: R.-E. Fan, P.-H. Chen and C.-J. Lin, "Working set selection using second order information", JMLR 6,
2005 (pairs); J. Nocedal and S. Wright, "Numerical Optimization", 2006, sections 16.5 and 16.7 (faces).
Sign convention: see `adjoint.problems`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import refusal
from .base import DataError, Floats

Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]

EPS = float(np.finfo(float).eps)
ROUGH = 1e-3  # how far the pairs go, in the unit of g; the faces are quicker from there
REFRESH = 100  # moves along null directions before they are computed anew
DEPENDENT = 1e-11  # pivots of a unit diagonal that count as 0; above, a Newton step keeps five digits
LOOKS = 100  # faces after which pairs are left out: they might undo what a face has settled
PER_CUBE = 7e-7  # moves of pairs that take as long as a Cholesky factorization, per size cubed
PER_ENTRY = 3  # moves of pairs per entry: well-behaved data need 1 to 2, and hard data hundreds


class Program(NamedTuple):
    """One quadratic program.

    Attributes:
        K: (n, n), symmetric.
        t: (n,), what the decision function should meet.
        lower, upper: (n,), the box.
        total: c.
    """

    K: Floats
    t: Floats
    lower: Floats
    upper: Floats
    total: float


@dataclass
class Point:
    """Where a solver is.

    Attributes:
        beta: (n,), feasible.
        slope: g = Kβ − t (n,).
        moves, faces: the steps of either stage.
        stalled: the last step gained nothing, though the residuals are above the tolerance.
    """

    beta: Floats
    slope: Floats
    moves: int = 0
    faces: int = 0
    stalled: bool = False


def solve(program: Program, tolerance: float = 1e-10) -> tuple[Point, float]:
    """The minimiser, and ν.

    Args:
        program: what to solve.
        tolerance: for the residuals of g + ν, in units of t, or of c K where t = 0; no smaller than their
            rounding errors allow.

    Raises:
        DataError: no β in the box sums to c.
    """
    beta = start(program)
    point = Point(beta, program.K @ beta - program.t)
    pairs(program, point, PER_ENTRY * len(beta))
    faces(program, point, tolerance)
    return point, equality(program, point)


def start(program: Program) -> Floats:
    """A feasible β with as few entries off their bounds as possible: 0 where that is possible."""
    _, _, lower, upper, total = program
    beta = np.clip(0.0, lower, upper)
    missing = total - float(np.sum(beta))
    room = (upper if missing > 0 else lower) - beta
    if abs(missing) > abs(float(np.sum(room))) * (1 + len(beta) * EPS):
        what = f"the feasible set is empty: no β in its bounds sums to {total:.6g}"
        raise refusal(DataError, what, f"Sums from {np.sum(lower):.6g} to {np.sum(upper):.6g} can be had.")
    if missing:
        before = np.cumsum(room) - room
        beta += np.sign(missing) * np.clip(np.abs(missing) - np.abs(before), 0.0, np.abs(room))
    return beta


def unit(program: Program) -> float:
    """The size of g: that of t, or of c K where t = 0."""
    return float(np.max(np.abs(program.t))) or abs(program.total) * float(np.max(np.diag(program.K)))


def interval(program: Program, point: Point) -> tuple[float, float]:
    """The ends of the ν that the KKT conditions allow; crossed by as much as they are violated."""
    can_grow, can_fall = point.beta < program.upper, point.beta > program.lower
    return (
        float(np.max(-point.slope, where=can_grow, initial=-np.inf)),
        float(np.min(-point.slope, where=can_fall, initial=np.inf)),
    )


def equality(program: Program, point: Point) -> float:
    """ν: what free entries say; without any, the middle of the interval that the bounds allow."""
    free = (point.beta > program.lower) & (point.beta < program.upper)
    if free.any():
        return 0.0 - float(np.mean(point.slope[free]))
    ends = [end for end in interval(program, point) if np.isfinite(end)]
    return sum(ends) / len(ends)


# ------------------------------------------------------------------------------------------ pairs
def pairs(program: Program, point: Point, most: int) -> None:
    """Move one entry up and one down by the same amount, until the worst pair is ROUGH or `most` times."""
    K, _, lower, upper, _ = program
    beta, slope, diagonal = point.beta, point.slope, np.diag(K).copy()
    tiny, enough = EPS * max(1.0, float(np.max(diagonal))), ROUGH * unit(program)
    # ∞ on entries that cannot grow, or cannot fall: they never win the comparison
    full, empty = np.where(beta < upper, 0.0, np.inf), np.where(beta > lower, 0.0, np.inf)
    work, gains = np.empty_like(beta), np.empty_like(beta)
    for _ in range(most):
        point.moves += 1
        i = int(np.add(slope, full, out=work).argmin())
        row = K[i]
        np.subtract(slope, slope[i] + enough, out=work)
        np.subtract(work, empty, out=work)  # how much is gained per unit; −∞ where there is no room
        np.maximum(work, 0.0, out=work)
        np.subtract(diagonal, 2 * row, out=gains)
        gains += diagonal[i]
        np.maximum(gains, tiny, out=gains)
        np.divide(np.square(work, out=work), gains, out=work)
        j = int(work.argmax())
        if not work[j] > 0:
            return
        most_up, most_down = upper[i] - beta[i], beta[j] - lower[j]
        step = (slope[j] - slope[i]) / gains[j]
        if step >= min(most_up, most_down):
            step = min(most_up, most_down)
        beta[i] = upper[i] if step == most_up else beta[i] + step
        beta[j] = lower[j] if step == most_down else beta[j] - step
        full[i], full[j] = (0.0 if beta[i] < upper[i] else np.inf), 0.0
        empty[j], empty[i] = (0.0 if beta[j] > lower[j] else np.inf), 0.0
        np.subtract(row, K[j], out=work)
        work *= step
        slope += work


# ------------------------------------------------------------------------------------------ faces
class Face(NamedTuple):
    """Free entries, split into a basis whose rows of K are independent and the rest, which depend on it.

    M = K + shift·11ᵀ has the null space of K and Σ together; p_k = e_k − (weights of the basis) spans it.

    Attributes:
        basis, rest: positions (r,), (q,).
        factor: lower Cholesky factor (r, r) of D M D on the basis.
        scale: the diagonal of D (r,), which makes that of D M D ones.
        weights: M_basis⁻¹ M_basis,rest (r, q).
        curvature: along each p_k (q,); near 0, negative only if K is indefinite.
    """

    basis: Indices
    rest: Indices
    factor: Floats
    scale: Floats
    weights: Floats
    curvature: Floats

    def step(self, slope: Floats, missing: float) -> Floats:
        """The step (r,) to the minimum on the basis, with sum `missing`."""
        both = np.stack([slope, np.ones(len(slope))], axis=1) * self.scale[:, None]
        solved = _solve(self.factor, both) * self.scale[:, None]
        along = solved[:, 1] / np.sum(solved[:, 1])
        step = (missing + np.sum(solved[:, 0])) * along - solved[:, 0]
        return np.asarray(step + (missing - np.sum(step)) * along)  # again, for what has cancelled


def factorize(K: Floats, at: Indices) -> Face:
    """The face of the entries `at`."""
    from scipy.linalg import lapack

    matrix = K[np.ix_(at, at)]
    diagonal, largest = np.diag(matrix), max(float(np.max(np.abs(matrix))), EPS)
    # any positive shift will do; this one keeps M as well scaled as K is
    typical = float(np.mean(np.sqrt(np.maximum(diagonal, EPS * largest)))) ** 2
    matrix += typical if np.min(diagonal) >= 0 else 2 * largest
    scale = 1 / np.sqrt(np.maximum(np.diag(matrix), EPS * largest))
    matrix *= scale[:, None]
    matrix *= scale
    factor, failed = lapack.dpotrf(matrix, lower=1)
    if not failed and np.min(np.diag(factor)) ** 2 > DEPENDENT:
        none = np.zeros(0)
        return Face(at, at[:0], factor, scale, none.reshape(len(at), 0), none)
    factor, order, rank, _ = lapack.dpstrf(matrix, tol=DEPENDENT, lower=1)
    first, last = order[:rank] - 1, order[rank:] - 1
    factor, small = factor[:rank, :rank], scale[first][:, None]
    across = matrix[np.ix_(first, last)]
    weights = _solve(factor, across)
    curvature = (np.diag(matrix)[last] - np.sum(across * weights, axis=0)) / scale[last] ** 2
    weights *= small / scale[last]
    # p_k sums to 0 only as nearly as it is a null vector: correct it along the basis, at least curvature
    ones = (_solve(factor, small) * small)[:, 0]
    missing = 1 - np.sum(weights, axis=0)
    weights += np.outer(ones, missing / np.sum(ones))
    curvature += missing**2 / np.sum(ones)
    return Face(at[first], at[last], factor, scale[first], weights, curvature)


def _solve(factor: Floats, right: Floats) -> Floats:
    from scipy.linalg import lapack

    solved: Floats = lapack.dpotrs(factor, right, lower=1)[0]
    return solved


def faces(program: Program, point: Point, tolerance: float) -> None:
    """Newton steps on faces of the box until every multiplier has its sign."""
    K, t, lower, upper, total = program
    largest = float(np.max(np.abs(np.diag(K))))
    free = (point.beta > lower) & (point.beta < upper)
    one_by_one = False
    for point.faces in range(200 + 10 * len(t)):
        beta = point.beta
        mass, missing = float(np.sum(np.abs(beta))), total - float(np.sum(beta))
        limit = max(tolerance * unit(program), EPS * largest * mass)  # the rounding errors of g
        residual = point.slope + equality(program, point)
        settled = np.max(np.abs(residual[free]), initial=0.0) <= limit and (
            abs(missing) <= 1e-10 * mass or not free.any()
        )
        if settled and not release(program, point, free, residual, limit, one_by_one):
            return
        face = factorize(K, np.flatnonzero(free))
        old = beta.copy()
        whole = False
        if not (face.weights.size and slide(program, beta, point.slope, face, limit)):
            if face.weights.size:
                point.slope = K @ beta - t
            whole = newton(program, point, face, missing)
        one_by_one = bool(np.all(beta == old))
        free &= (beta > lower) & (beta < upper)
        if (
            point.faces < LOOKS and not whole
        ):  # far from the right face: pairs, for as long as such a step takes
            point.slope = K @ beta - t
            pairs(program, point, 20 + int(PER_CUBE * np.sum(free) ** 3))
            free = (beta > lower) & (beta < upper)
        point.slope = K @ beta - t
    point.stalled = True


def release(
    program: Program, point: Point, free: Mask, residual: Floats, limit: float, one_by_one: bool
) -> bool:
    """Free the bounds whose multipliers have the wrong sign; whether there were any.

    Those within a tenth of the worst at once; `one_by_one`, when the last step gained nothing: then a step
    of positive length exists for sure.
    """
    _, _, lower, upper, _ = program
    can_grow, can_fall = point.beta < upper, point.beta > lower
    wrong = np.maximum(np.where(can_grow, -residual, 0.0), np.where(can_fall, residual, 0.0))
    wrong[free] = 0.0
    worst = float(np.max(wrong))
    if worst <= limit:
        return False
    if one_by_one:
        free[np.argmax(wrong)] = True
    else:
        free |= wrong > max(limit, 0.1 * worst)
    if np.sum(free) < 2:  # no entry said what ν is: the two that disagree most
        free[np.argmin(np.where(can_grow, residual, np.inf))] = True
        free[np.argmax(np.where(can_fall, residual, -np.inf))] = True
    return True


def slide(program: Program, beta: Floats, slope: Floats, face: Face, limit: float) -> bool:
    """Move along directions that K does not see, each until a bound stops it; whether one did.

    Along p_k the objective is linear: a simplex method, which leaves fewer free entries.
    """
    _, _, lower, upper, total = program
    basis, rest, weights, curvature = face.basis.copy(), face.rest, face.weights, face.curvature
    cost = slope[rest] - slope[basis] @ weights
    waiting, stopped = np.abs(cost) > limit, False
    if not waiting.any():
        return False
    for _ in range(min(len(rest), REFRESH)):
        k = int(np.argmax(np.where(waiting, np.abs(cost), -1.0)))
        if not waiting[k]:
            break
        waiting[k] = False
        sign = -np.sign(cost[k])
        at, way = np.append(basis, rest[k]), sign * np.append(-weights[:, k], 1.0)
        bound = np.where(way > 0, upper[at], lower[at])
        with np.errstate(divide="ignore", invalid="ignore"):
            room = np.where(np.abs(way) > 1e-9 * np.max(np.abs(way)), (bound - beta[at]) / way, np.inf)
        room = np.maximum(room, 0.0)
        stop = int(np.argmin(room))
        best = abs(cost[k]) / curvature[k] if curvature[k] > 0 else np.inf
        if best < room[stop]:
            beta[at] = np.clip(beta[at] + best * way, lower[at], upper[at])
            continue
        stopped = True
        beta[at] = np.clip(beta[at] + room[stop] * way, lower[at], upper[at])
        beta[at[stop]] = bound[stop]
        if stop < len(basis):  # k takes its place in the basis
            row = weights[stop] / weights[stop, k]
            cost, curvature = cost - row * cost[k], curvature + row**2 * curvature[k]
            weights = weights - np.outer(weights[:, k], row)
            weights[stop] = row
            basis[stop] = rest[k]
            waiting &= np.abs(cost) > limit
    at = np.concatenate([face.basis, face.rest])
    missing = total - float(np.sum(beta))
    if abs(missing) > 1e-12 * float(np.sum(np.abs(beta))):  # p_k are null vectors, and sum to 0, nearly
        beta[at] = project(beta[at], lower[at], upper[at], float(np.sum(beta[at])) + missing)
    return stopped


def newton(program: Program, point: Point, face: Face, missing: float) -> bool:
    """A Newton step on the basis; outside the box, the better of bending it and cutting it short.

    Returns whether it stayed in the box.
    """
    at = face.basis
    here, low, high, slope = point.beta[at], program.lower[at], program.upper[at], point.slope[at]
    step = face.step(slope, missing)
    bound = np.where(step > 0, high, low)
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(step == 0, np.inf, (bound - here) / step)
    length = min(1.0, float(np.min(room)))
    new = np.where(room <= length, bound, np.clip(here + length * step, low, high))
    if length < 1:
        bent = project(here + step, low, high, float(np.sum(here)) + missing)
        gains = []
        for change in (new - here, bent - here):
            curved = program.K[np.ix_(at, at)] @ change
            gains.append(slope @ change + 0.5 * change @ curved)
        if gains[1] < gains[0]:
            new = bent
    point.beta[at] = new
    return length == 1


def project(v: Floats, lower: Floats, upper: Floats, total: float) -> Floats:
    """The nearest point to v (n,) in the box that sums to `total`: clip(v + s) for the root s of its sum."""
    low, high = float(np.min(lower - v)), float(np.max(upper - v))
    shift = min(max(0.0, low), high)
    found = np.clip(v + shift, lower, upper)
    for _ in range(200):
        excess = float(np.sum(found)) - total
        low, high = (low, shift) if excess > 0 else (shift, high)
        inside = int(np.sum((found > lower) & (found < upper)))
        proposed = shift - excess / inside if inside else np.inf
        if not low < proposed < high:
            proposed = 0.5 * (low + high)
        if excess == 0 or proposed in (low, high):
            break
        shift = proposed
        found = np.clip(v + shift, lower, upper)
    return found
