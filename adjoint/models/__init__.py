"""Classic models as constrained problems: fit and predict as in scikit-learn, with multipliers and residuals.

Beside them stand `alignment`, policies aligned under constraints from scores alone, and `trpo`, reinforcement
learning within a trust region.

All compute on the host, and refuse arrays of cupy; but for what a trainer takes of `alignment` (its losses
and advantages) and the policies of `trpo`, which compute where their arrays are.

Sign convention: see `adjoint.problems`. scikit-learn is not needed, though its tools accept these models.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from . import alignment, trpo
    from .alignment import align

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


def __getattr__(name: str) -> Any:
    """Packages that are imported when first used: they are as large as all the others together."""
    if name not in ("align", "alignment", "trpo"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "trpo":
        return import_module(".trpo", __name__)
    alignment = import_module(".alignment", __name__)
    return alignment.align if name == "align" else alignment
