"""What kind of mistake it is, where the numbers single one out: a guess, and said to be one.

Each rule looks at the claimed and the right gradient of one argument. The first that fits speaks; none speaks
on a single number except where the number can hardly mean anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..sweeps.pairing import in_double
from .locate import Entry, slopes_along
from .slopes import Claim


@dataclass(frozen=True)
class Evidence:
    """The claimed gradient of one leaf beside the right one.

    Attributes:
        x: the leaf.
        received: the claim, in the shape of x.
        entries: the entries that were compared.
        results: the number of results of the function.
    """

    x: np.ndarray
    received: np.ndarray
    entries: list[Entry]
    results: int = 1

    @property
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Claimed and right numbers of the entries compared."""
        return np.array([e.received for e in self.entries]), np.array([e.expected for e in self.entries])

    @property
    def tolerance(self) -> float:
        """To how many digits the right numbers are known: four, and fewer in float32."""
        size = max((abs(e.expected) for e in self.entries), default=0.0)
        return float(
            np.clip(2 * max((e.error for e in self.entries), default=0.0) / (size or 1.0), 1e-4, 5e-3)
        )

    @property
    def wrong(self) -> np.ndarray:
        """Which of them are wrong."""
        return np.array([e.wrong for e in self.entries], bool)

    @property
    def full(self) -> np.ndarray | None:
        """The right gradient in the shape of x, if every entry was compared."""
        if len(self.entries) != self.x.size or self.x.size < 2:
            return None
        out = np.empty(self.x.shape, np.array([e.expected for e in self.entries]).dtype)
        for e in self.entries:
            out[e.index] = e.expected
        return out


def close(a: np.ndarray, b: np.ndarray, relative: float = 1e-4) -> bool:
    """Whether two arrays hold the same numbers, to differences' precision."""
    scale = max(float(np.max(np.abs(b), initial=0)), 1e-300)
    return a.shape == b.shape and bool(np.all(np.abs(a - b) <= relative * scale))


def likely(evidence: Evidence) -> str:
    """The likely mistake in words; empty when the evidence singles none out."""
    with np.errstate(all="ignore"):
        for rule in RULES:
            for words in rule(evidence):
                return words
    return ""


def not_finite(e: Evidence) -> Iterator[str]:
    """The claim is NaN or infinite."""
    if not np.all(np.isfinite(e.pairs[0])):
        yield "not finite: a division by zero, 0 · inf, or a log or root at its edge"


def conjugated(e: Evidence) -> Iterator[str]:
    """The claim is the conjugate of the right numbers."""
    r, x = e.pairs
    if not np.iscomplexobj(x) or close(x.imag, 0 * x.imag):
        return
    if close(r, np.conj(x)):
        yield CONJUGATE
    elif close(r, x.real):
        yield "imaginary part dropped"
    elif close(r, 1j * x.imag):
        yield "real part dropped"


CONJUGATE = "conjugate: df = Re Σ g dz holds for its conjugate (conjugate=True for that convention)"


def rounded(e: Evidence) -> Iterator[str]:
    """The claim is off by the rounding of a lower precision."""
    r, x = e.pairs
    if e.x.dtype.itemsize // (2 if e.x.dtype.kind == "c" else 1) < 8:
        return
    relative = np.abs(r - x) / np.maximum(np.abs(x), 1e-300)
    if np.any(e.wrong) and np.max(relative[e.wrong]) < 2e-6:
        yield "float32 cast: off by the rounding of single precision"
    elif np.any(e.wrong) and np.max(relative[e.wrong]) < 5e-3 and _fits(e.received, np.float16):
        yield "float16 cast: off by the rounding of half precision"


def _fits(a: np.ndarray, dtype: type) -> bool:
    return bool(np.all(a.astype(dtype).astype(a.dtype) == a))


