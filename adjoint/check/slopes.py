"""A claimed derivative against what the function does along a line: agreement, a fault, a kink, or noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ops.primitive import dtype_of, shape_of
from ..sweeps.pairing import in_double
from . import complex_step
from . import noise as noises
from .line import FURTHER, USUAL, Estimate, Line, extend, norm, row, sample, walk
from .subject import Arrays, Subject, rounding

# what a derivative may be off by, relative to the size of its terms, where nothing measured says more
TOLERANCE = 3e-9


def tolerance(eps: float) -> float:
    """The relative error allowed at rounding eps: 3e-9; 1e-4 in float32; 5e-2 in float16."""
    return max(TOLERANCE, min(1e3 * eps, 0.05))


@dataclass(frozen=True)
class Claim:
    """A weighted result ⟨w, f⟩ of a subject at its point, with the gradient it is said to have.

    Attributes:
        subject: the function.
        base: f(x).
        w: the weights.
        gradient: Jᵀw, a leaf for every argument; None when only products Jv are claimed.
        eps: the rounding of the coarsest dtype of arguments and results.
        unit: what w and the gradient were divided by, a power of 2 that keeps products finite.
        exact: the complex step was seen to give the derivative: one evaluation instead of a line.
    """

    subject: Subject
    base: Arrays
    w: Arrays
    gradient: Arrays | None
    eps: float
    unit: float = 1.0
    exact: bool = False

    @classmethod
    def of(cls, subject: Subject, base: Arrays, w: Arrays, gradient: Arrays | None) -> Claim:
        """The claim, with the coarsest rounding there is, in units in which its numbers are moderate."""
        eps = max([subject.eps, *(rounding(b) for b in base)])
        with np.errstate(all="ignore"):
            sizes = [np.abs(in_double(g)) for g in gradient or [] if g is not None]
            largest = max((float(np.max(s, where=np.isfinite(s), initial=0)) for s in sizes), default=1.0)
        if largest == 0 or 1e-100 < largest < 1e100:
            return cls(subject, base, w, gradient, eps)
        unit = 2.0 ** np.clip(np.floor(np.log2(largest)), -900, 900)
        scaled = [None if g is None else in_double(g) / unit for g in gradient or []]
        return cls(subject, base, [a / unit for a in w], scaled, eps, unit)

    def received(self, v: Arrays) -> tuple[float, float]:
        """The claimed slope along v, and the size of its terms."""
        if self.gradient is not None:
            pairs = [(a, b) for a, b in zip(self.gradient, v, strict=True) if a is not None and b is not None]
        else:
            pushed = self.subject.tangent(self.subject.x, as_tangents(v, self.subject.x))
            pairs = list(zip(self.w, pushed, strict=True))
        with np.errstate(all="ignore"):
            terms = [np.where(b == 0, 0.0, (in_double(a) * in_double(b)).real) for a, b in pairs]
            return sum(float(np.sum(t)) for t in terms), norm(terms)


@dataclass(frozen=True)
class Comparison:
    """The outcome along one line.

    Attributes:
        line: the values.
        received: the claimed slope.
        expected: the slope by differences, with its error.
        scale: what the error is relative to.
        limit: the error allowed, absolute.
        verdict: "agrees", "differs", "kink", "jump", "steep" (an infinite slope) or "unresolved".
        sides: the one-sided slopes at a kink, from below and from above.
    """

    line: Line
    received: float
    expected: Estimate
    scale: float
    limit: float
    verdict: str
    sides: tuple[float, float] = (np.nan, np.nan)

    @property
    def gap(self) -> float:
        """By how much the claim is off, relative to its scale."""
        if self.verdict == "agrees" and not np.isfinite(self.expected.value):
            return 0.0
        with np.errstate(all="ignore"):
            return abs(self.received - self.expected.value) / self.scale if self.scale else 0.0

    @property
    def allowed(self) -> float:
        """The limit relative to the scale."""
        with np.errstate(all="ignore"):
            return self.limit / self.scale if self.scale else 0.0


def compare(
    claim: Claim,
    v: Arrays,
    *,
    exponents: Sequence[float] = USUAL,
    further: Sequence[float] = FURTHER,
    table: bool = True,
    noise: float = 0.0,
) -> Comparison:
    """Walk along v and hold the claimed slope against what is found.

    Args:
        claim: the function and its gradient.
        v: the direction, as long as a large step.
        exponents: the steps, as powers of the rounding.
        further: more of them, taken two by two while nothing is resolved; empty for a quick answer.
        table: measure the noise too.
        noise: what is known of it already.
    """
    subject = claim.subject
    received, size = claim.received(v)
    usable = claim.exact and np.isfinite(received)
    exactly = _exactly(claim, v, received, size, noise) if usable else None
    if exactly is not None and exactly.verdict == "agrees":
        return exactly
    line = walk(
        subject.f, subject.x, v, claim.w, claim.base, claim.eps,
        exponents=exponents, gradient=claim.gradient, table=table,
    )  # fmt: skip
    line.noise = max(line.noise, noise)
    outcome = judge(claim, line, received, size)
    if outcome.verdict != "agrees" and further:
        outcome = _closer(claim, outcome, size)
    for k in range(0, len(further), 2):
        if outcome.verdict != "unresolved":
            break
        extend(line, subject.f, claim.w, claim.base, claim.eps, further[k : k + 2], claim.gradient)
        outcome = judge(claim, line, received, size)
    if exactly is None:
        return outcome
    # a function may be analytic in some entries only, or have a ripple finer than any step: what the line
    # refutes is not believed, unless it resolves nothing here and the two are of one size
    refuted = outcome.expected.differs(exactly.expected.value, tolerance(claim.eps) * exactly.scale)
    fits = outcome.verdict == "agrees" or abs(exactly.expected.value - received) > 10 * size
    refuted = refuted and fits
    return outcome if refuted else exactly


def _closer(claim: Claim, coarse: Comparison, size: float) -> Comparison:
    """Look again with the finest steps that rounding allows, before anything but agreement is believed.

    What looks like a wrong slope, a kink or noise from a distance may be a fine structure that the claim
    knows of: sin 10⁸x, x near a pole, a kink 10⁻⁹ away. Coarse steps average over it.
    """
    f, line = claim.subject.f, coarse.line
    scale = max(coarse.scale, abs(coarse.received)) if np.isfinite(coarse.received) else coarse.scale
    if not scale or not np.isfinite(scale):
        return coarse
    least, finest = max(line.least, 5e-324), min(line.steps)
    h = max(min(32 * least / (1e-3 * scale), finest / 16), _resolution(line))
    h = max(h, 1e-140)  # its square is divided by
    while h < finest and not _moves(claim, line, h):
        h *= 64
    for _ in range(3):
        if h > finest / 4:
            return coarse
        fine = Line(line.x, line.v, least=least)
        fine.noise = max(least, row(fine, f, claim.w, claim.base, h, claim.gradient))
        if 4 * fine.noise / h <= 0.02 * scale and any(fine.up):
            break
        h = max(4 * fine.noise / (0.005 * scale), 16 * h)
    else:
        return coarse
    sample(fine, f, claim.w, claim.base, (16 * h, 64 * h), claim.gradient)
    close = judge(claim, fine, coarse.received, size)
    if close.verdict == "agrees" or (close.verdict == "kink" and coarse.verdict != "kink"):
        return close
    gap = abs(coarse.expected.value - close.expected.value)
    if close.verdict == "differs" and not gap <= 0.1 * scale:
        return close
    return coarse


def _resolution(line: Line) -> float:
    """The finest step worth taking: two thousand units in the last place of what the line moves most.

    Below, a function computes with the rounding of its arguments, and errs in step with it.
    """
    largest = 0.0
    for x, d in zip(line.x, line.v, strict=True):
        if d is not None and np.size(d):
            with np.errstate(all="ignore"):
                moved = np.abs(d) / np.maximum(np.abs(in_double(x)), 1e-300)
            largest = max(largest, float(np.max(moved)) / rounding(x))
    return 2048 / largest if largest else np.inf


def _moves(claim: Claim, line: Line, h: float) -> bool:
    """Whether a step is large enough to change the value."""
    probe = Line(line.x, line.v)
    sample(probe, claim.subject.f, claim.w, claim.base, (h,), None)
    return bool(probe.up[0] != 0 or probe.down[0] != 0)


def noise_nearby(claim: Claim, line: Line) -> float:
    """The noise measured with steps a thousand times finer: a fine structure of the function is no noise."""
    near, h = Line(line.x, line.v), min(line.steps) * 1e-3
    sample(near, claim.subject.f, claim.w, claim.base, (h, 2 * h), claim.gradient)
    measured = noises.from_differences([near.down[1], near.down[0], 0.0, near.up[0], near.up[1]])
    return min(line.noise, measured) if any(near.up) or any(near.down) else line.noise


def _exactly(claim: Claim, v: Arrays, received: float, size: float, noise: float) -> Comparison | None:
    """The verdict by the complex step; None where that does not apply."""
    value = complex_step.derivative(claim.subject, claim.base, claim.w, v)
    if value is None:
        return None
    scale = max(size, abs(value))
    limit = TOLERANCE * scale + 10 * noise
    right = abs(value - received) <= limit
    line = Line(claim.subject.x, v, noise=noise)
    return Comparison(line, received, Estimate(value, noise), scale, limit, "agrees" if right else "differs")


def judge(claim: Claim, line: Line, received: float, size: float) -> Comparison:
    """The verdict on one line."""
    expected = line.slope()
    scale = max(size, abs(expected.value) if np.isfinite(expected.value) else 0.0)
    relative = tolerance(claim.eps)

    def outcome(verdict: str, sides: tuple[float, float] = (np.nan, np.nan)) -> Comparison:
        limit = 5 * expected.error + relative * scale
        return Comparison(line, received, expected, scale, limit, verdict, sides)

    if line.jumps():
        return outcome("jump")
    quantum = _quantum(line, received)
    if quantum > line.noise:
        line.noise = quantum
        expected = line.slope()
    if not np.isfinite(received):
        return outcome("steep" if np.isinf(received) and 0.1 < line.break_rate() < 0.9 else "differs")
    if not np.isfinite(expected.error):
        return outcome("unresolved")  # no finite values nearby
    kink = line.kink()
    if kink.differs(0.0, 1e-5 * scale) and 0.75 < line.break_rate() < 1.25:
        below, above = line.one_sided(-1), line.one_sided(1)
        slack = 5 * max(below.error, above.error) + relative * scale
        low, high = sorted((below.value, above.value))
        between = low - slack <= received <= high + slack
        # along several entries at once the claim may lie outside, and each by itself between
        several = sum(np.count_nonzero(d) for d in line.v if d is not None) > 1
        return outcome("kink" if between or several else "differs", (below.value, above.value))
    resolved = 5 * expected.error <= 0.02 * scale
    if not expected.differs(received, relative * scale):
        return outcome("agrees" if resolved or scale == 0 else "unresolved")
    if not resolved:
        rate = line.break_rate()
        if rate < 0.25:
            return outcome("jump")
        if rate < 0.75:
            return outcome("steep")
    return outcome("differs")


def _quantum(line: Line, slope: float) -> float:
    h = np.concatenate([line.steps, np.negative(line.steps)])
    change = np.concatenate([line.up, line.down])
    good = np.isfinite(change)
    if not np.any(change[good] == 0):
        return 0.0
    k = int(np.argmax(line.steps))
    if not line.steps[k]:
        return 0.0
    curvature = (line.up[k] + line.down[k]) / line.steps[k] ** 2
    return noises.quantum_of(h[good], change[good], slope, float(np.nan_to_num(curvature)))


# ------------------------------------------------------------------------------------------ directions
def as_tangents(v: Arrays, x: Arrays) -> Arrays:
    """Directions as arrays in the dtypes of x; zeros where there is none."""
    return [
        np.zeros(shape_of(a), dtype_of(a))[()] if d is None else np.asarray(d, dtype_of(a))[()]
        for d, a in zip(v, x, strict=True)
    ]


def signs(x: Any, rng: np.random.Generator) -> np.ndarray:
    """Numbers of both signs between ½ and 1½ in size: no entry is left out by a small weight."""
    shape = shape_of(x)
    real = rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape)
    if dtype_of(x).kind != "c":
        return np.asarray(real)
    return np.asarray(real * np.exp(1j * rng.uniform(0, 2 * np.pi, shape)))


def leaf_scale(x: Any) -> float:
    """The typical size of a leaf's entries, 1 for zeros."""
    finite = np.abs(in_double(x))
    finite = finite[np.isfinite(finite)]
    largest = float(np.max(finite, initial=0))
    return largest * float(np.sqrt(np.mean(np.square(finite / largest)))) if largest else 1.0


