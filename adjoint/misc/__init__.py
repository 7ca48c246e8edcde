"""Small tools under HIPS/autograd's names: flat vectors, optimizers, fixed points, replayed programs."""

from .flatten import flatten
from .tracers import const_graph

__all__ = ["const_graph", "flatten"]
