"""Second derivatives: Hv against differences of the gradient, ⟨u, Hv⟩ = ⟨v, Hu⟩, and f's own curvature.

The function x ↦ Jᵀλ for a fixed λ is checked by the same methods as f itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import products, rates
from .line import USUAL
from .report import Finding
from .slopes import Claim, Comparison, as_tangents, signs, together, tolerance
from .subject import Arrays

if TYPE_CHECKING:
    from .battery import Battery


def check(battery: Battery, claim: Claim, main: Comparison) -> None:
    """Add what there is to say about second derivatives."""
    subject = battery.subject
    if subject.turn is None or claim.gradient is None:
        battery.not_checked.append("second derivatives: no Hessian product was given")
        return
    lam = as_tangents(claim.w, claim.base)
    if subject.foreign:
        try:
            subject.hessian_product(subject.x, lam, as_tangents(together(subject), subject.x))
        except Exception as error:  # whatever a framework raises where it has no second derivative
            said = str(error).strip().partition("\n")[0]
            battery.not_checked.append(f"second derivatives: {type(error).__name__}: {said}")
            return
    above = subject.above(lam)
    base = [np.zeros(np.shape(x)) if g is None else g for g, x in zip(claim.gradient, subject.x, strict=True)]
    weights = [signs(g, subject.rng) for g in base]
    upper = Claim.of(above, base, weights, None)
    c = battery.line(upper, together(above), USUAL, further=(7 / 16, 1 / 2, 1 / 16))
    battery.conclude(upper, [c], [], "second order: tangent of the adjoint")
    battery.findings.append(symmetry(claim, lam, battery.without(together(subject))))
    if above.pull is not None:
        battery.findings.append(products.dot_product(above, "second order: dot product"))
    _curvature(battery, claim, lam, main)


def symmetry(claim: Claim, lam: Arrays, v: Arrays) -> Finding:
    """⟨u, Hv⟩ = ⟨v, Hu⟩."""
    subject = claim.subject
    v, u = as_tangents(v, subject.x), as_tangents(together(subject), subject.x)
    u = [np.where(np.asarray(d) == 0, 0, b)[()] for b, d in zip(u, v, strict=True)]
    hv, hu = subject.hessian_product(subject.x, lam, v), subject.hessian_product(subject.x, lam, u)
    (left, a), (right, b) = products.inner(u, hv), products.inner(v, hu)
    scale = max(a, b, 1e-300)
    with np.errstate(all="ignore"):
        error = abs(left - right) / scale
    limit = 5e3 * claim.eps
    passed = bool(error <= limit)
    detail = "" if passed else f"⟨u, Hv⟩ = {left:.12g}, ⟨v, Hu⟩ = {right:.12g}"
    kind = "" if passed else "the Hessian is not symmetric: a transposed or missing block"
    return Finding("second order: symmetry", float(error), limit, passed, detail, kind=kind)


def _curvature(battery: Battery, claim: Claim, lam: Arrays, main: Comparison) -> None:
    """⟨v, Hv⟩ against the second difference of f along v: the Taylor rate of order 2."""
    if main.verdict not in ("agrees", "differs"):
        return
    subject = battery.subject
    v = as_tangents(main.line.v, subject.x)
    q, size = products.inner(v, subject.hessian_product(subject.x, lam, v))
    expected = main.line.curvature()
    scale = max(min(size, 1e3 * abs(q)), abs(expected.value))
    right = not expected.differs(q, 100 * tolerance(claim.eps) * scale) or 5 * expected.error > 0.02 * scale
    battery.findings.append(rates.rate_finding(main, 2, q, passed=right or main.verdict == "differs"))
    battery.rates = rates.rate_table(main, q)
