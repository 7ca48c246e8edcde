"""Checks that raise, with the names of HIPS/autograd's: for tests. `ad.check` reports instead, and says more.

    check_grads(f)(x)                                     both modes, first and second order
    check_grads(f, argnum=(0, 1), modes=["rev"], order=3)(x, y, scale=2.0)

Derivatives are compared with central differences along random directions, the same in every run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any

import numpy as np

from . import tree as trees
from .errors import describe
from .ops.device import as_array, on_host
from .ops.primitive import dtype_of, shape_of, zeros_like
from .ops.sides import refuse_mixture
from .sweeps.pairing import direction_like, in_double, length, pairing
from .transforms import make_jvp, make_vjp
from .transforms.naming import name_of, named
from .transforms.recording import Argnum, pick, replace

__all__ = [
    "check_equivalent",
    "check_grads",
    "check_jvp",
    "check_vjp",
    "combo_check",
    "make_numerical_jvp",
    "scalar_close",
]

Function = Callable[..., Any]
TOL = 1e-6  # absolute and relative, for float64
# of the step, as powers of the rounding error: the truncation error falls with h², rounding grows with 1/h
STEPS = (1 / 3, 0.28, 0.4)
MODES = {"fwd", "rev"}


# ------------------------------------------------------------------------------------------- closeness
def scalar_close(a: Any, b: Any) -> bool:
    """Whether two numbers agree to 1e-6, absolutely or relative to their sum."""
    gap = abs(a - b)
    return bool(gap < TOL or gap < TOL * abs(a + b))


def check_equivalent(x: Any, y: Any) -> None:
    """Check that two containers agree: structure, shapes, dtypes, and numbers to 1e-6 of their size.

    Raises:
        AssertionError: they do not; the message says in what.
    """
    ours, structure = trees.flatten(x)
    theirs, other = trees.flatten(y)
    assert structure == other, f"structures differ: {structure} and {other}"
    for a, b, path in zip(ours, theirs, trees.paths(structure), strict=True):
        where = f" at {path}" if path else ""
        alike = shape_of(a) == shape_of(b) and dtype_of(a) == dtype_of(b)
        assert alike, f"shapes or dtypes differ{where}: {describe(as_array(a))}, {describe(as_array(b))}"
        gap = np.subtract(in_double(a), in_double(b))
        close = bool(length(gap) <= _tolerance([a, b]) * max(1.0, length(a), length(b)))
        assert close, f"values differ{where}:\n  {a}\n  {b}"


def _rounding(leaves: Iterable[Any]) -> float:
    kinds = [dtype_of(x) for x in leaves]
    return max((float(np.finfo(kind).eps) for kind in kinds if kind.kind in "fc"), default=2e-16)


def _tolerance(leaves: Iterable[Any]) -> float:
    eps = _rounding(leaves)
    return TOL if eps < 1e-12 else 50 * eps**0.55


# ------------------------------------------------------------------------------------ one derivative
def make_numerical_jvp(f: Function, x: Any) -> Function:
    """The function v ↦ (∂f/∂x) v by central differences; x and v may be containers."""
    return _differences(f, x, STEPS[0])


def _differences(f: Function, x: Any, exponent: float) -> Function:
    leaves, structure = trees.flatten(x)
    size = max(map(_largest, leaves), default=1.0)

    def jvp(v: Any) -> Any:
        refuse_mixture("a difference of f", x=x, v=v)
        along = trees.flatten(v)[0]
        reach = max(map(_largest, along), default=1.0) or 1.0
        h = _rounding(leaves) ** exponent * max(1.0, size) / reach

        def moved(step: float) -> Any:
            there = [as_array(a + step * d, dtype_of(a))[()] for a, d in zip(leaves, along, strict=True)]
            return f(trees.unflatten(structure, there))

        return trees.tree_map(
            lambda a, b: np.subtract(a, b, dtype=zeros_like(a).dtype) / (2 * h), moved(h), moved(-h)
        )

    return jvp


def _largest(x: Any) -> float:
    return float(np.max(np.abs(on_host(x)), initial=0.0))


def _directions(x: Any, seed: int) -> Any:
    """Random numbers in the containers, shapes and dtypes of x; zeros for what does not move.

    λ and v need different seeds: ⟨v, J v⟩ would not see the skew part of J.
    """
    rng = np.random.default_rng(seed)

    def drawn(a: Any) -> Any:
        d = direction_like(a, rng)
        return zeros_like(a) if d is None else d

    return trees.tree_map(drawn, x)


def _leaves(x: Any) -> tuple[Any, ...]:
    return tuple(trees.flatten(x)[0])


def check_vjp(f: Function, x: Any) -> None:
    """Check the pullback of f at x: ⟨Jᵀλ, v⟩ against ⟨λ, J v⟩ by differences.

    Raises:
        AssertionError: they differ.
    """
    pullback, y = make_vjp(f)(x)
    lam, v = _directions(y, 1), _directions(x, 2)
    exact = rough = pairing(_leaves(pullback(lam)), _leaves(v))
    for exponent in STEPS:
        pushed = _leaves(_differences(f, x, exponent)(v))
        rough = pairing(_leaves(lam), pushed)
        if abs(exact - rough) <= _tolerance(_leaves(x)) * max(1.0, length(_leaves(lam)) * length(pushed)):
            return
    raise AssertionError(
        f"derivative (VJP) check of {name_of(f)} failed at {x}\n"
        f"  ⟨Jᵀλ, v⟩ by its pullback  {exact:.12g}\n"
        f"  ⟨λ, Jv⟩ by differences    {rough:.12g}"
    )


def check_jvp(f: Function, x: Any) -> None:
    """Check the pushforward of f at x: J v against differences.

    Raises:
        AssertionError: they differ.
    """
    v = _directions(x, 2)
    exact, structure = trees.flatten(make_jvp(f)(x)(v)[1])
    rough = exact
    for exponent in STEPS:
        rough, expected = trees.flatten(_differences(f, x, exponent)(v))
        assert structure == expected, f"derivative (JVP) of {name_of(f)} is {structure}, not {expected}"
        gap = tuple(np.subtract(a, b) for a, b in zip(exact, rough, strict=True))
        if length(gap) <= _tolerance(_leaves(x)) * max(1.0, length(tuple(exact))):
            return
    raise AssertionError(
        f"derivative (JVP) check of {name_of(f)} failed at {x}\n"
        f"  Jv by its pushforward  {trees.unflatten(structure, exact)}\n"
        f"  Jv by differences      {trees.unflatten(structure, rough)}"
    )


# ----------------------------------------------------------------------------------- all derivatives
def check_grads(
    f: Function, argnum: Argnum = 0, modes: Sequence[str] = ("fwd", "rev"), order: int = 2
) -> Function:
    """A function of f's arguments that checks the derivatives of f there.

    Args:
        f: arrays and nested containers in and out, real or complex.
        argnum: which argument(s) to differentiate.
        modes: "fwd" for tangents, "rev" for multipliers. To order 2 and above, the derivatives found in each
            are checked in all of them.
        order: up to which derivative.

    Returns:
        The check: it raises AssertionError, naming the derivative (`vjp_f`, `jvp_vjp_f`, …), or returns None.

    Raises:
        ValueError: a mode of another name.

    >>> check_grads(lambda x, y: {"z": np.sin(x) * y}, argnum=(0, 1))(np.ones(2), 3.0)
    """
    if not MODES.issuperset(modes):
        raise ValueError(f"modes are 'fwd' and 'rev', not {modes!r}")

    @named(f, "check_grads", argnum)
    def checked(*args: Any, **kwargs: Any) -> None:
        def unary(x: Any) -> Any:
            return f(*replace(args, argnum, x), **kwargs)

        unary.__name__ = name_of(f)
        _check_to(unary, pick(args, argnum), modes, order)

    return checked


def _check_to(f: Function, x: Any, modes: Sequence[str], order: int) -> None:
    """Check f, and its derivatives as functions of x and of the direction."""
    if "fwd" in modes:
        check_jvp(f, x)
        if order > 1:

            def pushed(x_and_v: Any) -> Any:
                x, v = x_and_v
                return make_jvp(f)(x)(v)[1]

            pushed.__name__ = f"jvp_{name_of(f)}"
            _check_to(pushed, (x, _directions(x, 3)), modes, order - 1)
    if "rev" in modes:
        check_vjp(f, x)
        if order > 1:

            def pulled(x_and_lam: Any) -> Any:
                x, lam = x_and_lam
                return make_vjp(f)(x)[0](lam)

            pulled.__name__ = f"vjp_{name_of(f)}"
            _check_to(pulled, (x, _directions(f(x), 4)), modes, order - 1)


def combo_check(f: Function, *args: Any, **kwargs: Any) -> Function:
    """`check_grads(f, *args, **kwargs)` for every combination of arguments.

    Returns:
        A function of lists: of values for each positional argument, and for each keyword argument.

    >>> combo_check(np.sum, 0)([np.ones(3), np.ones((2, 3))], axis=[None, 0], keepdims=[False, True])
    """
    check = check_grads(f, *args, **kwargs)

    def checked(*choices: Sequence[Any], **options: Sequence[Any]) -> None:
        for chosen in product(*choices):
            for values in product(*options.values()):
                check(*chosen, **dict(zip(options, values, strict=True)))

    return checked
