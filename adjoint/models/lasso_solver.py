"""Solvers for ½ wᵀGw − bᵀw + λ‖w‖₁ + ½ ρ‖w‖²: the exact path in λ, and one λ from a starting point.

With A the active set and s its signs, w_A = u − λ d where (G_AA + ρI) u = b_A and (G_AA + ρI) d = s. So the
path is a polygon: its next corner is the largest λ below at which a correlation b_j − G_jA w_A reaches ±λ, or
a coefficient reaches 0. Both come in closed form from u and d, which are computed anew at every corner, so
that errors do not add up.

Source: M. R. Osborne, B. Presnell and B. A. Turlach, "A new approach to variable selection in least squares
problems", IMA J. Numer. Anal. 20, 2000; B. Efron et al., "Least angle regression", Ann. Statist. 32, 2004;
H. Lee et al., "Efficient sparse coding algorithms", NIPS 2006 (`feature_sign`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .base import Floats

Indices = NDArray[np.intp]
DEPENDENT = 1e-12  # a column of which less than this share (squared) is new adds nothing to the active ones
NEARLY = 2 * DEPENDENT**0.5  # so much can the correlations of such columns differ
TIE = 1e-11  # events this close together, relative to the largest λ, are one


class Gram:
    """Columns of G = XᵀX, all at once for narrow data, when first asked for otherwise.

    Args:
        X: (n, p), scaled by whoever calls.
        y: (n,), likewise.
    """

    def __init__(self, X: Floats, y: Floats) -> None:
        self.X, self.y = X, y
        self.b: Floats = X.T @ y
        p = X.shape[1]
        self.full: Floats | None = X.T @ X if p <= max(len(X), 1000) else None
        self.known: dict[int, Floats] = {}
        self.diagonal: Floats = np.einsum("ij,ij->j", X, X)
        self.energy = float(y @ y)

    def columns(self, active: Indices) -> Floats:
        """G[:, active] (p, k)."""
        if self.full is not None:
            return self.full[:, active]
        for j in active:
            if int(j) not in self.known:
                self.known[int(j)] = self.X.T @ self.X[:, j]
        return np.stack([self.known[int(j)] for j in active], axis=1)


def solve(matrix: Floats, right: Floats) -> tuple[Floats, Floats] | None:
    """Solution, and squared diagonal (k,) of the Cholesky factor; None if not positive definite."""
    from scipy.linalg.lapack import dposv

    factor, solution, info = dposv(matrix, right)
    return None if info else (solution, np.diagonal(factor) ** 2)


class Segment(NamedTuple):
    """A stretch of the path: w_active = u − λ d for λ between `low` and `high`.

    Attributes:
        high, low: ends, high ≥ low ≥ 0.
        active: positions (k,) of the coefficients that are not 0.
        signs: theirs (k,).
        u, d: (k,).
        vanishing: which of them reach 0 at `low` (k,).
    """

    high: float
    low: float
    active: Indices
    signs: Floats
    u: Floats
    d: Floats
    vanishing: NDArray[np.bool_]

    def coefficients(self, lam: float, p: int) -> Floats:
        """w (p,) at one λ of this stretch, with 0 where rounding leaves the wrong sign at a corner."""
        w = np.zeros(p)
        w[self.active] = self.signs * np.maximum(self.signs * (self.u - lam * self.d), 0.0)
        if lam <= self.low:
            w[self.active[self.vanishing]] = 0.0
        return w

    def norm(self, lam: float) -> float:
        """‖w‖₁ there, which is linear in λ."""
        return float(self.signs @ (self.u - lam * self.d))


class _State:
    """The active set while the path is walked, with what depends on it alone."""

    def __init__(self, gram: Gram, ridge: float) -> None:
        self.gram, self.ridge, self.p = gram, ridge, len(gram.b)
        self.active: Indices = np.empty(0, dtype=np.intp)
        self.signs: Floats = np.empty(0)
        self.barred: set[int] = set()  # dependent on the active ones, and so tied to them while they stay
        self.refresh()

    def refresh(self) -> bool:
        """Recompute u, d and the correlations e + λ a; False if the active columns are dependent."""
        columns = self.gram.columns(self.active) if len(self.active) else np.empty((self.p, 0))
        if len(self.active):
            right = np.stack([self.gram.b[self.active], self.signs], axis=1)
            found = solve(columns[self.active] + self.ridge * np.eye(len(self.active)), right)
            scale = self.gram.diagonal[self.active] + self.ridge
            if found is None or np.any(found[1] <= DEPENDENT * scale):
                return False
            self.u, self.d = found[0][:, 0], found[0][:, 1]
        else:
            self.u, self.d = np.empty(0), np.empty(0)
        self.e, self.a = self.gram.b - columns @ self.u, columns @ self.d
        return True

    def events(self, top: float, tolerance: float) -> tuple[Floats, Floats]:
        """For every coefficient the λ ≤ top at which it enters or leaves (−1: never), and the sign it has."""
        at = np.full(self.p, -1.0)
        sign = np.zeros(self.p)
        for side in (1.0, -1.0):
            closing = 1.0 - side * self.a  # how fast λ falls towards side·correlation
            root = np.divide(side * self.e, closing, out=np.full(self.p, -1.0), where=closing > 1e-12)
            better = (root > at) & (root <= top + tolerance)
            at[better], sign[better] = root[better], side
        at[self.active] = -1.0
        at[list(self.barred)] = -1.0
        shrinking = self.signs * self.d < 0
        zero = np.divide(self.u, self.d, out=np.full(len(self.u), -1.0), where=shrinking)
        zero[zero > top + tolerance] = top
        at[self.active], sign[self.active] = zero, self.signs
        return np.minimum(at, top), sign

    def enter(self, j: int, sign: float) -> None:
        """Add one coefficient; bar it instead if its column depends on the active ones."""
        before = self.active, self.signs
        self.barred.clear()
        self.active, self.signs = np.append(self.active, j), np.append(self.signs, sign)
        if not self.refresh():
            self.active, self.signs = before
            self.barred.add(j)
            self.refresh()

    def leave(self, j: int) -> None:
        keep = self.active != j
        self.active, self.signs = self.active[keep], self.signs[keep]
        self.barred.clear()
        self.refresh()

    def restart(self, low: float, gap: float) -> None:
        """Several events at one λ: take the active set that is right a little below it."""
        w = np.zeros(self.p)
        w[self.active] = self.u - low * self.d
        w, _ = feature_sign(self.gram, low - gap, self.ridge, w)
        self.active = np.flatnonzero(w)
        self.signs = np.sign(w[self.active])
        self.refresh()


def path(gram: Gram, ridge: float = 0.0) -> Iterator[Segment]:
    """Segments of the exact path, from the λ at which w leaves 0 down to λ = 0.

    Whoever iterates may stop at any time. At λ = 0 without `ridge` it ends at a least-squares solution; if
    there are many, at one of least ‖w‖₁.
    """
    state = _State(gram, ridge)
    top = largest = float(np.max(np.abs(gram.b), initial=0.0))
    tolerance = TIE * largest
    stalled = 0
    while top > tolerance:
        at, signs = state.events(top, tolerance)
        low = float(np.max(at))
        low = low if low > tolerance else 0.0
        moved = low < top
        stalled = 0 if moved else stalled + 1
        if len(state.active) and moved:
            vanishing = at[state.active] >= low - tolerance if low > 0 else np.zeros(len(state.active), bool)
            yield Segment(top, low, state.active, state.signs, state.u, state.d, vanishing)
        if low == 0.0:
            return
        happening = np.flatnonzero(at >= low - tolerance)
        if len(happening) > 1 or not (moved or low == largest):
            # corners closer than that to a tie are not told from it; where ties follow, a little more
            gap = min(1e-8 * 10.0**stalled, 0.1) * low + tolerance
            state.restart(low, gap)
            low = low if moved else low - gap
        elif happening[0] in state.active:
            state.leave(int(happening[0]))
        else:
            state.enter(int(happening[0]), float(signs[happening[0]]))
        top = low


def feature_sign(gram: Gram, lam: float, ridge: float, start: Floats) -> tuple[Floats, int]:
    """The minimizer w (p,) at one λ, from any starting point, and how many systems were solved.

    The active coefficients go to the minimum for their signs, or to the first point on the way at which one
    of them is 0; when they are optimal the coefficient that violates its condition most joins. The objective
    falls at every step, and there are finitely many active sets.
    """
    w = start.copy()
    b, p = gram.b, len(gram.b)
    slack = 1e-13 * max(float(np.max(np.abs(b), initial=0.0)), lam)
    barred = np.zeros(p, dtype=bool)
    for step in range(20 * p + 100):
        active = np.flatnonzero(w)
        signs = np.sign(w[active])
        left = b - gram.columns(active) @ w[active] if len(active) else b
        fresh = -1
        if np.max(np.abs(left[active] - ridge * w[active] - lam * signs), initial=0.0) <= slack:
            over = np.abs(left) - lam
            over[active] = -np.inf
            over[barred] = -np.inf
            fresh = int(np.argmax(over))
            if over[fresh] <= slack:
                return w, step
            active, signs = np.append(active, fresh), np.append(signs, np.sign(left[fresh]))
        old = w[active]
        M = gram.columns(active)[active] + ridge * np.eye(len(active))
        found = solve(M, b[active] - lam * signs)
        if found is not None and np.all(found[1] > DEPENDENT * (gram.diagonal[active] + ridge)):
            new = found[0]
            if np.allclose(new, old, rtol=4e-16, atol=0.0):
                return w, step  # at the precision of the numbers
            crossing = signs * new < 0
            crossing[old == 0] = False
        elif fresh >= 0 and over[fresh] <= NEARLY * np.sqrt(gram.diagonal[fresh] * gram.energy):
            barred[fresh] = (
                True  # all but equal to a combination of others, with all but the same correlation
            )
            continue
        else:
            # the newcomer depends on the others: exchange it for them at equal fit until one of them is 0
            new = old + _exchange(M, signs, fresh >= 0)
            crossing = (signs * (new - old) < 0) & (old != 0)
        if crossing.any():
            share = old[crossing] / (old[crossing] - new[crossing])
            least = float(np.min(share))
            new = old + least * (new - old)
            new[np.flatnonzero(crossing)[share <= least * (1 + 1e-14)]] = 0.0
        w[active] = new
    return w, 20 * p + 100


def _exchange(M: Floats, signs: Floats, newcomer: bool) -> Floats:
    """A direction in the null space of M (k, k) along which signs·direction, hence ‖w‖₁, falls."""
    if newcomer:
        direction = np.append(-np.linalg.lstsq(M[:-1, :-1], M[:-1, -1], rcond=None)[0], 1.0)
    else:
        direction = np.linalg.eigh(M)[1][:, 0]
    fall = -float(np.sign(signs @ direction)) or 1.0
    result: Floats = fall * direction
    return result
