"""Dual-weighted residuals: predict what a perturbation of the constraints does to the loss, and measure it.

With z_i = f_i + t r_i the loss changes at the rate dℓ/dt = Σ λ_i(t)ᵀ r_i, exactly. First order takes λ(0) all
the way; the trapezoidal rule takes ½(λ(0) + λ(1)) and errs in third order only. On a fitted model λ(0) is
nearly zero by construction, which is why first order alone misleads there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..tape import Tape
from ..text import number, table
from .adjoint import adjoint_sweep
from .pairing import length, pairing


@dataclass(frozen=True)
class Share:
    """What one constraint contributes: λ⁰ᵀr and ½(λ⁰ + λ¹)ᵀr."""

    label: str
    residual_norm: float
    first_order: float
    trapezoidal: float


@dataclass(frozen=True)
class Perturbation:
    """Predicted and measured change of the loss; `repr` is the report.

    Attributes:
        first_order: Σ λ⁰ᵀr.
        trapezoidal: Σ ½(λ⁰ + λ¹)ᵀr, λ¹ taken at the perturbed point.
        measured: ℓ after minus ℓ before, from solving the perturbed constraints.
        loss: ℓ before.
        shares: the attribution, one entry per perturbed constraint.
    """

    first_order: float
    trapezoidal: float
    measured: float
    loss: float
    shares: tuple[Share, ...]

    @property
    def relative_error(self) -> float:
        """|trapezoidal − measured| / |measured|; 0 when nothing changes and nothing was predicted."""
        gap = abs(self.trapezoidal - self.measured)
        return gap / abs(self.measured) if self.measured else (0.0 if gap == 0 else float("inf"))

    def __repr__(self) -> str:
        def against(x: float) -> str:
            return f"{100 * (x - self.measured) / abs(self.measured):+.1f} %" if self.measured else ""

        rows = [
            [s.label, number(s.residual_norm), number(s.first_order), number(s.trapezoidal)]
            for s in self.shares
        ]
        rows.append(["predicted Δℓ", "", number(self.first_order), number(self.trapezoidal)])
        rows.append(
            [f"measured Δℓ {number(self.measured)}", "", against(self.first_order), against(self.trapezoidal)]
        )
        head = f"loss {number(self.loss)}, constraints relaxed to z = f + r"
        return head + "\n" + table(["constraint", "‖r‖", "λᵀr", "½(λ⁰+λ¹)ᵀr"], rows, right=(1, 2, 3))


def perturb(tape: Tape, loss: int, lam: list[Any], changes: dict[int, Any]) -> Perturbation:
    """Solve the perturbed constraints, sweep again, and compare."""
    after = tape.replay(changes)
    one = np.ones_like(tape.values[loss])
    lam_after = adjoint_sweep(after, {loss: one})
    shares = []
    for i, r in changes.items():
        before, later = (pairing(x[i] if i < len(x) else None, r) for x in (lam, lam_after))
        shares.append(Share(tape.label(i), length(r), before, 0.5 * (before + later)))
    first, middle = (float(sum(getattr(s, k) for s in shares)) for k in ("first_order", "trapezoidal"))
    start, end = (float(np.reshape(t.values[loss], ())) for t in (tape, after))
    return Perturbation(first, middle, end - start, start, tuple(shares))
