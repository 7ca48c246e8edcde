"""Checks of a function's derivatives by routes that do not share code with them.

Dot product: ⟨λ, J v⟩ = ⟨Jᵀλ, v⟩ holds the tangent rules against the adjoint rules, to rounding. Differences
and Taylor rates hold both against the function itself: with h → h/2 the remainder

    |f(x + h v) − f(x) − h ⟨∇f, v⟩|  falls like h²,      less ½ h² ⟨v, ∇²f v⟩ like h³.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import describe
from ..ops.primitive import dtype_of
from ..sweeps.pairing import default_rng, direction_like, in_double, length, pairing
from ..transforms import make_jvp, make_vjp
from ..transforms.recording import Argnum, pick, replace
from .report import Finding, Report

Function = Callable[..., Any]


class Probe:
    """A function of a flat list of float arrays, with one flat list of float arrays as its result."""

    def __init__(self, f: Function, args: Sequence[Any], argnum: Argnum, rng: np.random.Generator) -> None:
        self.f, self.args, self.argnum, self.rng = f, as_arguments(args), argnum, rng
        self.x, self.structure = trees.flatten(pick(args, argnum))
        self.paths = trees.paths(self.structure)

    def __call__(self, *x: Any) -> list[Any]:
        results = trees.flatten(
            self.f(*replace(self.args, self.argnum, trees.unflatten(self.structure, list(x))))
        )[0]
        return [z for z in results if dtype_of(z).kind in "fc"]

    def at(self, v: Sequence[Any], h: float) -> list[Any]:
        """The results at x + h v."""
        return self(*(np.asarray(x + h * d, dtype_of(x))[()] for x, d in zip(self.x, v, strict=True)))

    def directions(self, like: Sequence[Any]) -> list[Any]:
        """Random arrays in the shapes and dtypes of `like`."""
        return [direction_like(a, self.rng) for a in like]

    def push(self, v: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """f(x) and J v."""
        value, tangent = make_jvp(self, tuple(range(len(self.x))))(*self.x)(tuple(v))
        return value, tangent

    def pull(self, lam: Sequence[Any]) -> list[Any]:
        """Jᵀ λ."""
        return list(make_vjp(self, tuple(range(len(self.x))))(*self.x)[0](list(lam)))

    @property
    def eps(self) -> float:
        """Rounding of the coarsest dtype among the arguments."""
        return max((float(np.finfo(dtype_of(x)).eps) for x in self.x), default=2e-16)


def as_arguments(args: Any) -> Sequence[Any]:
    """The arguments of a function, refusing a bare array, which would be taken apart row by row."""
    if not isinstance(args, (tuple, list)):
        raise TypeError(
            f"args must be a tuple of the function's arguments, (x,) for one, not {describe(args)}"
        )
    return args


def inner(a: Sequence[Any], b: Sequence[Any]) -> float:
    """⟨a, b⟩ = Re Σ a b over lists of arrays, in double precision."""
    return pairing(tuple(a), tuple(b))


def size(a: Sequence[Any], b: Sequence[Any]) -> float:
    """‖a‖‖b‖ over lists of arrays: the scale of their inner product."""
    return length(tuple(a)) * length(tuple(b))


def dot_product(probe: Probe, what: str = "dot product ⟨λ, Jv⟩ = ⟨Jᵀλ, v⟩") -> Finding:
    """Tangent rules against adjoint rules."""
    v = probe.directions(probe.x)
    value, pushed = probe.push(v)
    lam = probe.directions(value)
    pulled = probe.pull(lam)
    scale = max(size(lam, pushed), size(pulled, v), 1e-300)
    error = abs(inner(lam, pushed) - inner(pulled, v)) / scale
    limit = 5e3 * probe.eps
    passed = bool(error <= limit)
    return Finding(
        what,
        error,
        limit,
        passed,
        "" if passed else f"⟨λ, Jv⟩ = {inner(lam, pushed):.12g}, ⟨Jᵀλ, v⟩ = {inner(pulled, v):.12g}",
    )


def differences(probe: Probe, what: str = "tangent against differences") -> Finding:
    """J v against central differences, the best of several steps (each errs by h² and by rounding/h)."""
    v = probe.directions(probe.x)
    scale = max([float(np.max(np.abs(x), initial=0)) for x in probe.x], default=1.0)
    reach = max([float(np.max(np.abs(d), initial=0)) for d in v], default=1.0) or 1.0
    _, pushed = probe.push(v)
    error = np.inf
    for exponent in (0.28, 1 / 3, 0.4):
        h = probe.eps**exponent * max(scale, 1.0) / reach
        rough = [(in_double(a) - b) / (2 * h) for a, b in zip(probe.at(v, h), probe.at(v, -h), strict=True)]
        gap = tuple(a - in_double(b) for a, b in zip(rough, pushed, strict=True))
        error = min(error, length(gap) / max(length(tuple(pushed)), length(tuple(rough)), 1e-8))
    limit = 50 * probe.eps**0.55
    passed = bool(error <= limit)
    return Finding(what, float(error), limit, passed, "" if passed else _worst_entry(probe))


def _worst_entry(probe: Probe) -> str:
    """The entry of the Jacobian that differs most from central differences, in words."""
    worst, words = -1.0, "directional derivative only: every single entry agrees"
    for k, x in enumerate(probe.x):
        for index in np.ndindex(np.shape(x)):
            unit = [np.zeros(np.shape(a), dtype_of(a)) for a in probe.x]
            unit[k][index] = 1.0
            h = probe.eps ** (1 / 3) * max(1.0, float(np.abs(np.asarray(x)[index])))
            _, pushed = probe.push([u[()] for u in unit])
            for a, b, received in zip(probe.at(unit, h), probe.at(unit, -h), pushed, strict=True):
                expected = (in_double(a) - b) / (2 * h)
                gap = np.abs(received - expected)  # of a wrong shape, perhaps: it broadcasts
                received, expected = (np.broadcast_to(a, gap.shape) for a in (received, expected))
                if gap.size and np.max(gap) > worst:
                    out = np.unravel_index(int(np.argmax(gap)), gap.shape)
                    worst = float(gap[out])
                    label = probe.paths[k] or str(k)
                    words = (
                        f"argument {label}, index {_index(index)}, output {_index(out)}: "
                        f"received {received[out]:.10g}, expected {expected[out]:.10g}"
                    )
    return words


def _index(index: Sequence[Any]) -> str:
    return f"[{', '.join(str(int(i)) for i in index)}]"


def taylor_rates(probe: Probe, second_order: bool = True) -> list[Finding]:
    """Rates at which Taylor remainders of a random combination of the outputs fall when the step halves.

    In an unlucky direction two orders cancel at some step and the rate is meaningless; a wrong derivative
    shows in every direction. So up to three directions are tried.
    """
    for _ in range(3):
        findings = _taylor_along(probe, second_order)
        if all(f.passed for f in findings):
            break
    return findings


def _taylor_along(probe: Probe, second_order: bool) -> list[Finding]:
    v = probe.directions(probe.x)
    longest = max([float(np.max(np.abs(d), initial=0)) for d in v], default=1.0) or 1.0
    v = [np.asarray(d / longest, dtype_of(d))[()] for d in v]
    weights = probe.directions(probe(*probe.x))

    def phi(*x: Any) -> Any:
        return sum(np.sum(np.real(w * z)) for w, z in zip(weights, probe(*x), strict=True))

    everything = tuple(range(len(probe.x)))

    def slope(*x: Any) -> Any:
        return make_jvp(phi, everything)(*x)(tuple(v))[1]

    base, first = make_jvp(phi, everything)(*probe.x)(tuple(v))
    second = make_jvp(slope, everything)(*probe.x)(tuple(v))[1] if second_order else 0.0
    steps = [2.0**-k for k in range(5, 11)]
    moved = [
        float(phi(*(np.asarray(x + h * d, dtype_of(x))[()] for x, d in zip(probe.x, v, strict=True))))
        for h in steps
    ]
    base, first, second = float(base), float(first), float(second)
    noise = 200 * probe.eps * (abs(base) + abs(first) + abs(second) + max(abs(m) for m in moved))
    findings = []
    for order in (2, 3) if second_order else (2,):
        remainders = [
            abs(m - base - h * first - (0.5 * h * h * second if order == 3 else 0.0))
            for m, h in zip(moved, steps, strict=True)
        ]
        findings.append(_rate(remainders, noise, order))
    return findings


def _rate(remainders: list[float], noise: float, order: int) -> Finding:
    """The observed rate at the smallest steps whose remainder stands above rounding."""
    limit = {2: 1.9, 3: 2.8}[order]
    what = f"Taylor rate, order {order - 1}"
    if remainders[-1] <= noise:  # nothing but rounding is left: exact to this order
        return Finding(what, np.inf, limit, True)
    rates = [float(np.log2(a / b)) for a, b in pairwise(remainders)]
    rate = max(rates[-2:])
    detail = (
        "" if rate >= limit else "remainders for h = 2⁻⁵ … 2⁻¹⁰: " + ", ".join(f"{r:.2e}" for r in remainders)
    )
    return Finding(what, rate, limit, rate >= limit, detail)


def gradient_of(probe: Probe) -> Probe:
    """The probe of x ↦ Jᵀλ for a fixed random λ: checking it checks second derivatives."""
    lam = probe.directions(probe(*probe.x))

    def pulled(*x: Any) -> Any:
        return list(make_vjp(probe, tuple(range(len(x))))(*x)[0](lam))

    return Probe(pulled, list(probe.x), tuple(range(len(probe.x))), probe.rng)


def gradients(
    f: Function,
    args: Sequence[Any],
    *,
    argnum: Argnum | None = None,
    order: int = 2,
    rng: np.random.Generator | None = None,
) -> Report:
    """Check a function's derivatives, then those of its gradient: dot product, differences, Taylor rates.

    Args:
        f: any function the library differentiates; arrays and nested containers in and out.
        args: where to check.
        argnum: which argument(s) to differentiate; all by default.
        order: 1, or 2 to check second derivatives too.
        rng: source of the random directions; a fixed one by default.

    Returns:
        A report, true when everything passed; on failure it names argument, index, received and expected.

    >>> import numpy as np
    >>> bool(gradients(lambda x: np.sum(np.sin(x)), [np.array([0.3, 0.7])]))
    True
    """
    probe = Probe(f, args, tuple(range(len(args))) if argnum is None else argnum, rng or default_rng())
    findings = [dot_product(probe), differences(probe), *taylor_rates(probe, second_order=order > 1)]
    if order > 1:
        findings += second_order(probe)
    return Report(f"gradients of {getattr(f, '__name__', 'function')}", tuple(findings))


def second_order(probe: Probe) -> list[Finding]:
    """Tangent of the adjoint, and adjoint of the adjoint, against each other and against differences."""
    above = gradient_of(probe)
    return [
        dot_product(above, "second order: dot product"),
        differences(above, "second order: tangent of the adjoint"),
    ]
