"""The tangent sweep: ż_i = Σ_j (∂f_i/∂z_j) ż_j + r_i, parents first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..tape import Tape
from .adjoint import attributed, located


def tangent_sweep(tape: Tape, dots: Mapping[int, Any]) -> list[Any]:
    """Push perturbations forward.

    Args:
        tape: the recorded program.
        dots: node → perturbation of that node (an input's tangent, or the residual of a constraint), in the
            node's shape and dtype.

    Returns:
        ż, one entry per node; None is a structural zero.
    """
    z_dot: list[Any] = [None] * len(tape)
    with attributed(tape) as attribute, located(tape) as at:
        for i, op in enumerate(tape.operations):
            dot = dots.get(i)
            if op is not None:
                incoming = [z_dot[p] if p >= 0 else None for p in tape.parents[i]]
                if any(d is not None for d in incoming):
                    at[0] = i
                    if attribute is not None:
                        attribute(i)
                    pushed = op.tangent(tape.operands(i), tape.values[i], incoming, **tape.params[i])
                    dot = pushed if dot is None else dot if pushed is None else pushed + dot
            z_dot[i] = dot
    return z_dot
