"""What all models share: parameters, checks of data, scores; scikit-learn's manners without scikit-learn.

A model's constructor only stores its parameters; `fit` checks them and the data, and sets attributes that end
in an underscore. Besides scikit-learn's, every model has

    multipliers_   name of a constraint → its KKT multipliers
    residuals_     the four KKT residuals, `adjoint.problems.Residuals`

Sign convention: see `adjoint.problems`. scikit-learn finds what it asks for (`get_params`, tags, its own
exception for a model that is not fitted), and is imported only when it asks.
"""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import AdjointError, DTypeError, ShapeError, UnknownNameError, refusal, warn
from ..ops.sides import host_only

Floats = NDArray[np.float64]
M = TypeVar("M", bound="Estimator")


class NotFittedError(AdjointError, ValueError, AttributeError):
    """A model was asked for something before `fit`."""


class DataError(AdjointError, ValueError):
    """Data or a parameter for which the model is not defined: NaN, one class, a negative penalty."""


class DataConversionWarning(UserWarning):
    """A column y was taken as the row of numbers that it holds."""


# ------------------------------------------------------------------------------------------ the classes
@host_only
class Estimator:
    """Parameters by name, their text, the checks of data, and the tags that scikit-learn reads.

    Models compute on the host: every public method of a subclass refuses arrays of a device.
    """

    _kind: ClassVar[str | None] = None
    _multi_output: ClassVar[bool] = False
    multipliers_: dict[str, Any]
    n_features_in_: int

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        host_only(cls)

    @classmethod
    def _names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's parameters by name; `deep` is there because scikit-learn passes it."""
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self: M, **params: Any) -> M:
        """Change parameters by name; those that `fit` reads count from the next one on.

        Raises:
            DataError: there is no such parameter.
        """
        for name, value in params.items():
            if name not in self._names():
                what = f"invalid parameter {name!r} for {type(self).__name__}"
                raise refusal(DataError, what, f"There are {', '.join(self._names()) or 'none'}.")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        given = inspect.signature(type(self).__init__).parameters
        changed = (
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if repr(value) != repr(given[name].default)
        )
        return f"{type(self).__name__}({', '.join(changed)})"

    def sensitivity(self, name: str) -> Any:
        """df*/db for the right-hand side b of one constraint: minus its multiplier.

        Raises:
            NotFittedError: before `fit`.
            UnknownNameError: there is no such constraint.
        """
        self._check_fitted("multipliers_")
        if name not in self.multipliers_:
            known = ", ".join(self.multipliers_) or "none"
            raise UnknownNameError(f"no constraint {name!r}; there are {known}")
        return 0.0 - self.multipliers_[name]

    def __sklearn_tags__(self) -> Any:
        utils = import_module("sklearn.utils")
        supervised = self._kind in ("classifier", "regressor")
        target = utils.TargetTags(required=supervised, multi_output=self._multi_output)
        tags = utils.Tags(estimator_type=self._kind, target_tags=target)
        if self._kind == "classifier":
            tags.classifier_tags = utils.ClassifierTags()
        elif self._kind == "regressor":
            tags.regressor_tags = utils.RegressorTags()
        elif self._kind == "transformer":
            tags.transformer_tags = utils.TransformerTags()
        return tags

    def _check_fitted(self, attribute: str = "n_features_in_") -> None:
        if not hasattr(self, attribute):
            kind = _theirs("NotFittedError", NotFittedError)
            raise refusal(kind, f"this {type(self).__name__} is not fitted yet", "Call fit first.")

    def _check_first(self, X: object, at_least: int = 1) -> Floats:
        """X (n, p) to be fitted; remembers p, and the names of a data frame's columns."""
        checked = check_matrix(X, type(self).__name__, at_least)
        self.n_features_in_ = checked.shape[1]
        names = getattr(X, "columns", None)
        if names is not None and all(isinstance(name, str) for name in names):
            self.feature_names_in_ = np.asarray(names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return checked

    def _check_again(self, X: object) -> Floats:
        """X (n, p) of a fitted model."""
        self._check_fitted()
        checked = check_matrix(X, type(self).__name__)
        if checked.shape[1] != self.n_features_in_:
            what = (
                f"X has {checked.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input"
            )
            raise refusal(ShapeError, what, "Pass the columns that it was fitted to, in their order.")
        return checked


class _Predictor(Protocol):
    def predict(self, X: ArrayLike) -> Any: ...


class Regressor(Estimator):
    """A model with `predict` for real targets, scored by R²."""

    _kind: ClassVar[str | None] = "regressor"

    def score(self: _Predictor, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """R² = 1 − Σ (y − ŷ)² / Σ (y − ȳ)², averaged over outputs.

        1 for a constant y that is met, 0 for one that is missed.

        Args:
            X: (n, p).
            y: (n,) or (n, t).
            sample_weight: (n,), ≥ 0.
        """
        predicted = np.asarray(self.predict(X), dtype=float)
        target = np.asarray(y, dtype=float).reshape(predicted.shape)
        weight = check_weights(sample_weight, len(target)).reshape(-1, *[1] * (target.ndim - 1))
        mean = np.sum(weight * target, axis=0) / np.sum(weight)
        left = np.sum(weight * (target - predicted) ** 2, axis=0)
        total = np.sum(weight * (target - mean) ** 2, axis=0)
        ratio = np.where(left == 0, 0.0, np.where(total == 0, 1.0, left / np.where(total == 0, 1.0, total)))
        return float(np.mean(1 - ratio))


class Classifier(Estimator):
    """A model with `predict` for labels, scored by the share of right ones."""

    _kind: ClassVar[str | None] = "classifier"

    def score(self: _Predictor, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The share of labels predicted right.

        Args:
            X: (n, p).
            y: (n,) labels.
            sample_weight: (n,), ≥ 0.
        """
        right = np.asarray(self.predict(X)) == np.asarray(y)
        weight = check_weights(sample_weight, len(right))
        return float(np.sum(weight * right) / np.sum(weight))


class Transformer(Estimator):
    """A model with `transform`."""

    _kind: ClassVar[str | None] = "transformer"

    def fit_transform(self, X: ArrayLike, y: None = None) -> Any:
        """`fit(X).transform(X)`."""
        fitted: Any = self
        return fitted.fit(X).transform(X)


# ------------------------------------------------------------------------------------------ the checks
def check_matrix(X: object, model: str, at_least: int = 1) -> Floats:
    """X as a finite float64 matrix (n, p), n ≥ at_least, p ≥ 1; not copied where it is one already.

    Raises:
        ShapeError: not two-dimensional, no columns, or too few rows.
        DataError: NaN or infinite entries, complex or sparse data.
        DTypeError: entries that are no numbers.
    """
    package = type(X).__module__
    if package.startswith(("scipy.sparse", "cupyx.scipy.sparse")):
        dense = "X.get().toarray()" if package.startswith("cupyx") else "X.toarray()"
        what = f"sparse data is not supported by {model}"
        raise refusal(DataError, what, f"Pass {dense}, if memory allows it.")
    array = _numbers(X, "X")
    if array.ndim != 2:
        what = f"Expected 2D array, got {array.ndim}D array instead: X is {array.shape}"
        remedy = (
            "Reshape your data: X[:, None] is one column, X[None, :] is one row." if array.ndim == 1 else ""
        )
        raise refusal(ShapeError, what, remedy)
    n, p = array.shape
    if n < at_least:
        what = (
            f"found {n} sample{'' if n == 1 else 's'} (shape={array.shape}) "
            f"while a minimum of {at_least} is required by {model}"
        )
        raise refusal(ShapeError, what)
    if p < 1:
        raise refusal(
            ShapeError, f"0 feature(s) (shape={array.shape}) while a minimum of 1 is required by {model}."
        )
    check_finite(array, "X")
    return array


def check_target(y: object, n: int, *, multi_output: bool = False) -> Floats:
    """y as finite float64 numbers (n,), or (n, t) where several outputs are meant; a column is a (n,).

    Raises:
        DataError: None, NaN or infinite.
        ShapeError: of another shape, or not as long as X.
    """
    if y is None:
        raise refusal(DataError, "fit requires y to be passed, but the target y is None")
    array = _numbers(y, "y")
    if array.ndim == 2 and not multi_output and array.shape[1] == 1:
        _warn_column()
        array = array[:, 0]
    if array.ndim not in ((1, 2) if multi_output else (1,)):
        what = f"y should be a 1d array{' or a matrix' if multi_output else ''}, got shape {array.shape}"
        raise refusal(ShapeError, what)
    _check_length(array, n)
    check_finite(array, "y")
    return array


def check_labels(y: object, n: int, model: str) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The classes, sorted, and for each sample (n,) the position of its class.

    Raises:
        DataError: None, NaN, numbers that are no whole ones, or fewer than two classes.
        ShapeError: not (n,).
    """
    if y is None:
        raise refusal(DataError, "fit requires y to be passed, but the target y is None")
    array = np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        _warn_column()
        array = array[:, 0]
    if array.ndim != 1:
        raise refusal(ShapeError, f"y should be a 1d array, got shape {array.shape}")
    _check_length(array, n)
    if array.dtype.kind == "c":
        raise refusal(DataError, "Complex data not supported: y is complex")
    if array.dtype.kind == "f":
        check_finite(array, "y")
        if np.any(array != np.round(array)):
            raise refusal(
                DataError, "Unknown label type: continuous (y has fractions)", "Is it a regression?"
            )
    try:
        classes, codes = np.unique(array, return_inverse=True)
    except TypeError as why:
        raise refusal(DataError, "Unknown label type: y mixes kinds of labels that cannot be sorted") from why
    if len(classes) < 2:
        what = f"{model} needs at least two classes; y has 1 class only: {classes[0]!r}"
        raise refusal(DataError, what)
    return classes, codes


def class_factors(given: object, classes: NDArray[Any], counts: NDArray[Any]) -> Floats:
    """Factors of the classes (k,) from `class_weight`: a dict, "balanced" for Σn/(k n), or None for ones.

    Args:
        given: the parameter. A dict that names every class may name others: a part of the data may lack some.
        classes: (k,).
        counts: n (k,), the samples' weights, class by class.

    Raises:
        DataError: of another kind, an unknown class, a factor that is not > 0.
    """
    if given is None:
        return np.ones(len(classes))
    if isinstance(given, str) and given == "balanced":
        balanced: Floats = np.sum(counts) / (len(counts) * counts)
        return balanced
    if not isinstance(given, dict):
        raise refusal(DataError, f"class_weight should be a dict, 'balanced' or None, got {given!r}")
    factors, known = np.ones(len(classes)), classes.tolist()
    complete = all(label in given for label in known)
    for label, factor in given.items():
        if label in known:
            factors[known.index(label)] = check_number(factor, f"class_weight[{label!r}]", strict=True)
        elif not complete:
            what = f"class_weight has {label!r}, which is none of the classes {known}"
            raise refusal(DataError, what)
    return factors


def check_weights(sample_weight: object, n: int) -> Floats:
    """Weights of the samples (n,), ≥ 0 and not all 0; ones where none are given.

    Raises:
        ShapeError: neither a number nor (n,).
        DataError: negative, NaN, infinite, or all zero.
    """
    if sample_weight is None:
        return np.ones(n)
    array = _numbers(sample_weight, "sample_weight")
    if array.ndim == 0:
        array = np.full(n, float(array))
    if array.shape != (n,):
        raise refusal(ShapeError, f"sample_weight should be ({n},), one per row of X, got {array.shape}")
    check_finite(array, "sample_weight")
    if np.min(array) < 0:
        raise refusal(DataError, f"a negative sample_weight: {np.min(array):.3g}", "Weights are ≥ 0.")
    if not np.any(array):
        raise refusal(DataError, "sample_weight must contain at least one non-zero number")
    return array


def is_number(value: object) -> bool:
    """Whether a parameter is a real number, Python's or NumPy's."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def check_number(
    value: object,
    name: str,
    *,
    low: float = 0.0,
    high: float = np.inf,
    strict: bool = False,
    below: float | None = None,
) -> float:
    """A parameter as a float in [low, high], or above `low`, or below `below`, where that is asked for.

    Raises:
        DataError: not a number, NaN, or out of range.
    """
    if (
        is_number(value)
        and (low < value if strict else low <= value)  # type: ignore[operator]
        and (value <= high if below is None else value < below)  # type: ignore[operator]
    ):
        return float(value)  # type: ignore[arg-type]
    unbounded = high >= np.finfo(float).max
    limits = f"{'>' if strict else '≥'} {low:g}" + ("" if unbounded else f" and ≤ {high:g}")
    limits += "" if below is None else f" and < {below:g}"
    kind = "finite number" if unbounded and high < np.inf else "number"
    raise refusal(DataError, f"{name} should be a {kind} {limits}, got {value!r}")


def check_count(value: object, name: str, *, low: int = 0) -> int:
    """A parameter as an int of at least `low`; 5e4 is one, too.

    Raises:
        DataError: not a whole number, or too small.
    """
    if is_number(value) and low <= value < np.inf and value == int(value):  # type: ignore[operator, call-overload]
        return int(value)  # type: ignore[call-overload]
    raise refusal(DataError, f"{name} should be a whole number ≥ {low}, got {value!r}")


def check_finite(array: NDArray[Any], name: str) -> None:
    """Refuse NaN and infinite entries, and say where the first one is.

    Raises:
        DataError: there is one.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        # one pass without a mask: a sum is finite if all are, unless it overflows
        if np.isfinite(np.sum(array)):
            return
    bad = ~np.isfinite(array)
    if bad.any():
        where = tuple(int(k) for k in np.argwhere(bad)[0])
        kind = "NaN" if np.isnan(array[where]) else "infinity (inf)"
        what = f"{name} contains {kind}: {name}[{', '.join(map(str, where))}]; {bad.sum()} entries in all"
        raise refusal(DataError, what, "Drop those rows, or fill the entries in.")


def _numbers(values: object, name: str) -> Floats:
    array = values if isinstance(values, np.ndarray) else np.asarray(values)
    if array.dtype.kind == "c":
        raise refusal(DataError, f"Complex data not supported: {name} is {array.dtype}")
    try:
        return np.asarray(array, dtype=np.float64)
    except TypeError as why:
        raise refusal(DTypeError, f"{name} should hold numbers: {why}") from why
    except ValueError as why:
        raise refusal(DataError, f"{name} should hold numbers: {why}") from why


def _check_length(y: NDArray[Any], n: int) -> None:
    if len(y) != n:
        raise refusal(ShapeError, f"X and y differ in their numbers of samples: {n} and {len(y)}")


def _warn_column() -> None:
    kind = _theirs("DataConversionWarning", DataConversionWarning)
    text = "A column-vector y was passed when a 1d array was expected; y[:, 0] was taken."
    warn(text, kind)


_BOTH: dict[type, type] = {}


def _theirs(name: str, ours: type) -> Any:
    """Our class, and scikit-learn's at once where that is loaded: who catches theirs catches ours."""
    theirs = getattr(sys.modules.get("sklearn.exceptions"), name, None)
    if theirs is None:
        return ours
    if ours not in _BOTH:
        _BOTH[ours] = type(ours.__name__, (ours, theirs), {"__doc__": ours.__doc__})
    return _BOTH[ours]
