"""What a constraint can be: the primitives. Start with `primitive.py`, then the table in `elementwise.py`."""

from . import broadcast, elementwise, factorize, index, linalg, products, reduce, segment, shape, special
from .primitive import PRIMITIVES, Linear, Primitive, Recorded, register

__all__ = [
    "PRIMITIVES", "Linear", "Primitive", "Recorded", "broadcast", "elementwise", "factorize", "index",
    "linalg", "products", "reduce", "register", "segment", "shape", "special",
]  # fmt: skip
