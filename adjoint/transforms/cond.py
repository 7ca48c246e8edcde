"""A branch that compiles: one of two functions, chosen by a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import DTypeError, ShapeError, TreeError, describe, refusal
from ..ops.elementwise import where
from ..ops.primitive import Primitive, Recorded, add_all, dtype_of, innermost, shape_of
from ..tape.trace import Trace, is_traced

REAL, NUMBERS = "fiub", "cfiub"  # kinds of dtypes


def cond(predicate: Any, if_true: Callable[..., Any], if_false: Callable[..., Any], *operands: Any) -> Any:
    """`if_true(*operands)` or `if_false(*operands)`, as the predicate says.

    Eagerly, only the chosen branch runs. In a compiled program, where the predicate is known only when it
    runs, *both* branches are computed and every leaf of the result is selected by `np.where`: a branch costs
    its time also when it is not taken, and must not fail there (a factorization of a singular matrix raises).
    What the other branch makes of the operands (0/0, log 0) reaches neither values nor derivatives, of any
    order; that holds for what is passed as an operand, not for what a branch takes from its surroundings.

    Args:
        predicate: one number or boolean, not 0 for true.
        if_true: a function of the operands that returns a nested container of arrays.
        if_false: another; containers, shapes and dtypes of its results agree with those of `if_true`.
            A Python number agrees with a scalar of any dtype that it does not change.
        *operands: nested containers of arrays.

    Returns:
        What the branch returns.

    Raises:
        ShapeError: the predicate is not a scalar; or results differ in shape (noticed where both are known:
            while a program is compiled).
        DTypeError: the predicate is no number, or results differ in dtype.
        TreeError: results differ in their containers, or in something that is neither number nor array.

    >>> import numpy as np
    >>> import adjoint as ad
    >>> def f(x):
    ...     return ad.cond(x > 0, lambda x: np.log(x), lambda x: x - 1.0, x)
    >>> ad.grad(f)(2.0), ad.grad(f)(-2.0)
    (np.float64(0.5), np.float64(1.0))
    """
    for branch in (if_true, if_false):
        if not callable(branch):
            raise TypeError(f"cond needs two functions, got {describe(branch)}: write lambda x: … around it")
    _check_predicate(predicate)
    if not is_traced(predicate):
        return (if_true if innermost(predicate) else if_false)(*operands)
    chosen = predicate if dtype_of(predicate).kind == "b" else predicate != 0
    leaves, structure = trees.flatten(operands)
    first = if_true(*trees.unflatten(structure, [_gated(chosen, x) for x in leaves]))
    opposite = np.logical_not(chosen)
    second = if_false(*trees.unflatten(structure, [_gated(opposite, x) for x in leaves]))
    return _select_leaves(chosen, first, second)


def _check_predicate(predicate: Any) -> None:
    if dtype_of(predicate).kind not in REAL:
        raise refusal(DTypeError, f"cond needs a number or boolean as predicate, got {describe(predicate)}")
    if shape_of(predicate):
        what = f"cond needs a scalar predicate, got shape {shape_of(predicate)}"
        raise refusal(
            ShapeError, what, "np.all and np.any make one of many; np.where chooses element by element."
        )


def _gated(chosen: Any, x: Any) -> Any:
    """An operand as one branch sees it."""
    return gate(chosen, x) if isinstance(x, Recorded) and dtype_of(x).kind in "fc" else x


def _select_leaves(chosen: Any, first: Any, second: Any) -> Any:
    """The results of both branches, checked to agree, selected leaf by leaf."""
    ours, structure = trees.flatten(first)
    theirs, other = trees.flatten(second)
    if structure != other:
        what = f"cond needs branches that return the same containers: {structure} and {other}"
        raise refusal(TreeError, what)
    results = []
    for a, b, path in zip(ours, theirs, trees.paths(structure), strict=True):
        if dtype_of(a).kind in NUMBERS and dtype_of(b).kind in NUMBERS:
            _check_leaves(a, b, path)
            results.append(select(chosen, a, b))
        elif type(a) is type(b) and bool(a == b):
            results.append(a)
        else:
            what = f"cond cannot choose between {describe(a)} and {describe(b)}{_at(path)}"
            raise refusal(TreeError, what, "Branches return arrays; other results must be equal.")
    return trees.unflatten(structure, results)


def _check_leaves(a: Any, b: Any, path: str) -> None:
    """Two results that one array can hold.

    Raises:
        ShapeError: their shapes differ.
        DTypeError: their dtypes do.
    """
    found = [describe(a, "if_true"), describe(b, "if_false")]
    if shape_of(a) != shape_of(b):
        what = f"cond needs results of equal shapes{_at(path)}: {shape_of(a)} and {shape_of(b)}"
        raise refusal(ShapeError, what, "np.broadcast_to and np.zeros_like make them equal.", found)
    plain = [type(x) in (bool, int, float, complex) for x in (a, b)]
    if all(plain) or not any(plain):
        agree = dtype_of(a) == dtype_of(b)
    else:
        number, array = (a, b) if plain[0] else (b, a)
        agree = np.result_type(dtype_of(array), number) == dtype_of(array)
    if not agree:
        what = f"cond needs results of equal dtypes{_at(path)}: {dtype_of(a)} and {dtype_of(b)}"
        raise refusal(DTypeError, what, ".astype changes one of them.", found)


def _at(path: str) -> str:
    return f" at {path}" if path else ""


def _recorded_by_trace(args: Sequence[Any]) -> bool:
    """Whether nothing younger than a trace records the operands: there, what is wanted is the value alone."""
    tapes = [a.tape for a in args if isinstance(a, Recorded)]
    return bool(tapes) and isinstance(max(tapes, key=lambda tape: tape.level), Trace)


class Gate(Primitive):
    """x itself; its tangent and multiplier pass only where the condition holds.

    The multiplier that a branch not taken sends is 0 · ∂f, and NaN where ∂f is infinite: a selection, unlike
    a product with 0, stops it.
    """

    name = "gate"

    def __call__(self, *args: Any, **params: Any) -> Any:
        return args[1] if _recorded_by_trace(args) else super().__call__(*args)

    def value(self, chosen: Any, x: Any) -> Any:
        return x

    def tangent(self, args: Sequence[Any], z: Any, dots: Sequence[Any], **params: Any) -> Any:
        return None if dots[1] is None else select(args[0], dots[1], 0.0)

    def adjoint(
        self, args: Sequence[Any], z: Any, lam: Any, wanted: Sequence[bool], **params: Any
    ) -> Sequence[Any]:
        return None, select(args[0], lam, 0.0) if wanted[1] else None


class Select(Primitive):
    """x where the condition holds, else y, all of one shape (or plain zeros).

    As `where`, whose rule multiplies by the condition; this one selects in its derivatives too.
    """

    name = "select"

    def __call__(self, *args: Any, **params: Any) -> Any:
        return where(*args) if _recorded_by_trace(args) else super().__call__(*args)

    def value(self, chosen: Any, x: Any, y: Any) -> Any:
        return where(chosen, x, y)

    def tangent(self, args: Sequence[Any], z: Any, dots: Sequence[Any], **params: Any) -> Any:
        terms = []
        if dots[1] is not None:
            terms.append(select(args[0], dots[1], 0.0))
        if dots[2] is not None:
            terms.append(select(args[0], 0.0, dots[2]))
        return add_all(terms)

    def adjoint(
        self, args: Sequence[Any], z: Any, lam: Any, wanted: Sequence[bool], **params: Any
    ) -> Sequence[Any]:
        x = select(args[0], lam, 0.0) if wanted[1] else None
        y = select(args[0], 0.0, lam) if wanted[2] else None
        return None, x, y


gate, select = Gate(), Select()
