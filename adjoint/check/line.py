"""What a function does along a line: its slope there by differences, with an error bar that can be trusted.

    δ(t) = ⟨w, f(x + t v) − f(x)⟩   for t = ±h_1, ±h_2, …, from coarse to fine.

Central differences (δ(h) − δ(−h)) / 2h err by h² and by noise / h. Extrapolation to h → 0 removes the first,
a measured noise bounds the second, and of all combinations the one with the smallest error is taken (Ridders,
Advances in Engineering Software 4 (1982)). No step is right for every function; this way none has to be.
The same values tell one-sided slopes (a kink: they differ), jumps (δ does not go to zero) and curvature.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..ops.primitive import dtype_of
from ..sweeps.pairing import in_double, length
from . import noise as noises
from .subject import Arrays

# steps, as powers of the rounding error: in double precision 1e-2, 1e-3, … 1e-6 of the size of x
USUAL = (1 / 8, 3 / 16, 1 / 4, 5 / 16, 3 / 8)
BRIEF = (3 / 16, 1 / 4, 5 / 16)
# … and where those do not agree: finer ones for what oscillates, coarser ones for what is noisy
FURTHER = (7 / 16, 1 / 2, 1 / 16, 9 / 16, 5 / 8)


@dataclass(frozen=True)
class Estimate:
    """A number with the error that it may have, and the step it was taken at."""

    value: float
    error: float
    step: float = np.nan

    def differs(self, other: float, tolerance: float, safety: float = 5.0) -> bool:
        """Whether `other` lies outside the error bar and the tolerance."""
        return not abs(self.value - other) <= safety * self.error + tolerance


NOTHING = Estimate(np.nan, np.inf)


@dataclass
class Line:
    """The values of a function along x + t v, and what follows from them.

    Attributes:
        x: the point.
        v: the direction.
        steps: the positive steps t, coarse to fine.
        up: δ(t).
        down: δ(−t).
        noise: what a value of δ may be off by.
        least: what rounding alone makes it be off by.
    """

    x: Arrays
    v: Arrays
    steps: list[float] = field(default_factory=list)
    up: list[float] = field(default_factory=list)
    down: list[float] = field(default_factory=list)
    noise: float = 0.0
    least: float = 0.0

    def coarse_to_fine(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The steps, δ(t) and δ(−t), from the longest step to the shortest."""
        order = np.argsort(self.steps)[::-1]
        return tuple(np.asarray(a, np.float64)[order] for a in (self.steps, self.up, self.down))  # type: ignore[return-value]

    # ---------------------------------------------------------------------------- what the values say
    def slope(self) -> Estimate:
        """The derivative along the line, by central differences; one-sided where one side has no values."""
        h, up, down = self.coarse_to_fine()
        central = (up - down) / (2 * h)
        if np.sum(np.isfinite(central)) >= 2:
            found = extrapolated(h, central, 4 * self.noise / h, order=2)
            # finer steps that stray farther than the noise explains show that there is more of it
            finer = np.isfinite(central) & (h < found.step)
            stray = float(np.max(np.abs(central - found.value) * h, where=finer, initial=0))
            if stray > 2 * self.noise:
                found = extrapolated(h, central, 2 * stray / h, order=2)
            return found
        sides = [self.one_sided(1), self.one_sided(-1)]
        return min(sides, key=lambda e: e.error)

    def one_sided(self, sign: int) -> Estimate:
        """The derivative along the line from above (1) or from below (−1)."""
        h, up, down = self.coarse_to_fine()
        return extrapolated(
            h, sign * (up if sign > 0 else down) / h, 4 * self.noise / h, order=1, cautious=True
        )

    def curvature(self) -> Estimate:
        """The second derivative along the line."""
        h, up, down = self.coarse_to_fine()
        return extrapolated(h, (up + down) / h**2, 8 * self.noise / h**2, order=2)

    def kink(self) -> Estimate:
        """The difference of the one-sided slopes as the step goes to zero."""
        h, up, down = self.coarse_to_fine()
        return extrapolated(h, (up + down) / h, 8 * self.noise / h, order=1)

    def break_rate(self) -> float:
        """The power of t with which the break at t = 0 goes to zero: 2 smooth, 1 a kink, 0 a jump.

        NaN when the values do not tell: even and odd parts are looked at above the noise only.
        """
        h, up, down = self.coarse_to_fine()
        sides = [np.abs(side) for side in (up, down) if np.sum(np.isfinite(side)) >= 3]
        rates = []
        for part in [np.abs(up + down), np.abs(up - down)] if len(sides) == 2 else sides:
            kept = np.isfinite(part) & (part > 20 * self.noise)
            if np.sum(kept) >= 3:
                with np.errstate(all="ignore"):
                    slopes = np.diff(np.log(part[kept])) / np.diff(np.log(h[kept]))
                if np.ptp(slopes[-2:]) < 0.2:  # a power of h, and no accident
                    rates.append(float(np.mean(slopes[-2:])))
        return min(rates, default=np.nan)

    def is_wild(self) -> bool:
        """Whether nothing but noise is left at the finest steps."""
        _, up, down = self.coarse_to_fine()
        return bool(np.all(np.abs([up[-3:], down[-3:]]) <= 100 * self.noise)) if self.steps else False

    def jumps(self) -> bool:
        """Whether the value changes at t = 0 by what does not depend on the step."""
        h, up, down = self.coarse_to_fine()
        if len(h) < 3 or not np.all(np.isfinite([*up[-3:], *down[-3:]])):
            return False
        size = max(abs(up[-1]), abs(down[-1]))
        steady = all(np.ptp(side[-3:]) <= 0.02 * size for side in (up, down))
        largest = float(np.nanmax(np.abs([up, down])))
        return bool(steady and size > 0.05 * largest and size > 1e3 * self.least)


