"""What a max-entropy model knows: features of x, their moments, and how far those may be missed.

A feature is a plain NumPy function of the points, or one of the named moments in `NAMED`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DTypeError, ShapeError, refusal
from ..ops.sides import host_result
from .base import DataError, Floats, check_finite
from .maxent_supports import Sites

# What a feature function may return: (n,) or (n, k), or several of these in a tuple, list or dict.
Function = Callable[[Any], Any]
Features = Function | Mapping[str, Function] | Sequence[str] | None
Moments = ArrayLike | Mapping[str, ArrayLike] | None

RESERVED = "total"  # the multiplier of Σp = 1
STANDARD = ("mean", "variance", "skewness", "kurtosis")  # powers of (x − mean)/sd, 1 to 4
_PLAIN: dict[str, Callable[[Sites], Floats]] = {
    "log": lambda s: np.log(s.low),  # of the distance to the lower end: log x on the half line and on [0, 1]
    "log1m": lambda s: np.log(s.high),  # of the distance to the upper end: log(1 − x) on [0, 1]
    "abs": lambda s: np.abs(s.x),
    "cos": lambda s: np.cos(s.x),
    "sin": lambda s: np.sin(s.x),
}
NAMED = (*STANDARD, *_PLAIN)


@dataclass(frozen=True)
class Table:
    """Features under their names, evaluated together.

    Attributes:
        functions: one function, functions by name, or names from `NAMED`.
        center, spread: the mean and variance that named central moments refer to.
    """

    functions: Function | Mapping[str, Function] | tuple[str, ...]
    center: float = 0.0
    spread: float = 1.0

    @property
    def exact(self) -> bool:
        """Whether the distances to the ends are seen, not x alone."""
        return isinstance(self.functions, tuple)

    def columns(self, s: Sites) -> dict[str, Any]:
        """Name → values (n,) or (n, k) at sites (n,), as the functions return them."""
        if isinstance(self.functions, tuple):
            z = (s.x - self.center) / np.sqrt(self.spread)
            powers = {"mean": s.x, "variance": self.spread * z**2, "skewness": z**3, "kurtosis": z**4}
            return {name: powers[name] if name in powers else _PLAIN[name](s) for name in self.functions}
        if isinstance(self.functions, Mapping):
            return {name: function(s.x) for name, function in self.functions.items()}
        return _several(self.functions(s.x))

    def matrix(self, sites: Sites) -> tuple[Floats, dict[str, slice], dict[str, tuple[int, ...]]]:
        """(n, k) columns of all names, where each name's are, and the shape of its moment.

        Raises:
            ShapeError: a feature does not return one row per point.
            DTypeError: it returns no real numbers.
        """
        n, start = len(sites.x), 0
        parts, where, shapes = [], {}, {}
        for name, value in self.columns(sites).items():
            column = _column(name, value, n)
            shapes[name] = column.shape[1:]
            part = column.reshape(n, -1)
            where[name] = slice(start, start + part.shape[1])
            start += part.shape[1]
            parts.append(part)
        return np.concatenate(parts, axis=1) if parts else np.zeros((n, 0)), where, shapes


def table_of(features: Features, moments: Moments) -> Table:
    """The features that a model was given.

    Args:
        features: a function, named functions, names from `NAMED`, or None: those that name the moments,
            and x itself where the moments have no names.
        moments: the moments; "variance", "skewness" and "kurtosis" are about the "mean" among them.

    Raises:
        DataError: an unknown or reserved name, or a central moment without those that it is about.
    """
    if features is None:
        features = list(moments) if isinstance(moments, Mapping) else ["mean"]
    if callable(features):
        return Table(features)
    if isinstance(features, Mapping):
        functions = dict(features)
        for name, function in functions.items():
            if not callable(function):
                raise refusal(DataError, f"feature {name!r} should be a function of x, got {function!r}")
        if RESERVED in functions:
            raise refusal(DataError, f"the name {RESERVED!r} is that of Σp = 1; call the feature otherwise")
        return Table(functions)
    if isinstance(features, (list, tuple)) and all(isinstance(name, str) for name in features):
        return _named(tuple(features), moments)
    raise refusal(
        DataError, f"features should be a function of x, named functions or names, got {features!r}"
    )


def _named(names: tuple[str, ...], moments: Moments) -> Table:
    for name in names:
        if name not in NAMED:
            what = f"no moment is called {name!r}; there are {', '.join(NAMED)}"
            raise refusal(DataError, what, "Others are given as features={name: function of x}.")
    central = [name for name in names if name in STANDARD[1:]]
    needed = set(STANDARD[:2] if {"skewness", "kurtosis"} & set(names) else STANDARD[:1])
    if central and not needed <= set(names):
        what = (
            f"{central[-1]} is about the mean, so it needs {' and '.join(sorted(needed))} among the moments"
        )
        raise refusal(DataError, what, "Moments about 0 are features={'square': lambda x: x**2}.")
    given: Mapping[str, Any] = moments if isinstance(moments, Mapping) else {}
    center = float(given.get("mean", 0.0)) if central else 0.0
    spread = float(given.get("variance", 1.0)) if central else 1.0
    if "variance" in names and not spread > 0:
        raise refusal(DataError, f"a variance should be > 0, got {spread:g}", "At 0, x is its mean.")
    return Table(names, center, spread)


def _several(value: Any) -> dict[str, Any]:
    """A function's result under names: a dict's own, or one name for all."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (tuple, list)):
        value = np.stack([host_result(part, "the features") for part in value], axis=-1)
    return {"moments": value}


