"""SciPy's namespace, as far as it is differentiable: `adjoint.scipy.special`, `adjoint.scipy.linalg`.

SciPy's ufuncs (`scipy.special.erf`, `expit`, `gammaln` …) answer NumPy's protocols and work on Variables as
they are; these modules add the functions that do not. SciPy itself is imported when first used.
"""

from . import linalg, special

__all__ = ["linalg", "special"]
