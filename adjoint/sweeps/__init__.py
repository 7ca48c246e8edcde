"""Sweeps over a tape: adjoint with its multipliers, tangent, and the certificate that they agree."""

from .adjoint import adjoint_sweep
from .certificate import Certificate, NonFinite
from .history import MultiplierHistory
from .lagrangian import Lagrangian
from .multipliers import Multiplier, Multipliers
from .perturbation import Perturbation
from .tangent import tangent_sweep

__all__ = [
    "Certificate", "Lagrangian", "Multiplier", "MultiplierHistory", "Multipliers", "NonFinite",
    "Perturbation", "adjoint_sweep", "tangent_sweep",
]  # fmt: skip