def factor(e: Evidence) -> Iterator[str]:
    """All wrong entries are off by one factor."""
    r, x = e.pairs
    seen = e.wrong & (np.abs(x) > 1e-6 * np.max(np.abs(x), initial=0))
    if not np.any(seen):
        return
    ratios = r[seen] / x[seen]
    c = ratios[0]
    tol = e.tolerance
    if np.any(np.abs(ratios - c) > 3 * tol * np.abs(c) + 1e-12):
        return
    c = float(np.real(c))
    some = "" if np.all(e.wrong) else f" in {int(np.sum(e.wrong))} of {len(r)} entries"
    if abs(c) < 1e-10:
        whole = "zero: detached, a path or an entry that no derivative reaches"
        yield whole if not some else f"zero{some}: a masked or dropped part"
    elif abs(c + 1) < tol:
        yield f"sign{some}"
    elif abs(c - 2) < 2 * tol or abs(c - 0.5) < tol:
        yield f"factor {'2' if c > 1 else '½'}{some}"
    else:
        sizes = {s for s in (*e.x.shape, e.x.size, e.results) if s > 1}
        for n in sorted(sizes):
            if abs(c - n) < tol * n:
                yield f"factor {n}, the size of an axis{some}: sum instead of mean"
            if abs(c * n - 1) < tol:
                yield f"factor 1/{n}, one over the size of an axis{some}: mean instead of sum"
        if len(ratios) > 1:
            yield f"a constant factor {c:{'.6g' if tol < 1e-3 else '.3g'}}{some}"


def rearranged(e: Evidence) -> Iterator[str]:
    """The claim holds the right numbers in wrong places."""
    x, r = e.full, e.received
    if x is None or close(x, np.full_like(x, x.flat[0])) or close(r, x):
        return
    if x.ndim == 2 and x.shape[0] == x.shape[1] and close(r, x.T):
        yield "transposed"
    if x.ndim >= 2 and close(r.ravel(), x.T.ravel()):
        yield "transposed, then reshaped"
    for axis in range(x.ndim):
        if x.shape[axis] > 1 and close(r, np.flip(x, axis)):
            yield f"reversed along axis {axis}"
    for axis in range(x.ndim):
        n = x.shape[axis]
        for shift in (1, -1):
            inner = slice(1, n) if shift > 0 else slice(0, n - 1)
            pick = (slice(None),) * axis + (inner,)
            if n > 3 and close(np.roll(x, shift, axis)[pick], r[pick]):
                yield f"off by one along axis {axis}"
    if x.size <= 64 and close(np.sort(r.ravel().real), np.sort(x.ravel().real)):
        yield "the right numbers in wrong places: a permutation, or a wrong reshape"


def averaged(e: Evidence) -> Iterator[str]:
    """The claim differs by a mean, or by sums over an axis."""
    x, r = e.full, e.received
    if x is None or close(r, x):
        return
    for axis in (None, *range(x.ndim)):
        if axis is not None and x.shape[axis] < 2:
            continue
        where = "" if axis is None or x.ndim == 1 else f" over axis {axis}"
        mean = np.mean(r, axis=axis, keepdims=True)
        if np.any(np.abs(mean) > 1e-8 * np.max(np.abs(r))) and close(r - mean, x):
            yield f"a dropped term: the mean{where} is not taken off"
        if close(np.broadcast_to(np.sum(x, axis=axis, keepdims=True), x.shape), r):
            yield f"summed{where}: a wrong axis, or broadcast where it should not be"
        if close(np.broadcast_to(np.mean(x, axis=axis, keepdims=True), x.shape), r):
            yield f"averaged{where}: a wrong axis"


def clipped(e: Evidence) -> Iterator[str]:
    """The claim is the right gradient cut off at a bound."""
    r, x = e.pairs
    if np.iscomplexobj(x) or not np.any(e.wrong) or close(r, x):  # wrong in small entries only
        return
    bound = float(np.max(np.abs(r)))
    if np.sum(np.abs(np.abs(r) - bound) < 1e-9 * bound) > 1 and close(r, np.clip(x, -bound, bound)):
        yield f"clipped at ±{bound:.4g}"


