"""The library's proof of itself: λ_i is what happens to the loss when constraint i is relaxed.

Inject ±h r at nodes, solve the constraints below again, and compare the central difference of the loss
with Σ λ_iᵀ r_i. A few nodes are relaxed at a time: where that fails, halves of them show which is the last
wrong one in the order of the program. The sweep passes there first, so the rule at fault is that of one of
its users, and each of these is held against differences of its own operation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..ops.device import as_array, on_host
from ..ops.primitive import beside, dtype_of, parts
from ..sweeps.adjoint import adjoint_sweep
from ..sweeps.pairing import default_rng, direction_like, in_double, length, pairing
from ..tape import Tape
from ..transforms.recording import Argnum, Recording
from .report import Finding, Report
from .subject import as_arguments

GROUPS = 32  # sets of nodes relaxed together; each costs up to six runs of the program
STEPS = (1 / 3, 0.4, 0.25)  # powers of eps: truncation falls with the step, rounding grows


def multipliers(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    argnum: Argnum | None = None,
    groups: int | None = GROUPS,
    rng: np.random.Generator | None = None,
) -> Report:
    """Residual injection at every node of `f(*args)`.

    Args:
        f: returns a real scalar.
        args: where to check.
        argnum: which argument(s) are the program's inputs; all by default.
        groups: how many sets the nodes are relaxed in, at two to six runs of the program each. A set of k
            nodes hides errors of less than k times the limit. None relaxes every node on its own. Errors of
            less than 1e-8 are lost in the loss's own rounding either way.
        rng: source of the random residuals; a fixed one by default.

    Returns:
        A report; on failure it names the last node whose multiplier is wrong, λᵀr beside the change of the
        loss, and the rule at fault with its line, received and expected.

    >>> import numpy as np
    >>> report = multipliers(lambda x: np.sum(np.tanh(x) ** 2), (np.array([0.3, -1.2]),))
    >>> bool(report), report.findings[0].what
    (True, 'residual injection at 4 nodes')
    """
    rng = rng or default_rng()
    args = as_arguments(args)
    run = Recording(f, args, {}, tuple(range(len(args))) if argnum is None else argnum)
    loss = run.scalar_output("check.multipliers")
    subject = f"multipliers of {getattr(f, '__name__', 'function')}"
    if not run.is_ours(loss):
        return Report(subject, ())
    if not np.all(np.isfinite(run.tape.values[loss.index])):
        what = f"the loss is {run.tape.values[loss.index]:.4g} here: nan_origin(f, *args) names the line"
        return Report(subject, (Finding("a finite loss", np.inf, 0.0, False, what),))
    if groups is not None and groups < 1:
        raise ValueError(f"groups must be at least 1, or None for every node on its own, got {groups}")
    lam = adjoint_sweep(run.tape, {loss.index: beside(loss).ones(loss.shape, loss.dtype)[()]})
    probe = _Injection(run.tape, loss.index, lam, rng)
    nodes = [
        i for i in range(loss.index + 1)
        # the results of a tuple are nodes of their own; integers carry no multiplier
        if not isinstance(run.tape.values[i], tuple) and dtype_of(run.tape.values[i]).kind in "fc"
    ]  # fmt: skip
    size = 1 if groups is None else max(1, -(-len(nodes) // groups))
    sets = [nodes[k : k + size] for k in range(0, len(nodes), size)]
    tried = [(s, probe.relax(s)) for s in reversed(sets)]
    failed = next((s for s, outcome in tried if not outcome.passed), None)
    worst = max((outcome for _, outcome in tried), key=lambda outcome: outcome.error, default=None)
    what = f"residual injection at {len(nodes)} nodes"
    error, limit = (worst.error, worst.limit) if worst is not None else (0.0, 0.0)
    findings = [Finding(what, error, limit, failed is None)]
    if failed is not None:
        findings.append(_located(probe, failed))
    return Report(subject, tuple(findings), evaluations={"program": 1 + probe.runs})


class Outcome(NamedTuple):
    """λᵀr beside the change of the loss; the error relative to the size of both."""

    error: float
    limit: float
    received: float
    expected: float

    @property
    def passed(self) -> bool:
        """Whether they agree; NaN does not."""
        return bool(self.error <= self.limit)


class _Injection:
    """A recorded program with its multipliers, and one random residual per node."""

    def __init__(self, tape: Tape, loss: int, lam: list[Any], rng: np.random.Generator) -> None:
        self.tape, self.loss, self.lam = tape, loss, lam
        self.r = {
            i: direction_like(z, rng)
            for i, z in enumerate(tape.values[: loss + 1])
            if not isinstance(z, tuple)
        }
        self.runs = 0

    def relax(self, nodes: Sequence[int]) -> Outcome:
        """All of the nodes at once."""
        tape = self.tape
        eps = max(float(np.finfo(dtype_of(tape.values[i])).eps) for i in nodes)
        scales = {i: max(1.0, float(np.max(np.abs(on_host(tape.values[i])), initial=0))) for i in nodes}
        parts = {i: pairing(self.lam[i], self.r[i]) * scales[i] for i in nodes}
        known = [abs(p) for p in parts.values() if p]
        middle = float(np.median(known)) if known else 0.0
        for i, p in parts.items():  # none is to drown the others
            if abs(p) > middle:
                scales[i] *= middle / abs(p)
        received = sum(pairing(self.lam[i], self.r[i]) * scales[i] for i in nodes)
        size = max(length(self.lam[i]) * length(self.r[i]) * scales[i] for i in nodes)
        limit = 50 * eps**0.5
        best = Outcome(np.inf, limit, received, np.nan)
        for power in STEPS:
            h = eps**power
            moved = {i: h * scales[i] * self.r[i] for i in nodes}
            after, before = (self._loss({i: s * d for i, d in moved.items()}) for s in (1, -1))
            difference = (after - before) / (2 * h)
            rounding = 4 * eps * (abs(after) + abs(before)) / h
            gap = abs(difference - received)
            gap = max(gap - rounding, 0.0) if gap < np.inf else np.inf  # NaN is no agreement
            error = gap / max(size, abs(difference), 1e-8)
            if error < best.error:
                best = Outcome(error, limit, received, difference)
            if best.passed:
                break
        return best

    def _loss(self, changes: dict[int, Any]) -> float:
        self.runs += 1
        return float(np.reshape(self.tape.replay(changes).values[self.loss], ()))


def _located(probe: _Injection, nodes: list[int]) -> Finding:
    """The last wrong node among several, by halves; and whose rule it is."""
    last = probe.relax(nodes)
    while len(nodes) > 1:
        later = nodes[len(nodes) // 2 :]
        outcome = probe.relax(later)
        if outcome.passed:
            later = nodes[: len(nodes) // 2]
            outcome = probe.relax(later)
            if outcome.passed:  # each half is within the limit, both together are not
                break
        nodes, last = later, outcome
    tape, i = probe.tape, nodes[-1]
    detail = (
        f"λ of {tape.label(i)} at {tape.where(i)}: λᵀr = {last.received:.10g}, dℓ/dr = {last.expected:.10g}"
    )
    return Finding(
        f"injection at {tape.label(i)}",
        last.error,
        last.limit,
        False,
        "\n".join([detail, *_at_fault(probe, i)]),
    )


def _at_fault(probe: _Injection, i: int) -> list[str]:
    """The users of node i whose adjoint rule contradicts differences of their own operation."""
    tape, lam = probe.tape, probe.lam
    table: list[Any] = [None] * len(tape)
    lines = []
    for c, parents in enumerate(tape.parents):
        op = tape.operations[c]
        if op is None or i not in parents or c >= len(lam) or lam[c] is None:
            continue
        op.pull(table, parents, tape.operands(c), tape.values[c], lam[c], tape.params[c])
        received, expected = pairing(table[i], probe.r[i]), _difference(probe, c, i)
        for p in parents:
            if p >= 0:
                table[p] = None
        eps = float(np.finfo(dtype_of(tape.values[i])).eps)
        if abs(received - expected) > 100 * eps**0.5 * max(abs(received), abs(expected), 1e-8):
            origin = tape.origin(c)
            source = f":  {origin.source}" if origin.source else ""
            lines.append(
                f"the adjoint rule of {op.name} at fault, {tape.label(c)} at {origin.place}{source}\n"
                f"operand {parents.index(i)}: received ⟨∂fᵀλ, r⟩ = {received:.10g}, expected {expected:.10g}"
            )
    return lines or [
        "no rule of its users is at fault: a contribution is lost, or one of its values was changed"
    ]


def _difference(probe: _Injection, c: int, i: int) -> float:
    """⟨λ_c, ∂f_c/∂z_i r⟩ by a central difference of the one operation."""
    tape = probe.tape
    op = tape.operations[c]
    assert op is not None
    z, r = tape.values[i], probe.r[i]
    h = float(np.finfo(dtype_of(z)).eps) ** (1 / 3) * max(1.0, float(np.max(np.abs(on_host(z)), initial=0)))

    def at(t: float) -> Any:
        moved = as_array(z + t * r, dtype_of(z))[()]
        operands = [moved if p == i else a for p, a in zip(tape.parents[c], tape.operands(c), strict=True)]
        return op(*operands, **tape.params[c])

    with np.errstate(all="ignore"):
        after, before = parts(at(h)), parts(at(-h))
    slopes = tuple((in_double(a) - in_double(b)) / (2 * h) for a, b in zip(after, before, strict=True))
    return pairing(probe.lam[c], slopes if isinstance(tape.values[c], tuple) else slopes[0])