def _column(name: str, value: Any, n: int) -> Floats:
    array = host_result(value, f"feature {name!r}")
    if array.dtype.kind not in "fiub":
        raise refusal(DTypeError, f"feature {name!r} should be real numbers, got {array.dtype}")
    if array.ndim not in (1, 2) or len(array) != n:
        what = f"feature {name!r} should give one row per point, ({n},) or ({n}, k), got {array.shape}"
        raise refusal(ShapeError, what, "It is called with all points at once.")
    return array.astype(np.float64)


def of_samples(names: tuple[str, ...], x: Floats) -> dict[str, float]:
    """Mean, variance (1/n), skewness and kurtosis of samples (n,), as far as they are among the names.

    Raises:
        DataError: a central moment of samples that are all the same.
    """
    if not set(names) & set(STANDARD[1:]):
        return {}
    center, spread = float(np.mean(x)), float(np.var(x))
    if not spread > 0:
        raise refusal(DataError, f"all samples are {center:g}: their variance is 0")
    z = (x - center) / np.sqrt(spread)
    found = (center, spread, float(np.mean(z**3)), float(np.mean(z**4)))
    return {name: value for name, value in zip(STANDARD, found, strict=True) if name in names}


def vector(
    given: Moments,
    what: str,
    where: dict[str, slice],
    shapes: dict[str, tuple[int, ...]],
    missing: float | None,
) -> Floats:
    """Moments, or the distances by which they may be missed, as one vector (k,).

    Args:
        given: by name, or for all columns.
        what: the parameter's name.
        where: name → its columns, from `Table.matrix`.
        shapes: name → its moment's shape.
        missing: what stands for a name that is not given; None refuses it.

    Raises:
        ShapeError: not one number per column.
        DataError: an unknown name, a missing one, NaN or infinity.
    """
    k = max((part.stop for part in where.values()), default=0)
    if not isinstance(given, Mapping):
        array = np.asarray(given, dtype=np.float64)
        if array.shape not in ((), (k,)) or (array.ndim == 0 and k != 1 and missing is None):
            raise refusal(ShapeError, f"{what} should be ({k},), one per feature, got {array.shape}")
        array = np.broadcast_to(array, (k,)).copy()
    else:
        unknown = [name for name in given if name not in where]
        if unknown:
            raise refusal(DataError, f"{what} names {unknown[0]!r}; the features are {', '.join(where)}")
        array = np.empty(k)
        for name, part in where.items():
            if name not in given and missing is None:
                raise refusal(DataError, f"{what} lacks {name!r}", "Every feature needs one.")
            value = np.asarray(given.get(name, missing), dtype=np.float64)
            if value.shape not in ((), shapes[name]) or (
                value.ndim == 0 and missing is None and shapes[name]
            ):
                what = f"{what}[{name!r}] should be {shapes[name]}, got {value.shape}"
                raise refusal(ShapeError, what)
            array[part] = np.broadcast_to(value, shapes[name]).ravel()
    check_finite(array, what)
    return array