def dropped(e: Evidence) -> Iterator[str]:
    """The difference is a simple function of x."""
    r, x = e.pairs
    at = np.array([e.x[k.index] for k in e.entries])
    gap = r - x
    if len(r) < 3 or np.sum(e.wrong) < 3:
        return
    if np.max(np.abs(gap - gap[0])) <= 1e-4 * np.abs(gap[0]):
        yield f"a dropped term: off by the constant {float(np.real(gap[0])):.6g} everywhere"
    ratio = gap / at
    if np.all(np.isfinite(ratio)) and np.max(np.abs(ratio - ratio[0])) <= 1e-4 * np.abs(ratio[0]):
        yield f"a dropped term: off by {float(np.real(ratio[0])):.6g} · x"


def partly(e: Evidence) -> Iterator[str]:
    """Only some entries are wrong: at an edge, of one sign, large ones, or just one."""
    wrong = e.wrong
    if not np.any(wrong) or np.all(wrong) or len(wrong) < 3:
        return
    indices = np.array([k.index for k in e.entries])
    for axis, n in enumerate(e.x.shape):
        if n < 3:
            continue
        for edge, name in ((0, "first"), (n - 1, "last")):
            if np.array_equal(indices[:, axis] == edge, wrong):
                yield f"at the {name} index of axis {axis} only: an edge, padding, or off by one"
    at = np.array([e.x[k.index] for k in e.entries])
    if not np.iscomplexobj(at):
        for name, mask in (("negative", at < 0), ("positive", at > 0)):
            if np.array_equal(mask, wrong) and np.sum(mask) > 1:
                yield f"for {name} entries only: the wrong branch"
        large = np.abs(at)
        if np.sum(wrong) > 1 or np.sum(~wrong) > 3:
            if np.min(large[wrong]) > np.max(large[~wrong]):
                yield "for large entries only: clipped, saturated, or the wrong branch"
            if np.max(large[wrong]) < np.min(large[~wrong]):
                yield "for small entries only: the wrong branch, or a guard against division by zero"


RULES: tuple[Callable[[Evidence], Iterator[str]], ...] = (
    not_finite, conjugated, rounded, rearranged, clipped, factor, averaged, dropped, partly,
)  # fmt: skip


def at_one_place(received: complex, expected: complex) -> str:
    """The likely mistake behind one entry of a Jacobian, where numbers are complex."""
    size = abs(expected)
    if abs(np.imag(expected)) > 1e-2 * size and abs(received - np.conj(expected)) <= 1e-4 * size:
        return CONJUGATE
    return ""


def pushforward(claim: Claim, leaf: int) -> str:
    """Whether Jw is claimed where Jᵀw is meant: the pushforward instead of the pullback."""
    subject = claim.subject
    if len(claim.base) != 1 or np.shape(claim.base[0]) != np.shape(subject.x[leaf]) or claim.gradient is None:
        return ""
    if np.iscomplexobj(claim.base[0]) != np.iscomplexobj(subject.x[leaf]):
        return ""
    w: list[Any] = [None] * len(subject.x)
    w[leaf] = in_double(claim.w[0])
    pushed, g = slopes_along(claim, w), claim.gradient[leaf]
    same = g is not None and pushed is not None and close(in_double(g), pushed[0])
    return "transposed: it is the pushforward Jλ, not the adjoint Jᵀλ" if same else ""


def of_shape(shape: tuple[int, ...], received: tuple[int, ...]) -> str:
    """The likely mistake behind a gradient of the wrong shape."""
    try:
        spread = np.broadcast_shapes(shape, received) == received
    except ValueError:
        spread = False
    if spread:
        return "missing broadcast sum: the argument was broadcast, its gradient must be summed back"
    if received == shape[::-1]:
        return "transposed"
    if len(received) < len(shape):
        return "summed over a wrong axis"
    return ""
