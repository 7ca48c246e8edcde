"""`scipy.stats`: densities and distribution functions, one module per distribution, one function per method.

    import adjoint.scipy.stats as stats
    import adjoint.scipy.stats.multivariate_normal as mvn

Names, signatures, broadcasting and values are SciPy's: beyond the support a density is 0 and its logarithm
−∞, with derivatives 0; parameters outside their range give NaN. Every real operand has a derivative, save the
shape parameters of some distribution functions, which are refused by name. What is counted (k, n) has
derivative 0. Every other name is SciPy's own, and takes plain numbers.
"""

from __future__ import annotations

from ..theirs import theirs
from . import (
    bernoulli,
    beta,
    binom,
    chi2,
    dirichlet,
    expon,
    gamma,
    laplace,
    lognorm,
    multivariate_normal,
    norm,
    poisson,
    t,
    vonmises,
)  # fmt: skip

__all__ = [
    "bernoulli", "beta", "binom", "chi2", "dirichlet", "expon", "gamma", "laplace", "lognorm",
    "multivariate_normal", "norm", "poisson", "t", "vonmises",
]  # fmt: skip

__getattr__, __dir__ = theirs("stats", __all__)
