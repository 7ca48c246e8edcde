"""What a constraint can be: the primitives. Start with `primitive.py`, then the table in `elementwise.py`."""

from . import broadcast, elementwise, index, linalg, reduce, segment, shape
from .primitive import PRIMITIVES, Linear, Primitive, Recorded, register

__all__ = [
    "PRIMITIVES", "Linear", "Primitive", "Recorded", "broadcast", "elementwise", "index", "linalg", "reduce",
    "register", "segment", "shape",
]  # fmt: skip
