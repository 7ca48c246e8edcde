"""The library's proof of itself: λ_i is what happens to the loss when constraint i is relaxed.

Inject ±ε r at node i, solve the constraints below again, and compare the central difference with λ_iᵀ r.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ops.primitive import dtype_of
from ..sweeps.adjoint import adjoint_sweep
from ..sweeps.pairing import default_rng, direction_like, length, pairing
from ..tape import Tape
from ..transforms.recording import Argnum, Recording
from .report import Finding, Report
from .subject import as_arguments


def multipliers(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    argnum: Argnum | None = None,
    rng: np.random.Generator | None = None,
) -> Report:
    """Residual injection at every node of `f(*args)`.

    Every node costs six runs of the program (three step sizes, both signs), so this is for programs of up to
    some hundred nodes.

    Args:
        f: returns a real scalar.
        args: where to check.
        argnum: which argument(s) are the program's inputs; all by default.
        rng: source of the random residuals; a fixed one by default.

    Returns:
        A report; on failure it names the *last* wrong node in program order: the sweep passes there first.
    """
    rng = rng or default_rng()
    args = as_arguments(args)
    run = Recording(f, args, {}, tuple(range(len(args))) if argnum is None else argnum)
    loss = run.scalar_output("check.multipliers")
    if not run.is_ours(loss):
        return Report(f"multipliers of {getattr(f, '__name__', 'function')}", ())
    lam = adjoint_sweep(run.tape, {loss.index: np.ones(loss.shape, loss.dtype)[()]})
    findings = []
    for i in range(loss.index, -1, -1):
        z = run.tape.values[i]
        if isinstance(z, tuple) or dtype_of(z).kind not in "fc":
            continue  # the results of a tuple are nodes of their own; integers carry no multiplier
        findings.append(_inject(run.tape, loss.index, lam, i, rng))
    failed = [x for x in findings if not x.passed]
    worst = max(findings, key=lambda x: x.error)
    summary = Finding(f"residual injection at {len(findings)} nodes", worst.error, worst.limit, not failed)
    return Report(f"multipliers of {getattr(f, '__name__', 'function')}", (summary, *failed[:1]))


def _inject(tape: Tape, loss: int, lam: list[Any], i: int, rng: np.random.Generator) -> Finding:
    z = tape.values[i]
    r = direction_like(z, rng)
    eps = float(np.finfo(dtype_of(z)).eps)
    received, scale = pairing(lam[i], r), length(lam[i]) * length(r)
    error, expected = np.inf, 0.0
    for exponent in (0.25, 1 / 3, 0.4):  # truncation falls, rounding grows: take the best of three
        h = eps**exponent * max(1.0, float(np.max(np.abs(z), initial=0)))
        after, before = (float(np.reshape(tape.replay({i: s * h * r}).values[loss], ())) for s in (1, -1))
        difference = (after - before) / (2 * h)
        rounding = 4 * eps * (abs(after) + abs(before)) / h
        gap = max(0.0, abs(difference - received) - rounding) / max(scale, abs(difference), 1e-8)
        if gap < error:
            error, expected = gap, difference
    limit = 50 * eps**0.5
    passed = error <= limit
    detail = f"{tape.label(i)} at {tape.where(i)}: λᵀr = {received:.10g}, dℓ/dr = {expected:.10g}"
    return Finding(f"injection at {tape.label(i)}", float(error), limit, passed, "" if passed else detail)
