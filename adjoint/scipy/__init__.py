"""SciPy's namespace, as far as it is differentiable: `special`, `stats`, `linalg`, `integrate`, `signal`.

SciPy's ufuncs (`scipy.special.erf`, `expit`, `gammaln` …) answer NumPy's protocols and work on Variables as
they are; these modules add the functions that do not. SciPy itself is imported when first used.
"""

from . import integrate, linalg, signal, special, stats

__all__ = ["integrate", "linalg", "signal", "special", "stats"]
