"""Functions in, derivative functions out.

Names and argument conventions are those of HIPS/autograd where it has them.

`argnum` is a position or a tuple of positions; arguments may be floats, arrays, or nested lists, tuples and
dicts of these, and derivatives come back in the same containers. Transforms compose: each is a sweep,
and sweeps are recorded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .. import tree as trees
from ..errors import DTypeError, ShapeError, TreeError, describe, refusal
from ..ops.primitive import beside, dtype_of, shape_of
from .naming import name_of, named
from .recording import Argnum, Recording, own

Function = Callable[..., Any]


def _one(x: Any) -> Any:
    return beside(x).ones(shape_of(x), dtype_of(x))[()]


def value_and_grad(f: Function, argnum: Argnum = 0) -> Function:
    """A function that returns `(f(x), ∇f(x))` from one forward and one adjoint sweep.

    Args:
        f: returns a real scalar.
        argnum: which argument(s) to differentiate.

    Returns:
        A function of f's arguments. The gradient has the containers, shapes and dtypes of the argument; an
        argument that f does not use has a zero gradient.

    Raises:
        ShapeError: f's output is not a scalar.
        DTypeError: the argument, or the output, is not floating point.

    >>> value_and_grad(lambda x: x**2)(3.0)
    (9.0, np.float64(6.0))
    """

    @named(f, "value_and_grad", argnum)
    def derivative(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        run, x, gradient = _differentiated(f, args, kwargs, argnum)
        return own([run.plain(x)])[0], gradient

    return derivative


def _differentiated(f: Function, args: Any, kwargs: Any, argnum: Argnum) -> tuple[Recording, Any, Any]:
    """The recording of a scalar function, its result there, and its gradient."""
    run = Recording(f, args, kwargs, argnum)
    x = run.scalar_output("grad")
    return run, x, trees.unflatten(run.structure, run.pull([_one(x)]))


def grad(f: Function, argnum: Argnum = 0) -> Function:
    """The gradient of a scalar function; see `value_and_grad`.

    >>> grad(lambda x: np.sum(x**3))(np.array([1.0, 2.0]))
    array([ 3., 12.])
    """

    @named(f, "grad", argnum)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        return _differentiated(f, args, kwargs, argnum)[2]

    return derivative


def grad_and_aux(f: Function, argnum: Argnum = 0) -> Function:
    """For f that returns `(loss, aux)`: a function that returns `(gradient of the loss, aux)`."""

    @named(f, "grad_and_aux", argnum)
    def derivative(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        aux: list[Any] = []

        def loss(*inner: Any, **options: Any) -> Any:
            result = f(*inner, **options)
            if not (isinstance(result, tuple) and len(result) == 2):
                raise refusal(
                    TreeError,
                    f"grad_and_aux needs a function that returns (loss, aux), not {type(result).__name__}",
                )
            aux.append(result[1])
            return result[0]

        run = Recording(loss, args, kwargs, argnum)
        x = run.scalar_output("grad_and_aux")
        gradient = trees.unflatten(run.structure, run.pull([_one(x)]))
        leaves, structure = trees.flatten(aux[0])
        return gradient, trees.unflatten(structure, own([run.plain(leaf) for leaf in leaves]))

    return derivative


def elementwise_grad(f: Function, argnum: Argnum = 0) -> Function:
    """The derivative of each output element with respect to its own input element.

    For f that works element by element; for other f, the gradient of the sum of its outputs. Also `egrad`.
    """

    @named(f, "elementwise_grad", argnum)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        run = Recording(f, args, kwargs, argnum)
        results = run.array_outputs("elementwise_grad")
        if any(dtype_of(z).kind == "c" for z in results):
            what = f"elementwise_grad needs a real output, {name_of(f)} returns complex numbers"
            raise refusal(
                DTypeError, what, "Return its np.real, np.imag or np.abs, or use deriv or make_vjp."
            )
        return trees.unflatten(run.structure, run.pull([_one(z) for z in results]))

    return derivative


egrad = elementwise_grad


def deriv(f: Function, argnum: Argnum = 0) -> Function:
    """The derivative of f by a scalar, whatever f returns: one tangent sweep, no adjoint sweep.

    For an array as argument, the sum of the columns of the Jacobian.

    >>> deriv(lambda x: np.stack([x, x**2]))(3.0)
    array([1., 6.])
    """

    @named(f, "deriv", argnum)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        run = Recording(f, args, kwargs, argnum)
        run.array_outputs("deriv")
        return trees.unflatten(run.output_structure, run.push([_one(x) for x in run.inputs]))

    return derivative


def holomorphic_grad(f: Function, argnum: Argnum = 0) -> Function:
    """f'(z) of a holomorphic function with one complex result.

    Raises:
        DTypeError: an argument, or the result, is not complex.
        ShapeError: f's result has more than one element.

    >>> holomorphic_grad(lambda z: z**3)(1j)
    np.complex128(-3+0j)
    """

    @named(f, "holomorphic_grad", argnum)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        run = Recording(f, args, kwargs, argnum)
        (z,) = run.results if len(run.results) == 1 else [None]
        for x, whose in (*((x, "argument") for x in run.inputs), (z, "result")):
            if dtype_of(x).kind != "c":
                what = f"holomorphic_grad needs a complex {whose}, {name_of(f)} has {describe(x)}"
                raise refusal(DTypeError, what, "Pass x + 0j; ad.grad differentiates real functions.")
        if math.prod(shape_of(z)) != 1:
            what = f"holomorphic_grad needs a scalar output, got shape {shape_of(z)}"
            raise refusal(ShapeError, what, "Reduce it (np.sum), or use jacobian or make_vjp.")
        return trees.unflatten(run.structure, run.pull([_one(z)]))

    return derivative


def make_vjp(f: Function, argnum: Argnum = 0) -> Function:
    """`make_vjp(f)(x)` returns `(vjp, f(x))`; `vjp(λ)` is λᵀ ∂f/∂x and can be called again and again."""

    @named(f, "make_vjp", argnum)
    def prepare(*args: Any, **kwargs: Any) -> tuple[Function, Any]:
        run = Recording(f, args, kwargs, argnum)

        def pullback(cotangent: Any) -> Any:
            return trees.unflatten(run.structure, run.pull(run.check_like_output(cotangent)))

        return pullback, run.value()

    return prepare


def make_jvp(f: Function, argnum: Argnum = 0) -> Function:
    """`make_jvp(f)(x)` returns `jvp`; `jvp(v)` returns `(f(x), (∂f/∂x) v)`. f runs once for all v."""

    @named(f, "make_jvp", argnum)
    def prepare(*args: Any, **kwargs: Any) -> Function:
        run = Recording(f, args, kwargs, argnum)

        def pushforward(tangent: Any) -> tuple[Any, Any]:
            dots = run.push(run.check_like_input(tangent))
            return run.value(), trees.unflatten(run.output_structure, dots)

        return pushforward

    return prepare


def vjp(f: Function, *primals: Any) -> tuple[Any, Function]:
    """`(f(*primals), pullback)`; `pullback(λ)` is a tuple with λᵀ ∂f/∂x for every primal."""
    pullback, value = make_vjp(f, tuple(range(len(primals))))(*primals)
    return value, pullback


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """`(f(*primals), Σ (∂f/∂x) ẋ)` from one forward and one tangent sweep."""
    result: tuple[Any, Any] = make_jvp(f, tuple(range(len(primals))))(*primals)(tuple(tangents))
    return result


def push_some(f: Function, args: Sequence[Any], dots: Sequence[Any]) -> Any:
    """Σ (∂f/∂x) ẋ over the operands whose tangent is not None; the others may be anything."""
    chosen = [k for k, dot in enumerate(dots) if dot is not None]
    return jvp(of_some(f, args, chosen), [args[k] for k in chosen], [dots[k] for k in chosen])[1]


def pull_some(f: Function, args: Sequence[Any], lam: Function, wanted: Sequence[bool]) -> list[Any]:
    """λᵀ ∂f/∂x of the wanted floating-point or complex operands, None for the others.

    `lam` gives λ from the value of f.
    """
    chosen = [k for k, want in enumerate(wanted) if want and dtype_of(args[k]).kind in "fc"]
    value, pullback = vjp(of_some(f, args, chosen), *(args[k] for k in chosen))
    contributions: list[Any] = [None] * len(args)
    for k, contribution in zip(chosen, pullback(lam(value)), strict=True):
        contributions[k] = contribution
    return contributions


def of_some(f: Function, args: Sequence[Any], chosen: Sequence[int]) -> Function:
    """f as a function of the chosen arguments alone."""

    def of_some(*x: Any) -> Any:
        inner = list(args)
        for k, value in zip(chosen, x, strict=True):
            inner[k] = value
        return f(*inner)

    return of_some
