"""Primitives of the user's own: one registration for value, tangent and adjoint.

    softplus = ad.elementwise("softplus", lambda m, x: m.logaddexp(x, 0), lambda m, x, z: m.expit(x))

    cube = ad.primitive("cube", lambda x: x**3, adjoint=lambda args, z, lam: (3 * args[0]**2 * lam,))

Both rules share one order of arguments. Where only one is given the other is derived by transposing it.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from ..errors import RuleError
from ..ops.elementwise import Elementwise
from ..ops.primitive import Primitive, dtype_of, register, shape_of, zeros_like
from .foreign import Foreign, Rule, plain_result
from .naming import name_of
from .wrapped import wrap


def elementwise(
    name: str,
    value: Rule,
    *partials: Any,
    domain: Sequence[tuple[float, float]] = (),
    kink: str = "",
    replace: bool = False,
) -> Elementwise:
    """Register an elementwise primitive as one row: its value and one partial derivative per operand.

    >>> from scipy.special import j0, j1
    >>> bessel = elementwise("bessel", lambda m, x: j0(x), lambda m, x, z: -j1(x))
    >>> float(bessel(0.0))
    1.0

    Args:
        name: unique name; a ufunc of that name (`scipy.special.j0`, say) then works on Variables too.
        value: `value(m, *x)`; `m` holds the functions of NumPy and scipy.special (`m.tanh`, `m.erf`), so that
            one text serves plain values, recorded ones and the engines. It may call anything else directly.
        *partials: per operand `partial(m, *x, z)`, z being the value; a number; or None for zero everywhere.
            Written with `m` and operators only, they can be differentiated in turn.
        domain: per operand an interval that `check.rule` samples; one serves all operands.
        kink: where the derivative does not exist, and the convention taken there.
        replace: take the place of a primitive of yours with that name.

    Returns:
        The primitive: call it on arrays and on Variables.

    Raises:
        RuleError: the name is taken, or a function does not take that many arguments.
    """
    _check_arguments(name, "value", value, 1 + len(partials))
    for partial in partials:
        if callable(partial):
            _check_arguments(name, "partial derivative", partial, 2 + len(partials))
    op = Elementwise(name, value, partials, domain, kink)
    op.foreign = True
    return register(op, replace=replace)


def _check_arguments(name: str, what: str, function: Rule, count: int) -> None:
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        takes = "m, the operands" + (" and the value z" if what != "value" else "")
        raise RuleError(f"{what} of {name!r} must take {count} arguments: {takes}") from None
    except ValueError:  # a builtin without a signature
        pass


@overload
def primitive(
    name: str,
    value: Rule,
    *,
    tangent: Rule | None = None,
    adjoint: Rule | None = None,
    replace: bool = False,
) -> Primitive: ...
@overload
def primitive(name: Rule) -> Rule: ...


def primitive(
    name: str | Rule,
    value: Rule | None = None,
    *,
    tangent: Rule | None = None,
    adjoint: Rule | None = None,
    replace: bool = False,
) -> Primitive | Rule:
    """Register a primitive with rules of the user's own.

    As a decorator without arguments it is `adjoint.extend.primitive`, whose rules come later.

    Args:
        name: unique name.
        value: `value(*args, **params)`: z, one array, from plain arrays. It may call anything.
        tangent: `tangent(args, z, dots, **params)`: ż. A dot that is None is zero.
        adjoint: `adjoint(args, z, lam, **params)`: a sequence with (∂z/∂x_k)ᵀ λ for every operand, None where
            zero. Rules are written with NumPy functions, so that they can be differentiated in turn. One of
            the two may be missing: it is derived by transposing the other, linear in its last argument.
        replace: take the place of a primitive of yours with that name.

    Returns:
        The primitive: call it on arrays and on Variables; keyword arguments are parameters, passed on and not
        differentiated.

    Raises:
        RuleError: the name is taken, or there is no rule at all. Later, when a rule returns a wrong shape or
            number of results: the message names rule, operand and shapes.
    """
    if callable(name):
        if value is None:
            return wrap(name)
        raise TypeError(f"ad.primitive takes a name first, then the function {name_of(name)}")
    if value is None:
        raise TypeError(f"primitive {name!r} needs a value: a function of plain arrays")
    if tangent is None and adjoint is None:
        raise RuleError(f"primitive {name!r} needs a tangent or an adjoint rule")
    return register(Custom(name, value, tangent, adjoint), replace=replace)


class Custom(Foreign):
    """A primitive given by a value and one or two rules, each for all operands together."""

    def __init__(self, name: str, value: Rule, tangent: Rule | None, adjoint: Rule | None) -> None:
        self.name, self._value, self._tangent, self._adjoint = name, value, tangent, adjoint

    def value(self, *args: Any, **params: Any) -> Any:
        """What the user's function returns, as an array."""
        return plain_result(self._value(*args, **params))

    def tangent(self, args: Sequence[Any], z: Any, dots: Sequence[Any], **params: Any) -> Any:
        """The user's rule, or the transpose of the user's adjoint."""
        if self._tangent is not None:
            z_dot = self._tangent(args, z, dots, **params)
        else:
            assert self._adjoint is not None
            given, adjoint = [k for k, d in enumerate(dots) if d is not None], self._adjoint

            def pull(lam: Any) -> Any:
                rule = adjoint(args, z, lam, **params)
                return [np.zeros(shape_of(args[k])) if rule[k] is None else rule[k] for k in given]

            z_dot = self.transposed(pull, zeros_like(z), [dots[k] for k in given], "adjoint")
        return None if z_dot is None else self.checked("tangent", z_dot, z, "output")

    def adjoint(
        self, args: Sequence[Any], z: Any, lam: Any, wanted: Sequence[bool], **params: Any
    ) -> Sequence[Any]:
        """The user's rule, or the transpose of the user's tangent."""
        if self._adjoint is not None:
            contributions = self._adjoint(args, z, lam, **params)
            if not isinstance(contributions, (tuple, list)) or len(contributions) != len(args):
                returned = (
                    f"{len(contributions)} results"
                    if isinstance(contributions, (tuple, list))
                    else "one result"
                )
                raise RuleError(
                    f"adjoint of {self.name}: returned {returned} for {len(args)} inputs; return a tuple"
                )
        else:
            assert self._tangent is not None
            contributions, rule = [], self._tangent
            for k, x in enumerate(args):

                def push(x_dot: Any, k: int = k) -> Any:
                    return rule(args, z, [x_dot if j == k else None for j in range(len(args))], **params)

                differentiable = wanted[k] and dtype_of(x).kind in "fc"
                contributions.append(
                    self.transposed(push, zeros_like(x), lam, "tangent") if differentiable else None
                )
        return [
            None if c is None or not want else self.checked("adjoint", c, x, f"input {k}")
            for k, (c, x, want) in enumerate(zip(contributions, args, wanted, strict=True))
        ]
