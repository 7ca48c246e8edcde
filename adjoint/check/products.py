"""What a pullback must satisfy by itself: it is the transpose of the tangent, and it is linear.

Neither needs a difference, so both hold to rounding: the dot product ⟨λ, Jv⟩ = ⟨Jᵀλ, v⟩ sees errors of 1e-12
that differences never will, but not an error that both modes share.
"""

from __future__ import annotations

import numpy as np

from ..ops.primitive import dtype_of
from ..sweeps.pairing import in_double
from .line import norm
from .report import Finding
from .slopes import Claim, as_tangents, together
from .subject import Arrays, Subject

FAR = 1e3  # how much longer the second λ is: what is clipped or saturated shows at some length


def inner(a: Arrays, b: Arrays) -> tuple[float, float]:
    """⟨a, b⟩ = Re Σ a b, and ‖a‖‖b‖, the scale of its rounding."""
    pairs = [
        (in_double(p), in_double(q)) for p, q in zip(a, b, strict=True) if p is not None and q is not None
    ]
    with np.errstate(all="ignore"):
        total = sum(float(np.sum((p * q).real)) for p, q in pairs)
        return total, norm([p for p, _ in pairs]) * norm([q for _, q in pairs])


def dot_product(subject: Subject, what: str = "dot product ⟨λ, Jv⟩ = ⟨Jᵀλ, v⟩") -> Finding:
    """The tangent against the pullback, along random v and λ.

    Each argument is moved by its own size, so that no large one covers a small one.
    """
    v = as_tangents(together(subject), subject.x)
    pushed = subject.tangent(subject.x, v)
    lam = subject.directions(pushed)
    pulled = subject.adjoint(subject.x, lam)
    (left, a), (right, b) = inner(lam, pushed), inner(pulled, v)
    terms = norm([in_double(p) * in_double(d) for p, d in zip(pulled, v, strict=True) if p is not None])
    scale = max(a, min(b, 1e3 * terms), 1e-300)
    with np.errstate(all="ignore"):
        error = abs(left - right) / scale
    limit = 5e3 * max(subject.eps, *(float(np.finfo(dtype_of(z)).eps) for z in pushed), 2e-16)
    passed = bool(error <= limit)
    detail = "" if passed else f"⟨λ, Jv⟩ = {left:.12g}, ⟨Jᵀλ, v⟩ = {right:.12g}"
    return Finding(what, float(error), limit, passed, detail)


def linearity(claim: Claim) -> Finding:
    """Jᵀ(λ₁ + 1000 λ₂) = Jᵀλ₁ + 1000 Jᵀλ₂: a pullback may depend on x as it likes, on λ only linearly."""
    subject = claim.subject
    first = as_tangents(claim.w, claim.base)
    second = subject.directions(claim.base)
    both = as_tangents(
        [in_double(a) + FAR * in_double(b) for a, b in zip(first, second, strict=True)], claim.base
    )
    # the sum as it was rounded: in float32 the difference would show
    parts = [subject.adjoint(subject.x, lam) for lam in (first, second, both)]
    a, b, c = ([0.0 if g is None else in_double(g) for g in part] for part in parts)
    gap = norm([z - x - FAR * y for x, y, z in zip(a, b, c, strict=True)])
    scale = max(norm(c), norm(a), FAR * norm(b), 1e-300)
    with np.errstate(all="ignore"):
        error = gap / scale
    limit = max(1e3 * claim.eps, 1e-8)  # adjoint equations of implicit layers are solved, not evaluated
    passed = bool(error <= limit)
    kind = detail = ""
    if not passed:
        detail = f"‖Jᵀ(λ₁ + 1000 λ₂)‖ = {norm(c):.6g}, ‖Jᵀλ₁ + 1000 Jᵀλ₂‖ = "
        detail += f"{norm([x + FAR * y for x, y in zip(a, b, strict=True)]):.6g}"
        kind = "not linear in the cotangent: clipped, saturated or normalized"
    return Finding("pullback is linear", float(error), limit, passed, detail, kind=kind)
