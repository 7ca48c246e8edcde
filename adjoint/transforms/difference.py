"""`explain_difference`: a plain function and a change in, a ranked attribution out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import tree as trees
from ..changes import Change, Site, replace
from ..errors import ShapeError, TreeError, describe, refusal
from ..ops.device import is_array
from ..ops.primitive import Recorded, beside, dtype_of, shape_of
from ..sweeps.difference import Difference, explain
from ..sweeps.lagrangian import Lagrangian
from ..sweeps.pairing import in_double
from ..tape import Tape
from .recording import Argnum, pick


def explain_difference(
    f: Callable[..., Any] | Lagrangian,
    perturbation: Change | Mapping[str, Any] | Callable[..., Any],
    *args: Any,
    argnum: Argnum = 0,
    **kwargs: Any,
) -> Difference:
    """Which constraint's change moves the loss: rounding, quantisation, pruning, a patched layer.

    The program is recorded in float64 and run again with the change; the residual that it leaves in each
    constraint, weighed by the multiplier, is that constraint's share in Δℓ. Branches stay as they were taken.

    Args:
        f: returns a real scalar; or a Lagrangian, recorded already, and then no args.
        perturbation: a `Change` of `adjoint.changes`; {name: value or function of the value}; or another
            function of the same arguments, compared where both name a value, and at the loss.
        *args: arguments of f; float arrays in them are recorded.
        argnum: which are the parameters (of `quantize` and `prune`); the others are inputs.
        **kwargs: keyword arguments of f.

    Returns:
        A `Difference`: Δℓ predicted to first order and with the mean multiplier, Δℓ measured, causes ranked.

    Raises:
        UnknownNameError: the change asks for a name that the program does not have.
        DomainError: the program is not finite, or the changed one: then the message names the first such
            constraint.

    >>> import numpy as np
    >>> import adjoint as ad
    >>> def loss(w, x):
    ...     return np.mean(np.tanh(x @ w) ** 2)
    >>> found = ad.explain_difference(loss, ad.changes.quantize(4), np.array([0.5, -0.31]), np.eye(2))
    >>> [cause.label for cause in found.causes], bool(abs(found.unexplained) < 1e-3 * abs(found.measured))
    (['w'], True)
    """
    if isinstance(f, Lagrangian):
        if args or kwargs:
            raise TypeError("a Lagrangian is recorded already: explain_difference(lagrangian, change) alone")
        lagrangian = f
    else:
        lagrangian = _record(f, args, kwargs, argnum)
    if isinstance(perturbation, Mapping):
        perturbation = replace(perturbation)
    elif not isinstance(perturbation, Change):
        perturbation = _other_program(perturbation, lagrangian, args, kwargs, argnum)
    return explain(lagrangian, perturbation)


def _record(f: Callable[..., Any], args: Any, kwargs: dict[str, Any], argnum: Argnum) -> Lagrangian:
    """The Lagrangian of f(*args) with every float array an input in double precision, named as f names it."""
    if not callable(f):
        raise TypeError(f"explain_difference needs a function or a Lagrangian, got {describe(f)}")
    pick(args, argnum)  # refuses positions that do not exist
    chosen = {k % len(args) for k in ([argnum] if isinstance(argnum, (int, np.integer)) else argnum)}
    names = _names(f, len(args))
    with Tape() as tape:
        given = [_input(tape, a, k in chosen, names[k]) for k, a in enumerate(args)]
        loss = f(*given, **kwargs)
    if not isinstance(loss, Recorded):
        what = f"the function returned {describe(loss)}, which does not depend on its arguments"
        raise refusal(TreeError, what, "Return the loss, a real scalar.")
    return Lagrangian(tape, loss)  # type: ignore[arg-type]


def _names(f: Callable[..., Any], count: int) -> list[str]:
    """Names of positional arguments; numbered where the function does not tell."""
    try:
        known = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        known = []
    names = [p.name for p in known if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [names[k] if k < len(names) else f"argument{k}" for k in range(count)]


def _input(tape: Tape, x: Any, parameter: bool, name: str) -> Any:
    """An argument with its float leaves recorded; the leaves of a dict go by their paths alone."""
    leaves, structure = trees.flatten(x)
    record = tape.parameter if parameter else tape.input
    prefix = "" if isinstance(x, dict) else name
    paths = [path.replace("#", "_") for path in trees.paths(structure, prefix)]
    made = [
        record(beside(leaf).asarray(in_double(leaf))[()], name=path) if _is_float(leaf) else leaf
        for leaf, path in zip(leaves, paths, strict=True)
    ]
    return trees.unflatten(structure, made)


def _is_float(leaf: Any) -> bool:
    plain = isinstance(leaf, (float, complex, np.generic)) or is_array(leaf)
    return plain and dtype_of(leaf).kind in "fc"


def _other_program(
    g: Callable[..., Any], lagrangian: Lagrangian, args: Any, kwargs: dict[str, Any], argnum: Argnum
) -> Change:
    """The values that another program gives the names both have, and its loss."""
    if not callable(g) or not args:
        raise TypeError(
            "a perturbation is a Change of ad.changes, {name: value}, or, with arguments, another function; "
            f"got {describe(g)}"
        )
    other = _record(g, args, kwargs, argnum)
    names = {name: other.tape.values[i] for i, name in other.tape.names.items()}
    loss, value = lagrangian.loss.index, other.tape.values[other.loss.index]

    def rule(site: Site) -> Any:
        if site.node == loss:
            return value
        name = site.tape.names.get(site.node)
        new = names.get(name) if name is not None else None
        if new is not None and shape_of(new) != shape_of(site.value):
            what = (
                f"{name!r} has shape {shape_of(site.value)} in one program and {shape_of(new)} in the other"
            )
            raise refusal(ShapeError, what, "Compare programs whose named values have the same shapes.")
        return new

    return Change(f"{getattr(g, '__name__', 'another program')} in its place", rule)
