"""The transforms under the module name that HIPS/autograd gives them; `import adjoint as ad` has them too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .transforms import (
    checkpoint,
    deriv,
    elementwise_grad,
    grad,
    grad_and_aux,
    grad_named,
    hessian,
    hessian_tensor_product,
    hessian_vector_product,
    holomorphic_grad,
    jacobian,
    make_ggnvp,
    make_hvp,
    make_jvp,
    make_vjp,
    multigrad_dict,
    tensor_jacobian_product,
    value_and_grad,
    vector_jacobian_product,
)
from .transforms.naming import named
from .transforms.recording import Argnum

__all__ = [
    "checkpoint", "deriv", "elementwise_grad", "grad", "grad_and_aux", "grad_named", "hessian",
    "hessian_tensor_product", "hessian_vector_product", "holomorphic_grad", "jacobian", "make_ggnvp",
    "make_hvp", "make_jvp", "make_jvp_reversemode", "make_vjp", "multigrad_dict", "tensor_jacobian_product",
    "value_and_grad", "vector_jacobian_product",
]  # fmt: skip


def make_jvp_reversemode(f: Callable[..., Any], argnum: Argnum = 0) -> Callable[..., Any]:
    """`make_jvp_reversemode(f)(x)` returns v ↦ (∂f/∂x) v: `make_jvp` without the value.

    HIPS/autograd derives it from pullbacks alone; here the tangent sweep gives it: every rule has a twin.

    >>> make_jvp_reversemode(lambda x: x**2)(3.0)(1.0)
    np.float64(6.0)
    """

    @named(f, "make_jvp_reversemode", argnum)
    def prepare(*args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        pushforward = make_jvp(f, argnum)(*args, **kwargs)
        return lambda v: pushforward(v)[1]

    return prepare
