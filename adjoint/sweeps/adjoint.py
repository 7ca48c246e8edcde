"""The adjoint sweep: (I − J)ᵀ λ = ∇ℓ by back substitution, children first.

    λ_j = ∂ℓ/∂z_j + Σ_{i uses j} (∂f_i/∂z_j)ᵀ λ_i

λ_i = dℓ/dε when constraint i is relaxed to z_i = f_i + ε. When the tape's values are Variables of an older
tape, the sweep is recorded there: that is all there is to higher derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..errors import AdjointError
from ..tape import Tape, open_tapes


def adjoint_sweep(tape: Tape, seeds: Mapping[int, Any], *, keep: bool = True) -> list[Any]:
    """Solve for the multipliers of a tape.

    Args:
        tape: the recorded program.
        seeds: node → ∂ℓ/∂z of that node, with the node's shape and dtype.
        keep: keep every λ_i; otherwise those of inner nodes are dropped as soon as they are used.

    Returns:
        λ, one entry per node up to the last seed; None is a structural zero.
    """
    operations, parents, constants = tape.operations, tape.parents, tape.constants
    values, params = tape.values, tape.params
    last = max(seeds, default=-1)
    lam: list[Any] = [None] * (last + 1)
    for i, seed in seeds.items():
        lam[i] = seed
    with attributed(tape) as attribute, located(tape) as at:
        for i in range(last, -1, -1):
            lam_i, op = lam[i], operations[i]
            if lam_i is None or op is None:
                continue
            at[0] = i
            if attribute is not None:
                attribute(i)
            # the common case of `tape.operands`, inline
            args = [values[p] for p in parents[i]] if constants[i] is None else tape.operands(i)
            op.pull(lam, parents[i], args, values[i], lam_i, params[i])
            if not keep:
                lam[i] = None
    return lam


@contextmanager
def located(tape: Tape) -> Iterator[list[int]]:
    """An error of a rule names the node that the list holds at that moment."""
    at = [0]
    try:
        yield at
    except AdjointError:
        raise
    except (ValueError, TypeError, IndexError) as error:
        op = tape.operations[at[0]]
        if op is None or op.foreign:
            raise
        raise tape.failure_at(at[0], error) from error


@contextmanager
def attributed(tape: Tape) -> Iterator[Callable[[int], None] | None]:
    """What a sweep records on older tapes belongs to the user's line and scope of the node it works on.

    Gives a function to call with the node's number, or None when no older tape is open.
    """
    outer = [t for t in open_tapes() if t is not tape and t.attribution is None]
    if not outer:
        yield None
        return
    scopes = [t.scopes[-1][1] for t in outer]
    codes, offsets = tape.codes, tape.offsets
    first = end = 0  # the nodes of the scope at work

    def attribute(i: int) -> None:
        nonlocal first, end
        where = (codes[i], offsets[i])
        for t in outer:
            t.attribution = where
        if not first <= i < end:
            first, end, path = tape.scope_around(i)
            for t in outer:
                t.mark_scope(path)

    try:
        yield attribute
    finally:
        for t, path in zip(outer, scopes, strict=True):
            t.attribution = None
            t.mark_scope(path)
