"""A check that tape and multipliers satisfy the KKT conditions, by a route the sweep did not take.

Primal feasibility ‖f_i − z_i‖ comes from evaluating every constraint again. Stationarity

    ⟨∂L/∂z_j, v⟩ = ⟨∂ℓ/∂z_j, v⟩ − ⟨λ_j, v⟩ + Σ_{i uses j} ⟨λ_i, (∂f_i/∂z_j) v⟩

comes from the *tangent* rules in a random direction v per node: an adjoint rule that contradicts its tangent
twin, or a sweep that loses a contribution, shows at the node where it happens. What both twins share, the
partial derivative of a row, it cannot see: `check.multipliers` can, which injects residuals and solves again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ops.primitive import dtype_of, innermost, parts, plain_on_host, shape_of
from ..tape import Tape
from .pairing import direction_like, length, pairing_and_size


@dataclass(frozen=True)
class Certificate:
    """The KKT residuals of a program; `repr` is the report.

    Attributes:
        primal: max_i ‖f_i − z_i‖∞ / (1 + ‖z_i‖∞).
        stationarity: max_j |⟨∂L/∂z_j, v⟩| over the size of its terms.
        gradient_norm: ‖∂L/∂W‖ over the parameters; zero only where W is optimal: reported, not required.
        worst_primal, worst_stationarity: the constraints with the largest residuals, and their lines.
        disconnected: inputs on which the loss does not depend: their gradient is exactly zero.
        nodes: number of constraints checked.
        tolerance: what primal and stationarity residuals are held against, by the tape's coarsest dtype.
    """

    primal: float
    stationarity: float
    gradient_norm: float
    worst_primal: str
    worst_stationarity: str
    disconnected: tuple[str, ...]
    nodes: int
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether every constraint and every stationarity condition holds to the tolerance."""
        return self.primal <= self.tolerance and self.stationarity <= self.tolerance

    def __repr__(self) -> str:
        def line(what: str, size: float, worst: str) -> str:
            verdict = "holds" if size <= self.tolerance else "VIOLATED"
            return f"  {what:<24}{size:9.2e}  {verdict:<9}{'at ' + worst if size > 0 else ''}".rstrip()

        lines = [
            f"KKT certificate of {self.nodes} constraints (tolerance {self.tolerance:.0e})",
            line("primal ‖f − z‖", self.primal, self.worst_primal),
            line("stationarity ‖∂L/∂z‖", self.stationarity, self.worst_stationarity),
            f"  {'gradient ‖∂L/∂W‖':<24}{self.gradient_norm:9.2e}  (zero only at an optimum)",
        ]
        if self.disconnected:
            lines.append(f"  zero gradient: the loss does not depend on {', '.join(self.disconnected)}")
        return "\n".join(lines)


def certify(tape: Tape, loss: int, lam: list[Any], rng: np.random.Generator) -> Certificate:
    """Check every constraint and every stationarity condition of a tape with plain values."""
    lam = lam + [None] * (len(tape) - len(lam))
    primal, worst_primal = _primal(tape)
    stationarity, worst_stationarity = _stationarity(tape, loss, lam, rng)
    chosen = "parameter" if "parameter" in tape.roles.values() else "input"
    squares = [length(lam[i]) ** 2 for i, r in tape.roles.items() if r == chosen and lam[i] is not None]
    coarsest = min(
        (dtype_of(p).itemsize for z in tape.values for p in parts(z) if dtype_of(p).kind in "fc"), default=8
    )
    return Certificate(
        primal, stationarity, float(np.sqrt(sum(squares))), worst_primal, worst_stationarity,
        tuple(tape.label(i) for i in tape.roles if lam[i] is None), len(tape),
        {2: 3e-2, 4: 1e-4}.get(coarsest, 1e-10),
    )  # fmt: skip


def _where(tape: Tape, i: int) -> str:
    return f"{tape.label(i)} ({tape.where(i)})"


def _primal(tape: Tape) -> tuple[float, str]:
    worst, label = 0.0, ""
    for i, op in enumerate(tape.operations):
        if op is None:
            continue
        with np.errstate(all="ignore"):
            again = op(*tape.operands(i), **tape.params[i])
            for f, z in zip(parts(again), parts(tape.values[i]), strict=True):
                f, z = np.asarray(plain_on_host(f)), np.asarray(plain_on_host(z))
                if not f.size or np.array_equal(f, z, equal_nan=f.dtype.kind in "fc"):
                    continue
                z = z.astype(np.result_type(z, np.float64), copy=False)
                size = float(np.max(np.abs(f - z) / (1 + np.max(np.abs(z)))))
                if not size <= worst:
                    worst, label = size, _where(tape, i)
    return worst, label


