"""Which constraint's change moves the loss: dual-weighted residuals as a tool for finding faults.

A changed program computes z_i' where the original's constraint would give f_i(z_<i'): r_i = z_i' − f_i(z_<i')
is what the change does *there*, beside what it inherits. `Lagrangian.perturb` weighs each r_i by its
multiplier; the sum predicts what the loss does, and the shares say who does it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..changes import Change, Site
from ..errors import DomainError, Origin, refusal
from ..ops.device import on_host
from ..ops.primitive import beside, dtype_of
from ..text import number, short, table
from .lagrangian import Lagrangian
from .perturbation import Perturbation


@dataclass(frozen=True)
class Cause:
    """One constraint that was changed.

    Attributes:
        node: its number on the tape.
        label: its name, or operation and number.
        scope: path of the scope.
        place, source: the user's line.
        residual_norm: ‖r‖.
        largest: max |r| over max |z|.
        first_order: λ⁰ᵀr.
        contribution: ½(λ⁰ + λ¹)ᵀr, the share in the change of the loss.
    """

    node: int
    label: str
    scope: str
    place: str
    source: str
    residual_norm: float
    largest: float
    first_order: float
    contribution: float


@dataclass(frozen=True)
class Difference:
    """What a change does to the loss, and which constraints do it; `repr` is the report.

    `ad.draw(difference)` draws the program with the contributions as heat.

    Attributes:
        words: the change.
        perturbation: predicted and measured change of the loss.
        causes: the changed constraints on which the loss depends, the largest contribution first.
    """

    words: str
    perturbation: Perturbation
    causes: tuple[Cause, ...]
    lagrangian: Lagrangian | None = field(default=None, repr=False, compare=False)

    @property
    def loss(self) -> float:
        """The loss before the change."""
        return self.perturbation.loss

    @property
    def measured(self) -> float:
        """The loss of the changed program minus the loss."""
        return self.perturbation.measured

    @property
    def predicted(self) -> float:
        """Σ ½(λ⁰ + λ¹)ᵀr: what the shares add up to."""
        return self.perturbation.trapezoidal

    @property
    def unexplained(self) -> float:
        """Measured minus predicted: of third order in the change."""
        return self.measured - self.predicted

    def by_scope(self) -> dict[str, float]:
        """Contributions added up by scope, the largest first; what is in no scope under ""."""
        sums: dict[str, float] = {}
        for cause in self.causes:
            scope = cause.scope or cause.label.rpartition("/")[0]  # a parameter's name is its path
            sums[scope] = sums.get(scope, 0.0) + cause.contribution
        return dict(sorted(sums.items(), key=lambda item: -abs(item[1])))

    def table(self, limit: int = 12) -> str:
        """The causes, ranked.

        Args:
            limit: rows at most; the others are added up in one.
        """
        total = sum(abs(c.contribution) for c in self.causes) or 1.0
        rows = [
            [c.label, number(c.residual_norm), f"{c.largest:.1e}", number(c.first_order),
             number(c.contribution), f"{100 * abs(c.contribution) / total:.0f} %", _at(c)]
            for c in self.causes[:limit]
        ]  # fmt: skip
        rest = self.causes[limit:]
        if rest:
            left = sum(abs(c.contribution) for c in rest) / total
            rows.append(
                [f"{len(rest)} more", "", "", number(sum(c.first_order for c in rest)),
                 number(sum(c.contribution for c in rest)), f"{100 * left:.0f} %", ""]
            )  # fmt: skip
        headers = ["constraint", "‖r‖", "max r/z", "λᵀr", "½(λ⁰+λ¹)ᵀr", "share", "recorded at"]
        if not any(row[-1] for row in rows):  # inputs and parameters have no line of their own
            headers, rows = headers[:-1], [row[:-1] for row in rows]
        return table(headers, rows, right=(1, 2, 3, 4, 5))

    def __repr__(self) -> str:
        p = self.perturbation
        if not self.causes:
            return f"{self.words}: no constraint that the loss {number(p.loss)} depends on is changed"
        lines = [
            f"{self.words}: the loss {number(p.loss)} changes by {number(p.measured)}",
            f"  predicted to first order {number(p.first_order)}{_off(p.first_order, p.measured)}, "
            f"with both multipliers {number(p.trapezoidal)}{_off(p.trapezoidal, p.measured)}",
            self.table(),
        ]
        scopes = {scope: x for scope, x in self.by_scope().items() if scope}
        if len(scopes) > 1:
            lines.append("by scope: " + ", ".join(f"{s} {number(x)}" for s, x in list(scopes.items())[:8]))
        gap = abs(self.unexplained) / abs(p.measured) if p.measured else 0.0
        if gap > 0.3:
            lines.append(
                f"unexplained: {number(self.unexplained)}; the change is too large for multipliers at its "
                "two ends, or a branch goes the other way: apply it to fewer constraints at a time (at=)"
            )
        return "\n".join(lines)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "lagrangian": None}  # numbers and texts travel, the tape does not


def _at(cause: Cause) -> str:
    return f"{os.path.basename(cause.place)}  {short(cause.source, 40)}".strip()


def _off(predicted: float, measured: float) -> str:
    return f" (off by {100 * (predicted - measured) / abs(measured):+.1f} %)" if measured else ""


def explain(lagrangian: Lagrangian, change: Change) -> Difference:
    """Apply a change to a recorded program, and attribute what the loss does to its constraints.

    Raises:
        UnknownNameError: a pattern of the change matches nothing.
        DomainError: the program is not finite, or the changed one: then the message names the first such
            constraint.
    """
    tape = lagrangian.tape
    if not np.all(np.isfinite(lagrangian.loss.value)):
        what = f"the loss is {lagrangian.loss.value:.4g} before any change"
        raise refusal(DomainError, what, "nan_origin(f, *args) names the line.")
    change.check(tape)
    residuals = _residuals(lagrangian, change)
    found = lagrangian.perturb(residuals)
    causes = []
    for (i, r), share in zip(residuals.items(), found.shares, strict=True):
        origin: Origin = tape.origin(i)
        place, source = (origin.place, origin.source) if tape.operations[i] is not None else ("", "")
        size = float(np.max(np.abs(on_host(tape.values[i])), initial=0.0))
        causes.append(
            Cause(i, share.label, tape.scope(i), place, source,
                  share.residual_norm, float(np.max(np.abs(on_host(r)), initial=0.0)) / (size or 1.0),
                  share.first_order, share.trapezoidal)
        )  # fmt: skip
    causes.sort(key=lambda c: (-abs(c.contribution), c.node))
    return Difference(change.words, found, tuple(causes), lagrangian)


def _residuals(lagrangian: Lagrangian, change: Change) -> dict[int, Any]:
    """r_i = z_i' − f_i(z_<i') of the changed program, where it is not zero and the loss depends on it."""
    tape, loss = lagrangian.tape, lagrangian.loss.index
    needed = tape.needed([loss])
    after: list[Any] = []
    residuals: dict[int, Any] = {}
    with np.errstate(all="ignore"):
        for i, op in enumerate(tape.operations[: loss + 1]):
            if not needed[i]:
                after.append(tape.values[i])
                continue
            constants = tape.constants[i] or (None,) * len(tape.parents[i])
            operands = [after[p] if p >= 0 else c for p, c in zip(tape.parents[i], constants, strict=True)]
            z = tape.values[i] if op is None else op(*operands, **tape.params[i])
            after.append(z)
            if isinstance(z, tuple) or dtype_of(z).kind not in "fc":
                continue  # several results are nodes of their own; integers carry no multiplier
            # rules are NumPy's
            new = change.rule(Site(tape, i, [on_host(a) for a in operands], on_host(z)))
            if new is None:
                continue
            after[i] = beside(z).asarray(new, dtype_of(z))[()]
            r = after[i] - z
            if not np.all(np.isfinite(r)):
                raise _not_finite(lagrangian, i, z, change)
            if np.any(r):
                residuals[i] = r
    return residuals


def _not_finite(lagrangian: Lagrangian, i: int, z: Any, change: Change) -> DomainError:
    tape = lagrangian.tape
    low, high = np.min(on_host(z)), np.max(on_host(z))
    return refusal(
        DomainError,
        f"{change.words}: {tape.label(i)} at {tape.where(i)} is not finite any more; it was from "
        f"{low:.4g} to {high:.4g}",
        "Leave it out with at=, or scale it into the range.",
    )
