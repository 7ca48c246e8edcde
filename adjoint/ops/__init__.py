"""What a constraint can be: the primitives. Start with `primitive.py`, then the table in `elementwise.py`."""

from . import (
    broadcast,
    convolution,
    determinants,
    elementwise,
    equations,
    factorize,
    fourier,
    gamma,
    index,
    linalg,
    matrix_functions,
    polynomials,
    products,
    pseudoinverse,
    reduce,
    search,
    segment,
    shape,
    special,
    spectral,
)
from .primitive import PRIMITIVES, Linear, Primitive, Recorded, register

__all__ = [
    "PRIMITIVES", "Linear", "Primitive", "Recorded", "broadcast", "convolution", "determinants",
    "elementwise", "equations", "factorize", "fourier", "gamma", "index", "linalg", "matrix_functions",
    "polynomials", "products", "pseudoinverse", "reduce", "register", "search", "segment", "shape",
    "special", "spectral",
]  # fmt: skip