def _stationarity(tape: Tape, loss: int, lam: list[Any], rng: np.random.Generator) -> tuple[float, str]:
    # also where λ is None: a zero is a claim like any other
    directions = [direction_like(z, rng) for z in tape.values]
    total, size = np.zeros(len(tape)), np.zeros(len(tape))

    def add(j: int, sign: int, product: tuple[float, float]) -> None:
        total[j] += sign * product[0]
        size[j] += product[1]

    for j, v in enumerate(directions):
        if v is not None and lam[j] is not None:
            add(j, -1, pairing_and_size(lam[j], v))
            if j == loss:
                add(j, 1, pairing_and_size(np.ones_like(v), v))
    for i, op in enumerate(tape.operations):
        if op is None or lam[i] is None:
            continue
        parents = tape.parents[i]
        for j in dict.fromkeys(p for p in parents if p >= 0 and directions[p] is not None):
            dots = [directions[j] if p == j else None for p in parents]
            with np.errstate(all="ignore"):
                pushed = op.tangent(tape.operands(i), tape.values[i], dots, **tape.params[i])
            add(j, 1, pairing_and_size(lam[i], pushed))
    checked = [j for j, v in enumerate(directions) if v is not None]
    if not checked:
        return 0.0, ""
    quotient = np.abs(total[checked]) / np.maximum(size[checked], np.finfo(float).tiny)
    # a NaN spreads to smaller numbers: the sweep met it at the largest
    broken = np.flatnonzero(np.isnan(quotient))
    worst = int(broken[-1] if broken.size else np.argmax(quotient))
    return float(quotient[worst]), _where(tape, checked[worst])


@dataclass(frozen=True)
class NonFinite:
    """Where a value or a multiplier first stopped being finite; `repr` is the report.

    Attributes:
        what: "value" or "multiplier".
        node: number of the node.
        label: the node's name, or operation and number.
        place: the user's file and line.
        source: the user's line of source.
        scope: path of the scope.
        count: how many elements are not finite.
        operands: one description per operand, with its range.
        index: where the first such element is; the node's own, or, of a multiplier, in λ of its operand.
        arriving: of a multiplier, λ of the node, with its range: finite, so the rule made the rest.
        there: what the operands of that shape are at that index.
    """

    what: str
    node: int
    label: str
    place: str
    source: str
    scope: str
    count: int
    operands: tuple[str, ...]
    index: tuple[int, ...] = ()
    arriving: str = ""
    there: str = ""

    def __repr__(self) -> str:
        scope = f'  in scope "{self.scope}"' if self.scope else ""
        source = f":  {self.source}" if self.source else ""
        head = (
            f"first non-finite {self.what}: {self.label}, {self.count} element{'s' if self.count > 1 else ''}"
        )
        lines = [head, f"  recorded at {self.place}{scope}{source}", *(f"  {o}" for o in self.operands)]
        if self.arriving:
            lines.append(f"  {self.arriving}")
        if self.index:
            where = f", where {self.there}" if self.there else ""
            lines.append(f"  the first at index [{', '.join(map(str, self.index))}]{where}")
        return "\n".join(lines)


def first_non_finite(tape: Tape, lam: list[Any] | None = None) -> NonFinite | None:
    """The first node whose value is not finite; failing that, where the adjoint sweep first met such a λ."""
    for i, z in enumerate(tape.values):
        count = _count_non_finite(z)
        if count:
            return _report(tape, i, "value", count, z)
    for i in range(len(lam or ()) - 1, -1, -1):
        assert lam is not None
        count = _count_non_finite(lam[i])
        if count:
            users = [c for c, parents in enumerate(tape.parents) if i in parents and lam[c] is not None]
            at = users[-1] if users else i  # the rule of a user of z_i produced it
            return _report(tape, at, "multiplier", count, lam[i], lam[at] if at != i else None)
    return None


def _count_non_finite(x: Any) -> int:
    return sum(
        int(np.size(p) - np.count_nonzero(np.isfinite(innermost(p))))
        for p in parts(x)
        if p is not None and dtype_of(p).kind in "fc"
    )


def _report(tape: Tape, i: int, what: str, count: int, found: Any, arriving: Any = None) -> NonFinite:
    described = []
    for k, (p, a) in enumerate(zip(tape.parents[i], tape.operands(i), strict=True)):
        text = tape.describe(p, f"x{k}") if p >= 0 else f"x{k}: constant {shape_of(a)}"
        described.append(text + _spread(a))
    origin, index = tape.origin(i), _first_index(found)
    there = [
        f"x{k} = {np.asarray(plain_on_host(a))[index]:.4g}"
        for k, a in enumerate(tape.operands(i))
        if index and not isinstance(a, tuple) and shape_of(a) == shape_of(parts(found)[0])
    ]
    lam = f"λ of {tape.label(i)}: {shape_of(parts(arriving)[0])}{_spread(arriving)}"
    return NonFinite(
        what, i, tape.label(i), origin.place, origin.source, tape.scope(i), count, tuple(described), index,
        "" if arriving is None else lam, ", ".join(there),
    )  # fmt: skip


def _spread(x: Any) -> str:
    """`, from −1 to 3, 2 not finite`."""
    a = np.asarray(plain_on_host(next((p for p in parts(x) if p is not None), 0.0)))
    finite = a[np.isfinite(a)] if a.dtype.kind in "fc" else a
    spread = f", from {finite.min():.4g} to {finite.max():.4g}" if finite.size else ""
    odd = a.size - finite.size
    return f"{spread}{f', {odd} not finite' if odd else ''}"


def _first_index(x: Any) -> tuple[int, ...]:
    """The first element that is not finite; empty for a scalar."""
    for part in parts(x):
        if part is not None and dtype_of(part).kind in "fc" and _count_non_finite(part):
            return tuple(int(k) for k in np.argwhere(~np.isfinite(np.asarray(plain_on_host(part))))[0])
    return ()
