"""Taylor remainders: how fast what is left over falls as the step does, as a table and as a picture in text.

|f(x + h v) − f(x)|                        falls like h    if f is continuous,
|f(x + h v) − f(x) − h ⟨∇f, v⟩|            like h²         if the gradient is right,
|… − ½ h² ⟨v, ∇²f v⟩|                      like h³         if the second derivative is.
"""

from __future__ import annotations

import numpy as np

from ..text import table
from .report import Finding
from .slopes import Comparison

LIMITS = {1: 1.9, 2: 2.8}
WIDTH = 28  # characters of the widest bar


def remainders(c: Comparison, curvature: float | None = None) -> tuple[np.ndarray, list[np.ndarray]]:
    """Steps, coarse to fine, and the remainders of order 0, 1 and, with a curvature, 2; the larger side's."""
    h, up, down = c.line.coarse_to_fine()
    out = []
    for slope, second in ((0.0, 0.0), (c.received, 0.0), (c.received, curvature)):
        if second is None:
            continue
        sides = [np.abs(d - s * h * slope - 0.5 * h * h * second) for s, d in ((1, up), (-1, down))]
        out.append(np.fmax(*sides))
    return h, out


def rate(h: np.ndarray, remainder: np.ndarray, noise: float) -> float:
    """The power with which a remainder falls, over the two finest intervals that stand above the noise."""
    kept = np.isfinite(remainder) & (remainder > 20 * noise)
    if np.sum(kept) < 2:
        return np.inf
    h, remainder = h[kept], remainder[kept]
    slopes = np.log(remainder[:-1] / remainder[1:]) / np.log(h[:-1] / h[1:])
    return float(np.max(slopes[-2:]))


def rate_finding(
    c: Comparison, order: int = 1, curvature: float | None = None, passed: bool | None = None
) -> Finding:
    """The observed rate. It fails where it is low *and* the difference it leaves is more than error bars.

    In an unlucky direction two orders cancel at some step and the rate there means nothing.
    """
    h, found = remainders(c, curvature)
    measured = rate(h, found[order], c.line.noise)
    limit = LIMITS[order]
    right = c.verdict != "differs" if passed is None else passed
    passed = measured >= limit or right
    at = (f"{r:.2e} at h = {s:.0e}" for s, r in zip(h, found[order], strict=True))
    detail = "" if passed else f"remainders: {', '.join(at)}"
    return Finding(f"Taylor rate, order {order}", measured, limit, passed, detail)


def rate_table(c: Comparison, curvature: float | None = None) -> str:
    """Remainders at every step as a table, and as bars: one that does not shorten does not fall."""
    h, found = remainders(c, curvature)
    headers = ["h", *("|δ|", "less h⟨∇f, v⟩", "less ½h²⟨v, ∇²f v⟩")[: len(found)], "log of the last but |δ|"]
    last = np.where(found[-1] > 0, found[-1], np.nan)
    with np.errstate(all="ignore"):
        logs = np.log10(last)
    low = np.nanmin(logs, initial=np.inf) if np.any(np.isfinite(logs)) else 0.0
    high = np.nanmax(logs, initial=-np.inf) if np.any(np.isfinite(logs)) else 1.0
    rows = []
    for k, step in enumerate(h):
        share = (logs[k] - low) / (high - low) if high > low and np.isfinite(logs[k]) else 0.0
        bar = "▇" * (1 + round(WIDTH * float(share))) if np.isfinite(logs[k]) else ""
        rows.append([f"{step:.0e}", *(f"{r[k]:.2e}" for r in found), bar])
    rates = [rate(h, r, c.line.noise) for r in found]
    rows.append(
        [
            "rate",
            *("noise" if np.isinf(r) else f"{r:.2f}" for r in rates),
            f"expected {', '.join('123'[: len(found)])}",
        ]
    )
    return table(headers, rows, right=range(1, len(found) + 1))
