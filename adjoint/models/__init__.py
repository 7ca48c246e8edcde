"""Classic models as constrained problems: fit and predict as in scikit-learn, with multipliers and residuals.

Beside them stand `alignment`, policies aligned under constraints from scores alone, and `trpo`, reinforcement
learning within a trust region.

Sign convention: see `adjoint.problems`. scikit-learn is not needed, though its tools accept these models.
"""

from . import alignment, trpo
from .alignment import align
from .base import (
    Classifier,
    DataConversionWarning,
    DataError,
    Estimator,
    NotFittedError,
    Regressor,
    Transformer,
)
from .categorical import Categorical
from .lasso import ElasticNet, Lasso, LassoPath, enet_path, lasso_path
from .linear import Path
from .logistic import LogisticRegression
from .maxent import MaxEnt
from .maxent_existence import Verdict
from .maxent_supports import Interval
from .pca import PCA
from .ridge import Ridge, ridge_path
from .svm import SVC, OneClassSVM
from .svm_machine import FitStatus, FitWarning

# fmt: off
__all__ = [  # noqa: RUF022  (grouped by use)
    "Ridge", "ridge_path", "Lasso", "ElasticNet", "lasso_path", "enet_path", "Path", "LassoPath",
    "LogisticRegression", "Categorical", "PCA",
    "SVC", "OneClassSVM", "FitStatus", "FitWarning",
    "MaxEnt", "Interval", "Verdict",
    "align", "alignment", "trpo",
    "Estimator", "Regressor", "Classifier", "Transformer",
    "NotFittedError", "DataError", "DataConversionWarning",
]
# fmt: on
