"""Classic models as constrained problems: fit and predict as in scikit-learn, with multipliers and residuals.

Sign convention: see `adjoint.problems`. scikit-learn is not needed, though its tools accept these models.
"""

from .base import (
    Classifier,
    DataConversionWarning,
    DataError,
    Estimator,
    NotFittedError,
    Regressor,
    Transformer,
)
from .lasso import ElasticNet, Lasso, LassoPath, enet_path, lasso_path
from .ridge import Ridge, RidgePath, ridge_path

# fmt: off
__all__ = [  # noqa: RUF022  (grouped by use)
    "Ridge", "ridge_path", "RidgePath",
    "Lasso", "ElasticNet", "lasso_path", "enet_path", "LassoPath",
    "Estimator", "Regressor", "Classifier", "Transformer",
    "NotFittedError", "DataError", "DataConversionWarning",
]
# fmt: on
