"""Which entry it is: the argument by trying each, the entry by halving, the result by halving its weights.

A wrong derivative along a random direction says that something is wrong; a user wants `w[3]`. Halving costs
2 log₂ n lines of four values each: some eighty for a million entries, and only after a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ops.primitive import dtype_of, shape_of
from ..sweeps.pairing import in_double
from .line import BRIEF, moved
from .slopes import Claim, Comparison, as_tangents, compare, entry, only
from .subject import Arrays

EXHAUSTIVE = 48  # up to so many entries of a leaf are tried one by one
SAMPLED = 24  # of more, so many beside the worst one


@dataclass(frozen=True)
class Entry:
    """One entry of the gradient: claimed, and by differences."""

    leaf: int
    index: tuple[int, ...]
    received: complex
    expected: complex
    error: float
    comparison: Comparison

    @property
    def wrong(self) -> bool:
        """Whether the claim is off by more than the error bars allow."""
        return self.comparison.verdict == "differs"


def try_entry(claim: Claim, leaf: int, index: tuple[int, ...], noise: float = 0.0) -> Entry:
    """Compare one entry."""
    x = claim.subject.x
    found: list[Comparison] = []
    for unit in (1.0, 1j) if dtype_of(x[leaf]).kind == "c" else (1.0,):
        v = entry(x, leaf, index, unit)
        found.append(compare(claim, v, table=False, noise=noise))
    length = float(np.abs(v[leaf][index])) / claim.unit
    worst = max(found, key=lambda c: (c.verdict == "differs", c.gap))
    values = [c.expected.value / length for c in found]
    expected: complex = values[0] if len(values) == 1 else complex(values[0], -values[1])
    received = _claimed(claim, leaf, index, found, length)
    return Entry(leaf, index, received, expected, worst.limit / length, worst)


def _claimed(
    claim: Claim, leaf: int, index: tuple[int, ...], found: list[Comparison], length: float
) -> complex:
    if claim.gradient is None:
        return found[0].received / length
    g = claim.gradient[leaf]
    return 0.0 if g is None else in_double(g)[index].item() * claim.unit


def worst_leaf(claim: Claim, v: Arrays, score: Callable[[Comparison], float], noise: float) -> int:
    """The leaf along whose part of v the score is highest."""
    scores = {
        k: score(compare(claim, only(v, k), table=False, noise=noise)) for k, d in enumerate(v) if np.size(d)
    }
    return max(scores, key=scores.__getitem__)


def worst_entry(
    claim: Claim,
    v: Arrays,
    leaf: int,
    score: Callable[[Comparison], float],
    noise: float,
    exponents: Sequence[float] = BRIEF,
) -> tuple[int, ...]:
    """The entry of a leaf, by halving: the half of v with the higher score is looked into."""
    full = v[leaf]
    low, high = 0, full.size
    while high - low > 1:
        middle = (low + high) // 2
        halves = [(low, middle), (middle, high)]
        scores = []
        for a, b in halves:
            part = np.zeros(full.size, full.dtype)
            part[a:b] = full.ravel()[a:b]
            along: Arrays = [None] * len(v)
            along[leaf] = part.reshape(full.shape)
            scores.append(
                score(compare(claim, along, exponents=exponents, table=False, noise=noise, further=()))
            )
        low, high = halves[int(np.argmax(scores))]
    return tuple(int(i) for i in np.unravel_index(low, full.shape))


def absolute_gap(c: Comparison) -> float:
    """How far a claim is outside its error bars."""
    gap = abs(c.received - c.expected.value)
    if not np.isfinite(gap):
        return np.inf if not np.isfinite(c.received) else 0.0
    return max(gap - 5 * c.expected.error, 0.0)


def break_size(c: Comparison) -> float:
    """How far the one-sided slopes are apart, or the values at a jump."""
    if c.verdict == "jump":
        k = int(np.argmin(c.line.steps))
        return float(np.fmax(abs(c.line.up[k]), abs(c.line.down[k])))
    kink = c.line.kink()
    return max(abs(kink.value) - 5 * kink.error, 0.0) if np.isfinite(kink.value) else 0.0


def entries_of(claim: Claim, leaf: int, worst: tuple[int, ...] | None, noise: float) -> list[Entry]:
    """All entries of a small leaf; of a large one the worst, its neighbours, the ends and random others."""
    shape = shape_of(claim.subject.x[leaf])
    count = int(np.prod(shape, dtype=int))
    if count <= EXHAUSTIVE or worst is None:
        chosen = list(range(min(count, EXHAUSTIVE)))
    else:
        at = int(np.ravel_multi_index(worst, shape)) if shape else 0
        others = claim.subject.rng.choice(count, SAMPLED, replace=False).tolist()
        chosen = list(dict.fromkeys([at, max(at - 1, 0), min(at + 1, count - 1), 0, count - 1, *others]))
    return [try_entry(claim, leaf, tuple(int(i) for i in np.unravel_index(k, shape)), noise) for k in chosen]


def worst_result(claim: Claim, found: Entry) -> tuple[tuple[int, ...] | None, complex, complex]:
    """The entry of the results in which the column of the Jacobian is most wrong: its index, both numbers.

    Needs a tangent of the function or pulls of single results; at most 64 of those are made.
    """
    subject = claim.subject
    v = entry(subject.x, found.leaf, found.index)
    length = float(np.abs(v[found.leaf][found.index]))
    slopes = slopes_along(claim, v)
    if slopes is None:
        return None, found.received, found.expected
    expected = [s / length for s in slopes]
    received = _column(claim, found, v, length, expected)
    best: tuple[float, tuple[int, ...] | None, complex, complex] = (
        -1.0,
        None,
        found.received,
        found.expected,
    )
    for leaf, (a, b) in enumerate(zip(received, expected, strict=True)):
        if a is None or np.shape(a) != np.shape(b) or not np.size(b):
            continue
        gap = np.nan_to_num(np.abs(a - b), nan=np.inf)
        k = np.unravel_index(int(np.argmax(gap)), gap.shape)
        if gap[k] > best[0]:
            index = tuple(int(i) for i in k)
            best = (float(gap[k]), (leaf, *index) if len(expected) > 1 else index, a[k].item(), b[k].item())
    return best[1:]


def slopes_along(claim: Claim, v: Arrays) -> Arrays | None:
    """Differences of every result along v; from one side where the other is beyond the domain, or None."""
    subject, h = claim.subject, claim.eps ** (1 / 3)
    ends: list[tuple[float, Arrays]] = [(0.0, claim.base)]
    for t in (h, -h):
        try:
            with np.errstate(all="ignore"):
                values = subject.f(moved(subject.x, v, t))
        except Exception:  # beyond its domain a function may raise what it likes
            continue
        if all(np.all(np.isfinite(z)) for z in values):
            ends.append((t, values))
    if len(ends) == 1:
        return None
    (t, there), (s, here) = ends[-2:]
    return [(in_double(a) - in_double(b)) / (t - s) for a, b in zip(there, here, strict=True)]


def _column(claim: Claim, found: Entry, v: Arrays, length: float, like: Arrays) -> list[Any]:
    subject = claim.subject
    if subject.pull is not None and claim.gradient is not None:
        count = sum(np.size(a) for a in like)
        if count > 64:
            return [None] * len(like)
        out = []
        for k, a in enumerate(like):
            row = np.zeros(np.shape(a), in_double(a).dtype)
            for index in np.ndindex(np.shape(a)):
                lam = [np.zeros(np.shape(b), dtype_of(b)) for b in claim.base]
                lam[k][index] = 1.0
                g = subject.adjoint(subject.x, [u[()] for u in lam])[found.leaf]
                entry_of = 0.0 if g is None else np.asarray(g)[found.index]
                # along a real step, a real result changes by the real part
                row[index] = entry_of if np.iscomplexobj(row) else np.real(entry_of)
            out.append(row)
        return out
    if subject.push is not None:
        return [in_double(t) / length for t in subject.tangent(subject.x, as_tangents(v, subject.x))]
    return [None] * len(like)
