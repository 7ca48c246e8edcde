"""Plain functions in, derivative functions out."""

from .checkpoint import checkpoint
from .cond import cond
from .custom import elementwise, primitive
from .derivatives import (
    elementwise_grad,
    grad,
    grad_and_aux,
    hessian,
    hessian_vector_product,
    hvp,
    jacobian,
    jvp,
    make_jvp,
    make_vjp,
    value_and_grad,
    vjp,
)
from .implicit import fixed_point, root
from .multipliers import nan_origin, with_multipliers
from .scan import scan

__all__ = [
    "checkpoint", "cond", "elementwise", "elementwise_grad", "fixed_point", "grad", "grad_and_aux", "hessian",
    "hessian_vector_product", "hvp", "jacobian", "jvp", "make_jvp", "make_vjp", "nan_origin", "primitive",
    "root", "scan", "value_and_grad", "vjp", "with_multipliers",
]  # fmt: skip
