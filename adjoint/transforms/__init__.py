"""Plain functions in, derivative functions out."""

from .by_name import grad_named, multigrad_dict
from .checkpoint import checkpoint
from .cond import cond
from .custom import elementwise, primitive
from .derivatives import (
    deriv,
    egrad,
    elementwise_grad,
    grad,
    grad_and_aux,
    holomorphic_grad,
    jvp,
    make_jvp,
    make_vjp,
    value_and_grad,
    vjp,
)
from .implicit import fixed_point, root
from .jacobians import hessian, jacobian
from .multipliers import nan_origin, with_multipliers
from .products import (
    hessian_tensor_product,
    hessian_vector_product,
    hvp,
    jacobian_vector_product,
    make_ggnvp,
    make_hvp,
    tensor_jacobian_product,
    vector_jacobian_product,
)
from .scan import scan

__all__ = [
    "checkpoint", "cond", "deriv", "egrad", "elementwise", "elementwise_grad", "fixed_point", "grad",
    "grad_and_aux", "grad_named", "hessian", "hessian_tensor_product", "hessian_vector_product",
    "holomorphic_grad", "hvp", "jacobian", "jacobian_vector_product", "jvp", "make_ggnvp", "make_hvp",
    "make_jvp", "make_vjp", "multigrad_dict", "nan_origin", "primitive", "root", "scan",
    "tensor_jacobian_product", "value_and_grad", "vector_jacobian_product", "vjp", "with_multipliers",
]  # fmt: skip