def extrapolated(
    h: np.ndarray, values: np.ndarray, noise: np.ndarray, *, order: int, cautious: bool = False
) -> Estimate:
    """The limit h → 0 of values that err by h^order and higher powers, coarse to fine, and its error.

    Cautious: the power may be less, as on one side of x^1.5 at 0; values are then taken as they are.
    """
    finite = np.isfinite(values) & np.isfinite(h)
    h, values, noise = h[finite], values[finite], noise[finite]
    best = NOTHING
    previous = NOTHING.value
    with np.errstate(all="ignore"):
        for k in range(1, len(h)):
            ratio = (h[k - 1] / h[k]) ** order
            gap = abs(values[k] - values[k - 1])
            if cautious:
                power = np.sqrt(h[k - 1] / h[k])  # as if it erred by √h only
                plain = Estimate(
                    float(values[k]), float(max(gap * power / (power - 1), noise[k])), float(h[k])
                )
                best = min([best, plain], key=lambda e: e.error if np.isfinite(e.error) else np.inf)
                continue
            plain = Estimate(float(values[k]), float(max(gap / min(ratio - 1, 4.0), noise[k])), float(h[k]))
            refined = float(values[k] + (values[k] - values[k - 1]) / (ratio - 1))
            # a refined value is believed as far as it agrees with the one before it, and never much better
            # than what it was made from: two may agree by chance
            change = max(abs(refined - previous), abs(refined - values[k]) / 20) if k > 1 else gap
            candidates = [plain, Estimate(refined, float(max(change, 1.5 * noise[k])), float(h[k]))]
            previous = refined
            best = min([best, *candidates], key=lambda e: e.error if np.isfinite(e.error) else np.inf)
    return best


# ----------------------------------------------------------------------------------- taking the values
def moved(x: Arrays, v: Arrays, t: float) -> Arrays:
    """x + t v, in the dtypes of x; what the direction leaves alone stays the very same object."""
    out = []
    for a, d in zip(x, v, strict=True):
        if d is None:
            out.append(a)
        else:
            with np.errstate(all="ignore"):
                out.append(np.asarray(in_double(a) + t * d, dtype_of(a))[()])
    return out


def weighted(w: Arrays, values: Arrays, base: Arrays) -> float:
    """⟨w, f(x + t v) − f(x)⟩: differences first, so that large values cancel before they are summed."""
    total = 0.0
    with np.errstate(all="ignore"):
        for weight, a, b in zip(w, values, base, strict=True):
            if weight is not None and np.size(weight):
                total += float(np.sum((weight * (in_double(a) - in_double(b))).real))
    return total


def norm(arrays: Sequence[Any]) -> float:
    """√Σ|a|² over lists of arrays."""
    with np.errstate(over="ignore", invalid="ignore"):
        return length(tuple(arrays))


