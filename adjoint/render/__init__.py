"""Drawings: the computation graph with its multipliers, in every format.

`draw` makes a `Picture` of whatever can be drawn. On the way everything is a plain `Graph` of numbers and
texts, of which a `View` says what is drawn. Nothing in the library imports this package.
"""

from .drawing import draw
from .layout import LayoutError
from .picture import Picture

__all__ = ["LayoutError", "Picture", "draw"]
