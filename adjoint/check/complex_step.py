"""The derivative of an analytic function from one complex evaluation: Im f(x + ih v) / h, exact at h = 1e-20.

Nothing cancels, so it is as exact as f itself and catches a cast to float32, which differences barely see. A
function that takes absolute values, compares or conjugates is not analytic; that is found out, not assumed:
the result counts only where it agrees with differences to all the digits these have.
Source: Squire and Trapp, Using complex variables to estimate derivatives, SIAM Review 40 (1998).
"""

from __future__ import annotations

import warnings

import numpy as np

from ..ops.primitive import dtype_of
from ..sweeps.pairing import in_double
from .subject import Arrays, Subject

STEP = 1e-20


def applies(subject: Subject, base: Arrays) -> bool:
    """Whether f may be given complex numbers, and would gain by it."""
    return subject.analytic and all(dtype_of(a) == np.float64 for a in (*subject.x, *base))


def derivative(subject: Subject, base: Arrays, w: Arrays, v: Arrays) -> float | None:
    """⟨w, Im f(x + ihv)⟩ / h; None when f does not take complex numbers, or does not return them."""
    there = [
        x if d is None else (in_double(x) + 1j * (STEP * d))[()] for x, d in zip(subject.x, v, strict=True)
    ]
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            values = subject.f(there)
    except Exception:  # whatever a function raises on numbers it was not written for
        return None
    if len(values) != len(base) or any(dtype_of(z).kind != "c" for z in values):
        return None
    if any(np.shape(z) != np.shape(b) for z, b in zip(values, base, strict=True)):
        return None
    total = sum(float(np.sum(w * np.asarray(z).imag)) for w, z in zip(w, values, strict=True))
    return total / STEP