def spacing(w: Arrays, base: Arrays) -> float:
    """The least error of ⟨w, f⟩: half a unit in the last place of every term, added up like noise."""
    units = []
    with np.errstate(all="ignore"):
        for weight, b in zip(w, base, strict=True):
            if weight is not None:
                real = np.abs(np.asarray(b))
                units.append(np.abs(weight) * np.spacing(np.where(np.isfinite(real), real, 0)).astype(float))
    return max(0.5 * norm(units), max((float(np.max(np.abs(a), initial=0)) for a in w), default=0.0) * 5e-324)


def walk(
    f: Callable[[Arrays], Arrays],
    x: Arrays,
    v: Arrays,
    w: Arrays,
    base: Arrays,
    eps: float,
    *,
    exponents: Sequence[float] = USUAL,
    gradient: Arrays | None = None,
    table: bool = True,
) -> Line:
    """Take values of f along x + t v.

    Args:
        f: the function.
        x: the point.
        v: the direction, scaled so that t = 1 is a large step; None for what stays.
        w: weights of the results.
        base: f(x).
        eps: the rounding of the coarsest dtype.
        exponents: the steps, as powers of eps.
        gradient: the claimed gradient of ⟨w, f⟩, to account for the rounding of x + t v.
        table: take two more values, for the noise.
    """
    least = spacing(w, base)
    line = Line(x, v, noise=least, least=least)
    extend(line, f, w, base, eps, exponents, gradient)
    if table:
        measure_noise(line, f, w, base, gradient)
    return line


def extend(
    line: Line,
    f: Callable[[Arrays], Arrays],
    w: Arrays,
    base: Arrays,
    eps: float,
    exponents: Sequence[float],
    gradient: Arrays | None,
) -> None:
    """Take values at more steps, powers of the rounding."""
    sample(line, f, w, base, [eps**exponent for exponent in exponents], gradient)


def sample(
    line: Line,
    f: Callable[[Arrays], Arrays],
    w: Arrays,
    base: Arrays,
    steps: Sequence[float],
    gradient: Arrays | None,
) -> None:
    """Take values on both sides at some steps."""
    for h in steps:
        line.steps.append(h)
        line.up.append(_value(line, f, w, base, h, gradient))
        line.down.append(_value(line, f, w, base, -h, gradient))


def measure_noise(
    line: Line, f: Callable[[Arrays], Arrays], w: Arrays, base: Arrays, gradient: Arrays | None
) -> None:
    """Two values at two and three times the finest step: with x itself four in a row, on one side of it.

    A table across x would take a kink there for noise.
    """
    k = int(np.argmin(line.steps))
    h = line.steps[k]
    values = [0.0, line.up[k], *(_value(line, f, w, base, m * h, gradient) for m in (2, 3))]
    if not np.isfinite(values[-1]):
        values = [0.0, line.down[k], *(_value(line, f, w, base, -m * h, gradient) for m in (2, 3))]
    line.noise = max(line.noise, noises.from_differences(values))


def row(
    line: Line, f: Callable[[Arrays], Arrays], w: Arrays, base: Arrays, h: float, gradient: Arrays | None
) -> float:
    """Take values at h, 2h, 3h and 4h on both sides; the noise in them."""
    start = len(line.steps)
    sample(line, f, w, base, [h, 2 * h, 3 * h, 4 * h], gradient)
    return max(noises.from_differences(side[start:]) for side in (line.up, line.down))


def _value(
    line: Line, f: Callable[[Arrays], Arrays], w: Arrays, base: Arrays, t: float, gradient: Arrays | None
) -> float:
    there = moved(line.x, line.v, t)
    try:
        with np.errstate(all="ignore"):
            delta = weighted(w, f(there), base)
    except Exception:  # beyond its domain a function may raise what it likes; at x itself it did not
        return np.nan
    if gradient is None or delta == 0:  # exactly no change: values are rounded, and that must be seen
        return delta
    # x + t v is rounded to the dtype of x: in float32 by 1e-7 of x, which at t = 1e-3 is 1e-4 of the step
    for g, a, b, d in zip(gradient, line.x, there, line.v, strict=True):
        if g is not None and d is not None:
            with np.errstate(all="ignore"):
                slip = (in_double(b) - in_double(a)) - t * d
                owed = (in_double(g) * slip).real
                delta -= float(np.sum(np.where(np.isfinite(owed), owed, 0.0)))  # a claim may be NaN
    return delta
