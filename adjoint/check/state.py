"""What a derivative must not depend on: earlier calls, other calls, memory that is shared.

The same input twice gives the same bits; arguments are left alone; a result stays what it was when
the function is called again; and a call elsewhere in between changes nothing (a cache from an earlier call).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..ops.primitive import shape_of
from ..sweeps.pairing import in_double
from . import kinds
from .line import moved, norm, weighted
from .report import Finding, Place
from .slopes import Claim, Comparison, as_tangents, signs
from .subject import Arrays, Subject

if TYPE_CHECKING:
    from .battery import Battery

ROUNDING = 1e-9  # relative: runs that differ by less differ by the order of sums, not by chance


def copies(x: Arrays) -> Arrays:
    """The same numbers in memory of their own."""
    return [None if a is None else np.array(a, copy=True) for a in x]


def same(a: Arrays, b: Arrays) -> bool:
    """Equal bits, NaN equal to itself."""
    return all(
        (p is None and q is None)
        or (p is not None and q is not None and np.array_equal(np.asarray(p), np.asarray(q), equal_nan=True))
        for p, q in zip(a, b, strict=True)
    )


def distance(a: Arrays, b: Arrays) -> float:
    """‖a − b‖ relative to ‖b‖; infinite when shapes differ."""
    pairs = [
        (in_double(0.0 if p is None else p), in_double(0.0 if q is None else q))
        for p, q in zip(a, b, strict=True)
    ]
    if any(p.shape != q.shape for p, q in pairs):
        return np.inf
    with np.errstate(all="ignore"):
        gap = norm([p - q for p, q in pairs])
        return gap / (norm([q for _, q in pairs]) or 1.0) if gap else 0.0


def begin(battery: Battery) -> tuple[Claim, Arrays] | None:
    """The first calls: f twice, the gradient once; None when there is nothing more to check."""
    subject = battery.subject
    kept = copies(subject.x)
    base = copies(subject.f(subject.x))
    if not _untouched(battery, kept, subject.names.get("value", "the function")):
        return None
    if not base or not all(np.all(np.isfinite(b)) for b in base):
        what = "no float result" if not base else "a result that is not finite at the point"
        battery.not_checked.append(f"everything: the function has {what}")
        return None
    lone = len(base) == 1 and base[0].size == 1 and base[0].dtype.kind == "f"
    w = [np.ones(base[0].shape)] if lone else [signs(b, subject.rng) for b in base]
    gradient = None
    if subject.pull is not None:
        gradient = _first_gradient(battery, base, w, kept)
        if gradient is None:
            return None
    again = subject.f(subject.x)
    claim = Claim.of(subject, base, w, gradient)
    change = 0.0 if same(again, base) else distance(again, base)
    limit = max(ROUNDING, 100 * claim.eps)
    if change <= limit:
        battery.findings.append(Finding("same input twice, function", change, limit, True))
    else:
        battery.notes.append(
            f"stochastic: the same input twice gives {_brief(base)} and {_brief(again)}; the difference is "
            "taken as noise. Fix the seed to check more exactly"
        )
    if 0 < change <= limit:
        battery.notes.append(f"the function repeats itself to {change:.1e} only, not bit by bit")
    battery.noise = abs(weighted(claim.w, again, base))
    return claim, copies(gradient or [])


def _brief(values: Arrays) -> str:
    return f"{np.asarray(values[0]).ravel()[0]:.10g}" + (
        " …" if np.size(values[0]) > 1 or len(values) > 1 else ""
    )


def _first_gradient(battery: Battery, base: Arrays, w: Arrays, kept: Arrays) -> Arrays | None:
    subject = battery.subject
    gradient = subject.adjoint(subject.x, as_tangents(w, base))
    if not _untouched(battery, kept, subject.names.get("pull", "gradient")):
        return None
    if not shapes(battery, gradient):
        return None
    for k, (g, x) in enumerate(zip(gradient, subject.x, strict=True)):
        if g is not None and isinstance(g, np.ndarray) and np.shares_memory(g, np.asarray(x)):
            battery.notes.append(
                f"the gradient of {subject.labels[k]} is the argument's own memory: "
                "changing one changes the other"
            )
    return [
        None if g is None else np.reshape(g, shape_of(x)) for g, x in zip(gradient, subject.x, strict=True)
    ]


def _untouched(battery: Battery, kept: Arrays, who: str) -> bool:
    subject = battery.subject
    now = subject.x if subject.seen is None else subject.seen()
    changed = [k for k, (a, b) in enumerate(zip(now, kept, strict=True)) if not same([a], [b])]
    if not changed:
        return True
    k = changed[0]
    a, b = np.asarray(now[k]), kept[k]
    what, label = "arguments are left alone", subject.labels[k]
    kind = f"mutated input: {who} writes into its argument"
    if a.shape != b.shape:
        detail = f"{who} reshapes its argument {label}: {b.shape} became {a.shape}"
        place = Place(label, subject.positions[k], (), np.nan, np.nan)
        battery.findings.append(Finding(what, 1.0, 0.0, False, detail, place, kind))
        return False
    index = tuple(int(i) for i in np.argwhere(a != b)[0])
    place = Place(label, subject.positions[k], index, a[index].item(), b[index].item())
    detail = f"{who} changes its argument {label}, index {list(index)}: {b[index]:.6g} became {a[index]:.6g}"
    battery.findings.append(Finding(what, 1.0, 0.0, False, detail, place, kind))
    return False


def shapes(battery: Battery, gradient: Arrays) -> bool:
    """Whether each gradient has the shape of its argument; one entry is one entry in any shape."""
    subject = battery.subject
    wrong = []
    for k, (g, x) in enumerate(zip(gradient, subject.x, strict=True)):
        if g is None or (np.size(g) == 1 and np.size(x) == 1):
            continue
        if shape_of(np.asarray(g)) != shape_of(x):
            detail = f"argument {subject.labels[k]} is {shape_of(x)}, its gradient {np.shape(g)}"
            place = Place(subject.labels[k], subject.positions[k], (), np.nan, np.nan)
            kind = kinds.of_shape(shape_of(x), np.shape(g))
            wrong.append(Finding("shapes", 1.0, 0.0, False, detail, place, kind))
    battery.findings += wrong or [Finding("shapes", 0.0, 0.0, True)]
    return not wrong


def single_precision(claim: Claim, leaf: int) -> bool:
    """Whether a float64 gradient was computed in float32: it fits there, or moves in steps of that size."""
    subject = claim.subject
    g = None if claim.gradient is None else claim.gradient[leaf]
    if g is None:
        return False
    g = in_double(g) * claim.unit
    if np.iscomplexobj(g) or np.all(g.astype(np.float32) == g):
        return True
    w = as_tangents([a * claim.unit for a in claim.w], claim.base)
    for factor in (1 + 1e-11, 1 - 1e-11):
        near = [np.asarray(in_double(x) * factor)[()] for x in subject.x]
        try:
            there = in_double(subject.adjoint(near, w)[leaf]).reshape(g.shape)
            break
        except Exception:  # beyond its domain a gradient may raise what it likes
            continue
    else:
        return False
    change = np.abs(there - g) / max(float(np.max(np.abs(g))), 1e-300)
    return bool(np.all(change == 0) or np.max(change) > 3e-9)


def finish(battery: Battery, claim: Claim, first: Arrays, main: Comparison) -> None:
    """The gradient elsewhere, and again here: the same bits as at first, in memory that nobody else wrote."""
    subject = battery.subject
    w = as_tangents([a * claim.unit for a in claim.w], claim.base)
    k = int(np.argmax(main.line.steps))
    there = _elsewhere(subject, main, main.line.steps[k])  # what f leaves behind must not matter
    if there is None:
        battery.not_checked.append("the gradient at another point: the function raises on both sides")
        return
    held = subject.adjoint(subject.x, w)
    _compare(battery, "same input twice, gradient", copies(held), first, "a call of the function elsewhere")
    before = copies(held)
    elsewhere = None
    try:
        with np.errstate(all="ignore"):
            elsewhere = copies(subject.adjoint(there, w))
    except Exception as error:  # the function may return NaN there, the gradient raise
        battery.not_checked.append(f"the gradient at another point: it raises {type(error).__name__} there")
    shared = not same(held, before)
    battery.findings.append(
        Finding(
            "results keep their memory", float(shared), 0.0, not shared,
            "a gradient that was returned changed when the next one was computed" if shared else "",
            kind="shared buffer: the result array is used again by the next call" if shared else "",
        )
    )  # fmt: skip
    if elsewhere is not None:
        _frozen(battery, claim, before, elsewhere, main, k)


def _elsewhere(subject: Subject, main: Comparison, step: float) -> Arrays | None:
    """Another point, at which the function was just called; None if it raises on either side."""
    for t in (step, -step):
        there = moved(subject.x, main.line.v, t)
        try:
            with np.errstate(all="ignore"):
                subject.f(there)
        except Exception:  # beyond its domain a function may raise what it likes
            continue
        return there
    return None


def _compare(battery: Battery, what: str, now: Arrays, before: Arrays, since: str) -> None:
    now = [None if g is None else np.reshape(g, np.shape(b)) for g, b in zip(now, before, strict=True)]
    change = 0.0 if same(now, before) else distance(now, before)
    passed = change <= max(ROUNDING, 100 * battery.subject.eps)
    kind = detail = ""
    if not passed:
        if distance(now, [None if b is None else 2 * b for b in before]) < 1e-6:
            kind = "accumulation: the second call returns twice the first"
        else:
            kind = "state: stale cache of an earlier call, or stochastic"
        detail = f"at the same point the gradient is {_brief(before)}, then {_brief(now)}, after {since}"
    battery.findings.append(Finding(what, change, ROUNDING if change else 0.0, passed, detail, kind=kind))


def _frozen(battery: Battery, claim: Claim, here: Arrays, there: Arrays, main: Comparison, k: int) -> None:
    """A gradient that is the same bits elsewhere, of a function that is not linear between: a stale cache."""
    line = main.line
    bend = abs(line.up[k] + line.down[k])
    if not same(here, there) or main.verdict != "agrees" or not np.isfinite(bend):
        return
    odd = abs(line.up[k] - line.down[k])
    if bend > 1e-6 * odd and bend > 100 * line.noise and norm([g for g in here if g is not None]):
        where = f"the slope along a line changes (second difference {bend:.2e}), the gradient does not"
        kind = "stale cache: the gradient of an earlier point is returned"
        battery.findings.append(
            Finding("gradient at another point", bend, 100 * line.noise, False, where, kind=kind)
        )
