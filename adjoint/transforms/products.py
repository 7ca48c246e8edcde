"""Products with Jacobians and Hessians that are never formed: one or two sweeps each, whatever their size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import ShapeError, refusal
from ..ops.primitive import dtype_of, shape_of
from .derivatives import grad, make_jvp, make_vjp
from .jacobians import jacobian
from .naming import named
from .recording import Argnum, Recording

Function = Callable[..., Any]


def hessian_vector_product(f: Function, argnum: Argnum = 0) -> Function:
    """`hessian_vector_product(f)(*args, v)` is (∇²f) v, the tangent of the gradient.

    It costs about four times as much as f. v has the shape and the containers of the argument.

    >>> hessian_vector_product(lambda x: np.sum(x**3))(np.array([1.0, 2.0]), np.array([1.0, -1.0]))
    array([  6., -12.])
    """

    @named(f, "hessian_vector_product", argnum)
    def product(*args: Any, **kwargs: Any) -> Any:
        *inner, v = args
        return make_jvp(grad(f, argnum), argnum)(*inner, **kwargs)(v)[1]

    return product


hessian_tensor_product = hessian_vector_product  # the same for an argument of any number of axes


def hvp(f: Function, x: Any, v: Any) -> Any:
    """(∇²f(x)) v for a scalar function of one argument (which may be a container)."""
    return hessian_vector_product(f)(x, v)


def make_hvp(f: Function, argnum: Argnum = 0) -> Function:
    """`make_hvp(f)(x)` returns `(hvp, ∇f(x))`; `hvp(v)` is (∇²f) v and can be called again and again.

    The gradient is recorded once for all v.

    >>> product, gradient = make_hvp(lambda x: np.sum(x**3))(np.array([1.0, 2.0]))
    >>> gradient, product(np.array([1.0, 0.0]))
    (array([ 3., 12.]), array([6., 0.]))
    """
    # the Hessian is symmetric: its pullback is the product itself
    return named(f, "make_hvp", argnum)(make_vjp(grad(f, argnum), argnum))


def tensor_jacobian_product(f: Function, argnum: Argnum = 0) -> Function:
    """`tensor_jacobian_product(f)(*args, λ)` is λᵀ ∂f/∂x, λ contracted with the first axes of f's result.

    With λ in the shape of the result (or in its containers) that is one adjoint sweep. A λ of fewer axes
    leaves the others in front: shape `f(x).shape[λ.ndim:] + x.shape`.

    Raises:
        ShapeError: λ's shape is not that of the first axes of f's result.

    >>> tensor_jacobian_product(lambda x: x**2)(np.array([1.0, 2.0]), np.array([1.0, -1.0]))
    array([ 2., -4.])
    """

    @named(f, "tensor_jacobian_product", argnum)
    def product(*args: Any, **kwargs: Any) -> Any:
        *inner, lam = args
        run = Recording(f, inner, kwargs, argnum)
        shape = shape_of(run.results[0]) if run.output_structure == trees.LEAF else None
        if shape is None or shape_of(lam) == shape:
            return trees.unflatten(run.structure, run.pull(run.check_like_output(lam)))
        n = len(shape_of(lam))
        if shape_of(lam) != shape[:n]:
            what = f"tensor_jacobian_product cannot contract {shape_of(lam)} with a result {shape}"
            raise refusal(ShapeError, what, "Its axes are the first of the result's, in that order.")

        def contracted(*x: Any, **options: Any) -> Any:
            return np.tensordot(lam, f(*x, **options), n)

        return jacobian(contracted, argnum)(*inner, **kwargs)

    return product


vector_jacobian_product = tensor_jacobian_product


def jacobian_vector_product(f: Function, argnum: Argnum = 0) -> Function:
    """`jacobian_vector_product(f)(*args, v)` is (∂f/∂x) v, from one forward and one tangent sweep.

    >>> jacobian_vector_product(lambda x: x**2)(np.array([1.0, 2.0]), np.array([1.0, -1.0]))
    array([ 2., -4.])
    """

    @named(f, "jacobian_vector_product", argnum)
    def product(*args: Any, **kwargs: Any) -> Any:
        *inner, v = args
        return make_jvp(f, argnum)(*inner, **kwargs)(v)[1]

    return product


def half_square(z: Any) -> Any:
    """½ Σ |z|²: the loss of least squares."""
    return 0.5 * np.sum(np.real(np.conj(z) * z) if dtype_of(z).kind == "c" else z * z)


def make_ggnvp(f: Function, g: Function = half_square, f_argnum: Argnum = 0) -> Function:
    """Products with the generalized Gauss–Newton matrix Jᵀ(∇²g)J of the composition g(f(x)).

    `make_ggnvp(f, g)(x)` returns `ggnvp`; `ggnvp(v)` is Jᵀ (∇²g(f(x)) (J v)) with J = ∂f/∂x. f runs once for
    all v; each costs a tangent and an adjoint sweep over f, and a Hessian product of g.

    Args:
        f: the inner function, a model.
        g: the outer one, a loss: returns a real scalar of f's result; ½ Σ |z|² by default.
        f_argnum: which argument(s) of f to differentiate.

    Source: Schraudolph 2002, "Fast curvature matrix-vector products for second-order gradient descent".

    >>> product = make_ggnvp(lambda x: np.array([[1.0, 2.0], [0.0, 1.0]]) @ x)(np.ones(2))
    >>> product(np.array([1.0, 0.0]))
    array([1., 2.])
    """

    @named(f, "make_ggnvp", f_argnum)
    def prepare(*args: Any, **kwargs: Any) -> Function:
        run = Recording(f, args, kwargs, f_argnum)
        curvature = make_hvp(g)(run.value())[0]

        def ggnvp(v: Any) -> Any:
            pushed = trees.unflatten(run.output_structure, run.push(run.check_like_input(v)))
            pulled = run.pull(run.check_like_output(curvature(pushed)))
            return trees.unflatten(run.structure, pulled)

        return ggnvp

    return prepare