def entry_scales(x: Any) -> np.ndarray:
    """The size of every entry; for zeros that of the leaf."""
    size = np.abs(in_double(x))
    return np.where((size == 0) | ~np.isfinite(size), leaf_scale(x), size)


def together(subject: Subject) -> Arrays:
    """A direction that moves everything, every leaf by its typical size."""
    return [leaf_scale(x) * signs(x, subject.rng) for x in subject.x]


def each_by_its_size(subject: Subject) -> Arrays:
    """A direction that moves every entry in proportion to itself: 1e-12 and 1e12 alike."""
    return [entry_scales(x) * signs(x, subject.rng) for x in subject.x]


def of_all_sizes(subject: Subject) -> bool:
    """Whether a leaf holds entries so unlike in size that no common step suits them."""
    for x in subject.x:
        size = np.abs(in_double(x))
        size = size[(size > 0) & np.isfinite(size)]
        if np.size(size) and leaf_scale(x) > 1e3 * float(np.median(size)):
            return True
    return False


def only(v: Arrays, leaf: int) -> Arrays:
    """The part of a direction in one leaf."""
    return [d if k == leaf else None for k, d in enumerate(v)]


def entry(x: Arrays, leaf: int, index: tuple[int, ...], unit: complex = 1.0) -> Arrays:
    """The direction of one entry, as long as that entry is large."""
    v: Arrays = [None] * len(x)
    d = np.zeros(shape_of(x[leaf]), np.complex128 if dtype_of(x[leaf]).kind == "c" else np.float64)
    size = np.abs(in_double(x[leaf])[index])
    d[index] = unit * (size if size > 0 and np.isfinite(size) else leaf_scale(x[leaf]))
    v[leaf] = d
    return v
