"""Programs as tapes of constraints, with explicit, named, certified Lagrange multipliers.

A program is a list of constraints z_i = f_i(z_<i, W). One adjoint sweep leaves the multiplier λ_i of each;
the multipliers of the parameters are the gradient.

>>> import numpy as np
>>> import adjoint as ad
>>> ad.grad(lambda w: np.sum(np.tanh(w) ** 2))(np.array([0.0, 1.0]))
array([0.        , 0.63970001])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import numpy
from ._version import __version__
from .builtins import dict as dict
from .builtins import isinstance as isinstance
from .builtins import list as list
from .builtins import tuple as tuple
from .builtins import type as type
from .engines import compile, get_num_threads, set_num_threads
from .errors import (
    AdjointError,
    ConvergenceError,
    ConversionError,
    DeviceError,
    DomainError,
    DTypeError,
    IndexingError,
    LeakError,
    MissingPackageError,
    MissingRuleError,
    MutationError,
    RuleError,
    ShapeError,
    TraceError,
    TreeError,
    UnknownNameError,
)
from .ops.segment import segment_logsumexp, segment_max, segment_sum
from .storage import load, save
from .sweeps import (
    Certificate,
    Lagrangian,
    Multiplier,
    MultiplierHistory,
    Multipliers,
    NonFinite,
    Perturbation,
)
from .tape import Tape, Variable, name, scope
from .transforms import (
    checkpoint,
    cond,
    deriv,
    egrad,
    elementwise,
    elementwise_grad,
    fixed_point,
    grad,
    grad_and_aux,
    grad_named,
    hessian,
    hessian_tensor_product,
    hessian_vector_product,
    holomorphic_grad,
    hvp,
    jacobian,
    jacobian_vector_product,
    jvp,
    make_ggnvp,
    make_hvp,
    make_jvp,
    make_vjp,
    multigrad_dict,
    nan_origin,
    primitive,
    root,
    scan,
    tensor_jacobian_product,
    value_and_grad,
    vector_jacobian_product,
    vjp,
    with_multipliers,
)
from .tree import tree_map

if TYPE_CHECKING:
    from .problems import Problem, Solution, Status, constrain, minimize
    from .render import LayoutError, Picture, draw
    from .sweeps.difference import Difference
    from .transforms.difference import explain_difference

# fmt: off
__all__ = [  # noqa: RUF022  (grouped by use)
    # functions in, derivative functions out
    "grad", "value_and_grad", "grad_and_aux", "grad_named", "multigrad_dict", "elementwise_grad", "egrad",
    "deriv", "holomorphic_grad", "jacobian", "hessian", "make_vjp", "make_jvp", "make_hvp", "make_ggnvp",
    "hessian_vector_product", "hessian_tensor_product", "tensor_jacobian_product", "vector_jacobian_product",
    "jacobian_vector_product", "hvp", "vjp", "jvp",
    # multipliers
    "Tape", "Variable", "name", "scope", "with_multipliers", "Lagrangian", "Multiplier", "Multipliers",
    "MultiplierHistory", "Certificate", "Perturbation", "NonFinite", "nan_origin", "Difference",
    "explain_difference",
    # constrained problems
    "minimize", "constrain", "Problem", "Solution", "Status",
    # drawings
    "draw", "Picture",
    # compiled programs
    "compile", "set_num_threads", "get_num_threads",
    # programs within programs
    "primitive", "elementwise", "root", "fixed_point", "checkpoint", "scan", "cond",
    # reductions over ragged rows
    "segment_sum", "segment_max", "segment_logsumexp",
    # NumPy's namespace; containers; files
    "numpy", "tree_map", "save", "load",
    # errors
    "AdjointError", "ConvergenceError", "ConversionError", "DeviceError", "DomainError", "DTypeError",
    "IndexingError", "LayoutError", "LeakError", "MissingPackageError", "MissingRuleError", "MutationError",
    "RuleError", "ShapeError", "TraceError", "TreeError", "UnknownNameError",
    "__version__",
]
# fmt: on


# name → the module that has it: what not everybody needs is imported when it is first used
LATER = {
    **{name: name for name in ("check", "extend", "misc", "models", "nn", "optim", "plot", "problems")},
    **{name: name for name in ("render", "scipy", "test_util", "tracer", "util")},
    **dict.fromkeys(("Problem", "Solution", "Status", "constrain", "minimize"), "problems"),
    **dict.fromkeys(("LayoutError", "Picture", "draw"), "render"),
    "changes": "changes",
    "Difference": "sweeps.difference",
    "explain_difference": "transforms.difference",
}


def __getattr__(name: str) -> Any:
    """Modules, and functions of modules, that are imported when first used."""
    home = LATER.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f".{home}", __name__)
    found = globals()[name] = module if home == name else getattr(module, name)
    return found
